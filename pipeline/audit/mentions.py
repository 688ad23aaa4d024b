"""Representation in the text: pronouns and descriptors as Llama 2 reports them, and features of a dialect."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit.bias import compared, owners, share, term_matrix, whole_column
from pipeline.audit.bias_settings import BiasGate
from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms

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
            with_it, without = here & spoken, here & ~spoken
            kept_with, kept_without = int((with_it & ~gone).sum()), int((without & ~gone).sum())
            total, other = int(with_it.sum()), int(without.sum())
            found.append(
                {
                    "source": source,
                    "stage": stage,
                    "documents_with": total,
                    "share": share(total, total + other),
                    "kept_share_with": share(kept_with, total),
                    "kept_share_without": share(kept_without, other),
                    **compared(total, kept_with, other, kept_without, gate),
                }
            )
    return found
