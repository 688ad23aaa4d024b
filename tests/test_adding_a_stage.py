"""A new stage is one file and one line: it runs in its place, resumes, and is found by `--to`, `status` and `verify`."""

import json

import pytest

import pipeline.flow as flow
from pipeline.__main__ import main as command
from pipeline.run import main
from tests.faults.tiny import RECIPE, write_inputs

LONGEST = '''
"""The longest text of every shard, as a stage of its own."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Produced, Unit
from pipeline.core.steps import Step

LENGTHS = pa.schema([("longest", pa.int64())])


@dataclass
class LongestCounts:
    longest: int = 0


def measure_lengths(store, assignments):
    produced = []
    for assigned in assignments:
        sizes = store.read_table(assigned.reads["documents"].path, ["text_bytes"])["text_bytes"]
        longest = pc.max(sizes).as_py() or 0
        info = store.put_table(assigned.path("longest"), [pa.table([[longest]], LENGTHS)], LENGTHS)
        produced.append(Produced({"table": info}, LongestCounts(longest)))
    return produced


def longest(run):
    units = [Unit(shard, {"documents": run.file(Step.EXTRACT, shard)}) for shard in run.shards]
    return run.execute("longest", units, measure_lengths)
'''


@pytest.fixture
def with_stage(tmp_path, monkeypatch):
    (tmp_path / "longest_texts.py").write_text(LONGEST)
    monkeypatch.syspath_prepend(str(tmp_path))
    stages = {}
    for name, stage in flow.STAGES.items():
        stages[name] = stage
        if name == "extract":
            stages["longest"] = flow.Stage("longest_texts:longest", ("longest",))
    flow_stages = dict(flow.STAGES)
    flow.STAGES.clear()
    flow.STAGES.update(stages)
    yield tmp_path
    flow.STAGES.clear()
    flow.STAGES.update(flow_stages)


def test_one_file_and_one_line_are_a_stage(with_stage, capsys):
    folder = with_stage
    write_inputs(folder)
    (folder / "r.yaml").write_text(RECIPE.replace("PATH", str(folder)))
    arguments = [str(folder / "r.yaml"), "--out", str(folder / "out"), "--ray", "none", "--json", "--to", "longest"]
    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(first["steps"])[-1] == "longest"
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["steps"]["longest"] == "reused: did not change"
    assert command(["status", "--run", str(folder / "out"), "--json"]) == 0
    steps = {row["step"]: row for row in json.loads(capsys.readouterr().out.splitlines()[-1])["steps"]}
    assert steps["longest"]["units"] == steps["extract"]["units"] > 0
    table = next((folder / "out" / "work" / "longest").rglob("*.parquet"))
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    assert command(["verify", "--run", str(folder / "out")]) == 3
