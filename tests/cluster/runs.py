"""Small runs of a recipe, in this process, for what only a whole run shows."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.flow import advance
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import parse

RECIPE = """\
name: small
use: here
sources:
  here:
SOURCES
curate:
  - gopher: {min_num_words: WORDS}
  - exact
  - minhash: MINHASH
  - pii
MORE
"""

Documents = dict[str, str]
"""Texts by id."""


def write_source(folder: Path, name: str, documents: Documents, files: int = 1) -> None:
    """A source of `files` JSONL files, so of as many shards."""
    rows = [json.dumps({"id": own, "text": text, "url": f"https://{own}.example/"}) for own, text in documents.items()]
    (folder / name).mkdir(parents=True, exist_ok=True)
    for part in range(files):
        (folder / name / f"{part}.jsonl").write_text("".join(row + "\n" for row in rows[part::files]))


def run_small(
    folder: Path,
    out: Path,
    sources: dict[str, str],
    *,
    more: str = "",
    minhash: str = "{}",
    to: str = "apply",
    words: int = 5,
) -> Run:
    """Run the recipe over sources in `folder`; `sources` holds further settings by name, as `role: domain`."""
    lines = [f"    - {{name: {name}, kind: jsonl, path: {folder / name}, {rest}}}" for name, rest in sources.items()]
    text = RECIPE.replace("SOURCES", "\n".join(lines)).replace("MORE", more)
    text = text.replace("MINHASH", minhash).replace("WORDS", str(words))
    store = Store(str(out))
    state = Run(store, parse("small.yaml", read_yaml("small.yaml", text.encode()), [], {}), Runner(store, InProcess()))
    advance(state, to)
    return state


def verdicts(run: Run, step: str = "settle") -> dict[str, dict[str, Any]]:
    """Verdict rows by the id that the source's file gave, with the published text."""
    found = {}
    for shard in run.shards:
        documents = run.store.read_table(run.file("extract", shard).path, ["url"])
        table = run.store.read_table(run.file(step, "all", shard).path)
        if step == "settle":
            table = table.append_column("text", run.store.read_table(run.file("apply", shard).path)["text"])
        rows = table.append_column("url", documents["url"]).to_pylist()
        found |= {row["url"].removeprefix("https://").removesuffix(".example/"): row for row in rows}
    return found


def kept(run: Run, step: str = "settle") -> set[str]:
    """Ids, as the source gave them, of what was kept."""
    return {own for own, row in verdicts(run, step).items() if row["verdict"] == "kept"}


def concatenated(run: Run, step: str, unit: str) -> pa.Table:
    """The tables of all shards."""
    return pa.concat_tables([run.store.read_table(run.file(step, unit, shard).path) for shard in run.shards])
