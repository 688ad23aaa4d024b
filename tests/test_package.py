"""What the wheel holds, by the rules of pyproject.toml: all code and data of the product, and nothing of benches and tests."""

import fnmatch
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = ("pipeline", "recipes", "tokenizer")


@pytest.fixture(scope="module")
def packages():
    setuptools = pytest.importorskip("setuptools")
    return set(setuptools.find_namespace_packages(str(ROOT), **PROJECT["tool"]["setuptools"]["packages"]["find"]))


@pytest.fixture(scope="module")
def files():
    listed = subprocess.run(["git", "ls-files", *OURS], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed.splitlines() if (ROOT / name).exists()]


def test_packages_are_those_of_the_product(packages):
    assert {name.partition(".")[0] for name in packages} == set(OURS)


def test_every_module_is_in_a_package_and_every_data_file_matches_a_pattern(packages, files):
    patterns = ["*.py", *PROJECT["tool"]["setuptools"]["package-data"]["*"]]
    left = [
        str(path)
        for path in files
        if ".".join(path.parent.parts) not in packages
        or not any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert left == []


def test_the_command_is_declared():
    assert PROJECT["project"]["scripts"] == {"domain-corpus": "pipeline.__main__:main"}
