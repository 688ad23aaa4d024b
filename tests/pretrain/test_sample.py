"""What the trained model writes: the same text every time, from the domain's terms and held-out openings, and counted."""

import json
from collections import Counter

import pytest
from transformers import AutoModelForCausalLM

from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.sample import OPENING, likeness, main, prompts, text_of, words

pytestmark = pytest.mark.train
RUN = ["parallel.sharding=none", "steps=30", "evaluate.every_steps=30", "evaluate.samples=3"]


@pytest.fixture(scope="module")
def trained(handoff, tmp_path_factory, world):
    """(hand-off, summary, folder) of a run that has learnt the planted pattern."""
    out = tmp_path_factory.mktemp("sampled")
    opened = open_handoff(str(handoff), [f"out={out}", *RUN])
    return opened, Trainer(opened, world).run(), out


def test_prompts_are_terms_and_held_out_openings(handoff):
    opened = open_handoff(str(handoff))
    found = list(prompts(opened, 3))
    assert [kind for kind, _ in found] == ["term"] * 3 + ["held-out filings", "held-out wiki"]
    assert all(len(tokens) == OPENING for kind, tokens in found if kind != "term")
    assert len(list(prompts(opened, 0))) == 2


def test_a_trained_model_writes_the_pattern_and_says_so_everywhere(trained):
    _, summary, out = trained
    written = summary["written"]
    assert [one["kind"] for one in written["texts"]].count("unprompted") == 3
    assert any("five six" in one["text"] for one in written["texts"])
    card = (out / "model" / "README.md").read_text()
    assert "## What it writes" in card
    assert written["texts"][0]["prompt"] in card
    assert json.loads((out / "summary.json").read_text())["written"] == written
    assert written["likeness"]["words"] > 100
    assert written["likeness"]["unknown"] < 0.2
    assert written["likeness"]["held_out_domain"] > written["likeness"]["held_out_general"]


def test_the_command_writes_the_same_text_again(trained, handoff, tmp_path, capsys):
    _, summary, out = trained
    text = (handoff / "train.yaml").read_text().replace("out: train", f"out: {out}")
    there = handoff.parent / "again"
    there.mkdir()
    (there / "train.yaml").write_text(text)
    (there / "manifest.json").write_text((handoff / "manifest.json").read_text())
    assert main([str(there), "--terms", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == summary["written"]
    assert main([str(handoff)]) == 2
    assert "holds no model: train first" in capsys.readouterr().err


def test_likeness_is_what_a_plain_loop_counts(trained):
    opened, _, _ = trained
    domain, general = (Counter(words(text_of(opened, role, "train"))) for role in ("domain", "general"))
    text = "The company counts one two three; the river xyzzy company"
    shares = [domain[w] / domain.total() > general[w] / general.total() for w in words(text)]
    found = likeness(opened, text)
    assert found["generated"] == pytest.approx(sum(shares) / len(shares))
    assert found["words"] == 10
    assert found["unknown"] == pytest.approx(0.1)
    assert shares[1]
    assert not shares[7]


def test_none_asked_for_none_written(handoff, tmp_path, world):
    settings = [f"out={tmp_path}", "parallel.sharding=none", "steps=1", "evaluate.samples=0"]
    summary = Trainer(open_handoff(str(handoff), settings), world).run()
    assert summary.get("written") is None
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "model").config.model_type == "llama"
