"""Number formats, bytes of a parameter in each, and bytes that one training step keeps for the backward pass, per token.

Counted from what autograd saves in transformers' classes under the pre-training recipe: exact on Llama-3.2-1B in bf16
with fused attention (108,680 bytes per token and layer, measured), and tested against torch's saved-tensor hooks.
"""

from typing import Literal, NamedTuple

from pipeline.size.shape import Shape

Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
Layout = Literal["masters", "zero"]
"""How mixed precision keeps its numbers. `masters`: fp32 weights and gradients, a low-precision copy of the block at
work (FSDP2, what the pre-training recipe does). `zero`: low-precision weights and gradients, fp32 masters counted to
the optimizer (DeepSpeed, the ZeRO paper's 2 + 2 + 12)."""

COMPUTE_BYTES: dict[Precision, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
"""Bytes of one weight as matrix products read it; also what one parameter takes when a model only serves."""

RULE_FP32 = {"weights": 4, "gradients": 4, "optimizer": 8, "activations": 8}
"""The course's rule for fp32 training with Adam, bytes per parameter: 24 GB per billion. Its 8 bytes for activations
and temporaries stand for one sequence of about 4,000 tokens a GPU and are far too low for large micro-batches."""


class StateBytes(NamedTuple):
    """Bytes a parameter takes during training with Adam, before anything is sharded."""

    weights: int
    gradients: int
    optimizer: int


def state_bytes(precision: Precision, layout: Layout = "masters") -> StateBytes:
    """Bytes per parameter. fp8 and int8 training keep masters: fp8 casts inside matrix products, int8 is
    quantisation-aware training with rounding simulated in higher precision."""
    if layout == "masters" or precision in ("fp32", "int8"):
        return StateBytes(4, 4, 8)
    return StateBytes(COMPUTE_BYTES[precision], 2, 12)


Checkpointing = Literal["none", "selective", "full"]
LOSS_ROWS = 2048
LOSS_CHUNK_BYTES = 1 << 30
"""Logits in fp32 that exist at one time when LM head and cross-entropy are computed in chunks of tokens. Each chunk also
reads and writes the head's whole gradient once, so smaller ones cost time."""


def _width(precision: Precision) -> int:
    """Bytes of an activation. fp8 and int8 round inside matrix products; what is kept is bf16."""
    return 4 if precision == "fp32" else 2


def block_bytes(shape: Shape, precision: Precision, checkpointing: Checkpointing = "none", sequence: int = 2048) -> int:
    """Bytes that one block keeps per token; of an encoder-decoder, per token on the encoder's side.

    none: everything the backward pass reads. selective: the block's input and the outputs of matrix products and
    attention; the rest is computed again. full: the block's input alone.
    """
    width, hidden = _width(precision), shape.hidden
    layers = 1 + shape.head_tokens if shape.kind == "encoder_decoder" else 1
    if checkpointing == "full":
        return round(layers * width * hidden)
    if checkpointing == "selective":
        up = 2 if shape.is_gated else 1
        return round(layers * (width * (3 * hidden + up * shape.ffn) + _attention_bytes(shape, width)))
    if shape.architecture == "t5":
        return _t5_bytes(shape, width, sequence)
    if shape.architecture in ("bert", "roberta", "bart"):
        return _post_norm_bytes(shape, width)
    # Each norm keeps its input in fp32, the scaled value and the output; the feed-forward four tensors of its width.
    norms = 2 * (4 * hidden + 2 * width * hidden + 4)
    return norms + _attention_bytes(shape, width) + width * 4 * shape.ffn


def _attention_bytes(shape: Shape, width: int) -> int:
    """Queries, keys, values, the output, and a log-sum per head."""
    query, key_value = shape.heads * shape.head_dim, 2 * shape.kv_heads * shape.head_dim
    return width * (2 * query + key_value) + 4 * shape.heads


def _post_norm_bytes(shape: Shape, width: int) -> int:
    """BERT's block: both norms' inputs in fp32, inputs of the matrices, q, k, v, both sides of the GELU."""
    copies = 2 * width * shape.hidden if width < 4 else 0  # norms give fp32, matrices read a cast of it
    encoder = 8 * shape.hidden + width * (6 * shape.hidden + 2 * shape.ffn) + copies + 4 * shape.heads + 16
    if shape.kind == "encoder":
        return encoder
    cross = (
        4 * shape.hidden + width * 5 * shape.hidden + copies // 2 + 4 * shape.heads + 8
    )  # a third norm, q, k, v, output
    return 2 * encoder + cross


def _t5_bytes(shape: Shape, width: int, sequence: int) -> int:
    """T5's encoder and decoder layer.

    A learnt position bias needs its gradient, so no fused attention: the scores of every pair stay. Cross-attention
    is fused and keeps its mask.
    """
    inner, targets, hidden = shape.heads * shape.head_dim, shape.targets, shape.hidden
    ffn = shape.ffn * (4 if shape.is_gated else 1)  # the gate, both sides of its GELU, the product
    scores, mask = width * shape.heads, 1
    encoder = 16 * hidden + width * (2 * hidden + 4 * inner + ffn) + (scores + mask) * sequence + 8
    decoder = 24 * hidden + width * (3 * hidden + 6 * inner + ffn) + 4 * shape.heads + 12
    decoder += (scores + mask) * targets + scores * sequence
    return round(encoder + 2 * width * inner + decoder * targets / sequence)


def head_saved_bytes(shape: Shape, precision: Precision, *, chunked: bool) -> int:
    """Bytes per token that final norm and loss keep: log-probabilities in fp32 unless the loss runs in chunks."""
    norm = 4 * shape.hidden + 2 * _width(precision) * shape.hidden
    if shape.kind == "encoder":  # the head's dense layer and its GELU
        norm += 2 * _width(precision) * shape.hidden
    return norm + (0 if chunked else 4 * shape.vocab)


def loss_rows(vocab: int) -> int:
    """Targets whose logits are computed at a time.

    >>> loss_rows(32_000), loss_rows(128_256), loss_rows(262_144)
    (2048, 2048, 1024)
    """
    return max(1, min(LOSS_ROWS, LOSS_CHUNK_BYTES // (4 * vocab)))


def head_transient_bytes(shape: Shape, precision: Precision, tokens: int, *, chunked: bool) -> int:
    """Bytes that exist only while the loss is computed.

    All at once: logits, their fp32 copy and the gradients of both. In chunks, the head's gradient, summed in fp32, and
    with it first logits and log-probabilities, both in fp32, then one chunk's gradient and its part of the sum.
    """
    width = _width(precision)
    tokens = round(tokens * shape.head_tokens)
    if not chunked:
        # in low precision a copy of the logits stands beside the fp32 one
        return tokens * shape.vocab * (8 if precision == "fp32" else 4 + 2 * width)
    rows = loss_rows(shape.vocab)
    logits, head = min(tokens, rows) * shape.vocab, shape.vocab * shape.hidden
    return 4 * head + max(8 * logits, width * (logits + head))


def saved_bytes(
    shape: Shape,
    precision: Precision,
    tokens: int,
    checkpointing: Checkpointing = "none",
    *,
    chunked: bool,
    sequence: int = 2048,
) -> int:
    """Bytes kept from the forward to the backward pass for a micro-batch of `tokens` tokens on one GPU."""
    kept = round(tokens * shape.depth) * block_bytes(shape, precision, checkpointing, sequence)
    return kept + round(tokens * shape.head_tokens) * head_saved_bytes(shape, precision, chunked=chunked)


def recomputed_bytes(
    shape: Shape, precision: Precision, tokens: int, checkpointing: Checkpointing, sequence: int = 2048
) -> int:
    """Bytes of the one block that checkpointing computes again at a time."""
    return 0 if checkpointing == "none" else tokens * block_bytes(shape, precision, "none", sequence)


def backward_bytes(shape: Shape, precision: Precision, tokens: int) -> int:
    """Bytes of activation gradients in one block at a time: two of the feed-forward's width and the residual's."""
    return tokens * _width(precision) * (2 * shape.ffn + shape.hidden)
