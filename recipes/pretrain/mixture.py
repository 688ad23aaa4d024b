"""`python -m recipes.pretrain.mixture HANDOFF`: small proxy runs at several domain shares, and the share they point to.

A proxy sees far fewer tokens than the run it stands for. So that text repeats as often in the proxy as it will in the
run, every source is cut to the proxy's part of the target: with 1 % of the target's tokens it draws on 1 % of the
source. Leaves `mixture.json` in the run folder, which a recipe names under `mix: {search: …}`.
"""

import argparse
import gc
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.handoff import (
    EXIT_OK,
    Manifest,
    PipelineError,
    Shard,
    Source,
    TrainConfig,
    UsageError,
    build_manifest,
    default_train_config,
    dump_manifest,
)
from pipeline.size.mixture import FORMAT_VERSION, best_share, fit_curve
from recipes.pretrain.handoff import Handoff, open_handoff
from recipes.pretrain.shards import TokenStream

FEWEST, MOST = 3, 5
DEFAULTS = ("global_batch=8", "objective.sequence_length=128", "model.preset=tiny", "optimizer.learning_rate=0.003")
"""What a proxy takes unless `--set` says otherwise: about a million parameters and 1,024 tokens a step."""


@dataclass(frozen=True)
class Proxies:
    """What is run: a proxy for each share, `steps` long; `target` is the run they stand for, in tokens."""

    shares: tuple[float, ...]
    steps: int
    target: int
    weights: Mapping[str, float]
    """What the held-out loss of each role counts."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = argparse.ArgumentParser(prog="python -m recipes.pretrain.mixture", description="Search the domain share.")
    cli.add_argument("handoff", metavar="HANDOFF", help="the hand-off folder of a run")
    cli.add_argument("--runs", type=int, default=5, metavar="N", help=f"proxies, {FEWEST} to {MOST} (default 5)")
    cli.add_argument("--low", type=float, default=0.2, metavar="SHARE", help="smallest domain share (default 0.2)")
    cli.add_argument("--high", type=float, default=0.8, metavar="SHARE", help="largest domain share (default 0.8)")
    cli.add_argument("--steps", type=int, default=100, metavar="N", help="steps of a proxy (default 100)")
    cli.add_argument("--target-tokens", type=float, metavar="N", help="tokens of the real run (default: the plan's)")
    cli.add_argument(
        "--domain-weight", type=float, default=0.5, metavar="W", help="what domain loss counts against general (0.5)"
    )
    cli.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a setting of the proxies"
    )
    cli.add_argument("--json", action="store_true", help="print mixture.json as one line")
    return cli


def spread(low: float, high: float, runs: int) -> tuple[float, ...]:
    """Evenly spaced domain shares; UsageError for shares or numbers a law cannot be fitted to.

    >>> spread(0.2, 0.8, 4)
    (0.2, 0.4, 0.6, 0.8)
    """
    if not FEWEST <= runs <= MOST:
        raise UsageError(f"--runs {runs}: a law through the proxies needs {FEWEST} to {MOST}")
    if not 0 < low < high < 1:
        raise UsageError(f"--low {low:g} --high {high:g}: shares lie between 0 and 1, the low one below the high one")
    return tuple(round(low + (high - low) * step / (runs - 1), 4) for step in range(runs))


def cut_source(handoff: Handoff, source: Source, part: float, folder: Path) -> tuple[Source, int]:
    """The source with about `part` of its training documents, whole ones from the front, written under `folder`.

    Held-out shards stay where they are. Returns the source and how many tokens it kept.
    """
    stream = TokenStream(handoff, source.splits.get("train", []))
    wanted = max(1, round(part * stream.num_tokens))
    tokens, ends = stream.read(0, min(stream.num_tokens, max(wanted, 1)))
    last = int(ends[-1]) if len(ends) else 0
    whole = last if last >= 0.5 * wanted else len(tokens)
    kept = np.ascontiguousarray(tokens[:whole], np.dtype(handoff.manifest.dtype).newbyteorder("<"))
    bounds = np.array([*(int(end) for end in ends if end <= whole)], np.uint64)
    if not len(bounds) or int(bounds[-1]) != whole:
        bounds = np.append(bounds, np.uint64(whole))
    path = folder / f"{source.name}.ds"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kept.tobytes())
    Path(f"{path}.index").write_bytes(bounds.astype("<u8").tobytes())
    shard = Shard(
        path=str(path),
        bytes=kept.nbytes,
        num_tokens=whole,
        num_documents=len(bounds),
        max_id=int(kept.max(initial=0)),
        sha256=hashlib.sha256(kept.tobytes()).hexdigest(),
    )
    held = [one.model_copy(update={"path": handoff.at(one.path)}) for one in source.splits.get("validation", [])]
    return source.model_copy(update={"splits": {"train": [shard], "validation": held}}), whole


def at_share(manifest: Manifest, sources: Sequence[Source], share: float, tokenizer: str) -> Manifest:
    """The manifest of a proxy: each role's sources keep their proportions to each other, the roles get the share."""
    roles = {"domain": share, "general": 1 - share}
    weight = {role: sum(s.weight or s.num_tokens() for s in sources if s.role == role) for role in roles}
    if empty := [role for role, total in weight.items() if not total]:
        raise UsageError(f"there is no {empty[0]} source to mix: a search needs both roles")
    mixed = [
        s.model_copy(update={"weight": roles[s.role] * (s.weight or s.num_tokens()) / weight[s.role]}) for s in sources
    ]
    info = manifest.tokenizer.model_copy(update={"path": tokenizer})
    return build_manifest(tokenizer=info, sources=mixed, mix={"domain": share})


def role_losses(manifest: Manifest, validation: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, float], str]:
    """Held-out loss of each role, its sources weighted by their held-out text, and the unit."""
    sums: dict[str, list[float]] = {}
    exact = all(found["bits_per_byte"] is not None for found in validation.values())
    for source in manifest.sources:
        if source.name in validation:
            found = validation[source.name]
            value = found["bits_per_byte"] if exact else found["loss"]
            size = float(source.text_bytes.get("validation", 0) or source.num_tokens("validation"))
            total = sums.setdefault(source.role, [0.0, 0.0])
            total[0] += size * value
            total[1] += size
    if missing := [role for role in ("domain", "general") if role not in sums]:
        raise UsageError(f"no held-out text of the role {missing[0]}: the search has nothing to judge by")
    losses = {role: total / size for role, (total, size) in sorted(sums.items())}
    return losses, "bits per byte" if exact else "nats per target"


def search(handoff: Handoff, asked: Proxies, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Run the proxies one after the other and fit; the contents of `mixture.json`. Finished proxies are not rerun."""
    from recipes.pretrain.parallel import start_world, stop_world

    config = _proxy_config(handoff, asked.steps, overrides)
    tokens = asked.steps * (config.global_batch or 1) * (config.objective.sequence_length or 1)
    part = min(1.0, tokens / asked.target)
    folder = Path(handoff.at("mixture"))
    world = start_world()
    try:
        if world.size > 1:
            raise UsageError("proxies are small: start the search with one process, without torchrun")
        cut = [cut_source(handoff, source, part, folder / "data") for source in handoff.manifest.sources]
        runs, unit = [], ""
        for share in asked.shares:
            manifest = at_share(
                handoff.manifest, [s for s, _ in cut], share, handoff.at(handoff.manifest.tokenizer.path)
            )
            found = _train(handoff, manifest, config, folder / f"share-{share:g}-{manifest.fingerprint[:8]}", world)
            losses, unit = role_losses(manifest, found["validation"])
            runs.append({"share": share, "losses": losses, "tokens": found["tokens"], "epochs": found["epochs"]})
            shown = ", ".join(f"{role} {loss:.4f}" for role, loss in losses.items())
            print(f"domain share {share:.0%}: held out, {unit}: {shown}", file=sys.stderr, flush=True)
    finally:
        stop_world()
    losses = {role: [run["losses"][role] for run in runs] for role in ("domain", "general")}
    best = best_share(asked.shares, losses, asked.weights)
    curves = {role: fit_curve(asked.shares, values).__dict__ for role, values in losses.items()}
    return {
        "format_version": FORMAT_VERSION,
        "law": "L(r) = c + k exp(t r) for each role's held-out loss at the domain share r",
        "unit": unit,
        "weights": dict(asked.weights),
        "target_tokens": asked.target,
        "proxy": {"tokens": tokens, "steps": asked.steps, "part": part, "model": config.model.model_dump(mode="json")},
        "sources": {source.name: kept for source, kept in cut},
        "runs": runs,
        "curves": curves,
        "best": best.to_json(),
        "tokenizer_sha256": handoff.manifest.tokenizer.sha256,
        "fingerprint": handoff.manifest.fingerprint,
    }


def _proxy_config(handoff: Handoff, steps: int, overrides: Sequence[str]) -> TrainConfig:
    """`train.yaml` cut down to a proxy; rate and batch follow the proxy's size, not the target's."""
    from pipeline.handoff import parse_train_config

    fixed = ["checkpoint.every_steps=1000000", "export.huggingface=false", "parallel.sharding=none"]
    text = f"seed: {handoff.config.seed}\nsteps: {steps}\n"
    settings = [*DEFAULTS, f"evaluate.every_steps={steps}", *fixed, *overrides]
    given = parse_train_config(text, "proxy", settings)
    if given.objective.kind is None:
        kind = handoff.config.objective.kind if given.model.architecture else "causal"
        given = given.model_copy(update={"objective": given.objective.model_copy(update={"kind": kind})})
    bare = handoff.manifest.model_copy(update={"plan": {}})  # its rate and batch are the target's
    return default_train_config(bare, given)


def _train(handoff: Handoff, manifest: Manifest, config: TrainConfig, out: Path, world: Any) -> dict[str, Any]:
    from recipes.pretrain.loop import Trainer

    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.json").write_text(dump_manifest(manifest), encoding="utf-8")
    proxy = Handoff(handoff.root, manifest, config.model_copy(update={"out": str(out)}))
    trainer = Trainer(proxy, world)
    summary = trainer.run()
    del trainer
    gc.collect()
    if not summary["finished"]:
        raise KeyboardInterrupt
    return summary


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The result for a person."""
    best, runs = found["best"], found["runs"]
    tried = f"{runs[0]['share']:.0%} to {runs[-1]['share']:.0%}"
    said = [
        f"best domain share {best['share']:.1%}, 90 % of the bootstrap between {best['low']:.1%} and {best['high']:.1%}",
        f"{len(runs)} proxies of {found['proxy']['tokens']:,} tokens, {tried} domain, for {found['target_tokens']:,} tokens",
    ]
    if best["at_border"]:
        said.append(f"it is the edge of what was tried ({tried}): the optimum may lie beyond; search there as well")
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        handoff = open_handoff(options.handoff)
        planned = (handoff.manifest.plan.get("chosen") or {}).get("tokens")
        target = int(options.target_tokens or planned or sum(handoff.manifest.tokens_by_role().values()))
        if not 0 < options.domain_weight < 1:
            raise UsageError(f"--domain-weight {options.domain_weight:g}: a weight lies between 0 and 1")
        if options.steps < 1 or target < 1:
            raise UsageError("--steps and --target-tokens are at least 1")
        weights = {"domain": options.domain_weight, "general": 1 - options.domain_weight}
        asked = Proxies(spread(options.low, options.high, options.runs), options.steps, target, weights)
        found = search(handoff, asked, options.set)
        path = Path(handoff.at("mixture.json"))
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    print(json.dumps(found) if options.json else "\n".join([*sentences(found), f"written to {path}"]), flush=True)
    return EXIT_OK


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # gloo's threads can abort the interpreter's own exit after all work is done and on disk
