"""Certificate of equivalence with datatrove: every published rule, alone, on unmodified real and generated text.

    CORPORA=… python -m bench.certify [--full] [--mb 3] [--out docs/certificate.md] [--cache folder]

Needs the peers extra (datatrove 0.10.1 and spaCy). Quick mode takes an even sample of each set, `--full` every document.
With `--cache` datatrove's verdicts on a set are kept, and not asked for again while texts, rules and versions are the same;
our side is always asked.
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import inspect
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import peers
from bench.corpora import SETS, documents
from pipeline.core.batch import SPAN
from pipeline.core.judge import Judge
from pipeline.core.settings import JudgeSettings
from pipeline.kernels.text.word_tables import fnv
from pipeline.kernels.text.words import words
from pipeline.measure.judges.c4 import C4, c4
from pipeline.measure.judges.fineweb import FineWeb, fineweb
from pipeline.measure.judges.gopher import Gopher, gopher
from pipeline.measure.judges.repetition import Repetition, repetition

GOAL = 0.985
"""Share of decisions that rules on words must agree on; the others must agree on every one."""
BATCH = 64
EXPLANATION = f"""\
Each rule alone, all others off, on unmodified text; last, whether any rule of a filter fires. *text*: the rule looks at
lines and characters and must agree on every document. *words*: it counts spaCy's words, which ours follow by rule; at
least {100 * GOAL} % of its decisions must agree. A document on which datatrove divides by zero is not compared.
(`hashes_or_ellipsis`: one setting bounds both there.) The same words can still give other n-grams, because datatrove
joins them without a separator, and other sentences, because it lets white space begin one."""


@dataclass
class Rule:
    """One rule on both sides. `theirs` maps a text to whether datatrove removes it, or None where it is undefined."""

    judge: Judge
    settings: JudgeSettings
    name: str
    label: str
    theirs: Callable[[str], bool | None]
    on_words: bool
    agreed: int = 0
    compared: int = 0
    removed: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def filter_name(self) -> str:
        """The published filter that the rule is part of."""
        return self.label.rpartition(" ")[0] or self.label


def rules() -> list[Rule]:
    """Every rule of the four published sets, each with all others switched off."""
    from datatrove.data import Document
    from datatrove.pipeline.filters.c4_filters import C4ParagraphFilter, C4QualityFilter
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
    from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter

    def asks(block: Any, reason: str | None = None) -> Callable[[str], bool | None]:
        def ask(text: str) -> bool | None:
            try:
                answer = block.filter(Document(text=text, id="0"))
            except (ArithmeticError, ValueError):  # no words at all: the published code divides by zero
                return None
            kept, why = answer if isinstance(answer, tuple) else (answer, None)
            return not kept and (reason is None or why == reason)

        return ask

    found: list[Rule] = []
    off = dict.fromkeys(
        ["min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
         "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words"],
    )  # fmt: skip
    for name, argument, bound, reason, on_words in [
        ("min_num_words", "min_doc_words", 50, "gopher_short_doc", True),
        ("max_num_words", "max_doc_words", 100_000, "gopher_long_doc", True),
        ("min_mean_word_length", "min_avg_word_length", 3, "gopher_below_avg_threshold", True),
        ("max_mean_word_length", "max_avg_word_length", 10, "gopher_above_avg_threshold", True),
        ("max_hash_word_ratio", "max_symbol_word_ratio", 0.1, "gopher_too_many_hashes", True),
        ("max_bullet_line_frac", "max_bullet_lines_ratio", 0.9, "gopher_too_many_bullets", False),
        ("max_ellipsis_line_frac", "max_ellipsis_lines_ratio", 0.3, "gopher_too_many_end_ellipsis", False),
        ("min_alpha_word_frac", "max_non_alpha_words_ratio", 0.8, "gopher_below_alpha_threshold", True),
        ("min_num_stop_words", "min_stop_words", 2, "gopher_enough_stop_words", True),
    ]:
        block = GopherQualityFilter(**{**off, argument: bound})
        found.append(
            Rule(gopher, Gopher(**{name: bound}), name, f"GopherQuality {reason}", asks(block, reason), on_words)
        )
    everything = GopherQualityFilter(**{**off, "max_symbol_word_ratio": 0.1})

    def symbols(text: str) -> bool | None:
        return asks(everything)(text)

    both = Gopher(max_hash_word_ratio=0.1, max_ellipsis_word_ratio=0.1)
    found.append(Rule(gopher, both, "*", "GopherQuality hashes_or_ellipsis", symbols, True))
    off = {
        "dup_line_frac": None, "dup_para_frac": None, "dup_line_char_frac": None, "dup_para_char_frac": None,
        "top_n_grams": (), "dup_n_grams": (),
    }  # fmt: skip
    table: list[tuple[str, str, Any, float, str]] = [
        ("max_dup_line_frac", "dup_line_frac", 0.3, 0.3, "dup_line_frac"),
        ("max_dup_paragraph_frac", "dup_para_frac", 0.3, 0.3, "dup_para_frac"),
        ("max_dup_line_char_frac", "dup_line_char_frac", 0.2, 0.2, "dup_line_char_frac"),
        ("max_dup_paragraph_char_frac", "dup_para_char_frac", 0.2, 0.2, "dup_para_char_frac"),
    ]
    for n, bound in ((2, 0.2), (3, 0.18), (4, 0.16)):
        table.append((f"max_top_{n}_gram_char_frac", "top_n_grams", ((n, bound),), bound, f"top_{n}_gram"))
    for n, bound in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        table.append((f"max_dup_{n}_gram_char_frac", "dup_n_grams", ((n, bound),), bound, f"duplicated_{n}_n_grams"))
    for name, argument, value, bound, reason in table:
        block = GopherRepetitionFilter(**{**off, argument: value})
        only: dict[str, Any] = {name: bound}
        found.append(
            Rule(
                repetition,
                Repetition(**only),
                name,
                f"GopherRepetition {reason}",
                asks(block, reason),
                "gram" in name,
            )
        )
    none = {"line_punct_thr": -1, "short_line_thr": 2, "char_duplicates_ratio": 2, "new_line_ratio": 1e9}
    for name, argument, bound, reason in [
        ("min_num_lines", "", 1, "empty"),
        ("min_line_punct_ratio", "line_punct_thr", 0.12, "line_punct_ratio"),
        ("max_short_line_ratio", "short_line_thr", 0.67, "short_line_ratio"),
        ("max_char_dup_ratio", "char_duplicates_ratio", 0.01, "char_dup_ratio"),
        ("max_list_ratio", "new_line_ratio", 0.3, "list_ratio"),
    ]:
        block = FineWebQualityFilter(**{**none, **({argument: bound} if argument else {})})
        on_words = name == "max_list_ratio"
        if not on_words:  # the last rule of the published filter needs words even when it is off
            block.filter = _without_words(block)
        found.append(
            Rule(fineweb, FineWeb(**{name: bound}), name, f"FineWebQuality {reason}", asks(block, reason), on_words)
        )
    for punctuated in (True, False):
        label = "C4Quality" if punctuated else "C4Quality without terminal_punct"
        ours: dict[str, Any] = {"filter_no_terminal_punct": punctuated}
        block = C4QualityFilter(
            filter_no_terminal_punct=punctuated, filter_lorem_ipsum=False, filter_curly_bracket=False
        )
        found.append(
            Rule(
                c4,
                C4(**ours, min_num_sentences=5),
                "min_num_sentences",
                f"{label} too_few_sentences",
                asks(block),
                True,
            )
        )
        lines = C4QualityFilter(filter_no_terminal_punct=punctuated, min_num_sentences=-1)
        for name, reason in (("max_num_lorem_ipsum", "lorem_ipsum"), ("max_num_curly_bracket", "curly_bracket")):
            alone = C4QualityFilter(
                filter_no_terminal_punct=punctuated, min_num_sentences=-1,
                filter_lorem_ipsum=name == "max_num_lorem_ipsum", filter_curly_bracket=name == "max_num_curly_bracket",
            )  # fmt: skip
            found.append(Rule(c4, C4(**{**ours, name: 0}), name, f"{label} {reason}", asks(alone, reason), False))
        lines.filter_lorem_ipsum = lines.filter_curly_bracket = False
        found.append(Rule(c4, C4(**ours), "text", f"{label} lines_kept", _kept_lines(lines), False))
    found.append(
        Rule(c4, C4(min_num_long_lines=3), "min_num_long_lines", "C4Paragraph", asks(C4ParagraphFilter()), False)
    )
    return found


def _without_words(block: Any) -> Callable[[Any], Any]:
    """The published line rules, stopped before the rule on words."""
    from datatrove.pipeline.filters import fineweb_quality_filter

    original = type(block).filter

    def ask(document: Any) -> Any:
        kept, fineweb_quality_filter.split_into_words = fineweb_quality_filter.split_into_words, lambda *_: [""]
        try:
            return original(block, document)
        finally:
            fineweb_quality_filter.split_into_words = kept

    return ask


def _kept_lines(block: Any) -> Callable[[str], Any]:
    from datatrove.data import Document

    def ask(text: str) -> list[str]:
        document = Document(text=text, id="0")
        block.filter(document)
        return [line.strip() for line in document.text.splitlines()]

    return ask


def generated(count: int) -> list[str]:
    """Random documents of the pieces that rules look at, from a fixed seed."""
    from bench.published import PIECES, SPACES

    draws = np.random.default_rng(7)
    made = []
    for _ in range(count):
        size = int(draws.integers(0, 250))
        vocabulary = draws.choice(len(PIECES), int(draws.integers(1, len(PIECES))), replace=False)
        chosen, gaps = draws.choice(vocabulary, size), draws.integers(0, len(SPACES), size)
        made.append("".join(PIECES[piece] + SPACES[gap] for piece, gap in zip(chosen, gaps, strict=True)))
    return made


def sample(name: str, megabytes: float | None) -> list[str]:
    """A set's documents: all, or every k-th for about `megabytes`."""
    found = list(documents(name))
    stride = 1 if megabytes is None else max(1, round(sum(map(len, found)) / (megabytes * 1e6)))
    return found[::stride]


def _cut(text: str, spans: list[dict[str, Any]]) -> list[str]:
    raw, at, pieces = text.encode(), 0, []
    for span in spans:
        pieces.append(raw[at : span["start"]])
        at = span["end"]
    kept = b"".join([*pieces, raw[at:]]).decode().strip()
    return [line.strip() for line in kept.splitlines()]


def ours(rule: Rule, batch: pa.RecordBatch) -> list[Any]:
    """Our decision on each document of a batch."""
    signals = pa.table(rule.judge.run(batch, rule.settings.without_thresholds()))
    if rule.name == "text":
        return [
            lines_digest(_cut(text, spans))
            for text, spans in zip(batch["text"].to_pylist(), signals["spans"].to_pylist(), strict=True)
        ]
    masks = rule.judge.rules(signals, rule.settings)
    chosen = masks.values() if rule.name == "*" else [masks[rule.name]]
    return np.any([mask.to_numpy(zero_copy_only=False) for mask in chosen], axis=0).tolist()


def cause(text: str) -> str:
    """Why a decision on words differs: the first word that spaCy splits otherwise."""
    from datatrove.utils.text import split_into_words

    spoken = split_into_words(text)
    column = words(pa.array([text], pa.large_string()))
    for at, word in enumerate(spoken):
        if at >= len(column.hashes) or fnv(word.encode()) != int(column.hashes[at]):
            return f"words differ from {' '.join(spoken[max(0, at - 1) : at + 2])[:40]!r} on"
    # datatrove joins the words of an n-gram without a separator, and lets white space begin a sentence.
    return "the same words, of which n-grams or sentences are made otherwise"


Verdict = bool | str | None
"""Removed or not; for a rule that edits, a digest of the lines it keeps; None where it is undefined."""


def lines_digest(lines: list[str]) -> str:
    """A rule that edits is compared by the lines that it leaves."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def published(texts: list[str], table: list[Rule]) -> list[list[Verdict]]:
    """datatrove's verdict on each text, under every rule."""
    found: list[list[Verdict]] = []
    for text in texts:
        answers = [rule.theirs(text) for rule in table]
        found.append([lines_digest(answer) if isinstance(answer, list) else answer for answer in answers])
    return found


def versions() -> dict[str, str]:
    """What the certificate depends on besides our own source."""
    return {name: importlib.metadata.version(name) for name in ("datatrove", "spacy", "numba", "pyarrow")}


def remembered(name: str, texts: list[str], table: list[Rule], cache: Path | None) -> list[list[Verdict]]:
    """`published`, or what it gave before on the same texts, rules and versions."""
    if cache is None:
        return published(texts, table)
    asked = [versions()["datatrove"], versions()["spacy"], [rule.label for rule in table], inspect.getsource(rules)]
    digest = hashlib.sha256(json.dumps(asked).encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}-{digest.hexdigest()[:24]}.json"
    if not path.exists():
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(published(texts, table)), encoding="utf-8")
        partial.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))


def compare(name: str, texts: list[str], table: list[Rule], theirs: list[list[Verdict]]) -> dict[str, list[int]]:
    """Our verdict on each text against datatrove's; counts in the rules.

    Returns, per published filter, the number of documents, of those it removes by any rule, and of different verdicts.
    """
    filters: dict[str, list[int]] = {}
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        batch = pa.record_batch(
            {"text": pa.array(part, pa.large_string()), "table_spans": pa.array([[]] * len(part), pa.list_(SPAN))}
        )
        mine = [ours(rule, batch) for rule in table]
        for at, text in enumerate(part):
            whole: dict[str, list[bool]] = {}
            for rule, decisions, their in zip(table, mine, theirs[start + at], strict=True):
                if their is None:
                    continue
                if isinstance(their, bool):
                    answers = whole.setdefault(rule.filter_name, [False, False])
                    answers[0] |= their
                    answers[1] |= decisions[at]
                rule.compared += 1
                same = their == decisions[at]
                rule.agreed += same
                rule.removed += their is True
                if not same and len(rule.differing) < 40:
                    rule.differing.append(f"{name} #{start + at}: {cause(text) if rule.on_words else 'see the text'}")
            for filter_name, (removed, removed_by_us) in whole.items():
                total = filters.setdefault(filter_name, [0, 0, 0])
                total[0] += 1
                total[1] += removed
                total[2] += removed != removed_by_us
    return filters


def report(table: list[Rule], filters: dict[str, list[int]], counts: dict[str, tuple[int, int]], mode: str) -> str:
    """The certificate as Markdown."""
    rows = [
        f"| {rule.label} | {'words' if rule.on_words else 'text'} | {rule.compared:,} | {rule.removed:,} | "
        f"{rule.compared - rule.agreed:,} | {100 * rule.agreed / max(1, rule.compared):.3f} % |"
        for rule in table
    ]
    rows += [
        f"| **{name}, any of its rules** | words | {total:,} | {removed:,} | {other:,} | {100 - 100 * other / total:.3f} % |"
        for name, (total, removed, other) in filters.items()
        if name != "C4Paragraph"
    ]
    differing = [f"- {rule.label}: {entry}" for rule in table for entry in rule.differing]
    sets = [f"| {name} | {count:,} | {size / 1e6:.1f} |" for name, (count, size) in counts.items()]
    return "\n".join(
        [
            "# Certificate: the published rules and ours",
            "",
            "Made by `CORPORA=… python -m bench.certify"
            + (" --full" if mode == "full" else "")
            + "`; do not edit by hand.",
            "",
            f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}. Mode: {mode}. "
            f"{', '.join(f'{name} {version}' for name, version in versions().items())}.",
            "",
            EXPLANATION,
            "",
            "| rule | looks at | documents | removed by datatrove | differ | agree |",
            "|---|---|---:|---:|---:|---:|",
            *rows,
            "",
            "## Text compared",
            "",
            "| set | documents | MB |",
            "|---|---:|---:|",
            *sets,
            "",
            "## Documents that differ, by cause",
            "",
            *(differing or ["None."]),
            "",
        ]
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.certify", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every document of every set")
    parser.add_argument("--mb", type=float, default=1.0, help="MB of each set in quick mode")
    parser.add_argument("--generated", type=int, default=2_000, help="generated documents")
    parser.add_argument("--sets", default=",".join(SETS), help="sets to compare, by name")
    parser.add_argument("--cache", type=Path, help="folder for datatrove's verdicts, to go on after a stop")
    parser.add_argument("--out", type=Path, default=Path("docs/certificate.md"))
    return parser.parse_args()


def main() -> int:
    """Compare, write the certificate, and say whether it holds (exit code 1 when it does not)."""
    chosen = arguments()
    peers.require("datatrove", "spacy")
    start = time.monotonic()
    table, counts, filters = rules(), {}, {}
    inputs: Iterator[tuple[str, list[str]]] = (
        (name, sample(name, None if chosen.full else chosen.mb)) for name in chosen.sets.split(",") if name
    )
    for name, texts in [("generated", generated(chosen.generated)), *inputs]:
        for filter_name, numbers in compare(name, texts, table, remembered(name, texts, table, chosen.cache)).items():
            filters[filter_name] = [a + b for a, b in zip(filters.get(filter_name, [0, 0, 0]), numbers, strict=True)]
        counts[name] = (len(texts), sum(len(text.encode()) for text in texts))
        print(f"{name}: {len(texts)} documents, {time.monotonic() - start:.0f} s", flush=True)
    text = report(table, filters, counts, "full" if chosen.full else "quick")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text, encoding="utf-8")
    failed = [
        rule.label for rule in table if rule.agreed < rule.compared * (GOAL if rule.on_words else 1)
    ]  # fmt: skip
    worst = min(rule.agreed / max(1, rule.compared) for rule in table)
    print(
        json.dumps(
            {
                "name": "certify",
                "failed": failed,
                "worst_agreement": worst,
                "documents": sum(n for n, _ in counts.values()),
            }
        )
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
