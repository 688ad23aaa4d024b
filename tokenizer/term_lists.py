"""Domain terms and what a tokenizer makes of them. The lists are data: terms/<domain>.tsv with term, gloss, source."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import pyarrow as pa

from tokenizer.encode import Encoder


@dataclass(frozen=True)
class Term:
    """A term, what it means, and where it belongs."""

    term: str
    gloss: str
    source: str


def load_terms(name: str | Path) -> list[Term]:
    """The list of a domain by name, or any file of the same form by path.

    >>> load_terms("legal")[0]
    Term(term='mens rea', gloss='the guilty mind', source='Latin of the common law; Wikipedia: List of Latin legal terms')

    Raises ValueError with the line when a row does not have three fields, FileNotFoundError when there is no list.
    """
    packaged: Traversable = files("tokenizer") / "terms" / f"{name}.tsv"
    place = packaged if isinstance(name, str) and packaged.is_file() else Path(name)
    lines = place.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != 3 or not row[0].strip():
            raise ValueError(f"{name}, line {number}: expected term, gloss and source between tabs, got {row}")
    if not rows or rows[0] != ["term", "gloss", "source"]:
        raise ValueError(f"{name}: the first line must name the columns term, gloss, source")
    return [Term(*row) for row in rows[1:]]


SCHEMA = pa.schema(
    [
        ("term", pa.string()),
        ("tokens", pa.int32()),
        ("tokens_after_space", pa.int32()),
        ("pieces", pa.list_(pa.string())),
        ("aligned", pa.bool_()),
    ]
)
"""Tokens of the term at the start of a text and after a space; its pieces after a space (bytes that are no character are
written as the replacement sign); whether tokens begin and end where it does in "the <term> is"."""


def term_table(encoder: Encoder, terms: Sequence[Term | str]) -> pa.Table:
    """One row of `SCHEMA` per term, in the order given."""
    names = [term if isinstance(term, str) else term.term for term in terms]
    rows = []
    for name in names:
        plain = _pieces(encoder, name)
        spaced = _pieces(encoder, f" {name}")
        borders = set()
        at = 0
        for piece in _pieces(encoder, f"the {name} is"):
            borders.add(at)
            at += len(piece)
        size = len(name.encode())
        rows.append(
            {
                "term": name,
                "tokens": len(plain),
                "tokens_after_space": len(spaced),
                "pieces": [piece.decode("utf-8", "replace") for piece in spaced],
                # The space belongs to the term's first token or to a token of its own.
                "aligned": bool(borders & {3, 4}) and 4 + size in borders,
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _pieces(encoder: Encoder, text: str) -> list[bytes]:
    ids, _ = encoder.encode_column(pa.array([text]))
    return [encoder.tokens[number] for number in ids]
