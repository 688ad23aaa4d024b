"""ASCII submissions keep lines and columns and lose their marks; forms, exhibits and items are found."""

from itertools import pairwise

import pytest

from pipeline.extract.filing import document_type, sections_of, unmark
from pipeline.ingest.sniff import sniff
from tests.extract.test_extract import extract

TABLE = """<TABLE>
<CAPTION>
                          1997       1996
<S>                       <C>        <C>
Revenue                   $1,200     $1,100
Loss                      (2.0)      (3.0)<F1>
</TABLE>
<FN>
<F1> Restated.
</FN>
"""


def test_marks_go_and_columns_stay():
    text, edits = unmark(f"<PAGE>   1\n\nIntroduction.\n{TABLE}\n</PAGE>\n<PAGE>\nMore.")
    lines = text.split("\n")
    assert "                          1997       1996" in lines
    assert "Revenue                   $1,200     $1,100" in lines
    assert "Loss                      (2.0)      (3.0)(1)" in lines
    assert "(1) Restated." in lines
    assert "<" not in text
    assert text.count("\f") == 2
    assert [(edit.rule, edit.text) for edit in edits[:-1]] == [("page_furniture", "1")]
    assert edits[-1].rule == "table_marks"


@pytest.mark.parametrize("number", ["12", "  7  ", " F-3", "iv"])
def test_the_number_on_the_line_of_a_page_mark_goes_with_it(number):
    text, edits = unmark(f"Before.\n<PAGE>{number}\nNet sales   $ 4   $ 5\n")
    assert text.split() == "Before. Net sales $ 4 $ 5".split()
    assert edits[0] == ("page_furniture", number.strip(), 1)
    assert "1997 was a good year" in unmark("<PAGE> 1997 was a good year\n")[0]


def test_a_mark_beside_text_leaves_its_column():
    text, _ = unmark("<S>   <C>\n<CAPTION>  1996    1995\n<S> Cash    12      13\n")
    assert text == "           1996    1995\n    Cash    12      13\n"


@pytest.mark.parametrize(
    "text", ["Use <S> for a strike and <table> for a table.", "a < b > c", "<p>HTML</p>", "begin 5 things"]
)
def test_other_text_stays(text):
    assert unmark(text) == (text, [])


@pytest.mark.parametrize("mode", ["644", "600", "0755"])
def test_uuencoded_parts_are_cut_and_counted(mode):
    body = "\n".join(["M" + "0" * 60] * 5)
    text, edits = unmark(f"Before.\nbegin {mode} logo.gif\n{body}\n`\nend\nAfter.")
    assert text == "Before.\n\nAfter."
    assert [(edit.rule, edit.count) for edit in edits] == [("uuencoded", 1)]


@pytest.mark.parametrize(
    ("cover", "kind"),
    [
        ("UNITED STATES\nSECURITIES AND EXCHANGE COMMISSION\n\nFORM 10-K\n", "10-K"),
        ("Securities and Exchange Commission\nForm 10-K/A\n(Amendment No. 1)", "10-K/A"),
        ("SECURITIES AND EXCHANGE COMMISSION\nFORM 8K\n", "8-K"),
        ("SECURITIES AND EXCHANGE COMMISSION\n  FORM 10-KSB  \n", "10-KSB"),
        ("EXHIBIT 10.2\n\nLEASE AGREEMENT", "EX-10.2"),
        ("Exhibit No. 99\nNews release", "EX-99"),
        ("A story on form 10-K, which the Securities and Exchange Commission asks for.", None),
        ("FORM 10-K of another kind", None),
    ],
)
def test_the_cover_names_the_document(cover, kind):
    assert document_type(cover) == kind


def report(items, toc=True, prose="Words of the section, which go on for a while. " * 30):
    contents = "\n".join(f"Item {number}.\t{title}\t{at}" for at, (number, title) in enumerate(items)) if toc else ""
    body = "\n\n".join(f"Item {number}. {title}\n\n{prose}See Item {number} of this report." for number, title in items)
    return f"FORM\nCover of the report.\n{contents}\n\n{body}\n\nSIGNATURES\n\nSigned by the officers."


ITEMS = [
    ("1", "Business"),
    ("1A", "Risk Factors"),
    ("2", "Properties"),
    ("7", "Discussion"),
    ("7A", "Market Risk"),
    ("15", "Exhibits"),
]


@pytest.mark.parametrize(
    "style", [str, str.upper, lambda text: text.replace("Item ", "ITEM\u00a0").replace(". ", ".\t", 0)]
)
def test_items_of_a_10_k_behind_a_table_of_contents(style):
    text = style(report(ITEMS))
    found = sections_of(text, "10-K")
    assert [section.name for section in found] == ["cover", *(number for number, _ in ITEMS), "signatures"]
    raw = text.encode()
    assert [(a.end, b.start) for a, b in pairwise(found)] == [(b.start, b.start) for b in found[1:]]
    assert (found[0].start, found[-1].end) == (0, len(raw))
    for section in found[1:-1]:
        assert raw[section.start :].decode().casefold().startswith("item")
        assert section.end - section.start > 500


def test_a_10_q_numbers_items_by_part():
    first = (
        report([("1", "Financial Statements"), ("2", "Discussion")], toc=False)
        .replace("FORM\n", "PART I\n")
        .split("SIGNATURES")[0]
    )
    second = report([("1", "Legal Proceedings"), ("1A", "Risk Factors"), ("6", "Exhibits")], toc=False).replace(
        "FORM\n", "Part II. Other\n"
    )
    names = [section.name for section in sections_of(first + second, "10-Q")]
    assert names == ["cover", "part1item1", "part1item2", "part2item1", "part2item1a", "part2item6", "signatures"]


def test_items_of_old_and_new_8_ks():
    old = report([("5", "Other Events"), ("7", "Exhibits")], toc=False)
    new = report([("2.02", "Results"), ("5.02", "Departure of Directors"), ("9.01", "Exhibits")], toc=False)
    assert [section.name for section in sections_of(old, "8-K")] == ["cover", "5", "7", "signatures"]
    assert [section.name for section in sections_of(new, "8-K/A")] == ["cover", "2.02", "5.02", "9.01", "signatures"]


def test_offsets_are_bytes_and_other_forms_have_no_sections():
    text = "Über uns, naïve €\n" + report(ITEMS)
    found = sections_of(text, "10-K")
    assert text.encode()[found[1].start :].startswith(b"Item 1. Business")
    assert sections_of(text, "EX-99.1") == sections_of(text, None) == []
    assert sections_of("A report without items.", "10-K") == []


@pytest.mark.parametrize(
    "text",
    [
        "<PAGE>1\n\nRevenue  $1.1",
        "<PRIVATE>\nx",
        "<Links> of the day",
        "<TABLE>\n<CAPTION>\n<S> <C>\nCash  1\n</TABLE>",
        "\n\n<PAGE>\n",
    ],
)
def test_marks_of_filings_are_no_html(text):
    assert sniff(text.encode()) == "text"


@pytest.mark.parametrize(
    "text", ["<p>x", "<P ALIGN=center>x", "<table>\n<tr><td>x", "<TABLE><TBODY><TR>", "<br/>x", "<a href=x>y</a>"]
)
def test_html_is_still_html(text):
    assert sniff(text.encode()) == "html"


def test_a_filing_of_the_nineties_keeps_its_lines():
    pages = "".join(
        f"<PAGE>\n\nPart {word} of it: the harbour works.\n{TABLE.replace('Restated', word)}\n          {n}\n"
        for n, word in enumerate("abc", 1)
    )
    (row,) = extract({"payload": pages.encode(), "doc_type": "10-K", "kind": "text"})
    assert row["doc_type"] == "10-K"
    assert row["text"].count("Revenue                   $1,200     $1,100") == 3
    assert not any(line.strip() in ("1", "2", "3") for line in row["text"].split("\n"))
    assert {edit["rule"] for edit in row["edits"]} == {"table_marks", "page_furniture"}
    assert [edit["text"] for edit in row["edits"] if edit["rule"] == "page_furniture"] == ["1", "2", "3"]


def test_escaped_text_and_sections_reach_the_document():
    text = report(ITEMS).replace("Business", "Research &amp; Development")
    (row,) = extract({"payload": text.encode(), "doc_type": "10-K", "kind": "text"})
    assert "Research & Development" in row["text"]
    raw = row["text"].encode()
    assert [raw[s["start"] :].split()[1].decode() for s in row["sections"][1:3]] == ["1.", "1A."]


def test_twenty_thousand_headings_are_chained_in_their_order():
    """There are few ranks, whatever the number of lines: a chain looks at the best heading of each."""
    text = "\n".join(f"Item {n % 15 + 1}. Heading" for n in range(20_000))
    names = [section.name for section in sections_of(text, "10-K")]
    assert names == [*(str(n) for n in range(1, 16))]
