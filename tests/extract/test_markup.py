"""The compiled markup scan equals its plain-Python twin."""

import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.kernels.markup import SHALLOW, scan_markup
from tests.extract.markup_twin import scan

PIECES = [
    "<", ">", "</", "/>", "<a", "<A ", "<div>", "</div>", "<p>", "<br/>", "<optgroup>", "<Option", "<h1", "<x-y ", "=", " = ", '"', "'", "/",
    " href", " b='<i>'", ' c="d e"', "é", "\x00", "\n", "\t", "<!--", "-->", "<![CDATA[", "]]>", "text", "株", " d=", "<colgroupe>", "<9",
]  # fmt: skip


def compiled(markup):
    return scan_markup(np.frombuffer(markup, np.uint8), SHALLOW)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
@example("<a b = 'c' d='e'f g>")
@example('<a "b" c=d"e>')
@example("<a b=/>x</a></a>")
def test_equals_the_twin_on_random_markup(text):
    markup = text.encode("utf-8", "surrogatepass")
    assert compiled(markup) == scan(markup)


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
