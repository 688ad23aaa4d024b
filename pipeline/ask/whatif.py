"""The verdicts that other thresholds would give, from the signals of a finished run.

Exact through decide: rules, clusters and survivors are applied by the code that a run decides with. `select.keep` is exact
to the end. Nothing is written.
"""

import math
from collections.abc import Iterator, Mapping
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
from pipeline.cluster.step import ClusterCounts
from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.decide.by_hand import list_files, marked
from pipeline.decide.decision import Decision
from pipeline.errors import UsageError, near

EXAMPLES = 10
MOST_HELD = 1 << 29
"""Bytes of signals that are kept between two questions."""


class Held(Store):
    """A store that keeps the tables it has read: the next question about the same run reads none, which halves its time."""

    def __init__(self, store: Store) -> None:
        self.__dict__.update(vars(store))
        self._tables: dict[tuple[str, ...], pa.Table] = {}
        self._size = 0

    def read_table(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """See `Store`."""
        key = (path, *(columns or ()))
        if key in self._tables:
            return self._tables[key]
        table = super().read_table(path, columns)
        if self._size + table.nbytes <= MOST_HELD:
            self._tables[key] = table
            self._size += table.nbytes
        return table


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
            raise UsageError(f"{path}: expected judge.threshold=value{near(judge, of_judges)}")
        decided = known[judge].settings.decided_fields()
        if field not in decided:
            raise UsageError(f"{path}: {judge} has no threshold {field}{near(field, decided)}")
        holder = of_judges[judge]
        for part in inner:  # a bound of a source or a role: by_source.news.min_num_words
            holder[field] = dict(holder[field] or {}) if isinstance(holder.get(field), dict | None) else {}
            holder, field = holder[field], part
        holder[field] = value
    for name in {path.partition(".")[0] for path in changes}:
        try:
            known[name].settings.model_validate(of_judges[name])
        except ValidationError as errors:
            raise UsageError(problems(errors, name)) from errors
    return settings | {"judges": of_judges}


def both(opened: RunFolder, changes: Mapping[str, Any], store: Store | None = None) -> pa.Table:
    """A row a document: `id`, `source`, `text_bytes`, `num_pretokens`, and `verdict` and first `reason` as decided (`old_`)
    and with the changes (`new_`)."""
    if not opened.has(Step.DECIDE):
        raise UsageError(f"{opened.store.root}: nothing is decided yet; run it at least to `--to decide`")
    indexes = opened.counted(ClusterCounts, Step.CLUSTER).index_files
    parts = []
    for shard, new in zip(
        opened.shards,
        Decision.of(opened, changed(opened, changes), indexes).verdicts(store or opened.store),
        strict=True,
    ):
        old = opened.table(opened.file(Step.DECIDE, name=shard), ["verdict", "stage", "rule"])
        sizes = opened.documents(shard, ["text_bytes", "num_pretokens"])
        columns = {
            "id": new["id"],
            "source": new["source"],
            **dict(zip(sizes.column_names, sizes.columns, strict=True)),
        }
        for age, table in (("old", old), ("new", new)):
            columns |= {
                f"{age}_verdict": table["verdict"],
                f"{age}_reason": pc.binary_join_element_wise(table["stage"], table["rule"], "."),
            }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def compare(opened: RunFolder, changes: Mapping[str, Any], store: Store | None = None) -> dict[str, Any]:
    """Documents by verdict and by first reason, and kept bytes and pre-tokens, as decided (`before`) and with the changes
    (`after`); what comes `back` and what would be `gone`: documents and pre-tokens by source, and the first ids.

    Raises UsageError for names that the run has no signal for.
    """
    database = duckdb.connect(config={"threads": "2"})
    database.register("moves", both(opened, changes, store))

    def counted(age: str) -> dict[str, Any]:
        def by(column: str) -> dict[str, int]:
            query = f"SELECT {age}_{column}, count(*) FROM moves WHERE {age}_{column} IS NOT NULL GROUP BY 1 ORDER BY 1"
            return dict(database.sql(query).fetchall())

        sums = "coalesce(sum(text_bytes), 0)::BIGINT, coalesce(sum(num_pretokens), 0)::BIGINT"
        size, tokens = database.sql(f"SELECT {sums} FROM moves WHERE {age}_verdict = 'kept'").fetchall()[0]
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

    found = {"before": counted("old"), "after": counted("new")}
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


def answer(opened: RunFolder, changes: Mapping[str, Any], store: Store | None = None) -> dict[str, Any]:
    """`dialled` when the changes are of `select`, else `compare`. Raises UsageError for both at once."""
    for path, value in changes.items():
        if isinstance(value, float) and math.isnan(value):
            raise UsageError(f"{path}: expected a number, not nan")
    dials = [path for path in changes if path.startswith("select.")]
    if dials and len(dials) < len(changes):
        raise UsageError("select is asked about by itself: rules change what it goes over, which takes a run")
    return dialled(opened, changes) if dials else compare(opened, changes, store)
