"""Encoders and encoder-decoders: shapes of a parameter count, and their activations against torch's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.size.activations import saved_bytes
from pipeline.size.design import design
from pipeline.size.dial import plan
from pipeline.size.memory import Setup, step_memory
from pipeline.size.shape import Shape

from .saved import saved_by


@given(st.floats(2e6, 2e10), st.booleans())
def test_designed_shapes_are_near_what_was_asked(params: float, decoder: bool) -> None:
    kind = "encoder_decoder" if decoder else "encoder"
    shape = design(params, 32_128, kind)
    assert shape.kind == kind
    if params > 6 * design(1, 32_128, kind).params:
        assert shape.params == pytest.approx(params, rel=0.05)
    assert shape.heads * shape.head_dim == shape.hidden


def test_parameters_are_the_published_counts() -> None:
    assert Shape(12, 768, 3072, 12, 12, 64, 30_522, True, "bert").params == 109_514_298
    assert Shape(12, 768, 3072, 12, 12, 64, 32_128, True, "t5").params == 222_903_552


@pytest.mark.parametrize(
    ("kind", "architecture"), [("encoder", "bert"), ("encoder_decoder", "t5"), ("decoder", "llama")]
)
def test_a_plan_has_the_shape_of_its_kind(kind: str, architecture: str) -> None:
    made = plan(params=355e6, kind=kind).to_json()
    assert made["shape"]["architecture"] == architecture
    assert made["shape"]["params"] == pytest.approx(355e6, rel=0.05)
    assert made["memory"]["peak_bytes"] > 16 * 355e6 / made["gpus"]


def test_position_biases_cost_memory_with_the_square_of_the_length() -> None:
    """T5 keeps the scores of every pair; at four times the length they are sixteen times as many."""

    def at(sequence: int) -> float:
        shape = Shape(24, 1024, 4096, 16, 16, 64, 32_128, True, "t5", sequence)
        return step_memory(shape, Setup("fp32", "none", sequence=sequence)).activations

    assert at(2048) > 4.5 * at(512)


@pytest.mark.train
def test_saved_activations_of_bert_against_torch() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    shape = Shape(4, 128, 512, 4, 4, 32, 512, True, "bert", 256)
    config = transformers.BertConfig(
        vocab_size=512, hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512,
        max_position_embeddings=256, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="sdpa",
    )  # fmt: skip
    model = transformers.BertForMaskedLM(config).train()
    tokens = torch.zeros((2, 256), dtype=torch.long)
    measured = saved_by(torch, model, lambda: model(input_ids=tokens, labels=tokens).loss)
    ours = saved_bytes(shape, "fp32", tokens.numel(), chunked=False, sequence=256)
    assert ours == pytest.approx(measured, rel=0.03)


@pytest.mark.train
def test_saved_activations_of_t5_against_torch() -> None:
    """With the recipe's attention and the decoder as long as span corruption makes it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from recipes.pretrain import attention

    shape = Shape(4, 128, 512, 4, 4, 32, 512, True, "t5", 256)
    config = transformers.T5Config(
        vocab_size=512, d_model=128, d_kv=32, d_ff=512, num_layers=4, num_decoder_layers=4, num_heads=4,
        dropout_rate=0.0, decoder_start_token_id=0, use_cache=False,
    )  # fmt: skip
    attention.register()
    model = transformers.T5ForConditionalGeneration._from_config(config, attn_implementation=attention.NAME).train()
    attention.assign_roles(model)
    tokens = torch.zeros((2, 256), dtype=torch.long)
    targets = tokens[:, : shape.targets]
    docs = attention.prepare({"docs": tokens, "decoder_docs": targets}, False, False)

    def run():
        out = model(input_ids=tokens, decoder_input_ids=targets, docs=docs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(out.flatten(0, 1), targets.flatten())

    ours = saved_bytes(shape, "fp32", tokens.numel(), chunked=False, sequence=256)
    assert ours == pytest.approx(saved_by(torch, model, run), rel=0.04)
