"""`whatif judge.threshold=value …`: the verdicts other thresholds would give, from the signals of a finished run.

Exact through decide: rules, clusters and survivors are applied as a run would. Nothing is written.
"""

import argparse
import json
from collections import Counter
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.core.judge import judges
from pipeline.core.opened import OpenedRun, open_run
from pipeline.decide.step import verdict_tables
from pipeline.errors import UsageError
from pipeline.recipe.model import near


def changed(opened: OpenedRun, changes: list[str]) -> list[list[Any]]:
    """The judges with the new thresholds. Raises UsageError for names that the run has no signal for."""
    arguments = opened.steps["decide"]["all"].parts["settings"]
    thresholds = {name: dict(arguments["thresholds"][name]) for name in arguments["order"]}
    known = judges()
    for change in changes:
        path, separator, text = change.partition("=")
        judge, _, field = path.partition(".")
        if not separator or judge not in thresholds:
            raise UsageError(f"{change}: expected judge.threshold=value{near(judge, thresholds)}")
        decided = known[judge].settings.decided_fields()
        if field not in decided:
            raise UsageError(f"{change}: {judge} has no threshold {field}{near(field, decided)}")
        try:
            thresholds[judge][field] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{change}: the value is not valid YAML") from error
    measured = {unit.partition("/")[0]: commit.parts["settings"] for unit, commit in opened.steps["measure"].items()}
    for name in {change.partition(".")[0] for change in changes}:
        try:
            known[name].settings.model_validate(measured[name] | thresholds[name])
        except ValidationError as errors:
            said = "; ".join(
                f"{name}.{error['loc'][0]}: {error['msg']}, not {error['input']!r}" for error in errors.errors()
            )
            raise UsageError(said) from errors
    return [[name, measured[name] | thresholds[name]] for name in arguments["order"]]


def counts(opened: OpenedRun, entries: list[list[Any]] | None = None) -> dict[str, Any]:
    """Documents by verdict and first reason, and kept bytes, as decided or with other thresholds."""
    verdicts, reasons = Counter(), Counter()
    kept_bytes = 0
    decided = opened.steps["decide"]["all"]
    if entries is None:
        tables = (opened.store.read_table(decided.files[shard].path) for shard in opened.shards)
    else:
        tables = verdict_tables(opened.store, decision_arguments(opened, entries))
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


def decision_arguments(opened: OpenedRun, entries: list[list[Any]]) -> dict[str, Any]:
    """What the decide step is given, with these judges' settings."""
    settings = opened.steps["decide"]["all"].parts["settings"]
    files, cluster = {}, opened.steps["cluster"]["all"]
    for shard in opened.shards:
        files[shard] = {
            "documents": opened.steps["extract"][shard].files["table"].path,
            "clusters": cluster.files[shard].path,
            **{name: opened.steps["measure"][f"{name}/{shard}"].files["table"].path for name, _ in entries},
        }
    return {
        "judges": entries,
        "survivors": settings["survivors"],
        "priorities": settings["priorities"],
        "indexes": [
            {"file": found, "clusters": cluster.files[found["name"]].path} for found in cluster.counts["indexes"]
        ],
        "shards": files,
        **({"bias": settings["bias"]} if "bias" in settings else {}),
    }


def run(arguments: argparse.Namespace) -> int:
    """Print both columns side by side."""
    opened = open_run(arguments.run)
    if "decide" not in opened.steps:
        raise UsageError(f"{arguments.run}: nothing is decided yet; run it at least to `--to decide`")
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
