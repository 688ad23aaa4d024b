"""int8 and quantisation-aware training (where torchao is installed), and what is said where it is not or cannot be."""

import importlib.util
import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.handoff import UsageError
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.loop import Trainer
from recipes.pretrain.quantize import quantize_matmuls

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]
INSTALLED = importlib.util.find_spec("torchao") is not None
needs_torchao = pytest.mark.skipif(not INSTALLED, reason="torchao is not installed: the extra `quant`")
RUN = ["parallel.sharding=none", "steps=15", "evaluate.every_steps=15", "report.every_steps=1"]


def train(handoff, out, world, *settings):
    return Trainer(open_handoff(str(handoff), [f"out={out}", *RUN, *settings]), world).run()


@needs_torchao
def test_int8_export_loads_and_loses_little(handoff, tmp_path, world, capsys):
    summary = train(handoff, tmp_path, world, "export.int8=true")
    assert set(summary["int8"]) == {"filings", "wiki"}
    for name, row in summary["int8"].items():
        assert row["loss"] == pytest.approx(summary["validation"][name]["loss"], abs=1e-4)
        assert abs(row["difference"]) < 0.02
        assert row["difference"] != 0
    assert "int8  filings: loss" in capsys.readouterr().err
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    rounded = AutoModelForCausalLM.from_pretrained(tmp_path / "model-int8", dtype=torch.float32)
    assert type(rounded.model.layers[0].mlp.up_proj.weight.data).__name__ != "Tensor"
    ids = torch.arange(40, 60)[None]
    assert (whole(ids).logits - rounded(ids).logits).abs().max() < 0.5
    assert (tmp_path / "model-int8" / "tokenizer.json").is_file()


@needs_torchao
def test_qat_trains_with_the_rounding_it_is_exported_with(handoff, tmp_path, world):
    summary = train(handoff, tmp_path, world, "export.int8=true", "export.qat=true")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["val"]["wiki"]["loss"] < lines[0]["val"]["wiki"]["loss"] - 1
    for name, row in summary["int8"].items():
        # what was measured while training is the loss of the int8 model, not of the whole weights
        assert summary["validation"][name]["loss"] == pytest.approx(row["int8_loss"], abs=2e-3)


@pytest.mark.skipif(INSTALLED, reason="torchao is installed")
@pytest.mark.parametrize("setting", ["export.int8=true", "export.qat=true", "parallel.precision=fp8"])
def test_without_torchao_the_extra_is_named(handoff, tmp_path, world, setting):
    with pytest.raises(UsageError, match="install the extra `quant`"):
        train(handoff, tmp_path, world, setting)


def test_fp8_on_a_cpu_is_refused(monkeypatch):
    monkeypatch.setattr("recipes.pretrain.quantize.need_torchao", lambda setting: None)
    with pytest.raises(UsageError, match=r"8\.9"):
        quantize_matmuls([], torch.device("cpu"))
