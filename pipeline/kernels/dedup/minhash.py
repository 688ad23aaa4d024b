"""MinHash signatures straight from UTF-8: words, shingles and permutations in one compiled pass.

A word is a maximal run of letters, marks and numbers; scripts written without spaces give one word a character.
A shingle is `ngram` consecutive words, reduced to 32 bits; permutation `j` ranks it by `a[j] * x + b[j] mod 2**32`
with odd `a[j]`, and the signature keeps each permutation's minimum, so that two rows agree with the probability of the
Jaccard similarity of the two shingle sets (Broder 1997). The work is linear in the text, whatever it holds.
"""

from functools import cache

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import fmix64
from pipeline.kernels.unicode import CATEGORIES, CATEGORY, LETTER, MAJOR, MARK, NUMBER, decode

BREAK, PART, ALONE, FIGURE = 0, 1, 2, 3
"""What a code point is to a word: its end, a part of it, a word by itself, or a part that leaves it a figure."""

_KIND_SHIFT = 24
_POINT_MASK = (1 << _KIND_SHIFT) - 1
_BLOCK = 2048
_ALONE_RANGES = [
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
]


@cache
def lower_table() -> np.ndarray:
    """uint32[0x110000]: each code point in lower case; where that is several characters, the first of them."""
    table = np.arange(0x110000, dtype=np.uint32)
    cased = np.isin(CATEGORY, [CATEGORIES.index(name) for name in ("Lu", "Lt", "Nl", "So")])
    for point in np.flatnonzero(cased):
        table[point] = ord(chr(point).lower()[0])
    table.flags.writeable = False
    return table


@cache
def word_table(keep_numerals: bool = True) -> np.ndarray:
    """uint32[0x110000]: what the word scanner does with a code point, `kind << 24 | lower-cased point`.

    Without `keep_numerals` every decimal digit reads as "0", and the scanner keeps one of each run.
    """
    kind = np.isin(MAJOR, [LETTER, MARK, NUMBER]).astype(np.uint32) * PART
    for first, last in _ALONE_RANGES:
        kind[first : last + 1] *= ALONE
    kind[np.isin(MAJOR, NUMBER) & (kind == PART)] = FIGURE
    table = lower_table().copy()
    if not keep_numerals:
        digits = np.isin(CATEGORY, CATEGORIES.index("Nd"))
        table[digits], kind[digits] = ord("0"), FIGURE
    table |= kind << np.uint32(_KIND_SHIFT)
    table.flags.writeable = False
    return table


@cache
def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`(a, b)`, uint32[count] each: the ranking functions, a pure function of the seed (SplitMix64)."""
    mask = (1 << 64) - 1
    words = [int(fmix64(np.uint64((seed + step * 0x9E3779B97F4A7C15) & mask))) for step in range(1, count + 1)]
    mixed = np.array(words, np.uint64)
    return (mixed >> np.uint64(32)).astype(np.uint32) | np.uint32(1), mixed.astype(np.uint32)


@kernel(forceinline=True)
def _extend(hashed: np.uint64, point: np.uint64) -> np.uint64:
    """The hash of a word with one more code point."""
    hashed = (hashed ^ point) * np.uint64(0x9FB21C651E98DF25)
    return hashed ^ (hashed >> np.uint64(29))


@kernel()
def scan_words(
    data: np.ndarray, at: int, end: int, table: np.ndarray, one_zero: bool, words: np.ndarray, count: int
) -> tuple[int, int]:
    """Hash the words of `data[at:end]` into `words[count:]` until the text or the buffer ends, at a word border.

    Returns `(at, count)`; call again from `at` while it is below `end`. The lowest bit of a hash says whether the word is
    a figure (numbers only). `one_zero`: a run of "0" counts once, within a word and as a word.
    """
    empty = np.uint64(0x2545F4914F6CDD1D)
    figure, other = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFE)
    zero_word = fmix64(_extend(empty, np.uint64(48))) | figure
    limit = len(words) - 1
    hashed, last, is_figure = empty, np.uint64(0), figure
    while at < end and count < limit:
        first = data[at]
        if first < codes.NON_ASCII:
            entry = table[first]
            at += 1
        else:
            point, size = decode(data, at, end)
            entry = table[point] if point >= 0 else np.uint32(0)
            at += size
        kind = entry >> np.uint32(_KIND_SHIFT)
        folded = np.uint64(entry & np.uint32(_POINT_MASK))
        if kind in (PART, FIGURE):
            if kind == PART:
                is_figure = np.uint64(0)
            if not (one_zero and folded == 48 and last == 48):
                hashed = _extend(hashed, folded)
            last = folded
            if at < end:
                continue
        if hashed != empty:
            word = (fmix64(hashed) & other) | is_figure
            if not (one_zero and count > 0 and word == zero_word and words[count - 1] == zero_word):
                words[count] = word
                count += 1
            hashed, last, is_figure = empty, np.uint64(0), figure
        if kind == ALONE:
            words[count] = fmix64(_extend(empty, folded)) & other
            count += 1
    return at, count


@kernel()
def hash_shingles(words: np.ndarray, count: int, ngram: int, figure_weight: int, out: np.ndarray) -> tuple[int, int]:
    """Hash `words[i:i + ngram]`, order included, to 32 bits for every i; a shingle with a figure `figure_weight` times.

    Returns `(shingles, hashes written to out)`. The hashes of one shingle differ, so a weight counts as so many elements
    of the set: MinHash then estimates the weighted Jaccard similarity.
    """
    multiplier = np.uint64(0xD6E8FEB86659FD93)
    number = max(count - ngram + 1, 0)
    written = number
    for i in range(number):
        mixed = words[i]
        for k in range(1, ngram):
            mixed = mixed * multiplier + words[i + k]
        out[i] = np.uint32(fmix64(mixed) >> np.uint64(32))
    if figure_weight > 1:
        for i in range(number):
            figures, mixed = words[i] & np.uint64(1), words[i]
            for k in range(1, ngram):
                figures |= words[i + k] & np.uint64(1)
                mixed = mixed * multiplier + words[i + k]
            if figures:
                for copy in range(1, figure_weight):
                    out[written] = np.uint32(fmix64(mixed + np.uint64(copy) * multiplier) >> np.uint64(32))
                    written += 1
    return number, written


@kernel()
def lower_minima(shingles: np.ndarray, number: int, a: np.ndarray, b: np.ndarray, minima: np.ndarray) -> None:
    """Lower `minima[j]` to the least rank of `shingles[:number]` under permutation `j`."""
    for j in range(len(a)):
        scale, shift, least = a[j], b[j], minima[j]
        for i in range(number):
            rank = np.uint32(scale * shingles[i] + shift)
            least = min(least, rank)
        minima[j] = least


@kernel()
def minhash_rows(
    offsets: np.ndarray,
    data: np.ndarray,
    table: np.ndarray,
    one_zero: bool,
    ngram: int,
    figure_weight: int,
    a: np.ndarray,
    b: np.ndarray,
    minima: np.ndarray,
    num_shingles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of a text column.

    Fills `minima` (uint32[n, permutations]; all ones where a document has no shingle) and `num_shingles` (int32[n],
    repeated shingles counted). Returns `(ends int64[n], anchors uint64)`: the anchors of row i end at `ends[i]`.
    """
    ends, anchors, used = np.empty(len(offsets) - 1, np.int64), np.empty(1024, np.uint64), 0
    words = np.empty(_BLOCK + ngram, np.uint64)
    shingles = np.empty((_BLOCK + ngram) * figure_weight, np.uint32)
    for row in range(len(offsets) - 1):
        at, end, count, total = offsets[row], offsets[row + 1], 0, 0
        minima[row, :] = np.uint32(0xFFFFFFFF)
        while at < end:
            at, count = scan_words(data, at, end, table, one_zero, words, count)
            number, written = hash_shingles(words, count, ngram, figure_weight, shingles)
            lower_minima(shingles, written, a, b, minima[row])
            if used + number > len(anchors):
                anchors = grow(anchors, 2 * len(anchors) + number)
            used = _sample_anchors(words, number, ngram, anchors, used)
            total += number
            if number > 0:  # the last ngram - 1 words begin the next block's shingles
                for k in range(ngram - 1):
                    words[k] = words[count - ngram + 1 + k]
                count = ngram - 1
        num_shingles[row] = min(total, 0x7FFFFFFF)
        ends[row] = used
    return ends, anchors[:used].copy()


@kernel()
def _sample_anchors(words: np.ndarray, number: int, ngram: int, anchors: np.ndarray, used: int) -> int:
    """Write the 64-bit hashes of the shingles that end in four zero bits, one in 16, to `anchors[used:]`.

    Which shingles these are depends on their words alone, so a part of a document has the same ones as the document there.
    """
    for i in range(number):
        mixed = words[i]
        for k in range(1, ngram):
            mixed = mixed * np.uint64(0xD6E8FEB86659FD93) + words[i + k]
        mixed = fmix64(mixed)
        if mixed & np.uint64(15) == 0:
            anchors[used] = mixed
            used += 1
    return used


@kernel()
def band_keys(minima: np.ndarray, rows: int) -> np.ndarray:
    """uint64[n, bands]: one key for each `rows` consecutive minima; equal keys make two documents a candidate pair.

    The band's number is mixed in, so that keys of different bands never meet.
    """
    bands = minima.shape[1] // rows
    out = np.empty((len(minima), bands), np.uint64)
    for row in range(len(minima)):
        for band in range(bands):
            key = fmix64(np.uint64(band + 1))
            for k in range(rows):
                key = (key ^ np.uint64(minima[row, band * rows + k])) * np.uint64(0x9FB21C651E98DF25)
                key ^= key >> np.uint64(31)
            out[row, band] = fmix64(key)
    return out


@kernel()
def sketch_bytes(minima: np.ndarray) -> np.ndarray:
    """uint8[n, permutations]: one byte of each minimum; the share of equal bytes estimates the Jaccard similarity."""
    out = np.empty(minima.shape, np.uint8)
    for row in range(len(minima)):
        for j in range(minima.shape[1]):
            out[row, j] = np.uint8((np.uint64(minima[row, j]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56))
    return out
