"""Published numbers the laws are fitted to, and published models that plans and figures are compared with: `published.toml`."""

import math
import tomllib
from collections import namedtuple
from importlib.resources import files
from typing import Any, NamedTuple

TABLES: dict[str, Any] = tomllib.loads(files("pipeline.size").joinpath("published.toml").read_text("utf-8"))

ChinchillaRow = namedtuple("ChinchillaRow", "params flops_1 tokens_1 flops_2 tokens_2 flops_3 tokens_3")
"""A parameter count and its optimal FLOPs and tokens three ways."""
CHINCHILLA = tuple(ChinchillaRow(*row) for row in TABLES["chinchilla"])


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


class Run(NamedTuple):
    """How a published model was trained: tokens of a step (once the batch had grown) and AdamW's peak rate."""

    name: str
    params: float
    batch_tokens: float
    learning_rate: float
    source: str


MODELS = tuple(Model(**row) for row in TABLES["models"])
RUNS = tuple(Run(**row) for row in TABLES["runs"])
BLOOMBERGGPT: dict[str, Any] = TABLES["bloomberggpt"]


def nearest_runs(params: float) -> list[Run]:
    """The two published runs nearest in size, smaller first."""
    by_distance = sorted(RUNS, key=lambda run: abs(math.log(run.params / params)))
    return sorted(by_distance[:2], key=lambda run: run.params)
