"""Records of a shard as Arrow batches: every document a row, every row an id that its position does not decide."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

import pyarrow as pa

from pipeline.core import sandbox
from pipeline.core.batch import RECORDS
from pipeline.errors import InfrastructureError
from pipeline.ingest.files import InputFile, InputShard
from pipeline.ingest.readers import read_stream
from pipeline.ingest.record import Record, Tally, Where
from pipeline.ingest.rights.licences import UNKNOWN, licence_of
from pipeline.ingest.rights.signals import page_rights, tdm_of, terms_of
from pipeline.ingest.rights.snapshots import HostSnapshots
from pipeline.ingest.source import Source
from pipeline.ingest.streams import open_url, reason_of

BATCH_BYTES = 16 * 2**20
BATCH_RECORDS = 1024
_FREE_RECORDS, _RECORD_BYTES = 10_000, 4
"""A file may always hold so many records, and one for each so many of its bytes."""


@dataclass(frozen=True)
class Stop:
    """Where reading a file must end: after so many records, and the reason and detail of the row for the rest."""

    records: int
    reason: str
    detail: str


def read_shard(
    source: Source, shard: InputShard, tally: Tally | None = None, stops: Mapping[str, Stop] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of schema `RECORDS`, at most `BATCH_RECORDS` rows and about `BATCH_BYTES` of payload each.

    Damaged input becomes quarantined rows; what is no document is counted in `tally`. `stops` names the files of which
    only so many records can be read: a quarantined row stands for the rest.
    Raises `InfrastructureError` naming the file when it cannot be read.
    """
    tally = tally if tally is not None else Tally()
    rows: list[tuple[Record, str]] = []
    size = 0
    for file in shard.files:
        stop, before = (stops or {}).get(file.path), Counter(tally.skipped)
        if stop is None:
            sandbox.reads(shard.name, file.path, partial(_records, source, file, Tally()))
        for record in _records(source, file, tally, stop):
            tally.records += 1
            tally.payload_bytes += len(record.payload)
            size += len(record.payload)
            rows.append((record, file.path))
            if len(rows) >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield _batch(source, rows)
                rows, size = [], 0
        tally.note(file.path).skipped = tally.skipped - before
    if rows:
        yield _batch(source, rows)


def record_id(source: str, key: str, payload_hash: bytes) -> str:
    """32 hex digits: blake2b-128 over source name, natural key and the payload's own digest."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (source.encode(), key.encode("utf-8", "surrogatepass")):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    digest.update(payload_hash)
    return digest.hexdigest()


def _batch(source: Source, rows: list[tuple[Record, str]]) -> pa.RecordBatch:
    """Records, each with the path of its file, as one batch."""
    digests = [hashlib.sha256(record.payload).digest() for record, _ in rows]
    columns = {name: [clean(getattr(record, name)) for record, _ in rows] for name in _COPIED}
    columns |= {
        "id": [record_id(source.name, row[0].key, digest) for row, digest in zip(rows, digests, strict=True)],
        "source": [source.name] * len(rows),
        "role": [source.role_of(record.url) for record, _ in rows],
        "licence": [_licence(record, source) for record, _ in rows],
        "tdm": [tdm_of(record.rights) for record, _ in rows],
        "path": [clean(path) for _, path in rows],
        "payload": [record.payload for record, _ in rows],
        "digest": digests,
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in RECORDS], schema=RECORDS)


_COPIED = (
    "url", "title", "date", "rights", "robots", "terms", "locator", "parent", "kind", "content_type", "doc_type", "charset",
    "reason", "detail",
)  # fmt: skip


def clean(value: str | None) -> str | None:
    """A string Arrow can hold: half surrogate pairs and NULs become the replacement character."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def gather_rights(record: Record, hosts: HostSnapshots) -> None:
    """Add to a record what its page and its host's robots.txt and tdmrep.json say; what it carries already comes first."""
    signals, page = [record.rights], None
    if record.kind == "html" and record.payload:
        page = page_rights(record.payload)
        signals.append(page.signals)
        record.licence = record.licence or page.licence
    robots, said = hosts.of(record.url)
    record.robots = record.robots or robots
    record.rights = "; ".join(signal for signal in (*signals, *said) if signal) or None
    record.terms = record.terms or terms_of(record.rights) or (page.terms if page else None)


def _records(source: Source, file: InputFile, tally: Tally, stop: Stop | None = None) -> Iterator[Record]:
    """The records of one file with their rights, up to the source's limit, or to where reading kills the process."""
    hosts = HostSnapshots()
    allowed = source.most_records(file.size)
    most = min(source.limit or allowed, allowed) if stop is None else stop.records
    records = _read_file(source, file, tally, hosts)
    for record in islice(records, most):
        gather_rights(record, hosts)
        yield record
    if stop is None and next(records, None) is not None:
        tally.note(file.path).limited = f"only its first {most:,} records were read"
        if most == allowed:
            detail = f"the file has more than {most:,} records, of {file.size:,} bytes; max_records reads more"
            yield Record(f"{file.path}#too_many_records", b"", reason="ingest.too_many_records", detail=detail)
    if stop is not None:
        yield Record(f"{file.path}#{stop.reason}", b"", reason=stop.reason, detail=stop.detail)


def _licence(record: Record, source: Source) -> str:
    """What the record itself states comes before what the recipe states of its source."""
    own = licence_of(record.licence)
    return own if own != UNKNOWN else licence_of(source.licence)


def _read_file(source: Source, file: InputFile, tally: Tally, hosts: HostSnapshots) -> Iterator[Record]:
    """The records of one file. Only failing to reach the bytes raises; what is wrong in them is a row."""
    where = Where(source, tally, file.path, file.size, hosts=hosts)
    if source.kind == "hub":
        from pipeline.ingest.formats.hub import read_hub

        yield from read_hub(where)
        return
    if source.kind == "sql":
        from pipeline.ingest.formats.sql import read_sql

        yield from read_sql(file.url, where)
        return
    try:
        with open_url(file.url) as stream:
            yield from read_stream(stream, where)
    except OSError as error:
        raise InfrastructureError(f"source {source.name}: cannot read {file.url}: {reason_of(error)}") from error
