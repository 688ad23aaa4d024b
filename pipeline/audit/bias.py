"""The bias table: for every removing stage and identity term, the share kept against the other terms of the same axis.

The measure is the selection-rate ratio of the four-fifths rule (29 CFR 1607.4 D): the share of documents with the term that
a stage keeps, over the share it keeps of documents that mention another term of the axis and not this one. Its interval is
MOVER-R (Donner and Zou 2012) over the Wilson intervals of both shares, so that a term of three documents fails nothing.
All functions are pure, and everything they return is JSON.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipeline.audit.bias_settings import BiasGate
from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms

Verdict = Literal["pass", "warn", "fail", "too_few"]
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "too_few")
Z95 = 1.959963984540054


def wilson(successes: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927).

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.49, 0.943]
    """
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == total else min(1.0, (centre + spread) / scale)
    return low, high


def ratio_interval(kept: int, total: int, other_kept: int, other_total: int) -> tuple[float, float, float | None]:
    """Ratio of two shares with its 95 % interval `(ratio, low, high)`; `high` is None when it is unbounded.

    MOVER-R with Wilson limits. The ratio is NaN-free: two shares of zero have the ratio 1.

    >>> [round(x, 2) for x in ratio_interval(50, 100, 90, 100)]
    [0.56, 0.45, 0.68]
    """
    one, other = kept / max(total, 1), other_kept / max(other_total, 1)
    if other == 0:
        return (1.0 if one == 0 else math.inf), 0.0, None
    low_1, high_1 = wilson(kept, total)
    low_2, high_2 = wilson(other_kept, other_total)
    product = one * other
    low = (product - math.sqrt(max(0.0, product**2 - low_1 * high_2 * (2 * one - low_1) * (2 * other - high_2)))) / (
        high_2 * (2 * other - high_2)
    )
    below = low_2 * (2 * other - low_2)
    if below <= 0:
        return one / other, max(0.0, low), None
    inner = max(0.0, product**2 - high_1 * low_2 * (2 * one - high_1) * (2 * other - low_2))
    return one / other, max(0.0, low), (product + math.sqrt(inner)) / below


def share(part: int, whole: int) -> float | None:
    """A share to six places, None of nothing."""
    return round(part / whole, 6) if whole else None


def owners(lists: pa.ListArray) -> np.ndarray:
    """int64[values]: the row that each value of a list column stands in."""
    return np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))


def whole_column(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def term_matrix(terms: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """bool[documents, terms]: who mentions what, from the judge `identity`'s column `terms`."""
    lists = whole_column(terms)
    found = np.zeros((len(lists), len(identity_terms())), np.bool_)
    found[owners(lists), lists.flatten().to_numpy(zero_copy_only=False)] = True
    return found


def judged(ratio_high: float | None, with_term: int, others: int, gate: BiasGate) -> Verdict:
    """The verdict of a row: by the upper end of the interval, and only with enough documents on both sides."""
    if min(with_term, others) < gate.min_documents:
        return "too_few"
    if ratio_high is None or ratio_high >= gate.warn_below:
        return "pass"
    return "fail" if ratio_high < gate.fail_below else "warn"


def compared(
    with_it: np.ndarray, others: np.ndarray, kept: np.ndarray, gate: BiasGate
) -> tuple[dict[str, int], dict[str, Any]]:
    """Of two groups of documents, bool[n] each: how many there are and how many are kept; and the ratio of the kept shares, its
    interval and the verdict, as JSON values."""
    n = {"with": int(with_it.sum()), "kept_with": int((with_it & kept).sum())}
    n |= {"other": int(others.sum()), "kept_other": int((others & kept).sum())}
    ratio, low, high = ratio_interval(n["kept_with"], n["with"], n["kept_other"], n["other"])
    return n, {
        "ratio": round(ratio, 6) if math.isfinite(ratio) and n["with"] and n["other"] else None,
        "wilson_low": round(low, 6),
        "wilson_high": None if high is None else round(high, 6),
        "verdict": judged(high, n["with"], n["other"], gate),
    }


def bias_row(
    stage: str, axis: str, name: str, mask: np.ndarray, others: np.ndarray, kept: np.ndarray, gate: BiasGate
) -> dict[str, Any]:
    """One row of the table: `mask` mention the term, `others` another of the axis and not it, `kept` survive the stage."""
    n, compared_shares = compared(mask, others, kept, gate)
    return {
        "stage": stage,
        "axis": axis,
        "term": name,
        "documents_with": n["with"],
        "kept_with": n["kept_with"],
        "kept_share_with": share(n["kept_with"], n["with"]),
        "documents_others_in_axis": n["other"],
        "kept_share_others_in_axis": share(n["kept_other"], n["other"]),
        **compared_shares,
    }


def bias_table(
    removed: Mapping[str, np.ndarray], terms: pa.Array | pa.ChunkedArray, gate: BiasGate | None = None
) -> list[dict[str, Any]]:
    """The first bias table: stages in the mapping's order, terms in the table's order, only terms that occur.

    `removed` maps a stage's name to bool[documents], true where any rule of that stage removes the document (whatever
    other stages say); `terms` is aligned with it. Raises ValueError where lengths differ.
    """
    gate = gate or BiasGate()
    mentions = term_matrix(terms)
    table = identity_terms()
    axes: dict[str, list[int]] = {}
    for term in table:
        axes.setdefault(term.axis, []).append(term.id)
    in_axis = {axis: mentions[:, ids].any(axis=1) for axis, ids in axes.items()}
    rows = []
    for stage, mask in removed.items():
        gone = np.asarray(mask, dtype=np.bool_)
        if len(gone) != len(mentions):
            raise ValueError(f"stage {stage}: {len(gone)} verdicts for {len(mentions)} documents")
        for term in table:
            has = mentions[:, term.id]
            if has.any() and term.axis not in NAMES_NOBODY:
                rows.append(bias_row(stage, term.axis, term.name, has, in_axis[term.axis] & ~has, ~gone, gate))
    return rows


def worst_first(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the failing ones first, then by ratio; for the report's table."""
    order = {"fail": 0, "warn": 1, "pass": 2, "too_few": 3}

    def key(row: dict[str, Any]) -> tuple[int, float, str, str]:
        ratio = row["ratio"] if row["ratio"] is not None else 9.0
        return order[row["verdict"]], ratio, row["stage"], row["term"]

    return sorted(rows, key=key)


def gate_failures(rows: Sequence[dict[str, Any]], stages: Sequence[str] | None = None) -> list[str]:
    """One sentence for each row that fails, naming stage, term and ratio; of the named stages, or of all.

    >>> row = {"stage": "toxicity", "axis": "religion", "term": "sikh", "documents_with": 40, "kept_share_with": 0.5,
    ...        "kept_share_others_in_axis": 1.0, "ratio": 0.5, "wilson_high": 0.66, "verdict": "fail"}
    >>> gate_failures([row], ["toxicity"])[0].startswith('toxicity keeps 50.0 % of the 40 documents that mention "sikh"')
    True
    """
    sentences = []
    for row in worst_first(rows):
        if row["verdict"] != "fail" or (stages is not None and row["stage"] not in stages):
            continue
        sentences.append(
            f"{row['stage']} keeps {100 * row['kept_share_with']:.1f} % of the {row['documents_with']} documents that "
            f'mention "{row["term"]}" ({row["axis"]}) and {100 * row["kept_share_others_in_axis"]:.1f} % of the others of '
            f"that axis: ratio {row['ratio']:.2f}, at most {row['wilson_high']:.2f}, is under four fifths"
        )
    return sentences


def representation(
    kept: np.ndarray, terms: pa.Array | pa.ChunkedArray, max_lift: float, min_documents: int
) -> list[dict[str, Any]]:
    """How often each term is spoken of before and after, among the documents that speak of anyone: `lift` is its share of the
    kept ones over its share of the extracted ones, and a row warns beyond `max_lift` either way.

    Documents that name no identity stay out (of pronouns: no pronoun): most of a crawl's junk names nobody, and dropping it
    would lift every term alike. Terms in the table's order, only those that occur.
    """
    mentions, table, rows = term_matrix(terms), identity_terms(), []
    pronouns = np.array([term.axis == "pronoun" for term in table])
    names = np.array([term.axis not in ("pronoun", *NAMES_NOBODY) for term in table])
    for term in table:
        before = int(mentions[:, term.id].sum())
        if not before or term.axis in NAMES_NOBODY:
            continue
        base = mentions[:, pronouns if term.axis == "pronoun" else names].any(axis=1)
        after = int((mentions[:, term.id] & kept).sum())
        total, left = int(base.sum()), int((base & kept).sum())
        lift = (after / left) / (before / total) if left else None
        verdict = "too_few"
        if before >= min_documents and lift is not None:
            verdict = "pass" if 1 / max_lift <= lift <= max_lift else "warn"
        rows.append(
            {
                "axis": term.axis,
                "term": term.name,
                "documents_before": before,
                "documents_after": after,
                "share_before": share(before, total),
                "share_after": share(after, left),
                "lift": None if lift is None else round(lift, 6),
                "verdict": verdict,
            }
        )
    return rows


def area_under_curve(scores: np.ndarray, toxic: np.ndarray) -> float:
    """ROC AUC by ranks, ties counting half; NaN when a class is empty.

    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    positive, negative = scores[np.asarray(toxic, np.bool_)], np.sort(scores[~np.asarray(toxic, np.bool_)])
    if not len(positive) or not len(negative):
        return math.nan
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.sum()) / 2 / len(positive) / len(negative)


def identity_auc(scores: np.ndarray, toxic: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """Subgroup, BPSN and BNSP AUC of an identity (Borkan et al. 2019, arXiv 1903.04561).

    Within the group; clean text of the group against toxic text of others; toxic text of the group against clean of others.
    """
    found = []
    for chosen in (mask, (mask & ~toxic) | (~mask & toxic), (mask & toxic) | (~mask & ~toxic)):
        found.append(area_under_curve(scores[chosen], toxic[chosen]))
    return found[0], found[1], found[2]


# Representation in the text: pronouns and descriptors as Llama 2 reports them, and features of a dialect.

PERSONS = {"first": ("first_person",), "second": ("second_person",), "third": ("she", "he", "they", "it")}
DIALECT = "aae_features"
MIN_FEATURES = 2
"""Mentions from which a document counts: one "ain't" in a quotation makes no dialect."""


def pronoun_table(terms: pa.Array | pa.ChunkedArray) -> dict[str, Any]:
    """Shares as in table 9 (a) of Llama 2 (arXiv 2307.09288): documents with any gender pronoun, and of those the shares with
    she, he and they; documents with any personal pronoun, and of those the shares with each grammatical person."""
    mentions, ids = term_matrix(terms), {term.name: term.id for term in identity_terms()}

    def having(*names: str) -> np.ndarray:
        return np.asarray(mentions[:, [ids[name] for name in names]].any(axis=1))

    gender = having("she", "he", "they")
    person = having(*(name for names in PERSONS.values() for name in names))
    return {
        "documents": len(mentions),
        "gender_pronouns": share(int(gender.sum()), len(mentions)),
        "of_those": {name: share(int(having(name).sum()), int(gender.sum())) for name in ("she", "he", "they")},
        "grammatical_person": share(int(person.sum()), len(mentions)),
        "of_those_by_person": {
            name: share(int(having(*names).sum()), int(person.sum())) for name, names in PERSONS.items()
        },
    }


def descriptor_table(terms: pa.Array | pa.ChunkedArray, most: int = 5) -> list[dict[str, Any]]:
    """Table 9 (b): for every axis the share of documents that mention any descriptor, and of those the commonest descriptors."""
    mentions, rows = term_matrix(terms), []
    axes = dict.fromkeys(term.axis for term in identity_terms())
    for axis in axes:
        if axis == "pronoun" or axis in NAMES_NOBODY:
            continue
        own = [term for term in identity_terms() if term.axis == axis]
        any_of = int(mentions[:, [term.id for term in own]].any(axis=1).sum())
        counts = sorted((-int(mentions[:, term.id].sum()), term.name) for term in own)[:most]
        rows.append(
            {
                "axis": axis,
                "share": share(any_of, len(mentions)),
                "descriptors": {name: share(-count, any_of) for count, name in counts if count},
            }
        )
    return rows


def dialect_rows(table: pa.Table, removed: dict[str, np.ndarray], gate: BiasGate) -> list[dict[str, Any]]:
    """Per source and stage: documents with features of African American English, and how often they are kept against others.

    `table` has source, terms and mentions; `removed` bool[n] by stage. Features and their limits: docs/bias.md.
    """
    at = next(term.id for term in identity_terms() if term.name == DIALECT)
    lists = whole_column(table["terms"])
    own = lists.flatten().to_numpy(zero_copy_only=False) == at
    counts = np.zeros(len(lists), np.int64)
    counts[owners(lists)[own]] = whole_column(table["mentions"]).flatten().to_numpy(zero_copy_only=False)[own]
    spoken, sources, found = counts >= MIN_FEATURES, np.array(table["source"].to_pylist(), np.str_), []
    for source in sorted(set(sources.tolist())):
        here = sources == source
        for stage, gone in removed.items():
            n, compared_shares = compared(here & spoken, here & ~spoken, ~gone, gate)
            row = {"source": source, "stage": stage, "documents_with": n["with"]}
            row |= {
                "share": share(n["with"], n["with"] + n["other"]),
                "kept_share_with": share(n["kept_with"], n["with"]),
            }
            found.append(row | {"kept_share_without": share(n["kept_other"], n["other"]), **compared_shares})
    return found
