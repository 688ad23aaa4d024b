"""What a run tells Prometheus and OpenLineage, and that neither can end it."""

import json

import pytest

from pipeline.errors import EXIT_OK
from pipeline.run import main
from tests.faults.tiny import write_recipe

prometheus = pytest.importorskip("prometheus_client.parser", reason="the extra monitor is not installed")
pytest.importorskip("openlineage.client", reason="the extra monitor is not installed")


def run(folder, *more, expect=EXIT_OK):
    command = [str(write_recipe(folder)), "--out", str(folder / "out"), "--ray", "none", "--no-train", "--json", *more]
    assert main(command) == expect


@pytest.fixture
def events(tmp_path, monkeypatch):
    """A reader of the events that were sent; they go to a file."""
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(path))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_metrics_are_what_the_run_counted_and_lineage_what_it_published(tmp_path, events, capsys):
    run(tmp_path, "--metrics", str(tmp_path / "corpus.prom"), "--lineage")
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    families = prometheus.text_string_to_metric_families((tmp_path / "corpus.prom").read_text())
    samples = {
        (one.name, one.labels["step"], one.labels.get("verdict") or one.labels.get("state")): one.value
        for family in families
        for one in family.samples
    }
    for verdict in ("kept", "removed", "quarantined"):
        assert samples["domain_corpus_documents", "settle", verdict] == result["documents"][verdict]
    assert samples["domain_corpus_units", "uses", "done"] == samples["domain_corpus_units", "uses", "all"]
    start, end = events()
    assert [start["eventType"], end["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == end["run"]["runId"]
    assert {one["namespace"] for one in start["inputs"]} == {f"source:{name}" for name in ("news", "web")}
    rows = {one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"] for one in end["outputs"]}
    assert rows == {f"corpus/{verdict}": result["documents"][verdict] for verdict in ("kept", "removed", "quarantined")}


def test_a_run_that_fails_says_so(tmp_path, events):
    recipe = write_recipe(tmp_path)
    for path in tmp_path.glob("*.jsonl*"):
        path.unlink()
    assert (
        main([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--no-train", "--json", "--lineage"]) != 0
    )
    assert [event["eventType"] for event in events()] == ["START", "FAIL"]


def test_a_monitor_that_cannot_write_ends_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    run(tmp_path, "--metrics", str(tmp_path / "no folder/corpus.prom"), "--lineage", "--to", "extract")
    said = capsys.readouterr().err
    assert "--metrics: FileNotFoundError" in said
    assert "--lineage: " in said


def test_a_missing_library_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    run(tmp_path, "--metrics", str(tmp_path / "corpus.prom"), expect=2)
    assert "--metrics needs prometheus-client: pip install" in capsys.readouterr().err
