"""`--dry-run`: what a run would read and do, without reading or writing anything."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.core.judge import judges
from pipeline.flow import STAGES
from pipeline.ingest.source import Source
from pipeline.recipe.model import RecipeBase


def where(source: Source) -> str:
    """Where a source's documents come from, in a few words."""
    if source.is_absent:
        return "skipped: optional, and its path is not set"
    if source.hub is not None:
        return f"Hub data set {source.hub.dataset} at {source.hub.revision[:12]}"
    if source.crawl is not None:
        return f"live crawl from {', '.join(source.crawl.seeds[:3])}"
    return source.path or "embedded"


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
                "removes_by": {k: v for k, v in settings.decided().items() if v not in (None, [])},
            }
            for name, settings in recipe.judges
        ],
        "mix": recipe.mix.shares(),
        "steps": list(STAGES),
        "trains": recipe.pretrain is not None,
    }


def print_plan(recipe: RecipeBase, out: str, as_json: bool) -> None:
    """Print the plan."""
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
    console.print("Nothing was read or written (--dry-run).")
