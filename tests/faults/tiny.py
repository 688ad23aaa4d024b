"""The tiny recipe of the fault tests: a few documents of every fate, small enough to run hundreds of times."""

import json
from pathlib import Path

RECIPE = """\
name: tiny
use: here
sources:
  here:
    - {name: news, kind: jsonl, path: PATH/news.jsonl, role: domain, licence: CC0-1.0, priority: 1}
    - {name: web, kind: jsonl, path: PATH/web.jsonl, role: general, licence: CC0-1.0}
curate:
  - gopher: {min_num_words: 20}
  - exact
  - minhash
  - identity
  - pii
tokenizer: {vocab_size: 300}
shards: {validation_frac: 0.2}
"""

SUBJECTS = (
    "The bank",
    "A court",
    "The committee",
    "One analyst",
    "The company",
    "This report",
    "Her office",
    "The fund",
)
VERBS = ("raised", "questioned", "settled", "published", "lowered", "reviewed", "denied", "expected")
OBJECTS = (
    "its guidance",
    "the rate",
    "a claim",
    "new figures",
    "the dividend",
    "an appeal",
    "every target",
    "the bond",
)
TAILS = ("after the quarter", "before noon", "in the third year", "for small lenders", "despite losses", "on Friday")


def text(seed: int, sentences: int = 9) -> str:
    """A few sentences; other seeds give other ones."""
    words = []
    for n in range(sentences):
        k = seed * 7919 + n * 104729 + seed * seed * 31
        words.append(
            f"{SUBJECTS[k % 8]} {VERBS[k // 8 % 8]} {OBJECTS[k // 64 % 8]} {TAILS[k // 512 % 6]}, "
            f"and the desk {seed * 13 + n} that follows the sector was told to wait with figure {k % 9973}."
        )
    return " ".join(words)


def write_inputs(folder: Path) -> None:
    """Kept, short, duplicate, damaged and private documents in two files."""
    news = [{"id": f"n{n}", "text": text(n)} for n in range(8)]
    news += [
        {"id": "short", "text": "Too short."},
        {"id": "mail", "text": text(50) + " Write to ann@mail.example.org."},
    ]
    web = [{"id": f"w{n}", "text": text(100 + n)} for n in range(8)] + [{"id": "copy", "text": text(3)}]
    for name, rows in (("news", news), ("web", web)):
        lines = [json.dumps(row) for row in rows]
        if name == "web":
            lines.insert(4, '{"id": "broken", "text": "cut')
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def write_recipe(folder: Path) -> Path:
    """Inputs and recipe in a folder; returns the recipe's path."""
    write_inputs(folder)
    path = folder / "tiny.yaml"
    path.write_text(RECIPE.replace("PATH", str(folder)))
    return path
