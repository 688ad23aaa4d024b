"""The compiled trees against walking them one row at a time."""

import numpy as np
import pytest

from pipeline.kernels.html.boosted_trees import tree_scores


def walk(features, columns, bounds, leaves):
    scores = []
    for row in features.tolist():
        score = 0
        for column, bound, leaf in zip(columns.tolist(), bounds.tolist(), leaves.tolist(), strict=True):
            node = 0
            while node < len(column):
                node = 2 * node + (2 if row[column[node]] > bound[node] else 1)
            score += leaf[node - len(column)]
        scores.append(score)
    return scores


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("rows", [0, 1, 57])
def test_equals_a_walk(depth, rows):
    rng = np.random.default_rng(depth * 100 + rows)
    trees, width = 7, 5
    features = rng.integers(-3, 4, (rows, width)).astype(np.float32)  # many values equal a bound
    columns = rng.integers(0, width, (trees, 2**depth - 1)).astype(np.uint8)
    bounds = rng.integers(-3, 4, columns.shape).astype(np.float32)
    bounds[0] = np.inf
    leaves = rng.integers(-(2**20), 2**20, (trees, 2**depth)).astype(np.int32)
    assert tree_scores(np.ascontiguousarray(features.T), columns, bounds, leaves).tolist() == walk(
        features, columns, bounds, leaves
    )


def test_a_value_at_the_bound_goes_left():
    columns, bounds = np.zeros((1, 1), np.uint8), np.full((1, 1), 0.3, np.float32)
    features = np.array([[0.3, np.nextafter(np.float32(0.3), np.float32(1))]], np.float32)
    assert tree_scores(features, columns, bounds, np.array([[-1, 1]], np.int32)).tolist() == [-1, 1]
