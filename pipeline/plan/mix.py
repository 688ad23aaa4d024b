"""The mix: how many tokens of each source a model sees, and what it costs when one side runs out.

Shares are in tokens of the trained tokenizer. A mix is only weights and epochs; how often each document is used follows
from them and the order of the samples (`pipeline.handoff.windows`). Changing it rewrites no token. All functions are pure,
integers are exact, and sources are handled in the order of their names, so that listing order changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.settings import Settings
from pipeline.errors import UsageError, near
from pipeline.plan.fill import fill
from pipeline.plan.search import read_search
from pipeline.size.mixture import within_role
from pipeline.size.regimes import unique_worth
from pipeline.size.units import bytes_text, number_text

TOKENS_PER_PARAM = 20
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

    name: str
    """`shrink`, `repeat`, `lower_share` or `collect`."""
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
) -> MixPlan:
    """Plan a mix. `keep_rates` are measured kept over raw tokens by role, for what collecting more would take.

    >>> plan = mix([MixSource("news", "domain", 1000), MixSource("web", "general", 9000)], MixSettings(domain=0.5))
    >>> plan.total_tokens, plan.realised, plan.scarcer
    (2000, {'domain': 0.5, 'general': 0.5}, 'domain')
    """
    given = [source if isinstance(source, MixSource) else MixSource(**source) for source in sources]
    if len({source.name for source in given}) < len(given):
        raise ValueError("two sources of the mix have one name")
    given.sort(key=lambda source: source.name)
    names = list(dict.fromkeys(source.whole for source in given))
    if unknown := sorted(settings.within.keys() - set(names)):
        raise UsageError(f"mix.within.{unknown[0]}: no such source{near(unknown[0], names)}")
    return _Mixing(given, settings).plan(keep_rates or {})


def _part(tokens: float, total: float) -> float:
    return tokens / total if total else 0.0


def _capped(source: MixSource, epochs: float) -> int:
    return int(source.tokens * epochs)


class _Mixing:
    """What follows from the sources at hand, by name, and what the recipe asks for."""

    def __init__(self, sources: list[MixSource], settings: MixSettings) -> None:
        self.sources, self.settings, self.shares = sources, settings, settings.shares()
        roles = {role: [source for source in sources if source.role == role] for role in self.shares}
        cap = settings.cap
        self.once = {role: sum(_capped(s, min(1.0, cap(s))) for s in of_role) for role, of_role in roles.items()}
        self.most = {role: sum(_capped(s, cap(s)) for s in of_role) for role, of_role in roles.items()}
        self.wanted = self._wanted()
        by_role = self._totals()
        self.used: dict[str, int] = {}
        for role, of_role in roles.items():
            self.used |= self._within(of_role, by_role[role])
        self.total = sum(self.used.values())
        self.realised = {role: _part(by_role[role], self.total) for role in self.shares}
        self.scarcer = self._scarcer()

    def plan(self, keep_rates: Mapping[str, float]) -> MixPlan:
        """The plan, with its sentences."""
        lines = []
        for s in self.sources:
            if s.role in self.shares:
                used = self.used[s.name]
                lines.append(SourceMix(s.name, s.role, s.tokens, used, _part(used, s.tokens), _part(used, self.total)))
        tolerance = max(0.001, _part(max((s.largest_document for s in self.sources), default=0), self.total))
        exact = all(abs(self.realised[role] - share) <= tolerance for role, share in self.shares.items())
        return MixPlan(
            sources=lines,
            requested=self.shares,
            realised=self.realised,
            total_tokens=self.total,
            unique_tokens=sum(min(line.used_tokens, line.tokens) for line in lines),
            tolerance=tolerance,
            exact=self.total > 0 and exact,
            scarcer=self.scarcer,
            statement=self._statement() + self._unmet(),
            choices=self._choices(keep_rates),
            missing=self._missing(),
        )

    def _wanted(self) -> int:
        """Training tokens wished for: the recipe's, else what the plentiful role would give when seen once."""
        if self.settings.total_tokens is not None:
            return self.settings.total_tokens
        return int(max((self.once[role] / share for role, share in self.shares.items() if share > 0), default=0))

    def _totals(self) -> dict[str, int]:
        """Training tokens by role: whole numbers that sum to the total and pass no cap."""
        if self.settings.on_shortage == "lower_share":
            return self._lowered()
        limit = self.most if self.settings.on_shortage == "repeat" else self.once
        total = min(self.wanted, *(int(limit[role] / share) for role, share in self.shares.items() if share > 0))
        domain = min(round(self.shares["domain"] * total), limit["domain"])
        return {"domain": domain, "general": min(total - domain, limit["general"])}

    def _lowered(self) -> dict[str, int]:
        there = {role: self.once[role] if share > 0 else 0 for role, share in self.shares.items()}
        total = self.settings.total_tokens
        if total is None or total >= sum(there.values()):
            return there
        domain = min(there["domain"], max(round(self.shares["domain"] * total), total - there["general"]))
        return {"domain": domain, "general": total - domain}

    def _within(self, sources: Sequence[MixSource], budget: int) -> dict[str, int]:
        """Split a role's tokens over its sources by the strategy, then over their buckets; none passes its cap."""
        settings = self.settings
        power = {"proportional": 1.0, "temperature": 1 / settings.temperature, "unimax": 0.0}[settings.strategy]
        parts: dict[str, list[MixSource]] = {}
        for source in sources:
            parts.setdefault(source.whole, []).append(source)
        worth = {name: [s.tokens * settings.worth(s) for s in buckets] for name, buckets in parts.items()}
        sizes = {name: sum(of_one) ** power if sum(of_one) else 0.0 for name, of_one in worth.items()}
        weights = within_role(sizes, settings.within) if settings.within else sizes
        caps = {name: [_capped(s, settings.cap(s)) for s in buckets] for name, buckets in parts.items()}
        limits = [sum(of_one) for of_one in caps.values()]
        given = fill(list(weights.values()), limits, budget)
        # What the sources of the wished shares cannot give comes from the others, also from those with a share of nothing.
        left = [limit - one for limit, one in zip(limits, given, strict=True)]
        rest = fill(list(sizes.values()), left, budget - sum(given))
        used: dict[str, int] = {}
        for (name, buckets), one, more in zip(parts.items(), given, rest, strict=True):
            used |= zip((s.name for s in buckets), fill(worth[name], caps[name], one + more), strict=True)
        return used

    def _unmet(self) -> str:
        """What `within` asked for and the caps forbid, as the end of a sentence; empty when all is met."""
        roles, sums = Counter[str](), Counter[str]()
        for source in self.sources:
            roles[source.role] += self.used.get(source.name, 0)
            sums[source.whole] += self.used.get(source.name, 0)
        said = ""
        for name, role in {source.whole: source.role for source in self.sources}.items():
            asked, part = self.settings.within.get(name, 0.0), _part(sums[name], roles[role])
            if asked - part > 0.001 and sums[name] < asked * roles[role] - 1:
                said += f"; {name} gives {part:.2%} of the {role} text, not {asked:.2%}: its epochs are capped"
        return said

    def _scarcer(self) -> str | None:
        asked = {role: share * self.wanted for role, share in self.shares.items() if share * self.wanted > 0}
        short = {role: self.once[role] / tokens for role, tokens in asked.items()}
        if not short or min(short.values()) >= 0.999:
            return None
        return min(sorted(short), key=lambda role: short[role])

    def _missing(self) -> list[str]:
        """What makes the mix impossible."""
        lowered = self.settings.on_shortage == "lower_share" and any(self.once.values())
        return [
            f"there are no {role} tokens at all, and the mix wants {share:.1%} of them: add a source with "
            f"role {role}, loosen what removes it, or set its share to 0"
            for role, share in self.shares.items()
            if share > 0 and self.once[role] == 0 and not lowered
        ]

    def _statement(self) -> str:
        if self.total == 0:
            why = "one side is empty" if any(self.once.values()) else "the corpus is empty"
            return f"no mix is possible: {why}"
        said = (
            f"{number_text(self.total)} training tokens, {self.realised['domain']:.2%} domain and "
            f"{self.realised['general']:.2%} general (wanted {self.shares['domain']:.2%} and {self.shares['general']:.2%})"
        )
        if self.scarcer is None:
            return said
        done = {"shrink": "the total was shrunk", "repeat": "it is repeated", "lower_share": "its share was lowered"}
        reached = "" if self.total >= 0.999 * self.wanted else f"; {number_text(self.wanted)} tokens were wanted"
        return (
            f"{said}; {self.scarcer} text is scarcer ({number_text(self.once[self.scarcer])} tokens at hand), so "
            f"{done[self.settings.on_shortage]}{reached}"
        )

    def _choices(self, keep_rates: Mapping[str, float]) -> list[Choice]:
        """The ways out when a role is short of what the wanted total asks of it."""
        role = self.scarcer
        if role is None:
            return []
        have, share, wanted = self.once[role], self.shares[role], number_text(self.wanted)
        need = round(share * self.wanted)
        collect = f"collect {number_text(need - have)} more {role} tokens"
        if rate := keep_rates.get(role):
            collect += f", {number_text((need - have) / rate)} raw tokens at the measured keep rate of {rate:.2%}"
        with_size = [s for s in self.sources if s.role == role and s.raw_bytes and s.tokens]
        if with_size:  # raw bytes behind one kept token, over the sources that know theirs
            each = sum(s.raw_bytes for s in with_size) / sum(s.tokens for s in with_size)
            collect += f", about {bytes_text((need - have) * each)} as collected"
        if not have:
            return [Choice("collect", collect)]
        times, shrunk, every = need / have, have / share, sum(self.once.values())
        over = f", over the cap of {self.settings.max_epochs:g}" if times > self.settings.max_epochs else ""
        sentences = {
            "shrink": f"train on {number_text(shrunk)} tokens, at {TOKENS_PER_PARAM} a parameter enough for "
            f"{number_text(shrunk / TOKENS_PER_PARAM)} parameters, not {number_text(self.wanted / TOKENS_PER_PARAM)}",
            "repeat": f"see the {role} text {times:.1f} times for {wanted} tokens{over}; by arXiv 2305.16264 that is worth "
            f"{unique_worth(times):.1f} times as much fresh text",
            "lower_share": f"use everything once: {number_text(every)} tokens at a {role} share of {have / every:.2%} "
            f"instead of {share:.2%}",
            "collect": collect,
        }
        return [Choice(name, text, name == self.settings.on_shortage) for name, text in sentences.items()]
