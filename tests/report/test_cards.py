"""Cards: `load_dataset` opens what the front matter names and nothing else; text cannot break the YAML or the tables."""

import csv
import hashlib
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.core.store import FileInfo
from pipeline.ingest.source import Source
from pipeline.publish.step import KEPT, REMOVED
from pipeline.report.card_settings import CardSettings
from pipeline.report.cards import cards, data_card, late_cards, model_card, plain
from pipeline.report.provenance import Provenance, SourceFacts, origin_of, what_of
from pipeline.report.run_report import RunReport
from pipeline.report.stats import RightsRow
from tests.report.example import HOSTILE, example


def front(card: str) -> dict:
    _, head, _ = card.split("---\n", 2)
    return yaml.safe_load(head)


def test_front_matter_names_the_files() -> None:
    made = front(data_card(example(), {"kept": ["kept/b.parquet", "kept/a.parquet"], "removed": ["removed/a.parquet"]}))
    assert made["configs"] == [
        {"config_name": "default", "default": True, "data_files": [{"split": "train", "path": ["kept/a.parquet", "kept/b.parquet"]}]},
        {"config_name": "removed", "data_files": [{"split": "train", "path": ["removed/a.parquet"]}]},
    ]  # fmt: skip
    assert made["license"] == "other"
    assert made["size_categories"] == ["1K<n<10K"]
    assert "und" not in made["language"]


def test_one_licence_is_named() -> None:
    report = example()
    for source in report.sources:
        source.licence = "CC0-1.0"
    assert front(data_card(report, {}))["license"] == "cc0-1.0"


def test_load_dataset_opens_it_and_no_orphan(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    corpus = tmp_path / "corpus"
    rows = {"kept/a": 3, "removed/a": 2, "quarantined/a": 1, "kept/orphan": 7}
    for name, count in rows.items():
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        columns = {"id": [f"{name}{i}" for i in range(count)], "text": ["x"] * count}
        if not name.startswith("kept"):
            columns["rule"] = ["gopher.min_words"] * count
        pq.write_table(pa.table(columns), corpus / f"{name}.parquet")
    files = {"kept": ["kept/a.parquet"], "removed": ["removed/a.parquet"], "quarantined": ["quarantined/a.parquet"]}
    (corpus / "README.md").write_text(data_card(example(), files))
    cache = str(tmp_path / "cache")
    assert datasets.load_dataset(str(corpus), cache_dir=cache)["train"].num_rows == 3
    assert datasets.load_dataset(str(corpus), "removed", cache_dir=cache)["train"].column_names == [
        "id",
        "text",
        "rule",
    ]
    assert datasets.load_dataset(str(corpus), "quarantined", cache_dir=cache)["train"].num_rows == 1


def test_hostile_names_stay_in_their_cells() -> None:
    report = example()
    report.sources[0].name = 'a | b\n---\nlicense: "mit" ' + HOSTILE
    report.sources[0].licence = '"\n- evil: true'
    report.domain = '"\nlicense: mit\n'
    card = data_card(report, {"kept": ['k".parquet']})
    made = front(card)
    assert made["license"] == "other"
    assert made["configs"][0]["data_files"][0]["path"] == ['k".parquet']
    row = next(line for line in card.splitlines() if line.startswith("| a "))
    assert row.replace("\\|", "").count("|") == 7
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert front(model_card(report))["tags"][1] == "pretraining"
    assert "license" not in front(model_card(report))


def test_words_that_yaml_would_read_as_something_else_stay_words() -> None:
    report = example()
    for source in report.sources:
        source.licence = "a\n---\nlicense: mit"
    report.languages[0].name, report.languages[0].documents = "no", 10**9
    paths = ["kept/line\nbreak.parquet", "kept/- dash: {x}.parquet", "kept/é 中.parquet"]
    made = front(data_card(report, {"kept": paths}))
    assert made["language"] == ["no"]
    assert made["license"] == "a --- license: mit"
    assert made["configs"][0]["data_files"][0]["path"] == sorted(paths)


def test_plain() -> None:
    assert plain("a|b\n*c*") == "a\\|b \\*c\\*"


def test_model_card_says_what_it_is() -> None:
    card = model_card(example(), training={"optimizer": "adamw"}, name="finance-tiny")
    assert "# finance-tiny" in card
    assert "| optimizer | adamw |" in card
    assert "A demonstration" in card
    assert "| tokens trained on | 307,200, in 300 steps |" in card
    assert "bits per byte" in card
    assert model_card(example().model_copy(update={"plan": None, "training": None}))


FACTS = Provenance(
    card=CardSettings(provider="Examplebank AG", url="https://bank.example/corpus", published="2026-11-30"),
    sources=[
        SourceFacts(name="filings", kind="hub", origin="public_dataset", what="sec/filings, revision 1a2b", kept=610, pretokens=260_000,
                    dated=600, first="2001-02", last="2024-05"),
        SourceFacts(name="news", kind="crawl", origin="crawled", crawler="acme/1.0 (+mailto:bot@acme.example)", kept=520, pretokens=150_000),
    ],
    judges={"pii": {"kinds": ["email"], "names": "off", "action": "mask"}, "toxicity": {"max_score": 0.73}},
    domains=[(f"h{n}.example", 2, 90 - n) for n in range(21)],
)  # fmt: skip


def facts(**changed) -> RunReport:
    found = example().model_copy(update={"provenance": FACTS.model_copy(update=changed)})
    found.languages[0].kept_pretokens, found.languages[1].kept_pretokens = 390_000, 20_000
    found.rights = [
        RightsRow(
            source="news", licence='=HYPERLINK("http://x.example")', tdm="reserved", robots="*", documents=3, kept=1
        )
    ]
    return found


def corpus(folder: Path) -> dict[str, list[FileInfo]]:
    """Files of two verdicts with the published columns, and what a run says of them."""
    files = {}
    for verdict, schema in (("kept", KEPT), ("removed", REMOVED)):
        rows = [
            {name: None for name in schema.names} | {"id": f"{verdict}{n}", "text": "x", "num_tokens": n}
            for n in range(3)
        ]
        path = folder / f"corpus/{verdict}/web/00000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
        size, digest = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
        files[verdict] = [FileInfo(f"corpus/{verdict}/web/00000.parquet", size, digest)]
    return files


@pytest.mark.parametrize("known", [True, False])
def test_croissant_is_valid_and_opens_the_records(tmp_path: Path, known: bool) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    files = corpus(tmp_path)
    text = cards(facts() if known else facts(card=CardSettings(), sources=[]), files)["corpus/croissant.json"]
    (tmp_path / "corpus/croissant.json").write_text(text)
    found = mlcroissant.Dataset(jsonld=str(tmp_path / "corpus/croissant.json"))
    assert found.metadata.ctx.issues.errors == set()
    unsaid = {
        issue.rpartition("https://schema.org/")[2].partition('"')[0] for issue in found.metadata.ctx.issues.warnings
    }
    assert unsaid == (set() if known else {"datePublished"})
    assert found.metadata.data_biases
    assert [row["removed/id"] for row in found.records("removed")] == [b"removed0", b"removed1", b"removed2"]
    assert [row["kept/num_tokens"] for row in found.records("kept")] == [0, 1, 2]


def test_what_nobody_said_is_not_answered_no() -> None:
    said = cards(facts(), {})["cards/training-content.md"]
    assert "Were publicly available datasets used? Yes." in said
    assert "Were commercially licensed datasets used? No, by the recipe." in said
    assert "| Signatory of the code of practice | **not stated** |" in said
    assert "Less than 1 billion tokens" in said
    assert "en 95.1%, de 4.9%" in said
    files = SourceFacts(name="intranet", kind="auto", kept=4, pretokens=900)
    said = cards(facts(sources=[*FACTS.sources, files]), {})["cards/training-content.md"]
    assert "No, by the recipe" not in said
    assert said.count("nobody said how these sources were obtained: intranet (`card.origins`)") == 7
    assert cards(example(), {})["cards/training-content.md"].count("**not stated**") > 5


def test_reservations_that_stay_in_the_corpus_are_counted() -> None:
    report = facts()
    report.rights = [RightsRow(licence="unknown", tdm="reserved", robots="*", documents=9, kept=7, removed=2)]
    said = cards(report, {})["cards/training-content.md"]
    assert (
        "carried by 9 of the documents read; **the recipe does not remove them** (`licences.tdm: allow`); 7 are in the corpus"
        in said
    )
    report = facts(judges={"rights": {"allow": [], "deny": ["*-NC-*"], "tdm": "deny", "robots": "deny"}})
    said = cards(report, {})["cards/training-content.md"]
    assert "by `licences.tdm: deny` they are removed" in said
    assert "refused: \\*-NC-\\*" in said
    assert "not looked for" in said


def test_licences_are_a_table_that_no_spreadsheet_runs() -> None:
    made = cards(facts(), {})
    (row,) = csv.DictReader(io.StringIO(made["cards/licences.csv"]))
    assert (row["source"], row["kept"], row["tdm"]) == ("news", "1", "reserved")
    assert row["licence"].startswith("'=HYPERLINK")
    assert made["cards/crawled-domains.csv"].splitlines() == [
        "domain,documents,pretokens",
        *(f"h{n}.example,2,{90 - n}" for n in range(3)),
    ]


def test_lineage_leads_from_every_source_to_the_model() -> None:
    many = [SourceFacts(name=f"s{n}", kind="warc", kept=n, pretokens=n) for n in range(20)]
    report = facts(sources=many)
    made = late_cards(report)
    graph = json.loads(made["cards/lineage.json"])["@graph"]
    by_id = {node["@id"]: node for node in graph}
    waiting, seen = ["run:model"], set()
    while waiting:
        node = by_id[waiting.pop()]
        seen.add(node["@id"])
        made_by = node.get("prov:wasGeneratedBy")
        waiting += [one["@id"] for one in [*node.get("prov:used", []), *([made_by] if made_by else [])]]
    assert {f"run:source/s{n}" for n in range(20)} <= seen
    drawn = ElementTree.fromstring(made["cards/lineage.svg"])
    words = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "13 more sources" in words
    assert "s19" in words
    hostile = facts(sources=[FACTS.sources[0].model_copy(update={"name": HOSTILE})])
    assert len(ElementTree.fromstring(late_cards(hostile)["cards/lineage.svg"])) > 10


@pytest.mark.parametrize(
    ("source", "origin", "what"),
    [({"kind": "hub", "hub": {"dataset": "a/b", "revision": "1a"}}, "public_dataset", "a/b, train, revision 1a"),
     ({"kind": "warc", "path": "s3://commoncrawl/crawl-data/CC-NEWS/2024/01/*.warc.gz"}, "public_dataset", "Common Crawl, CC-NEWS/2024/01/*.warc.gz"),
     ({"kind": "crawl", "crawl": {"user_agent": "acme/1 (+mailto:a@b.example)", "seeds": ["https://a.example/"]}}, "crawled", "1 seeds, links followed: host"),
     ({"kind": "jsonl", "path": "/home/jane/secret-project/x.jsonl"}, "", ""),
     ({"kind": "sample"}, "other", "pages made by this software from grammars; no model wrote them")],
)  # fmt: skip
def test_what_a_source_tells_of_itself(source: dict, origin: str, what: str) -> None:
    made = Source(name="one", **source)
    assert (origin_of(made), what_of(made)) == (origin, what)


def test_a_corpus_of_sources_with_several_licences_claims_none() -> None:
    report = example()
    for source in report.sources:
        source.licence = "several"
    assert front(data_card(report, {}))["license"] == "other"
    assert json.loads(cards(report, {})["corpus/croissant.json"])["license"] == "other"
