"""How often the planned training uses each document: a small table per shard, beside the corpus and the hand-off.

It depends on the mix and the plan, which rewrite neither text nor token; so it is a table of its own, joined by `id`.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.handoff import default_train_config
from pipeline.handoff.windows import Visits, planned_visits
from pipeline.plan.step import mix_plan
from pipeline.publish.hand_over import build
from pipeline.tokens.shards import SPLITS
from pipeline.tokens.step import ShardCounts, shards_of, stream_of, streams

VERSION = 2

USES = pa.schema(
    [
        ("id", pa.string()),
        ("num_tokens", pa.int64()),  # in the shard: the end-of-text token counted
        ("uses", pa.float64()),  # visits of the document's tokens, on average over them
        ("score", pa.float32()),  # of `select.by`; null without `select:`
    ]
)
"""`handoff/uses/<source>/`: one row a training document, in the order of its shard."""


@dataclass
class UseCounts:
    """Training documents of one part of a stream."""

    documents: int = 0


def uses_part(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """The uses of the training documents of one shard."""
    produced = []
    for assigned in assignments:
        counts = store.read_table(assigned.reads["counts"].path)
        counts = counts.filter(pc.equal(counts["split"], SPLITS[0])).combine_chunks()
        lengths = pc.add(counts["num_tokens"], 1)
        visits = Visits(**assigned.settings["visits"]).uses(assigned.settings["start"], lengths.to_numpy())
        scores = _scores(store, assigned, counts["id"])
        table = pa.table([counts["id"], lengths, pa.array(visits), scores], USES)
        info = store.put_table(assigned.path("uses"), [table], USES)
        produced.append(Produced({"uses": info}, UseCounts(table.num_rows)))
    return produced


def _scores(store: Store, assigned: Assignment, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """The score of every id, from the documents of its source."""
    if "scores" not in assigned.reads:
        return pa.chunked_array([pa.nulls(len(ids), pa.float32())])
    column = assigned.settings["score"]
    read = [(store.read_table(v.path, ["id"]), store.read_table(s.path, [column])) for v, s in assigned.reads["scores"]]
    every, scores = (
        pa.chunked_array([c for t in side for c in t.column(0).chunks]) for side in zip(*read, strict=True)
    )
    return scores.cast(pa.float32()).take(pc.index_in(ids, every.combine_chunks()))


def uses(run: Run) -> Commits:
    """One unit per shard, keyed by its documents' lengths, where it lies in its source, and what the plan takes of that; and by
    the scores of its source's documents where the recipe selects by them.

    An empty mix plans no training: no uses, as there is no hand-off.
    """
    every = streams(run)
    units, starts, visits = [], dict.fromkeys(every, 0), {}
    if mix_plan(run)["total_tokens"]:
        manifest = build(run)
        visits = planned_visits(manifest, default_train_config(manifest, run.recipe.pretrain))
    for name, commit in run.commits(Step.SHARDS).items():
        stream = stream_of(name)
        if stream not in visits:
            continue
        settings = {"visits": vars(visits[stream]), "start": starts[stream]}
        reads: dict[str, Any] = {"counts": commit.files["counts"]}
        if (told := run.recipe.select) and told.ranks:
            shards = shards_of(run, every[stream].source)
            reads["scores"] = [[run.file(Step.SETTLE, name=s), run.signal_file(told.judge, s)] for s in shards]
            settings["score"] = told.column
        units.append(Unit(name, reads, settings, VERSION))
        starts[stream] += commit.counted(ShardCounts).train.tokens
    return run.execute(Step.USES, units, uses_part)
