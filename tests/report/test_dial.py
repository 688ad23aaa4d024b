"""The report's figures of the dial: rank correlation with ties, and hosts by what they gain and lose."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts import search_chart
from pipeline.report.dial import _spearman
from pipeline.run import main
from tests.faults.tiny import text, write_recipe


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_rank_correlation_has_ties_at_their_mean_rank(pairs):
    def ranks(values):
        return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]

    one, other = (np.array([pair[n] for pair in pairs], float) for n in (0, 1))
    found = _spearman(np.append(one, np.nan), np.append(other, 1.0))
    if len(set(one)) < 2 or len(set(other)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(ranks(one), ranks(other))[0, 1])


def test_hosts_that_gain_and_lose(tmp_path):
    recipe = write_recipe(tmp_path)
    rows = [
        {
            "id": f"h{n}",
            "text": text(300 + n, 30 if n < 3 else 8),
            "url": f"https://{'long' if n < 3 else 'brief'}.example/{n}",
        }
        for n in range(6)
    ]
    (tmp_path / "hosts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = f"    - {{name: hosts, kind: jsonl, path: {tmp_path}/hosts.jsonl, role: domain, licence: CC0-1.0}}\n"
    told = "select: {keep: 0.6, of: kept_tokens, by: gopher.num_words, exempt: [news]}\ncurate:"
    recipe.write_text(recipe.read_text().replace("curate:", more + told))
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--json", "--no-train"]) == 0
    shown = json.loads((tmp_path / "out/report.json").read_text())["dial"]
    gains, loses = ({row["name"]: row for row in shown["hosts"][side]} for side in ("gain", "lose"))
    assert next(iter(gains)) == "long.example"
    assert next(iter(loses)) == "brief.example"
    assert gains["long.example"]["words"] == gains["long.example"]["kept"]
    assert loses["brief.example"]["after"] < loses["brief.example"]["before"]
    assert shown["languages"] == []


def test_the_search_is_drawn_with_a_dot_for_every_proxy_and_the_means_in_order() -> None:
    drawn = search_chart([(0.1, 3.0), (0.1, 3.2), (1.0, 2.9), (0.01, 3.4)])
    assert drawn.count("<circle") == 4
    (line,) = re.findall(r'd="(M[^"]+)"', drawn)
    places = [tuple(map(float, point.split())) for point in re.split("[ML]", line)[1:]]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[0][1] < places[1][1] < places[2][1]  # less loss is lower on the page
    assert "0.1: 3.2000" in drawn
    assert search_chart([(1.0, 2.0)]).count("<circle") == 1
