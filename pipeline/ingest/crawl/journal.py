"""The log of a fetch: WARC records in the order in which they came, safe before the next request leaves.

A request is written before it is sent and its answer before another one follows, so after a kill a request without an answer is
the one that was in flight. Everything a fetcher knows it knows from here: reading the log again brings it to where it was. On a
local disk it is one file, synced about once a second (a killed process loses nothing, a power cut that second); in an object
store each group of records that wait together is an object.
"""

import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.core.ledger import Commit
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.ingest.crawl.client import Response
from pipeline.ingest.formats.http import split_response
from pipeline.ingest.formats.warc_writer import record_id, record_of

REQUEST, RESPONSE, LISTING, FAILURE = "request", "response", "listing", "failure"
"""Kinds of entries. A listing is a response that is no document: a sitemap, a feed, an index; a failure is a request that has
none."""
_ASKED, _FETCHED, _KIND = "X-Crawl-Asked", "X-Crawl-Fetched", "X-Crawl-Kind"
_SYNC_S = 1.0
_FILE_BYTES = 256 * 2**20
"""A frozen file ends after the group that brings it to this size, so that workers share the reading."""
Span = tuple[int, int]
"""Where a record lies in the log: start and end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the log, and where its member lies."""

    kind: str
    asked: str
    response: Response | None
    failure: str
    start: int
    end: int
    date: str


class Journal:
    """A log under a path of the store. All records bear one date, `began`: that of the first, or the one given.

    So equal pages of two hosts are equally old, whichever was fetched first; the time of each is beside it.
    """

    def __init__(self, store: Store, path: str, began: str = "") -> None:
        self._store, self._path, self.began = store, path, began or _now()
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._waiting: list[bytes] = []
        self._parts = self._size = 0
        self._synced = time.monotonic()
        if store.local:
            name = store.locate(path)
            os.makedirs(os.path.dirname(name), exist_ok=True)
            self._file: Any = open(name, "a+b")  # noqa: SIM115 - closed by close()
        else:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
            for part in store.list(path):
                self._file.write(store.read(part))
                self._parts += 1

    def entries(self) -> Iterator[Entry]:
        """What was logged so far. A record that a kill cut is taken off the end."""
        at = 0
        for start, end, record in members(self._file):
            entry = entry_of(record, start, end)
            self.began = entry.date
            yield entry
            at = end
        self._file.truncate(at)
        self._size = at
        self._file.seek(0, os.SEEK_END)

    def request(self, asked: str, head: bytes) -> Span:
        """Log a request that is about to be sent."""
        return self._append(self._record(REQUEST, asked, asked, head, asked.encode()), wait=self._store.local)

    def response(self, asked: str, response: Response, is_document: bool) -> Span:
        """Log an answer, as one block. Framing headers are renamed: the body is stored unframed."""
        head = [f"HTTP/1.1 {response.status} {response.reason}".rstrip()]
        for name, value in response.headers:
            framed = name.lower() in ("transfer-encoding", "content-length")
            head.append(f"{'X-Crawl-' if framed else ''}{name}: {' '.join(value.split())}")
        head.append(f"Content-Length: {len(response.body)}")
        block = "\r\n".join(head).encode("utf-8", "replace") + b"\r\n\r\n" + response.body
        extra = {"WARC-Concurrent-To": record_id(REQUEST, asked, asked.encode())}
        if response.is_cut:
            extra["WARC-Truncated"] = "length"
        kind = RESPONSE if is_document else LISTING
        return self._append(self._record(kind, asked, response.url, block, response.body, extra))

    def failure(self, asked: str, why: str) -> Span:
        """Log that a request came to nothing, and why."""
        return self._append(self._record(FAILURE, asked, asked, f"outcome: {why}\r\n".encode(), why.encode()))

    def _record(
        self, kind: str, asked: str, url: str, block: bytes, key: bytes, extra: dict[str, str] | None = None
    ) -> bytes:
        fields = {_ASKED: asked, _KIND: kind, _FETCHED: _now(), **(extra or {})}
        if kind == LISTING:
            fields["Content-Type"] = "application/http; msgtype=response"
        return record_of(kind if kind in (REQUEST, RESPONSE) else "metadata", block, self.began, url, fields, key)

    def _append(self, record: bytes, wait: bool = True) -> Span:
        with self._lock:
            self._file.write(record)
            self._file.flush()
            span = self._size, self._size + len(record)
            self._size = span[1]
            if self._store.local:
                if time.monotonic() - self._synced > _SYNC_S:
                    os.fsync(self._file.fileno())
                    self._synced = time.monotonic()
                return span
            self._waiting.append(record)
        if wait:
            with self._sending:
                with self._lock:
                    records, self._waiting = self._waiting, []
                if records:  # else another thread's object holds this record too
                    self._store.put(f"{self._path}/{self._parts:08d}.warc.gz", b"".join(records))
                    self._parts += 1
        return span

    def freeze(self, path: str, user_agent: str, groups: list[list[Span]]) -> dict[str, FileInfo]:
        """Copy groups of records, in their order, to `<path>-000.warc.gz` and so on: files that end with a group."""
        info = f"software: {user_agent}\r\nformat: WARC File Format 1.1\r\n"
        files: dict[str, FileInfo] = {}
        waiting = list(groups)
        while waiting or not files:
            name = f"{path}-{len(files):03d}.warc.gz"
            with self._store.create(name) as writer:
                writer.write(record_of("warcinfo", info.encode(), self.began))
                while waiting and writer.tell() < _FILE_BYTES:
                    for start, end in waiting.pop(0):
                        self._file.seek(start)
                        writer.write(self._file.read(end - start))
                files[name.rpartition("/")[2]] = writer.finish()
        return files

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Exchanges:
    """The requests of a log with their answers. A request without one was in flight when a fetch was killed."""

    def __init__(self) -> None:
        self.repeated = 0
        """Requests that were in flight at a kill, and so are sent again."""

    def pairs(self, entries: Iterable[Entry], party: Callable[[Entry], str]) -> Iterator[tuple[Entry, Entry]]:
        """(request, answer), in the order of the answers. `party` names what has one request in flight at a time."""
        sent: dict[str, Entry] = {}
        for entry in entries:
            if entry.kind == REQUEST:
                self.repeated += party(entry) in sent
                sent[party(entry)] = entry
            else:
                yield sent.pop(party(entry)), entry
        self.repeated += len(sent)


def discard(store: Store, commit: Commit) -> None:
    """Remove the log of a unit, which is in its frozen files now that it is committed."""
    path = log_path(commit.unit, commit.fingerprint)
    for name in [path] if store.local else store.list(path):
        store.delete(name)


def log_path(unit: str, fingerprint: str) -> str:
    """Where a unit logs."""
    return f"{WORK}/raw/{unit}-{fingerprint[:12]}.log"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def members(file: Any, start: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, content) of each whole gzip member from `start` on, up to the first that is cut or damaged."""
    file.seek(start)
    data = b""
    while True:
        decoder, parts, fed = zlib.decompressobj(31), [], 0
        while not decoder.eof:
            if not data and not (data := file.read(2**18)):
                return
            try:
                parts.append(decoder.decompress(data))
            except zlib.error:
                return
            fed, data = fed + len(data), b""
        data = decoder.unused_data
        end = start + fed - len(data)
        position = file.tell()
        yield start, end, b"".join(parts)
        file.seek(position)
        start = end


def entry_of(record: bytes, start: int, end: int) -> Entry:
    head, _, block = record.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    kind, block = fields.get(_KIND, ""), block[: int(fields["Content-Length"])]
    response = None
    if kind in (RESPONSE, LISTING) and (parts := split_response(block)):
        lines = block[: len(block) - len(parts[1])].decode("utf-8", "replace").split("\r\n")
        _, status, reason = f"{lines[0]}  ".split(" ", 2)
        headers = [(name, value) for line in lines[1:] if line for name, value in [line.split(": ", 1)]]
        response = Response(fields["WARC-Target-URI"], int(status), reason.strip(), headers, parts[1])
        response.is_cut = "WARC-Truncated" in fields
    failure = block.decode("utf-8", "replace").removeprefix("outcome: ").strip() if kind == FAILURE else ""
    return Entry(kind, fields.get(_ASKED, ""), response, failure, start, end, fields["WARC-Date"])
