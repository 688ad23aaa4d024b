"""A source of a recipe: where documents come from, what they are for and under which terms."""

import codecs
import re
import sys
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from pipeline.core.settings import Settings
from pipeline.errors import did_you_mean
from pipeline.ingest.crawl.settings import CommonCrawlFetch, CrawlPlan, EdgarFetch
from pipeline.ingest.kinds import formats

MADE_KINDS = ("hub", "crawl", "commoncrawl", "sql", "sample")
"""Kinds that read no path of the user's."""


def kinds() -> list[str]:
    """Every value of `kind:`."""
    return ["auto", *sorted(formats()), *MADE_KINDS]


def _list_kinds(schema: dict[str, Any]) -> None:
    schema["enum"] = kinds()


MOVING_REVISIONS = ("main", "master", "head", "latest")


class Fields(Settings):
    """Which fields of a JSON object, Parquet row, CSV row or Hub row hold what. Missing optional ones are null."""

    text: str = "text"
    """Field with the document's text; a record without it is quarantined."""
    id: str | None = "id"
    """Field with the record's own id; it enters the document's id."""
    url: str | None = "url"
    """Field with the address."""
    title: str | None = "title"
    """Field with the title."""
    date: str | None = "date"
    """Field with the date, as the source writes it."""
    licence: str | None = "licence"
    """Field with the record's own licence, as metadata.license; then `license`."""
    rights: str | None = "rights"
    """Field with signals such as `tdm-reservation: 1`."""
    html: bool = False
    """The text field holds HTML, to be extracted like a page."""


class CsvDialect(Settings):
    """How CSV and TSV files are written. What is not set is told from each file, and stands in the account of files."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Sign between two fields."""
    encoding: str | None = None
    """Encoding of the file, as utf-8, cp1252 or utf-16."""
    quote: str | None = Field(default=None, max_length=1)
    """Sign around fields that hold the delimiter; "" when there is none."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            return codecs.lookup(value).name if value else None
        except LookupError:
            raise ValueError(f"no encoding is named {value!r}") from None


class HubDataset(Settings):
    """A data set of the Hugging Face Hub, read through `datasets`."""

    dataset: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Name on the Hub, as owner/name."""
    config: str | None = None
    """Configuration (subset) of the data set."""
    split: str = "train"
    """Split to read."""
    revision: str
    """Commit hash or tag; branches move, so they are refused."""
    streaming: bool = True
    """Read over the network as it goes, without a local copy."""

    @field_validator("revision")
    @classmethod
    def _is_pinned(cls, value: str) -> str:
        if not value.strip() or value.lower() in MOVING_REVISIONS:
            raise ValueError(f"'{value}' is a branch, which moves: give the commit hash or a tag")
        return value


class SamplePlan(Settings):
    """The embedded sample: a made-up crawl that needs no network and carries its truth."""

    seed: NonNegativeInt = 0
    """Seed of the grammars; the same seed writes the same bytes."""
    pages: PositiveInt = 3000
    """Pages to write, planted junk and duplicates included."""


class Source(Settings):
    """One source of documents.

    >>> Source(name="filings", path="/data/filings").role_of("https://www.sec.gov/x")
    'auto'
    >>> web = Source(name="web", path="/data", domain_hosts=["*.sec.gov"], other_hosts="auto")
    >>> web.role_of("https://www.sec.gov/x"), web.role_of("https://news.example/banks")
    ('domain', 'auto')
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    """Short name, unique in the recipe."""
    kind: str = Field(default="auto", json_schema_extra=_list_kinds)
    """Format of the files; auto decides for each file by name and content."""
    path: str | None = None
    """Folder, file or glob; any fsspec URL."""
    include: list[str] = Field(default_factory=list)
    """Globs on paths relative to the folder; empty takes what fits the kind."""
    exclude: list[str] = Field(default_factory=list)
    """Globs of files and archive members to leave out."""
    members: list[str] = Field(default_factory=list)
    """Globs of archive members to read; empty reads all."""
    role: Literal["domain", "general", "auto"] = "auto"
    """What the documents are for; auto decides by host, then by the domain score."""
    domain_hosts: list[str] = Field(default_factory=list)
    """For role auto: globs of hosts that are domain; `other_hosts` says what the others are."""
    other_hosts: Literal["general", "auto"] = "general"
    """Role of hosts that `domain_hosts` does not name; auto: the domain score decides."""
    licence: str = Field(default="unknown", min_length=1)
    """SPDX identifier, name of the terms, or unknown; a licence stated by the record itself comes first."""
    priority: int = 0
    """Among duplicates, the copy from the source with the highest priority is kept."""
    optional: bool = False
    """Skip the source, with a note, when its path is not set."""
    fields: Fields = Fields()
    """Names of the fields in structured formats."""
    csv: CsvDialect = CsvDialect()
    """For CSV and TSV: delimiter, encoding and quotes."""
    query: str | None = None
    """For sql and SQLite: the SELECT whose rows are read; null, for SQLite: the one table that has the text field."""
    url: str | None = None
    """For kind sql: the database, as postgresql://user:${PASSWORD}@host/name; its driver is yours to install."""
    element: str | None = None
    """For XML: name of the element that is one document; null: the file."""
    follow_links: bool = False
    """Also read what symbolic links that lead out of the folder point to."""
    limit: PositiveInt | None = None
    """Read at most this many documents of each file."""
    keep_truncated: bool = False
    """For WARC: keep pages that the crawler cut (WARC-Truncated), marked, in place of quarantining them."""
    max_records: PositiveInt | None = None
    """Records of one file, rows that are too small to be documents included; one quarantined row stands for the rest.
    null: 10,000, and more if the file has 4 bytes, as stored, for each."""
    max_record_bytes: PositiveInt = 64 * 2**20
    """A longer record is quarantined without being read."""
    max_expansion: PositiveInt = 250
    """Largest ratio of decompressed to compressed size (256 MiB always pass); a file beyond it is quarantined."""
    hub: HubDataset | None = None
    """For kind hub: the data set."""
    crawl: CrawlPlan | None = None
    """For kind crawl: seeds and limits."""
    fetch: EdgarFetch | None = None
    """For kind edgar without a path: filings to fetch from EDGAR."""
    commoncrawl: CommonCrawlFetch | None = None
    """For kind commoncrawl: captures to fetch from Common Crawl."""
    sample: SamplePlan | None = None
    """For kind sample: seed and size."""

    @field_validator("kind")
    @classmethod
    def _is_kind(cls, kind: str) -> str:
        if kind not in kinds():
            raise ValueError(f"must be one of {', '.join(kinds())}, not {kind!r}{did_you_mean(kind, kinds())}")
        return kind

    @model_validator(mode="after")
    def _kind_has_its_settings(self) -> Self:
        for kind in ("hub", "crawl", "commoncrawl"):
            if self.kind == kind and getattr(self, kind) is None:
                raise ValueError(f"a source of kind {kind} needs a `{kind}:` block")
        for kind in MADE_KINDS:
            if hasattr(self, kind) and self.kind != kind and getattr(self, kind) is not None:
                raise ValueError(f"`{kind}:` is only for sources of kind {kind}, this one is {self.kind}")
        if self.kind == "sql" and not (self.url and self.query) and not self.optional:
            raise ValueError("a source of kind sql needs `url` and `query`")
        if self.fetch is not None and self.kind != "edgar":
            raise ValueError(f"`fetch:` is only for sources of kind edgar, this one is {self.kind}")
        if self.has_no_files and self.path:
            what = "with `fetch:`" if self.fetch else f"of kind {self.kind}"
            raise ValueError(f"a source {what} takes no path")
        if not self.has_no_files and not self.path and not self.optional:
            raise ValueError("path is missing or empty: give a folder, file or glob")
        return self

    @property
    def fetcher(self) -> str | None:
        """How the source is fetched before it is read; None for files that are there."""
        return "edgar" if self.fetch else self.kind if self.kind in ("crawl", "commoncrawl") else None

    @property
    def has_no_files(self) -> bool:
        """Whether the source is made or fetched, and reads no path of the user's."""
        return self.kind in MADE_KINDS or self.fetch is not None

    @property
    def is_absent(self) -> bool:
        """Whether the source is optional and its path is not set: it is skipped."""
        return not self.has_no_files and not self.path

    def most_records(self, size: int | None) -> int:
        """What `max_records` says; where the recipe does not say it, no more than one record for so many bytes as stored.

        A few hundred kilobytes of gzip hold a hundred million empty objects, a row of quarantine each, or as many blank lines.
        """
        return self.max_records or (max(_FREE_RECORDS, size // _RECORD_BYTES) if size else sys.maxsize)

    def role_of(self, url: str | None) -> str:
        """The role of a document by its address; `auto` leaves it to the domain score."""
        if self.role != "auto" or not self.domain_hosts:
            return self.role
        host = host_of(url)
        return (
            "domain" if any(fnmatchcase(host, pattern.lower()) for pattern in self.domain_hosts) else self.other_hosts
        )


_FREE_RECORDS, _RECORD_BYTES = 10_000, 4
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)", re.IGNORECASE)


def host_of(url: str | None) -> str:
    """The lower-case host of an address, "" when there is none. Never raises.

    >>> host_of("https://user@WWW.Sec.gov:443/a")
    'www.sec.gov'
    """
    match = _HOST.match(url or "")
    return match.group(1).lower() if match else ""
