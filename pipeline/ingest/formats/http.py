"""HTTP bodies as archived: chunks joined, content encodings undone, within a limit."""

import io
import re
import zlib
from dataclasses import dataclass

import zstandard
from fastwarc.stream_io import BrotliReader

from pipeline.ingest.record import DamagedInputError
from pipeline.ingest.streams import ZSTD_WINDOW

MAX_HEAD = 2**18
_ZSTD = b"\x28\xb5\x2f\xfd"
_PIECE = 1024
"""Bytes of a zstd body unpacked at a time: 33 MB come out at most."""
_SIZE_LINE = 16
"""Bytes of a chunk's size and its line end, at most."""
_END_OF_HEAD = re.compile(rb"\r*\n\r*\n")


@dataclass(frozen=True, slots=True)
class Head:
    """Status (None when unreadable) and fields (lower-case names, first value) of an HTTP response."""

    status: int | None
    fields: dict[str, str]

    def get(self, name: str) -> str | None:
        """The value of a field, by its lower-case name."""
        return self.fields.get(name)


def split_response(block: bytes) -> tuple[Head, bytes] | None:
    """Header and body of an archived response; None when there is no end of the header within `MAX_HEAD` bytes.

    The header ends at the first empty line, whatever its line ends: parsers that wait for CRLF CRLF swallow the start
    of pages from servers that send bare line feeds.

    >>> split_response(b"HTTP/1.0 200 OK\\nA: b\\n\\n<p>")
    (Head(status=200, fields={'a': 'b'}), b'<p>')
    """
    end = _END_OF_HEAD.search(block, 0, MAX_HEAD)
    if end is None:
        return None
    lines = block[: end.start()].decode("latin-1").splitlines()
    status = lines[0].split()[1:2] if lines else []
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return Head(int(status[0]) if status and status[0].isdecimal() else None, fields), block[end.end() :]


def decode_body(body: bytes, transfer: str | None, content: str | None, limit: int) -> bytes:
    """The body as the page's author wrote it.

    Archives often keep the headers of a body they have already decoded; a body that does not look encoded is taken
    as it is. Raises `DamagedInputError` (`bad_http`, `truncated`, `oversize`).

    >>> decode_body(b"3\\r\\nabc\\r\\n0\\r\\n\\r\\n", "chunked", None, 100)
    b'abc'
    """
    if transfer and "chunked" in transfer.lower():
        body = unchunk(body)
    for coding in reversed([name.strip().lower() for name in (content or "").split(",")]):
        body = _undo(body, coding, limit)
    return body


def unchunk(body: bytes) -> bytes:
    """Join the chunks of a chunked body (RFC 9112, section 7.1); a body that does not start with one is not chunked."""
    parts, at = [], 0
    while at < len(body):
        end = body.find(b"\n", at, at + 1024)
        if end < 0 and parts and len(body) - at <= _SIZE_LINE:
            end = len(body)  # cut inside the line that says how long the next chunk is
        size = _chunk_size(body[at:end]) if end >= 0 else None
        if size is None:
            if not parts:
                return body
            raise DamagedInputError("bad_http", f"byte {at} of the body should start a chunk and does not")
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 1 : end + 1 + size])
        if len(parts[-1]) < size:
            raise DamagedInputError("truncated", f"the last chunk has {len(parts[-1]):,} of {size:,} bytes")
        at = end + 1 + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
    if parts:  # only the chunk of size zero says that nothing is missing
        raise DamagedInputError("truncated", f"the body ends after {len(parts):,} chunks, without the last one")
    return body


def _chunk_size(line: bytes) -> int | None:
    digits = line.split(b";", 1)[0].strip()
    if not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
        return None
    return int(digits, 16)


def _undo(body: bytes, coding: str, limit: int) -> bytes:
    if coding in ("gzip", "x-gzip") and body.startswith(b"\x1f\x8b\x08"):
        return _gunzip(body, limit)
    if coding == "zstd" and body.startswith(_ZSTD):
        return _unzstd(body, limit)
    if coding == "deflate":
        return _inflate(body, limit)
    if coding == "br":
        return _unbrotli(body, limit)
    return body


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise DamagedInputError("oversize", f"the decoded body exceeds {limit:,} bytes")
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    """The members of a gzip body. What follows the last complete one is no damage: browsers pass over it too."""
    parts, size, rest = [], 0, body
    while rest.startswith(b"\x1f\x8b\x08"):
        decoder = zlib.decompressobj(31)
        try:
            output = decoder.decompress(rest, limit + 1 - size)
        except zlib.error as error:
            if parts:  # bytes that only look like a member
                break
            raise DamagedInputError("corrupt", f"the gzip body is corrupt: {error}") from error
        parts.append(output)
        size += len(output)
        if size <= limit and not decoder.eof and (output or len(parts) == 1):
            raise DamagedInputError("truncated", "the gzip body ends in the middle")
        rest = decoder.unused_data if size <= limit else b""
    return _within(b"".join(parts), limit)


def _unzstd(body: bytes, limit: int) -> bytes:
    """The frames of a zstd body, a piece at a time; what follows the last complete one is no damage."""
    parts, size, rest = [], 0, body
    while rest.startswith(_ZSTD) and size <= limit:
        decoder, at = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj(), 0
        try:
            while at < len(rest) and size <= limit and not decoder.eof:
                parts.append(decoder.decompress(rest[at : at + _PIECE]))
                size, at = size + len(parts[-1]), at + _PIECE
        except zstandard.ZstdError as error:
            raise DamagedInputError("corrupt", f"the zstd body is corrupt: {error}") from error
        if size <= limit and not decoder.eof:
            raise DamagedInputError("truncated", "the zstd body ends in the middle")
        rest = decoder.unused_data + rest[at:]
    return _within(b"".join(parts), limit)


def _inflate(body: bytes, limit: int) -> bytes:
    """zlib data, or raw deflate, which some servers send under the same name."""
    for wbits in (15, -15):
        decoder = zlib.decompressobj(wbits)
        try:
            output = decoder.decompress(body, limit + 1)
        except zlib.error:
            continue
        if not decoder.eof and len(output) <= limit:
            raise DamagedInputError("truncated", "the deflated body ends in the middle")
        return _within(output, limit)
    return body


def _unbrotli(body: bytes, limit: int) -> bytes:
    """Brotli has no magic bytes: a body that does not decode and reads as text was decoded before it was archived."""
    try:
        output = BrotliReader(io.BytesIO(body)).read(limit + 1)
    except (OSError, ValueError) as error:
        if b"<" in body[:512] or body[:512].isascii():
            return body
        raise DamagedInputError("bad_http", f"the brotli body cannot be decoded: {error}") from error
    return _within(output, limit)
