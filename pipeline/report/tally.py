"""Counting for the report: verdicts, histograms with their thresholds, and samples, from Arrow tables."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.partition import id_fractions
from pipeline.core.settings import JudgeSettings
from pipeline.report.stats import Histogram, Reason, SourceRow, Verdict

BINS = 36
SEVERAL = "several"
"""The licence of a source whose documents differ in theirs."""
SAMPLE_CHARACTERS = 1200


def reasons(documents: pa.Table, verdicts: pa.Table, order: Sequence[str] = ()) -> list[Reason]:
    """First reasons with documents, bytes and pre-tokens, in the order of stages given, then by size.

    `documents` has text_bytes and num_pretokens, `verdicts` verdict, stage, rule and reasons, row by row.
    """
    table = pa.table(
        {
            "verdict": verdicts["verdict"],
            "stage": verdicts["stage"],
            "rule": verdicts["rule"],
            "text_bytes": documents["text_bytes"],
            "pretokens": documents["num_pretokens"],
        }
    ).filter(pc.not_equal(verdicts["verdict"], "kept"))
    grouped = table.group_by(["verdict", "stage", "rule"]).aggregate(
        [("text_bytes", "sum"), ("pretokens", "sum"), ([], "count_all")]
    )
    lists = pc.list_flatten(verdicts["reasons"])
    hits = {row["values"]: row["counts"] for row in pc.value_counts(lists).to_pylist()} if len(lists) else {}
    place = {stage: number for number, stage in enumerate(order)}
    found = [
        Reason(
            stage=row["stage"] or "unknown",
            rule=row["rule"] or "unknown",
            verdict=row["verdict"],
            documents=row["count_all"],
            text_bytes=row["text_bytes_sum"] or 0,
            pretokens=row["pretokens_sum"] or 0,
            hits=hits.get(f"{row['stage']}.{row['rule']}"),
        )
        for row in grouped.to_pylist()
    ]
    return sorted(found, key=lambda r: (place.get(r.stage, len(place)), -r.documents, r.stage, r.rule, r.verdict))


def _only(licences: set[str | None]) -> str:
    """The one licence; a forgotten document has none."""
    return (next(iter(licences), None) or "unknown") if len(licences) < 2 else SEVERAL


def source_rows(documents: pa.Table, verdicts: pa.Table) -> list[SourceRow]:
    """One row per source and role. `documents` has source, role, licence, raw_bytes and num_pretokens."""
    role = verdicts["role"] if "role" in verdicts.column_names else documents["role"]
    table = pa.table(
        {
            "source": documents["source"],
            "role": role,
            "licence": documents["licence"],
            "raw_bytes": documents["raw_bytes"],
            "pretokens": documents["num_pretokens"],
            "verdict": verdicts["verdict"],
        }
    )
    rows: dict[tuple[str, str], SourceRow] = {}
    licences: dict[tuple[str, str], set[str | None]] = {}
    keys = ["source", "role", "verdict"]
    grouped = table.group_by(keys).aggregate(
        [("raw_bytes", "sum"), ("pretokens", "sum"), ("licence", "min_max"), ([], "count_all")]
    )
    for row in grouped.to_pylist():
        key = (row["source"] or "", row["role"] or "")
        empty = SourceRow(name=key[0], role=key[1], documents_in=0, kept=0, removed=0, quarantined=0)
        found = rows.setdefault(key, empty)
        licences.setdefault(key, set()).update(row["licence_min_max"].values())
        found.licence = _only(licences[key] - {None})
        found.documents_in += row["count_all"]
        verdict: Verdict = row["verdict"]
        setattr(found, verdict, row["count_all"])
        found.raw_bytes += row["raw_bytes_sum"] or 0
        found.extracted_pretokens += row["pretokens_sum"] or 0
        if verdict == "kept":
            found.kept_pretokens = row["pretokens_sum"] or 0
    return [rows[key] for key in sorted(rows, key=lambda key: (key[1], key[0]))]


def histogram(
    judge: str,
    signal: str,
    values: pa.Array | pa.ChunkedArray,
    *,
    lower: float | None = None,
    upper: float | None = None,
) -> Histogram:
    """A histogram over the middle 99 % of the values, widened to show the thresholds; the tails go to its ends."""
    numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
    known = numbers[np.isfinite(numbers)]
    missing = len(numbers) - len(known)
    if len(known) == 0:
        return Histogram(
            judge=judge, signal=signal, edges=[0.0, 1.0], counts=[0], missing=missing, lower=lower, upper=upper
        )
    low, high = (float(x) for x in np.quantile(known, [0.005, 0.995]))
    for bound in (lower, upper):
        if bound is not None:
            low, high = min(low, bound), max(high, bound)
    size = max(1.0, abs(low), abs(high))
    if high - low <= 1e-6 * size:  # one value, as far as a person can see
        low, high = low - size / 2, high + size / 2
    # Room beyond the outermost threshold, so that its line does not stand on the border.
    high += (high - low) * 0.05 if upper is not None and high == upper else 0
    edges = np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(np.clip(known, low, high), edges)
    gone = int((known < lower).sum()) if lower is not None else 0
    gone += int((known > upper).sum()) if upper is not None else 0
    return Histogram(
        judge=judge,
        signal=signal,
        edges=[float(x) for x in edges],
        counts=[int(x) for x in counts],
        missing=missing,
        lower=lower,
        upper=upper,
        removed=gone,
    )


def threshold_histograms(judge: str, settings: JudgeSettings, signals: pa.Table) -> list[Histogram]:
    """One histogram for every signal that a threshold of the recipe compares."""
    bounds: dict[str, dict[str, float]] = {}
    for _, signal, side, value in sorted(settings.bounds()):
        kind = signals.schema.field(signal).type if signal in signals.column_names else pa.null()
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            bounds.setdefault(signal, {})["upper" if side == "max" else "lower"] = float(value)
    return [
        histogram(judge, signal, signals[signal], lower=found.get("lower"), upper=found.get("upper"))
        for signal, found in bounds.items()
    ]


def sample_rows(ids: pa.Array | pa.ChunkedArray, mask: np.ndarray, count: int) -> list[int]:
    """Rows to show: of those in `mask`, the first `count` in the order of a hash of their ids."""
    rows = np.flatnonzero(mask)
    order = id_fractions(ids, "report")[rows]
    return [int(row) for row in rows[np.argsort(order, kind="stable")][:count]]


def shortened(text: str, characters: int = SAMPLE_CHARACTERS) -> tuple[str, bool]:
    """The beginning of a text, cut at a space where one is near, and whether anything was left out."""
    if len(text) <= characters:
        return text, False
    cut = text.rfind(" ", characters - 80, characters)
    return text[: cut if cut > 0 else characters], True
