"""What a recipe says of sources that are fetched: a crawl, filings from EDGAR, captures from Common Crawl."""

import re
from functools import cached_property
from typing import Literal, Self

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
    "application/vnd.oasis.opendocument", "application/gzip", "application/x-gzip",
]  # fmt: skip


class Fetch(Settings):
    """What every fetch over the network says of itself and keeps to."""

    user_agent: str = Field(
        description="who asks: a name, looked up in robots.txt, and a contact, as `acme/1.0 (+https://acme.example/bot)`"
    )
    timeout_s: PositiveFloat = Field(default=20.0, description="seconds to wait for bytes; thrice that for an answer")
    allow_hosts: list[str] = Field(default=[], description="host:port pairs fetched in spite of a private address")

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

    seeds: list[str] = Field(default=[], description="addresses to start from (http or https): pages, sitemaps, feeds")
    domains: list[str] = Field(default=[], description="hosts to start from at their first page and their sitemap.xml")
    sitemaps: bool = Field(default=True, description="also fetch what the sitemaps in a host's robots.txt list")
    since: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="leave out older entries of sitemaps, as 2026-01-31"
    )
    previous: str | None = Field(default=None, description="an earlier crawl's folder: only changes are sent again")
    max_pages: PositiveInt = Field(default=100, description="pages fetched in all")
    max_pages_per_host: PositiveInt = Field(default=10_000, description="pages fetched of one host (name and port)")
    max_depth: NonNegativeInt = Field(default=2, description="links followed from a seed")
    max_page_bytes: PositiveInt = Field(default=8 * 2**20, description="bytes of a body; a longer one is cut, marked")
    max_bytes: PositiveInt = Field(default=2**30, description="bytes of all bodies; the crawl ends when reached")
    max_redirects: NonNegativeInt = Field(default=5, description="redirects followed for one page")
    delay_s: NonNegativeFloat = Field(
        default=1.0,
        description="from request to request of a host; Crawl-delay and slow answers make it longer, 0 does not",
    )
    max_wait_s: PositiveFloat = Field(default=60.0, description="a host that asks for a longer pause than this is left")
    tasks: PositiveInt = Field(
        default=2, description="tasks the hosts are spread over; it changes nothing in what is got"
    )
    follow: Literal["none", "host", "seeds", "any"] = Field(
        default="host", description="links followed: none, to the page's own host, to the seeds' hosts, or any"
    )
    types: list[str] = Field(default=_TYPES, description="how media types begin whose bodies are fetched")
    languages: list[str] = Field(default=[], description="codes asked for, as [de, en]; pages declared otherwise go")

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
        return {domain.lower() for domain in self.domains}


class EdgarFetch(Fetch):
    """Filings to fetch from EDGAR, by the SEC's rules: at most ten requests a second, whatever the number of workers."""

    forms: list[str] = Field(default=["10-K"], min_length=1, description="form types, as [10-K, 8-K]")
    years: list[int] = Field(min_length=1, description="years in which the filings were filed")
    companies: list[int | str] = Field(
        default=[], description="central index keys or tickers; empty takes every company"
    )
    sic: list[int | str] = Field(
        default=[], description="industry codes, as [6021]; EDGAR is asked once for each company"
    )
    amendments: bool = Field(default=True, description="also amendments of these forms, linked to what they amend")
    max_filings: PositiveInt = Field(default=1000, description="filings fetched in all, the earliest first")
    per_second: float = Field(
        default=8.0, gt=0, le=10, description="requests a second over all workers; ten are allowed"
    )
    base: str = Field(default="https://www.sec.gov", description="where the archive is")
    data: str = Field(default="https://data.sec.gov", description="where the submissions API is")


class CommonCrawlFetch(Fetch):
    """Captures to fetch from Common Crawl: of domains and address patterns through its index, or whole files."""

    crawls: list[str] = Field(min_length=1, description="names of crawls, as [CC-MAIN-2024-10]")
    domains: list[str] = Field(default=[], description="domains with everything under them, as [sec.gov]")
    urls: list[str] = Field(default=[], description="patterns of addresses under a domain, as ['*.sec.gov/news/*']")
    index: Literal["columnar", "cdx"] = Field(
        default="columnar", description="the Parquet index, read in part, or the index server, for a few domains"
    )
    types: list[str] = Field(
        default=["text/html", "application/xhtml+xml", "application/pdf", "text/plain"],
        description="media types detected",
    )
    languages: list[str] = Field(default=[], description="main languages, by ISO 639-3, as [eng, deu]")
    max_pages: PositiveInt = Field(default=10_000, description="captures fetched in all")
    files: PositiveInt | None = Field(
        default=None, description="in place of captures so many whole files of each crawl"
    )
    text: bool = Field(default=False, description="with `files`: WET files, which hold the text alone")
    per_second: PositiveFloat = Field(default=5.0, description="requests a second of each worker")
    base: str = Field(default="https://data.commoncrawl.org", description="where the files are")
    cdx: str = Field(default="https://index.commoncrawl.org", description="where the index server is")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.domains or self.urls or self.files):
            raise ValueError("give `domains`, `urls` or `files`")
        return self
