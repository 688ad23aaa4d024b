"""Publish: kept, removed and quarantined documents as Parquet that `datasets.load_dataset` opens."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.batch import DOCUMENTS, SECTION, fields_of
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import WORK, FileInfo, Store
from pipeline.extract.filing import sections_of
from pipeline.publish.index import index
from pipeline.publish.uses import uses
from pipeline.tokens.parts import DESCRIBED, described_files, final_files, load_part, parts_of_streams

VERSION = 4
ROW_GROUP = 4096

KEPT = pa.schema(
    [
        *fields_of(DOCUMENTS, "id text url title date doc_type source role licence rights tdm robots terms"),
        ("num_tokens", pa.int64()),  # of the trained tokenizer, end-of-text token not counted; null when not kept
        ("split", pa.string()),  # train | validation
        ("bucket", pa.int8()),  # by `select.by`, from 1 for the lowest scores; null without `select.buckets`
        ("sections", pa.list_(SECTION)),  # byte ranges of the text: items of a 10-K, 10-Q or 8-K
    ]
)
"""`corpus/kept`: one row a document, in the order of ids within a file."""

REMOVED = pa.schema(
    [
        *(field for field in KEPT if field.name not in ("split", "bucket", "sections")),
        ("num_pretokens", pa.int64()),
        ("stage", pa.string()),
        ("rule", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("plain_similarity", pa.float32()),
        ("detail", pa.string()),
        ("path", pa.string()),
        ("locator", pa.string()),
    ]
)
"""`corpus/removed` and `corpus/quarantined`: the same columns, and why. Personal data are masked here too."""


def _groups(table: pa.Table) -> list[pa.Table]:
    return [table.slice(start, ROW_GROUP) for start in range(0, table.num_rows, ROW_GROUP)]


@dataclass
class KeptCounts:
    """Tokens of the published documents, end-of-text tokens left out."""

    tokens: int = 0


@dataclass
class RestCounts:
    """Documents published beside the kept ones, with their reasons."""

    removed: int = 0
    quarantined: int = 0


@each
def publish_kept(store: Store, assigned: Assignment) -> Produced:
    """The kept documents of one part of a stream, with the token counts that the shards step found."""
    table = load_part(store, assigned, DESCRIBED)
    counts = store.read_table(assigned.reads["counts"].path)
    if not table["id"].combine_chunks().equals(counts["id"].combine_chunks()):
        raise AssertionError(f"publish {assigned.name}: token counts and documents are not aligned")
    table = table.append_column("num_tokens", counts["num_tokens"]).append_column("split", counts["split"])
    items = [sections_of(row["text"], row["doc_type"]) for row in table.select(["text", "doc_type"]).to_pylist()]
    table = table.append_column("sections", pa.array(items, pa.list_(SECTION)))
    info = store.put_table(assigned.path("corpus/kept"), _groups(table.select(KEPT.names)), KEPT)
    return Produced({"kept": info}, KeptCounts(int(pc.sum(counts["num_tokens"]).as_py() or 0)))


@each
def publish_rest(store: Store, assigned: Assignment) -> Produced:
    """What was not kept of one document shard: removed and quarantined, in the order of the shard."""
    files = assigned.reads
    table = store.read_table(files["verdicts"].path)
    documents = store.read_table(files["documents"].path, [*DESCRIBED, "detail", "path", "locator"])
    texts = store.read_table(files["texts"].path, ["text", "num_pretokens"])
    for other in (documents, texts):
        for name in other.column_names:
            table = table.append_column(name, other[name])
    table = table.append_column("num_tokens", pa.nulls(table.num_rows, pa.int64()))
    published: dict[str, FileInfo] = {}
    for verdict in ("removed", "quarantined"):
        part = table.filter(pc.equal(table["verdict"], verdict)).select(REMOVED.names)
        if part.num_rows:
            published[verdict] = store.put_table(assigned.path(f"corpus/{verdict}"), _groups(part), REMOVED)
    rows = {name: info.rows or 0 for name, info in published.items()}
    return Produced(published, RestCounts(**rows))


def publish(run: Run) -> Commits:
    """Kept documents by part of a stream; the others by document shard; then all of it under the names that users open."""
    kept_units = []
    for name, reads, place in parts_of_streams(run, described_files):
        counts = run.file(Step.SHARDS, name, "counts")
        kept_units.append(Unit(name, {"counts": counts, **reads}, place, VERSION))
    rest_units = [
        Unit(shard, {"documents": run.file(Step.EXTRACT, shard), **final_files(run, shard)}, version=VERSION)
        for shard in run.shards
    ]
    run.execute(Step.PUBLISH_REST, rest_units, publish_rest)
    index(run)
    published = run.execute(Step.PUBLISH, kept_units, publish_kept)
    uses(run)
    return published


def corpus_files(run: Run) -> dict[str, list[FileInfo]]:
    """The files of each split, where publishing put them. A split without a row gets one empty file."""
    splits: dict[str, list[FileInfo]] = {}
    commits = [*run.commits(Step.PUBLISH).values(), *run.commits(Step.PUBLISH_REST).values()]
    for split, schema in (("kept", KEPT), ("removed", REMOVED), ("quarantined", REMOVED)):
        splits[split] = [commit.files[split] for commit in commits if split in commit.files]
        if not splits[split]:
            splits[split] = [run.store.put_table(f"{WORK}/corpus/{split}/empty.parquet", [], schema)]
    return splits
