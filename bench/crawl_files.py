"""A crawl of about a given size: the first records of the WARC files in `${CRAWL}`, as one WARC file."""

import contextlib
import gzip
import os
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator, WarcRecordType


def folder() -> Path:
    """`${CRAWL}`, or an error that says how to name it."""
    found = os.environ.get("CRAWL")
    if not found or not any(Path(found).glob("*.warc.gz")):
        raise SystemExit("set CRAWL to a folder of .warc.gz files")
    return Path(found)


def first_megabytes(target: Path, size_mb: int) -> tuple[int, int]:
    """Write records taken in turn from each file until `size_mb` MB of payload; returns (records, payload bytes)."""
    paths = sorted(folder().glob("*.warc.gz"))
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(gzip.open(path, "rb")) for path in paths]
        only = {"record_types": WarcRecordType.response, "parse_http": False}
        return _in_turn([iter(ArchiveIterator(stream, **only)) for stream in streams], target, size_mb)


def _in_turn(iterators: list[Any], target: Path, size_mb: int) -> tuple[int, int]:
    records = size = 0
    with target.open("wb") as out:
        while iterators and size < size_mb * 1e6:
            for iterator in list(iterators):
                record = next(iterator, None)
                if record is None:
                    iterators.remove(iterator)
                    continue
                size += record.content_length
                records += 1
                with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as member:
                    record.write(member)
    return records, size
