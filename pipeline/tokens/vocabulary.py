"""Which text the tokenizer learns from, and how large it gets: settings and the sample, as pure functions."""

import difflib
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator, model_validator

from pipeline.core.partition import id_fractions
from pipeline.core.settings import Settings
from pipeline.errors import UsageError
from pipeline.kernels.bpe.pretokens import PRESETS
from pipeline.tokens.existing import read_folder
from tokenizer.specials import special_tokens

SMALLEST, LARGEST = 4096, 65_408  # a multiple of 128 whose ids still fit uint16
BYTES_PER_ENTRY = 512
"""`vocab_size: auto` asks for this much training text per vocabulary entry, so that rare merges are still learnt."""


class TokenizerSettings(Settings):
    """A byte-level BPE trained on domain and general text, never on the domain alone; or a public one, kept or extended."""

    model_config = ConfigDict(populate_by_name=True)

    folder: str | None = Field(default=None, alias="from")
    """Folder of a public tokenizer (GPT-2, Llama-3, Qwen, GPT-4) to keep, for continued pre-training; its pattern and
    size replace `pretokens` and `vocab_size`."""
    extend: int = Field(default=0, ge=0)
    """With `from`: tokens to add, learnt from the domain's text; old ids stay."""
    vocab_size: int | Literal["auto"] = "auto"
    """Entries, special tokens included; auto: by the text."""
    domain: float = Field(default=0.51, ge=0, le=1)
    """Share of domain text, by bytes, it is trained on; apart from mix.domain, so that other shares of the mix
    rewrite no token."""
    pretokens: str = "gpt4"
    """Preset of the pre-token pattern."""
    sentinels: int = Field(default=0, ge=0, le=1000)
    """Sentinel tokens reserved for span corruption."""
    max_sample_bytes: int = Field(default=1 << 30, gt=0)
    """Text the tokenizer is trained on, at most."""

    references: list[str] = []
    """Files `tokenizer.json`, or folders with one, that the report compares ours with."""

    @field_validator("pretokens")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PRESETS:
            near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"no preset of that name; {hint}known: {', '.join(PRESETS)}")
        return name

    @field_validator("references")
    @classmethod
    def _there(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if not reference_file(path).is_file():
                raise ValueError(f"there is no tokenizer.json at {path}")
        return paths

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.folder is None:
            if self.extend:
                raise ValueError("extend: needs `from`, the tokenizer that is extended")
            return self
        if self.vocab_size != "auto" or self.sentinels:
            raise ValueError("a tokenizer kept by `from` has its own vocab_size and no sentinels; `extend` adds tokens")
        try:
            read_folder(self.folder)
        except UsageError as error:
            raise ValueError(str(error).removeprefix("tokenizer.")) from error
        return self

    @model_validator(mode="after")
    def _holds_every_byte(self) -> Self:
        least = 256 + len(special_tokens(sentinels=self.sentinels))
        if self.vocab_size != "auto" and self.vocab_size < least:
            raise ValueError(
                f"vocab_size: {least} or more, for 256 bytes and {least - 256} special tokens, not {self.vocab_size}"
            )
        return self

    def shares(self) -> dict[str, float]:
        """Share of the training text by role."""
        return {"domain": self.domain, "general": 1 - self.domain}


def reference_file(path: str) -> Path:
    """The `tokenizer.json` that a reference names."""
    place = Path(path)
    return place / "tokenizer.json" if place.is_dir() else place


def vocabulary_size(settings: TokenizerSettings, sample_bytes: float) -> int:
    """The vocabulary to ask for: a power of two, one entry per 512 bytes of sample, between 4,096 and 65,408.

    >>> vocabulary_size(TokenizerSettings(), 1_800_000)
    4096
    """
    if settings.vocab_size != "auto":
        return settings.vocab_size
    size = SMALLEST
    while size < LARGEST and size * BYTES_PER_ENTRY < sample_bytes:
        size *= 2
    return min(size, LARGEST)


def sample_fractions(bytes_by_role: dict[str, int], shares: dict[str, float], max_bytes: int) -> dict[str, float]:
    """The share of each role's kept text to train on, so that the sample has the mix's shares by bytes.

    The sample is as large as the scarcer role allows. A role that is missing altogether leaves the other one alone.

    >>> sample_fractions({"domain": 100, "general": 1000}, {"domain": 0.5, "general": 0.5}, 10_000)
    {'domain': 1.0, 'general': 0.1}
    """
    present = {role: size for role, size in bytes_by_role.items() if size and shares.get(role, 0) > 0}
    if not present:
        return {}
    weight = {role: shares[role] / sum(shares[other] for other in present) for role in present}
    total = min([float(max_bytes), *(present[role] / weight[role] for role in present)])
    return {role: min(1.0, total * weight[role] / present[role]) for role in sorted(present)}


def in_sample(ids: pa.Array | pa.ChunkedArray, roles: list[str], fractions: dict[str, float]) -> np.ndarray:
    """bool[n]: documents the tokenizer is trained on, the first of each role in the order of a hash of their ids."""
    bound = np.array([fractions.get(role, 0.0) for role in roles])
    return id_fractions(ids, "tokenizer") < bound
