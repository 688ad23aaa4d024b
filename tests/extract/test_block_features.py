"""The compiled features of blocks equal their twin on generated and on real pages, and say what they should of small ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.kernels.html.block_features import FEATURES, NAMES, block_features
from pipeline.kernels.html.block_text import COUNT, ENDS, LINKED
from pipeline.kernels.html.slim import slim
from pipeline.kernels.html.tree import read_tree
from pipeline.kernels.html.visible import blocks
from tests.extract import features_twin
from tests.extract.test_slim import real_pages


def arrays(page):
    parsed = HTMLTree.parse(slim(page.encode())[0].decode())
    nodes, signatures, data = read_tree(np.frombuffer(parsed.document.html.encode(), np.uint8))
    return nodes, signatures, data, *blocks(nodes, data, False)


def assert_equals_the_twin(page):
    nodes, signatures, data, block, count = arrays(page)
    features, _, _ = block_features(nodes, signatures, data, block, count)
    rows = features_twin.features(nodes.tolist(), signatures.tolist(), data.tobytes(), block.tolist())
    assert features.shape == (FEATURES, count)
    assert len(rows) == count
    for number, (ours, theirs) in enumerate(zip(features.T, np.array(rows, np.float32), strict=True)):
        different = [(NAMES[at], ours[at], theirs[at]) for at in np.nonzero(ours != theirs)[0]]
        assert not different, f"block {number}: {different}"


PIECES = [
    "<div>", "<div class=comment-list>", "<div class='sidebar'>", "</div>", "<p>", "</p>", "<a href=x>", "</a>", "<b id=b>", "</b>", "<br>", "<li>", "<ul>", "</ul>",
    "<h1>", "</h1>", "<article>", "</article>", "<nav>", "</nav>", "<td>", "<table>", "</table>", "<title>", "</title>", "<aside class=related>", "</aside>",
    "one two three four five six seven eight nine ten. ", "Eine Bank, sagte er; „ja“ — 3.5 % im Jahr 2024! ", "中央银行下调了利率。", "カタカナ！", "ธนาคารกลาง ", "Банк. ", "ok", "o", "k.",
    ") ", "' ", "\" ", "… ", "?!", "©", " | ", "é", "e\u0301", "1899 2099 02024 19a9", "&nbsp;", "x.com ", "one two ", "A", "_",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_generated_pages(pieces):
    assert_equals_the_twin("".join(pieces))


def test_real_pages():
    for page in sorted(real_pages(60), key=len)[:15]:
        assert_equals_the_twin(page.decode("utf-8", "replace"))


def counts_of(body):
    return block_features(*arrays(body))[1]


@pytest.mark.parametrize(
    ("text", "words", "ends"),
    [
        ("Rates rose. Prices fell.", 4, 2),
        ("It is 3.5 at x.com", 7, 0),
        ("He said “no.” Then “yes”.", 5, 2),
        ("央行下调利率。市场上涨！", 10, 2),
        ("日本銀行はきのう", 8, 0),
        ("यह एक वाक्य है। दूसरा", 5, 1),
        ("Ставка выросла. Цены?", 3, 2),
        ("What?! No...", 2, 2),
    ],
)
def test_words_and_sentence_ends_of_any_script(text, words, ends):
    row = counts_of(f"<p>{text}</p>")[0]
    assert (row[COUNT], row[ENDS]) == (words, ends)


def test_inline_elements_do_not_part_words_and_breaks_do():
    assert counts_of("<p>in<b class=x>line</b></p>")[0, COUNT] == 1
    assert counts_of("<p>one<br>two</p>")[0, COUNT] == 2


def test_words_in_links():
    row = counts_of("<p>read <a href=x>the annual report</a> now</p>")[0]
    assert (row[COUNT], row[LINKED]) == (5, 3)
