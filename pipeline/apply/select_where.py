"""`select.where`: a person's condition over the columns and signals of a document, shard by shard.

It sees what `inspect --sql` does, but for what is only known once everything is decided (verdict, reasons, clusters).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.batch import DOCUMENTS
from pipeline.core.condition import DERIVED, Condition, database
from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import Store

NOT_ASKED = ("text", "reason", "detail", "table_spans", "sections", "edits", "role")
"""Columns of the documents' files that a condition sees from elsewhere, or not at all."""
OPTION = "select.where"
deriving = cache(database)
"""One DuckDB a process, for columns that are made of others."""


def where_columns(names: Sequence[str]) -> dict[str, tuple[str, str, pa.DataType]]:
    """What a condition may name in a run with these judges: the file that has it, the file's name for it, and its type."""
    found = {field.name: ("documents", field.name, field.type) for field in DOCUMENTS if field.name not in NOT_ASKED}
    found |= {"role": ("decisions", "role", pa.string())}
    found |= {"text": ("texts", "text", pa.large_string())}
    found |= {"published_pretokens": ("texts", "num_pretokens", pa.int64())}
    found |= {name: ("documents", column, pa.string()) for name, (column, _) in DERIVED.items()}
    for name in names:
        found |= {f"{name}_{column}": (name, column, kind) for column, kind in judges()[name].columns.items()}
    return found


@cache
def condition_of(text: str, names: tuple[str, ...]) -> Condition:
    """The condition, checked. Raises UsageError for one that cannot be answered in a run with these judges."""
    return Condition(text, {name: kind for name, (_, _, kind) in where_columns(names).items()}, OPTION)


def where_files(run: RunFolder, text: str, names: tuple[str, ...], shard: str) -> dict[str, Any]:
    """The files of a shard that the condition reads, besides its decisions and texts."""
    columns = where_columns(names)
    holders = sorted({columns[name][0] for name in condition_of(text, names).columns} - {"decisions", "texts"})
    return {
        name: run.file(Step.EXTRACT, shard) if name == "documents" else run.signal_file(name, shard) for name in holders
    }


def meets(store: Store, files: Mapping[str, Any], condition: Condition, names: Sequence[str]) -> np.ndarray:
    """bool[n]: the documents of a shard for which it holds. `files` has `decisions`, `texts` and those of `where_files`."""
    places = {name: where_columns(names)[name][:2] for name in condition.columns}
    wanted: dict[str, list[str]] = {}
    for holder, column in dict.fromkeys(places.values()):
        wanted.setdefault(holder, []).append(column)
    tables = {holder: store.read_table(files[holder].path, columns) for holder, columns in wanted.items()}
    parts: dict[str, Any] = {}
    for name, (holder, column) in places.items():
        values = tables[holder][column]
        if name in DERIVED:
            source = pa.table({"v": values})
            values = (
                deriving()
                .cursor()
                .from_arrow(source)
                .project(f"{DERIVED[name][1].format('v')} AS v")
                .to_arrow_table()["v"]
            )
        parts[name] = values
    return condition.holds(pa.table(parts) if parts else store.read_table(files["decisions"].path, ["id"]))
