"""What a page says of itself: title, date, author, language, and its article where JSON-LD carries the whole of it.

Read from the markup as it came, because scripts and most attributes never reach the parser. The price is that what stands in a
comment counts, too.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline.ingest.rights.signals import attributes

_HEAD = 262_144
"""Bytes of a page in which its `meta` elements, which stand before the body, and the first `time` are looked for."""
_MOST_SCRIPTS, _MOST_JSON = 32, 1_000_000
"""Scripts with JSON-LD that are read, and the bytes of one."""
_LONGEST = 4096
"""Bytes of a tag."""
_WANTED = re.compile(rb"author|date|title|lang|creator|publish")
_JSON_LD = b"application/ld+json"
_WRAPPED = re.compile(r"^\s*(?://|/\*)?\s*(?:<!\[CDATA\[|<!--)(?:\s*\*/)?|(?://|/\*)?\s*(?:\]\]>|-->)(?:\s*\*/)?\s*$")
"""What old pages write around a script, for programs that would take it for markup."""
_DATE = re.compile(r"[12][0-9]{3}(-?[01][0-9](-?[0-3][0-9]([T ][0-9:.]+ ?(Z|[+-][0-9:]{4,6})?)?)?)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_DATE_NAMES = (
    "article:published_time datepublished og:published_time dc.date dcterms.date dc.date.issued citation_date "
    "citation_publication_date pubdate publishdate publish_date publication_date parsely-pub-date sailthru.date date"
).split()
_AUTHOR_NAMES = (
    "author article:author dc.creator dcterms.creator citation_author parsely-author sailthru.author"
).split()  # fmt: skip


@dataclass(slots=True)
class PageFacts:
    """What a page says of itself; None what it does not say."""

    title: str | None = None
    date: str | None = None
    author: str | None = None
    language: str | None = None
    article: str | None = None
    """The only `articleBody` of its JSON-LD."""


def page_facts(markup: bytes) -> PageFacts:
    """The facts of a page in UTF-8. `meta` elements come before JSON-LD, that before a `time` element."""
    named: dict[str, str] = {}
    body = markup.find(b"<body", 0, _HEAD)
    head = markup[: body if body >= 0 else _HEAD]
    lower = head.lower()
    for begin, end in _tags(lower, b"<meta"):
        if _WANTED.search(lower, begin, end):
            found = attributes(head[begin:end])
            name = found.get("property") or found.get("name") or found.get("itemprop") or ""
            if name and found.get("content"):
                named.setdefault(name.strip().lower(), found["content"])
    for begin, end in islice(_tags(lower[:_LONGEST], b"<html"), 1):
        found = attributes(head[begin:end])
        named["html lang"] = found.get("lang") or found.get("xml:lang") or ""
    for begin, end in islice(_tags(markup[:_HEAD], b"<time"), 1):
        named["time"] = attributes(markup[begin:end]).get("datetime", "")
    facts = PageFacts()
    facts.title = _clean(named.get("og:title"), 1000)
    facts.language = _matched(_LANGUAGE, named.get("html lang") or named.get("content-language"))
    facts.date = next((date for name in _DATE_NAMES if (date := _matched(_DATE, named.get(name)))), None)
    facts.author = next((named[name] for name in _AUTHOR_NAMES if _is_name(named.get(name))), None)
    if _JSON_LD in markup:
        _add_linked_data(facts, markup)
    facts.date = facts.date or _matched(_DATE, named.get("time"))
    facts.author = _clean(facts.author, 200)
    return facts


def _tags(markup: bytes, element: bytes) -> Iterator[tuple[int, int]]:
    """Where the attributes of the start tags of an element, written as given, stand in markup."""
    at = markup.find(element)
    while at >= 0:
        at += len(element)
        end = markup.find(b">", at, at + _LONGEST)
        if end > at and markup[at : at + 1].isspace():
            yield at, end
        at = markup.find(element, at)


def _clean(text: str | None, most: int) -> str | None:
    return " ".join((text or "").split())[:most] or None


def _matched(pattern: re.Pattern[str], value: str | None) -> str | None:
    found = pattern.match(value.strip()) if value else None
    return found[0] if found else None


def _is_name(value: str | None) -> bool:
    return bool(value) and not value.startswith(("http:", "https:"))


def _add_linked_data(facts: PageFacts, markup: bytes) -> None:
    """What JSON-LD adds to the facts; more than one article is a list of them, and none of them the page's."""
    articles: dict[str, bool] = {}
    at = markup.find(_JSON_LD)
    for _ in range(_MOST_SCRIPTS):
        begin = markup.find(b">", at, at + _LONGEST) + 1
        end = markup.find(b"</", begin, begin + _MOST_JSON)
        while end >= 0 and markup[end : end + 8].lower() != b"</script":
            end = markup.find(b"</", end + 2, begin + _MOST_JSON)
        if at < 0 or begin <= 0 or end < 0:
            break
        at = markup.find(_JSON_LD, end)
        try:
            data = json.loads(_WRAPPED.sub("", markup[begin:end].decode("utf-8", "replace")), strict=False)
        except (ValueError, RecursionError):
            continue
        for item in _items(data):
            if isinstance(item.get("articleBody"), str):
                articles[item["articleBody"]] = True
            if "headline" in item or "articleBody" in item:
                facts.date = facts.date or _matched(_DATE, str(item.get("datePublished") or ""))
                facts.author = facts.author or _author(item.get("author"))
                facts.language = facts.language or _matched(_LANGUAGE, str(item.get("inLanguage") or ""))
    facts.article = next(iter(articles)) if len(articles) == 1 else None


def _items(data: Any, levels: int = 4) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-LD document: one, a list of them, a graph, and what a page says it is about."""
    for item in data if isinstance(data, list) else [data]:
        if isinstance(item, dict):
            yield item
            for name in ("@graph", "mainEntity", "mainEntityOfPage"):
                yield from _items(item.get(name), levels - 1) if levels else ()


def _author(value: Any) -> str | None:
    """A name, or the names of several people."""
    people = value if isinstance(value, list) else [value]
    names = [person.get("name") if isinstance(person, dict) else person for person in people]
    return ", ".join(name for name in names if isinstance(name, str) and _is_name(name)) or None
