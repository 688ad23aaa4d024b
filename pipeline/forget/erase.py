"""Forget documents: find them and their exact copies, tombstone them, and bring the run up to date without their text.

In this order, so that a crash at any point is healed by the same command, and until then no run takes them in again:
tombstones, raw files of the run folder, documents, every later step, hand-off and report, and the old files last.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.conclude import conclude
from pipeline.core.batch import DOCUMENTS
from pipeline.core.fingerprint import fingerprint
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.opened import STEP_NAMES
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.errors import UsageError
from pipeline.extract import tombstones
from pipeline.extract.step import Accounts
from pipeline.flow import STEPS
from pipeline.forget.exposure import checkpoints, places, read_manifest
from pipeline.forget.frozen import blank_record, without_urls
from pipeline.forget.near import EARLIER, near_copies, recorded
from pipeline.forget.purge import purge
from pipeline.forget.runner import ForgettingRunner
from pipeline.recipe.model import RecipeBase, recipe_model
from pipeline.report.collect import write_report
from pipeline.report.progress import Display
from pipeline.report.stats import RunReport

RECIPE = "recipe.json"
RECORD = "forgotten.json"
LOOKED_UP = ["id", "url", "reason", "text", "path", "locator"]


@dataclass
class Found:
    """Documents to forget, by shard: rows, ids, where their raw records lie, and what their tombstones hash."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    raw: list[tuple[str, str, str]] = field(default_factory=list)
    """(source, file, locator)"""
    hashes: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def find(store: Store, wanted: list[str]) -> Found:
    """Every document that an address, id or text hash names, its exact copies, and what is forgotten already."""
    extracted, applied = Ledger(store).last("extract"), Ledger(store).last("apply")
    known = set(tombstones.load(store))
    found = Found(hashes=set(known))
    texts: set[str] = set()
    seen: set[str] = set()
    for shard, commit in extracted.items():
        table = store.read_table(commit.files["table"].path, ["id", "url", "text"])
        hashes = _published_hashes(store, applied.get(shard))
        for row, (own, url, text) in enumerate(
            zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        ):
            named = {name for name in (own, url, hashes[row] if hashes else None) if name in wanted}
            if named and text:
                texts.add(text)
                seen |= named
                found.hashes.add(tombstones.mark("id", own))
                if url in named:
                    found.hashes.add(tombstones.mark("url", url))
    found.hashes |= {tombstones.mark("text", text) for text in texts}
    for word in wanted:
        if word not in seen and known.isdisjoint(tombstones.mark(kind, word) for kind in ("id", "url")):
            found.unknown.append(word)
    for shard, commit in extracted.items():
        _collect(found, shard, commit, store)
    return found


def _published_hashes(store: Store, applied: Commit | None) -> list[str] | None:
    if applied is None:
        return None
    return [
        value.hex() for value in store.read_table(applied.files["table"].path, ["text_hash"])["text_hash"].to_pylist()
    ]


def _collect(found: Found, shard: str, commit: Commit, store: Store) -> None:
    table = store.read_table(commit.files["table"].path, LOOKED_UP)
    gone = tombstones.buried(table, found.hashes)
    rows = np.flatnonzero(gone).tolist()
    for row in table.filter(pa.array(gone)).to_pylist():
        found.ids.add(row["id"])
        if row["reason"] != tombstones.REASON:
            found.new.append(row["id"])
            found.raw.append((commit.counts["source"], row["path"] or "", row["locator"] or ""))
            found.urls |= {row["url"]} - {None}
    if rows:
        found.rows[shard] = rows


def forget(store: Store, wanted: list[str], near: bool = False) -> dict[str, Any]:
    """Do it; returns what was forgotten, near copies, which units were made again, and which checkpoints had the data.

    With `near` the near copies that this run holds are forgotten too.
    Raises UsageError when a word names no document, or the folder holds no finished run.
    """
    recipe = read_recipe(store)
    found = find(store, wanted)
    if found.unknown:
        raise UsageError(
            f"{store.root}: no document has the URL, id or text hash {', '.join(map(repr, found.unknown))}"
        )
    if near:
        found = find(store, wanted + _near_ids(store, found))
    exposed, copies = _exposed(store, found), near_copies(store, found.rows, found.ids)
    tombstones.save(store, found.hashes)
    _record(store, found, exposed, copies)
    run = Run(recipe, store, ForgettingRunner(store, found.rows, found.ids))
    run.keep("ingest", _forget_raw(store, found))
    run.keep("extract", _forget_documents(store, run, found))
    _later_steps(run)
    removed = purge(store, {step: Ledger(store).last(step) for step in STEP_NAMES})
    record = store.read_json(RECORD)
    near_ones = {one["id"]: one for one in record["near_copies"] if one["near"] in found.ids}
    near_ones |= {one["id"]: one for one in copies}
    return {
        "documents": sorted(found.new),
        "forgotten_in_all": len(found.ids),
        "near_copies": list(near_ones.values()),
        "made_again": run.runner.emitted,  # pyright: ignore[reportAttributeAccessIssue]
        "old_files_removed": removed,
        "checkpoints": record["checkpoints"],
        "tombstones": len(found.hashes),
    }


def _near_ids(store: Store, found: Found) -> list[str]:
    """Ids in this run of near copies: as the clusters have them, and as recorded when a document was forgotten earlier."""
    before = store.read_json(RECORD).get("near_copies", []) if store.exists(RECORD) else []
    listed = [*near_copies(store, found.rows, found.ids), *(one for one in before if one["near"] in found.ids)]
    return sorted({one["id"] for one in listed if one["verdict"] != EARLIER})


def read_recipe(store: Store) -> RecipeBase:
    """The recipe that the run was made with. Raises UsageError when the folder has none."""
    if not store.exists(RECIPE) or not Ledger(store).last("extract"):
        raise UsageError(f"{store.root}: no run with its recipe is recorded here; run the recipe into it once more")
    return recipe_model().model_validate(store.read_json(RECIPE))


def _exposed(store: Store, found: Found) -> list[dict[str, Any]]:
    manifest, folder = read_manifest(store)
    if manifest is None or not found.new:
        return []
    lying = places(store, Ledger(store).last("shards"), set(found.new), manifest)
    return [one.to_json() for one in checkpoints(store, manifest, folder, lying)]


def _record(store: Store, found: Found, exposed: list[dict[str, Any]], copies: list[dict[str, Any]]) -> None:
    """`forgotten.json`: ids forgotten so far, their near copies that stay, and every checkpoint that had one or may have."""
    before = store.read_json(RECORD) if store.exists(RECORD) else {"ids": [], "checkpoints": []}
    near = {one["id"]: one for one in [*before.get("near_copies", []), *recorded(copies)]}
    listed = {(one["path"], tuple(one["documents"]), one["why"]): one for one in [*before["checkpoints"], *exposed]}
    ids = sorted({*before["ids"], *found.ids})
    said = {"reason": tombstones.REASON, "ids": ids, "checkpoints": [listed[key] for key in sorted(listed)]}
    store.put_json(RECORD, said | {"near_copies": [near[own] for own in sorted(near.keys() - set(ids))]})


def _forget_raw(store: Store, found: Found) -> dict[str, Commit]:
    """Blank the records in files the run froze itself; a user's own files are the user's."""
    ledger = Ledger(store)
    commits = ledger.last("ingest")
    changed = False
    for source, commit in commits.items():
        own = [(file, locator) for name, file, locator in found.raw if name == source]
        if not own:
            continue
        folder = f"raw/{source}-{tombstones.digest(sorted(found.hashes)) or ''}"[:60]
        files = {}
        for name, info in commit.files.items():
            data = store.read(info.path)
            for file, locator in own:
                offset = locator.partition("offset=")[2].partition(";")[0]
                if file == name and offset.isdigit():
                    data = blank_record(data, int(offset))
            files[name] = store.put(
                f"{folder}/{name}", without_urls(data, found.urls) if name.endswith(".jsonl") else data
            )
        commits[source] = Commit("ingest", source, commit.fingerprint, commit.parts, files, commit.counts)
        ledger.write(commits[source])
        changed = True
    if changed:
        ledger.write_step("ingest", commits)
    return commits


def _forget_documents(store: Store, run: Run, found: Found) -> dict[str, Commit]:
    """Documents without the forgotten rows' text, and every shard under its key with the tombstones."""
    ledger, done = Ledger(store), {}
    digest = tombstones.digest(tombstones.load(store, run.recipe.tombstones))
    place = {source.name: number for number, source in enumerate(run.recipe.chosen)}
    # The record of a step lists its units by name; a run has them in the order of its sources.
    commits = ledger.last("extract")
    for shard in sorted(commits, key=lambda name: (place.get(commits[name].counts["source"], len(place)), name)):
        commit = commits[shard]
        raw = run.done["ingest"].get(commit.counts["source"])
        digests = {info.path.rpartition("/")[2]: info.sha256 for info in raw.files.values()} if raw else {}
        parts = dict(commit.parts)
        parts["settings"] = parts["settings"] | ({"tombstones": digest} if digest else {})
        parts["inputs"] = [[path, size, digests.get(path, version)] for path, size, version in parts["inputs"]]
        key = fingerprint(parts)
        files, counts = commit.files, commit.counts
        if shard in found.rows and key != commit.fingerprint:
            table = store.read_table(files["table"].path)
            batches = [tombstones.bury(batch, found.hashes) for batch in table.to_batches()]
            accounts = Accounts()
            for batch in batches:
                accounts.add(batch)
            accounts.balance.check(f"forget {shard}")
            files = {"table": store.put_table(f"documents/{shard}-{key[:12]}.parquet", batches, DOCUMENTS)}
            counts = counts | accounts.counts() | {"balance": accounts.balance.to_json()}
        done[shard] = Commit("extract", shard, key, parts, files, counts)
        if key != commit.fingerprint:
            ledger.write(done[shard])
    ledger.write_step("extract", done)
    return done


def _later_steps(run: Run) -> None:
    """The ordinary steps after extract, as far as the run had gone, and what a finished run leaves beside its data."""
    ledger, store = Ledger(run.store), run.store
    names = list(STEPS)
    reached = [n for n, own in (("publish", "publish"), ("mix", "mix"), ("size", "size"), ("shards", "shards"),
               ("tokenizer", "tokenizer"), ("apply", "settle"), ("decide", "decide"), ("cluster", "cluster"),
               ("measure", "measure"), ("classify", "train")) if ledger.last(own)]  # fmt: skip
    last = reached[0] if reached else "extract"
    for name in names[names.index("extract") + 1 : names.index(last) + 1]:
        STEPS[name](run)
    if last != "publish":
        return
    before = RunReport.model_validate_json(store.read("report.json")) if store.exists("report.json") else None
    conclude(run, Display(quiet=True), complete=True, train=False)
    if before is not None:
        after = RunReport.model_validate_json(store.read("report.json"))
        write_report(run, after.model_copy(update={"training": before.training, "timings": before.timings}))
