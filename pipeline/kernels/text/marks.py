"""Text without what only lays it out, in compiled code: rulers, dot leaders, bullets of lists and check boxes.

A form is half rulers and boxes. To rules that count words, words without a letter or repeated words these are no words.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int
from pipeline.kernels.unicode import decode

RULER, BULLET, BOX = 1, 2, 4
RULERS = "_-=.*~+#·•…‐‑‒–—―⎯─━═▬■"
"""Characters that rule a line or lead from a label to its figure when they repeat; box drawing is among them."""
BULLETS = "-*•·–—‣⁃○●◦◘▪▫►▶➢➤✓✔\uf0b7\uf0a7"
"""Characters that begin an item of a list, before white space."""
BOXES = "☐☑☒□■▢\u25a1\uf06f\uf0a8\uf0fe\uf071"
"""Check boxes, wherever they stand; the last ones are those of symbol fonts."""
IN_A_LINE, ALONE = 4, 3
"""How many rulers make a ruler: within a line, and where the line holds nothing else. `...` is an ellipsis."""
GAP = 2
"""Most spaces between two of them."""


def _kinds() -> np.ndarray:
    table = np.zeros(0x10000, np.uint8)
    for characters, kind in ((RULERS, RULER), (BULLETS, BULLET), (BOXES, BOX)):
        table[[ord(character) for character in characters]] |= kind
    table[0x2500:0x2580] |= RULER
    return table


KINDS = _kinds()
"""uint8[0x10000]: the bits above by code point."""


@kernel(forceinline=True)
def _kind(kinds: np.ndarray, point: Int) -> Int:
    return np.int64(kinds[point]) if 0 <= point < 0x10000 else 0


@kernel()
def _ruler_end(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """(byte behind the last, how many) of the same character, with up to `GAP` spaces between."""
    wanted, width = decode(data, at, end)
    count, stop = 1, at + width
    while True:
        place = stop
        while place < end and place - stop < GAP and data[place] == codes.SPACE:
            place += 1
        if place >= end:
            return stop, count
        point, width = decode(data, place, end)
        if point != wanted:
            return stop, count
        stop = place + width
        count += 1


@kernel()
def box_end(data: np.ndarray, at: int, end: int) -> int:
    """The byte behind `[ ]`, `[x]` or `( )` that begins at `at`, or 0."""
    close = codes.RIGHT_BRACKET if data[at] == codes.LEFT_BRACKET else codes.RIGHT_PAREN
    at += 1
    marks, spaces = 0, 0
    while at < end and marks + spaces < 4:
        if data[at] == close:
            return at + 1 if marks + spaces and marks < 2 and (marks == 0 or close == codes.RIGHT_BRACKET) else 0
        if data[at] | codes.CASE_BIT == codes.SMALL_X:
            marks += 1
        elif data[at] == codes.SPACE:
            spaces += 1
        else:
            return 0
        at += 1
    return 0


@kernel()
def without_marks(offsets: np.ndarray, data: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(offsets int64[n + 1], bytes) of the rows without rulers, leaders, bullets and boxes; `kinds` is `KINDS`.

    Each leaves a space unless one stands before it; a line that held nothing else goes with its line feed.
    """
    out, places = np.empty(offsets[-1] - offsets[0], np.uint8), np.zeros(len(offsets), np.int64)
    to = 0
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            # One line, from `at` to its line feed: what it began with, whether it lost and whether it kept a sign.
            stop, begin, signs, lost, kept = at, to, 0, False, False
            while stop < end and data[stop] != codes.LINE_FEED:
                stop += 1
            first = at
            while at < stop:
                byte = data[at]
                if (
                    byte < codes.NON_ASCII
                    and kinds[byte] == 0
                    and byte != codes.LEFT_BRACKET
                    and byte != codes.LEFT_PAREN
                ):
                    out[to] = byte
                    to += 1
                    kept = kept or byte > codes.SPACE
                    signs += byte > codes.SPACE
                    at += 1
                    continue
                point, width = decode(data, at, stop)
                kind, skip = _kind(kinds, point), 0
                if kind & RULER:
                    behind, count = _ruler_end(data, at, stop)
                    alone = count >= ALONE and signs == 0
                    for place in range(behind, stop if alone else behind):
                        alone = alone and data[place] <= codes.SPACE
                    skip = behind if count >= IN_A_LINE or alone else 0
                if not skip and kind & BULLET and signs == 0:
                    skip = at + width if at + width >= stop or data[at + width] <= codes.SPACE else 0
                if not skip and (kind & BOX or point == codes.LEFT_BRACKET or point == codes.LEFT_PAREN):
                    skip = at + width if kind & BOX else box_end(data, at, stop)
                signs += 1
                if skip:
                    lost = True
                    if to > begin and out[to - 1] > codes.SPACE:
                        out[to] = codes.SPACE
                        to += 1
                    at = skip
                    continue
                kept = True
                for place in range(at, at + width):
                    out[to] = data[place]
                    to += 1
                at += width
            if lost and not kept and first < stop:
                to = begin
            elif stop < end:
                out[to] = codes.LINE_FEED
                to += 1
            at = stop + 1
        places[row + 1] = to
    return places, out[:to]
