"""py3langid's language model in compiled code: a byte automaton that counts features, and naive Bayes over them.

The model (an automaton of 104,583 states, 100,053 features, 142 classes) is read from the installed wheel; none of its
numbers is ours. A text of b bytes costs b automaton steps and one row of 142 weights per different feature.
"""

import importlib.util
import io
import lzma
import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.kernels.unicode import decode
from pipeline.kernels.word_tables import LOWER, SPACE, UPPER

MODEL_VERSION_OF = "py3langid"
"""The distribution whose version decides the labels."""


class LanguageModel(NamedTuple):
    """Arrays of the model: `moves` and `bases` walk, `features` names what a state counts, `weights` and `prior` score."""

    moves: np.ndarray
    bases: np.ndarray
    features: np.ndarray
    weights: np.ndarray
    prior: np.ndarray
    aliases: np.ndarray
    labels: list[str]


@lru_cache(1)
def load_model() -> LanguageModel:
    """The model of the installed py3langid (about 100 MB in memory, under a second, once a process)."""
    found = importlib.util.find_spec("py3langid")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("py3langid is not installed: its wheel carries the language model")
    with lzma.open(Path(found.origin).parent / "data" / "model.npz.xz") as packed:
        arrays = np.load(io.BytesIO(packed.read()), allow_pickle=False)
        labels = [str(label) for label in arrays["classes"]]
        first = {label: at for at, label in reversed(list(enumerate(labels)))}
        return LanguageModel(
            moves=arrays["nextmove"].astype(np.int32),
            bases=arrays["nextmove_row"].astype(np.int32) * 256,
            features=arrays["out_feat"].astype(np.int32),
            weights=np.ascontiguousarray(arrays["ptc"].astype(np.float32)),
            prior=arrays["pc"].astype(np.float32),
            aliases=np.array([first[label] for label in labels], np.int32),
            labels=labels,
        )


@njit(cache=True)
def windows(
    offsets: np.ndarray, data: np.ndarray, count: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows int64[n + 1], starts, ends): up to `count` windows of about `size` bytes, evenly spread over each document.

    A document no longer than `count * size` bytes is looked at whole, in consecutive windows. Windows begin after a
    space when one is near, and begin and end on code points. `count` 0 gives one window, the whole document.
    """
    rows = np.zeros(len(offsets), np.int64)
    most = max(count, 1)
    starts, ends = np.empty(most * (len(offsets) - 1), np.int64), np.empty(most * (len(offsets) - 1), np.int64)
    at = 0
    for row in range(len(offsets) - 1):
        low, high = offsets[row], offsets[row + 1]
        length = high - low
        used = 1 if count == 0 else min(count, max(1, (length + size - 1) // size))
        whole = count == 0 or length <= count * size
        last = low
        for number in range(used):
            if whole:
                begin, end = last, high if number == used - 1 else low + (number + 1) * length // used
            else:
                begin = low + number * (length - size) // max(1, used - 1)
                end = begin + size
            if not whole and number:
                for near in range(begin, min(begin + 24, high)):
                    if data[near] == 0x20 or data[near] == 0x0A:
                        begin = near + 1
                        break
            begin, end = max(begin, last), min(end, high)
            while begin > low and begin < high and data[begin] & 0xC0 == 0x80:
                begin += 1
            while end < high and data[end] & 0xC0 == 0x80:
                end += 1
            starts[at], ends[at] = begin, max(begin, end)
            last = ends[at]
            at += 1
        rows[row + 1] = at
    return rows, starts[:at], ends[:at]


@njit(cache=True)
def needs_preparing(
    rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, data: np.ndarray, attributes: np.ndarray
) -> np.ndarray:
    """bool per document: the windows hold no lower-case letter, or a character from U+0300 on that may compose.

    Only then can py3langid's preparation (lower-casing a text in capitals, NFC) change a byte.
    """
    out = np.zeros(len(rows) - 1, np.bool_)
    for row in range(len(out)):
        lower, composed = False, False
        for window in range(rows[row], rows[row + 1]):
            at = starts[window]
            while at < ends[window] and not composed:
                byte = data[at]
                if byte < 0x80:
                    lower = lower or 0x61 <= byte <= 0x7A
                    at += 1
                    continue
                point, width = decode(data, at, ends[window])
                composed = point >= 0x300 or point < 0
                if point >= 0 and not lower:
                    mark = np.int64(attributes[point])
                    lower = mark & LOWER > 0 and not mark & UPPER
                at += width
        out[row] = composed or not lower
    return out


@njit(cache=True, fastmath=True)
def _add(totals: np.ndarray, weights: np.ndarray, feature: int, amount: np.float32) -> None:
    for label in range(len(totals)):
        totals[label] += amount * weights[feature, label]


@njit(cache=True)
def _best(totals: np.ndarray, aliases: np.ndarray, size: int) -> tuple[int, float]:
    """Label of the highest score, and its share at temperature sqrt(bytes); a label's second column counts as its first."""
    best = 0
    for label in range(1, len(totals)):
        if totals[label] > totals[best]:
            best = label
    scale, mass, own = 1.0 / math.sqrt(max(1, size)), 0.0, 0.0
    for label in range(len(totals)):
        part = math.exp((np.float64(totals[label]) - np.float64(totals[best])) * scale)
        mass += part
        if aliases[label] == aliases[best]:
            own += part
    return aliases[best], own / mass


@njit(cache=True)
def classify(
    rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, data: np.ndarray, mixed_score: float,
    moves: np.ndarray, bases: np.ndarray, features: np.ndarray, weights: np.ndarray, prior: np.ndarray,
    aliases: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Per document: the label's class int32, its score float64 and `mixed` float64, from its windows together.

    `mixed` is the share of windowed bytes whose window has another label at a score of at least `mixed_score`; a
    document of one window has 0. A text without any feature gets class 0 with an equal share, as in py3langid.
    """
    num = len(rows) - 1
    best, score, mixed = np.zeros(num, np.int32), np.zeros(num), np.zeros(num)
    counts, own_counts = np.zeros(len(weights), np.int32), np.zeros(len(weights), np.int32)
    touched, own = np.empty(len(weights), np.int32), np.empty(len(weights), np.int32)
    totals = np.zeros(len(prior), np.float32)
    widest = 0
    for row in range(num):
        widest = max(widest, rows[row + 1] - rows[row])
    labels, shares = np.zeros(widest, np.int32), np.zeros(widest)
    for row in range(num):
        num_touched, size = 0, 0
        several = rows[row + 1] - rows[row] > 1
        for window in range(rows[row], rows[row + 1]):
            state, num_own = 0, 0
            for at in range(starts[window], ends[window]):
                state = moves[bases[state] + data[at]]
                feature = features[state]
                if feature >= 0:
                    if several and own_counts[feature] == 0:
                        own[num_own] = feature
                        num_own += 1
                    own_counts[feature] += several
                    if counts[feature] == 0:
                        touched[num_touched] = feature
                        num_touched += 1
                    counts[feature] += 1
            size += ends[window] - starts[window]
            if several:
                totals[:] = prior * np.float32(num_own > 0)
                for at in range(num_own):
                    _add(totals, weights, own[at], np.float32(math.log1p(np.float32(own_counts[own[at]]))))
                    own_counts[own[at]] = 0
                place = window - rows[row]
                labels[place], shares[place] = _best(totals, aliases, ends[window] - starts[window])
        totals[:] = prior * np.float32(num_touched > 0)
        for at in range(num_touched):
            _add(totals, weights, touched[at], np.float32(math.log1p(np.float32(counts[touched[at]]))))
            counts[touched[at]] = 0
        best[row], score[row] = _best(totals, aliases, size)
        if several and size:
            other = 0
            for place in range(rows[row + 1] - rows[row]):
                if labels[place] != best[row] and shares[place] >= mixed_score:
                    other += ends[rows[row] + place] - starts[rows[row] + place]
            mixed[row] = other / size
    return best, score, mixed
