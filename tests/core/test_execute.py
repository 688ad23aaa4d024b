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


@pytest.fixture
def grouped(runner):
    """A group of three units, which one record commits."""
    return lambda **settings: runner.execute("s", [Unit(f"u{n}", {}, settings, group="g") for n in range(3)], work)


def test_units_of_a_group_share_a_record(runner, tmp_path, grouped):
    first = grouped(bound=1)
    (path,) = (tmp_path / "work/ledger/s").iterdir()
    assert path.stem == "-".join(commit.fingerprint[:10] for commit in first.values())
    whole = path.read_bytes()
    (tmp_path / "work/ledger/s.json").unlink()
    assert grouped(bound=1) == first
    assert len(CALLS) == 3, "found by the record of their task"
    for damage in DAMAGE.values():
        damage(path)
        assert grouped(bound=1) == first
        assert (path.read_bytes(), len(CALLS)) == (whole, 3), "written again from the record of the step"
    grouped(bound=2)
    assert grouped(bound=1) == first
    assert len(CALLS) == 6
    path.unlink()
    (tmp_path / "work/ledger/s.json").unlink()
    assert grouped(bound=1) == first
    assert len(CALLS) == 9


def test_a_record_that_names_more_units_than_fit_is_divided(runner, tmp_path):
    units = [Unit(f"u{n:02}", {}, {}, group="g") for n in range(20)]
    commits = runner.execute("s", units, work)
    (tmp_path / "work/ledger/s.json").unlink()
    assert {path.stem.count("-") for path in (tmp_path / "work/ledger/s").iterdir()} == {15, 3}
    assert runner.execute("s", units, work) == commits
    assert len(CALLS) == 20


def test_a_step_that_loses_a_document_cannot_commit(runner):
    with pytest.raises(ConservationError, match="10 documents entered \\+ 0 children ≠ 9 kept"):
        runner.execute("s", [Unit("a")], lossy)
    assert Ledger(runner.store).last("s") == {}


def test_bytes_are_conserved_by_rule():
    Balance(1, kept=1, bytes_entered=10, bytes_kept=12, inserted={"pii.email": 7}, cut={"pii.email": 5}).check("x")
    with pytest.raises(ConservationError, match="bytes of text"):
        Balance(1, kept=1, bytes_entered=10, bytes_kept=12).check("x")


def edited(path):
    path.write_text(path.read_text().replace('"unit":"u1"', '"unit":"u2"'))


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no object": lambda path: path.write_text("[]"),
    "edited": edited,
    "not UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_step_record_is_made_again_from_those_of_its_units(runner, tmp_path, how):
    first = runner.execute("s", units(bound=1), work)
    path = tmp_path / "work/ledger/s.json"
    whole = path.read_bytes()
    DAMAGE[how](path)
    assert Ledger(runner.store).last("s") == {}
    if path.exists():
        with pytest.raises(InfrastructureError, match="makes it again"):
            Ledger(runner.store).last("s", must_be_whole=True)
    assert runner.execute("s", units(bound=1), work) == first
    assert len(CALLS) == 3, "nothing was computed again"
    assert path.read_bytes() == whole


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_unit_record_is_written_again_or_its_unit_made_again(runner, tmp_path, how):
    first = runner.execute("s", units(bound=1), work)
    path = tmp_path / Ledger.unit_path(first["u1"])
    whole = path.read_bytes()
    DAMAGE[how](path)
    assert runner.execute("s", units(bound=1), work) == first
    assert (path.read_bytes(), len(CALLS)) == (whole, 3)
    DAMAGE[how](path)
    (tmp_path / "work/ledger/s.json").unlink()
    assert runner.execute("s", units(bound=1), work) == first
    assert (path.read_bytes(), CALLS[3:]) == (whole, ["u1"])


def test_a_flipped_bit_is_found_by_sums_and_not_by_sizes(runner, tmp_path):
    path = tmp_path / runner.execute("s", units(bound=1), work)["u1"].files["data"].path
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    runner.verify = "sizes"
    runner.execute("s", units(bound=1), work)
    assert CALLS[3:] == []
    runner.verify = "sums"
    runner.execute("s", units(bound=1), work)
    assert (CALLS[3:], path.read_bytes()) == (["u1"], whole)


def test_a_local_ray_is_its_own_whatever_the_environment_says(monkeypatch):
    import ray

    from pipeline.core.ray_engine import RayEngine

    asked = {}
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9999")
    monkeypatch.setattr(ray, "init", lambda **settings: asked.update(settings))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1})
    monkeypatch.setattr(ray, "put", lambda value: value)
    RayEngine("local", workers=1)
    assert (asked["address"], asked["num_cpus"]) == ("local", 1)
