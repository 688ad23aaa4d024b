"""Names that a person gives of a run: a wrong one is answered with the nearest right one, as nothing found would look like an
answer."""

from typing import Any

from pipeline.ask.tables import Tables, quoted
from pipeline.core.judge import judges
from pipeline.core.settings import side_of
from pipeline.core.steps import Step
from pipeline.decide.rules import DUPLICATE_STAGES
from pipeline.errors import UsageError, near

VERDICTS = ("kept", "removed", "quarantined")
CHECKED = ("verdict", "source", "role", "host")
"""Columns whose values are names of the run."""
OTHER_STAGES = ("ingest", "extract", "measure", "apply", "select", "overrides", "exclude_ids")
"""Stages that give reasons beside the judges."""


def check_value(tables: Tables, name: str, value: Any, test: str, option: str) -> None:
    """Raise UsageError unless a document of the run passes `test`, the SQL for a column having this value."""
    if value is None or name not in CHECKED:
        return
    if name == "verdict":
        known: set[Any] = set(VERDICTS)
        if value in known:
            return
    elif tables.rows(f"SELECT 1 FROM {tables.known} WHERE {test} LIMIT 1"):
        return
    else:
        known = {row["v"] for row in tables.rows(f"SELECT DISTINCT {quoted(name)} AS v FROM {tables.known}")}
    raise UsageError(f"{option}{name} {value}: this run has no such {name}{near(str(value), known - {'', None})}")


def rules_of(tables: Tables, stage: str) -> set[str]:
    """Rules and kinds of spans that a judge of the run can name, whether they hit anything here or not."""
    judge, opened = judges()[stage], tables.opened
    names = {name for name in judge.settings.decided_fields() if side_of(name)}
    names |= {column.removeprefix("num_") for column in judge.columns if column.startswith("num_") and judge.cuts}
    names |= {"duplicate", "in_index"} if stage in DUPLICATE_STAGES else set()
    if judge.custom_rules is not None and opened.has(Step.DECIDE):
        settings = judge.settings.model_validate(opened.commit(Step.DECIDE).parts["settings"]["judges"][stage])
        signals = opened.signals(stage, opened.shards[0]).slice(0, 0)
        names |= set(judge.custom_rules(signals, settings))
    return {f"{stage}.{name}" for name in names}


def check_rule(tables: Tables, rule: str, test: str, option: str, table: str = "documents") -> str | None:
    """Raise UsageError for a stage or a rule that the run does not have; returns a remark when it hit nothing. `test`: the SQL
    for a document of `table` being hit."""
    if tables.rows(f"SELECT 1 FROM {table} WHERE {test} LIMIT 1"):
        return None
    stage, _, name = rule.partition(".")
    rows = tables.rows(f"SELECT DISTINCT unnest(reasons) AS r FROM {tables.known}")
    rules = {row["r"] for row in rows if row["r"]}
    stages = {one.partition(".")[0] for one in rules} | {*tables.opened.judges, *OTHER_STAGES}
    if stage not in stages:
        raise UsageError(f"{option}rule {rule}: this run has no such stage{near(rule, rules | stages)}")
    known = {one for one in rules if one.startswith(f"{stage}.")}
    known |= rules_of(tables, stage) if stage in judges() else set()
    if name and stage in judges() and rule not in known:
        raise UsageError(f"{option}rule {rule}: {stage} has no such rule{near(rule, known)}")
    return f"no document was hit by {rule}"
