"""Memory: what sharding and checkpointing save, what fits, and the count of activations against torch's own."""

import dataclasses
import functools
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.size.activations import block_bytes, head_saved_bytes, saved_bytes
from pipeline.size.design import design, hyperparameters
from pipeline.size.gpus import GPUS, gpu_named
from pipeline.size.memory import Setup, fewest_gpus, static_bytes, step_memory
from pipeline.size.shape import Shape, padded, preset

from .published import serving_bytes
from .saved import saved_by

LLAMA_1B = Shape(16, 2048, 8192, 32, 8, 64, 128_256, True)


def test_activations_as_measured_on_llama_1b() -> None:
    """108,680 bytes per token and layer were measured with transformers' Llama in bf16 and fused attention."""
    assert block_bytes(LLAMA_1B, "bf16") == 108_680
    assert head_saved_bytes(LLAMA_1B, "bf16", chunked=False) == pytest.approx(4.13 * 128_256, rel=2e-3)


@given(st.floats(1e6, 5e11), st.sampled_from([4096, 32_768, 128_256]))
def test_designed_shapes_are_near_what_was_asked(params: float, vocab: int) -> None:
    shape = design(params, vocab)
    smallest = design(1, vocab)
    if params > 6 * smallest.params:
        assert shape.params == pytest.approx(params, rel=0.04)
    assert shape.vocab % 128 == 0
    assert shape.heads % shape.kv_heads == 0
    assert shape.heads * shape.head_dim == shape.hidden
    assert shape.hidden < 1024 or shape.head_dim == 128


def test_zero_stages_in_fp32() -> None:
    """Stage 1 = 4 + 4 + 8/W, stage 2 = 4 + (4 + 8)/W, stage 3 = 16/W bytes per parameter."""
    for sharding, each in (("ddp", 16), ("zero1", 9), ("zero2", 5.5), ("zero3", 2), ("full", 2), ("replicated", 16)):
        assert sum(static_bytes(1e9, Setup("fp32", sharding, 8))) == pytest.approx(each * 1e9)


def test_hybrid_shards_inside_a_group() -> None:
    assert sum(static_bytes(1e9, Setup("fp32", "hybrid", 64, sharding_factor=8))) == pytest.approx(2e9)
    assert Setup(sharding="hybrid", gpus=64).factors() == (8, 8, 8)
    with pytest.raises(UsageError, match="sharding_factor 3 does not divide 8"):
        Setup(sharding="hybrid", gpus=8, sharding_factor=3).factors()


@given(st.sampled_from(["fp32", "bf16", "fp16", "fp8", "int8"]), st.sampled_from([1, 2, 8, 64]))
def test_more_sharding_needs_less(precision: str, gpus: int) -> None:
    totals = [sum(static_bytes(7e9, Setup(precision, s, gpus))) for s in ("ddp", "zero1", "zero2", "zero3")]
    assert totals == sorted(totals, reverse=True)


def test_checkpointing_and_offload_save() -> None:
    plain = step_memory(LLAMA_1B, Setup(micro_batch=4, sequence=4096))
    selective = step_memory(LLAMA_1B, Setup(micro_batch=4, sequence=4096, checkpointing="selective"))
    full = step_memory(LLAMA_1B, Setup(micro_batch=4, sequence=4096, checkpointing="full"))
    assert plain.activations > selective.activations > full.activations
    offloaded = step_memory(LLAMA_1B, Setup(offload=True))
    assert offloaded.host == pytest.approx(16 * LLAMA_1B.params)
    assert offloaded.peak < step_memory(LLAMA_1B, Setup()).peak


def test_peak_is_between_static_and_the_sum() -> None:
    for setup in (Setup(), Setup(accumulation=4), Setup("fp32", "ddp", 2), Setup(chunked_loss=False)):
        made = step_memory(LLAMA_1B, setup)
        assert made.static - made.gradients < made.peak <= made.static + made.activations + made.transient + 1


def test_serving() -> None:
    assert [serving_bytes(7e9, p) / 1e9 for p in ("fp32", "bf16", "int8")] == [28, 14, 7]


def test_fewest_gpus() -> None:
    assert fewest_gpus(design(1.3e9, 32_000), Setup(), gpu_named("h100")).gpus == 1
    found = fewest_gpus(design(70e9, 32_000), Setup(checkpointing="full"), gpu_named("h100"))
    assert found.gpus == 16  # states of 16 bytes a parameter are 70 GB on each, and the block at work comes on top
    assert found.fits
    assert not fewest_gpus(design(5e12, 32_000), Setup(), gpu_named("t4")).fits


def test_gpu_names() -> None:
    assert gpu_named("H100 SXM").name == "h100"
    assert gpu_named("NVIDIA H20").name == "h20"
    assert gpu_named("h200").memory_gb == 141
    with pytest.raises(UsageError, match="did you mean h200"):
        gpu_named("h2000")
    assert {gpu.name for gpu in GPUS.values()} == set(GPUS)


def test_vocabulary_is_padded() -> None:
    assert [padded(n) for n in (1, 128, 129, 50_257)] == [128, 128, 256, 50_304]
    assert preset("tiny", 4000).vocab == 4096


def test_ladder() -> None:
    made = hyperparameters(1e9, 20e9, 2048)
    assert made.learning_rate == pytest.approx(1.12e-3, rel=2e-3)
    assert made.batch_tokens == pytest.approx(1.44e6, rel=0.01)
    assert made.beta2 == 0.95


@pytest.mark.train
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2)])
def test_saved_activations_against_torch(heads: int, kv_heads: int) -> None:
    """Every tensor a real forward pass saves for backward, weights apart, is in our count: within 3 %."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    shape = Shape(3, 128, 352, heads, kv_heads, 32, 512, True)
    config = transformers.LlamaConfig(
        hidden_size=shape.hidden, intermediate_size=shape.ffn, num_hidden_layers=shape.layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=32, vocab_size=shape.vocab,
        tie_word_embeddings=True, attn_implementation="sdpa", use_cache=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    assert sum(p.numel() for p in model.parameters()) == shape.params
    tokens = torch.zeros((2, 256), dtype=torch.long)
    measured = saved_by(torch, model, lambda: model(tokens, labels=tokens).loss)
    ours = saved_bytes(shape, "fp32", tokens.numel(), chunked=False)
    assert ours == pytest.approx(measured, rel=0.03)
    assert dataclasses.asdict(step_memory(shape, Setup("fp32", "none", 1)))["peak"] > 16 * shape.params


class LiveBytes:
    """Bytes of all tensors made, `apart` apart, and their peak: what an operation returns is followed until it is freed."""

    def __init__(self, torch, apart) -> None:
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        self.now = self.peak = 0
        self.sizes: dict[int, int] = {}
        self.apart = {tensor.untyped_storage()._cdata for tensor in apart}
        outer = self

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                made = function(*args, **(kwargs or {}))
                for tensor in tree_leaves(made):
                    if isinstance(tensor, torch.Tensor):
                        outer.follow(tensor.untyped_storage())
                return made

        self.mode = Mode()

    def follow(self, storage) -> None:
        if storage._cdata not in self.sizes and storage._cdata not in self.apart:
            self.sizes[storage._cdata] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.forget, storage._cdata)

    def forget(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)


@pytest.mark.train
@pytest.mark.parametrize("checkpointing", ["none", "full"])
def test_peak_of_a_real_step(checkpointing: str) -> None:
    """One step of the pre-training recipe in fp32 on the CPU: the peak of live bytes is the estimate's, within 3 %."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    transformers = pytest.importorskip("transformers")
    from torch.utils.checkpoint import checkpoint

    from recipes.pretrain.loss import head_loss

    shape = Shape(4, 128, 384, 4, 4, 32, 2048, True)
    config = transformers.LlamaConfig(
        hidden_size=shape.hidden, intermediate_size=shape.ffn, num_hidden_layers=shape.layers,
        num_attention_heads=4, num_key_value_heads=4, head_dim=32, vocab_size=shape.vocab,
        tie_word_embeddings=True, attn_implementation="sdpa", use_cache=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    if checkpointing == "full":
        for block in model.model.layers:
            block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    tokens = torch.zeros((4, 256), dtype=torch.long)

    def step() -> None:
        hidden = model.model(input_ids=tokens, use_cache=False)[0].flatten(0, 1)
        head_loss(hidden, model.lm_head.weight, tokens.flatten())[0].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()  # makes the optimizer's states
    live = LiveBytes(torch, model.parameters())
    with live.mode:
        step()
    measured = live.peak + 12 * shape.params  # weights and states were there before
    setup = Setup("fp32", "none", 1, micro_batch=4, sequence=256, checkpointing=checkpointing)
    assert step_memory(shape, setup).peak == pytest.approx(measured, rel=0.03)
