"""Packed documents see only themselves: equal to each document alone, in transformers' own attention, to 1e-5."""

import numpy as np
import pytest
import torch

from pipeline.handoff import ModelSettings, ObjectiveSettings, TokenizerInfo
from pipeline.size.shape import ARCHITECTURES
from recipes.pretrain import attention, split
from recipes.pretrain.data import stack
from recipes.pretrain.model import Trainable
from recipes.pretrain.objectives import build_objective

from .whole import build_model

pytestmark = pytest.mark.train

TOKENIZER = TokenizerInfo(
    sha256="x",
    vocab_size=120,
    padded_vocab_size=128,
    eos_id=0,
    pad_id=1,
    mask_id=2,
    sentinel_first=3,
    sentinel_count=32,
)
SHAPE = {
    "hidden_size": 32,
    "num_layers": 3,  # ModernBERT's third layer is its second local one
    "num_heads": 4,
    "num_kv_heads": 2,
    "intermediate_size": 64,
    "tie_embeddings": True,
}


def packed_sample(architecture: str) -> tuple[Trainable, dict[str, torch.Tensor]]:
    length = 200 if architecture == "modernbert" else 48  # past ModernBERT's local window of 128
    settings = ObjectiveSettings(kind=ARCHITECTURES[architecture].objective, sequence_length=length)
    objective = build_objective(settings, TOKENIZER)
    model = build_model(ModelSettings(architecture=architecture, **SHAPE), settings, TOKENIZER, seed=3)
    rng = np.random.default_rng(5)
    ends = np.array([11, 12, 30])  # one document is eos alone
    tokens = rng.integers(40, 120, objective.stride + objective.overlap - 3)  # and the window is short: it is filled up
    tokens[ends - 1] = 0
    sample = stack([objective.sample(tokens, ends, rng), objective.sample(tokens[::-1].copy(), ends + 3, rng)])
    return Trainable(model.eval()), {k: torch.from_numpy(v) for k, v in sample.items()}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("alone", [False, True], ids=["mask", "split"])
def test_packed_equals_alone(architecture: str, alone: bool, monkeypatch: pytest.MonkeyPatch):
    trainable, batch = packed_sample(architecture)
    if alone:
        monkeypatch.setattr(split, "WORTH", 1.0)
        monkeypatch.setattr(split, "SMALLEST", 0)
        monkeypatch.setattr(attention, "_dense", None)  # not called
        trainable.split = True
    plain = trainable.model
    with torch.no_grad():
        packed = trainable.logits(batch)
        compared = 0
        plain.set_attn_implementation("eager" if architecture == "t5" else "sdpa")
        if architecture == "bart":  # without this, positions of one document are those transformers counts itself
            trainable.bart_positions = {}
        side = "decoder_" if "decoder_docs" in batch else ""
        for row in range(2):
            for number in batch["docs"][row].unique():
                mine = batch["docs"][row] == number
                if bool((batch["inputs"][row, mine] == TOKENIZER.pad_id).all()):
                    continue  # the filling
                inputs = {"input_ids": batch["inputs"][row, mine][None]}
                if side:
                    target = batch["decoder_docs"][row] == number
                    if not target.any():
                        continue
                    inputs["decoder_input_ids"] = batch["decoder_inputs"][row, target][None]
                    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
                else:
                    target = mine
                    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
                alone = (
                    plain(**inputs, use_cache=False).logits
                    if architecture not in ("bert", "roberta", "modernbert")
                    else plain(**inputs).logits
                )
                assert torch.allclose(packed[row, target], alone[0], atol=1e-5), (architecture, row, int(number))
                compared += 1
    assert compared >= 3


@pytest.mark.parametrize(("causal", "with_bias", "reach", "cross"), [
    (True, False, None, False), (True, True, None, False), (False, True, None, False), (False, False, 9, False),
    (False, True, None, True), (False, False, None, True)])  # fmt: skip
def test_attention_by_document_is_that_under_a_mask(causal, with_bias, reach, cross, monkeypatch):
    monkeypatch.setattr(split, "SMALLEST", 0)
    torch.manual_seed(1)
    lengths = [[1, 30, 2, 50, 45], [64, 40, 20, 3, 1]]
    docs = torch.stack([torch.repeat_interleave(torch.arange(5), torch.tensor(row)) for row in lengths])
    others = docs[:, 8:].clone() if cross else docs  # document 0 of the first row has no key
    query = torch.randn(2, 4, 128, 16, requires_grad=True)
    key, value = (torch.randn(2, 2, others.shape[1], 16, requires_grad=True) for _ in range(2))
    bias = torch.randn(1, 4, 128, others.shape[1], requires_grad=True) if with_bias else None
    documents = split.parts(docs, others, causal)
    assert documents is not None
    assert sum(row.work for row in documents.rows) < 0.45 * 2 * 128 * others.shape[1]
    gradients = []
    for mask in (documents, attention._dense(docs, others, causal)):
        leaves = [x for x in (query, key, value, bias) if x is not None]
        out, _ = attention.doc_attention(
            torch.nn.Identity(), query, key, value, None, docs={"self": mask}, position_bias=bias, sliding_window=reach
        )
        gradients.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6 * float(theirs.detach().abs().max().clamp_min(1)))


def test_one_mask_is_left_where_documents_are_few_or_tiny():
    one, tiny = torch.zeros(1, 128, dtype=torch.int64), torch.arange(128)[None]
    assert split.parts(one, one, True) is None
    assert split.parts(tiny, tiny, True) is None
    assert isinstance(attention.prepare({"docs": one}, True, False, split=True)["self"], torch.Tensor)


@pytest.mark.parametrize("architecture", ["llama", "bert", "t5", "bart"])
def test_documents_do_leak_without_masks(architecture: str):
    """The test above can fail: with one document number for all, logits differ."""
    trainable, batch = packed_sample(architecture)
    with torch.no_grad():
        packed = trainable.logits(batch)
        for name in ("docs", "decoder_docs"):
            if name in batch:
                batch[name] = torch.zeros_like(batch[name])
        assert not torch.allclose(packed, trainable.logits(batch), atol=1e-3)


def test_gradients_of_packed_equal_alone():
    trainable, batch = packed_sample("llama")
    total = trainable(batch)[0]
    total.backward()
    packed = {n: p.grad.clone() for n, p in trainable.named_parameters()}
    trainable.zero_grad()
    for row in range(2):
        for number in batch["docs"][row].unique():
            mine = batch["docs"][row] == number
            one = {k: v[row, mine][None] for k, v in batch.items()}
            one["docs"] = torch.zeros_like(one["docs"])
            trainable(one)[0].backward()
    for name, parameter in trainable.named_parameters():
        assert torch.allclose(packed[name], parameter.grad, atol=2e-5), name
