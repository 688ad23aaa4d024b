"""The trained judges inside a run: sample, weights, fingerprints, roles, pinned weights, errors."""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.batch import DOCUMENTS
from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.judge import judges
from pipeline.core.ledger import Ledger
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.errors import UsageError
from pipeline.flow import advance
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import parse
from pipeline.report.classifier_cards import figures
from tests.fasttext_file import write as write_fasttext

MONEY = "bond yield dividend equity coupon ledger audit margin credit issuer".split()
OTHER = "river song tree goal singer forest bridge poem garden winter".split()
COMMON = "the of and to in was for on with that".split()


def write(folder, name, words, count, seed, host):
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(count):
        text = " ".join([*rng.choice(words, 20), *rng.choice(COMMON, 20)])
        lines.append(
            json.dumps(
                {"id": f"{name}{number}", "text": f"{text} {number}x.", "url": f"https://{host(number)}/{number}"}
            )
        )
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def corpus(tmp_path):
    write(tmp_path, "filings", MONEY, 240, 1, lambda n: f"f{n % 9}.example")
    write(tmp_path, "stories", OTHER, 240, 2, lambda n: f"s{n % 9}.example")
    rng_words = [MONEY, OTHER]
    for side, words in enumerate(rng_words):
        write(tmp_path, f"crawl{side}", words, 40, 3 + side, lambda n: "crawl.example")
    return tmp_path


def recipe(corpus, domain="", curate=None, use="all"):
    text = f"""
name: test
use: {use}
sources:
  all:
    - {{name: filings, kind: jsonl, path: {corpus}/filings.jsonl, role: domain}}
    - {{name: stories, kind: jsonl, path: {corpus}/stories.jsonl, role: general}}
    - {{name: crawl, kind: jsonl, path: {corpus}, include: [crawl0.jsonl, crawl1.jsonl], role: auto}}
curate:
  - exact
  - domain: {domain or "{positives: {roles: [domain]}, negatives: {sources: [stories]}}"}
{f"  - quality: {curate}" if curate else ""}
"""
    return parse("test.yaml", read_yaml("test.yaml", text.encode()), [], {})


def run(corpus, out, to="decide", **options):
    store = Store(str(out))
    state = Run(store, recipe(corpus, **options), Runner(store, InProcess()))
    advance(state, to)
    return state


def test_a_run_trains_scores_and_gives_roles(corpus, tmp_path):
    state = run(corpus, tmp_path / "run")
    commit = state.commits("classify")["domain"]
    assert commit.counts["card"]["auc"] > 0.99
    assert commit.counts["card"]["documents"]["positives"] + 20 > 240 * 0.99
    assert json.loads(state.store.read(commit.files["card"].path))["sha256"] == commit.files["weights"].sha256
    for shard in state.shards:
        documents = state.store.read_table(state.file("extract", shard).path)
        verdicts = state.store.read_table(state.file("decide", "all", shard).path)
        for row, role in zip(documents.to_pylist(), verdicts["role"].to_pylist(), strict=True):
            wanted = "domain" if row["path"] in ("filings.jsonl", "crawl0.jsonl") else "general"
            assert role == wanted, row["text"]


def test_running_again_reuses_and_a_threshold_changes_decide_alone(corpus, tmp_path):
    first = run(corpus, tmp_path / "run")
    both = "{positives: {roles: [domain]}, negatives: {sources: [stories]}, min_score: 0.5, exempt: [stories]}"
    second = run(corpus, tmp_path / "run", domain=both)
    for step in ("classify", "measure"):
        assert second.runner.reasons[step].startswith("reused"), step
        assert {n: c.fingerprint for n, c in first.commits(step).items()} == {
            n: c.fingerprint for n, c in second.commits(step).items()
        }
    counts = second.commits("decide")["all"].counts
    assert counts["first_reasons"]["domain.min_score"] == 40
    found = counts["classifiers"]["domain"]
    assert found["all"]["documents"] == 560
    assert found["all"]["kept_share"] == pytest.approx(280 / 560)
    assert found["audit"]["documents"] <= 30
    roles = found["roles"]
    assert sum(row["documents"] for row in roles) == 560
    assert [row["documents"] for row in roles] == sorted((row["documents"] for row in roles), reverse=True)
    for row in roles:
        assert row["scores_as_domain"] == {"filings": 1.0, "stories": 0.0}.get(row["source"], row["scores_as_domain"])
        assert row["filed"] == {"filings": "domain", "stories": "general"}.get(row["source"], "auto")


def test_two_runs_give_the_same_weights(corpus, tmp_path):
    shas = {run(corpus, tmp_path / name, to="classify").file("classify", "domain", "weights").sha256 for name in "ab"}
    assert len(shas) == 1


def test_pinned_weights_are_loaded_and_checked(corpus, tmp_path):
    trained = run(corpus, tmp_path / "a")
    info = trained.file("classify", "domain", "weights")
    path = trained.store.locate(info.path)
    pinned = run(corpus, tmp_path / "b", domain=f"{{weights: {{path: {path}, sha256: {info.sha256}}}}}")
    assert pinned.commits("classify")["domain"].counts["card"]["method"] == "pinned"
    shard = trained.shards[0]
    name = f"domain/{shard}"
    assert trained.file("measure", name).sha256 == pinned.file("measure", name).sha256
    with pytest.raises(UsageError, match="the recipe says"):
        run(corpus, tmp_path / "c", domain=f"{{weights: {{path: {path}, sha256: {'f' * 64}}}}}")
    with pytest.raises(UsageError, match="No such file"):
        run(corpus, tmp_path / "c", domain=f"{{weights: {{path: {tmp_path}/none, sha256: {'f' * 64}}}}}")


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("{}", "needs positives and negatives"),
        ("{positives: {sources: [filing]}, negatives: {roles: [general]}}", "did you mean filings"),
        ("{positives: {hosts: [none.example]}, negatives: {roles: [general]}, min_score: 0.5}", "at least 20"),
    ],
)
def test_mistakes_are_named(corpus, tmp_path, domain, said):
    with pytest.raises(UsageError, match=said):
        run(corpus, tmp_path / "run", domain=domain)


def test_recipes_without_a_classifier_have_no_train_unit(corpus, tmp_path):
    store = Store(str(tmp_path / "run"))
    text = f"name: t\nuse: a\nsources:\n  a:\n    - {{name: s, kind: jsonl, path: {corpus}/stories.jsonl}}\ncurate: [exact]\n"
    state = Run(store, parse("t.yaml", read_yaml("t.yaml", text.encode()), [], {}), Runner(store, InProcess()))
    advance(state, "decide")
    assert state.commits("classify") == {}
    assert not Ledger(store).last("classify")
    assert state.commits("decide")["all"].counts["classifiers"] == {}


def test_too_few_documents_are_a_note_where_nothing_removes_by_the_score(corpus, tmp_path):
    few = "{positives: {hosts: [none.example]}, negatives: {roles: [general]}}"
    state = run(corpus, tmp_path / "run", domain=few)
    assert "curate.domain.positives: 0 different extracted documents" in state.notes[0]
    assert figures(state)["domain"]["method"] == "none"
    for shard in state.shards:
        scores = state.store.read_table(state.file("measure", f"domain/{shard}").path, ["score"])["score"]
        assert scores.null_count == len(scores)
        roles = state.store.read_table(state.file("decide", "all", shard).path, ["role"])["role"].to_pylist()
        assert set(roles) <= {"domain", "general"}
    again = run(corpus, tmp_path / "run", domain=few)
    assert again.notes == state.notes


def test_every_classifier_is_audited_with_documents_none_learned_from(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.classify.sample.AUDIT_SHARE", 0.2)
    state = run(corpus, tmp_path / "run", curate="{positives: {sources: [filings]}, negatives: {sources: [crawl]}}")
    learned = sum(state.commits("classify")["domain"].counts["card"]["documents"].values())
    audits = state.commits("decide")["all"].counts["classifiers"]
    assert set(audits) == {"domain", "quality"}
    audit = audits["domain"]["audit"]
    assert learned + audit["positives"] + audit["negatives"] == 480
    assert audit["positives"] > 30
    assert audit["auc"] > 0.99
    assert audits["domain"]["all"]["documents"] == 560
    said = figures(state)["domain"]
    assert said["setting"] == "role_score"
    assert said["kept_share_of_held_out"]["positives"] > 0.9 > 0.1 > said["kept_share_of_held_out"]["negatives"]
    assert said["audit"] == audit
    assert said["auc"] > 0.99
    assert figures(state)["quality"]["threshold"] is None


def test_files_teach_what_the_corpus_does_not_hold(corpus, tmp_path):
    for name, words, seed in (("good", MONEY, 11), ("bad", OTHER, 12), ("bait", [*MONEY[:3], "click", "winner"], 13)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, name, words, 60, seed, lambda n: f"h{n % 7}.example")
    hard = f"hard_negatives: {{bait: {{files: [{tmp_path}/bait]}}}}"
    origin = f"{{positives: {{files: [{tmp_path}/good]}}, negatives: {{files: ['{tmp_path}/bad/*.jsonl']}}, {hard}}}"
    state = run(corpus, tmp_path / "run", domain=origin)
    card = state.commits("classify")["domain"].counts["card"]
    assert card["documents"] == {"negatives": 60, "positives": 60, "bait": 60}
    assert card["hard_negatives"]["bait"]["trained"] + card["hard_negatives"]["bait"]["held_out"] == 60
    assert card["hard_negatives"]["bait"]["auc"] > 0.9
    again = run(corpus, tmp_path / "run", domain=origin)
    assert again.runner.reasons["classify"].startswith("reused")
    write(tmp_path / "bait", "bait", ["click", "winner"], 90, 13, lambda n: f"h{n % 7}.example")
    changed = run(corpus, tmp_path / "run", domain=origin)
    assert changed.commits("classify")["domain"].counts["card"]["documents"]["bait"] == 90


def test_files_that_are_not_there_are_said_before_anything_runs(corpus, tmp_path):
    origin = f"{{positives: {{files: [{tmp_path}/none.jsonl]}}, negatives: {{roles: [general]}}}}"
    with pytest.raises(UsageError, match=r"curate.domain.positives.files: .*none.jsonl"):
        run(corpus, tmp_path / "run", domain=origin)
    assert not (tmp_path / "run" / "documents").exists()


def test_a_judge_without_a_model_scores_nothing():
    judge = judges()["domain"]
    batch = pa.RecordBatch.from_pylist([{"id": "0" * 32, "text": "a bond"}], schema=DOCUMENTS)
    assert judge.run(batch, judge.settings()).to_pylist() == [{"score": None, "audit": False}]


def test_fasttext_is_asked_for_plainly(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    model = tmp_path / "model.bin"
    model.write_bytes(b"no model")
    with pytest.raises(UsageError, match=r"pip install 'domain-corpus\[fasttext\]'"):
        run(corpus, tmp_path / "run", domain=f"{{fasttext: {{path: {model}, sha256: {'f' * 64}, label: __label__hq}}}}")


def test_a_fasttext_model_scores_by_path_and_checksum(corpus, tmp_path):
    pytest.importorskip("fasttext", reason="fasttext-predict is not installed (extra `fasttext`)")
    model = tmp_path / "model.bin"
    digest = write_fasttext(model, {"__label__hq": MONEY, "__label__cc": OTHER}, weight=40)
    origin = f"{{fasttext: {{path: {model}, sha256: {digest}, label: __label__hq}}}}"
    state = run(corpus, tmp_path / "run", domain=origin)
    commit = state.commits("classify")["domain"]
    assert "weights" not in commit.files
    assert commit.counts["sha256"] == digest
    for shard in state.shards:
        paths = state.store.read_table(state.file("extract", shard).path, ["path"])["path"].to_pylist()
        scores = state.store.read_table(state.file("measure", f"domain/{shard}").path, ["score"])["score"].to_pylist()
        wanted = [1.0 if path in ("filings.jsonl", "crawl0.jsonl") else 0.0 for path in paths]
        assert scores == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(UsageError, match="the recipe says"):
        run(corpus, tmp_path / "b", domain=origin.replace(digest, "f" * 64))
    with pytest.raises(UsageError, match=r"no label '__label__h'; it has __label__cc, __label__hq"):
        run(corpus, tmp_path / "c", domain=origin.replace("label__hq", "label__h"))
    other = write_fasttext(model, {"__label__hq": OTHER, "__label__cc": MONEY}, weight=40)
    changed = run(corpus, tmp_path / "run", domain=origin.replace(digest, other), to="measure")
    assert changed.runner.reasons["measure"].startswith("ran")


def test_quality_learns_its_views_and_pinned_weights_give_the_same(corpus, tmp_path):
    origin = "{positives: {sources: [filings]}, negatives: {sources: [crawl]}, views: {domain: 1}}"
    state = run(corpus, tmp_path / "run", curate=origin, to="measure")
    card = state.commits("classify")["quality"].counts["card"]
    assert card["domain_view"]["documents"]["positives"] > 200
    found: dict[str, list[float]] = {}
    for shard in state.shards:
        paths = state.store.read_table(state.file("extract", shard).path, ["path"])["path"].to_pylist()
        for path, row in zip(
            paths, state.store.read_table(state.file("measure", f"quality/{shard}").path).to_pylist(), strict=True
        ):
            assert row["score"] == pytest.approx(
                (row["reference"] + 2 * row["informative"] + row["domain"]) / 4, abs=2e-4
            )
            found.setdefault(path, []).append(row["domain"])
    assert min(found["filings.jsonl"]) > 0.9 * max(found["stories.jsonl"])
    assert np.mean(found["crawl0.jsonl"]) > 0.6 > 0.4 > np.mean(found["crawl1.jsonl"])
    info = state.file("classify", "quality", "weights")
    path = state.store.locate(info.path)
    pinned = f"{{weights: {{path: {path}, sha256: {info.sha256}}}, views: {{domain: 1}}}}"
    again = run(corpus, tmp_path / "b", curate=pinned, to="measure")
    for shard in state.shards:
        assert state.file("measure", f"quality/{shard}").sha256 == again.file("measure", f"quality/{shard}").sha256
    domain = state.file("classify", "domain", "weights")
    wrong = f"{{weights: {{path: {state.store.locate(domain.path)}, sha256: {domain.sha256}}}}}"
    with pytest.raises(UsageError, match="have no ranks"):
        run(corpus, tmp_path / "c", curate=wrong)


def test_quality_without_sides_has_no_model_and_scores_all_the_same(corpus, tmp_path):
    state = run(corpus, tmp_path / "run", curate="{min_score: 0.01}")
    assert set(state.commits("classify")) == {"domain"}
    assert set(state.commits("decide")["all"].counts["classifiers"]) == {"domain", "quality"}
    for shard in state.shards:
        table = state.store.read_table(state.file("measure", f"quality/{shard}").path)
        assert table["score"].null_count == 0
        assert table["reference"].null_count == len(table)
