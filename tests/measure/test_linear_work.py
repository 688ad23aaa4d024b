"""Work grows with a document's length and never with its square, whatever the document is made of."""

import pytest

from tests.kernels.heuristic_texts import ADVERSARIAL
from tests.measure.counted import steps

SHORT, LONG = 400, 1600
PII_UNITS = ["a", "1", "@", "a@", "1.", "1-", "+", "(", ":", "1 ", "é", "\u0301", "😀", "GB82", "a.b@c.d"]


def growth(judge: str, texts: dict[str, str], **settings) -> dict[str, float]:
    """Steps on the first LONG characters of each text over those on the first SHORT ones."""
    cut = [text[:size] for text in texts.values() for size in (SHORT, LONG)]
    counts = steps(judge, cut, **settings)
    assert min(counts) > SHORT, "the kernels' own lines are counted"
    return {name: counts[2 * at + 1] / counts[2 * at] for at, name in enumerate(texts)}


@pytest.mark.parametrize(
    ("judge", "settings"),
    [
        ("c4", {}),
        ("dolma", {}),
        ("fineweb", {}),
        ("gopher", {}),
        ("language", {"full_text": True}),
        ("language", {"full_text": False}),
        ("repetition", {}),
    ],
)
def test_four_times_the_text_takes_four_times_the_steps(judge, settings):
    found = growth(judge, ADVERSARIAL, **settings)
    assert {name: factor for name, factor in found.items() if factor > 1.25 * LONG / SHORT} == {}


def test_personal_data_are_looked_for_in_one_pass():
    found = growth("pii", {unit: unit * LONG for unit in PII_UNITS})
    assert {name: factor for name, factor in found.items() if factor > 1.25 * LONG / SHORT} == {}


def test_what_a_text_is_made_of_shows_in_the_count():
    letters, marks = steps("gopher", ["a" * SHORT, "* " * (SHORT // 2)])
    assert marks > 2 * letters > 2 * SHORT
