"""Tables of office files whose cells span columns, RTF's raised and hidden text, and sheets of a few cells far apart."""

import io
import zipfile

import pytest

from pipeline.extract.documents.legacy import extract_rtf
from pipeline.extract.documents.office import extract_docx, extract_odf, extract_sheets
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


def test_a_sheet_of_a_few_cells_far_apart_is_refused_before_it_takes_all_memory():
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    sheet = f'<worksheet xmlns="http://x"><sheetData>{cells}</sheetData></worksheet>'
    with pytest.raises(RefusalError, match=r"spans 1,048,576 rows and 16,384 columns for 2 cells"):
        extract_sheets(zipped(xl__worksheets__sheet1_xml=sheet), SETTINGS)


def test_prose_that_names_a_root_element_is_text():
    assert sniff(b"A page begins with <html> and holds a <body>.\nNothing else is needed.") == "text"
    assert sniff(b"Warning: no cache\n<html><body><p>Text") == "html"
    assert sniff(b"<DOCUMENT><TYPE>EX-99<TEXT><html><body>Text") == "html"
