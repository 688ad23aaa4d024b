"""Decide, as a step: one unit over all signals and clusters; cheap, and all that a changed threshold reruns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.bias_settings import BiasSettings
from pipeline.classify.audit_stream import audited_classifiers
from pipeline.classify.classifier_settings import DomainSettings
from pipeline.classify.score import reads_as_domain
from pipeline.cluster.cluster_settings import SurvivorSettings
from pipeline.cluster.index_file import IndexFile
from pipeline.cluster.step import EDGES_FILE
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.judge import Judge, judges
from pipeline.core.reads import Reads
from pipeline.core.run_folder import Commits, Run, RunFolder
from pipeline.core.settings import JudgeSettings
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.rebalance import rebalance
from pipeline.decide.rules import DECISIONS, DUPLICATE_STAGES, Duplicates, Hits, decisions, rule_hits
from pipeline.decide.survivors import CANDIDATES, Survivors, best_members, similarity_to

VERSION = 7
ShardFiles = Mapping[str, FileInfo]
"""The files of one shard: `documents`, `clusters`, and the signals of each judge by its name."""
DOCUMENT_COLUMNS = ["id", "source", "role", "reason", "date", "text_bytes"]


def _signals(store: Store, files: ShardFiles, judge: Judge) -> pa.Table:
    """What the decision reads of a judge's signals: all but the spans that apply acts on."""
    return store.read_table(files[judge.name].path, [c for c in judge.columns if c not in judge.cuts])


class _Shard:
    """What the decision needs of one shard."""

    def __init__(
        self,
        store: Store,
        files: ShardFiles,
        entries: list[tuple[Judge, JudgeSettings]],
        aside: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.signals = {judge.name: _signals(store, files, judge) for judge, _ in entries}
        for judge, _ in entries:
            if aside and judge.signals_without is not None and aside.get(judge.name):
                self.signals[judge.name] = judge.signals_without(self.signals[judge.name], aside[judge.name])
        documents = store.read_table(files["documents"].path, DOCUMENT_COLUMNS)
        self.documents = _with_roles(documents, self.signals, entries)
        self.clusters = store.read_table(files["clusters"].path)
        self.hits: Hits = rule_hits(entries, self.signals, self.documents)

    @property
    def passing(self) -> np.ndarray:
        """bool[n]: extracted, and no rule hit."""
        return self.hits.passing & ~self.documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)


def _with_roles(
    documents: pa.Table, signals: dict[str, pa.Table], entries: list[tuple[Judge, JudgeSettings]]
) -> pa.Table:
    """Roles are domain or general from here on: what neither its source nor its host decides follows the domain score.

    Without a domain judge, or without a score, it is general.
    """
    undecided: pa.ChunkedArray | str = "general"
    for judge, settings in entries:
        if judge.name == "domain":
            assert isinstance(settings, DomainSettings)
            undecided = pc.if_else(reads_as_domain(signals["domain"]["score"], settings), "domain", "general")
    roles = pc.if_else(pc.equal(documents["role"], "auto"), undecided, documents["role"])
    return documents.set_column(documents.schema.get_field_index("role"), "role", roles)


def candidates(shard: _Shard, name: str, priorities: dict[str, int]) -> pa.Table:
    """The documents of a shard that may stand for their cluster. Priority: the source's, within it domain before general."""
    clusters = shard.clusters
    chosen = pa.array(np.asarray(clusters["near_cluster"].is_valid()) & shard.passing)
    documents, rows = shard.documents.filter(chosen), pc.indices_nonzero(chosen)
    count = documents.num_rows
    sources, roles = documents["source"].to_pylist(), documents["role"].to_pylist()
    quality, minhash = shard.signals.get("quality"), shard.signals.get("minhash")
    return pa.table(
        {
            "node": clusters["node"].filter(chosen),
            "indexed": pa.array(np.zeros(count, bool)),
            "priority": [2 * priorities[s] + (r == "domain") for s, r in zip(sources, roles, strict=True)],
            "quality": pa.array(np.zeros(count)) if quality is None else quality["score"].filter(chosen),
            "length": documents["text_bytes"],
            "date": documents["date"],
            "id": documents["id"],
            "shard": pa.array([name] * count, pa.string()),
            "row": pc.cast(rows, pa.int64()),
            "exact_cluster": clusters["exact_cluster"].filter(chosen),
            "sketch": pa.nulls(count, pa.binary()) if minhash is None else minhash["sketch"].filter(chosen),
        }
    ).cast(CANDIDATES)


def indexed_candidates(store: Store, index_file: IndexFile, labels: FileInfo) -> pa.Table:
    """The documents that an earlier run kept and that are in a cluster of this one."""
    index = index_file.read(["id", "kept", "sketch"])
    clusters = store.read_table(labels.path)
    chosen = pc.and_(clusters["near_cluster"].is_valid().combine_chunks(), index["kept"].combine_chunks())
    count = int(pc.sum(chosen).as_py() or 0)
    known = {
        "node": clusters["node"].filter(chosen),
        "indexed": pa.array(np.ones(count, bool)),
        "id": index["id"].filter(chosen),
        "shard": pa.array([index_file.name] * count, pa.string()),
        "row": pc.cast(pc.indices_nonzero(chosen), pa.int64()),
        "exact_cluster": clusters["exact_cluster"].filter(chosen),
        "sketch": index["sketch"].filter(chosen),
    }
    rest = {field.name: pa.nulls(count, field.type) for field in CANDIDATES if field.name not in known}
    return pa.table({name: (known | rest)[name] for name in CANDIDATES.names}).cast(CANDIDATES)


@dataclass(frozen=True)
class Decision:
    """Everything that the verdicts of a run follow from: what a unit of decide gets, and what `whatif` changes."""

    settings: dict[str, Any]
    """`order` of the judges, and by name their settings (`judges`); `survivors`, `priorities`, and `bias` when it rebalances."""
    shards: Mapping[str, ShardFiles]
    edges: FileInfo
    """Near-copies among the clusters' nodes."""
    indexes: Sequence[Mapping[str, Any]] = ()
    """Of each earlier run its index (`file`) and the clusters of its documents (`clusters`)."""

    @classmethod
    def of(cls, run: RunFolder, settings: dict[str, Any], index_files: Sequence[IndexFile]) -> "Decision":
        """The decision over a run's signals and clusters with these settings."""
        shards = {}
        for shard in run.shards:
            shards[shard] = {"documents": run.file(Step.EXTRACT, shard), "clusters": run.file(Step.CLUSTER, name=shard)}
            shards[shard] |= {name: run.signal_file(name, shard) for name in settings["order"]}
        clusters = run.commit(Step.CLUSTER).files
        indexes = [{"file": index, "clusters": clusters[index.name]} for index in index_files]
        return cls(settings, shards, clusters[EDGES_FILE], indexes)

    @property
    def reads(self) -> Reads:
        """For a unit."""
        return {"shards": self.shards, "edges": self.edges, "indexes": list(self.indexes)}

    @property
    def entries(self) -> list[tuple[Judge, JudgeSettings]]:
        """Judges with their settings, in the recipe's order."""
        known = judges()
        return [
            (known[n], known[n].settings.model_validate(self.settings["judges"][n])) for n in self.settings["order"]
        ]

    def set_aside(self, store: Store) -> dict[str, list[str]]:
        """By judge, what the whole corpus shows to be no finding. Copies of one document count once."""

        def numbered(judge: Judge) -> Iterator[tuple[pa.Table, np.ndarray]]:
            alone = -1
            for files in self.shards.values():
                numbers = store.read_table(files["clusters"].path, ["near_cluster"])["near_cluster"]
                known = np.asarray(numbers.is_valid())
                values = numbers.fill_null(0).to_numpy().copy()
                values[~known] = alone - np.arange(int((~known).sum()))  # labels are not negative
                alone -= int((~known).sum())
                yield (
                    store.read_table(files[judge.name].path, [c for c in judge.columns if c not in judge.cuts]),
                    values,
                )

        return {j.name: j.set_aside(numbered(j), own) for j, own in self.entries if j.set_aside is not None}

    def verdicts(
        self, store: Store, corrected: dict[str, Any] | None = None, aside: Mapping[str, list[str]] | None = None
    ) -> Iterator[pa.Table]:
        """Verdicts of every shard: rules first, then rebalancing where the recipe asks for it, then the survivors of clusters
        among the documents that pass. What rebalancing did is put into `corrected`, by stage.

        Shards are read one at a time, twice; between the readings the best candidate of every node is all that is held.
        Rebalancing looks at all of them at once.
        """
        entries = self.entries
        aside = self.set_aside(store) if aside is None else aside
        order = SurvivorSettings.model_validate(self.settings["survivors"]).order
        held: dict[str, _Shard] = {}
        if "bias" in self.settings:
            held = {name: _Shard(store, files, entries, aside) for name, files in self.shards.items()}
            corrections = rebalance(list(held.values()), entries, BiasSettings.model_validate(self.settings["bias"]))
            if corrected is not None:
                corrected.update(corrections)

        def shards() -> Iterator[tuple[str, _Shard]]:
            for name, files in self.shards.items():
                yield name, held.get(name) or _Shard(store, files, entries, aside)

        tables = [best_members(indexed_candidates(store, one["file"], one["clusters"]), order) for one in self.indexes]
        tables += [
            best_members(candidates(shard, name, self.settings["priorities"]), order) for name, shard in shards()
        ]
        best = best_members(pa.concat_tables([CANDIDATES.empty_table(), *tables]).combine_chunks(), order)
        survivors = Survivors(best, store.read_table(self.edges.path), self.settings["min_similarity"])
        for name, shard in shards():
            yield _decided(name, shard, survivors)


@dataclass
class DecideCounts:
    """What deciding counted: documents by first reason (`stage.rule`), what rebalancing did by stage, what classifiers keep, and,
    with an index of earlier runs, how this run's documents stand to theirs."""

    first_reasons: dict[str, int] = field(default_factory=dict)
    delta: dict[str, int] | None = None
    rebalance: dict[str, Any] = field(default_factory=dict)
    set_aside: dict[str, list[str]] = field(default_factory=dict)
    """By judge, kinds of spans that the whole corpus shows to be no finding."""
    classifiers: dict[str, Any] = field(default_factory=dict)


def _decided(name: str, shard: _Shard, survivors: Survivors) -> pa.Table:
    """The verdicts of one shard, given who stays."""
    best, nodes = survivors.best, shard.clusters["node"].fill_null(-1).to_numpy()
    places, similar = survivors.of(nodes)
    here = np.asarray(pc.equal(best["shard"], name)) if best.num_rows else np.zeros(0, bool)
    if len(here):
        stays = (places >= 0) & here[places] & (best["row"].to_numpy()[places] == np.arange(len(nodes)))
        places, similar[stays] = np.where(stays, -1, places), np.nan
    survivor = pa.array(places, mask=places < 0)
    exact = pc.equal(best["exact_cluster"].take(survivor), shard.clusters["exact_cluster"])
    same = np.asarray(pc.fill_null(exact, False))
    if "minhash" in shard.signals:  # documents that count as one, though their texts differ
        unknown = (places >= 0) & np.isnan(similar[:, 0])
        estimate = similarity_to(shard.signals["minhash"]["sketch"], best, np.where(unknown, places, -1))
        similar[unknown] = estimate[unknown, None]
    similar[same] = 1.0
    found = Duplicates(
        best["id"].take(survivor).combine_chunks(),
        same,
        np.asarray(pc.fill_null(best["indexed"].take(survivor), False)),
        similar[:, 0],
        similar[:, 1],
    )
    return decisions(shard.documents, shard.hits, found)


def decide_all(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Write the verdicts of every shard, and count them."""
    (assigned,) = assignments
    reads = assigned.reads
    decision = Decision(assigned.settings, reads["shards"], reads["edges"], reads["indexes"])
    files: dict[str, FileInfo] = {}
    balance, reasons, hits = Balance(), Counter(), Counter()
    counts = DecideCounts()
    counts.set_aside = decision.set_aside(store)
    tables = decision.verdicts(store, counts.rebalance, counts.set_aside)
    for name, table in zip(decision.shards, tables, strict=True):
        files[name] = store.put_table(assigned.path("decisions", name), [table], DECISIONS)
        verdicts = Counter(table["verdict"].to_pylist())
        balance.entered += table.num_rows
        balance.kept += verdicts["kept"]
        balance.removed += verdicts["removed"]
        balance.quarantined += verdicts["quarantined"]
        stages, rules = table["stage"].to_pylist(), table["rule"].to_pylist()
        reasons.update(f"{stage}.{rule}" for stage, rule in zip(stages, rules, strict=True) if stage)
        hits.update(pc.list_flatten(table["reasons"]).to_pylist())
    counts.first_reasons = dict(sorted(reasons.items()))
    counts.delta = _delta(hits, balance) if decision.indexes else None
    counts.classifiers = audited_classifiers(store, decision.entries, decision.shards)
    return [Produced(files, counts, balance)]


def _delta(hits: Counter[str], balance: Balance) -> dict[str, int]:
    """What this run's documents are against those of the earlier runs: copies of them, copies of each other, or new."""
    known, among = (sum(hits[f"{stage}.{rule}"] for stage in DUPLICATE_STAGES) for rule in ("in_index", "duplicate"))
    return {
        "documents": balance.entered - balance.quarantined,
        "removed_in_index": known,
        "removed_among_themselves": among,
        "new": balance.entered - balance.quarantined - known - among,
    }


def decide(run: Run) -> Commits:
    """Keyed by every setting of the judges, by signals and clusters and, where it rebalances, by the audit's settings."""
    settings: dict[str, Any] = {
        "judges": {name: own.model_dump(mode="json") for name, own in run.recipe.judges},
        "order": [name for name, _ in run.recipe.judges],
        "survivors": run.recipe.survivors.model_dump(mode="json"),
        "min_similarity": run.recipe.cluster.min_similarity,
        "priorities": {source.name: source.priority for source in run.recipe.chosen},
    }
    if run.recipe.bias.action == "rebalance":
        settings["bias"] = run.recipe.bias.model_dump(mode="json")
    decision = Decision.of(run, settings, run.indexes)
    return run.execute(Step.DECIDE, [Unit("all", decision.reads, settings, VERSION)], decide_all)
