"""What a run knows of one document: where it came from, what was measured, which rules hit, what it duplicates, what was cut."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.apply.spans import Span, edit
from pipeline.ask.tables import Tables, literal
from pipeline.cluster.step import ClusterCounts
from pipeline.cluster.verify import true_similarity
from pipeline.core.judge import SPANS, judges
from pipeline.core.run_folder import RunFolder, holds_a_run, open_run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo
from pipeline.decide.by_hand import said_of
from pipeline.errors import UsageError
from pipeline.ingest.account import account_of
from pipeline.measure.judges.minhash import MinHashSettings
from pipeline.measure.judges.pii import placeholder
from pipeline.report.hidden import is_hidden, masked

DIFF_LINES = 24
SPAN_SHOWN = 100
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


def row_of(opened: RunFolder, file: FileInfo, row: int, columns: list[str] | None = None) -> dict[str, Any]:
    """One row of a committed table; of the file only the row group that holds it is read."""
    with opened.store.open_table(file.path) as parquet:
        for group in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(group).num_rows
            if row < size:
                return parquet.read_row_group(group, columns, use_threads=False).slice(row, 1).to_pylist()[0]
            row -= size
    raise IndexError(row)


def account(tables: Tables, shard: str, row: int, show: bool = True) -> dict[str, Any]:
    """Everything the run knows of one document, as JSON values. Without `show`, a text that filters of abuse removed is
    masked."""
    opened, step = tables.opened, tables.opened.verdict_step
    assert step is not None
    document = row_of(opened, opened.file(Step.EXTRACT, shard), row)
    original = text = document.pop("text")
    document.pop("table_spans")
    verdict = row_of(opened, opened.file(step, name=shard), row)
    shown = row_of(opened, opened.file(Step.APPLY, shard), row, ["text"])["text"] if opened.has(Step.APPLY) else text
    known, signals = judges(), {}
    for name in opened.judges:
        signals[name] = plain_signals(known[name].columns, row_of(opened, opened.signal_file(name, shard), row))
    found = {"document": document, "verdict": verdict, "signals": signals, "text": shown, "shard": shard}
    if opened.has(Step.DECIDE):
        found["thresholds"] = decided_settings(opened, verdict["source"], verdict["role"])
        found["by_hand"] = said_of(opened.store, opened.commit(Step.DECIDE).parts["settings"], document["id"])
    if verdict["duplicate_of"]:
        found["min_similarity"] = opened.commit(Step.CLUSTER).parts["settings"]["cluster"]["min_similarity"]
        found["survivor"] = survivor(tables, verdict["duplicate_of"], shown, original)
    if verdict["verdict"] == "kept":
        found["uses"] = opened.uses(document["id"])
        found |= copies(tables, document["id"])
    found["spans"] = spans(tables, shard, row, original, verdict["verdict"] == "kept")
    if is_hidden(verdict["reasons"]) and not show:
        found["text"] = masked(shown)
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


def copies(tables: Tables, own: str) -> dict[str, Any]:
    """How many removed documents a kept one stands for, and the first of them, the most alike first."""
    rows = tables.rows(
        f"SELECT id, source, stage, similarity, duplicate_of, url, count(*) OVER () AS copies FROM {tables.known} "
        f"WHERE duplicate_of = {literal(own)} ORDER BY similarity DESC NULLS LAST, id LIMIT {COPIES_SHOWN}"
    )
    counts = [row.pop("copies") for row in rows]
    return {"copies": counts[0], "first_copies": rows} if rows else {}


def place_of(tables: Tables, own: str, condition: str = "") -> tuple[str, int] | None:
    rows = tables.rows(
        f"SELECT shard_file, shard_row FROM {tables.known} WHERE id = {literal(own)} {condition} LIMIT 1"
    )
    return (tables.places[rows[0]["shard_file"]], rows[0]["shard_row"]) if rows else None


def survivor(tables: Tables, wanted: str, text: str, original: str) -> dict[str, Any]:
    """The document that stayed instead, how the two published texts differ, and how alike the extracted ones are.

    It is looked for in this run, then in the earlier runs that this one was deduplicated against.
    """
    settings, earlier = tables.opened.settings("minhash", MinHashSettings), earlier_runs(tables.opened)
    for there in (tables, *(Tables(open_run(folder)) for folder in filter(holds_a_run, earlier))):
        if place := place_of(there, wanted, "AND verdict = 'kept'"):
            other, (shard, row) = there.opened, place
            document = row_of(other, other.file(Step.EXTRACT, shard), row, ["id", "url", "source", "text"])
            extracted = document.pop("text")
            published = (
                row_of(other, other.file(Step.APPLY, shard), row, ["text"])["text"]
                if other.has(Step.APPLY)
                else extracted
            )
            changes = word_diff(published, text)
            jaccard = true_similarity(extracted, original, settings) if settings is not None else None
            found = document | {"jaccard": jaccard, "diff": changes[:DIFF_LINES], "diff_lines": len(changes)}
            return found if there is tables else found | {"run": other.store.root}
    return {"id": wanted, "run": ", ".join(earlier)} if earlier else {"id": wanted}


def spans(tables: Tables, shard: str, row: int, text: str, kept: bool) -> list[dict[str, Any]]:
    """What apply cut or masked, in order: the rule, where, how it begins, and for repeats where the copy that stays is.

    What is masked is not shown, neither by itself nor inside a cut.
    """
    opened = tables.opened
    if not opened.has(Step.APPLY):
        return []
    raw, found = text.encode(), []
    settings = opened.commit(Step.APPLY, shard).parts["settings"]
    for stage, file, column, action in settings["cuts"]:
        if action == "cut" and not kept:
            continue
        aside = settings["set_aside"].get(stage, ())
        marked = row_of(opened, opened.span_file(file, shard), row, [column])[column] or ()
        found += [(stage, action, span) for span in marked if span["kind"] not in aside]
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
            one["first_in"] = kept_copy(tables, span["first_in"])
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


def kept_copy(tables: Tables, wanted: str) -> dict[str, Any]:
    """The document that has the copy of a repeated span."""
    rows = tables.rows(f"SELECT id, url, source FROM {tables.known} WHERE id = {literal(wanted)} LIMIT 1")
    return rows[0] if rows else {"id": wanted}


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


def files_named(opened: RunFolder, wanted: str) -> list[dict[str, Any]]:
    """The account of the files with this path or name, else with this part in the path, that gave no document."""
    rows = [row for row in account_of(opened).to_pylist() if not row["documents"] + row["quarantined"]]
    same = [row for row in rows if f"/{row['path']}".endswith(f"/{wanted}") or wanted.endswith(f"/{row['path']}")]
    return (same or [row for row in rows if wanted in row["path"]])[:FIRST]


def bare_address(url: str) -> str:
    """An address as people write it: without scheme, `www.`, fragment and last slash, its host in small letters.

    >>> bare_address("HTTPS://www.Bank.Example/News/#top")
    'bank.example/News'
    """
    rest = re.sub(r"^([a-z][a-z0-9+.-]*:)?//", "", url.strip(), flags=re.IGNORECASE).partition("#")[0].rstrip("/")
    host, slash, path = rest.partition("/")
    return host.lower().removeprefix("www.") + slash + path


def _same_address(opened: RunFolder, wanted: str) -> list[tuple[str, int]]:
    """Documents whose address is the one that was pasted, written in another way; else without its query."""
    bare = bare_address(wanted)
    for address in dict.fromkeys((bare, bare.partition("?")[0].rstrip("/"))):
        found = list(opened.find(address, "part")) if "/" in address else []
        if same := [
            (shard, row)
            for shard, row in found
            if bare_address(opened.documents(shard, ["url"])["url"][row].as_py() or "") == address
        ]:
            return same
    return []


def places(opened: RunFolder, wanted: str) -> list[tuple[str, int]]:
    """(shard, row) of the documents with this URL or id, else of the one with this path, file name or part of either.

    Raises UsageError when there is none, or several that only share a file or a part.
    """
    if not wanted.strip():
        raise UsageError("name a document: its URL, id, path, file name, or a part of either that only one has")
    try:  # as a run notes a file whose name is not UTF-8
        wanted = wanted.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError as error:
        raise UsageError(f"{wanted!r}: halves of characters are in no name") from error
    if by_name := list(opened.find(wanted)):
        return by_name
    several = list(opened.find(wanted, "file")) or list(opened.find(wanted, "part"))
    if len(several) == 1:
        return several
    if not several and (same := _same_address(opened, wanted)):
        return same
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


def explained(opened: RunFolder, wanted: str, show: bool = False) -> list[dict[str, Any]]:
    """The account of every document that `wanted` names. Raises UsageError when there is none, or several that only share a
    part."""
    tables = Tables(opened)
    return [account(tables, shard, row, show) for shard, row in places(opened, wanted)]
