"""Documents of programs: what of them becomes text, in which order, and what is refused with a reason."""

import io
import json
import os
import re
import tarfile
from pathlib import Path

import pytest
import zstandard

from pipeline.extract.documents.kinds import EXTRACTORS, extract_document
from pipeline.extract.documents.pdf import Line, joined, line_text
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import markup_text
from pipeline.extract.payload import RefusalError
from pipeline.ingest.kinds import kind_of_name

from .documents import CORE, W, docx_of, paragraph, pdf_of, zip_of

pytest.importorskip("pypdfium2")
SETTINGS = ExtractSettings.model_validate({})


def text_of(payload: bytes, kind: str) -> str:
    return extract_document(payload, kind, SETTINGS).text


def column(x: float, lines: list[str], top: float = 700) -> list[tuple[float, float, str]]:
    return [(x, top - 12 * number, line) for number, line in enumerate(lines)]


LEFT = [
    "The harbour works would be finished in the",
    "spring, and the cost of the new quay had been",
    "shared by the town and the county alike.",
]
RIGHT = [
    "In the other town no one had heard of any",
    "quay at all, and the ferry still landed on the",
    "beach when the weather allowed it to.",
]


def test_lines_become_paragraphs_and_pages_are_parted():
    found = extract_document(
        pdf_of([column(72, LEFT), column(72, RIGHT)], info="/Title (Tides) /Author (A. Li)"), "pdf", SETTINGS
    )
    assert found.text == f"{' '.join(LEFT)}\n\f\n{' '.join(RIGHT)}"
    assert (found.title, found.note) == ("Tides", "2 pages; author A. Li")


def test_columns_are_read_one_after_the_other():
    text = text_of(pdf_of([column(72, LEFT) + column(330, RIGHT)]), "pdf")
    assert text == f"{' '.join(LEFT)}\n\n{' '.join(RIGHT)}"


def test_words_split_at_a_line_are_whole_again():
    lines = [
        "The committee said that the harbour was under con-",
        "struction, and that a well-known engineer, a well-",
        "known one, had been asked to look after it all.",
    ]
    text = text_of(pdf_of([column(72, lines)]), "pdf")
    assert "under construction, and" in text
    assert text.count("well-known") == 2, "a hyphen that the document writes elsewhere stays"


def test_rows_of_a_table_keep_their_cells():
    rows = [("Net sales", "2,634.3", "2,345.9"), ("Gross profit", "612.1", "501.0"), ("Loss", "(12.5)", "18.0%")]
    page = column(72, LEFT, 740)
    for number, row in enumerate(rows):
        y = 640 - 14 * number
        page += [(72, y, row[0]), (300, y, "$"), (340, y, row[1]), (420, y, "$"), (460, y, row[2])]
    text = text_of(pdf_of([page]), "pdf")
    assert text.split("\n\n")[0] == " ".join(LEFT)
    assert text.split("\n")[-3:] == [
        "Net sales\t$2,634.3\t$2,345.9",
        "Gross profit\t$612.1\t$501.0",
        "Loss\t$(12.5)\t$18.0%",
    ]


def test_a_sign_without_meaning_inside_a_line_is_no_hyphen():
    words, gaps = ["the", "bene\x02", "t", "was", "seen"], [0.3, 0.5, 0.3, 1.5]
    assert line_text(words, gaps) == ("the bene\ufffdt was\tseen", [0, 4])
    assert line_text(["a", "con\x02"], [0.3]) == ("a con\x02", [0])


def table_at(rows: list[list[tuple[float, str]]], top: float = 700) -> list[tuple[float, float, str]]:
    return [(x, top - 14 * at, text) for at, row in enumerate(rows) for x, text in row]


def test_an_empty_cell_of_a_row_keeps_the_figures_behind_it_in_their_columns():
    rows = [
        [(250, "2031"), (400, "2030")],
        [(72, "Wool sold"), (250, "1,204"), (400, "1,187")],
        [(72, "Tin sold"), (252, "—"), (402, "—")],
        [(72, "Interest income"), (400, "17")],
        [(72, "Costs")],
        [(80, "of the quay"), (250, "(88)"), (400, "(79)")],
        [(80, "of the weir"), (250, "12")],
    ]
    text = text_of(pdf_of([table_at(rows)]), "pdf")
    assert text.split("\n") == [
        "\t2031\t2030", "Wool sold\t1,204\t1,187", "Tin sold\t—\t—", "Interest income\t\t17", "Costs", "of the quay\t(88)\t(79)",
        "of the weir\t12",
    ]  # fmt: skip


def test_tables_parted_by_prose_have_columns_of_their_own():
    wide = [[(72, "Wool"), (200, "1"), (300, "2"), (400, "3")], [(72, "Tin"), (200, "4"), (300, "5"), (400, "6")]]
    prose = [[(72, "The table below sets forth what was sold in the other counties of the north.")]]
    narrow = [[(72, "Salt"), (400, "7")], [(72, "Lead"), (400, "8")]]
    text = text_of(pdf_of([table_at([*wide, *prose, *narrow])]), "pdf")
    assert text.split("\n")[-2:] == ["Salt\t7", "Lead\t8"]


def test_a_number_that_hangs_before_its_paragraph_is_no_cell():
    lines = [(72, 700, "2."), (110, 700, "Subject to the terms of this deed the seller agrees to hand"),
             (72, 688, "over the quay, and the buyer agrees to pay what is written in the schedule.")]  # fmt: skip
    assert text_of(pdf_of([lines]), "pdf").startswith("2. Subject to the terms of this deed the seller agrees to hand")


def test_a_heading_a_list_and_a_last_line_stay_apart():
    lines = [Line("A heading", 72, 130, 720, 732), Line("The text under it goes on and on until", 72, 300, 680, 688),
             Line("it ends.", 72, 110, 668, 676), Line("A new line begins here and goes on to", 72, 300, 656, 664),
             Line("• one thing", 72, 130, 644, 652), Line("• another", 72, 120, 632, 640)]  # fmt: skip
    assert joined(lines).split("\n") == [
        "A heading", "", "The text under it goes on and on until it ends.", "A new line begins here and goes on to", "• one thing", "• another",
    ]  # fmt: skip


def refusal(payload: bytes, kind: str) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        extract_document(payload, kind, SETTINGS)
    return caught.value


def test_pages_without_text_are_counted():
    refused = refusal(pdf_of([[], []]), "pdf")
    assert (refused.rule, "2 none" in refused.detail) == ("scanned", True)
    found = extract_document(pdf_of([[], column(72, LEFT)]), "pdf", SETTINGS)
    assert found.note == "2 pages; 1 of them without text that can be read"


@pytest.mark.parametrize("cut", [20, 300, 700])
def test_a_damaged_pdf_is_a_reason_or_what_can_be_read(cut):
    payload = pdf_of([column(72, LEFT)])
    assert refusal(payload[:20] + b"?" * 50, "pdf").rule == "bad_pdf"
    assert "harbour works" in read_or_rule(payload[:-cut], "pdf") or read_or_rule(payload[:-cut], "pdf") in (
        "bad_pdf",
        "scanned",
    )


def read_or_rule(payload: bytes, kind: str) -> str:
    """The text, or the rule of the refusal."""
    try:
        return text_of(payload, kind)
    except RefusalError as refused:
        return refused.rule


def test_a_word_document_in_its_order():
    table = (
        "<w:tbl>"
        + "".join(
            f"<w:tr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>"
            for row in (["Year", "Tin"], ["1901", "12"])
        )
        + "</w:tbl>"
    )
    box = f"<w:p><w:r><w:t>Before</w:t></w:r><w:r><w:pict><w:txbxContent>{paragraph('In a box')}</w:txbxContent></w:pict></w:r></w:p>"
    twice = f"<w:p><mc:AlternateContent xmlns:mc='urn:mc'><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:p>"
    signs = "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:instrText>PAGE</w:instrText><w:delText>gone</w:delText></w:r><w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom></w:p>"
    math = "<w:p><m:oMath xmlns:m='urn:m'><m:sSup><m:e><m:r><m:t>r</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>"
    note = f"<w:footnotes {W}><w:footnote>{paragraph('A note.')}</w:footnote></w:footnotes>"
    found = extract_document(
        docx_of(paragraph("First.") + table + twice + signs + math, footnotes=note), "docx", SETTINGS
    )
    assert found.text.split("\n\n") == [
        "First.",
        "Year\tTin\n1901\t12",
        "Before",
        "In a box",
        "a b\nc",
        "r^2",
        "A note.",
    ]
    assert (found.title, found.date, found.note) == ("Tides", "2021-03-04", "author A. Li")


NUMBERING = f"""<w:numbering {W}>
<w:abstractNum w:abstractNumId="4">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:pStyle w:val="Clause"/><w:lvlText w:val="Article %1"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%3)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="5"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="6"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="4"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="5"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="6"/></w:num>
<w:num w:numId="7"><w:abstractNumId w:val="6"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>
</w:numbering>"""
STYLES = f"""<w:styles {W}><w:style w:styleId="Clause"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:styleId="Bold"><w:basedOn w:val="Clause"/></w:style></w:styles>"""


def listed(text: str, number: int | None = None, level: int = 0, style: str = "") -> str:
    inside = f'<w:pStyle w:val="{style}"/>' if style else ""
    if number is not None:
        inside += f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{inside}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_word_lists_bear_the_numbers_that_word_draws():
    body = "".join(
        [
            listed("Parties", style="Clause"), listed("the seller", 1, 1), listed("a ship", 1, 2), listed("its crew", 1, 2),
            listed("the buyer", 1, 1), listed("Price", style="Bold"), listed("in gold", 1, 1), listed("", 1, 1),
            listed("not counted", 0, 0, "Clause"), listed("a point", 2), listed("third", 3), listed("fourth", 3),
            listed("anew", 7), listed("on", 7),
        ]
    )  # fmt: skip
    text = text_of(docx_of(body, numbering=NUMBERING, styles=STYLES), "docx")
    assert text.split("\n\n") == [
        "Article 1 Parties", "1.1 the seller", "(a) a ship", "(b) its crew", "1.2 the buyer", "Article 2 Price", "2.1 in gold",
        "not counted", "• a point", "III. third", "IV. fourth", "I. anew", "II. on",
    ]  # fmt: skip


def test_a_list_whose_numbers_are_damaged_costs_its_numbers_alone():
    odd = NUMBERING.replace('w:ilvl w:val="0"', 'w:ilvl w:val="x"').replace(
        'start w:val="3"', f'start w:val="{"9" * 30}"'
    )
    body = listed("one", 3).replace('ilvl w:val="0"', 'ilvl w:val="first"') + listed("two", 99) + listed("three", 3)
    assert text_of(docx_of(body, numbering=odd, styles="<w/>"), "docx").split() == ["I.", "one", "two", "II.", "three"]
    assert text_of(docx_of('<w:p><w:r><w:sym w:font="Symbol" w:char="zz"/><w:t>x</w:t></w:r></w:p>'), "docx") == "x"


@pytest.mark.parametrize(
    ("math", "text"),
    [
        ("<m:r><m:t>f</m:t></m:r><m:d><m:e><m:r><m:t>x</m:t></m:r></m:e></m:d>", "f(x)"),
        ('<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e><m:t>a</m:t></m:e><m:e><m:t>b</m:t></m:e></m:d>', "[a|b]"),
        ("<m:f><m:num><m:t>n+1</m:t></m:num><m:den><m:t>2x</m:t></m:den></m:f>", "(n+1)/2x"),
        ("<m:sSup><m:e><m:t>x</m:t></m:e><m:sup><m:t>n-1</m:t></m:sup></m:sSup><m:r><m:t>y</m:t></m:r>", "x^(n-1)y"),
        ("<m:sSub><m:e><m:t>a</m:t></m:e><m:sub><m:t>n</m:t></m:sub></m:sSub><m:func><m:fName><m:t>cos</m:t></m:fName>"
         "<m:e><m:t>x</m:t></m:e></m:func>", "a_n cos x"),
        ('<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:t>k=0</m:t></m:sub><m:sup><m:t>n</m:t></m:sup>'
         "<m:e><m:t>k</m:t></m:e></m:nary>", "∑_(k=0)^n k"),
        ("<m:nary><m:sub/><m:sup/><m:e><m:t>f</m:t></m:e></m:nary>", "∫ f"),
        ("<m:rad><m:deg><m:t>3</m:t></m:deg><m:e><m:t>ab+c</m:t></m:e></m:rad>", "3√(ab+c)"),
        ("<m:sSup><m:e><m:d><m:e><m:t>1+x</m:t></m:e></m:d></m:e><m:sup><m:t>n</m:t></m:sup></m:sSup>", "(1+x)^n"),
        ("<m:m><m:mr><m:e><m:t>1</m:t></m:e><m:e><m:t>0</m:t></m:e></m:mr><m:mr><m:e><m:t>0</m:t></m:e><m:e><m:t>1</m:t></m:e></m:mr></m:m>",
         "1 0; 0 1"),
    ],
)  # fmt: skip
def test_formulas_of_word_keep_the_signs_that_word_draws(math, text):
    body = f'<w:p xmlns:m="urn:m"><w:r><w:t>So </w:t></w:r><m:oMath>{math}</m:oMath><w:r><w:t>.</w:t></w:r></w:p>'
    assert extract_document(docx_of(body), "docx", SETTINGS).text == f"So {text}."


@pytest.mark.parametrize(
    ("math", "text"),
    [
        ("<mfrac><mn>1</mn><mi>n</mi></mfrac>", "1/n"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a+b)/2"),
        ("<msup><mi>x</mi><mrow><mi>n</mi><mo>&minus;</mo><mn>1</mn></mrow></msup><mi>y</mi>", "x^(n−1)y"),
        ("<msub><mi>a</mi><mi>i</mi></msub><mi>b</mi>", "a_i b"),
        (
            "<munderover><mo>&sum;</mo><mrow><mi>k</mi><mo>=</mo><mn>0</mn></mrow><mi>n</mi></munderover><mi>k</mi>",
            "∑_(k=0)^n k",
        ),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "3√x"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x¯"),
        ("<mi>f</mi><mo>&#x2061;</mo><mfenced><mi>x</mi><mi>y</mi></mfenced>", "f(x,y)"),
        ("<mi>a</mi><mo>&lt;</mo><mi>b</mi>", "a<b"),
        ("<mi>a</mi><mo>+</mi><mi>b</mi>", "a+b"),
    ],
)
def test_formulas_of_pages_in_a_line(math, text):
    page = f"<html><body><p>So the sum <math xmlns='m' display='inline'>{math}</math> holds.</p></body></html>"
    assert text_of(zip_of({"META-INF/container.xml": "<c><rootfile full-path='o.opf'/></c>", "p.html": page,
                           "o.opf": "<p><item id='a' href='p.html'/><itemref idref='a'/></p>"}), "epub") == f"So the sum {text} holds."  # fmt: skip


@pytest.mark.parametrize(
    ("said", "text"), [(r"\frac{1}{n}", r"$\frac{1}{n}$"), ("x^{2}", "$x^{2}$"), ("one over n", "1/n")]
)
def test_tex_beside_a_formula_comes_first(said, text):
    math = f'<p>So <math alttext="{said}"><mfrac><mn>1</mn><mi>n</mi></mfrac></math> holds.</p>'
    assert markup_text(math, SETTINGS.model_copy(update={"main_content": False})) == f"So {text} holds."


def test_raised_text_of_word_is_marked_behind_what_it_raises():
    def run(text: str, place: str = "") -> str:
        raised = f'<w:rPr><w:vertAlign w:val="{place}"/></w:rPr>' if place else ""
        return f'<w:r>{raised}<w:t xml:space="preserve">{text}</w:t></w:r>'

    runs = [run("10"), run("9", "superscript"), run(" of H"), run("2", "subscript"), run("O on the 1"), run("st", "superscript"),
            run(" mile"), run("™", "superscript"), run(", 5"), run(" m", "baseline"), run("2", "superscript")]  # fmt: skip
    text = extract_document(docx_of(f"<w:p>{''.join(runs)}</w:p>"), "docx", SETTINGS).text
    assert text == "10^9 of H_2O on the 1st mile™, 5 m^2"


def test_numbers_of_slides():
    def point(text: str, kind: str = "", level: int = 0, more: str = "") -> str:
        return f'<a:p><a:pPr lvl="{level}">{f"""<a:buAutoNum type="{kind}"{more}/>""" if kind else ""}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'

    points = [point("one", "arabicPeriod"), point("sub", "alphaLcParenR", 1), point("sub", "alphaLcParenR", 1),
              point("two", "arabicPeriod"), point("plain"), point("again", "romanUcParenBoth", 0, ' startAt="4"')]  # fmt: skip
    slide = f'<p:sld xmlns:p="urn:p" xmlns:a="urn:a"><p:txBody>{"".join(points)}</p:txBody></p:sld>'
    data = zip_of({"[Content_Types].xml": "<Types/>", "ppt/slides/slide1.xml": slide, "docProps/core.xml": CORE})
    text = extract_document(data, "pptx", SETTINGS).text
    assert text.split("\n\n") == ["1. one", "a) sub", "b) sub", "2. two", "plain", "(IV) again"]


def test_slides_in_the_order_of_the_presentation():
    a = 'xmlns:a="urn:a" xmlns:p="urn:p" xmlns:r="urn:r"'
    slide = f"<p:sld {a}><a:p><a:r><a:t>%s</a:t></a:r><a:fld type='slidenum'><a:t>9</a:t></a:fld></a:p></p:sld>"
    parts = {
        "ppt/presentation.xml": f"<p:presentation {a}><p:sldIdLst><p:sldId r:id='r2'/><p:sldId r:id='r1'/></p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": "<R><R Id='r1' Target='slides/slide1.xml'/><R Id='r2' Target='slides/slide2.xml'/></R>",
        "ppt/slides/slide1.xml": slide % "Second", "ppt/slides/slide2.xml": slide % "First",
        "ppt/slides/_rels/slide2.xml.rels": "<R><R Target='../notesSlides/notesSlide1.xml'/><R Target='../charts/chart1.xml'/></R>",
        "ppt/notesSlides/notesSlide1.xml": slide % "Say this",
        "ppt/charts/chart1.xml": "<c:c xmlns:c='urn:c'><c:ser><c:tx><c:v>Tin</c:v></c:tx><c:cat><c:pt><c:v>1901</c:v></c:pt></c:cat>"
        "<c:val><c:pt><c:v>4.4000000000000004</c:v></c:pt></c:val></c:ser></c:c>",
        "docProps/core.xml": CORE,
    }  # fmt: skip
    found = extract_document(zip_of(parts), "pptx", SETTINGS)
    assert found.text == "First\n\nSay this\n\n\tTin\n1901\t4.4\n\f\nSecond"


def test_open_document_text():
    names = 'xmlns:office="urn:o" xmlns:text="urn:t" xmlns:table="urn:b"'
    body = (
        "<text:h>A head</text:h><text:p>One <text:span>two</text:span><text:s/>three<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>A note.</text:p></text:note-body></text:note> four.</text:p><table:table><table:table-row>"
        "<table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    payload = zip_of({"content.xml": f"<office:doc {names}>{body}</office:doc>"})
    assert text_of(payload, "odt").split("\n\n") == ["A head", "One two three four.", "A note.", "a\tb"]


def test_books_notebooks_and_subtitles():
    opf = (
        "<package xmlns:dc='urn:dc'><dc:title>Tides</dc:title><dc:creator>A. Li</dc:creator><manifest><item id='b' href='two.xhtml'/>"
        "<item id='a' href='one%20.xhtml'/></manifest><spine><itemref idref='a'/><itemref idref='b'/></spine></package>"
    )
    pages = {f"OEBPS/{name}.xhtml": f"<html><body><p>Page {name}.</p></body></html>" for name in ("one ", "two")}
    container = "<container><rootfile full-path='OEBPS/book.opf'/></container>"
    found = extract_document(
        zip_of({"META-INF/container.xml": container, "OEBPS/book.opf": opf, **pages}), "epub", SETTINGS
    )
    assert (found.text.split(), found.title) == (["Page", "one", ".", "Page", "two."], "Tides")
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "text"]},
        {"cell_type": "code", "source": "x = 1", "outputs": [{"text": "no"}]},
    ]
    assert text_of(json.dumps({"cells": cells}).encode(), "ipynb") == "# A\ntext\n\nx = 1"
    assert refusal(b"[]", "ipynb").rule == "bad_document"
    vtt = b"WEBVTT\n\n1\n00:01.000 --> 00:02.500 align:start\n<v Ann>We are\nin Hull.\n\nNOTE no\n\n00:03.000 --> 00:04.000\n<i>Yes.</i>\n"
    assert text_of(vtt, "subtitles") == "We are in Hull.\nYes."
    srt = b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:02,000\r\nWe are\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nhere.\r\n"
    assert text_of(srt, "subtitles") == "We are\nhere."


RTF = rb"""{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\info{\title Tides}}{\*\generator x;}
\pard Caf\'e9 \u8364?5 \{a\}\par {\b bold}\~and\line next\par
\trowd a\cell b\cell\row {\header not this}{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}\par}"""


def test_rtf():
    found = extract_document(RTF, "rtf", SETTINGS)
    assert re.sub(r"\n\n+", "\n", found.text).strip() == "Café €5 {a}\nbold and\nnext\na\tb\t\nlink"
    assert found.title == "Tides"
    assert refusal(b"Dear Sir", "rtf").rule == "bad_document"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"{\f1 \'b7} point", "• point"),
        (rb"{\f2 o} no {\f2\'fe} yes", "☐ no ☑ yes"),
        (rb"{\f1 a}+{\f1 b}", "α+β"),
        (rb"{\f2\u-3844\'fc} done", "✓ done"),
        (rb"{\f3 r} wrong", "✗ wrong"),
        (rb"{\f2 A whole sentence that no one ever meant to draw}", "A whole sentence that no one ever meant to draw"),
        (rb"\f0 o stays", "o stays"),
    ],
)
def test_letters_of_fonts_of_signs_in_rtf(body, text):
    fonts = rb"{\fonttbl{\f0 Arial;}{\f1\froman\fcharset2\fprq2{\*\panose 05050102010706020507}Symbol;}"
    fonts += rb"{\f2\fnil\fcharset2 Wingdings;}{\f3 Webdings;}{\f4 Segoe UI Symbol;}}"
    assert text_of(rb"{\rtf1\ansi" + fonts + body + b"}", "rtf") == text


def test_signs_of_word():
    body = '<w:p><w:r><w:sym w:font="Wingdings" w:char="F0FE"/><w:t> paid </w:t><w:sym w:font="Symbol" w:char="F0A3"/></w:r></w:p>'
    assert text_of(docx_of(body), "docx") == "☑ paid ≤"


def test_locked_and_damaged_containers_have_a_reason():
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600), "docx").rule == "password"
    assert refusal(docx_of(paragraph("x"))[:-60], "docx").rule == "bad_document"
    assert refusal(b"PK\x03\x04", "xlsx").rule == "bad_document"
    assert refusal(b"\xd0\xcf\x11\xe0" + bytes(600), "doc").rule == "bad_document"
    assert refusal(docx_of(""), "docx").rule == "no_text"
    entities = zip_of({"word/document.xml": "<!DOCTYPE d [<!ENTITY a 'b'>]><d>&a;</d>"})
    assert refusal(entities, "docx").rule == "xml_dtd"


@pytest.mark.parametrize(
    "kind", ["pdf", "docx", "doc", "pptx", "ppt", "xlsx", "xls", "ods", "odt", "rtf", "epub", "ipynb", "subtitles"]
)
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_refused_or_read(kind, seed):
    import random

    noise = random.Random(seed)
    good = {"pdf": pdf_of([column(72, LEFT)]), "rtf": RTF}.get(kind) or docx_of(paragraph("x " * 500))
    for data in (
        noise.randbytes(3000),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise.randbytes(5000),
        good[: len(good) // 2],
    ):
        damaged = bytearray(good)
        for _ in range(9):
            damaged[noise.randrange(len(damaged))] = noise.randrange(256)
        for payload in (data, bytes(damaged)):
            assert isinstance(read_or_rule(payload, kind), str)


@pytest.mark.parametrize("most", [150_000, pytest.param(2**40, marks=pytest.mark.slow)])
def test_real_documents_are_read_or_refused(corpora, most):
    """Over the files of three projects, the small ones or all: nothing raises, old and new formats of one text have the same
    words."""
    there = {path.removeprefix("./"): data for path, data in documents_of(corpora).items()}
    readable = {path: data for path, data in there.items() if kind_of_name(path) in EXTRACTORS}
    assert len(readable) > 90
    odd = ("_pg3.pdf", "report_scan.pdf", "INTEL_2023_8K_dated-2023-08-16.pdf")
    readable = {path: data for path, data in readable.items() if len(data) < most or path.endswith(odd)}
    assert len(readable) > 60
    rules = {
        path: found
        for path, data in readable.items()
        if " " not in (found := read_or_rule(data, kind_of_name(path) or ""))
    }
    assert {path.rpartition("/")[2]: rule for path, rule in rules.items() if rule in ("password", "scanned", "bad_pdf")} == {
        "2206.01062_pg3.pdf": "password", "MEDRPT-2024-PAT-3847_medical_report_scan.pdf": "scanned",
        "INTEL_2023_8K_dated-2023-08-16.pdf": "bad_pdf",
    }  # fmt: skip
    old, new = (
        set(text_of(there[f"docling/{kind}/{name}.{kind}"], kind).split())
        for kind, name in (("doc", "legacy_sample"), ("docx", "word_sample"))
    )
    assert len(old & new) > 0.9 * len(new)
    slides = text_of(there["docling/ppt/legacy_sample.ppt"], "ppt")
    assert "Test Table Slide" in slides
    assert len(extract_document(there["sec_pdf/ULTABEAUTY_2023Q1_EARNINGS.pdf"], "pdf", SETTINGS).text.split("\f")) == 8
    assert "Total assets\t$5,375,719\t$5,370,411\t$5,012,036" in text_of(
        there["sec_pdf/ULTABEAUTY_2023Q1_EARNINGS.pdf"], "pdf"
    )


@pytest.fixture
def corpora() -> Path:
    """The folder of real text."""
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: the folder of real text is needed")
    return Path(os.environ["CORPORA"])


def documents_of(corpora) -> dict[str, bytes]:
    packed = (corpora / "documents/documents_a.tar.zst").read_bytes()
    data = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(packed).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}


def test_hyphens_of_names_and_compounds_stay_at_a_line_end():
    lines = [
        "Of all the drinks that were sold on the quay, Coca-",
        "Cola was asked for most, and by quite a few self-",
        "made men, who were in the long run rather short-",
        "ly gone; their authors, and now and then a co-",
        "authors' union, paid for it, and nobody was non-",
        "plussed that the committee of the harbour co-",
        "operated with a firm that had built the con-",
        "struction of the old quay in the year before it.",
    ]
    text = text_of(pdf_of([column(72, lines)]), "pdf")
    for word in ("Coca-Cola", "self-made", "shortly gone", "co-authors", "nonplussed", "cooperated", "construction"):
        assert word in text
    assert "Coca- Cola" not in text
