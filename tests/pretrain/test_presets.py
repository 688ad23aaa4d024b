"""Every preset by name in planner, recipe, train.yaml and trainer: one parameter count, that of a real model."""

from dataclasses import replace

import pytest

from pipeline.commands.plan import main
from pipeline.handoff import ModelSettings, TokenizerInfo, default_train_config, model_shape, resolve_model
from pipeline.plan.sizing import SizeSettings, size_run
from pipeline.size.dial import plan
from pipeline.size.memory import Setup
from pipeline.size.shape import ARCHITECTURES, PRESETS

from .test_handoff import manifest

VOCAB, LENGTH = 300, 128
TOKENIZER = {"sha256": "t", "vocab_size": VOCAB, "padded_vocab_size": 384, "eos_id": 0, "pad_id": 1, "mask_id": 2,
             "sentinel_first": 3, "sentinel_count": 32}  # fmt: skip


def settings_of(name: str):
    """`model:` and `objective:` of train.yaml after `size.preset`, and after `pretrain.model.preset`; the plan."""
    sizes = SizeSettings(preset=name, sequence_length=LENGTH)
    tokens, shares = {"domain": 10**9, "general": 10**9}, {"domain": 0.5, "general": 0.5}
    planned = size_run(tokens, shares, sizes, vocab=VOCAB).chosen
    by_size = default_train_config(manifest(tokenizer=TOKENIZER, plan={"chosen": planned.to_json()}))
    by_name = default_train_config(
        manifest(tokenizer=TOKENIZER), {"model": {"preset": name}, "objective": {"sequence_length": LENGTH}}
    )
    return planned, by_size, by_name


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_same_everywhere(name: str) -> None:
    planned, by_size, by_name = settings_of(name)
    dial = plan(preset=name, vocab=VOCAB, setup=Setup(sequence=LENGTH))
    assert dial.params == dial.shape.params == planned.shape.params
    for config in (by_size, by_name):
        shape = model_shape(config.model, 384, LENGTH)
        assert (shape.params, shape.architecture) == (planned.shape.params, planned.shape.architecture)
        assert shape.rope_theta == PRESETS[name].rope_theta
        assert config.objective.kind == ARCHITECTURES[shape.architecture].objective
    assert by_name.model.preset == name
    assert main(["--preset", name, "--json"]) == 0


@pytest.mark.train
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_parameters_of_its_model(name: str) -> None:
    pytest.importorskip("torch")
    from recipes.pretrain.model import config_shape, count

    from .whole import build_model

    planned, by_size, by_name = settings_of(name)
    for config in (by_size, by_name):
        tokenizer = TokenizerInfo.model_validate(TOKENIZER)
        model = build_model(config.model, config.objective, tokenizer, seed=0, device="meta")
        assert count(model) == planned.shape.params
        read_back = config_shape(model.config, LENGTH)
        assert read_back.params == planned.shape.params
        assert replace(read_back, positions=None, decoder_layers=None, rope_theta=0.0) == replace(
            planned.shape, rope_theta=0.0
        )


@pytest.mark.train
@pytest.mark.parametrize(
    ("architecture", "tied"),
    [*((name, True) for name in ARCHITECTURES), *((name, False) for name in ("llama", "qwen3", "gpt2", "modernbert"))],
)
def test_parameters_of_every_architecture(architecture: str, tied: bool) -> None:
    """Grouped keys, heads wider than their share, fewer decoder layers, an untied head: where the architecture has them."""
    pytest.importorskip("torch")
    from recipes.pretrain.model import count

    from .whole import build_model

    grouped = architecture in ("llama", "qwen3")
    given = {"architecture": architecture, "hidden_size": 96, "num_layers": 3, "num_heads": 6, "intermediate_size": 160,
             "num_kv_heads": 2 if grouped else None, "head_dim": 24 if grouped or architecture == "t5" else None,
             "num_decoder_layers": 2 if architecture in ("t5", "bart") else None, "tie_embeddings": tied}  # fmt: skip
    model = resolve_model(ModelSettings.model_validate(given))
    config = default_train_config(manifest(tokenizer=TOKENIZER), {"model": given})
    tokenizer = TokenizerInfo.model_validate(TOKENIZER)
    built = build_model(config.model, config.objective, tokenizer, seed=0, device="meta")
    assert model_shape(model, 384, config.objective.sequence_length).params == count(built)


def test_overriding_a_preset_drops_what_it_derived() -> None:
    model = resolve_model(ModelSettings(preset="125m", num_heads=6))
    assert (model.head_dim, model.num_kv_heads) == (None, None)
    assert model_shape(model, 384, LENGTH) == replace(
        PRESETS["125m"], heads=6, kv_heads=6, head_dim=128, vocab=384, sequence=LENGTH
    )
    kept = resolve_model(ModelSettings(preset="llama-3.2-1b", num_layers=2))
    assert (kept.head_dim, kept.num_kv_heads, kept.rope_theta) == (64, 8, 500_000.0)
