"""Processes that share a sample, by its places or by the matrices: the training of one process, to 1e-5."""

import json

import pytest
import torch

from pipeline.handoff import UsageError
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer

from .conftest import case, train_here, train_many
from .test_parity import agrees

pytestmark = pytest.mark.train

RUN = ["steps=5", "evaluate.every_steps=5", "evaluate.max_samples=3", "global_batch=6", "micro_batch=2",
       "checkpoint.every_steps=2", "evaluate.samples=0"]  # fmt: skip
SHAPES = {
    "llama": [],
    "qwen3": ["model.architecture=qwen3", "model.tie_embeddings=false"],
    "gpt2": ["model={architecture: gpt2, hidden_size: 32, num_layers: 2, num_heads: 2, intermediate_size: 64}"],
    "mup": ["optimizer.scaling=mup", "optimizer.base_width=32"],
}
TWO = {
    "mup-full": [],
    "mup-tensor": ["parallel.tensor=2"],
    "llama-tensor": ["parallel.tensor=2"],
    "llama-tensor-none": ["parallel.tensor=2", "parallel.sharding=none"],
    "llama-tensor-recompute": ["parallel.tensor=2", "parallel.activation_checkpointing=full"],
    "qwen3-tensor": ["parallel.tensor=2"],
    "llama-context": ["parallel.context=2"],
    "llama-context-recompute": ["parallel.context=2", "parallel.activation_checkpointing=selective"],
    "qwen3-context": ["parallel.context=2", "parallel.sharding=ddp"],
    "gpt2-context": ["parallel.context=2", "parallel.sharding=zero1"],
}
FOUR = {
    "llama-tensor": ["parallel.tensor=2"],
    "llama-tensor-ddp": ["parallel.tensor=2", "parallel.sharding=ddp"],
    "qwen3-tensor-zero2": ["parallel.tensor=2", "parallel.sharding=zero2"],
    "llama-hybrid-tensor": ["parallel.tensor=2", "parallel.sharding=hybrid", "parallel.sharding_factor=1"],
    "llama-context": ["parallel.context=4"],
    "qwen3-context-tensor": ["parallel.context=2", "parallel.tensor=2"],
    "gpt2-context": ["parallel.context=2"],
}


def cases(names, handoff, out):
    return [case(name, handoff, out, *RUN, *SHAPES[name.split("-")[0]], *settings) for name, settings in names.items()]


@pytest.fixture(scope="module")
def alone(handoff, tmp_path_factory, world):
    out = tmp_path_factory.mktemp("alone")
    found = train_here(cases({name: ["parallel.sharding=none"] for name in SHAPES}, handoff, out), world)
    return {**found, "folder": out}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def two(handoff, out):
    stopped = [
        case("tensor first", handoff, out, *RUN, *TWO["llama-tensor"], into="cut", stop_after=3),
        case("then context", handoff, out, *RUN, *TWO["llama-context"], into="cut"),
    ]
    return train_many(out, 2, [*cases(TWO, handoff, out), *stopped])


def agrees_in_all(found, alone):
    agrees(found, alone, "fp32")
    ours, theirs = found["summary"], alone["summary"]
    assert ours["tokens"] == theirs["tokens"]
    assert ours["cloze"]["terms"] == theirs["cloze"]["terms"]
    assert ours["cloze"]["bits_per_byte"] == pytest.approx(theirs["cloze"]["bits_per_byte"], abs=1e-4)


@pytest.mark.parametrize("name", TWO)
def test_two_processes_agree(two, alone, name):
    agrees_in_all(two[name], alone[name.split("-")[0]])


def test_a_checkpoint_goes_on_with_another_layout(two, alone, out, handoff, world):
    agrees_in_all(two["then context"], alone["llama"])
    # and one of shared matrices on one process: step 4 of 5
    folder = out / "llama-tensor"
    (folder / "summary.json").unlink()
    for path in (folder / "checkpoints" / "step-00000005").glob("complete.json"):
        path.unlink()
    found = train_here([case("llama-tensor", handoff, out, *RUN, "parallel.sharding=none")], world)["llama-tensor"]
    agrees_in_all(found, alone["llama"])


def test_the_export_is_that_of_one_process(two, alone, out):
    from transformers import AutoModelForCausalLM

    ids, found = torch.arange(40, 90)[None], {}
    for name in ("qwen3", "qwen3-tensor", "qwen3-context"):
        folder = (alone["folder"] if name == "qwen3" else out) / name / "model"
        assert json.loads((folder / "config.json").read_text())["architectures"] == ["Qwen3ForCausalLM"]
        with torch.no_grad():
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
            found[name] = float(model(ids, labels=ids).loss)
    assert found["qwen3-tensor"] == pytest.approx(found["qwen3"], abs=1e-3)
    assert found["qwen3-context"] == pytest.approx(found["qwen3"], abs=1e-3)


@pytest.mark.slow
def test_four_processes_agree(handoff, tmp_path, alone):
    for name, found in train_many(tmp_path, 4, cases(FOUR, handoff, tmp_path)).items():
        agrees_in_all(found, alone[name.split("-")[0]])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["parallel.tensor=2"], "tensor 2 times context 1 does not divide 1 processes"),
        (["parallel.context=3"], "tensor 1 times context 3 does not divide 1 processes"),
    ],
)
def test_what_cannot_be_divided_is_a_sentence(handoff, tmp_path, world, settings, reason):
    with pytest.raises(UsageError, match=reason):
        Trainer(open_handoff(str(handoff), [f"out={tmp_path}", *RUN, "parallel.sharding=none", *settings]), world)


@pytest.mark.parametrize(
    ("kind", "parallel", "reason"),
    [
        ("bert", {"context": 2}, "bert has no tensor or context parallelism"),
        ("gpt2", {"tensor": 2}, "gpt2 has no tensor or context parallelism; llama and qwen3 have both, gpt2 context"),
        ("llama", {"tensor": 4}, "4 does not divide 2 key-value heads"),
        ("llama", {"context": 8}, "8 does not divide the 100 tokens of a sample"),
    ],
)
def test_models_that_cannot_be_divided(kind, parallel, reason):
    from transformers import AutoConfig

    from pipeline.handoff import ParallelSettings
    from recipes.pretrain.dimensions import divided
    from recipes.pretrain.parallel import World

    extra = {"num_key_value_heads": 2, "intermediate_size": 64} if kind == "llama" else {}
    config = AutoConfig.for_model(kind, **extra)
    with pytest.raises(UsageError, match=reason):
        divided(World(0, 8, 8, torch.device("cpu")), ParallelSettings(**parallel), config, 100)
