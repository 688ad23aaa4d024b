"""A source of a recipe: where documents come from, what they are for and under which terms."""

import codecs
import re
from fnmatch import fnmatchcase
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from pipeline.core.settings import Settings
from pipeline.errors import did_you_mean
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

    text: str = Field(default="text", description="field with the document's text; a record without it is quarantined")
    id: str | None = Field(default="id", description="field with the record's own id; it enters the document's id")
    url: str | None = Field(default="url", description="field with the address")
    title: str | None = Field(default="title", description="field with the title")
    date: str | None = Field(default="date", description="field with the date, as the source writes it")
    licence: str | None = Field(
        default="licence", description="field with the record's own licence, as metadata.license; then `license`"
    )
    rights: str | None = Field(default="rights", description="field with signals such as `tdm-reservation: 1`")
    html: bool = Field(default=False, description="the text field holds HTML, to be extracted like a page")


class CsvDialect(Settings):
    """How CSV and TSV files are written. What is not set is told from each file, and stands in the account of files."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="sign between two fields")
    encoding: str | None = Field(default=None, description="encoding of the file, as utf-8, cp1252 or utf-16")
    quote: str | None = Field(
        default=None, max_length=1, description='sign around fields that hold the delimiter; "" when there is none'
    )

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            return codecs.lookup(value).name if value else None
        except LookupError:
            raise ValueError(f"no encoding is named {value!r}") from None


class HubDataset(Settings):
    """A data set of the Hugging Face Hub, read through `datasets`."""

    dataset: str = Field(description="name on the Hub, as owner/name")
    config: str | None = Field(default=None, description="configuration (subset) of the data set")
    split: str = Field(default="train", description="split to read")
    revision: str = Field(description="commit hash or tag; branches move, so they are refused")
    streaming: bool = Field(default=True, description="read over the network as it goes, without a local copy")

    @field_validator("revision")
    @classmethod
    def _is_pinned(cls, value: str) -> str:
        if not value.strip() or value.lower() in MOVING_REVISIONS:
            raise ValueError(f"'{value}' is a branch, which moves: give the commit hash or a tag")
        return value


class Fetch(Settings):
    """What every fetch over the network says of itself and keeps to."""

    user_agent: str = Field(
        description="name and contact sent to hosts, as `acme-crawler/1.0 (+https://acme.example/bot)`; the name is looked up in "
        "robots.txt, the contact is an address of mail or of a page"
    )
    timeout_s: float = Field(
        default=20.0,
        gt=0,
        description="seconds to wait for the next bytes of a host; three times that for the whole answer",
    )
    allow_hosts: list[str] = Field(
        default_factory=list, description="host:port pairs fetched even if their address is private or loopback"
    )

    @field_validator("user_agent")
    @classmethod
    def _has_contact(cls, value: str) -> str:
        if not _CONTACT.search(value) or not re.match(r"[A-Za-z][\w.-]*[/ ]", value) or not value.isprintable():
            raise ValueError(
                f"{value!r} must begin with a name and hold a contact, as 'acme-crawler/1.0 (+mailto:bot@acme.example)'"
            )
        return value


_CONTACT = re.compile(r"[^\s@/]+@[^\s@]+\.\w|https?://[^\s/.]+\.")


class CrawlPlan(Fetch):
    """A polite crawl: one connection a host, robots.txt obeyed, private addresses refused, everything written to WARC."""

    seeds: list[str] = Field(
        default_factory=list, description="addresses to start from (http or https): pages, sitemaps or feeds"
    )
    domains: list[str] = Field(
        default_factory=list,
        description="hosts to start from at their first page and, if they have one, their sitemap.xml",
    )
    sitemaps: bool = Field(default=True, description="also fetch what the sitemaps in a host's robots.txt list")
    since: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="leave out entries of sitemaps and feeds that say they are older, as 2026-01-31",
    )
    previous: str | None = Field(
        default=None,
        description="an earlier crawl's folder, or its run's: pages that have not changed since are not sent again",
    )
    max_pages: PositiveInt = Field(default=100, description="pages fetched in all")
    max_pages_per_host: PositiveInt = Field(default=10_000, description="pages fetched of one host (name and port)")
    max_depth: NonNegativeInt = Field(default=2, description="links followed from a seed")
    max_page_bytes: PositiveInt = Field(
        default=8 * 2**20, description="bytes of one body; a longer one is cut and marked"
    )
    max_bytes: PositiveInt = Field(default=2**30, description="bytes of all bodies; the crawl ends when reached")
    max_redirects: NonNegativeInt = Field(default=5, description="redirects followed for one page")
    delay_s: NonNegativeFloat = Field(
        default=1.0,
        description="seconds between two requests to a host, from start to start; a longer Crawl-delay wins, and a host that is "
        "slow is asked less. 0 is for your own hosts",
    )
    max_wait_s: PositiveFloat = Field(
        default=60.0,
        description="longest Crawl-delay, Request-rate or Retry-After that is waited for; a host that asks for more is left",
    )
    tasks: PositiveInt = Field(
        default=2, description="tasks that the hosts are spread over; it changes nothing in what is fetched"
    )
    follow: Literal["none", "host", "seeds", "any"] = Field(
        default="host",
        description="links to follow: none, those of the page's own host, those of the seeds' hosts, or any",
    )
    types: list[str] = Field(
        default=[
            "text/", "application/xhtml", "application/xml", "application/rss", "application/atom", "application/pdf",
            "application/epub", "application/msword", "application/rtf", "application/vnd.openxmlformats", "application/vnd.ms-",
            "application/vnd.oasis.opendocument", "application/json", "application/gzip", "application/x-gzip",
        ],
        description="how media types begin whose bodies are fetched; of others the header is kept",
    )  # fmt: skip
    languages: list[str] = Field(
        default_factory=list,
        description="language codes asked for, as [de, en]; a page whose header names only others is not kept",
    )

    @field_validator("seeds")
    @classmethod
    def _are_web_addresses(cls, seeds: list[str]) -> list[str]:
        for seed in seeds:
            try:
                parts = urlsplit(seed)
            except ValueError:
                parts = urlsplit("")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"'{seed}' is not an http or https address")
            if parts.username is not None:
                raise ValueError(f"the seed on {parts.hostname} has a user name, which is never sent")
        return seeds

    @field_validator("domains")
    @classmethod
    def _are_hosts(cls, domains: list[str]) -> list[str]:
        for domain in domains:
            if not re.fullmatch(r"[\w.-]+(:\d+)?", domain):
                raise ValueError(f"'{domain}' is not the name of a host, as www.example.org")
        return domains

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if not self.all_seeds:
            raise ValueError("give `seeds` or `domains` to start from")
        return self

    @property
    def all_seeds(self) -> list[str]:
        """Seeds, and the first page of each domain."""
        return [*self.seeds, *(f"https://{domain}/" for domain in self.domains)]

    @property
    def domain_hosts(self) -> set[str]:
        """Hosts whose sitemap.xml is looked for."""
        return {domain.lower() for domain in self.domains}

    @property
    def seed_hosts(self) -> set[str]:
        """Names and ports of the hosts that the crawl starts from."""
        return {urlsplit(seed).netloc.lower() for seed in self.all_seeds}


class EdgarFetch(Fetch):
    """Filings to fetch from EDGAR, by the SEC's rules: at most ten requests a second, whatever the number of workers."""

    forms: list[str] = Field(default=["10-K"], min_length=1, description="form types, as [10-K, 8-K]")
    years: list[int] = Field(min_length=1, description="years in which the filings were filed")
    companies: list[int | str] = Field(
        default_factory=list, description="central index keys or tickers; empty takes every company"
    )
    sic: list[int | str] = Field(
        default_factory=list, description="industry codes, as [6021, 6022]; asks EDGAR once for each company"
    )
    amendments: bool = Field(
        default=True, description="also the amendments of these forms, as 10-K/A, linked to what they amend"
    )
    max_filings: PositiveInt = Field(default=1000, description="filings fetched in all, the earliest first")
    per_second: float = Field(
        default=8.0,
        gt=0,
        le=10,
        description="requests a second over all workers; the SEC allows ten, and counts them at its end",
    )
    base: str = Field(default="https://www.sec.gov", description="where the archive is")
    data: str = Field(default="https://data.sec.gov", description="where the submissions API is")


class CommonCrawlFetch(Fetch):
    """Captures to fetch from Common Crawl: of domains and address patterns through its index, or whole files."""

    crawls: list[str] = Field(min_length=1, description="names of crawls, as [CC-MAIN-2024-10]")
    domains: list[str] = Field(default_factory=list, description="domains with everything under them, as [sec.gov]")
    urls: list[str] = Field(
        default_factory=list,
        description="patterns of addresses, as ['https://*.sec.gov/news/*']; the domain must be in them",
    )
    index: Literal["columnar", "cdx"] = Field(
        default="columnar", description="the Parquet index, read in part, or the index server, for a few domains"
    )
    types: list[str] = Field(
        default=["text/html", "application/xhtml+xml", "application/pdf", "text/plain"],
        description="media types, as Common Crawl detected them",
    )
    languages: list[str] = Field(
        default_factory=list, description="ISO 639-3 codes, as [eng, deu]: captures whose main language is one of them"
    )
    max_pages: PositiveInt = Field(default=10_000, description="captures fetched in all")
    files: PositiveInt | None = Field(
        default=None, description="fetch so many whole files of each crawl, evenly chosen, in place of captures"
    )
    text: bool = Field(
        default=False, description="with `files`: WET files, which hold the text alone, a twelfth of the bytes"
    )
    per_second: float = Field(default=5.0, gt=0, description="requests a second of each worker")
    base: str = Field(default="https://data.commoncrawl.org", description="where the files are")
    cdx: str = Field(default="https://index.commoncrawl.org", description="where the index server is")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.domains or self.urls) and self.files is None:
            raise ValueError("give `domains`, `urls` or `files`")
        return self


class SamplePlan(Settings):
    """The embedded sample: a made-up crawl that needs no network and carries its truth."""

    seed: NonNegativeInt = Field(default=0, description="seed of the grammars; the same seed writes the same bytes")
    pages: PositiveInt = Field(default=3000, description="pages to write, planted junk and duplicates included")


class Source(Settings):
    """One source of documents.

    >>> Source(name="filings", path="/data/filings").role_of("https://www.sec.gov/x")
    'auto'
    >>> web = Source(name="web", path="/data", domain_hosts=["*.sec.gov"], other_hosts="auto")
    >>> web.role_of("https://www.sec.gov/x"), web.role_of("https://news.example/banks")
    ('domain', 'auto')
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="short name, unique in the recipe")
    kind: str = Field(
        default="auto",
        description="format of the files; auto decides for each file by name and content",
        json_schema_extra=_list_kinds,
    )
    path: str | None = Field(default=None, description="folder, file or glob; any fsspec URL")
    include: list[str] = Field(
        default_factory=list, description="globs on paths relative to the folder; empty takes what fits the kind"
    )
    exclude: list[str] = Field(default_factory=list, description="globs of files and archive members to leave out")
    members: list[str] = Field(default_factory=list, description="globs of archive members to read; empty reads all")
    role: Literal["domain", "general", "auto"] = Field(
        default="auto", description="what the documents are for; auto decides by host, then by the domain score"
    )
    domain_hosts: list[str] = Field(
        default_factory=list,
        description="for role auto: globs of hosts that are domain; `other_hosts` says what the others are",
    )
    other_hosts: Literal["general", "auto"] = Field(
        default="general", description="role of hosts that `domain_hosts` does not name; auto: the domain score decides"
    )
    licence: str = Field(
        default="unknown",
        min_length=1,
        description="SPDX identifier, name of the terms, or unknown; a licence stated by the record itself comes first",
    )
    priority: int = Field(
        default=0, description="among duplicates, the copy from the source with the highest priority is kept"
    )
    optional: bool = Field(default=False, description="skip the source, with a note, when its path is not set")
    fields: Fields = Field(default=Fields(), description="names of the fields in structured formats")
    csv: CsvDialect = Field(default=CsvDialect(), description="for CSV and TSV: delimiter, encoding and quotes")
    query: str | None = Field(
        default=None,
        description="for sql and SQLite: the SELECT whose rows are read; null, for SQLite: the one table that has the text field",
    )
    url: str | None = Field(
        default=None,
        description="for kind sql: the database, as postgresql://user:${PASSWORD}@host/name; its driver is yours to install",
    )
    element: str | None = Field(
        default=None, description="for XML: name of the element that is one document; null: the file"
    )
    follow_links: bool = Field(
        default=False, description="also read what symbolic links that lead out of the folder point to"
    )
    limit: PositiveInt | None = Field(default=None, description="read at most this many documents of each file")
    keep_truncated: bool = Field(
        default=False,
        description="for WARC: keep pages that the crawler cut (WARC-Truncated), marked, in place of quarantining them",
    )
    max_records: PositiveInt | None = Field(
        default=None,
        description="records of one file, rows that are too small to be documents included; one quarantined row stands for "
        "the rest. null: 10,000, and more if the file has 4 bytes, as stored, for each",
    )
    max_record_bytes: PositiveInt = Field(
        default=64 * 2**20, description="a longer record is quarantined without being read"
    )
    max_expansion: PositiveInt = Field(
        default=250,
        description="largest ratio of decompressed to compressed size (256 MiB always pass); a file beyond it is quarantined",
    )
    hub: HubDataset | None = Field(default=None, description="for kind hub: the data set")
    crawl: CrawlPlan | None = Field(default=None, description="for kind crawl: seeds and limits")
    fetch: EdgarFetch | None = Field(
        default=None, description="for kind edgar without a path: filings to fetch from EDGAR"
    )
    commoncrawl: CommonCrawlFetch | None = Field(
        default=None, description="for kind commoncrawl: captures to fetch from Common Crawl"
    )
    sample: SamplePlan | None = Field(default=None, description="for kind sample: seed and size")

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

    def role_of(self, url: str | None) -> str:
        """The role of a document by its address; `auto` leaves it to the domain score."""
        if self.role != "auto" or not self.domain_hosts:
            return self.role
        host = host_of(url)
        return (
            "domain" if any(fnmatchcase(host, pattern.lower()) for pattern in self.domain_hosts) else self.other_hosts
        )


_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)", re.IGNORECASE)


def host_of(url: str | None) -> str:
    """The lower-case host of an address, "" when there is none. Never raises.

    >>> host_of("https://user@WWW.Sec.gov:443/a")
    'www.sec.gov'
    """
    match = _HOST.match(url or "")
    return match.group(1).lower() if match else ""
