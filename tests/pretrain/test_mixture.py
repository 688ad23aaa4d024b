"""Mixture search: proxies repeat text as the target does, leave `mixture.json`, and a recipe reads it."""

import json
from pathlib import Path

import pytest

from pipeline.handoff import UsageError
from pipeline.mix import MixSettings
from pipeline.mix_search import read_search
from recipes.pretrain.handoff import open_handoff
from recipes.pretrain.mixture import at_share, cut_source, main, spread
from recipes.pretrain.shards import TokenStream

from .build import make_handoff

pytestmark = pytest.mark.train

SMALL = ("model.hidden_size=32", "model.num_layers=1", "model.num_heads=2", "model.num_kv_heads=2",
         "model.intermediate_size=64", "objective.sequence_length=32", "evaluate.max_samples=8")  # fmt: skip


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mixture")
    handoff = make_handoff(root, documents=200)
    settings = [word for value in SMALL for word in ("--set", value)]
    assert main([str(handoff), "--runs", "4", "--steps", "12", "--target-tokens", "30000", *settings]) == 0
    return root


def test_proxies_repeat_text_as_the_target_will(searched: Path) -> None:
    handoff = open_handoff(str(searched / "handoff"))
    found = json.loads((searched / "mixture.json").read_text())
    at_hand = handoff.manifest.tokens_by_role()["domain"]
    assert found["proxy"]["tokens"] == 12 * 8 * 32
    for run in found["runs"]:
        in_the_target = run["share"] * 30_000 / at_hand
        assert run["epochs"]["filings"] == pytest.approx(in_the_target, rel=0.1)
    assert [run["share"] for run in found["runs"]] == [0.2, 0.4, 0.6, 0.8]


def test_each_role_learns_more_where_it_is_seen_more(searched: Path) -> None:
    runs = json.loads((searched / "mixture.json").read_text())["runs"]
    assert runs[0]["losses"]["domain"] > runs[-1]["losses"]["domain"]
    assert runs[0]["losses"]["general"] < runs[-1]["losses"]["general"]


def test_running_again_reruns_no_proxy(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (searched / "mixture.json").read_bytes()
    written = {path: path.stat().st_mtime_ns for path in searched.glob("mixture/share-*/metrics.jsonl")}
    assert len(written) == 4
    settings = [word for value in SMALL for word in ("--set", value)]
    arguments = [str(searched / "handoff"), "--runs", "4", "--steps", "12", "--target-tokens", "30000", *settings]
    assert main(arguments) == 0
    assert (searched / "mixture.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert "best domain share" in capsys.readouterr().out


def test_a_recipe_reads_it(searched: Path) -> None:
    path = searched / "mixture.json"
    found = read_search(str(path))
    asked = MixSettings.model_validate({"domain": 0.51, "search": str(path)})
    assert asked.domain == found.share
    assert 0.2 <= asked.domain <= 0.8
    said = " ".join(found.evidence("another tokenizer"))
    assert f"{found.share:.1%}" in said
    assert "4 proxies of " in said
    assert "20% to 80% domain" in said
    assert "another tokenizer" in said


def test_nothing_beyond_what_was_tried_is_believed(searched: Path, tmp_path: Path) -> None:
    fields = json.loads((searched / "mixture.json").read_text())
    path = tmp_path / "mixture.json"
    for change, message in (
        ({"best": {**fields["best"], "share": 0.9}}, "90.0%, and 20% to 80% were tried: the law does not extrapolate"),
        ({"runs": fields["runs"][:2]}, "runs"),
        ({"format_version": 9}, "format version 9"),
    ):
        path.write_text(json.dumps({**fields, **change}))
        with pytest.raises(ValueError, match=message):
            read_search(str(path))
    with pytest.raises(ValueError, match="does not exist"):
        MixSettings.model_validate({"search": str(tmp_path / "nowhere.json")})


def test_a_source_is_cut_at_a_document(searched: Path, tmp_path: Path) -> None:
    handoff = open_handoff(str(searched / "handoff"))
    for part in (0.03, 0.5, 1.0):
        for source in handoff.manifest.sources:
            cut, tokens = cut_source(handoff, source, part, tmp_path)
            assert 0.5 * part * source.num_tokens() <= tokens <= max(part * source.num_tokens(), 1) + 1
            stream, whole = (TokenStream(handoff, s.splits["train"]) for s in (cut, source))
            assert stream.read(0, tokens)[0].tolist() == whole.read(0, tokens)[0].tolist()
            assert stream.read(0, tokens)[0][-1] == handoff.manifest.tokenizer.eos_id


def test_shares_of_roles(searched: Path) -> None:
    manifest = open_handoff(str(searched / "handoff")).manifest
    made = at_share(manifest, manifest.sources, 0.3, "tokenizer")
    assert {source.name: source.weight for source in made.sources} == {"filings": 0.3, "wiki": 0.7}
    with pytest.raises(UsageError, match="no general source"):
        at_share(manifest, [source for source in manifest.sources if source.role == "domain"], 0.3, "tokenizer")


@pytest.mark.parametrize(("low", "high", "runs"), [(0.2, 0.8, 2), (0.2, 0.8, 6), (0.8, 0.2, 3), (0.0, 0.5, 3)])
def test_impossible_searches(low: float, high: float, runs: int) -> None:
    with pytest.raises(UsageError):
        spread(low, high, runs)
