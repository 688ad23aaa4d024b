"""The mix: how many tokens of each source a model sees, and what it costs when one side runs out.

Shares are in tokens of the trained tokenizer. A mix is only weights and epochs; how often each document is used follows
from them and the order of the samples (`pipeline.handoff.windows`). Changing it rewrites no token. All functions are pure,
integers are exact, and sources are handled in the order of their names, so that listing order changes nothing.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.settings import Settings
from pipeline.errors import UsageError
from pipeline.plan.fill import fill
from pipeline.plan.search import read_search
from pipeline.size.mixture import within_role
from pipeline.size.regimes import unique_worth
from pipeline.size.units import bytes_text, number_text

Strategy = Literal["proportional", "temperature", "unimax"]


class MixSettings(Settings):
    """Shares of domain and general text in training tokens, and what to do when one side runs out."""

    domain: float = Field(default=0.51, ge=0, le=1)
    """Share of domain tokens."""
    general: float | None = Field(default=None, ge=0, le=1)
    """Share of general tokens; null: the rest."""
    search: str | None = None
    """A mixture.json of recipes.pretrain.mixture, whose best shares replace domain and within."""
    within: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    """Share of a source in its role's tokens; the others divide the rest by the strategy."""
    buckets: dict[int, Annotated[float, Field(ge=0)]] = {}
    """How often a bucket of `select.buckets` is seen, against one that is not named: `{5: 3, 1: 0}` shows the best fifth three
    times as often, within its epochs' cap, and leaves out the lowest."""
    strategy: Strategy = "proportional"
    """How a role's sources share its tokens."""
    temperature: float = Field(default=2.0, ge=1)
    """Strategy temperature: shares go with tokens^(1/temperature)."""
    max_epochs: float = Field(default=4.0, gt=0)
    """How often a source may be seen at most."""
    max_epochs_by: dict[str, float] = {}
    """The same for single sources, their buckets (`crawl-b5`) or roles, by name."""
    on_shortage: Literal["shrink", "repeat", "lower_share"] = "shrink"
    """`shrink`: fewer tokens in all; `repeat`: see the scarcer role again, up to max_epochs; `lower_share`: use everything
    once at the shares that gives."""
    total_tokens: int | None = Field(default=None, gt=0)
    """Training tokens wanted; null: what the corpus allows."""

    @model_validator(mode="before")
    @classmethod
    def _searched(cls, given: Any) -> Any:
        """The best share of a search in place of `domain`, so that all who read the settings see one share."""
        if not isinstance(given, dict) or not given.get("search"):
            return given
        found = read_search(given["search"])
        chosen = {"domain": found.share} | ({"within": found.within_shares} if found.within else {})
        return {key: value for key, value in given.items() if key != "general"} | chosen

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.general is not None and abs(self.domain + self.general - 1) > 1e-9:
            raise ValueError(f"the shares sum to {self.domain + self.general:g}, not 1: domain + general must be 1")
        if low := sorted(name for name, cap in self.max_epochs_by.items() if cap < 0):
            raise ValueError(f"max_epochs_by.{low[0]} is negative")
        return self

    def shares(self) -> dict[str, float]:
        """Requested share by role."""
        domain = round(self.domain, 9)  # nine digits: finer shares than one token in a billion mean none at all
        return {"domain": domain, "general": round(1 - domain, 9)}

    def cap(self, source: "MixSource") -> float:
        """Epochs a source may be seen: its own cap, else its role's, else `max_epochs`; none for a bucket of no worth."""
        if self.worth(source) == 0:
            return 0.0
        by_role = self.max_epochs_by.get(source.role, self.max_epochs)
        return self.max_epochs_by.get(source.name, self.max_epochs_by.get(source.whole, by_role))

    def worth(self, source: "MixSource") -> float:
        """How often its bucket is to be seen, against others."""
        return self.buckets.get(source.bucket, 1.0) if source.bucket else 1.0


@dataclass(frozen=True)
class MixSource:
    """What is at hand of one source: tokens of the training split by the trained tokenizer."""

    name: str
    role: str
    tokens: int
    documents: int = 0
    largest_document: int = 0
    """Tokens of the longest document: shares can be no finer than one document."""
    raw_bytes: int = 0
    """Bytes as collected that these tokens were curated from; 0: unknown."""
    bucket: int = 0
    """By score, from 1 for the lowest; 0: none. The name then ends in it."""

    @property
    def whole(self) -> str:
        """The name of the source that it is a bucket of, else its own."""
        return self.name.removesuffix(f"-b{self.bucket}")


@dataclass(frozen=True)
class SourceMix:
    """One source in the mix. `weight` is its share of all training tokens, `epochs` used over tokens at hand."""

    name: str
    role: str
    tokens: int
    used_tokens: int
    epochs: float
    weight: float


@dataclass(frozen=True)
class Choice:
    """One way out of a shortage, and what it costs."""

    name: Literal["shrink", "repeat", "lower_share", "collect"]
    sentence: str
    taken: bool = False


@dataclass(frozen=True)
class MixPlan:
    """The mix. `realised` are shares of `total_tokens`; `scarcer` names the role that limits the total, if any."""

    sources: list[SourceMix]
    requested: dict[str, float]
    realised: dict[str, float]
    total_tokens: int
    unique_tokens: int
    """Tokens used at least once."""
    tolerance: float
    """How far a realised share may lie from the requested: 0.001 or one document, whichever is larger."""
    exact: bool
    scarcer: str | None
    statement: str
    choices: list[Choice] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What an impossible request lacks, in sentences; the total is then 0."""
    evidence: list[str] = field(default_factory=list)
    """Where the shares come from, when a search found them, in sentences."""


def mix(
    sources: Iterable[MixSource | Mapping[str, Any]],
    settings: MixSettings,
    *,
    keep_rates: Mapping[str, float] | None = None,
    tokens_per_param: float = 20,
) -> MixPlan:
    """Plan a mix. `keep_rates` are measured kept over raw tokens by role, for what collecting more would take.

    >>> plan = mix([MixSource("news", "domain", 1000), MixSource("web", "general", 9000)], MixSettings(domain=0.5))
    >>> plan.total_tokens, plan.realised, plan.scarcer
    (2000, {'domain': 0.5, 'general': 0.5}, 'domain')
    """
    given = [found if isinstance(found, MixSource) else MixSource(**found) for found in sources]
    if len({source.name for source in given}) < len(given):
        raise ValueError("two sources of the mix have one name")
    given.sort(key=lambda source: source.name)
    names = list(dict.fromkeys(source.whole for source in given))
    if unknown := sorted(settings.within.keys() - set(names)):
        near = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise UsageError(f"mix.within.{unknown[0]}: no such source; {hint}")
    shares = settings.shares()
    roles = {role: [source for source in given if source.role == role] for role in shares}
    once = {role: sum(_capped(s, min(1.0, settings.cap(s))) for s in found) for role, found in roles.items()}
    most = {role: sum(_capped(s, settings.cap(s)) for s in found) for role, found in roles.items()}
    wanted = _wanted(once, shares, settings)
    by_role = _totals(once, most, shares, wanted, settings)
    used: dict[str, int] = {}
    for role, found in roles.items():
        used |= _within(found, by_role[role], settings)
    total = sum(used.values())
    lines = [
        SourceMix(
            s.name,
            s.role,
            s.tokens,
            used[s.name],
            used[s.name] / s.tokens if s.tokens else 0.0,
            _part(used[s.name], total),
        )
        for s in given
        if s.role in shares
    ]
    realised = {role: _part(by_role[role], total) for role in shares}
    tolerance = max(0.001, _part(max((s.largest_document for s in given), default=0), total))
    scarcer = _scarcer(once, shares, wanted)
    missing = _impossible(once, shares, settings)
    return MixPlan(
        sources=lines,
        requested=shares,
        realised=realised,
        total_tokens=total,
        unique_tokens=sum(min(line.used_tokens, line.tokens) for line in lines),
        tolerance=tolerance,
        exact=total > 0 and all(abs(realised[role] - shares[role]) <= tolerance for role in shares),
        scarcer=scarcer,
        statement=_statement(realised, shares, total, wanted, scarcer, once, settings)
        + _unmet(given, used, settings.within),
        choices=_choices(
            scarcer, once, shares, wanted, settings, _raw_bytes(given), keep_rates or {}, tokens_per_param
        ),
        missing=missing,
    )


def _part(tokens: float, total: float) -> float:
    return tokens / total if total else 0.0


def _capped(source: MixSource, epochs: float) -> int:
    return int(source.tokens * epochs)


def _wanted(once: Mapping[str, int], shares: Mapping[str, float], settings: MixSettings) -> int:
    """Training tokens wished for: the recipe's, else what the plentiful role would give when seen once."""
    if settings.total_tokens is not None:
        return settings.total_tokens
    return int(max((once[role] / share for role, share in shares.items() if share > 0), default=0))


def _totals(
    once: Mapping[str, int], most: Mapping[str, int], shares: Mapping[str, float], wanted: int, settings: MixSettings
) -> dict[str, int]:
    """Training tokens by role: whole numbers that sum to the total and pass no cap."""
    if settings.on_shortage == "lower_share":
        return _lowered(once, shares, settings.total_tokens)
    limit = most if settings.on_shortage == "repeat" else once
    total = min(wanted, *(int(limit[role] / share) for role, share in shares.items() if share > 0))
    domain = min(round(shares["domain"] * total), limit["domain"])
    return {"domain": domain, "general": min(total - domain, limit["general"])}


def _lowered(once: Mapping[str, int], shares: Mapping[str, float], total: int | None) -> dict[str, int]:
    there = {role: once[role] if shares[role] > 0 else 0 for role in shares}
    if total is None or total >= sum(there.values()):
        return there
    domain = min(there["domain"], max(round(shares["domain"] * total), total - there["general"]))
    return {"domain": domain, "general": total - domain}


def _within(sources: Sequence[MixSource], budget: int, settings: MixSettings) -> dict[str, int]:
    """Split a role's tokens over its sources by the strategy, then over their buckets; none passes its cap."""
    power = {"proportional": 1.0, "temperature": 1 / settings.temperature, "unimax": 0.0}[settings.strategy]
    parts: dict[str, list[MixSource]] = {}
    for source in sources:
        parts.setdefault(source.whole, []).append(source)
    worth = {name: [s.tokens * settings.worth(s) for s in found] for name, found in parts.items()}
    sizes = {name: sum(found) ** power if sum(found) else 0.0 for name, found in worth.items()}
    weights = within_role(sizes, settings.within) if settings.within else sizes
    caps = {name: [_capped(s, settings.cap(s)) for s in found] for name, found in parts.items()}
    limits = [sum(found) for found in caps.values()]
    given = fill(list(weights.values()), limits, budget)
    # What the sources of the wished shares cannot give comes from the others, also from those with a share of nothing.
    rest = fill(
        list(sizes.values()), [limit - one for limit, one in zip(limits, given, strict=True)], budget - sum(given)
    )
    used: dict[str, int] = {}
    for (name, found), one, more in zip(parts.items(), given, rest, strict=True):
        used |= zip((s.name for s in found), fill(worth[name], caps[name], one + more), strict=True)
    return used


def _unmet(sources: Sequence[MixSource], used: Mapping[str, int], within: Mapping[str, float]) -> str:
    """What `within` asked for and the caps forbid, as the end of a sentence; empty when all is met."""
    roles, sums = Counter[str](), Counter[str]()
    for source in sources:
        roles[source.role] += used.get(source.name, 0)
        sums[source.whole] += used.get(source.name, 0)
    said = ""
    for name, role in {source.whole: source.role for source in sources}.items():
        asked, part = within.get(name, 0.0), _part(sums[name], roles[role])
        if asked - part > 0.001 and sums[name] < asked * roles[role] - 1:
            said += f"; {name} gives {part:.2%} of the {role} text, not {asked:.2%}: its epochs are capped"
    return said


def _scarcer(once: Mapping[str, int], shares: Mapping[str, float], wanted: int) -> str | None:
    short = {role: once[role] / (share * wanted) for role, share in shares.items() if share * wanted > 0}
    if not short or min(short.values()) >= 0.999:
        return None
    return min(sorted(short), key=lambda role: short[role])


def _impossible(once: Mapping[str, int], shares: Mapping[str, float], settings: MixSettings) -> list[str]:
    said = []
    for role, share in shares.items():
        if share > 0 and once[role] == 0 and (settings.on_shortage != "lower_share" or not any(once.values())):
            said.append(
                f"there are no {role} tokens at all, and the mix wants {share:.1%} of them: add a source with "
                f"role {role}, loosen what removes it, or set its share to 0"
            )
    return said


def _statement(
    realised: Mapping[str, float],
    shares: Mapping[str, float],
    total: int,
    wanted: int,
    scarcer: str | None,
    once: Mapping[str, int],
    settings: MixSettings,
) -> str:
    if total == 0:
        return "no mix is possible: " + ("the corpus is empty" if not any(once.values()) else "one side is empty")
    said = (
        f"{number_text(total)} training tokens, {realised['domain']:.2%} domain and {realised['general']:.2%} general "
        f"(wanted {shares['domain']:.2%} and {shares['general']:.2%})"
    )
    if scarcer is None:
        return said
    done = {
        "shrink": "the total was shrunk",
        "repeat": "it is repeated",
        "lower_share": "its share was lowered",
    }[settings.on_shortage]
    reached = "" if total >= 0.999 * wanted else f"; {number_text(wanted)} tokens were wanted"
    return f"{said}; {scarcer} text is scarcer ({number_text(once[scarcer])} tokens at hand), so {done}{reached}"


def _raw_bytes(sources: Sequence[MixSource]) -> dict[str, float]:
    """Raw bytes behind one kept token, by role, over the sources that know theirs."""
    found = {}
    for role in sorted({source.role for source in sources}):
        known = [source for source in sources if source.role == role and source.raw_bytes and source.tokens]
        if known:
            found[role] = sum(s.raw_bytes for s in known) / sum(s.tokens for s in known)
    return found


def _choices(
    scarcer: str | None,
    once: Mapping[str, int],
    shares: Mapping[str, float],
    wanted: int,
    settings: MixSettings,
    raw_bytes: Mapping[str, float],
    keep_rates: Mapping[str, float],
    tokens_per_param: float,
) -> list[Choice]:
    """The ways out when a role is short of what the wanted total asks of it."""
    if scarcer is None:
        return []
    have, share = once[scarcer], shares[scarcer]
    need = round(share * wanted)
    other = sum(once.values()) - have
    found = []
    collect = f"collect {number_text(need - have)} more {scarcer} tokens"
    if scarcer in keep_rates and keep_rates[scarcer] > 0:
        rate = keep_rates[scarcer]
        collect += f", {number_text((need - have) / rate)} raw tokens at the measured keep rate of {rate:.2%}"
    if scarcer in raw_bytes:
        collect += f", about {bytes_text((need - have) * raw_bytes[scarcer])} as collected"
    if have:
        times, shrunk = need / have, have / share
        worth = unique_worth(times)
        over = f", over the cap of {settings.max_epochs:g}" if times > settings.max_epochs else ""
        found = [
            Choice(
                "shrink",
                f"train on {number_text(shrunk)} tokens, at {tokens_per_param:g} a parameter enough for "
                f"{number_text(shrunk / tokens_per_param)} parameters, not {number_text(wanted / tokens_per_param)}",
                settings.on_shortage == "shrink",
            ),
            Choice(
                "repeat",
                f"see the {scarcer} text {times:.1f} times for {number_text(wanted)} tokens{over}; by arXiv 2305.16264 "
                f"that is worth {worth:.1f} times as much fresh text",
                settings.on_shortage == "repeat",
            ),
            Choice(
                "lower_share",
                f"use everything once: {number_text(have + other)} tokens at a {scarcer} share of "
                f"{have / (have + other):.2%} instead of {share:.2%}",
                settings.on_shortage == "lower_share",
            ),
        ]
    return [*found, Choice("collect", collect)]
