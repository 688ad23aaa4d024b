"""Exact parameter counts of published architectures, as their reference implementations build them."""

from pipeline.size.shape import DecoderShape


def llama(
    layers: int,
    hidden: int,
    ffn: int,
    heads: int,
    kv_heads: int,
    vocab: int,
    *,
    tied: bool = False,
    head_dim: int | None = None,
) -> int:
    """Llama, Qwen without biases, TinyLlama: RMSNorm, SwiGLU, grouped-query attention, no biases."""
    return DecoderShape(layers, hidden, ffn, heads, kv_heads, head_dim or hidden // heads, vocab, tied).params


def gpt2(layers: int, hidden: int, vocab: int = 50_257, positions: int = 1024) -> int:
    """GPT-2 and GPT-3: learnt positions, biases everywhere, tied head."""
    return (vocab + positions) * hidden + layers * (12 * hidden**2 + 13 * hidden) + 2 * hidden


def bloom(layers: int, hidden: int, vocab: int) -> int:
    """BLOOM and BloombergGPT: ALiBi (no positions), a LayerNorm after the embedding, tied head.

    >>> bloom(70, 7680, 131_072)
    50558868480
    """
    return vocab * hidden + layers * (12 * hidden**2 + 13 * hidden) + 4 * hidden


def bert(layers: int, hidden: int, ffn: int, vocab: int = 30_522, positions: int = 512, types: int = 2) -> int:
    """BERT and RoBERTa with the masked-LM head (dense, norm, tied decoder with its own bias), no pooler."""
    embeddings = (vocab + positions + types + 2) * hidden
    layer = 4 * (hidden**2 + hidden) + 2 * hidden * ffn + ffn + hidden + 4 * hidden
    return embeddings + layers * layer + hidden**2 + 3 * hidden + vocab


def modernbert(layers: int, hidden: int, ffn: int, vocab: int = 50_368) -> int:
    """ModernBERT with the masked-LM head: GeGLU, rotary positions, no biases but the decoder's."""
    layer = 4 * hidden**2 + 3 * hidden * ffn + 2 * hidden
    # The first block has no norm before attention: the embedding's norm stands there already.
    return (vocab + 1) * hidden + layers * layer - hidden + hidden + hidden**2 + hidden + vocab


def t5(
    layers: int,
    hidden: int,
    ffn: int,
    heads: int,
    head_dim: int = 64,
    vocab: int = 32_128,
    *,
    gated: bool = False,
    tied: bool = True,
    buckets: int = 32,
) -> int:
    """T5 with `layers` encoder and as many decoder layers; one relative-position table a stack; T5 1.1 when gated."""
    attention = 4 * hidden * heads * head_dim
    feed_forward = (3 if gated else 2) * hidden * ffn
    encoder = layers * (attention + feed_forward + 2 * hidden) + hidden
    decoder = layers * (2 * attention + feed_forward + 3 * hidden) + hidden
    return vocab * hidden * (1 if tied else 2) + encoder + decoder + 2 * buckets * heads


def bart(layers: int, hidden: int, ffn: int, vocab: int = 50_265, positions: int = 1026) -> int:
    """BART with `layers` encoder and as many decoder layers; learnt positions with their offset of two."""
    attention = 4 * (hidden**2 + hidden)
    feed_forward = 2 * hidden * ffn + ffn + hidden
    encoder = layers * (attention + feed_forward + 4 * hidden)
    decoder = layers * (2 * attention + feed_forward + 6 * hidden)
    return vocab * hidden + 2 * (positions * hidden + 2 * hidden) + encoder + decoder


PUBLISHED: dict[str, tuple[int, int]] = {
    "Llama-3.2-1B": (llama(16, 2048, 8192, 32, 8, 128_256, tied=True), 1_235_814_400),
    "Llama-3.2-3B": (llama(28, 3072, 8192, 24, 8, 128_256, tied=True), 3_212_749_824),
    "Llama-3.1-8B": (llama(32, 4096, 14_336, 32, 8, 128_256), 8_030_261_248),
    "Llama-3.1-70B": (llama(80, 8192, 28_672, 64, 8, 128_256), 70_553_706_496),
    "Llama-2-7B": (llama(32, 4096, 11_008, 32, 32, 32_000), 6_738_415_616),
    "TinyLlama": (llama(22, 2048, 5632, 32, 4, 32_000), 1_100_048_384),
    "GPT-2": (gpt2(12, 768), 124_439_808),
    "GPT-2 XL": (gpt2(48, 1600), 1_557_611_200),
    "GPT-3": (gpt2(96, 12_288, positions=2048), 174_604_259_328),
    "BLOOM": (bloom(70, 14_336, 250_880), 176_247_271_424),
    "BloombergGPT": (bloom(70, 7680, 131_072), 50_558_868_480),
    "BERT-base": (bert(12, 768, 3072), 109_514_298),
    "BERT-large": (bert(24, 1024, 4096), 335_174_458),
    "RoBERTa-base": (bert(12, 768, 3072, 50_265, 514, 1), 124_697_433),
    "ModernBERT-base": (modernbert(22, 768, 1152), 149_655_232),
    "T5-small": (t5(6, 512, 2048, 8), 60_506_624),
    "T5-base": (t5(12, 768, 3072, 12), 222_903_552),
    "T5-11B": (t5(24, 1024, 65_536, 128, 128), 11_307_321_344),
    "BART-base": (bart(6, 768, 3072), 139_420_416),
}
"""Name -> (our count, the published count)."""
