"""Arrays that grow, and copies between arrays, item by item.

Numba's `target[a:b] = source` compiles its general broadcasting, and the text of its error, into every kernel that says so:
0.7 s of compilation for rows of numbers, 7 s for tables. These loops compile in a tenth of a second and copy as fast as
kernels need: what grows doubles.
"""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.memory import Int


@kernel()
def copy_items(source: np.ndarray, begin: Int, end: Int, target: np.ndarray, at: Int) -> None:
    """`target[at : at + end - begin] = source[begin:end]`, first item first."""
    for step in range(end - begin):
        target[at + step] = source[begin + step]


@kernel()
def grow(array: np.ndarray, size: Int) -> np.ndarray:
    """A copy with room for `size` items, at least as many as there are; what is beyond the old length is not set."""
    wider = np.empty(size, array.dtype)
    copy_items(array, 0, len(array), wider, 0)
    return wider


@kernel()
def grow_rows(array: np.ndarray, size: Int) -> np.ndarray:
    """As `grow`, for the rows of a table."""
    wider = np.empty((size, array.shape[1]), array.dtype)
    for row in range(len(array)):
        for column in range(array.shape[1]):
            wider[row, column] = array[row, column]
    return wider
