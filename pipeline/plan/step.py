"""Size and mix, as steps: pure functions of token counts, recorded like all others."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.extract.step import ExtractCounts
from pipeline.plan.mix import MixSettings, MixSource
from pipeline.plan.mix import mix as plan_mix
from pipeline.plan.search import read_search
from pipeline.plan.sizing import SizeSettings, size_run
from pipeline.tokens.parts import Stream, stream_of, streams
from pipeline.tokens.step import ShardCounts, TokenizerCounts

SIZE_VERSION = MIX_VERSION = 3


@dataclass
class PlanCounts:
    """The plan that a step made, as JSON values."""

    plan: dict[str, Any]


def mix_sources(run: Run) -> list[dict[str, Any]]:
    """Each stream with what its train split holds, in tokens of the trained tokenizer."""
    counts = run.counts(ShardCounts, Step.SHARDS)
    sources = []
    for name, stream in streams(run).items():
        parts = [found.train for unit, found in counts.items() if stream_of(unit) == name]
        sources.append(
            {
                "name": name,
                "role": stream.role,
                "bucket": stream.bucket,
                "tokens": sum(part.tokens for part in parts),
                "documents": sum(part.documents for part in parts),
                "largest_document": max((part.largest_document for part in parts), default=0),
                "raw_bytes": round(sum(one.raw_bytes for one in _collected(run, stream)) * _part(run, stream)),
            }
        )
    return sources


def _part(run: Run, stream: Stream) -> float:
    """Its part of what its source gave to its role: the rest is in other buckets."""
    whole = [one.pretokens for one in streams(run).values() if (one.source, one.role) == (stream.source, stream.role)]
    return stream.pretokens / sum(whole) if len(whole) > 1 and sum(whole) else 1.0


def _collected(run: Run, stream: Stream) -> list[ExtractCounts]:
    """What a stream's source was collected as; a source of both roles was collected whole for each."""
    return [one for one in run.counts(ExtractCounts, Step.EXTRACT).values() if one.source == stream.source]


def keep_rates(run: Run) -> dict[str, float]:
    """Kept pre-tokens of a role over the raw ones of all sources that gave it, as measured in this run."""
    raw: dict[str, int] = {}
    kept: dict[str, int] = {}
    for stream in streams(run).values():
        collected = sum(one.raw_pretokens for one in _collected(run, stream))
        raw[stream.role] = raw.get(stream.role, 0) + round(collected * _part(run, stream))
        kept[stream.role] = kept.get(stream.role, 0) + stream.pretokens
    return {role: kept[role] / total for role, total in sorted(raw.items()) if total}


def _write(store: Store, assigned: Assignment, value: dict[str, Any]) -> Produced:
    plan = json.loads(json.dumps(value))
    return Produced({"plan": store.put_json(assigned.path("plans", assigned.step, ".json"), plan)}, PlanCounts(plan))


@each
def size_work(store: Store, assigned: Assignment) -> Produced:
    """Optimal and chosen model from the tokens at hand."""
    asked = assigned.settings
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
    return _write(store, assigned, result.to_json())


@each
def mix_work(store: Store, assigned: Assignment) -> Produced:
    """Weights and epochs of every stream."""
    asked = assigned.settings
    sources = [MixSource(**source) for source in asked["sources"]]
    planned = plan_mix(sources, MixSettings.model_validate(asked["mix"]), keep_rates=asked["keep_rates"])
    return _write(store, assigned, asdict(planned) | {"evidence": asked["evidence"]})


def _mix_evidence(run: Run) -> list[str]:
    """What a mixture search says, when the recipe names one."""
    if run.recipe.mix.search is None:
        return []
    sha256 = run.file(Step.TOKENIZER, name="tokenizer.json").sha256
    return read_search(run.recipe.mix.search).evidence(sha256)


def _settings(run: Run) -> dict[str, Any]:
    """What size and mix both follow from. A search has already put its share into `mix`, so no task reads its file."""
    return {
        "sources": mix_sources(run),
        "keep_rates": keep_rates(run),
        "mix": run.recipe.mix.model_dump(mode="json", exclude={"search"}),
    }


def size(run: Run) -> Commits:
    """Keyed by token counts, keep rates, and the settings of mix and size."""
    vocab = run.counted(TokenizerCounts, Step.TOKENIZER).vocab_size
    settings = {**_settings(run), "size": run.recipe.size.model_dump(mode="json"), "vocab": vocab}
    return run.execute(Step.SIZE, [Unit("all", settings=settings, version=SIZE_VERSION)], size_work)


def mix(run: Run) -> Commits:
    """Keyed by token counts and the mix's settings."""
    settings = {**_settings(run), "evidence": _mix_evidence(run)}
    return run.execute(Step.MIX, [Unit("all", settings=settings, version=MIX_VERSION)], mix_work)


def size_plan(run: Run) -> dict[str, Any]:
    """The plan of the size step, as JSON values."""
    return run.counted(PlanCounts, Step.SIZE).plan


def mix_plan(run: Run) -> dict[str, Any]:
    """The plan of the mix step, as JSON values."""
    return run.counted(PlanCounts, Step.MIX).plan
