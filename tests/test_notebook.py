"""The notebooks of docs/ run from the first cell to the last, each last expression shown as a notebook would show it."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "docs").glob("*.ipynb"))


def cells(path):
    """Source of each cell of code, in order."""
    read = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in read["cells"] if cell["cell_type"] == "code"]


def executed(sources):
    """What each cell shows: the value of its last expression, or None."""
    names, shown = {"__name__": "notebook"}, []
    for source in sources:
        *body, last = ast.parse(source).body
        if not isinstance(last, ast.Expr):
            body, last = [*body, last], ast.Expr(ast.Constant(None))
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return shown


def test_there_is_a_notebook_and_it_is_stored_without_outputs():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_something_in_every_cell(path, tiny_runs, monkeypatch):
    monkeypatch.setenv("RUN", str(tiny_runs / "two"))
    monkeypatch.setenv("OTHER", str(tiny_runs / "one"))
    shown = executed(cells(path))
    assert all(value is not None for value in shown)
    if path.stem == "ask-a-run":
        assert "gopher" in shown[0]._repr_html_()
        length, rows, verdict, answer, back = shown[1:6]
        assert 0 < len(rows) == min(5, length)
        assert verdict["verdict"] == "removed"
        assert answer["after"]["kept"] > answer["before"]["kept"]
        assert sum(one["documents"] for one in back.values()) == answer["after"]["kept"] - answer["before"]["kept"]
