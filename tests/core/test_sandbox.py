"""A document that kills its worker is found, alone, and quarantined; everything else comes out as if it had been refused."""

import json
import signal

import pyarrow as pa
import pytest

from pipeline.core import quarantine, sandbox
from pipeline.core.sandbox import InnerError, Killer, Probe, SandboxSettings, probing
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from tests.core import poison
from tests.faults.sweep import forked
from tests.faults.tiny import text, write_recipe

SMALL = SandboxSettings(max_memory_bytes=2**28)


def batch_of(*texts):
    return pa.RecordBatch.from_pydict({"id": [f"id{n}" for n in range(len(texts))], "text": list(texts)})


def blank(row):
    return pa.RecordBatch.from_pydict({"id": row["id"], "text": [""] * row.num_rows})


def found_in(*texts, function=poison.dying_records):
    with probing(Probe(SMALL)) as probe:
        result = sandbox.rows("shard", "measure", batch_of(*texts), function, blank)
    return result["length"].to_pylist(), {killer.name: killer.detail for killer in probe.killers}


def test_halving_finds_every_killer_and_keeps_the_order_of_the_rest():
    texts = [f"text {n}" * (n % 5) for n in range(37)]
    texts[3], texts[4], texts[36] = "MARK-SEGFAULT", "MARK-HUNGRY", "MARK-ENDLESS"
    lengths, killers = found_in(*texts)
    assert lengths == [0 if n in (3, 4, 36) else len(t) for n, t in enumerate(texts)]
    assert set(killers) == {"id3", "id4", "id36"}
    assert "signal 11, SIGSEGV); 13 bytes, sha256 " in killers["id3"]
    assert "out of memory at 268,435,456 bytes" in killers["id4"]


def test_without_killers_the_probe_gives_what_the_function_gives():
    assert found_in("a", "bb", "")[0] == [1, 2, 0]
    assert found_in()[0] == []


def test_a_defect_is_no_death():
    def defect(batch):
        raise KeyError(f"{batch.num_rows} rows") if batch.num_rows else TypeError("empty")

    def fine_when_empty(batch):
        return poison.dying_records(batch) if not batch.num_rows else defect(batch)

    with pytest.raises(InnerError, match="KeyError: '2 rows'"):
        found_in("a", "b", function=fine_when_empty)


def test_a_document_that_kills_without_its_text_stops_the_run():
    def always(batch):
        if "id1" in batch["id"].to_pylist():
            poison.die_of(poison.SEGFAULT)
        return poison.dying_records(batch)

    with pytest.raises(InnerError, match="document id1 kills its worker even without its text"):
        found_in("a", "b", function=always)


def test_reading_ends_where_it_kills():
    def records():
        yield from "abc"
        poison.die_of(poison.SEGFAULT)

    with probing(Probe(SMALL)) as probe:
        sandbox.reads("shard", "a.warc.gz", records)
        sandbox.reads("shard", "b.warc.gz", lambda: iter("abc"))
    assert [(k.name, k.records, k.reason) for k in probe.killers] == [("a.warc.gz", 3, "ingest.killed_worker")]


def test_the_list_of_killers_grows_and_knows_its_limits(tmp_path):
    store, first = Store(str(tmp_path)), Killer("s", "b", "measure.killed_worker", "x")
    assert quarantine.add(store, SMALL, [first]) == [first]
    second = Killer("s", "a", "extract.killed_worker", "y")
    assert quarantine.add(store, SMALL, [first, second]) == [second]
    assert quarantine.load(store, SMALL) == {"s": [second, first]}
    with pytest.raises(InfrastructureError, match="quarantined already"):
        quarantine.add(store, SMALL, [first])
    assert quarantine.load(store, SandboxSettings()) == {}


def write(folder):
    """The tiny recipe with a document of every fate, one that kills among them in each file."""
    recipe = write_recipe(folder)
    for name, mark in (("news", poison.SEGFAULT), ("web", poison.HUNGRY)):
        path = folder / f"{name}.jsonl"
        lines = path.read_text().splitlines()
        lines.insert(3, json.dumps({"id": "killer", "text": f"{text(77)} {mark.decode()} {text(78)}"}))
        path.write_text("\n".join(lines) + "\n")
    recipe.write_text(recipe.read_text() + "sandbox: {max_memory_bytes: 536870912}\n")
    return recipe


def run(where, recipe, out, *more, to="apply"):
    """Exit code of a run in a process of its own, negative for a signal, and what it printed."""
    words = [str(recipe), "--out", str(out), "--to", to, "--ray", "none", "--json", *more]
    told = recipe.with_name("told.txt")
    return forked(lambda: poison.run(where, words), told), told.read_text()


def documents(out):
    step = json.loads((out / "work/ledger/extract.json").read_text())["units"]
    return {unit: Store(str(out)).read_table(commit["files"]["table"]["path"]) for unit, commit in sorted(step.items())}


def digests(out, step):
    units = json.loads((out / f"work/ledger/{step}.json").read_text())["units"]
    return {unit: {n: info["sha256"] for n, info in commit["files"].items()} for unit, commit in units.items()}


def killed_rows(out):
    return {
        row["source"]: row
        for table in documents(out).values()
        for row in table.select(["source", "reason", "detail", "text"]).to_pylist()
        if row["reason"] and row["reason"].endswith(".killed_worker")
    }


def until_done(where, recipe, out):
    """Run again, as a user would, until it does not die; returns how often it died."""
    for deaths in range(3):
        code, said = run(where, recipe, out)
        if code != -signal.SIGSEGV:
            assert code == 0, said
            return deaths
    raise AssertionError("it dies every time")


@pytest.mark.slow
def test_a_parser_that_dies_gives_the_bytes_of_one_that_refuses(tmp_path, monkeypatch):
    recipe, out = write(tmp_path), tmp_path / "out"
    assert until_done("parser", recipe, out) == 1
    rows = killed_rows(out)
    assert {source: row["reason"] for source, row in rows.items()} == {
        "news": "extract.killed_worker",
        "web": "extract.killed_worker",
    }
    assert "SIGSEGV" in rows["news"]["detail"]
    assert "out of memory" in rows["web"]["detail"]
    assert not (out / "work/ledger/at_work").exists()

    details = {poison.SEGFAULT: rows["news"]["detail"], poison.HUNGRY: rows["web"]["detail"]}
    monkeypatch.setattr(poison, "REFUSED", details)
    monkeypatch.setattr("pipeline.extract.step.extract_shard", poison.extract_shard)
    from pipeline.run import main

    assert main([str(recipe), "--out", str(tmp_path / "refused"), "--ray", "none", "--to", "apply", "--json"]) == 0
    for step in ("extract", "measure", "decide", "settle"):
        assert digests(out, step) == digests(tmp_path / "refused", step), step


def test_a_judge_that_dies_sends_its_document_to_quarantine(tmp_path):
    recipe, out = write(tmp_path), tmp_path / "out"
    assert until_done("judge", recipe, out) == 1
    rows = killed_rows(out)
    assert {row["reason"] for row in rows.values()} == {"measure.killed_worker"}
    assert set(rows) == {"news", "web"}
    assert all(row["text"] == "" for row in rows.values())
    settled = json.loads((out / "work/ledger/settle.json").read_text())["units"]["all"]["balance"]
    assert settled["entered"] == 22
    assert settled["quarantined"] == 3
    before = digests(out, "settle")
    assert run("judge", recipe, out)[0] == 0
    assert digests(out, "settle") == before


def test_a_time_limit_is_asked_for_and_then_every_task_is_in_the_sandbox(tmp_path):
    recipe, out = write(tmp_path), tmp_path / "out"
    code, said = run("parser", recipe, out, "--set", "sandbox.max_cpu_s=60", to="extract")
    assert code == 0, said
    assert set(killed_rows(out)) == {"news", "web"}


@pytest.mark.slow
def test_on_ray_a_death_is_one_documents_and_costs_nothing_else(tmp_path, monkeypatch):
    recipe, out, other = write(tmp_path), tmp_path / "out", tmp_path / "in_process"
    monkeypatch.setattr("pipeline.extract.step.extract_shard", poison.extract_shard)
    from pipeline.run import main

    assert main([str(recipe), "--out", str(out), "--ray", "local", "--workers", "2", "--to", "apply", "--json"]) == 0
    assert set(killed_rows(out)) == {"news", "web"}
    until_done("parser", recipe, other)
    assert digests(out, "settle") == digests(other, "settle")
