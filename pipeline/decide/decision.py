"""The decision over a run's signals and clusters, as parts that need not meet in one process.

What the whole corpus says (`overall`) comes first; then, a shard at a time, the documents that are in a cluster (`candidates`);
for all documents of some clusters, which stay (`copies`); and, a shard at a time again, the verdicts (`decided`). The steps of
`pipeline.decide.step` hand these from one to the next through files; `Decision.verdicts` does them one after the other, for
`whatif`. Documents are numbered by shards in the order of their names: see `first_rows`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.bias_settings import BiasSettings
from pipeline.classify.classifier_settings import DomainSettings
from pipeline.classify.score import reads_as_domain
from pipeline.cluster.cluster_settings import RankBy, SurvivorSettings
from pipeline.cluster.index_file import IndexFile
from pipeline.cluster.step import EDGES_FILE
from pipeline.core.blocks import Blocks, first_rows
from pipeline.core.judge import Judge, judges
from pipeline.core.run_folder import RunFolder
from pipeline.core.settings import JudgeSettings
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.decide.by_hand import RULES, list_files, marked
from pipeline.decide.rebalance import rebalance
from pipeline.decide.rules import Duplicates, Hits, decisions, rule_hits
from pipeline.decide.survivors import CANDIDATES, Survivors, best_members, similarity_to

ShardFiles = Mapping[str, FileInfo]
"""The files of one shard: `documents`, `clusters`, and the signals of each judge by its name."""
DOCUMENT_COLUMNS = ["id", "source", "role", "reason", "date", "text_bytes"]
Entries = Sequence[tuple[Judge, JudgeSettings]]

COPIES = pa.schema(
    [
        ("row", pa.int64()),  # number of the document that goes
        ("of", pa.string()),  # id of the one that stays instead
        ("exact", pa.bool_()),  # their texts are the same
        ("indexed", pa.bool_()),  # the one that stays is of an earlier run
        ("similarity", pa.float32()),
        ("plain_similarity", pa.float32()),
    ]
)
"""Documents for which another one stays, sorted by their numbers. See `rules.Duplicates`."""


def entries_of(settings: Mapping[str, Any]) -> Entries:
    """Judges with their settings, in the recipe's order."""
    known = judges()
    return [(known[n], known[n].settings.model_validate(settings["judges"][n])) for n in settings["order"]]


def ranks_by(settings: Mapping[str, Any]) -> tuple[RankBy, ...]:
    """What decides which document of a cluster stays, in order."""
    return SurvivorSettings.model_validate(settings["survivors"]).order


def _signals(store: Store, files: ShardFiles, judge: Judge) -> pa.Table:
    """What the decision reads of a judge's signals: all but the spans that apply acts on."""
    return store.read_table(files[judge.name].path, [c for c in judge.columns if c not in judge.cuts])


class Shard:
    """What the decision needs of one shard. `overruled`: by rule, the hits that rebalancing took back."""

    def __init__(
        self,
        store: Store,
        files: ShardFiles,
        entries: Entries,
        aside: Mapping[str, list[str]],
        overruled: pa.Table | None = None,
    ) -> None:
        self.signals = {judge.name: _signals(store, files, judge) for judge, _ in entries}
        for judge, _ in entries:
            if judge.signals_without is not None and aside.get(judge.name):
                self.signals[judge.name] = judge.signals_without(self.signals[judge.name], aside[judge.name])
        documents = store.read_table(files["documents"].path, DOCUMENT_COLUMNS)
        self.documents = _with_roles(documents, self.signals, entries)
        self.clusters = store.read_table(files["clusters"].path)
        self.hits: Hits = rule_hits(entries, self.signals, self.documents)
        ids = self.documents["id"]
        self.chosen = marked(store, files, ids, "keep")
        """bool[n]: kept by hand."""
        if overruled is not None or self.chosen.any():
            taken_back = self.hits.matrix & self.chosen[:, None]
            for name, column in zip(overruled.column_names, overruled.columns, strict=True) if overruled else ():
                taken_back[:, self.hits.rules.index(name)] |= column.to_numpy()
            self.hits = Hits(self.hits.rules, self.hits.matrix & ~taken_back, taken_back)
        for name in (name for name in RULES if name in files):
            self.hits = self.hits.with_rule(RULES[name], marked(store, files, ids, "drop", name))

    @property
    def passing(self) -> np.ndarray:
        """bool[n]: extracted, and no rule hit."""
        return self.hits.passing & ~self.documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)


def _with_roles(documents: pa.Table, signals: dict[str, pa.Table], entries: Entries) -> pa.Table:
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


@dataclass
class OverallCounts:
    """What the whole corpus says, before any document is decided."""

    set_aside: dict[str, list[str]] = field(default_factory=dict)
    """By judge, what the corpus shows to be no finding."""
    rebalance: dict[str, Any] = field(default_factory=dict)
    """What rebalancing did, by stage."""
    classifiers: dict[str, Any] = field(default_factory=dict)
    """What classifiers keep, of all documents and of the audit stream."""


def overall(
    store: Store, settings: Mapping[str, Any], shards: Mapping[str, ShardFiles]
) -> tuple[OverallCounts, dict[str, pa.Table]]:
    """What the whole corpus says; and by shard, a bool column for each rule of which rebalancing took back hits.

    Reads the signals of judges that set something aside, a shard at a time. Rebalancing looks at all documents at once: it
    holds every shard's signals.
    """
    entries, overruled = entries_of(settings), {}
    found = OverallCounts({j.name: j.set_aside(_numbered(store, shards, j), own) for j, own in entries if j.set_aside})
    if "bias" in settings:
        held = {name: Shard(store, files, entries, found.set_aside) for name, files in shards.items()}
        found.rebalance = rebalance(list(held.values()), entries, BiasSettings.model_validate(settings["bias"]))
        for name, shard in held.items():
            if shard.hits.overruled is not None and shard.hits.overruled.any():
                columns = enumerate(shard.hits.rules)
                overruled[name] = pa.table({rule: shard.hits.overruled[:, n] for n, rule in columns})
    return found, overruled


def _numbered(store: Store, shards: Mapping[str, ShardFiles], judge: Judge) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Of each shard a judge's signals, and a number for each document: copies of one document count once."""
    alone = -1
    for files in shards.values():
        numbers = store.read_table(files["clusters"].path, ["near_cluster"])["near_cluster"]
        known = np.asarray(numbers.is_valid())
        values = numbers.fill_null(0).to_numpy().copy()
        values[~known] = alone - np.arange(int((~known).sum()))  # labels are not negative
        alone -= int((~known).sum())
        yield _signals(store, files, judge), values


def candidates(shard: Shard, first: int, priorities: Mapping[str, int]) -> pa.Table:
    """The documents of a shard that are in a cluster. Priority: the source's, within it domain before general."""
    clusters = shard.clusters
    chosen = clusters["near_cluster"].is_valid()
    documents, rows = shard.documents.filter(chosen), pc.indices_nonzero(chosen)
    count = documents.num_rows
    quality, minhash = shard.signals.get("quality"), shard.signals.get("minhash")
    places = pc.index_in(documents["source"], pa.array(list(priorities), pa.string()))
    ranks = pa.array([2 * priority for priority in priorities.values()], pa.int64()).take(places.combine_chunks())
    return pa.table(
        {
            "near_cluster": clusters["near_cluster"].filter(chosen),
            "node": clusters["node"].filter(chosen),
            "passing": pa.array(shard.passing).filter(chosen.combine_chunks()),
            "indexed": pa.array(np.zeros(count, bool)),
            "chosen": pa.array(shard.chosen).filter(chosen.combine_chunks()),
            "priority": pc.add(ranks, pc.cast(pc.equal(documents["role"], "domain"), pa.int64()).combine_chunks()),
            "quality": pa.array(np.zeros(count)) if quality is None else quality["score"].filter(chosen),
            "length": documents["text_bytes"],
            "date": documents["date"],
            "id": documents["id"],
            "row": pc.add(pc.cast(rows, pa.int64()), first),
            "exact_cluster": clusters["exact_cluster"].filter(chosen),
            "sketch": pa.nulls(count, pa.binary()) if minhash is None else minhash["sketch"].filter(chosen),
        }
    ).cast(CANDIDATES)


def indexed_candidates(store: Store, index_file: IndexFile, labels: FileInfo, first: int) -> pa.Table:
    """The documents that an earlier run kept and that are in a cluster of this one."""
    index = index_file.read(["id", "kept", "sketch"])
    clusters = store.read_table(labels.path)
    chosen = pc.and_(clusters["near_cluster"].is_valid().combine_chunks(), index["kept"].combine_chunks())
    count = int(pc.sum(chosen).as_py() or 0)
    known = {
        "near_cluster": clusters["near_cluster"].filter(chosen),
        "node": clusters["node"].filter(chosen),
        "passing": pa.array(np.ones(count, bool)),
        "indexed": pa.array(np.ones(count, bool)),
        "id": index["id"].filter(chosen),
        "row": pc.add(pc.cast(pc.indices_nonzero(chosen), pa.int64()), first),
        "exact_cluster": clusters["exact_cluster"].filter(chosen),
        "sketch": index["sketch"].filter(chosen),
    }
    rest = {field.name: pa.nulls(count, field.type) for field in CANDIDATES if field.name not in known}
    return pa.table({name: (known | rest)[name] for name in CANDIDATES.names}).cast(CANDIDATES)


def copies(members: pa.Table, edges: pa.Table, order: Sequence[RankBy], bound: float | None) -> pa.Table:
    """`COPIES` of all documents (`CANDIDATES`) of some clusters, given the near-copies among their nodes."""
    best = best_members(members.filter(members["passing"]), order)
    survivors = Survivors(best, edges, bound)
    members = members.filter(pc.invert(members["indexed"])).sort_by("row")
    places, similar = survivors.of(members["node"].to_numpy())
    goes = places >= 0
    goes[goes] = best["row"].to_numpy()[places[goes]] != members["row"].to_numpy()[goes]
    members, places, similar = members.filter(pa.array(goes)), places[goes], similar[goes]
    taken = best.select(["id", "indexed", "exact_cluster"]).take(pa.array(places))
    same = np.asarray(pc.fill_null(pc.equal(taken["exact_cluster"], members["exact_cluster"]), False))
    unknown = np.isnan(similar[:, 0])  # documents that count as one, though their texts differ
    similar[unknown] = similarity_to(members["sketch"], best, np.where(unknown, places, -1))[unknown, None]
    similar[same] = 1.0
    columns = [members["row"], taken["id"], pa.array(same), taken["indexed"], similar[:, 0], similar[:, 1]]
    return pa.table(columns, schema=COPIES)


def decided(shard: Shard, first: int, found: pa.Table) -> pa.Table:
    """The verdicts of one shard, given the `COPIES` among its documents and others."""
    count = shard.documents.num_rows
    rows = found["row"].to_numpy()
    own = slice(*np.searchsorted(rows, [first, first + count]))
    rows, found = rows[own] - first, found.slice(own.start, own.stop - own.start)
    place = np.full(count, -1)
    place[rows] = np.arange(len(rows))
    exact, indexed = np.zeros(count, bool), np.zeros(count, bool)
    exact[rows], indexed[rows] = found["exact"].to_numpy(), found["indexed"].to_numpy()
    similar = np.full((count, 2), np.nan, np.float32)
    similar[rows, 0], similar[rows, 1] = found["similarity"].to_numpy(), found["plain_similarity"].to_numpy()
    of = found["of"].combine_chunks().take(pa.array(place, mask=place < 0))
    return decisions(shard.documents, shard.hits, Duplicates(of, exact, indexed, similar[:, 0], similar[:, 1]))


@dataclass(frozen=True)
class Decision:
    """Everything that the verdicts of a run follow from."""

    settings: dict[str, Any]
    """`order` of the judges, and by name their settings (`judges`); `survivors`, `min_similarity`, `priorities`, and `bias` when
    it rebalances."""
    shards: Mapping[str, ShardFiles]
    edges: FileInfo
    """Near-copies among the clusters' nodes."""
    indexes: Sequence[tuple[IndexFile, FileInfo]] = ()
    """Each earlier run's index, and the clusters of its documents."""

    @classmethod
    def of(cls, run: RunFolder, settings: dict[str, Any], index_files: Iterable[IndexFile]) -> "Decision":
        """The decision over a run's signals and clusters with these settings."""
        shards = {}
        for shard in run.shards:
            shards[shard] = {"documents": run.file(Step.EXTRACT, shard), "clusters": run.file(Step.CLUSTER, name=shard)}
            shards[shard] |= {name: run.signal_file(name, shard) for name in settings["order"]}
            shards[shard] |= list_files(settings)
        clusters = run.commit(Step.CLUSTER).files
        return cls(settings, shards, clusters[EDGES_FILE], [(index, clusters[index.name]) for index in index_files])

    @property
    def blocks(self) -> Blocks:
        """The shards in blocks, their documents numbered with those of the indexes."""
        rows = {name: files["documents"].rows or 0 for name, files in self.shards.items()}
        return Blocks.of(rows, first_rows(rows | {index.name: index.rows for index, _ in self.indexes}))

    def verdicts(self, store: Store) -> Iterator[pa.Table]:
        """Verdicts of every shard, in this process: every document of a cluster is held at once."""
        entries, firsts, order = entries_of(self.settings), self.blocks.firsts, ranks_by(self.settings)
        said, overruled = overall(store, self.settings, self.shards)

        def shards() -> Iterator[tuple[int, Shard]]:
            for name, files in self.shards.items():
                yield firsts[name], Shard(store, files, entries, said.set_aside, overruled.get(name))

        members = [indexed_candidates(store, index, labels, firsts[index.name]) for index, labels in self.indexes]
        members += [candidates(shard, first, self.settings["priorities"]) for first, shard in shards()]
        edges = store.read_table(self.edges.path)
        table = pa.concat_tables([CANDIDATES.empty_table(), *members])
        found = copies(table, edges, order, self.settings["min_similarity"])
        for first, shard in shards():
            yield decided(shard, first, found)
