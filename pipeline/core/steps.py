"""The names of the ledger's steps. They stand here once; `pipeline.flow` says which stage runs which."""

from enum import StrEnum


class Step(StrEnum):
    """A step: what the ledger records as one, in the order of the flow."""

    INGEST = "ingest"
    FILES = "files"
    EXTRACT = "extract"
    CLASSIFY = "classify"
    MEASURE = "measure"
    PAIRS = "pairs"
    CLUSTER = "cluster"
    OVERALL = "overall"
    RANK = "rank"
    SURVIVE = "survive"
    VERDICTS = "verdicts"
    DECIDE = "decide"
    PARAGRAPHS = "paragraphs"
    REPEATED = "repeated"
    FALLING = "falling"
    CUTS = "cuts"
    REPEATS = "repeats"
    APPLY = "apply"
    GATHER = "gather"
    EQUAL = "equal"
    SELECT = "select"
    FINAL = "final"
    SETTLE = "settle"
    SEARCH = "search"
    COUNT = "count"
    TOKENIZER = "tokenizer"
    SCATTER = "scatter"
    SHARDS = "shards"
    SIZE = "size"
    MIX = "mix"
    PUBLISH_REST = "publish_rest"
    INDEX = "index"
    PUBLISH = "publish"
    USES = "uses"
    AUDIT = "audit"
    EXPORT = "export"
    REPORT = "report"


TITLES: dict[str, str] = {
    Step.FILES: "files not read",
    Step.CLASSIFY: "classifiers",
    Step.PAIRS: "cluster: pairs",
    Step.CLUSTER: "cluster",
    Step.OVERALL: "decide: whole corpus",
    Step.RANK: "decide: candidates",
    Step.SURVIVE: "decide: survivors",
    Step.VERDICTS: "decide: verdicts",
    Step.PARAGRAPHS: "repeats: paragraphs",
    Step.REPEATED: "repeats: equal paragraphs",
    Step.FALLING: "repeats: too short",
    Step.CUTS: "repeats: spans",
    Step.REPEATS: "apply: repeats",
    Step.GATHER: "apply: texts that stay",
    Step.EQUAL: "apply: equal texts",
    Step.SELECT: "apply: the dial",
    Step.FINAL: "apply: verdicts",
    Step.SETTLE: "apply: final verdicts",
    Step.SEARCH: "select: proxies",
    Step.COUNT: "tokenizer: count",
    Step.TOKENIZER: "tokenizer: merge",
    Step.SCATTER: "shards: scatter",
    Step.PUBLISH_REST: "publish: not kept",
    Step.INDEX: "publish: index",
    Step.PUBLISH: "publish: kept",
    Step.USES: "publish: uses",
}
"""What a step is called for a person, where that is not its name."""

INNER = frozenset(
    {
        *(Step.PAIRS, Step.OVERALL, Step.RANK, Step.SURVIVE, Step.VERDICTS),
        *(Step.PARAGRAPHS, Step.REPEATED, Step.FALLING, Step.CUTS),
        *(Step.GATHER, Step.EQUAL, Step.SELECT, Step.FINAL, Step.SCATTER),
    }
)
"""Steps on the way to the one that a person knows by its name: shown only while they run."""

LOWER: dict[str, str] = {
    Step.COUNT: "tokenizer.max_sample_bytes",
    Step.TOKENIZER: "tokenizer.max_sample_bytes",
    Step.SCATTER: "shards.shard_bytes",
    Step.SHARDS: "shards.shard_bytes",
    Step.PUBLISH: "shards.shard_bytes",
}
"""The setting that says how much one task of a step holds."""


def out_of_memory(step: str) -> str:
    """What to do when a worker of this step died, which is usually for want of memory."""
    what = f"lower {LOWER[step]}, or give Ray fewer CPUs" if step in LOWER else "give Ray fewer CPUs or smaller shards"
    return f"Usually memory: {what}, then run the same command again."
