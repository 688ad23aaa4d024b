"""Mixture search: proxies repeat text as the target does, leave `mixture.json`, and a recipe reads it."""

import json
import math
from argparse import Namespace
from pathlib import Path

import pytest

from pipeline.handoff import UsageError, build_manifest, dump_manifest
from pipeline.plan.mix import MixSettings
from pipeline.plan.search import read_search
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.mixture import check_sources, fitted, main, spread
from recipes.pretrain.proxies import Proxies, at_share, cut_source
from recipes.pretrain.token_stream import TokenStream

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


def test_a_source_is_varied_and_the_others_keep_their_proportions(searched: Path) -> None:
    manifest = open_handoff(str(searched / "handoff")).manifest
    filings, wiki = manifest.sources
    calls = filings.model_copy(update={"name": "calls", "weight": filings.weight / 4})
    news = filings.model_copy(update={"name": "news", "weight": filings.weight / 8})
    sources = [filings, calls, news, wiki]
    made = at_share(manifest, sources, 0.4, "tokenizer", {"calls": 0.5})
    weights = {source.name: source.weight for source in made.sources}
    assert weights["calls"] == pytest.approx(0.4 * 0.5)
    assert weights["filings"] / weights["news"] == pytest.approx(8)
    assert weights["wiki"] == pytest.approx(0.6)
    assert set(check_sources(sources, ["calls", "news"])) == {"calls", "news"}
    with pytest.raises(UsageError, match="only general source"):
        check_sources(sources, ["wiki"])
    with pytest.raises(UsageError, match="there are calls, filings"):
        check_sources(sources, ["call"])


def test_proxies_of_a_source_are_run_at_the_best_domain_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handoff = make_handoff(tmp_path, documents=100)
    manifest = open_handoff(str(handoff)).manifest
    filings, wiki = manifest.sources
    calls = filings.model_copy(update={"name": "calls", "weight": 0.17})
    rest = filings.model_copy(update={"weight": 0.34})
    made = build_manifest(tokenizer=manifest.tokenizer, sources=[calls, rest, wiki])
    (handoff / "manifest.json").write_text(dump_manifest(made))
    settings = [word for value in SMALL for word in ("--set", value)]
    arguments = [str(handoff), "--runs", "3", "--steps", "6", "--target-tokens", "9000", "--source", "calls", *settings]
    assert main(arguments) == 0
    assert "best share of calls in the domain text" in capsys.readouterr().out
    found = json.loads((tmp_path / "mixture.json").read_text())
    own = found["within"]["calls"]
    assert own["role"] == "domain"
    assert [run["share"] for run in own["runs"]] == [0.2, 0.5, 0.8]
    at_hand, tokens = calls.num_tokens(), found["best"]["share"] * 9000
    for run in own["runs"]:
        assert run["epochs"]["calls"] == pytest.approx(run["share"] * tokens / at_hand, rel=0.25)
    assert MixSettings.model_validate({"search": str(tmp_path / "mixture.json")}).within.keys() == {"calls"}


def test_a_planted_law_of_a_source_is_found() -> None:
    """The law of a source's share: the domain loss falls with it, the general loss rises; the optimum is known."""
    shares = [0.1, 0.3, 0.5, 0.7, 0.9]
    runs = [
        {"share": r, "losses": {"domain": 1 + math.exp(-3 * r), "general": 1.2 + 0.02 * math.exp(3.5 * r)}}
        for r in shares
    ]
    found = fitted(runs, {"domain": 0.5, "general": 0.5})["best"]
    assert found["share"] == pytest.approx(math.log(3 / (0.02 * 3.5)) / 6.5, abs=0.01)
    assert not found["at_border"]


def test_shares_of_sources_reach_the_mix(searched: Path, tmp_path: Path) -> None:
    fields = json.loads((searched / "mixture.json").read_text())
    one = {"role": "domain", "runs": fields["runs"], "best": {**fields["best"], "share": 0.25}}
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps({**fields, "within": {"calls": one}}))
    asked = MixSettings.model_validate({"search": str(path)})
    assert asked.within == {"calls": 0.25}
    assert "calls gets 25.0% of the domain text" in " ".join(read_search(str(path)).evidence())
    path.write_text(json.dumps({**fields, "within": {"calls": {**one, "best": {**fields["best"], "share": 0.95}}}}))
    with pytest.raises(ValueError, match=r"calls share of 95.0%, and 20% to 80% were tried"):
        read_search(str(path))


@pytest.mark.parametrize(("low", "high", "runs"), [(0.2, 0.8, 2), (0.2, 0.8, 6), (0.8, 0.2, 3), (0.0, 0.5, 3)])
def test_impossible_searches(low: float, high: float, runs: int) -> None:
    with pytest.raises(UsageError):
        spread(low, high, runs)


def test_steps_that_set_names_are_those_that_the_search_counts(handoff):
    asked = Namespace(steps=100, target_tokens=None, set=["steps=3"])
    proxies = Proxies(open_handoff(str(handoff)), asked, "mixture")
    assert (proxies.steps, proxies.tokens) == (3, 3 * 8 * 128)
