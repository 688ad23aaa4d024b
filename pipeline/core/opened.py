"""A finished run, opened for reading: its ledger and the tables of each document shard."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.ledger import Commit, Ledger
from pipeline.core.settings import JudgeSettings
from pipeline.core.store import FileInfo, Store
from pipeline.errors import UsageError

Measured = TypeVar("Measured", bound=JudgeSettings)


@dataclass(frozen=True)
class OpenedRun:
    """The committed units of every step of a run folder."""

    store: Store
    steps: dict[str, dict[str, Commit]]

    @property
    def shards(self) -> list[str]:
        """Names of the document shards."""
        return list(self.steps["extract"])

    @property
    def judges(self) -> list[str]:
        """Names of the judges whose signals are there, in the recipe's order."""
        if "decide" in self.steps:
            return list(self.steps["decide"]["all"].parts["settings"]["order"])
        return sorted({unit.partition("/")[0] for unit in self.steps.get("measure", {})})

    def verdict_file(self, shard: str) -> FileInfo | None:
        """Final verdicts, or those of decide when the run stopped there."""
        for step in ("settle", "decide"):
            if step in self.steps:
                return self.steps[step]["all"].files[shard]
        return None

    def documents(self, shard: str, columns: list[str] | None = None) -> pa.Table:
        """Extracted documents of a shard."""
        return self.store.read_table(self.steps["extract"][shard].files["table"].path, columns)

    def verdicts(self, shard: str) -> pa.Table:
        """Verdicts of a shard. Raises UsageError when the run has not decided yet."""
        info = self.verdict_file(shard)
        if info is None:
            raise UsageError(f"{self.store.root}: nothing is decided yet; run it at least to `--to decide`")
        return self.store.read_table(info.path)

    def signals(self, judge: str, shard: str) -> pa.Table:
        """Signals of one judge."""
        return self.store.read_table(self.steps["measure"][f"{judge}/{shard}"].files["table"].path)

    def settings(self, judge: str, model: type[Measured]) -> Measured | None:
        """The settings that a judge measured with; None when the recipe has no such judge."""
        units = [commit for unit, commit in self.steps.get("measure", {}).items() if unit.startswith(f"{judge}/")]
        return model.model_validate(units[0].parts["settings"]) if units else None

    def spans(self, file: str, shard: str) -> pa.Table:
        """Spans that apply read: a judge's signals, or `repeats/<kind>`."""
        stage, _, kind = file.partition("/")
        if stage == "repeats":
            return self.store.read_table(self.steps["repeats"][kind].files[shard].path)
        return self.signals(file, shard)

    def texts(self, shard: str) -> pa.Table | None:
        """Texts as published (cut and masked), when apply has run."""
        if "apply" not in self.steps:
            return None
        return self.store.read_table(self.steps["apply"][shard].files["table"].path)

    def uses(self, wanted: str) -> float | None:
        """How often the planned training visits a document; None when it is not trained on, or the run has no plan."""
        for commit in self.steps.get("uses", {}).values():
            table = self.store.read_table(commit.files["uses"].path)
            row = pc.index(table["id"], wanted).as_py()
            if row >= 0:
                return table["uses"][row].as_py()
        return None

    @property
    def earlier(self) -> list[str]:
        """Folders of the earlier runs that this one was deduplicated against."""
        if "cluster" not in self.steps:
            return []
        return list(dict.fromkeys(found["root"] for found in self.steps["cluster"]["all"].counts["indexes"]))

    def find(self, wanted: str) -> Iterator[tuple[str, int]]:
        """(shard, row) of every document with this id, id prefix of at least 8 digits, or URL."""
        for shard in self.shards:
            table = self.documents(shard, ["id", "url"])
            hit = pc.or_kleene(pc.equal(table["id"], wanted), pc.equal(table["url"], wanted))
            if len(wanted) >= 8:
                hit = pc.or_kleene(hit, pc.starts_with(table["id"], wanted))
            for row in pc.indices_nonzero(pc.fill_null(hit, False)).to_pylist():
                yield shard, row


STEP_NAMES = (
    "ingest", "extract", "train", "measure", "pairs", "cluster", "decide", "repeats", "apply", "settle", "count",
    "tokenizer", "shards", "size", "mix", "publish_rest", "index", "publish", "uses", "audit",
)  # fmt: skip


def open_run(folder: str) -> OpenedRun:
    """Open a run folder. Raises UsageError when it holds no run."""
    store = Store(folder)
    ledger = Ledger(store)
    steps: dict[str, Any] = {step: ledger.last(step) for step in STEP_NAMES}
    steps = {step: commits for step, commits in steps.items() if commits}
    if "extract" not in steps:
        raise UsageError(f"{folder}: no run is recorded here; python -m pipeline.run RECIPE --out {folder} makes one")
    return OpenedRun(store, steps)


def holds_a_run(folder: str) -> bool:
    """Whether a folder holds a run that reached extract."""
    return bool(Ledger(Store(folder)).last("extract"))
