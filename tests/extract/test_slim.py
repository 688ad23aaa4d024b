"""The markup pass equals its plain-Python twin, and what it leaves has the same text as the page."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.kernels.html.slim import MOST_ATTRIBUTES, slim
from tests.extract import markup_twin

PIECES = [
    "<", ">", "</", "/>", "<a", "<A ", "<div>", "</div>", "<p>", "<br/>", "<optgroup>", "<Option", "<h1", "<x-y ", "=", " = ", '"', "'", "/",
    " href", " b='<i>'", ' class="d e"', "é", "\x00", "\n", "\t", "\v", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "text", "株", " id=", "<colgroupe>",
    "<script>", "</SCRIPT", "<Script ", "</script>", "<style a=b>", "</style>", "<textarea>", "</textarea>", "<!-->", "<!doctype>", "<?php ?>",
    "</ ", "<svg", "<svg>", "</svg>", "<math>", "</math>", "<plaintext>", "<title>", "</title", "<noframesx>", "</noframes>", "<9", "-", "!",
    ' STYLE="display: None"', " style='color:red'", "  style=visibility:hidden", ' style="a&#59;"', " hidden", " style='break-after:page'", " style='vertical-align:super'", " COLSPAN=2", "<span>", "<span id=a>", "</span>", "<b>", "<B class=c>", "</b>", " role=img", " aria-hidden=true",
]  # fmt: skip


# A tag can also end an <svg> that is not closed; this pass looks for the end tag alone.
IN_HTML = [piece for piece in PIECES if not piece.startswith(("<svg", "<math"))]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
@example("<a b = 'c' id='e'f g>")
@example('<a "b" c=d"e>')
@example("<a b=/>x</a></a>")
@example("<a/class=b/>")
@example("<br class=a/ / >")
@example('<p a="1"class="2">')
@example("<script><!--<script></script>--></script>x")
@example("<script><!--></script>x<!--y-->")
@example("<!--->a<!---->b<!--c--!>d<!--!>e-->f<!--g")
@example("<svg><style/><!-- <p> --></svg><style/>x</style>")
@example("<svg/><script>a</script>")
@example("<p class=x")
@example("<option\0>")
@example("<script\0>x<p a=b></script>")
@example("<title></script</title>")
@example("a <</b>c> &<i>amp;")
@example("<svg><![CDATA[<a href=b>]] >]]><a href=b></svg><![CDATA[<a href=b>]]>")
@example("<textarea>x</textarea")
def test_equals_the_twin_on_random_markup(text):
    markup = text.encode("utf-8", "surrogatepass")
    assert slim(markup) == markup_twin.slim(markup)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60))
def test_equals_the_twin_on_random_bytes(data):
    markup = b"<" + data.replace(b"\x01", b"<").replace(b"\x02", b"=")
    assert slim(markup) == markup_twin.slim(markup)


@settings(deadline=None, max_examples=120)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_what_is_slim_stays_so(text):
    once = slim(text.encode())[0]
    assert slim(once)[0] == once


@settings(deadline=None, max_examples=120)
@given(st.lists(st.sampled_from(IN_HTML) | st.text(max_size=3), max_size=20).map("".join))
@example("<svg><title>a</title><style/><path d='M0'/><script>b</script></svg>c")
@example("<svg><style>p > a {}</style></svg><style>p</style><!-- d -->e")
@example("a <</b>c> &<i>amp;")
def test_the_parser_sees_the_same_text(text):
    page = f"<body>{text}<p>end"
    try:
        page.encode()
    except UnicodeEncodeError:
        return
    slimmer = slim(page.encode())[0].decode()
    assert extract_plain_text(HTMLTree.parse(slimmer)) == extract_plain_text(HTMLTree.parse(page))


@pytest.mark.parametrize(
    ("markup", "slimmer"),
    [
        (b'<p style="color:red" class="a" onclick="b()">x</p>', b'<p class="a">x</p>'),
        (b"<div style='Display:None'>x", b"<div style='Display:None'>x"),
        (b"<a style='text-decoration:none;y : x'>", b"<a>"),
        (b"<a style='visibility :\thidden' >", b"<a style='visibility :\thidden'>"),
        (b"<img src=a.png alt=b />", b"<img />"),
        (b"<script src=a>if (a < b) {}</script >x", b"<script> </script >x"),
        (b"<style>p {}</style><!-- a --><p>", b"<style> </style><!----><p>"),
        (b"<svg viewBox='0 0'><path d='M0'/></svg>", b"<svg><path /></svg>"),
        (b"<b>a</b> <span id=c>b<span lang=d>c</span></span></span>d", b"a <span id=c>bc</span>d"),
        (b"<svg><b>a</b></svg><u lang=de>b", b"<svg><b>a</b></svg>b"),
        (b"<i>" * 99 + b"<i id=a>b" + b"</i>" * 101, b"b"),
        (b"a <</b>c> &<i>amp;", b"a <<!---->c> &<!---->amp;"),
        (b"<title a=b>c < d</title>", b"<title>c < d</title>"),
    ],
)
def test_examples(markup, slimmer):
    assert slim(markup)[0] == slimmer


@pytest.mark.parametrize(
    ("markup", "tags", "depth", "attribute_work"),
    [
        (b"<p id=1 class='x > y' hidden a=b>z</p>", 2, 0, 9),
        (b"<div><div/><img id=x></div>", 4, 1, 1),
        (b"a < b <3 << </ >", 0, 0, 0),
        (b"<div", 1, 1, 0),
        (b"<!-- c --><!doctype html>", 0, 0, 0),
        (b"<textarea><p a b c></textarea>", 2, 1, 16),
        (b"<p " + b"id=a " * 1000 + b">", 1, 0, MOST_ATTRIBUTES**2),
    ],
)
def test_counts(markup, tags, depth, attribute_work):
    assert slim(markup)[1:4] == (tags, depth, attribute_work)


def real_pages(every: int) -> list[bytes]:
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: no real pages")
    from bench.corpora import members, root

    return [body for _, body in members(root() / "web/newspaper_tests.tar.zst")][::every]


def test_equals_the_twin_on_real_pages():
    pages = real_pages(6)
    assert len(pages) > 20
    for page in pages:
        assert slim(page) == markup_twin.slim(page)


def test_a_real_page_keeps_its_text():
    from pipeline.ingest.encoding import decode_payload

    for body in real_pages(6):
        text = decode_payload(body, None, True).text
        slimmer = slim(text.encode())[0]
        whole, left = HTMLTree.parse(text), HTMLTree.parse(slimmer.decode())
        for skipped in ([], ["nav", "footer", "aside", "form", "menu", "[role=navigation]", "[role=banner]"]):
            found = extract_plain_text(whole, alt_texts=False, skip_elements=skipped)
            assert extract_plain_text(left, alt_texts=False, skip_elements=skipped) == found
        assert whole.title == left.title


@pytest.mark.slow
def test_equals_the_twin_on_many_more_examples():
    texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join)
    settings(deadline=None, max_examples=1500)(
        given(texts)(test_equals_the_twin_on_random_markup.hypothesis.inner_test)
    )()
    shown = st.lists(st.sampled_from(IN_HTML) | st.text(max_size=3), max_size=20).map("".join)
    settings(deadline=None, max_examples=1000)(given(shown)(test_the_parser_sees_the_same_text.hypothesis.inner_test))()
