"""WARC 1.1 records as bytes: one gzip member each, no clock and no random identifier."""

import hashlib
import zlib

_DATE = "2025-06-01T00:00:00Z"
"""Every record claims one moment: the sample has no clock."""


def member(data: bytes) -> bytes:
    """One gzip member, its header free of time and file name."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def record(kind: str, url: str | None, block: bytes, content_type: str, extra: str = "") -> bytes:
    """An uncompressed record. `extra` holds more header lines, each ending in CRLF."""
    name = hashlib.sha256(f"{kind} {url} ".encode() + block).hexdigest()
    name = f"{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}"
    target = f"WARC-Target-URI: {url}\r\n" if url else ""
    head = (
        f"WARC/1.1\r\nWARC-Type: {kind}\r\n{target}WARC-Date: {_DATE}\r\nWARC-Record-ID: <urn:uuid:{name}>\r\n"
        f"{extra}Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def response(url: str, body: bytes, content_type: str, status: str = "200 OK") -> bytes:
    """A response record with its HTTP head."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return record("response", url, head.encode() + body, "application/http;msgtype=response")


def info(file: str) -> bytes:
    """The warcinfo record that opens a file."""
    return record("warcinfo", None, b"software: sample\r\nformat: WARC File Format 1.1\r\n", "application/warc-fields",
                  f"WARC-Filename: {file}\r\n")  # fmt: skip
