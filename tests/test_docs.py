"""Docs that cannot go stale: examples run, every command and flag is documented, the schema is current."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from bench import reference
from pipeline.__main__ import COMMANDS
from pipeline.commands.schema import text as schema_text
from pipeline.run import parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def modules():
    for name in ("pipeline", "tokenizer"):
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                yield found.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_docstring_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_readme_names_every_command():
    missing = [name for name in COMMANDS if f"domain-corpus {name}" not in README]
    assert missing == []


def test_readme_or_help_names_every_flag():
    text = parser().format_help() + README
    flags = [option for action in parser()._actions for option in action.option_strings if option.startswith("--")]
    assert [flag for flag in flags if flag not in text] == []


def test_help_works_and_shows_exit_codes():
    for module in ("pipeline.run", "pipeline", "bench"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "usage:" in done.stdout
    assert "exit codes" in parser().format_help()


def test_schema_file_is_current():
    assert (ROOT / "recipes/recipe.schema.json").read_text() == schema_text(), "run `just docs`"


def test_reference_is_what_the_code_says():
    assert reference.PAGE.read_text() == reference.page(), "run `just docs`"


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    anchors = {
        page: {_anchor(line) for line in page.read_text().splitlines() if line.startswith("#")} for page in pages
    }
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
            if target.startswith(("http:", "https:", "mailto:")):
                continue
            file, _, part = target.partition("#")
            to = (page.parent / file).resolve() if file else page
            if not to.exists() or (part and to in anchors and part not in anchors[to]):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_the_site_builds(tmp_path):
    pytest.importorskip("material", reason="`just site` installs mkdocs-material")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path], cwd=ROOT, check=True, timeout=300
    )
    assert "3,059 pages" in (tmp_path / "first-run/index.html").read_text()


def _anchor(heading):
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).strip().replace(" ", "-")


def test_every_recipe_has_the_editors_line_and_loads():
    from pipeline.recipe.model import load

    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        assert path.read_text().startswith("# yaml-language-server: $schema=recipe.schema.json"), path
        assert load(str(path)).use == "sample"


def test_the_judge_in_the_docs_works():
    text = (ROOT / "docs/architecture.md").read_text()
    code = re.search(r"```python\n(class Shouting.*?)```", text, re.S).group(1)
    names = {}
    exec(
        "import pyarrow as pa, pyarrow.compute as pc\n"
        "from pipeline.core.judge import Columns, _REGISTRY, judge\n"
        "from pipeline.core.settings import JudgeSettings, Threshold\n" + code,
        names,
    )
    try:
        batch = pa.RecordBatch.from_pydict({"text": pa.array(["ABcd", "", "xyz"], pa.large_string())})
        made = names["shouting"].run(batch, names["Shouting"]())
        assert made["capital_frac"].to_pylist() == [0.5, 0.0, 0.0]
        mask = names["shouting"].rules(pa.Table.from_batches([made]), names["Shouting"](max_capital_frac=0.4))
        assert mask["max_capital_frac"].to_pylist() == [True, False, False]
    finally:
        names["_REGISTRY"].pop("shouting")


def test_the_recipe_of_the_page_on_documents_loads():
    from pipeline.recipe.located_yaml import read_yaml
    from pipeline.recipe.model import parse

    text = re.search(r"```yaml\n(name: reports.*?)```", (ROOT / "docs/own-documents.md").read_text(), re.S).group(1)
    recipe = parse("reports.yaml", read_yaml("reports.yaml", text.encode()), [], {"DOCUMENTS": "/data"})
    assert [source.name for source in recipe.sources["files"]] == ["documents", "general"]


def test_nothing_says_how_or_where_it_is_made():
    words = ("/work" + "/", "/root" + "/.pyenv", "farm" + "-bench")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    found = []
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".txt", ".sh", "") and path.is_file():
            text = path.read_text(errors="replace")
            found += [f"{name}: {word}" for word in words if word in text]
    assert found == []
