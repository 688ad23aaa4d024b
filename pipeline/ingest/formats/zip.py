"""Zip archives of documents: members by their own kind, within the limits on how far compressed data may grow."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.members import read_member
from pipeline.ingest.record import DamagedInputError, Record, Where
from pipeline.ingest.streams import FREE_EXPANSION


@source_kind("zip", ".zip", seeks=True, binary=True)
def read_zip(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """The records of every wanted member, in the archive's order. A member that is locked, damaged or grows too far is
    quarantined alone."""
    try:
        archive = zipfile.ZipFile(stream)
        members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DamagedInputError("corrupt", f"not readable as a zip archive: {error}") from error
    for info in members:
        name, position = info.filename, f"member={info.filename}"
        limit = max(FREE_EXPANSION, where.source.max_expansion * info.compress_size)
        if info.flag_bits & 1:
            yield where.bad("password", "the member is locked by a password", position, key=name)
        elif info.file_size > limit:
            yield where.bad("expansion", f"the member grows to {info.file_size:,} bytes", position, key=name)
        else:
            try:
                with archive.open(info) as member:
                    yield from read_member(member, name, info.file_size, where)  # type: ignore[arg-type]
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
                yield where.bad("corrupt", f"the member is damaged: {error}", position, key=name)
