"""robots.txt, read as RFC 9309 says: missing means yes, unreachable means no."""

import codecs

from protego import Protego

MAX_BYTES = 500 * 1024
"""The RFC asks for at least 500 KiB; what is beyond is not read."""
_REFUSE_ALL = "User-agent: *\nDisallow: /\n"


class Rules:
    """What one robots.txt says to one crawler. `status` is None when the host was not reached."""

    def __init__(self, user_agent: str, status: int | None, body: bytes) -> None:
        self._name = user_agent.split("/")[0].split()[0]  # the contact behind it may hold another crawler's name
        self._rules = Protego.parse(_meaning(status, body))
        self.sitemaps = list(self._rules.sitemaps)

    def allows(self, url: str) -> bool:
        """Whether the crawler may fetch the address."""
        return self._rules.can_fetch(url, self._name)

    def delay_s(self) -> float:
        """The pause the host asks for, in seconds; 0 when it asks for none. It may ask for longer than a number can say."""
        rate = self._rules.request_rate(self._name)
        try:
            per_request = rate.seconds / rate.requests if rate and rate.requests else 0.0
        except OverflowError:
            per_request = float("inf")
        return max(float(self._rules.crawl_delay(self._name) or 0.0), per_request)


def _meaning(status: int | None, body: bytes) -> str:
    """Section 2.3.1: 2xx is obeyed, 4xx allows everything, 5xx and no answer forbid everything. So does 429, which says that the
    host is busy, not that it has no rules."""
    if status is None or status >= 500 or status == 429:
        return _REFUSE_ALL
    encoding = "utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return body[:MAX_BYTES].decode(encoding, "replace") if 200 <= status < 300 else ""
