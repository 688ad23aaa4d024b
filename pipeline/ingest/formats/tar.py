"""Archives of documents: members read one after the other by their own kind; nothing is ever written to disk."""

import io
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import replace

from pipeline.ingest.files import matches
from pipeline.ingest.kinds import formats, kind_of_name, source_kind
from pipeline.ingest.readers import read_stream
from pipeline.ingest.record import DamagedInputError, Record, Where


@source_kind("tar", ".tar", ".tgz")
def read_tar(stream: io.BufferedReader, where: Where) -> Iterator[Record]:
    """The records of every wanted member of a tar stream, in the archive's order.

    Links, devices and folders are counted; a member whose name leaves the archive is quarantined as `unsafe_name`;
    archives inside the archive are quarantined as `nested_archive`.
    """
    inside = replace(where, source=where.source.model_copy(update={"kind": "auto"}))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    if not member.isdir():
                        where.tally.skip("tar_special")
                    continue
                yield from _read_member(archive, member, inside)
    except (tarfile.TarError, EOFError) as error:
        raise DamagedInputError("truncated", f"the archive cannot be read to its end: {error}") from error


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, where: Where) -> Iterator[Record]:
    source, name = where.source, member.name.removeprefix("./")
    if any(matches(name, glob) for glob in source.exclude):
        return
    if source.members and not any(matches(name, glob) for glob in source.members):
        return
    inside = replace(where, name=name, size=member.size, prefix=f"member={name}")
    if name.startswith("/") or ".." in posixpath.normpath(name).split("/"):
        yield inside.bad("unsafe_name", "the member's name leads out of the archive", "", key=name)
        return
    kind = kind_of_name(name)
    if kind is None and not source.members:
        where.tally.skip("tar_other")
        return
    if kind == "tar":
        yield inside.bad("nested_archive", "an archive inside the archive is not opened", "", key=name)
        return
    stream = archive.extractfile(member)
    if stream is None:
        where.tally.skip("tar_special")
        return
    if kind and formats()[kind].seeks:
        if member.size > source.max_record_bytes:
            detail = f"the member has {member.size:,} bytes, the limit is {source.max_record_bytes:,}"
            yield inside.bad("oversize", detail, "", key=name)
            return
        stream = io.BytesIO(stream.read())
    yield from read_stream(stream, inside)  # type: ignore[arg-type]
