"""The flow: the steps in their order, each reading what the ones before it committed."""

from collections.abc import Callable

from pipeline.apply.step import apply
from pipeline.classify.step import check, train
from pipeline.cluster.step import cluster
from pipeline.core.run_folder import Run
from pipeline.decide.step import decide
from pipeline.extract.step import extract
from pipeline.ingest.step import ingest
from pipeline.measure.step import measure
from pipeline.plan.step import mix, size
from pipeline.publish.index import indexes
from pipeline.publish.step import publish
from pipeline.tokens.step import shards, tokenizer

STEPS: dict[str, Callable[[Run], object]] = {
    "ingest": ingest,
    "extract": extract,
    "classify": train,
    "measure": measure,
    "cluster": cluster,
    "decide": decide,
    "apply": apply,
    "tokenizer": tokenizer,
    "shards": shards,
    "size": size,
    "mix": mix,
    "publish": publish,
}
"""By the names that `--to` takes (`pipeline.commands.arguments.STAGES`)."""


def advance(run: Run, to: str = "publish") -> None:
    """Run the steps up to and including `to`. Raises UsageError before the first one when the recipe names what is not there."""
    check(run.recipe)
    run.indexes = indexes(run.recipe, run.store.root)
    for name, step in STEPS.items():
        step(run)
        if name == to:
            return
