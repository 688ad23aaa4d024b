"""Texts with the spans of their judges cut and masked: what apply publishes, and what repeats expects to be left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.spans import Edited, Span, edit, tidy
from pipeline.core.store import FileInfo, Store
from pipeline.kernels.buffers import text_buffers
from pipeline.measure.judges.pii import placeholder


@dataclass(frozen=True)
class SpanColumn:
    """A column of spans: the stage that names their rules, what apply does with them, and the values."""

    stage: str
    action: str
    values: pa.ChunkedArray
    aside: frozenset[str] | None = None
    """Of a judge whose spans are kinds of what was found, those which stay: all others count under one rule."""


def _spans_by_row(columns: list[SpanColumn], row: int, kept: bool) -> list[Span]:
    found = []
    for column in columns:
        if column.action == "cut" and not kept:
            continue
        for span in column.values[row].as_py() or ():
            kind = span["kind"] or ""
            if column.aside is not None:
                if kind in column.aside:
                    continue
                kind = ""
            mark = placeholder(kind).encode() if column.action == "mask" else b""
            found.append(Span(span["start"], span["end"], f"{column.stage}.{kind or 'spans'}", column.action, mark))
    return found


def rewrite(texts: pa.Table, verdicts: list[str], columns: list[SpanColumn]) -> list[Edited]:
    """The edited text of every row. Rows without spans, most of them, pass as they are."""
    any_span = np.zeros(texts.num_rows, np.bool_)
    for column in columns:
        any_span |= np.asarray(pc.fill_null(pc.list_value_length(column.values), 0)) > 0
    offsets, data = text_buffers(texts["text"])
    edited = []
    for row, verdict in enumerate(verdicts):
        text = data[offsets[row] : offsets[row + 1]].tobytes()
        if any_span[row]:
            kept = verdict == "kept"
            changed = edit(text, _spans_by_row(columns, row, kept))
            edited.append(tidy(changed) if kept else changed)
        else:
            edited.append(Edited(text))
    return edited


def is_too_short(texts: pa.Array | pa.ChunkedArray, min_chars: int) -> pa.Array | pa.ChunkedArray:
    """bool[n]: final texts that are no document any more: empty, or of fewer characters."""
    return pc.less(pc.utf8_length(texts), max(min_chars, 1))


def span_columns(store: Store, files: Mapping[str, FileInfo], settings: dict[str, Any]) -> list[SpanColumn]:
    """The columns of judges' spans that a unit of apply acts on: its `cuts`, and what decide has `set_aside`."""
    aside = {stage: frozenset(kinds) for stage, kinds in settings["set_aside"].items()}
    return [
        SpanColumn(stage, action, store.read_table(files[name].path, [column])[column], aside.get(stage))
        for stage, name, column, action in settings["cuts"]
    ]
