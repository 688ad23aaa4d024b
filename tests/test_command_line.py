"""The command line answers mistakes with the nearest right word, and needs next to nothing to say what it can do."""

import json
import subprocess
import sys

import pytest

from pipeline.__main__ import main
from pipeline.run import main as run
from tests.faults.tiny import write_recipe


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "did you mean status?"),
        (["status", "--rum", "x"], "did you mean --run?"),
        (["plan", "--parms", "3"], "did you mean --params?"),
        (["inspect", "--verdict", "removd"], "did you mean removed?"),
    ],
)
def test_a_mistyped_word_is_answered(words, said, capsys):
    try:
        code = main(words)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert said in capsys.readouterr().err


def test_a_mistyped_option_of_the_run_is_answered(capsys):
    with pytest.raises(SystemExit) as left:
        run(["recipes/finance.yaml", "--sett", "mix.domain=1"])
    assert left.value.code == 2
    assert "did you mean --set?" in capsys.readouterr().err


def test_no_process_is_no_number_of_processes(capsys):
    assert run(["recipes/finance.yaml", "--workers", "0"]) == 2
    assert "--workers 0: expected a number of processes from 1" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--check", "--write"])
def test_a_schema_that_is_not_there_is_a_sentence(option, tmp_path, capsys):
    assert main(["schema", option, str(tmp_path / "no" / "schema.json")]) == 2
    assert "schema.json: No such file or directory" in capsys.readouterr().err


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decided")
    out = folder / "out"
    assert run([str(write_recipe(folder)), "--out", str(out), "--ray", "none", "--to", "decide", "--json"]) == 0
    return out


def test_inspect_knows_the_rules_and_sources_of_its_run(decided, capsys):
    asked = ["inspect", "--run", str(decided), "--json"]
    capsys.readouterr()
    assert main([*asked, "--rule", "gopher.min_num_words"]) == 0
    assert len(json.loads(capsys.readouterr().out)["documents"]) == 1
    assert main([*asked, "--rule", "gopher.max_bullet_line_frac"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == []
    assert main([*asked, "--rule", "minhash.duplicate"]) == 0
    assert "no document was hit by minhash.duplicate" in capsys.readouterr().err
    assert main([*asked, "--rule", "gopher.min_num_word"]) == 0
    assert "did you mean gopher.min_num_words?" in capsys.readouterr().err
    assert main([*asked, "--rule", "goofer.min_num_words"]) == 2
    assert "no such stage; did you mean gopher.min_num_words?" in capsys.readouterr().err
    assert main([*asked, "--source", "newz"]) == 2
    assert "did you mean news?" in capsys.readouterr().err


def test_another_threshold_must_be_a_number(decided, capsys):
    assert main(["whatif", "gopher.min_num_words=abc", "--run", str(decided)]) == 2
    assert "gopher.min_num_words: Input should be a valid number" in capsys.readouterr().err


def test_a_damaged_ledger_is_said_and_no_traceback_alone(decided, capsys):
    path = decided / "work/ledger/decide.json"
    before = path.read_text()
    path.write_text('{"units": {"all": {}}}')
    try:
        assert main(["status", "--run", str(decided), "--json"]) == 3
    finally:
        path.write_text(before)
    assert "a run of another version" in capsys.readouterr().err


def test_help_imports_no_kernel_and_no_arrow():
    code = "import sys; from pipeline.__main__ import parser; parser(); import pipeline.run; pipeline.run.parser(); "
    code += "sys.exit(any(name in sys.modules for name in ('numba', 'pyarrow', 'numpy', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
