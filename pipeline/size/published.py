"""Published numbers the laws are fitted to, and published models that plans and figures are compared with."""

import math
from typing import NamedTuple


class ChinchillaRow(NamedTuple):
    """One row of arXiv 2203.15556, tables 3 and A3: a parameter count and its optimal FLOPs and tokens three ways."""

    params: float
    flops_1: float
    tokens_1: float
    flops_2: float
    tokens_2: float
    flops_3: float
    tokens_3: float


CHINCHILLA = (
    ChinchillaRow(400e6, 1.92e19, 8.0e9, 1.84e19, 7.7e9, 2.21e19, 9.2e9),
    ChinchillaRow(1e9, 1.21e20, 20.2e9, 1.20e20, 20.0e9, 1.62e20, 27.1e9),
    ChinchillaRow(10e9, 1.23e22, 205.1e9, 1.32e22, 219.5e9, 2.46e22, 410.1e9),
    ChinchillaRow(67e9, 5.76e23, 1.5e12, 6.88e23, 1.7e12, 1.71e24, 4.1e12),
    # The last FLOPs of this row are printed as 1.26e24; 6ND of the row's own figures is 1.26e25, used here.
    ChinchillaRow(175e9, 3.85e24, 3.7e12, 4.54e24, 4.3e12, 1.26e25, 12.0e12),
    ChinchillaRow(280e9, 9.90e24, 5.9e12, 1.18e25, 7.1e12, 3.52e25, 20.1e12),
    ChinchillaRow(520e9, 3.43e25, 11.0e12, 4.19e25, 13.4e12, 1.36e26, 43.5e12),
    ChinchillaRow(1e12, 1.27e26, 21.2e12, 1.59e26, 26.5e12, 5.65e26, 94.1e12),
    ChinchillaRow(10e12, 1.30e28, 216.2e12, 1.75e28, 292.0e12, 8.55e28, 1425.5e12),
)


class Model(NamedTuple):
    """A published model: parameters, training tokens, and where the two numbers stand."""

    name: str
    params: float
    tokens: float
    source: str

    @property
    def flops(self) -> float:
        """Training FLOPs counted as 6ND, whatever the authors counted."""
        return 6 * self.params * self.tokens


MODELS = (
    Model("GPT-3", 175e9, 300e9, "arXiv 2005.14165"),
    Model("Gopher", 280e9, 300e9, "arXiv 2112.11446"),
    Model("Chinchilla", 70e9, 1.4e12, "arXiv 2203.15556"),
    Model("BLOOM", 176e9, 366e9, "arXiv 2211.05100"),
    Model("OPT", 175e9, 180e9, "arXiv 2205.01068"),
    Model("GPT-NeoX", 20e9, 472e9, "arXiv 2204.06745"),
    Model("LLaMA-65B", 65.2e9, 1.4e12, "arXiv 2302.13971"),
    Model("BloombergGPT", 50.6e9, 569e9, "arXiv 2303.17564"),
)


class Run(NamedTuple):
    """How a published model was trained: tokens of a step (once the batch had grown) and AdamW's peak rate."""

    name: str
    params: float
    batch_tokens: float
    learning_rate: float
    source: str


RUNS = (
    Run("Pythia 160M", 0.16e9, 2.1e6, 6e-4, "arXiv 2304.01373"),
    Run("TinyLlama 1.1B", 1.1e9, 2.1e6, 4e-4, "arXiv 2401.02385"),
    Run("OLMo 2 7B", 7.3e9, 4.2e6, 3e-4, "arXiv 2501.00656"),
    Run("Llama 2 7B", 6.7e9, 4.2e6, 3e-4, "arXiv 2307.09288"),
    Run("OLMo 2 13B", 13.7e9, 8.4e6, 9e-4, "arXiv 2501.00656"),
    Run("GPT-NeoX 20B", 20e9, 3.15e6, 0.97e-4, "arXiv 2204.06745"),
    Run("BloombergGPT 50B", 50.6e9, 4.2e6, 6e-5, "arXiv 2303.17564"),
    Run("LLaMA 65B", 65.2e9, 4.2e6, 1.5e-4, "arXiv 2302.13971"),
    Run("Chinchilla 70B", 70e9, 3e6, 1e-4, "arXiv 2203.15556"),
    Run("BLOOM 176B", 176e9, 4.2e6, 6e-5, "arXiv 2211.05100"),
    Run("Llama 3.1 405B", 405e9, 16.8e6, 8e-5, "arXiv 2407.21783"),
)

BLOOMBERGGPT = {
    "params": 50.6e9,
    "tokens": 569e9,
    "gpu_hours": 1.3e6,
    "gpu": "a100-40gb",
    "gpus": 512,
    "tflops_per_gpu": 102,
    "steps": 139_200,
    "batch_tokens": [2_097_152, 4_194_304],
    "learning_rate": 6e-5,
    "source": "arXiv 2303.17564",
}
"""Its compute budget (restarts and trials included), and what the final run did: 1,024 sequences of 2,048 tokens for the
first 7,200 steps, then 2,048 of them."""


def nearest_runs(params: float, count: int = 2) -> list[Run]:
    """The published runs nearest in size, smaller first."""
    by_distance = sorted(RUNS, key=lambda run: abs(math.log(run.params / params)))
    return sorted(by_distance[:count], key=lambda run: run.params)
