"""`bench gpu --dry`: every row on a CPU, in an environment that has only what training needs."""

import json
import subprocess
import sys

import pytest

from .conftest import ENVIRONMENT

pytestmark = pytest.mark.train

BARE = """
import importlib.abc, runpy, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "llvmlite", "pyarrow", "ray", "datatrove", "lxml"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
sys.argv = ["bench", "gpu", "--dry", "--json"]
runpy.run_module("bench", run_name="__main__")
"""


def test_every_row_is_printed_as_it_ends_without_our_other_dependencies():
    done = subprocess.run(
        [sys.executable, "-c", BARE], env=ENVIRONMENT, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    rows = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"')]
    assert rows == result["shapes"] + result["memory"]
    packed, square = result["shapes"]
    assert packed["packed"]
    assert packed["flops_per_token_packed"] < packed["flops_per_token"]
    assert square["flops_per_token_packed"] == square["flops_per_token"]
    assert (packed["mfu"], packed["mfu_packed"]) == (None, None)  # nothing is made up on a CPU
