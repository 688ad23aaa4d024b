"""Hypothesis judges what a test finds, never how loaded the machine is; the longest files go first; tests that only ask a finished
run share one."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker has a core; torch's second thread waits busily on another's

LONGEST = (
    "test_main_job",
    "test_sweep",
    "test_pii",
    "test_learning",
    "test_domains",
    "test_docs",
    "test_command_line",
    "test_sandbox",
    "test_failures",
    "test_resume",
)


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory):
    """A folder with two finished runs of the tiny recipe, `one` and `two`, that differ in one threshold. To be asked, not changed."""
    from pipeline.run import main
    from tests.faults.tiny import write_recipe

    folder = tmp_path_factory.mktemp("tiny")
    recipe = write_recipe(folder)
    for name, more in (("one", []), ("two", ["--set", "curate.gopher.min_num_words=204"])):
        assert main([str(recipe), "--out", str(folder / name), "--ray", "none", "--no-train", "--json", *more]) == 0
    return folder


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest: a worker takes a whole file, and must not be left alone with one at the end."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


def pytest_collection_finish():
    """What is imported by now stays: neither the collector nor a forked child goes through it again."""
    gc.collect()
    gc.freeze()
