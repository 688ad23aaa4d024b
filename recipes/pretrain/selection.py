"""`python -m recipes.pretrain.selection HANDOFF`: proxy runs on the best shares of a corpus, and whether one beats all of it.

The hand-off must be of a run that keeps everything and scores it (`select: {keep: 1.0, of: kept_tokens}`): its tables of uses
hold the score of every training document. A proxy of a share trains on the documents with the highest scores, each source cut
as in a mixture search, so that the share repeats as often as it would in the run it stands for. Several seeds say how far
chance goes. Leaves `selection.json`, which a recipe names under `select: {search: …}`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.handoff import Source, UsageError
from pipeline.size.search_file import SELECTION_VERSION
from recipes.pretrain.command import leave, need_torch, run
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.proxies import Proxies, at_share, cut_source, parser, write_source
from recipes.pretrain.token_stream import TokenStream

SPREADS = 3.0
"""A share is better than everything when it gains more than so many times the largest difference between seeds."""
MOST_EPOCHS = 10.0
"""Of the tokens that a proxy draws on: beyond that an arm says more of repetition than of its documents, and is not measured."""


def shares_of(text: str) -> tuple[float, ...]:
    """The shares of a comma-separated list, rising, without 1.

    >>> shares_of("0.3, 0.1")
    (0.1, 0.3)
    """
    try:
        shares = sorted({float(word) for word in text.split(",")} - {1.0})
    except ValueError:
        shares = []
    if not shares or not 0 < shares[0] <= shares[-1] < 1:
        raise UsageError(f"--shares {text}: expected numbers between 0 and 1, as 0.01,0.1")
    return tuple(shares)


def scores_of(handoff: Handoff, source: Source) -> np.ndarray:
    """float64[documents] in the order of the training shards. UsageError where the hand-off has no scores."""
    import pyarrow.parquet as pq

    columns = [pq.read_table(handoff.at(path)) for path in source.uses]
    if not columns or any("score" not in table.column_names for table in columns):
        raise UsageError(
            f"{source.name}: the hand-off has no scores; run with `select: {{keep: 1.0, of: kept_tokens}}`"
        )
    return np.concatenate([table["score"].to_numpy() for table in columns])


def best_of(handoff: Handoff, source: Source, share: float, folder: Path) -> Source:
    """The source with its best documents alone, up to a share of its tokens, in the order in which they lie."""
    scores = np.nan_to_num(scores_of(handoff, source), nan=-1.0)
    stream = TokenStream(handoff, source.splits.get("train", []))
    tokens, ends = stream.read(0, stream.num_tokens)
    lengths = np.diff(ends, prepend=0)
    if len(lengths) != len(scores):
        raise UsageError(f"{source.name}: {len(lengths):,} training documents and {len(scores):,} scores")
    order = np.argsort(-scores, kind="stable")
    count = max(1, int(np.searchsorted(np.cumsum(lengths[order]), share * stream.num_tokens, "right")))
    stays = np.zeros(len(scores), np.bool_)
    stays[order[:count]] = True
    return write_source(
        source, np.asarray(tokens)[np.repeat(stays, lengths)], np.cumsum(lengths[stays]), handoff, folder
    )


def search(proxies: Proxies, shares: Sequence[float], seeds: int, exempt: Sequence[str]) -> dict[str, Any]:
    """Run the proxies and compare; what `selection.json` holds of them. Everything is always among what is tried."""
    handoff, runs = proxies.handoff, []
    by_role = handoff.manifest.tokens_by_role()
    domain = handoff.manifest.mix.get("domain") or by_role.get("domain", 0) / max(sum(by_role.values()), 1)
    with proxies.running():
        for share in (*shares, 1.0):
            data, sources = proxies.folder / f"data-{share:g}", []
            for source in handoff.manifest.sources:
                whole = share == 1.0 or source.name in exempt
                best = source if whole else best_of(handoff, source, share, data / "best")
                sources.append(cut_source(handoff, best, proxies.part, data)[0])
            manifest = at_share(handoff.manifest, sources, domain, proxies.tokenizer)
            epochs = proxies.tokens / max(sum(s.num_tokens() for s in sources), 1)
            for seed in range(seeds):
                losses = proxies.train(manifest, f"keep-{share:g}-{seed}", seed)[1] if epochs <= MOST_EPOCHS else None
                tried = {"share": share, "seed": seed, "tokens": proxies.tokens, "times_seen": epochs, "losses": losses}
                runs.append(tried)
    return {"format_version": SELECTION_VERSION, "exempt": list(exempt), "runs": runs, "best": compared(runs)}


def compared(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The share with the least mean loss (domain and general weighing the same), what it gains on everything, and the spread."""
    by_share: dict[float, list[float]] = {}
    for one in runs:
        if one["losses"] is not None:
            by_share.setdefault(one["share"], []).append(float(np.mean(list(one["losses"].values()))))
    if 1.0 not in by_share or len(by_share) < 2:
        raise UsageError(
            "no share has enough text for these proxies: nothing to compare with everything; fewer --steps"
        )
    means = {share: float(np.mean(losses)) for share, losses in by_share.items()}
    spread = max(max(losses) - min(losses) for losses in by_share.values())
    best = min(means, key=lambda share: (means[share], -share))
    gain = means[1.0] - means[best]
    return {"share": best, "gain": gain, "spread": spread, "beyond_spread": best < 1 and gain > SPREADS * spread}


def sentence(result: dict[str, Any], unit: str) -> str:
    """The result for a person."""
    best = result["best"]
    measured = {one["share"] for one in result["runs"] if one["losses"] is not None}
    left = sorted({one["share"] for one in result["runs"]} - measured)
    text = f"best share {best['share']:g}: {best['gain']:+.4f} {unit} better than everything"
    text += f"; seeds differ by {best['spread']:.4f}"
    if not best["beyond_spread"]:
        text += f": not beyond {SPREADS:g} spreads, so nothing says to keep less"
    return text + (f"; not measured, too little text: {', '.join(f'{share:g}' for share in left)}" if left else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    what, tried = "the hand-off folder of a run that scored and kept everything", "0.01,0.03,0.1,0.3"
    cli = parser(".selection", "Search the share to keep.", what)
    cli.add_argument("--shares", default=tried, metavar="LIST", help=f"shares tried (default {tried})")
    cli.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each share (default 3)")
    cli.add_argument("--exempt", action="append", default=[], metavar="SOURCE", help="a source that is used whole")
    return run(cli, _main, arguments)


def _main(options: argparse.Namespace) -> int:
    need_torch()
    proxies = Proxies(open_handoff(options.handoff), options, "selection")
    names = {source.name for source in proxies.handoff.manifest.sources}
    if unknown := set(options.exempt) - names:
        raise UsageError(f"--exempt {min(unknown)}: there are {', '.join(sorted(names))}")
    if options.seeds < 2:
        raise UsageError("--seeds is at least 2: one run has no spread")
    result = search(proxies, shares_of(options.shares), options.seeds, options.exempt)
    return proxies.leave(options, result, [sentence(result, proxies.unit)])


if __name__ == "__main__":
    leave(main())
