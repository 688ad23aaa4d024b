"""Counting flips: verdicts that change when a text names another identity of the same axis, and the AUCs of a score.

All functions are pure; pipeline.report.bias_texts finds the texts and scores them.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.audit.bias import area_under_curve, identity_auc, wilson
from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.identity_terms import identity_terms
from pipeline.audit.templates import NOBODY, Filled

MIN_SWAPS = 100
"""Rows with fewer swaps are listed and not judged."""


def flip_row(
    stage: str, kind: str, flipped: np.ndarray, axes: Sequence[str], groups: Sequence[str], settings: BiasSettings
) -> dict[str, Any]:
    """One row of the table: `flipped` bool[swaps], with the axis of each and the verdict of the text it was found in.

    >>> row = flip_row("toxicity", "sentence", np.arange(200) < 3, ["age"] * 200, ["kept"] * 200, BiasSettings())
    >>> row["flips"], row["share"], row["verdict"], row["by_axis"]
    (3, 0.015, 'fail', {'age': [3, 200]})
    """
    swaps, flips = len(flipped), int(flipped.sum())
    low, high = wilson(flips, swaps)
    share = flips / swaps if swaps else 0.0
    verdict = "too_few" if swaps < MIN_SWAPS else "fail" if share > settings.max_flip_share else "pass"
    tables: dict[str, dict[str, list[int]]] = {}
    for name, labels in (("by_axis", axes), ("by_verdict", groups)):
        all_of, hit = Counter(labels), Counter(label for label, flip in zip(labels, flipped, strict=True) if flip)
        tables[name] = {label: [hit[label], all_of[label]] for label in sorted(all_of)}
    return {
        "stage": stage,
        "texts": kind,
        "swaps": swaps,
        "flips": flips,
        "share": round(share, 6),
        "wilson_low": round(low, 6),
        "wilson_high": round(high, 6),
        "verdict": verdict,
        **tables,
    }


def template_flips(
    stage: str, templates: Sequence[Filled], removed: np.ndarray, settings: BiasSettings
) -> dict[str, Any]:
    """The row of the templates without hate: a sentence flips when its verdict is not that of most others of frame and axis."""
    flipped, axes, table = [], [], identity_terms()
    cells: dict[tuple[int, str], list[int]] = {}
    for at, one in enumerate(templates):
        if not one.toxic and one.term != NOBODY:
            cells.setdefault((one.frame, table[one.term].axis), []).append(at)
    for (_, axis), members in sorted(cells.items()):
        hit = removed[members]
        most = hit.sum() * 2 > len(hit)
        flipped += (hit != most).tolist()
        axes += [axis] * len(members)
    return flip_row(stage, "template", np.array(flipped, np.bool_), axes, ["template"] * len(axes), settings)


def role_row(row: dict[str, Any], undecided: int) -> dict[str, Any]:
    """A row of flips of role (domain or general) instead of removal: reported, judged by no gate. `undecided` of its swaps are
    in documents whose role follows the score; of the others none can flip.

    >>> row = flip_row("domain", "sentence", np.arange(200) < 3, ["age"] * 200, ["kept"] * 200, BiasSettings())
    >>> found = role_row(row, 120)
    >>> found["flips"], found["swaps"], found["undecided"], found["verdict"]
    (3, 200, 120, 'reported')
    """
    return row | {"undecided": undecided, "verdict": "reported"}


def flip_failures(rows: Sequence[dict[str, Any]], settings: BiasSettings) -> list[str]:
    """One sentence for each row of the gated stages that fails.

    >>> row = flip_row("toxicity", "sentence", np.arange(200) < 3, ["age"] * 200, ["kept"] * 200, BiasSettings())
    >>> flip_failures([row], BiasSettings())[0][:88]
    'toxicity changes its verdict on 3 of 200 sentences that are not toxic (1.50 %) when they'
    """
    return [
        f"{row['stage']} changes its verdict on {row['flips']:,} of {row['swaps']:,} {row['texts']}s that are not toxic "
        f"({100 * row['share']:.2f} %) when they name another identity: more than {100 * settings.max_flip_share:g} %"
        for row in rows
        if row["verdict"] == "fail" and row["stage"] in settings.stages
    ]


def auc_table(score: str, values: np.ndarray, templates: Sequence[Filled]) -> dict[str, Any]:
    """AUCs of one score over the labelled templates: overall, per term, and the worst term of each kind.

    `values` are higher where the filter would rather remove. Of a score that is not about toxicity the overall AUC says how
    much it happens to measure it, and BPSN whether naming a group moves it.
    """
    toxic, owner = np.array([one.toxic for one in templates]), np.array([one.term for one in templates])
    rows = []
    for term in identity_terms():
        mask = owner == term.id
        if mask.any():
            subgroup, bpsn, bnsp = (round(found, 4) for found in identity_auc(values, toxic, mask))
            rows.append({"axis": term.axis, "term": term.name, "subgroup": subgroup, "bpsn": bpsn, "bnsp": bnsp})
    worst = {kind: min(rows, key=lambda row, kind=kind: row[kind]) for kind in ("subgroup", "bpsn", "bnsp")}
    return {
        "score": score,
        "auc": round(area_under_curve(values, toxic), 4),
        "worst": {kind: {"term": row["term"], "auc": row[kind]} for kind, row in worst.items()},
        "rows": rows,
    }
