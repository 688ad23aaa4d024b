"""Names of elements, attributes and classes looked up by their first eight bytes, without a collision."""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import pack
from pipeline.kernels.memory import Int, byte_at, word_at

NameTable = tuple[np.ndarray, np.ndarray, np.uint64]


def name_table(kinds: dict[int, str], slots: int = 7) -> NameTable:
    """`(names, kinds, factor)` of kinds (1 to 255) with the names that have them.

    A name's place is the top `slots` bits of name times factor, and no two names share one. Both arrays have 2**slots items.
    """
    names = {pack(name): kind for kind, words in kinds.items() for name in words.split()}
    factor = 0x9E3779B97F4A7C15
    while len({_place(name, factor, slots) for name in names}) < len(names):
        factor = (factor * 0x5851F42D4C957F2D + 0x14057B7EF767814F) % 2**64 | 1
    keys, values = np.zeros(1 << slots, np.uint64), np.zeros(1 << slots, np.uint8)
    for name, kind in names.items():
        place = _place(name, factor, slots)
        keys[place], values[place] = name, kind
    keys.flags.writeable = values.flags.writeable = False
    return keys, values, np.uint64(factor)


def _place(name: int, factor: int, slots: int) -> int:
    return name * factor % 2**64 >> (64 - slots)


@kernel(forceinline=True)
def kind_of(name: np.uint64, names: Int, kinds: Int, factor: np.uint64, slots: Int) -> Int:
    """The kind of a name in a `name_table` whose arrays lie at these addresses; 0 when it is not there."""
    slot = np.int64((name * factor) >> np.uint64(64 - slots))
    return byte_at(kinds + slot) if word_at(names + 8 * slot) == name else 0
