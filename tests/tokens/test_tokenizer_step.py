"""The tokenizer of a run: superwords, references beside it, a searched share, and the same bytes for any layout."""

import json
import random
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.recipe.model import load
from pipeline.run import main
from pipeline.tokens.vocabulary import TokenizerSettings
from tokenizer.encode import Encoder

pytestmark = pytest.mark.timeout(240)
WORDS = (
    "the company reported net income of quarter for year and its shares market bank rate growth in cash a to fund assets "
    "credit interest by from debt securities management operating costs increase which per customers river wind sea hill"
).split()
RECIPE = """
name: small
use: local
sources:
  local:
    - {{name: news, kind: text, path: "{root}/news", role: domain}}
    - {{name: web, kind: text, path: "{root}/web", role: general}}
curate: [exact]
apply: {{min_chars: 20}}
tokenizer: {{pretokens: {preset}, vocab_size: 700}}
mix: {{domain: 0.5}}
gates: {{}}
"""


def write(root: Path, documents: int = 60) -> None:
    draw = random.Random(7)
    for name, first in (("news", 0), ("web", 12)):
        (root / name).mkdir(parents=True)
        for number in range(documents):
            words = [draw.choice(WORDS[first : first + 24]) for _ in range(160)]
            lines = [" ".join(words[at : at + 16]).capitalize() + f" {number}." for at in range(0, 160, 16)]
            (root / name / f"{number:03d}.txt").write_text("\n".join(lines))


def run(folder: Path, out: str, preset: str = "superwords", *settings: str) -> dict:
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE.format(root=folder, preset=preset))
    sets = [word for setting in settings for word in ("--set", setting)]
    assert main([str(recipe), "--out", str(folder / out), "--ray", "none", "--no-train", "--json", *sets]) == 0
    return json.loads((folder / out / "report.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("step")
    write(root)
    return root


def test_superwords_and_references(folder: Path) -> None:
    run(folder, "plain", "gpt4")
    reference = folder / "plain/tokenizer"
    report = run(folder, "super", "superwords", f"tokenizer.references=[{reference}]")
    judged = report["tokenizer"]["judged"]
    assert all(source["lossless"] for source in judged["sources"].values())
    assert set(judged["sources"]) == {"news", "web"}
    (other,) = judged["references"]
    assert other["name"] == str(reference)
    assert other["nsl"] < 0.9, "superwords make fewer tokens than words"
    assert other["advice"]["choice"] in ("extend", "continue")
    encoder = Encoder((folder / "super/tokenizer/tokenizer.json").read_bytes())
    assert encoder.preset == "superwords"
    page = (folder / "super/report.html").read_text()
    for said in ("Rényi efficiency", "Other tokenizers on the same text", "Tokens a number takes", "Encoded size"):
        assert said in page


def test_fewer_entries_than_asked_are_said(folder: Path) -> None:
    report = run(folder, "few", "gpt4", "tokenizer.vocab_size=9000")
    assert report["tokenizer"]["vocab_size"] < report["tokenizer"]["asked"] == 9000
    assert "9,000 entries were asked for" in (folder / "few/report.html").read_text()


def test_a_searched_share_makes_the_mix(folder: Path) -> None:
    losses = [{"domain": 1.2 - 0.4 * share, "general": 1.0 + 0.5 * share**2} for share in (0.2, 0.5, 0.8)]
    runs = [
        {"share": share, "losses": found, "tokens": 1000} for share, found in zip((0.2, 0.5, 0.8), losses, strict=True)
    ]
    best = {"share": 0.4, "low": 0.35, "high": 0.46, "at_border": False}
    search = {"format_version": 1, "unit": "bits per byte", "weights": {"domain": 0.5, "general": 0.5},
              "target_tokens": 9000, "runs": runs, "best": best, "tokenizer_sha256": "another"}  # fmt: skip
    (folder / "mixture.json").write_text(json.dumps(search))
    report = run(folder, "plain", "gpt4", f"mix.search={folder / 'mixture.json'}")
    assert report["mix"]["realised"]["domain"] == pytest.approx(0.4, abs=report["mix"]["tolerance"])
    assert "comes from a mixture search" in report["mix"]["evidence"][0]
    assert "another tokenizer" in report["mix"]["evidence"][-1]
    assert "mixture search" in (folder / "plain/report.html").read_text()


def test_bad_settings_are_located(folder: Path) -> None:
    recipe = folder / "small.yaml"
    recipe.write_text(RECIPE.format(root=folder, preset="gtp4"))
    with pytest.raises(UsageError, match=r"tokenizer.pretokens no preset of that name; did you mean gpt4\?"):
        load(str(recipe))
    recipe.write_text(RECIPE.format(root=folder, preset="gpt4"))
    with pytest.raises(UsageError, match=r"mix search: nowhere.json does not exist"):
        load(str(recipe), ["mix.search=nowhere.json"])
    with pytest.raises(UsageError, match=r"tokenizer.references there is no tokenizer.json at nowhere"):
        load(str(recipe), ["tokenizer.references=[nowhere]"])


@pytest.mark.parametrize(("size", "sentinels"), [(200, 0), (260, 0), (261, 1), (0, 0)])
def test_a_vocabulary_holds_every_byte_and_the_special_tokens(size, sentinels):
    with pytest.raises(ValueError, match="or more, for 256 bytes and"):
        TokenizerSettings(vocab_size=size, sentinels=sentinels)
    assert TokenizerSettings(vocab_size=261).vocab_size == 261
