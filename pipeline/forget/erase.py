"""Forget documents: find them and their exact copies, tombstone them, and bring the run up to date without their text.

In this order, so that a crash at any point is healed by the same command, and until then no run takes them in again:
tombstones, raw files of the run folder, documents, every later step, hand-off and report, and the old files last.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.conclude import conclude
from pipeline.core import sealed
from pipeline.core.batch import DOCUMENTS
from pipeline.core.fingerprint import fingerprint
from pipeline.core.ledger import LEDGER, Commit, Ledger
from pipeline.core.reads import Values
from pipeline.core.run_folder import RECIPE, Run, RunFolder, refuse_old_layout
from pipeline.core.steps import Step
from pipeline.core.store import WORK, Store
from pipeline.errors import UsageError
from pipeline.extract import tombstones
from pipeline.extract.step import Accounts, ExtractCounts
from pipeline.flow import LAST, STAGES, steps
from pipeline.forget.exposure import checkpoints, places, read_manifest
from pipeline.forget.frozen import blank_record, without_urls
from pipeline.forget.near import EARLIER, near_copies, recorded
from pipeline.forget.runner import ForgettingRunner
from pipeline.ingest.step import FRONTIER, frozen_files
from pipeline.publish.export import FORGOTTEN, record_loose
from pipeline.recipe.model import RecipeBase, rebuilt
from pipeline.report.collect import write_report
from pipeline.report.progress import Display
from pipeline.report.run_report import RunReport

EMPTY = "empty.parquet"
"""The file of a split without a document; no record names it, and it holds no text."""
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


def find(run: RunFolder, wanted: list[str]) -> Found:
    """Every document that an address, id or text hash names, its exact copies, and what is forgotten already."""
    known = set(tombstones.load(run.store))
    found = Found(hashes=set(known))
    texts: set[str] = set()
    seen: set[str] = set()
    for shard in run.shards:
        table = run.documents(shard, ["id", "url", "text"])
        published = run.texts(shard, ["text_hash"])
        hashes = [value.hex() for value in published["text_hash"].to_pylist()] if published is not None else None
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
    for shard in run.shards:
        _collect(found, shard, run)
    return found


def _collect(found: Found, shard: str, run: RunFolder) -> None:
    table = run.documents(shard, LOOKED_UP)
    gone = tombstones.buried(table, found.hashes)
    rows = np.flatnonzero(gone).tolist()
    source = run.counted(ExtractCounts, Step.EXTRACT, shard).source
    for row in table.filter(pa.array(gone)).to_pylist():
        found.ids.add(row["id"])
        if row["reason"] != tombstones.REASON:
            found.new.append(row["id"])
            found.raw.append((source, row["path"] or "", row["locator"] or ""))
            found.urls |= {row["url"]} - {None}
    if rows:
        found.rows[shard] = rows


def forget(store: Store, wanted: list[str], near: bool = False) -> dict[str, Any]:
    """Do it; returns what was forgotten, near copies, which units were made again, and which checkpoints had the data.

    With `near` the near copies that this run holds are forgotten too.
    Raises UsageError when a word names no document, or the folder holds no finished run.
    """
    before = RunFolder(store)
    recipe = read_recipe(before)
    found = find(before, wanted)
    if found.unknown:
        raise UsageError(
            f"{store.root}: no document has the URL, id or text hash {', '.join(map(repr, found.unknown))}"
        )
    if near:
        found = find(before, wanted + _near_ids(before, found))
    exposed, copies = _exposed(before, found), near_copies(before, found.rows, found.ids)
    tombstones.save(store, found.hashes)
    _record(store, found, exposed, copies)
    run = Run(store, recipe, ForgettingRunner(store, found.rows, found.ids))
    run.keep(Step.INGEST, _forget_raw(store, found))
    run.keep(Step.FILES, before.commits(Step.FILES))
    run.keep(Step.EXTRACT, _forget_documents(run, found))
    _later_stages(run)
    removed = purge(RunFolder(store))
    record_loose(store, steps())
    record = store.read_json(FORGOTTEN)
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


def _near_ids(run: RunFolder, found: Found) -> list[str]:
    """Ids in this run of near copies: as the clusters have them, and as recorded when a document was forgotten earlier."""
    before = run.store.read_json(FORGOTTEN).get("near_copies", []) if run.store.exists(FORGOTTEN) else []
    listed = [*near_copies(run, found.rows, found.ids), *(one for one in before if one["near"] in found.ids)]
    return sorted({one["id"] for one in listed if one["verdict"] != EARLIER})


def read_recipe(run: RunFolder) -> RecipeBase:
    """The recipe that the run was made with. Raises UsageError when the folder has none."""
    refuse_old_layout(run.store)
    written = sealed.read(run.store, RECIPE)
    if written is None or not run.has(Step.EXTRACT):
        raise UsageError(f"{run.store.root}: no run with its recipe is recorded here; run the recipe into it once more")
    return rebuilt(written)


def _exposed(run: RunFolder, found: Found) -> list[dict[str, Any]]:
    manifest, folder = read_manifest(run.store)
    if manifest is None or not found.new:
        return []
    lying = places(run.store, run.commits(Step.SHARDS), set(found.new), manifest)
    return [asdict(one) for one in checkpoints(run.store, manifest, folder, lying)]


def _record(store: Store, found: Found, exposed: list[dict[str, Any]], copies: list[dict[str, Any]]) -> None:
    """`forgotten.json`: ids forgotten so far, their near copies that stay, and every checkpoint that had one or may have."""
    before = store.read_json(FORGOTTEN) if store.exists(FORGOTTEN) else {"ids": [], "checkpoints": []}
    near = {one["id"]: one for one in [*before.get("near_copies", []), *recorded(copies)]}
    listed = {(one["path"], tuple(one["documents"]), one["why"]): one for one in [*before["checkpoints"], *exposed]}
    ids = sorted({*before["ids"], *found.ids})
    said = {"reason": tombstones.REASON, "ids": ids, "checkpoints": [listed[key] for key in sorted(listed)]}
    store.put_json(FORGOTTEN, said | {"near_copies": [near[own] for own in sorted(near.keys() - set(ids))]})


def _forget_raw(store: Store, found: Found) -> dict[str, Commit]:
    """Blank the records in files the run froze itself; a user's own files are the user's."""
    ledger = Ledger(store)
    commits = ledger.last(Step.INGEST, must_be_whole=True)
    changed = False
    for unit, commit in commits.items():
        own = [one for one in found.raw if one[0] == unit.partition("/")[0]]
        if not own:
            continue
        folder = f"{WORK}/raw/{unit.replace('/', '-')}-{tombstones.digest(sorted(found.hashes)) or ''}"[:70]
        files = dict(commit.files)
        for name, info in commit.files.items():
            offsets = [one[2].partition("offset=")[2].partition(";")[0] for one in own if one[1] == name]
            data = store.read(info.path)
            for offset in filter(str.isdigit, offsets):
                data = blank_record(data, int(offset))
            data = without_urls(data, found.urls) if name.endswith(".jsonl") else data
            # Where a fetch goes on from is named in the key of the units that went on: it stays in its place.
            files[name] = store.put(info.path if name == FRONTIER else f"{folder}/{name}", data)
        commits[unit] = replace(commit, files=files)
        ledger.write([commits[unit]])
        changed = True
    if changed:
        ledger.write_step(Step.INGEST, commits)
    return commits


def _forget_documents(run: Run, found: Found) -> dict[str, Commit]:
    """Documents without the forgotten rows' text, and every shard under its key with the tombstones."""
    store, ledger, done = run.store, Ledger(run.store), {}
    forgotten = tombstones.load(store, run.recipe.tombstones)
    buried = {"tombstones": Values(forgotten).identity()} if forgotten else {}
    place = {source.name: number for number, source in enumerate(run.recipe.chosen)}
    commits = ledger.last(Step.EXTRACT, must_be_whole=True)
    counts = {shard: commit.counted(ExtractCounts) for shard, commit in commits.items()}
    # The record of a step lists its units by name; a run has them in the order of its sources.
    for shard in sorted(commits, key=lambda name: (place.get(counts[name].source, len(place)), name)):
        commit = commits[shard]
        raw = frozen_files(run.commits(Step.INGEST), counts[shard].source)
        digests = {name: info.sha256 for name, info in raw.items()}
        inputs = commit.parts["inputs"]
        files = [[path, size, digests.get(path, version)] for path, size, version in inputs["files"]]
        parts = commit.parts | {"inputs": inputs | {"files": files} | buried}
        key = fingerprint(parts)
        done[shard] = replace(commit, fingerprint=key, parts=parts)
        if key == commit.fingerprint:
            continue
        if shard in found.rows:
            table = store.read_table(commit.files["table"].path)
            batches = [tombstones.bury(batch, found.hashes) for batch in table.to_batches()]
            accounts = Accounts()
            for batch in batches:
                accounts.add(batch)
            accounts.balance.check(f"forget {shard}")
            info = store.put_table(f"{WORK}/documents/{shard}-{key[:12]}.parquet", batches, DOCUMENTS)
            counted = asdict(accounts.counts(counts[shard].source, counts[shard].skipped))
            done[shard] = replace(
                done[shard], files=commit.files | {"table": info}, counts=counted, balance=accounts.balance
            )
        (done[shard],) = ledger.write([done[shard]])
    ledger.write_step(Step.EXTRACT, done)
    return done


def _later_stages(run: Run) -> None:
    """The ordinary stages after extract, as far as the run had gone, and what a finished run leaves beside its data."""
    before, store = RunFolder(run.store), run.store
    names = list(STAGES)
    reached = [name for name in names if any(before.has(step) for step in STAGES[name].steps)]
    for name in names[names.index("extract") + 1 : names.index(reached[-1]) + 1]:
        STAGES[name].load()(run)
    if reached[-1] != LAST:
        return
    report = RunReport.model_validate_json(store.read("report.json")) if store.exists("report.json") else None
    conclude(run, Display(quiet=True), complete=True, train=False)
    if report is not None:
        after = RunReport.model_validate_json(store.read("report.json"))
        write_report(run, after.model_copy(update={"training": report.training, "timings": report.timings}))


def purge(run: RunFolder) -> int:
    """Delete files of `work/` and unit records that the steps as they stand do not name; returns the number of files.

    A run with other settings in the same folder makes its own again. Run it last: until then everything stands twice.
    """
    store = run.store
    commits = [commit for step in steps() for commit in run.commits(step).values()]
    named = {info.path for commit in commits for info in commit.files.values()}
    records: dict[str, list[Commit]] = {}
    for commit in commits:
        records.setdefault(Ledger.unit_path(commit), []).append(commit)
    for shared in records.values():
        if len(shared[0].record.split("-")) > len(shared):
            Ledger(store).put(shared)  # without units that the step no longer has
    named |= records.keys()
    listed = [path for path in store.list(WORK) if path.count("/") > 1 and path.rpartition("/")[2] != EMPTY]
    gone = [path for path in listed if path not in named and path.rpartition("/")[0] != LEDGER]
    for path in gone:
        store.delete(path)
    return len(gone)
