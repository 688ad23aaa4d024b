"""Lengths of training examples by objective."""


def span_lengths(inputs: int, noise: float = 0.15, mean_span: float = 3.0) -> tuple[int, int]:
    """Raw tokens and target tokens of T5's span corruption whose corrupted inputs fill `inputs` tokens.

    Each noise span becomes one sentinel in the inputs and stands after its sentinel in the targets; both end with one
    end-of-text token. arXiv 1910.10683, section 3.1.4.

    >>> span_lengths(512)
    (568, 114)
    """

    def corrupted(raw: int) -> tuple[int, int]:
        noisy = round(raw * noise)
        spans = round(noisy / mean_span)
        return raw - noisy + spans + 1, noisy + spans + 1

    raw = inputs
    while corrupted(raw + 1)[0] <= inputs:
        raw += 1
    targets = corrupted(raw)[1]
    # With half noise both sides should be equally long; rounding may have made the targets one longer.
    if noise == 0.5 and targets > inputs:
        raw, targets = raw - 1, targets - 1
    return raw, targets
