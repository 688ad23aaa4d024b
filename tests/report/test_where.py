"""What rules take by source and host, the documents at a threshold, and the copies of a survivor, counted by hand."""

import json

import pyarrow as pa
import pytest

from pipeline.report.render import render
from pipeline.report.where import MOST_HOSTS, MOST_SOURCES, clusters, hosts, rules_by_source
from tests.report.example import example

Row = tuple[str, str | None, str, int]


def part(*rows: Row) -> tuple[pa.Table, pa.Table]:
    """Documents and verdicts of (source, rule that removes, address, pre-tokens)."""
    documents = pa.table(
        {
            "source": pa.array([row[0] for row in rows], pa.string()),
            "url": pa.array([row[2] or None for row in rows], pa.string()),
            "num_pretokens": pa.array([row[3] for row in rows], pa.int64()),
        }
    )
    stages = [row[1].split(".") if row[1] else (None, None) for row in rows]
    verdicts = pa.table(
        {
            "verdict": pa.array(["removed" if row[1] else "kept" for row in rows], pa.string()),
            "stage": pa.array([stage for stage, _ in stages], pa.string()),
            "rule": pa.array([rule for _, rule in stages], pa.string()),
        }
    )
    return documents, verdicts


PARTS = [
    part(("web", "gopher.a", "https://A.example/1", 10), ("web", None, "http://me@a.example:80/2", 7)),
    part(("news", "gopher.a", "", 100), ("web", "exact.b", "https://b.example", 5), ("web", "gopher.a", "mailto:x", 1)),
    part(),
]


def test_rules_by_source_add_up_over_shards():
    first, second = rules_by_source(PARTS)
    assert (first.rule, first.documents, first.pretokens) == (
        "gopher.a",
        {"web": 2, "news": 1},
        {"web": 11, "news": 100},
    )
    assert (second.rule, second.documents, second.pretokens) == ("exact.b", {"web": 1}, {"web": 5})


def test_small_sources_share_a_column():
    many = [part((f"s{n:02}", "gopher.a", "", n + 1)) for n in range(MOST_SOURCES + 3)]
    (row,) = rules_by_source(many)
    assert len(row.documents) == MOST_SOURCES + 1
    assert row.documents["others"] == 3
    assert sum(row.pretokens.values()) == sum(range(1, MOST_SOURCES + 4))


def test_hosts_say_what_stays_and_what_takes_most():
    first, second = hosts(PARTS)
    assert (first.host, first.documents, first.kept_documents) == ("a.example", 2, 1)
    assert (first.pretokens, first.kept_pretokens, first.rule, first.rule_pretokens) == (17, 7, "gopher.a", 10)
    assert (second.host, second.rule, second.kept_pretokens) == ("b.example", "exact.b", 0)
    assert len(hosts([part(*(("web", None, f"http://h{n}.example/", 1) for n in range(3 * MOST_HOSTS)))])) == MOST_HOSTS


def test_clusters_name_survivor_and_copies():
    verdicts = {
        "id": ["a", "b", "c", "d"],
        "duplicate_of": [None, "a", "a", None],
        "similarity": [None, 0.9, 0.8, None],
    }
    stages = {"stage": [None, "minhash", "minhash", None]}
    documents = pa.table({"url": ["https://a.example", None, "https://c.example", None]})
    (one,) = clusters([(documents, pa.table(verdicts | stages))])
    assert (one.survivor, one.url, one.documents, one.kind) == ("a", "https://a.example", 3, "minhash")
    assert (one.copies, one.lowest) == (["b", "https://c.example"], 0.8)


def test_the_page_is_bounded_however_many_hosts_and_sources_there_are():
    parts = [part(*((f"s{n % 500}", "gopher.a", f"http://h{n}.example/", n) for n in range(20_000)))]
    report = example().model_copy(update={"taken": rules_by_source(parts), "hosts": hosts(parts)})
    assert len(render(report)) < len(render(example())) + 50_000


@pytest.fixture
def report(tiny_runs):
    return json.loads((tiny_runs / "one/report.json").read_text())


def test_a_run_shows_both_sides_of_a_threshold(report):
    (edge,) = [edge for edge in report["edges"] if edge["rule"] == "gopher.min_num_words"]
    values = [one["value"] for one in edge["documents"]]
    assert values == sorted(values)
    assert [one["verdict"] for one in edge["documents"]] == ["removed"] + ["kept"] * 3
    assert "ann@" not in json.dumps(report["edges"])


def test_a_run_says_where_masks_and_copies_are(report):
    (cut,) = [cut for cut in report["cuts"] if cut["rule"] == "pii.email"]
    assert cut["by_source"] == {"news": 1}
    (cluster,) = report["duplicates"]["largest"]
    assert (cluster["documents"], len(cluster["copies"])) == (2, 1)
    (gate,) = [gate for gate in report["gates"] if gate["name"] == "bias"]
    assert gate["passed"] is None
