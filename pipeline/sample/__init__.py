"""The embedded sample: a crawl composed from a seed, with its truth, so that a run needs no network and has a score."""

import json
from collections.abc import Iterator, Mapping

from pipeline.sample import warc_records as warc
from pipeline.sample.contents import DOMAINS, Made, Maker, jobs
from pipeline.sample.truth import score

__all__ = ["DOMAIN_HOSTS", "SAMPLE_VERSION", "generate", "score"]

SAMPLE_VERSION = 3
"""Goes up whenever the same seed gives other pages."""

DOMAIN_HOSTS: dict[str, list[str]] = {name: domain.hosts for name, domain in DOMAINS.items()}
"""Host globs whose pages are domain text, per domain; all other hosts are general."""


def generate(domain: str, seed: int, pages: int = 3000, files: int = 4) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, bytes): `crawl-00000.warc.gz` and so on, and `truth.jsonl` last.

    One file is held at a time. The pages are a function of domain, seed and number of pages; the second file (or the
    only one) ends in the middle of a record, as an interrupted crawl does. Raises KeyError for an unknown domain.
    """
    todo = jobs(domain, seed, pages)
    maker = Maker(domain, seed, pages)
    truth: list[str] = []
    for file in range(files):
        name = f"crawl-{file:05d}.warc.gz"
        members = [warc.member(warc.info(name))]
        truth.append(_line({"url": None, "kind": "warcinfo", "record": "warcinfo"}, name))
        made: Made | None = None
        for job in todo[file::files]:
            for made in maker.make(job):
                members.append(warc.member(_record(made)))
                truth.append(_line(made.truth, name))
        if file == min(1, files - 1) and made is not None:
            cut = made.truth | {"url": f"https://www.valleycourier.example/cut/{seed}", "kind": "truncated"}
            cut |= {"expect": "quarantine", "role": "noise", "duplicate_of": None, "record": "response"}
            body = maker.html(maker.article(*maker.good[0]), "cut").encode()
            member = warc.member(warc.response(cut["url"], body, "text/html; charset=utf-8"))
            members.append(member[: len(member) // 2])
            truth.append(_line(cut, name))
        yield name, b"".join(members)
    yield "truth.jsonl", "".join(truth).encode()


def _record(made: Made) -> bytes:
    url = made.truth["url"]
    if made.truth["record"] == "request":
        host = url.split("/")[2]
        head = f"GET {url.split(host, 1)[1]} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sample\r\n\r\n"
        return warc.record("request", url, head.encode(), "application/http;msgtype=request")
    if made.truth["record"] == "metadata":
        return warc.record("metadata", url, b"fetchTimeMs: 212\r\n", "application/warc-fields")
    return warc.response(url, made.body, made.content_type, made.status)


def _line(row: Mapping[str, object], file: str) -> str:
    full = {"role": "noise", "expect": "either", "duplicate_of": None, "language": "en", "facts": {}} | dict(row)
    return json.dumps(full | {"file": file}, ensure_ascii=False, sort_keys=True) + "\n"
