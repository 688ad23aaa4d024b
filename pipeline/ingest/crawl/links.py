"""Addresses in what a crawl fetches: links of pages, entries of sitemaps and feeds. All in time linear in the bytes.

Links are found in the tags as they are written, not in a parsed tree, whose nodes cost 20 µs each from Python.
"""

import re
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate
from html import unescape
from html.entities import html5
from itertools import islice
from urllib.parse import urljoin

from pipeline.ingest.crawl.client import Response
from pipeline.ingest.crawl.urls import MAX_URL, canonical
from pipeline.ingest.encoding import decode_payload
from pipeline.ingest.formats.http import decode_body
from pipeline.ingest.record import DamagedInputError
from pipeline.ingest.sniff import sniff, split_content_type

_RAW = re.compile(rb"<(!--|(?:script|style|noembed|xmp|textarea)(?=[\s>/]))", re.IGNORECASE)
_TAG = re.compile(
    rb"<(a|area|base|meta|link|frame)[\s/]((?:[^<>\"']+|\"[^\"<]{0,1024}\"|'[^'<]{0,1024}'|[\"'])*)", re.IGNORECASE
)
"""A tag and its attributes, whose values may hold `>`."""
_PLAIN = re.compile(r"/(?!/)[A-Za-z0-9._/-]{0,1000}")
_VALUE = rb"\s*=\s*(?:\"([^\"]*)|'([^']*)|([^\s\"'>]+))"
_ATTRIBUTES = {
    name: re.compile(rb"(?<![\w-])" + name.encode() + _VALUE, re.IGNORECASE)
    for name in ("href", "rel", "name", "content", "type", "src")
}
_REFERENCE = re.compile(r"&(#\w+;?|\w+;|\w+(?![\w=]))")
_REFRESH = re.compile(r"\s*[\d.]*\s*[;,]?\s*url\s*=\s*[\"']?([^\"']+)", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_NS = r"(?:[A-Za-z][\w.-]*:)?"
_LOCATION = re.compile(
    rf"<{_NS}(sitemap|url|item|entry)\b[^<>]*>(.*?)(?=<{_NS}(?:sitemap|url|item|entry)\b|\Z)".encode(), re.DOTALL
)
_LOC = re.compile(
    (
        r"<(?!image:|video:|news:)"
        + _NS
        + r"(?:loc|link|guid(?![^<>]*false))\b[^<>]*>\s*(?:<!\[CDATA\[)?\s*(\w+:[^<]+)"
        rf"|<{_NS}link\b(?![^<>]*\brel\s*=\s*[\"'](?!alternate))[^<>]*?\bhref\s*=\s*[\"']([^\"'<>]+)"
        rf"|<{_NS}(?:loc|link)>\s*(/[^<]*)"
    ).encode()
)
"""The address of an entry: `loc` of the page, not of its pictures; `link` and `guid` of RSS; Atom's `link` to the page itself."""
_WHEN = re.compile(rf"<{_NS}(?:lastmod|updated|pubDate|published|date)>\s*(?:<!\[CDATA\[)?([^<\]]*)".encode())
_DAY = re.compile(r"\s*(\d{4}(?:-\d\d){0,2})")
_ADDRESSES = re.compile(rb"(?:\s*https?://\S+[ \t]*(?:\r?\n|\Z))+\s*")
_LIST = re.compile(rf"<{_NS}(urlset|sitemapindex|rss|feed|RDF)\b".encode())
MAX_LIST = 50 * 2**20
"""Bytes of a sitemap, unpacked (sitemaps.org)."""
MAX_ENTRIES = 50_000
_NOT_FOLLOWED = re.compile(r"\b(?:nofollow|none)\b")


@dataclass(slots=True)
class Listed:
    """Entries of a sitemap or feed."""

    pages: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)


def body_of(response: Response, limit: int) -> bytes:
    """The body with its content encoding undone; as it came when that fails."""
    try:
        return decode_body(response.body, None, response.header("content-encoding"), limit)
    except DamagedInputError:
        return b""


def links_of(response: Response, limit: int) -> list[str]:
    """Web addresses a page links to, each once, in its order; none when the page asks not to follow them."""
    said = " ".join(value.lower() for name, value in response.headers if name.lower() == "x-robots-tag")
    body = body_of(response, limit)
    is_page = "html" in response.mime or (response.mime in ("", "text/plain") and sniff(body) == "html")
    if _NOT_FOLLOWED.search(said) or not is_page:
        return []
    base, links = response.url, {}
    markup = decode_payload(_markup(body), split_content_type(response.header("content-type"))[1], True).text.encode()
    for match in islice(_TAG.finditer(markup), 2 * MAX_ENTRIES):
        name, attributes = match.group(1).lower(), match.group(2)
        rel = _value(attributes, "rel").lower()
        href = _value(attributes, "src" if name == b"frame" else "href")
        if name == b"meta":
            content = _value(attributes, "content")
            if _value(attributes, "name").lower() == "robots" and _NOT_FOLLOWED.search(content.lower()):
                return []
            if (refresh := _REFRESH.match(content)) and (link := joined(base, refresh.group(1))):
                links[link] = None
        elif name == b"base":
            base = joined(response.url, href) or base
        elif "nofollow" in rel or (
            name == b"link" and not ("alternate" in rel and "xml" in _value(attributes, "type"))
        ):
            continue
        elif href and (link := joined(base, href)):
            links[link] = None
    return list(links)


def _markup(body: bytes) -> bytes:
    """The page without comments and without what scripts and style sheets hold."""
    parts, at = [], 0
    while match := _RAW.search(body, at):
        parts.append(body[at : match.start()])
        name = match.group(1).lower()
        if name == b"!--":
            at = body.find(b"-->", match.end())
        else:
            end = re.compile(rb"</" + name, re.IGNORECASE).search(body, match.end())
            at = end.start() if end else -1
        if at < 0:
            return b"".join(parts)
    parts.append(body[at:])
    return b"".join(parts)


def _value(attributes: bytes, name: str) -> str:
    """An attribute as HTML reads it: `&section=` is no `&sect`."""
    match = _ATTRIBUTES[name].search(attributes)
    if match is None:
        return ""
    text = (match.group(match.lastindex or 1) or b"")[: 2 * MAX_URL].decode("utf-8", "replace")
    return (_REFERENCE.sub(_meant, text) if "&" in text else text).strip()


def _meant(reference: re.Match[str]) -> str:
    name = reference.group(1)
    return unescape(reference.group()) if name.startswith("#") else html5.get(name, reference.group())


def joined(base: str, href: str) -> str | None:
    """The canonical address of a link; None when it is none. A plain path needs no more than to follow the host of `base`."""
    if _PLAIN.fullmatch(href) and "/." not in href:
        return base[: base.find("/", 8)] + href
    if "\\" in href:  # browsers read it as a slash
        path, mark, query = href.partition("?")
        href = path.replace("\\", "/") + mark + query
    try:
        return canonical(urljoin(base, href))
    except ValueError:
        return None


def listed_in(response: Response, since: str | None) -> Listed | None:
    """Entries of a sitemap, sitemap index, feed (RSS, Atom) or text of nothing but addresses, those older than the date `since`
    left out; None when it is none of these. gzip is undone whatever the header says.
    """
    body = body_of(response, MAX_LIST)
    if body.startswith(b"\x1f\x8b"):
        try:
            body = zlib.decompressobj(31).decompress(body, MAX_LIST)
        except zlib.error:
            return None
    body = decode_payload(body, None, True).text.encode()
    listed = Listed()
    if response.mime == "text/plain" and _ADDRESSES.fullmatch(body):
        listed.pages = [link for line in body.decode("utf-8", "replace").split() if (link := canonical(line))]
        return listed
    body = _COMMENT.sub(b"", body).lstrip()
    if not _LIST.search(body, 0, 4096) or body[:14].lower().startswith((b"<!doctype html", b"<html")):
        return None
    for number, match in enumerate(_LOCATION.finditer(body)):
        location, when = _LOC.search(match.group(2)), _WHEN.search(match.group(2))
        if number >= MAX_ENTRIES or location is None:
            continue
        if since and when and (day := _day_of(when.group(1).decode("utf-8", "replace"))) and day < since[: len(day)]:
            continue
        address = next(part for part in location.groups() if part).decode("utf-8", "replace")
        link = joined(response.url, unescape(address).replace("]]>", "").strip())
        if link:
            (listed.sitemaps if match.group(1) == b"sitemap" else listed.pages).append(link)
    return listed


def _day_of(text: str) -> str | None:
    """A date of a sitemap (ISO 8601, as much of it as there is) or a feed (RFC 822), as 2026-01-31 or the start of it."""
    if day := _DAY.match(text):
        return day.group(1)
    parsed = parsedate(text)
    return "{:04d}-{:02d}-{:02d}".format(*parsed) if parsed else None
