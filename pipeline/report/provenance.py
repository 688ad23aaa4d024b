"""Where a run's text comes from, for the cards: what the recipe says of its sources and what the documents' own records say."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.core.run_folder import Run
from pipeline.ingest.source import Source
from pipeline.report.card_settings import CardSettings
from pipeline.report.stats import Figure, SourceRow
from pipeline.report.where import Parts, filled, grouped, host_of, verdict_of

COMMON_CRAWL = ("s3://commoncrawl/", "https://data.commoncrawl.org/")
MONTH = r"^(?P<month>(?:1[5-9]|20)\d{2}-(?:0[1-9]|1[0-2]))"
SHOWN_SETTINGS = {
    "pii": ("kinds", "names", "action", "max_num_spans"),
    "toxicity": ("max_score",),
    "rights": ("allow", "deny", "tdm", "robots"),
}
"""Judges whose settings the cards state, without paths."""


class SourceFacts(Figure):
    """A source as the cards describe it. `origin` is one of `card.origins`, or empty: nobody said."""

    name: str
    kind: str
    origin: str = ""
    what: str = ""
    """Name and version of a public set, or what was fetched; empty for files, whose paths are nobody else's business."""
    crawler: str = ""
    """User agent of the live crawl or of a fetch."""
    kept: int = 0
    pretokens: int = 0
    dated: int = 0
    """Kept documents that carry a date; `first` and `last` are months of those dates."""
    first: str = ""
    last: str = ""


class Provenance(Figure):
    """What the cards know beside the report's figures. Counts of pre-tokens are of kept documents before cuts."""

    card: CardSettings = CardSettings()
    sources: list[SourceFacts] = []
    judges: dict[str, dict[str, Any]] = {}
    starts_from: str = ""
    """Name of the model that training continues."""
    tokenizer_from: str = ""
    domains: list[tuple[str, int, int]] = Field(default=[], exclude=True)
    """(host, documents, pre-tokens) of the kept text of crawled sources, the largest first. Not stored in the report."""

    def of(self, *origins: str) -> list[SourceFacts]:
        """Sources with kept documents of these origins; "" is: nobody said."""
        return [source for source in self.sources if source.origin in origins and source.kept]


def origin_of(source: Source) -> str:
    """How a source was obtained, as far as its kind tells; "" where only a person knows."""
    if source.kind in ("hub", "commoncrawl") or (source.path or "").startswith(COMMON_CRAWL):
        return "public_dataset"
    if source.kind == "crawl" or source.fetch is not None:
        return "crawled"
    return "other" if source.kind == "sample" else ""


def what_of(source: Source) -> str:
    """Name and version of a public set, or what was fetched; "" for files."""
    path = source.path or ""
    if source.hub:
        named = filter(None, (source.hub.dataset, source.hub.config, source.hub.split))
        return f"{', '.join(named)}, revision {source.hub.revision}"
    if source.commoncrawl:
        return f"Common Crawl, {', '.join(source.commoncrawl.crawls)}"
    if path.startswith(COMMON_CRAWL):
        return f"Common Crawl, {path.partition('crawl-data/')[2] or path}"
    if source.fetch:
        return (
            f"EDGAR of the SEC, forms {', '.join(source.fetch.forms)}, years {', '.join(map(str, source.fetch.years))}"
        )
    if source.crawl:
        return f"{len(source.crawl.seeds) + len(source.crawl.domains):,} seeds, links followed: {source.crawl.follow}"
    return "pages made by this software from grammars; no model wrote them" if source.kind == "sample" else ""


def _months(parts: Parts) -> dict[str, Counter[str]]:
    """Kept documents by month of their own date, by source."""

    def month(documents: pa.Table, _: pa.Table) -> pa.Array:
        return pc.struct_field(pc.extract_regex(documents["date"].combine_chunks(), MONTH), "month")

    found: dict[str, Counter[str]] = defaultdict(Counter)
    counts = grouped(parts, {"source": filled("source"), "month": month, "verdict": verdict_of})
    for (source, when, verdict, what), number in counts.items():
        if verdict == "kept" and what == "documents" and when:
            found[source][when] += number
    return found


def _domains(parts: Parts, crawled: set[str]) -> list[tuple[str, int, int]]:
    if not crawled:
        return []
    counts = grouped(parts, {"host": host_of, "source": filled("source"), "verdict": verdict_of})
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (host, source, verdict, what), number in counts.items():
        if host and verdict == "kept" and source in crawled:
            found[host][what] += number
    return sorted(
        ((host, own["documents"], own["pretokens"]) for host, own in found.items()), key=lambda row: (-row[2], row[0])
    )


def provenance(run: Run, parts: Parts, rows: Sequence[SourceRow]) -> Provenance:
    """What the cards say of a finished run's sources. `parts` are its documents and verdicts by shard, `rows` the report's."""
    card, months = run.recipe.card, _months(parts)
    sources = []
    for source in run.recipe.chosen:
        dates = months[source.name]
        sources.append(
            SourceFacts(
                name=source.name,
                kind=source.kind,
                origin=card.origins.get(source.name) or origin_of(source),
                what=what_of(source),
                crawler=getattr(source.crawl or source.fetch or source.commoncrawl, "user_agent", ""),
                kept=sum(row.kept for row in rows if row.name == source.name),
                pretokens=sum(row.kept_pretokens for row in rows if row.name == source.name),
                dated=dates.total(),
                first=min(dates, default=""),
                last=max(dates, default=""),
            )
        )
    judges = {name: own for name, own in run.recipe.judges if name in SHOWN_SETTINGS}
    training = run.recipe.pretrain
    return Provenance(
        card=card,
        sources=sources,
        judges={
            name: {key: getattr(own, key) for key in SHOWN_SETTINGS[name] if hasattr(own, key)}
            for name, own in judges.items()
        },
        starts_from=posixpath.basename((training and training.model.init_from) or ""),
        tokenizer_from=posixpath.basename((run.recipe.tokenizer.folder or "").rstrip("/")),
        domains=_domains(parts, {source.name for source in sources if source.origin == "crawled"}),
    )
