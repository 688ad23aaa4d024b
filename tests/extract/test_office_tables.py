"""Tables of office files whose cells span columns, RTF's raised and hidden text, and sheets of a few cells far apart."""

import io
import zipfile

import pytest

from pipeline.extract.documents.legacy import extract_rtf
from pipeline.extract.documents.office import extract_docx, extract_odf
from pipeline.extract.documents.sheets import extract_sheets
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import RefusalError
from pipeline.ingest.sniff import sniff

SETTINGS = ExtractSettings()
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(**parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return buffer.getvalue()


def cell(text, span=1, inside=""):
    wide = f'<w:tcPr><w:gridSpan w:val="{span}"/></w:tcPr>' if span > 1 else ""
    return f"<w:tc>{wide}<w:p><w:r><w:t>{text}</w:t></w:r></w:p>{inside}</w:tc>"


def row(*cells, before=0):
    skipped = f'<w:trPr><w:gridBefore w:val="{before}"/></w:trPr>' if before else ""
    return f"<w:tr>{skipped}{''.join(cells)}</w:tr>"


def word(*rows):
    body = f"<w:tbl>{''.join(rows)}</w:tbl>"
    return extract_docx(
        zipped(word__document_xml=f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'), SETTINGS
    ).text


def test_cells_over_columns_of_word_leave_the_columns_behind_them_empty():
    text = word(
        row(cell("Item"), cell("Quarter", 2), cell("Half year", 2), cell("Note")),
        row(cell("Costs"), cell("n/a", 2), cell("7", 2), cell("b")),
        row(cell("99"), cell("5"), before=2),
    )
    assert text.split("\n") == ["Item\tQuarter\t\tHalf year\t\tNote", "Costs\tn/a\t\t7\t\tb", "\t\t99\t5"]


def test_a_table_in_a_cell_stays_in_it_and_is_told_once():
    inner = f"<w:tbl>{row(cell('Q1'), cell('11'))}{row(cell('Q2'), cell('22'))}</w:tbl>"
    assert word(row(cell("Outer", inside=inner), cell("55"))) == "Outer Q1 11 Q2 22\t55"


def test_repeated_and_covered_cells_of_opendocument_keep_their_columns():
    space = 'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    rows = (
        "<table:table-row><table:table-cell><text:p>Item</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-spanned="2"><text:p>Half</text:p></table:table-cell><table:covered-table-cell/>'
        "<table:table-cell><text:p>Year</text:p></table:table-cell></table:table-row>"
        '<table:table-row><table:table-cell><text:p>Cash</text:p></table:table-cell><table:table-cell table:number-columns-repeated="2"/>'
        '<table:table-cell><text:p>9</text:p></table:table-cell><table:table-cell table:number-columns-repeated="900"/></table:table-row>'
    )
    found = extract_odf(zipped(content_xml=f"<body {space}><table:table>{rows}</table:table></body>"), SETTINGS).text
    assert found.split("\n") == ["Item\tHalf\t\tYear", "Cash\t\t\t9"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (rb"10\super 9\nosupersub  units", "10^9 units"),
        (rb"5{\super 2} and H{\sub 2}O", "5^2 and H_2O"),
        (rb"the 21{\super st} of May", "the 21st of May"),
        (rb"seen {\v not seen} again", "seen  again"),
        (rb"one \v two\v0  three", "one  three"),
    ],
)
def test_raised_lowered_and_hidden_text_of_rtf(code, text):
    assert extract_rtf(rb"{\rtf1\ansi " + code + b"}", SETTINGS).text.strip() == text


def test_notes_of_rtf_stand_behind_the_text_and_not_in_its_sentences():
    code = rb"The sale{\super\chftn}{\footnote\pard\plain{\super\chftn} Closed in M\'e4rz.} was final.\par {\header x{\footnote no}}It paid{\footnote\ftnalt Late.}."
    text = extract_rtf(rb"{\rtf1\ansi " + code + b"}", SETTINGS).text
    assert text == "The sale was final.\n\nIt paid.\n\n Closed in März.\n\nLate."


def test_hidden_text_of_word_is_left_out_and_counted():
    def run(text, how=""):
        return f'<w:r><w:rPr>{how}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'

    def docx(*runs, styles=""):
        body = f'<w:document xmlns:w="{WORD}"><w:body><w:p>{"".join(runs)}</w:p></w:body></w:document>'
        return extract_docx(
            zipped(word__document_xml=body, word__styles_xml=f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>'),
            SETTINGS,
        )

    found = docx(run("Seen "), run("by no one here ", "<w:vanish/>"), run("again", '<w:vanish w:val="0"/>'))
    assert (found.text, found.note) == ("Seen again", "left out as hidden: 4 words")
    style = '<w:style w:styleId="H"><w:rPr><w:vanish/></w:rPr></w:style>'
    named = '<w:rStyle w:val="H"/>'
    found = docx(run("Seen "), run("never ", named), run("again", f'{named}<w:vanish w:val="false"/>'), styles=style)
    assert (found.text, found.note) == ("Seen again", "left out as hidden: 1 words")
    based = style + '<w:style w:styleId="B"><w:basedOn w:val="H"/></w:style>'
    based += '<w:style w:styleId="C"><w:basedOn w:val="B"/><w:rPr><w:vanish w:val="0"/></w:rPr></w:style>'
    found = docx(
        run("Seen "), run("never ", '<w:rStyle w:val="B"/>'), run("again", '<w:rStyle w:val="C"/>'), styles=based
    )
    assert (found.text, found.note) == ("Seen again", "left out as hidden: 1 words")
    found = docx(
        run("Seen."), '</w:p><w:p><w:pPr><w:pStyle w:val="B"/></w:pPr><w:r><w:t>Never seen.</w:t></w:r>',
        "</w:p><w:p>", run("Again."), styles=based,
    )  # fmt: skip
    assert (found.text, found.note) == ("Seen.\n\nAgain.", "left out as hidden: 2 words")
    assert docx(run("Seen", "<w:webHidden/>")).note is None
    with pytest.raises(RefusalError, match="left out as hidden: 2 words"):
        docx(run("All hidden", "<w:vanish/>"))


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def line(number, how="", **cells):
    written = "".join(f'<c r="{name}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for name, text in cells.items())
    return f'<row r="{number}" {how}>{written}</row>'


def workbook(*sheets, states=("", "", "")):
    """A workbook whose sheets A, B, … are these pieces of XML."""
    inside, links = "", ""
    parts = {}
    for number, (name, state, sheet) in enumerate(zip("ABC", states, sheets, strict=False), start=1):
        inside += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}" {state}/>'
        links += (
            f'<Relationship Id="r{number}" Type="{RELATIONS}/worksheet" Target="/xl/worksheets/sheet{number}.xml"/>'
        )
        parts[f"xl__worksheets__sheet{number}_xml"] = f'<worksheet xmlns="{MAIN}">{sheet}</worksheet>'
    kind = "http://schemas.openxmlformats.org/package/2006/relationships"
    root = f'<Relationships xmlns="{kind}"><Relationship Id="r" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    parts |= {
        "_rels__.rels": root,
        "xl___rels__workbook_xml.rels": f'<Relationships xmlns="{kind}">{links}</Relationships>',
    }
    parts["xl__workbook_xml"] = f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{inside}</sheets></workbook>'
    return zipped(**parts)


TWO = f"<sheetData>{line(3, C='Tin', D='1')}{line(5, C='Wool', D='2')}</sheetData>"


@pytest.mark.parametrize(
    ("payload", "text", "hidden"),
    [
        (workbook(TWO), "A\n\nTin\t1\nWool\t2", ""),
        (workbook(TWO.replace('r="5" ', 'r="5" spans="1:4" hidden="1" ')), "A\n\nTin\t1", "1 rows"),
        (workbook(TWO.replace('r="5" ', 'r="5" hidden="1" outlineLevel="2" ')), "A\n\nTin\t1\nWool\t2", ""),
        (
            workbook('<sheetPr filterMode="1"/>' + TWO.replace('r="5" ', 'hidden="true" r="5" ')),
            "A\n\nTin\t1\nWool\t2",
            "",
        ),
        (workbook('<cols><col min="4" max="16384" hidden="1"/></cols>' + TWO), "A\n\nTin\nWool", "1 columns"),
        (workbook('<cols><col max="2" min="1" hidden="1"/></cols>' + TWO), "A\n\nTin\t1\nWool\t2", ""),
        (workbook(TWO, TWO, states=("", 'state="hidden"')), "A\n\nTin\t1\nWool\t2", "1 sheets"),
        (
            workbook(TWO, TWO, TWO, states=('state="veryHidden"', "", 'state="hidden"')),
            "B\n\nTin\t1\nWool\t2",
            "2 sheets",
        ),
    ],
)
def test_hidden_sheets_rows_and_columns_are_left_out_and_counted(payload, text, hidden):
    found = extract_sheets(payload, SETTINGS)
    assert found.text == text
    assert found.note.partition("; ")[2] == (f"left out as hidden: {hidden}" if hidden else "")


ODS = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("table", "text", "office")
)
EMPTY_ROWS = '<table:table-row table:number-rows-repeated="{}"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'


def ods(inside):
    content = f'<office:document-content {ODS}><office:body><office:spreadsheet><table:table table:name="A">{inside}</table:table></office:spreadsheet></office:body></office:document-content>'
    return zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet", content_xml=content, **{
        "META-INF__manifest_xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'})  # fmt: skip


def ods_row(*texts, how=""):
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in texts
    )
    return f"<table:table-row {how}>{cells}</table:table-row>"


def test_hidden_and_far_cells_of_opendocument_sheets():
    rows = (
        ods_row("Tin", "1")
        + ods_row("Lead", "3", how='table:visibility="collapse"')
        + ods_row("Wool", "2", how='table:visibility="filter"')
    )
    found = extract_sheets(ods(rows + EMPTY_ROWS.format(1048573)), SETTINGS)
    assert (found.text, found.note) == ("A\n\nTin\t1\nWool\t2", "1 sheets; left out as hidden: 1 rows")
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/>'
    assert extract_sheets(ods(columns + ods_row("Tin", "1", "x")), SETTINGS).text == "A\n\nTin\tx"
    far = ods_row("Tin") + EMPTY_ROWS.format(1048000) + ods_row(*[""] * 20, "Wool")
    with pytest.raises(RefusalError, match=r"spans 1,048,002 rows and 21 columns for 22 cells"):
        extract_sheets(ods(far), SETTINGS)


def test_a_sheet_of_a_few_cells_far_apart_is_refused_before_it_takes_all_memory():
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="http://x"><sheetData>{cells}</sheetData></worksheet>'
    with pytest.raises(RefusalError, match=r"spans 1,048,576 rows and 16,384 columns for 2 cells"):
        extract_sheets(zipped(xl__worksheets__sheet1_xml=sheet), SETTINGS)


def test_prose_that_names_a_root_element_is_text():
    assert sniff(b"A page begins with <html> and holds a <body>.\nNothing else is needed.") == "text"
    assert sniff(b"Warning: no cache\n<html><body><p>Text") == "html"
    assert sniff(b"<DOCUMENT><TYPE>EX-99<TEXT><html><body>Text") == "html"
