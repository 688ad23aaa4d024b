"""Records to documents: every record one row, in order, with clean text or the reason why there is none."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.batch import DOCUMENTS
from pipeline.extract.documents.kinds import EXTRACTORS, extract_document
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.filing import document_type, sections_of, unmark
from pipeline.extract.html_text import extract_html
from pipeline.extract.page_furniture import cut_furniture
from pipeline.extract.payload import Extracted, Known, RefusalError, decode_within
from pipeline.extract.repair import repair
from pipeline.extract.xml_text import extract_xml
from pipeline.kernels.bpe.pretokens import count_pretokens
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.layout import lay_out
from pipeline.kernels.text.lines import clean_lines

EXTRACT_VERSION = 12
"""Enters the fingerprint: raised whenever the same records and settings give other documents."""


_COPIED = (
    "id", "url", "source", "role", "licence", "rights", "tdm", "robots", "terms", "path", "locator", "parent",
    "content_type",
)  # fmt: skip


_FACTS = {
    "title": "title", "date": "date", "doc_type": "doc_type", "author": "author", "page_language": "language", "origin": "origin",
}  # fmt: skip
"""Columns that come from the record or, where it does not say, from what was extracted: the column and the field."""


def extract_batch(records: pa.RecordBatch, settings: ExtractSettings, known: Known | None = None) -> pa.RecordBatch:
    """Documents (schema `DOCUMENTS`) of a batch of records (schema `RECORDS`), row by row.

    `known` is of one shard and one `settings`: a payload that came before is not parsed again.

    A record that ingest quarantined stays so. New reasons: `extract.empty`, `too_large`, `undecodable`,
    `too_many_nodes`, `too_many_attributes`, `too_deep`, `unparsable`, `bad_xml`, `xml_dtd`, `no_text`, `failed`; of documents
    `password`, `scanned`, `bad_pdf`, `bad_document`, `not_installed`.
    """
    rows = _Rows(records, settings, known or Known())
    for row in range(records.num_rows):
        rows.extract(row)
    return rows.documents()


class _Rows:
    """The columns that change between records and documents."""

    def __init__(self, records: pa.RecordBatch, settings: ExtractSettings, known: Known) -> None:
        count = records.num_rows
        self._records = records
        self._settings = settings
        self._known = known
        self._digests: list[bytes | None] = records.column("digest").to_pylist()
        self._payloads = records.column("payload").fill_null(b"")
        self._kinds = records.column("kind").to_pylist()
        self._charsets = records.column("charset").to_pylist()
        self._reasons: list[str | None] = records.column("reason").to_pylist()
        self._details: list[str | None] = records.column("detail").to_pylist()
        self._facts: dict[str, list[str | None]] = {
            name: records.column(name).to_pylist() if name in records.schema.names else [None] * count
            for name in _FACTS
        }
        self._texts: list[bytes] = [b""] * count
        self._encodings: list[str | None] = [None] * count
        self._edits: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        self._tabular = np.zeros(count, np.bool_)
        self._markup: dict[int, bytes] = {}

    def extract(self, row: int) -> None:
        """Fill one row; a refusal becomes its reason."""
        if self._reasons[row] is not None:
            return
        payload = self._payloads[row].as_py() or b""
        try:
            found = self._found(payload, row)
            text = found.text.encode("utf-8", "replace")
            if len(text) > self._settings.max_text_bytes:
                raise RefusalError("too_large", f"{len(text):,} bytes of text")
        except RefusalError as refusal:
            self._reasons[row], self._details[row] = f"extract.{refusal.rule}", refusal.detail
            return
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - one document that a parser cannot take must not cost the shard
            self._reasons[row], self._details[row] = "extract.failed", f"{type(error).__name__}: {error}"[:300]
            return
        self._texts[row] = text
        self._encodings[row] = found.encoding
        self._tabular[row] = found.tabular
        self._edits[row] = [edit._asdict() for edit in found.edits]
        for name, field in _FACTS.items():
            self._facts[name][row] = self._facts[name][row] or getattr(found, field)
        self._details[row] = self._details[row] or found.note
        if found.markup is not None:
            self._markup[row] = found.markup

    def _found(self, payload: bytes, row: int) -> Extracted:
        """What the payload gives, or gave when it came before."""
        digest = self._digests[row]
        if digest is None:
            return self._read(payload, row)
        key = (digest, self._kinds[row], self._charsets[row])
        found = self._known.get(key)
        if found is None:
            found = self._read(payload, row)
            self._known.keep(key, found)
        return found

    def _read(self, payload: bytes, row: int) -> Extracted:
        extracted = self._parse(payload, row)
        return _mended(extracted, self._kinds[row] == "text")

    def _parse(self, payload: bytes, row: int) -> Extracted:
        settings, charset, kind = self._settings, self._charsets[row], self._kinds[row]
        if len(payload) > settings.max_payload_bytes:
            raise RefusalError("too_large", f"{len(payload):,} bytes, the limit is {settings.max_payload_bytes:,}")
        if not payload.strip(b" \t\r\n\0"):
            raise RefusalError("empty", "the payload is empty")
        if kind == "html":
            return extract_html(payload, charset, settings)
        if kind == "xml":
            return extract_xml(payload, charset, settings)
        if kind in EXTRACTORS:
            return extract_document(payload, kind, settings)
        decoded = decode_within(payload, charset, False, settings.max_replaced_frac)
        markup = None if decoded.encoding == "utf-8" and not decoded.replaced else decoded.text.encode()
        return Extracted(decoded.text, decoded.encoding, markup=markup)

    def documents(self) -> pa.RecordBatch:
        """The batch: text normalised, wrapped lines joined, tables found, pre-tokens counted."""
        raw = pa.array(self._texts, pa.large_binary())
        settings = self._settings
        offsets, data = clean_lines(*text_buffers(raw))
        offsets, data, span_offsets, spans = lay_out(
            offsets, data, self._tabular, settings.unwrap, settings.mark_tables
        )
        sizes = np.diff(offsets)
        for row in np.flatnonzero(sizes == 0):
            if self._reasons[row] is None:
                self._reasons[row], self._details[row] = "extract.no_text", "no text is left of the payload"
        columns: dict[str, Any] = {name: self._records.column(name) for name in _COPIED}
        columns |= self._facts
        columns |= {
            "encoding": self._encodings,
            "raw_bytes": np.diff(text_buffers(self._payloads)[0]),
            "raw_pretokens": self._raw_pretokens(),
            "reason": self._reasons,
            "detail": self._details,
            "text": _strings(offsets, data),
            "text_bytes": sizes,
            "num_pretokens": count_pretokens(offsets, data),
            "table_spans": _spans(span_offsets, spans),
            "sections": self._sections(offsets, data),
            "edits": self._edits,
        }
        return pa.RecordBatch.from_pydict(columns, schema=DOCUMENTS)

    def _sections(self, offsets: np.ndarray, data: np.ndarray) -> list[list[dict[str, Any]]]:
        """The items of filings, in bytes of the final text."""
        found: list[list[dict[str, Any]]] = [[] for _ in self._reasons]
        for row, form in enumerate(self._facts["doc_type"]):
            if form and not self._reasons[row]:
                text = data[offsets[row] : offsets[row + 1]].tobytes().decode()
                found[row] = [section._asdict() for section in sections_of(text, form)]
        return found

    def _raw_pretokens(self) -> np.ndarray:
        """Pre-tokens of the payloads, of those in another encoding after decoding."""
        counts = count_pretokens(*text_buffers(self._payloads)).copy()
        if self._markup:
            decoded = pa.array(list(self._markup.values()), pa.large_binary())
            counts[list(self._markup)] = count_pretokens(*text_buffers(decoded))
        return counts


def _mended(extracted: Extracted, is_plain: bool) -> Extracted:
    """The text without the marks and the page furniture of its source, and with its damage repaired."""
    text, edits = unmark(extracted.text) if is_plain else (extracted.text, [])
    text, repairs = repair(text, entities=is_plain)
    text, furniture = cut_furniture(text, " " if extracted.tabular else "\n")
    extracted.text = text
    extracted.edits = [*extracted.edits, *edits, *repairs, *furniture]
    extracted.doc_type = extracted.doc_type or document_type(text)
    return extracted


def _strings(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """A large_string column over kernel output, without a copy."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def _spans(offsets: np.ndarray, spans: np.ndarray) -> pa.Array:
    kind = DOCUMENTS.field("table_spans").type
    starts, ends = (pa.array(np.ascontiguousarray(spans[:, side])) for side in (0, 1))
    structs = pa.StructArray.from_arrays([starts, ends], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), structs, type=kind)
