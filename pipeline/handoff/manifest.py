"""`handoff/manifest.json`: the sources, their shards, the tokenizer, and the fingerprint of it all."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pipeline.errors import UsageError
from pipeline.handoff.base import FORMAT_VERSION, HandoffModel, sentences

Role = Literal["domain", "general"]
TokenDtype = Literal["uint16", "uint32"]


class TokenizerInfo(HandoffModel):
    """What the trainer must know of the tokenizer. An id is null where the tokenizer has no such token."""

    path: str = "tokenizer"
    """Folder of the tokenizer, relative to the run folder."""
    sha256: str
    """Of tokenizer.json."""
    vocab_size: int = Field(gt=0)
    """Number of tokens, special tokens included."""
    padded_vocab_size: int = Field(gt=0)
    """Rows of the embedding: vocab_size rounded up to a multiple of 128."""
    eos_id: int = Field(ge=0)
    """Token that ends every document in the shards."""
    bos_id: int | None = None
    pad_id: int | None = None
    mask_id: int | None = None
    """Needed for masked language modelling and infilling."""
    cls_id: int | None = None
    sep_id: int | None = None
    unk_id: int | None = None
    sentinel_first: int | None = None
    """Id of <extra_id_0>; the next sentinels follow upwards."""
    sentinel_count: int = Field(default=0, ge=0)
    """Sentinels reserved for span corruption."""

    @model_validator(mode="after")
    def _ids_exist(self) -> Self:
        if self.padded_vocab_size < self.vocab_size:
            raise ValueError(f"padded_vocab_size {self.padded_vocab_size} is below vocab_size {self.vocab_size}")
        for name in ("eos_id", "bos_id", "pad_id", "mask_id", "cls_id", "sep_id", "unk_id"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < self.vocab_size:
                raise ValueError(f"{name} {value} is past the vocabulary of {self.vocab_size}")
        if self.sentinel_count and self.sentinel_first is None:
            raise ValueError("sentinel_count without sentinel_first")
        if self.sentinel_first is not None and self.sentinel_first + self.sentinel_count > self.vocab_size:
            raise ValueError("the sentinels reach past the vocabulary")
        return self


class Shard(HandoffModel):
    """One `.ds` file and its `.ds.index`."""

    path: str
    """Of the .ds file, relative to the run folder; the index is at <path>.index."""
    bytes: int = Field(ge=0)
    """Size of the .ds file."""
    num_tokens: int = Field(ge=0)
    """Eos of each document included."""
    num_documents: int = Field(ge=0)
    max_id: int = Field(ge=0)
    """The largest token id in the file."""
    sha256: str
    """Of the .ds file."""


class Source(HandoffModel):
    """One source of tokens: its role, its share of the training tokens, and its shards."""

    name: str = Field(min_length=1)
    role: Role
    licence: str = "unknown"
    """Licence of the text, as the recipe states it."""
    bucket: int | None = Field(default=None, ge=1)
    """Its documents' bucket by score, from 1 for the lowest: the largest of the manifest is the best. Null: not in buckets."""
    weight: float = Field(ge=0, le=1)
    """Share of the training tokens; the weights of all sources sum to 1."""
    epochs: float = Field(default=0.0, ge=0)
    """Passes over this source's training tokens in the plan."""
    splits: dict[str, list[Shard]]
    """Shards by split: `train`, `validation`, …."""
    text_bytes: dict[str, int] = Field(default_factory=dict)
    """UTF-8 bytes of text by split, for bits per byte."""
    uses: list[str] = Field(default_factory=list)
    """Parquet files with the number of uses of each training document."""

    def num_tokens(self, split: str = "train") -> int:
        """Tokens of a split, eos included."""
        return sum(shard.num_tokens for shard in self.splits.get(split, ()))


class Manifest(HandoffModel):
    """`handoff/manifest.json`: everything a trainer needs, and nothing that depends on when or where it was written."""

    format_version: Literal[1] = FORMAT_VERSION
    tokenizer: TokenizerInfo
    dtype: TokenDtype
    """Of the shards: uint16 up to 65,536 ids, else uint32."""
    byte_order: Literal["little"] = "little"
    separator: Literal["eos"] = "eos"
    """The eos id follows every document."""
    sources: list[Source] = Field(min_length=1)
    mix: dict[str, Any] = Field(default_factory=dict)
    """Shares asked for and shares reached."""
    terms: list[str] = Field(default_factory=list)
    """Domain terms the model is tested on in held-out text."""
    plan: dict[str, Any] = Field(default_factory=dict)
    """The sized model: parameters, tokens, law, memory."""
    fingerprint: str
    """Of the sequence of tokens this manifest stands for; see `fingerprint`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError("two sources have the same name")
        total = math.fsum(source.weight for source in self.sources)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the weights of the sources sum to {total:.6f}, not to 1")
        if self.dtype != token_dtype(self.tokenizer.vocab_size):
            raise ValueError(f"dtype {self.dtype} does not fit a vocabulary of {self.tokenizer.vocab_size}")
        width = 2 if self.dtype == "uint16" else 4
        for source in self.sources:
            if source.weight > 0 and source.num_tokens("train") == 0:
                raise ValueError(f"source {source.name} has weight {source.weight} and no training tokens")
            for shard in (shard for shards in source.splits.values() for shard in shards):
                if shard.bytes != shard.num_tokens * width:
                    raise ValueError(f"{shard.path}: {shard.bytes} bytes are not {shard.num_tokens} tokens of {width}")
                if shard.max_id >= self.tokenizer.vocab_size:
                    raise ValueError(
                        f"{shard.path}: token id {shard.max_id} is past the vocabulary of {self.tokenizer.vocab_size}"
                    )
        return self

    def tokens_by_role(self, split: str = "train") -> dict[str, int]:
        """Distinct tokens per role, before any repetition."""
        roles: dict[str, int] = {}
        for source in self.sources:
            roles[source.role] = roles.get(source.role, 0) + source.num_tokens(split)
        return roles


def token_dtype(vocab_size: int) -> TokenDtype:
    """The shard format's integer for a vocabulary (datatrove's rule).

    >>> token_dtype(32_000), token_dtype(65_535), token_dtype(65_536)
    ('uint16', 'uint16', 'uint32')
    """
    return "uint16" if vocab_size <= 65_535 else "uint32"


def fingerprint(fields: Mapping[str, Any]) -> str:
    """sha256 over what decides the sequence of training tokens.

    That is the tokenizer's hash and ids, the dtype, and per source its name, weight and the hashes and counts of its
    shards in order. Paths, licences, text bytes, the plan and the mix's prose do not enter: moving the run folder or
    wording a licence differently changes no token.

    fields: a manifest as a dict; `fingerprint` itself is ignored.
    """
    tokenizer = {k: v for k, v in dict(fields["tokenizer"]).items() if k != "path"}
    sources = [
        {
            "name": source["name"],
            "weight": source["weight"],
            "splits": {
                split: [[shard["sha256"], shard["num_tokens"], shard["num_documents"]] for shard in shards]
                for split, shards in sorted(source["splits"].items())
            },
        }
        for source in fields["sources"]
    ]
    material = {
        "format_version": fields.get("format_version", FORMAT_VERSION),
        "dtype": fields["dtype"],
        "byte_order": fields.get("byte_order", "little"),
        "tokenizer": tokenizer,
        "sources": sources,
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def build_manifest(
    *,
    tokenizer: TokenizerInfo | Mapping[str, Any],
    sources: Sequence[Source | Mapping[str, Any]],
    mix: Mapping[str, Any] | None = None,
    plan: Mapping[str, Any] | None = None,
    terms: Sequence[str] = (),
) -> Manifest:
    """The manifest of these sources, with its dtype and fingerprint filled in.

    Sources are sorted by name, so that the order they were listed in changes nothing. Raises UsageError when the parts
    do not fit together (weights that do not sum to 1, ids past the vocabulary, sizes that disagree).
    """
    try:
        info = tokenizer if isinstance(tokenizer, TokenizerInfo) else TokenizerInfo.model_validate(tokenizer)
        listed = [s if isinstance(s, Source) else Source.model_validate(s) for s in sources]
        fields: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "tokenizer": info.model_dump(mode="json"),
            "dtype": token_dtype(info.vocab_size),
            "byte_order": "little",
            "sources": [s.model_dump(mode="json") for s in sorted(listed, key=lambda s: s.name)],
            "mix": dict(mix or {}),
            "plan": dict(plan or {}),
            "terms": sorted(terms),
        }
        return Manifest.model_validate({**fields, "fingerprint": fingerprint(fields)})
    except ValidationError as error:
        raise UsageError(f"manifest: {sentences(error, Manifest)}") from None


def dump_manifest(manifest: Manifest) -> str:
    """The text of manifest.json: indented, keys sorted, one line feed at the end."""
    return json.dumps(manifest.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse_manifest(text: str, name: str = "manifest.json") -> Manifest:
    """A manifest from its text. Raises UsageError in one sentence when it is damaged, of another format or altered."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{name} is no JSON: {error}") from None
    if isinstance(fields, dict) and fields.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        raise UsageError(f"{name} has format version {fields['format_version']}; this release reads {FORMAT_VERSION}")
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"{name}: {sentences(error, Manifest)}") from None
    if fingerprint(manifest.model_dump(mode="json")) != manifest.fingerprint:
        raise UsageError(f"{name}: the fingerprint does not match its contents; the file was edited by hand")
    return manifest
