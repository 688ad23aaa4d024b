"""The index of a finished run as an input of the next."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.cluster.clusters import SignalShard, cluster
from pipeline.cluster.index import INDEX, Index, write_index
from pipeline.cluster.settings import ClusterSettings
from pipeline.cluster.survivors import pick_survivors
from pipeline.errors import UsageError
from pipeline.measure.exact import ExactSettings, exact
from pipeline.measure.minhash import MinHashSettings, minhash

SETTINGS = {"exact": ExactSettings().measured(), "minhash": MinHashSettings().measured()}


def signals(ids: list[str], texts: list[str], kept: list[bool]) -> pa.RecordBatch:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "url": pa.nulls(len(texts), pa.string())})
    columns = {"id": pa.array(ids), "kept": pa.array(kept)}
    for part in (exact.run(batch, ExactSettings()), minhash.run(batch, MinHashSettings())):
        columns |= {name: part[name] for name in part.schema.names if name in INDEX.names}
    return pa.record_batch(columns)


def article(topic: int, changed: int = 0) -> str:
    words = [f"topic{topic}word{i}" for i in range(200)]
    words[:changed] = [f"new{topic}{changed}{i}" for i in range(changed)]
    return " ".join(words)


def saved(rows: pa.RecordBatch, step: int = 100) -> io.BytesIO:
    file = io.BytesIO()
    write_index(file, [rows.slice(at, step) for at in range(0, rows.num_rows, step)], SETTINGS)
    return io.BytesIO(file.getvalue())


def test_new_documents_lose_to_kept_ones_of_the_index(tmp_path: Path):
    before = signals(["a", "b", "c"], [article(1), article(2), article(3)], [True, False, True])
    new = signals(["d", "e", "f", "g"], [article(1), article(2, 1), article(4), article(4, 1)], [True] * 4)
    index = Index(saved(before), SETTINGS)
    shards = [index.shard("index"), SignalShard("new", 4, lambda: iter([new]))]
    tables = dict(cluster(shards, ClusterSettings(), tmp_path))
    labels = pa.concat_tables(tables.values())["near_cluster"].fill_null(-1).to_numpy()
    indexed = np.concatenate([index.kept(), np.zeros(4, bool)])
    survivors = pick_survivors(
        labels,
        np.array([False] * 3 + [True] * 4),
        priority=np.array([0] * 3 + [9] * 4),
        quality=np.zeros(7),
        length=np.zeros(7),
        date=np.array([""] * 7),
        ids=np.array(list("abcdefg")),
        indexed=indexed,
    )
    # d copies what was kept; e copies what was removed, so it stays; f and g are each other's copies
    assert survivors.tolist() == [0, 4, -1, 0, 4, 5, 5]


def test_deduplicating_a_run_against_its_own_index_keeps_nothing_new(tmp_path: Path):
    rows = signals(["a", "b"], [article(1), article(2)], [True, True])
    index = Index(saved(rows), SETTINGS)
    tables = dict(cluster([index.shard("i"), SignalShard("s", 2, lambda: iter([rows]))], ClusterSettings(), tmp_path))
    assert tables["i"]["near_cluster"].equals(tables["s"]["near_cluster"])
    assert tables["s"]["cluster_size"].to_pylist() == [2, 2]


def test_bytes_do_not_depend_on_batches():
    rows = signals([f"{i}" for i in range(30)], [article(i) for i in range(30)], [True] * 30)
    assert saved(rows, 7).getvalue() == saved(rows, 30).getvalue()
    index = Index(saved(rows), SETTINGS)
    assert pa.Table.from_batches(index.batches(INDEX.names)).equals(
        pa.Table.from_batches([rows]).select(INDEX.names).cast(INDEX)
    )


def test_other_settings_are_refused():
    file = saved(signals(["a"], [article(1)], [True]))
    other = SETTINGS | {"minhash": MinHashSettings(seed=2).measured()}
    with pytest.raises(UsageError, match="keys would not meet"):
        Index(file, other)
    no_index = io.BytesIO()
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), no_index)
    with pytest.raises(UsageError, match="no index"):
        Index(io.BytesIO(no_index.getvalue()), SETTINGS)
