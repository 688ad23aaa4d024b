"""Files that are one document of a program: PDF, office files, books, notebooks, subtitles. Extract takes out the text."""

import io
from collections.abc import Iterator

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where

_ENDINGS = {
    "pdf": (".pdf",),
    "docx": (".docx", ".docm", ".dotx"),
    "doc": (".doc", ".dot"),
    "pptx": (".pptx", ".pptm", ".ppsx"),
    "ppt": (".ppt", ".pps"),
    "xlsx": (".xlsx", ".xlsm", ".xlsb"),
    "xls": (".xls",),
    "odt": (".odt", ".ott"),
    "odp": (".odp",),
    "ods": (".ods",),
    "rtf": (".rtf",),
    "epub": (".epub",),
    "ipynb": (".ipynb",),
    "subtitles": (".vtt", ".srt"),
}
_IN_TEXT = ("ipynb", "subtitles")


def _register(kind: str, endings: tuple[str, ...]) -> None:
    @source_kind(kind, *endings, binary=kind not in _IN_TEXT)
    def read(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
        """One record: the whole file."""
        yield Record(
            key=where.name,
            payload=where.whole(stream, "file"),
            kind=kind,
            locator=where.prefix or None,
            content_type=kind,
        )


for _kind, _names in _ENDINGS.items():
    _register(_kind, _names)
