"""JSON lines: one object a line; a bad line costs that line."""

import io
import json
from collections.abc import Iterator
from typing import Any

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record, Where
from pipeline.ingest.rows import record_of


@source_kind("jsonl", ".jsonl", ".ndjson", ".json")
def read_jsonl(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """Every line of a JSON Lines stream that is not blank."""
    limit, number = where.source.max_record_bytes, 0
    while line := stream.readline(limit + 1):
        number += 1
        position = f"line={number}"
        if len(line) > limit:
            while line and not line.endswith(b"\n"):
                line = stream.readline(limit)
            yield where.bad("oversize", f"the line exceeds {limit:,} bytes", position, key=f"{where.name}#{position}")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _read_line(line, where, position)


def _read_line(line: bytes, where: Where, position: str) -> Record:
    payload = line.rstrip(b"\r\n")
    try:
        value: Any = json.loads(payload)
    except UnicodeDecodeError as error:
        return where.bad("bad_utf8", f"the line is not UTF-8: {error.reason} at byte {error.start}", position, payload)
    except (ValueError, RecursionError) as error:
        return where.bad("bad_json", f"the line is not JSON: {error}", position, payload)
    if not isinstance(value, dict):
        return where.bad("bad_json", f"the line is a JSON {type(value).__name__}, not an object", position, payload)
    return record_of(value, where, position, payload)
