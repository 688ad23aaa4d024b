"""Deduplication as a recipe has it: templates, priorities, layouts, second passes, and documents under one shingle."""

import random
from pathlib import Path

import pytest

from pipeline.cluster import step
from pipeline.recipe.model import load
from tests.apply.test_repeats import prose
from tests.cluster.runs import concatenated, kept, run_small, verdicts, write_source

WEB = {"web": "role: general"}
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = """\
The company reported net sales of ${0}.{1} million for the quarter ended {2} {3}, against ${4}.{5} million a year before.
Gross margin was {6}.{7} percent of net sales and operating income came to ${8}.{9} million, or ${10}.{11} per diluted share.
Cash and cash equivalents stood at ${12}.{13} million on {2} {3}, and long-term debt at ${14}.{15} million on that day.
The board declared a dividend of ${16}.{17} per share, payable on {2} {18} to holders of record, {19} of them in all.
Capital expenditure in the quarter was ${20}.{21} million and depreciation ${22}.{23} million; {24} people were employed.
"""


def filing(number: int) -> str:
    draw = random.Random(number)
    return TEMPLATE.format(*(draw.randrange(2, 98) for _ in range(25)))


def finance_minhash() -> str:
    """The settings of MinHash in the finance recipe, as YAML."""
    (found,) = [s for name, s in load(str(ROOT / "recipes/finance.yaml")).judges if name == "minhash"]
    return str(found.measured()).replace("None", "null").replace("True", "true").replace("False", "false")


@pytest.fixture(scope="module")
def filings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filings")
    write_source(folder, "web", {f"q{n}": filing(n) for n in range(8)}, files=2)
    return folder


def test_eight_filings_of_one_template_all_survive_the_finance_recipe(filings, tmp_path):
    run = run_small(filings, tmp_path / "run", WEB, minhash=finance_minhash())
    assert kept(run) == {f"q{n}" for n in range(8)}


def test_datatroves_way_keeps_one_of_them(filings, tmp_path):
    run = run_small(filings, tmp_path / "run", WEB, minhash="{datatrove_compatible: true}")
    assert len(kept(run)) == 1
    (survivor,) = {row["id"] for row in verdicts(run).values() if row["verdict"] == "kept"}
    assert {row["duplicate_of"] for row in verdicts(run).values()} == {None, survivor}


def test_the_domain_copy_beats_the_general_one(tmp_path):
    text = prose(3, 100)
    write_source(tmp_path, "web", {"general": text, "loud": text + " and more of it", "other": prose(4, 100)})
    write_source(tmp_path, "news", {"domain": text})
    run = run_small(tmp_path, tmp_path / "run", WEB | {"news": "role: domain"})
    assert kept(run) == {"domain", "other"}
    first = run_small(tmp_path, tmp_path / "run", {"web": "role: general, priority: 5", "news": "role: domain"})
    assert kept(first) == {"loud", "other"}, "the source's priority comes before the role"


def test_documents_shorter_than_a_shingle_are_deduplicated_exactly(tmp_path):
    documents = {"a": "one two three", "b": "one  two\nthree", "c": "one two four", "d": "five"}
    write_source(tmp_path, "web", documents, files=2)
    run = run_small(tmp_path, tmp_path / "run", WEB, minhash="{ngram: 6}", words=1)
    assert len(kept(run) & {"a", "b"}) == 1
    assert {"c", "d"} <= kept(run)
    (copy,) = [row for row in verdicts(run).values() if row["verdict"] == "removed"]
    assert (copy["reasons"], copy["similarity"]) == (["exact.duplicate"], 1.0)


CORPUS = {f"d{n}": prose(n % 7, 60) + f" ending {prose(n, 3) if n % 3 else ''}" for n in range(24)}


def clusters(run) -> dict[str, set[str]]:
    """Members of the cluster of each document, by the ids of the source."""
    urls = [url.removeprefix("https://").removesuffix(".example/") for url in concatenated_urls(run)]
    labels = concatenated(run, "cluster", "all")["near_cluster"].to_pylist()
    return {
        own: {o for o, x in zip(urls, labels, strict=True) if x == label}
        for own, label in zip(urls, labels, strict=True)
        if label is not None
    }


def concatenated_urls(run) -> list[str]:
    return [
        url
        for shard in run.shards
        for url in run.store.read_table(run.file("extract", shard).path, ["url"])["url"].to_pylist()
    ]


def test_the_partition_does_not_depend_on_layout_order_or_tasks(tmp_path, monkeypatch):
    found = []
    for name, files, keys in (("one", 1, 1 << 23), ("many", 5, 9)):
        monkeypatch.setattr(step, "KEYS_AT_ONCE", keys)
        folder = tmp_path / name
        rows = list(CORPUS.items())
        random.Random(files).shuffle(rows)
        write_source(folder, "web", dict(rows), files=files)
        run = run_small(folder, folder / "run", WEB, to="decide")
        found.append(clusters(run))
        survivors = kept(run, "decide")
        assert all(len(members & survivors) == 1 for members in found[-1].values())
    assert found[0] == found[1]
    assert len(found[0]) > 10


def test_how_many_tasks_find_the_pairs_does_not_show_in_the_data(tmp_path, monkeypatch):
    write_source(tmp_path, "web", CORPUS, files=3)
    digests = []
    for name, keys in (("few", 1 << 23), ("many", 9)):
        monkeypatch.setattr(step, "KEYS_AT_ONCE", keys)
        run = run_small(tmp_path, tmp_path / name, WEB, to="cluster")
        digests.append([run.file("cluster", "all", shard).sha256 for shard in run.shards])
    assert digests[0] == digests[1]


def test_a_second_pass_removes_nothing(tmp_path):
    write_source(tmp_path, "web", CORPUS, files=2)
    run = run_small(tmp_path, tmp_path / "first", WEB)
    survivors = {own: row["text"] for own, row in verdicts(run).items() if row["verdict"] == "kept"}
    assert 0 < len(survivors) < len(CORPUS)
    write_source(tmp_path / "again", "web", survivors, files=3)
    assert kept(run_small(tmp_path / "again", tmp_path / "second", WEB)) == set(survivors)


def test_adding_a_document_never_brings_a_removed_one_back(tmp_path):
    """Across runs: what lost to a better document still loses when more arrive."""
    rows = list(CORPUS.items())
    gone: set[str] = set()
    for count in (12, 18, 24):
        folder = tmp_path / str(count)
        write_source(folder, "web", dict(rows[:count]))
        now = {
            own
            for own, row in verdicts(run_small(folder, folder / "run", WEB, to="decide"), "decide").items()
            if row["verdict"] == "removed"
        }
        assert gone <= now
        gone = now
