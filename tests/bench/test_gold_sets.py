"""Scores on gold text, labels by segments, and trees exported as complete arrays."""

import numpy as np
import pytest

from bench.block_labels import label, segment_labels
from bench.gold_sets import GoldPage, score, words_score
from bench.train_main_content import DEPTH, SCALE, _fill


def test_words_score_is_over_bags_of_words():
    assert words_score("the bank The", "the bank rose fast") == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert words_score("", "gold") == (0, 0, 0)


def test_a_set_with_text_is_a_mean_and_one_with_segments_a_count():
    pages = [(GoldPage("a", b"", "one two"), "one two"), (GoldPage("b", b"", "one two"), "")]
    assert score(pages) == pytest.approx((0.5, 0.5, 0.5))
    segments = GoldPage("c", b"", inside=("main text", "lost"), outside=("menu", "legal"))
    assert score([(segments, "the  main\ntext and menu")]) == pytest.approx((1 / 2, 1 / 2, 2 / 4))


def test_segments_label_the_blocks_that_hold_them():
    texts = [
        "Menu of the day",
        "The bank rose its rate. It said so.",
        "twice",
        "twice",
        "Share this",
        "x" * 200 + " Share this",
    ]
    gold = GoldPage("a", b"", inside=("It said so.", "twice", "abc"), outside=("Menu of the day", "Share this"))
    assert segment_labels(gold, texts).tolist() == [0, 1, -1, -1, 0, -1]
    assert segment_labels(GoldPage("a", b"", inside=("rose its rate. It said",)), texts).tolist()[1] == 1


def test_a_labelled_page():
    page = b"<body><ul><li><a href=/>Home page of it</a></ul><p>The central bank held its rate on Tuesday again.</p></body>"
    labelled = label(GoldPage("a", page, "The central bank held its rate on Tuesday again."))
    assert labelled.texts == ["Home page of it", "The central bank held its rate on Tuesday again."]
    assert labelled.labels.tolist() == [0, 1]
    assert labelled.text(np.array([False, True])) == labelled.texts[1]
    assert (labelled.weights > 0).all()
    assert labelled.features.shape[0] == 2


@pytest.mark.parametrize("value", [0.1, 1 / 3, 7.0, 1e-9])
def test_an_exported_tree_decides_as_the_trained_one(value):
    leaf = {"leaf_value": 0.25}
    tree = {"split_feature": 3, "threshold": value, "left_child": leaf, "right_child": {"leaf_value": -1.0}}
    columns, bounds = np.zeros(2**DEPTH - 1, np.uint8), np.full(2**DEPTH - 1, np.inf, np.float32)
    leaves = np.zeros(2**DEPTH, np.int32)
    _fill(tree, 0, columns, bounds, leaves)
    assert columns[0] == 3
    assert leaves.tolist() == [SCALE // 4] * 2 ** (DEPTH - 1) + [-SCALE] * 2 ** (DEPTH - 1)
    at = np.float32(value)
    for number in (at, np.nextafter(at, np.float32(np.inf)), np.nextafter(at, np.float32(-np.inf))):
        assert (number <= bounds[0]) == (float(number) <= value)
