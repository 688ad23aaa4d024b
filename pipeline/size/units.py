"""Numbers for people: three or four digits and a unit."""


def number_text(value: float) -> str:
    """A count with a scale word.

    >>> number_text(1.3e9), number_text(312_000), number_text(950)
    ('1.3 billion', '312 thousand', '950')
    """
    for scale, word in (
        (1e15, "quadrillion"),
        (1e12, "trillion"),
        (1e9, "billion"),
        (1e6, "million"),
        (1e3, "thousand"),
    ):
        if abs(value) >= 0.99995 * scale:
            return f"{value / scale:.4g} {word}"
    return f"{value:.4g}"


def bytes_text(value: float) -> str:
    """Bytes in decimal units, as disks and memory are sold.

    >>> bytes_text(24e9), bytes_text(512)
    ('24.0 GB', '512 B')
    """
    for scale, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= scale:
            return f"{value / scale:.1f} {unit}"
    return f"{value:.0f} B"


def flops_text(value: float) -> str:
    """FLOPs in scientific notation."""
    return f"{value:.3g} FLOPs"


def hours_text(hours: float) -> str:
    """A duration from hours.

    >>> hours_text(0.01), hours_text(72), hours_text(2000)
    ('36 s', '3.0 days', '83.3 days')
    """
    if hours < 1 / 60:
        return f"{hours * 3600:.3g} s"
    if hours < 2:
        return f"{hours * 60:.1f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def short_text(value: float) -> str:
    """A count for an axis.

    >>> short_text(1e9), short_text(2e13), short_text(5e5)
    ('1B', '20T', '500k')
    """
    for scale, letter in ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.99995 * scale:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.3g}"
