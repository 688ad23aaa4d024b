"""Measure: all judges that lack a commit for a shard, in one pass over its documents."""

import contextlib
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.core import sandbox
from pipeline.core.execute import Assignment, Produced, Unit, libraries, works_on_documents
from pipeline.core.judge import Judge, judges
from pipeline.core.run_folder import Commits, Run, signal_unit
from pipeline.core.settings import JudgeSettings
from pipeline.core.store import Store


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
    models = [
        load_model(store, judge, own, assigned.arguments)
        for judge, own, assigned in zip(chosen, settings, assignments, strict=True)
    ]
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


def model_arguments(run: Run, name: str) -> dict[str, Any]:
    """Of a judge that the run trains or prepares, whether there is a model, and where it lies; nothing of any other judge."""
    if judges()[name].model is None:
        return {}
    trained = run.done["train"].get(name)
    if trained is None:
        return {"model": False}
    found: dict[str, Any] = {"model": trained.counts.get("sha256") is not None}
    return found | ({"weights": trained.files["weights"].path} if "weights" in trained.files else {})


def load_model(store: Store, judge: Judge, settings: JudgeSettings, arguments: dict[str, Any]) -> Any:
    """What a trained or prepared judge scores with; None for every other one, and for one that had nothing to learn from."""
    if judge.model is None or not arguments["model"]:
        return None
    read = store.map if judge.prepare else store.read
    return judge.model(settings, lambda: read(arguments["weights"]))


def _weights(run: Run, name: str, settings: JudgeSettings) -> list[str]:
    """The digest of what a judge loads: of its own weights or files, or of what this run trained."""
    judge = judges()[name]
    own = judge.weights(settings) if judge.weights else None
    if judge.model is not None and judge.prepare is None:
        own = run.done["train"][name].counts.get("sha256")
    return [own] if own else []


def measure(run: Run) -> Commits:
    """One unit per judge and shard, keyed by the judge's version and measured settings: thresholds never rerun it."""
    known = judges()
    for name, settings in run.recipe.judges:
        notices = known[name].notices
        run.notes += notices(settings) if notices else []
    weights, units = {name: _weights(run, name, settings) for name, settings in run.recipe.judges}, []
    for shard in run.shards:
        documents = run.file("extract", shard)
        for name, settings in run.recipe.judges:
            judge = known[name]
            units.append(
                Unit(
                    name=signal_unit(name, shard),
                    inputs=[documents.sha256, *weights[name]],
                    settings=settings.measured(),
                    version=judge.version,
                    libraries=libraries("unicode", *judge.libraries, *settings.libraries()),
                    arguments={
                        "judge": name,
                        "shard": shard,
                        "documents": documents.path,
                        **model_arguments(run, name),
                    },
                    group=shard,
                )
            )
    return run.keep("measure", run.runner.execute("measure", units, measure_shard))
