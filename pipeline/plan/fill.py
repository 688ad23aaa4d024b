"""Dividing tokens over sources by weights and limits."""

from collections.abc import Sequence


def fill(weights: Sequence[float], limits: Sequence[int], budget: int) -> list[int]:
    """Whole tokens by weight, at most `limits` each; what a full one cannot take goes to the others by their weights.

    The sum is the budget, or the sum of the limits where that is less.
    """
    given = [0] * len(weights)
    open_ = [i for i, (weight, limit) in enumerate(zip(weights, limits, strict=True)) if weight > 0 and limit > 0]
    left = min(budget, sum(limits[i] for i in open_))
    while open_ and left > 0:
        whole = sum(weights[i] for i in open_)
        full = [i for i in open_ if weights[i] / whole * left >= limits[i]]
        if not full:
            break
        for i in full:
            given[i] = limits[i]
            left -= limits[i]
        open_ = [i for i in open_ if i not in full]
    if open_ and left > 0:
        whole = sum(weights[i] for i in open_)
        exact = {i: weights[i] / whole * left for i in open_}
        for i in open_:
            given[i] = min(int(exact[i]), limits[i])
        left -= sum(given[i] for i in open_)
        # Largest remainders first; ties in the order given.
        for i in sorted(open_, key=lambda i: (int(exact[i]) - exact[i], i)) * 2:
            if left > 0 and given[i] < limits[i]:
                given[i] += 1
                left -= 1
    return given
