"""Every domain runs alike: the packaged recipes on a small sample, and a fourth one made of a recipe and a term list."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.core.run_folder import Run
from pipeline.measure.judges.terms import Terms, term_index
from pipeline.recipe.model import load
from pipeline.report.tokenizer_figures import term_list

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = ("finance", "legal", "medical")
pytestmark = pytest.mark.timeout(240)


def pipeline(*arguments, **environment):
    """Run the command line in process mode; returns the last line of its output as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.run", *map(str, arguments), "--ray", "none", "--no-train", "--json"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("domain", DOMAINS)
def test_recipes_name_their_schema_and_hold_all_sets(domain):
    path = ROOT / f"recipes/{domain}.yaml"
    assert path.read_text().startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    recipe = load(str(path))
    assert recipe.name == recipe.domain == domain
    assert set(recipe.sources) >= {"sample", "local", "public"}
    for source in recipe.sources["public"]:
        assert source.hub is None or re.fullmatch(r"[0-9a-f]{40}", source.hub.revision)
    assert not [s for sources in recipe.sources.values() for s in sources if "legalbench" in f"{s.path}{s.hub}".lower()]


@pytest.mark.parametrize("domain", DOMAINS)
def test_public_sources_are_planned_without_reading_them(domain):
    plan = pipeline(f"recipes/{domain}.yaml", "--set", "use=public", "--dry-run")
    assert {source["role"] for source in plan["sources"]} >= {"domain", "general"}


@pytest.mark.parametrize("domain", ["legal", pytest.param("medical", marks=pytest.mark.slow)])
def test_a_small_sample_is_judged_right_and_its_terms_survive(domain, tmp_path):
    result = pipeline(f"recipes/{domain}.yaml", "--out", tmp_path, "--set", "sources.sample.crawl.sample={pages: 400}")
    assert 0.01 <= result["tokens"]["kept_of_raw"] <= 0.03
    report = json.loads((tmp_path / "report.json").read_text())
    for wanted, least in (("kept", 0.97), ("dropped", 0.95)):
        rows = [row for row in report["truth"] if row["wanted"] == wanted]
        assert sum(row["right"] for row in rows) >= least * sum(row["documents"] for row in rows), rows
    terms = json.loads((tmp_path / "cards/terms.json").read_text())
    found = {row["term"]: row for row in terms["rows"]}
    assert terms["list"] == domain
    assert terms["warnings"] == []
    known = {"legal": "res judicata", "medical": "1 tab po qid pc & hs"}[domain]
    assert found[known]["kept"] > 0
    assert found[known]["log_ratio"] > 1
    figures = report["tokenizer"]
    assert len(figures["terms"]) == len(term_index(domain)[0])
    assert set(figures["by_source"]) == {"crawl-domain", "crawl-general"}
    assert 1 < figures["fertility"] < 3
    assert known.replace("&", "&amp;") in (tmp_path / "report.html").read_text()


SENTENCES = """The crew checked the {0} before the flight and wrote it in the log of the aircraft.
A {0} needs practice, and the instructor showed each of the students how it is done at this airfield.
In the second part of the manual there is a table of the {0} for every weight and altitude.
When the wind changed, the tower gave the pilot a new heading and asked about the {0} again.
The examiner wanted to know what the {0} was and why it matters to the {1} of a light aircraft."""


def page(draw: random.Random, words: list[str]) -> str:
    lines = SENTENCES.split("\n") * 3
    draw.shuffle(lines)
    return " ".join(
        line.format(draw.choice(words), draw.choice(words))
        + f" It was case {draw.randrange(10**6)} of that {draw.choice(words)}."
        for line in lines
    )


def documented() -> tuple[str, str]:
    """The term list and the recipe that docs/new-domain.md shows."""
    text = (ROOT / "docs/new-domain.md").read_text()
    tsv = re.search(r"```\n(term\t.*?)```", text, re.DOTALL)
    recipe = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert tsv, "no list"
    assert recipe, "no recipe"
    return tsv.group(1), recipe.group(1)


def test_a_fourth_domain_is_one_recipe_and_one_term_list(tmp_path):
    draw = random.Random(7)
    terms, recipe = documented()
    listed = [line.split("\t")[0] for line in terms.splitlines()[1:]]
    plain = ["garden", "kitchen", "river", "letter", "window", "bridge", "market", "harvest"]
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms/aviation.tsv").write_text(terms)
    (tmp_path / "aviation.yaml").write_text(recipe)
    for name, words in (("manuals", [*listed, *plain[:3]]), ("web", plain)):
        rows = [{"id": f"{name}-{n}", "text": page(draw, words)} for n in range(60)]
        rows += [{"id": f"{name}-short-{n}", "text": f"{words[0]} {n}"} for n in range(20)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    result = pipeline(tmp_path / "aviation.yaml", "--out", out, AVIATION=str(tmp_path))
    counted = result["documents"]
    assert counted["in"] == 160 == counted["kept"] + counted["removed"] + counted["quarantined"]
    assert result["mix"]["domain"] == pytest.approx(0.4, abs=0.005)
    report = json.loads((out / "report.json").read_text())
    rows = {row["term"]: row for row in report["tokenizer"]["terms"]}
    assert report["domain"] == "aviation"
    assert set(rows) == set(listed)
    assert rows["VOR"]["gloss"] == "a radio beacon that gives bearings"
    assert all(row["mentions_domain"] > 0 and row["mentions_general"] == 0 for row in rows.values())
    assert rows[listed[0]]["removed_by"] == {"language": 20}, "the short documents hold it"
    assert set(report["tokenizer"]["by_source"]) == {"manuals", "web"}


@pytest.mark.parametrize(
    ("domain", "curate", "expected"),
    [
        ("legal", [], "legal"),
        ("aviation", [], None),
        ("lists/aviation.tsv", [], "lists/aviation.tsv"),
        ("aviation", [("terms", Terms(list="medical"))], "medical"),
    ],
)
def test_the_list_is_the_judges_or_the_domains(domain, curate, expected):
    run = SimpleNamespace(recipe=SimpleNamespace(domain=domain, judges=curate))
    assert term_list(cast(Run, run)) == expected
