"""Which pages a sample holds, in what order, and how each is made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline.sample import damage, finance, general, legal, medical, noise, worth
from pipeline.sample.article import Article
from pipeline.sample.draw import Draw
from pipeline.sample.pages import Pages

Builder = Callable[[Draw, int], Article]

SEED_PREFIX = "pipeline.ingest.sample."
"""Enters the seed of every article: another value gives other pages."""


@dataclass(frozen=True)
class Domain:
    """What a domain adds to the sample: its hosts, and (builder, pages of 3,000) of good documents."""

    hosts: list[str]
    builders: tuple[tuple[Builder, int], ...]


DOMAINS: dict[str, Domain] = {
    "finance": Domain(
        finance.HOSTS, ((finance.filing, 98), (finance.current, 34), (finance.news, 118), (finance.speech, 34))
    ),
    "legal": Domain(legal.HOSTS, ((legal.opinion, 240), (legal.statute, 160))),
    "medical": Domain(medical.HOSTS, ((medical.abstract, 165), (medical.patient, 185), (medical.note, 140))),
}

_GENERAL = ((general.page, 388), (general.identity, 46))
_NOISE = (
    (noise.boilerplate, 450), (noise.spam, 310), (noise.listing, 620), (noise.foreign, 280), (noise.toxic, 90),
)  # fmt: skip
_WORTH = ((worth.thin, 90), (worth.odd, 30))
_COPIES = (
    ("duplicate", 170),
    ("near_duplicate", 130),
    ("noise_duplicate", 90),
    ("pii_good", 44),
    ("broken_encoding", 36),
)
_OTHER = (("request", 18), ("metadata", 12), ("missing_page", 14), ("image", 12))


@dataclass(frozen=True)
class Job:
    """One record to make: how, and which of its kind it is."""

    make: str  # "page", a kind of copy, or a kind of record that is no document
    builder: Builder | None
    number: int


def jobs(domain: str, seed: int, pages: int) -> list[Job]:
    """All jobs of a sample in crawl order; a smaller sample keeps the proportions."""
    found: list[Job] = []
    for builder, share in (*DOMAINS[domain].builders, *_GENERAL, *_NOISE, *_WORTH):
        found += [Job("page", builder, number) for number in range(_scaled(share, pages))]
    for make, share in (*_COPIES, *_OTHER):
        found += [Job(make, None, number) for number in range(_scaled(share, pages))]
    return Draw(seed, domain, "order").shuffled(found)


def _scaled(share: int, pages: int) -> int:
    return max(1, round(share * pages / 3000))


@dataclass
class Made:
    """A record ready for its file: truth row, body and content type."""

    truth: dict[str, Any]
    body: bytes
    content_type: str
    status: str = "200 OK"


class Maker:
    """Makes any job on its own: a page depends on the seed, its builder and its number, not on the pages before it."""

    def __init__(self, domain: str, seed: int, pages: int) -> None:
        self.domain, self.seed = domain, seed
        self.pages = Pages(seed)
        sources = (*DOMAINS[domain].builders, *_GENERAL)
        self.good = [(builder, n) for builder, share in sources for n in range(_scaled(share, pages))]
        self.bad = [(builder, n) for builder, share in _NOISE for n in range(_scaled(share, pages))]

    def article(self, builder: Builder, number: int) -> Article:
        """The article of a builder and number."""
        genre = SEED_PREFIX + builder.__module__.rpartition(".")[2]
        article = builder(Draw(self.seed, self.domain, genre, builder.__name__, number), number)
        return replace(article, expect="keep") if article.role != "noise" else article

    def html(self, article: Article, *salt: str | int) -> str:
        """The page; `salt` gives a mirror another dress."""
        return self.pages.render(article, Draw(self.seed, article.url, *salt))

    def make(self, job: Job) -> Iterator[Made]:
        """The record of a job."""
        draw = Draw(self.seed, self.domain, job.make, job.number)
        if job.builder is not None:
            yield self._page(self.article(job.builder, job.number))
        elif job.make in ("duplicate", "noise_duplicate", "near_duplicate"):
            yield self._copy(job, draw)
        elif job.make == "pii_good":
            yield self._page(damage.personal(self._fresh(job), draw))
        elif job.make == "broken_encoding":
            yield self._broken(job)
        elif job.make in ("missing_page", "image"):
            yield self._no_document(job, draw)
        else:
            url = self.article(*draw.pick(self.good)).url
            yield Made(_truth(job.make, "noise", url, "either", record=job.make), b"", "")

    def _fresh(self, job: Job) -> Article:
        """A good article of its own, beyond those of the plan."""
        builders = [builder for builder, _ in (*DOMAINS[self.domain].builders, *_GENERAL[:1])]
        builder = builders[-1] if job.number % 2 else builders[job.number // 2 % (len(builders) - 1)]
        return self.article(builder, job.number + (100_000 if job.make == "pii_good" else 200_000))

    def _page(self, article: Article) -> Made:
        draw = Draw(self.seed, article.url, "form")
        if article.role == "general" and article.kind == "general" and draw.chance(0.09):
            return Made(_row(article), _wrapped(article).encode(), "text/plain; charset=utf-8")
        text = self.html(article)
        if draw.chance(0.06):
            text = text.replace("\n", "\r\n")
        return Made(_row(article), text.encode(), "text/html; charset=utf-8")

    def _copy(self, job: Job, draw: Draw) -> Made:
        pool = self.bad if job.make == "noise_duplicate" else self.good
        original = self.article(*draw.pick(pool))
        copy = replace(original, kind=job.make.removeprefix("noise_"), role="noise", expect="drop")
        if job.make == "near_duplicate":
            host = draw.pick(("mirror.newsgrab.example", "reprints.example", "cache.pagekeeper.example"))
            look = "news" if draw.chance(0.5) else "blog"
            blocks = damage.edited(original, draw)
            copy = replace(copy, host=host, path=f"/{job.number}{original.path}", look=look, blocks=blocks)
            page = Made({}, self.html(copy).encode(), "text/html; charset=utf-8")
        else:
            mark = draw.pick(("utm_source=feed", "print=1", "amp=1", "sessionid=" + f"{draw.below(1 << 32):x}"))
            copy = replace(copy, path=f"{original.path}?{mark}&n={job.number}")
            page = self._page(original)
        return replace(page, truth=_row(copy) | {"duplicate_of": original.url})

    def _broken(self, job: Job) -> Made:
        name = list(damage.BROKEN)[job.number % len(damage.BROKEN)]
        expect, encode = damage.BROKEN[name]
        article = self._fresh(job)
        body = encode(self.html(article))
        row = _row(replace(article, kind="broken_encoding", expect=expect)) | {"facts": {"damage": name}}
        return Made(row, body, "text/html; charset=utf-8")

    def _no_document(self, job: Job, draw: Draw) -> Made:
        if job.make == "image":
            pixels = bytes(draw.below(256) for _ in range(3000))
            url = f"https://img.example/{job.number}.png"
            return Made(_truth("image", "noise", url, "drop"), b"\x89PNG\r\n\x1a\n" + pixels, "image/png")
        url = f"https://www.valleycourier.example/gone/{draw.below(10**9)}"
        body = b"<html><title>404 Not Found</title><h1>Not Found</h1><p>The requested URL was not found.</p></html>"
        return Made(_truth("missing_page", "noise", url, "drop"), body, "text/html", "404 Not Found")


def _truth(kind: str, role: str, url: str | None, expect: str, record: str = "response") -> dict[str, Any]:
    return {
        "url": url, "kind": kind, "role": role, "expect": expect, "duplicate_of": None, "record": record,
        "language": "en", "facts": {},
    }  # fmt: skip


def _row(article: Article) -> dict[str, Any]:
    row = _truth(article.kind, article.role, article.url, article.expect)
    return row | {"language": article.language, "facts": dict(article.facts)}


def _wrapped(article: Article) -> str:
    """The article as plain text of 72 columns with CRLF line ends, the way old mailing lists kept it."""
    lines: list[str] = []
    for body in (article.title, *(body for _, body in article.blocks)):
        line = ""
        for word in str(body).split():
            if len(line) + len(word) > 71:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
        lines += [line, ""]
    return "\r\n".join(lines) + "\r\n"
