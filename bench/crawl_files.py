"""A crawl of about a given size: an even sample of the WARC files in `${CRAWL}`, as one WARC file."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType


def folder() -> Path:
    """`${CRAWL}`, or an error that says how to name it."""
    found = os.environ.get("CRAWL")
    if not found or not any(Path(found).glob("*.warc.gz")):
        raise SystemExit("set CRAWL to a folder of .warc.gz files")
    return Path(found)


def even_sample(target: Path, size_mb: int) -> tuple[int, int]:
    """Write every n-th record of the crawl, so that about `size_mb` MB of payload come out of all of its parts.

    Returns (records, payload bytes).
    """
    total = sum(record.content_length for record in each_record())
    stride = max(1, round(total / (size_mb * 1e6)))
    records = size = 0
    with target.open("wb") as out:
        for number, record in enumerate(each_record()):
            if number % stride:
                continue
            records += 1
            size += record.content_length
            with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as member:
                record.write(member)
    return records, size


def each_record() -> Iterator[WarcRecord]:
    """Every response record of the crawl, its HTTP header not parsed."""
    for path in sorted(folder().glob("*.warc.gz")):
        with gzip.open(path, "rb") as stream:
            yield from ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False)
