"""The gate on files that were not read, and the report's rows of them."""

import pyarrow as pa
import pytest

from pipeline.ingest.account import FILES, sums
from pipeline.report.file_account import file_rows, unread_gate
from pipeline.report.gates import GateSettings
from pipeline.report.render import render
from pipeline.report.run_report import RunReport
from pipeline.report.stats import Totals


def account(*rows: tuple[str, str, int, str, str]) -> pa.Table:
    names = ("path", "kind", "bytes", "outcome", "reason")
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) | {"source": "s", "documents": 0, "quarantined": 0} for row in rows], FILES
    )


MIXED = account(
    ("a.txt", "text", 9000, "read", ""),
    ("b.tiff", "tiff", 700, "not read", "files of kind tiff are not read"),
    ("c.tiff", "tiff", 200, "not read", "files of kind tiff are not read"),
    ("d.pdf", "pdf", 100, "unreadable", "extract.password: locked"),
    ("e.txt", "text", 10**9, "excluded", "exclude: e*"),
)


@pytest.mark.parametrize(("most", "passed"), [(0.02, False), (0.0999, False), (0.1, True), (1.0, True)])
def test_the_gate_is_on_the_share_of_bytes_without_excluded_files(most, passed):
    (gate,) = unread_gate(GateSettings(max_unread_frac=most), sums(MIXED))
    assert (gate.name, gate.passed, gate.gating) == ("files", passed, True)
    assert "10.0% of the bytes are not read" in gate.sentence
    assert "3 of 4 files, 1 kB of 10 kB, not read: 2 tiff, 1 unreadable pdf (1 more excluded)" in gate.sentence


def test_the_gate_can_be_left_out_and_measures_nothing_without_files():
    assert unread_gate(GateSettings(max_unread_frac=None), sums(MIXED)) == []
    (gate,) = unread_gate(GateSettings(), sums(account()))
    assert gate.passed is None


def test_the_report_groups_what_was_not_read():
    rows = file_rows(MIXED)
    assert [(row.kind, row.files, row.bytes, row.first) for row in rows] == [
        ("tiff", 2, 900, "b.tiff"), ("pdf", 1, 100, "d.pdf"), ("text", 1, 10**9, "e.txt"),
    ]  # fmt: skip
    totals = Totals(documents_in=1, kept=1, removed=0, quarantined=0)
    page = render(RunReport(name="t", totals=totals, files=rows, file_sentence=sums(MIXED).sentence()))
    assert page.index("3 of 4 files, 1 kB of 10 kB, not read: 2 tiff") < page.index("<main>")
    assert "extract.password: locked" in page
