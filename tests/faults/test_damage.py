"""Damage on disk: `verify` finds every damaged file of a finished run, and the next run makes it again."""

import json
import re
import shutil

import pytest

from pipeline.__main__ import main as command
from pipeline.run import main
from tests.faults.tiny import write_recipe

pytestmark = pytest.mark.faults


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


DAMAGE = {
    "flip": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zero": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "delete": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    recipe = write_recipe(folder)
    assert main(words(recipe, folder / "out")) == 0
    return recipe, folder / "out"


def words(recipe, out):
    return [str(recipe), "--out", str(out), "--ray", "none", "--json"]


def said(capsys, call, arguments):
    capsys.readouterr()
    code = call(arguments)
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def one_of_each_kind(out):
    """A file of every folder, fixed name and ending that has a byte to lose: files of steps, and records of the ledger."""
    kinds = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.stat().st_size:
            name = re.sub(r"[0-9a-f]{12,}|\d+", "N", str(path.relative_to(out)))
            kinds.setdefault(name, path)
    ledger = out / "work/ledger"
    return {
        "files": [path for path in kinds.values() if not path.is_relative_to(ledger)],
        "steps": [path for path in kinds.values() if path.parent == ledger],
        "units": [path for path in kinds.values() if path.parent.parent == ledger],
    }


@pytest.mark.parametrize("what", ["files", "steps", "units"])
@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_found_and_made_again(finished, tmp_path, capsys, how, what):
    recipe, whole = finished
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    wanted = json.loads((out / "work/result.json").read_text())["root_hash"]
    sums = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    broken = one_of_each_kind(out)[what]
    assert len(broken) > 15
    for path in broken:
        DAMAGE[how](path)
    code, found = said(capsys, command, ["verify", "--run", str(out), "--json"])
    assert code == 3
    missed = {str(path.relative_to(out)) for path in broken} - {one["path"] for one in found["damaged"]}
    assert missed == set()
    code, again = said(capsys, main, words(recipe, out))
    assert (code, again["root_hash"]) == (0, wanted)
    assert said(capsys, command, ["verify", "--run", str(out), "--json"])[1]["damaged"] == []
    for path, data in sums.items():
        if path.parts[0] != "work" or path.parts[1] not in ("ledger", "result.json", "recipe.json"):
            assert path.name in ("report.html", "report.json") or (out / path).read_bytes() == data, path


def test_edited_counts_are_found(finished, tmp_path, capsys):
    recipe, whole = finished
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    path = out / "work/ledger/settle.json"
    text = path.read_text()
    changed = re.sub(r'"kept":(\d+)', lambda match: f'"kept":{int(match[1]) + 100}', text)
    assert changed != text
    path.write_text(changed)
    assert said(capsys, command, ["verify", "--run", str(out), "--json"])[0] == 3
    code, again = said(capsys, main, words(recipe, out))
    assert code == 0
    before = json.loads((whole / "work/result.json").read_text())["documents"]
    assert again["documents"] == before
