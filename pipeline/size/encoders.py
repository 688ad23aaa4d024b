"""Shapes of encoders (BERT) and encoder-decoders (T5): parameters, and what their blocks keep for the backward pass.

Activations are counted from what autograd saves in transformers' classes under the pre-training recipe, and tested
against torch's saved-tensor hooks.
"""

import math
from dataclasses import dataclass

from pipeline.size.objectives import span_lengths
from pipeline.size.shape import DecoderShape, padded

POSITIONS = 512
"""Learnt positions an encoder has at least."""


@dataclass(frozen=True)
class EncoderShape(DecoderShape):
    """BERT: learnt positions, biases, GELU, LayerNorm after each part, the masked-LM head with a tied decoder."""

    positions: int = POSITIONS
    architecture = "bert"

    @property
    def block_matmul_params(self) -> int:
        """Parameters of one block's matrices."""
        return 4 * self.hidden * self.heads * self.head_dim + 2 * self.hidden * self.ffn

    @property
    def block_params(self) -> int:
        """Parameters of one block, biases and norms included."""
        return self.block_matmul_params + 9 * self.hidden + self.ffn

    @property
    def embedding_params(self) -> int:
        """Words, positions, two segment types and their norm; the head's bias."""
        return (self.vocab + self.positions + 4) * self.hidden + self.vocab

    @property
    def params(self) -> int:
        """All parameters, those of `counts.bert`."""
        return self.embedding_params + self.layers * self.block_params + self.hidden**2 + 3 * self.hidden

    @property
    def matmul_params(self) -> int:
        """Parameters that multiply tokens: blocks, the head's dense layer and its decoder."""
        return self.layers * self.block_matmul_params + self.hidden**2 + self.vocab * self.hidden

    def block_bytes(self, width: int, sequence: int) -> int:
        """Bytes a token's block keeps: both norms' inputs in fp32, inputs of the matrices, q, k, v, both sides of GELU."""
        copies = 2 * width * self.hidden if width < 4 else 0  # norms give fp32, matrices read a cast of it
        return 8 * self.hidden + width * (6 * self.hidden + 2 * self.ffn) + copies + 4 * self.heads + 16

    @property
    def head_tokens(self) -> float:
        """Tokens with logits for each token of the input."""
        return 1.0


@dataclass(frozen=True)
class EncoderDecoderShape(DecoderShape):
    """T5: `layers` encoder and as many decoder layers, RMSNorm, ReLU, relative positions, a tied head."""

    sequence: int = 512
    """Tokens of the encoder's side; the decoder's are those of span corruption."""
    architecture = "t5"

    @property
    def _attention(self) -> int:
        return 4 * self.hidden * self.heads * self.head_dim

    @property
    def block_matmul_params(self) -> int:
        """Parameters of the matrices of one encoder and one decoder layer."""
        return 3 * self._attention + 4 * self.hidden * self.ffn

    @property
    def block_params(self) -> int:
        """Parameters of one encoder and one decoder layer, their five norms included."""
        return self.block_matmul_params + 5 * self.hidden

    @property
    def embedding_params(self) -> int:
        """The shared embedding, which is the head too, and both tables of relative positions."""
        return self.vocab * self.hidden + 64 * self.heads

    @property
    def params(self) -> int:
        """All parameters, those of `counts.t5`."""
        return self.embedding_params + self.layers * self.block_params + 2 * self.hidden

    @property
    def matmul_params(self) -> int:
        """Parameters that multiply tokens: both stacks and the head."""
        return self.layers * self.block_matmul_params + self.vocab * self.hidden

    @property
    def targets(self) -> int:
        """Tokens of the decoder's side."""
        return span_lengths(self.sequence)[1]

    @property
    def head_tokens(self) -> float:
        """Tokens with logits for each token of the input."""
        return self.targets / self.sequence

    def block_bytes(self, width: int, sequence: int) -> int:
        """Bytes that an encoder and a decoder layer keep for each token of the encoder's side.

        A learnt position bias needs its gradient, so no fused attention: the scores of every pair stay. Cross-attention
        is fused and keeps its mask.
        """
        inner, targets = self.heads * self.head_dim, self.targets
        scores, mask = width * self.heads, 1
        encoder = 16 * self.hidden + width * (2 * self.hidden + 4 * inner + self.ffn) + (scores + mask) * sequence + 8
        decoder = 24 * self.hidden + width * (3 * self.hidden + 6 * inner + self.ffn) + 4 * self.heads + 12
        decoder += (scores + mask) * targets + scores * sequence
        return round(encoder + 2 * width * inner + decoder * targets / sequence)


def design_encoder(params: float, vocab: int, *, decoder: bool = False, sequence: int = 512) -> DecoderShape:
    """The BERT-like or T5-like shape nearest to a parameter count: heads 64 wide, feed-forward about four widths.

    Width over layers grows from about 40 to about 110, as in `design`. A count below the smallest gives the smallest.
    """
    vocab = padded(vocab)

    def shape(layers: int, hidden: int, ffn: int) -> DecoderShape:
        heads, head_dim = (hidden // 64, 64) if hidden % 64 == 0 else (hidden // 32, 32)
        if decoder:
            return EncoderDecoderShape(layers, hidden, ffn, heads, heads, head_dim, vocab, True, sequence)
        return EncoderShape(layers, hidden, ffn, heads, heads, head_dim, vocab, True, max(POSITIONS, sequence))

    best, best_cost = shape(1, 32, 128), math.inf
    aspect = min(128.0, max(24.0, 17 * math.log10(max(params, 1e6)) - 70))
    for hidden in [*range(32, 512, 32), *range(512, 2048, 64), *range(2048, 16_385, 256)]:
        one, two = (shape(layers, hidden, 4 * hidden).params for layers in (1, 2))
        if one > 2 * params:
            break
        layers = max(1, round((params - one) / (two - one)) + 1)
        left = (params - shape(layers, hidden, 0).params) / layers / (4 if decoder else 2) / hidden
        ffn = max(2 * hidden, min(6 * hidden, round(left / 64) * 64))
        made = shape(layers, hidden, ffn)
        cost = 20 * abs(math.log(made.params / params)) + abs(math.log(hidden / layers / aspect))
        cost += abs(math.log(ffn / (4 * hidden)))
        if cost < best_cost:
            best, best_cost = made, cost
    return best
