"""Flips and AUCs: a filter that looks at who is named is caught, one that does not is not."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.flips import MIN_SWAPS, auc_table, flip_failures, flip_row, template_flips
from pipeline.audit.identity_terms import identity_terms
from pipeline.audit.templates import filled_templates
from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.judge import Judge
from pipeline.core.run_folder import Run
from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.core.store import Store
from pipeline.flow import advance
from pipeline.measure.judges.toxicity import score_texts
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import parse
from pipeline.report.bias_step import bias
from pipeline.report.bias_texts import Pair, Reading, Scorer, _Around, _changed, _example, _pairs, sample, scorers

TERMS = {term.name: term for term in identity_terms()}
RULE = BiasSettings()


class Queer(JudgeSettings):
    max_score: Threshold = None


def looks_at_a_word(word):
    def measure(batch, settings):
        return {"score": pc.cast(pc.match_substring(batch["text"], word, ignore_case=True), pa.float32())}

    return Scorer(Judge("toxicity", 1, Queer, ["text"], {"score": pa.float32()}, measure), Queer(max_score=0.5), None)


def test_a_scorer_that_hates_a_word_flips_in_templates_and_in_running_text():
    templates = filled_templates()
    scorer = looks_at_a_word("queer")
    removed = scorer.removes([Reading(one.text.encode()) for one in templates])
    row = template_flips("toxicity", templates, removed, RULE)
    calm = {one.frame for one in templates if not one.toxic}
    assert row["by_axis"]["sexual_orientation"][0] == len(calm) == row["flips"]
    text = b"My queer cousin came to dinner with a Sikh friend."
    document = {"id": "a" * 32, "verdict": "kept"}
    pairs = _pairs(document, Reading(text), _Around(np.zeros((200, 2), np.int64), np.zeros((200, 2))))
    changed = _changed(scorer.removes, pairs)
    assert [pair.own.name == "queer" for pair in pairs] == changed.tolist()
    shown = _example(scorer, next(pair for pair in pairs if pair.own.name == "queer"))
    assert "queer" in shown["text"]
    assert "cousin" not in json.dumps(shown)


def test_a_scorer_that_looks_elsewhere_never_flips():
    templates = filled_templates()
    removed = looks_at_a_word("mortgage").removes([Reading(one.text.encode()) for one in templates])
    assert removed.any()
    assert template_flips("toxicity", templates, removed, RULE)["flips"] == 0


def test_rows_are_judged_by_share_and_only_with_enough_swaps():
    def row(flips, swaps):
        return flip_row("toxicity", "sentence", np.arange(swaps) < flips, ["age"] * swaps, ["kept"] * swaps, RULE)

    assert row(1, MIN_SWAPS - 1)["verdict"] == "too_few"
    assert row(1, 100)["verdict"] == "pass"
    assert row(2, 100)["verdict"] == "fail"
    assert row(0, 0)["verdict"] == "too_few"
    assert len(flip_failures([row(2, 100), row(0, 100)], RULE)) == 1
    assert flip_failures([row(2, 100)], BiasSettings(stages=["quality"])) == []


def test_auc_names_the_identity_that_a_score_confuses_with_hate():
    templates = filled_templates()
    fair = np.array([float(one.toxic) for one in templates])
    assert auc_table("s", fair, templates)["auc"] == 1.0
    biased = np.array([max(fair[at], 0.9 * (one.term == TERMS["queer"].id)) for at, one in enumerate(templates)])
    biased[fair == 1] = 0.5
    found = auc_table("s", biased, templates)
    assert found["worst"]["bpsn"] == {"term": "queer", "auc": 0.0}
    rows = {row["term"]: row for row in found["rows"]}
    assert rows["sikh"]["subgroup"] == 1.0


def test_swaps_of_a_document_move_its_tables():
    text = b"A Sikh man paid.\nItem | 2023\nRent | 12\n"
    table = (text.index(b"Item"), len(text))
    document = {"id": "b" * 32, "verdict": "removed"}
    around = _Around(np.zeros((200, 2), np.int64), np.zeros((200, 2)))
    for pair in _pairs(document, Reading(text, [table]), around):
        if pair.kind == "document":
            [(start, end)] = pair.swapped.tables
            assert pair.swapped.text[start:end] == text[table[0] : table[1]]
    assert around.counts[TERMS["sikh"].id].tolist() == [0, 1]
    [row] = [row for row in around.rows() if row["term"] == "sikh"]
    assert (row["sentences_kept"], row["mean_kept"], row["sentences_removed"]) == (0, None, 1)
    _, _, _, scores = score_texts(pa.array([text.decode()], pa.large_string()))
    assert row["mean_removed"] == pytest.approx(float(scores[0]), abs=1e-6)


def test_the_sample_is_drawn_by_id_and_holds_who_is_named():
    ids = [f"{n:032x}" for n in range(400)]
    terms = [[TERMS["sikh"].id] if n % 2 else [TERMS["they"].id] for n in range(400)]
    verdicts = ["kept" if n % 3 else "removed" for n in range(400)]
    table = pa.table({"id": ids, "verdict": verdicts, "terms": pa.array(terms, pa.list_(pa.int16()))})
    one = sample(table, 20)
    assert one.num_rows == 40
    assert {tuple(found) for found in one["terms"].to_pylist()} == {(TERMS["sikh"].id,)}
    order = np.random.default_rng(0).permutation(400)
    assert sample(table.take(pa.array(order)), 20)["id"].to_pylist() == one["id"].to_pylist()
    assert sample(table, 0).num_rows == 0


@pytest.mark.parametrize("verdict", ["kept", "removed"])
def test_pairs_say_where_they_come_from(verdict):
    around = _Around(np.zeros((200, 2), np.int64), np.zeros((200, 2)))
    pairs = _pairs({"id": "c" * 32, "verdict": verdict}, Reading(b"The gay teacher and his deaf pupil."), around)
    assert pairs
    assert all(isinstance(pair, Pair) and pair.verdict == verdict for pair in pairs)
    assert {pair.own.axis for pair in pairs} >= {"sexual_orientation", "disability"}
    assert all(pair.plain.text != pair.swapped.text for pair in pairs)


FAITHS = """
name: faiths
use: all
sources:
  all:
    - {name: liked, kind: jsonl, path: PATH/liked.jsonl, role: domain}
    - {name: other, kind: jsonl, path: PATH/other.jsonl, role: general}
curate:
  - exact
  - identity
  - domain: {positives: {sources: [liked]}, negatives: {sources: [other]}, min_score: 0.5, exempt: EXEMPT}
"""


def audited(folder, out, exempt="[]"):
    recipe = FAITHS.replace("PATH", str(folder)).replace("EXEMPT", exempt)
    store = Store(str(out))
    state = Run(store, parse("t.yaml", read_yaml("t.yaml", recipe.encode()), [], {}), Runner(store, InProcess()))
    advance(state, "apply")
    found = bias(state)
    assert found is not None
    return state, {(row["stage"], row["texts"]): row for row in found["flips"]}, found


def write_faiths(folder):
    """Sixty liked documents that name Muslims and sixty others that name Christians; half say nothing else of their source."""
    for name, faith in (("liked", "Muslim"), ("other", "Christian")):
        lines = []
        for n in range(60):
            words = (
                " ".join(f"{name}{word} and the {word}" for word in ("harbour", "market", "letter")) if n % 2 else ""
            )
            text = f"The {faith} woman met her {faith} friend in town {n}. {words} They spoke of the weather there."
            lines.append({"id": f"{name}{n}", "text": text, "url": f"https://h{n % 9}.example/{n}"})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_classifier_trained_in_the_run_is_swapped_through_with_its_weights(tmp_path):
    write_faiths(tmp_path)
    state, flips, found = audited(tmp_path, tmp_path / "out")
    rows = {kind: flips["domain", kind] for kind in ("sentence", "document", "template")}
    assert rows["sentence"]["by_axis"]["religion"][0] > 10, "what it learnt is who is named"
    assert rows["document"]["swaps"] > 20
    assert rows["template"]["swaps"] > 100
    assert {table["score"] for table in found["auc"]} == {"domain.score"}
    # The weights are the run's: the sampled documents score again what the measure pass wrote.
    [scorer] = scorers(state)
    for shard in state.shards:
        texts = state.store.read_table(state.file("extract", shard).path, ["id", "text"]).to_pylist()
        again = scorer.signals([Reading(row["text"].encode(), row={"id": row["id"]}) for row in texts])
        assert again.equals(state.store.read_table(state.file("measure", f"domain/{shard}").path))
    _, spared, _ = audited(tmp_path, tmp_path / "out", "[liked, other]")
    assert spared["domain", "document"]["swaps"] == 0, "documents that it cannot remove have no verdict to flip"
    assert found["role_flips"] == [], "every source gives its role"


OPEN = "    - {name: open, kind: jsonl, path: PATH/open.jsonl, role: auto}"


def test_roles_that_a_name_changes_are_counted_beside_removals(tmp_path):
    write_faiths(tmp_path)
    lines = [
        {
            "id": f"open{n}",
            "text": f"The {faith} woman met her {faith} friend in town {n}. They spoke of the weather there.",
        }
        for n, faith in enumerate(["Muslim"] * 30 + ["Christian"] * 10)
    ]
    (tmp_path / "open.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = FAITHS.replace("curate:", f"{OPEN}\ncurate:").replace("min_score: 0.5, exempt: EXEMPT", "role_score: 0.5")
    out, documents = tmp_path / "out", read_yaml("t.yaml", recipe.replace("PATH", str(tmp_path)).encode())
    store = Store(str(out))
    state = Run(store, parse("t.yaml", documents, [], {}), Runner(store, InProcess()))
    advance(state, "apply")
    found = bias(state)
    assert found is not None
    assert [row for row in found["flips"] if row["stage"] == "domain"] == [], "without a bound it removes nobody"
    rows = {row["texts"]: row for row in found["role_flips"]}
    assert list(rows) == ["sentence", "document", "template"]
    document = rows["document"]
    assert 0 < document["undecided"] < document["swaps"], "the other sources give their roles themselves"
    assert document["by_axis"]["religion"][0] == document["flips"] > 10
    assert document["flips"] <= document["undecided"]
    assert {row["verdict"] for row in rows.values()} == {"reported"}
    assert found["flip_failures"] == [] == found["failures"], "roles gate nothing"
