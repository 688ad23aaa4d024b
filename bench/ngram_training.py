"""What `bench.train_toxicity` learns from: the features of `pipeline.kernels.text.ngrams` as slots, and the regression over them.

Compiled like the product's kernels, and no part of it: who scores does not train.
"""

from typing import Any

import numpy as np

from pipeline.kernels.arrays import grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.grams import pair_hash, slot_of
from pipeline.kernels.text.ngrams import (
    FIRST,
    MAX_CLASSES,
    MAX_GRAMS,
    MAX_LISTED,
    MAX_SCOPES,
    MAX_WORD_POINTS,
    NEUTRAL,
    NUMBER,
    add_class,
    class_of,
    contains,
    is_number,
    scope_slots,
    word_grams,
)
from pipeline.kernels.text.term_trie import split_words


@kernel()
def feature_slots(
    offsets: np.ndarray,
    data: np.ndarray,
    lower: np.ndarray,
    word_size: int,
    char_size: int,
    neutral: np.ndarray,
    listed: np.ndarray,
    class_keys: np.ndarray,
    class_ids: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same features for training, each row as one sentence: bounds int64[n, 4], slots int32, listed words int64[n].

    Row i has the words `slots[bounds[i, 0]:bounds[i, 1]]`, then characters (slots from `word_size` on), then scopes (after
    those). With a non-empty `neutral` it is the neutral reading.
    """
    word_mask, char_mask = np.uint64(word_size - 1), np.uint64(char_size - 1)
    count_rows = len(offsets) - 1
    bounds, slots = np.zeros((count_rows, 4), np.int64), np.empty(4096, np.int32)
    hashes, starts, ends = np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    points, grams = np.empty(MAX_WORD_POINTS + 2, np.int32), np.empty(MAX_GRAMS, np.int64)
    classes, scopes = np.empty(MAX_CLASSES, np.uint8), np.empty(MAX_SCOPES, np.int64)
    hits = np.zeros(count_rows, np.int64)
    total = 0
    for row in range(count_rows):
        count, hashes, starts, ends = split_words(data, offsets[row], offsets[row + 1], lower, hashes, starts, ends)
        if total + count * (2 + MAX_GRAMS) + MAX_SCOPES > len(slots):
            slots = grow(slots, 2 * len(slots) + count * (2 + MAX_GRAMS) + MAX_SCOPES)
        bounds[row, 0] = total
        previous, classed = FIRST, 0
        for word in range(count):
            value = hashes[word]
            one = class_of(class_keys, class_ids, value)
            classed = add_class(classes, classed, one, data, offsets[row], starts[word])
            if is_number(data, starts[word], ends[word]):
                value = NUMBER
            elif contains(neutral, value):
                value = NEUTRAL
            else:
                hits[row] += contains(listed, value)
            slots[total] = slot_of(value, word_mask)
            slots[total + 1] = slot_of(pair_hash(previous, value), word_mask)
            hashes[word] = previous = value
            total += 2
        bounds[row, 1] = total
        for word in range(count):
            if hashes[word] != NUMBER and hashes[word] != NEUTRAL:
                size = word_grams(data, starts[word], ends[word], lower, char_mask, points, grams)
                for at in range(size):
                    slots[total + at] = word_size + grams[at]
                total += size
        bounds[row, 2] = total
        scoped = scope_slots(classes, classed, scopes)
        for at in range(scoped):
            slots[total + at] = word_size + char_size + scopes[at]
        total += scoped
        bounds[row, 3] = total
    return bounds, slots[:total], hits


@kernel()
def fit_logistic(
    bounds: np.ndarray,
    slots: np.ndarray,
    listed: np.ndarray,
    labels: np.ndarray,
    importance: np.ndarray,
    order: np.ndarray,
    size: int,
    rate: float,
    decay: float,
    each: float,
) -> tuple[np.ndarray, Any]:
    """Logistic regression by AdaGrad over the examples in `order` (repeated for epochs): weights float64[size] and the bias.

    The value of a feature is one over the square root of the number of features of its kind in the sentence. `each` is the
    fixed weight of a listed word: learnt, it would be explained away by the very words it stands for.
    """
    weights, squares = np.zeros(size), np.full(size, 1e-3)
    bias, bias_square = 0.0, 1e-3
    for step in range(len(order)):
        example = order[step]
        z = bias + each * min(listed[example], MAX_LISTED)
        for part in range(3):
            low, high = bounds[example, part], bounds[example, part + 1]
            value = 1.0 / np.sqrt(max(high - low, 1))
            for at in range(low, high):
                z += weights[slots[at]] * value
        slope = (1.0 / (1.0 + np.exp(-z)) - labels[example]) * importance[example]
        for part in range(3):
            low, high = bounds[example, part], bounds[example, part + 1]
            value = 1.0 / np.sqrt(max(high - low, 1))
            for at in range(low, high):
                slot = slots[at]
                gradient = slope * value + decay * weights[slot]
                squares[slot] += gradient * gradient
                weights[slot] -= rate * gradient / np.sqrt(squares[slot])
        bias_square += slope * slope
        bias -= rate * slope / np.sqrt(bias_square)
    return weights, bias
