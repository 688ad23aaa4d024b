"""Chooses the reader of a file or archive member: by the source's kind, else by content and name together."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from pipeline.ingest.content import HEAD, content_of
from pipeline.ingest.kinds import formats, kind_of_name
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import CHUNK, compression_of, decoded, peekable

_TEXT = ("text", "html", "xml")
_UNCLEAR = (*_TEXT, "empty", "binary")
_SHEETS = ("xls", "xlsx", "ods")
"""Programs that export a table as text often name it so."""
_IN_MEMORY = 2**26
"""Bytes of an unpacked file that are held in memory; the rest goes to a file without a name."""


def read_stream(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """The records of one file or archive member; damage that ends it early adds one quarantined record.

    A file of a kind that is not read gives none: the account of files names it. Such a member is a quarantined record.
    """
    try:
        stream, kind = _opened(stream, where)
        if kind in formats():
            if not where.prefix:
                where.tally.note(where.name).kind = kind
            yield from formats()[kind].read(stream, where)
            return
        refusal = f"files of kind {kind} are not read"
        if where.prefix:
            yield where.bad("not_read", refusal, "", key=where.name)
            return
        where.tally.note(where.name).kind, where.tally.note(where.name).refused = kind, refusal
    except DamagedInputError as error:
        yield where.bad(error.rule, error.detail, "", key=error.key or f"{where.name}#damage")


def _opened(stream: BinaryIO, where: Where) -> tuple[Any, str]:
    """The stream as its reader wants it, and the kind: one that is registered, or the name of one that is not read."""
    asked, known, name = where.source.kind, formats(), where.name
    opened = peekable(stream)
    head = opened.peek(HEAD)[:HEAD]
    packed = compression_of(head)
    if packed:
        named = kind_of_name(name) if asked == "auto" else asked
        if named and known[named].unpacks:
            return _seekable(opened, where), named
        opened, name = decoded(opened, where.size, where.source.max_expansion), _unpacked(name)
        head = opened.peek(HEAD)[:HEAD]
    content = content_of(head, name)
    kind = _chosen(asked, kind_of_name(where.name), content, head)
    if asked != "auto" and content not in (*_UNCLEAR, asked):
        raise DamagedInputError("other_kind", f"the file is of kind {content}, not {asked}")
    if kind not in known:
        return opened, kind
    if known[kind].seeks:
        return (_spooled(opened) if packed else _seekable(opened, where)), kind
    return (opened if packed else decoded(opened, where.size, where.source.max_expansion)), kind


def _chosen(asked: str, named: str | None, content: str, head: bytes) -> str:
    """The kind of a file whose content and name say these. Binary content comes before the name, the name before text."""
    known = formats()
    if asked != "auto":
        recognises = known[asked].recognises
        return asked if recognises is None or recognises(head, named == asked) else "text"
    if content not in _UNCLEAR:
        return content
    for name, form in known.items():
        if form.recognises and named in (None, "text", "html", name) and form.recognises(head, named == name):
            return name
    if content == "text" and named is None and _is_object(head):
        return "jsonl"
    if content in _TEXT and (named is None or known[named].binary or known[named].recognises):
        return "csv" if content == "text" and named in _SHEETS else content
    return named or ("text" if content == "empty" else content)


def _is_object(head: bytes) -> bool:
    """Whether the first line is a JSON object: rows in a file whose name says nothing."""
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0].rstrip()
    if not line.startswith(b"{") or not line.endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _seekable(stream: Any, where: Where) -> Any:
    """The file itself; a member of an archive, which cannot be sought in, is copied."""
    return _spooled(stream) if where.prefix or not stream.seekable() else stream


def _spooled(stream: Any) -> Any:
    copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with its last reference, at the end of the file
    shutil.copyfileobj(stream, copy, CHUNK)
    copy.seek(0)
    return copy


def _unpacked(name: str) -> str:
    return name.rpartition(".")[0] if name.lower().endswith((".gz", ".zst", ".bz2", ".xz")) else name
