"""Repeated paragraphs against the rule taken literally."""

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.apply.paragraphs import (
    CUTS,
    PARAGRAPHS,
    ParagraphSettings,
    cut_column,
    paragraph_rows,
    repeated,
    whole_lists,
)
from pipeline.apply.substrings import REPEATS
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash128_rows

Rows = list[tuple[str, str | None]]


def cut(shards: list[Rows], parts: int = 1, falling: tuple[int, ...] = (), **config: Any) -> dict[str, str | None]:
    """The texts after cutting, by id, with the paragraphs in `parts` by their hash."""
    told, tables, out = ParagraphSettings(**config), [PARAGRAPHS.empty_table()], {}
    rows = [row for shard in shards for row in shard]
    for at in range(0, len(rows), 2):
        ids, texts = zip(*rows[at : at + 2], strict=True)
        ranks = pa.array([0] * len(ids), pa.int64())
        batch = pa.record_batch([pa.array(ids), pa.array(texts, pa.large_string()), ranks], ["id", "text", "rank"])
        tables.append(paragraph_rows(batch, at, told))
    table = pa.concat_tables(tables)
    part = table["low"].to_numpy() % np.uint64(parts)
    found = [repeated(table.filter(pa.array(part == n)), np.array(falling, np.int64), told) for n in range(parts)]
    cuts = whole_lists(pa.concat_tables(found))
    assert cuts.schema == CUTS
    first = 0
    for shard in shards:
        column = cut_column(cuts, first, len(shard))
        first += len(shard)
        assert column.type == REPEATS
        for (name, text), spans in zip(shard, column.to_pylist(), strict=True):
            raw, at, kept = (text or "").encode(), 0, b""
            for span in spans:
                assert at <= span["start"] < span["end"] <= len(raw)
                kept += raw[at : span["start"]]
                at = span["end"]
            out[name] = None if text is None else (kept + raw[at:]).decode()
    return out


def by_the_rule(rows: Rows, min_bytes: int, min_documents: int, keep_first: bool) -> dict[str, str | None]:
    keys = dict(
        zip(
            [name for name, _ in rows],
            hash128_rows(*text_buffers(pa.array([r[0] for r in rows], pa.string()))).tolist(),
            strict=True,
        )
    )
    where: dict[bytes, list[tuple]] = defaultdict(list)
    lines = {name: [] if text is None else text.encode().splitlines(keepends=True) for name, text in rows}
    for name, found in lines.items():
        for number, line in enumerate(found):
            trimmed = line.strip(bytes(range(33)))
            if len(trimmed) >= min_bytes:
                where[trimmed].append((keys[name], number, name))
    gone = set()
    for places in where.values():
        if len({name for _, _, name in places}) >= min_documents:
            gone |= {(name, number) for _, number, name in sorted(places)[int(keep_first) :]}
    return {
        name: None
        if text is None
        else b"".join(line for i, line in enumerate(lines[name]) if (name, i) not in gone).decode()
        for name, text in rows
    }


texts = st.none() | st.lists(st.sampled_from(["aaa", "bb b", " aaa ", "c", "", "é é", "ddddd"]), max_size=6).map(
    "\n".join
)


@settings(deadline=None, max_examples=80)
@given(st.lists(texts, max_size=8), st.integers(1, 4), st.integers(2, 3), st.booleans(), st.integers(0, 8))
def test_equals_the_rule_in_any_layout(found: list, min_bytes: int, documents: int, keep: bool, at: int):
    rows = [(f"{i:03}", text) for i, text in enumerate(found)]
    config = {"min_bytes": min_bytes, "min_documents": documents, "keep_first": keep}
    expected = by_the_rule(rows, min_bytes, documents, keep)
    assert cut([rows], **config) == expected
    assert cut([rows[at:][::-1], rows[:at]], parts=3, **config) == expected


def test_disclaimer_of_three_documents_is_kept_once():
    notice = "This press release contains forward-looking statements that involve risks and uncertainties, as defined by law."
    rows: Rows = [(f"{i}", f"Report {i} says {'something ' * i}.\n{notice}\nContact {i}") for i in range(3)]
    found = cut([rows])
    assert sum(notice in (text or "") for text in found.values()) == 1
    assert all(f"Report {name}" in (text or "") and f"Contact {name}" in (text or "") for name, text in found.items())
    assert cut([rows[:2]]) == dict(rows[:2])  # two documents are no boilerplate yet


BOXES = [
    "Check each box that applies to the filing, if it is meant to satisfy another obligation as well:",
    "☐ Written communications under the rule on business combinations of the act",
    "☐ Soliciting material under the rule on proxies of the act",
    "",
    "[ ] Communications before a tender offer begins under the one rule",
    "Communications before a tender offer begins under the other rule",
]
NUMBERED = ["1. The seller delivers the goods to the buyer at the port named.", "2) The buyer pays.", "(c) Both sign."]


def report(number: int, block: list[str]) -> str:
    return "\n".join([f"Report {number} of the year.", *block, f"The board met {'again ' * number}in May."])


def test_a_list_is_cut_whole():
    for block in (BOXES, NUMBERED):
        rows: Rows = [(f"{i}", report(i, block)) for i in range(4)]
        found = cut([rows], min_bytes=50)
        whole = [name for name, text in found.items() if text == dict(rows)[name]]
        assert len(whole) == 1
        for name, text in found.items():
            assert name in whole or (text or "").replace("\n\n", "\n") == report(int(name), [])


def test_a_list_of_which_one_item_is_new_stays_whole():
    for at in (1, 2, 4):
        rows: Rows = []
        for number in range(4):
            block = list(BOXES)
            block[at] += f" and of paragraph {number}"
            rows.append((f"{number}", report(number, block)))
        assert cut([rows], min_bytes=50) == dict(rows)


def test_short_items_alone_stay():
    rows: Rows = [(f"{i}", report(i, ["☐ Yes", "☒ No", "- none"])) for i in range(4)]
    assert cut([rows], min_bytes=50) == dict(rows)


def test_a_document_that_will_fall_holds_no_copy():
    notice = "This press release contains forward-looking statements that involve risks and uncertainties, as defined by law."
    rows: Rows = [(f"{i}", f"Report {i} says {'something ' * i}.\n{notice}") for i in range(4)]
    (first,) = [name for name, text in cut([rows]).items() if notice in (text or "")]
    later = cut([rows], falling=(int(first),))
    (second,) = [name for name, text in later.items() if notice in (text or "")]
    assert second != first
