"""Scores of boosted decision trees over float32 features, the same on every machine.

A tree is stored complete, so that every row takes the same number of steps and no branch is guessed: what stops early in
training has splits at infinity below it and its value in all leaves there. Leaves are integers, so sums are exact.
"""

import numpy as np

from pipeline.kernels.compiled import kernel


@kernel(nogil=True)
def tree_scores(features: np.ndarray, columns: np.ndarray, bounds: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """int32[rows]: the sums over the trees of the leaf that each row of the features ends in.

    `features` float32[n, rows]: a row's features stand below each other, so that a step of many rows reads one line.
    `columns` uint8 and `bounds` float32 [trees, 2**depth - 1]: a row goes to child 2k + 2 of node k where its column is above
    the bound, else to 2k + 1. `leaves` int32[trees, 2**depth].
    """
    count, inner = features.shape[1], columns.shape[1]
    scores, place = np.zeros(count, np.int32), np.zeros(count, np.uint32)
    one = np.uint32(1)  # unsigned places spare the question whether one counts from the end
    for tree in range(columns.shape[0]):
        column, bound, leaf = columns[tree], bounds[tree], leaves[tree]
        place[:] = 0
        reach = 0
        while reach < inner:
            for row in range(count):
                node = place[row]
                above = features[np.uint32(column[node]), np.uint32(row)] > bound[node]
                place[row] = np.uint32(node + node + one + np.uint32(above))
            reach = 2 * reach + 1
        for row in range(count):
            scores[row] += leaf[np.uint32(place[row] - np.uint32(inner))]
    return scores
