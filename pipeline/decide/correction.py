"""Rebalancing: correct what a stage removes until no identity term is under four fifths, and say what that costs.

Two means. *readmit*: of the group that is harmed most, removed documents that are not toxic come back, those nearest to the
bound first, until its row no longer fails; then the next. *threshold*: the bounds of the stage are loosened for everyone, as
little as makes every row pass. Both are functions of the set of documents: neither their order nor their layout matters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit.bias import bias_row, bias_table, term_matrix, worst_first
from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.identity_terms import identity_terms

STEPS = 256
"""Bounds that are tried between as it is and removing nothing."""


@dataclass(frozen=True)
class Removed:
    """What one stage removes: `mask` bool[n]; `excess` float64[n], how far beyond the bound a removed document lies, 0 at the
    bound and 1 at the farthest one, infinite where a rule without a bound removes it (such a document stays removed)."""

    mask: np.ndarray
    excess: np.ndarray
    ids: np.ndarray


def readmit(
    removed: Removed, toxic: np.ndarray, terms: pa.Array | pa.ChunkedArray, settings: BiasSettings
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The mask without the documents that come back, and one entry per corrected term with its row before and after.

    Readmitting for one term raises the share that others of its axis are compared with, so the table is made again after each;
    a term whose harmless documents do not suffice is corrected as far as they go.
    """
    gone, steps = np.array(removed.mask, dtype=np.bool_), []
    mentions, ids = term_matrix(terms), {(term.axis, term.name): term.id for term in identity_terms()}
    axes = {axis: [term.id for term in identity_terms() if term.axis == axis] for axis, _ in ids}
    before = {(row["axis"], row["term"]): row for row in bias_table({"stage": gone}, terms, settings)}
    stuck: set[tuple[str, str]] = set()
    while True:
        rows = worst_first(bias_table({"stage": gone}, terms, settings))
        failing = [row for row in rows if row["verdict"] == "fail" and (row["axis"], row["term"]) not in stuck]
        if not failing:
            return gone, steps
        axis, name = failing[0]["axis"], failing[0]["term"]
        has = mentions[:, ids[axis, name]]
        others = mentions[:, axes[axis]].any(axis=1) & ~has
        back = np.flatnonzero(has & gone & ~toxic & np.isfinite(removed.excess))
        back = back[np.lexsort((removed.ids[back], removed.excess[back]))]
        low, high = 0, len(back)
        while low < high:  # the fewest with which the row no longer fails: it only gets better with more
            middle = (low + high) // 2
            trial = gone.copy()
            trial[back[:middle]] = False
            fails = bias_row("stage", axis, name, has, others, ~trial, settings)["verdict"] == "fail"
            low, high = (middle + 1, high) if fails else (low, middle)
        gone[back[:low]] = False
        after = bias_row("stage", axis, name, has, others, ~gone, settings)
        if after["verdict"] == "fail" or not low:
            stuck.add((axis, name))
        steps.append(
            {
                "axis": axis,
                "term": name,
                "readmitted": int(low),
                "ratio_before": before[axis, name]["ratio"],
                "ratio_after": after["ratio"],
                "verdict": after["verdict"],
            }
        )


def loosen(
    removed: Removed, terms: pa.Array | pa.ChunkedArray, settings: BiasSettings
) -> tuple[np.ndarray, float | None]:
    """The mask under the tightest bounds that pass, and by how much of the way to removing nothing they are loosened.

    At most `STEPS` bounds are tried, at even shares of the removed documents. None when no row fails as it is.
    """

    def fails(mask: np.ndarray) -> bool:
        return any(row["verdict"] == "fail" for row in bias_table({"stage": mask}, terms, settings))

    if not fails(removed.mask):
        return removed.mask, None
    movable = np.sort(removed.excess[removed.mask & np.isfinite(removed.excess)])
    if not len(movable):
        return removed.mask, None
    places = np.unique(np.linspace(0, len(movable) - 1, min(STEPS, len(movable))).round().astype(np.int64))
    mask, share = removed.mask, 0.0
    for share in np.unique(movable[places]).tolist():
        mask = removed.mask & (removed.excess > share)
        if not fails(mask):
            break
    return mask, share
