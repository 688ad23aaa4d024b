"""Objectives: lengths, exact reconstruction of what was hidden, documents kept apart, noise only from the generator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.handoff import ObjectiveSettings, TokenizerInfo, UsageError
from pipeline.size.shape import span_lengths
from recipes.pretrain.objectives import IGNORE, Causal, build_objective

TOKENIZER = TokenizerInfo(
    sha256="x", vocab_size=1000, padded_vocab_size=1024, eos_id=0, pad_id=1, mask_id=2, sentinel_first=3,
    sentinel_count=100,
)  # fmt: skip


def objective(kind, length=64, **more):
    return build_objective(ObjectiveSettings(kind=kind, sequence_length=length, **more), TOKENIZER)


@st.composite
def windows(draw):
    """(seed, document lengths, tokens in the window)."""
    return draw(st.integers(0, 2**32 - 1)), draw(st.lists(st.integers(1, 70), max_size=12)), draw(st.integers(2, 64))


def make(seed, lengths, n):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(200, 1000, n)
    ends = np.cumsum(lengths)
    ends = ends[ends <= n].astype(np.int64)
    tokens[ends - 1] = 0
    return tokens, ends, rng


@given(windows())
@settings(max_examples=100, deadline=None)
def test_causal_predicts_every_token_but_the_first(window):
    seed, lengths, n = window
    tokens, ends, rng = make(seed, lengths, n)
    sample = objective("causal").sample(tokens, ends, rng)
    assert all(len(v) == 64 for v in sample.values())
    assert sample["labels"][: n - 1].tolist() == tokens[1:].tolist()
    assert np.all(sample["labels"][n - 1 :] == IGNORE)
    assert sample["inputs"][: n - 1].tolist() == tokens[:-1].tolist()
    # a document begins, at position 0, with the eos before it
    starts = [i for i in range(1, n - 1) if sample["docs"][i] != sample["docs"][i - 1]]
    assert starts == [e - 1 for e in ends.tolist() if 0 < e - 1 < n - 1]
    assert all(sample["positions"][i] == 0 and sample["inputs"][i] == 0 for i in starts)


def test_raw_lengths_are_t5s():
    assert [span_lengths(n, 0.15, 3.0) for n in (256, 512, 1024, 2048)] == [
        (284, 58),
        (568, 114),
        (1137, 229),
        (2274, 456),
    ]


@given(windows())
@settings(max_examples=200, deadline=None)
def test_spans_can_be_put_back(window):
    seed, lengths, n = window
    made = objective("spans", length=96)
    tokens, ends, rng = make(seed, lengths, n)
    sample = made.sample(tokens, ends, rng)
    rebuilt, targets = [], sample["labels"][sample["labels"] != IGNORE].tolist()
    assert targets[-1] == 0
    target_docs = sample["decoder_docs"][: len(targets)].tolist()
    by_mark: dict[tuple[int, int], list[int]] = {}
    for token, doc in zip(targets[:-1], target_docs, strict=False):
        if 3 <= token < 103:
            mark = (doc, token)
            by_mark[mark] = []
        else:
            by_mark[mark].append(token)
    used = sample["docs"][sample["inputs"] != 1]
    inputs = sample["inputs"][: len(used)].tolist()
    for token, doc in zip(inputs[:-1], sample["docs"].tolist(), strict=False):
        rebuilt += by_mark.pop((doc, token)) if 3 <= token < 103 else [token]
    assert rebuilt == tokens.tolist()
    assert not by_mark
    # sentinels count from the first in each document
    firsts = {doc: token for (doc, token) in reversed(list(zip(target_docs, targets, strict=True))) if 3 <= token < 103}
    assert set(firsts.values()) <= {3}


def test_spans_hide_the_stated_share_of_full_windows():
    made = objective("spans", length=512)
    assert (made.stride, made.decoder_length) == (568, 114)
    rng = np.random.default_rng(0)
    sample = made.sample(rng.integers(200, 1000, 568), np.array([568]), rng)
    assert (sample["inputs"] != 1).sum() == 512
    assert (sample["labels"] != IGNORE).sum() == 114


@given(windows())
@settings(max_examples=100, deadline=None)
def test_infilling_targets_are_the_text(window):
    seed, lengths, n = window
    tokens, ends, rng = make(seed, lengths, n)
    sample = objective("infilling").sample(tokens, ends, rng)
    assert sample["labels"][sample["labels"] != IGNORE].tolist() == tokens.tolist()
    kept = sample["inputs"][(sample["inputs"] != 1) & (sample["inputs"] != 2)].tolist()
    rest = iter(tokens.tolist())
    assert all(token in rest for token in kept)  # a subsequence of the text
    starts = sample["decoder_positions"][:n] == 0
    assert np.all(sample["decoder_inputs"][:n][starts] == 0)


def test_masking_is_80_10_10():
    made = objective("masked", length=4096)
    rng = np.random.default_rng(1)
    tokens = rng.integers(200, 1000, 4096)
    tokens[::100] = 0
    counts = np.zeros(3)
    for _ in range(20):
        sample = made.sample(tokens, np.arange(0, 4096, 100) + 1, rng)
        chosen = sample["labels"] != IGNORE
        assert not np.any(chosen & (tokens == 0))
        assert np.all(sample["labels"][chosen] == tokens[chosen])
        assert np.all(sample["inputs"][~chosen] == tokens[~chosen])
        masked, same = sample["inputs"][chosen] == 2, sample["inputs"][chosen] == tokens[chosen]
        counts += [masked.sum(), same.sum(), (~masked & ~same).sum()]
    share = counts.sum() / (20 * (tokens != 0).sum())
    assert share == pytest.approx(0.15, abs=0.01)
    assert counts / counts.sum() == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("kind", ["causal", "masked", "spans", "infilling"])
def test_the_same_generator_gives_the_same_sample(kind):
    made = objective(kind)
    tokens, ends, _ = make(3, [5, 20, 11], made.stride + made.overlap)
    first, second, other = (made.sample(tokens, ends, np.random.default_rng(s)) for s in (1, 1, 2))
    assert all(np.array_equal(first[k], second[k]) for k in first)
    assert kind == "causal" or any(not np.array_equal(first[k], other[k]) for k in first)
    assert {k: v.shape for k, v in made.empty().items()} == {k: v.shape for k, v in first.items()}


def test_without_document_masks_a_window_is_one_document():
    made = Causal(ObjectiveSettings(kind="causal", sequence_length=16, document_masks=False), TOKENIZER)
    sample = made.sample(np.arange(17) + 200, np.array([4, 9]), np.random.default_rng(0))
    assert sample["docs"].tolist() == [0] * 16
    assert sample["positions"].tolist() == list(range(16))


@pytest.mark.parametrize(
    ("kind", "lacks", "word"), [("masked", {"mask_id": None}, "mask token"), ("infilling", {"mask_id": None}, "mask token"),
                                ("spans", {"sentinel_first": None, "sentinel_count": 0}, "sentinels")]
)  # fmt: skip
def test_a_tokenizer_that_lacks_what_is_needed_is_refused(kind, lacks, word):
    with pytest.raises(UsageError, match=word):
        build_objective(ObjectiveSettings(kind=kind), TOKENIZER.model_copy(update=lacks))
