"""The compiled markup scan equals its plain-Python twin."""

import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.kernels.markup import RAW, SHALLOW, scan_markup, visible_bytes
from tests.extract.markup_twin import scan, visible

PIECES = [
    "<", ">", "</", "/>", "<a", "<A ", "<div>", "</div>", "<p>", "<br/>", "<optgroup>", "<Option", "<h1", "<x-y ", "=", " = ", '"', "'", "/",
    " href", " b='<i>'", ' c="d e"', "é", "\x00", "\n", "\t", "<!--", "-->", "<![CDATA[", "]]>", "text", "株", " d=", "<colgroupe>", "<9",
    "<script>", "</SCRIPT", "<style a=b>", "</style>", "<textarea>", "</textarea>", "<!-->", "<!doctype>", "<?php ?>", "<", "</ ",
]  # fmt: skip


def compiled(markup):
    return scan_markup(np.frombuffer(markup, np.uint8), SHALLOW)


def shown(markup):
    return visible_bytes(np.frombuffer(markup, np.uint8), RAW)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
@example("<a b = 'c' d='e'f g>")
@example('<a "b" c=d"e>')
@example("<a b=/>x</a></a>")
def test_equals_the_twin_on_random_markup(text):
    markup = text.encode("utf-8", "surrogatepass")
    assert compiled(markup) == scan(markup)
    assert shown(markup) == visible(markup)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60))
def test_equals_the_twin_on_random_bytes(data):
    markup = b"<" + data.replace(b"\x01", b"<").replace(b"\x02", b"=")
    assert compiled(markup) == scan(markup)


def test_equals_the_twin_on_real_pages():
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: no real pages")
    from bench.corpora import members, root

    pages = [body for _, body in members(root() / "web/newspaper_tests.tar.zst")][::6]
    assert len(pages) > 20
    for page in pages:
        assert compiled(page) == scan(page)
        assert shown(page) == visible(page)


def test_the_text_of_a_real_page_is_no_longer_than_what_can_be_seen():
    if not os.environ.get("CORPORA"):
        pytest.skip("CORPORA is not set: no real pages")
    from bench.corpora import members, root
    from pipeline.extract.encoding import decode_payload

    for _, body in list(members(root() / "web/newspaper_tests.tar.zst"))[::12]:
        text = decode_payload(body, None, True).text
        whole = extract_plain_text(HTMLTree.parse(text), alt_texts=False)
        assert len(whole) <= shown(text.encode())
