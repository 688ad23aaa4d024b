"""The alignment of a page's blocks with gold text."""

from hypothesis import given
from hypothesis import strategies as st

from bench.align import block_shares, matched_words

ARTICLE = "the bank said on monday that it would cut its rate by a quarter point after a long debate".split()
MENU = "home news markets of the day about us".split()


def test_article_between_menus():
    gold = ARTICLE + "prices rose".split()
    assert block_shares([MENU, ARTICLE, ["prices", "rose"], MENU], gold) == [0, 1, 1, 0]


def test_in_order_the_teaser_before_is_not_the_headline():
    headline = "bank cuts rate".split()
    other = "sports results of the week".split()
    blocks = [other, headline, ARTICLE]
    assert block_shares(blocks, headline + ARTICLE) == [0, 1, 1]


def test_short_runs_inside_a_block_do_not_count():
    assert block_shares([["read", "of", "the", "more"], ARTICLE], ["of", "the", *ARTICLE]) == [0, 1]


def test_a_block_used_in_part():
    assert block_shares([ARTICLE], ARTICLE[:10]) == [10 / len(ARTICLE)]


def test_nothing_to_align():
    assert block_shares([], ARTICLE) == []
    assert block_shares([[], MENU], []) == [0, 0]


words = st.lists(st.sampled_from("a b c d e f g".split()), max_size=60)


@given(words, words)
def test_partners_ascend_and_are_equal_words(page, gold):
    partner = matched_words(page, gold)
    assert len(partner) == len(page)
    places = [place for place in partner if place >= 0]
    assert places == sorted(set(places))
    assert all(word == gold[place] for word, place in zip(page, partner, strict=True) if place >= 0)


@given(words)
def test_equal_text_is_matched_whole(page):
    assert matched_words(page, page) == [*range(len(page))]
