"""The line kernels equal their plain-Python twins, and do what they are for."""

import io
import json
import os
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.layout import lay_out, line_shape
from pipeline.kernels.text.lines import clean_lines

from . import twins

SIGNS = st.sampled_from([*"ab Z019.,$()%|-=\t\n\r\x0b\x0c\x00\x7f\x85\xa0\xad", "\r\n", "\n\n", "  ", "   ", "\u2028",
                         "\u2003", "\ufeff", "é", "中", "\U0001f600", "\n\t", "\t\t", "$\t", "\u0301"])  # fmt: skip
TEXTS = st.lists(SIGNS, max_size=80).map("".join)
WORDS = st.sampled_from(
    ["the", "a", "income", "1,234", "rose", "(12)", "-", "net", "well-", "known", "é", "2.", "3.5%"]
)
LINES = st.one_of(
    st.lists(WORDS, max_size=16).map(" ".join),
    st.lists(WORDS, max_size=5).map("   ".join),
    st.lists(WORDS, max_size=5).map("\t".join),
    st.sampled_from(
        ["", "-----  ----", "| a | b |", "Total ..... 12", "   12,345", "x" * 90, "中文没有空格", "• item", "(a) item"]
    ),
)
FILLED = st.lists(
    st.sampled_from(["income", "of the", "inter-", "national", "COVID-", "19", "long-", "and", "term", "develop-", "ment", "Cola"]),
    min_size=60, max_size=120,
).map(lambda words: textwrap.fill(" ".join(words), 60, break_on_hyphens=False))  # fmt: skip
DOCUMENTS = st.one_of(st.lists(LINES, max_size=30).map("\n".join), FILLED)


def cleaned(texts):
    offsets, data = clean_lines(*text_buffers(pa.array(texts, pa.large_string())))
    return [bytes(data[offsets[row] : offsets[row + 1]]).decode() for row in range(len(texts))]


def laid_out(texts, unwrap=True, tables=True, tabular=False):
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    ends, out, span_ends, spans = lay_out(offsets, data, np.full(len(texts), tabular), unwrap, tables)
    return [
        (
            bytes(out[ends[row] : ends[row + 1]]).decode(),
            [tuple(span) for span in spans[span_ends[row] : span_ends[row + 1]].tolist()],
        )
        for row in range(len(texts))
    ]


@settings(max_examples=120, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_cleaning_equals_its_twin(texts):
    assert cleaned(texts) == [twins.clean(text) for text in texts]


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=5))
def test_cleaning_any_unicode_equals_its_twin_and_is_idempotent(texts):
    once = cleaned(texts)
    assert once == [twins.clean(text) for text in texts]
    assert cleaned(once) == once


@settings(max_examples=120, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_layout_equals_its_twin(texts, unwrap, tabular):
    texts = cleaned(texts)
    assert laid_out(texts, unwrap, tabular=tabular) == [twins.lay_out(text, unwrap, tabular) for text in texts]


CELLS = st.lists(
    st.sampled_from(["a", "Z", "1", "12", ".", " ", "-", ",", "$", "é", "中", "word ", "  ", "\t", "|", ". "])
)


@settings(max_examples=120, deadline=None)
@given(CELLS, st.integers(1, 12), st.integers(0, 130))
def test_the_shape_of_a_line_equals_its_twin_by_blocks_too(parts, repeats, after):
    """Lines of one cell are measured by blocks where blocks can be read: with so many bytes behind the line."""
    line = ("".join(parts) * repeats).rstrip(" \t|.")
    data = np.frombuffer(line.encode() + b"\n" + b"9" * after, np.uint8)
    assert line_shape(data, 0, len(line.encode())) == twins.shape(line)


@settings(deadline=None)
@given(DOCUMENTS)
def test_layout_loses_no_sign_but_line_ends_and_indents(text):
    (text,) = cleaned([text])
    ((result, spans),) = laid_out([text])
    assert "".join(result.split()).replace("-", "") == "".join(text.split()).replace("-", "")
    flat = [position for span in spans for position in span]
    assert flat == sorted(flat)
    assert all(0 <= position <= len(result.encode()) for position in flat)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "drawn"),
    [
        (test_cleaning_equals_its_twin, [st.lists(TEXTS, min_size=1, max_size=4)]),
        (test_layout_equals_its_twin, [st.lists(DOCUMENTS, min_size=1, max_size=3), st.booleans(), st.booleans()]),
        (test_the_shape_of_a_line_equals_its_twin_by_blocks_too, [CELLS, st.integers(1, 12), st.integers(0, 130)]),
    ],
)
def test_many_more_examples(test, drawn):
    settings(max_examples=1500, deadline=None)(given(*drawn)(test.hypothesis.inner_test))()


def test_slices_of_a_column_are_read_where_they_are():
    column = pa.array(["x\r\n\r\n\r\ny", "a \r b", "c"], pa.large_string()).slice(1, 2)
    offsets, data = clean_lines(*text_buffers(column))
    assert bytes(data) == b"a\n bc"
    assert offsets.tolist() == [0, 4, 5]


PROSE = (
    "The company sold its mill to a buyer from the north who had asked for it for years, and kept the land around it."
)

FILING = """ITEM 7.  MANAGEMENT'S DISCUSSION

     Net sales for fiscal 1997 increased 12% to $1,204 million compared
with $1,075 million in fiscal 1996. The increase was due to higher unit
volume in the North American segment and to the acquisition of the long-
term care business in the third quarter of fiscal 1996.
     Cost of sales decreased as a percentage of net sales to 61.2% from
62.8% because of lower raw material prices and a better mix of products.

                                      1997        1996
                                    --------    --------
     Net sales                      $ 1,204     $ 1,075
     Cost of sales                      737         675
                                    --------    --------

     Roses are red,
     violets are blue,
     this line is short,
     and so are you.

     The Company expects that cash from operations will be sufficient to
meet its requirements for working capital and capital expenditures in
the coming year, although there can be no assurance that it will."""


def test_a_72_column_filing_becomes_paragraphs():
    ((text, spans),) = laid_out(cleaned([FILING.replace("\n", "\r\n")]))
    lines = text.split("\n")
    assert lines[2].startswith("     Net sales for fiscal 1997")
    assert lines[2].endswith("of fiscal 1996.")
    assert "the long-term care business" in lines[2]
    assert lines[3].startswith("     Cost of sales decreased")
    assert lines[-1].startswith("     The Company expects")
    assert lines[-1].endswith("assurance that it will.")
    assert "Roses are red,\n     violets are blue,\n" in text
    ((start, end),) = spans
    table = text.encode()[start:end].decode()
    assert (
        table.split()
        == "1997 1996 -------- -------- Net sales $ 1,204 $ 1,075 Cost of sales 737 675".split() + ["--------"] * 2
    )


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("inter-", "national", "international"),
        ("develop-", "ment", "development"),
        ("long-", "term", "long-term"),
        ("COVID-", "19", "COVID-19"),
        ("Coca-", "Cola", "Coca-Cola"),
        ("short-", "and", "short- and"),
        ("Haupt-", "und", "Haupt- und"),
        ("12-", "month", "12-month"),
        ("2019-", "20", "2019-20"),
        ("har-", "bour", "harbour"),
        ("item 3-", "The", "item 3- The"),
    ],
)
def test_a_hyphen_at_a_line_end_stays_where_it_belongs_to_the_word(first, second, whole):
    fill = "x" * (60 - len(first))
    text = "\n".join([*[f"{fill} {first}\n{second} {'y' * (62 - len(second))}"] * 6, f"The harbour {'z' * 50}"])
    assert laid_out([text])[0][0].count(f" {whole} ") >= 6


def test_rows_of_cells_are_tables_whatever_the_cells_hold():
    text = f"{PROSE}\n\nPeriod\nA\tB\n\t—\nName\t{PROSE}\n\n{PROSE}"
    (text,) = cleaned([text])
    ((result, [(start, end)]),) = laid_out([text], tabular=True)
    assert result == text
    assert result.encode()[start:end].decode() == f"Period\nA\tB\n\t—\nName\t{PROSE}"


def test_one_figure_in_prose_is_no_table():
    text = "The bank paid 12 dollars.\n\n1999\n\nIt then closed, and nothing else was ever paid to anyone in that town."
    assert laid_out([text])[0][1] == []


@pytest.mark.parametrize(
    "unit", ["a", "1", " ", "\n", "\t", ". ", "|", "$\t", "\u0301", "\U0001f600", "a\n", "1\n", "\x00", "ab cd ef "]
)
def test_a_megabyte_of_one_thing(unit):
    """Quadratic work on it would take hours, not the suite's timeout."""
    text = unit * (2**20 // len(unit.encode()))
    result = cleaned([text])
    assert len(laid_out(result)) == len(result) == 1


@pytest.mark.parametrize("name", ["general/classic_books.jsonl.zst", "finance/earnings_calls_2020_2021.jsonl.zst"])
def test_real_text_equals_the_twins(name):
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: the folder of real text is needed")
    with open(Path(os.environ["CORPORA"]) / name, "rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file))
        texts = [json.loads(line)["text"][:60_000] for line, _ in zip(lines, range(12), strict=False)]
    once = cleaned(texts)
    assert once == [twins.clean(text) for text in texts]
    assert laid_out(once) == [twins.lay_out(text, True) for text in once]
