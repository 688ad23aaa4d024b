"""Bytes that one training step keeps for the backward pass, token by token, for decoders, encoders, and both.

Counted from what autograd saves in transformers' Llama with fused attention: exact on Llama-3.2-1B in bf16 (108,680
bytes per token and layer, measured), and tested against torch's saved-tensor hooks.
"""

from typing import Literal

from pipeline.size.encoders import EncoderDecoderShape, EncoderShape
from pipeline.size.precision import Precision
from pipeline.size.shape import DecoderShape

Checkpointing = Literal["none", "selective", "full"]
LOSS_CHUNK_BYTES = 1 << 30
"""Logits in fp32 that exist at one time when LM head and cross-entropy are computed in chunks of tokens. Each chunk also
reads and writes the head's whole gradient once, so smaller ones cost time."""


def _width(precision: Precision) -> int:
    """Bytes of an activation. fp8 and int8 round inside matrix products; what is kept is bf16."""
    return 4 if precision == "fp32" else 2


def block_bytes(
    shape: DecoderShape, precision: Precision, checkpointing: Checkpointing = "none", sequence: int = 2048
) -> int:
    """Bytes per token that one block keeps; of an encoder-decoder, one of each per token of the encoder's side.

    none, of a decoder: each norm keeps its input in fp32, the scaled value and the output; attention keeps q, k, v, the
    output and a log-sum per head; the feed-forward keeps four tensors of its width. selective: block input and the outputs
    of matrix products and attention; the rest is computed again. full: the block input alone.
    """
    width, hidden = _width(precision), shape.hidden
    query, key_value = shape.heads * shape.head_dim, 2 * shape.kv_heads * shape.head_dim
    both = 1 + shape.head_tokens if isinstance(shape, EncoderDecoderShape) else 1
    if checkpointing == "full":
        return round(both * width * hidden)
    attention = width * (2 * query + key_value) + 4 * shape.heads
    if checkpointing == "selective":
        up = 1 if isinstance(shape, EncoderShape | EncoderDecoderShape) else 2  # a gated feed-forward has two
        return round(both * (width * (3 * hidden + up * shape.ffn) + attention))
    if isinstance(shape, EncoderShape | EncoderDecoderShape):
        return shape.block_bytes(width, sequence)
    norms = 2 * (4 * hidden + 2 * width * hidden + 4)
    return norms + attention + width * 4 * shape.ffn


def head_saved_bytes(shape: DecoderShape, precision: Precision, *, chunked: bool) -> int:
    """Bytes per token that final norm and loss keep: log-probabilities in fp32 unless the loss runs in chunks."""
    norm = 4 * shape.hidden + 2 * _width(precision) * shape.hidden
    if isinstance(shape, EncoderShape):  # the head's dense layer and its GELU
        norm += 2 * _width(precision) * shape.hidden
    return norm + (0 if chunked else 4 * shape.vocab)


def head_transient_bytes(shape: DecoderShape, precision: Precision, tokens: int, *, chunked: bool) -> int:
    """Bytes that exist only while the loss is computed.

    All at once: logits, their fp32 copy and the gradients of both. In chunks, the head's gradient, summed in fp32, and
    with it first logits and log-probabilities, both in fp32, then one chunk's gradient and its part of the sum.
    """
    width = _width(precision)
    tokens = round(tokens * shape.head_tokens)
    low = 0 if precision == "fp32" else 2  # a low-precision copy stands beside the fp32 one
    if not chunked:
        return tokens * shape.vocab * (4 + 2 * width if low else 8)
    rows = max(1, LOSS_CHUNK_BYTES // (4 * shape.vocab))
    logits, head = min(tokens, rows) * shape.vocab, shape.vocab * shape.hidden
    return 4 * head + max(8 * logits, width * (logits + head))


def saved_bytes(
    shape: DecoderShape,
    precision: Precision,
    tokens: int,
    checkpointing: Checkpointing = "none",
    *,
    chunked: bool,
    sequence: int = 2048,
) -> int:
    """Bytes kept from the forward to the backward pass for a micro-batch of `tokens` tokens on one GPU."""
    kept = tokens * shape.layers * block_bytes(shape, precision, checkpointing, sequence)
    return kept + round(tokens * shape.head_tokens) * head_saved_bytes(shape, precision, chunked=chunked)


def recomputed_bytes(
    shape: DecoderShape, precision: Precision, tokens: int, checkpointing: Checkpointing, sequence: int = 2048
) -> int:
    """Bytes of the one block that checkpointing computes again at a time."""
    return 0 if checkpointing == "none" else tokens * block_bytes(shape, precision, "none", sequence)


def backward_bytes(shape: DecoderShape, precision: Precision, tokens: int) -> int:
    """Bytes of gradients of activations at work in one block: two of the feed-forward's width and the residual's."""
    return tokens * _width(precision) * (2 * shape.ffn + shape.hidden)
