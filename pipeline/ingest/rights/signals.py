"""What a record says about its use: licence, terms, and the machine-readable reservations of text and data mining.

Read: HTTP fields `tdm-reservation` and `tdm-policy` (W3C TDM Reservation Protocol), `Content-Usage` (IETF AI
preferences), `X-Robots-Tag`; the same as `<meta>` tags; `rel=license` and Creative Commons links of a page. What the host
says in files of its own is pipeline.ingest.rights.snapshots'. Nothing is fetched.
"""

import html
import re
from dataclasses import dataclass

import numpy as np

from pipeline.ingest.rights.licences import UNKNOWN, licence_of
from pipeline.ingest.rights.preferences import allows_training
from pipeline.kernels.text.syllables import held, packed

RESERVED, OPEN = "reserved", "open"
"""Values of the column `tdm`, beside `unknown`: mining reserved, expressly open, or nothing said."""

HEADERS = ("x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal")
TDM_LEVELS = ("meta ", "", "tdmrep.json ")
"""Where the TDM Reservation Protocol states a value, by what comes before its name: the page's tag supersedes the header, the
header the file of the host."""

_HEAD_BYTES = 2**16
_MARKS = (b"tdm-", b"noai", b"noml", b"content-usage")
_CREATIVE = b"creativecommons.org/"
_RELATION = re.compile(rb"rel=(?:[\"']?license|\"licence)")
_MARK_SYLLABLES = packed(b"tdm-", b"noai", b"noml", b"-usa")
_LICENCE_SYLLABLES = packed(b"veco", b'"lic', b"'lic", b"=lic")
"""Four bytes of each mark: most pages have none of them."""
_TELLING = re.compile(rb"licen|cc|creative|public|attribution|&#")
"""What a link to a licence, in small letters, cannot be without: a look before its attributes are taken apart."""
_META = re.compile(rb"<meta\b([^<>]{0,1024})>", re.IGNORECASE)
_LINK = re.compile(rb"<(?:a|link)\b([^<>]{0,1024})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"([a-z:-]{1,32})\s{0,8}=\s{0,8}(?:\"([^\"]{0,4096})\"|'([^']{0,4096})'|([^\s\"'>]{1,4096}))", re.IGNORECASE
)
_ROBOTS_NAMES = ("robots", "googlebot", "tdm-reservation", "tdm-policy", "content-usage")


def tdm_of(signals: str | None) -> str:
    """`reserved`, `open` or `unknown`, from signals as the column `rights` holds them. One reservation is enough.

    Only within the TDM Reservation Protocol one statement supersedes another (`TDM_LEVELS`).

    >>> tdm_of("tdm-reservation: 1; x-robots-tag: all"), tdm_of("content-usage: train-ai=y"), tdm_of("x-robots-tag: noindex")
    ('reserved', 'open', 'unknown')
    >>> tdm_of("tdmrep.json tdm-reservation: 1; tdm-reservation: 0"), tdm_of("tdm-reservation: 0; x-robots-tag: noai")
    ('open', 'reserved')
    """
    found, protocol = set(), dict.fromkeys(TDM_LEVELS, UNKNOWN)
    for name, value in _signals(signals):
        if name.endswith("tdm-reservation"):
            level = name.removesuffix("tdm-reservation")
            if level in protocol and value in ("0", "1"):
                protocol[level] = RESERVED if value == "1" else OPEN
        elif name.endswith(("content-usage", "content-signal")):
            said = allows_training(name.rpartition(" ")[2], value)
            found.add(UNKNOWN if said is None else OPEN if said else RESERVED)
        elif name.endswith(("robots-tag", "robots", "googlebot")):
            if {"noai", "noml"} & set(re.split(r"[\s,;:]+", value.lower())):
                found.add(RESERVED)
    found |= set([value for value in protocol.values() if value != UNKNOWN][:1])
    return RESERVED if RESERVED in found else OPEN if OPEN in found else UNKNOWN


def _signals(signals: str | None) -> list[tuple[str, str]]:
    """(name in lower case, value) of each."""
    parts = [signal.partition(": ") for signal in (signals or "").split("; ")]
    return [(name.strip().lower(), value.strip()) for name, _, value in parts]


def header_signals(fields: dict[str, str]) -> str | None:
    """The fields of an HTTP response that speak of use, as "name: value; …", or None."""
    return "; ".join(f"{name}: {plain(value)}" for name in HEADERS if (value := fields.get(name))) or None


def terms_of(signals: str | None) -> str | None:
    """The address of the terms among signals (`tdm-policy`): of several the one that supersedes.

    >>> terms_of("tdmrep.json tdm-policy: https://a.example/all; tdm-policy: https://a.example/this")
    'https://a.example/this'
    """
    if not signals:
        return None
    found = {name: value for name, value in reversed(_signals(signals)) if value}
    return next((found[f"{level}tdm-policy"] for level in TDM_LEVELS if f"{level}tdm-policy" in found), None)


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
            found = attributes(tag[1])
            name = (found.get("name") or found.get("http-equiv") or "").lower()
            if name in _ROBOTS_NAMES and (content := plain(found.get("content", ""))):
                signals.append(f"meta {name}: {content}")
    if _names_licence(data, payload):
        for tag in _LINK.finditer(payload):
            if not _TELLING.search(tag[1].lower()):
                continue
            found = attributes(tag[1])
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
    if seen & 1 and _CREATIVE in payload:
        return True
    return bool(seen & ~1) and _RELATION.search(payload) is not None


def attributes(tag: bytes) -> dict[str, str]:
    """The attributes of a tag by their names in small letters, the first of each; only those that have a value."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(tag):
        value = next((group for group in match.groups()[1:] if group is not None), b"")
        found.setdefault(match[1].decode().lower(), html.unescape(value.decode("utf-8", "replace")))
    return found


def plain(value: str) -> str:
    """A value on one line, and without the separator of signals."""
    return " ".join(value.replace(";", ",").split())[:512]
