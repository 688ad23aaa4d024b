"""A finished run in Python: what `pipeline.open_run(path)` gives.

>>> run = pipeline.open_run("runs/finance")                                          # doctest: +SKIP
>>> run.documents(verdict="removed", where="gopher_num_words < 80").to_pandas()      # doctest: +SKIP
"""

from collections.abc import Mapping
from functools import cached_property
from html import escape
from typing import Any

from pipeline.ask import explain, whatif
from pipeline.ask.diff import compare
from pipeline.ask.documents import Documents
from pipeline.ask.tables import Tables
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.report.run_report import FunnelStep, funnel
from pipeline.report.stats import Reason, Totals

REASONS = """
SELECT verdict, coalesce(stage, 'unknown') AS stage, coalesce(rule, 'unknown') AS rule, count(*) AS documents,
  coalesce(sum(text_bytes), 0)::BIGINT AS text_bytes, coalesce(sum(num_pretokens), 0)::BIGINT AS pretokens
FROM {table} WHERE verdict <> 'kept' GROUP BY ALL ORDER BY pretokens DESC, documents DESC, stage, rule
"""
TOTALS = """
SELECT count(*) AS documents_in, count(*) FILTER (verdict = 'kept') AS kept, count(*) FILTER (verdict = 'removed') AS removed,
  count(*) FILTER (verdict = 'quarantined') AS quarantined, coalesce(sum(num_pretokens), 0)::BIGINT AS extracted_pretokens,
  coalesce(sum({kept}) FILTER (verdict = 'kept'), 0)::BIGINT AS kept_pretokens FROM {table}
"""


class FinishedRun:
    """A run folder, on disk or under any fsspec URL. Nothing of its texts and signals is read before it is asked for.

    `folder` is the run as the steps see it, `tables` its documents as one DuckDB view.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def tables(self) -> Tables:
        """See `pipeline.ask.tables`. Raises UsageError when nothing is decided yet."""
        return Tables(self.folder)

    @cached_property
    def standing(self) -> whatif.Standing:
        """What another bound is compared with. Raises UsageError when nothing is decided yet."""
        return whatif.Standing(self.folder)

    def documents(
        self,
        *,
        where: str | None = None,
        rule: str | None = None,
        grep: str | None = None,
        ignore_case: bool = False,
        show: bool = False,
        **equals: Any,
    ) -> Documents:
        """Documents, lazily, with `.to_pandas()`, `.to_polars()`, `.to_arrow()`, `.rows()` and `.export(file)`.

        `where` is SQL over the columns, such as "host = 'x' and gopher_num_words < 80" (signals are `judge_column`); `rule` takes
        `gopher.min_num_words`, `gopher` or `pii.phone`; `grep` is a part of the published text; `verdict="removed"`,
        `source="news"`, `host="*.sec.gov"` and any other column may be given by name. Texts that filters of abuse removed are
        masked unless `show`. Raises UsageError for what cannot be read.
        """
        return Documents(self.tables, show=show).where(where, rule=rule, grep=grep, ignore_case=ignore_case, **equals)

    def sample(self, count: int, *, near: str | None = None, **filters: Any) -> Documents:
        """`count` documents by a hash of their ids, the same every time; with `near="gopher_num_words=50"` the `count` nearest to
        that value on each side. `filters` are those of `documents`."""
        found = self.documents(**filters)
        return found.near(near, count) if near else found.sample(count)

    def explain(self, document: str, *, show: bool = False) -> dict[str, Any]:
        """Everything the run knows of one document by id, URL, path, file name, or a part that only one has. Raises
        UsageError."""
        shard, row = explain.places(self.folder, document)[0]
        return explain.account(self.tables, shard, row, show)

    def whatif(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """What `{"gopher.min_num_words": 80}` would keep: see `pipeline.ask.whatif`; or `{"select.keep": 0.1}`, by itself."""
        return whatif.answer(self.folder, changes, lambda: self.standing)

    def diff(self, other: "FinishedRun | str") -> dict[str, Any]:
        """What changed in another run or folder: settings; documents and pre-tokens by kind of change, rule and source."""
        there = other if isinstance(other, FinishedRun) else FinishedRun(open_run(str(other)))
        return compare(self.tables, there.tables)

    def reasons(self) -> list[Reason]:
        """First reasons with their documents and pre-tokens, the rule that costs most first."""
        return [Reason.model_validate(row) for row in self.tables.rows(REASONS.format(table=self.tables.light))]

    def totals(self) -> Totals:
        """Documents and pre-tokens of the run; of kept ones as published, after cuts and masks, where they are."""
        kept = "published_pretokens" if "published_pretokens" in self.tables.columns else "num_pretokens"
        return Totals.model_validate(self.tables.rows(TOTALS.format(table=self.tables.light, kept=kept))[0])

    def funnel(self) -> list[FunnelStep]:
        """The way down from extracted to kept by first reason, in documents and pre-tokens, stages in the recipe's order."""
        order = {stage: number for number, stage in enumerate(["ingest", "extract", *self.folder.judges])}
        reasons = sorted(self.reasons(), key=lambda reason: order.get(reason.stage, len(order)))
        return funnel(self.totals(), reasons)

    def _repr_html_(self) -> str:
        """The funnel as a table, for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(step.stage)}</td><td>{step.removed_documents:,}</td><td>{step.removed_pretokens:,}</td>"
            f"<td>{step.left_documents:,}</td><td>{step.left_pretokens:,}</td></tr>"
            for step in self.funnel()
        )
        names = ("stage", "documents removed", "pre-tokens removed", "documents left", "pre-tokens left")
        head = "".join(f"<th>{name}</th>" for name in names)
        totals = self.totals()
        said = f"{totals.kept:,} of {totals.documents_in:,} documents kept"
        return f"<p>{escape(self.folder.store.root)}: {said}</p><table><tr>{head}</tr>{rows}</table>"
