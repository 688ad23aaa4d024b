"""Rebalancing within decide: which hits it takes back, of which stage, and what it says of them."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.identity_terms import identity_terms
from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.decide.rebalance import rebalance
from pipeline.decide.rules import DECISIONS, Duplicates, decisions, rule_hits
from pipeline.errors import UsageError
from pipeline.recipe.model import load

IDS = {term.name: term.id for term in identity_terms()}
FINANCE = "recipes/finance.yaml"


class Scored(JudgeSettings):
    max_score: Threshold = None


TOXICITY = Judge("toxicity", 1, Scored, [], {"score": pa.float32()}, lambda batch, settings: {})
OTHER = Judge("gopher", 1, Scored, [], {"score": pa.float32()}, lambda batch, settings: {})
STRICT = [(TOXICITY, Scored(max_score=0.1)), (OTHER, Scored(max_score=0.5))]


def shard(first, names, scores, other, reasons=None):
    count = len(names)
    signals = {
        "identity": pa.table({"terms": pa.array([[IDS[name]] for name in names], pa.list_(pa.int16()))}),
        "toxicity": pa.table({"score": pa.array(scores, pa.float32())}),
        "gopher": pa.table({"score": pa.array(other, pa.float32())}),
    }
    documents = pa.table(
        {
            "id": [f"{first + n:032x}" for n in range(count)],
            "source": ["s"] * count,
            "role": ["domain"] * count,
            "reason": pa.array(reasons or [None] * count, pa.string()),
        }
    )
    return SimpleNamespace(
        signals=signals,
        documents=documents,
        hits=rule_hits(STRICT, signals, documents),
    )


def shards():
    names = ["sikh"] * 40 + ["buddhist"] * 40
    scores = [0.11 + n / 100 for n in range(30)] + [0.95] * 4 + [0.0] * 6 + [0.0] * 40
    other = [0.9 if n % 10 == 0 else 0.0 for n in range(80)]
    return [
        shard(0, names[:50], scores[:50], other[:50]),
        shard(50, names[50:], scores[50:], other[50:], [None] * 29 + ["extract.broken"]),
    ]


def test_only_hits_of_the_stage_are_overruled_and_only_where_it_is_needed():
    made, settings = shards(), BiasSettings(action="rebalance")
    before = [one.hits.matrix.copy() for one in made]
    done = rebalance(made, STRICT, settings)["toxicity"]
    assert done["removed_before"] == 34
    assert done["removed_after"] == 34 - done["readmitted"]
    assert done["toxic_share"] == 0
    assert done["terms"][-1]["verdict"] != "fail"
    for one, old in zip(made, before, strict=True):
        assert (one.hits.matrix | one.hits.overruled).tolist() == old.tolist()
        assert not (one.hits.matrix & one.hits.overruled).any()
        assert not one.hits.overruled[:, one.hits.rules.index("gopher.max_score")].any()
    back = np.flatnonzero(made[0].hits.overruled.any(axis=1))
    assert back.tolist() == list(range(done["readmitted"])), "those nearest to the bound"


def test_verdict_tables_name_what_was_overruled_and_other_stages_still_remove():
    one = shards()[0]
    rebalance([one], STRICT, BiasSettings(action="rebalance"))
    count = len(one.documents)
    none = np.zeros(count, bool)
    alone = Duplicates(pa.nulls(count, pa.string()), none, none, *[np.full(count, np.nan, np.float32)] * 2)
    table = decisions(one.documents, one.hits, alone)
    assert table.schema == DECISIONS
    rows = table.to_pylist()
    back = [row for row in rows if row["readmitted"]]
    assert {tuple(row["readmitted"]) for row in back} == {("toxicity.max_score",)}
    assert {row["verdict"] for row in back} == {"kept", "removed"}
    assert {tuple(row["reasons"]) for row in back if row["verdict"] == "removed"} == {("gopher.max_score",)}


def test_loosening_says_the_bound_it_found():
    made = shards()
    done = rebalance(made, STRICT, BiasSettings(action="rebalance", rebalance="threshold"))["toxicity"]
    bound = done["bounds"]["max_score"]
    assert bound["before"] == 0.1
    scores = np.concatenate([one.signals["toxicity"]["score"].to_numpy() for one in made])
    hits = np.concatenate([one.hits.matrix[:, 0] for one in made])
    assert hits.tolist() == (scores > bound["after"] + 1e-6).tolist()
    assert rebalance([], STRICT, BiasSettings()) == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["bias.action=rebalance", "curate=[toxicity]"], "rebalance needs the judge identity under curate"),
        (["bias.stages=[toxicty]"], "there is no judge 'toxicty'; did you mean toxicity"),
        (["bias.warn_below=0.7"], "warn_below 0.7 is under fail_below 0.8"),
        (["bias.action=rebalnce"], "bias.action"),
    ],
)
def test_a_wrong_setting_is_said_before_anything_runs(change, says):
    with pytest.raises(UsageError, match=says):
        load(FINANCE, change)
