"""Apply, as three steps: find what kept documents have in common (`repeats`), rewrite texts per shard, then settle which
kept documents became equal or too short (`settle`)."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.repeat_steps import repeats
from pipeline.apply.repeats import Cut
from pipeline.apply.rewrite import rewrite, span_columns
from pipeline.apply.settle import settle
from pipeline.apply.spans import Edited
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.judge import judges
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.decide.step import DecideCounts
from pipeline.kernels.bpe.pretokens import count_pretokens
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.hashing import hash128_rows

APPLY_VERSION = 5

TEXTS = pa.schema(
    [
        # to publish: cut and masked when kept, masked when removed, empty when quarantined
        ("text", pa.large_string()),
        ("text_bytes", pa.int64()),
        ("num_chars", pa.int64()),
        ("num_pretokens", pa.int64()),
        ("text_hash", pa.binary(16)),
    ]
)
"""One row a document, aligned with its documents."""


@dataclass
class ApplyCounts:
    """Documents that each rule cut something from."""

    documents_cut: dict[str, int] = field(default_factory=dict)


@each
def apply_shard(store: Store, assigned: Assignment) -> Produced:
    """Rewrite the texts of one shard, with every byte inserted and cut accounted to its rule."""
    files = assigned.reads
    decided = store.read_table(files["decisions"].path, ["verdict"])["verdict"].to_pylist()
    spans = span_columns(store, files, assigned.settings)
    balance, batches, start = Balance(), [], 0
    documents: Counter[str] = Counter()
    parquet = store.open_table(files["documents"].path)
    for group in range(parquet.num_row_groups):
        texts = parquet.read_row_group(group, columns=["text"], use_threads=False)
        verdicts = decided[start : start + texts.num_rows]
        columns = [replace(found, values=found.values.slice(start, texts.num_rows)) for found in spans]
        edited = rewrite(texts, verdicts, columns)
        start += texts.num_rows
        batches.append(_text_batch(edited))
        _account(balance, texts, verdicts, edited)
        documents.update(rule for found in edited for rule in found.cut)
    info = store.put_table(assigned.path("texts"), batches, TEXTS)
    return Produced({"table": info}, ApplyCounts(dict(sorted(documents.items()))), balance)


def _text_batch(edited: list[Edited]) -> pa.RecordBatch:
    text = pa.array([found.text for found in edited], pa.large_binary()).cast(pa.large_string())
    offsets, data = text_buffers(text)
    return pa.RecordBatch.from_arrays(
        [
            text,
            pa.array(np.diff(offsets), pa.int64()),
            pc.utf8_length(text),
            pa.array(count_pretokens(offsets, data), pa.int64()),
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), len(text), [None, pa.py_buffer(hash128_rows(offsets, data))]
            ),
        ],
        schema=TEXTS,
    )


def _account(balance: Balance, texts: pa.Table, verdicts: list[str], edited: list[Edited]) -> None:
    before = np.diff(text_buffers(texts["text"])[0])
    for verdict, size, found in zip(verdicts, before.tolist(), edited, strict=True):
        balance.entered += 1
        balance.bytes_entered += size
        setattr(balance, verdict, getattr(balance, verdict) + 1)
        after = f"bytes_{verdict}"
        setattr(balance, after, getattr(balance, after) + len(found.text))
        for sums, amounts in ((balance.inserted, found.inserted), (balance.cut, found.cut)):
            for rule, amount in amounts.items():
                sums[rule] = sums.get(rule, 0) + amount


def _judges_cuts(run: Run) -> list[Cut]:
    """The span columns of the recipe's judges that apply acts on."""
    known = judges()
    return [
        (name, name, column, action)
        for name, _ in run.recipe.judges
        for column, action in sorted(known[name].cuts.items())
    ]


def apply(run: Run) -> Commits:
    """Texts per shard, keyed by the documents, the spans and which of them are kept; then the final verdicts."""
    cuts = _judges_cuts(run)
    aside = run.counted(DecideCounts, Step.DECIDE).set_aside
    repeated = repeats(run, cuts, aside)
    cuts += [("repeats", f"repeats/{kind}", "spans", "cut") for kind in repeated]
    units = []
    for shard in run.shards:
        reads = {"documents": run.file(Step.EXTRACT, shard), "decisions": run.file(Step.DECIDE, name=shard)}
        for name in dict.fromkeys(name for stage, name, _, _ in cuts if stage != "repeats"):
            reads[name] = run.signal_file(name, shard)
        reads |= {f"repeats/{kind}": commit.files[shard] for kind, commit in repeated.items()}
        units.append(Unit(shard, reads, {"cuts": [list(cut) for cut in cuts], "set_aside": aside}, APPLY_VERSION))
    texts = run.execute(Step.APPLY, units, apply_shard)
    settle(run)
    return texts
