"""Train the classifier of main content: `python -m bench.train_main_content CORPORA [--check]`.

Learns from the pages of Readability.js' and newspaper's tests, trafilatura's annotated pages and the speeches of the Federal
Reserve; CleanEval is for evaluation only. The weights are numbers over features of blocks and hold no text of any page. One
thread, a fixed order: the same bytes every time with the same versions of the libraries named in `main_content.md`.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench.block_labels import LabelledPage, label
from bench.gold_sets import SETS, GoldPage
from pipeline.kernels.html.block_features import FAR, NAMES
from pipeline.kernels.html.tree import WORDS

SHIPPED = ("readability", "newspaper", "trafilatura", "fed_speeches")
"""The sets that the shipped weights learn from."""
IMPORTANCE = {"readability": 1.5, "newspaper": 0.5, "trafilatura": 1.0, "fed_speeches": 0.3, "cleaneval": 0.2}
"""How much a page of a set counts."""
EVERY = {"fed_speeches": 10}
"""Of a set of pages that are all alike each so-manieth is enough."""
TREES, DEPTH = 100, 4
THRESHOLD = 0.4
"""The share of a block's words in the main content, as predicted, from which on the block is kept."""
SCALE = 1 << 20
NAMELESS = 0.3
"""How much a second copy of each page counts in which no class says anything: names must help, not decide."""
_MARKS = slice(NAMES.index("to_comment"), NAMES.index("to_comment") + len(WORDS))
SETTINGS = {
    "objective": "cross_entropy", "learning_rate": 0.08, "max_depth": DEPTH, "num_leaves": 1 << DEPTH, "min_data_in_leaf": 40,
    "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5, "seed": 7, "verbose": -1,
    "num_threads": 1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


def labelled(corpora: Path, name: str) -> list[LabelledPage]:
    """The pages of a set with features and labels."""
    pages: Iterable[GoldPage] = list(SETS[name](corpora))[:: EVERY.get(name, 1)]
    return [page for gold in pages if len((page := label(gold, drop_comments=name == "cleaneval")).labels)]


def train(sets: dict[str, list[LabelledPage]]) -> dict[str, np.ndarray]:
    """The tensors of the classifier (see `pipeline.extract.main_content`), learned from labelled sets."""
    import lightgbm  # pyright: ignore[reportMissingImports]

    features, labels, weights = [], [], []
    for name, pages in sets.items():
        for page in pages:
            known = page.weights > 0
            nameless = page.features[known]
            nameless[:, _MARKS] = FAR
            features += [page.features[known], nameless]
            labels += [page.labels[known]] * 2
            weights += [page.weights[known] * IMPORTANCE[name], page.weights[known] * IMPORTANCE[name] * NAMELESS]
    data = lightgbm.Dataset(np.concatenate(features), np.concatenate(labels), weight=np.concatenate(weights))
    model = lightgbm.train(SETTINGS, data, TREES)
    trees = [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
    columns = np.zeros((len(trees), 2**DEPTH - 1), np.uint8)
    bounds = np.full(columns.shape, np.inf, np.float32)
    leaves = np.zeros((len(trees), 2**DEPTH), np.int32)
    for number, tree in enumerate(trees):
        _fill(tree, 0, columns[number], bounds[number], leaves[number])
    threshold = np.array(round(np.log(THRESHOLD / (1 - THRESHOLD)) * SCALE), np.int32)
    return {"columns": columns, "bounds": bounds, "leaves": leaves, "threshold": threshold}


def _fill(node: dict[str, Any], place: int, columns: np.ndarray, bounds: np.ndarray, leaves: np.ndarray) -> None:
    """Write a tree of LightGBM's into complete arrays; below a leaf every path leads to its value."""
    if place >= len(columns):
        leaves[place - len(columns)] = round(node["leaf_value"] * SCALE)
        return
    left = right = node
    if "split_feature" in node:
        bound = np.float32(node["threshold"])
        if float(bound) > node["threshold"]:  # a float32 value is at most the bound when it is at most the threshold
            bound = np.nextafter(bound, np.float32(-np.inf))
        columns[place], bounds[place] = node["split_feature"], bound
        left, right = node["left_child"], node["right_child"]
    _fill(left, 2 * place + 1, columns, bounds, leaves)
    _fill(right, 2 * place + 2, columns, bounds, leaves)


def main(argv: list[str] | None = None, progress: Callable[[str], None] = print) -> int:
    """Write the weights beside `main_content.py`; with --check, only compare."""
    from safetensors.numpy import save

    import pipeline.extract

    parser = argparse.ArgumentParser(prog="python -m bench.train_main_content", description=__doc__)
    parser.add_argument("corpora", type=Path, help="folder in the layout of ${CORPORA}")
    beside = Path(pipeline.extract.__file__).with_name("main_content.safetensors")
    parser.add_argument("--out", type=Path, default=beside)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the weights differ")
    arguments = parser.parse_args(argv)
    sets = {name: labelled(arguments.corpora, name) for name in SHIPPED}
    made = save(train(sets), {"features": " ".join(NAMES)})
    if arguments.check:
        same = arguments.out.read_bytes() == made
        progress("the weights are what this command makes" if same else "the weights differ")
        return 0 if same else 1
    arguments.out.write_bytes(made)
    progress(f"{arguments.out.name}: {len(made):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
