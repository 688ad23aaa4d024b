"""Pronoun and descriptor tables by hand; the dialect proxy."""

import numpy as np
import pyarrow as pa

from pipeline.audit.bias import descriptor_table, dialect_rows, pronoun_table
from pipeline.audit.bias_settings import BiasGate
from pipeline.audit.identity_terms import find_terms, identity_terms
from pipeline.kernels.buffers import text_buffers
from pipeline.measure.judges.identity import Identity, identity

TEXTS = [
    "She sold her shares and they rose.",
    "He bought it.",
    "Net income rose.",
    "You and I agree with the Muslim lawyer and the Sikh judge.",
    "A Muslim teacher spoke.",
]


def signals(texts):
    return identity.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), Identity())


def test_pronouns_as_shares_of_documents_that_have_any():
    found = pronoun_table(signals(TEXTS)["terms"])
    assert found["documents"] == 5
    assert found["gender_pronouns"] == 0.4
    assert found["of_those"] == {"she": 0.5, "he": 0.5, "they": 0.5}
    assert found["grammatical_person"] == 0.6
    assert found["of_those_by_person"] == {"first": 0.333333, "second": 0.333333, "third": 0.666667}
    assert pronoun_table(signals(["x"]).slice(0, 0)["terms"])["gender_pronouns"] is None


def test_descriptors_as_shares_within_their_axis():
    rows = {row["axis"]: row for row in descriptor_table(signals(TEXTS)["terms"])}
    assert rows["religion"] == {"axis": "religion", "share": 0.4, "descriptors": {"muslim": 1.0, "sikh": 0.5}}
    assert rows["age"]["descriptors"] == {}
    assert not {"pronoun", "person", "dialect"} & rows.keys()


def test_selectionect_counts_documents_with_two_features_by_source_and_stage():
    spoken, standard = "She finna go, ain't nobody there.", "Nobody is there and she is leaving."
    texts = [spoken] * 30 + [standard] * 30 + ["It ain't so."] * 30
    found = signals(texts)
    table = pa.table({"source": ["web"] * 90, "terms": found["terms"], "mentions": found["mentions"]})
    removed = np.zeros(90, bool)
    removed[:20] = True
    [row, other] = dialect_rows(table, {"toxicity": removed, "gopher": np.zeros(90, bool)}, BiasGate())
    assert row["documents_with"] == 30
    assert row["kept_share_without"] == 1.0
    assert row["verdict"] == "fail"
    assert other["verdict"] == "pass"


def test_standard_and_financial_text_has_no_features_of_the_dialect():
    text = "It has to be doing well; the work got done. They are going to be having a meeting. I'm done, said Ann."
    _, found, _, _ = find_terms(*text_buffers(pa.array([text], pa.large_string())))
    assert "dialect" not in {identity_terms()[at].axis for at in found.tolist()}
