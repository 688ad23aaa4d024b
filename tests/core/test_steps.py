"""What a user is told when a worker died: the number to lower is one that the recipe has."""

import pytest

from pipeline.core.code_version import code_version
from pipeline.core.execute import Assignment
from pipeline.core.ray_engine import guarded
from pipeline.core.steps import LOWER, Step, out_of_memory
from pipeline.recipe.model import load


@pytest.mark.parametrize("step", LOWER)
def test_the_setting_to_lower_is_one_of_the_recipe(step):
    section, _, name = LOWER[step].partition(".")
    assert getattr(getattr(load("recipes/finance.yaml"), section), name) > 0
    assert LOWER[step] in out_of_memory(step)


def exhausted(store, assignments):
    raise MemoryError


@pytest.mark.parametrize(("step", "said"), [(Step.SHARDS, "lower shards.shard_bytes"), (Step.PAIRS, "fewer CPUs")])
def test_a_worker_without_memory_is_a_sentence_with_the_number_to_lower(tmp_path, step, said):
    kind, message = guarded(str(tmp_path), exhausted, [Assignment(step, "all", "f" * 32, {}, {})], code_version())
    assert kind == "InfrastructureError"
    assert message.startswith(f"{step} all: the worker ran out of memory")
    assert said in message
