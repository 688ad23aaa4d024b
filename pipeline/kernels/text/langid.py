# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
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

from pipeline.kernels import codes
from pipeline.kernels.arrays import copy_items
from pipeline.kernels.compiled import kernel
from pipeline.kernels.text.word_tables import ALPHA, DIGIT, LOWER, UPPER
from pipeline.kernels.unicode import decode

MODEL_VERSION_OF = "py3langid"
"""The distribution whose version decides the labels."""
UNIT = float(1 << 31)
"""The scale of scores."""
LETTERS = np.array([chr(byte).isalpha() or byte >= codes.NON_ASCII for byte in range(256)])
BETWEEN = np.array([chr(byte) in " .,'-" for byte in range(256)])
"""bool[256]: bytes of letters, and those that may stand between letters in a feature that says something."""
CONSTRUCTED = ("ia", "ie", "io", "vo")
RARE_COST = 20
"""Natural logarithm of how much less likely than others a constructed language and one without a two-letter code are."""
WORDS, SMALL_WORDS, IN_LATIN = range(3)
"""Columns of `quiet`'s counts: words, words that it leaves in place, and whether most letters are Latin."""


class LanguageModel(NamedTuple):
    """Arrays of the model, in whole numbers: `weights` in 2^-11, in which they are exact, products and `prior` in 2^-31."""

    moves: np.ndarray
    """int32: the next state by 256 * row + byte."""
    states: np.ndarray
    """int32[s, 2]: where a state's row of `moves` begins, and the feature it counts or -1."""
    weights: np.ndarray
    """int16[f, labels]."""
    prior: np.ndarray
    """int64[labels]."""
    aliases: np.ndarray
    """int32[labels]: the first class of the same label."""
    logs: np.ndarray
    """int64: log(1 + count) in 2^-20."""
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
        weights = arrays["ptc"].astype(np.float64) * 2048
        if weights.max() > 32767 or weights.min() < -32768 or (weights != np.rint(weights)).any():
            raise ValueError("the language model's weights are no multiples of 2^-11: this py3langid is not supported")
        return LanguageModel(
            moves=arrays["nextmove"].astype(np.int32),
            states=np.stack([arrays["nextmove_row"].astype(np.int32) * 256, arrays["out_feat"].astype(np.int32)], 1),
            weights=np.ascontiguousarray(weights.astype(np.int16)),
            prior=np.rint(arrays["pc"].astype(np.float64) * UNIT).astype(np.int64),
            aliases=np.array([first[label] for label in labels], np.int32),
            logs=np.rint(np.log1p(np.arange(1 << 16)) * (1 << 20)).astype(np.int64),
            labels=labels,
        )


@lru_cache(1)
def letters_model() -> LanguageModel:
    """The same model without the features that hold a digit or a mark, and with `RARE_COST` on labels that few ask for.

    A state of the automaton stands for the bytes of the shortest way to it; its feature is those bytes.
    """
    model = load_model()
    moves, states = model.moves.reshape(-1, 256), model.states.copy()
    seen, letter, mark = (np.zeros(len(states), np.bool_) for _ in range(3))
    front = np.zeros(1, np.int64)
    seen[0] = True
    while len(front):
        targets = moves[states[front, 0] // 256].ravel()
        place = np.full(len(states), -1, np.int64)
        place[targets] = np.arange(len(targets))
        after = np.flatnonzero((place >= 0) & ~seen)
        origin, byte = front[place[after] // 256], place[after] % 256
        letter[after] = letter[origin] | LETTERS[byte]
        mark[after] = mark[origin] | ~(LETTERS | BETWEEN)[byte]
        seen[after] = True
        front = after
    states[~letter | mark, 1] = -1
    rare = [len(label) > 2 or label in CONSTRUCTED for label in model.labels]
    return model._replace(states=states, prior=model.prior - np.array(rare) * int(RARE_COST * UNIT))


@kernel()
def windows(offsets: np.ndarray, data: np.ndarray, count: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows int64[n + 1], starts, ends): up to `count` windows of about `size` bytes, evenly spread over each document.

    A document of up to two windows is one, and one of up to `count * size` bytes is looked at whole, in consecutive
    windows. Windows begin after a
    space when one is near, and begin and end on code points. `count` 0 gives one window, the whole document.
    """
    rows = np.zeros(len(offsets), np.int64)
    most = max(count, 1)
    starts, ends = np.empty(most * (len(offsets) - 1), np.int64), np.empty(most * (len(offsets) - 1), np.int64)
    at = 0
    for row in range(len(offsets) - 1):
        low, high = offsets[row], offsets[row + 1]
        length = high - low
        used = 1 if count == 0 or length <= 2 * size else min(count, (length + size - 1) // size)
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
                    if data[near] == codes.SPACE or data[near] == codes.LINE_FEED:
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


@kernel()
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
                if byte < codes.NON_ASCII:
                    lower = lower or codes.SMALL_A <= byte <= codes.SMALL_Z
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


@kernel()
def quiet(
    starts: np.ndarray, ends: np.ndarray, data: np.ndarray, attributes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bytes, places int64[n + 1], counts int64[n, 3]): windows without names, codes and words of another script.

    A word is letters with marks, apostrophes and hyphens between; digits make it a code. Left out, for a space each: words
    that begin with a capital, codes, and words of the script (Latin or not) that has fewer letters. `counts` are the words
    of at least two letters before and after; every two letters of a script without case are a word.
    """
    total = 0
    for window in range(len(starts)):
        total += ends[window] - starts[window]
    out, places = np.empty(total, np.uint8), np.zeros(len(starts) + 1, np.int64)
    counts, to = np.zeros((len(starts), 3), np.int64), 0
    for window in range(len(starts)):
        latin, others, at, end = 0, 0, starts[window], ends[window]
        while at < end:
            point, width = decode(data, at, end)
            letter = point >= 0 and np.int64(attributes[point]) & ALPHA > 0
            latin += letter and _is_latin(point)
            others += letter and not _is_latin(point)
            at += width
        counts[window, IN_LATIN] = latin >= others
        at = starts[window]
        while at < end:
            first, letters, uncased, capital, code, foreign = at, 0, 0, False, False, False
            while at < end:
                point, width = decode(data, at, end)
                mark = np.int64(attributes[point]) if point >= 0 else 0
                joins = point == codes.APOSTROPHE or point == codes.RIGHT_APOSTROPHE or point == codes.HYPHEN
                if not mark & (ALPHA | DIGIT) and not (joins and at > first) and not 0x300 <= point < 0x370:
                    break
                if mark & ALPHA:
                    capital = capital or (letters == 0 and mark & UPPER > 0 and not mark & LOWER)
                    foreign = foreign or (_is_latin(point) != (latin >= others))
                    uncased += mark & UPPER > 0 and mark & LOWER > 0
                    letters += 1
                code = code or mark & DIGIT > 0
                at += width
            words = max(np.int64(letters > 1), uncased // 2) if not code else 0
            counts[window, WORDS] += words
            if letters and not (capital or code or foreign):
                counts[window, SMALL_WORDS] += words
                for byte in range(first, at):
                    out[to] = data[byte]
                    to += 1
            elif at > first:
                out[to] = codes.SPACE
                to += 1
            if at < end:
                point, width = decode(data, at, end)
                for byte in range(at, at + width):
                    out[to] = data[byte]
                    to += 1
                at += width
        places[window + 1] = to
    return out[:to], places, counts


@kernel(forceinline=True)
def _is_latin(point: int) -> bool:
    return point < 0x250 or 0x1E00 <= point < 0x1F00


@kernel(forceinline=True)
def _add(target: np.ndarray, items: np.ndarray, times: int) -> None:
    """`target += items * times`; written out, because Numba takes seconds to compile an expression of whole arrays."""
    for place in range(len(items)):
        target[place] += items[place] * times


@kernel()
def _score(
    found: np.ndarray, counts: np.ndarray, weights: np.ndarray, logs: np.ndarray, sums: np.ndarray, totals: np.ndarray
) -> None:
    """Add a window's features (a list with repeats) to `totals`; `counts` must be and is left zero, `sums` is scratch.

    Whole numbers throughout: the same result on every machine and in every order.
    """
    num = 0
    for at in range(len(found)):
        if counts[found[at]] == 0:
            found[num] = found[at]
            num += 1
        counts[found[at]] += 1
    pending = 0
    sums[:] = 0
    for at in range(num):
        feature = found[at]
        count = counts[feature]
        counts[feature] = 0
        row = weights[feature]
        if count == 1:  # nearly all: summed as they are, multiplied once
            for label in range(len(totals)):
                sums[label] += row[label]
            pending += 1
            if pending == 60_000:  # 60,000 weights of 15 bits still fit an int32
                _add(totals, sums, logs[1])
                sums[:] = 0
                pending = 0
        else:
            amount = logs[min(count, len(logs) - 1)]
            for label in range(len(totals)):
                totals[label] += amount * row[label]
    _add(totals, sums, logs[1])


@kernel()
def _best(totals: np.ndarray, aliases: np.ndarray, size: int, other: int) -> tuple[int, float, float]:
    """Label of the highest score, its share at temperature sqrt(bytes) and the share of the label `other`.

    A label's second column counts as its first.
    """
    best = 0
    for label in range(1, len(totals)):
        if totals[label] > totals[best]:
            best = label
    scale, mass, own, others = 1.0 / (UNIT * math.sqrt(max(1, size))), 0.0, 0.0, 0.0
    for label in range(len(totals)):
        part = math.exp(np.float64(totals[label] - totals[best]) * scale)
        mass += part
        if aliases[label] == aliases[best]:
            own += part
        elif aliases[label] == other:
            others += part
    return aliases[best], own / mass, others / mass


@kernel(forceinline=True)
def _step(moves: np.ndarray, states: np.ndarray, place: int, byte: int, found: np.ndarray, num: int) -> tuple[int, int]:
    state = np.int64(moves[place + byte])
    found[num] = states[state, 1]
    return np.int64(states[state, 0]), num + (states[state, 1] >= 0)


@kernel()
def classify(
    rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, data: np.ndarray, mixed_score: float,
    moves: np.ndarray, states: np.ndarray, weights: np.ndarray, prior: np.ndarray, aliases: np.ndarray,
    logs: np.ndarray, expected: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Per document: the label's class int32, its score float64 and `mixed` float64, from its windows together, and the
    score float64 of the class in `expected` (int32[n], -1 for none), 0 where that is the label.

    `mixed` is the share of windowed bytes whose window has another label at a score of at least `mixed_score`; a
    document of one window has 0. A text without any feature gets class 0 with an equal share, as in py3langid.
    """
    num = len(rows) - 1
    best, score, mixed, rival = np.zeros(num, np.int32), np.zeros(num), np.zeros(num), np.zeros(num)
    counts, sums = np.zeros(len(weights), np.int32), np.zeros(len(prior), np.int32)
    totals, own = np.zeros(len(prior), np.int64), np.zeros(len(prior), np.int64)
    widest, longest = 0, 0
    for row in range(num):
        widest = max(widest, rows[row + 1] - rows[row])
    for window in range(len(starts)):
        longest = max(longest, ends[window] - starts[window])
    labels, shares = np.zeros(widest, np.int32), np.zeros(widest)
    found, filled = np.empty((4, longest + 1), np.int32), np.zeros(4, np.int64)
    ready, row, size, any_found = 0, 0, 0, False
    for window in range(len(starts)):
        if window == ready:
            ready = min(window + 4, len(starts))
            _walk(window, ready, starts, ends, data, moves, states, found, filled)
        while window >= rows[row + 1]:  # documents without a window do not exist, but cost nothing here
            row += 1
        place = window - rows[row]
        if place == 0:
            copy_items(prior, 0, len(prior), totals, 0)
            size, any_found = 0, False
        lane = window % 4
        own[:] = 0
        _score(found[lane, : filled[lane]], counts, weights, logs, sums, own)
        _add(totals, own, 1)
        any_found = any_found or filled[lane] > 0
        length = ends[window] - starts[window]
        size += length
        several = rows[row + 1] - rows[row] > 1
        if several:
            _add(own, prior, 1)
            labels[place], shares[place], _ = _best(own, aliases, length, -1)
            shares[place] *= filled[lane] > 0
        if window + 1 == rows[row + 1]:
            if not any_found:
                totals[:] = 0
            best[row], score[row], rival[row] = _best(totals, aliases, size, expected[row])
            other = 0
            for place in range(rows[row + 1] - rows[row] if several else 0):
                if labels[place] != best[row] and shares[place] >= mixed_score:
                    other += ends[rows[row] + place] - starts[rows[row] + place]
            mixed[row] = other / max(1, size)
    return best, score, mixed, rival


@kernel()
def _walk(
    first: int, last: int, starts: np.ndarray, ends: np.ndarray, data: np.ndarray,
    moves: np.ndarray, states: np.ndarray, found: np.ndarray, filled: np.ndarray,
) -> None:  # fmt: skip
    """Write the features of up to four windows to the rows of `found`, their numbers to `filled`.

    Each step waits for memory twice; four windows side by side wait at the same time.
    """
    filled[:] = 0
    root = np.int64(states[0, 0])
    shared = 0
    if last - first == 4:
        shared = ends[first] - starts[first]
        for window in range(first + 1, last):
            shared = min(shared, ends[window] - starts[window])
    one, two, three, four = root, root, root, root
    at_one, at_two, at_three, at_four = 0, 0, 0, 0
    for at in range(shared):
        one, at_one = _step(moves, states, one, data[starts[first] + at], found[0], at_one)
        two, at_two = _step(moves, states, two, data[starts[first + 1] + at], found[1], at_two)
        three, at_three = _step(moves, states, three, data[starts[first + 2] + at], found[2], at_three)
        four, at_four = _step(moves, states, four, data[starts[first + 3] + at], found[3], at_four)
    for window in range(first, last):
        lane = window - first
        place = one if lane == 0 else two if lane == 1 else three if lane == 2 else four
        num = at_one if lane == 0 else at_two if lane == 1 else at_three if lane == 2 else at_four
        for at in range(starts[window] + shared, ends[window]):
            place, num = _step(moves, states, place, data[at], found[lane], num)
        filled[lane] = num
