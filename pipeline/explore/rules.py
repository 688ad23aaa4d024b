"""The pages of rules: what each takes of which source and host, and one rule with its histogram and another threshold."""

from typing import Any

import yaml
from starlette.datastructures import QueryParams

from pipeline.ask.documents import Documents, hit_by, marks_spans
from pipeline.ask.tables import MARKS_TABLE, quoted
from pipeline.core.judge import judges
from pipeline.core.settings import side_of
from pipeline.core.steps import Step
from pipeline.errors import UsageError, near
from pipeline.explore.browse import by_ids, count_of, listed
from pipeline.explore.page import Explorer, Page, number
from pipeline.report.charts import funnel_chart, histogram_chart
from pipeline.report.tally import histogram

COLUMNS, ROWS, EXAMPLES = 8, 40, 5
PRETOKENS = "coalesce(sum(num_pretokens), 0)::BIGINT"
TAKEN = "coalesce(stage, 'unknown') || '.' || coalesce(rule, 'unknown')"


def matrix(explorer: Explorer, column: str) -> dict[str, Any]:
    """What each rule takes as first reason by a column, in documents and pre-tokens: the rules and values of most pre-tokens."""
    tables = explorer.run.tables
    rows = tables.rows(
        f"SELECT {TAKEN} AS taken, {column} AS value, count(*) AS documents, {PRETOKENS} AS pretokens "
        f"FROM {tables.light} WHERE verdict <> 'kept' GROUP BY ALL"
    )
    by_rule: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for row in rows:
        value = row["value"] or "(none)"
        one = by_rule.setdefault(row["taken"], {"rule": row["taken"], "documents": 0, "pretokens": 0, "by": {}})
        for name in ("documents", "pretokens"):
            one[name] += row[name]
        one["by"][value] = {"documents": row["documents"], "pretokens": row["pretokens"]}
        sizes[value] = sizes.get(value, 0) + row["pretokens"]
    shown = sorted(sizes, key=lambda value: (-sizes[value], value))[:COLUMNS]
    ordered = sorted(by_rule.values(), key=lambda one: (-one["pretokens"], -one["documents"], one["rule"]))
    return {"column": column, "values": shown, "rules": ordered[:ROWS]}


def rules(explorer: Explorer, asked: QueryParams) -> Page:
    """Funnel, and rule × source and rule × host."""
    run = explorer.run
    steps, totals = run.funnel(), run.totals()
    data = {
        "totals": totals.model_dump(exclude_unset=True),
        "funnel": [step.model_dump() for step in steps],
        "matrices": [matrix(explorer, column) for column in ("source", "host")],
        "unit": "documents" if asked.get("unit") == "documents" else "pretokens",
    }
    return Page("rules", "Rules", data, {"chart": funnel_chart(totals, steps)})


def bound_of(explorer: Explorer, name: str) -> tuple[str, float | None, str | None]:
    """(judge, the bound as decided, its signal's column) of a rule; no signal when the rule is no comparison."""
    judge, _, field = name.partition(".")
    run = explorer.run.folder
    settings = run.commit(Step.DECIDE).parts["settings"]["judges"].get(judge) if run.has(Step.DECIDE) else None
    side = side_of(field)
    column = f"{judge}_{side[1]}" if side else None
    if settings is None or side is None or field not in judges()[judge].settings.decided_fields():
        return judge, None, None
    return judge, settings.get(field), column if column in explorer.run.tables.columns else None


def rule(explorer: Explorer, asked: QueryParams) -> Page:
    """One rule: what it takes where, documents at its bound, and with `value=` what another bound would do: the code of
    `whatif`."""
    name, tables = asked.get("name") or "", explorer.run.tables
    judge, bound, column = bound_of(explorer, name)
    if bound is None:
        known = {row["r"] for row in tables.rows(f"SELECT DISTINCT unnest(reasons) AS r FROM {tables.light}")}
        if name not in known:
            raise UsageError(f"{name[:80]}: no rule of that name removes anything in this run{near(name, known)}")
    needed = ["reasons", *([column] if column else []), *([MARKS_TABLE] if marks_spans(tables, name) else [])]
    table = tables.holding(needed)
    found = Documents(tables, table=table).having(hit_by(tables, name, table))
    data: dict[str, Any] = {"rule": name, "bound": bound, "signal": column, "hit": len(found), "answer": None}
    for by in ("source", "host"):
        with tables.explained():
            sums = f"{by} AS value, count(*) AS documents, {PRETOKENS} AS pretokens"
            counted = found.relation.aggregate(sums, by).order("pretokens DESC, value").limit(ROWS).to_arrow_table()
        data[f"by_{by}"] = counted.to_pylist()
    drawn: dict[str, Any] = {}
    if column is not None and bound is not None:
        value = number("value", asked["value"]) if asked.get("value") else float(bound)
        drawn, edge = _drawn(explorer, judge, name, column, value)
        # The documents just beyond the bound: those that a slightly different one would bring back.
        ordered = found.sorted(column, descending=side_name(name) == "min")
        data["nearest"] = listed(ordered.first(EXAMPLES * 2), [column])
        data["histogram"] = edge
        if asked.get("value"):
            data["answer"] = answered(explorer, name, value)
            drawn["yaml"] = yaml.safe_dump(
                {"curate": [{judge: {name.partition(".")[2]: _plain(value)}}]}, sort_keys=False
            )
            chosen = {side: data["answer"][side]["examples"][:EXAMPLES] for side in ("back", "gone")}
            shown = by_ids(explorer, [own for ids in chosen.values() for own in ids])
            drawn["examples"] = {side: [row for row in shown if row["id"] in ids] for side, ids in chosen.items()}
        drawn["value"] = _plain(value)
    else:
        data["nearest"] = listed(found.sample(EXAMPLES * 2))
    return Page(
        "rule",
        name,
        data,
        {"all": count_of(explorer), "value": None, "chart": None, "yaml": None, "examples": {}, **drawn},
    )


def side_name(rule_name: str) -> str:
    """ "min" or "max"; "" for a rule that is no comparison."""
    side = side_of(rule_name.partition(".")[2])
    return side[0] if side else ""


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def answered(explorer: Explorer, name: str, value: float) -> dict[str, Any]:
    """`whatif` with one other bound."""
    with explorer.answering:
        return explorer.run.whatif({name: _plain(value)})


def _drawn(
    explorer: Explorer, judge: str, name: str, column: str, value: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The histogram of a rule's signal with a bound, as a drawing and as numbers."""
    tables = explorer.run.tables
    query = f"SELECT {quoted(column)} AS v FROM {tables.holding([column])} WHERE verdict <> 'quarantined'"
    values = tables.query(query).to_arrow_table()["v"]
    side = {"lower" if side_name(name) == "min" else "upper": value}
    found = histogram(judge, column.removeprefix(f"{judge}_"), values, **side)
    low, high = found.edges[0], found.edges[-1]
    if value > max(low, 0):  # a long tail would leave the slider no places near the bound
        high = min(high, 4 * value)
    return {"chart": histogram_chart(found), "low": low, "high": high, "step": (high - low) / 200}, found.model_dump()
