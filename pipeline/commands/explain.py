"""`explain URL|id`: where a document came from, what was measured, which rules hit, what it duplicates, what was cut."""

import argparse
import json
from typing import Any

from rich.markup import escape

from pipeline.ask.explain import DIFF_LINES, SPAN_SHOWN, explained, files_named
from pipeline.commands.terminal import Terminal, harmless
from pipeline.core.run_folder import open_run
from pipeline.core.settings import side_of
from pipeline.ingest.account import megabytes

TEXT_SHOWN = 600
SPANS_SHOWN = 12
SHOWN = tuple(
    "id title date source role bucket licence tdm rights robots terms path locator content_type doc_type encoding detail".split()
)
"""What is printed of a document, where it has it."""


def _alike(verdict: dict[str, Any], bound: float | None) -> str:
    """How alike a document and its survivor are, with and without boilerplate, and from where on that removes."""
    if verdict["similarity"] is None:
        return ""
    plain = verdict["plain_similarity"]
    whole = f", {plain:.2f} with boilerplate" if plain is not None and plain != verdict["similarity"] else ""
    return f"; similarity {verdict['similarity']:.2f}{whole}" + (f"; bound {bound:.2f}" if bound is not None else "")


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show(found: dict[str, Any], console: Terminal, whole: bool) -> None:
    """For a person."""
    document, verdict = found["document"], found["verdict"]
    console.print(f"[bold]{escape(document['url'] or document['id'])}[/]")
    for name in SHOWN:
        value = verdict.get(name) if name in ("source", "role", "bucket") else document[name]
        if value:
            console.print(f"  {name:13} {escape(str(value))}")
    console.print(f"  {'size':13} {document['raw_bytes']:,} bytes raw, {document['text_bytes']:,} bytes of text, "
                  f"{document['num_pretokens']:,} pre-tokens")  # fmt: skip
    colour = {"kept": "green", "removed": "red", "quarantined": "yellow"}[verdict["verdict"]]
    console.print(
        f"[bold {colour}]{verdict['verdict']}[/]"
        + (f" by {', '.join(verdict['reasons'])}" if verdict["reasons"] else "")
    )
    if found.get("uses") is not None:
        console.print(f"  used {found['uses']:.2f} times by the planned training")
    if count := found.get("copies"):
        console.print(f"  stands for {count:,} removed cop{'y' if count == 1 else 'ies'}")
        for one in found["first_copies"]:
            alike = "" if one["similarity"] is None else f", similarity {one['similarity']:.2f}"
            name = escape(one["url"] or one["id"])
            console.print(f"    {name} ({one['id']}, {escape(one['source'])}, {one['stage']}{alike})")
    for reason in verdict["reasons"]:
        judge, _, rule = reason.partition(".")
        bound = found.get("thresholds", {}).get(judge, {}).get(rule)
        threshold = side_of(rule)
        measured = found["signals"].get(judge, {}).get(threshold[1]) if threshold else None
        if bound is not None and measured is not None:
            console.print(f"  {reason}: measured {_value(measured)}, bound {_value(bound)}")
    show_overruled(found, console)
    if "survivor" in found:
        other = found["survivor"]
        alike = _alike(verdict, found.get("min_similarity"))
        true = f"; true Jaccard {other['jaccard']:.2f}" if other.get("jaccard") is not None else ""
        where = f" in {other['run']}" if "run" in other else ""
        name = other.get("url") or other["id"]
        console.print(f"  stays instead: {escape(name + where)} ({other['id']}{alike}{true})")
        for line in other.get("diff", []):
            console.print(f"    {line}", markup=False, highlight=False)
        if other.get("diff_lines", 0) > DIFF_LINES:
            console.print(f"    … {other['diff_lines'] - DIFF_LINES} more places differ")
    for one in document["edits"][:SPANS_SHOWN]:
        times = f" ({one['count']} times)" if one["count"] > 1 else ""
        console.print(f"  extract.{one['rule']}: {one['text'][:SPAN_SHOWN]}{times}", markup=False, highlight=False)
    if len(document["edits"]) > SPANS_SHOWN:
        console.print(f"  … {len(document['edits']) - SPANS_SHOWN} more cut or repaired by extract")
    show_spans(found["spans"], console)
    for name, values in found["signals"].items():
        text = ", ".join(f"{column} {_value(value)}" for column, value in values.items() if value is not None)
        console.print(f"  [dim]{name:13}[/] {escape(text)}")
    text = found["text"]
    console.print(
        text if whole else text[:TEXT_SHOWN] + ("…" if len(text) > TEXT_SHOWN else ""), markup=False, highlight=False
    )


def show_overruled(found: dict[str, Any], console: Terminal) -> None:
    """What people said of the document, and the rules that did not count."""
    for one in found.get("by_hand", []):
        signed = ", ".join(filter(None, (one["who"], one["when"])))
        why = f"  {one['list']}: {one['action']}; {one['why'] or 'no reason given'}" + (
            f" ({signed})" if signed else ""
        )
        console.print(why, markup=False, highlight=False)
    if found["verdict"].get("readmitted"):
        console.print(f"  overruled: {', '.join(found['verdict']['readmitted'])}")


def show_spans(found: list[dict[str, Any]], console: Terminal) -> None:
    """What apply cut and masked, a line each."""
    for span in found[:SPANS_SHOWN]:
        done = "cut" if span["action"] == "cut" else "masked"
        console.print(
            f"  {done} {span['bytes']:,} bytes at {span['start']:,} by {span['rule']}: {escape(span['text'])}"
        )
        if other := span.get("first_in"):
            console.print(f"    stays in {escape(other.get('url') or other['id'])} ({other['id']})")
    if len(found) > SPANS_SHOWN:
        console.print(f"  … {len(found) - SPANS_SHOWN} more spans (--json has all)")


def run(arguments: argparse.Namespace) -> int:
    """Explain the documents that match, or the files that gave none. Raises UsageError when neither does."""
    opened = open_run(arguments.run)
    if files := files_named(opened, arguments.document):
        if arguments.json:
            print(json.dumps({"exit": 0, "documents": [], "files": files}, ensure_ascii=False))
        for row in files if not arguments.json else []:
            said = f"{row['path']} ({row['kind']}, {megabytes(row['bytes'])}) is {row['outcome']}: {row['reason']}"
            print(harmless(said))
        return 0
    found = explained(opened, arguments.document, arguments.show)
    if arguments.json:
        print(json.dumps({"exit": 0, "documents": found}, ensure_ascii=False, default=str))
        return 0
    console = Terminal()
    for one in found:
        show(one, console, arguments.text)
    return 0
