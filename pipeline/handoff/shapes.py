"""Model shapes by name, and the settings that follow from a model's size and the data."""

import difflib
import math
from collections.abc import Mapping
from typing import Any

from pipeline.errors import UsageError
from pipeline.handoff.manifest import Manifest
from pipeline.handoff.train_config import OBJECTIVE_OF, ModelSettings, TrainConfig

Shape = dict[str, Any]
"""Keyword arguments of ModelSettings."""


def _shape(architecture: str, hidden: int, layers: int, heads: int, inner: int, **more: Any) -> Shape:
    shape = {"architecture": architecture, "hidden_size": hidden, "num_layers": layers, "num_heads": heads}
    return {**shape, "intermediate_size": inner, "tie_embeddings": True, **more}


PRESETS: dict[str, Shape] = {
    "tiny": _shape("llama", 128, 4, 4, 352, num_kv_heads=2, rope_theta=10_000.0),
    "tinyllama-1.1b": _shape(
        "llama", 2048, 22, 32, 5632, num_kv_heads=4, tie_embeddings=False, rope_theta=10_000.0, head_dim=64
    ),
    "llama-3.2-1b": _shape("llama", 2048, 16, 32, 8192, num_kv_heads=8, head_dim=64, rope_theta=500_000.0),
    "llama-3.2-3b": _shape("llama", 3072, 28, 24, 8192, num_kv_heads=8, head_dim=128, rope_theta=500_000.0),
    "llama-3.1-8b": _shape(
        "llama", 4096, 32, 32, 14336, num_kv_heads=8, head_dim=128, tie_embeddings=False, rope_theta=500_000.0
    ),
    "gpt2": _shape("gpt2", 768, 12, 12, 3072),
    "bert-base": _shape("bert", 768, 12, 12, 3072),
    "bert-large": _shape("bert", 1024, 24, 16, 4096),
    "roberta-base": _shape("roberta", 768, 12, 12, 3072),
    "modernbert-base": _shape("modernbert", 768, 22, 12, 1152),
    "t5-small": _shape("t5", 512, 6, 8, 2048, head_dim=64),
    "t5-base": _shape("t5", 768, 12, 12, 3072, head_dim=64),
    "bart-base": _shape("bart", 768, 6, 12, 3072),
}
"""Published shapes by name; `tiny` has about a million parameters and is a demonstration."""


def resolve_model(settings: ModelSettings) -> ModelSettings:
    """The settings with the preset's shape filled in. UsageError for an unknown or incomplete one."""
    given = {k: v for k, v in settings.model_dump().items() if v is not None}
    base: Shape = {}
    if settings.preset is not None:
        if settings.preset not in PRESETS:
            near = difflib.get_close_matches(settings.preset, PRESETS, 1, 0.0)
            raise UsageError(f"model.preset {settings.preset!r} is unknown; did you mean {near[0]!r}?")
        base = PRESETS[settings.preset]
        if "architecture" in given and given["architecture"] != base["architecture"]:
            # a shape borrowed by another architecture: rotary and grouped-query settings may not apply and are harmless
            base = {k: v for k, v in base.items() if k != "architecture"}
    merged = ModelSettings.model_validate({**base, **given})
    if merged.init_from is None:
        missing = [f for f in ("architecture", "hidden_size", "num_layers", "num_heads", "intermediate_size")
                   if getattr(merged, f) is None]  # fmt: skip
        if missing:
            raise UsageError(f"model: no preset, and {', '.join(missing)} not given")
    return merged


def count_parameters(model: ModelSettings, vocab_size: int, positions: int = 0) -> int:
    """Parameters of a resolved shape, to about a percent: enough for learning rate, batch and warm-up.

    positions: learnt position rows of gpt2, bert, roberta and bart.
    """
    d, inner = model.hidden_size or 0, model.intermediate_size or 0
    heads = model.num_heads or 1
    head_dim = model.head_dim or d // heads
    kv = (model.num_kv_heads or heads) if model.architecture in ("llama", "qwen3") else heads
    attention = 2 * d * heads * head_dim + 2 * d * kv * head_dim
    gated = 3 if model.architecture in ("llama", "qwen3", "modernbert") else 2
    layers = model.num_layers or 0
    total = layers * (attention + gated * d * inner)
    if model.architecture in ("t5", "bart"):
        total += (model.num_decoder_layers or layers) * (2 * attention + gated * d * inner)
    return total + vocab_size * d * (2 if model.tie_embeddings is False else 1) + positions * d


def default_train_config(
    manifest: Manifest,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    params: int | None = None,
    tokens: int | None = None,
) -> TrainConfig:
    """The configuration with nothing left open: what train.yaml holds.

    config: the recipe's `pretrain:` block; its null fields come from `plan["chosen"]` of the manifest (its `shape` and
    `training`), and where there is none from the size of the model and the data by OLMo's model ladder: learning rate
    0.00235 (N/108e6)^(-1/3), 327,680 (N/108e6)^(2/3) tokens per step, warm-up over N tokens.
    params, tokens: of the model and the run, where neither the plan nor the data should say; the default for tokens is
    the plan's, else one pass over the training tokens.
    """
    given = config if isinstance(config, TrainConfig) else TrainConfig.model_validate(dict(config or {}))
    chosen = manifest.plan.get("chosen") or {}
    model = resolve_model(_from_plan(given.model, chosen.get("shape")))
    planned = chosen.get("training") or {}
    n = params or max(1, count_parameters(model, manifest.tokenizer.padded_vocab_size))
    d = tokens or int(chosen.get("tokens") or 0) or sum(manifest.tokens_by_role().values())
    length = given.objective.sequence_length or planned.get("sequence_length") or 256
    batch_tokens = planned.get("batch_tokens") or 327_680 * (n / 108e6) ** (2 / 3)
    batch = given.global_batch or max(1, round(batch_tokens / length))
    steps = given.steps or max(1, math.ceil(d / (batch * length)))
    warmup = given.schedule.warmup_steps
    if warmup is None:
        warmup = min(planned.get("warmup_steps") or max(1, round(n / (batch * length))), max(1, steps // 10))
    lr = given.optimizer.learning_rate or planned.get("learning_rate") or 0.00235 * (n / 108e6) ** (-1 / 3)
    beta2 = given.optimizer.beta2 or planned.get("beta2") or (0.95 if batch * length >= 524_288 else 0.99)
    kind = given.objective.kind
    if kind is None:
        kind = OBJECTIVE_OF[model.architecture] if model.architecture is not None else "causal"
    return given.model_copy(
        update={
            "model": model,
            "steps": steps,
            "global_batch": batch,
            "objective": given.objective.model_copy(update={"kind": kind, "sequence_length": length}),
            "optimizer": given.optimizer.model_copy(update={"learning_rate": float(f"{lr:.3g}"), "beta2": beta2}),
            "schedule": given.schedule.model_copy(update={"warmup_steps": warmup}),
        }
    )


PLAN_FIELDS = {
    "layers": "num_layers",
    "hidden": "hidden_size",
    "ffn": "intermediate_size",
    "heads": "num_heads",
    "kv_heads": "num_kv_heads",
    "head_dim": "head_dim",
    "tied": "tie_embeddings",
}
"""The plan's words for a decoder's shape, and ours."""


def _from_plan(settings: ModelSettings, shape: Mapping[str, Any] | None) -> ModelSettings:
    """The settings, with the plan's shape where they name none."""
    if settings.preset is not None or settings.hidden_size is not None or settings.init_from is not None:
        return settings
    planned_for = (shape or {}).get("architecture", "llama")
    same = (None, planned_for, *(("qwen3",) if planned_for == "llama" else ()))
    if shape is None or settings.architecture not in same:
        return settings.model_copy(update={"preset": "tiny"})
    given = {k: v for k, v in settings.model_dump().items() if v is not None}
    planned = {ours: shape[theirs] for theirs, ours in PLAN_FIELDS.items() if theirs in shape}
    return ModelSettings.model_validate({"architecture": planned_for, **planned, **given})
