"""What stands between two lines of prose that are joined where the first ends in a hyphen.

`long-` and `term` keep theirs, `develop-` and `ment` do not, and `short-` and `and` are parted. Without a dictionary a word is
taken for split when it stands whole elsewhere in the text, or when one of its halves never is a word.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int

APART, TOGETHER, SPLIT = range(3)
"""A space between the lines; nothing; nothing, and the hyphen goes when the word was split."""
BEGINNINGS = "inter con com dis trans im un mis ac af ap"
ENDINGS = (
    "tion tions tional ation ations mation mations sion sions ment ments mental ness ing ings ed er ers est ly ity ties ble bly "
    "able ance ances ence ences cial tial tive tives ture tures ical ically ies nies ries cies pany panies ship hood ful"
)
LINKS = "and or to und oder bis"
"""Words after which a hyphen is that of a first part without its second: short- and long-term."""
_SLOTS, _BITS = 2**22, 2**40 - 1


def _hashes(words: str) -> np.ndarray:
    hashes = []
    for word in words.split():
        name = 0
        for byte in word.encode():
            name = (name * 31 + byte) & _BITS
        hashes.append(name)
    return np.array(hashes, np.int64)


_BEGINNINGS, _ENDINGS, _LINKS = map(_hashes, (BEGINNINGS, ENDINGS, LINKS))


@kernel()
def _word(data: np.ndarray, at: Int, end: Int, name: Int) -> tuple[Int, Int]:
    """Where the letters from `at` end, and their hash; that of `name` goes on."""
    while at < end and codes.SMALL_A <= (data[at] | codes.CASE_BIT) <= codes.SMALL_Z:
        name = (name * 31 + (data[at] | codes.CASE_BIT)) & _BITS
        at += 1
    return at, name


@kernel()
def words_of(data: np.ndarray, start: Int, end: Int) -> np.ndarray:
    """bool[2^22]: the words of a text by their hashes; one in two hundred others seems to be there in a text of 20,000."""
    words = np.zeros(_SLOTS, np.bool_)
    at = start
    while at < end:
        stop, name = _word(data, at, end, 0)
        words[name % _SLOTS] |= stop > at
        at = stop + 1
    return words


@kernel()
def seam_at(data: np.ndarray, start: Int, end: Int, following: Int, last: Int) -> int:
    """How a line `data[start:end]` and the one that begins at `following` are joined."""
    if end - start < 2 or following >= last or data[end - 1] != codes.HYPHEN:
        return APART
    before, after = data[end - 2], data[following]
    is_word = codes.SMALL_A <= (before | codes.CASE_BIT) <= codes.SMALL_Z
    if not is_word and not codes.ZERO <= before <= codes.NINE:
        return APART
    if codes.SMALL_A <= after <= codes.SMALL_Z:
        link = _word(data, following, last, 0)[1]
        for other in _LINKS:
            if link == other:
                return APART
        return SPLIT if is_word else TOGETHER
    if codes.ZERO <= after <= codes.NINE:
        return TOGETHER
    return TOGETHER if is_word and codes.UPPER_A <= after <= codes.UPPER_Z else APART


@kernel()
def is_split(data: np.ndarray, start: Int, end: Int, following: Int, last: Int, words: np.ndarray) -> bool:
    """Whether the word that a line ends in with a hyphen and the next one goes on with is one word."""
    first = end - 1
    while first > start and codes.SMALL_A <= (data[first - 1] | codes.CASE_BIT) <= codes.SMALL_Z:
        first -= 1
    begins = _word(data, first, end - 1, 0)[1]
    ends = _word(data, following, last, 0)[1]
    for other in _BEGINNINGS:
        if begins == other:
            return True
    for other in _ENDINGS:
        if ends == other:
            return True
    return bool(words[_word(data, following, last, begins)[1] % _SLOTS])
