"""`python -m recipes.pretrain.mixture HANDOFF`: small proxy runs at several domain shares, and the share they point to.

With `--source NAME` the share of a source within its role is searched too, at the best domain share, while the other
sources keep their proportions: three to five proxies a source.

Leaves `mixture.json` in the run folder, which a recipe names under `mix: {search: …}`.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.handoff import Source, UsageError
from pipeline.size.mixture import FORMAT_VERSION, best_share, fit_curve
from recipes.pretrain.command import leave, need_torch, run
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.proxies import Proxies, at_share, cut_source, parser

FEWEST, MOST = 3, 5
LAW = "L(r) = c + k exp(t r), each role's held-out loss at the domain share r; under `within`, r is a source's share of its role"


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


def fitted(runs: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> dict[str, Any]:
    """Runs, the law through each role's losses, and the best share with its band."""
    shares = [run["share"] for run in runs]
    losses = {role: [run["losses"][role] for run in runs] for role in ("domain", "general")}
    curves = {role: fit_curve(shares, values).__dict__ for role, values in losses.items()}
    return {"runs": list(runs), "curves": curves, "best": vars(best_share(shares, losses, weights))}


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


def search(
    proxies: Proxies, shares: Sequence[float], weights: Mapping[str, float], named: Mapping[str, Source]
) -> dict[str, Any]:
    """Run the proxies one after the other and fit; what `mixture.json` holds of them. Finished proxies are not rerun."""
    handoff = proxies.handoff

    def one(name: str, share: float, domain: float, within: Mapping[str, float]) -> dict[str, Any]:
        """A proxy, named after what is varied and its share."""
        manifest = at_share(handoff.manifest, sources, domain, proxies.tokenizer, within)
        summary, losses = proxies.train(manifest, f"{name}-{share:g}")
        return {"share": share, "losses": losses, "tokens": summary["tokens"], "epochs": summary["epochs"]}

    with proxies.running():
        cut = [
            cut_source(handoff, source, proxies.part, proxies.folder / "data") for source in handoff.manifest.sources
        ]
        sources = [source for source, _ in cut]
        domain = fitted([one("share", share, share, {}) for share in shares], weights)
        best, within = domain["best"]["share"], {}
        for name, source in named.items():
            runs = [one(name, share, best, {name: share}) for share in shares]
            within[name] = {"role": source.role, **fitted(runs, weights)}
    return {
        "format_version": FORMAT_VERSION,
        "law": LAW,
        "weights": dict(weights),
        "sources": {source.name: kept for source, kept in cut},
        **domain,
        "within": within,
        "fingerprint": handoff.manifest.fingerprint,
    }


def sentences(result: Mapping[str, Any], proxies: Proxies) -> list[str]:
    """The result for a person."""
    best, runs = result["best"], result["runs"]
    tried = f"{runs[0]['share']:.0%} to {runs[-1]['share']:.0%}"
    lines = [
        f"best domain share {best['share']:.1%}, 90 % of the bootstrap between {best['low']:.1%} and {best['high']:.1%}",
        f"{len(runs)} proxies of {proxies.tokens:,} tokens, {tried} domain, for {proxies.target:,} tokens",
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
    cli = parser(".mixture", "Search the domain share.", "the hand-off folder of a run")
    add = cli.add_argument
    add("--runs", type=int, default=5, metavar="N", help=f"proxies a search, {FEWEST} to {MOST} (default 5)")
    add("--low", type=float, default=0.2, metavar="SHARE", help="smallest share tried (default 0.2)")
    add("--high", type=float, default=0.8, metavar="SHARE", help="largest share tried (default 0.8)")
    add("--source", action="append", default=[], metavar="NAME", help="search this source's share of its role too")
    add("--domain-weight", type=float, default=0.5, metavar="W", help="what domain loss counts against general (0.5)")
    return run(cli, _main, arguments)


def _main(options: argparse.Namespace) -> int:
    need_torch()
    proxies = Proxies(open_handoff(options.handoff), options, "mixture")
    if not 0 < options.domain_weight < 1:
        raise UsageError(f"--domain-weight {options.domain_weight:g}: a weight lies between 0 and 1")
    weights = {"domain": options.domain_weight, "general": 1 - options.domain_weight}
    shares = spread(options.low, options.high, options.runs)
    result = search(proxies, shares, weights, check_sources(proxies.handoff.manifest.sources, options.source))
    return proxies.leave(options, result, sentences(result, proxies))


if __name__ == "__main__":
    leave(main())
