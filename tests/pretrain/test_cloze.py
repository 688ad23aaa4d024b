"""Term cloze: only the terms are targets, in every objective; what is counted is what a plain loop counts."""

import json
import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from pipeline.size.shape import ARCHITECTURES
from recipes.pretrain.cloze import GAP, Finder, TermCloze
from recipes.pretrain.data import stack
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.objectives import IGNORE, build_objective

pytestmark = pytest.mark.train
KINDS = ["causal", "masked", "spans", "infilling"]


def prepared(handoff, kind, **changes):
    opened = open_handoff(str(handoff), [f"objective.kind={kind}"])
    objective = build_objective(opened.config.objective, opened.manifest.tokenizer)
    settings = opened.config.evaluate.model_copy(update=changes)
    return opened, objective, TermCloze(opened, objective, settings)


def tokenizer_of(handoff):
    return Tokenizer.from_file(str(handoff.parent / "tokenizer" / "tokenizer.json"))


def test_terms_are_found_where_they_stand_as_words(handoff):
    tokenizer = tokenizer_of(handoff)
    find = Finder(["three four", "company"], tokenizer)
    text = (
        "x the company counts one two one two one two one two three four and the river counts one two companys one two "
        "one two one two one two one two three fourx"
    )
    tokens = np.array(tokenizer.encode(text).ids)
    found = [tokenizer.decode(tokens[a:b].tolist()) for a, b, _ in find(tokens)]
    assert found == [" company", " three four"]
    assert " companys" not in [tokenizer.decode(tokens[a : b + 1].tolist()) for a, b, _ in find(tokens)]
    assert all(b - a >= GAP for (_, a, _), (b, _, _) in zip(find(tokens), find(tokens)[1:], strict=False))
    assert all(size == len(tokenizer.decode(tokens[a:b].tolist()).encode()) for a, b, size in find(tokens))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_terms_are_targets_in_every_objective(handoff, kind):
    opened, _objective, cloze = prepared(handoff, kind)
    tokenizer = tokenizer_of(handoff)
    assert sum(len(spans) for _, spans in cloze.samples) > 20
    for sample, spans in cloze.samples:
        targets = sample["labels"][sample["labels"] != IGNORE]
        assert len(targets) == sum(length for length, _ in spans)
        at = 0
        for length, size in spans:
            text = tokenizer.decode(targets[at : at + length].tolist())
            assert text.strip().lower() in opened.manifest.terms
            assert len(text.encode()) == size
            at += length
        if kind == "masked":
            assert np.all(sample["inputs"][sample["labels"] != IGNORE] == opened.manifest.tokenizer.mask_id)
        if kind == "infilling":
            assert (sample["inputs"] == opened.manifest.tokenizer.mask_id).sum() == len(spans)
        if kind == "spans":
            first = opened.manifest.tokenizer.sentinel_first
            assert ((sample["inputs"] >= first) & (sample["inputs"] < first + 32)).sum() == len(spans)


def test_the_causal_gap_is_read_from_its_left_alone(handoff):
    _, _, cloze = prepared(handoff, "causal")
    sample, _ = cloze.samples[0]
    places = np.flatnonzero(sample["labels"] != IGNORE)
    # the input at a target's place is the token before it
    assert np.array_equal(
        sample["inputs"][places[1:]][np.diff(places) == 1], sample["labels"][places[:-1]][np.diff(places) == 1]
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bert", "t5", "bart"])
def test_figures_are_those_of_a_plain_loop(handoff, tmp_path, world, architecture):
    kind = ARCHITECTURES[architecture].objective
    settings = [
        f"out={tmp_path}",
        f"objective.kind={kind}",
        f"model.architecture={architecture}",
        "parallel.sharding=none",
    ]
    trainer = Trainer(open_handoff(str(handoff), settings), world)
    found = trainer.cloze(trainer.trainable, world)
    right = terms = size = 0
    nats = 0.0
    trainer.trainable.eval()
    with torch.no_grad():
        for sample, spans in trainer.cloze.samples:
            batch = {name: torch.from_numpy(values) for name, values in stack([sample]).items()}
            logits = trainer.trainable.logits(batch)[0].double().log_softmax(-1)
            places = np.flatnonzero(sample["labels"] != IGNORE).tolist()
            for length, bytes_of in spans:
                here, places = places[:length], places[length:]
                labels = sample["labels"][here].tolist()
                nats -= sum(float(logits[p, token]) for p, token in zip(here, labels, strict=True))
                right += all(int(logits[p].argmax()) == token for p, token in zip(here, labels, strict=True))
                terms, size = terms + 1, size + bytes_of
    assert found["terms"] == terms
    assert found["accuracy"] == pytest.approx(right / terms)
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-4)


def test_a_model_that_learns_knows_more_terms(handoff, tmp_path, world):
    settings = [
        f"out={tmp_path}",
        "parallel.sharding=none",
        "steps=30",
        "evaluate.every_steps=30",
        "export.huggingface=false",
    ]
    summary = Trainer(open_handoff(str(handoff), settings), world).run()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = [line["cloze"] for line in lines if "cloze" in line]
    assert last == summary["cloze"]
    assert first["terms"] == last["terms"]
    assert first["accuracy"] < 0.1
    assert last["accuracy"] > 0.5
    assert last["bits_per_byte"] < first["bits_per_byte"] / 2


def test_none_without_terms(handoff, world):
    _, _, cloze = prepared(handoff, "causal", max_terms=0)
    assert cloze.samples == []
