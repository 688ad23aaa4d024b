"""Which window is sample k of the run: a pure function of (seed, k), whatever the number of processes.

Sources take turns so that after any k samples each has had its share to within one sample (Tijdeman's solution of the
chairman assignment problem, 1980, in integers). Inside a source the windows of each epoch come in the order of a
Feistel permutation of their numbers, so no shuffled index is ever stored.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

try:
    from pipeline.kernels.compiled import kernel
except ModuleNotFoundError:  # a machine for training alone: plain Python, a fifth of a second per 65,536 samples

    def kernel() -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Leave a function as it is."""
        return lambda function: function


SHARE_UNIT = 1 << 30
BLOCK = 1 << 16


def integer_shares(weights: Sequence[float]) -> np.ndarray:
    """Weights as integers that sum to exactly 2^30 (largest remainders), so that order never hangs on rounding."""
    exact = np.array(weights, dtype=np.float64) / float(np.sum(weights)) * SHARE_UNIT
    shares = np.floor(exact).astype(np.int64)
    rest = SHARE_UNIT - int(shares.sum())
    for index in sorted(range(len(shares)), key=lambda i: (-(exact[i] - shares[i]), i))[:rest]:
        shares[index] += 1
    return shares


@kernel()
def assign(shares: np.ndarray, counts: np.ndarray, first: int, sources: np.ndarray, ordinals: np.ndarray) -> None:
    """Fill source and within-source number of samples first, first+1, …; `counts` (samples per source) is advanced.

    Of the sources whose deficit is at least 1/(2m-2) samples, the one whose deadline comes first is next.
    """
    m = len(shares)
    slack = SHARE_UNIT // (2 * m - 2) if m > 1 else 0
    for i in range(len(sources)):
        k = first + i + 1
        best, best_deadline = -1, 0.0
        for s in range(m):
            deficit = shares[s] * k - counts[s] * SHARE_UNIT
            if shares[s] > 0 and deficit >= slack:
                deadline = (SHARE_UNIT - slack - deficit) / shares[s]
                if best < 0 or deadline < best_deadline:
                    best, best_deadline = s, deadline
        if best < 0:  # integer slack rounded away the only candidate: take the largest deficit
            for s in range(m):
                deficit = shares[s] * k - counts[s] * SHARE_UNIT
                if best < 0 or deficit > best_deadline:
                    best, best_deadline = s, float(deficit)
        sources[i] = best
        ordinals[i] = counts[best]
        counts[best] += 1


class Turns:
    """Source and within-source number of any sample; blocks of 65,536 samples are computed when first asked for."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.shares = integer_shares(weights)
        self.block_counts = [np.zeros(len(self.shares), dtype=np.int64)]
        self.block = (-1, np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))

    def __call__(self, k: int) -> tuple[int, int]:
        """(source, how many samples that source had before sample k)."""
        number, offset = divmod(k, BLOCK)
        if self.block[0] != number:
            first = min(number, len(self.block_counts) - 1)
            for at in range(first, number + 1):
                counts = self.block_counts[at].copy()
                sources, ordinals = np.empty(BLOCK, dtype=np.int32), np.empty(BLOCK, dtype=np.int64)
                assign(self.shares, counts, at * BLOCK, sources, ordinals)
                if at + 1 == len(self.block_counts):
                    self.block_counts.append(counts)
                self.block = (at, sources, ordinals)
        return int(self.block[1][offset]), int(self.block[2][offset])

    def counts(self, k: int) -> list[int]:
        """Samples of each source among the first k."""
        self(k)
        before = np.bincount(self.block[1][: k % BLOCK], minlength=len(self.shares))
        return [int(n) for n in self.block_counts[k // BLOCK] + before]


MASK64 = (1 << 64) - 1


def _mix(x: int) -> int:
    """One round of 64-bit mixing (the finaliser of MurmurHash3)."""
    x = ((x ^ (x >> 33)) * 0xFF51AFD7ED558CCD) & MASK64
    x = ((x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53) & MASK64
    return x ^ (x >> 33)


def keys(*parts: object, count: int = 4) -> list[int]:
    """64-bit keys from any text-able parts: the one source of randomness of the data order."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    return [int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(count)]


def permute(index: int, size: int, round_keys: Sequence[int]) -> int:
    """Where a pseudo-random permutation of range(size) sends index: a Feistel network, walked until it lands inside.

    >>> sorted(permute(i, 10, keys("seed", 1)) for i in range(10)) == list(range(10))
    True
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for key in round_keys:
            left, right = right, left ^ (_mix(right + key & MASK64) & mask)
        index = left << half | right
        if index < size:
            return index


def unpermute(index: int, size: int, round_keys: Sequence[int]) -> int:
    """The inverse of `permute`: when in an epoch a window's turn comes.

    >>> unpermute(permute(7, 10, keys("seed", 1)), 10, keys("seed", 1))
    7
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for key in reversed(round_keys):
            left, right = right ^ (_mix(left + key & MASK64) & mask), left
        index = left << half | right
        if index < size:
            return index
