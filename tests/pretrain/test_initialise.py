"""Models that never exist whole start from the values of a whole one, bit for bit, under every sharding."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from pipeline.handoff import ModelSettings, ObjectiveSettings, TokenizerInfo
from pipeline.size.shape import ARCHITECTURES
from recipes.pretrain.initialise import empty_model, fill, fresh_values
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.model import build_config, config_shape, model_class

from .conftest import torchrun
from .whole import build_model

pytestmark = pytest.mark.train

TOKENIZER = TokenizerInfo.model_validate({
    "sha256": "t", "vocab_size": 300, "padded_vocab_size": 384, "eos_id": 0, "pad_id": 1, "mask_id": 2,
    "sentinel_first": 3, "sentinel_count": 32,
})  # fmt: skip
SHAPE = {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "intermediate_size": 96}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fresh_values_are_those_of_a_model_built_whole(architecture, tied):
    settings = ModelSettings(architecture=architecture, tie_embeddings=tied, **SHAPE)
    objective = ObjectiveSettings(kind=ARCHITECTURES[architecture].objective, sequence_length=32)
    config = build_config(settings, objective, TOKENIZER)
    whole = build_model(settings, objective, TOKENIZER, seed=5)
    model, calls = empty_model(model_class(config), config)
    assert all(parameter.is_meta for parameter in model.parameters())
    before = torch.random.get_rng_state()
    fill(model, fresh_values(model, calls, 5, "cpu"), "cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    expected, got = whole.state_dict(), model.state_dict()
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        assert torch.equal(got[name], value), name
    assert {n: b.tolist() for n, b in model.named_buffers()} == {n: b.tolist() for n, b in whole.named_buffers()}
    assert len(list(model.parameters())) == len(list(whole.parameters()))  # ties are ties again


CONSTANT = 200e6
"""Bytes beside a process's share: one whole parameter, one file of the export, buffers of gloo and of the allocator."""
MMAP = "1048576"
"""From how many bytes on glibc returns what is freed at once; its own rule keeps up to 32 MB of each thread's tensors."""
SMALL = ["model.hidden_size=1024", "model.num_layers=5", "model.num_heads=8", "model.num_kv_heads=8",
         "model.intermediate_size=2560"]  # fmt: skip
LARGE = ["model.hidden_size=1280", "model.num_layers=10", "model.num_heads=10", "model.num_kv_heads=10",
         "model.intermediate_size=3456"]  # fmt: skip


@pytest.mark.parametrize(
    ("processes", "shape"),
    [
        pytest.param(2, SMALL, marks=pytest.mark.slow),
        pytest.param(2, LARGE, marks=pytest.mark.slow),
        pytest.param(4, LARGE, marks=pytest.mark.slow),
    ],
    ids=["2", "2-large", "4-large"],
)
def test_a_process_needs_its_share_and_a_constant(handoff, tmp_path, processes, shape):
    """60 or 199 million parameters, 0.24 or 0.79 GB of weights: never whole at the start, in a step or in the export."""
    settings = [f"out={tmp_path / 'out'}", "steps=1", "global_batch=4", "micro_batch=1", *shape,
                "objective.sequence_length=16", "parallel.sharding=full", "checkpoint.asynchronous=false",
                "evaluate.max_samples=1", "evaluate.max_terms=0", "check_shards=false"]  # fmt: skip
    script = str(Path(__file__).with_name("memory.py"))
    done = torchrun(processes, script, str(tmp_path / "told"), str(handoff), *settings, MALLOC_MMAP_THRESHOLD_=MMAP)
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(processes):
        parameters, started, ended = json.loads((tmp_path / f"told.{rank}").read_text())
        assert started < 4 * parameters / processes + CONSTANT
        # weights, gradients and two moments
        assert ended < 16 * parameters / processes + CONSTANT
    files = sorted(path.name for path in (tmp_path / "out" / "model").glob("*.safetensors"))
    assert len(files) > 5
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model").num_parameters() == parameters


def test_t5_has_a_head_of_its_own_and_a_gate_when_told(handoff, tmp_path, world):
    shape = ["model.architecture=t5", "objective.kind=spans", "model.tie_embeddings=false", "model.gated=true"]
    few = ["steps=1", "evaluate.max_samples=1", "evaluate.max_terms=0", "parallel.sharding=none", "micro_batch=8"]
    trainer = Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *shape, *few]), world)
    model = trainer.trainable.model
    assert model.lm_head.weight is not model.shared.weight
    assert config_shape(model.config, 64).params == trainer.parameters
    assert type(model.encoder.block[0].layer[1].DenseReluDense).__name__ == "T5DenseGatedActDense"
    trainer.run()
    exported = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model")
    assert torch.equal(exported.lm_head.weight, model.lm_head.weight)
    assert not torch.equal(exported.lm_head.weight, exported.shared.weight)
    again = Trainer(
        open_handoff(str(handoff), [f"out={tmp_path / 'more'}", f"model.init_from={tmp_path / 'model'}", *shape, *few]),
        world,
    )
    assert torch.equal(again.trainable.model.lm_head.weight, exported.lm_head.weight)


def test_the_exported_tokenizer_starts_a_document_as_training_did(handoff, tmp_path, world):
    few = ["steps=1", "evaluate.max_samples=1", "evaluate.max_terms=0", "parallel.sharding=none", "micro_batch=8"]
    Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *few]), world).run()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    plain = AutoTokenizer.from_pretrained(handoff.parent / "tokenizer")
    text = "the company counts"
    assert tokenizer(text)["input_ids"] == [0, *plain(text)["input_ids"]]
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == plain(text)["input_ids"]
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == 0
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
