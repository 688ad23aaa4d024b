"""`python -m recipes.pretrain.mixture HANDOFF`: small proxy runs at several domain shares, and the share they point to.

With `--source NAME` the share of a source within its role is searched too, at the best domain share, while the other
sources keep their proportions: three to five proxies a source.

A proxy sees far fewer tokens than the run it stands for. So that text repeats as often in the proxy as it will in the
run, every source is cut to the proxy's part of the target: with 1 % of the target's tokens it draws on 1 % of the
source. Leaves `mixture.json` in the run folder, which a recipe names under `mix: {search: …}`.
"""

import argparse
import gc
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.handoff import (
    EXIT_OK,
    Manifest,
    Source,
    TrainConfig,
    UsageError,
    default_train_config,
    dump_manifest,
)
from pipeline.size.mixture import FORMAT_VERSION, best_share, fit_curve
from recipes.pretrain.command import leave, need_torch, run
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.proxies import at_share, cut_source, role_losses, target_tokens

FEWEST, MOST = 3, 5
DEFAULTS = ("phases=[]", "batch_ramp=null", "global_batch=8", "objective.sequence_length=128", "model.preset=tiny",
            "optimizer.learning_rate=0.003")  # fmt: skip
"""What a proxy takes unless `--set` says otherwise: about a million parameters and 1,024 tokens a step."""


@dataclass(frozen=True)
class Proxies:
    """What is run: a proxy for each share, `steps` long; `target` is the run they stand for, in tokens."""

    shares: tuple[float, ...]
    steps: int
    target: int
    weights: Mapping[str, float]
    """What the held-out loss of each role counts."""
    sources: tuple[str, ...] = ()
    """Sources whose share within their role is searched after the domain share."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = argparse.ArgumentParser(prog="python -m recipes.pretrain.mixture", description="Search the domain share.")
    cli.add_argument("handoff", metavar="HANDOFF", help="the hand-off folder of a run")
    cli.add_argument(
        "--runs", type=int, default=5, metavar="N", help=f"proxies a search, {FEWEST} to {MOST} (default 5)"
    )
    cli.add_argument("--low", type=float, default=0.2, metavar="SHARE", help="smallest share tried (default 0.2)")
    cli.add_argument("--high", type=float, default=0.8, metavar="SHARE", help="largest share tried (default 0.8)")
    cli.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="search this source's share of its role too"
    )
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


@dataclass
class _Runner:
    """Trains proxies on sources that are cut already; the unit of their losses is known after the first."""

    handoff: Handoff
    config: TrainConfig
    sources: list[Source]
    folder: Path
    world: Any
    unit: str = ""

    def run(self, name: str, share: float, domain: float, within: Mapping[str, float]) -> dict[str, Any]:
        """One proxy, named after what is varied and its share; a finished one is not run again."""
        tokenizer = self.handoff.at(self.handoff.manifest.tokenizer.path)
        manifest = at_share(self.handoff.manifest, self.sources, domain, tokenizer, within)
        out = self.folder / f"{name}-{share:g}-{manifest.fingerprint[:8]}"
        summary = train_proxy(self.handoff, manifest, self.config, out, self.world)
        losses, self.unit = role_losses(manifest, summary["validation"])
        shown = ", ".join(f"{role} {loss:.4f}" for role, loss in losses.items())
        print(f"{name} {share:.0%}: held out, {self.unit}: {shown}", file=sys.stderr, flush=True)
        return {"share": share, "losses": losses, "tokens": summary["tokens"], "epochs": summary["epochs"]}


def fitted(runs: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> dict[str, Any]:
    """Runs, the law through each role's losses, and the best share with its band."""
    shares = [run["share"] for run in runs]
    losses = {role: [run["losses"][role] for run in runs] for role in ("domain", "general")}
    curves = {role: fit_curve(shares, values).__dict__ for role, values in losses.items()}
    return {"runs": list(runs), "curves": curves, "best": best_share(shares, losses, weights).to_json()}


def check_sources(sources: Sequence[Source], names: Sequence[str]) -> dict[str, Source]:
    """The named sources. UsageError for a name there is not, or a source that is alone in its role."""
    by_name = {source.name: source for source in sources}
    for name in names:
        if name not in by_name:
            raise UsageError(f"--source {name}: there are {', '.join(sorted(by_name))}")
        role = by_name[name].role
        if sum(source.role == role for source in sources) < 2:
            raise UsageError(f"--source {name}: it is the only {role} source, whose share --low and --high vary")
    return {name: by_name[name] for name in names}


def search(handoff: Handoff, asked: Proxies, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Run the proxies one after the other and fit; the contents of `mixture.json`. Finished proxies are not rerun."""
    from recipes.pretrain.parallel import start_world, stop_world

    named = check_sources(handoff.manifest.sources, asked.sources)
    config = proxy_config(handoff, asked.steps, overrides)
    tokens = asked.steps * (config.global_batch or 1) * (config.objective.sequence_length or 1)
    part = min(1.0, tokens / asked.target)
    folder = Path(handoff.at("mixture"))
    world = start_world()
    try:
        if world.size > 1:
            raise UsageError("proxies are small: start the search with one process, without torchrun")
        cut = [cut_source(handoff, source, part, folder / "data") for source in handoff.manifest.sources]
        runner = _Runner(handoff, config, [source for source, _ in cut], folder, world)
        domain = fitted([runner.run("share", share, share, {}) for share in asked.shares], asked.weights)
        best = domain["best"]["share"]
        within = {}
        for name, source in named.items():
            runs = [runner.run(name, share, best, {name: share}) for share in asked.shares]
            within[name] = {"role": source.role, **fitted(runs, asked.weights)}
    finally:
        stop_world()
    return {
        "format_version": FORMAT_VERSION,
        "law": "L(r) = c + k exp(t r) for each role's held-out loss at the domain share r; "
        "under `within`, r is the source's share of its role",
        "unit": runner.unit,
        "weights": dict(asked.weights),
        "target_tokens": asked.target,
        "proxy": {"tokens": tokens, "steps": asked.steps, "part": part, "model": config.model.model_dump(mode="json")},
        "sources": {source.name: kept for source, kept in cut},
        **domain,
        "within": within,
        "tokenizer_sha256": handoff.manifest.tokenizer.sha256,
        "fingerprint": handoff.manifest.fingerprint,
    }


def proxy_config(handoff: Handoff, steps: int, overrides: Sequence[str]) -> TrainConfig:
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


def train_proxy(handoff: Handoff, manifest: Manifest, config: TrainConfig, out: Path, world: Any) -> dict[str, Any]:
    """Train one proxy on a manifest of cut sources: the trainer's summary."""
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


def sentences(result: Mapping[str, Any]) -> list[str]:
    """The result for a person."""
    best, runs = result["best"], result["runs"]
    tried = f"{runs[0]['share']:.0%} to {runs[-1]['share']:.0%}"
    lines = [
        f"best domain share {best['share']:.1%}, 90 % of the bootstrap between {best['low']:.1%} and {best['high']:.1%}",
        f"{len(runs)} proxies of {result['proxy']['tokens']:,} tokens, {tried} domain, for {result['target_tokens']:,} tokens",
    ]
    if best["at_border"]:
        lines.append(f"it is the edge of what was tried ({tried}): the optimum may lie beyond; search there as well")
    for name, search in result["within"].items():
        inner = search["best"]
        edge = ", the edge of what was tried" if inner["at_border"] else ""
        lines.append(
            f"best share of {name} in the {search['role']} text {inner['share']:.1%}{edge}, "
            f"90 % of the bootstrap between {inner['low']:.1%} and {inner['high']:.1%}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    return run(lambda: _main(options))


def _main(options: argparse.Namespace) -> int:
    need_torch()
    handoff = open_handoff(options.handoff)
    target = target_tokens(handoff, options.target_tokens)
    if not 0 < options.domain_weight < 1:
        raise UsageError(f"--domain-weight {options.domain_weight:g}: a weight lies between 0 and 1")
    if options.steps < 1 or target < 1:
        raise UsageError("--steps and --target-tokens are at least 1")
    weights = {"domain": options.domain_weight, "general": 1 - options.domain_weight}
    shares = spread(options.low, options.high, options.runs)
    result = search(handoff, Proxies(shares, options.steps, target, weights, tuple(options.source)), options.set)
    path = Path(handoff.at("mixture.json"))
    path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(result) if options.json else "\n".join([*sentences(result), f"written to {path}"]), flush=True)
    return EXIT_OK


if __name__ == "__main__":
    leave(main())
