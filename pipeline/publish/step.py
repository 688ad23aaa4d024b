"""Publish: kept, removed and quarantined documents as Parquet that `datasets.load_dataset` opens."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits, Run
from pipeline.core.store import FileInfo, Store
from pipeline.publish.index import index
from pipeline.publish.uses import uses
from pipeline.tokens.step import load_part, shard_files

VERSION = 2
ROW_GROUP = 4096

KEPT = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("date", pa.string()),
        ("source", pa.string()),
        ("role", pa.string()),
        ("licence", pa.string()),
        ("rights", pa.string()),  # the signals as found
        ("tdm", pa.string()),  # reserved | open | unknown
        ("robots", pa.string()),
        ("terms", pa.string()),
        ("num_tokens", pa.int64()),  # of the trained tokenizer, end-of-text token not counted; null when not kept
        ("split", pa.string()),  # train | validation
    ]
)
"""`corpus/kept`: one row a document, in the order of ids within a file."""

REMOVED = pa.schema(
    [
        *(field for field in KEPT if field.name != "split"),
        ("num_pretokens", pa.int64()),
        ("stage", pa.string()),
        ("rule", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("detail", pa.string()),
        ("path", pa.string()),
        ("locator", pa.string()),
    ]
)
"""`corpus/removed` and `corpus/quarantined`: the same columns, and why. Personal data are masked here too."""

DOCUMENT_COLUMNS = ["url", "title", "date", "licence", "rights", "tdm", "robots", "terms"]


def _groups(table: pa.Table) -> list[pa.Table]:
    return [table.slice(start, ROW_GROUP) for start in range(0, table.num_rows, ROW_GROUP)]


def publish_kept(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """The kept documents of one part of a stream, with the token counts that the shards step found."""
    produced = []
    for assigned in assignments:
        table = load_part(store, assigned.arguments, DOCUMENT_COLUMNS)
        counts = store.read_table(assigned.arguments["counts"])
        if not table["id"].combine_chunks().equals(counts["id"].combine_chunks()):
            raise AssertionError(f"publish {assigned.name}: token counts and documents are not aligned")
        table = table.append_column("num_tokens", counts["num_tokens"]).append_column("split", counts["split"])
        info = store.put_table(assigned.path("corpus/kept"), _groups(table.select(KEPT.names)), KEPT)
        produced.append(Produced({"table": info}, {"tokens": int(pc.sum(counts["num_tokens"]).as_py() or 0)}))
    return produced


def publish_rest(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """What was not kept of one document shard: removed and quarantined, in the order of the shard."""
    produced = []
    for assigned in assignments:
        files = assigned.arguments["files"]
        verdicts = store.read_table(files["verdicts"])
        documents = store.read_table(files["documents"], [*DOCUMENT_COLUMNS, "detail", "path", "locator"])
        texts = store.read_table(files["texts"], ["text", "num_pretokens"])
        table = verdicts
        for other in (documents, texts):
            for name in other.column_names:
                table = table.append_column(name, other[name])
        table = table.append_column("num_tokens", pa.nulls(table.num_rows, pa.int64()))
        made: dict[str, FileInfo] = {}
        for verdict in ("removed", "quarantined"):
            part = table.filter(pc.equal(table["verdict"], verdict)).select(REMOVED.names)
            if part.num_rows:
                made[verdict] = store.put_table(assigned.path(f"corpus/{verdict}"), _groups(part), REMOVED)
        produced.append(Produced(made, {name: info.rows for name, info in made.items()}))
    return produced


def publish(run: Run) -> Commits:
    """Kept documents by part of a stream; the others by document shard. Empty splits get one empty table."""
    kept_units, rest_units = [], []
    for name, commit in run.done["shards"].items():
        counts = commit.files["counts"]
        arguments = run.arguments["shards"][name] | {"counts": counts.path}
        inputs = [counts.sha256, *commit.parts["inputs"], *(run.file("extract", s).sha256 for s in run.shards)]
        kept_units.append(
            Unit(name=name, inputs=inputs, settings=commit.parts["settings"], version=VERSION, arguments=arguments)
        )
    for shard in run.shards:
        files = shard_files(run, shard)
        rest_units.append(
            Unit(
                name=shard,
                inputs=[info.sha256 for info in files.values()],
                version=VERSION,
                arguments={"files": {name: info.path for name, info in files.items()}},
            )
        )
    run.keep("publish_rest", run.runner.execute("publish_rest", rest_units, publish_rest))
    index(run)
    done = run.keep("publish", run.runner.execute("publish", kept_units, publish_kept))
    uses(run)
    return done


def corpus_files(run: Run) -> dict[str, list[FileInfo]]:
    """The committed files of each split, for the data card. A split without a row gets one empty file."""
    found: dict[str, list[FileInfo]] = {"kept": [c.files["table"] for c in run.done["publish"].values()]}
    for verdict in ("removed", "quarantined"):
        found[verdict] = [c.files[verdict] for c in run.done["publish_rest"].values() if verdict in c.files]
        if not found[verdict]:
            path = f"corpus/{verdict}/empty.parquet"
            found[verdict] = [run.store.put_table(path, [], REMOVED)]
    return found
