"""True Jaccard similarity of documents' shingle sets, and unions of the candidate pairs that reach a bound."""

import numpy as np

from pipeline.kernels.arrays import copy_items, grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.dedup.minhash import hash_shingles, scan_words
from pipeline.kernels.dedup.union_find import find

_BLOCK = 2048


@kernel()
def shingle_sets(
    offsets: np.ndarray,
    data: np.ndarray,
    wanted: np.ndarray,
    table: np.ndarray,
    one_zero: bool,
    ngram: int,
    figure_weight: int,
) -> tuple[np.ndarray, np.ndarray]:
    """`(sizes int64[n], values uint32[sum])`: the sorted distinct shingles of the wanted rows (bool[n]), none of others.

    Shingles are those of `minhash.minhash_rows`; the other arguments mean the same.
    """
    sizes = np.zeros(len(offsets) - 1, np.int64)
    values, used = np.empty(4096, np.uint32), 0
    words, block = np.empty(_BLOCK + ngram, np.uint64), np.empty((_BLOCK + ngram) * figure_weight, np.uint32)
    for row in range(len(offsets) - 1):
        if not wanted[row]:
            continue
        at, end, count, start = offsets[row], offsets[row + 1], 0, used
        while at < end:
            at, count = scan_words(data, at, end, table, one_zero, words, count)
            number, written = hash_shingles(words, count, ngram, figure_weight, block)
            if used + written > len(values):
                values = grow(values, 2 * len(values) + written)
            copy_items(block, 0, written, values, used)
            used += written
            if number > 0:
                for k in range(ngram - 1):
                    words[k] = words[count - ngram + 1 + k]
                count = ngram - 1
        ordered = np.sort(values[start:used])
        used = start
        for i in range(len(ordered)):
            if i == 0 or ordered[i] != ordered[i - 1]:
                values[used] = ordered[i]
                used += 1
        sizes[row] = used - start
    return sizes, values[:used].copy()


@kernel()
def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Similarity of two sorted arrays without repeats; 0 when both are empty."""
    a, b, common = 0, 0, 0
    while a < len(one) and b < len(other):
        if one[a] == other[b]:
            common, a, b = common + 1, a + 1, b + 1
        elif one[a] < other[b]:
            a += 1
        else:
            b += 1
    total = len(one) + len(other) - common
    return common / total if total > 0 else 0.0


@kernel()
def union_verified(
    parent: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    standing: np.ndarray,
    starts: np.ndarray,
    values: np.ndarray,
    bound: float,
    limit: int,
) -> int:
    """Join, of the groups in star pairs, every two members whose similarity reaches `bound`; returns how many joined.

    `left`, `right` are `equal_pairs` sorted by `left`; `standing[i]` is the document whose set stands for document i
    (equal texts share one); `values[starts[i]:starts[i + 1]]` is the set of document i. A group of more than `limit` different
    texts is joined unverified: so the work stays linear, and a further document still only adds edges. So is a pair with
    an empty set: its text is not known.
    """
    joined, at = 0, 0
    while at < len(left):
        end = at
        while end < len(left) and left[end] == left[at]:
            end += 1
        group = np.empty(end - at + 1, np.int64)
        group[0] = standing[left[at]]
        for i in range(at, end):
            group[i - at + 1] = standing[right[i]]
        group = np.unique(group)
        for i in range(len(group)):
            for j in range(i + 1, len(group) if len(group) <= limit else min(i + 2, len(group))):
                a, b = find(parent, group[i]), find(parent, group[j])
                if a == b:
                    continue
                if len(group) <= limit:
                    one = values[starts[group[i]] : starts[group[i] + 1]]
                    other = values[starts[group[j]] : starts[group[j] + 1]]
                    if len(one) > 0 and len(other) > 0 and jaccard(one, other) < bound:
                        continue
                joined += 1
                parent[max(a, b)] = min(a, b)
        at = end
    return joined
