"""Which documents are near-copies of which: candidate pairs compared by their texts, without what is boilerplate.

Candidates share a band key, or two anchors (a part of another document shares few band keys with it). Their word n-grams are
counted over all candidates that otherwise differ, by their sketches; what stands in many is boilerplate. A pair counts when
its Jaccard similarity, or the share of one that the other holds, reaches the bound both whole and without boilerplate. What is
only held in part (under `CUT`) must add no passage of its own: a notice with its own event is no part of another notice.

Holds about 12 bytes a document and some 200 bytes a document that is a candidate; the n-grams lie in a file. A group of
`compare_up_to` texts is compared in full, a larger one against its longest few, so that the work stays linear.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup import jaccard
from pipeline.kernels.dedup.minhash import word_table
from pipeline.kernels.dedup.union_find import flatten, union
from pipeline.measure.judges.minhash import MinHashSettings

Texts = Callable[[], Iterator[pa.Array]]

EDGES = pa.schema(
    [
        ("document", pa.int64()),  # may be removed
        ("by", pa.int64()),  # when this one stays
        # without boilerplate: Jaccard similarity, or the share of it that the other holds
        ("similarity", pa.float32()),
        ("plain_similarity", pa.float32()),  # the same of both texts whole
        ("is_part", pa.bool_()),  # the similarities are the document's shares in the other, and not Jaccard's
    ]
)
"""Near-copies by their numbers (see `Keys`), sorted; of documents with the same text the first stands for all."""
TIGHT = 0.9
"""Estimated similarity from which documents count as one where boilerplate is counted: a page with a few words changed."""
HUBS = 8
LARGER = 1.25
"""A document holds another one as a part when it has so many times its n-grams."""
CUT = 0.9
"""A part of which the other document holds so much is a cut copy, whatever it adds."""


class Candidates(Protocol):
    """What is known of n documents before their texts are read."""

    def band_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Star pairs of each band."""
        ...

    def anchor_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of documents that share two anchors or more, the lower number first."""
        ...

    def sketches(self, wanted: np.ndarray) -> np.ndarray:
        """uint8[w, permutations] of the wanted documents (bool[n]), in their order; zeros without a sketch."""
        ...


def near_copies(
    parent: np.ndarray,
    candidates: Candidates,
    texts: Sequence[tuple[int, Texts | None]],
    minhash: MinHashSettings,
    settings: ClusterSettings,
    path: Path,
) -> pa.Table:
    """The `EDGES` of all documents. `parent` is flat: the partition by equal text, int64[n].

    `texts` holds each shard's number of rows and its text columns. Where one is not known, as of an earlier run's documents,
    sketches estimate the similarity. `path` is a file to use.
    """
    assert settings.min_similarity is not None
    star_pairs = candidates.band_pairs
    anchors = candidates.anchor_pairs() if settings.contained else (parent[:0], parent[:0])
    wanted = _wanted(parent, star_pairs, anchors)
    number = np.cumsum(wanted) - 1  # of each wanted document among them
    count = int(wanted.sum())
    starts = write_shingles(texts, wanted, minhash, path)[np.append(wanted, True)]
    values = np.memmap(path, np.uint32, "r+") if starts[-1] else np.zeros(0, np.uint32)
    sketches = candidates.sketches(wanted)
    own_starts, own_values = np.zeros(count + 1, np.int64), np.zeros(0, np.uint32)

    def numbered(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Star pairs of wanted documents, by their numbers among these, sorted."""
        left, right = number[parent[left]], number[parent[right]]
        different = left != right
        order = np.lexsort((right[different], left[different]))
        return left[different][order], right[different][order]

    ends = jaccard.sort_sets(starts, values)
    tight, codes = np.arange(count, dtype=np.int64), []
    for pairs in star_pairs():
        first, second = numbered(*pairs)
        compared = jaccard.group_pairs(first, second, settings.compare_up_to, HUBS, ends - starts[:-1])
        codes.append(np.unique(_codes(*compared, count)))
        alike = _estimates(sketches, first, second) >= TIGHT
        union(tight, first[alike], second[alike])
    if settings.boilerplate is not None and starts[-1]:
        flatten(tight)
        apart = tight == np.arange(count)  # each stands for all that are nearly the same as it is
        bits = min(28, max(12, int(starts[-1]).bit_length() + 1))
        counts = jaccard.count_documents(starts[:-1], ends, values, apart, bits)
        own_starts, own_values = jaccard.own_sets(starts[:-1], ends, values, counts, bits, settings.boilerplate)
    codes.append(_codes(number[parent[anchors[0]]], number[parent[anchors[1]]], count))
    left, right = np.divmod(np.unique(np.concatenate(codes)), max(count, 1))
    sets = (starts[:-1], ends, values, own_starts, own_values)
    plain, own = jaccard.compare(left, right, *sets, minhash.figure_weight)
    unknown = (ends == starts[:-1])[left] | (ends == starts[:-1])[right]
    estimates = _estimates(sketches, left[unknown], right[unknown])
    plain[unknown, 0] = own[unknown, 0] = estimates
    sizes = np.where(np.diff(own_starts) > 0, np.diff(own_starts), ends - starts[:-1])
    bare = (np.diff(own_starts) == 0) & (ends > starts[:-1]) & (len(own_values) > 0)
    documents = np.flatnonzero(wanted)
    rows = [
        _removable(left, right, own, plain, sizes, bare, settings, 1),
        _removable(right, left, own, plain, sizes, bare, settings, 2),
    ]
    document, by, similarity, whole, part = (np.concatenate(column) for column in zip(*rows, strict=True))
    stays = ~part | (np.minimum(similarity, whole) >= CUT)
    if not stays.all():
        doubtful = document[~stays], by[~stays]
        stays[~stays] = (
            _added(*doubtful, wanted, texts, minhash, path.with_suffix(".ordered"), sets) < settings.min_added
        )
    document, by, similarity, whole, part = (column[stays] for column in (document, by, similarity, whole, part))
    del values, sets
    path.unlink()
    order = np.lexsort((by, document))
    columns = [documents[document[order]], documents[by[order]], similarity[order], whole[order], part[order]]
    return pa.table([pa.array(column) for column in columns], schema=EDGES)


def _added(
    document: np.ndarray,
    by: np.ndarray,
    wanted: np.ndarray,
    texts: Sequence[tuple[int, Texts | None]],
    minhash: MinHashSettings,
    path: Path,
    sets: tuple[np.ndarray, ...],
) -> np.ndarray:
    """int64[m]: the longest passages, in n-grams, that documents add to others, by their numbers among the wanted.

    Sets have lost the order of the text, so the few texts are read once more.
    """
    some = np.zeros(len(wanted), bool)
    some[np.flatnonzero(wanted)[document]] = True
    places = write_shingles(texts, some, minhash, path)[np.append(wanted, True)]
    return jaccard.added_passages(document, by, places, np.fromfile(path, np.uint32), *sets)


def _wanted(
    parent: np.ndarray,
    star_pairs: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]],
    anchors: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """bool[n]: documents that stand for their text and have a candidate with another text."""
    wanted = np.zeros(len(parent), bool)
    for left, right in (*star_pairs(), anchors):
        left, right = parent[left], parent[right]
        wanted[left[left != right]] = wanted[right[left != right]] = True
    return wanted


def write_shingles(
    texts: Sequence[tuple[int, Texts | None]], wanted: np.ndarray, settings: MinHashSettings, path: Path
) -> np.ndarray:
    """Write the n-grams of the wanted documents (bool[n]) one after another; returns where each starts, int64[n + 1].

    A shard without texts has none.
    """
    sizes, at = np.zeros(len(wanted) + 1, np.int64), 0
    numerals = settings.keep_numerals and not settings.datatrove_compatible
    table = word_table(numerals)
    with path.open("wb") as file:
        for num_rows, read in texts:
            end = at + num_rows
            for column in read() if read is not None and wanted[at:end].any() else ():
                rows = slice(at, at + len(column))
                found, values = jaccard.shingle_rows(
                    *text_buffers(column), wanted[rows], table, not numerals, settings.ngram
                )
                sizes[at + 1 : at + 1 + len(column)] = found
                values.tofile(file)
                at += len(column)
            at = end
    return np.cumsum(sizes)


def estimate_similarity(sketch_a: np.ndarray, sketch_b: np.ndarray) -> np.ndarray:
    """float64[n]: Jaccard similarity estimated from two uint8[n, permutations] sketches, row by row.

    Bytes of different minima agree by chance once in 256; the estimate takes that out and is cut at 0. Its standard
    error is `sqrt(s * (1 - s) / permutations)`: 0.04 at 0.8 with 112 permutations.
    """
    equal = (sketch_a == sketch_b).mean(axis=1)
    return np.clip((equal - 1 / 256) / (1 - 1 / 256), 0.0, 1.0)


def _estimates(sketches: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64[m]: the similarity of pairs of documents, some at a time; 0 where there are no sketches."""
    parts = [np.zeros(len(left) if not sketches.shape[1] else 0)]
    for at in range(0, len(left) if sketches.shape[1] else 0, 1 << 16):
        rows = slice(at, at + (1 << 16))
        parts.append(estimate_similarity(sketches[left[rows]], sketches[right[rows]]))
    return np.concatenate(parts)


def _codes(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """int64[m]: each pair of numbers below `count` as one number, the lower one first."""
    different = left != right
    left, right = np.minimum(left, right)[different], np.maximum(left, right)[different]
    return left * count + right


def _removable(
    document: np.ndarray,
    by: np.ndarray,
    own: np.ndarray,
    plain: np.ndarray,
    sizes: np.ndarray,
    bare: np.ndarray,
    settings: ClusterSettings,
    share: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pairs whose `document` may go when `by` stays, as of `EDGES`; `share` is the column of its share.

    A document with text of its own never goes for a template without any (`bare`).
    """
    bound = settings.min_similarity
    near = (own[:, 0] >= bound) & (plain[:, 0] >= bound)
    part = (own[:, share] >= bound) & (plain[:, share] >= bound) & (sizes[document] >= settings.min_contained)
    part &= settings.contained & (sizes[by] >= LARGER * sizes[document])
    removable = (near | part) & (bare[document] | ~bare[by])
    column = np.where(near, 0, share)[removable]
    rows = np.flatnonzero(removable)
    return document[removable], by[removable], own[rows, column], plain[rows, column], column > 0


def true_similarity(one: str, other: str, settings: MinHashSettings) -> float:
    """Plain Jaccard similarity of the word n-grams of two texts, as the comparison computes it; 0 without one."""
    numerals = settings.keep_numerals and not settings.datatrove_compatible
    columns = text_buffers(pa.array([one, other], pa.large_string()))
    sizes, values = jaccard.shingle_rows(*columns, np.ones(2, bool), word_table(numerals), not numerals, settings.ngram)
    starts = np.append(0, np.cumsum(sizes))
    ends = jaccard.sort_sets(starts, values)
    first, second = np.zeros(1, np.int64), np.ones(1, np.int64)
    plain, _ = jaccard.compare(first, second, starts[:-1], ends, values, np.zeros(3, np.int64), values[:0], 1)
    return float(plain[0, 0])
