"""Input streams: opening by URL, decompression by magic bytes within an expansion limit; truncated data is an error."""

import bz2
import codecs
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import fsspec
import zstandard

from pipeline.errors import InfrastructureError
from pipeline.ingest.record import DamagedInputError

CHUNK = 2**18
"""Bytes read from a file at a time, and the most a decompressor hands out at a time."""
ZSTD_WINDOW = 2**27
"""The largest zstd window accepted: `zstd --long=27`; a frame may ask for gigabytes."""
FREE_EXPANSION = 2**28
"""Bytes every compressed file may grow to, however small it is."""

_SKIPPABLE = b"\x2a\x4d\x18"
"""After a byte from 0x50 to 0x5F: a zstd frame to skip. pzstd begins files with one, seekable files end with one."""

_MAGIC = ((b"\x1f\x8b\x08", "gz"), (b"\x28\xb5\x2f\xfd", "zst"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"))


def open_url(url: str) -> BinaryIO:
    """A local path or fsspec URL, opened for reading in binary.

    A file that cannot be read is an `InfrastructureError` that names it: it is not the file's content that is wrong.
    """
    try:
        if "://" not in url:
            return open(url, "rb")
        return fsspec.open(url, "rb").open()  # type: ignore[return-value]
    except (OSError, ValueError, ImportError) as error:
        raise InfrastructureError(f"cannot read {url}: {reason_of(error)}") from error


def head_of(url: str, count: int = 4096) -> bytes:
    """The first bytes of a file, or none of one that cannot be opened: reading it will say why."""
    try:
        with open_url(url) as stream:
            return stream.read(count)
    except (InfrastructureError, OSError):
        return b""


def peekable(stream: BinaryIO) -> Any:
    """The stream, or one around it, that can be peeked at; seeking is kept where there is any."""
    if hasattr(stream, "peek"):
        return stream
    return io.BufferedReader(stream if stream.seekable() else _Joined(b"", stream), CHUNK)  # type: ignore[arg-type]


def reason_of(error: BaseException) -> str:
    """One phrase for a person: "Permission denied", or the error's own words."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def compression_of(head: bytes) -> str | None:
    """`gz`, `zst`, `bz2`, `xz` or None, by the first bytes of a file.

    >>> compression_of(b"BZh9...")
    'bz2'
    """
    if head[1:4] == _SKIPPABLE and head[0] >> 4 == 5:
        return "zst"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def decoded(stream: BinaryIO, size: int | None, max_expansion: int) -> io.BufferedReader:
    """The stream without its compression (gzip, zstd, bzip2, xz), if it has any.

    Reading raises `DamagedInputError` where the compressed data is cut, corrupt, or grows beyond
    `max_expansion` times its size and `FREE_EXPANSION`.
    """
    head = stream.read(CHUNK)
    compression = compression_of(head)
    if compression is None:
        raw: io.RawIOBase = _Joined(head, stream)
    else:
        limit = max(FREE_EXPANSION, max_expansion * (size if size is not None else 0))
        raw = _Decompressed(head, stream, compression, limit)
    return io.BufferedReader(raw, CHUNK)


def encoding_of(head: bytes) -> str:
    """`utf-8`, `utf-16-le`, `utf-16-be`, or `cp1252` for bytes most of which beyond ASCII are no UTF-8; "" for a mixture.

    >>> encoding_of(b"plain"), encoding_of("\ufeffa,b".encode("utf-16-le")), encoding_of("caf\xe9 au lait".encode("latin-1"))
    ('utf-8', 'utf-16-le', 'cp1252')
    """
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return name
    half = len(head) // 2
    even, odd = head[::2].count(0), head[1::2].count(0)
    if half >= 8 and max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    text = head.decode("utf-8", "surrogateescape")
    beyond = [sign for sign in text[:-4] if sign > "\x7f"]
    broken = sum("\udc80" <= sign <= "\udcff" for sign in beyond)
    return "utf-8" if not broken else "cp1252" if broken > 0.6 * len(beyond) else ""


def in_utf8(stream: io.BufferedReader, encoding: str) -> io.BufferedReader:
    """The stream in UTF-8, without a byte-order mark if it was in another encoding; what cannot be decoded becomes U+FFFD."""
    return stream if encoding == "utf-8" else io.BufferedReader(_Recoded(stream, encoding), CHUNK)


class _Recoded(io.RawIOBase):
    """A stream in another encoding as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream, self._ready, self._ended = stream, b"", False
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            chunk = self._stream.read(CHUNK)
            self._ended = not chunk
            self._ready = self._decoder.decode(chunk, self._ended).removeprefix("\ufeff").encode("utf-8", "replace")
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


class _Joined(io.RawIOBase):
    """A head already read, then the rest of the stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Decompressed(io.RawIOBase):
    """Several compressed members or frames, one after the other, as one stream."""

    def __init__(self, head: bytes, stream: BinaryIO, compression: str, limit: int) -> None:
        self._compressed = head
        self._stream = stream
        self._compression = compression
        self._limit = limit
        self._total = 0
        self._ready = memoryview(b"")
        self._step = _STEPS[compression]()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._advance():
                return 0
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _advance(self) -> bool:
        """Decompress a little more; False at the proper end of the stream."""
        if not self._compressed and not self._step.pending:
            self._compressed = self._stream.read(CHUNK)
            if not self._compressed:
                if self._step.started and not self._step.ended:
                    raise DamagedInputError("truncated", f"the {self._compression} data ends in the middle")
                return False
        if self._step.ended:
            if not compression_of(self._compressed[:6]) and len(self._compressed) >= 6:
                if self._compressed.strip(b"\0"):
                    raise DamagedInputError(
                        "corrupt", f"{len(self._compressed)} or more bytes after the {self._compression} data"
                    )
                self._compressed = b""
                return True
            self._step = _STEPS[self._compression]()
        try:
            output, self._compressed = self._step.feed(self._compressed)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, zstandard.ZstdError, ValueError) as error:
            raise DamagedInputError("corrupt", f"the {self._compression} data is corrupt: {error}") from error
        self._total += len(output)
        if self._total > self._limit:
            raise DamagedInputError("expansion", f"the {self._compression} data grows beyond {self._limit:,} bytes")
        self._ready = memoryview(output)
        return True


class _Step:
    """One member of a compressed stream: `feed` gives at most about `CHUNK` bytes (zstd: 32 MiB) and what is left."""

    def __init__(self, make: Callable[[], Any], bounded: bool, feed_bytes: int) -> None:
        self._decoder = make()
        self._bounded = bounded
        self._feed_bytes = feed_bytes
        self.started = False

    @property
    def ended(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def pending(self) -> bool:
        """Whether more comes out without more going in."""
        return self._bounded and self.started and not self.ended and not getattr(self._decoder, "needs_input", True)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        self.started = self.started or bool(data)
        if not self._bounded:
            now, later = data[: self._feed_bytes], data[self._feed_bytes :]
            output = self._decoder.decompress(now)
            return output, (self._decoder.unused_data + later if self.ended else later)
        output = self._decoder.decompress(data, CHUNK)
        if self.ended:
            return output, self._decoder.unused_data
        return output, getattr(self._decoder, "unconsumed_tail", b"")


_STEPS: dict[str, Callable[[], _Step]] = {
    "gz": lambda: _Step(lambda: zlib.decompressobj(31), True, CHUNK),
    "bz2": lambda: _Step(bz2.BZ2Decompressor, True, CHUNK),
    "xz": lambda: _Step(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), True, CHUNK),
    # A zstd block of 4 bytes may hold 128 KiB, and its decoder takes no output limit: small bites bound the memory.
    "zst": lambda: _Step(lambda: zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj(), False, 2**10),
}
