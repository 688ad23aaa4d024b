"""What only a GPU runs, as far as it shows without one: FlashAttention's path on meta tensors, and compiled graphs."""

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
)

from recipes.pretrain import attention
from recipes.pretrain.attention import fits_varlen
from recipes.pretrain.model import Trainable
from recipes.pretrain.parallel import checkpoint_activations

pytestmark = pytest.mark.train

SMALL = {
    "vocab_size": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "attn_implementation": attention.NAME,
}
WIDE = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SMALL, **WIDE, num_key_value_heads=2)),
    "gpt2": (GPT2LMHeadModel, GPT2Config(**SMALL, n_embd=64, n_layer=3, n_head=4, attn_pdrop=0.0)),
    "bert": (BertForMaskedLM, BertConfig(**SMALL, **WIDE, attention_probs_dropout_prob=0.0)),
    "modernbert": (ModernBertForMaskedLM, ModernBertConfig(**SMALL, **WIDE, cls_token_id=1, sep_token_id=1)),
}  # fmt: skip


def batch(device):
    zeros = torch.zeros(2, 32, dtype=torch.long, device=device)
    names = ("inputs", "labels", "docs", "positions")
    return {
        **dict.fromkeys(names, zeros),
        "cu_seqlens": torch.zeros(65, dtype=torch.int32, device=device),
        "longest": torch.tensor(16),
    }


def trainable(name, mode, device, varlen):
    attention.register()
    kind, config = MODELS[name]
    with torch.device(device):
        model = kind(config)
    found = Trainable(model.bfloat16() if varlen else model, 0.0, varlen).train()
    if mode != "none":
        checkpoint_activations(found.blocks, mode)
    return found


@pytest.mark.parametrize("mode", ["none", "selective", "full"])
@pytest.mark.parametrize("name", MODELS)
def test_attention_by_document_lengths_has_its_shapes_and_gradients(name, mode):
    model = trainable(name, mode, "meta", varlen=True)
    assert fits_varlen(model.model, "bf16")
    sums = model(batch("meta"))
    sums[0].backward()
    assert sums.shape == (3,)
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())


def test_flash_attention_is_for_what_it_can_compute():
    plain = trainable("llama", "none", "meta", varlen=True).model
    assert not fits_varlen(plain, "fp32")  # its kernels take 16-bit values
    plain.config.attention_dropout = 0.1
    assert not fits_varlen(plain, "bf16")  # and drop no weights


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("varlen", [False, True])
@pytest.mark.parametrize(
    "mode", ["none", pytest.param("selective", marks=pytest.mark.slow), pytest.param("full", marks=pytest.mark.slow)]
)
def test_all_blocks_share_one_compiled_graph_without_breaks(mode, varlen):
    device = "meta" if varlen else "cpu"
    torch._dynamo.reset()
    counters.clear()
    model = trainable("llama", mode, device, varlen)
    for block in model.blocks:
        block.compile(backend="aot_eager")
    for _ in range(2):
        model(batch(device))[0].backward()
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    torch._dynamo.reset()


def test_recomputing_selectively_keeps_the_attention():
    """Of flash attention's forward there is one call a block, recomputed or not."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.calls += func is torch.ops.torch_attn._varlen_attn.default
            return func(*args, **(kwargs or {}))

    for mode, expected in (("none", 3), ("selective", 3), ("full", 6)):
        model = trainable("llama", mode, "meta", varlen=True)
        with Count() as count:
            model(batch("meta"))[0].backward()
        assert count.calls == expected, mode
