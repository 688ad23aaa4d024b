"""Captures from Common Crawl: the index says where they lie, and only their bytes are fetched; or whole files of a crawl.

The Parquet index is sorted by reversed host, so of its 300 files a crawl the row groups of a domain are a few megabytes:
footers and column chunks are read by range. Captures that lie close together in a file are one request. Units of some hundred
captures are frozen one by one: what is committed is not fetched again.
"""

import contextlib
import fnmatch
import gzip
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from urllib.parse import urlencode, urlsplit

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from fsspec.spec import AbstractBufferedFile

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.service import Service
from pipeline.ingest.crawl.settings import CommonCrawlFetch
from pipeline.ingest.source import Source

VERSION = 2
CAPTURES = "captures.parquet"
_SCHEMA = pa.schema([("url", pa.string()), ("filename", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])
_COLUMNS = {
    "url": "url", "filename": "warc_filename", "offset": "warc_record_offset", "length": "warc_record_length",
    "surt": "url_surtkey", "mime": "content_mime_detected", "languages": "content_languages", "status": "fetch_status",
}  # fmt: skip
_UNIT_BYTES, _UNIT_CAPTURES = 64 * 2**20, 1000
_GAP, _RANGE_BYTES = 2**15, 2**23
"""Captures at most so many bytes apart are one request, up to so many bytes."""
_GZIP = b"\x1f\x8b"


@dataclass
class CaptureCounts:
    """For the commit record."""

    captures: int = 0
    requests: int = 0
    fetched_bytes: int = 0
    missing: int = 0
    """Captures that are not where the index says: no file, a shorter one, or no record there."""


class RangeFile(AbstractBufferedFile):
    """A file behind HTTP, read by ranges of at least 64 kB."""

    def __init__(self, service: Service, url: str) -> None:
        self._service = service
        size = _size_of(service, url)
        super().__init__(fsspec.filesystem("file"), url, block_size=2**16, size=size)  # pyright: ignore[reportArgumentType]

    def _fetch_range(self, start: int, end: int) -> bytes:
        data = self._service.ranged(self.path, start, end).body
        if len(data) != end - start:
            raise InfrastructureError(f"{self.path} ends before byte {end}")
        return data


def planned(store: Store, source: Source, done: Commits) -> list[Unit]:
    """The unit that asks the index, then one for every few captures that it found."""
    plan = _plan(source).model_dump(mode="json")
    index = Unit(f"{source.name}/index", {}, {"fetch": "commoncrawl", "plan": plan}, VERSION)
    if index.name not in done:
        return [index]
    info = done[index.name].files[CAPTURES]
    lengths = store.read_table(info.path, ["length"])["length"].to_pylist()
    reads = {"captures": [info]}
    units = [index]
    for start, end in _batches(lengths):
        settings = {"fetch": "commoncrawl", "plan": plan, "start": start, "end": end}
        units.append(Unit(f"{source.name}/{start:09d}", reads, settings, VERSION))  # pyright: ignore[reportArgumentType]
    return units


def work(store: Store, assigned: Assignment) -> Produced:
    """Ask the index, or fetch some captures."""
    plan = CommonCrawlFetch.model_validate(assigned.settings["plan"])
    service, folder = Service(plan, plan.per_second), assigned.path("raw", suffix="")
    if "start" not in assigned.settings:
        return Produced({CAPTURES: store.put_table(f"{folder}/{CAPTURES}", [captures(plan, service)], _SCHEMA)})
    start, end = assigned.settings["start"], assigned.settings["end"]
    rows = store.read_table(assigned.reads["captures"][0].path)[start:end].to_pylist()  # pyright: ignore
    counts, name = CaptureCounts(), f"captures-{start:09d}.warc.gz"
    with store.create(f"{folder}/{name}") as writer:
        for url, begin, stop, inside in _ranges(plan, rows):
            counts.requests, counts.fetched_bytes = counts.requests + 1, counts.fetched_bytes + stop - begin
            pieces = _pieces(service, url, begin, stop)
            first = next(pieces, b"")
            if len(inside) == 1:
                counts.captures += first.startswith(_GZIP)
                for piece in chain([first], pieces) if first.startswith(_GZIP) else ():
                    writer.write(piece)
                continue
            data = first + b"".join(pieces)
            for offset, length in inside:
                piece = data[offset - begin : offset - begin + length]
                if len(piece) == length and piece.startswith(_GZIP):
                    counts.captures += 1
                    writer.write(piece)
        counts.missing = len(rows) - counts.captures
        if not counts.captures:
            place = f"{_url(plan, rows[0]['filename'])} has no record at byte {rows[0]['offset']}"
            raise InfrastructureError(f"{place}, nor have the others: the index is of another file")
        return Produced({name: writer.finish()}, counts)


def estimate(source: Source) -> str:
    """Pages, bytes and hours, from the index."""
    plan = _plan(source)
    found = captures(plan, Service(plan, plan.per_second))
    requests = sum(1 for _ in _ranges(plan, found.to_pylist()))
    size = pc.sum(found["length"]).as_py() or 0
    what = f"{found.num_rows:,} {'files' if plan.files else 'pages'}, {size / 1e6:,.1f} MB in {requests:,} requests"
    return f"{what}, at least {requests / plan.per_second / 3600:.2f} hours"


def _plan(source: Source) -> CommonCrawlFetch:
    assert source.commoncrawl is not None
    return source.commoncrawl


def _batches(lengths: list[int]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for row, length in enumerate(lengths):
        if row > start and (size + length > _UNIT_BYTES or row - start >= _UNIT_CAPTURES):
            yield start, row
            start, size = row, 0
        size += length
    if start < len(lengths):
        yield start, len(lengths)


def _ranges(plan: CommonCrawlFetch, rows: list[dict]) -> Iterator[tuple[str, int, int, list[tuple[int, int]]]]:
    """(URL, start, end, (offset, length) of each capture) of each request: rows are sorted by file and offset."""
    url, begin, stop, inside = "", 0, 0, []
    for row in rows:
        place, offset, length = _url(plan, row["filename"]), row["offset"], row["length"]
        if inside and (place != url or offset > stop + _GAP or offset + length - begin > _RANGE_BYTES):
            yield url, begin, stop, inside
            inside = []
        if not inside:
            url, begin = place, offset
        stop = offset + length
        inside.append((offset, length))
    if inside:
        yield url, begin, stop, inside


def _pieces(service: Service, url: str, start: int, end: int) -> Iterator[bytes]:
    """Bytes of a file behind HTTP, or at any fsspec URL (s3://commoncrawl/…), `_RANGE_BYTES` at a time, as far as there are."""
    pieces = [(at, min(at + _RANGE_BYTES, end)) for at in range(start, end, _RANGE_BYTES)]
    if url.startswith("http"):
        yield from (service.ranged(url, *piece).body for piece in pieces)
        return
    system, path = fsspec.core.url_to_fs(url)
    with contextlib.suppress(FileNotFoundError):
        yield from (system.cat_file(path, *piece) for piece in pieces)


def captures(plan: CommonCrawlFetch, service: Service) -> pa.Table:
    """Schema `_SCHEMA`, sorted by file and offset: what the recipe asks for, each address once, from its latest capture."""
    if plan.files is not None:
        return pa.Table.from_pylist(list(_whole_files(plan, service)), _SCHEMA)
    rows: dict[str, dict] = {}
    for crawl in sorted(plan.crawls):
        for row in (_columnar if plan.index == "columnar" else _cdx)(plan, service, crawl):
            capture = _capture(row)
            if capture is None:
                continue
            if len(rows) >= plan.max_pages and capture["url"] not in rows:
                break
            rows[capture["url"]] = capture
    return pa.Table.from_pylist(list(rows.values()), _SCHEMA).sort_by(
        [("filename", "ascending"), ("offset", "ascending")]
    )


def _capture(row: dict) -> dict | None:
    """A row of an index in the types of `_SCHEMA`; None for one that does not say where its capture lies."""
    try:
        offset, length = int(row["offset"]), int(row["length"])
        url, filename = row["url"], row["filename"]
    except (KeyError, ValueError, TypeError):
        return None
    if not (isinstance(filename, str) and isinstance(url, str) and filename and offset >= 0 and 0 < length < 2**40):
        return None
    return {"url": url, "filename": filename, "offset": offset, "length": length}


def _whole_files(plan: CommonCrawlFetch, service: Service) -> Iterator[dict]:
    kind = "wet" if plan.text else "warc"
    for crawl in sorted(plan.crawls):
        names = _lines(plan, service, f"crawl-data/{crawl}/{kind}.paths.gz")
        for number in range(min(plan.files or 0, len(names))):
            name = names[number * len(names) // (plan.files or 1)] if len(names) > (plan.files or 0) else names[number]
            url = _url(plan, name)
            size = _size_of(service, url) if url.startswith("http") else fsspec.core.url_to_fs(url)[0].size(url)
            yield {"url": url, "filename": name, "offset": 0, "length": size}


def _lines(plan: CommonCrawlFetch, service: Service, path: str) -> list[str]:
    url = _url(plan, path)
    if url.startswith("http"):
        data = service.listing(url)
    else:
        system, name = fsspec.core.url_to_fs(url)
        data = system.cat_file(name) if system.exists(name) else None
    if data is None:
        raise InfrastructureError(f"{url} is not there: is the crawl's name right?")
    return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().split()


def _wanted(plan: CommonCrawlFetch) -> dict[str, list[str]]:
    """Domain -> patterns of addresses under it; none means every address."""
    wanted: dict[str, list[str]] = {domain.lower(): [] for domain in plan.domains}
    for pattern in plan.urls:
        host = urlsplit(pattern if "://" in pattern else f"https://{pattern}").netloc.lower()
        wanted.setdefault(host.removeprefix("*.").lstrip("*"), []).append(pattern)
    return wanted


def _fits(url: str, patterns: list[str]) -> bool:
    bare = url.partition("://")[2]
    return not patterns or any(fnmatch.fnmatchcase(url if "://" in one else bare, one) for one in patterns)


def _columnar(plan: CommonCrawlFetch, service: Service, crawl: str) -> Iterator[dict]:
    """Rows of the Parquet index, its row groups chosen by the statistics of the sorted key: `com,example)/path`."""
    wanted = _wanted(plan)
    surt = ds.field(_COLUMNS["surt"])
    keys = {domain: ",".join(reversed(domain.split("."))) for domain in wanted}
    places = [(surt >= f"{key})") & (surt < f"{key}-") for key in keys.values()]
    chosen = (ds.field(_COLUMNS["status"]) == 200) & ds.field(_COLUMNS["mime"]).isin(plan.types)
    columns = {name: ds.field(column) for name, column in _COLUMNS.items() if name != "status"}
    for path in _lines(plan, service, f"crawl-data/{crawl}/cc-index-table.paths.gz"):
        if "/subset=warc/" not in path:
            continue
        url = _url(plan, path)
        opened = RangeFile(service, url) if url.startswith("http") else fsspec.open(url, "rb").open()
        with opened as file:
            fragment = ds.ParquetFileFormat().make_fragment(file)
            for row in fragment.to_table(
                filter=chosen & reduce(operator.or_, places), columns=columns, use_threads=False
            ).to_pylist():
                domain = next(
                    (name for name, key in keys.items() if row["surt"].startswith((f"{key})", f"{key},"))), None
                )
                if domain is not None and _fits(row["url"], wanted[domain]) and _speaks(plan, row["languages"]):
                    yield row


def _speaks(plan: CommonCrawlFetch, languages: str | None) -> bool:
    return not plan.languages or (languages or "").split(",")[0] in plan.languages


def _cdx(plan: CommonCrawlFetch, service: Service, crawl: str) -> Iterator[dict]:
    """Rows of the index server, page by page. It filters within its pages, so one may be empty (404) and the next not; one
    beyond the last is an error (400), so their number is asked for first."""
    for domain, patterns in _wanted(plan).items():
        asked = {"url": domain, "matchType": "domain", "output": "json", "filter": "=status:200"}
        place = f"{plan.cdx.rstrip('/')}/{crawl}-index?{urlencode(asked)}"
        number = json.loads(service.listing(f"{place}&showNumPages=true") or b"0")
        for page in range(number["pages"] if isinstance(number, dict) else int(number)):
            for line in (service.listing(f"{place}&page={page}") or b"").splitlines():
                try:
                    row = json.loads(line)
                    mime, url = row.get("mime-detected", row.get("mime", "")), row["url"]
                except (ValueError, AttributeError, KeyError):
                    continue
                if mime in plan.types and _fits(url, patterns) and _speaks(plan, row.get("languages")):
                    yield row


def _url(plan: CommonCrawlFetch, path: str) -> str:
    return f"{plan.base.rstrip('/')}/{path}"


def _size_of(service: Service, url: str) -> int:
    """Bytes of a file behind HTTP, as the answer to a range says."""
    size = service.ranged(url, 0, 1).header("content-range").rpartition("/")[2]
    if not size.isdecimal():
        raise InfrastructureError(f"{url} does not serve ranges of bytes")
    return int(size)
