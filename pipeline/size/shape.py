"""The shape of a decoder for a parameter count: depth, width, heads, feed-forward, vocabulary, batch and schedule."""

import difflib
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.errors import UsageError


def padded(vocab: int, multiple: int = 128) -> int:
    """The vocabulary rounded up, so that the LM head's matrix product fills whole tiles of a GPU.

    >>> padded(32_001)
    32128
    """
    return -(-vocab // multiple) * multiple


@dataclass(frozen=True)
class DecoderShape:
    """A Llama-style decoder: RMSNorm, SwiGLU, rotary positions, grouped-query attention, no biases."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    """Whether input embedding and LM head are one matrix."""
    architecture = "llama"

    @property
    def block_matmul_params(self) -> int:
        """Parameters of one block's matrices."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        return attention + 3 * self.hidden * self.ffn

    @property
    def block_params(self) -> int:
        """Parameters of one block, its two norms included."""
        return self.block_matmul_params + 2 * self.hidden

    @property
    def embedding_params(self) -> int:
        """Parameters of the input embedding and, where it is untied, the LM head."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def params(self) -> int:
        """All parameters."""
        return self.embedding_params + self.layers * self.block_params + self.hidden

    @property
    def matmul_params(self) -> int:
        """Parameters that multiply tokens: blocks and the LM head; no input embedding, no norms."""
        return self.layers * self.block_matmul_params + self.vocab * self.hidden

    @property
    def head_tokens(self) -> float:
        """Tokens with logits for each token of the input."""
        return 1.0

    def model_settings(self) -> dict[str, Any]:
        """The shape in the words of the hand-off's `model:` block."""
        return {
            "architecture": self.architecture,
            "hidden_size": self.hidden,
            "num_layers": self.layers,
            "num_heads": self.heads,
            "num_kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.ffn,
            "tie_embeddings": self.tied,
        }

    def to_json(self) -> dict[str, Any]:
        """Fields and counts as JSON values."""
        counts = {"params": self.params, "non_embedding_params": self.params - self.embedding_params}
        return asdict(self) | {"architecture": self.architecture} | counts


PRESETS: dict[str, DecoderShape] = {
    "tiny": DecoderShape(4, 128, 352, 4, 2, 32, 8192, True),
    "30m": DecoderShape(8, 384, 1024, 6, 6, 64, 32_768, True),
    "125m": DecoderShape(12, 768, 2048, 12, 12, 64, 32_768, True),
    "350m": DecoderShape(24, 1024, 2816, 8, 8, 128, 32_768, True),
    "tinyllama-1.1b": DecoderShape(22, 2048, 5632, 32, 4, 64, 32_000, False),
    "llama-3.2-1b": DecoderShape(16, 2048, 8192, 32, 8, 64, 128_256, True),
    "llama-3.2-3b": DecoderShape(28, 3072, 8192, 24, 8, 128, 128_256, True),
    "llama-3.1-8b": DecoderShape(32, 4096, 14_336, 32, 8, 128, 128_256, False),
}
"""Named shapes, by the names the hand-off uses. Their vocabulary is replaced by the trained tokenizer's."""


def preset(name: str, vocab: int) -> DecoderShape:
    """A named shape with the given vocabulary, padded."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"no preset named {name!r}; {hint}known: auto, {', '.join(PRESETS)}")
    return replace(PRESETS[name], vocab=padded(vocab))


def design(params: float, vocab: int) -> DecoderShape:
    """The Llama-style shape nearest to a parameter count, all parameters counted.

    Width over depth grows with size from about 40 to about 110, as published models have it (GPT-2 64, Llama-3.2-1B
    128, BloombergGPT 110). Widths are multiples of 128 and heads 128 wide from 1,024 on, with key-value heads shared
    from 2,048 on; smaller models take smaller steps. The head is tied where the embedding would be over 10 % of the
    parameters. A count below the smallest shape gives the smallest shape: compare its `params`.
    """
    vocab = padded(vocab)
    smallest = DecoderShape(1, 32, 96, 1, 1, 32, vocab, True)
    best, best_cost = smallest, math.inf
    wanted_aspect = min(128.0, max(24.0, 17 * math.log10(max(params, 1e6)) - 70))
    for hidden in _widths():
        tied = vocab * hidden > 0.1 * params
        multiple = 128 if hidden >= 512 else 32
        one = DecoderShape(1, hidden, _round_to(8 * hidden / 3, multiple), *_heads(hidden), vocab, tied)
        if one.params > 2 * params:
            break
        for_blocks = params - one.embedding_params - hidden
        layers = round(for_blocks / one.block_params)
        for depth in sorted({max(1, layers - 1), max(1, layers), max(1, layers + 1)}):
            # The feed-forward width takes up what whole layers leave over.
            left = for_blocks / depth - (one.block_params - 3 * hidden * one.ffn)
            ffn = max(_round_to(2.3 * hidden, multiple), min(_round_to(left / (3 * hidden), multiple), 4 * hidden))
            shape = replace(one, layers=depth, ffn=ffn)
            aspect = abs(math.log(hidden / depth / wanted_aspect)) + abs(math.log(ffn / (8 / 3 * hidden)))
            cost = 20 * abs(math.log(shape.params / params)) + aspect
            if cost < best_cost:
                best, best_cost = shape, cost
    return best


def _widths() -> list[int]:
    return [*range(32, 512, 32), *range(512, 1024, 64), *range(1024, 2048, 128), *range(2048, 32_769, 512)]


def _heads(hidden: int) -> tuple[int, int, int]:
    """(heads, key-value heads, head width)."""
    head_dim = 128 if hidden >= 1024 else 64 if hidden % 64 == 0 and hidden >= 256 else 32
    heads = hidden // head_dim
    if hidden < 2048:
        return heads, heads, head_dim
    return heads, 8 if heads % 8 == 0 else 4, head_dim


def _round_to(value: float, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)


@dataclass(frozen=True)
class Hyperparameters:
    """Size-dependent defaults of a training run. Rates are AdamW's; `batch_tokens` are tokens of one optimizer step."""

    batch_tokens: int
    sequence_length: int
    steps: int
    warmup_steps: int
    learning_rate: float
    beta2: float
    source: str = "OLMo model ladder (arXiv 2412.04403), non-embedding parameters"


def hyperparameters(
    non_embedding: float, tokens: float, sequence_length: int, *, min_steps: int = 200
) -> Hyperparameters:
    """Batch, steps, warm-up and learning rate for a size.

    Batch 2048 * 160 * (N / 108e6)^(2/3) tokens, rate 0.0047 * (N / 108e6)^(-1/3) / 2, warm-up over N tokens, at most
    a tenth of the run. A batch that would leave fewer than `min_steps` steps is made smaller.
    """
    ratio = non_embedding / 108e6
    ladder = 2048 * 160 * ratio ** (2 / 3)
    sequences = max(1, round(min(ladder, tokens / min_steps) / sequence_length))
    batch = sequences * sequence_length
    steps = max(1, math.ceil(tokens / batch))
    warmup = max(1, min(round(non_embedding / batch), steps // 10))
    rate = min(0.0047 * ratio ** (-1 / 3) / 2, 3e-3)
    return Hyperparameters(batch, sequence_length, steps, warmup, rate, 0.95 if batch >= 524_288 else 0.99)
