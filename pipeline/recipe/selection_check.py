"""Whether a recipe's `select:` can work with its judges and sources."""

from collections.abc import Sequence

from pipeline.apply.select_settings import SelectSettings
from pipeline.core.judge import judges
from pipeline.errors import UsageError, near


def check_selection(told: SelectSettings, names: Sequence[str], given: set[str], sources: set[str]) -> None:
    """Raise ValueError, in one sentence, for a source, a signal or a condition that the run will not have.

    `names`: its judges; `given`: those under `curate:`; `sources`: of every set.
    """
    if unknown := [source for source in told.exempt if source not in sources]:
        raise ValueError(f"select.exempt: there is no source {unknown[0]!r}{near(unknown[0], sources)}")
    if told.where is not None:
        from pipeline.apply.select_where import condition_of  # DuckDB, which a recipe without a condition does not load

        try:
            condition_of(told.where, tuple(names))
        except UsageError as error:
            raise ValueError(str(error)) from error
    if not told.ranks:
        return
    known = {f"{judge}.{one}" for judge, own in judges().items() for one in own.columns}
    if told.by not in known:
        raise ValueError(f"select.by: there is no signal {told.by!r}{near(told.by, known)}")
    if told.judge != "quality" and told.judge not in given:
        raise ValueError(f"select.by: put the judge {told.judge!r} under curate")
    if told.per == "language" and "language" not in names:
        raise ValueError("select.per language needs the judge language")
