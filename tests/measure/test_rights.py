"""The gate on rights: allow, deny, reservations, and the names a recipe may use."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UsageError
from pipeline.measure.judges.rights import Licences, rights
from pipeline.recipe.model import load

ROWS = [
    {"licence": "CC-BY-4.0", "tdm": "unknown", "robots": None},
    {"licence": "CC-BY-NC-4.0", "tdm": "reserved", "robots": "sha256:0 allows"},
    {"licence": None, "tdm": None, "robots": "sha256:0 refuses GPTBot"},
]


def hits(**settings):
    batch = pa.RecordBatch.from_pylist(ROWS, schema=pa.schema([(n, pa.string()) for n in ("licence", "tdm", "robots")]))
    chosen = Licences(**settings)
    found = rights.rules(pa.Table.from_batches([rights.run(batch, chosen)]), chosen)
    return {rule: mask.to_pylist() for rule, mask in found.items()}


def test_nothing_set_removes_nothing():
    assert hits() == {}


def test_allow_deny_and_unknown_are_names():
    assert hits(allow=["CC-BY-4.0"])["licence"] == [False, True, True]
    assert hits(allow=["cc-*", "unknown"])["licence"] == [False, False, False]
    assert hits(allow=["CC-*"], deny=["*-NC-*"])["licence"] == [False, True, True]
    assert hits(deny=["unknown"])["licence"] == [False, False, True]


def test_reservations_are_rules_of_their_own():
    assert hits(tdm="deny", robots="deny") == {"tdm": [False, True, False], "robots": [False, False, True]}


def test_a_name_nobody_knows_is_an_error_with_the_nearest():
    with pytest.raises(UsageError, match=r"licences no licence is named 'CC-BY-NC-4\.1'; did you mean CC-BY-NC-4\.0"):
        load("recipes/finance.yaml", ["licences.deny=[CC-BY-NC-4.1]"])


def test_names_of_sources_and_globs_are_known():
    recipe = load(
        "recipes/finance.yaml", ["sources.sample.crawl.licence=House terms", "licences.allow=[House terms, 'CC-*']"]
    )
    assert recipe.judges[0][0] == "rights", "rights come first among the reasons"
    assert "rights" not in [name for name, _ in load("recipes/finance.yaml").judges]


def test_the_gate_decides_in_a_run_and_shows_in_explain_and_report(tmp_path):
    import contextlib
    import io
    import json

    from pipeline.__main__ import main as command
    from pipeline.run import main
    from tests.faults.tiny import RECIPE, text, write_inputs

    write_inputs(tmp_path)
    extra = [
        {"id": "nc", "text": text(900), "licence": "CC-BY-NC-4.0"},
        {"id": "res", "text": text(901), "rights": "tdm-reservation: 1"},
    ]
    with (tmp_path / "news.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in extra)
    gate = "licences: {allow: ['CC*'], deny: ['*-NC-*'], tdm: deny}\n"
    (tmp_path / "r.yaml").write_text(RECIPE.replace("PATH", str(tmp_path)) + gate)
    out = tmp_path / "out"
    with contextlib.redirect_stdout(io.StringIO()):
        assert main([str(tmp_path / "r.yaml"), "--out", str(out), "--ray", "none", "--no-train", "--json"]) in (0, 1)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        command(["inspect", "--run", str(out), "--verdict", "removed", "--json", "--limit", "99"])
    reasons = [json.loads(line)["reasons"] for line in printed.getvalue().splitlines()]
    assert ["rights.licence"] in reasons
    assert ["rights.tdm"] in reasons
    rows = json.loads((out / "report.json").read_text())["rights"]
    assert {(row["licence"], row["tdm"], row["removed"]) for row in rows} >= {
        ("CC-BY-NC-4.0", "unknown", 1),
        ("CC0-1.0", "reserved", 1),
    }
    removed = [row for path in out.glob("corpus/removed/**/*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {row["licence"] for row in removed if "rights.licence" in row["reasons"]} == {"CC-BY-NC-4.0"}
