"""The compiled scan for personal data equals its plain-Python twin on random and real text."""

import json
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.pii.scan import IS_WORDLIKE, KINDS
from pipeline.kernels.pii.scan import scan as compiled_scan
from tests.kernels.heuristic_texts import real_texts
from tests.kernels.pii_twin import scan
from tests.measure.test_pii import FOUND

PIECES = [
    *(text for text, _ in FOUND), "phone", "Tel.:", "fax", "card", "SSN", "ip", "cusip", "passport", "office", "+", "(", ")", "-", ".", "/", ":", "::",
    "@", "_", "%", "=", "#", "$", ",", "x12", " ext. 7", "1", "12", "123", "2024", "1999-2003", "555", "0134", "4111 1111 1111 1111", "4111111111111111",
    "00", "0000320193", "0000320193-24-000123", "192.168.0.1", "8.8.8.8", "fe80::1", "2001:db8::1:2", "US0378331005", "037833100", "DE89",
    "370400440532013000", "AKIA", "AIza", "sk-", "ghp_", "xoxb-", "aB1", "a.b", "é", "株", "ü", "٣", "😀", "Ab3dEf9hIj2kLmN4pQrStUv", "000-12-3456",
]  # fmt: skip
GLUE = st.sampled_from(["", "", " ", " ", "  ", "\n", "-", ".", ":"])
texts = st.lists(
    st.tuples(st.sampled_from(PIECES) | st.text(max_size=3) | st.from_regex(r"\A[0-9 .()+-]{1,14}\Z"), GLUE),
    max_size=14,
).map(lambda parts: "".join(piece + glue for piece, glue in parts))


def compiled(documents, public_only=True):
    column = pa.array(documents, pa.large_string())
    rows, starts, ends, kinds = compiled_scan(
        *text_buffers(column), np.ones(len(KINDS), np.bool_), IS_WORDLIKE, public_only
    )
    found = [[] for _ in documents]
    for row, start, end, kind in zip(rows, starts, ends, kinds, strict=True):
        found[row].append((int(start), int(end), KINDS[kind]))
    return found


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, min_size=1, max_size=3), st.booleans())
@example(["1-877-344-7529 ext. 1", "x", "12 x"], True)
@example(["Write to jane.doe+x@mail.example.co.uk.phone: 555 0134"], False)
@example(["a@b.cc@d.ee", "1.2.3.4@mail.example", "+(0)20"], False)
def test_equals_the_twin_on_random_text(documents, public_only):
    assert compiled(documents, public_only) == [scan(text, set(KINDS), public_only) for text in documents]


def test_equals_the_twin_on_real_text():
    documents = [text[:4000] for text in real_texts(60, 4000)]
    if os.environ.get("CORPORA"):
        from bench.corpora import members, root

        for name, body in members(root() / "filters/pii_presidio_synth.tar.zst"):
            if name.endswith(".json"):
                found = json.loads(body)
                documents += [row["full_text"] for row in found if isinstance(row, dict) and "full_text" in row][:400]
    spans = compiled(documents)
    assert sum(map(len, spans)) > 50
    for text, own in zip(documents, spans, strict=True):
        assert own == scan(text, set(KINDS), True)


def test_what_is_not_wanted_hides_what_lies_inside():
    text = "call +44 20 7946 0958 now"
    assert scan(text, {"email"}, True) == []
    assert scan(text, {"phone"}, True) == [(5, 21, "phone")]


@pytest.mark.parametrize("text", ["", "@", "a@", "+", "1" * 60, "a@" * 40, "::" * 30, "1-" * 40, "(" * 50 + "1" * 10])
def test_edges(text):
    assert compiled([text]) == [scan(text, set(KINDS), True)]
