"""`python -m recipes.pretrain.export_shards HANDOFF --to FORMAT --out DIR`: the token shards in another trainer's layout.

    megatron   <shard>.bin, <shard>.idx     Megatron-LM's IndexedDataset (megatron/core/datasets/indexed_dataset.py)
    olmo-core  <shard>.npy, <shard>.csv.gz  headerless arrays and document borders (olmo_core/data/utils.py)
    nanotron   <shard>.ds, .ds.index        datatrove's own files, which its TokenizedBytes data set reads
    torchtitan <shard>.bin, <shard>.npy     uint32 tokens and document offsets, as its data README's pretokenized source

Shards keep their place, `<out>/<split>/<source>/…`, and every document its eos: no format adds another separator.
`export.json`, written last, says what the reader must be told (eos, dtype, shares of the mix).
"""

import argparse
import gzip
import hashlib
import io
import itertools
import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.handoff import EXIT_OK, InfrastructureError, Manifest, Shard, UsageError
from recipes.pretrain.command import parser, run
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.token_stream import open_array, read_ends

PIECE = 1 << 22
"""Tokens copied at a time."""
MEGATRON_HEADER, MEGATRON_VERSION = b"MMIDIDX\x00\x00", 1
MEGATRON_CODES = {"uint16": 8, "uint32": 4}
"""Its numbers for integer types. It has no uint32: ids below 2^31 have the same bytes as int32, number 4."""


def pieces(handoff: Handoff, shard: Shard) -> Iterator[np.ndarray]:
    """The tokens of a shard in order, checked against its sha256 when the last one was taken."""
    dtype = handoff.manifest.dtype
    tokens = open_array(handoff.at(shard.path), dtype, shard.bytes)
    digest = hashlib.sha256()
    for start in range(0, shard.num_tokens, PIECE):
        piece = tokens[start : min(shard.num_tokens, start + PIECE)]
        digest.update(piece.tobytes())
        yield piece
    if digest.hexdigest() != shard.sha256:
        raise InfrastructureError(f"{handoff.at(shard.path)} was altered after it was written: its sha256 is another")


def copy_tokens(handoff: Handoff, shard: Shard, path: Path, dtype: str | None = None) -> None:
    """Write the raw tokens, little-endian, in the hand-off's integer or a wider one."""
    kind = np.dtype(dtype or handoff.manifest.dtype).newbyteorder("<")
    with path.open("wb") as file:
        for piece in pieces(handoff, shard):
            file.write(piece.astype(kind, copy=False).tobytes())


def megatron(handoff: Handoff, ends: np.ndarray) -> bytes:
    """One sequence per document: lengths int32, byte offsets int64, and documents as ranges of sequences, from 0."""
    starts = np.concatenate([[0], ends[:-1]])
    width = np.dtype(handoff.manifest.dtype).itemsize
    head = MEGATRON_HEADER + struct.pack("<QB", MEGATRON_VERSION, MEGATRON_CODES[handoff.manifest.dtype])
    arrays = (ends - starts).astype("<i4"), (starts * width).astype("<i8"), np.arange(len(ends) + 1, dtype="<i8")
    return head + struct.pack("<QQ", len(ends), len(ends) + 1) + b"".join(array.tobytes() for array in arrays)


def olmo_core(handoff: Handoff, ends: np.ndarray) -> bytes:
    """`start,end` of every document as gzipped CSV."""
    lines = "".join(f"{start},{end}\n" for start, end in itertools.pairwise([0, *ends.tolist()]))
    return gzip.compress(lines.encode(), mtime=0)


def nanotron(handoff: Handoff, ends: np.ndarray) -> bytes:
    """datatrove's format, as it is here."""
    return ends.astype("<u8").tobytes()


def torchtitan(handoff: Handoff, ends: np.ndarray) -> bytes:
    """Where documents begin, with the end of the last one."""
    offsets = io.BytesIO()
    np.save(offsets, np.concatenate([[0], ends]).astype("<i8"))
    return offsets.getvalue()


class Format(NamedTuple):
    """A layout: the ending of raw tokens, that of the index, what the index holds, and the tokens' type where it is fixed.

    OLMo-core's raw array is without numpy's header, despite its name.
    """

    tokens: str
    index: str
    write: Callable[[Handoff, np.ndarray], bytes]
    dtype: str | None = None


FORMATS = {
    "megatron": Format(".bin", ".idx", megatron),
    "olmo-core": Format(".npy", ".csv.gz", olmo_core),
    "nanotron": Format(".ds", ".ds.index", nanotron),
    "torchtitan": Format(".bin", ".npy", torchtitan, "uint32"),
}


def write_shard(handoff: Handoff, shard: Shard, base: Path, form: Format) -> list[Path]:
    """The two files of a shard."""
    tokens, index = base.with_suffix(form.tokens), base.with_suffix(form.index)
    copy_tokens(handoff, shard, tokens, form.dtype)
    index.write_bytes(form.write(handoff, read_ends(handoff, shard).astype(np.int64)))
    return [tokens, index]


def settings_for(form: str, manifest: Manifest, prefixes: dict[str, list[tuple[str, float]]]) -> dict[str, Any]:
    """What a user copies into the other trainer's configuration. prefixes: (path, share of the source) by source."""
    share = {source.name: source.weight for source in manifest.sources}
    files = [(path, share[name] * part) for name, parts in prefixes.items() for path, part in parts if share[name]]
    if form == "megatron":
        blend = " ".join(f"{weight:.8f} {path}" for path, weight in files)
        return {"--train-data-path": blend, "--eod-mask-loss": False, "--reset-position-ids": True,
                "--reset-attention-mask": True}  # fmt: skip
    if form == "olmo-core":
        return {"paths": [f"{path}.npy" for path, _ in files], "dtype": manifest.dtype, "ratios": dict(share)}
    if form == "nanotron":
        folders = {name: str(Path(parts[0][0]).parent) for name, parts in prefixes.items() if share[name]}
        return {"dataset_folder": list(folders.values()), "dataset_weights": [share[name] for name in folders],
                "token_size_in_bytes": np.dtype(manifest.dtype).itemsize, "return_positions": True}  # fmt: skip
    return {"datasets": [{"tokens_path": f"{path}.bin", "document_offsets_path": f"{path}.npy", "weight": weight}
                         for path, weight in files]}  # fmt: skip


def export_shards(handoff: Handoff, form: str, out: Path) -> dict[str, Any]:
    """Write all splits of all sources under `out`, which must not hold an export; returns what export.json holds.

    Raises UsageError for an occupied folder, InfrastructureError when a shard is missing, cut short or altered.
    """
    if (out / "export.json").exists():
        raise UsageError(f"{out} holds an export already; choose another folder or delete it")
    manifest = handoff.manifest
    files: list[dict[str, Any]] = []
    prefixes: dict[str, list[tuple[str, float]]] = {}
    for source in manifest.sources:
        for split, shards in source.splits.items():
            for number, shard in enumerate(shards):
                base = out / split / source.name / f"{number:05d}"
                base.parent.mkdir(parents=True, exist_ok=True)
                for path in write_shard(handoff, shard, base, FORMATS[form]):
                    files.append({"path": path.relative_to(out).as_posix(), "bytes": path.stat().st_size})
                if split == "train":
                    part = shard.num_tokens / max(1, source.num_tokens())
                    prefixes.setdefault(source.name, []).append((str(base.relative_to(out)), part))
    tokenizer = manifest.tokenizer
    written = {
        "format": form,
        "fingerprint": manifest.fingerprint,
        "eos_id": tokenizer.eos_id,
        "separator": "each document ends with eos_id; none begins with bos, and the reader must add neither",
        "special_ids": tokenizer.model_dump(include={"bos_id", "pad_id", "mask_id", "cls_id", "sep_id", "unk_id"}),
        "sentinels": [tokenizer.sentinel_first, tokenizer.sentinel_count],
        "vocab_size": tokenizer.vocab_size,
        "padded_vocab_size": tokenizer.padded_vocab_size,
        "settings": settings_for(form, manifest, prefixes),
        "files": files,
    }
    (out / "export.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    cli = parser(".export_shards", "Shards for others.")
    cli.add_argument("--to", required=True, choices=list(FORMATS), help="whose layout")
    cli.add_argument("--out", required=True, metavar="DIR", type=Path, help="a new folder")
    return run(cli, _main, arguments)


def _main(options: argparse.Namespace) -> int:
    try:
        written = export_shards(open_handoff(options.handoff, options.set), options.to, options.out)
    except OSError as error:
        raise InfrastructureError(f"{options.out} could not be written: {error.strerror}") from error
    if options.json:
        print(json.dumps(written))
    else:
        print(f"{len(written['files'])} files in {options.out}; what to tell the reader: {options.out / 'export.json'}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
