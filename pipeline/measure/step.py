"""Measure: all judges that lack a commit for a shard, in one pass over its documents."""

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.classify.step import ModelCounts
from pipeline.core import sandbox
from pipeline.core.execute import Assignment, Produced, Unit, libraries, works_on_documents
from pipeline.core.judge import Judge, judges
from pipeline.core.reads import Digest, Readable, Reads
from pipeline.core.run_folder import Commits, Run, signal_unit
from pipeline.core.settings import JudgeSettings
from pipeline.core.steps import Step
from pipeline.core.store import Store


@dataclass
class MeasureCounts:
    """What measuring one shard with one judge counted."""

    documents: int = 0


@works_on_documents
def measure_shard(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Run the judges of one shard over its batches; one signals table per judge, aligned with the documents."""
    known = judges()
    chosen = [known[assigned.name.partition("/")[0]] for assigned in assignments]
    shard = assignments[0].name.partition("/")[2]
    settings = [
        judge.settings.model_validate(assigned.settings) for judge, assigned in zip(chosen, assignments, strict=True)
    ]
    columns = sorted(
        {column for judge in chosen for column in judge.reads} | ({"id"} if sandbox.is_probing() else set())
    )
    models = [
        load_model(store, judge, own, assigned.reads)
        for judge, own, assigned in zip(chosen, settings, assignments, strict=True)
    ]
    found: list[list[pa.RecordBatch]] = [[] for _ in chosen]
    rows = 0
    with contextlib.closing(store.open_table(assignments[0].reads["documents"].path)) as documents:
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
        produced.append(Produced({"table": info}, MeasureCounts(rows)))
    return produced


def _without(document: pa.RecordBatch) -> pa.RecordBatch:
    """A document as extract leaves a quarantined one; only while looking for what kills."""
    for place, column in enumerate(document.schema):
        if column.name == "text":
            return document.set_column(place, column, pa.array([""] * document.num_rows, column.type))
    return document


def model_reads(run: Run, name: str) -> dict[str, Readable]:
    """Of a judge that the run trains or prepares, the model it learnt and the file it lies in, if any; nothing of others."""
    trained = run.commits(Step.CLASSIFY).get(name)
    if judges()[name].model is None or trained is None:
        return {}
    digest = trained.counted(ModelCounts).sha256
    reads: dict[str, Readable] = {} if digest is None else {"model": Digest(digest)}
    return reads | ({"weights": trained.files["weights"]} if "weights" in trained.files else {})


def load_model(store: Store, judge: Judge, settings: JudgeSettings, reads: Reads) -> Any:
    """What a trained or prepared judge scores with; None for every other one, and for one that had nothing to learn from."""
    if judge.model is None or "model" not in reads:
        return None
    read = store.map if judge.prepare else store.read
    return judge.model(settings, lambda: read(reads["weights"].path))


def _reads(run: Run, name: str, settings: JudgeSettings) -> dict[str, Readable]:
    """What a judge reads beside documents: the run's model, or the weights or files that it loads by itself."""
    judge = judges()[name]
    own = judge.weights(settings) if judge.weights else None
    return model_reads(run, name) | ({"own_weights": Digest(own)} if own else {})


def measure(run: Run) -> Commits:
    """One unit per judge and shard, keyed by the judge's version and measured settings: thresholds never rerun it."""
    known = judges()
    for name, settings in run.recipe.judges:
        notices = known[name].notices
        run.notes += notices(settings) if notices else []
    models = {name: _reads(run, name, settings) for name, settings in run.recipe.judges}
    units = [
        Unit(
            name=signal_unit(name, shard),
            reads={"documents": run.file(Step.EXTRACT, shard), **models[name]},
            settings=settings.measured(),
            version=known[name].version,
            libraries=libraries("unicode", *known[name].libraries, *settings.libraries()),
            group=shard,
        )
        for shard in run.shards
        for name, settings in run.recipe.judges
    ]
    return run.execute(Step.MEASURE, units, measure_shard)
