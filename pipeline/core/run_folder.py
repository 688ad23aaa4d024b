"""A run folder, opened: what each step committed, and the tables of each document shard.

While a run goes on it is a `Run`: the same folder, of which only the steps done so far are seen, with the recipe and the
runner that does the next one. Everything that reads a run, during it or years later, reads it through this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import sealed
from pipeline.core.execute import Runner, Unit, Work
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.settings import JudgeSettings
from pipeline.core.steps import Step
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.cluster.index_file import IndexFile
    from pipeline.recipe.model import RecipeBase

Commits = dict[str, Commit]
Counts = TypeVar("Counts")
Measured = TypeVar("Measured", bound=JudgeSettings)

RECIPE = f"{WORK}/recipe.json"
"""The recipe as the last run had it. Its `name` says whose folder this is."""
OLD_LEDGER = "ledger/extract.json"
"""Where version 0.1 kept its ledger."""


def signal_unit(judge: str, shard: str) -> str:
    """The unit of the measure step that holds one judge's signals for one shard."""
    return f"{judge}/{shard}"


@dataclass
class RunFolder:
    """The committed units of every step of a run folder, read from the ledger when they are asked for."""

    store: Store
    _steps: dict[str, Commits] = field(default_factory=dict, kw_only=True)

    def commits(self, step: str) -> Commits:
        """The units of a step by name; empty when it has not run."""
        if step not in self._steps:
            self._steps[step] = Ledger(self.store).last(step, must_be_whole=True)
        return self._steps[step]

    def has(self, step: str) -> bool:
        """Whether a step has run."""
        return bool(self.commits(step))

    def commit(self, step: str, unit: str = "all") -> Commit:
        """One unit of a step that has run."""
        return self.commits(step)[unit]

    def file(self, step: str, unit: str = "all", name: str = "table") -> FileInfo:
        """A committed file."""
        return self.commits(step)[unit].files[name]

    def counted(self, kind: type[Counts], step: str, unit: str = "all") -> Counts:
        """What one unit counted, as the dataclass that stands beside its step."""
        return self.commits(step)[unit].counted(kind)

    def counts(self, kind: type[Counts], step: str) -> dict[str, Counts]:
        """What each unit of a step counted, by the unit's name."""
        return {unit: commit.counted(kind) for unit, commit in self.commits(step).items()}

    @property
    def shards(self) -> list[str]:
        """Names of the document shards, in order."""
        return list(self.commits(Step.EXTRACT))

    @property
    def judges(self) -> list[str]:
        """Names of the judges whose signals are there, in the recipe's order."""
        if self.has(Step.DECIDE):
            return list(self.commit(Step.DECIDE).parts["settings"]["order"])
        return sorted({unit.partition("/")[0] for unit in self.commits(Step.MEASURE)})

    def table(self, info: FileInfo, columns: list[str] | None = None) -> pa.Table:
        """A committed table, or some of its columns."""
        return self.store.read_table(info.path, columns)

    def documents(self, shard: str, columns: list[str] | None = None) -> pa.Table:
        """Extracted documents of a shard."""
        return self.table(self.file(Step.EXTRACT, shard), columns)

    def signal_file(self, judge: str, shard: str) -> FileInfo:
        """The signals of one judge for one shard, as a file."""
        return self.file(Step.MEASURE, signal_unit(judge, shard))

    def signals(self, judge: str, shard: str, columns: list[str] | None = None) -> pa.Table:
        """Signals of one judge for one shard, a row a document."""
        return self.table(self.signal_file(judge, shard), columns)

    def clusters(self, shard: str) -> pa.Table:
        """Clusters of a shard's documents, a row a document."""
        return self.table(self.file(Step.CLUSTER, name=shard))

    @property
    def verdict_step(self) -> Step | None:
        """The last step that gave verdicts: the final ones, or those of decide when the run stopped there."""
        return next((step for step in (Step.SETTLE, Step.DECIDE) if self.has(step)), None)

    def verdicts(self, shard: str, columns: list[str] | None = None) -> pa.Table:
        """Verdicts of a shard. Raises UsageError when the run has not decided yet."""
        if self.verdict_step is None:
            raise UsageError(f"{self.store.root}: nothing is decided yet; run it at least to `--to decide`")
        return self.table(self.file(self.verdict_step, name=shard), columns)

    def texts(self, shard: str, columns: list[str] | None = None) -> pa.Table | None:
        """Texts as published (cut and masked), when apply has run."""
        return self.table(self.file(Step.APPLY, shard), columns) if self.has(Step.APPLY) else None

    def settings(self, judge: str, model: type[Measured]) -> Measured | None:
        """The settings that a judge measured with; None when the recipe has no such judge."""
        units = [commit for unit, commit in self.commits(Step.MEASURE).items() if unit.startswith(f"{judge}/")]
        return model.model_validate(units[0].parts["settings"]) if units else None

    def span_file(self, name: str, shard: str) -> FileInfo:
        """The file of spans that apply read: a judge's signals, or `repeats/<kind>`."""
        stage, _, kind = name.partition("/")
        return self.file(Step.REPEATS, kind, shard) if stage == "repeats" else self.signal_file(name, shard)

    def uses(self, wanted: str) -> float | None:
        """How often the planned training visits a document; None when it is not trained on, or the run has no plan."""
        for commit in self.commits(Step.USES).values():
            table = self.table(commit.files["uses"])
            row = pc.index(table["id"], wanted).as_py()
            if row >= 0:
                return table["uses"][row].as_py()
        return None

    def find(self, wanted: str, by: Literal["name", "file", "part"] = "name") -> Iterator[tuple[str, int]]:
        """(shard, row) of every document that `wanted` names.

        `by` says how: "name" is its URL, its id, or the first 8 or more digits of the id; "file" is the path, or its
        last parts, of the file it was read from (runs note it from the source's folder on); "part" is any part of its
        URL, its path or its place in the file, such as the name of an archive's member.
        """
        for shard in self.shards:
            table = self.documents(shard, ["id", "url", "path", "locator"])
            if by == "name":
                masks = [pc.equal(table["id"], wanted), pc.equal(table["url"], wanted)]
                if len(wanted) >= 8:
                    masks.append(pc.starts_with(table["id"], wanted))
            elif by == "file":
                paths = [path for path in pc.unique(table["path"]).to_pylist() if path]
                same = [path for path in paths if f"/{path}".endswith(f"/{wanted}") or wanted.endswith(f"/{path}")]
                masks = [pc.is_in(table["path"], pa.array(same, table.schema.field("path").type))]
            else:
                masks = [pc.match_substring(table[name], wanted) for name in ("url", "path", "locator")]
            hit = reduce(pc.or_, [pc.fill_null(mask, False) for mask in masks])
            for row in pc.indices_nonzero(hit).to_pylist():
                yield shard, row


@dataclass
class Run(RunFolder):
    """A run that goes on: its folder as far as this run has come, its recipe, and what does the work."""

    recipe: "RecipeBase"
    runner: Runner
    indexes: "list[IndexFile]" = field(default_factory=list)
    """Index files of the earlier runs that this one is deduplicated against."""
    notes: list[str] = field(default_factory=list)
    """Plain statements for the user, such as an optional source that was skipped."""

    def commits(self, step: str) -> Commits:
        """The units of a step that this run has done or found done; empty before that."""
        return self._steps.get(step, {})

    def keep(self, step: str, commits: Commits) -> Commits:
        """Remember a step's commits for the steps after it."""
        self._steps[step] = commits
        return commits

    def execute(self, step: str, units: list[Unit], work: Work) -> Commits:
        """Bring the units of a step into existence, and remember them. A step that has none now forgets those it had."""
        if not units and not Ledger(self.store).last(step):
            return self.keep(step, {})
        return self.keep(step, self.runner.execute(step, units, work))

    def asks_for(self, judge: str) -> bool:
        """Whether the recipe has this judge."""
        return judge in [name for name, _ in self.recipe.judges]


def open_run(folder: str) -> RunFolder:
    """Open a run folder. Raises UsageError when it is a file, holds no run, or one of a version with another layout."""
    if not folder or Path(folder).is_file():
        raise UsageError(f"{folder or 'an empty name'}: not a run folder")
    run = RunFolder(Store(folder))
    refuse_old_layout(run.store)
    if not run.has(Step.EXTRACT):
        raise UsageError(f"{folder}: no run is recorded here; python -m pipeline.run RECIPE --out {folder} makes one")
    return run


def holds_a_run(folder: str) -> bool:
    """Whether a folder holds a run that reached extract."""
    return RunFolder(Store(folder)).has(Step.EXTRACT)


def refuse_old_layout(store: Store) -> None:
    """Raise UsageError for a folder whose files lie where version 0.1 put them."""
    if store.exists(OLD_LEDGER):
        raise UsageError(
            f"{store.root}: this run was made by an earlier version, which laid out its folder in another way. Give another "
            "--out, or delete the folder and run the recipe again"
        )


def refuse_other_recipe(store: Store, recipe: "RecipeBase") -> None:
    """Raise UsageError when the folder belongs to a recipe of another name: resuming it would mix two corpora."""
    if store.local and (file := next((p for p in (Path(store.root), *Path(store.root).parents) if p.is_file()), None)):
        raise UsageError(
            f"{file} is a file; a run needs a folder of its own. Give another --out, such as runs/{recipe.name}"
        )
    refuse_old_layout(store)
    held = sealed.read(store, RECIPE)
    if held is not None and held["name"] != recipe.name:
        raise UsageError(
            f"{store.root}: this folder holds the run of the recipe {held['name']!r}, not of {recipe.name!r}. "
            f"Give another --out, such as runs/{recipe.name}"
        )


def claim(store: Store, recipe: "RecipeBase") -> None:
    """Note the recipe in the folder it runs into, unless `refuse_other_recipe`."""
    refuse_other_recipe(store, recipe)
    sealed.write(store, RECIPE, recipe.written)
