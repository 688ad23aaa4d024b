"""Web addresses reduced to what they name, so that one page fetched by two spellings has one hash."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import copy_items
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import hash128


def _word(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


_HTTP, _HTTPS, _WWW = _word("http://"), _word("https://"), _word("www.")
_PORT_80, _PORT_443 = _word(":80"), _word(":443")
_UTM, _GCLID, _FBCLID = _word("utm_"), _word("gclid="), _word("fbclid=")


@kernel()
def starts_with(data: np.ndarray, at: int, end: int, word: np.ndarray) -> bool:
    """Whether `data[at:end]` begins with the lower-case ASCII `word`, in any case."""
    if end - at < len(word):
        return False
    for k in range(len(word)):
        letter = data[at + k]
        if codes.UPPER_A <= letter <= codes.UPPER_Z:
            letter += 32
        if letter != word[k]:
            return False
    return True


@kernel()
def _fold_host(data: np.ndarray, at: int, end: int, out: np.ndarray) -> tuple[int, int]:
    """Write the host in lower case without `www.` and the default ports; returns `(at, size)`."""
    size = 0
    if starts_with(data, at, end, _WWW):
        at += len(_WWW)
    while at < end and data[at] != codes.SLASH and data[at] != codes.QUESTION and data[at] != codes.HASH:
        letter = data[at]
        out[size] = letter + 32 if codes.UPPER_A <= letter <= codes.UPPER_Z else letter
        size += 1
        at += 1
    if starts_with(out, max(size - 4, 0), size, _PORT_443):
        size -= 4
    elif starts_with(out, max(size - 3, 0), size, _PORT_80):
        size -= 3
    return at, size


@kernel()
def fold_url(data: np.ndarray, start: int, end: int, out: np.ndarray) -> int:
    """Write what a web address names to `out` (as long as the input); returns the number of bytes, 0 for none.

    Dropped: `http://` and `https://`, `www.`, the ports 80 and 443, the fragment (not `#!`), tracking parameters
    (`utm_*`, `gclid`, `fbclid`), a slash at the end, spaces after the path or a parameter; the host is lower-cased.
    Other schemes are kept as they are.
    """
    while start < end and data[start] <= codes.SPACE:
        start += 1
    while start < end and data[end - 1] <= codes.SPACE:
        end -= 1
    at, size = start, 0
    if starts_with(data, at, end, _HTTP):
        at, size = _fold_host(data, at + len(_HTTP), end, out)
    elif starts_with(data, at, end, _HTTPS):
        at, size = _fold_host(data, at + len(_HTTPS), end, out)
    while (
        at < end
        and data[at] != codes.QUESTION
        and not (data[at] == codes.HASH and not (at + 1 < end and data[at + 1] == codes.EXCLAMATION))
    ):
        out[size] = data[at]
        size += 1
        at += 1
    # a space before "#top" is at the end now
    while size > 0 and (out[size - 1] == codes.SLASH or out[size - 1] <= codes.SPACE):
        size -= 1
    joint = np.uint8(codes.QUESTION)  # "?" before the first parameter that stays, "&" before the others
    while at < end and data[at] != codes.HASH:
        at += 1
        if (
            starts_with(data, at, end, _UTM)
            or starts_with(data, at, end, _GCLID)
            or starts_with(data, at, end, _FBCLID)
        ):
            while at < end and data[at] != codes.AMPERSAND and data[at] != codes.HASH:
                at += 1
            continue
        begin = at
        while at < end and data[at] != codes.AMPERSAND and data[at] != codes.HASH:
            at += 1
        last = at
        while last > begin and data[last - 1] <= codes.SPACE:
            last -= 1
        if last > begin:
            out[size] = joint
            copy_items(data, begin, last, out, size + 1)
            size, joint = size + 1 + last - begin, np.uint8(codes.AMPERSAND)
    return size


@kernel()
def url_hashes(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(hashes uint64[n, 2], sizes int64[n])` of the folded rows of a URL column; size 0 means no address."""
    count = len(offsets) - 1
    longest = 0
    for row in range(count):
        longest = max(longest, offsets[row + 1] - offsets[row])
    scratch = np.empty(longest + 1, np.uint8)
    hashes, sizes = np.empty((count, 2), np.uint64), np.empty(count, np.int64)
    for row in range(count):
        sizes[row] = fold_url(data, offsets[row], offsets[row + 1], scratch)
        hashes[row, 0], hashes[row, 1] = hash128(scratch, 0, sizes[row])
    return hashes, sizes
