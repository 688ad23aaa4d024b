"""Hashed word and character n-grams of sentences, and the sums of a linear model's weights over them.

Features of a sentence: every word, every pair of neighbouring words (with a mark for the beginning), and the character
3- to 5-grams of every word with its borders (the first 30 code points of a word). A number is one word like any other number.
The *neutral* reading replaces every word of a given set (identities) by one mark and has none of its character n-grams.
How many words stand in a list (at most three count) is one more feature: it carries the words no training set held.
Words of a few *classes* (a group, harm, scorn, negation, report, "should") give features of scope: every class, every two and
every three of them in the order in which they stand, of the first `MAX_CLASSES` in the sentence. So "no GROUP is SCORNED" and
"he SAID that GROUP are SCORNED" differ from "GROUP are SCORNED", whatever the words are. An opening quotation mark is a report.
Weights are int8 and sums are integers, so no order of addition can change a score.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow, grow_rows
from pipeline.kernels.compiled import kernel
from pipeline.kernels.grams import pair_hash, slot_of
from pipeline.kernels.text.term_trie import FNV_BASIS, FNV_PRIME, split_rows
from pipeline.kernels.unicode import decode

MIN_SENTENCE_WORDS = 4
MAX_SENTENCE_WORDS = 48
MAX_WORD_POINTS = 30
MAX_LISTED = 3
MAX_GRAMS = 3 * (MAX_WORD_POINTS + 2)
MAX_CLASSES, SCOPE_SLOTS = 10, 16**3
MAX_SCOPES = (
    MAX_CLASSES + MAX_CLASSES * (MAX_CLASSES - 1) // 2 + MAX_CLASSES * (MAX_CLASSES - 1) * (MAX_CLASSES - 2) // 6
)
GROUP, LISTED, SLUR, HARM, SCORN, HATE, NOT, SAID, WRONG, YOU, ME, SHOULD, PRAISE, ALL, WORTH = range(1, 16)
CLASSES = "group listed slur harm scorn hate not said wrong you me should praise all worth".split()
"""Names of the classes of words, from 1 on; 0 is no class."""
_SHARP = (1 << GROUP) | (1 << LISTED) | (1 << SLUR) | (1 << HARM) | (1 << SCORN) | (1 << HATE)
"""A sentence without a word of these classes has no features of scope."""

_P = np.uint64(FNV_PRIME)
_B = np.uint64(FNV_BASIS)
_M = np.uint64(0x9E3779B97F4A7C15)
NUMBER = np.uint64(0x6E756D626572)
NEUTRAL = np.uint64(0x6E65757472616C)
FIRST = np.uint64(0x6669727374)
_CACHE = 1 << 16


@kernel()
def contains(sorted_keys: np.ndarray, key: np.uint64) -> bool:
    at = np.searchsorted(sorted_keys, key)
    return bool(at < len(sorted_keys) and sorted_keys[at] == key)


@kernel()
def word_grams(
    data: np.ndarray, start: int, end: int, lower: np.ndarray, mask: np.uint64, points: np.ndarray, out: np.ndarray
) -> int:
    """Slots of a word's character n-grams into `out` (length `MAX_GRAMS`); returns their number."""
    points[0] = codes.LESS
    count, at = 1, start
    while at < end and count <= MAX_WORD_POINTS:
        point, size = decode(data, at, end)
        if point >= 0 and lower[point] != 0:
            points[count] = lower[point]
            count += 1
        at += size
    points[count] = codes.GREATER
    count += 1
    total = 0
    for first in range(count - 2):
        value = _B
        for length in range(1, min(5, count - first) + 1):
            value = (value ^ np.uint64(points[first + length - 1])) * _P
            if length >= 3:
                out[total] = slot_of(value, mask)
                total += 1
    return total


@kernel()
def class_of(keys: np.ndarray, ids: np.ndarray, word: np.uint64) -> int:
    """The class of a word by its hash; 0 where it has none."""
    at = np.searchsorted(keys, word)
    return int(ids[at]) if at < len(keys) and keys[at] == word else 0


@kernel(forceinline=True)
def add_class(classes: np.ndarray, count: int, one: int, data: np.ndarray, base: int, start: int) -> int:
    """The number of classes after those of a word: `SAID` for a double quotation mark that opens before it, then its own."""
    last = data[start - 1] if start > base else 0
    if count < MAX_CLASSES and (last == codes.QUOTE or (last == 0x9C and start > base + 2 and data[start - 3] == 0xE2)):
        classes[count] = SAID
        count += 1
    if count < MAX_CLASSES and one != 0:
        classes[count] = one
        count += 1
    return count


@kernel()
def scope_slots(classes: np.ndarray, count: int, out: np.ndarray) -> int:
    """Every class, pair and triple in order as base-16 numbers under `SCOPE_SLOTS`; returns their number.

    There are none without a sharp word.
    """
    seen = 0
    for at in range(count):
        seen |= 1 << classes[at]
    if seen & _SHARP == 0:
        return 0
    total = 0
    for first in range(count):
        one = np.int64(classes[first])
        out[total] = one
        total += 1
        for second in range(first + 1, count):
            two = one * 16 + classes[second]
            out[total] = two
            total += 1
            for third in range(second + 1, count):
                out[total] = two * 16 + classes[third]
                total += 1
    return total


@kernel()
def is_number(data: np.ndarray, start: int, end: int) -> bool:
    """Whether a word is ASCII digits only."""
    for at in range(start, end):
        if data[at] < codes.ZERO or data[at] > codes.NINE:
            return False
    return True


@kernel()
def _breaks(data: np.ndarray, start: int, end: int) -> bool:
    """Whether the bytes between two words end a sentence: a line end, or `.`, `!`, `?` with white space after it."""
    for at in range(start, end):
        byte = data[at]
        if byte == codes.LINE_FEED:
            return True
        if (byte == codes.DOT or byte == codes.EXCLAMATION or byte == codes.QUESTION) and at + 1 < end:
            after = data[at + 1]
            if (
                after == codes.SPACE
                or after == codes.LINE_FEED
                or after == codes.QUOTE
                or after == codes.APOSTROPHE
                or after == codes.RIGHT_PAREN
            ):
                return True
    return False


@kernel()
def sentence_ends(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, count: int, borders: np.ndarray) -> int:
    """Word indices after the last word of each sentence into `borders` (room for `count`); returns their number.

    A sentence has at least `MIN_SENTENCE_WORDS` words where the document has, and at most `MAX_SENTENCE_WORDS` plus a
    short rest: headings and cells are read with what follows them.
    """
    total, begin = 0, 0
    for word in range(count - 1):
        length = word + 1 - begin
        if length >= MAX_SENTENCE_WORDS or (
            length >= MIN_SENTENCE_WORDS and _breaks(data, ends[word], starts[word + 1])
        ):
            borders[total] = word + 1
            total += 1
            begin = word + 1
    if count > 0:
        if total > 0 and count - begin < MIN_SENTENCE_WORDS:
            total -= 1
        borders[total] = count
        total += 1
    return total


def sum_sentences(
    offsets: np.ndarray,
    data: np.ndarray,
    lower: np.ndarray,
    word_weights: np.ndarray,
    char_weights: np.ndarray,
    scope_weights: np.ndarray,
    neutral: np.ndarray,
    listed: np.ndarray,
    class_keys: np.ndarray,
    class_ids: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weight sums of every sentence.

    Returns row int64[s], start and end byte within the row int64[s], sums int32[s, 5] (words and characters of the plain
    reading, then of the neutral one, and scopes) and, int32[s, 7], the number of features of each, of words in `listed`, and
    the classes that have a word in the sentence, a bit each.
    `neutral`, `listed` and `class_keys` are sorted word hashes, `class_ids` uint8 the classes of the last.
    """
    words = split_rows(offsets, data, lower)
    return _sum_sentences(
        offsets, data, lower, *words, word_weights, char_weights, scope_weights, neutral, listed, class_keys, class_ids
    )


@kernel()
def _sum_sentences(
    offsets: np.ndarray, data: np.ndarray, lower: np.ndarray,
    word_rows: np.ndarray, all_hashes: np.ndarray, all_starts: np.ndarray, all_ends: np.ndarray,
    word_weights: np.ndarray, char_weights: np.ndarray, scope_weights: np.ndarray, neutral: np.ndarray, listed: np.ndarray,
    class_keys: np.ndarray, class_ids: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    word_mask, char_mask = np.uint64(len(word_weights) - 1), np.uint64(len(char_weights) - 1)
    rows, begins, stops = np.empty(256, np.int64), np.empty(256, np.int64), np.empty(256, np.int64)
    sums, sizes = np.empty((256, 5), np.int32), np.empty((256, 7), np.int32)
    borders = np.empty(1024, np.int64)
    points, grams = np.empty(MAX_WORD_POINTS + 2, np.int32), np.empty(MAX_GRAMS, np.int64)
    # What a word adds by its characters depends on the word alone: a direct-mapped cache of the frequent ones.
    cache_key, cache_sum = np.zeros(_CACHE, np.uint64), np.zeros(_CACHE, np.int32)
    cache_size, cache_kind = np.zeros(_CACHE, np.int32), np.zeros(_CACHE, np.uint8)
    cache_class, classes, scopes = (
        np.zeros(_CACHE, np.uint8),
        np.empty(MAX_CLASSES, np.uint8),
        np.empty(MAX_SCOPES, np.int64),
    )
    cache_mask = np.uint64(_CACHE - 1)
    total = 0
    for row in range(len(offsets) - 1):
        base = offsets[row]
        low, high = word_rows[row], word_rows[row + 1]
        hashes, starts, ends, count = all_hashes[low:high], all_starts[low:high], all_ends[low:high], high - low
        if len(borders) < len(hashes):
            borders = np.empty(len(hashes), np.int64)
        sentences = sentence_ends(data, starts, ends, count, borders)
        word = 0
        for sentence in range(sentences):
            if total == len(rows):
                rows, begins, stops = grow(rows, 2 * total), grow(begins, 2 * total), grow(stops, 2 * total)
                sums, sizes = grow_rows(sums, 2 * total), grow_rows(sizes, 2 * total)
            rows[total], begins[total], stops[total] = row, starts[word] - base, ends[borders[sentence] - 1] - base
            previous, previous_neutral = FIRST, FIRST
            plain_words, plain_chars, neutral_words, neutral_chars = 0, 0, 0, 0
            plain_grams, neutral_grams, features, hits, classed, marks = 0, 0, 0, 0, 0, 0
            while word < borders[sentence]:
                value = hashes[word]
                place = slot_of(value, cache_mask)
                if cache_key[place] != value or cache_kind[place] == 0:
                    cache_key[place], cache_sum[place], cache_size[place] = value, 0, 0
                    cache_class[place] = class_of(class_keys, class_ids, value)
                    if is_number(data, starts[word], ends[word]):
                        cache_kind[place] = 1
                    else:
                        size = word_grams(data, starts[word], ends[word], lower, char_mask, points, grams)
                        added = 0
                        for at in range(size):
                            added += char_weights[grams[at]]
                        cache_sum[place], cache_size[place] = added, size
                        cache_kind[place] = 2
                        if contains(neutral, value):
                            cache_kind[place] = 3
                        elif contains(listed, value):
                            cache_kind[place] = 4
                kind = cache_kind[place]
                classed = add_class(classes, classed, cache_class[place], data, base, starts[word])
                plain = NUMBER if kind == 1 else value
                unmarked = NEUTRAL if kind == 3 else plain
                both = np.int64(word_weights[slot_of(plain, word_mask)]) + np.int64(
                    word_weights[slot_of(pair_hash(previous, plain), word_mask)]
                )
                plain_words += both
                if unmarked == plain and previous == previous_neutral:
                    neutral_words += both
                else:
                    neutral_words += np.int64(word_weights[slot_of(unmarked, word_mask)]) + np.int64(
                        word_weights[slot_of(pair_hash(previous_neutral, unmarked), word_mask)]
                    )
                plain_chars += cache_sum[place]
                plain_grams += cache_size[place]
                if kind != 3:
                    neutral_chars += cache_sum[place]
                    neutral_grams += cache_size[place]
                previous, previous_neutral = plain, unmarked
                hits += kind == 4
                marks |= 1 << np.int64(cache_class[place])
                features += 2
                word += 1
            scoped, scope_sum = scope_slots(classes, classed, scopes), 0
            for at in range(scoped):
                scope_sum += scope_weights[scopes[at]]
            sums[total, 4], sizes[total, 4], sizes[total, 5] = scope_sum, scoped, hits
            sizes[total, 6] = marks
            sums[total, 0], sums[total, 1] = plain_words, plain_chars
            sums[total, 2], sums[total, 3] = neutral_words, neutral_chars
            sizes[total, 0], sizes[total, 1] = features, plain_grams
            sizes[total, 2], sizes[total, 3] = features, neutral_grams
            total += 1
    return rows[:total], begins[:total], stops[:total], sums[:total], sizes[:total]
