"""The page of documents: every filter is a parameter of its address, so that a state can be sent to somebody else."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, cast

from starlette.datastructures import QueryParams

from pipeline.ask.documents import Documents, equal, marks_spans, signal_wanted
from pipeline.ask.tables import MARKS_TABLE, Relation, literal, quoted
from pipeline.core.condition import columns_named, nodes
from pipeline.core.steps import Step
from pipeline.errors import UsageError
from pipeline.explore.page import KINDS, Download, Explorer, Page, number, whole

FACETS = ("verdict", "stage", "rule", "source", "role", "host", "language_label", "licence", "year", "doc_type", "tdm")
FACET_VALUES = 12
ROWS, MOST_ROWS = 25, 500
SECONDS = 0.5
"""Of a text search until a page shows how far it came, and goes on."""
SNIPPET = 180
SHOWN = tuple("id url path locator title verdict reasons source host num_pretokens duplicate_of hidden".split())


def chosen(explorer: Explorer, asked: QueryParams, to_list: bool = True) -> Documents:
    """The documents that the address asks for, without order and draw; to count them and to search their texts, without the
    text search. What is held in memory answers where it can. Raises UsageError for what the address cannot mean."""
    tables, condition = explorer.run.tables, asked.get("where") or None
    hit, text = asked.get("hit") or "", (asked.get("text") or None) if to_list else None
    equals = {name: asked[name] for name in FACETS if asked.get(name) and name != "rule"}
    named = {*equals, "reasons", *(column for column, *_ in ranges(asked))}
    named |= {MARKS_TABLE} if marks_spans(tables, hit) else set()
    if condition:
        reads_itself = any(kind in ("SUBQUERY", "STAR") for kind, _ in nodes(condition))
        named |= {"text"} if reads_itself else set(columns_named(condition, tables.columns))
    if to_list:
        named |= {
            asked.get("sort") or "id",
            asked["near"].partition("=")[0].replace(".", "_", 1) if asked.get("near") else "id",
        }
        named |= {"text"} if text or asked.get("as") else set()
    found = Documents(tables, table=tables.holding(named)).where(
        condition, rule=hit or None, grep=text, ignore_case=bool(asked.get("any_case")), **equals
    )
    if asked.get("rule"):  # the column, not every rule that hits
        found = found.having(equal(tables, "rule", asked["rule"]))
    for column, low, high in ranges(asked):
        if column not in tables.columns or not tables.columns[column].is_number:
            raise UsageError(f"{column[:80]}: this run has no number of that name")
        tests = [f"{quoted(column)} {side} {number(column, v)!r}" for side, v in ((">=", low), ("<=", high)) if v]
        found = found.having(*tests)
    return found


def ranges(asked: QueryParams) -> list[tuple[str, str, str]]:
    """(column, lowest, highest) of every range, the bounds as they were written."""
    parts = (asked.getlist(name) for name in ("column", "low", "high"))
    return [(column, low, high) for column, low, high in zip_longest(*parts, fillvalue="") if column and (low or high)]


def ordered(found: Documents, asked: QueryParams, count: int, skip: int) -> Documents:
    """Drawn, nearest to a value, or sorted by a column."""
    if asked.get("near"):
        return found.near(asked["near"], count)
    if asked.get("draw"):
        return found.sample(count)
    if column := asked.get("sort"):
        found = found.sorted(column, descending=asked.get("down") == "1")
    return found.first(count, skip)


def facets(explorer: Explorer, asked: QueryParams, counted: Documents) -> dict[str, list[dict[str, Any]]]:
    """Of each facet the most frequent values, with how many documents have them among those that all other filters leave, so
    that another value of a chosen facet can be taken."""
    shown = _facets(counted, [name for name in FACETS if name in counted.tables.columns])
    for name in (name for name in FACETS if asked.get(name)):
        others = QueryParams([(key, value) for key, value in asked.multi_items() if key != name])
        shown |= _facets(chosen(explorer, others, to_list=False), [name])
    return shown


def _facets(found: Documents, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    sets = ", ".join(f"({quoted(name)})" for name in names)
    columns = ", ".join(map(quoted, names))
    levels = ", ".join(f"grouping({quoted(name)}) AS g{n}" for n, name in enumerate(names))
    with found.answering():
        query = f"SELECT {columns}, {levels}, count(*) AS n FROM chosen GROUP BY GROUPING SETS ({sets})"
        query += f" ORDER BY n DESC, {columns}"
        counted = cast(Relation, found.relation.project(columns).query("chosen", query)).to_arrow_table()
    shown: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for row in counted.to_pylist():
        name = next(name for n, name in enumerate(names) if row[f"g{n}"] == 0)
        if row[name] not in (None, "") and len(shown[name]) < FACET_VALUES:
            shown[name].append({"value": row[name], "documents": row["n"]})
    return {name: values for name, values in shown.items() if values}


def documents(explorer: Explorer, asked: QueryParams) -> Page | Download:
    """Documents with facets, ranges, text search, order and draw; or the selection as a file (`as=jsonl`)."""
    found, tables = chosen(explorer, asked), explorer.run.tables
    if ending := asked.get("as"):
        if ending not in KINDS:
            raise UsageError(f"as={ending[:20]!r}: expected one of {', '.join(KINDS)}")
        wanted = (
            found
            if not (asked.get("near") or asked.get("draw"))
            else ordered(found, asked, whole(asked, "rows", ROWS, 10**6), 0)
        )
        return Download(wanted, ending)
    count, page = whole(asked, "rows", ROWS, MOST_ROWS), whole(asked, "page", 1, 10**7)
    signals = [column for column, *_ in ranges(asked)]
    if sort := asked.get("sort"):
        signals.append(sort)
    if near := asked.get("near"):
        signals.append(signal_wanted(tables, near)[0])
    signals = [name for name in dict.fromkeys(signals) if name not in SHOWN and name != "text"]
    counted, text = chosen(explorer, asked, to_list=False), asked.get("text") or ""
    if text and counted.table != "documents" and not (sort or near or asked.get("draw")):
        rows, searched = scanned(explorer, counted, asked, count, signals)
        total = searched["hits"] if asked.get("count") else None
    else:
        rows, searched = listed(ordered(found, asked, count, max(0, page - 1) * count), signals, text), None
        total = len(found if text else counted) if not text or asked.get("count") else None
    data = {
        "documents": rows,
        "total": total,
        "searched": searched,
        "signals": signals,
        "page": page,
        "rows": count,
        "facets": facets(explorer, asked, counted),
    }
    numbers = [name for name, column in tables.columns.items() if column.is_number]
    fields = [name for name in FACETS if asked.get(name) or name in ("verdict", "source", "host")]
    drawn = {
        "all": count_of(explorer),
        "most": FACET_VALUES,
        "numbers": numbers,
        "ranges": ranges(asked),
        "kinds": KINDS,
        "chosen": fields,
    }
    return Page("documents", "Documents", data, drawn)


def count_of(explorer: Explorer) -> int:
    """All documents of the run."""
    folder = explorer.run.folder
    return sum(folder.file(Step.EXTRACT, shard).rows or 0 for shard in folder.shards)


def scanned(
    explorer: Explorer, found: Documents, asked: QueryParams, count: int, signals: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The first of these documents whose texts have what is asked for, as far as a scan comes in SECONDS, or to its end with
    `count=1`; and how far it came. `at` is where it begins."""
    tables, text, start = found.tables, asked["text"], whole(asked, "at", 0, 10**12)
    literal(text)  # NUL bytes and halves of characters are in no text
    limits = {} if asked.get("count") else {"most": count, "seconds": SECONDS}
    hits, goes_on = found.search(text, bool(asked.get("any_case")), start=start, **limits)
    shown = Documents(tables, table=tables.holding(["number", *signals])).having(
        f"number IN ({', '.join(map(str, hits[:count]))})"
    )
    of = count_of(explorer)
    state = {"hits": len(hits), "documents": of if goes_on is None else goes_on, "of": of, "goes_on": goes_on}
    return listed(shown.first(count), signals, text) if hits else [], state


def snippet(text: str, around: str) -> str:
    """A few words of a text, around what was searched for."""
    at = max(0, text.lower().find(around.lower())) if around else 0
    start = max(0, at - SNIPPET // 3) if at > SNIPPET // 2 else 0
    shown = " ".join(text[start : start + SNIPPET + len(around)].split())
    return ("… " if start else "") + shown + ("…" if start + SNIPPET + len(around) < len(text) else "")


def listed(found: Documents, signals: Sequence[str] = (), around: str = "") -> list[dict[str, Any]]:
    """Documents as a table shows them, with these signals and the beginning of their texts."""
    return [row | {"text": snippet(row["text"], around)} for row in found.rows([*SHOWN, *signals, "text"])]


def by_ids(explorer: Explorer, ids: list[str], text: bool = True) -> list[dict[str, Any]]:
    """These documents, as the table shows them."""
    if not ids:
        return []
    tables = explorer.run.tables
    found = Documents(tables, table=tables.light).having(f"id IN ({', '.join(map(literal, ids))})").first(len(ids))
    return listed(found) if text else list(found.rows(SHOWN))
