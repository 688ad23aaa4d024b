"""Compile the kernels once per machine, a piece per worker, before the first shard needs them.

Without it every worker of a first run would compile every kernel itself. A piece that is compiled leaves a mark in the
cache folder, so that later runs skip this.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.batch import DOCUMENTS, RECORDS
from pipeline.core.judge import judges
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.records import extract_batch
from pipeline.kernels.compiled import all_kernels_digest, cache_folder
from pipeline.recipe.model import RecipeBase
from tokenizer import count, encode, merge, save
from tokenizer.specials import special_tokens

TEXT = "The bank said on Friday that net income rose 12% to $1,234.56 million.\n\nWrite to ann@mail.example.org now.\n"
PAGE = b"<html><head><title>T</title></head><body><main><p>One two three.</p><table><tr><td>1</td></tr></table></main></body>"
OTHERS = ("pii", "gopher", "extract", "tokenizer merge", "toxicity", "tokenizer encode", "language")
"""What takes longest to compile goes first, so that no worker is left alone with it."""


def compile_piece(piece: str, settings: dict[str, Any]) -> None:
    """Run one piece on a few bytes, and leave its mark."""
    if piece == "extract":
        rows = [{"id": "0", "kind": "html", "payload": PAGE}, {"id": "1", "kind": "text", "payload": TEXT.encode()}]
        extract_batch(pa.RecordBatch.from_pylist(rows, schema=RECORDS), ExtractSettings())
    elif piece.startswith("tokenizer"):
        counts = count.count_batch(pa.array([TEXT * 4], pa.large_string()), "gpt4")
        model = merge.train(counts, 300, special_tokens())
        if piece == "tokenizer encode":
            encode.Encoder(save.save(model)["tokenizer.json"]).encode_column(pa.array([TEXT], pa.large_string()))
    else:
        judge = judges()[piece]
        rows = [{"id": str(n), "url": "https://a.example/", "text": TEXT * n, "table_spans": []} for n in range(3)]
        judge.run(pa.RecordBatch.from_pylist(rows, schema=DOCUMENTS), judge.settings.model_validate(settings))
    mark(piece).parent.mkdir(parents=True, exist_ok=True)
    mark(piece).touch()


def mark(piece: str) -> Path:
    """The file that says a piece is compiled on this machine."""
    return cache_folder() / f"ready-{all_kernels_digest()}" / piece.replace(" ", "-")


def cold_pieces(recipe: RecipeBase) -> list[tuple[str, dict[str, Any]]]:
    """(piece, settings) of what this recipe needs and this machine has not compiled, the slow ones first."""
    pieces: dict[str, dict[str, Any]] = {name: settings.measured() for name, settings in recipe.judges}
    pieces |= {"extract": {}, "tokenizer merge": {}, "tokenizer encode": {}}
    order = {name: number for number, name in enumerate(OTHERS)}
    return sorted(
        ((name, settings) for name, settings in pieces.items() if not mark(name).exists()),
        key=lambda piece: (order.get(piece[0], len(order)), piece[0]),
    )


def names(pieces: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """For the one line that says why a first run waits here."""
    return f"compiling {len(pieces)} groups of kernels, once on this machine: {', '.join(name for name, _ in pieces)}"
