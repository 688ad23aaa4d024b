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
        ("http://h.example/story?sid=48213", "http://h.example/story?sid=48213"),
        ("http://h.example/story?id=9&sid=9f86d081884c7d659a2feaa0c55ad015", "http://h.example/story?id=9"),
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


@pytest.mark.parametrize(
    ("markup", "wanted"),
    [
        (b"<a href='?year=2024&section=3&copy=no&region=eu'>", "dir/page?year=2024&section=3&copy=no&region=eu"),
        (b"<a href='?q=R&amp;D&eacute;&#233;'>", "dir/page?q=R&D%C3%A9%C3%A9"),
        (b"<a title='rates > 5 %' href=/rates>", "rates"),
        (b'<a title="it\'s" data-x=">" href="/quoted">', "quoted"),
        (b"<a title=it's href=/lone>", "lone"),
        (b"<a href='files\\2024\\q1.html?p=\\'>", "dir/files/2024/q1.html?p=%5C"),
        (b"<meta http-equiv=refresh content='5; URL=\"/moved\"'>", "moved"),
        (b"<frameset><frame name=body src=body.html></frameset>", "dir/body.html"),
        ("<meta charset=windows-1253><a href='/νέα'>".encode("cp1253"), "%CE%BD%CE%AD%CE%B1"),
        ("<meta charset=no-such><a href='/é'>".encode("latin-1"), "%C3%A9"),
    ],
)
def test_a_link_as_a_browser_reads_it(markup, wanted):
    assert links_of(answer(b"<html>" + markup + b"x"), 10**6) == [f"http://h.example/{wanted}"]


def test_pages_of_no_or_another_type_and_pages_that_say_not_to_follow():
    page = b"<!doctype html><a href=/x>x</a>"
    assert links_of(answer(page, ""), 10**6) == links_of(answer(page, "text/plain"), 10**6) == ["http://h.example/x"]
    assert links_of(answer(b"see <a href=/x>", "text/plain"), 10**6) == []
    for said in ("none", "noindex, nofollow", "nofollow"):
        refusing = answer(page)
        refusing.headers += [("X-Robots-Tag", "noarchive"), ("X-Robots-Tag", said)]
        assert links_of(refusing, 10**6) == []


def test_entries_of_sitemaps_and_feeds_as_they_are_found():
    def pages(body, since=None, kind="application/xml"):
        return [page.removeprefix("http://h.example/") for page in listed_in(answer(body, kind), since).pages]

    wrapped = b"<urlset><url><loc>\n<![CDATA[ http://h.example/a?x=1&y=[2] ]]></loc></url></urlset>"
    assert pages(wrapped) == ["a?x=1&y=[2]"]
    picture = b"<urlset><url><image:image><image:loc>http://h.example/i.png</image:loc></image:image><loc>/p</loc></url></urlset>"
    assert pages(picture) == ["p"]
    assert pages(b"<urlset><!-- <url><loc>/old</loc></url> --><url><loc>/new</loc></url></urlset>") == ["new"]
    assert pages('<?xml version="1.0"?><urlset><url><loc>/wide</loc></url></urlset>'.encode("utf-16")) == ["wide"]
    atom = b"<feed><entry><link rel='self' href='/1.atom'/><link href='/1.html'/></entry></feed>"
    assert pages(atom) == ["1.html"]
    atom = b"<feed><entry><link href='/e.mp3' rel='enclosure'/><link href='/2.html' rel='alternate'/></entry></feed>"
    assert pages(atom) == ["2.html"]
    guid = b"<rss><item><guid>http://h.example/g</guid></item><item><guid isPermaLink='false'>a:1</guid></item></rss>"
    assert pages(guid) == ["g"]
    dated = b"<rss>%s</rss>" % b"".join(
        b"<item><link>/%d</link><pubDate>Tue, 05 Mar %d 10:00:00 GMT</pubDate></item>" % (year, year)
        for year in (2019, 2024)
    )
    assert pages(dated, "2020-01-01") == ["2024"]
    for when, kept in (("2019", False), ("2020", True), ("2020-02", True), ("2020-01", False), ("soon", True)):
        one = f"<urlset><url><loc>/x</loc><lastmod>{when}</lastmod></url></urlset>".encode()
        assert bool(pages(one, "2020-02-01")) is kept, when
    assert pages(b"http://h.example/1\r\nhttp://h.example/2\n\n", kind="text/plain") == ["1", "2"]
    assert listed_in(answer(b"http://h.example/1\nand more", "text/plain"), None) is None


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


def test_a_date_to_come_back_at_counts_from_the_answer_so_that_the_log_says_the_same_later():
    headers = [("Date", "Mon, 01 Jan 2001 00:00:00 GMT"), ("Retry-After", "Mon, 01 Jan 2001 00:00:40 GMT")]
    assert retry_after_s(Response("", 503, "", headers)) == 40
