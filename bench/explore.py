"""The explorer over a million small documents: seconds of every page, and what it holds in memory.

`RUN=<a finished run> OUT=<folder> python -m bench explore`. The run in OUT holds the tables of RUN many times under other ids,
each copy with clusters of its own, texts cut to 200 bytes, in files of some 5,000 documents; it is made once. Without RUN the
finance recipe's embedded sample is run first. A page is made as HTML four times: `first`, and the median of the others.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cluster.step import EDGES_FILE
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.run_folder import RECIPE, RunFolder
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store

RECIPE_FILE = str(Path(__file__).resolve().parent.parent / "recipes/finance.yaml")
DOCUMENTS = 1_000_000
ROWS = 5_000
"""Of a file, about."""
CHARACTERS = 200
APART = 10**8
"""Between the numbers of clusters of two copies."""


def copied(table: pa.Table, copy: int) -> pa.Table:
    """The table with ids and clusters of this copy, and the beginnings of its texts."""
    changes = {
        name: pc.binary_join_element_wise(pc.utf8_slice_codeunits(table[name], 0, 26), f"{copy:06x}", "")
        for name in ("id", "duplicate_of")
        if name in table.column_names
    }
    changes |= {
        name: pc.add(table[name], copy * APART)
        for name in ("exact_cluster", "near_cluster", "node", "document", "by")
        if name in table.column_names and pa.types.is_integer(table.schema.field(name).type)
    }
    if "text" in table.column_names:
        changes["text"] = pc.utf8_slice_codeunits(table["text"], 0, CHARACTERS)
    for name, column in changes.items():
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), column.cast(table.schema.field(at).type))
    return table


class Copier:
    """Writes the files of a larger run: each holds several copies of one file of the smaller."""

    def __init__(self, source: RunFolder, out: Store, copies: int) -> None:
        self.source, self.out, self.copies = source, out, copies
        self.shards: list[tuple[str, str, range]] = []
        """(new shard, the shard that it is of, its copies)."""
        for shard in source.shards:
            each = max(1, ROWS // max(1, source.file(Step.EXTRACT, shard).rows or 1))
            for at in range(0, copies, each):
                self.shards.append((f"{shard}-{at:06x}", shard, range(at, min(at + each, copies))))
        self._same: dict[tuple[str, int], FileInfo] = {}

    def write(self, info: FileInfo, copies: range, path: str, change: bool = True) -> FileInfo:
        """One file with these copies; files that do not change are written once for every number of copies."""
        if not change and (info.path, len(copies)) in self._same:
            return self._same[info.path, len(copies)]
        table = self.source.store.read_table(info.path)
        parts = pa.concat_tables([copied(table, copy) if change else table for copy in copies])
        made = self.out.put_table(
            f"work/{path.replace('/', '_')}.parquet", parts.to_batches(max_chunksize=4096), parts.schema
        )
        if not change:
            self._same[info.path, len(copies)] = made
        return made

    def record(self, step: str, commits: Mapping[str, Commit]) -> None:
        """Make a step of these units."""
        ledger = Ledger(self.out)
        written = ledger.write([replace(commit, unit=unit, record="") for unit, commit in commits.items()])
        ledger.write_step(step, {commit.unit: commit for commit in written})

    def run(self) -> None:
        """Everything that the explorer reads."""
        for step, kind in ((Step.EXTRACT, "documents"), (Step.APPLY, "texts")):
            units = {}
            for new, old, copies in self.shards:
                commit = self.source.commit(step, old)
                table = self.write(commit.files["table"], copies, f"{kind}-{new}")
                units[new] = replace(commit, files={**commit.files, "table": table})
            self.record(step, units)
        measured = {}
        for new, old, copies in self.shards:
            for judge in self.source.judges:
                commit = self.source.commit(Step.MEASURE, f"{judge}/{old}")
                table = self.write(commit.files["table"], copies, f"signals-{judge}-{new}", change=False)
                measured[f"{judge}/{new}"] = replace(commit, files={**commit.files, "table": table})
        self.record(Step.MEASURE, measured)
        for step in (Step.CLUSTER, Step.DECIDE, Step.SETTLE):
            commit = self.source.commit(step)
            files = {name: info for name, info in commit.files.items() if name not in self.source.shards}
            if step == Step.CLUSTER:
                files[EDGES_FILE] = self.write(files[EDGES_FILE], range(self.copies), EDGES_FILE)
            for new, old, copies in self.shards:
                files[new] = self.write(commit.files[old], copies, f"{step}-{new}")
            self.record(step, {"all": replace(commit, files=files)})
        for step in (Step.TOKENIZER, Step.MIX):
            commit = self.source.commit(step)
            for info in commit.files.values():
                self.out.put(info.path, self.source.store.read(info.path))
            self.record(step, {"all": commit})
        self.out.put(RECIPE, self.source.store.read(RECIPE))


def made(out: Path) -> Path:
    """The run of a million documents in `out`, made unless it is there."""
    folder = out / "million"
    if not (folder / RECIPE).exists():
        small = os.environ.get("RUN")
        if small is None:
            from pipeline.run import main

            small = str(out / "sample")
            with contextlib.redirect_stdout(sys.stderr):
                if main([RECIPE_FILE, "--out", small, "--ray", "none", "--no-train"]):
                    raise SystemExit("the sample's run failed")
        source = RunFolder(Store(small))
        count = sum(source.file(Step.EXTRACT, shard).rows or 0 for shard in source.shards)
        Copier(source, Store(str(folder)), -(-DOCUMENTS // count)).run()
    return folder


def memory() -> float:
    """GiB of this process in memory."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 2**20


QUESTIONS = (
    ("overview", "/", ""),
    ("documents", "/documents", ""),
    ("a filter by verdict and source", "/documents", "verdict=removed&source={source}"),
    ("a filter by host and year", "/documents", "host={host}&verdict=kept"),
    ("documents that a rule hits", "/documents", "hit=gopher.min_num_words"),
    ("documents with a span of a kind", "/documents", "hit=pii.email"),
    ("sorted by a signal", "/documents", "sort=gopher_num_words&down=1"),
    ("a range of a signal", "/documents", "column=gopher_num_words&low=10&high=20"),
    ("a condition over signals", "/documents", "where=gopher_num_words+%3C+80+and+verdict+%3D+'kept'"),
    ("nearest to a value", "/documents", "near=gopher_num_words%3D50"),
    ("a random draw", "/documents", "draw=1"),
    ("text search, many hits", "/documents", "text=the"),
    ("text search, no hit, to its first answer", "/documents", "text=zzzqqq"),
    ("text search, no hit, counted to the end", "/documents", "text=zzzqqq&count=1"),
    ("one document", "/document/{id}", "id={id}"),
    ("rules", "/rules", ""),
    ("a rule", "/rule", "name=gopher.min_num_words"),
    ("another bound, near", "/rule", "name=gopher.min_num_words&value={near}"),
    ("another bound, far", "/rule", "name=gopher.min_num_words&value=150"),
    ("another bound of another judge", "/rule", "name=toxicity.max_score&value=0.5"),
    ("duplicates", "/clusters", ""),
    ("sources and hosts", "/sources", ""),
    ("masks and cuts", "/spans", ""),
)


def run(rounds: int = 3) -> dict[str, Any]:
    """Wall seconds of the slowest page, and of every page in a table; peer: the same sort asked of the run's Parquet."""
    from starlette.datastructures import QueryParams

    from pipeline.ask.documents import Documents
    from pipeline.explore.page import Explorer, Page
    from pipeline.explore.pages import PAGES
    from pipeline.explore.render import html

    with tempfile.TemporaryDirectory() as temporary:
        folder, before = made(Path(os.environ.get("OUT", temporary))), memory()
        start = time.perf_counter()
        explorer = Explorer(str(folder), [])
        explorer.hold(explorer.run)
        opened, index = time.perf_counter() - start, memory() - before
        tables = explorer.run.tables
        held = tables.rows("SELECT sum(memory_usage_bytes)::BIGINT AS n FROM duckdb_memory()")[0]["n"] / 2**30
        one = tables.rows(
            f"SELECT id, source, host FROM {tables.light} WHERE verdict = 'removed' AND host <> '' LIMIT 1"
        )[0]
        count = tables.rows(f"SELECT count(*) AS n FROM {tables.light}")[0]["n"]
        told = explorer.run.folder.commit(Step.DECIDE).parts["settings"]["judges"]["gopher"]["min_num_words"]
        rows, medians = [], []
        for name, path, question in QUESTIONS:
            asked = QueryParams(question.format(**one, near=told + 5))
            times, processor = [], []
            for _ in range(rounds + 1):
                start, cpu = time.perf_counter(), time.process_time()
                page = PAGES[path](explorer, asked)
                assert isinstance(page, Page)
                html(explorer, page, "", path, asked)
                times.append(time.perf_counter() - start)
                processor.append(time.process_time() - cpu)
            medians.append(statistics.median(times[1:]))
            rows.append([name, f"{times[0]:.2f}", f"{medians[-1]:.2f}", f"{statistics.median(processor[1:]):.2f}"])
            print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
        start = time.perf_counter()
        list(Documents(tables).sorted("gopher_num_words", True).first(25).rows(["id", "gopher_num_words"]))
        peer = time.perf_counter() - start
        after = memory()
    return {
        "unit": "s",
        "ours": max(medians),
        "peer": peer,
        "ratio": peer / medians[[name for name, *_ in QUESTIONS].index("sorted by a signal")],
        "peer_name": "a sort by a signal, asked of the run's Parquet; the ratio is to the same page; ours is the slowest page",
        "versions": {},
        "input": f"{count:,} documents",
        "rounds": rounds,
        "gib": {"index": held, "process before": before, "opened": before + index, "after every page": after},
        "opened_s": opened,
        "tables": {"pages": {"head": ["page", "first, s", "again, s", "again, CPU s"], "rows": rows}},
    }
