"""Benchmark files as items: what a benchmark asks with its answer, and the text that it asks about.

JSON Lines, JSON, CSV, TSV, Parquet and text files, compressed or not, and tar archives of them. A record is a line, a row
or a JSON object. Its fields are told apart by their names: a question, its answer, evidence; names, types and numbers
beside them are no text. Where no field has a name that says so, every field long enough is an item. Long texts are cut into
pieces, so that a copied paragraph of a long context counts.
"""

import csv
import io
import json
import re
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.ingest.encoding import decode_payload
from pipeline.ingest.record import DamagedInputError
from pipeline.ingest.streams import decoded, open_url

PIECE_WORDS = 64
"""Words of a piece at most."""
MIN_QUESTION = 4
"""Words of a question at least that is sought together with its answer."""
QUESTION = frozenset("question q query prompt problem instruction goal premise stem input ask".split())
ANSWER = frozenset(
    "answer answers target solution output completion response correct_answer best_answer gold choices options endings".split()
)
EVIDENCE = frozenset(
    "context passage evidence evidence_text evidence_text_full_page paragraph paragraphs text document article table body "
    "content story background support sentence row".split()
)
_PACKED = re.compile(r"\.(gz|zst|bz2|xz)$")
_NOT_ITEMS = re.compile(r"(^|/)(_origin/|readme|licen[cs]e)|\.(md|markdown|pdf|py)$", re.IGNORECASE)
_LABEL = re.compile(r"@(positive|negative|neutral)$")
_CODE = re.compile(r"\S{16,}")
_MAX_EXPANSION = 1000


class Item(NamedTuple):
    """One thing to look for. A `question` too short to be rare counts with its `answer` beside it; `evidence` is the text that
    questions are about; `text` is anything else."""

    name: str
    """`file#record`"""
    kind: Literal["question", "evidence", "text"]
    pieces: tuple[str, ...]
    answer: str = ""
    """One a line; a choice is as good as another."""


def split_members(path: str) -> tuple[str, str]:
    """A path and the glob of an archive's members after "#": all of them without one.

    >>> split_members("a.tar.zst#*/test-*.csv"), split_members("b.jsonl")
    (('a.tar.zst', '*/test-*.csv'), ('b.jsonl', '*'))
    """
    where, _, members = path.partition("#")
    return where, members or "*"


def read_items(path: str, min_words: int) -> list[Item]:
    """Every item of a file, or of an archive's members after "#".

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


def _items(name: str, data: bytes, min_words: int, wanted: str = "*") -> Iterator[Item]:
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
        yield from _of_record(f"{name}#{number}", fields, min_words)


Fields = list[tuple[str, str]]
"""Name (small letters, or "") and text of each field of a record, in order."""


def _records(name: str, data: bytes) -> Iterator[Fields]:
    """The fields of each record. Lines end at "\\n" alone: other separators of Unicode may stand inside a string of JSON."""
    if name.endswith(".parquet"):
        for row in pq.read_table(io.BytesIO(data)).to_pylist():
            yield from _fields(row)
        return
    text = decode_payload(data, None, False).text
    if name.endswith((".jsonl", ".ndjson")):
        for line in text.split("\n"):
            if line.strip():
                yield from _fields(json.loads(line))
    elif name.endswith(".json"):
        yield from _fields(json.loads(text))
    elif name.endswith((".csv", ".tsv")):
        yield from _rows(text, tabbed=name.endswith(".tsv"))
    else:
        for line in text.split("\n"):
            yield [("", _LABEL.sub("", line.rstrip("\r")))]


def _rows(text: str, tabbed: bool) -> Iterator[Fields]:
    """Rows of a table. The first names the columns if one of its cells is the name of a question, answer or evidence."""
    delimiter, quoting = ("\t", csv.QUOTE_NONE) if tabbed else (",", csv.QUOTE_MINIMAL)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    head = next(rows, [])
    names = [cell.strip().lower() for cell in head]
    if QUESTION.union(ANSWER, EVIDENCE).isdisjoint(names):
        rows, names = chain([head], rows), []
    for row in rows:
        if (
            not names and len(row) >= 4 and re.fullmatch("[A-Ea-e]", row[-1].strip())
        ):  # a question, its choices, a letter
            yield [("question", row[0]), *(("choices", cell) for cell in row[1:-1])]
        else:
            yield list(zip(names or [""] * len(row), row, strict=False))


def _fields(value: Any, name: str = "") -> Iterator[Fields]:
    """One record per object or list that holds strings, innermost ones too; lists of strings and numbers are one field.

    The strings of a list in a list are cells of a `row`, and all of a table's together are one more; those of other lists have
    no name. Turns of a chat are a question and its answer.
    """
    if isinstance(value, str):
        yield [("", value)]
        return
    within = isinstance(value, dict)
    entries = value if isinstance(value, list) else []
    if len(entries) > 1 and all(isinstance(row, list) for row in entries):
        yield [("row", " ".join(str(cell) for row in entries for cell in row if isinstance(cell, str | int | float)))]
    if entries and all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in entries):
        names = {"user": "question", "assistant": "answer"}
        yield [(names.get(str(turn["role"]), ""), str(turn["content"])) for turn in entries]
        return
    named: list[tuple[str, Any]] = []
    if isinstance(value, dict | list):
        named = list(value.items()) if isinstance(value, dict) else [(name, entry) for entry in value]
    own = [(field.lower(), text) for field, entry in named if (text := _plain(entry, within)) is not None]
    if any(not text.replace(".", "").isdigit() for _, text in own):
        yield own
    for _, entry in named:
        if isinstance(entry, dict | list) and _plain(entry, within) is None:
            yield from _fields(entry, "" if within or isinstance(entry, dict) else "row")


def _plain(entry: Any, within: bool) -> str | None:
    """A field as text: a string, a number, or (of an object) a list of these; None for what has fields of its own."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, int | float) and not isinstance(entry, bool):
        return str(entry)
    if within and isinstance(entry, list) and entry and all(isinstance(one, str | int | float) for one in entry):
        return " ".join(str(one) for one in entry)
    return None


def _of_record(name: str, fields: Fields, min_words: int) -> Iterator[Item]:
    questions = [text for field, text in fields if field in QUESTION and len(text.split()) >= MIN_QUESTION]
    answers = [" ".join(text.split()) for field, text in fields if field in ANSWER]
    answer = "\n".join(text for text in answers if text)
    if questions:
        for text in questions:
            if len(text.split()) >= min_words or any(map(tells, answers)):
                yield Item(name, "question", tuple(_pieces(text.split())), answer)
        if len(answers) == 1 and len(answers[0].split()) >= min_words:  # worked out, and no choice among several
            yield Item(name, "evidence", tuple(_pieces(answers[0].split())))
    named = bool(questions) or any(field in EVIDENCE for field, _ in fields)
    kinds: list[tuple[Literal["evidence", "text"], list[str]]] = [
        ("evidence", [text for field, text in fields if field in EVIDENCE and field != "row"]),
        ("evidence", [" ".join(text for field, text in fields if field == "row")]),
        ("text", [] if named else list(_long_enough([text for _, text in fields], min_words))),
    ]
    for kind, texts in kinds:
        for text in texts:
            if len(text.split()) >= min_words:
                yield Item(name, kind, tuple(_pieces(text.split())))


def tells(answer: str) -> bool:
    """Whether an answer beside its question is no accident: a figure, a few words, or a word that is no yes or no."""
    words = answer.split()
    return any(sign.isdigit() for sign in answer) or len(words) >= 2 or any(len(word) >= 4 for word in words)


def _long_enough(fields: list[str], min_words: int) -> Iterator[str]:
    """Fields of a record without names: long ones each by itself, short ones that follow each other together."""
    short: list[str] = []
    for field in [*fields, None]:
        words = field.split() if field is not None else []
        if field is not None and len(words) < min_words:
            short += [] if len(words) == 1 and _CODE.fullmatch(words[0]) else words
            continue
        yield " ".join(short)
        short = []
        yield " ".join(words)


def _pieces(words: list[str]) -> Iterator[str]:
    count = -(-len(words) // PIECE_WORDS)
    for number in range(count):
        yield " ".join(words[number * len(words) // count : (number + 1) * len(words) // count])
