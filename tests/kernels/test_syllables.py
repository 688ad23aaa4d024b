"""The quick look for syllables equals a search in lower-cased bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.text.syllables import held, packed

SYLLABLES = (b"tdm-", b"noai", b"icen")


def folded(data: bytes) -> bytes:
    return bytes(byte | 0x20 for byte in data)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([b"td", b"m-", b"TDM-", b"noA", b"I", b"icen", b"C", b"en", b"\x00", b"x" * 4090]), max_size=8
    ),
    st.integers(0, 9000),
)
def test_equals_a_search(pieces, end):
    data = b"".join(pieces)
    wanted = sum(1 << number for number, syllable in enumerate(SYLLABLES) if syllable in folded(data[:end]))
    assert held(np.frombuffer(data, np.uint8), packed(*SYLLABLES), end) == wanted


def test_a_syllable_has_four_bytes():
    with pytest.raises(ValueError, match="four bytes"):
        packed(b"licence")
