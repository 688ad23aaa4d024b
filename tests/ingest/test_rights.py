"""Rights of a record: headers, meta tags, licence links, robots.txt in the crawl, fields of rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.record import Tally
from pipeline.ingest.rights.licences import KNOWN, licence_of
from pipeline.ingest.rights.locations import covers
from pipeline.ingest.rights.signals import page_rights, tdm_of
from pipeline.ingest.rights.snapshots import tdm_rules
from pipeline.ingest.source import Source

from .conftest import gz, page, rows_of, warc_record

ROBOTS = b"User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nContent-Usage: /closed train-ai=n\nDisallow: /closed/in\n"


def read_warc(tmp_path, *records, tally=None, **settings):
    (tmp_path / "c.warc.gz").write_bytes(gz(*records))
    return rows_of(Source(name="web", kind="warc", path=str(tmp_path), **settings), tally)


@pytest.mark.parametrize(
    ("headers", "tdm", "terms"),
    [
        (b"tdm-reservation: 1\r\ntdm-policy: https://a.example/terms\r\n", "reserved", "https://a.example/terms"),
        (b"TDM-Reservation: 0\r\n", "open", None),
        (b"Content-Usage: search=y, train-ai=n\r\n", "reserved", None),
        (b"Content-Usage: train-ai=y\r\n", "open", None),
        (b"Content-Usage: search=n\r\n", "unknown", None),
        (b"X-Robots-Tag: noai, noimageai\r\n", "reserved", None),
        (b"X-Robots-Tag: noindex\r\n", "unknown", None),
        (b"tdm-reservation: 0\r\nX-Robots-Tag: noai\r\n", "reserved", None),
        (b"Content-Usage: bots=n, train-ai=y\r\n", "open", None),
        (b"Content-Usage: train-ai=n, train-ai=y\r\n", "open", None),
        (b"Content-Usage: train-ai=y, train-ai\r\n", "unknown", None),
        (b"Content-Usage: train-ai;allow=n, train-ai=y\r\n", "open", None),
        (b"Content-Usage: ai-use=n, search=n\r\n", "unknown", None),
        (b"Content-Usage: Train-AI=n\r\n", "unknown", None),
        (b"Content-Usage: train-ai=no\r\n", "unknown", None),
        (b'Content-Usage: train-ai=n, note="a, b"\r\n', "reserved", None),
        (b"Content-Signal: search=yes, ai-train=no\r\n", "reserved", None),
        (b"tdm-reservation: yes\r\n", "unknown", None),
        (b"", "unknown", None),
    ],
)
def test_headers_say_what_is_reserved(tmp_path, headers, tdm, terms):
    block = page(b"<p>x", b"Content-Type: text/html\r\n" + headers)
    (row,) = read_warc(tmp_path, warc_record("https://a.example/", block))
    assert (row["tdm"], row["terms"]) == (tdm, terms)


@pytest.mark.parametrize(
    ("body", "tdm", "licence"),
    [
        (b'<meta name="tdm-reservation" content="1">', "reserved", "unknown"),
        (b"<META CONTENT='noai, noindex' NAME=robots>", "reserved", "unknown"),
        (b'<meta http-equiv="Content-Usage" content="train-ai=y">', "open", "unknown"),
        (b'<meta name="description" content="noai">', "unknown", "unknown"),
        (
            b'<p><a rel="license" href="https://creativecommons.org/licenses/by-sa/3.0/">CC</a>',
            "unknown",
            "CC-BY-SA-3.0",
        ),
        (b'<link rel=license href="//creativecommons.org/publicdomain/zero/1.0/">', "unknown", "CC0-1.0"),
        (b'<a href="http://creativecommons.org/licenses/by-nc/4.0/deed.de">', "unknown", "CC-BY-NC-4.0"),
        (b'<a rel="license" href="/our/terms">ours</a>', "unknown", "unknown"),
        (b"<p>we read creativecommons.org/licenses/by/4.0 today", "unknown", "unknown"),
    ],
)
def test_pages_say_it_too(tmp_path, body, tdm, licence):
    (row,) = read_warc(tmp_path, warc_record("https://a.example/", page(b"<html><head>" + body)))
    assert (row["tdm"], row["licence"]) == (tdm, licence)


def test_a_declared_licence_link_comes_before_others_and_keeps_its_terms():
    found = page_rights(
        b'<a href="https://creativecommons.org/licenses/by-nc/2.0/">photo</a>'
        b'<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">this page</a>'
    )
    assert (found.licence, found.terms) == ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/")
    assert page_rights(b'<a rel="license" href="/terms">x</a>').terms == "/terms"


def test_robots_in_the_crawl_is_the_snapshot_of_its_host(tmp_path):
    tally = Tally()
    rows = read_warc(
        tmp_path,
        warc_record("https://a.example/robots.txt", page(ROBOTS, b"Content-Type: text/plain\r\n")),
        warc_record("https://a.example/closed/in", page(b"<p>1")),
        warc_record("https://a.example/closed", page(b"<p>2")),
        warc_record("https://a.example/open", page(b"<p>3")),
        warc_record("https://b.example/", page(b"<p>4")),
        warc_record("http://[bad", page(b"<p>5")),
        tally=tally,
    )
    assert [row["tdm"] for row in rows] == ["reserved", "reserved", "unknown", "unknown", "unknown"]
    said = [row["robots"] and row["robots"].partition(" ")[2] for row in rows]
    assert said == ["refuses *, GPTBot", "refuses GPTBot", "refuses GPTBot", None, None]
    assert rows[0]["robots"].startswith("sha256:")
    assert tally.skipped == {"robots_txt": 1}, "a robots.txt is no document"


TDMREP = json.dumps(
    [
        {"location": "/open/", "tdm-reservation": 0},
        {"location": "/images/*.jpg$", "tdm-reservation": 0},
        {"location": "/licensed/", "tdm-reservation": 1, "tdm-policy": "https://a.example/policy.json"},
        {"location": "/odd/", "tdm-reservation": 2},
        {"tdm-reservation": 1},
        "no rule",
        {"location": "/", "tdm-reservation": 1},
    ]
).encode()
JSON_TYPE = b"Content-Type: application/json\r\n"


def tdmrep(body, host="a.example", **more):
    return warc_record(f"https://{host}/.well-known/tdmrep.json", page(body, JSON_TYPE), **more)


def test_tdmrep_json_in_the_crawl_holds_for_its_host(tmp_path):
    tally = Tally()
    names = ("open/x", "images/a.jpg", "images/a.jpg?size=2", "licensed/a", "odd/a", "other", "Open/x")
    rows = read_warc(
        tmp_path,
        warc_record("https://a.example/early", page(b"<p>0")),
        tdmrep(TDMREP),
        *(warc_record(f"https://a.example/{name}", page(b"<p>" + name.encode())) for name in names),
        warc_record("https://b.example/other", page(b"<p>b")),
        tally=tally,
    )
    found = {row["url"].partition("://")[2]: (row["tdm"], row["terms"]) for row in rows}
    policy = "https://a.example/policy.json"
    assert found == {
        "a.example/early": ("unknown", None),
        "a.example/open/x": ("open", None),
        "a.example/images/a.jpg": ("open", None),
        "a.example/images/a.jpg?size=2": ("reserved", None),
        "a.example/licensed/a": ("reserved", policy),
        "a.example/odd/a": ("unknown", None),
        "a.example/other": ("reserved", None),
        "a.example/Open/x": ("reserved", None),
        "b.example/other": ("unknown", None),
    }
    by_url = {row["url"]: row for row in rows}
    said = by_url["https://a.example/licensed/a"]["rights"]
    assert said == f"tdmrep.json tdm-reservation: 1; tdmrep.json tdm-policy: {policy}"
    assert by_url["https://a.example/other"]["robots"] is None
    assert tally.skipped == {"tdmrep_json": 1}, "it is no document"


@pytest.mark.parametrize(
    ("fields", "meta", "tdm"),
    [
        (b"", b"", "reserved"),
        (b"tdm-reservation: 0\r\n", b"", "open"),
        (b"tdm-reservation: 0\r\n", b'<meta name="tdm-reservation" content="1">', "reserved"),
        (b"tdm-reservation: 1\r\n", b'<meta name="tdm-reservation" content="0">', "open"),
        (b"X-Robots-Tag: noai\r\n", b'<meta name="tdm-reservation" content="0">', "reserved"),
        (b"tdm-reservation: perhaps\r\n", b"", "reserved"),
    ],
)
def test_the_page_supersedes_its_header_and_both_the_file(tmp_path, fields, meta, tdm):
    block = page(b"<html><head>" + meta, b"Content-Type: text/html\r\n" + fields)
    (row,) = read_warc(tmp_path, tdmrep(TDMREP), warc_record("https://a.example/x", block))
    assert row["tdm"] == tdm


@pytest.mark.parametrize(
    "body", [b"", b"no json", b'{"location": "/", "tdm-reservation": 1}', b"[" * 100_000, b"\xff["]
)
def test_a_tdmrep_json_that_is_none_says_nothing(tmp_path, body):
    tally = Tally()
    (row,) = read_warc(tmp_path, tdmrep(body), warc_record("https://a.example/x", page(b"<p>1")), tally=tally)
    assert row["tdm"] == "unknown"
    assert tally.skipped == {"tdmrep_json": 1}


def test_a_refused_tdmrep_json_and_a_bare_resource(tmp_path):
    gone = page(b"[]", JSON_TYPE).replace(b"200 OK", b"404 Not Found")
    assert b"404" in gone
    rows = read_warc(
        tmp_path,
        warc_record("https://a.example/.well-known/tdmrep.json", gone),
        warc_record("https://a.example/x", page(b"<p>1")),
        warc_record(
            "https://b.example/.well-known/tdmrep.json", TDMREP, kind="resource", Content_Type="application/json"
        ),
        warc_record("https://b.example/x", page(b"<p>2")),
    )
    assert [row["tdm"] for row in rows] == ["unknown", "reserved"]


GROUPS = b"""User-agent: *
Allow: /
Content-Usage: train-ai=n
Content-Usage: /ai-ok/ train-ai=y
Content-Usage: /*/draft$ train-ai=n

User-agent: ExampleBot
Content-Usage: train-ai=y

User-agent: CCBot
User-agent: OtherBot
Content-Signal: /ai-ok/closed ai-train=no
"""


def test_preferences_in_robots_txt_hold_by_group_and_by_longest_path(tmp_path):
    names = ("test", "ai-ok/test", "ai-ok/draft", "ai-ok/closed")
    rows = read_warc(
        tmp_path,
        warc_record("https://a.example/robots.txt", page(GROUPS, b"Content-Type: text/plain\r\n")),
        *(warc_record(f"https://a.example/{name}", page(b"<p>" + name.encode())) for name in names),
    )
    assert [row["tdm"] for row in rows] == ["reserved", "open", "reserved", "reserved"]


def covers_twin(pattern, path):
    """The same by a regular expression, for patterns without escapes."""
    import re

    body = pattern.removesuffix("$")
    expression = ".*".join(re.escape(piece) for piece in body.split("*"))
    return (
        bool(pattern) and re.match(expression + (r"\Z" if pattern.endswith("$") else ""), path, re.DOTALL) is not None
    )


@given(st.text("/ab*$", max_size=8).filter(lambda p: "$" not in p[:-1]), st.text("/ab", max_size=10))
def test_patterns_match_as_their_regular_expressions(pattern, path):
    assert covers(pattern, "/" + path) == covers_twin(pattern, "/" + path)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_pattern_and_path_may_be_asked(pattern, path):
    assert covers(pattern, path) in (True, False)
    assert isinstance(tdm_rules(pattern), list)


def test_the_record_comes_before_its_source(tmp_path):
    rows = [
        {"text": "a b", "licence": "cc by-sa 4.0"},
        {"text": "c d", "license": "MIT"},
        {"text": "e f", "rights": "tdm-reservation: 1", "licence": None},
        {"text": "g h", "licence": "House terms of 2019"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist([{"text": "i j", "metadata": {"license": "odc-by"}}]), tmp_path / "b.parquet")
    source = Source(name="s", path=str(tmp_path), licence="Apache-2.0")
    assert [row["licence"] for row in rows_of(source)[:4]] == [
        "CC-BY-SA-4.0",
        "MIT",
        "Apache-2.0",
        "House terms of 2019",
    ]
    assert rows_of(source)[2]["tdm"] == "reserved"
    nested = Source(name="s", path=str(tmp_path / "b.parquet"), fields={"licence": "metadata.license"})
    assert rows_of(nested)[0]["licence"] == "ODC-By-1.0"


@given(st.text(max_size=60))
def test_names_are_stable(text):
    assert licence_of(licence_of(text)) == licence_of(text)
    assert tdm_of(text) in ("reserved", "open", "unknown")


@pytest.mark.parametrize("name", KNOWN)
def test_known_names_are_their_own(name):
    assert licence_of(name.upper()) == licence_of(name) == name


@given(st.binary(max_size=300))
def test_any_bytes_are_a_page(payload):
    page_rights(b'<meta name="tdm-' + payload + b'<a rel="license" ' + payload)
