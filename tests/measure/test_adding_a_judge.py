"""A new judge is one file: written into the package, it is measured, decided by, and in the recipe's schema."""

import json
import sys

import pytest

import pipeline.measure.judges as package
from pipeline.core import judge as registry
from pipeline.core.run_folder import open_run
from pipeline.recipe.model import json_schema, recipe_model
from pipeline.run import main

SHOUTING = '''
"""Share of capital letters."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings, Threshold


class Shouting(JudgeSettings):
    """Share of capital letters."""

    max_capital_frac: Threshold = None


@judge("shouting", version=1, settings=Shouting, reads=["text"], adds={"capital_frac": pa.float32()})
def shouting(batch: pa.RecordBatch, settings: Shouting) -> Columns:
    letters = pc.count_substring_regex(batch["text"], r"\\\\pL")
    capitals = pc.count_substring_regex(batch["text"], r"\\\\p{Lu}")
    return {"capital_frac": pc.divide(pc.cast(capitals, pa.float32()), pc.max_element_wise(letters, 1))}
'''.replace("\\\\", "\\")


@pytest.fixture
def shouting(tmp_path, monkeypatch):
    """The file where the others are; afterwards nothing of it is left."""
    folder = tmp_path / "judges"
    folder.mkdir()
    (folder / "shouting.py").write_text(SHOUTING)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    recipe_model.cache_clear()
    yield
    registry._REGISTRY.pop("shouting", None)
    sys.modules.pop("pipeline.measure.judges.shouting", None)
    recipe_model.cache_clear()


def test_one_file_is_a_judge(shouting, tmp_path, capsys):
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "loud.txt").write_text("BUY NOW AND SAVE ON EVERYTHING IN THE SHOP")
    (texts / "calm.txt").write_text("The shop on the corner sells bread, milk and eggs.")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: loud\nuse: here\nsources: {{here: [{{name: texts, kind: text, path: {texts}}}]}}\n"
        "curate: [{shouting: {max_capital_frac: 0.5}}]\n"
    )
    out = tmp_path / "run"
    assert main([str(recipe), "--out", str(out), "--ray", "none", "--to", "decide", "--json"]) == 0
    opened = open_run(str(out))
    verdicts = {}
    for shard in opened.shards:
        rows = zip(opened.documents(shard)["path"], opened.verdicts(shard).to_pylist(), strict=True)
        verdicts |= {path.as_py(): (row["verdict"], row["reasons"]) for path, row in rows}
    assert verdicts == {
        "calm.txt": ("kept", []),
        "loud.txt": ("removed", ["shouting.max_capital_frac"]),
    }
    assert "max_capital_frac" in json.dumps(json_schema())
