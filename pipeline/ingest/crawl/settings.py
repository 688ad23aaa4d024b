"""What a recipe says of sources that are fetched: a crawl, filings from EDGAR, captures from Common Crawl."""

import re
from functools import cached_property
from typing import Annotated, Literal, Self

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
from pipeline.ingest.crawl.urls import canonical, host_name

_CONTACT = re.compile(r"[^\s@/]+@[^\s@]+\.\w|https?://[^\s/.]+\.")
_TYPES = [
    "text/", "application/xhtml", "application/xml", "application/rss", "application/atom", "application/pdf", "application/epub",
    "application/msword", "application/rtf", "application/vnd.openxmlformats", "application/vnd.ms-", "application/json",
    "application/vnd.oasis.opendocument", "application/gzip", "application/x-gzip", "application/octet-stream",
]  # fmt: skip


class Fetch(Settings):
    """What every fetch over the network says of itself and keeps to."""

    user_agent: str
    """Who asks: a name, looked up in robots.txt, and a contact, as `acme/1.0 (+https://acme.example/bot)`."""
    timeout_s: PositiveFloat = 20.0
    """Seconds to wait for bytes; thrice that for an answer."""
    allow_hosts: list[str] = []
    """Host:port pairs fetched in spite of a private address."""

    @field_validator("user_agent")
    @classmethod
    def _has_contact(cls, value: str) -> str:
        if not _CONTACT.search(value) or not re.match(r"[A-Za-z][\w.-]*[/ ]", value) or not value.isprintable():
            raise ValueError(
                f"{value!r} must begin with a name and hold a contact, as 'acme/1.0 (+mailto:bot@acme.example)'"
            )
        return value


class CrawlPlan(Fetch):
    """A polite crawl: one connection a host, robots.txt obeyed, private addresses refused, everything written to WARC."""

    seeds: list[str] = []
    """Addresses to start from (http or https): pages, sitemaps, feeds."""
    domains: list[str] = []
    """Hosts to start from at their first page and their sitemap.xml."""
    sitemaps: bool = True
    """Also fetch what the sitemaps in a host's robots.txt list."""
    since: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Leave out older entries of sitemaps, as 2026-01-31."""
    previous: str | None = None
    """An earlier crawl's folder: only changes are sent again."""
    max_pages: PositiveInt = 100
    """Pages fetched in all."""
    max_pages_per_host: PositiveInt = 10_000
    """Pages fetched of one host (name and port)."""
    max_depth: NonNegativeInt = 2
    """Links followed from a seed."""
    max_page_bytes: PositiveInt = 8 * 2**20
    """Bytes of a body; a longer one is cut, marked."""
    max_bytes: PositiveInt = 2**30
    """Bytes of all bodies; the crawl ends when reached."""
    max_redirects: NonNegativeInt = 5
    """Redirects followed for one page."""
    delay_s: NonNegativeFloat = 1.0
    """From request to request of a host; Crawl-delay and slow answers make it longer, 0 does not."""
    max_wait_s: PositiveFloat = 60.0
    """A host that asks for a longer pause than this is left."""
    tasks: PositiveInt = 2
    """Tasks the hosts are spread over; it changes nothing in what is got."""
    follow: Literal["none", "host", "seeds", "any"] = "host"
    """Links followed: none, to the page's own host, to the seeds' hosts, or any."""
    types: list[str] = _TYPES
    """How media types begin whose bodies are fetched."""
    languages: list[str] = []
    """Codes asked for, as [de, en]; pages declared otherwise go."""

    @field_validator("seeds")
    @classmethod
    def _are_web_addresses(cls, seeds: list[str]) -> list[str]:
        for seed in seeds:
            if canonical(seed) is None:
                raise ValueError(f"'{seed.rpartition('@')[2]}' is not an http or https address, or has a user name")
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
        if not (self.seeds or self.domains):
            raise ValueError("give `seeds` or `domains` to start from")
        return self

    @cached_property
    def starts(self) -> list[str]:
        """Seeds, and the first page of each domain, in their canonical form."""
        urls = [canonical(url) for url in (*self.seeds, *(f"https://{domain}/" for domain in self.domains))]
        return [url for url in urls if url]

    @cached_property
    def start_hosts(self) -> set[str]:
        """Names and ports of the hosts that the crawl starts from."""
        return set(map(host_name, self.starts))

    @cached_property
    def domain_hosts(self) -> set[str]:
        """Hosts whose sitemap.xml is looked for."""
        return {domain.lower().removeprefix("www.") for domain in self.domains}


class EdgarFetch(Fetch):
    """Filings to fetch from EDGAR, by the SEC's rules: at most ten requests a second, whatever the number of workers."""

    forms: list[str] = Field(default=["10-K"], min_length=1)
    """Form types, as [10-K, 8-K]."""
    years: list[Annotated[int, Field(ge=1993, le=2100)]] = Field(min_length=1)
    """Years in which the filings were filed."""
    companies: list[int | str] = []
    """Central index keys or tickers; empty takes every company."""
    sic: list[Annotated[int, Field(ge=100, le=9999)]] = []
    """Industry codes, as [6021]; EDGAR is asked once for each company."""
    amendments: bool = True
    """Also amendments of these forms, linked to what they amend."""
    max_filings: PositiveInt = 1000
    """Filings fetched in all, the earliest first."""
    per_second: float = Field(default=8.0, gt=0, le=10)
    """Requests a second over all workers; ten are allowed."""
    base: str = "https://www.sec.gov"
    """Where the archive is."""
    data: str = "https://data.sec.gov"
    """Where the submissions API is."""


class CommonCrawlFetch(Fetch):
    """Captures to fetch from Common Crawl: of domains and address patterns through its index, or whole files."""

    crawls: list[Annotated[str, Field(pattern=r"^CC-MAIN-\d{4}-\d{2,4}$")]] = Field(min_length=1)
    """Names of crawls, as [CC-MAIN-2024-10]."""
    domains: list[str] = []
    """Domains with everything under them, as [sec.gov]."""
    urls: list[str] = []
    """Patterns of addresses under a domain, as ['*.sec.gov/news/*']."""
    index: Literal["columnar", "cdx"] = "columnar"
    """The Parquet index, read in part, or the index server, for a few domains."""
    types: list[str] = ["text/html", "application/xhtml+xml", "application/pdf", "text/plain"]
    """Media types detected."""
    languages: list[str] = []
    """Main languages, by ISO 639-3, as [eng, deu]."""
    max_pages: PositiveInt = 10_000
    """Captures fetched in all."""
    files: PositiveInt | None = None
    """In place of captures so many whole files of each crawl."""
    text: bool = False
    """With `files`: WET files, which hold the text alone."""
    per_second: PositiveFloat = 5.0
    """Requests a second of each worker."""
    base: str = "https://data.commoncrawl.org"
    """Where the files are."""
    cdx: str = "https://index.commoncrawl.org"
    """Where the index server is."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.domains or self.urls or self.files):
            raise ValueError("give `domains`, `urls` or `files`")
        return self
