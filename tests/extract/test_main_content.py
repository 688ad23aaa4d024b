"""What the classifier keeps: articles whatever their class, no comments, and pages that are no article whole."""

import numpy as np
import pytest
from resiliparse.parse.html import HTMLTree

from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import extract_html
from pipeline.extract.main_content import WEIGHTS, keep_blocks
from pipeline.kernels.html.block_features import FEATURES, NAMES
from pipeline.kernels.html.slim import slim
from pipeline.kernels.html.tree import BEGIN, STOP, read_tree
from pipeline.kernels.html.visible import blocks

SENTENCES = (
    "The central bank held its policy rate on Tuesday, and said that it would wait for more data before it moves again.",
    "Analysts had been split over the decision, because wages have risen faster than most forecasts in the last two quarters.",
    "Mortgage lenders reacted within hours; two of the largest cut the rates of their five-year loans by a tenth of a point.",
    "In a note to clients, economists wrote that the committee now sees the risks to growth and to prices as balanced.",
    "The currency fell against the dollar at first, but recovered its losses by the close of trading in London.",
    "A survey of manufacturers, published on the same day, showed new orders growing for the third month in a row.",
)
MENU = (
    "<ul class=menu>"
    + "".join(f"<li><a href=/{name}>{name}</a></li>" for name in "Home World Business Sport Weather Video".split())
    + "</ul>"
)
ADVERT = (
    "<p>Open an account today and get three months for free. Our award-winning platform gives you everything that you need to "
    "trade shares, funds and currencies from your phone. Terms apply, and your capital is at risk when you invest with us.</p>"
)
FOOTER = "<footer><p>Copyright 2024 The Daily Ledger. <a href=/terms>Terms</a> <a href=/privacy>Privacy</a> <a href=/contact>Contact</a></p></footer>"


def paragraphs(count, of="p"):
    return "".join(
        f"<{of}>{SENTENCES[at % len(SENTENCES)]} {SENTENCES[(at * 5 + 1) % len(SENTENCES)]}</{of}>"
        for at in range(count)
    )


def kept(page, **settings):
    """The texts of the blocks kept."""
    parsed = HTMLTree.parse(slim(page.encode())[0].decode())
    nodes, signatures, data = read_tree(np.frombuffer(parsed.document.html.encode(), np.uint8))
    block, count = blocks(nodes, data, False)
    keep = keep_blocks(nodes, signatures, data, block, count, **settings)
    texts = [""] * count
    for row in np.nonzero(block >= 0)[0]:
        texts[block[row]] += data[nodes[row, BEGIN] : nodes[row, STOP]].tobytes().decode()
    return [" ".join(text.split()) for text, stays in zip(texts, keep, strict=True) if stays]


def page(main, *, before="", after=""):
    return f"<html><head><title>Bank holds rate</title></head><body><div id=top>{MENU}</div>{before}{main}{after}{FOOTER}</body></html>"


def test_an_article_between_menu_and_footer():
    text = "\n".join(kept(page(f"<div><h1>Bank holds rate</h1>{paragraphs(6)}</div>")))
    assert all(sentence in text for sentence in SENTENCES)
    assert "Bank holds rate" in text
    assert "Weather" not in text
    assert "Privacy" not in text


@pytest.mark.parametrize(
    "name",
    ["related", "sidebar", "sponsored", "hidden-print", "post permalink", "print-only", "footer-text", "nav-content", "promo teaser",
     "social share", "newsletter", "widget", "menu-page", "advert-free", "comment-policy-page", "modal", "right-rail"],
)  # fmt: skip
def test_no_class_costs_the_article(name):
    text = "\n".join(
        kept(page(f"<div class='{name}'>{paragraphs(6)}</div>", before=f"<div class=content>{ADVERT}</div>"))
    )
    assert all(sentence in text for sentence in SENTENCES), name


@pytest.mark.parametrize("element", ["aside", "nav", "footer", "form", "section", "td", "blockquote", "center"])
def test_no_element_costs_the_article(element):
    inner = f"<{element}>{paragraphs(6)}</{element}>"
    main = f"<table><tr>{inner}</tr></table>" if element == "td" else inner
    text = "\n".join(kept(page(main)))
    assert all(sentence in text for sentence in SENTENCES), element


COMMENT = "I do not think that this is right. My own bank raised its rate last week, and nobody there could tell me why it did."


def comments(count, outer, inner):
    return (
        f"<div {outer}><h3>Comments</h3>"
        + "".join(
            f"<div {inner}><a href=/u{at}>reader{at}</a> <span>March {at}</span><p>{COMMENT} ({at})</p><a href=#r>Reply</a></div>"
            for at in range(count)
        )
        + "</div>"
    )


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("id=comments", "class=comment"),
        ("class=comment-list", "class='comment-body depth-1'"),
        ("id=disqus_thread", "class=post-message"),
        ("class='c-discussion'", "class=reply"),
        ("class=userComments", "class=item"),
        ("id=respond", "class=entry"),
    ],
)
@pytest.mark.parametrize("count", [8, 90])
def test_comments_are_left_out_unless_asked_for(outer, inner, count):
    whole = page(f"<article><h1>Bank holds rate</h1>{paragraphs(6)}</article>", after=comments(count, outer, inner))
    text = "\n".join(kept(whole))
    assert all(sentence in text for sentence in SENTENCES)
    assert COMMENT not in text
    text = "\n".join(kept(whole, comments="keep"))
    assert all(sentence in text for sentence in SENTENCES)
    assert text.count(COMMENT) == count


def test_a_page_of_comments_alone_is_kept():
    text = "\n".join(kept(page(comments(20, "id=comments", "class=comment"))))
    assert text.count(COMMENT) == 20


def test_pages_that_are_no_article_keep_most_of_their_text():
    forum = "".join(f"<div class=post><b>user{at}</b><p>{SENTENCES[at % 6]}</p></div>" for at in range(12))
    shop = "".join(
        f"<li><a href=/p{at}>Lamp {at}</a> <span>Oak and brass, {at + 20} cm, for rooms of any size</span> <b>£{at}.50</b></li>"
        for at in range(30)
    )
    index = "".join(
        f"<div><h3><a href=/{at}>Story {at} of the day</a></h3><p>{SENTENCES[at % 6]}</p></div>" for at in range(15)
    )
    assert "\n".join(kept(page(forum))).count("<") == 0
    assert sum(sentence in "\n".join(kept(page(forum))) for sentence in SENTENCES) == 6
    assert "\n".join(kept(page(f"<ul>{shop}</ul>"))).count("Oak and brass") == 30
    assert sum(text in SENTENCES for text in kept(page(index))) == 15


@pytest.mark.parametrize(
    "fragment",
    ["word", "<p>One short paragraph.</p>", "<b>Bold</b> and plain text<br>of a field", "<ul><li>first<li>second</ul>", "<table><tr><td>a<td>1</table>",
     "<p>See <a href=x>the report</a>.</p>", "<h1>Only a title</h1>"],
)  # fmt: skip
def test_a_fragment_is_kept_whole(fragment):
    everything = " ".join("".join(HTMLTree.parse(fragment).body.text.split()).split())
    assert "".join(kept(fragment)).replace(" ", "") == everything


def test_a_filing_without_navigation_is_kept_whole():
    lines = [f"Item {at}. Risk factors and other matters of the registrant" for at in range(20)]
    filing = "<body>" + "".join(
        f"<div><font>{line}</font></div><table><tr><td>Revenue<td>{at:,}</table>" for at, line in enumerate(lines)
    )
    text = kept(filing + f"<p><a href=#toc>Table of contents</a></p>{paragraphs(30)}</body>")
    assert set(lines) <= set(text)
    assert "Table of contents" in text
    assert text.count("Revenue") == 20


TABLE = (
    "<table><tr><th>Quarter<th>Rate<th>Change</tr>"
    + "".join(f"<tr><td>{at} 2023<td>{4.5 + at / 4}<td>{at / 4}</tr>" for at in range(1, 5))
    + "</table>"
)


def test_a_table_of_figures_in_an_article_stays_whole():
    from pipeline.extract.extract_settings import ExtractSettings
    from pipeline.extract.html_text import extract_html

    whole = page(f"<div>{paragraphs(3)}{TABLE}{paragraphs(3)}</div>").encode()
    text = extract_html(whole, None, ExtractSettings()).text
    assert "Quarter\tRate\tChange\n1 2023\t4.75\t0.25" in text
    assert "4 2023\t5.5\t1.0" in text
    assert "Weather" not in text


def test_nothing_to_keep():
    assert kept("") == []
    assert kept("<body><script>x</script></body>") == []


def test_the_weights_belong_to_these_features():
    from safetensors import deserialize

    names = dict(deserialize(WEIGHTS.stored))
    assert set(names) == {"columns", "bounds", "leaves", "threshold"}
    weights = WEIGHTS.tensors
    assert weights["columns"].max() < FEATURES == len(NAMES)
    assert f'"features":"{" ".join(NAMES)}"'.encode() in WEIGHTS.stored[:8192]
    assert weights["bounds"].shape == weights["columns"].shape
    assert weights["leaves"].shape[1] == weights["columns"].shape[1] + 1


MENU_OF_LINKS = "".join(f"<a href=/{name}>{name}</a> " for name in "Index Archive Letters".split())


@pytest.mark.parametrize(
    "frame", ["<p>{menu}</p>{prose}<p>{menu}</p>", "<div>{menu}</div><div>{prose}</div><center>{menu}</center>"]
)
def test_menus_without_a_name_around_a_page_of_prose_go(frame):
    text = "\n".join(kept(frame.format(menu=MENU_OF_LINKS, prose=paragraphs(12))))
    assert all(sentence in text for sentence in SENTENCES)
    assert "Archive" not in text


def test_a_linked_heading_above_a_page_of_prose_stays():
    assert kept(f"<h2><a href=/1>Bank holds rate</a></h2>{paragraphs(12)}")[0] == "Bank holds rate"


def test_an_index_of_links_in_a_table_of_a_document_stays():
    rows = "".join(f"<tr><td>10.{at}<td><a href=/{at}>Form of note {at}</a></tr>" for at in range(5))
    text = extract_html(f"{paragraphs(12)}<table>{rows}</table>".encode(), None, ExtractSettings()).text
    assert "10.4\tForm of note 4" in text


def links(*cells: str) -> str:
    return "<tr>" + "".join(f"<td><a href=/x>{cell}</a>" for cell in cells) + "</tr>"


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("".join(links(f"4.{at}", f"Indenture of note {at}") for at in range(6)), "4.3\tIndenture of note 3"),
        ("<tr><th>Port<th>Quay</tr>" + "".join(links(f"Town {at}", f"East {at}") for at in "abcde"), "Town c\tEast c"),
        ("".join(links(f"n{at}@port.example", f"{at}550", str(at)) for at in range(6)), "n4@port.example\t4550\t4"),
    ],
)
def test_a_table_of_links_in_an_article_stays(table, row):
    assert (
        row
        in extract_html(
            page(f"<div>{paragraphs(6)}<table>{table}</table></div>").encode(), None, ExtractSettings()
        ).text
    )


@pytest.mark.parametrize(
    "frame",
    [
        "<div class=sidebar><table>{}</table></div>",  # a calendar of posts
        "<table class=nav>{}</table>",
        "<footer><table>{}</table></footer>",
    ],
)
def test_a_table_of_links_that_says_it_is_navigation_goes(frame):
    days = "".join(links(*(f"{week * 7 + day}" for day in range(1, 8))) for week in range(4))
    text = extract_html(page(f"<div>{paragraphs(6)}</div>{frame.format(days)}").encode(), None, ExtractSettings()).text
    assert "12\t13" not in text


def test_comments_by_their_type_are_left_out():
    said = "".join(
        f"<div itemscope itemtype='https://schema.org/Comment'><p>{at} The quay was my uncle's, and he never sold it.</p></div>"
        for at in range(30)
    )
    text = "\n".join(kept(page(f"<div>{paragraphs(8)}</div><div>{said}</div>")))
    assert "uncle" not in text
    assert all(sentence in text for sentence in SENTENCES)


@pytest.mark.parametrize("anchor", ["<a name=top>", "<a id=start class=anchor>", "<a name='x'><span>"])
def test_an_anchor_that_leads_nowhere_is_no_link(anchor):
    text = "\n".join(kept(page(f"<div><h1>Bank holds rate</h1>{anchor}{paragraphs(6)}</div>")))
    assert all(sentence in text for sentence in SENTENCES)
    assert "Weather" not in text


def test_a_heading_whose_list_is_left_out_goes_with_it():
    list_of_links = "".join(f"<li><a href=/{at}>A headline of another story {at}</a></li>" for at in range(6))
    related = f"<h3>You may also like</h3><ul>{list_of_links}</ul>"
    text = "\n".join(
        kept(
            page(
                f"<div><h1>Bank holds rate</h1>{paragraphs(3)}<h3>What happens next</h3>{paragraphs(3)}{related}</div>"
            )
        )
    )
    assert "What happens next" in text
    assert "also like" not in text


def test_a_text_within_one_link_is_not_lost():
    text = "\n".join(kept(f"<a href=/story>{paragraphs(6)}</a>"))
    assert all(sentence in text for sentence in SENTENCES)
    assert kept("<div><a href=/1>One</a> <a href=/2>Two</a></div>" * 30) == []
