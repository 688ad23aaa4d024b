"""Representation in the text: pronouns and descriptors as Llama 2 reports them, and features of a dialect."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit.bias import Verdict, judged, ratio_interval, term_matrix
from pipeline.audit.bias_settings import BiasGate
from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms

PERSONS = {"first": ("first_person",), "second": ("second_person",), "third": ("she", "he", "they", "it")}
DIALECT = "aae_features"
MIN_FEATURES = 2
"""Mentions from which a document counts: one "ain't" in a quotation makes no dialect."""


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


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
        "gender_pronouns": _share(int(gender.sum()), len(mentions)),
        "of_those": {name: _share(int(having(name).sum()), int(gender.sum())) for name in ("she", "he", "they")},
        "grammatical_person": _share(int(person.sum()), len(mentions)),
        "of_those_by_person": {
            name: _share(int(having(*names).sum()), int(person.sum())) for name, names in PERSONS.items()
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
                "share": _share(any_of, len(mentions)),
                "descriptors": {name: _share(-count, any_of) for count, name in counts if count},
            }
        )
    return rows


def dialect_rows(table: pa.Table, removed: dict[str, np.ndarray], gate: BiasGate) -> list[dict[str, Any]]:
    """Per source and stage: documents with features of African American English, and how often they are kept against others.

    `table` has source, terms and mentions; `removed` bool[n] by stage. Features and their limits: docs/bias.md.
    """
    at = next(term.id for term in identity_terms() if term.name == DIALECT)
    lists = table["terms"].combine_chunks()
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy(zero_copy_only=False))
    own = lists.flatten().to_numpy(zero_copy_only=False) == at
    counts = np.zeros(len(lists), np.int64)
    counts[rows[own]] = table["mentions"].combine_chunks().flatten().to_numpy(zero_copy_only=False)[own]
    spoken, sources, found = counts >= MIN_FEATURES, np.array(table["source"].to_pylist(), np.str_), []
    for source in sorted(set(sources.tolist())):
        here = sources == source
        for stage, gone in removed.items():
            with_it, without = here & spoken, here & ~spoken
            kept_with, kept_without = int((with_it & ~gone).sum()), int((without & ~gone).sum())
            total, other = int(with_it.sum()), int(without.sum())
            ratio, low, high = ratio_interval(kept_with, total, kept_without, other)
            verdict: Verdict = judged(high, total, other, gate)
            found.append(
                {
                    "source": source,
                    "stage": stage,
                    "documents_with": total,
                    "share": _share(total, total + other),
                    "kept_share_with": _share(kept_with, total),
                    "kept_share_without": _share(kept_without, other),
                    "ratio": round(ratio, 6) if total and other and np.isfinite(ratio) else None,
                    "wilson_low": round(low, 6),
                    "wilson_high": None if high is None else round(high, 6),
                    "verdict": verdict,
                }
            )
    return found
