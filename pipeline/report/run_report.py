"""The report of a run as one model, and its funnel."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pipeline.report import stats
from pipeline.report.provenance import Provenance


class Place(stats.Figure):
    """Where something lies, relative to the run folder."""

    path: str
    what: str


class FileRow(stats.Figure):
    """Files of one source, kind and outcome that were not read."""

    source: str
    kind: str
    outcome: str
    reason: str
    first: str
    """The first of them."""
    files: int = 0
    bytes: int = 0


class RunReport(stats.Figure):
    """Everything report.html shows. Sections whose data is empty are left out."""

    name: str
    domain: str = ""
    use: str = ""
    out: str = ""
    exit: int = 0
    root_hash: str = ""
    version: str = ""
    totals: stats.Totals
    reasons: list[stats.Reason] = []
    cuts: list[stats.Cut] = []
    taken: list[stats.TakenRow] = []
    hosts: list[stats.HostRow] = []
    edges: list[stats.Edge] = []
    sources: list[stats.SourceRow] = []
    file_sentence: str = ""
    files: list[FileRow] = []
    rights: list[stats.RightsRow] = []
    provenance: Provenance = Provenance()
    """What the cards say of sources; null in reports of earlier versions."""
    contamination: list[stats.ItemRow] = []
    languages: list[stats.Count] = []
    histograms: list[stats.Histogram] = []
    kept_samples: list[stats.Sample] = []
    removed_samples: list[stats.Sample] = []
    bias: list[stats.BiasRow] = []
    bias_audit: dict[str, Any] | None = None
    """Bias.json without its rows."""
    classifiers: dict[str, dict[str, Any]] = {}
    """By judge, as `classifier_cards.figures` says."""
    dial: dict[str, Any] | None = None
    """Of `select:`: its bounds, what it did by source and role."""
    duplicates: stats.Duplicates | None = None
    mix: dict[str, Any] | None = None
    """MixPlan as a dictionary."""
    tokenizer: stats.TokenizerFigures | None = None
    plan: dict[str, Any] | None = None
    """PlanResult.to_json()."""
    training: stats.Training | None = None
    truth: list[stats.TruthRow] = []
    gates: list[stats.Gate] = []
    timings: list[stats.Timing] = []
    places: list[Place] = []
    notes: list[str] = []

    @property
    def red_gates(self) -> list[stats.Gate]:
        """Gates that fail the run."""
        return [gate for gate in self.gates if gate.gating and gate.passed is False]

    @property
    def verdict(self) -> tuple[Literal["good", "bad"], str]:
        """Whether the run may be used, and a sentence that says why."""
        totals = self.totals
        if not totals.conserved:
            return "bad", "Documents do not add up: do not use this corpus, and report a defect."
        measured = [gate for gate in self.gates if gate.passed is not None]
        unmeasured = [gate.name for gate in self.gates if gate.passed is None]
        every = f"Every one of {totals.documents_in + totals.children:,} documents is accounted for"
        if self.red_gates:
            names = ", ".join(gate.name for gate in self.red_gates)
            failed = f"{len(self.red_gates)} of {len(measured)} gates {'that measured something ' if unmeasured else ''}failed"
            return "bad", f"{every}, but {failed}: {names}."
        checks = f", and all {len(measured)} gates passed" if measured else ""
        if warned := [gate.name for gate in measured if not gate.passed]:
            checks = f"; reported, not gating: {', '.join(warned)}"
        if unmeasured:
            checks += f"; not measured: {', '.join(unmeasured)}"
        return "good", f"{every}{checks}."


class FunnelStep(stats.Figure):
    """What is left after a stage, and what the stage took, in documents and pre-tokens of extracted text."""

    stage: str
    removed_documents: int
    removed_pretokens: int
    left_documents: int
    left_pretokens: int


def funnel(totals: stats.Totals, reasons: Iterable[stats.Reason]) -> list[FunnelStep]:
    """The way down from extracted to kept by first reason, stages in the order given."""
    stages: dict[str, list[int]] = {}
    for reason in reasons:
        if reason.verdict == "removed":
            taken = stages.setdefault(reason.stage, [0, 0])
            taken[0] += reason.documents
            taken[1] += reason.pretokens
    documents = totals.documents_in + totals.children - totals.quarantined
    pretokens = totals.extracted_pretokens
    steps = []
    for stage, (gone, tokens) in stages.items():
        documents, pretokens = documents - gone, pretokens - tokens
        steps.append(
            FunnelStep(
                stage=stage,
                removed_documents=gone,
                removed_pretokens=tokens,
                left_documents=documents,
                left_pretokens=pretokens,
            )
        )
    return steps


def shares(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """(name, count, share of the sum), largest first, ties by name."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name, count, count / total if total else 0.0) for name, count in ordered]
