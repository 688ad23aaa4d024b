"""Page numbers and running headers go, by position and repetition; headings, figures and chapters stay."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.page_furniture import cut_furniture

PROSE = (
    "The audit committee of {word} met often and reviewed the work of the internal auditors, whose plan it approved after "
    "a long discussion of the cost of the new ledger.\n\nThe board thanks the staff of {word} and of all the branches."
)
WORDS = [f"{first}{second}ton" for first in ("Al", "Ber", "Cor", "Dun", "Ell", "Fal", "Gos") for second in "abcdefg"]


def pages(count, top=(), bottom=(), body=PROSE):
    """A report: lines around other text on every page, `{n}` standing for the page's number."""
    made = []
    for n, word in enumerate(WORDS[:count], 1):
        lines = [*(line.format(n=n) for line in top), body.format(word=word), *(line.format(n=n) for line in bottom)]
        made.append("\n\n".join(lines))
    return "\n\f\n".join(made)


@pytest.mark.parametrize(
    ("top", "bottom"),
    [
        ((), ("{n}",)),
        ((), ("- {n} -",)),
        (("Table of Contents", "HARBOUR WORKS LTD"), ("F-{n}",)),
        (("Page {n} of 40",), ()),
        (("Harbour Works Ltd | Annual report 2031 | {n}",), ("Confidential",)),
        (("{n}\tAnnual report",), ()),
        (("Seite {n} von 40", "Hafenbau AG"), ()),
        ((), ("See the notes, which are part of these statements.", "{n}")),
    ],
)
def test_what_repeats_at_the_edge_of_pages_is_cut(top, bottom):
    text, edits = cut_furniture(pages(40, top, bottom))
    plain, _ = cut_furniture(pages(40))
    assert text.split() == plain.split() == pages(40).replace("\f", "").split()
    assert sum(edit.count for edit in edits) == 40 * (len(top) + len(bottom))
    assert {edit.rule for edit in edits} == {"page_furniture"}


@pytest.mark.parametrize(
    "line",
    [
        "Note {n}",  # headings that open a page each, on fewer than a third of the pages
        "2031\t2030",
        "Total   4,{n}11   5,{n}37",
    ],
)
def test_headings_and_rows_of_figures_stay(line):
    few = pages(2, (line,)) + "\n\f\n" + pages(10)
    text, edits = cut_furniture(few)
    assert edits == []
    assert line.format(n=1) in text
    assert line.format(n=2) in text


def test_a_line_that_repeats_inside_pages_stays():
    lines = [f"{{word}} {n}" for n in "abcdef"]
    text, edits = cut_furniture(pages(9, body="\n".join([*lines, "Total", *lines[::-1]])))
    assert text.count("Total") == 9
    assert edits == []


def test_alternating_and_roman_page_numbers_go():
    parts = ["i", "ii", "iii", "iv", "1", "2", "3", "4", "5"]
    text, edits = cut_furniture(
        "\n\f\n".join(f"{PROSE.format(word=word)}\n{part}" for word, part in zip(WORDS, parts, strict=False))
    )
    assert [edit.text for edit in edits] == parts
    assert not any(line in parts for line in text.split("\n"))


@pytest.mark.parametrize("dress", ["{}", "- {} -", "[{}]", "({})", "{}."])
def test_roman_page_numbers_in_any_dress_go(dress):
    numbers = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]
    made = [f"{PROSE.format(word=word)}\n\n{dress.format(n)}" for word, n in zip(WORDS, numbers, strict=False)]
    text, _ = cut_furniture("\n\f\n".join(made))
    assert [line for line in text.split("\n") if line.strip() in map(dress.format, numbers)] == []


def test_the_number_of_the_first_of_two_pages_goes_and_a_lone_figure_stays():
    assert cut_furniture(f"{PROSE}\n1\n\f\n{PROSE}")[1][0].text == "1"
    assert cut_furniture(f"{PROSE}\n77\n\f\n{PROSE}")[1] == []


def test_a_sentence_goes_on_across_the_break():
    text = (
        "The committee said that the\n\n11\n\f\nTable of Contents\n\nharbour works would be finished,\n\n12\n\f\n"
        "Table of Contents\n\nas planned.\n\n13\n\f\nTable of Contents\n\nNext year."
    )
    joined = "The committee said that the harbour works would be finished, as planned.\n\nNext year."
    assert cut_furniture(text, " ")[0] == joined


def test_pages_without_marks_are_found_by_their_numbers():
    words = (
        "which the company expects to recover from its insurers in the coming year, although no assurance can be given "
        * 12
    )
    text = "\n\n".join(f"{'Losses of the period, ' if n == 0 else ''}{words}\n\n{n + 3}" for n in range(12))
    cleaned, edits = cut_furniture(text)
    assert [edit.text for edit in edits] == [str(n + 3) for n in range(12)]
    assert cleaned.count("insurers") == text.count("insurers")


@pytest.mark.parametrize("heading", ["CHAPTER {n}", "{n}", "Section {n}", "{n}.", "§ {n}"])
def test_numbered_chapters_are_no_pages(heading):
    chapter = "It rained all day, and nobody came. The mail was late again. " * 40
    text = "\n\n".join(f"{heading.format(n=n)}\n\n{chapter}" for n in range(1, 15))
    assert cut_furniture(text) == (text, [])


@given(st.lists(st.text(string.ascii_letters + string.digits + " \n\t\f.", max_size=80), max_size=12))
def test_only_whole_lines_go_and_each_is_told(parts):
    text = "\f".join(parts)
    cleaned, edits = cut_furniture(text)
    assert "\f" not in cleaned
    before, after = "".join(text.split()), "".join(cleaned.split())
    told = sum(len("".join(edit.text.split())) * edit.count for edit in edits)
    assert len(before) == len(after) + told


def test_text_without_pages_is_returned_as_it_is():
    assert cut_furniture(PROSE) == (PROSE, [])


def test_a_list_of_a_hundred_thousand_numbers_is_no_run_of_pages():
    """Runs are links, not copies: one that is as long as the text costs no more than its lines."""
    text = "\n".join(str(n) for n in range(1, 100_001))
    assert cut_furniture(text) == (text, [])


@pytest.mark.parametrize(
    "number",
    [
        "{n}",
        "- {n} -",
        "[{n}]",
        "({n})",
        "F-{n}",
        "Page {n} of 40",
        "{n}/40",
        "** {n} **",
        "第{n}页",
        "_{n}_",
        "2-{n}",
        "10-Q {n}",
        "31.3.2024     {n}",
        "Page {n} of 40 Pages",
        "| {n} |",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        PROSE,
        "The mill at {word} was sold in spring to a buyer from the north, with its meadows, its weir and the old barn beside it.",
    ],
)
def test_numbers_in_every_dress_show_where_unmarked_pages_end(number, body):
    text, edits = cut_furniture(
        pages(40, ("Table of Contents", "HARBOUR WORKS LTD"), (number,), body).replace("\f", "")
    )
    assert text.split() == pages(40, body=body).replace("\f", "").split()
    assert sum(edit.count for edit in edits) == 120


@pytest.mark.parametrize("number", ["Page {n}", "Seite {n} von 40", "- {n} -", "{n}/40"])
def test_what_is_written_around_page_numbers_alone_needs_no_header(number):
    text, edits = cut_furniture(pages(40, (), (number,)).replace("\f", ""))
    assert text.split() == pages(40).replace("\f", "").split()
    assert len(edits) == 40


@pytest.mark.parametrize("heading", ["Exercise {n}", "{n}. The ledger"])
def test_numbered_parts_without_page_marks_stay(heading):
    task = (
        "Find the length of the quay at {word}, when the tide is out.\n\nSolution\n\nIt is as long as the tide is high."
    )
    text = pages(40, (heading,), (), task).replace("\f", "")
    assert cut_furniture(text) == (text, [])
