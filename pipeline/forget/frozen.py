"""Forgetting in the run folder's own raw files: a WARC record becomes blank, and every other record stays in its place."""

import json
import zlib

_HEAD = b"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:forgotten:%012d>\r\nContent-Length: %010d\r\n\r\n"
_END = b"\r\n\r\n"
_BLOCK = 65535
_REQUEST = b"WARC-Type: request\r\n"


def blank_record(data: bytes, offset: int) -> bytes:
    """The file with the gzip member at `offset`, and a request record right after it, replaced by members of equal length.

    The offsets of other records, by which documents name their origin, do not move. A member that is blank already stays.
    """
    end = _member_end(data, offset)
    found = data[:offset] + _blank_member(end - offset, offset) + data[end:]
    if end < len(data):
        last = _member_end(data, end)
        if _REQUEST in zlib.decompressobj(31).decompress(data[end:last], 4096):
            found = found[:end] + _blank_member(last - end, end) + found[last:]
    return found


def _member_end(data: bytes, offset: int) -> int:
    decoder, at = zlib.decompressobj(31), offset
    while not decoder.eof and at < len(data):
        decoder.decompress(data[at : at + 2**16])
        at += 2**16
    return min(at, len(data)) - len(decoder.unused_data)


def _blank_member(size: int, offset: int) -> bytes:
    """A gzip member of exactly `size` bytes: a metadata record of spaces, stored without compression."""
    blocks = size // _BLOCK + 1
    content = size - 18 - 5 * blocks
    length = content - len(_HEAD % (offset, 0)) - len(_END)
    if length < 0:
        raise ValueError(f"a record of {size} bytes is too short to be one")
    record = _HEAD % (offset, length) + b" " * length + _END
    body = bytearray()
    for number in range(blocks):
        part = record[number * _BLOCK : (number + 1) * _BLOCK]
        body += bytes([number == blocks - 1]) + len(part).to_bytes(2, "little")
        body += (len(part) ^ 0xFFFF).to_bytes(2, "little") + part
    trailer = zlib.crc32(record).to_bytes(4, "little") + (len(record) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + bytes(body) + trailer


def without_urls(data: bytes, urls: set[str]) -> bytes:
    """JSON lines without those whose `url` is one of these: the embedded sample's list of what it planted."""
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.strip() or json.loads(line).get("url") not in urls)
