"""What a report says: the data model, and pure functions that count it from Arrow tables.

Every share here names its denominator. Pre-tokens are counted by one fixed rule before a tokenizer exists; tokens are
the trained tokenizer's.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["kept", "removed", "quarantined"]


class Figure(BaseModel):
    """Base of the report's models: plain data, unknown keys refused, readable from `report.json`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Totals(Figure):
    """Documents and text of the whole run. Bytes are of UTF-8 text after extraction, raw bytes of payloads."""

    documents_in: int
    children: int = 0
    kept: int
    removed: int
    quarantined: int
    raw_bytes: int = 0
    raw_pretokens: int = 0
    extracted_bytes: int = 0
    extracted_pretokens: int = 0
    kept_bytes: int = 0
    kept_pretokens: int = 0
    kept_tokens: int | None = None

    @property
    def conserved(self) -> bool:
        """Whether every document that came in has exactly one verdict."""
        return self.documents_in + self.children == self.kept + self.removed + self.quarantined

    @property
    def kept_of_raw(self) -> float:
        """Kept pre-tokens over raw ones, markup included."""
        return self.kept_pretokens / self.raw_pretokens if self.raw_pretokens else 0.0

    @property
    def kept_of_extracted(self) -> float:
        """Kept pre-tokens over extracted ones."""
        return self.kept_pretokens / self.extracted_pretokens if self.extracted_pretokens else 0.0


class Reason(Figure):
    """Documents whose first reason is `stage.rule`. `hits` counts those the rule hit at all, first or not."""

    stage: str
    rule: str
    verdict: Verdict = "removed"
    documents: int
    text_bytes: int = 0
    pretokens: int = 0
    hits: int | None = None


class Cut(Figure):
    """What a rule cut or masked inside documents that stayed documents."""

    rule: str
    documents: int
    bytes_cut: int
    bytes_inserted: int = 0
    by_source: dict[str, int] = {}
    """Documents by source."""


class SourceRow(Figure):
    """One source: what came in, what became of it, and what it weighs in the corpus."""

    name: str
    role: str
    licence: str = "unknown"
    documents_in: int
    kept: int
    removed: int
    quarantined: int
    raw_bytes: int = 0
    extracted_pretokens: int = 0
    kept_pretokens: int = 0
    kept_tokens: int | None = None


class Verdicts(Figure):
    """Documents by verdict."""

    documents: int
    kept: int = 0
    removed: int = 0
    quarantined: int = 0


class RightsRow(Verdicts):
    """Documents of one source under one licence, with one mining signal and one robots.txt answer."""

    source: str = ""
    licence: str
    tdm: str
    robots: str
    documents: int = 0
    kept_pretokens: int = 0


class ItemRow(Verdicts):
    """A benchmark item, as file#record, and the documents that hold it. Of kept ones its sentences are cut, unless it is a stock
    phrase of the corpus."""

    item: str
    is_stock: bool = False


class Count(Figure):
    """A name, how many documents it stands for, and pre-tokens of the kept ones."""

    name: str
    documents: int
    kept_pretokens: int = 0


class Histogram(Figure):
    """A signal over extracted documents: `counts[i]` lie in edges[i] to edges[i + 1]; tails are in the ends."""

    judge: str
    signal: str
    edges: list[float]
    counts: list[int]
    missing: int = 0
    lower: float | None = None
    """Documents below are removed."""
    upper: float | None = None
    """Documents above are removed."""
    removed: int = 0


class Sample(Figure):
    """A document shown in the report. `text` has its personal data masked already; `hidden` folds it until clicked."""

    id: str
    url: str = ""
    source: str = ""
    verdict: Verdict
    reasons: list[str] = []
    duplicate_of: str | None = None
    text: str
    shortened: bool = False
    hidden: bool = False


class BiasRow(Figure):
    """Who a stage removes: documents with a term against those with another of the axis (see pipeline.audit.bias)."""

    stage: str
    axis: str
    term: str
    documents_with: int = 0
    kept_with: int = 0
    kept_share_with: float | None
    documents_others_in_axis: int = 0
    kept_share_others_in_axis: float | None
    ratio: float | None
    wilson_low: float | None
    wilson_high: float | None
    verdict: Literal["pass", "warn", "fail", "too_few"]
    examples: list[str] = []
    """Ids of a few removed documents, of rows that warn or fail."""


class Cluster(Figure):
    """One duplicate cluster, shown as an example."""

    documents: int
    survivor: str
    kind: str = "minhash"
    url: str = ""
    copies: list[str] = []
    """A few of the documents that the survivor stands for, by address or id."""
    lowest: float = 1.0
    """How alike the least alike of them is to the survivor."""


class TakenRow(Figure):
    """What a rule takes as first reason, by source, in documents and in pre-tokens."""

    rule: str
    documents: dict[str, int] = {}
    pretokens: dict[str, int] = {}


class HostRow(Figure):
    """One host: what came in and stayed, and the rule that takes most of its pre-tokens."""

    host: str
    documents: int = 0
    kept_documents: int = 0
    pretokens: int = 0
    kept_pretokens: int = 0
    rule: str = ""
    rule_pretokens: int = 0


class EdgeDocument(Figure):
    """A document near a threshold, with the value that is compared and how its text, masked, begins."""

    id: str
    url: str = ""
    source: str = ""
    verdict: Verdict
    value: float
    text: str


class Edge(Figure):
    """A threshold and the documents nearest to it on both sides, in the order of their values."""

    rule: str
    bound: float
    documents: list[EdgeDocument]


class Duplicates(Figure):
    """What deduplication found over all extracted documents."""

    exact_clusters: int = 0
    exact_documents: int = 0
    near_clusters: int = 0
    near_documents: int = 0
    removed: int = 0
    delta: dict[str, int] | None = None
    """Against earlier runs, where there are any: documents, removed_in_index, removed_among_themselves, new."""
    largest: list[Cluster] = []


class Term(Figure):
    """A domain term: its tokens without and with a space before it, and what the filters did to its documents.

    See pipeline.audit.term_survival for the figures; they are None, and the verdict empty, where nothing was measured.
    """

    term: str
    gloss: str = ""
    tokens: list[str]
    tokens_with_space: list[str] = []
    aligned: bool | None = None
    """Whether tokens begin and end where the term does within a sentence."""
    documents: int | None = None
    kept: int | None = None
    kept_share: float | None = None
    ratio: float | None = None
    """Its kept share over that of all documents."""
    documents_domain: int | None = None
    kept_domain: int | None = None
    ratio_domain: float | None = None
    """The same among documents of the role domain."""
    removed_by: dict[str, int] = {}
    mentions_domain: int | None = None
    mentions_general: int | None = None
    keyness: float | None = None
    log_ratio: float | None = None
    verdict: Literal["pass", "warn", "too_few", "absent", ""] = ""


class TokenizerFigures(Figure):
    """The trained tokenizer. Fertility is tokens per word."""

    vocab_size: int
    tokens: int = 0
    bytes_per_token: float | None = None
    fertility: float | None = None
    by_source: dict[str, float] = {}
    """Bytes per token by source."""
    asked: int | None = None
    """Entries asked for; more than `vocab_size` where the text gave no more."""
    references: dict[str, float] = {}
    """Bytes per token of other tokenizers on the same text, by name."""
    judged: dict[str, Any] = {}
    """`tokenizer.judge.to_json`: use of the vocabulary, losslessness, digits, the best size, other tokenizers."""
    terms: list[Term] = []
    term_warnings: list[str] = []


class CurvePoint(Figure):
    """One logged training step. `val` are bits per byte by source or role."""

    step: int
    loss: float | None = None
    tokens: int = 0
    val: dict[str, float] = {}


class Written(Figure):
    """A text of the trained model: what was asked, after which words, and what it wrote."""

    kind: str
    prompt: str = ""
    text: str


class Likeness(Figure):
    """Shares of words that are more frequent in domain than in general training text; `unknown` words are of neither."""

    generated: float | None = None
    held_out_domain: float | None = None
    held_out_general: float | None = None
    words: int = 0
    unknown: float = 0.0


class Score(Figure):
    """A score of the trained model on a task, with its 95 % interval where it has one."""

    task: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    examples: int | None = None


class Training(Figure):
    """The training run, where there was one."""

    points: list[CurvePoint] = []
    seconds: float | None = None
    device: str = ""
    tokens_per_second: float | None = None
    note: str = ""
    samples: list[Written] = []
    likeness: Likeness = Likeness()
    scores: list[Score] = []


class TruthRow(Figure):
    """One kind of planted document: how many should have been dropped, or kept, and how many were."""

    kind: str
    documents: int
    wanted: Literal["kept", "dropped"]
    right: int


class Gate(Figure):
    """A gate: what was measured, what was allowed, whether it may fail the run. `passed` is null when nothing was measured."""

    name: str
    measured: str
    bound: str = ""
    passed: bool | None
    gating: bool = True


class Timing(Figure):
    """A step of the run. `why` says in one phrase why it was reused or rerun."""

    step: str
    seconds: float
    documents: int | None = None
    bytes: int | None = None
    reused: bool = False
    why: str = ""
