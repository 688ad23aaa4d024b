"""Addresses in one form, and those that only a machine would follow: both keep a crawl from fetching one page many times."""

import re
from collections import Counter
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

MAX_URL = 2048
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(?:%\w+)?")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_BARE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SIGNS, _QUERY_SIGNS = "%/:;@!$&'()*+,=~[]|", "%/?:;@!$&'()*+,=~[]|"
_SESSION = re.compile(
    r"(?:phpsessid|jsessionid|aspsessionid\w*|asp\.net_sessionid|cfid|cftoken|utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|_ga|_gl"
    r"|igshid)=|s(?:id|ess_?id|ession_?id)=(?=[\w,-]{16})",
    re.IGNORECASE,
)
"""Parameters that say who asks and from where he comes, not what for. A short `sid` is a page's number ("story id")."""
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?;]*|/\(S\([0-9a-z]{24}\)\)", re.IGNORECASE)
_CALENDAR = re.compile(
    r"(?<![a-z])(?:calendar|cal|events?|month|week|day|agenda|tribe-bar-date|ical)(?![a-z])", re.IGNORECASE
)
_YEAR_MONTH = re.compile(r"(?<!\d)(\d{4})[-/](?:0?[1-9]|1[0-2])(?!\d)")
_DIGITS = re.compile(r"\d+")
_MAX_SEGMENTS, _MAX_REPEATS = 20, 2
_MAX_QUERIES, _MAX_DATES = 100, 100
"""Different queries of one path, and pages of one calendar, that are followed on a host."""


@lru_cache(65_536)
def canonical(url: str) -> str | None:
    """An http or https address without what does not change the page; None for any other, and for what is no address.

    Host in lower case and ASCII, no default port, no dot segments, no fragment, percent signs as RFC 3986 (section 6.2.2) wants
    them, no session ids and no tracking parameters. The order of parameters stays: it may mean something.

    >>> canonical("HTTP://Bücher.example:80/a/../b%7e%c3?x=1&PHPSESSID=ab12#top")
    'http://xn--bcher-kva.example/b~%C3?x=1'
    >>> canonical("http://[bad/"), canonical("mailto:a@b.example")
    (None, None)
    """
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme, (parts.hostname or "").rstrip("."), parts.port
        if scheme not in ("http", "https") or not host or parts.username is not None:
            return None
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        return None
    if not _HOST.fullmatch(host):
        return None
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, 443 if scheme == "https" else 80) else f"{host}:{port}"
    path = _normal(_SESSION_PATH.sub("", parts.path), _PATH_SIGNS) or "/"
    if "/." in path:
        path = "/" + urlsplit(urljoin("http://h/", path)).path.lstrip("/")
    query = parts.query
    if query:
        query = _normal("&".join(one for one in query.split("&") if one and not _SESSION.match(one)), _QUERY_SIGNS)
    made = urlunsplit((scheme, place, path, query, ""))
    return made if len(made) <= MAX_URL else None


def _normal(text: str, signs: str) -> str:
    """Percent-encoded where it must be and nowhere else."""
    if "%" in text:
        text = _ENCODED.sub(_decoded, _BARE.sub("%25", text))
    return quote(text, safe=signs)


def _decoded(match: re.Match[str]) -> str:
    sign = chr(int(match.group(1), 16))
    return sign if sign in _UNRESERVED else match.group().upper()


def host_name(url: str) -> str:
    """Name and port of a canonical address."""
    return urlsplit(url).netloc


class Traps:
    """Tells the addresses that a site can make up without end; what it counts, it counts in the order of the crawl."""

    def __init__(self) -> None:
        self._queries: Counter[str] = Counter()
        self._dates: Counter[str] = Counter()

    def holds(self, url: str, this_year: int) -> str:
        """Why a new address is not worth a request: "repeated_path", "calendar", "many_queries"; else ""."""
        parts = urlsplit(url)
        segments = [segment for segment in parts.path.split("/") if segment]
        repeats = Counter(segment for segment in segments if not segment.isdigit())
        if len(segments) > _MAX_SEGMENTS or max(repeats.values(), default=0) > _MAX_REPEATS:
            return "repeated_path"
        tail = f"{parts.path}?{parts.query}"
        if (year := _YEAR_MONTH.search(tail)) and _CALENDAR.search(tail):
            if not 1990 <= int(year.group(1)) <= this_year + 1:
                return "calendar"
            shape = _DIGITS.sub("0", tail)
            self._dates[shape] += 1
            if self._dates[shape] > _MAX_DATES:
                return "calendar"
        if parts.query:
            self._queries[parts.path] += 1
            if self._queries[parts.path] > _MAX_QUERIES:
                return "many_queries"
        return ""
