"""The verdicts that other thresholds would give, from the signals of a finished run.

Exact through decide: rules, clusters and survivors are applied by the code that a run decides with. `select.keep` is exact
to the end. Nothing is written.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import asdict
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.select_step import amounts, select, selection_files
from pipeline.apply.selection import STAGE, sentence
from pipeline.ask.tables import literal
from pipeline.cluster.step import EDGES_FILE, ClusterCounts
from pipeline.core.judge import Judge, judges
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.decide.by_hand import RULES, list_files, marked
from pipeline.decide.decision import (
    DOCUMENT_COLUMNS,
    Decision,
    Shard,
    candidates,
    copies,
    decided,
    entries_of,
    indexed_candidates,
    ranks_by,
)
from pipeline.decide.rules import DUPLICATE_STAGES, Hits, rule_hits
from pipeline.errors import UsageError, near

EXAMPLES = 10
SIZES = ("text_bytes", "num_pretokens")
STATE = ("verdict", "reason")


def problems(errors: ValidationError, name: str) -> str:
    """What is wrong with settings, in one sentence, each with its path."""
    return "; ".join(
        f"{'.'.join((name, *map(str, e['loc'])))}: {e['msg'].removeprefix('Value error, ')}, not {e['input']!r}"
        for e in errors.errors()
    )


def changed(opened: RunFolder, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The decision's settings with new thresholds by path. Raises UsageError for names that the run has no signal for."""
    settings = opened.commit(Step.DECIDE).parts["settings"]
    of_judges = {name: dict(settings["judges"][name]) for name in settings["order"]}
    known = judges()
    for path, value in changes.items():
        judge, _, field = path.partition(".")
        field, *inner = field.split(".")
        if judge not in of_judges:
            raise UsageError(
                f"{path}: the run has no judge {judge}; expected judge.threshold=value{near(judge, of_judges)}"
            )
        decided = known[judge].settings.decided_fields()
        if field not in decided:
            raise UsageError(f"{path}: {judge} has no threshold {field}{near(field, decided)}")
        if field == "by_source" and inner and inner[0] not in settings["priorities"]:
            raise UsageError(f"{path}: this run has no source {inner[0]}{near(inner[0], settings['priorities'])}")
        holder = of_judges[judge]
        for part in inner:  # a bound of a source or a role: by_source.news.min_num_words
            holder[field] = dict(own) if isinstance(own := holder.get(field), dict) else {}
            holder, field = holder[field], part
        holder[field] = value
    for name in {path.partition(".")[0] for path in changes}:
        try:
            known[name].settings.model_validate(of_judges[name])
        except ValidationError as errors:
            raise UsageError(problems(errors, name)) from errors
    return settings | {"judges": of_judges}


class Standing(Shard):
    """The verdicts of decide, all documents of a run as one shard: what another bound is compared with, held between questions.

    What rules hit is read from the reasons. So a question reads the signals of one judge, and decides again only the documents
    that it hits otherwise and the clusters in which a document may stay that might not, or the reverse. A million documents take
    about 0.25 GiB.
    """

    def __init__(self, opened: RunFolder) -> None:
        if not opened.has(Step.DECIDE):
            raise UsageError(f"{opened.store.root}: nothing is decided yet; run it at least to `--to decide`")
        self.opened, self.settings = opened, opened.commit(Step.DECIDE).parts["settings"]
        names = ["verdict", "stage", "rule", "reasons", "role"]
        verdicts = self._whole(lambda shard: opened.table(opened.file(Step.DECIDE, name=shard), names))
        documents = self._whole(lambda shard: opened.documents(shard, [*DOCUMENT_COLUMNS, "num_pretokens"]))
        self.documents = documents.set_column(documents.schema.get_field_index("role"), "role", verdicts["role"])
        self.clusters = self._whole(opened.clusters)
        self.signals = {}
        if "quality" in self.settings["order"]:
            self.signals["quality"] = self._whole(lambda shard: opened.signals("quality", shard, ["score"]))
        self.chosen = marked(opened.store, list_files(self.settings), documents["id"], "keep")
        self.hits = self._hits(verdicts["reasons"])
        self.before = _state(verdicts)
        sizes = self.before.append_column(SIZES[0], documents[SIZES[0]]).append_column(SIZES[1], documents[SIZES[1]])
        sums = sizes.group_by(list(STATE)).aggregate([([], "count_all"), *((name, "sum") for name in SIZES)])
        self.counts = sums.rename_columns([*STATE, "n", *SIZES])
        """Documents, bytes and pre-tokens by verdict and first reason."""
        labels = self.clusters["near_cluster"].fill_null(-1).to_numpy()
        self._labels, self._cluster = np.unique(labels, return_inverse=True)
        self._members = candidates(self, 0, self.settings["priorities"])
        self._hit = dict(zip(self.hits.rules, np.ascontiguousarray(self.hits.matrix.T), strict=True))
        self._passes = self.passing
        del self.clusters, self.signals, self.hits
        self._judge: tuple[str, pa.Table] = ("", pa.table({}))

    def _whole(self, read: Callable[[str], pa.Table]) -> pa.Table:
        """What is read of every shard as one table, shards in the order that documents are numbered by."""
        return pa.concat_tables(map(read, sorted(self.opened.shards))).combine_chunks()

    def _hits(self, reasons: pa.ChunkedArray) -> Hits:
        """What rules hit, from the reasons of all documents; copies are decided again."""
        rules = [rule for rule in self._rules(self.settings) if rule.partition(".")[0] not in DUPLICATE_STAGES]
        lists = reasons.combine_chunks()
        names = pc.index_in(lists.flatten(), pa.array(rules, pa.string()))
        known = names.is_valid()
        matrix = np.zeros((len(lists), len(rules)), np.bool_)
        matrix[lists.value_parent_indices().filter(known).to_numpy(), names.filter(known).to_numpy()] = True
        return Hits(rules, matrix)

    def _rules(self, settings: Mapping[str, Any]) -> list[str]:
        """Every rule in order, whether it hits anything or not."""
        entries = entries_of(settings)
        empty = {judge.name: pa.schema(list(judge.columns.items())).empty_table() for judge, _ in entries}
        by_hand = list_files(settings)
        return [
            *rule_hits(entries, empty, self.documents.slice(0, 0)).rules,
            *(rule for name, rule in RULES.items() if name in by_hand),
        ]

    def _signals(self, judge: Judge) -> pa.Table:
        """A judge's signals; those of the last one asked for are kept."""
        if self._judge[0] != judge.name:
            columns = [name for name in judge.columns if name not in judge.cuts]
            self._judge = judge.name, self._whole(lambda shard: self.opened.signals(judge.name, shard, columns))
        return self._judge[1]

    def moves(self, changes: Mapping[str, Any]) -> pa.Table:
        """A row a document whose verdict or first reason changes: `id`, `source`, SIZES, and both as decided (`old_`) and with
        the changes (`new_`)."""
        settings = changed(self.opened, changes)
        names = {path.partition(".")[0] for path in changes}
        if "bias" in settings or any(name == "domain" or judges()[name].set_aside for name in names):
            # The change reaches other judges: by roles, by what the corpus sets aside, or by rebalancing.
            rows, new = np.arange(self.documents.num_rows), self._decided_anew(settings)
        else:
            rows, new = self._decided_again(settings, names)
        old, new = self.before.take(rows), _state(new)
        differ = pc.or_(*(pc.invert(_same(old[name], new[name])) for name in STATE))
        told = self.documents.select(["id", "source", *SIZES]).take(pa.array(rows).filter(differ.combine_chunks()))
        for age, table in (("old", old), ("new", new)):
            for name in STATE:
                told = told.append_column(f"{age}_{name}", table[name].filter(differ))
        return told

    def _decided_anew(self, settings: dict[str, Any]) -> pa.Table:
        """The verdicts of all documents, as a run decides."""
        indexes = self.opened.counted(ClusterCounts, Step.CLUSTER).index_files
        decision = Decision.of(self.opened, settings, indexes)
        found = dict(zip(decision.shards, decision.verdicts(self.opened.store), strict=True))
        return self._whole(found.__getitem__)

    def _decided_again(self, settings: dict[str, Any], names: set[str]) -> tuple[np.ndarray, pa.Table]:
        """(rows, their verdicts): the documents that these judges hit otherwise with new settings, and the clusters of those."""
        entries = [(judge, own) for judge, own in entries_of(settings) if judge.name in names]
        own = rule_hits(entries, {judge.name: self._signals(judge) for judge, _ in entries}, self.documents)
        hit = {rule: column for rule, column in self._hit.items() if rule.partition(".")[0] not in names}
        hit |= {rule: column & ~self.chosen for rule, column in zip(own.rules, own.matrix.T, strict=True)}
        none = np.zeros(self.documents.num_rows, np.bool_)
        read = self.documents["reason"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        differ = none.copy()
        for rule in self._hit.keys() | hit.keys():
            if self._hit.get(rule) is not hit.get(rule):
                differ |= (self._hit.get(rule, none) ^ hit.get(rule, none)) & read
        passes = read & ~np.logical_or.reduce([none, *hit.values()])
        touched = np.zeros(len(self._labels), np.bool_)
        touched[self._cluster[passes != self._passes]] = True
        touched &= self._labels >= 0
        rows = np.flatnonzero(differ | touched[self._cluster])
        copied = self._copies(settings, pa.array(self._labels[touched]), passes)
        copied = copied.set_column(0, "row", pa.array(np.searchsorted(rows, copied["row"].to_numpy())))
        part, rules = copy(self), self._rules(settings)
        matrix = np.array([hit.get(rule, none)[rows] for rule in rules], np.bool_).reshape(len(rules), len(rows)).T
        part.documents, part.hits = self.documents.take(rows), Hits(rules, matrix)
        return rows, decided(part, 0, copied)

    def _copies(self, settings: dict[str, Any], clusters: pa.Array, passing: np.ndarray) -> pa.Table:
        """COPIES among the documents of some clusters, now that these pass."""
        store, count, found = self.opened.store, self.documents.num_rows, [self._members]
        labels = self.opened.commit(Step.CLUSTER).files
        if len(clusters):
            for index in self.opened.counted(ClusterCounts, Step.CLUSTER).index_files:
                found.append(indexed_candidates(store, index, labels[index.name], count))
        edges = store.read_table(labels[EDGES_FILE].path)
        members = pa.concat_tables(found)
        members = members.filter(pc.is_in(members["near_cluster"], clusters))
        edges = edges.filter(pc.is_in(edges["document"], members["node"].combine_chunks()))
        place = members["row"].to_numpy()
        passes = np.asarray(members["indexed"]) | passing[np.minimum(place, count - 1)] if len(place) else place > 0
        members = members.set_column(members.schema.get_field_index("passing"), "passing", pa.array(passes))
        return copies(members, edges, ranks_by(settings), settings["min_similarity"])


def _state(verdicts: pa.Table) -> pa.Table:
    """Verdict and first reason as "stage.rule"."""
    reason = pc.binary_join_element_wise(verdicts["stage"], verdicts["rule"], ".")
    return pa.table([verdicts["verdict"], reason], list(STATE))


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """bool[n]: equal, or both null."""
    return pc.fill_null(pc.equal(one, other), pc.and_(one.is_null(), other.is_null()))


def compare(opened: RunFolder, changes: Mapping[str, Any], standing: Standing | None = None) -> dict[str, Any]:
    """Documents by verdict and by first reason, and kept bytes and pre-tokens, as decided (`before`) and with the changes
    (`after`); what comes `back` and what would be `gone`: documents and pre-tokens by source, and the first ids.

    Raises UsageError for names that the run has no signal for.
    """
    standing = standing or Standing(opened)
    database = duckdb.connect(config={"threads": "2"})
    database.register("before", standing.counts)
    database.register("moves", standing.moves(changes))
    after = "(FROM before UNION ALL SELECT new_verdict, new_reason, 1, text_bytes, num_pretokens FROM moves UNION ALL "
    after += "SELECT old_verdict, old_reason, -1, -text_bytes, -num_pretokens FROM moves)"

    def counted(table: str) -> dict[str, Any]:
        def by(column: str) -> dict[str, int]:
            query = f"SELECT {column}, sum(n)::BIGINT FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 "
            return dict(database.sql(f"{query} HAVING sum(n) > 0 ORDER BY 1").fetchall())

        sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in SIZES)
        size, tokens = database.sql(f"SELECT {sums} FROM {table} WHERE verdict = 'kept'").fetchall()[0]
        return {
            "verdicts": by("verdict"),
            "first_reasons": by("reason"),
            "kept_text_bytes": size,
            "kept_pretokens": tokens,
        }

    def moved(old: str, new: str) -> dict[str, Any]:
        rows = f"FROM moves WHERE {old}_verdict <> 'kept' AND {new}_verdict = 'kept'"
        query = f"SELECT source, count(*), sum(num_pretokens)::BIGINT {rows} GROUP BY source ORDER BY 2 DESC, 1"
        by_source = {
            name: {"documents": count, "pretokens": size} for name, count, size in database.sql(query).fetchall()
        }
        ids = database.sql(f"SELECT id {rows} ORDER BY md5(id || {literal('whatif')}) LIMIT {EXAMPLES}").fetchall()
        return {"by_source": by_source, "examples": [own for (own,) in ids]}

    found = {"before": counted("before"), "after": counted(after)}
    return found | {"back": moved("old", "new"), "gone": moved("new", "old")}


def dialled(opened: RunFolder, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What another dial (`{"select.keep": 0.1}`) would keep of the finished run: its bounds, documents and pre-tokens.

    Raises UsageError when the run has not settled, or has no signal to go by.
    """
    if not opened.has(Step.SETTLE):
        raise UsageError(f"{opened.store.root}: no verdict is final yet; `select` comes last")
    told = dict(opened.commit(Step.SETTLE).parts["settings"].get("select") or {})
    for path, value in changes.items():
        name = path.removeprefix("select.")
        if name not in SelectSettings.model_fields:
            raise UsageError(f"{path}: expected select.setting=value{near(name, SelectSettings.model_fields)}")
        told |= {"keep": None, "keep_tokens": None} if name in ("keep", "keep_tokens") else {}
        told[name] = value
    try:
        settings = SelectSettings.model_validate(told)
    except ValidationError as errors:
        raise UsageError(problems(errors, "select")) from errors
    names = tuple(opened.judges)
    if settings.ranks and settings.judge not in names:
        raise UsageError(f"select.by {settings.by}: the run has no judge {settings.judge}{near(settings.judge, names)}")

    by_hand = list_files(opened.commit(Step.DECIDE).parts["settings"])

    def each() -> Iterator[tuple[str, Mapping[str, Any], pa.Table, np.ndarray]]:
        for shard in opened.shards:
            table = opened.verdicts(shard)
            stays = pc.or_(pc.equal(table["verdict"], "kept"), pc.fill_null(pc.equal(table["stage"], STAGE), False))
            stays = np.asarray(stays) & ~marked(opened.store, by_hand, table["id"], "keep")
            files = {"decisions": opened.file(Step.SETTLE, name=shard), "texts": opened.file(Step.APPLY, shard)}
            yield shard, files | selection_files(opened, settings, names, shard), table, stays

    found = select(opened.store, each(), settings, amounts(opened, settings), names)
    said = [found.where.sentence()] if found.where else []
    said += [sentence(found.dial, settings)] if found.dial else []
    shown = {name: asdict(one) for name, one in (("select", found.dial), ("where", found.where)) if one is not None}
    return shown | {"sentence": "\n".join(said)}


def answer(
    opened: RunFolder, changes: Mapping[str, Any], standing: Callable[[], Standing] | None = None
) -> dict[str, Any]:
    """`dialled` when the changes are of `select`, else `compare`. Raises UsageError for both at once."""
    for path, value in changes.items():
        if isinstance(value, float) and math.isnan(value):
            raise UsageError(f"{path}: expected a number, not nan")
    dials = [path for path in changes if path.startswith("select.")]
    if dials and len(dials) < len(changes):
        raise UsageError("select is asked about by itself: rules change what it goes over, which takes a run")
    return dialled(opened, changes) if dials else compare(opened, changes, standing and standing())
