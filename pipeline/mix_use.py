"""How often each document is used by a mix: a pure function of (seed, id) and two numbers per source."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.partition import id_fractions


@dataclass(frozen=True)
class Selection:
    """How often documents of a source are used: `full` times each, once more where the draw is below `bound`."""

    full: int
    bound: float
    tokens: int
    """Tokens this comes to."""


def draws(ids: pa.Array | pa.ChunkedArray, seed: int) -> np.ndarray:
    """float64[n] in [0, 1): the place of each document in the order of the mix, a pure function of (seed, id)."""
    return id_fractions(ids, f"mix:{seed}")


def select(order: np.ndarray, num_tokens: np.ndarray, wanted_tokens: int) -> Selection:
    """The selection whose tokens come nearest to `wanted_tokens`, so within half a document; draws from `draws`."""
    total = int(num_tokens.sum())
    if total == 0:
        return Selection(0, 0.0, 0)
    full, rest = divmod(wanted_tokens, total)
    by_draw = np.argsort(order, kind="stable")
    sums = np.concatenate([[0], np.cumsum(num_tokens[by_draw], dtype=np.int64)])
    # Documents of one draw go together: only cuts before a new draw are possible.
    sorted_draws = order[by_draw]
    cuts = np.flatnonzero(np.concatenate([[True], sorted_draws[1:] != sorted_draws[:-1], [True]]))
    cut = int(cuts[np.argmin(np.abs(sums[cuts] - rest))])
    bound = float(sorted_draws[cut]) if cut < len(order) else 1.0
    return Selection(full, bound, full * total + int(sums[cut]))


def uses(order: np.ndarray, selection: Selection) -> np.ndarray:
    """int32[n]: how often each document is used."""
    return (selection.full + (order < selection.bound)).astype(np.int32)
