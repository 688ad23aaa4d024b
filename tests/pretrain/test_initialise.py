"""Models that never exist whole start from the values of a whole one, bit for bit, under every sharding."""

import pytest
import torch

from pipeline.handoff import ModelSettings, ObjectiveSettings, TokenizerInfo
from pipeline.size.shape import ARCHITECTURES
from recipes.pretrain.initialise import empty_model, fill, fresh_values
from recipes.pretrain.model import build_config, build_model, classes

pytestmark = pytest.mark.train

TOKENIZER = TokenizerInfo.model_validate({
    "sha256": "t", "vocab_size": 300, "padded_vocab_size": 384, "eos_id": 0, "pad_id": 1, "mask_id": 2,
    "sentinel_first": 3, "sentinel_count": 32,
})  # fmt: skip
SHAPE = {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "intermediate_size": 96}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fresh_values_are_those_of_a_model_built_whole(architecture, tied):
    settings = ModelSettings(architecture=architecture, tie_embeddings=tied, **SHAPE)
    objective = ObjectiveSettings(kind=ARCHITECTURES[architecture].objective, sequence_length=32)
    whole = build_model(settings, objective, TOKENIZER, seed=5)
    model, calls = empty_model(classes(architecture)[1], build_config(settings, objective, TOKENIZER))
    assert all(parameter.is_meta for parameter in model.parameters())
    before = torch.random.get_rng_state()
    fill(model, fresh_values(model, calls, 5, "cpu"), "cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    expected, got = whole.state_dict(), model.state_dict()
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        assert torch.equal(got[name], value), name
    assert {n: b.tolist() for n, b in model.named_buffers()} == {n: b.tolist() for n, b in whole.named_buffers()}
    assert len(list(model.parameters())) == len(list(whole.parameters()))  # ties are ties again
