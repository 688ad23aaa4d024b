"""Published parameter counts, and formulas the planner itself has no use for."""

import math
import struct
from collections.abc import Iterable
from dataclasses import replace

from pipeline.size.activations import COMPUTE_BYTES
from pipeline.size.flops import flops_per_token
from pipeline.size.shape import PRESETS, Shape


def bloom(layers: int, hidden: int, vocab: int) -> int:
    """BLOOM and BloombergGPT: ALiBi (no positions), a LayerNorm after the embedding, tied head."""
    return vocab * hidden + layers * (12 * hidden**2 + 13 * hidden) + 4 * hidden


def gpt2(layers: int, hidden: int, positions: int = 1024) -> Shape:
    heads = hidden // 64
    return Shape(layers, hidden, 4 * hidden, heads, heads, 64, 50_257, architecture="gpt2", positions=positions)


def t5(layers: int, hidden: int, ffn: int, heads: int, head_dim: int = 64) -> Shape:
    return Shape(layers, hidden, ffn, heads, heads, head_dim, 32_128, architecture="t5")


PUBLISHED: dict[str, tuple[int, int]] = {
    "Llama-3.2-1B": (PRESETS["llama-3.2-1b"].params, 1_235_814_400),
    "Llama-3.2-3B": (PRESETS["llama-3.2-3b"].params, 3_212_749_824),
    "Llama-3.1-8B": (PRESETS["llama-3.1-8b"].params, 8_030_261_248),
    "Llama-3.1-70B": (Shape(80, 8192, 28_672, 64, 8, 128, 128_256, False).params, 70_553_706_496),
    "Llama-2-7B": (Shape(32, 4096, 11_008, 32, 32, 128, 32_000, False).params, 6_738_415_616),
    "TinyLlama": (PRESETS["tinyllama-1.1b"].params, 1_100_048_384),
    "GPT-2": (replace(PRESETS["gpt2"], positions=1024).params, 124_439_808),
    "GPT-2 XL": (gpt2(48, 1600).params, 1_557_611_200),
    "GPT-3": (gpt2(96, 12_288, 2048).params, 174_604_259_328),
    "BLOOM": (bloom(70, 14_336, 250_880), 176_247_271_424),
    "BloombergGPT": (bloom(70, 7680, 131_072), 50_558_868_480),
    "BERT-base": (PRESETS["bert-base"].params, 109_514_298),
    "BERT-large": (PRESETS["bert-large"].params, 335_174_458),
    "RoBERTa-base": (PRESETS["roberta-base"].params, 124_697_433),
    "ModernBERT-base": (PRESETS["modernbert-base"].params, 149_655_232),
    "T5-small": (PRESETS["t5-small"].params, 60_506_624),
    "T5-base": (PRESETS["t5-base"].params, 222_903_552),
    "T5-11B": (t5(24, 1024, 65_536, 128, 128).params, 11_307_321_344),
    "BART-base": (replace(PRESETS["bart-base"], positions=1026).params, 139_420_416),
}
"""Name -> (our count, the published count)."""


def mfu(tokens_per_second: float, shape: Shape, sequence: int, peak_tflops: float) -> float:
    """Model FLOPs utilisation of one device, 0 to 1, against its dense peak."""
    return tokens_per_second * flops_per_token(shape, sequence) / (peak_tflops * 1e12)


def hardware_flops(tflops_per_gpu: float, gpus: int, seconds_per_step: float, steps: int) -> float:
    """FLOPs that hardware counters would show: achieved rate times time, recomputation included."""
    return tflops_per_gpu * 1e12 * gpus * seconds_per_step * steps


def scheduled_tokens(steps: Iterable[tuple[int, int, int]]) -> int:
    """Tokens of a batch schedule of (steps, sequences a step, tokens a sequence)."""
    return sum(count * batch * sequence for count, batch, sequence in steps)


def raw_to_collect(tokens: float, domain_share: float, keep_rate: float) -> float:
    """Raw domain tokens to collect so that `domain_share` of `tokens` survive a pipeline with `keep_rate`."""
    return tokens * domain_share / keep_rate


def serving_bytes(params: float, precision: str) -> float:
    """Bytes of the weights alone, as a model that only serves holds them."""
    return COMPUTE_BYTES[precision] * params


def rounded(value: float, precision: str) -> float:
    """The nearest value of the format (ties to even); int8 clips to -128..127."""
    if precision == "int8":
        return max(-128, min(127, round(value)))
    if precision == "float16":
        return struct.unpack("<e", struct.pack("<e", value))[0]
    if not math.isfinite(value):
        return value
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]
