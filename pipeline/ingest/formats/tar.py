"""Tar archives of documents, and WebDataset's: there the members `7.txt`, `7.json`, `7.jpg` are one sample."""

import io
import json
import posixpath
import tarfile
from collections.abc import Iterator
from typing import Any

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.members import read_member
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.rows import look_up, record_of, text_of

_HELD = (".txt", ".json")


@source_kind("tar", ".tar", ".tgz", binary=True)
def read_tar(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """The records of every wanted member of a tar stream, in the archive's order. Links, devices and folders are counted.

    Text and JSON object of one name, one after the other, are one record: the text with the object's fields.
    """
    held: list[tuple[str, bytes]] = []
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if held and _stem(member.name) != _stem(held[0][0]):
                    yield from _sample(held, where)
                    held = []
                if content is None:
                    if not member.isdir():
                        where.tally.skip("tar_special")
                elif member.name.lower().endswith(_HELD) and member.size <= where.source.max_record_bytes:
                    held.append((member.name, content.read()))
                else:
                    yield from read_member(content, member.name, member.size, where)  # type: ignore[arg-type]
    except (tarfile.TarError, EOFError) as error:
        yield from _sample(held, where)
        raise DamagedInputError("truncated", f"the archive cannot be read to its end: {error}") from error
    yield from _sample(held, where)


def _stem(name: str) -> str:
    folder, last = posixpath.split(name)
    return f"{folder}/{last.partition('.')[0]}"


def _sample(held: list[tuple[str, bytes]], where: Where) -> Iterator[Record]:
    """Members of one name: one record if they are a text and the object that describes it, else each by its kind."""
    row = _described([data for name, data in held if name.lower().endswith(".json")])
    texts = [data for name, data in held if name.lower().endswith(".txt")]
    if (
        row is not None
        and len(texts) == 1
        and len(held) == 2
        and text_of(look_up(row, where.source.fields.text)) is None
    ):
        text = texts[0].decode("utf-8", "surrogateescape")
        yield record_of({**row, where.source.fields.text: text}, where, f"member={_stem(held[0][0]).lstrip('/')}")
        return
    for name, data in held:
        yield from read_member(io.BytesIO(data), name, len(data), where)


def _described(objects: list[bytes]) -> dict[str, Any] | None:
    try:
        found = json.loads(objects[0]) if len(objects) == 1 else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
