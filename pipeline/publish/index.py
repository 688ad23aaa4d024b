"""Index, the last part of publish: the keys of this run's documents, for the next run to be deduplicated against."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.cluster.index_file import INDEX, IndexFile, find_indexes, index_batches, key_settings
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.judge import judges
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.recipe.model import RecipeBase

VERSION = 1


def own_settings(recipe: RecipeBase) -> dict[str, Any]:
    """What the keys of a run of this recipe are made with."""
    known = judges()
    return key_settings([(name, known[name].version, settings.measured()) for name, settings in recipe.judges])


def indexes(recipe: RecipeBase, out: str) -> list[IndexFile]:
    """The index files that the recipe names for a run in `out`. Looked up before anything runs.

    Raises UsageError for the first folder that is not right.
    """
    return find_indexes(recipe.cluster.index, own_settings(recipe), out) if recipe.cluster.index else []


@dataclass
class IndexCounts:
    """The folders of the earlier runs that this one was deduplicated against: their indexes count as part of this one."""

    against: list[str] = field(default_factory=list)


@each
def index_shard(store: Store, assigned: Assignment) -> Produced:
    """The index of one shard."""
    files = assigned.reads
    verdicts = store.read_table(files["verdicts"].path, ["id", "verdict"])
    exact = store.read_table(files["exact"].path)
    minhash = store.read_table(files["minhash"].path, ["bands", "sketch"]) if "minhash" in files else None
    info = store.put_table(assigned.path("index"), index_batches(verdicts, exact, minhash), INDEX)
    return Produced({"table": info}, IndexCounts(assigned.settings["against"]))


def index(run: Run) -> Commits:
    """One unit per shard, keyed by its hash signals and final verdicts. Without the judge `exact` there is none."""
    keys = own_settings(run.recipe)
    units = []
    for shard in run.shards if "exact" in keys else []:
        reads: dict[str, Any] = {"verdicts": run.file(Step.SETTLE, name=shard), "indexes": run.indexes}
        reads |= {name: run.signal_file(name, shard) for name in sorted(keys)}
        settings = {"keys": keys, "against": list(run.recipe.cluster.index)}
        units.append(Unit(shard, reads, settings, VERSION))
    return run.execute(Step.INDEX, units, index_shard) if units else run.keep(Step.INDEX, {})
