"""Size and mix, as steps: pure functions of token counts, recorded like all others."""

import json
from typing import Any

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.store import Store
from pipeline.plan.mix import MixSettings, MixSource
from pipeline.plan.mix import mix as plan_mix
from pipeline.plan.search import read_search
from pipeline.plan.sizing import SizeSettings, size_run
from pipeline.tokens.step import streams

SIZE_VERSION = MIX_VERSION = 2


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
                "raw_bytes": _raw(run, stream, "raw_bytes"),
            }
        )
    return found


def _raw(run: Run, stream: dict[str, Any], name: str) -> int:
    """Bytes or pre-tokens as collected of a stream's source; a source of both roles was collected whole for each."""
    return sum(c.counts[name] for c in run.done["extract"].values() if c.counts["source"] == stream["source"])


def keep_rates(run: Run) -> dict[str, float]:
    """Kept pre-tokens of a role over the raw ones of all sources that gave it, as measured in this run."""
    raw: dict[str, int] = {}
    kept: dict[str, int] = {}
    for stream in streams(run).values():
        role = stream["role"]
        raw[role] = raw.get(role, 0) + _raw(run, stream, "raw_pretokens")
        kept[role] = kept.get(role, 0) + stream["pretokens"]
    return {role: kept[role] / total for role, total in sorted(raw.items()) if total}


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
    plan = made.to_json() | {"evidence": asked["evidence"]}
    return [_write(store, assigned, json.loads(json.dumps(plan)))]


def mix_settings(run: Run) -> dict[str, Any]:
    """The mix's settings; a search has already put its share in, so its file is read by no task."""
    return run.recipe.mix.model_dump(mode="json", exclude={"search"})


def mix_evidence(run: Run) -> list[str]:
    """What a mixture search says, when the recipe names one."""
    if run.recipe.mix.search is None:
        return []
    sha256 = run.done["tokenizer"]["all"].files["tokenizer.json"].sha256
    return read_search(run.recipe.mix.search).evidence(sha256)


def size(run: Run) -> Commits:
    """Keyed by token counts, keep rates, and the settings of mix and size."""
    arguments = {
        "sources": mix_sources(run),
        "keep_rates": keep_rates(run),
        "mix": mix_settings(run),
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
        "mix": mix_settings(run),
        "evidence": mix_evidence(run),
    }
    unit = Unit("all", settings=arguments, version=MIX_VERSION, arguments=arguments)
    return run.keep("mix", run.runner.execute("mix", [unit], mix_work))
