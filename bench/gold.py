"""`python -m bench.gold [SET…]`: main content by every method on every set of pages with gold text.

Ours stands twice. "shipped" are the weights of the package, which have seen all sets but CleanEval. "left out" is trained anew
on all other sets, CleanEval too, and has seen no page of the set. All see the same decoded page; ours is the text as extract
writes it for "shipped", and the words of the kept blocks for "left out".
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np

from bench.block_labels import LabelledPage, extracted, extractors
from bench.corpora import root
from bench.gold_sets import GoldPage, score
from bench.train_main_content import labelled, train
from pipeline.extract.main_content import keep_blocks

SETS = ("cleaneval", "newspaper", "readability", "fed_speeches", "trafilatura")
Score = tuple[float, float, float]


def ours(page: GoldPage) -> str:
    """The text that extract writes, under its default settings."""
    from pipeline.extract.extract_settings import ExtractSettings
    from pipeline.extract.html_text import extract_html

    return extract_html(page.page, None, ExtractSettings()).text


def by_weights(page: LabelledPage, weights: dict[str, np.ndarray]) -> str:
    """The words of the blocks that some weights keep."""
    return page.text(keep_blocks(*page.arrays, weights=weights))


def scores(name: str, sets: dict[str, list[LabelledPage]]) -> dict[str, Score]:
    """Precision, recall and F1 of every method on one set."""
    pages = sets[name]
    weights = train({other: known for other, known in sets.items() if other != name})
    rows = {
        "shipped": score((page.gold, ours(page.gold)) for page in pages),
        "left out": score((page.gold, by_weights(page, weights)) for page in pages),
    }
    for method, extract in extractors().items():
        rows[method] = score((page.gold, extracted(extract, page.gold.page)) for page in pages)
    return rows


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> int:
    """Print a table; the last rows are means over the sets."""
    parser = argparse.ArgumentParser(prog="python -m bench.gold", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)} (default: all)")
    chosen = parser.parse_args(argv).sets or SETS
    corpora = root()
    sets = {name: labelled(corpora, name) for name in SETS}
    show(f"{'set':14} {'pages':>5} {'method':18} precision recall     F1")
    means: dict[str, list[float]] = {}
    for name in chosen:
        for method, row in scores(name, sets).items():
            means.setdefault(method, []).append(row[2])
            show(f"{name:14} {len(sets[name]):5} {method:18} " + "".join(f"{value:9.4f}" for value in row))
    for method, values in means.items():
        show(f"{'mean':14} {'':5} {method:18} {'':18}{sum(values) / len(values):9.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
