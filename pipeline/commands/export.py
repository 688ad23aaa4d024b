"""`inspect --export FILE`: the chosen documents as JSON lines, CSV or Parquet, by the file's ending, a few at a time.

A row is flat: signals are columns named `judge_column`, as `--sql` names them. The file exists when it is whole.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.commands.condition import blocks, plain_type
from pipeline.core.judge import judges
from pipeline.core.run_folder import RunFolder
from pipeline.decide.rules import DECISIONS
from pipeline.errors import UsageError

ENDINGS = (".jsonl", ".csv", ".parquet")
BLOCK = 256


def schema_of(opened: RunFolder) -> pa.Schema:
    """The columns of an exported row."""
    known = judges()
    texts = [(name, pa.string()) for name in ("id", "url", "path")]
    decided = [(field.name, field.type) for field in DECISIONS if field.name != "id"]
    signals = [
        (f"{judge}_{name}", plain_type(kind)) for judge in opened.judges for name, kind in known[judge].columns.items()
    ]
    return pa.schema([*texts, *decided, ("text", pa.string()), *signals])


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A document of `inspect` with its signals as columns."""
    own = {name: value for name, value in row.items() if name != "signals"}
    return own | {f"{judge}_{name}": value for judge, found in row["signals"].items() for name, value in found.items()}


def _write(target: Path, ending: str, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> int:
    count = 0
    if ending == ".parquet":
        with pq.ParquetWriter(target, schema, compression="zstd") as parquet:
            for block in blocks(rows, BLOCK):
                parquet.write_table(pa.Table.from_pylist(block, schema))
                count += len(block)
        return count
    with open(target, "w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, schema.names)
        if ending == ".csv":
            table.writeheader()
        for row in rows:
            count += 1
            if ending == ".csv":
                table.writerow({name: "|".join(map(str, v)) if isinstance(v, list) else v for name, v in row.items()})
            else:
                handle.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return count


def export(opened: RunFolder, documents: Iterable[dict[str, Any]], name: str) -> int:
    """Write them; returns how many. Raises UsageError for another ending, or a folder that is not there."""
    path = Path(name)
    if path.suffix not in ENDINGS:
        raise UsageError(f"--export {name}: expected a file that ends in {', '.join(ENDINGS)}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        count = _write(temporary, path.suffix, map(flat, documents), schema_of(opened))
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"--export {name}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count
