"""Work grows with a document's length and never with its square, whatever the document is made of."""

import pytest

from tests.kernels.heuristic_texts import ADVERSARIAL
from tests.measure.counted import steps

SHORT, LONG = 250, 1000
PII_UNITS = ["a", "1", "@", "a@", "1.", "1-", "+", "(", ":", "1 ", "é", "\u0301", "😀", "GB82", "a.b@c.d"]
JUDGES = [
    ("c4", {}), ("dolma", {}), ("fineweb", {}), ("gopher", {}), ("language", {"full_text": True}),
    ("language", {"full_text": False}), ("repetition", {}), ("pii", {}),
]  # fmt: skip
TEXTS = {"pii": {unit: unit * LONG for unit in PII_UNITS}}


@pytest.fixture(scope="module")
def counted() -> list[list[int]]:
    """Steps of each of `JUDGES` on the first SHORT and the first LONG characters of each of its texts; then of two texts."""
    cut = [
        [text[:size] for text in TEXTS.get(name, ADVERSARIAL).values() for size in (SHORT, LONG)] for name, _ in JUDGES
    ]
    jobs = [(name, settings, texts) for (name, settings), texts in zip(JUDGES, cut, strict=True)]
    return steps([*jobs, ("gopher", {}, ["a" * SHORT, "* " * (SHORT // 2)])])


@pytest.mark.parametrize(
    "at", range(len(JUDGES)), ids=["-".join([name, *map(str, own.values())]) for name, own in JUDGES]
)
def test_four_times_the_text_takes_four_times_the_steps(counted, at):
    counts, names = counted[at], TEXTS.get(JUDGES[at][0], ADVERSARIAL)
    assert min(counts) > SHORT, "the kernels' own lines are counted"
    factors = {name: counts[2 * row + 1] / counts[2 * row] for row, name in enumerate(names)}
    assert {name: factor for name, factor in factors.items() if factor > 1.25 * LONG / SHORT} == {}


def test_what_a_text_is_made_of_shows_in_the_count(counted):
    letters, marks = counted[-1]
    assert marks > 2 * letters > 2 * SHORT
