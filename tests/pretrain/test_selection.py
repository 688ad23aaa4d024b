"""Search of the share to keep: proxies train on the best documents, chance is measured, and a recipe reads what was found."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.apply.select_search import read_selection
from pipeline.apply.select_settings import SelectSettings
from pipeline.handoff import Manifest, UsageError, dump_manifest
from pipeline.run import main as run_recipe
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.selection import best_of, compared, main, scores_of, shares_of
from recipes.pretrain.token_stream import TokenStream
from tests.faults.tiny import write_recipe

from .build import make_handoff
from .test_mixture import SMALL

pytestmark = pytest.mark.train


def with_scores(root: Path) -> Path:
    """A hand-off whose tables of uses hold scores: those of even documents are high."""
    folder = make_handoff(root, documents=120)
    handoff = open_handoff(str(folder))
    sources = []
    for source in handoff.manifest.sources:
        count = sum(shard.num_documents for shard in source.splits["train"])
        path = root / "uses" / f"{source.name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"score": pa.array((np.arange(count) % 2 == 0) / 2 + 0.1, pa.float32())}), path)
        sources.append(source.model_copy(update={"uses": [str(path.relative_to(root))]}))
    manifest: Manifest = handoff.manifest.model_copy(update={"sources": sources})
    (folder / "manifest.json").write_text(dump_manifest(manifest))
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("selection")
    folder = with_scores(root)
    settings = [word for value in SMALL for word in ("--set", value)]
    asked = ["--shares", "0.001,0.3", "--seeds", "2", "--steps", "6", "--target-tokens", "3000"]
    assert main([str(folder), *asked, *settings]) == 0
    return root


def test_the_best_documents_are_chosen_up_to_the_share(searched: Path, tmp_path: Path) -> None:
    handoff = open_handoff(str(searched / "handoff"))
    source = handoff.manifest.sources[0]
    best = best_of(handoff, source, 0.3, tmp_path)
    whole = TokenStream(handoff, source.splits["train"])
    tokens, ends = whole.read(0, whole.num_tokens)
    lengths = np.diff(ends, prepend=0)
    kept = best.num_tokens()
    assert 0.25 * whole.num_tokens < kept <= 0.3 * whole.num_tokens
    chosen = best.splits["train"][0].num_documents
    high = np.flatnonzero(scores_of(handoff, source) > 0.5)[:chosen]
    assert kept == lengths[high].sum(), "equal scores in their order"
    first = np.asarray(TokenStream(handoff, best.splits["train"]).read(0, int(lengths[0]))[0])
    assert first.tolist() == np.asarray(tokens)[: lengths[0]].tolist()


def test_it_leaves_what_it_found_and_says_what_it_could_not_measure(searched: Path) -> None:
    found = json.loads((searched / "selection.json").read_text())
    assert [(run["share"], run["seed"]) for run in found["runs"]] == [(s, n) for s in (0.001, 0.3, 1.0) for n in (0, 1)]
    assert [run["losses"] is None for run in found["runs"]] == [True, True, False, False, False, False]
    assert found["best"]["share"] in (0.3, 1.0)
    assert "0.001: not measured" in read_selection(str(searched / "selection.json")).evidence()


def losses(share: float, *values: float) -> list[dict]:
    return [{"share": share, "seed": n, "losses": {"domain": v, "general": v}} for n, v in enumerate(values)]


def test_a_gain_within_the_spread_changes_nothing() -> None:
    chance = compared([*losses(0.1, 2.00, 2.10), *losses(1.0, 2.05, 2.12)])
    assert (chance["share"], chance["beyond_spread"]) == (0.1, False)
    sure = compared([*losses(0.1, 2.00, 2.01), *losses(1.0, 2.20, 2.21)])
    assert (sure["share"], sure["beyond_spread"]) == (0.1, True)
    assert sure["gain"] == pytest.approx(0.2)
    assert not compared([*losses(0.1, 3.0, 3.0), *losses(1.0, 2.0, 2.0)])["beyond_spread"]
    with pytest.raises(UsageError, match="no share has enough text"):
        compared(losses(1.0, 2.0, 2.0))


def test_a_recipe_takes_the_share_or_keeps_everything_with_a_warning(searched: Path, tmp_path: Path) -> None:
    fields = json.loads((searched / "selection.json").read_text()) | {"exempt": ["filings"]}
    path = tmp_path / "selection.json"
    for beyond, share in ((True, 0.3), (False, 1.0)):
        fields["best"] = {"share": 0.3, "gain": 0.1, "spread": 0.01, "beyond_spread": beyond}
        path.write_text(json.dumps(fields))
        told = SelectSettings.model_validate({"search": str(path)})
        assert (told.keep, told.of, told.exempt) == (share, "kept_tokens", ["filings"])
        assert ("warning" in read_selection(str(path)).evidence()) is not beyond
    with pytest.raises(ValidationError, match="search says how much"):
        SelectSettings.model_validate({"search": str(path), "keep": 0.1})
    for change, said in (({"format_version": 9}, "format version 9"), ({"runs": []}, "runs")):
        path.write_text(json.dumps({**fields, **change}))
        with pytest.raises(ValueError, match=said):
            read_selection(str(path))
    for search, said in (
        (str(tmp_path / "none.json"), "does not exist"),
        ([0.01, 1.5], "shares between"),
        ([], "shares between"),
    ):
        with pytest.raises(ValidationError, match=said):
            SelectSettings.model_validate({"search": search})


def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_handoff(tmp_path, documents=60)
    assert main([str(folder), "--steps", "2", "--target-tokens", "1000"]) == 2
    assert "has no scores; run with" in capsys.readouterr().err
    assert main([str(folder), "--seeds", "1"]) == 2
    assert main([str(folder), "--exempt", "nowhere"]) == 2
    assert "there are filings, wiki" in capsys.readouterr().err
    for text in ("a", "0,0.1", "1.5", "1"):
        with pytest.raises(UsageError, match="between 0 and 1"):
            shares_of(text)


def test_a_run_searches_by_itself_and_keeps_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    told = f"{{search: [0.3, 0.6], by: gopher.num_words, proxies: {{steps: 3, seeds: 2, set: {json.dumps(SMALL)}}}}}"
    recipe.write_text(recipe.read_text().replace("curate:", f"select: {told}\ncurate:"))
    words = [str(recipe), "--out", str(out), "--ray", "none", "--json", "--no-train"]
    assert run_recipe(words) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    plan = json.loads((out / "plan.json").read_text())["selection"]
    assert {(one["share"], one["seed"]) for one in plan["runs"]} == {(s, n) for s in (0.3, 0.6, 1.0) for n in (0, 1)}
    (said,) = (note for note in first["notes"] if note.startswith("select.search: proxies of"))
    kept = plan["best"]["share"] if plan["best"]["beyond_spread"] else 1.0
    assert ("warning" in said) == (kept == 1.0)
    (line,) = (note for note in first["notes"] if note.startswith("select: "))
    assert line.startswith(f"select: {kept:.4g} of kept tokens asked")
    assert said in (out / "report.html").read_text().replace("&#39;", "'")
    assert not (out / "work/search").exists() or not list((out / "work/search").rglob("*.ds"))
    assert run_recipe(words) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again["root_hash"] == first["root_hash"]
    assert set(again["steps"].values()) == {"reused: did not change"}
