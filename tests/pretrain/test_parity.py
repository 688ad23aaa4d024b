"""All strategies and precisions give the same training: 2 processes against each other and against one."""

import pytest

from .conftest import case, train_many

pytestmark = pytest.mark.train

QUICK = ["steps=5", "evaluate.every_steps=5", "evaluate.max_samples=3", "export.huggingface=false", "global_batch=6"]
STRATEGIES = {
    "ddp": ["parallel.sharding=ddp"],
    "zero1": ["parallel.sharding=zero1", "micro_batch=1"],
    "zero2": ["parallel.sharding=zero2", "micro_batch=2"],
    "full": ["parallel.sharding=full", "micro_batch=2"],
    "hybrid1": ["parallel.sharding=hybrid", "parallel.sharding_factor=1", "micro_batch=1"],
    "hybrid2": ["parallel.sharding=hybrid", "parallel.sharding_factor=2"],
    "offload": ["parallel.sharding=full", "parallel.offload=true"],
    "selective": ["parallel.sharding=full", "parallel.activation_checkpointing=selective"],
    "recompute": ["parallel.sharding=full", "parallel.activation_checkpointing=full"],
}


@pytest.fixture(scope="module")
def results(handoff, tmp_path_factory):
    out = tmp_path_factory.mktemp("parity")
    cases = [case(name, handoff, out, *QUICK, *extra) for name, extra in STRATEGIES.items()]
    for precision in ("bf16", "fp16"):
        for name in ("ddp", "zero1", "full"):
            extra = [*STRATEGIES[name], f"parallel.precision={precision}"]
            cases.append(case(f"{precision}-{name}", handoff, out, *QUICK, *extra))
    two = train_many(out, 2, cases)
    alone = [
        case("one", handoff, out, *QUICK, "parallel.sharding=none", "micro_batch=6"),
        case("one-accumulated", handoff, out, *QUICK, "parallel.sharding=none", "micro_batch=4"),
        case("bf16-one", handoff, out, *QUICK, "parallel.sharding=none", "parallel.precision=bf16"),
        case("fp16-one", handoff, out, *QUICK, "parallel.sharding=none", "parallel.precision=fp16"),
        case("one-recompute", handoff, out, *QUICK, "parallel.sharding=none", "parallel.activation_checkpointing=full"),
    ]
    return {**two, **train_many(out, 1, alone)}


def test_the_reference_learns(results):
    losses = results["one"]["losses"]
    assert len(losses) == 5
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("name", [*STRATEGIES, "one-accumulated", "one-recompute"])
def test_fp32_agrees_to_1e_5(results, name):
    assert results[name]["losses"] == pytest.approx(results["one"]["losses"], abs=1e-5)
    assert results[name]["norms"] == pytest.approx(results["one"]["norms"], abs=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_agrees_to_1e_3(results, precision):
    for name in ("ddp", "zero1", "full"):
        assert results[f"{precision}-{name}"]["losses"] == pytest.approx(
            results[f"{precision}-one"]["losses"], abs=1e-3
        )
    assert results[f"{precision}-one"]["losses"] == pytest.approx(results["one"]["losses"], abs=0.05)
    assert results[f"{precision}-one"]["losses"] != results["one"]["losses"]


def test_held_out_loss_agrees(results):
    one = results["one"]["summary"]["validation"]
    for name in STRATEGIES:
        for source, found in results[name]["summary"]["validation"].items():
            assert found["targets"] == one[source]["targets"]
            assert found["loss"] == pytest.approx(one[source]["loss"], abs=1e-4)
