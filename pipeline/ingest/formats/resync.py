"""Finding the next readable record of a WARC file after a corrupt one, and what is left after the last."""

import zlib
from typing import BinaryIO

from pipeline.ingest.streams import compression_of

_WINDOW = 2**20
_MEMBER = b"\x1f\x8b\x08"
_PLAIN = b"WARC/1."


class Resync:
    """The record boundaries of a seekable WARC stream, gzipped record by record or plain."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.seek(0)
        self._compression = compression_of(stream.read(6))

    def after(self, start: int) -> int:
        """Where the member that starts at `start` ends; `start` itself when it cannot be read to its end."""
        if self._compression != "gz":
            return start
        end = self._member_end(start)
        return start if end is None else end

    def lost_tail(self, start: int) -> int | None:
        """After a quiet end with the last record at `start`: where bytes that were not read begin, if there are any.

        `start` itself means that the last member has no proper end.
        """
        if self._compression != "gz":
            return None
        end = self._member_end(start)
        if end is None:
            return start
        self._stream.seek(end)
        rest = self._stream.read(_WINDOW)
        return end if rest.strip(b"\0\r\n") else None

    def next_record(self, bad: int) -> int | None:
        """The first byte after `bad` where a record starts; None when there is none."""
        magic = _MEMBER if self._compression == "gz" else _PLAIN
        if self._compression not in ("gz", None):
            return None
        at, tail = bad + 1, b""
        self._stream.seek(at)
        while chunk := self._stream.read(_WINDOW):
            window = tail + chunk
            base = at - len(tail)
            found = window.find(magic)
            while found >= 0:
                if self._starts_record(base + found, window[found - 2 : found] if found >= 2 else b""):
                    return base + found
                found = window.find(magic, found + 1)
            at += len(chunk)
            tail = window[-len(magic) - 1 :]
            self._stream.seek(at)
        return None

    def _starts_record(self, at: int, before: bytes) -> bool:
        if self._compression is None:
            return before == b"\r\n"
        self._stream.seek(at)
        try:
            return zlib.decompressobj(31).decompress(self._stream.read(4096), 16).startswith(_PLAIN[:5])
        except zlib.error:
            return False

    def _member_end(self, start: int) -> int | None:
        self._stream.seek(start)
        decoder, at = zlib.decompressobj(31), start
        while not decoder.eof:
            chunk = decoder.unconsumed_tail or self._stream.read(_WINDOW)
            if not chunk:
                return None
            if not decoder.unconsumed_tail:
                at += len(chunk)
            try:
                decoder.decompress(chunk, _WINDOW)
            except zlib.error:
                return None
        return at - len(decoder.unused_data)
