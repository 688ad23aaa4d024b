"""Tar archives of documents: members read one after the other by their own kind."""

import io
import tarfile
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.members import read_member
from pipeline.ingest.record import DamagedInputError, Record, Where


@source_kind("tar", ".tar", ".tgz", binary=True)
def read_tar(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """The records of every wanted member of a tar stream, in the archive's order. Links, devices and folders are counted."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield from read_member(content, member.name, member.size, where)  # type: ignore[arg-type]
                elif not member.isdir():
                    where.tally.skip("tar_special")
    except (tarfile.TarError, EOFError) as error:
        raise DamagedInputError("truncated", f"the archive cannot be read to its end: {error}") from error
