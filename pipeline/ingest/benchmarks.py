"""Benchmark files as items: every text a benchmark asks, tells or answers, whatever the file's format.

JSON Lines, JSON, CSV, TSV, Parquet and text files, compressed or not, and tar archives of them. A record is a line, a row
or a JSON object; each of its fields that is long enough is an item, and fields in a row that are not are one item together
(a short question and its choices). Long items are cut into pieces, so that a copied paragraph of a long context counts.
"""

import csv
import io
import json
import re
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.ingest.record import DamagedInputError
from pipeline.ingest.streams import decoded, open_url

PIECE_WORDS = 64
"""Words of a piece at most."""
_PACKED = re.compile(r"\.(gz|zst|bz2|xz)$")
_NOT_ITEMS = re.compile(r"(^|/)(_origin/|readme|licen[cs]e)|\.(md|markdown|pdf|py)$", re.IGNORECASE)
_LABEL = re.compile(r"@(positive|negative|neutral)$")
_CODE = re.compile(r"\S{16,}")
_MAX_EXPANSION = 1000


def split_members(path: str) -> tuple[str, str]:
    """A path and the glob of an archive's members after "#": all of them without one.

    >>> split_members("a.tar.zst#*/test-*.csv"), split_members("b.jsonl")
    (('a.tar.zst', '*/test-*.csv'), ('b.jsonl', '*'))
    """
    where, _, members = path.partition("#")
    return where, members or "*"


def read_items(path: str, min_words: int) -> list[tuple[str, str]]:
    """(name, text) of every item of a file, or of an archive's members after "#"; names are `file#record`.

    Raises UsageError when it cannot be read, or when it is no archive or none of its members is meant.
    """
    where, wanted = split_members(path)
    name = PurePosixPath(where).name
    try:
        with open_url(where) as raw:
            found = list(_items(name, decoded(raw, None, _MAX_EXPANSION).read(), min_words, wanted))
        if wanted != "*" and not found:
            raise UsageError(f"benchmark file {path}: nothing in {name} is named {wanted}, or holds items")
        return found
    except (ValueError, csv.Error, tarfile.TarError, pa.ArrowException, DamagedInputError) as error:
        raise UsageError(f"benchmark file {path}: {error}") from error


def _items(name: str, data: bytes, min_words: int, wanted: str = "*") -> Iterator[tuple[str, str]]:
    plain = _PACKED.sub("", name.lower())
    if plain.endswith((".tar", ".tgz")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                handle = archive.extractfile(member) if member.isfile() else None
                named = fnmatchcase(member.name, wanted) and not _NOT_ITEMS.search(member.name)
                if handle is not None and named:
                    yield from _items(PurePosixPath(member.name).name, handle.read(), min_words)
        return
    if wanted != "*":
        raise UsageError(f"benchmark file {name}: #{wanted} names members of an archive, and this is none")
    for number, fields in enumerate(_records(plain, data)):
        for text in _texts(fields, min_words):
            yield f"{name}#{number}", text


def _records(name: str, data: bytes) -> Iterator[list[str]]:
    """The strings of each record, in order."""
    if name.endswith(".parquet"):
        for row in pq.read_table(io.BytesIO(data)).to_pylist():
            yield from _fields(row)
        return
    text = _text(data)
    if name.endswith((".jsonl", ".ndjson")):
        for line in text.split("\n"):
            if line.strip():
                yield from _fields(json.loads(line))
    elif name.endswith(".json"):
        yield from _fields(json.loads(text))
    elif name.endswith((".csv", ".tsv")):
        tabbed = name.endswith(".tsv")
        rows = csv.reader(
            io.StringIO(text, newline=""),
            delimiter="\t" if tabbed else ",",
            quoting=csv.QUOTE_NONE if tabbed else csv.QUOTE_MINIMAL,
        )
        yield from rows
    else:
        for line in text.splitlines():
            yield [_LABEL.sub("", line)]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _fields(value: Any) -> Iterator[list[str]]:
    """One record per object or list that holds strings, innermost ones too."""
    if isinstance(value, str):
        yield [value]
        return
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [entry for entry in inner if isinstance(entry, str)]
    if own:
        yield own
    for entry in inner:
        if isinstance(entry, dict | list):
            yield from _fields(entry)


def _texts(fields: list[str], min_words: int) -> Iterator[str]:
    short: list[str] = []
    for field in [*fields, None]:
        words = field.split() if field is not None else []
        if field is not None and len(words) < min_words:
            short += [] if len(words) == 1 and _CODE.fullmatch(words[0]) else words
            continue
        if len(short) >= min_words:
            yield from _pieces(short)
        short = []
        if words:
            yield from _pieces(words)


def _pieces(words: list[str]) -> Iterator[str]:
    count = -(-len(words) // PIECE_WORDS)
    for number in range(count):
        yield " ".join(words[number * len(words) // count : (number + 1) * len(words) // count])
