# pyright: reportArgumentType=false, reportReturnType=false
# (NumPy's stubs do not know that an element of an array of integers is an int.)
"""Counts over lines, characters and words of a document in compiled code: what Gopher's and Dolma's rules divide."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.blocks import SIZE, below, equal, first_bits, ones
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import address, byte_at, short_at, trailing_zeros
from pipeline.kernels.text.word_tables import BREAK, SPACE, fnv
from pipeline.kernels.text.words import HAS_ALPHA, HAS_WORD, SIZE_SHIFT
from pipeline.kernels.unicode import decode_at

CHARS, HASHES, ELLIPSES, LINES, BULLETS, ELLIPSIS_LINES, NUM_MARKS = range(7)
"""Columns of `count_marks`."""
TOKENS, WORDS, WORD_CHARS, ALPHA_TOKENS, STOP_WORDS, NUM_WORD_COUNTS = range(6)
"""Columns of `count_words`."""


@kernel()
def count_marks(offsets: np.ndarray, data: np.ndarray, attributes: np.ndarray, bullets: np.ndarray) -> np.ndarray:
    """int64[n, NUM_MARKS]: code points, `#`, ellipses (`...` and `…`), lines as `str.splitlines` has them, lines that
    begin with one of the code points `bullets` after white space, lines that end in an ellipsis before white space."""
    out = np.zeros((len(offsets) - 1, NUM_MARKS), np.int64)
    text, limit, table = address(data), address(data) + data.shape[0], address(attributes)
    for row in range(len(out)):
        at, end = text + offsets[row], text + offsets[row + 1]
        chars, hashes, ellipses, lines, bulleted, trailing = 0, 0, 0, 0, 0, 0
        line_start, begun, dots, ends_so, previous = at, False, 0, False, 0
        while at < end:
            if at + SIZE <= limit:
                # What is ASCII and neither a full stop nor a control character, up to the end of the block.
                special = (
                    below(at, codes.SPACE) | ~below(at, codes.NON_ASCII) | equal(at, codes.DOT) | ~first_bits(end - at)
                )
                run = trailing_zeros(special)
                if run:
                    here = first_bits(run)
                    signs = here & ~equal(at, codes.SPACE)
                    if signs:
                        ends_so = False
                        if not begun:
                            begun = True
                            for bullet in bullets:
                                bulleted += byte_at(at + trailing_zeros(signs)) == bullet
                    hashes += ones(here & equal(at, codes.HASH))
                    ellipses += dots // 3
                    chars += run
                    at += run
                    dots, previous = 0, 0
                    continue
            point, width = decode_at(at, end)
            mark = short_at(table + 2 * point) if point >= 0 else 0
            chars += 1
            if mark & SPACE:
                # "\r\n" is one line end: the "\n" belongs to the line that "\r" closed.
                if mark & BREAK and not (point == codes.LINE_FEED and previous == codes.RETURN):
                    lines += 1
                    trailing += ends_so
                    begun, ends_so = False, False
                if mark & BREAK:
                    line_start = at + width
                ellipses += dots // 3
                dots = 0
            else:
                if not begun:
                    begun = True
                    for bullet in bullets:
                        bulleted += point == bullet
                if point == codes.DOT:
                    dots += 1
                    ends_so = dots >= 3
                else:
                    ellipses += dots // 3
                    dots = 0
                    ends_so = point == codes.ELLIPSIS
                    ellipses += ends_so
                    hashes += point == codes.HASH
            previous = point
            at += width
        ellipses += dots // 3
        if line_start < end:
            lines += 1
            trailing += ends_so
        out[row, CHARS], out[row, HASHES], out[row, ELLIPSES] = chars, hashes, ellipses
        out[row, LINES], out[row, BULLETS], out[row, ELLIPSIS_LINES] = lines, bulleted, trailing
    return out


def stop_table(stop_words: list[str], any_case: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes of stop words by the low 8 bits: (first int64[257], hashes uint64[k] sorted by bucket, the word of each int64[k]).

    With `any_case` a word is also known with a capital and in capitals.
    """
    words = sorted(set(stop_words))
    forms = {fnv(word.encode()): at for at, word in enumerate(words)}
    for at, word in enumerate(words if any_case else []):
        for form in (word.capitalize(), word.upper()):
            forms.setdefault(fnv(form.encode()), at)
    hashes = sorted(forms, key=lambda value: (value & 255, value))
    first = np.searchsorted(np.array([value & 255 for value in hashes]), np.arange(257)).astype(np.int64)
    return first, np.array(hashes, np.uint64), np.array([forms[value] for value in hashes], np.int64)


@kernel()
def count_words(
    rows: np.ndarray, hashes: np.ndarray, sizes: np.ndarray, first: np.ndarray, stops: np.ndarray, word_of: np.ndarray
) -> np.ndarray:
    """int64[n, NUM_WORD_COUNTS]: tokens, tokens with a character that is no symbol ("words"), their code points, tokens
    with a letter, and how many different stop words occur. `rows, hashes, sizes` are `words.Words`."""
    out = np.zeros((len(rows) - 1, NUM_WORD_COUNTS), np.int64)
    seen = np.full(len(stops), -1, np.int64)
    for row in range(len(out)):
        num_words, chars, alpha, distinct = 0, 0, 0, 0
        for at in range(rows[row], rows[row + 1]):
            size = np.int64(sizes[at])
            if size & HAS_WORD:
                num_words += 1
                chars += size >> SIZE_SHIFT
            alpha += size & HAS_ALPHA
            bucket = np.int64(hashes[at] & np.uint64(255))
            for slot in range(first[bucket], first[bucket + 1]):
                if stops[slot] == hashes[at] and seen[word_of[slot]] != row:
                    seen[word_of[slot]] = row
                    distinct += 1
        out[row, TOKENS], out[row, WORDS], out[row, WORD_CHARS] = rows[row + 1] - rows[row], num_words, chars
        out[row, ALPHA_TOKENS], out[row, STOP_WORDS] = alpha, distinct
    return out
