"""Histograms: red begins strictly beyond a bound, since a document at the bound stays."""

import re

import pyarrow as pa
import pytest

from pipeline.report.charts import histogram_chart
from pipeline.report.stats import Histogram
from pipeline.report.tally import histogram


def red(found: Histogram) -> list[int]:
    """Numbers of the bars in the colour of removal."""
    bars = re.findall(r'<rect[^>]*class="(removed|bar)"', str(histogram_chart(found)))
    assert len(bars) == len(found.counts)
    return [number for number, colour in enumerate(bars) if colour == "removed"]


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (None, 0, [1, 2, 3]),  # c4.num_lorem_ipsum, max 0: the bar at 0 is kept
        (None, 2, [3]),
        (None, 2.4, [3]),
        (None, 4, []),
        (2, None, [0, 1]),
        (1.6, None, [0]),
        (0, None, []),
        (4, None, [0, 1, 2]),  # the last bin holds 4 itself
        (1, 3, [0]),
    ],
)
def test_a_bin_at_the_bound_is_not_red(lower: float | None, upper: float | None, expected: list[int]) -> None:
    found = Histogram(judge="c4", signal="n", edges=[0, 1, 2, 3, 4], counts=[5, 1, 1, 1], lower=lower, upper=upper)
    assert red(found) == expected


@pytest.mark.parametrize("values", [[0, 0, 0], [0] * 30 + [1, 3], [0, 7]])
def test_the_bar_of_what_a_maximum_of_zero_keeps_is_not_red(values: list[int]) -> None:
    found = histogram("c4", "num_lorem_ipsum", pa.array(values), upper=0)
    at_zero = max(number for number, edge in enumerate(found.edges[:-1]) if edge <= 1e-9)
    assert found.counts[at_zero] >= values.count(0)
    colours = red(found)
    assert at_zero not in colours
    assert colours == list(range(at_zero + 1, len(found.counts)))


def test_rounded_edges_do_not_move_the_bound() -> None:
    edges = [0.1 * number for number in range(6)]  # 0.30000000000000004
    assert red(Histogram(judge="j", signal="s", edges=edges, counts=[1] * 5, upper=0.3)) == [4]
    assert red(Histogram(judge="j", signal="s", edges=edges, counts=[1] * 5, lower=0.3)) == [0, 1, 2]
