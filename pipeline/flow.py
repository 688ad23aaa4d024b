"""The flow: the steps in their order, each reading what the ones before it committed."""

from collections.abc import Callable

from pipeline.steps.apply import apply
from pipeline.steps.cluster import cluster
from pipeline.steps.context import Run
from pipeline.steps.decide import decide
from pipeline.steps.extract import extract
from pipeline.steps.index import indexes
from pipeline.steps.ingest import ingest
from pipeline.steps.measure import measure
from pipeline.steps.plan import mix, size
from pipeline.steps.publish import publish
from pipeline.steps.tokens import shards, tokenizer
from pipeline.steps.train import check, train

STEPS: dict[str, Callable[[Run], object]] = {
    "ingest": ingest,
    "extract": extract,
    "train": train,
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
"""Step names are the argument of `--to`."""


def advance(run: Run, to: str = "publish") -> None:
    """Run the steps up to and including `to`. Raises UsageError before the first one when the recipe names what is not there."""
    check(run.recipe)
    run.indexes = indexes(run.recipe, run.store.root)
    for name, step in STEPS.items():
        step(run)
        if name == to:
            return
