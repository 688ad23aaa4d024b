"""The page of one document: its text with what was cut and masked, its signals beside thresholds, its way, its copies, a
review."""

import re
from itertools import pairwise
from typing import Any

from starlette.datastructures import QueryParams

from pipeline.ask.explain import account, place_of, places, row_of
from pipeline.ask.raw import as_text, raw_record
from pipeline.ask.tables import quoted
from pipeline.core.run_folder import RunFolder
from pipeline.core.settings import side_of
from pipeline.core.steps import Step
from pipeline.errors import UsageError
from pipeline.explore import review
from pipeline.explore.page import Explorer, Page
from pipeline.report.hidden import is_hidden

MOST_BYTES = 200_000
"""Of a text shown at once; the whole one is asked for."""
CHANGE = re.compile(r"(\[-.*?-\]|\{\+.*?\+\})", re.DOTALL)
"""A difference as `word_diff` writes it."""


def pieces(text: str, spans: list[dict[str, Any]], most: int = MOST_BYTES) -> list[dict[str, str]]:
    """An extracted text cut where spans (`start` and `bytes`, UTF-8) begin and end: each piece with its `marks` and what
    they are by.

    What is masked is not shown: of such a piece there is the placeholder alone, once a span.
    """
    raw = text.encode()
    end = len(raw[:most].decode("utf-8", "ignore").encode())
    borders = {0, end} | {min(place, end) for span in spans for place in (span["start"], span["start"] + span["bytes"])}
    found: list[dict[str, str]] = []
    edges = sorted(borders)
    for low, high in pairwise(edges):
        over = [
            span for span in spans if span["start"] <= low and high <= span["start"] + span["bytes"] and span["bytes"]
        ]
        masks = [span for span in over if span["action"] == "mask"]
        shown = raw[low:high].decode("utf-8", "replace")
        if masks:
            shown = masks[0]["text"] if low == masks[0]["start"] else ""
        found.append(
            {
                "text": shown,
                "marks": " ".join(sorted({span["action"] for span in over})),
                "by": ", ".join(dict.fromkeys(span["rule"] for span in over)),
            }
        )
    return found


def changes(lines: list[str]) -> list[list[tuple[str, str]]]:
    """Differences as (kind, words): "del" for the survivor's, "ins" for this one's, "" for what both have."""
    kinds = {"[-": "del", "{+": "ins"}
    return [
        [(kinds.get(part[:2], ""), part[2:-2] if part[:2] in kinds else part) for part in CHANGE.split(line) if part]
        for line in lines
    ]


def signals(explorer: Explorer, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Every signal that a threshold compares: its value, the bound, whether it is hit, and the share of documents below it."""
    rows = []
    for judge, thresholds in found.get("thresholds", {}).items():
        for name, bound in thresholds.items():
            side = side_of(name)
            value = found["signals"].get(judge, {}).get(side[1]) if side else None
            if side and bound is not None and isinstance(value, int | float):
                hit = f"{judge}.{name}" in found["verdict"]["reasons"]
                rows.append(
                    {
                        "rule": f"{judge}.{name}",
                        "signal": f"{judge}_{side[1]}",
                        "value": value,
                        "bound": bound,
                        "hit": hit,
                    }
                )
    parts = [f"avg(({quoted(row['signal'])} < {float(row['value'])!r})::INT) AS s{n}" for n, row in enumerate(rows)]
    tables = explorer.run.tables
    held = tables.holding([row["signal"] for row in rows])
    shares = tables.rows(f"SELECT {', '.join(parts)} FROM {held}")[0] if parts else {}
    for n, row in enumerate(rows):
        row["below"] = shares[f"s{n}"]
    return sorted(rows, key=lambda row: (not row["hit"], row["rule"]))


def way(explorer: Explorer, found: dict[str, Any]) -> list[tuple[str, str]]:
    """What each step did with the document, in order."""
    document, verdict = found["document"], found["verdict"]
    cuts = [span for span in found["spans"] if span["action"] == "cut"]
    steps = [
        ("ingest", f"{document['path'] or ''} {document['locator'] or ''}: {document['raw_bytes'] or 0:,} bytes"),
        ("extract", document["detail"] or f"{document['text_bytes'] or 0:,} bytes of text, {document['num_pretokens'] or 0:,} "
         f"pre-tokens; {len(document['edits'] or ())} edits"),
    ]  # fmt: skip
    if verdict["duplicate_of"]:
        steps.append(("cluster", f"a copy of {verdict['duplicate_of']}"))
    if found.get("copies"):
        steps.append(("cluster", f"stands for {found['copies']:,} removed copies"))
    if verdict["reasons"]:
        steps.append(("decide", f"{verdict['verdict']} by {', '.join(verdict['reasons'])}"))
    for one in found.get("by_hand", []):
        steps.append((one["list"], f"{one['action']}: {one['why'] or ''} {one['who'] or ''} {one['when'] or ''}"))
    if found["spans"]:
        size = sum(span["bytes"] for span in cuts)
        steps.append(("apply", f"{len(cuts):,} cuts of {size:,} bytes, {len(found['spans']) - len(cuts):,} masks"))
    steps.append(("verdict", verdict["verdict"]))
    if found.get("uses") is not None:
        steps.append(("training", f"used {found['uses']:.2f} times by the planned training"))
    return steps


def _raw(run: RunFolder, shard: str, document: dict[str, Any], most: int) -> str:
    try:
        payload, charset = raw_record(run, shard, document)
    except UsageError as error:
        return str(error)
    return as_text(payload, document["encoding"] or charset, most)


def document(explorer: Explorer, asked: QueryParams) -> Page:
    """Everything the run knows of one document. Raises UsageError for a name that no document has, or several."""
    run = explorer.run
    tables = run.tables
    shard, row = place_of(tables, asked["id"]) or places(run.folder, asked["id"])[0]
    found = account(tables, shard, row, show=asked.get("show") == "1")
    hidden = is_hidden(found["verdict"]["reasons"]) and asked.get("show") != "1"
    stored = row_of(run.folder, run.folder.file(Step.EXTRACT, shard), row, ["text", "table_spans", "sections"])
    marked = list(found["spans"])
    for kind in ("table_spans", "sections"):
        for span in stored[kind] or ():
            name = "table" if kind == "table_spans" else f"section {span['name']}"
            marked.append(
                {
                    "start": span["start"],
                    "bytes": span["end"] - span["start"],
                    "action": name.partition(" ")[0],
                    "rule": name,
                }
            )
    most = 10**9 if asked.get("whole") == "1" else MOST_BYTES
    own = found["document"]["id"]
    reviews = [one for one in review.read(run.folder.store) if one["id"] == own]
    data = found | {"measured": signals(explorer, found), "way": way(explorer, found), "reviews": reviews}
    drawn: dict[str, Any] = {
        "raw": None,
        "pieces": [] if hidden else pieces(stored["text"] or "", marked, most),
        "hidden": hidden,
        "cut_off": len((stored["text"] or "").encode()) > most,
        "changes": changes(found.get("survivor", {}).get("diff", [])),
    }
    if asked.get("raw") == "1":
        drawn["raw"] = _raw(run.folder, shard, found["document"], most)
    name = " ".join(filter(None, (found["document"]["path"], found["document"]["locator"])))
    return Page("document", found["document"]["title"] or found["document"]["url"] or name or own, data, drawn)
