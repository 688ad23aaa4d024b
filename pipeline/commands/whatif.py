"""`whatif judge.threshold=value …`: the verdicts other thresholds would give, from the signals of a finished run.

Exact through decide: rules, clusters and survivors are applied as a run would. `select.keep=0.1` is exact to the end. Nothing is
written.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow.compute as pc
import yaml
from pydantic import ValidationError

from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.selection import STAGE, Offered, dial, offered, sentence
from pipeline.apply.settle import amounts
from pipeline.cluster.step import ClusterCounts
from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.core.steps import Step
from pipeline.decide.decision import Decision
from pipeline.errors import UsageError
from pipeline.recipe.model import near


def changed(opened: RunFolder, changes: list[str]) -> dict[str, Any]:
    """The decision's settings with the new thresholds. Raises UsageError for names that the run has no signal for."""
    settings = opened.commit(Step.DECIDE).parts["settings"]
    of_judges = {name: dict(settings["judges"][name]) for name in settings["order"]}
    known = judges()
    for change in changes:
        path, separator, text = change.partition("=")
        judge, _, field = path.partition(".")
        field, *inner = field.split(".")
        if not separator or judge not in of_judges:
            raise UsageError(f"{change}: expected judge.threshold=value{near(judge, of_judges)}")
        decided = known[judge].settings.decided_fields()
        if field not in decided:
            raise UsageError(f"{change}: {judge} has no threshold {field}{near(field, decided)}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{change}: the value is not valid YAML") from error
        holder = of_judges[judge]
        for part in inner:  # a bound of a source or a role: by_source.news.min_num_words
            holder[field] = dict(holder[field] or {}) if isinstance(holder.get(field), dict | None) else {}
            holder, field = holder[field], part
        holder[field] = value
    for name in {change.partition(".")[0] for change in changes}:
        try:
            known[name].settings.model_validate(of_judges[name])
        except ValidationError as errors:
            problems = (
                f"{name}.{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}, not {e['input']!r}"
                for e in errors.errors()
            )
            raise UsageError("; ".join(problems)) from errors
    return settings | {"judges": of_judges}


def counts(opened: RunFolder, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Documents by verdict and first reason, and kept bytes, as decided or with other settings."""
    verdicts, reasons = Counter(), Counter()
    kept_bytes = 0
    if settings is None:
        tables = (opened.table(opened.file(Step.DECIDE, name=shard)) for shard in opened.shards)
    else:
        indexes = opened.counted(ClusterCounts, Step.CLUSTER).index_files
        tables = Decision.of(opened, settings, indexes).verdicts(opened.store)
    for shard, table in zip(opened.shards, tables, strict=True):
        verdicts.update(table["verdict"].to_pylist())
        reasons.update(
            f"{stage}.{rule}"
            for stage, rule in zip(table["stage"].to_pylist(), table["rule"].to_pylist(), strict=True)
            if stage
        )
        sizes = opened.documents(shard, ["text_bytes"])["text_bytes"].to_pylist()
        kept_bytes += sum(
            size for size, verdict in zip(sizes, table["verdict"].to_pylist(), strict=True) if verdict == "kept"
        )
    return {"verdicts": dict(verdicts), "first_reasons": dict(reasons), "kept_text_bytes": kept_bytes}


def dialled(opened: RunFolder, changes: list[str]) -> dict[str, Any]:
    """What another dial would keep of the finished run: its bounds, documents and pre-tokens.

    Raises UsageError when the run has not settled, or has no signal to go by.
    """
    if not opened.has(Step.SETTLE):
        raise UsageError(f"{opened.store.root}: no verdict is final yet; `select` comes last")
    told = dict(opened.commit(Step.SETTLE).parts["settings"].get("select") or {})
    for change in changes:
        name, separator, text = change.removeprefix("select.").partition("=")
        if not separator or name not in SelectSettings.model_fields:
            raise UsageError(f"{change}: expected select.setting=value{near(name, SelectSettings.model_fields)}")
        told |= {"keep": None, "keep_tokens": None} if name in ("keep", "keep_tokens") else {}
        told[name] = yaml.safe_load(text)
    try:
        settings = SelectSettings.model_validate(told)
    except ValidationError as errors:
        raise UsageError(
            "; ".join(f"select: {e['msg'].removeprefix('Value error, ')}" for e in errors.errors())
        ) from errors
    if settings.judge not in opened.judges:
        raise UsageError(
            f"select.by {settings.by}: the run has no judge {settings.judge}{near(settings.judge, opened.judges)}"
        )

    def each() -> Iterator[Offered]:
        for shard in opened.shards:
            table = opened.verdicts(shard)
            stays = pc.or_(pc.equal(table["verdict"], "kept"), pc.fill_null(pc.equal(table["stage"], STAGE), False))
            texts = opened.table(opened.file(Step.APPLY, shard), ["num_pretokens"])
            read = {"score": opened.signal_file(settings.judge, shard)}
            if settings.per == "language":
                read["language"] = opened.signal_file("language", shard)
            yield offered(opened.store, read, table, texts["num_pretokens"], np.asarray(stays), settings)

    found, _ = dial(each(), settings, amounts(opened, settings))
    return {"select": asdict(found), "sentence": sentence(found, settings)}


def run(arguments: argparse.Namespace) -> int:
    """Print both columns side by side."""
    opened = open_run(arguments.run)
    if not opened.has(Step.DECIDE):
        raise UsageError(f"{arguments.run}: nothing is decided yet; run it at least to `--to decide`")
    dials = [change for change in arguments.changes if change.startswith("select.")]
    if dials:
        if len(dials) < len(arguments.changes):
            raise UsageError("select is asked about by itself: rules change what it goes over, which takes a run")
        found = dialled(opened, dials)
        print(json.dumps({"exit": 0, "changes": dials, **found}) if arguments.json else found["sentence"])
        return 0
    before, after = counts(opened), counts(opened, changed(opened, arguments.changes))
    if arguments.json:
        print(json.dumps({"exit": 0, "changes": arguments.changes, "before": before, "after": after}))
        return 0
    print(f"{'':44}{'now':>14}{'what if':>14}{'change':>12}")
    for kind, unit in (("verdicts", "documents"), ("first_reasons", "documents, first reason")):
        for name in sorted(before[kind].keys() | after[kind].keys()):
            old, new = before[kind].get(name, 0), after[kind].get(name, 0)
            print(f"{name + ' (' + unit + ')':44}{old:>14,}{new:>14,}{new - old:>+12,}")
    old, new = before["kept_text_bytes"], after["kept_text_bytes"]
    print(f"{'kept text before cuts (bytes)':44}{old:>14,}{new:>14,}{new - old:>+12,}")
    print("Exact through decide; cuts, tokens and the mix would follow in a run.")
    return 0
