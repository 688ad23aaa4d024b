"""Writing WARC 1.1: one gzip member a record, identifiers that are functions of the record."""

import gzip
import hashlib
from typing import Protocol


class Writer(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes, /) -> object: ...


def write_record(
    out: Writer, kind: str, block: bytes, date: str, url: str | None = None, extra: dict[str, str] | None = None
) -> str:
    """Write one record and return its id. `date` is ISO 8601 in UTC; `extra` are further header fields."""
    digest = hashlib.blake2b("\0".join((kind, url or "", date)).encode() + block, digest_size=16).hexdigest()
    record_id = f"<urn:uuid:{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}>"
    types = {"request": "application/http; msgtype=request", "response": "application/http; msgtype=response"}
    fields = {"WARC-Type": kind, "WARC-Record-ID": record_id, "WARC-Date": date}
    if url:
        fields["WARC-Target-URI"] = url
    fields["Content-Type"] = types.get(kind, "application/warc-fields")
    fields |= extra or {}
    fields["Content-Length"] = str(len(block))
    head = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in fields.items())
    out.write(gzip.compress(f"WARC/1.1\r\n{head}\r\n".encode() + block + b"\r\n\r\n", mtime=0))
    return record_id


def _one_line(value: str) -> str:
    """No field may start another one."""
    return " ".join(value.split())
