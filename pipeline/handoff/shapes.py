"""The settings that follow from plan, model size and data: what train.yaml holds where the recipe is silent."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import UsageError, named
from pipeline.handoff.manifest import Manifest
from pipeline.handoff.train_config import ModelSettings, TrainConfig
from pipeline.size.design import hyperparameters
from pipeline.size.shape import ARCHITECTURES, PRESETS, Shape

SETTINGS = {
    "architecture": "architecture",
    "layers": "num_layers",
    "hidden": "hidden_size",
    "ffn": "intermediate_size",
    "heads": "num_heads",
    "kv_heads": "num_kv_heads",
    "head_dim": "head_dim",
    "tied": "tie_embeddings",
    "rope_theta": "rope_theta",
    "gated": "gated",
}
"""Field of a Shape -> the setting of `model:` that says the same."""


def shape_settings(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Shape as settings of `model:`; only those that are there."""
    return {setting: shape[field] for field, setting in SETTINGS.items() if field in shape}


def model_shape(model: ModelSettings, vocab: int, sequence: int) -> Shape:
    """The shape of a resolved model (`resolve_model`) with `vocab` rows of the embedding and samples of `sequence` tokens."""
    settings = {field: getattr(model, setting) for field, setting in SETTINGS.items()}
    given = {field: value for field, value in settings.items() if value is not None}
    # A model that continues one from a folder names no sizes: ones stand in.
    sizes: dict[str, Any] = {"layers": 1, "hidden": 1, "heads": 1} | given
    hidden, heads = sizes["hidden"], sizes["heads"]
    derived = {"ffn": 4 * hidden, "kv_heads": heads, "head_dim": hidden // heads}
    return Shape(**derived | sizes, vocab=vocab, sequence=sequence, decoder_layers=model.num_decoder_layers)


def resolve_model(settings: ModelSettings) -> ModelSettings:
    """The settings with the preset's shape filled in. UsageError for an unknown or incomplete one."""
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    base: dict[str, Any] = {}
    if settings.preset is not None:
        shape = named("model.preset", PRESETS, settings.preset)
        base = shape_settings(vars(shape))
        if given.keys() & {
            "hidden_size",
            "num_heads",
        }:  # what the preset derives from them is derived from the new ones
            del base["head_dim"]
            if shape.kv_heads == shape.heads:
                del base["num_kv_heads"]
    merged = ModelSettings.model_validate({**base, **given})
    if merged.gated is not None and merged.architecture != "t5":
        raise UsageError(f"model.gated is t5's alone; {merged.architecture} has its own feed-forward")
    if merged.init_from is None:
        needed = ("architecture", "hidden_size", "num_layers", "num_heads", "intermediate_size")
        if missing := [name for name in needed if getattr(merged, name) is None]:
            raise UsageError(f"model: no preset, and {', '.join(missing)} not given")
    return merged


def default_train_config(manifest: Manifest, config: TrainConfig | Mapping[str, Any] | None = None) -> TrainConfig:
    """The configuration with nothing left open: what train.yaml holds.

    config: the recipe's `pretrain:` block. Its null fields come from `plan["chosen"]` of the manifest (its `shape` and
    `training`); without a plan, from the model's size and one pass over the training tokens by the planner's ladder
    (`pipeline.size.design.hyperparameters`).
    """
    given = config if isinstance(config, TrainConfig) else TrainConfig.model_validate(dict(config or {}))
    chosen = manifest.plan.get("chosen") or {}
    planned = chosen.get("training") or {}
    model = resolve_model(_from_plan(given.model, chosen.get("shape")))
    length = given.objective.sequence_length or planned.get("sequence_length") or 256
    shape = model_shape(model, manifest.tokenizer.padded_vocab_size, length)
    batch = given.global_batch
    if batch is None and planned:
        batch = max(1, round(planned["batch_tokens"] / length))
    tokens = int(chosen.get("tokens") or 0) or sum(manifest.tokens_by_role().values())
    ladder = hyperparameters(shape.params - shape.embedding_params, tokens, length, batch=batch, steps=given.steps)
    warmup = given.schedule.warmup_steps
    if warmup is None:
        warmup = min(planned.get("warmup_steps") or ladder.warmup_steps, max(1, ladder.steps // 10))
    rate = given.optimizer.learning_rate or planned.get("learning_rate") or ladder.learning_rate
    optimizer = {
        "learning_rate": float(f"{rate:.3g}"),
        "beta2": given.optimizer.beta2 or planned.get("beta2") or ladder.beta2,
    }
    kind = given.objective.kind or ARCHITECTURES[shape.architecture].objective
    return given.model_copy(
        update={
            "model": model,
            "steps": ladder.steps,
            "global_batch": ladder.batch_tokens // length,
            "objective": given.objective.model_copy(update={"kind": kind, "sequence_length": length}),
            "optimizer": given.optimizer.model_copy(update=optimizer),
            "schedule": given.schedule.model_copy(update={"warmup_steps": warmup}),
        }
    )


def _from_plan(settings: ModelSettings, shape: Mapping[str, Any] | None) -> ModelSettings:
    """The settings, with the plan's shape where they name none; the preset tiny for another architecture than planned."""
    if settings.preset is not None or settings.hidden_size is not None or settings.init_from is not None:
        return settings
    planned_for = (shape or {}).get("architecture", "llama")
    same = (None, planned_for, *(("qwen3",) if planned_for == "llama" else ()))
    if shape is None or settings.architecture not in same:
        return settings.model_copy(update={"preset": "tiny"})
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    return ModelSettings.model_validate({"architecture": planned_for, **shape_settings(shape), **given})
