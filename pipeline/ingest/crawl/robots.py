"""robots.txt, read as RFC 9309 says: missing means yes, unreachable means no."""

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from protego import Protego

MAX_BYTES = 500 * 1024
"""The RFC asks for at least 500 KiB; what is beyond is not read."""
_REFUSE_ALL = "User-agent: *\nDisallow: /\n"

FetchRobots = Callable[[str], tuple[int | None, bytes]]
"""Address of a robots.txt to `(status, body)`; status None when the host was not reached."""


class Robots:
    """The rules of the hosts met so far."""

    def __init__(self, user_agent: str, fetch: FetchRobots) -> None:
        self._user_agent = user_agent
        self._fetch = fetch
        self._rules: dict[str, Protego] = {}

    def allows(self, url: str) -> bool:
        """Whether the crawler may fetch the address."""
        return self._of(url).can_fetch(url, self._user_agent)

    def delay_s(self, url: str) -> float:
        """The pause the host asks for, in seconds; 0 when it asks for none."""
        rules = self._of(url)
        rate = rules.request_rate(self._user_agent)
        per_request = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return max(float(rules.crawl_delay(self._user_agent) or 0.0), per_request)

    def _of(self, url: str) -> Protego:
        origin = origin_of(urlsplit(url))
        if origin not in self._rules:
            status, body = self._fetch(f"{origin}/robots.txt")
            self._rules[origin] = Protego.parse(_meaning(status, body))
        return self._rules[origin]


def origin_of(url: SplitResult) -> str:
    """`https://host:port` of an address."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2].lower()}"


def _meaning(status: int | None, body: bytes) -> str:
    """Section 2.3.1: 2xx is obeyed, 4xx allows everything, 5xx and no answer forbid everything."""
    if status is None or status >= 500:
        return _REFUSE_ALL
    return body[:MAX_BYTES].decode("utf-8", "replace") if 200 <= status < 300 else ""
