"""From a parameter count to a shape, and from a shape to batch, steps and learning rate."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.size.published import nearest_runs
from pipeline.size.shape import Kind, Shape, padded


def design(params: float, vocab: int, kind: Kind = "decoder", sequence: int = 512) -> Shape:
    """The shape nearest to a parameter count, all parameters counted: Llama-like, BERT-like or T5-like by `kind`.

    Width over depth grows with size from about 40 to about 110, as in published models (GPT-2 64, Llama-3.2-1B 128,
    BloombergGPT 110). A count below the smallest shape gives the smallest shape: compare its `params`.
    """
    aspect = min(128.0, max(24.0, 17 * math.log10(max(params, 1e6)) - 70))
    expansion = 8 / 3 if kind == "decoder" else 4

    def cost(shape: Shape) -> float:
        proportions = abs(math.log(shape.hidden / shape.layers / aspect)) + abs(
            math.log(shape.ffn / (expansion * shape.hidden))
        )
        return 20 * abs(math.log(shape.params / params)) + proportions

    if kind == "decoder":
        smallest = Shape(1, 32, 96, 1, 1, 32, padded(vocab), sequence=sequence)
        return min(_decoders(params, smallest), key=cost, default=smallest)
    smallest = Shape(1, 32, 128, 1, 1, 32, padded(vocab), True, "bert" if kind == "encoder" else "t5", sequence)
    return min(_with_encoder(params, smallest), key=cost, default=smallest)


def _decoders(params: float, smallest: Shape) -> Iterator[Shape]:
    """Llama-like shapes, of every width up to the one whose single layer has twice the parameters.

    Widths are multiples of 128 and heads 128 wide from 1,024 on, with shared key-value heads from 2,048 on; smaller
    models take smaller steps. The head is tied where the embedding would be over 10 % of the parameters.
    """
    for hidden in [*range(32, 512, 32), *range(512, 1024, 64), *range(1024, 2048, 128), *range(2048, 32_769, 512)]:
        multiple = 128 if hidden >= 512 else 32
        head_dim = 128 if hidden >= 1024 else 64 if hidden % 64 == 0 and hidden >= 256 else 32
        heads = hidden // head_dim
        kv_heads = heads if hidden < 2048 else 8 if heads % 8 == 0 else 4
        single = replace(
            smallest,
            hidden=hidden,
            ffn=_round_to(8 * hidden / 3, multiple),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            tied=smallest.vocab * hidden > 0.1 * params,
        )
        if single.params > 2 * params:
            return
        for_blocks = params - single.embedding_params - hidden
        layers = round(for_blocks / single.block_params)
        for depth in sorted({max(1, layers - 1), max(1, layers), max(1, layers + 1)}):
            # The feed-forward width takes up what whole layers leave over.
            left = for_blocks / depth - (single.block_params - 3 * hidden * single.ffn)
            ffn = max(_round_to(2.3 * hidden, multiple), min(_round_to(left / (3 * hidden), multiple), 4 * hidden))
            yield replace(single, layers=depth, ffn=ffn)


def _with_encoder(params: float, smallest: Shape) -> Iterator[Shape]:
    """BERT-like or T5-like shapes: heads 64 wide, feed-forward about four widths."""
    for hidden in [*range(32, 512, 32), *range(512, 2048, 64), *range(2048, 16_385, 256)]:
        head_dim = 64 if hidden % 64 == 0 else 32
        heads = hidden // head_dim
        single = replace(smallest, hidden=hidden, ffn=4 * hidden, heads=heads, kv_heads=heads, head_dim=head_dim)
        if single.params > 2 * params:
            return
        layers = max(1, round((params - single.params) / single.block_params) + 1)
        bare = replace(single, layers=layers, ffn=0)
        matrices = 4 if single.kind == "encoder_decoder" else 2
        left = (params - bare.params) / layers / matrices / hidden
        yield replace(bare, ffn=max(2 * hidden, min(6 * hidden, round(left / 64) * 64)))


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


LADDER_TOP = 2e9
"""Non-embedding parameters up to which the ladder's batch and rate stand; its models have 190 million to 1.3 billion."""


def outside_ladder(non_embedding: float, training: Hyperparameters) -> str | None:
    """A sentence where batch and rate extrapolate the ladder, with what published runs of that size used."""
    if non_embedding <= LADDER_TOP:
        return None
    runs = "; ".join(
        f"{run.name}: {run.batch_tokens / 1e6:.3g} million tokens, {run.learning_rate:.2g} ({run.source})"
        for run in nearest_runs(non_embedding)
    )
    return (
        f"batch and learning rate are outside the ladder, which was fitted to 0.19-1.3 billion parameters: "
        f"{training.batch_tokens / 1e6:.3g} million tokens a step at {training.learning_rate:.2g} extrapolate it. "
        f"Published runs used {runs}"
    )


MIN_STEPS = 200


def hyperparameters(
    non_embedding: float, tokens: float, sequence_length: int, *, batch: int | None = None, steps: int | None = None
) -> Hyperparameters:
    """Batch, steps, warm-up and learning rate for a size.

    Batch 2048 * 160 * (N / 108e6)^(2/3) tokens, rate 0.0047 * (N / 108e6)^(-1/3) / 2, at most 0.003, warm-up over N
    tokens, at most a tenth of the run. A batch that would leave fewer than MIN_STEPS steps is made smaller. A given
    `batch` (in sequences) or number of `steps` stays, and the rest follows it.
    """
    ratio = non_embedding / 108e6
    ladder = 2048 * 160 * ratio ** (2 / 3)
    batch_tokens = sequence_length * (batch or max(1, round(min(ladder, tokens / MIN_STEPS) / sequence_length)))
    steps = steps or max(1, math.ceil(tokens / batch_tokens))
    warmup = max(1, min(round(non_embedding / batch_tokens), steps // 10))
    rate = min(0.0047 * ratio ** (-1 / 3) / 2, 3e-3)
    return Hyperparameters(
        batch_tokens, sequence_length, steps, warmup, rate, 0.95 if batch_tokens >= 524_288 else 0.99
    )
