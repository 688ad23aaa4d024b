"""The flat tree equals a walk over the parser's tree, and any bytes give some tree."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from pipeline.kernels.html import tree
from pipeline.kernels.html.slim import slim
from pipeline.kernels.html.visible import blocks
from tests.extract import tree_twin
from tests.extract.test_slim import real_pages

PIECES = [
    "<div>", "</div>", "<p>", "</p>", "<br>", "<hr>", "<ul>", "<li>", "<ol start=7>", "<li value=' 3x'>", "</ul>", "<table>", "<tr>", "<td colspan=3>", "</table>",
    "<td rowspan='0'>", "<th colspan=4000 rowspan=99999>", "<td colspan=-2 rowspan=+7>", "<caption>", "<pre>\n\n", "</pre>", "<textarea>\nq",
    "</textarea>", "<span hidden>", "</span>", "<b aria-hidden=TRUE>", "<a class='comment-list navBar'>", "<p id='7ad3 ad ad2x post4'>", "<p id='" + "share &amp; " * 4 + "'>", "</a>", "<i role=presentation>", "</i>",
    "<div style='Display : none'>", "<p style='color:red;page-break-before:always'>", "<p style='break-after: right; x:y'>", "<p style='Vertical-Align: SUPER'>", "<i style='vertical-align:sub !important'>", "<noscript>", "</noscript>", "<math>", "<annotation encoding='application/x-TeX'>", "</annotation>", "</math>", "<mi>",
    "<span style=display:none><math>", "<ix:header>", "</ix:header>", "<ix:nonNumeric>", "<custom-tag>", "</custom-tag>",
    "<!-- c -->", "<!-->", "<?x y?>", "<title>", "</title>", "<select><option>", "</select>", "&amp;", "&nbsp;", "&lt;p&gt;", "&quot;", "&amp;amp;", "é",
    "株", " ", "\n", "x", "word ", "&", "<a \"b=c <d itemprop=articleBody id='x'>", "<td class='&quot;&amp;meta'>", "</p",
]  # fmt: skip


def flat(page: HTMLTree) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert page.document is not None
    return tree.read_tree(np.frombuffer(page.document.html.encode(), np.uint8))


def assert_equals_the_twin(page: HTMLTree) -> None:
    nodes, signatures, data = flat(page)
    rows, made_of, text = tree_twin.nodes(page)
    assert nodes.tolist() == rows
    assert data.tobytes() == text
    by_origin: dict = {}
    for signature, origin in zip(signatures.tolist(), made_of, strict=True):
        assert by_origin.setdefault(origin, signature) == signature
    assert len(set(by_origin.values())) == len(by_origin)
    for all_text in (False, True):
        block, count = blocks(nodes, data, all_text)
        assert block.tolist() == tree_twin.blocks(rows, text, all_text)
        assert count == block.max(initial=-1) + 1


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("<div style='display:none;'>a</div><div style='display:inline;visibility:hidden'>b")
@example(
    "<p>a<math><mi>x</mi><annotation encoding=x-tex>\\x</annotation><mi>y</mi></math>b<math><mi>z</mi><annotation>c"
)
@example("<math><math><annotation encoding=tex><p>a</math>b")
@example("<b hidden><math><annotation encoding=tex>a</annotation></math>")
@example("<xmp>a<b>&amp;</xmp>c<iframe><p>d</iframe><plaintext>e</b>&lt;")
@example("<div>" * 70 + "x" + "</div>" * 3 + "y")
def test_equals_the_twin_on_random_pages(text):
    assert_equals_the_twin(HTMLTree.parse(text))


@pytest.mark.slow
def test_equals_the_twin_on_many_more_pages():
    inner = test_equals_the_twin_on_random_pages.hypothesis.inner_test
    settings(deadline=None, max_examples=1500)(
        given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))(inner)
    )()
    assert_on_real_pages(6)


def test_equals_the_twin_on_real_pages():
    assert_on_real_pages(36)


def assert_on_real_pages(every):
    for page in real_pages(every):
        text = slim(page)[0].decode("utf-8", "ignore")
        if "<svg" not in text:
            assert_equals_the_twin(HTMLTree.parse(text))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from([*PIECES, "<", ">", "/", "=", "'", '"', "<svg>", "<style>"]), max_size=30).map("".join))
def test_any_text_gives_a_tree(text):
    nodes, signatures, data = tree.read_tree(np.frombuffer(text.encode(), np.uint8))
    rows = np.arange(len(nodes))
    assert len(signatures) == len(nodes)
    assert (nodes[:, tree.PARENT] < rows).all()
    assert (nodes[:, tree.END] > rows).all()
    assert (nodes[:, tree.END] <= len(nodes)).all()
    inner = nodes[nodes[:, tree.PARENT] >= 0]
    assert (inner[:, tree.END] <= nodes[inner[:, tree.PARENT], tree.END]).all()
    texts = nodes[nodes[:, tree.TAG] == tree.TEXT]
    assert texts[:, tree.BEGIN].tolist() == [0, *texts[:, tree.STOP].tolist()][: len(texts)]
    assert data.tobytes().decode() is not None
    blocks(nodes, data, False)


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("<p>a <b>b</b></p><p>c<br>d", [["a ", "b"], ["c", "d"]]),
        ("<ul><li>a<ul><li>b</ul>c</ul>", [["a"], ["b"], ["c"]]),
        ("a<script>x</script>b<textarea>y</textarea>", [["a", "b"]]),
        ("<pre> <b>a</b></pre> <p> ", [[" ", "a"]]),
        ("<ix:header><ix:hidden>x</ix:hidden></ix:header>a<div style='display:none'>y</div>b", [["a"], ["b"]]),
        ("<div aria-hidden=true>" + "a " * 150, [["a " * 150]]),
        ("a<template><p>b</template>c<svg><style>d &lt; e</style><title>f</title></svg>", [["a", "c"]]),
        ("<i aria-hidden=true>icon</i> a", [[" a"]]),
    ],
)
def test_blocks(page, wanted):
    nodes, _, data = flat(HTMLTree.parse(page))
    block, count = blocks(nodes, data, False)
    found = [
        [data[row[tree.BEGIN] : row[tree.STOP]].tobytes().decode() for row in nodes[block == number]]
        for number in range(count)
    ]
    assert found == wanted


def test_marks_and_spans_of_an_element():
    nodes, _, _ = flat(HTMLTree.parse("<table><td class='wp-caption siteNavigation' id=main colspan=2 rowspan=3>x"))
    cell = nodes[nodes[:, tree.TAG] == tree.TAGS["td"]][0]
    assert cell[tree.MARKS] == tree.CAPTION | tree.NAVIGATION | tree.BODY
    assert cell[tree.SPANS] == 2 | 3 << 16


def test_letters_in_the_names_that_programs_give_are_no_words():
    nodes, _, _ = flat(HTMLTree.parse("<p id=a7ad3f>x<p id=ad-7>y<p id=" + "per-share-" * 5 + ">z"))
    assert nodes[nodes[:, tree.TAG] == tree.TAGS["p"], tree.MARKS].tolist() == [0, tree.ADVERT, 0]
