"""Survival of a domain's terms: how many documents with each term were kept, which stage removed the others, and how much
more frequent the term is in kept domain text than in general text.

Counts add up over shards, so the audit reads each shard once. Every extracted document counts once: kept, or removed by
the stage of its first reason.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.bias import owners, share, whole_column
from pipeline.core.settings import Settings

ROLES = ("domain", "general")


class SurvivalRule(Settings):
    """When a term's row warns: its documents are kept much less often than documents are at all."""

    warn_below: float = 0.5
    min_documents: int = 10
    """Terms in fewer documents are listed and not judged."""


def log_likelihood(domain: int, general: int, domain_words: int, general_words: int) -> float:
    """Keyness G²: how surely a term's two frequencies differ (Rayson and Garside 2000, "Comparing corpora using frequency
    profiling"; 3.84 is p < 0.05, 15.13 is p < 0.0001). Zero where a side has no words.

    >>> round(log_likelihood(30, 10, 1000, 1000), 2)
    10.46
    """
    words = domain_words + general_words
    if not domain_words or not general_words or not domain + general:
        return 0.0
    expected = (domain_words * (domain + general) / words, general_words * (domain + general) / words)
    return 2 * sum(n * math.log(n / e) for n, e in zip((domain, general), expected, strict=True) if n)


def log_ratio(domain: int, general: int, domain_words: int, general_words: int) -> float | None:
    """By how many doublings a term is more frequent in domain text (Hardie 2014, Log Ratio); a count of zero stands as one
    half, as there. None where a side has no words.

    >>> log_ratio(30, 10, 1000, 1000) == math.log2(3), log_ratio(1, 0, 10, 10)
    (True, 1.0)
    """
    if not domain_words or not general_words or not domain + general:
        return None
    return math.log2((max(domain, 0.5) / domain_words) / (max(general, 0.5) / general_words))


@dataclass
class TermCounts:
    """Documents and mentions per term, int64[terms] each. Extracted = kept + every stage's removed, term by term."""

    extracted: np.ndarray
    kept: np.ndarray
    removed: dict[str, np.ndarray] = field(default_factory=dict)
    mentions: dict[str, np.ndarray] = field(default_factory=dict)
    """By role, in kept documents."""
    words: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    """By role, of kept documents."""
    documents: int = 0
    documents_kept: int = 0
    domain: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), np.int64))
    """int64[2, terms]: extracted and kept documents of the role domain."""
    domain_documents: int = 0
    domain_kept: int = 0

    @classmethod
    def zero(cls, terms: int) -> Self:
        """Nothing counted yet."""
        return cls(
            np.zeros(terms, np.int64),
            np.zeros(terms, np.int64),
            mentions={role: np.zeros(terms, np.int64) for role in ROLES},
            domain=np.zeros((2, terms), np.int64),
        )

    def add(self, signals: pa.Table, verdicts: pa.Table) -> None:
        """Count a shard: `signals` of the judge `terms`, and the final verdicts (verdict, stage, role) beside them."""
        lists, width = whole_column(signals["terms"]), len(self.extracted)
        owner, term = owners(lists), lists.flatten().to_numpy(zero_copy_only=False)
        mentions = whole_column(signals["mentions"]).flatten().to_numpy(zero_copy_only=False)
        words = signals["num_words"].to_numpy()
        kept, read = _equal(verdicts["verdict"], "kept"), ~_equal(verdicts["verdict"], "quarantined")
        own = _equal(verdicts["role"], "domain")

        def per_term(documents: np.ndarray) -> np.ndarray:
            return np.bincount(term[documents[owner]], minlength=width)

        self.documents += int(read.sum())
        self.documents_kept += int(kept.sum())
        self.domain_documents += int((read & own).sum())
        self.domain_kept += int((kept & own).sum())
        self.domain += np.stack([per_term(read & own), per_term(kept & own)])
        self.extracted += per_term(read)
        self.kept += per_term(kept)
        for stage in pc.unique(verdicts["stage"].filter(pa.array(read & ~kept))).drop_null().to_pylist():
            gone = per_term(_equal(verdicts["stage"], stage) & read & ~kept)
            self.removed[stage] = self.removed.get(stage, 0) + gone
        for role in ROLES:
            mine = kept & _equal(verdicts["role"], role)
            found = np.bincount(term[mine[owner]], weights=mentions[mine[owner]], minlength=width)
            self.mentions[role] += found.astype(np.int64)
            self.words[role] += int(words[mine].sum())


def _equal(column: pa.ChunkedArray, value: str) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.equal(column, value), False))


def against(kept: int, extracted: int, all_kept: int, all_extracted: int) -> float | None:
    """A kept share over another, None where either side has no documents, or nothing is kept at all.

    >>> against(10, 40, 50, 100)
    0.5
    """
    return kept * all_extracted / (extracted * all_kept) if extracted and all_kept else None


def survival_row(term: str, number: int, counts: TermCounts, rule: SurvivalRule) -> dict[str, Any]:
    """One term: its documents, its kept share over the corpus' own, what removed the rest, its keyness; JSON values.

    It warns by all its documents (`ratio`) or by those of the domain's sources (`ratio_domain`): noise weighs down the
    corpus' own share, so that the second is the sharper one.
    """
    extracted, kept = int(counts.extracted[number]), int(counts.kept[number])
    domain_extracted, domain_kept = (int(n) for n in counts.domain[:, number])
    ratio = against(kept, extracted, counts.documents_kept, counts.documents)
    ratio_domain = against(domain_kept, domain_extracted, counts.domain_kept, counts.domain_documents)
    domain, general = (int(counts.mentions[role][number]) for role in ROLES)
    words = (counts.words["domain"], counts.words["general"])
    doublings = log_ratio(domain, general, *words)
    sides = ((ratio, extracted), (ratio_domain, domain_extracted))
    judged = [found for found, documents in sides if found is not None and documents >= rule.min_documents]
    if judged:
        verdict = "warn" if min(judged) < rule.warn_below else "pass"
    else:
        verdict = "too_few" if extracted else "absent"
    return {
        "term": term,
        "documents": extracted,
        "kept": kept,
        "kept_share": share(kept, extracted),
        "ratio": None if ratio is None else round(ratio, 6),
        "documents_domain": domain_extracted,
        "kept_domain": domain_kept,
        "ratio_domain": None if ratio_domain is None else round(ratio_domain, 6),
        "removed_by": {s: int(n[number]) for s, n in sorted(counts.removed.items()) if n[number]},
        "mentions_domain": domain,
        "mentions_general": general,
        "keyness": round(log_likelihood(domain, general, *words), 3),
        "log_ratio": None if doublings is None else round(doublings, 3),
        "verdict": verdict,
    }


def warning(row: Mapping[str, Any], own: float) -> str:
    """The sentence of a row that warns."""
    stage, number = max(row["removed_by"].items(), key=lambda item: (item[1], item[0]))
    return (
        f'"{row["term"]}": {row["kept_share"]:.1%} of its {row["documents"]} documents are kept, of all documents '
        f"{own:.1%}; of the domain's own, {row['kept_domain']} of {row['documents_domain']}; {stage} removes {number}"
    )


def survival_report(terms: list[str], counts: TermCounts, rule: SurvivalRule | None = None) -> dict[str, Any]:
    """What `terms.json` holds: the rule, the corpus' own figures, a row per term in the list's order, the warnings."""
    rule = rule or SurvivalRule()
    rows = [survival_row(term, number, counts, rule) for number, term in enumerate(terms)]
    own = counts.documents_kept / counts.documents if counts.documents else 0.0
    return {
        "rule": rule.model_dump(mode="json"),
        "corpus": {
            "documents": counts.documents,
            "kept": counts.documents_kept,
            "kept_share": round(own, 6),
            "documents_domain": counts.domain_documents,
            "kept_domain": counts.domain_kept,
            "words": dict(counts.words),
        },
        "counts": {
            verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("pass", "warn", "too_few", "absent")
        },
        "warnings": [warning(row, own) for row in rows if row["verdict"] == "warn"],
        "rows": rows,
    }
