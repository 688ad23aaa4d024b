"""Cards: `load_dataset` opens what the front matter names and nothing else; text cannot break the YAML or the tables."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.report.cards import data_card, model_card, plain
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
    assert "bits per byte" in card
    assert model_card(example().model_copy(update={"plan": None, "training": None}))
