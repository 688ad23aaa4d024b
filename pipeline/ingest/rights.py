"""What a record says about its use: licence, terms, and the machine-readable reservations of text and data mining.

Read: HTTP fields `tdm-reservation` and `tdm-policy` (W3C TDM Reservation Protocol), `Content-Usage` (IETF AI
preferences), `X-Robots-Tag`; the same as `<meta>` tags; `rel=license` and Creative Commons links of a page; robots.txt
as archived with the crawl. Nothing is fetched: a snapshot is what the crawl kept.
"""

import hashlib
import html
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from protego import Protego

from pipeline.ingest.licences import UNKNOWN, licence_of
from pipeline.ingest.robots import MAX_BYTES
from pipeline.kernels.syllables import held, packed

RESERVED, OPEN = "reserved", "open"
"""Values of the column `tdm`, beside `unknown`: mining reserved, expressly open, or nothing said."""

HEADERS = ("x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal")
AI_AGENTS = (
    "GPTBot", "CCBot", "Google-Extended", "ClaudeBot", "anthropic-ai", "Applebot-Extended", "Bytespider",
    "Meta-ExternalAgent", "Amazonbot", "PerplexityBot", "cohere-ai", "Diffbot",
)  # fmt: skip
"""Crawlers whose text trains models; a robots.txt that refuses one of them by name speaks of this use."""

_USES = ("train-ai", "train-genai", "ai-train", "ai", "tdm", "bots")
"""Keys of AI preferences that speak of training: of the vocabulary, of its drafts, and of Cloudflare's content signals."""
_HEAD_BYTES = 2**16
_MARKS = (b"tdm-", b"noai", b"noml", b"content-usage")
_CREATIVE = b"creativecommons.org/"
_RELATION = re.compile(rb"rel=(?:[\"']?license|\"licence)")
_MARK_SYLLABLES = packed(b"tdm-", b"noai", b"noml", b"-usa")
_LICENCE_SYLLABLES = packed(b"icen", b"veco")
"""Four letters of each mark: most pages have none of them."""
_TELLING = re.compile(rb"licen|cc|creative|public|attribution|&#", re.IGNORECASE)
"""What a link to a licence cannot be without: a look before its attributes are taken apart."""
_META = re.compile(rb"<meta\b([^<>]{0,1024})>", re.IGNORECASE)
_LINK = re.compile(rb"<(?:a|link)\b([^<>]{0,1024})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"([a-z:-]{1,32})\s{0,8}=\s{0,8}(?:\"([^\"]{0,512})\"|'([^']{0,512})'|([^\s\"'>]{1,512}))", re.IGNORECASE
)
_ROBOTS_NAMES = ("robots", "googlebot", "tdm-reservation", "tdm-policy", "content-usage")


def tdm_of(signals: str | None) -> str:
    """`reserved`, `open` or `unknown`, from signals as the column `rights` holds them. One reservation is enough.

    >>> tdm_of("tdm-reservation: 1; x-robots-tag: all"), tdm_of("content-usage: train-ai=y"), tdm_of("x-robots-tag: noindex")
    ('reserved', 'open', 'unknown')
    """
    found = set()
    for signal in (signals or "").lower().split("; "):
        name, _, value = signal.partition(": ")
        words = re.split(r"[\s,;]+", value.strip())
        if name.endswith("tdm-reservation"):
            found.add({"1": RESERVED, "0": OPEN}.get(value.strip(), UNKNOWN))
        elif name.endswith(("content-usage", "content-signal")):
            for word in words:
                use, _, answer = word.partition("=")
                if use in _USES and answer[:1] in ("n", "y"):
                    found.add(RESERVED if answer[0] == "n" else OPEN)
        elif name.endswith(("robots-tag", "robots", "googlebot")) and {"noai", "noml"} & set(words):
            found.add(RESERVED)
    return RESERVED if RESERVED in found else OPEN if OPEN in found else UNKNOWN


def header_signals(fields: dict[str, str]) -> str | None:
    """The fields of an HTTP response that speak of use, as "name: value; …", or None."""
    return "; ".join(f"{name}: {_plain(value)}" for name in HEADERS if (value := fields.get(name))) or None


def terms_of(signals: str | None) -> str | None:
    """The address of the terms among signals (`tdm-policy`)."""
    for signal in (signals or "").split("; "):
        name, _, value = signal.partition(": ")
        if name.lower().endswith("tdm-policy") and value:
            return value.strip()
    return None


@dataclass(frozen=True, slots=True)
class PageRights:
    """What a page says of itself."""

    signals: str | None = None
    licence: str | None = None
    terms: str | None = None


def page_rights(payload: bytes) -> PageRights:
    """Reservations in `<meta>` tags of the first 64 KiB, and the first licence link anywhere on the page.

    Only links that say `rel=license`, and Creative Commons links, count: a page's own word on its text. Tags are found
    in the bytes, so that a page costs a few searches and no parse.
    """
    signals, licence, terms = [], None, None
    data = np.frombuffer(payload, np.uint8)
    if held(data, _MARK_SYLLABLES, _HEAD_BYTES) and any(mark in payload[:_HEAD_BYTES].lower() for mark in _MARKS):
        for tag in _META.finditer(payload, 0, _HEAD_BYTES):
            found = _attributes(tag[1])
            name = (found.get("name") or found.get("http-equiv") or "").lower()
            if name in _ROBOTS_NAMES and (content := _plain(found.get("content", ""))):
                signals.append(f"meta {name}: {content}")
    if _names_licence(data, payload):
        for tag in _LINK.finditer(payload):
            if not _TELLING.search(tag[1]):
                continue
            found = _attributes(tag[1])
            href, declared = (
                found.get("href", ""),
                bool({"license", "licence"} & set(found.get("rel", "").lower().split())),
            )
            name = licence_of(href)
            known = name.startswith("CC") or name == "public-domain"
            if known and (declared or licence is None):
                licence, terms = name, href
            elif declared and href and terms is None:
                terms = href
            if declared and known:
                break
    joined = "; ".join(signals) or None
    return PageRights(joined, licence, terms_of(joined) or terms)


def _names_licence(data: np.ndarray, payload: bytes) -> bool:
    """Whether one of the marks is there: searched only for the letters that were seen."""
    seen = held(data, _LICENCE_SYLLABLES, len(data))
    if seen & 2 and _CREATIVE in payload:
        return True
    return bool(seen & 1) and _RELATION.search(payload) is not None


def _attributes(tag: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(tag):
        value = next((group for group in match.groups()[1:] if group is not None), b"")
        found.setdefault(match[1].decode().lower(), html.unescape(value.decode("utf-8", "replace")))
    return found


def _plain(value: str) -> str:
    """On one line, and without the separator of signals."""
    return " ".join(value.replace(";", ",").split())[:512]


@dataclass(slots=True)
class RobotsSnapshots:
    """The robots.txt files met so far in one file of a crawl, by host. Crawlers fetch them before a host's pages."""

    _hosts: dict[str, tuple[str, Protego, str]] = field(default_factory=dict)

    def remember(self, url: str, status: int | None, body: bytes) -> None:
        """Keep what a host answered to /robots.txt; only a successful answer says anything."""
        if status is not None and 200 <= status < 300:
            text = body[:MAX_BYTES].decode("utf-8", "replace")
            digest = hashlib.sha256(body).hexdigest()[:16]
            self._hosts[_parts(url)[0]] = (digest, Protego.parse(text), text)

    def of(self, url: str | None) -> tuple[str | None, str | None]:
        """What the host's robots.txt says of this address: (the column `robots`, signals of AI preferences in it)."""
        if not self._hosts or not url:
            return None, None
        host, path = _parts(url)
        known = self._hosts.get(host)
        if known is None:
            return None, None
        digest, rules, text = known
        lower = text.lower()
        agents = ["*", *(agent for agent in AI_AGENTS if agent.lower() in lower)]
        refused = [agent for agent in agents if not rules.can_fetch(url, agent)]
        said = f"refuses {', '.join(refused)}" if refused else "allows"
        return f"sha256:{digest} {said}", _preferences(text, path)


def _preferences(text: str, path: str) -> str | None:
    """`Content-Usage` and `Content-Signal` lines of a robots.txt that hold for a path: the longest path prefix wins."""
    best: dict[str, tuple[int, str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, words = name.strip().lower(), value.split(None, 1)
        if name not in ("content-usage", "content-signal") or not words:
            continue
        prefix, rest = (words[0], words[1] if len(words) > 1 else "") if words[0].startswith("/") else ("/", value)
        if path.startswith(prefix) and len(prefix) >= best.get(name, (0, ""))[0]:
            best[name] = (len(prefix), _plain(rest))
    return "; ".join(f"robots.txt {name}: {value}" for name, (_, value) in sorted(best.items())) or None


def is_robots(url: str | None) -> bool:
    """Whether an address is a host's robots.txt."""
    return "/robots.txt" in (url or "") and _parts(url or "")[1] == "/robots.txt"


def _parts(url: str) -> tuple[str, str]:
    """Host with port, and path, of an address; empty ones of what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.netloc.rpartition("@")[2].lower(), parts.path or "/"
