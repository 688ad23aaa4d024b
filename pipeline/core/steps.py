"""The names of the ledger's steps. They stand here once; `pipeline.flow` says which stage runs which."""

from enum import StrEnum
from typing import Self

INNER = True
"""A step on the way to the one that a person knows by its name: shown only while it runs."""


class Step(StrEnum):
    """A step: what the ledger records as one, in the order of the flow. Some have a label for people beside their name."""

    label: str
    is_inner: bool

    def __new__(cls, name: str, label: str = "", is_inner: bool = False) -> Self:
        made = str.__new__(cls, name)
        made._value_, made.label, made.is_inner = name, label or name, is_inner
        return made

    INGEST = "ingest"
    FILES = "files", "files not read"
    EXTRACT = "extract"
    CLASSIFY = "classify", "classifiers"
    MEASURE = "measure"
    PAIRS = "pairs", "cluster: pairs", INNER
    CLUSTER = "cluster", "cluster"
    OVERALL = "overall", "decide: whole corpus", INNER
    RANK = "rank", "decide: candidates", INNER
    SURVIVE = "survive", "decide: survivors", INNER
    VERDICTS = "verdicts", "decide: verdicts", INNER
    DECIDE = "decide"
    PARAGRAPHS = "paragraphs", "repeats: paragraphs", INNER
    REPEATED = "repeated", "repeats: equal paragraphs", INNER
    FALLING = "falling", "repeats: too short", INNER
    CUTS = "cuts", "repeats: spans", INNER
    REPEATS = "repeats", "apply: repeats"
    APPLY = "apply"
    GATHER = "gather", "apply: texts that stay", INNER
    EQUAL = "equal", "apply: equal texts", INNER
    SELECT = "select", "apply: the dial", INNER
    FINAL = "final", "apply: verdicts", INNER
    SETTLE = "settle", "apply: final verdicts"
    SEARCH = "search", "select: proxies"
    COUNT = "count", "tokenizer: count"
    TOKENIZER = "tokenizer", "tokenizer: merge"
    SCATTER = "scatter", "shards: scatter", INNER
    SHARDS = "shards"
    SIZE = "size"
    MIX = "mix"
    PUBLISH_REST = "publish_rest", "publish: not kept"
    INDEX = "index", "publish: index"
    PUBLISH = "publish", "publish: kept"
    USES = "uses", "publish: uses"
    AUDIT = "audit"
    EXPORT = "export"
    REPORT = "report"


NAMES = frozenset(step.value for step in Step)

LOWER: dict[str, str] = {
    Step.COUNT: "tokenizer.max_sample_bytes",
    Step.TOKENIZER: "tokenizer.max_sample_bytes",
    Step.SCATTER: "shards.shard_bytes",
    Step.SHARDS: "shards.shard_bytes",
    Step.PUBLISH: "shards.shard_bytes",
}
"""The setting that says how much one task of a step holds."""


def label_of(step: str) -> str:
    """What a step is called for a person; a step that another package adds, by its name."""
    return Step(step).label if step in NAMES else step


def is_inner(step: str) -> bool:
    """Whether it is shown only while it runs."""
    return step in NAMES and Step(step).is_inner


def out_of_memory(step: str) -> str:
    """What to do when a worker of this step died, which is usually for want of memory."""
    what = f"lower {LOWER[step]}, or give Ray fewer CPUs" if step in LOWER else "give Ray fewer CPUs or smaller shards"
    return f"Usually memory: {what}, then run the same command again."
