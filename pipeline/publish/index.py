"""Index, the last part of publish: the keys of this run's documents, for the next run to be deduplicated against."""

from typing import Any

from pipeline.cluster.index_file import INDEX, IndexFile, find_indexes, index_batches, key_settings
from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.judge import judges
from pipeline.core.run_folder import Commits, Run, signal_unit
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


def index_shard(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """The index of one shard."""
    produced = []
    for assigned in assignments:
        files = assigned.arguments["files"]
        verdicts = store.read_table(files["verdicts"], ["id", "verdict"])
        exact = store.read_table(files["exact"])
        minhash = store.read_table(files["minhash"], ["bands", "sketch"]) if "minhash" in files else None
        info = store.put_table(assigned.path("index"), index_batches(verdicts, exact, minhash), INDEX)
        produced.append(Produced({"table": info}, {"against": assigned.arguments["against"]}))
    return produced


def index(run: Run) -> Commits:
    """One unit per shard, keyed by its hash signals and final verdicts. Without the judge `exact` there is none."""
    settings = own_settings(run.recipe)
    units = []
    for shard in run.shards if "exact" in settings else []:
        files = {"verdicts": run.file("settle", "all", shard)}
        files |= {name: run.file("measure", signal_unit(name, shard)) for name in sorted(settings)}
        units.append(
            Unit(
                name=shard,
                inputs=[info.sha256 for info in files.values()] + [found.sha256 for found in run.indexes],
                settings=settings,
                version=VERSION,
                arguments={
                    "files": {name: info.path for name, info in files.items()},
                    "against": list(run.recipe.cluster.index),
                },
            )
        )
    return run.keep("index", run.runner.execute("index", units, index_shard) if units else {})
