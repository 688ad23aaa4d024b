"""The lease: one run at a time in a folder; one that was killed is not waited for; a stuck one is overtaken and told."""

import os
import subprocess
import sys

import pytest

from pipeline.core import lease, sealed
from pipeline.core.lease import FILE, held
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lease, "EXPIRES_S", 0.5)
    monkeypatch.setattr(lease, "SETTLE_S", {True: 0.0, False: 0.0})


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return Store(str(tmp_path / "run") if request.param == "local" else f"memory://{tmp_path.name}-lease")


def of_another_machine(store, **changes):
    record = {"token": "t", "machine": "elsewhere", "pid": 1, "since": "today", "beat": 0, **changes}
    sealed.write(store, FILE, record)
    return record


def test_the_folder_is_given_back(store):
    with held(store) as mine:
        mine.check()
        assert store.exists(FILE)
    assert not store.exists(FILE)


def test_a_heart_that_beats_keeps_others_out(store, monkeypatch):
    record = of_another_machine(store)
    real = sealed.read

    def read(*arguments):
        found = real(*arguments)
        record["beat"] += 1
        sealed.write(store, FILE, record)
        return found

    monkeypatch.setattr(sealed, "read", read)
    with pytest.raises(InfrastructureError, match=r"process 1 on elsewhere, since today.*another --out"), held(store):
        pass


def test_one_that_is_silent_is_overtaken(store):
    of_another_machine(store)
    with held(store) as mine:
        mine.check()


def test_a_killed_process_of_this_machine_is_not_waited_for(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    of_another_machine(store, machine=lease._machine(), pid=int(dead.stdout))
    store.put("work/x", b"")
    (tmp_path / f"work/.table.parquet.{int(dead.stdout)}.tmp").write_bytes(b"half")
    monkeypatch.setattr(lease.time, "sleep", lambda seconds: pytest.fail("waited") if seconds else None)
    with held(store):
        assert sorted(os.listdir(tmp_path / "work")) == ["lease.json", "x"], "what it had half written is swept"


def test_who_was_overtaken_is_told(store):
    with held(store) as mine:
        of_another_machine(store, token="other")
        with pytest.raises(InfrastructureError, match="taken over this folder"):
            mine.check()
    assert store.exists(FILE), "the other's lease stays"


def test_the_heart_beats(store, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    with held(store):
        seen = set()
        while len(seen) < 3:
            seen.add((sealed.read(store, FILE) or {}).get("beat"))
