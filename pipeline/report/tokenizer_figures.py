"""Figures of the trained tokenizer and of the domain's terms, from a finished run, for the report."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.term_survival import TermCounts, survival_report
from pipeline.core.partition import id_fractions
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.publish.hand_over import term_list
from pipeline.report.stats import Term, TokenizerFigures
from pipeline.tokens.parts import stream_of, streams
from pipeline.tokens.step import ShardCounts
from pipeline.tokens.vocabulary import reference_file
from tokenizer.encode import Encoder
from tokenizer.judge import judge, to_json
from tokenizer.term_lists import Term as ListedTerm
from tokenizer.term_lists import load_terms, term_table

SAMPLE_BYTES = 4 << 20
"""Kept text that the tokenizer is judged on, the first of a hash of ids."""
SAMPLE_SHARDS = 16
TERMS = "cards/terms.json"


def survival(run: Run, listed: list[ListedTerm]) -> dict[str, Any] | None:
    """`survival_report` over all shards; None when the recipe has no judge `terms`."""
    if not run.asks_for("terms"):
        return None
    counts = TermCounts.zero(len(listed))
    for shard in run.shards:
        counts.add(run.signals("terms", shard), run.verdicts(shard, ["verdict", "stage", "role"]))
    return survival_report([term.term for term in listed], counts)


def survival_summary(run: Run) -> dict[str, Any] | None:
    """What `terms.json` says without its rows, for the bias audit."""
    name = term_list(run)
    found = survival(run, load_terms(name)) if name else None
    return found and {"list": name} | {key: value for key, value in found.items() if key != "rows"}


def sample_text(run: Run, kept_bytes: int) -> dict[str, pa.ChunkedArray]:
    """About `SAMPLE_BYTES` of kept text by source, from at most `SAMPLE_SHARDS` shards spread over the corpus."""
    step = -(-len(run.shards) // SAMPLE_SHARDS)
    bound = SAMPLE_BYTES * step / max(1, kept_bytes)
    found: dict[str, list[pa.Array]] = {}
    for shard in run.shards[::step]:
        verdicts = run.verdicts(shard, ["id", "source", "verdict"])
        chosen = np.asarray(pc.equal(verdicts["verdict"], "kept")) & (id_fractions(verdicts["id"], "report") < bound)
        if chosen.any():
            texts = run.table(run.file(Step.APPLY, shard), ["text"])["text"]
            source = verdicts["source"][int(np.argmax(chosen))].as_py()
            found.setdefault(source, []).extend(texts.filter(pa.array(chosen)).chunks)
    return {source: pa.chunked_array(chunks, pa.large_string()) for source, chunks in sorted(found.items())}


def judgement(run: Run, content: bytes, kept_bytes: int) -> dict[str, Any]:
    """Everything the judge of the tokenizer says, its references beside it."""
    paths = run.recipe.tokenizer.references
    files = {path: reference_file(path).read_bytes() for path in paths}
    text = sample_text(run, kept_bytes)
    domain = [name for name, stream in streams(run).items() if stream.role == "domain"]
    at_hand = sum(
        split.tokens
        for unit, counts in run.counts(ShardCounts, Step.SHARDS).items()
        for split in counts.splits().values()
        if stream_of(unit) in domain
    )
    return to_json(judge(content, text, files, float(at_hand)))


def bytes_per_token(run: Run) -> dict[str, float]:
    """Bytes of text per token, end-of-text tokens left out, by stream."""
    sums: dict[str, list[int]] = {}
    for unit, counts in run.counts(ShardCounts, Step.SHARDS).items():
        total = sums.setdefault(stream_of(unit), [0, 0])
        for split in counts.splits().values():
            total[0] += split.text_bytes
            total[1] += split.tokens - split.documents
    return {name: size / tokens for name, (size, tokens) in sorted(sums.items()) if tokens}


def term_rows(encoder: Encoder, listed: list[ListedTerm], found: dict[str, Any] | None) -> list[Term]:
    """The report's rows: a term's tokens without and with a space before it, and what became of it."""
    rows = found["rows"] if found else [{"term": term.term} for term in listed]
    plain = [_pieces(encoder, term.term) for term in listed]
    table = term_table(encoder, listed).to_pylist()
    return [
        Term.model_validate(
            {**row, "gloss": term.gloss, "tokens": pieces, "tokens_with_space": spaced["pieces"]}
            | {"aligned": spaced["aligned"]}
        )
        for row, term, pieces, spaced in zip(rows, listed, plain, table, strict=True)
    ]


def _pieces(encoder: Encoder, text: str) -> list[str]:
    ids, _ = encoder.encode_column(pa.array([text]))
    return [encoder.tokens[number].decode("utf-8", "replace") for number in ids]


def vocabulary_figures(run: Run, known: dict[str, Any]) -> TokenizerFigures:
    """Everything the report says of the tokenizer. `known` is the result's `tokenizer`. Writes `terms.json`."""
    content = run.store.read(run.file(Step.TOKENIZER, name="tokenizer.json").path)
    encoder = Encoder(content)
    kept = sum(stream.bytes for stream in streams(run).values())
    name = term_list(run)
    listed = load_terms(name) if name else []
    found = survival(run, listed)
    if found is not None:
        run.store.put_json(TERMS, {"list": name, **found})
    judged = judgement(run, content, kept)
    fertility = [one["tokens_per_word"] for one in judged["sources"].values()]
    return TokenizerFigures(
        vocab_size=known["vocab_size"],
        asked=known["asked"],
        tokens=known["tokens"],
        bytes_per_token=known["bytes_per_token"],
        fertility=round(judged["tokens_per_word"], 6) if fertility else None,
        by_source=bytes_per_token(run),
        references={one["name"]: one["bytes_per_token"] for one in judged["references"]},
        judged=judged,
        terms=term_rows(encoder, listed, found),
        term_warnings=found["warnings"] if found else [],
    )
