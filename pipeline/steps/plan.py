"""Size and mix, as steps: pure functions of token counts, recorded like all others."""

import json
from typing import Any

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.store import Store
from pipeline.mix import MixSettings, MixSource
from pipeline.mix import mix as plan_mix
from pipeline.size.choose import SizeSettings, size_run
from pipeline.steps.context import Commits, Run
from pipeline.steps.tokens import streams

SIZE_VERSION = MIX_VERSION = 1


def mix_sources(run: Run) -> list[dict[str, Any]]:
    """Each stream with what its train split holds, in tokens of the trained tokenizer."""
    found = []
    for name, stream in streams(run).items():
        parts = [c.counts["train"] for unit, c in run.done["shards"].items() if unit.rpartition("/")[0] == name]
        found.append(
            {
                "name": name,
                "role": stream["role"],
                "tokens": sum(part["tokens"] for part in parts),
                "documents": sum(part["documents"] for part in parts),
                "largest_document": max((part["largest_document"] for part in parts), default=0),
            }
        )
    return found


def keep_rates(run: Run) -> dict[str, float]:
    """Kept over raw pre-tokens by role, as measured in this run."""
    raw: dict[str, int] = {}
    kept: dict[str, int] = {}
    for commit in run.done["extract"].values():
        for role, sums in commit.counts["roles"].items():
            raw[role] = raw.get(role, 0) + sums["raw_pretokens"]
    for stream in streams(run).values():
        kept[stream["role"]] = kept.get(stream["role"], 0) + stream["pretokens"]
    return {role: kept.get(role, 0) / total for role, total in sorted(raw.items()) if total}


def _write(store: Store, assigned: Assignment, value: dict[str, Any]) -> Produced:
    info = store.put_json(f"ledger/{assigned.step}/{assigned.fingerprint[:12]}-plan.json", value)
    return Produced({"plan": info}, {"plan": value})


def size_work(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Optimal and chosen model from the tokens at hand."""
    (assigned,) = assignments
    asked = assigned.arguments
    settings = MixSettings.model_validate(asked["mix"])
    by_role: dict[str, int] = {}
    for source in asked["sources"]:
        by_role[source["role"]] = by_role.get(source["role"], 0) + source["tokens"]
    cap = settings.max_epochs if settings.on_shortage == "repeat" else 1.0
    result = size_run(
        by_role,
        settings.shares(),
        SizeSettings.model_validate(asked["size"]),
        vocab=asked["vocab"],
        max_epochs={role: settings.max_epochs_by.get(role, cap) for role in settings.shares()},
        keep_rates=asked["keep_rates"],
    )
    return [_write(store, assigned, json.loads(json.dumps(result.to_json())))]


def mix_work(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Weights and epochs of every stream."""
    (assigned,) = assignments
    asked = assigned.arguments
    sources = [MixSource(**source) for source in asked["sources"]]
    made = plan_mix(sources, MixSettings.model_validate(asked["mix"]), keep_rates=asked["keep_rates"])
    return [_write(store, assigned, json.loads(json.dumps(made.to_json())))]


def size(run: Run) -> Commits:
    """Keyed by token counts, keep rates, and the settings of mix and size."""
    arguments = {
        "sources": mix_sources(run),
        "keep_rates": keep_rates(run),
        "mix": run.recipe.mix.model_dump(mode="json"),
        "size": run.recipe.size.model_dump(mode="json"),
        "vocab": run.done["tokenizer"]["all"].counts["vocab_size"],
    }
    unit = Unit("all", settings=arguments, version=SIZE_VERSION, arguments=arguments)
    return run.keep("size", run.runner.execute("size", [unit], size_work))


def mix(run: Run) -> Commits:
    """Keyed by token counts and the mix's settings."""
    arguments = {
        "sources": mix_sources(run),
        "keep_rates": keep_rates(run),
        "mix": run.recipe.mix.model_dump(mode="json"),
    }
    unit = Unit("all", settings=arguments, version=MIX_VERSION, arguments=arguments)
    return run.keep("mix", run.runner.execute("mix", [unit], mix_work))
