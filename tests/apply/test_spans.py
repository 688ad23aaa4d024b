"""Spans: cuts and masks conserve bytes, in any order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.apply.spans import Span, edit, merge, tidy

TEXT = st.text(max_size=60).map(lambda s: s.encode())


@st.composite
def spans(draw):
    text = draw(TEXT)
    found = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        action = draw(st.sampled_from(["cut", "mask"]))
        found.append(
            Span(start, end, f"{action}.{draw(st.sampled_from('ab'))}", action, b"<X>" if action == "mask" else b"")
        )
    return text, found


@given(spans())
def test_bytes_are_conserved(case):
    text, found = case
    for edited in (edit(text, found), tidy(edit(text, found))):
        assert len(text) + sum(edited.inserted.values()) == len(edited.text) + sum(edited.cut.values())


@given(spans())
def test_a_tidied_text_is_as_extraction_leaves_it(case):
    edited = tidy(edit(*case))
    assert tidy(edited) == edited
    assert b"\n\n\n" not in edited.text
    assert not any(line.endswith(b" ") for line in edited.text.split(b"\n"))


@given(spans(), st.randoms())
def test_order_of_spans_does_not_matter_for_what_is_covered(case, random):
    _text, found = case
    shuffled = list(found)
    random.shuffle(shuffled)
    covered = lambda merged: {n for span in merged for n in range(span.start, span.end)}  # noqa: E731
    assert covered(merge(found)) == covered(merge(shuffled)) == {n for s in found for n in range(s.start, s.end)}


@given(spans())
def test_merged_spans_are_disjoint_and_sorted(case):
    merged = merge(case[1])
    assert all(a.end <= b.start for a, b in itertools.pairwise(merged))


def test_no_masked_byte_survives():
    edited = edit(b"write to a@b.example now", [Span(9, 20, "pii.email", "mask", b"<EMAIL>")])
    assert edited.text == b"write to <EMAIL> now"
    assert edited.inserted == {"pii.email": 7}
    assert edited.cut == {"pii.email": 11}
