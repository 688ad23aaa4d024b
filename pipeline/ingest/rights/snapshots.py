"""What hosts say of the use of their pages, in the files that the crawl archived: robots.txt and /.well-known/tdmrep.json.

Nothing is fetched: a snapshot is what the crawl kept. It holds for the pages that follow it in the same file of the crawl.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from protego import Protego

from pipeline.ingest.crawl.robots import MAX_BYTES
from pipeline.ingest.rights.locations import covers, host_and_path
from pipeline.ingest.rights.preferences import robots_preferences
from pipeline.ingest.rights.signals import plain

ROBOTS, TDMREP = "/robots.txt", "/.well-known/tdmrep.json"
AI_AGENTS = (
    "GPTBot", "CCBot", "Google-Extended", "ClaudeBot", "anthropic-ai", "Applebot-Extended", "Bytespider",
    "Meta-ExternalAgent", "Amazonbot", "PerplexityBot", "cohere-ai", "Diffbot",
)  # fmt: skip
"""Crawlers whose text trains models; a robots.txt that refuses one of them by name speaks of this use."""


@dataclass(frozen=True, slots=True)
class TdmRule:
    """One object of a tdmrep.json: reservation 0 or 1, or None where the value is neither."""

    location: str
    reservation: int | None
    policy: str | None


@dataclass(slots=True)
class HostSnapshots:
    """The robots.txt and tdmrep.json files met so far in one file of a crawl, by host. Crawlers fetch them before pages."""

    _robots: dict[str, tuple[str, Protego, str]] = field(default_factory=dict)
    _tdmrep: dict[str, list[TdmRule]] = field(default_factory=dict)

    def remember(self, url: str, status: int | None, body: bytes) -> None:
        """Keep what a host answered to the address of one of the two files; only a successful answer says anything."""
        if status is not None and not 200 <= status < 300:
            return
        host, path = host_and_path(url)
        text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
        if path == TDMREP:
            self._tdmrep[host] = tdm_rules(text)
        else:
            self._robots[host] = hashlib.sha256(body).hexdigest()[:16], Protego.parse(text), text

    def of(self, url: str | None) -> tuple[str | None, list[str]]:
        """What a host's files say of an address: (the column `robots`, signals of both files)."""
        if not url or not (self._robots or self._tdmrep):
            return None, []
        host, path = host_and_path(url)
        signals = tdm_signals(self._tdmrep.get(host, []), path)
        if host not in self._robots:
            return None, signals
        digest, rules, text = self._robots[host]
        lower = text.lower()
        agents = ["*", *(agent for agent in AI_AGENTS if agent.lower() in lower)]
        refused = [agent for agent in agents if not rules.can_fetch(url, agent)]
        said = f"refuses {', '.join(refused)}" if refused else "allows"
        return f"sha256:{digest} {said}", robots_preferences(text, path, AI_AGENTS) + signals


def is_snapshot(url: str | None) -> str | None:
    """The name under which a record is counted that is one of the two files, else None.

    >>> is_snapshot("https://a.example/.well-known/tdmrep.json"), is_snapshot("https://a.example/robots.txt?x")
    ('tdmrep_json', None)
    """
    return {ROBOTS: "robots_txt", TDMREP: "tdmrep_json"}.get(host_and_path(url or "")[1])


def tdm_rules(text: str) -> list[TdmRule]:
    """The rules of a tdmrep.json in their order (TDM Reservation Protocol, final report of 2024-05-10, section 6.1).

    What is no array of objects with a location says nothing, like a file that is not there.

    >>> tdm_rules('[{"location": "/", "tdm-reservation": 1}, {"tdm-reservation": 1}]')
    [TdmRule(location='/', reservation=1, policy=None)]
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [_rule(one) for one in found if _has_location(one)] if isinstance(found, list) else []


def _has_location(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("location"), str)


def _rule(one: dict[str, Any]) -> TdmRule:
    value, policy = one.get("tdm-reservation"), one.get("tdm-policy")
    number = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    named = plain(policy) if isinstance(policy, str) and policy.strip() else None
    return TdmRule(one["location"].strip(), int(number) if number in ("0", "1") else None, named)


def tdm_signals(rules: list[TdmRule], path: str) -> list[str]:
    """The signals of the first rule that covers a path: the protocol calls the first in sequence the most specific."""
    for rule in rules:
        if covers(rule.location, path):
            found = [] if rule.reservation is None else [f"tdmrep.json tdm-reservation: {rule.reservation}"]
            return found + ([f"tdmrep.json tdm-policy: {rule.policy}"] if rule.policy else [])
    return []
