"""Compiled code is found again only where nothing it was made of has changed."""

import importlib
import pkgutil
from pathlib import Path

import pytest
from numba.core.registry import CPUDispatcher

import pipeline
from pipeline.kernels import compiled

MODULES = sorted(
    module.name
    for part in ("kernels", "measure", "handoff")
    for module in pkgutil.walk_packages([str(Path(pipeline.__file__).parent / part)], f"pipeline.{part}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_every_kernel_a_file_can_call_is_in_its_digest(name: str):
    module = importlib.import_module(name)
    assert module.__file__
    own = {value for value in vars(module).values() if isinstance(value, CPUDispatcher) and value.__module__ == name}
    called = {
        Path(found.py_func.__code__.co_filename)
        for function in own
        for found in (function.py_func.__globals__.get(word) for word in function.py_func.__code__.co_names)
        if isinstance(found, CPUDispatcher)
    }
    assert called <= compiled.reached(Path(module.__file__))


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compiled, "HERE", tmp_path)
    (tmp_path / "low.py").write_text("SIZE = 1\n")
    (tmp_path / "middle.py").write_text("from pipeline.kernels.low import SIZE\n")
    (tmp_path / "high.py").write_text("import pipeline.kernels.middle\n")
    (tmp_path / "other.py").write_text("from pipeline.kernels import nothing_of_ours\n")
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    compiled.imported.cache_clear()
    compiled.source_digest.cache_clear()
    return {path.stem: compiled.source_digest(path) for path in sorted(folder.glob("*.py"))}


def test_a_change_reaches_the_files_above_and_no_other(kernels: Path):
    before = digests(kernels)
    (kernels / "low.py").write_text("SIZE = 2\n")
    after = digests(kernels)
    assert {name for name in before if before[name] != after[name]} == {"low", "middle", "high"}


def test_what_is_reached_survives_a_circle(kernels: Path):
    (kernels / "low.py").write_text("from pipeline.kernels import high, other\n")
    digests(kernels)
    assert {path.stem for path in compiled.reached(kernels / "middle.py")} == {"low", "middle", "high", "other"}
