"""`python -m bench.gold [SET…]`: main content by every method on every set of pages with gold text.

Every method of `extract.method` gives the text that a run with it has, under default settings. Ours stands twice: the weights of
the package have seen all sets but CleanEval; "left out" is trained anew on all other sets, CleanEval too, and has seen no page of
the set (its text is the words of the kept blocks).
"""

import argparse
import sys
from collections.abc import Callable
from typing import get_args

import numpy as np

from bench.block_labels import LabelledPage, extracted
from bench.corpora import root
from bench.gold_sets import score
from bench.train_main_content import labelled, train
from pipeline.extract.extract_settings import Method
from pipeline.extract.main_content import keep_blocks

SETS = ("cleaneval", "newspaper", "readability", "fed_speeches", "trafilatura")
Score = tuple[float, float, float]


def by_weights(page: LabelledPage, weights: dict[str, np.ndarray]) -> str:
    """The words of the blocks that some weights keep."""
    return page.text(keep_blocks(*page.arrays, weights=weights))


def scores(name: str, sets: dict[str, list[LabelledPage]]) -> dict[str, Score]:
    """Precision, recall and F1 of every method on one set."""
    pages = sets[name]
    weights = train({other: known for other, known in sets.items() if other != name})
    rows = {
        "left out": score((page.gold, by_weights(page, weights)) for page in pages),
    }
    for method in get_args(Method):
        rows[method] = score((page.gold, extracted(method, page.gold.page)) for page in pages)
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
