"""Extract: input files to documents, one shard at a time. Ingest streams into it; raw records are never stored."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import quarantine, sandbox
from pipeline.core.batch import DOCUMENTS
from pipeline.core.conserve import Balance
from pipeline.core.execute import Assignment, Produced, Unit, libraries, works_on_documents
from pipeline.core.reads import Values
from pipeline.core.run_folder import Commits, Run
from pipeline.core.sandbox import Killer
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import ConservationError, UsageError
from pipeline.extract import tombstones
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.main_content import WEIGHTS
from pipeline.extract.methods import PACKAGES, require
from pipeline.extract.payload import Known
from pipeline.extract.records import EXTRACT_VERSION, extract_batch
from pipeline.extract.tombstones import bury
from pipeline.ingest.account import FILES, ReadFiles, account_of, unread_unit, write_unread
from pipeline.ingest.contents import by_content
from pipeline.ingest.files import EXCLUDED, InputFile, InputShard, plan_shards, readable, survey
from pipeline.ingest.read import Stop, read_shard
from pipeline.ingest.record import Tally
from pipeline.ingest.source import Source
from pipeline.ingest.step import frozen_files

SUMS = ("raw_bytes", "raw_pretokens", "text_bytes", "num_pretokens")
LIBRARIES = (
    "resiliparse", "fastwarc", "unicode", "pyarrow", "zstandard", "isal", "pypdfium2", "python-calamine", "olefile",
)  # fmt: skip


@dataclass
class ExtractCounts:
    """What extracting one shard counted. Bytes and pre-tokens are sums over all documents, of the raw payload and of the text."""

    source: str
    skipped: dict[str, int] = field(default_factory=dict)
    """Records that are no documents, by the reason."""
    quarantine_reasons: dict[str, int] = field(default_factory=dict)
    roles: dict[str, dict[str, int]] = field(default_factory=dict)
    """The four sums below, by role."""
    raw_bytes: int = 0
    raw_pretokens: int = 0
    text_bytes: int = 0
    num_pretokens: int = 0
    edited: dict[str, list[int]] = field(default_factory=dict)
    """Documents that each rule of extract cut or repaired, and the bytes of the lines and signs it did that to."""


class Accounts:
    """Counts documents and bytes of a shard as its batches pass."""

    def __init__(self) -> None:
        self.balance = Balance()
        self.parents: set[str] = set()
        self.totals: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.roles: dict[str, Counter[str]] = {}
        self.edited: dict[str, list[int]] = {}

    def counts(self, source: str, skipped: dict[str, int]) -> ExtractCounts:
        """For the commit record."""
        roles = {role: dict(sums) for role, sums in sorted(self.roles.items())}
        reasons = dict(sorted(self.reasons.items()))
        return ExtractCounts(
            source,
            dict(sorted(skipped.items())),
            reasons,
            roles,
            **self.totals,
            edited=dict(sorted(self.edited.items())),
        )

    def add(self, documents: pa.RecordBatch) -> None:
        """Take in one batch."""
        quarantined = documents.column("reason").is_valid()
        parents = documents.column("parent").drop_null().to_pylist()
        new = len(set(parents) - self.parents)
        self.parents |= set(parents)
        bad = int(pc.sum(quarantined).as_py() or 0)
        self.balance.entered += documents.num_rows - len(parents) + new
        self.balance.children += len(parents) - new
        self.balance.quarantined += bad
        self.balance.kept += documents.num_rows - bad
        self.reasons.update(documents.column("reason").drop_null().to_pylist())
        for name in SUMS:
            self.totals[name] += int(pc.sum(documents.column(name)).as_py() or 0)
        by_role = (
            pa.Table.from_batches([documents.select(["role", *SUMS])])
            .group_by("role")
            .aggregate([(name, "sum") for name in SUMS])
        )
        for row in by_role.to_pylist():
            own = self.roles.setdefault("general" if row["role"] == "auto" else row["role"], Counter())
            own.update({name: row[f"{name}_sum"] or 0 for name in SUMS})
        for edits in documents.column("edits").drop_null().to_pylist():
            for rule in {edit["rule"] for edit in edits}:
                found = self.edited.setdefault(rule, [0, 0])
                found[0] += 1
                found[1] += sum(len(edit["text"].encode()) * edit["count"] for edit in edits if edit["rule"] == rule)


def stopped(records: pa.RecordBatch, killers: dict[str, Killer]) -> pa.RecordBatch:
    """The same records; those that kill their worker carry the reason, so that no parser looks at them."""
    ids = records.column("id").to_pylist()
    if not any(found in killers for found in ids):
        return records
    for name in ("reason", "detail"):
        values = [
            getattr(killers[found], name) if found in killers else own
            for found, own in zip(ids, records.column(name).to_pylist(), strict=True)
        ]
        place = records.schema.get_field_index(name)
        records = records.set_column(
            place, records.schema.field(place), pa.array(values, records.schema.field(place).type)
        )
    return records


def _without(record: pa.RecordBatch) -> pa.RecordBatch:
    """A record that nothing is done with; only while looking for what kills."""
    ids = record.column("id").to_pylist()
    return stopped(record, {found: Killer("", found, "extract.killed_worker", "") for found in ids})


@works_on_documents
def extract_shard(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Read and extract shards. Every record the reader counted must come out as a document, or nothing commits."""
    return [_one_shard(store, assigned) for assigned in assignments]


def _one_shard(store: Store, assigned: Assignment) -> Produced:
    settings = ExtractSettings.model_validate(assigned.settings["extract"])
    source = Source.model_validate(assigned.settings["source"])
    forgotten: set[str] = set(assigned.reads["tombstones"].values if "tombstones" in assigned.reads else [])
    shard = InputShard(assigned.name, tuple(assigned.reads["files"]))
    tally, accounts, read_files = Tally(), Accounts(), ReadFiles(shard.files)
    killers = {name: Killer(assigned.name, name, *rest) for name, *rest in assigned.settings.get("killers", [])}

    def batches() -> Iterator[pa.RecordBatch]:
        met = Known()
        stops = {k.name: Stop(k.records, k.reason, k.detail) for k in killers.values() if k.records is not None}
        for records in sandbox.watched(read_shard(source, shard, tally, stops)):
            known = stopped(records, killers)
            documents = sandbox.rows(
                shard.name, "extract", known, lambda batch: extract_batch(batch, settings, met), _without
            )
            if documents.num_rows != records.num_rows:
                raise ConservationError(
                    f"extract {shard.name}: {records.num_rows} records became {documents.num_rows} documents"
                )
            documents = bury(documents, forgotten)
            accounts.add(documents)
            read_files.add(documents)
            yield documents

    # Level 1 takes three fifths of the time of level 3 for a tenth more bytes, and later steps only read them.
    info = store.put_table(assigned.path("documents"), batches(), DOCUMENTS, level=1)
    if tally.records != info.rows:
        raise ConservationError(f"extract {shard.name}: read {tally.records} records, wrote {info.rows} documents")
    account = store.put_table(assigned.path("files"), [read_files.table(source.name, tally)], FILES)
    return Produced({"table": info, "files": account}, accounts.counts(source.name, tally.skipped), accounts.balance)


def _input_files(run: Run, source: Source, unread: list[Unit]) -> list[InputFile]:
    """The files of a source; those that the run froze itself are known by their checksum, not by their time.

    What the source has beside them goes to `unread`.
    """
    frozen = frozen_files(run.commits(Step.INGEST), source.name)
    if frozen:
        return [InputFile(name, run.store.url(info.path), info.bytes, info.sha256) for name, info in frozen.items()]
    found = survey(source)
    unread.append(unread_unit(source, found))
    return by_content(run.store, source.name, readable(source, found), run.runner.rehash)


def _units(
    run: Run, source: Source, forgotten: list[str], killers: dict[str, list[Killer]], unread: list[Unit]
) -> list[Unit]:
    made = {"kind": "warc", "sample": None, "crawl": None, "fetch": None, "commoncrawl": None}
    read = source.model_copy(update=made) if frozen_files(run.commits(Step.INGEST), source.name) else source
    settings = {
        "extract": run.recipe.extract.model_dump(mode="json"),
        "main_content": WEIGHTS.sha256,
        "source": read.model_dump(mode="json", exclude={"path", "url", "priority", "optional"})
        | {"optional": True},  # the worker reads the listed files, not the path
    }
    reads = {"tombstones": Values(forgotten)} if forgotten else {}
    method = PACKAGES[run.recipe.extract.method]
    versions = libraries(*LIBRARIES, method, *(["datasets"] if source.kind == "hub" else []))
    units = []
    for shard in plan_shards(source, _input_files(run, source, unread)):
        stopped_here = quarantine.listed(killers.get(shard.name, []))
        units.append(
            Unit(
                name=shard.name,
                reads={"files": list(shard.files), **reads},
                settings=settings | ({"killers": stopped_here} if stopped_here else {}),
                version=EXTRACT_VERSION,
                libraries=versions,
            )
        )
    return units


def extract(run: Run) -> Commits:
    """One unit per input shard, keyed by the file's name, size and version and by how the source is read."""
    require(run.recipe.extract.method)
    units: list[Unit] = []
    unread: list[Unit] = []
    forgotten = tombstones.load(run.store, run.recipe.tombstones)
    killers = quarantine.load(run.store, run.recipe.sandbox)
    for source in run.recipe.chosen:
        if source.is_absent:
            run.notes.append(f"source {source.name} is optional and its path is not set: skipped")
            continue
        units += _units(run, source, forgotten, killers, unread)
    if not units:
        raise UsageError(f"sources.{run.recipe.use}: every source was skipped; there is nothing to read")
    run.execute(Step.FILES, unread, write_unread)
    commits = run.execute(Step.EXTRACT, units, extract_shard)
    if killers:
        _note_killers(run, commits)
    _refuse_empty_sources(run)
    return commits


def _note_killers(run: Run, commits: Commits) -> None:
    """Name the documents that are there and kill what works on them, as their source names them."""
    names: list[str] = []
    for commit in commits.values():
        if any(reason.endswith(sandbox.RULE) for reason in commit.counted(ExtractCounts).quarantine_reasons):
            rows = run.table(commit.files["table"], ["path", "locator", "url", "reason"])
            for row in rows.filter(pc.ends_with(rows["reason"], sandbox.RULE)).to_pylist():
                where = row["url"] or " ".join(part for part in (row["path"], row["locator"]) if part)
                names.append(f"{where} ({row['reason']})")
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        run.notes.append(f"quarantined, because working on it killed the worker: {', '.join(sorted(names)[:5])}{more}")


def _refuse_empty_sources(run: Run) -> None:
    """Raise UsageError with a line for each source that gave no document: what its files hold instead.

    A source whose documents were all forgotten gave some.
    """
    given: dict[str, int] = {}
    skipped: dict[str, Counter[str]] = {}
    for commit in run.commits(Step.EXTRACT).values():
        counts = commit.counted(ExtractCounts)
        forgotten = counts.quarantine_reasons.get(tombstones.REASON, 0)
        kept = (commit.balance.kept if commit.balance else 0) + forgotten
        given[counts.source] = given.get(counts.source, 0) + kept
        skipped.setdefault(counts.source, Counter()).update(counts.skipped)
    lines = []
    for source in (name for name, documents in given.items() if not documents):
        rows = [row for row in account_of(run).to_pylist() if row["source"] == source and row["outcome"] != EXCLUDED]
        said = Counter(f"{row['outcome']}: {row['reason']}" for row in rows)
        why = [f"{count:,} files {text}" if count > 1 else text for text, count in said.most_common(3)]
        records = ", ".join(f"{count:,} {name}" for name, count in sorted(skipped[source].items()))
        also = f"; records that are no documents: {records}" if records else ""
        hold = "file holds" if len(rows) == 1 else f"{len(rows):,} files hold"
        lines.append(f"source {source}: its {hold} no document{also}; {'; '.join(why)}")
    if lines:
        raise UsageError("\n".join(lines))
