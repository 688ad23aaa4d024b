"""`--dry-run`: what a run would read and do, without reading or writing a document.

Everything that can be known without reading data is checked: local paths are listed, classifiers' files looked at. Remote
folders are not listed, since a crawl's listing takes minutes and an account. Indexes of EDGAR and Common Crawl are asked, for
pages, bytes and hours.
"""

import json
import os
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.classify.step import check as check_judges
from pipeline.core.judge import judges
from pipeline.errors import InfrastructureError, UsageError
from pipeline.flow import STAGES
from pipeline.ingest.files import list_inputs
from pipeline.ingest.source import Source
from pipeline.ingest.step import estimate
from pipeline.recipe.model import RecipeBase


def where(source: Source) -> str:
    """Where a source's documents come from, in a few words."""
    if source.is_absent:
        return "skipped: optional, and its path is not set"
    if source.hub is not None:
        return f"Hub data set {source.hub.dataset} at {source.hub.revision[:12]}"
    if source.fetcher is not None:
        try:
            return estimate(source)
        except (InfrastructureError, UsageError) as error:
            return f"not known yet: {error}"
    return source.path or (source.url or "").rpartition("@")[2] or "embedded"


def check(recipe: RecipeBase) -> None:
    """Raise UsageError with a line for each source without readable files, and for each judge whose files are not right."""
    problems = []
    for source in recipe.chosen:
        path = source.path or ""
        if "::" in path or ("://" in path and not path.startswith(("file://", "local://"))):
            continue
        try:
            files = list_inputs(source) if path else []
        except (UsageError, InfrastructureError) as error:
            problems.append(str(error))
            continue
        if locked := [file.url for file in files if not os.access(file.url, os.R_OK)]:
            more = f" (and {len(locked) - 1} more)" if len(locked) > 1 else ""
            problems.append(f"source {source.name}: no permission to read {locked[0]}{more}")
    try:
        check_judges(recipe)
    except (UsageError, InfrastructureError) as error:
        problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))


def plan(recipe: RecipeBase, out: str) -> dict[str, Any]:
    """The plan as JSON values."""
    known = judges()
    return {
        "exit": 0,
        "out": out,
        "use": recipe.use,
        "sources": [
            {
                "name": s.name,
                "kind": s.kind,
                "role": s.role,
                "licence": s.licence,
                "priority": s.priority,
                "from": where(s),
            }
            for s in recipe.chosen
        ],
        "judges": [
            {
                "name": name,
                "version": known[name].version,
                "removes_by": {k: v for k, v in settings.decided().items() if v not in (None, [], {})},
            }
            for name, settings in recipe.judges
        ],
        "mix": recipe.mix.shares(),
        "steps": list(STAGES),
        "trains": recipe.pretrain is not None,
    }


def print_plan(recipe: RecipeBase, out: str, as_json: bool) -> None:
    """Print the plan. Raises UsageError with every problem that is known without reading data."""
    check(recipe)
    found = plan(recipe, out)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    console = Console()
    table = Table(title=f"sources.{recipe.use}", title_justify="left", box=None, pad_edge=False)
    for name in ("name", "kind", "role", "licence", "priority", "from"):
        table.add_column(name)
    for source in found["sources"]:
        table.add_row(*(str(source[column.header]) for column in table.columns))
    console.print(table)
    table = Table(title="judges", title_justify="left", box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("removes by")
    for judge in found["judges"]:
        bounds = ", ".join(f"{key}: {value}" for key, value in judge["removes_by"].items())
        table.add_row(judge["name"], bounds or "nothing: it only measures or marks")
    console.print(table)
    shares = ", ".join(f"{role} {share:.0%}" for role, share in found["mix"].items())
    console.print(f"mix: {shares} of training tokens\nsteps: {' → '.join(STAGES)}\nout: {out}")
    console.print("No document was read, nothing was written (--dry-run).")
