"""The store: whole files or none, checksums, deterministic Parquet."""

import contextlib
import errno

import pyarrow as pa
import pytest

from pipeline.core import local_calls
from pipeline.core.local_calls import LocalCalls
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError


@pytest.fixture
def store(tmp_path):
    yield Store(str(tmp_path))
    local_calls.install_calls(LocalCalls())


TABLE = pa.table({"a": pa.array(range(1000), pa.int64()), "b": ["x" * (n % 7) for n in range(1000)]})


def test_same_rows_give_the_same_bytes(store):
    one = store.put_table("one.parquet", TABLE.to_batches(), TABLE.schema)
    two = store.put_table("two.parquet", TABLE.to_batches(), TABLE.schema)
    assert one.sha256 == two.sha256
    assert one.rows == 1000
    assert store.read_table("one.parquet").equals(TABLE)


def test_every_flipped_bit_in_the_data_is_noticed(store, tmp_path):
    info = store.put_table("t.parquet", TABLE.to_batches(), TABLE.schema)
    whole = (tmp_path / "t.parquet").read_bytes()
    wrong = 0
    for position in range(4, info.bytes, max(1, info.bytes // 60)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        (tmp_path / "t.parquet").write_bytes(damaged)
        with pytest.raises(InfrastructureError):
            store.check(info)
        with contextlib.suppress(InfrastructureError):
            wrong += not store.read_table("t.parquet").equals(TABLE)
    assert wrong == 0, "a flipped bit was read back as other data"


def test_what_the_disk_drops_is_noticed(store, tmp_path):
    class Forgetful(LocalCalls):
        def write(self, handle, data):
            super().write(handle, data[: len(data) // 2])

    store.put("b.bin", b"earlier")
    local_calls.install_calls(Forgetful())
    for name in ("a.bin", "b.bin"):
        with pytest.raises(InfrastructureError, match="read back"):
            store.put(name, b"0123456789")
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")} == {"b.bin": b"earlier"}, (
        "what stood there stays"
    )


def test_a_full_disk_names_the_file_and_leaves_nothing(store, tmp_path):
    class Full(LocalCalls):
        def write(self, handle, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    local_calls.install_calls(Full())
    with pytest.raises(InfrastructureError, match=r"deep/a\.bin: No space left on device"):
        store.put("deep/a.bin", b"0123456789")
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_remote_stores_keep_the_same_promises():
    store = Store("memory://run-folder")
    info = store.put_table("t.parquet", TABLE.to_batches(), TABLE.schema)
    assert store.read_table("t.parquet").equals(TABLE)
    assert store.present(info)
    store.put_json("a/b.json", {"ü": 1})
    assert store.read_json("a/b.json") == {"ü": 1}
    assert not store.exists("a/c.json")
