"""`explain URL|id`: where a document came from, what was measured, which rules hit, what it duplicates, what was cut."""

import argparse
import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape

from pipeline.apply.spans import Span, edit
from pipeline.cluster.step import ClusterCounts
from pipeline.cluster.verify import true_similarity
from pipeline.core.judge import SPANS, judges
from pipeline.core.run_folder import RunFolder, holds_a_run, open_run
from pipeline.core.settings import side_of
from pipeline.core.steps import Step
from pipeline.errors import UsageError
from pipeline.ingest.account import account_of, megabytes
from pipeline.measure.judges.minhash import MinHashSettings
from pipeline.measure.judges.pii import placeholder
from pipeline.report.hidden import is_hidden, masked

TEXT_SHOWN = 600
DIFF_LINES = 24
SPANS_SHOWN, SPAN_SHOWN = 12, 100
CONTEXT, FEW, MAX_WORDS = 5, 12, 3000
COPIES_SHOWN = 20
FIRST = 5
"""Documents listed when several match."""


def plain_signals(columns: Mapping[str, pa.DataType], values: dict[str, Any]) -> dict[str, Any]:
    """One judge's signals of a document as JSON values: spans as their count, bytes as their length.

    >>> plain_signals({"hash": pa.binary()}, {"hash": b"1234"})
    {'hash': '4 bytes'}
    """
    plain = {}
    for column, value in values.items():
        if columns[column] == SPANS:
            plain[column] = len(value or ())
        else:
            plain[column] = f"{len(value)} bytes" if isinstance(value, bytes) else value
    return plain


def account(opened: RunFolder, shard: str, row: int) -> dict[str, Any]:
    """Everything the run knows of one document, as JSON values."""
    document = opened.documents(shard).slice(row, 1).to_pylist()[0]
    original = text = document.pop("text")
    document.pop("table_spans")
    verdict = opened.verdicts(shard).slice(row, 1).to_pylist()[0]
    published = opened.texts(shard)
    shown = published["text"][row].as_py() if published is not None else text
    known, signals = judges(), {}
    for name in opened.judges:
        values = opened.signals(name, shard).slice(row, 1).to_pylist()[0]
        signals[name] = plain_signals(known[name].columns, values)
    found = {"document": document, "verdict": verdict, "signals": signals, "text": shown, "shard": shard}
    if opened.has(Step.DECIDE):
        found["thresholds"] = decided_settings(opened, verdict["source"], verdict["role"])
    if verdict["duplicate_of"]:
        found["min_similarity"] = opened.commit(Step.CLUSTER).parts["settings"]["cluster"]["min_similarity"]
        found["survivor"] = survivor(opened, verdict["duplicate_of"], shown, original)
    if verdict["verdict"] == "kept":
        found["uses"] = opened.uses(document["id"])
        found |= copies(opened, document["id"])
    found["spans"] = spans(opened, shard, row, original, verdict["verdict"] == "kept")
    return found


def decided_settings(opened: RunFolder, source: str, role: str) -> dict[str, dict[str, Any]]:
    """By judge, the settings that only the decision reads, as they are for documents of a source and a role."""
    known, settings = judges(), opened.commit(Step.DECIDE).parts["settings"]["judges"]
    return {
        name: known[name].settings.model_validate(settings[name]).at(source, role).decided() for name in opened.judges
    }


def earlier_runs(opened: RunFolder) -> list[str]:
    """Folders of the earlier runs that this one was deduplicated against."""
    if not opened.has(Step.CLUSTER):
        return []
    return list(dict.fromkeys(index.root for index in opened.counted(ClusterCounts, Step.CLUSTER).index_files))


def copies(opened: RunFolder, own: str) -> dict[str, Any]:
    """How many removed documents a kept one stands for, and the first of them, the most alike first."""
    rows = []
    for shard in opened.shards:
        table = opened.verdicts(shard, ["id", "source", "stage", "similarity", "duplicate_of"])
        mask = pc.fill_null(pc.equal(table["duplicate_of"], own), False)
        if pc.any(mask).as_py():
            urls = opened.documents(shard, ["url"]).filter(mask)["url"].to_pylist()
            rows += [row | {"url": url} for row, url in zip(table.filter(mask).to_pylist(), urls, strict=True)]
    rows.sort(key=lambda row: (-(row["similarity"] or 0.0), row["id"]))
    return {"copies": len(rows), "first_copies": rows[:COPIES_SHOWN]} if rows else {}


def survivor(opened: RunFolder, wanted: str, text: str, original: str) -> dict[str, Any]:
    """The document that stayed instead, how the two published texts differ, and how alike the extracted ones are.

    It is looked for in this run, then in the earlier runs that this one was deduplicated against.
    """
    settings, earlier = opened.settings("minhash", MinHashSettings), earlier_runs(opened)
    for other in (opened, *map(open_run, filter(holds_a_run, earlier))):
        for shard, row in other.find(wanted):
            if other.verdicts(shard)["verdict"][row].as_py() != "kept":
                continue
            document = other.documents(shard, ["id", "url", "source"]).slice(row, 1).to_pylist()[0]
            extracted = other.documents(shard, ["text"])["text"][row].as_py()
            texts = other.texts(shard)
            changes = word_diff(extracted if texts is None else texts["text"][row].as_py(), text)
            jaccard = true_similarity(extracted, original, settings) if settings is not None else None
            found = document | {"jaccard": jaccard, "diff": changes[:DIFF_LINES], "diff_lines": len(changes)}
            return found if other is opened else found | {"run": other.store.root}
    return {"id": wanted, "run": ", ".join(earlier)} if earlier else {"id": wanted}


def spans(opened: RunFolder, shard: str, row: int, text: str, kept: bool) -> list[dict[str, Any]]:
    """What apply cut or masked, in order: the rule, where, how it begins, and for repeats where the copy that stays is.

    What is masked is not shown, neither by itself nor inside a cut.
    """
    if not opened.has(Step.APPLY):
        return []
    raw, found = text.encode(), []
    settings = opened.commit(Step.APPLY, shard).parts["settings"]
    for stage, file, column, action in settings["cuts"]:
        if action == "cut" and not kept:
            continue
        table = opened.spans(file, shard)
        aside = settings["set_aside"].get(stage, ())
        found += [(stage, action, span) for span in table[column][row].as_py() or () if span["kind"] not in aside]
    masks = [
        Span(span["start"], span["end"], "", action, placeholder(span["kind"] or "").encode())
        for _, action, span in found
        if action == "mask"
    ]
    made = []
    for stage, action, span in sorted(found, key=lambda one: (one[2]["start"], one[2]["end"], one[0])):
        one = {
            "rule": f"{stage}.{span['kind'] or 'spans'}",
            "action": action,
            "start": span["start"],
            "bytes": span["end"] - span["start"],
            "text": beginning(raw, span["start"], span["end"], masks),
        }
        if span.get("first_in"):
            one["first_in"] = kept_copy(opened, span["first_in"])
        made.append(one)
    return made


def beginning(raw: bytes, start: int, end: int, masks: list[Span]) -> str:
    """The first characters of a span, with the placeholders of the masks that meet it."""
    inside = [
        replace(mask, start=max(mask.start, start) - start, end=min(mask.end, end) - start)
        for mask in masks
        if mask.start < end and start < mask.end
    ]
    text = " ".join(edit(raw[start:end], inside).text.decode().split())
    return text if len(text) <= SPAN_SHOWN else text[:SPAN_SHOWN] + "…"


def kept_copy(opened: RunFolder, wanted: str) -> dict[str, Any]:
    """The document that has the copy of a repeated span."""
    for shard, row in opened.find(wanted):
        return opened.documents(shard, ["id", "url", "source"]).slice(row, 1).to_pylist()[0]
    return {"id": wanted}


def word_diff(survivor_text: str, own: str) -> list[str]:
    """The places where two texts differ, each with a few words around it: [-the survivor's-] {+this one's+}.

    >>> word_diff("rates fell in the third quarter", "rates fell in this third quarter")
    ['rates fell in [-the-] {+this+} third quarter']
    """
    old, new = survivor_text.split()[:MAX_WORDS], own.split()[:MAX_WORDS]
    places = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        taken = f"[-{_few(old[a:b])}-]" if a < b else ""
        added = f"{{+{_few(new[c:d])}+}}" if c < d else ""
        words = [*new[max(0, c - CONTEXT) : c], taken, added, *new[d : d + CONTEXT]]
        places.append(" ".join(word for word in words if word))
    return places


def _few(words: list[str]) -> str:
    text = " ".join(words[:FEW])
    return text + (f" … {len(words) - FEW} more words" if len(words) > FEW else "")


def _alike(verdict: dict[str, Any], bound: float | None) -> str:
    """How alike a document and its survivor are, with and without boilerplate, and from where on that removes."""
    if verdict["similarity"] is None:
        return ""
    plain = verdict["plain_similarity"]
    whole = f", {plain:.2f} with boilerplate" if plain is not None and plain != verdict["similarity"] else ""
    return f"; similarity {verdict['similarity']:.2f}{whole}" + (f"; bound {bound:.2f}" if bound is not None else "")


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show(found: dict[str, Any], console: Console, whole: bool) -> None:
    """For a person."""
    document, verdict = found["document"], found["verdict"]
    console.print(f"[bold]{escape(document['url'] or document['id'])}[/]")
    for name in (
        "id",
        "title",
        "date",
        "source",
        "role",
        "licence",
        "tdm",
        "rights",
        "robots",
        "terms",
        "path",
        "locator",
        "content_type",
        "doc_type",
        "encoding",
        "detail",
    ):
        value = verdict[name] if name in ("source", "role") else document[name]
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
    if verdict.get("readmitted"):
        console.print(f"  rebalancing overruled {', '.join(verdict['readmitted'])}")
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


def show_spans(found: list[dict[str, Any]], console: Console) -> None:
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


def files_named(opened: RunFolder, wanted: str) -> list[dict[str, Any]]:
    """The account of the files with this path or name, else with this part in the path, that gave no document."""
    rows = [row for row in account_of(opened).to_pylist() if not row["documents"] + row["quarantined"]]
    same = [row for row in rows if f"/{row['path']}".endswith(f"/{wanted}") or wanted.endswith(f"/{row['path']}")]
    return (same or [row for row in rows if wanted in row["path"]])[:FIRST]


def places(opened: RunFolder, wanted: str) -> list[tuple[str, int]]:
    """(shard, row) of the documents with this URL or id, else of the one with this path, file name or part of either.

    Raises UsageError when there is none, or several that only share a file or a part.
    """
    if not wanted.strip():
        raise UsageError("name a document: its URL, id, path, file name, or a part of either that only one has")
    if by_name := list(opened.find(wanted)):
        return by_name
    several = list(opened.find(wanted, "file")) or list(opened.find(wanted, "part"))
    if len(several) == 1:
        return several
    if not several:
        raise UsageError(
            f"{opened.store.root}: no document has {wanted!r} as its URL, id (or at least the first 8 digits of it), path "
            "or file name, and no URL or path contains it"
        )
    first = []
    for shard, row in several[:FIRST]:
        one = opened.documents(shard, ["id", "url", "path"]).slice(row, 1).to_pylist()[0]
        first.append(f"{one['id']} ({one['url'] or one['path']})")
    raise UsageError(
        f"{opened.store.root}: {len(several)} documents match {wanted!r}; give the id of one. "
        f"{'They' if len(several) <= FIRST else f'The first {FIRST}'} are {', '.join(first)}"
    )


def run(arguments: argparse.Namespace) -> int:
    """Explain the documents that match, or the files that gave none. Raises UsageError when neither does."""
    opened = open_run(arguments.run)
    if files := files_named(opened, arguments.document):
        if arguments.json:
            print(json.dumps({"exit": 0, "documents": [], "files": files}, ensure_ascii=False))
        for row in files if not arguments.json else []:
            print(f"{row['path']} ({row['kind']}, {megabytes(row['bytes'])}) is {row['outcome']}: {row['reason']}")
        return 0
    found = [account(opened, shard, row) for shard, row in places(opened, arguments.document)]
    for one in found:
        if is_hidden(one["verdict"]["reasons"]) and not arguments.show:
            one["text"] = masked(one["text"])
    if arguments.json:
        print(json.dumps({"exit": 0, "documents": found}, ensure_ascii=False, default=str))
        return 0
    console = Console()
    for one in found:
        show(one, console, arguments.text)
    return 0
