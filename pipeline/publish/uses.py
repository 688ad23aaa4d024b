"""How often the planned training uses each document: a small table per shard, beside the corpus and the hand-off.

It depends on the mix and the plan, which rewrite neither text nor token; so it is a table of its own, joined by `id`.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.handoff import default_train_config
from pipeline.handoff.windows import Visits, planned_visits
from pipeline.plan.step import mix_plan
from pipeline.publish.hand_over import build
from pipeline.tokens.parts import stream_of, streams
from pipeline.tokens.shards import SPLITS
from pipeline.tokens.step import ShardCounts

VERSION = 3

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


@each
def uses_part(store: Store, assigned: Assignment) -> Produced:
    """The uses of the training documents of one shard."""
    counts = store.read_table(assigned.reads["counts"].path)
    counts = counts.filter(pc.equal(counts["split"], SPLITS[0])).combine_chunks()
    lengths = pc.add(counts["num_tokens"], 1)
    visits = Visits(**assigned.settings["visits"]).uses(assigned.settings["start"], lengths.to_numpy())
    table = pa.table([counts["id"], lengths, pa.array(visits), counts["score"]], USES)
    info = store.put_table(assigned.path("uses"), [table], USES)
    return Produced({"uses": info}, UseCounts(table.num_rows))


def uses(run: Run) -> Commits:
    """One unit per shard, keyed by its documents' lengths and scores, where it lies in its source, and what the plan takes of
    that.

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
        units.append(Unit(name, {"counts": commit.files["counts"]}, settings, VERSION))
        starts[stream] += commit.counted(ShardCounts).train.tokens
    return run.execute(Step.USES, units, uses_part)
