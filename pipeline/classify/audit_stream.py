"""Every classifier against the audit stream: a random 1 % of all documents, unfiltered, that none of them learned from.

Of the domain classifier also the roles by host: what sources and host lists say, and what the score says.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.classify.classifier_settings import ClassifierSettings, DomainSettings
from pipeline.classify.measures import auc
from pipeline.classify.sample import hosts_of
from pipeline.classify.step import sides_of
from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings
from pipeline.core.store import FileInfo, Store

ROLE_ROWS = 20
"""Rows of the table of roles by host."""


def audited_classifiers(
    store: Store, entries: Sequence[tuple[Judge, JudgeSettings]], shards: Mapping[str, Mapping[str, FileInfo]]
) -> dict[str, Any]:
    """Of every classifier that scored: the recipe's threshold and what it keeps, of all documents and of the audit stream.

    Of the audit stream also the AUC between what the recipe names as its sides: no part of it was ever learned from.
    """
    found = {}
    for judge, settings in entries:
        if judge.model is None or not isinstance(settings, ClassifierSettings):
            continue
        name = judge.name
        setting, bound = settings.bound
        every, audit, sides = _Stream(bound), _Stream(bound), [np.zeros(0, np.int16)]
        roles: Counter[tuple[str, str, str, str]] = Counter()
        for files in shards.values():
            table = store.read_table(files[name].path, ["score", "audit"])
            scored = np.asarray(pc.is_valid(table["score"]))
            chosen = np.asarray(table["audit"]) & scored
            scores = np.asarray(pc.fill_null(table["score"], 0.0))
            every.add(scores[scored])
            audit.add(scores[chosen])
            if isinstance(settings, DomainSettings):
                documents = store.read_table(files["documents"].path, ["source", "role", "url"])
                _count_roles(roles, documents.filter(pa.array(scored)), scores[scored] >= settings.role_score)
            if chosen.any():
                documents = store.read_table(files["documents"].path, ["source", "role", "url"])
                sides.append(sides_of(documents.filter(pa.array(chosen)), settings)[0])
                audit.scores.append(scores[chosen])
        if every.documents:
            found[name] = {"setting": setting, "threshold": bound, "all": every.figures()}
            found[name]["audit"] = audit.figures() | _apart(np.concatenate(audit.scores), np.concatenate(sides))
            if roles:
                found[name]["roles"] = _role_rows(roles)
    return found


def _count_roles(roles: Counter, documents: pa.Table, domain: np.ndarray) -> None:
    """Adds the documents of a shard by source, host, role as filed ("auto": the score decides) and what the score says."""
    read = np.where(domain, "domain", "general").tolist()
    sources, filed = documents["source"].to_pylist(), documents["role"].to_pylist()
    roles.update(zip(sources, hosts_of(documents["url"]), filed, read, strict=True))


def _role_rows(roles: Counter) -> list[dict[str, Any]]:
    """The sources and hosts with the most documents: how many, their role as filed, and the share that scores as domain."""
    totals: Counter[tuple[str, str, str]] = Counter()
    for (source, host, filed, _), count in roles.items():
        totals[source, host, filed] += count
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:ROLE_ROWS]
    return [
        {"source": s, "host": h, "filed": f, "documents": n, "scores_as_domain": round(roles[s, h, f, "domain"] / n, 4)}
        for (s, h, f), n in ranked
    ]


class _Stream:
    """Counts of a stream of scores, shard by shard; of the audit stream alone the scores themselves."""

    def __init__(self, bound: float | None) -> None:
        self.bound, self.documents, self.total, self.kept = bound, 0, 0.0, 0
        self.scores: list[np.ndarray] = [np.zeros(0)]

    def add(self, scores: np.ndarray) -> None:
        self.documents += len(scores)
        self.total += float(scores.sum(dtype=np.float64))
        self.kept += int((scores >= self.bound).sum()) if self.bound is not None else 0

    def figures(self) -> dict[str, Any]:
        """How many documents, their mean score, and the share at or above the threshold (None without one)."""
        share = round(self.kept / self.documents, 6) if self.bound is not None and self.documents else None
        mean = round(self.total / self.documents, 6) if self.documents else None
        return {"documents": self.documents, "mean_score": mean, "kept_share": share}


def _apart(scores: np.ndarray, sides: np.ndarray) -> dict[str, Any]:
    """How well scores tell positives from the others that the recipe names."""
    positive, negative = scores[sides == 1], scores[(sides == 0) | (sides > 1)]
    return {"positives": len(positive), "negatives": len(negative), "auc": auc(positive, negative)}
