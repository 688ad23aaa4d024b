"""Measure: all judges that lack a commit for a shard, in one pass over its documents."""

import contextlib
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.core import sandbox
from pipeline.core.execute import Assignment, Produced, Unit, libraries, works_on_documents
from pipeline.core.judge import Judge, judges
from pipeline.core.settings import JudgeSettings
from pipeline.core.store import Store
from pipeline.steps.context import Commits, Run, signal_unit


@works_on_documents
def measure_shard(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Run the judges of one shard over its batches; one signals table per judge, aligned with the documents."""
    known = judges()
    chosen = [known[assigned.arguments["judge"]] for assigned in assignments]
    settings = [
        judge.settings.model_validate(assigned.parts["settings"])
        for judge, assigned in zip(chosen, assignments, strict=True)
    ]
    columns = sorted(
        {column for judge in chosen for column in judge.reads} | ({"id"} if sandbox.is_probing() else set())
    )
    shard = assignments[0].arguments["shard"]
    models = [_model(store, judge, own, a) for judge, own, a in zip(chosen, settings, assignments, strict=True)]
    found: list[list[pa.RecordBatch]] = [[] for _ in chosen]
    rows = 0
    with contextlib.closing(store.open_table(assignments[0].arguments["documents"])) as documents:
        for group in range(documents.num_row_groups):
            table = documents.read_row_group(group, columns=columns, use_threads=False).combine_chunks()
            batch = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=table.schema)
            rows += table.num_rows
            for number, judge in enumerate(chosen):
                measured = partial(judge.run, settings=settings[number], model=models[number])
                found[number].append(sandbox.rows(shard, "measure", batch, measured, _without))
    produced = []
    for judge, batches, assigned in zip(chosen, found, assignments, strict=True):
        schema = pa.schema(list(judge.columns.items()))
        info = store.put_table(assigned.path("signals"), batches, schema)
        produced.append(Produced({"table": info}, {"documents": rows}))
    return produced


def _without(document: pa.RecordBatch) -> pa.RecordBatch:
    """A document as extract leaves a quarantined one; only while looking for what kills."""
    for place, column in enumerate(document.schema):
        if column.name == "text":
            return document.set_column(place, column, pa.array([""] * document.num_rows, column.type))
    return document


def _model(store: Store, judge: Judge, settings: JudgeSettings, assigned: Assignment) -> Any:
    """What a trained judge scores with; None for every other judge, and for one that had too little to learn from."""
    if judge.model is None or not assigned.arguments["model"]:
        return None
    return judge.model(settings, lambda: store.read(assigned.arguments["weights"]))


def measure(run: Run) -> Commits:
    """One unit per judge and shard, keyed by the judge's version and measured settings: thresholds never rerun it."""
    known = judges()
    for name, settings in run.recipe.judges:
        notices = known[name].notices
        run.notes += notices(settings) if notices else []
    units = []
    for shard in run.shards:
        documents = run.file("extract", shard)
        for name, settings in run.recipe.judges:
            judge = known[name]
            weights, arguments = judge.weights(settings) if judge.weights else None, {}
            if judge.model is not None:
                trained = run.done["train"][name]
                weights = trained.counts.get("sha256")
                arguments = {"model": weights is not None}
                if "weights" in trained.files:
                    arguments |= {"weights": trained.files["weights"].path}
            units.append(
                Unit(
                    name=signal_unit(name, shard),
                    inputs=[documents.sha256, *([weights] if weights else [])],
                    settings=settings.measured(),
                    version=judge.version,
                    libraries=libraries("unicode", *judge.libraries, *settings.libraries()),
                    arguments={"judge": name, "shard": shard, "documents": documents.path, **arguments},
                    group=shard,
                )
            )
    return run.keep("measure", run.runner.execute("measure", units, measure_shard))
