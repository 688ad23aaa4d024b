"""The root hash: whether two runs made the same thing."""

import hashlib
from collections.abc import Iterable, Sequence

import pyarrow as pa

from pipeline.core.fingerprint import canonical

MODULUS = 1 << 256


def row_sum(ids: Sequence[str], hashes: Sequence[bytes], verdicts: Sequence[str], reasons: Sequence[list[str]]) -> int:
    """The sum modulo 2^256 of sha256 over each row: the same for any order and any layout of the same rows."""
    total = 0
    for own, text, verdict, why in zip(ids, hashes, verdicts, reasons, strict=True):
        row = b"\0".join((own.encode(), text, verdict.encode(), ",".join(why).encode()))
        total += int.from_bytes(hashlib.sha256(row).digest(), "big")
    return total % MODULUS


def table_sum(verdicts: pa.Table, texts: pa.Table) -> int:
    """`row_sum` of one shard's final verdicts and texts."""
    return row_sum(
        verdicts["id"].to_pylist(),
        texts["text_hash"].to_pylist(),
        verdicts["verdict"].to_pylist(),
        verdicts["reasons"].to_pylist(),
    )


def root_hash(sums: Iterable[int], tokenizer: str, plan: object, shards: Iterable[str]) -> str:
    """sha256, 64 hex digits, over all documents, the tokenizer, the plan's choices and the token shards.

    Clocks, paths, the report and training are not in it.
    """
    parts = {
        "documents": f"{sum(sums) % MODULUS:064x}",
        "tokenizer": tokenizer,
        "plan": plan,
        "shards": sorted(shards),
    }
    return hashlib.sha256(canonical(parts)).hexdigest()
