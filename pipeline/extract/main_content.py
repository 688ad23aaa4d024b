"""Which blocks of a page are its main content, by a trained classifier that may only leave out a part of the page.

Boosted trees score each block by how it reads and where it lies (`pipeline.kernels.html.block_features`); weights, data and
numbers are described in `main_content.md`. Two rules stand around them. A page without navigation, such as a filing, keeps
everything. And where the trees keep suspiciously little of a page's text, the page is no article: it keeps all but what its
markup calls navigation and what is mostly links, because a list of news, a forum or a shop is worth more than nothing.
"""

import functools
import hashlib
from importlib import resources
from typing import Literal

import numpy as np

from pipeline.kernels.html.block_features import (
    COUNT,
    FAR,
    FINISHED,
    GOOD,
    LETTERS,
    LINKED,
    NAMES,
    block_features,
)
from pipeline.kernels.html.boosted_trees import tree_scores

Comments = Literal["drop", "keep"]
PLAIN_LINKS = 0.03
"""A page with no larger share of its words in links has no navigation to leave out."""
SMALL_WORDS = 50
"""Nor has a page of so few words, such as a field of a table that holds markup."""
_NAVIGATION = [NAMES.index(f"in_{name}") for name in ("nav", "footer", "aside", "form")]
_COMMENT = NAMES.index("to_comment")


@functools.cache
def weights_bytes() -> bytes:
    """The weights as stored."""
    return resources.files("pipeline.extract").joinpath("main_content.safetensors").read_bytes()


@functools.cache
def weights_sha256() -> str:
    """The sha256 of the weights."""
    return hashlib.sha256(weights_bytes()).hexdigest()


@functools.cache
def load_weights() -> dict[str, np.ndarray]:
    """`columns`, `bounds` and `leaves` of the trees, and `threshold`: the score from which on a block is kept."""
    from safetensors.numpy import load

    return load(weights_bytes())


def keep_blocks(
    nodes: np.ndarray,
    signatures: np.ndarray,
    data: np.ndarray,
    block: np.ndarray,
    count: int,
    *,
    comments: Comments = "drop",
    min_chars: int = 500,
    min_frac: float = 0.12,
    weights: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """bool[count]: the blocks to keep, of a page as `tree.read_tree` and `tree.blocks` give it.

    Main content is doubted when it has fewer than `min_chars` characters outside of links, or less than `min_frac` of the
    page's, that which lies in navigation and readers' comments not counted.
    """
    if count == 0:
        return np.zeros(0, np.bool_)
    weights = weights or load_weights()
    features, counts, _ = block_features(nodes, signatures, data, block, count)
    words, linked = counts[:, COUNT], counts[:, LINKED]
    aside = features[_NAVIGATION].any(axis=0)
    of_comments = features[_COMMENT] < FAR
    if not aside.any() and (words.sum() < SMALL_WORDS or linked.sum() <= PLAIN_LINKS * words.sum()):
        return ~of_comments if comments == "drop" and _much_else(counts, of_comments) else np.ones(count, np.bool_)
    scores = tree_scores(features, weights["columns"], weights["bounds"], weights["leaves"])
    keep = scores >= weights["threshold"]
    plain = counts[:, LETTERS].astype(np.int64) * (words - linked) // np.maximum(words, 1)
    whole = plain[~of_comments & ~aside].sum()
    if plain[keep].sum() < max(min_frac * whole, min(min_chars, 0.6 * whole)):
        keep = ~aside & (2 * linked < words)
        if comments == "drop" and _much_else(counts, of_comments):
            keep &= ~of_comments
        keep = keep if keep.any() else ~aside if not aside.all() else ~keep
    elif comments == "drop" and plain[keep & ~of_comments].sum() >= min_chars:
        keep &= ~of_comments
    if comments == "keep":
        keep |= of_comments & (10 * linked < 3 * words) & ((words >= 10) | (counts[:, FINISHED] > 0))
    return keep


def _much_else(counts: np.ndarray, of_comments: np.ndarray) -> bool:
    """Whether a tenth of a page's prose is something else than comments: a page that is all comments keeps them."""
    return 10 * counts[~of_comments, GOOD].sum() > counts[:, GOOD].sum()
