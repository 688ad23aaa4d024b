"""Captures from a look-alike of Common Crawl: index Parquet and index server, ranges, whole files."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.commoncrawl import estimate, planned
from pipeline.ingest.source import Source
from pipeline.ingest.step import freeze, frozen_files

from .conftest import gz, page, rows_of, warc_record
from .files_site import FilesSite

CRAWL = "CC-MAIN-2024-10"
HOSTS = ["bank.example", "www.bank.example", "bankx.example", "mill.example", "news.bank.example"]


@pytest.fixture
def crawl(tmp_path):
    root, index = tmp_path / "cc", []
    for number in range(2):
        name, data = f"crawl-data/{CRAWL}/segments/1/warc/part-{number}.warc.gz", b""
        for host in HOSTS:
            for path in ("", "news/a", "news/b", "pic.png"):
                url = f"https://{host}/{path}{number if path else ''}"
                member = gz(warc_record(url, page(f"<p>{url} {'word ' * 50}</p>".encode())))
                mime, language = (
                    ("image/png", None) if path == "pic.png" else ("text/html", "deu" if number else "eng,fra")
                )
                surt = f"{','.join(reversed(host.split('.')))}){url.partition(host)[2]}"
                index.append(
                    (
                        surt,
                        url,
                        name,
                        len(data),
                        len(member),
                        200 if path != "news/b" or number else 404,
                        mime,
                        language,
                    )
                )
                data += member
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    index.sort()
    columns = ["url_surtkey", "url", "warc_filename", "warc_record_offset", "warc_record_length", "fetch_status",
               "content_mime_detected", "content_languages"]  # fmt: skip
    table = pa.table({column: list(values) for column, values in zip(columns, zip(*index, strict=True), strict=True)})
    part = f"cc-index/table/cc-main/warc/crawl={CRAWL}/subset=warc/part-0.parquet"
    (root / part).parent.mkdir(parents=True)
    pq.write_table(table, root / part, row_group_size=4)
    listed = [part, part.replace("subset=warc", "subset=robotstxt")]
    (root / f"crawl-data/{CRAWL}/cc-index-table.paths.gz").write_bytes(gzip.compress("\n".join(listed).encode()))
    names = [f"crawl-data/{CRAWL}/segments/1/warc/part-{number}.warc.gz" for number in range(2)]
    (root / f"crawl-data/{CRAWL}/warc.paths.gz").write_bytes(gzip.compress("\n".join(names).encode()))
    site = FilesSite(root)
    yield site
    site.close()


def source(site, **chosen):
    plan = {"user_agent": "acme/1.0 (bot@acme.example)", "crawls": [CRAWL], "base": site.url, "cdx": site.url, "per_second": 1000,
            "allow_hosts": [site.host]}  # fmt: skip
    return Source(name="web", kind="commoncrawl", commoncrawl=plan | chosen)


def fetched(source, folder):
    store, units, commits = Store(str(folder)), [], {}
    while len(known := planned(store, source, commits)) > len(units):
        units, commits = known, Runner(store, InProcess()).execute(Step.INGEST, known, freeze)
    rows = []
    for info in frozen_files(commits, source.name).values():
        rows += rows_of(Source(name="web", kind="warc", path=store.locate(info.path)))
    return sorted(row["url"].removeprefix("https://") for row in rows), commits


UNDER_BANK = sorted(
    f"{host}/{path}{number if path else ''}"
    for host in ("bank.example", "www.bank.example", "news.bank.example")
    for number in range(2)
    for path in ("", "news/a", "news/b")
    if (path, number) not in (("news/b", 0), ("", 0))
)


@pytest.mark.parametrize("index", ["columnar", "cdx"])
def test_a_domain_is_what_is_under_it(crawl, tmp_path, index):
    if index == "cdx":
        serve_cdx(crawl)
    urls, commits = fetched(source(crawl, domains=["bank.example"], index=index), tmp_path / "a")
    assert urls == UNDER_BANK
    ranges = [path for _, path, fields in crawl.asked if "Range" in fields and path.endswith(".warc.gz")]
    assert len(ranges) == 2, "captures that lie together are one request"
    before = len(crawl.asked)
    fetched(source(crawl, domains=["bank.example"], index=index), tmp_path / "a")
    assert len(crawl.asked) == before, "what is committed is not asked for again"
    assert commits["web/000000000"].counts["captures"] == len(UNDER_BANK)


def serve_cdx(site):
    """What the index server answers for a domain: how many pages, lines of JSON, a page whose lines the filter took, and lines
    that are none."""
    table = pq.read_table(next(site.root.rglob("*.parquet"))).to_pylist()
    lines = [
        json.dumps({"url": row["url"], "filename": row["warc_filename"], "offset": str(row["warc_record_offset"]),
                    "length": str(row["warc_record_length"]), "status": "200", "mime-detected": row["content_mime_detected"],
                    "languages": row["content_languages"] or ""})
        for row in table
        if row["fetch_status"] == 200 and ".bank.example" in f".{row['url'].split('/')[2]}"
    ]  # fmt: skip
    odd = ['{"url": "https://bank.example/cut', "[]", "17", '{"url": "https://bank.example/x", "mime": "text/html"}']
    asked = f"/{CRAWL}-index?url=bank.example&matchType=domain&output=json&filter==status:200"
    site.answers[f"{asked}&showNumPages=true"] = b'{"pages": 4, "pageSize": 5, "blocks": 17}'
    for number, page_of in ((0, lines[:3]), (2, lines[3:]), (3, odd)):
        site.answers[f"{asked}&page={number}"] = "\n".join(page_of).encode()


def test_patterns_languages_and_limits_choose(crawl, tmp_path):
    urls, _ = fetched(source(crawl, urls=["https://*.bank.example/news/*"]), tmp_path / "a")
    assert urls == [url for url in UNDER_BANK if "/news/" in url and not url.startswith("bank")]
    urls, _ = fetched(source(crawl, domains=["bank.example"], languages=["eng"]), tmp_path / "b")
    hosts = ("bank.example", "news.bank.example", "www.bank.example")
    assert urls == sorted(f"{host}/{path}" for host in hosts for path in ("", "news/a0"))
    urls, _ = fetched(source(crawl, domains=["bank.example", "mill.example"], max_pages=2), tmp_path / "c")
    assert len(urls) == 2
    urls, _ = fetched(source(crawl, domains=["absent.example"]), tmp_path / "d")
    assert urls == []


def test_whole_files_and_the_plan_before(crawl, tmp_path):
    urls, _ = fetched(source(crawl, files=1), tmp_path / "a")
    assert len(urls) == 5 * 4, "every record of the first file"
    said = estimate(source(crawl, domains=["bank.example"]))
    assert said.startswith(f"{len(UNDER_BANK)} pages, ")
    assert "in 2 requests, at least 0.00 hours" in said
    assert estimate(source(crawl, files=2)).startswith("2 files, ")


def test_a_range_that_fails_is_asked_again_and_a_wrong_index_is_named(crawl, tmp_path):
    name = f"/crawl-data/{CRAWL}/segments/1/warc/part-0.warc.gz"
    crawl.failures[name] = 503
    urls, _ = fetched(source(crawl, domains=["bank.example"]), tmp_path / "a")
    assert urls == UNDER_BANK
    for file in crawl.root.rglob("*.warc.gz"):
        file.write_bytes(b"\0" * 100_000)
    with pytest.raises(InfrastructureError, match="the index is of another file"):
        fetched(source(crawl, domains=["bank.example"]), tmp_path / "b")
    with pytest.raises(InfrastructureError, match="is the crawl's name right"):
        fetched(source(crawl, domains=["bank.example"], crawls=["CC-MAIN-1999-01"]), tmp_path / "c")


@pytest.mark.parametrize("harm", ["missing", "short", "other bytes", "no captures", "ends inside"])
def test_captures_that_are_not_where_the_index_says_cost_themselves_alone(crawl, tmp_path, harm):
    file = crawl.root / f"crawl-data/{CRAWL}/segments/1/warc/part-0.warc.gz"
    data = file.read_bytes()
    file.unlink()
    if harm != "missing":
        end = {"short": 1, "other bytes": 0, "no captures": 0, "ends inside": len(data) * 83 // 100}[harm]
        file.write_bytes(data[:end] + (b"<html>" * 9999 if harm == "other bytes" else b""))
    urls, commits = fetched(source(crawl, domains=["bank.example"]), tmp_path / "a")
    counts = commits["web/000000000"].counts
    lost = counts["missing"]
    assert lost == (1 if harm == "ends inside" else 3)
    assert counts["captures"] + lost == len(UNDER_BANK)
    assert len(urls) == counts["captures"]


def test_rows_of_the_index_that_name_no_place_are_left_out(crawl, tmp_path):
    path = next(crawl.root.rglob("*.parquet"))
    table = pq.read_table(path)
    offsets = [None if "/news/a1" in url else value for url, value in
               zip(table["url"].to_pylist(), table["warc_record_offset"].to_pylist(), strict=True)]  # fmt: skip
    lengths = [-1 if "/news/b1" in url else value for url, value in
               zip(table["url"].to_pylist(), table["warc_record_length"].to_pylist(), strict=True)]  # fmt: skip
    for name, values in (("warc_record_offset", offsets), ("warc_record_length", lengths)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.int64()))
    pq.write_table(table, path)
    urls, _ = fetched(source(crawl, domains=["bank.example"]), tmp_path / "a")
    assert urls == [url for url in UNDER_BANK if not url.endswith("1")]
