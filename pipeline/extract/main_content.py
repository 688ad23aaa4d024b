"""Which blocks of a page are its main content, by a trained classifier that may only leave out a part of the page.

Boosted trees score each block by how it reads and where it lies (`pipeline.kernels.html.block_features`); weights, data and
numbers are described in `main_content.md`. Two rules stand around them. A page without navigation, such as a filing, keeps
everything. And where the trees keep suspiciously little of a page's text, the page is no article: it keeps all but what its
markup calls navigation and what is mostly links, because a list of news, a forum or a shop is worth more than nothing.
"""

from typing import Literal

import numpy as np

from pipeline.core.shipped_weights import ShippedWeights
from pipeline.kernels.html import tree
from pipeline.kernels.html.block_features import FAR, KINDS, NAMES, block_features
from pipeline.kernels.html.block_text import COUNT, FINISHED, GOOD, LETTERS, LINKED
from pipeline.kernels.html.boosted_trees import tree_scores
from pipeline.kernels.html.tables import DATA, FIGURES, HEADER_CELL

Comments = Literal["drop", "keep"]
PLAIN_LINKS = 0.07
"""Share of a page's words in links up to which it is one text, when nothing much in it names itself navigation."""
PLAIN_NAMED = 0.02
"""Share of words that may lie in what names itself navigation there."""
PAGE_BREAKS = 2
"""Page breaks by style from which on a page is a printed document, a filing for one, whose links are its own contents."""
SMALL_WORDS = 50
"""A page of fewer words, such as a field of a table that holds markup, is no page of a site."""
COMMENTED_WORDS = 150
"""Words of prose besides comments from which on comments are about something, and not the page itself."""
_NAMED = (
    tree.NAVIGATION | tree.FOOT | tree.SIDE | tree.RELATED | tree.SUBSCRIBE | tree.SHARE | tree.ADVERT | tree.LISTING
)
_NAMED_GROUPS = [group for group in range(len(tree.WORDS)) if _NAMED >> group & 1]
_NAVIGATION = [NAMES.index(f"in_{name}") for name in ("nav", "footer", "aside", "form")]
_COMMENT, _KIND = NAMES.index("to_comment"), NAMES.index("kind")
_LEVELS = np.array([int(name[1]) if name[1:].isdigit() else 0 for name in KINDS] + [0], np.uint8)


WEIGHTS = ShippedWeights("pipeline.extract", "main_content.safetensors")
"""`columns`, `bounds` and `leaves` of the trees, and `threshold`: the score from which on a block is kept."""


def keep_blocks(
    nodes: np.ndarray,
    signatures: np.ndarray,
    data: np.ndarray,
    block: np.ndarray,
    count: int,
    *,
    role: np.ndarray | None = None,
    comments: Comments = "drop",
    min_chars: int = 500,
    min_frac: float = 0.12,
    weights: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """bool[count]: the blocks to keep, of a page as `tree.read_tree` and `visible.blocks` give it.

    Main content is doubted when it has fewer than `min_chars` characters outside of links, or less than `min_frac` of the
    page's, that which lies in navigation and readers' comments not counted. With `role` (`tables.find_tables`) a table that
    holds data is kept or left out whole.
    """
    if count == 0:
        return np.zeros(0, np.bool_)
    weights = weights or WEIGHTS.tensors
    features, counts, distances = block_features(nodes, signatures, data, block, count)
    words, linked = counts[:, COUNT], counts[:, LINKED]
    aside = np.asarray(features[_NAVIGATION].any(axis=0))
    of_comments = features[_COMMENT] < FAR
    rest = _but_comments(counts, of_comments)
    navigation = aside | (distances[:, _NAMED_GROUPS] < FAR).any(axis=1)
    named = words[rest & navigation].sum()
    breaks = np.count_nonzero(nodes[:, tree.FLAGS] & (tree.BREAK_BEFORE | tree.BREAK_AFTER))
    total = words[rest].sum()
    printed = breaks >= PAGE_BREAKS or linked[rest].sum() <= PLAIN_LINKS * total
    plain = counts[:, LETTERS].astype(np.int64) * (words - linked) // np.maximum(words, 1)
    if (total < SMALL_WORDS and not aside.any()) or (printed and named <= PLAIN_NAMED * total):
        keep = _or_else(~aside, np.ones(count, np.bool_))
        if breaks < PAGE_BREAKS:
            edges = _link_edges(words, linked, counts[:, GOOD]) & (_heading_level(features) == 0)
            keep = _or_else(keep & ~edges | _in_tables(nodes, block, role, count), keep)
    else:
        scores = tree_scores(features, weights["columns"], weights["bounds"], weights["leaves"])
        keep = scores >= weights["threshold"]
        keep &= ~_bare_headings(features, keep)
        whole = plain[rest & ~aside].sum()
        if plain[keep].sum() < max(min_frac * whole, min(min_chars, 0.6 * whole)):
            keep = ~aside & (2 * linked < words)
            keep = _or_else(keep, _or_else(~aside, np.ones(count, np.bool_)))
        keep = _or_else(keep, ~aside & (counts[:, FINISHED] > 0) & (words >= 10))  # a whole text within one link
    if comments == "keep":
        keep |= of_comments & (10 * linked < 3 * words) & ((words >= 10) | (counts[:, FINISHED] > 0))
    elif plain[keep & rest].sum() >= min(min_chars, 0.5 * plain[rest].sum()):
        keep &= rest
    if role is not None:
        _keep_whole_tables(nodes, block, keep, words, linked, navigation, role)
    return keep


def _link_edges(words: np.ndarray, linked: np.ndarray, prose: np.ndarray) -> np.ndarray:
    """bool[count]: what is mostly links before the first and after the last block of prose: menus without a name."""
    places = np.flatnonzero(prose)
    edge = np.ones(len(words), np.bool_)
    if len(places):
        edge[places[0] : places[-1] + 1] = False
    return edge & (2 * linked > words)


def _in_tables(nodes: np.ndarray, block: np.ndarray, role: np.ndarray | None, count: int) -> np.ndarray:
    """bool[count]: what lies in tables that hold data."""
    inside = np.zeros(count, np.bool_)
    if role is not None:
        for table in np.flatnonzero((role == DATA) | (role == FIGURES)).tolist():
            rows = block[table : nodes[table, tree.END]]
            inside[rows[rows >= 0]] = True
    return inside


def _heading_level(features: np.ndarray) -> np.ndarray:
    """uint8[count]: 1 to 6 of headings, 0 of other blocks."""
    return _LEVELS[features[_KIND].astype(np.uint8)]


def _bare_headings(features: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """bool[count]: headings, but a page's first lines, of whose next three blocks none is kept: those of lists of links."""
    after = np.append(keep, (False, False, False))
    following = after[1:-2] | after[2:-1] | after[3:]
    return (_heading_level(features) > 1) & ~following & (np.cumsum(keep) > 3)


def _or_else(keep: np.ndarray, other: np.ndarray) -> np.ndarray:
    return keep if keep.any() else other


def _keep_whole_tables(
    nodes: np.ndarray, block: np.ndarray, keep: np.ndarray, words: np.ndarray, linked: np.ndarray, named: np.ndarray,
    role: np.ndarray,
) -> None:  # fmt: skip
    """A table that holds data stays when most of its words do, or when it stands between blocks that stay and is no menu.

    One of links that hold figures or stand under headings is an index of exhibits or a list of places and no menu, when it lies
    right behind what stays, in the same element, and nothing says that it is navigation.
    """
    end = 0
    for row in np.flatnonzero((role == DATA) | (role == FIGURES)).tolist():
        inside = block[row : nodes[row, tree.END]]
        inside = inside[inside >= 0]
        if row < end or len(inside) == 0:
            continue
        end, first, last = nodes[row, tree.END], inside[0], inside[-1]
        span = slice(first, last + 1)
        total = words[span].sum()
        before = first > 0 and keep[first - 1]
        amid = before and last + 1 < len(keep) and keep[last + 1] and 2 * linked[span].sum() < total
        headed = 2 * linked[span].sum() >= total and (nodes[row:end, tree.TAG] == HEADER_CELL).any()
        if before and not amid and (headed or role[row] == FIGURES) and not named[span].any():
            amid = np.flatnonzero(block[:row] == first - 1)[0] > nodes[row, tree.PARENT]
        keep[span] = amid or 2 * words[span][keep[span]].sum() >= max(total, 1)


def _but_comments(counts: np.ndarray, of_comments: np.ndarray) -> np.ndarray:
    """bool[count]: what is no comment, or everything on a page that has next to no other prose than comments."""
    prose, other = counts[:, GOOD].sum(), counts[~of_comments, GOOD].sum()
    if other >= COMMENTED_WORDS or 10 * other > prose:
        return ~of_comments
    return np.ones(len(counts), np.bool_)
