"""Gates: what measured nothing is said to be not measured, and is counted neither as passed nor as failed."""

import pytest

from pipeline.audit.bias_settings import BiasSettings
from pipeline.ingest.account import FileSums
from pipeline.report.bias_step import bias_gates, gates
from pipeline.report.file_account import unread_gate
from pipeline.report.gates import GateSettings
from pipeline.report.render import render
from pipeline.report.stats import Gate
from pipeline.report.summary import gate_rows
from tests.report.example import example

MIX = {"missing": [], "tolerance": 0.0, "realised": {"domain": 0.5}, "requested": {"domain": 0.5}}


def audit(*rows: tuple[str, str], flips: tuple[tuple[str, str], ...] = (), rebalance=None) -> dict:
    """An audit with these (stage, verdict) of its rows and swaps."""
    made = [[{"stage": stage, "verdict": verdict} for stage, verdict in given] for given in (rows, flips)]
    return {"failures": [], "rows": made[0], "flips": made[1], "rebalance": rebalance or {}}


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (None, None),
        (audit(), None),
        (audit(("toxicity", "too_few")), None),
        (audit(("gopher", "pass")), None),  # not a stage that the gate is about
        (audit(flips=(("toxicity", "too_few"),)), None),
        (audit(flips=(("domain", "reported"),)), None),
        (audit(("toxicity", "pass")), True),
        (audit(("toxicity", "warn"), ("toxicity", "too_few")), True),
        (audit(("toxicity", "too_few"), flips=(("toxicity", "pass"),)), True),
    ],
)
def test_the_audit_of_no_one_is_not_measured(found, passed):
    (gate,) = bias_gates(BiasSettings(stages=["toxicity"]), found)
    assert gate.passed is passed
    if passed is None:
        assert "under four fifths" not in gate.sentence


def test_a_correction_that_had_nothing_to_correct_is_not_measured():
    done = {"failed_before": [], "removed_before": 0, "readmitted": 0, "kept_in_the_end": 0, "toxic_share": 0.0}
    done["pretokens_kept_in_the_end"] = 0
    _, gate = bias_gates(BiasSettings(), audit(rebalance={"toxicity": done}))
    assert gate.passed is None


@pytest.mark.parametrize(("kept", "passed"), [(None, None), (0.0, False), (0.3, True), (0.9, False)])
def test_the_kept_share_of_no_text_is_not_measured(kept, passed):
    (_, gate) = gates(GateSettings(kept_share=(0.2, 0.5)), MIX, kept)
    assert gate.passed is passed


def test_files_without_bytes_measure_no_share():
    (gate,) = unread_gate(GateSettings(), FileSums(files=3))
    assert gate.passed is None
    assert "0.0%" not in gate.sentence


def test_page_and_terminal_say_not_measured():
    gate = Gate(name="bias", measured="nobody", passed=None)
    done = Gate(name="files", measured="all", passed=True)
    report = example().model_copy(update={"gates": [gate, done]})
    tone, sentence = report.verdict
    assert tone == "good"
    assert "all 1 gates passed; not measured: bias" in sentence
    assert '<span class="chip ">not measured</span>' in render(report)
    failed = example().model_copy(update={"gates": [gate, done.model_copy(update={"passed": False})]})
    assert "1 of 1 gates that measured something failed: files." in failed.verdict[1]
    only = example().model_copy(update={"gates": [gate]})
    assert "passed" not in only.verdict[1]
    assert "not measured: bias" in only.verdict[1]
    rows = gate_rows([{"name": "bias", "passed": None, "gating": True, "sentence": "nobody"}])
    assert rows == [("bias", "not measured: nobody")]
