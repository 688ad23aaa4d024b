"""Addresses in one form, traps, and what is found in pages, sitemaps, feeds and robots.txt."""

import gzip

import pytest

from pipeline.ingest.crawl.client import Response, retry_after_s
from pipeline.ingest.crawl.links import links_of, listed_in
from pipeline.ingest.crawl.robots import Rules
from pipeline.ingest.crawl.urls import Traps, canonical


def answer(body, kind="text/html"):
    return Response("http://h.example/dir/page", 200, "OK", [("Content-Type", kind)], body)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("HTTP://EXAMPLE.com:80/a/./b/../c", "http://example.com/a/c"),
        ("https://h.example:443", "https://h.example/"),
        ("http://h.example:8080/", "http://h.example:8080/"),
        ("http://h.example./a#b", "http://h.example/a"),
        ("http://h.example/%7Euser/%c3%bc", "http://h.example/~user/%C3%BC"),
        ("http://h.example/100%", "http://h.example/100%25"),
        ("http://h.example/?b=2&utm_source=mail&a=1&gclid=x", "http://h.example/?b=2&a=1"),
        ("http://h.example/a;jsessionid=1F?x=1", "http://h.example/a?x=1"),
        ("http://h.example/../../x", "http://h.example/x"),
        ("http://h.example/a\nb", "http://h.example/ab"),
        *[(bad, None) for bad in ("http://ex ample.com/", "http://u:p@h.example/", "ftp://h/", "http://h:99999/", "http:///x",
                                  "http://h\\x/", "http://[bad/", f"http://h.example/{'a' * 3000}")],
    ],
)  # fmt: skip
def test_one_form_of_an_address(url, wanted):
    found = canonical(url)
    assert found == wanted
    assert found is None or canonical(found) == found


def test_links_of_a_page():
    body = b"""<base href="/other/"><!-- <a href="/commented">x</a> --><script>"<a href='/script'>"</script>
    <A HREF=one>1</A><a class=x href='two?a=1&amp;b=2'>2</a><a href="/plain/path.html">3</a><area href="//else.example/x">
    <a rel="nofollow" href="/no">n</a><a data-href="/data">d</a><link rel=alternate type=application/rss+xml href=/feed>
    <link rel=stylesheet href=/style><a href="javascript:x">j</a><a href="mailto:a@b">m</a><a href="/plain/path.html">again</a>"""
    assert links_of(answer(body), 10**6) == [
        "http://h.example/other/one", "http://h.example/other/two?a=1&b=2", "http://h.example/plain/path.html",
        "http://else.example/x", "http://h.example/feed",
    ]  # fmt: skip
    assert links_of(answer(b"<meta name=robots content='noindex, nofollow'><a href=/x>"), 10**6) == []
    assert links_of(answer(b"<a href=/x>", "application/pdf"), 10**6) == []


def test_sitemaps_and_feeds():
    urls = b"<urlset><url><loc> http://h.example/a </loc><lastmod>2020-01-01T00:00Z</lastmod></url><url><loc>/b</loc></url></urlset>"
    listed = listed_in(answer(urls, "application/xml"), None)
    assert (listed.pages, listed.sitemaps) == (["http://h.example/a", "http://h.example/b"], [])
    assert listed_in(answer(gzip.compress(urls), "application/gzip"), "2021-01-01").pages == ["http://h.example/b"]
    index = b"<?xml version='1.0'?><s:sitemapindex xmlns:s='x'><s:sitemap><s:loc>http://h.example/s.xml</s:loc></s:sitemap></s:sitemapindex>"
    assert listed_in(answer(index), None).sitemaps == ["http://h.example/s.xml"]
    rss = b"<rss><channel><link>http://h.example/</link><item><link><![CDATA[http://h.example/i?a=1&b=2]]></link></item></channel></rss>"
    assert listed_in(answer(rss), None).pages == ["http://h.example/i?a=1&b=2"]
    atom = b"<feed><entry><link rel='alternate' href='/e'/><updated>2024-05-01</updated></entry></feed>"
    assert listed_in(answer(atom), "2024-05-01").pages == ["http://h.example/e"]
    assert listed_in(answer(atom), "2024-05-02").pages == []
    assert listed_in(answer(b"<html><body><url>"), None) is None
    assert listed_in(answer(b"\x1f\x8b\x08junk"), None) is None


def test_traps_are_told_from_sites():
    traps = Traps()
    assert traps.holds("http://h/news/2024/05/17/rates", 2026) == ""
    assert traps.holds("http://h/a/b/a/b/a/b", 2026) == "repeated_path"
    assert traps.holds("http://h/calendar?m=2999-01", 2026) == "calendar"
    assert traps.holds("http://h/events/2025-06", 2026) == ""
    assert [traps.holds(f"http://h/day/2024-01-{number}", 2026) for number in range(300)].count("calendar") == 200
    assert [traps.holds(f"http://h/list?page={number}", 2026) for number in range(300)].count("many_queries") == 200
    assert [traps.holds(f"http://h/item/{number}", 2026) for number in range(300)] == [""] * 300


def test_robots_in_other_encodings_and_with_absurd_delays():
    for body in (b"\xef\xbb\xbfUser-agent: *\nDisallow: /p", "User-agent: *\nDisallow: /p".encode("utf-16")):
        assert not Rules("acme/1.0", 200, body).allows("http://h/p")
    assert Rules("acme/1.0 (+https://other.example)", 200, b"User-agent: other\nDisallow: /").allows("http://h/p")
    assert Rules("acme/1.0", 200, b"User-agent: *\nCrawl-delay: 1e300").delay_s() == 1e300
    assert Rules("acme/1.0", 200, b"User-agent: *\nRequest-rate: 1/" + b"9" * 400 + b"d").delay_s() == float("inf")
    assert Rules("acme/1.0", 200, b"User-agent: *\nRequest-rate: 2/10s").delay_s() == 5


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("-5", None), ("soon", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0)]
)
def test_retry_after(value, seconds):
    assert retry_after_s(Response("", 429, "", [("Retry-After", value)])) == seconds
