"""The flow: the stages in their order, each reading what the ones before it committed.

A stage is one line here and one function `stage(run)` in its `step.py`. It is named, not imported, so that a command line
that only prints the names loads no kernel.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.steps import Step

if TYPE_CHECKING:
    from pipeline.core.run_folder import Run


@dataclass(frozen=True)
class Stage:
    """A stage: where its function is, and the steps that it records in the ledger."""

    function: str
    steps: tuple[str, ...]

    def load(self) -> "Callable[[Run], object]":
        """The function."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)


STAGES: dict[str, Stage] = {
    "ingest": Stage("pipeline.ingest.step:ingest", (Step.INGEST,)),
    "extract": Stage("pipeline.extract.step:extract", (Step.FILES, Step.EXTRACT)),
    "classify": Stage("pipeline.classify.step:classify", (Step.CLASSIFY,)),
    "measure": Stage("pipeline.measure.step:measure", (Step.MEASURE,)),
    "cluster": Stage("pipeline.cluster.step:cluster", (Step.PAIRS, Step.CLUSTER)),
    "decide": Stage("pipeline.decide.step:decide", (Step.OVERALL, Step.RANK, Step.SURVIVE, Step.VERDICTS, Step.DECIDE)),
    "apply": Stage(
        "pipeline.apply.step:apply",
        (
            Step.PARAGRAPHS,
            Step.REPEATED,
            Step.FALLING,
            Step.CUTS,
            Step.REPEATS,
            Step.APPLY,
            Step.GATHER,
            Step.EQUAL,
            Step.SELECT,
            Step.FINAL,
            Step.SETTLE,
        ),
    ),
    "select": Stage("pipeline.publish.search:search", (Step.SEARCH,)),
    "tokenizer": Stage("pipeline.tokens.step:tokenizer", (Step.COUNT, Step.TOKENIZER)),
    "shards": Stage("pipeline.tokens.step:shards", (Step.SCATTER, Step.SHARDS)),
    "size": Stage("pipeline.plan.step:size", (Step.SIZE,)),
    "mix": Stage("pipeline.plan.step:mix", (Step.MIX,)),
    "publish": Stage("pipeline.publish.step:publish", (Step.PUBLISH_REST, Step.INDEX, Step.PUBLISH, Step.USES)),
}
"""By the name that `--to` takes."""
LAST = list(STAGES)[-1]


def steps() -> list[str]:
    """Every step that the ledger of a finished run may hold, in order."""
    return [*(step for stage in STAGES.values() for step in stage.steps), Step.AUDIT, Step.EXPORT, Step.REPORT]


def advance(run: "Run", to: str = LAST) -> None:
    """Run the stages up to and including `to`. Raises UsageError before the first one when the recipe names what is not
    there."""
    from pipeline.classify.step import check
    from pipeline.decide.by_hand import read_lists
    from pipeline.publish.index import indexes
    from pipeline.publish.search import check as check_search

    check(run.recipe)
    check_search(run)
    read_lists(run.recipe.by_hand)
    run.indexes = indexes(run.recipe, run.store.root)
    names = list(STAGES)
    for name in names[: names.index(to) + 1]:
        STAGES[name].load()(run)
