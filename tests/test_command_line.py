"""The command line answers mistakes with the nearest right word, and needs next to nothing to say what it can do."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.__main__ import COMMANDS, main, parsers
from pipeline.commands.doctor import NEEDED
from pipeline.flow import STAGES
from pipeline.run import main as run
from tests.faults.tiny import write_recipe

ROOT = Path(__file__).resolve().parent.parent


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


def test_the_stage_that_bore_the_name_of_the_model_is_answered(capsys):
    assert run(["recipes/finance.yaml", "--to", "train"]) == 2
    assert "--to train: unknown stage; did you mean classify?" in capsys.readouterr().err
    assert run(["recipes/finance.yaml", "--to", "decid"]) == 2
    assert "did you mean decide?" in capsys.readouterr().err


def test_run_is_a_command_like_the_others(capsys):
    assert main(["run", "finanse"]) == 2
    assert "finanse: no such recipe; did you mean finance?" in capsys.readouterr().err
    assert main(["run", "finance", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "runs/finance"


@pytest.mark.parametrize("call", [main, run])
def test_version(call, capsys):
    with pytest.raises(SystemExit) as left:
        call(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"domain-corpus {__version__}\n"


@pytest.mark.parametrize(
    ("words", "library"),
    [
        (["run", "finance"], "numba"),
        (["run", "finance"], "ray"),
        (["run", "finance"], "yaml"),
        (["run", "finance", "--dry-run"], "pydantic"),
        (["status"], "pyarrow"),
        (["schema"], "numba"),
        (["plan", "--params", "1B"], "rich"),
    ],
)
def test_a_missing_library_is_one_sentence(words, library, tmp_path):
    code = f"import sys; sys.modules[{library!r}] = None; from pipeline.__main__ import main; sys.exit(main({words!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: the library {library} is not installed for {sys.executable}: `pip install")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_doctor_looks_at_every_dependency_and_needs_none(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(NEEDED) == sorted(re.split(r"[>=<\[]", line)[0] for line in project["dependencies"])
    code = "import sys; sys.path.insert(0, sys.argv[1]); from pipeline.__main__ import main; sys.exit(main(['doctor', '--json']))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    absent = [row["name"] for row in json.loads(done.stdout)["checks"] if row["says"] == "absent"]
    assert absent == list(NEEDED)


def completed(words: list[str], tmp_path) -> set[str]:
    """What bash offers for the last of the words."""
    script = tmp_path / "completion.bash"
    script.write_text(subprocess.run([sys.executable, "-m", "pipeline", "completion", "bash"],
                                     cwd=ROOT, capture_output=True, text=True, check=True).stdout)  # fmt: skip
    asked = f"source {script}; COMP_WORDS=({' '.join(words)} ''); COMP_CWORD={len(words)}; _domain_corpus; "
    asked += 'printf "%s\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not done.stderr
    return set(done.stdout.split())


def test_bash_completes_what_the_parsers_know(tmp_path):
    assert completed(["domain-corpus"], tmp_path) == {*COMMANDS, "--help", "--version"}
    assert {"finance", "--to", "--set", "completion.bash"} <= completed(["domain-corpus", "run"], tmp_path)
    assert completed(["domain-corpus", "run", "finance", "--to"], tmp_path) == set(STAGES)
    assert completed(["domain-corpus", "inspect", "--verdict"], tmp_path) == {"kept", "removed", "quarantined"}
    assert "--petaflops-days" in completed(["domain-corpus", "plan"], tmp_path)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_every_command_and_option(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name, parser in parsers().items():
        assert name in script
        options = [option for action in parser._actions for option in action.option_strings]
        shown = [option.lstrip("-") if shell == "fish" else option for option in options if option != "-h"]
        assert [option for option in shown if option not in script] == []


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
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main([*asked, "--rule", "gopher.max_bullet_line_frac"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*asked, "--rule", "minhash.duplicate"]) == 0
    assert "no document was hit by minhash.duplicate" in capsys.readouterr().err
    assert main([*asked, "--rule", "gopher.min_num_word"]) == 2
    assert "did you mean gopher.min_num_words?" in capsys.readouterr().err
    assert main([*asked, "--rule", "goofer.min_num_words"]) == 2
    assert "no such stage; did you mean gopher.min_num_words?" in capsys.readouterr().err
    assert main([*asked, "--source", "newz"]) == 2
    assert "did you mean news?" in capsys.readouterr().err


def test_another_threshold_must_be_a_number(decided, capsys):
    assert main(["whatif", "gopher.min_num_words=abc", "--run", str(decided)]) == 2
    assert "gopher.min_num_words: Input should be a valid number" in capsys.readouterr().err


def test_whatif_and_explain_know_the_bounds_of_a_source(tmp_path, capsys):
    recipe = write_recipe(tmp_path)
    asked = ["--set", "curate.gopher.by_source={news: {min_num_words: 9000}}"]
    assert run([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--to", "decide", "--json", *asked]) == 0
    at = ["--run", str(tmp_path / "out"), "--json"]

    def reasons(change: str) -> dict:
        capsys.readouterr()
        assert main(["whatif", change, *at]) == 0
        return json.loads(capsys.readouterr().out)["after"]["first_reasons"]

    strict = reasons("gopher.min_num_words=20")["gopher.min_num_words"]
    assert reasons("gopher.by_source.news.min_num_words=20").get("gopher.min_num_words", 0) < strict
    assert main(["whatif", "gopher.by_source.news.min_num_word=20", *at]) == 2
    assert "no threshold named 'min_num_word'; did you mean min_num_words?" in capsys.readouterr().err
    assert main(["whatif", "gopher.by_source.nwes.min_num_words=20", *at]) == 2
    assert "this run has no source nwes; did you mean news?" in capsys.readouterr().err
    assert "gopher.min_num_words" in reasons("gopher.by_source.web.min_num_words=20")
    assert main(["inspect", "--source", "news", "--rule", "gopher.min_num_words", "--limit", "1", *at]) == 0
    removed = json.loads(capsys.readouterr().out.splitlines()[0])["id"]
    assert main(["explain", removed, "--run", str(tmp_path / "out")]) == 0
    assert "bound 9000" in capsys.readouterr().out


def test_a_damaged_ledger_is_said_and_no_traceback_alone(decided, capsys):
    path = decided / "work/ledger/decide.json"
    before = path.read_text()
    path.write_text('{"units": {"all": {}}}')
    try:
        assert main(["status", "--run", str(decided), "--json"]) == 3
    finally:
        path.write_text(before)
    assert "makes it again" in capsys.readouterr().err


def test_help_imports_no_kernel_and_no_arrow():
    code = "import sys; from pipeline.__main__ import parser; parser(); import pipeline.run; pipeline.run.parser(); "
    code += "sys.exit(any(name in sys.modules for name in ('numba', 'pyarrow', 'numpy', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
