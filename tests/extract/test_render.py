"""Tables found, main content chosen and text written equal their twins, and do what they are for."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import extract_html
from pipeline.extract.main_content import keep_blocks
from pipeline.kernels.html import render as kernel
from pipeline.kernels.html.slim import slim
from pipeline.kernels.html.tables import find_tables
from pipeline.kernels.html.tree import read_tree
from pipeline.kernels.html.visible import blocks
from tests.extract import render_twin, tables_twin
from tests.extract.test_slim import real_pages

PROSE = "The mill was sold to a buyer from the north, who had asked for it for years and kept the land around it. "
CELLS = [
    "1,234", "$", "(", ")", ")%", "%", "\u2014", "-", "8&#160;", "\u20ac", "\u5e74", "", "Revenue", "<p>a</p><p>b</p>", "2021", "(12", "12.5%", "\u2022", "(a)",
    "<a href=x>Exhibit 1</a>", PROSE, PROSE * 5, "<ul><li>a<li>b</ul><ul><li>c</ul>", "a|b", "x<sup>2</sup>", "US$", "<br>", "<table><tr><td>1<td>2</table>",
]  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["td", "td", "td", "th"]),
        st.sampled_from(CELLS),
        st.sampled_from([1, 1, 1, 2, 3]),
        st.sampled_from([1, 1, 1, 1, 2, 0]),
    ),
    max_size=7,
).map(
    lambda cells: (
        "<tr>"
        + "".join(f"<{name} colspan={across} rowspan={down}>{text}</{name}>" for name, text, across, down in cells)
    )
)
TABLES = st.lists(ROWS | st.sampled_from(["<tbody>", "<caption>Sales</caption>"]), max_size=7).map(
    lambda rows: f"<table>{''.join(rows)}</table>"
)
PIECES = st.sampled_from([
    "<p>", "</p>", "<div>", "</div>", "<br>", "<hr>", "<hr style='page-break-after:always'>", "<p style='page-break-before:always'>", "<ul>", "<ol start=3>",
    "<li>", "<li value=7>", "</li>", "</ul>", "</ol>", "<pre>\n", "</pre>", "<q>", "</q>", "<sup>", "</sup>", "<sub>", "</sub>", "<a href=x>", "</a>", "<b>", "</b>",
    "<sup>9</sup>", "7<sup>1</sup>/<sub>8</sub>", "<sup>1</sup>\u2044<sub>12</sub>", "<sup>th</sup>", "<sub>i,j</sub>", "<sup><a>[1]</a></sup>", "<sup><a>12</a></sup>", "<sup hidden>3</sup>", "<sup>-1</sup>", "<span style=vertical-align:super>", "<i style='vertical-align: sub'>", "</i>", "</span>", "<h1>", "</h1>",
    "<math><mi>x</mi><annotation encoding='application/x-tex'>{\\displaystyle  x+1 }</annotation></math>", "<nav>", "</nav>", "<div class=comments>", "<aside>",
    "<div class='sidebar'>", "<div class='article sidebar'>", "<form>", "</form>", "<div style=display:none>", "x", "10", " ", "\n", "\t", "&nbsp;", "\u2003", "word ",
    PROSE, PROSE * 3, "<table><tr><td>(b)<td>" + PROSE + "</table>", "<table><tr><td>" + PROSE * 5 + "<td>x</table>", "|", "\u200b",
    "<ol type=a>", "<ol type=I start=3>", "<ol reversed>", "<ol reversed start=2>", "<li value=29>", "<sup>\u22123</sup>", "<script type='math/tex'>x^2</script>",
    "<span class=MathJax>x2</span>", "<font face=Wingdings>\xa8 o</font>", "<font face=Symbol>a</font>", "<td>1\n2</td><td><pre>a\n b\nc\n</pre></td>",
    "<table><tr><td>1\n2\n<td><pre>if a:\n  b\nc</pre></table>", "<table><tr><td>7<td><pre>a\nb</pre></table>", "<b>\u2022</b>", "<b>(a)</b>", "<i>12.</i>", "<b>\u2610</b>", "<b>\u25aa</b>",
])  # fmt: skip


def text_of(markup: str, tables: int = kernel.TEXT_TABLES, main: bool = False) -> str:
    """The text of a page, after it was compared with the twins' step by step."""
    page = HTMLTree.parse(slim(markup.encode())[0].decode())
    assert page.document is not None
    nodes, signatures, data = read_tree(np.frombuffer(page.document.html.encode(), np.uint8))
    block, count = blocks(nodes, data, False)
    plain = tables_twin.Page(nodes, data, block)
    role, column = find_tables(nodes, data, block)
    twin_role, twin_column = tables_twin.find_tables(plain)
    assert role.tolist() == twin_role
    assert column.tolist() == twin_column
    keep = keep_blocks(nodes, signatures, data, block, count) if main else np.ones(count, np.bool_)
    text = kernel.render(nodes, data, block, keep, role, column, tables).tobytes()
    assert text == render_twin.render(plain, keep.tolist(), twin_role, twin_column, tables)
    return text.decode()


@settings(deadline=None, max_examples=120)
@given(st.lists(TABLES | PIECES, max_size=5).map("".join), st.sampled_from([0, 1, 2]), st.booleans())
@example(
    "<table><tr><td colspan=900>a<td>b<td>1</tr>" + "<tr><td colspan=900><td>2<td>3</tr>" * 3 + "</table>", 1, False
)
def test_tables_equal_the_twins(page, tables, main):
    text_of(page, tables, main)


@settings(deadline=None, max_examples=120)
@given(st.lists(PIECES, max_size=25).map("".join), st.booleans())
@example("<sup>9</sup><sup><sup>9</sup><sup>-1</sup>", False)
def test_pages_equal_the_twins(page, main):
    text_of(page, main=main)


@pytest.mark.slow
def test_many_more_pages_equal_the_twins():
    drawn = st.lists(TABLES | PIECES, max_size=5).map("".join), st.sampled_from([0, 1, 2]), st.booleans()
    settings(deadline=None, max_examples=1000)(given(*drawn)(test_tables_equal_the_twins.hypothesis.inner_test))()
    drawn = st.lists(PIECES, max_size=25).map("".join), st.booleans()
    settings(deadline=None, max_examples=1000)(given(*drawn)(test_pages_equal_the_twins.hypothesis.inner_test))()


def test_real_pages_equal_the_twins():
    for page in real_pages(16):
        text_of(page.decode("utf-8", "ignore"), main=True)


def table(*rows: str) -> str:
    """A table of rows whose cells are parted by bars."""
    return (
        "<table>"
        + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row.split("|")) + "</tr>" for row in rows)
        + "</table>"
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (table("|2023|2022", "Loans sold|—|(7,100)", "Loans bought|–|9"), "\t2023\t2022\nLoans sold\t—\t(7,100)\nLoans bought\t–\t9"),
        (table("Deposits|4,406|<span>8</span><span>&#160;</span>|3,980|7&#160;"), "Deposits\t4,406\t8\t3,980\t7"),
        (table("a|€|b", "年|&nbsp;|1"), "a\t€\tb\n年\t\t1"),
        (table("<p>Sales</p>|<p>$</p>|<div>12</div>", "<p>May 3,<br>2024</p>|<p>4</p>"), "Sales\t$12\nMay 3, 2024\t4"),
        (table("Loss|(|1,204|)", "Margin|(|3.5|)%", "Cost|$|(9|)"), "Loss\t(1,204)\nMargin\t(3.5)%\nCost\t$(9)"),
        (table("Change|$|%", "Wages|12|4", "Rent|3|1"), "Change\t$\t%\nWages\t12\t4\nRent\t3\t1"),
        (table("Exhibit|Where", "<a href=x>4.1</a>|<a href=x>Form of note</a>", "10.2|<a href=x>Lease</a>"), "Exhibit\tWhere\n4.1\tForm of note\n10.2\tLease"),
        (
            "<table><tr><td><td colspan=3>2023<td><td colspan=3>2022<tr><td>Sales<td>$<td>70<td><td><td>$<td>(6<td>)"
            "<tr><td>Costs<td colspan=2>5<td><td><td colspan=2>—<td></table>",
            "\t2023\t2022\nSales\t$70\t$(6)\nCosts\t5\t—",
        ),
        ("<table><tr><td rowspan=2>North<td>Q1<td>5<tr><td>Q2<td>6<tr><td>South<td>Q1<td>7</table>", "North\tQ1\t5\n\tQ2\t6\nSouth\tQ1\t7"),
        ("<table><tr><th>a<th>b<th>c<tr><td>1<tr><td><td>2<tr><td><td><td>3</table>", "a\tb\tc\n1\n\t2\n\t\t3"),
        (f"<table><tr><td>•<td>{PROSE}<tr><td>(ii)<td>{PROSE}</table>", f"• {PROSE.strip()}\n(ii) {PROSE.strip()}"),
        (f"<table><tr><td>{PROSE * 5}<td><p>{PROSE * 5}</table>", f"{(PROSE * 5).strip()}\n\n{(PROSE * 5).strip()}"),
        ("<table><tr><td>Fees<td>8<tr><td>Note<td><table><tr><td>a<td>1<tr><td>b<td>2</table></table>", "Fees\t8\nNote\n\na\t1\nb\t2"),
        (
            "<table><tr><td><td hidden colspan=2><td>2023<td style='display: none'><td>2022<tr><td>Fees<td>4<td>5"
            "<tr style='display:none'><td>x<td>1<tr><td>Rents<td style='Display:None;width:9%' colspan=3><td>6<td>7</table>",
            "\t2023\t2022\nFees\t4\t5\nRents\t6\t7",
        ),
        ("<table><tr><td>a<td style='visibility:hidden'>1<td>b<tr><td>c<td>2<td>3</table>", "a\t\tb\nc\t2\t3"),
        ("<table role=presentation><tr><td>a<td>1<tr><td>b<td>2</table>", "a\n1\nb\n2"),
        (f"<p>a</p>{'<div>' * 300}{table('b|1', 'c|2')}", "a\n\nb\t1\nc\t2"),
    ],
)  # fmt: skip
def test_tables(markup, text):
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>9</sup>, H<sub>2</sub>O, x<sup>n+1</sup>, 10<sup>-3</sup>", "10^9, H_2O, x^(n+1), 10^-3"),
        ("so<sup><a href=#1>1</a></sup> and<sup><a href=#2>[2]</a></sup> on the 3<sup>rd</sup>", "so[1] and[2] on the 3rd"),
        ("Total<sup>(1)</sup> A<sup>TM</sup> <sup>1</sup> Note b<sup hidden>x</sup>", "Total(1) ATM 1 Note b"),
        ("<ul><li>a<ul><li>b<ol start=3><li>c<li>d</ol></ul><li>e</ul>f", "• a\n  • b\n    3. c\n    4. d\n• e\n\nf"),
        ("<ol><li>a<li value=9>b<li>c</ol>", "1. a\n9. b\n10. c"),
        ("<ul><li hidden>x</ul><p>y", "y"),
        ("a<pre>if x:\n    y()\n\n\tz</pre>b", "a\n\nif x:\n    y()\n\n\tz\n\nb"),
        ("a<br>b<br><br>c <q>d</q>", 'a\nb\n\nc "d"'),
        ("<p>a<p style='page-break-before: always'>b<hr style='break-after:page'>c", "a\n\n\f\n\nb\n\n\f\n\nc"),
        ("see <math><mi>x</mi><annotation encoding='application/x-tex'>{\\displaystyle \\alpha =1}</annotation></math>.", "see $\\alpha =1$."),
        ("(<ix:nonNumeric>212</ix:nonNumeric>)&#160;<ix:nonNumeric>555-0199</ix:nonNumeric>", "(212) 555-0199"),
        ("<ix:header><ix:hidden>0001</ix:hidden></ix:header><p>a<span style='display:none'>b</span>", "a"),
    ],
)  # fmt: skip
def test_text(markup, text):
    assert text_of(markup) == text


def test_tables_as_markdown_or_not_at_all():
    markup = f"<p>a</p>{table('x|y|z', '1|a^b|3'.replace('^', '&#124;'), '|5|')}<p>b</p>"
    assert (
        text_of(markup, kernel.MARKDOWN_TABLES)
        == "a\n\n| x | y | z |\n| --- | --- | --- |\n| 1 | a\\|b | 3 |\n|  | 5 |\n\nb"
    )
    assert text_of(markup, kernel.DROP_TABLES) == "a\n\nb"


def main(markup: str, **settings) -> str:
    return extract_html(f"<html><body>{markup}".encode(), None, ExtractSettings(**settings)).text


ADVERT = (
    "Try our new kettle, which boils faster than any other kettle that you can buy in a shop today, and is red. " * 4
)


@pytest.mark.parametrize(
    "name", ["related", "sidebar", "sponsored", "post permalink", "hidden", "print-only", "newsletter", "comments"]
)
def test_what_most_of_the_page_is_stays_whatever_its_box_is_called(name):
    page = f"<div class='content'><p>{ADVERT}</p></div><div class='{name}'><h1>Mill sold</h1><p>{PROSE * 4}</p><p>{PROSE * 6}</p></div>"
    assert PROSE * 5 in main(page)


def test_names_tell_what_is_left_out():
    noise = "<nav><a href=/>Home</a></nav><div class=related-posts><a href=/1>More of mills</a> <a href=/2>And of bakers</a></div><aside>Side</aside><div id=comments>Nice</div>"
    page = f"{noise}<main><h1>Mill sold</h1><p>{PROSE * 9}</p></main><footer>Imprint</footer>"
    assert main(page) == f"Mill sold\n\n{PROSE.strip()}{(' ' + PROSE.strip()) * 8}"
    assert "Imprint" in main(page, main_content=False)


def test_rows_of_figures_are_not_told_apart_by_their_names():
    rows = "".join(
        f"<tr id=x_PerShareOf{name} class=share><td>{name}<td>{number}" for number, name in enumerate("ABCDE")
    )
    assert "A\t0\nB\t1" in main(f"<nav>Home</nav><p>{PROSE * 4}</p><table>{rows}</table><p>{PROSE * 4}</p>")


def test_a_list_in_a_shallow_page_stays():
    items = "".join(f"<li>Line {number} rose.</li>" for number in range(9))
    assert "• Line 8 rose." in main(f"<p>{PROSE * 3}</p><ul>{items}</ul><p>{PROSE * 3}</p>")


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr>" + "<td>" * 100_000,
        "<table>" + "<tr><td colspan=1000 rowspan=9>1" * 20_000,
        "<table>" + "".join(f"<tr><td colspan={number % 999 + 1}>x<td>1" for number in range(20_000)),
        "<table><tr><td>a<td>1<tr><td>" * 2_000,
        "<ul><li>" * 5_000 + "x",
        "<sup>" * 5_000 + "x",
        "<div class=comment>" * 5_000 + "x",
        "<math>" * 5_000 + "x",
    ],
)  # fmt: skip
def test_pages_made_to_be_slow_or_large(page):
    """Quadratic work would take minutes; what comes out is no longer than a few times what went in."""
    assert len(main(page)) <= 4 * len(page)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p><span>\u2022</span><span style='padding-left:14pt'>total costs</span></p>", "\u2022 total costs"),
        ("<div><span>\u25aa</span><span>5 million units</span></div>", "\u25aa 5 million units"),
        ("<p><b>\u2610</b>Written communications</p>", "\u2610 Written communications"),
        ("<p><span>(iv)</span><i>The lease</i></p>", "(iv) The lease"),
        ("<p>(s)he, U.S. and A.M. stay</p><p>U.S.</p><p>3.Q</p>", "(s)he, U.S. and A.M. stay\n\nU.S.\n\n3. Q"),
        ("<p><span>2.</span><span>Statements</span></p>", "2. Statements"),
        ("<p><b>\u2022</b> apart already</p>", "\u2022 apart already"),
        ("<p>rate of <b>2.</b>5 percent</p>", "rate of 2.5 percent"),
        ("<p><b>2.</b>5 percent</p>", "2.5 percent"),
        ("<p><b>T</b>he first letter</p>", "The first letter"),
        ("<p>see note (a)<i>above</i></p>", "see note (a)above"),
        (
            "<table><tr><td>1</td><td>2</td></tr><tr><td><b>(a)</b>Lease</td><td>7</td></tr></table>",
            "1\t2\n(a) Lease\t7",
        ),
    ],
)
def test_a_marker_stands_apart_from_the_text_of_the_next_element(markup, text):
    assert text_of(f"<html><body>{markup}</body></html>") == text


def test_numbers_of_a_list_are_what_a_browser_shows():
    items = "<li>The sea.<li>The land."
    assert text_of(f"<ol type=a start=26>{items}</ol>") == "z. The sea.\naa. The land."
    assert text_of(f"<ol type=A>{items}</ol>") == "A. The sea.\nB. The land."
    assert text_of(f"<ol type=i start=8>{items}</ol>") == "viii. The sea.\nix. The land."
    assert text_of(f"<ol type=I start=1994>{items}</ol>") == "MCMXCIV. The sea.\nMCMXCV. The land."
    assert text_of(f"<ol type=i start=0>{items}</ol>") == "0. The sea.\ni. The land."
    assert text_of(f"<ol reversed>\n{items}<li>The sky.</ol>") == "3. The sea.\n2. The land.\n1. The sky."
    assert text_of(f"<ol reversed start=9>{items}</ol>") == "9. The sea.\n8. The land."
    assert text_of(f"<ul type=a>{items}</ul>") == "\u2022 The sea.\n\u2022 The land."


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<font face=Wingdings>&#168;</font> No", "\u2610 No"),
        ("<font face='WingDings' size=1>x</font>&nbsp;Yes", "\u2612 Yes"),
        ("<span style='font-family: Wingdings'>\xfe</span> Yes", "\u2611 Yes"),
        ("<span style='font:10pt Wingdings 2'>\xa3</span> No", "\u2610 No"),
        ("<span style=\"font-family:'Wingdings 2'\"><b>R</b></span> Yes", "\u2611 Yes"),
        ("<font face=Wingdings>&#xf0a7;</font>A lease", "\u2022 A lease"),
        ("<font face=Wingdings>n</font>A lease", "\u2022 A lease"),
        ("<font face=Symbol>&#183;</font> A lease", "\u2022 A lease"),
        ("<font face=Symbol>ab &gt; 1</font>", "\u03b1\u03b2 > 1"),
        ("<font face=Webdings>8</font> Next", "Next"),
        ("<font face=Wingdings>\u2612</font> Yes", "\u2612 Yes"),
        ("<font face='Arial, Wingdings'>o</font> Oh", "o Oh"),
        ("<span style='font-family: Segoe UI Symbol'>o</span> Oh", "o Oh"),
        ("<font face=Wingdings>This was never meant to be drawn.</font>", "This was never meant to be drawn."),
        ("<font face=Wingdings>o<font face=Arial>o</font></font>", "\u2610 o"),
    ],
)
def test_letters_of_symbol_fonts_are_signs(markup, text):
    assert text_of(f"<p>{markup}</p>") == text


def test_a_box_in_a_cell_stands_beside_its_text():
    row = "<tr><td><font face=Wingdings>{}</font></td><td>{} proxy statement</td></tr>"
    page = f"<table>{row.format('o', 'Preliminary')}{row.format('x', 'Definitive')}</table>"
    assert text_of(page) == "\u2610\tPreliminary proxy statement\n\u2612\tDefinitive proxy statement"


def test_formulas_in_scripts_are_tex_once():
    drawn = "<span class='MathJax_Display'><span class=MathJax>x2</span></span>"
    assert text_of("<p>So <script type='math/tex'>x^2 < 1</script> holds.") == "So $x^2 < 1$ holds."
    assert text_of(f"<p>So {drawn}<script type='math/tex; mode=display'>x^2</script> holds.") == "So $x^2$ holds."
    assert text_of("<p>So <span class=MathJax>x2</span> holds.") == "So x2 holds."
    assert text_of("<p>So <script type='text/javascript'>x^2</script> holds.") == "So holds."
    assert text_of("<p>10<sup>\u22123</sup> m") == "10^(\u22123) m"


def test_code_in_a_table_keeps_its_lines_and_loses_its_numbers():
    code = "for a in b:\n    print(a)\nend"
    assert text_of(f"<table><tr><td><pre>1\n2\n3</pre></td><td><pre>{code}</pre></td></tr></table>") == code
    listed = text_of(f"<table><tr><th>Loop<th>{PROSE}</tr><tr><td>for<td><pre>{code}</pre></tr></table>")
    assert code in listed
    assert text_of("<table><tr><td>1\n2</td><td>9</td></tr><tr><td>3</td><td>4</td></tr></table>") == "1 2\t9\n3\t4"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<a href=x>Item 9.01</a><a href=y>Exhibits</a>", "Item 9.01 Exhibits"),
        ("<b id=a>(d)</b><b id=b>Exhibits</b>", "(d) Exhibits"),
        ("<b id=a>10</b><i id=b>K</i> and 7.25<i id=c>B</i>", "10K and 7.25B"),
        ("section<b id=a>(a)</b><i id=b>Of</i>", "section(a)Of"),
        ("<b id=a>9.01</b><i id=b>million</i>", "9.01million"),
    ],
)
def test_the_number_of_an_item_is_parted_from_its_words(markup, text):
    assert text_of(f"<p>{markup}</p>") == text


def test_a_sign_that_is_a_label_or_a_unit_stays_in_its_cell():
    rates = table("Currency|2024|2023", "\u20ac|1.10|1.08", "\u00a3|1.27|\u2014", "Yen|0.007|0.007")
    assert text_of(rates) == ("Currency\t2024\t2023\n\u20ac\t1.10\t1.08\n\u00a3\t1.27\t\u2014\nYen\t0.007\t0.007")
    listed = table("|2024|2023", "Yen|150|140", "\u20ac|1.10|(0.2)")
    assert text_of(listed) == "\t2024\t2023\nYen\t150\t140\n\u20ac\t1.10\t(0.2)"
    units = table("Item|Unit|2023", "Sales|$|1,234", "Staff|heads|17", "Rent||3")
    assert text_of(units) == "Item\tUnit\t2023\nSales\t$\t1,234\nStaff\theads\t17\nRent\t\t3"
    spanned = "<td colspan=3>{}</td><td>{}</td><td>{}</td><tr>"
    page = f"<table><tr>{spanned.format('Currency', '2024', '2023')}{spanned.format('$', '1.00', '1.00')}</table>"
    assert text_of(page) == "Currency\t2024\t2023\n$\t1.00\t1.00"


def test_a_sign_right_before_its_figure_joins_it():
    sales = table("|2023||2022|", "Sales|$|1,234|$|1,100", "Rent||9||8", "|$|1,243|$|1,108")
    assert text_of(sales) == "\t2023\t2022\nSales\t$1,234\t$1,100\nRent\t9\t8\n\t$1,243\t$1,108"
    head = "<tr><td>Year</td><td colspan=2>2023</td><td colspan=2>2022</td></tr>"
    spanned = table("Sales|$|1,234|$|1,100", "|$|1,243|$|(|1,108|)").replace("<table>", f"<table>{head}")
    assert text_of(spanned) == "Year\t2023\t2022\nSales\t$1,234\t$1,100\n\t$1,243\t$(1,108)"
    assert text_of(table("Sales|NM|7", "Loss|(|5|)")) == "Sales\tNM\t7\nLoss\t\t(5)"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("7<sup>1</sup>/<sub>8</sub>% notes", "7 1/8% notes"),
        ("7<sup>1</sup>\u2044<sub>8</sub>% notes", "7 1\u20448% notes"),
        ("up <sup>3</sup>/<sub>16</sub> of one, 2-<sup>1</sup>/<sub>2</sub>", "up 3/16 of one, 2-1/2"),
        (
            "x<sup>2</sup>/y<sub>1</sub>, x<sup>2</sup>/<sub>n</sub>, x<sup>1</sup>/<sub>2</sub>",
            "x^2/y_1, x^2/_n, x^1/2",
        ),
    ],
)
def test_raised_and_lowered_digits_around_a_slash_are_a_fraction(markup, text):
    assert text_of(f"<p>{markup}</p>") == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<span style='vertical-align:super'>9</span> units", "10^9 units"),
        ("CO<font style='font-size:6pt; Vertical-Align: sub'>2</font> welding", "CO_2 welding"),
        ("1,204<font style='position:relative;vertical-align:super;font-size:65%'>2</font>", "1,204^2"),
        ("Cash<span style='vertical-align:super'>(1)</span>", "Cash(1)"),
        ("the 3<span style='vertical-align:super'>rd</span> of May", "the 3rd of May"),
        ("x<sup><span style='vertical-align:super'>2</span></sup>", "x^2"),
        ("x<span style='vertical-align:super'><sup>2</sup></span>", "x^2"),
        ("x<span style='vertical-align:top'>2</span>", "x2"),
        ("x<span style='vertical-align:baseline'>2</span>", "x2"),
        ("7<sup>1</sup>/<sub>8</sub>", "7 1/8"),
    ],
)
def test_text_that_a_style_raises_or_lowers_is_marked(markup, text):
    assert text_of(f"<p>{markup}</p>") == text
