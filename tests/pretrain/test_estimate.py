"""`--estimate`: the plan's memory beside the device's; what cannot fit is refused."""

import json

import pytest

from recipes.pretrain.__main__ import main
from recipes.pretrain.estimate import estimate
from recipes.pretrain.inputs import open_handoff

pytestmark = pytest.mark.train


def test_estimate_prints_and_trains_nothing(handoff, tmp_path, capsys):
    assert main([str(handoff), "--estimate", "--json", "--set", f"out={tmp_path / 'none'}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fits"] is True
    assert found["needed_bytes"] <= found["device_bytes"]
    assert not (tmp_path / "none").exists()


def test_what_cannot_fit_is_refused(handoff, capsys):
    settings = [
        "--set",
        "model.preset=llama-3.1-8b",
        "--set",
        "model.hidden_size=65536",
        "--set",
        "model.num_layers=200",
    ]
    assert main([str(handoff), "--estimate", *settings]) == 2
    assert "one step needs" in capsys.readouterr().err


def test_sharding_and_recomputing_need_less(handoff):
    def peak(processes, *settings):
        opened = open_handoff(
            str(handoff), ["model.preset=llama-3.2-1b", "micro_batch=4", "global_batch=64", *settings]
        )
        return estimate(opened, processes, None, on_gpu=True)["peak_bytes"]

    assert peak(8, "parallel.sharding=full") < peak(8, "parallel.sharding=zero1") < peak(8, "parallel.sharding=ddp")
    checkpointed = peak(1, "parallel.sharding=none", "parallel.activation_checkpointing=full")
    assert checkpointed <= peak(1, "parallel.sharding=none")


@pytest.mark.timeout(1200)  # bf16 products without AVX-512 take minutes
@pytest.mark.parametrize(
    ("micro", "checkpointing", "precision"),
    [(1, "none", "fp32"), (2, "full", "fp32"), pytest.param(8, "none", "bf16", marks=pytest.mark.slow)],
)
def test_the_estimate_is_what_a_step_allocates(micro, checkpointing, precision):
    from bench.memory import measure

    row = measure(micro, checkpointing, layers=2, precision=precision)
    assert row["estimate_bytes"] == pytest.approx(row["peak_bytes"], rel=0.05), row
