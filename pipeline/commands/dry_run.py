"""`--dry-run`: what a run would read and do, without reading or writing a document.

Everything that can be known without reading data is checked: local paths are listed, classifiers' files looked at. Remote
folders are not listed, since a crawl's listing takes minutes and an account. Indexes of EDGAR and Common Crawl are asked, for
pages, bytes and hours.
"""

import json
import os
import shutil
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.classify.step import check as check_judges
from pipeline.core.judge import judges
from pipeline.core.run_folder import refuse_other_recipe
from pipeline.core.store import Store
from pipeline.decide.rules import DUPLICATE_STAGES
from pipeline.errors import InfrastructureError, UsageError
from pipeline.flow import STAGES
from pipeline.ingest.account import megabytes
from pipeline.ingest.files import InputFile, list_inputs
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


COLUMNS = ("name", "kind", "role", "licence", "priority")
"""What is printed of a source."""
PACKED = (".gz", ".zst", ".bz2", ".xz", ".zip", ".parquet", ".7z", ".tgz")
UNPACKED = 4
"""Bytes of text that a byte of a packed file is taken for."""
DISK = 2.0
"""Bytes in the run folder for a byte of unpacked input: 32 MB for the 17.3 MB of the embedded sample, links counted once."""


def is_remote(path: str) -> bool:
    """Whether a path is not on this machine, or inside an archive that an fsspec chain opens."""
    return "::" in path or ("://" in path and not path.startswith(("file://", "local://")))


def standing(store: Store) -> str:
    """The run folder, or the nearest thing above it that exists; of a local store."""
    above = store.locate("").rstrip("/")
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    return above


def problem_of_out(recipe: RecipeBase, out: str) -> str | None:
    """Why a run could not use its folder: a file of that name, no permission, or the run of another recipe."""
    try:
        store = Store(out)
        if store.local:
            above = standing(store)
            if not os.path.isdir(above):
                return f"--out {out}: {above} is not a folder"
            if not os.access(above, os.W_OK):
                return f"--out {out}: no permission to write in {above}"
            refuse_other_recipe(store, recipe)
    except (UsageError, InfrastructureError) as error:
        return str(error)
    return None


def disk(files: list[InputFile], out: str) -> dict[str, Any]:
    """Bytes of the local inputs, bytes that the run folder is likely to take, and bytes free there (None: not local)."""
    unpacked = sum(file.size * (UNPACKED if file.path.lower().endswith(PACKED) else 1) for file in files)
    store = Store(out)
    free = shutil.disk_usage(standing(store)).free if store.local else None
    return {"inputs": sum(file.size for file in files), "run_folder": round(DISK * unpacked), "free": free}


def check(recipe: RecipeBase, out: str) -> list[InputFile]:
    """The local input files. Raises UsageError with a line for each source without readable files, for each judge whose files
    are not right, and for a run folder that cannot be used."""
    problems, known = [], []
    for source in recipe.chosen:
        path = source.path or ""
        try:
            if is_remote(path):
                if "::" not in path:
                    Store(path)  # whether the library for this scheme is installed
                continue
            files = list_inputs(source) if path else []
        except (UsageError, InfrastructureError) as error:
            said = str(error)
            problems.append(said if said.startswith("source ") else f"source {source.name}: {said}")
            continue
        known += files
        if files and not any(file.size for file in files):
            problems.append(
                f"source {source.name}: {files[0].url} has no bytes" + ", nor has another" * (len(files) > 1)
            )
        if locked := [file.url for file in files if not os.access(file.url, os.R_OK)]:
            more = f" (and {len(locked) - 1} more)" if len(locked) > 1 else ""
            problems.append(f"source {source.name}: no permission to read {locked[0]}{more}")
    try:
        check_judges(recipe)
    except (UsageError, InfrastructureError) as error:
        problems.append(str(error))
    if problem := problem_of_out(recipe, out):
        problems.append(problem)
    if problems:
        raise UsageError("\n".join(problems))
    return known


def plan(recipe: RecipeBase, out: str) -> dict[str, Any]:
    """The plan as JSON values."""
    known = judges()
    return {
        "exit": 0,
        "out": out,
        "use": recipe.use,
        "sources": [{name: getattr(s, name) for name in COLUMNS} | {"from": where(s)} for s in recipe.chosen],
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
    found: dict[str, Any] = plan(recipe, out) | {"disk": disk(check(recipe, out), out)}
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    console = Console()
    table = Table(title=f"sources.{recipe.use}", title_justify="left", box=None, pad_edge=False)
    for name in (*COLUMNS, "from"):
        table.add_column(name)
    for source in found["sources"]:
        table.add_row(*(str(source[column.header]) for column in table.columns))
    console.print(table)
    table = Table(title="judges", title_justify="left", box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("removes by")
    for judge in found["judges"]:
        bounds = ", ".join(f"{key}: {value}" for key, value in judge["removes_by"].items())
        alone = "copies of what stays" if judge["name"] in DUPLICATE_STAGES else "nothing: it only measures or marks"
        table.add_row(judge["name"], bounds or alone)
    console.print(table)
    shares = ", ".join(f"{role} {share:.0%}" for role, share in found["mix"].items())
    console.print(f"mix: {shares} of training tokens\nsteps: {' → '.join(STAGES)}\nout: {out}")
    size = found["disk"]
    if size["inputs"]:
        free = "" if size["free"] is None else f", {megabytes(size['free'])} free"
        short = " (not enough)" if size["free"] is not None and size["free"] < size["run_folder"] else ""
        told = (
            f"disk: about {megabytes(size['run_folder'])} for {megabytes(size['inputs'])} of local inputs{free}{short}"
        )
        console.print(told + "; remote and made sources are not counted")
    console.print("No document was read, nothing was written (--dry-run).")
