"""Execution: running again is resuming; one phrase says why; nothing unbalanced commits."""

import pytest

from pipeline.core.conserve import Balance
from pipeline.core.execute import Produced, Runner, Unit
from pipeline.core.in_process import InProcess
from pipeline.core.ledger import Ledger
from pipeline.core.reads import Digest
from pipeline.core.store import Store
from pipeline.errors import ConservationError, InfrastructureError

CALLS = []


def work(store, assignments):
    made = []
    for assigned in assignments:
        CALLS.append(assigned.name)
        data = repr(sorted(assigned.settings.items())).encode()
        made.append(Produced({"data": store.put(assigned.path("out", suffix=".txt"), data)}))
    return made


def lossy(store, assignments):
    return [Produced({}, balance=Balance(entered=10, kept=9)) for _ in assignments]


@pytest.fixture
def runner(tmp_path):
    CALLS.clear()
    return Runner(Store(str(tmp_path)), InProcess())


def units(**settings):
    return [Unit(f"u{n}", {"from": Digest(str(n))}, settings) for n in range(3)]


def test_running_again_is_resuming_and_says_why(runner):
    first = runner.execute("s", units(bound=1), work)
    assert runner.reasons["s"] == "ran: not run before"
    assert runner.execute("s", units(bound=1), work) == first
    assert runner.reasons["s"] == "reused: did not change"
    assert len(CALLS) == 3
    runner.execute("s", units(bound=2), work)
    assert runner.reasons["s"] == "ran: setting bound 1 → 2"
    runner.execute("s", units(bound=1), work)
    assert len(CALLS) == 6, "an earlier result is found by its fingerprint"


def test_only_the_changed_unit_runs(runner):
    runner.execute("s", units(bound=1), work)
    changed = [*units(bound=1)[:2], Unit("u2", {"from": Digest("new")}, {"bound": 1})]
    runner.execute("s", changed, work)
    assert CALLS[3:] == ["u2"]
    assert runner.reasons["s"] == "ran 1 of 3: its input changed"


def test_a_missing_file_is_made_again(runner, tmp_path):
    commits = runner.execute("s", units(bound=1), work)
    (tmp_path / commits["u1"].files["data"].path).unlink()
    runner.execute("s", units(bound=1), work)
    assert CALLS[3:] == ["u1"]
    assert "gone" in runner.reasons["s"]


def test_units_of_a_group_share_one_call(runner):
    calls = []

    def grouped(store, assignments):
        calls.append([assigned.name for assigned in assignments])
        return work(store, assignments)

    runner.execute("s", [Unit("a", group="g"), Unit("b", group="h"), Unit("c", group="g")], grouped)
    assert calls == [["a", "c"], ["b"]]


def test_a_step_that_loses_a_document_cannot_commit(runner):
    with pytest.raises(ConservationError, match="10 documents entered \\+ 0 children ≠ 9 kept"):
        runner.execute("s", [Unit("a")], lossy)
    assert Ledger(runner.store).last("s") == {}


def test_bytes_are_conserved_by_rule():
    Balance(1, kept=1, bytes_entered=10, bytes_kept=12, inserted={"pii.email": 7}, cut={"pii.email": 5}).check("x")
    with pytest.raises(ConservationError, match="bytes of text"):
        Balance(1, kept=1, bytes_entered=10, bytes_kept=12).check("x")


def test_damaged_ledger_is_a_clear_error(runner, tmp_path):
    runner.execute("s", units(bound=1), work)
    (tmp_path / "work/ledger/s.json").write_text("{")
    with pytest.raises(InfrastructureError, match="not valid JSON"):
        runner.execute("s", units(bound=1), work)


def test_a_local_ray_is_its_own_whatever_the_environment_says(monkeypatch):
    import ray

    from pipeline.core.ray_engine import RayEngine

    asked = {}
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9999")
    monkeypatch.setattr(ray, "init", lambda **settings: asked.update(settings))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1})
    RayEngine("local", workers=1)
    assert (asked["address"], asked["num_cpus"]) == ("local", 1)
