"""An earlier crawl of the same pages: what to tell a host we have (ETag, Last-Modified), and the page when it says 304."""

from dataclasses import replace
from typing import Any

import fsspec

from pipeline.errors import UsageError
from pipeline.ingest.crawl.client import Response
from pipeline.ingest.crawl.host import NOT_MODIFIED
from pipeline.ingest.crawl.journal import RESPONSE, entry_of, members


class Earlier:
    """The frozen files under a folder: a crawl's, or a run folder with one."""

    def __init__(self, folder: str | None) -> None:
        self._system: Any = None
        self._pages: dict[str, tuple[str, int, int, dict[str, str]]] = {}
        if folder is None:
            return
        self._system, root = fsspec.core.url_to_fs(folder)
        names = sorted(self._system.glob(f"{root.rstrip('/')}/**/crawl-*.warc.gz"))
        if not names:
            raise UsageError(f"previous: no crawl-*.warc.gz under {folder}")
        for name in names:
            with self._system.open(name, "rb") as file:
                for start, end, record in members(file):
                    entry = entry_of(record, start, end)
                    if entry.kind == RESPONSE and entry.response and entry.response.status == 200:
                        said = {"If-None-Match": "etag", "If-Modified-Since": "last-modified"}
                        tags = {field: value for field, tag in said.items() if (value := entry.response.header(tag))}
                        self._pages[entry.asked] = name, start, end, tags

    def conditions(self, url: str) -> dict[str, str]:
        """Header fields that ask for a page only if it has changed; none for a page that is not known."""
        return self._pages[url][3] if url in self._pages else {}

    def page(self, url: str) -> Response | None:
        """The page as it was, marked as not modified."""
        if url not in self._pages:
            return None
        name, start, end, _ = self._pages[url]
        with self._system.open(name, "rb") as file:
            file.seek(start)
            _, _, record = next(members(file, start))
        found = entry_of(record, start, end).response
        if found is None:
            return None
        headers = [field for field in found.headers if field[0] != NOT_MODIFIED]
        return replace(found, headers=[*headers, (NOT_MODIFIED, "304")])
