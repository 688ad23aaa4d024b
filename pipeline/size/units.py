"""Numbers for people: three or four digits and a unit."""

SCALES = (1e15, 1e12, 1e9, 1e6, 1e3, 1.0)


def _scaled(value: float, units: tuple[str, ...], rounds_up_from: float = 1.0) -> tuple[float, str]:
    """The value in the largest of six units, from 10^15 down, that it reaches."""
    for scale, unit in zip(SCALES, units, strict=True):
        if abs(value) >= rounds_up_from * scale:
            return value / scale, unit
    return value, units[-1]


def number_text(value: float) -> str:
    """A count with a scale word.

    >>> number_text(1.3e9), number_text(312_000), number_text(950)
    ('1.3 billion', '312 thousand', '950')
    """
    number, word = _scaled(value, ("quadrillion", "trillion", "billion", "million", "thousand", ""), 0.99995)
    return f"{number:.4g} {word}".rstrip()


def bytes_text(value: float) -> str:
    """Bytes in decimal units, as disks and memory are sold.

    >>> bytes_text(24e9), bytes_text(512)
    ('24.0 GB', '512 B')
    """
    number, unit = _scaled(value, ("PB", "TB", "GB", "MB", "kB", "B"))
    return f"{number:.{0 if unit == 'B' else 1}f} {unit}"


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
    number, letter = _scaled(value, ("Q", "T", "B", "M", "k", ""), 0.99995)
    return f"{number:.3g}{letter}"
