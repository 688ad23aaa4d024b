"""Documents from a service that publishes them for programs: few hosts, a rate it names, every answer in the log.

Such a service (EDGAR, Common Crawl) says by its own rules what may be asked and how often; robots.txt is for those who follow
links. What is in the log is not asked for again, so a fetch that was killed goes on, and everything it decides it decides from
the log.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.core.execute import Assignment
from pipeline.core.store import FileInfo, Store
from pipeline.errors import InfrastructureError
from pipeline.ingest.crawl.client import ABSENT, Client, Response
from pipeline.ingest.crawl.journal import RESPONSE, Entry, Exchanges, Journal, Span, log_path
from pipeline.ingest.crawl.links import body_of
from pipeline.ingest.crawl.settings import Fetch

_CONNECTIONS = 4
LISTING_BYTES = 2**30
"""Bytes of one index, unpacked."""


class Service:
    """Asks a service, at most `per_second` times a second in all, from several threads."""

    def __init__(
        self, plan: Fetch, per_second: float, store: Store | None = None, assigned: Assignment | None = None
    ) -> None:
        self.repeated = 0
        self._plan = plan
        self._client = Client(plan.user_agent, plan.allow_hosts, plan.timeout_s, gap_s=1.0 / per_second)
        self._journal: Journal | None = None
        self._spans: dict[str, list[Span]] = {}
        self._known: dict[str, Entry] = {}
        if store is not None and assigned is not None:
            self._journal = Journal(store, log_path(assigned.name, assigned.fingerprint))
            self._read_log(self._journal)

    def _read_log(self, journal: Journal) -> None:
        exchanges = Exchanges()
        for request, answer in exchanges.pairs(journal.entries(), lambda entry: entry.asked):
            if answer.kind == RESPONSE and answer.response:
                answer.response.body = b""  # of a document only its status is asked again
            self._known[answer.asked] = answer
            self._spans[answer.asked] = [(answer.start, answer.end), (request.start, request.end)]
        self.repeated = exchanges.repeated

    def listing(self, url: str) -> bytes | None:
        """An index or list, its encoding undone; None when there is none at this address."""
        entry = self._known.get(url)
        response = entry.response if entry else None
        response = response or self._ask(url, LISTING_BYTES, is_document=False)
        return body_of(response, LISTING_BYTES) if response.status == 200 else None

    def ranged(self, url: str, start: int, end: int) -> Response:
        """Some bytes of a file: fewer, or none, where the file ends before or is not there. Not logged: what they are for is
        frozen as a whole. Raises InfrastructureError when the service answers with other bytes."""
        fields = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        response = self._client.fetch_patiently(url, end - start, fields)
        if response.status in ABSENT:
            return replace(response, body=b"")
        said = response.header("content-range")
        if response.status != 206 or not said.startswith(f"bytes {start}-"):
            raise InfrastructureError(
                f"{url}: asked for bytes {start} to {end}, got {response.status} {response.reason} {said}"
            )
        return response

    def documents(
        self, urls: Iterable[str], limit: int, note: Callable[[str], dict[str, str]] = lambda _: {}
    ) -> list[str]:
        """Fetch documents of at most `limit` bytes into the log, each with the header fields that `note` adds to its answer;
        returns those that there are."""

        def fetch(url: str) -> bool:
            entry = self._known.get(url)
            if entry is not None and entry.response is not None:
                return entry.response.status == 200
            return self._ask(url, limit, is_document=True, added=note(url)).status == 200

        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            wanted = list(urls)
            return [url for url, is_there in zip(wanted, pool.map(fetch, wanted), strict=True) if is_there]

    def _ask(self, url: str, limit: int, is_document: bool, added: dict[str, str] | None = None) -> Response:
        journal = self._journal
        request = journal.request(url, self._client.head(url)) if journal else None
        response = self._client.fetch_patiently(url, limit)
        response.headers += (added or {}).items()
        if journal and request:
            self._spans[url] = [journal.response(url, response, is_document and response.status == 200), request]
        return response

    def freeze(self, path: str, documents: list[str]) -> dict[str, FileInfo]:
        """The documents' records in this order as WARC files, and those of listings as one that is not read."""
        assert self._journal is not None
        agent = self._plan.user_agent
        files = self._journal.freeze(path, agent, [self._spans[url] for url in documents])
        rest = [self._spans[url] for url in sorted(self._spans.keys() - set(documents))]
        listings = self._journal.freeze(f"{path}-listings", agent, rest)
        self._client.close()
        self._journal.close()
        return files | {name.removesuffix(".warc.gz"): info for name, info in listings.items()}
