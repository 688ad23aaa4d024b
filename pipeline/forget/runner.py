"""The runner that forgets: what held a document is made again, everything else is kept under the key it has from now on.

It is given to the ordinary steps, so that every key is the one the next ordinary run computes: that run finds everything
done. What was learned from all documents together (tokenizer, classifiers, clusters, verdicts) is kept: forgetting one
document must not move the rest of the corpus.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.conserve import Balance
from pipeline.core.execute import Runner, Unit, Work, parts_of
from pipeline.core.fingerprint import fingerprint
from pipeline.core.in_process import InProcess
from pipeline.core.ledger import Commit, Ledger
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.extract.tombstones import REASON

LEARNED = (Step.CLASSIFY, Step.OVERALL, Step.TOKENIZER)
"""Steps whose files are kept as they are."""
ANNOTATED = (Step.CLUSTER, Step.VERDICTS)
"""Steps of units with a file per shard, of which only the rows of forgotten documents change."""
BETWEEN = (
    *(Step.RANK, Step.SURVIVE, Step.DECIDE, Step.PARAGRAPHS, Step.REPEATED, Step.FALLING, Step.CUTS),
    *(Step.GATHER, Step.EQUAL, Step.SELECT, Step.FINAL, Step.SCATTER),
)
"""Steps that are made again, though no verdict moves."""
PARTS = {Step.SHARDS: "counts", Step.PUBLISH: "kept"}
"""Steps whose units hold documents from several shards: kept unless this file of theirs names a forgotten id."""


class ForgettingRunner(Runner):
    """`rows`: rows of forgotten documents by document shard; `ids`: their ids."""

    def __init__(self, store: Store, rows: dict[str, list[int]], ids: set[str]) -> None:
        super().__init__(store, InProcess())
        self.rows, self.ids = rows, ids
        self.emitted: list[str] = []
        """`step unit` of everything that was made again."""

    def execute(self, step: Step, units: Sequence[Unit], work: Work) -> dict[str, Commit]:
        """See `Runner.execute`: units that held no forgotten document are committed as they are."""
        ledger = Ledger(self.store)
        before = ledger.last(step)
        known = {name: commit.fingerprint for name, commit in before.items()}
        for unit in units:
            parts = parts_of(step, unit)
            key, old = fingerprint(parts), before.get(unit.name)
            if old is None or old.fingerprint == key or not self._stays(step, unit, old):
                continue
            done_before = ledger.find(step, [key]).get(key)
            if done_before is None or self._damaged([done_before]):
                ledger.write([self._kept(step, unit, old, key, parts)])
        done = super().execute(step, units, work)
        changed = [n for n, c in done.items() if known.get(n) != c.fingerprint and not c.counts.get("kept_by_forget")]
        self.emitted += [f"{step} {name}" for name in changed if step not in ANNOTATED + BETWEEN]
        return done

    def _stays(self, step: Step, unit: Unit, old: Commit) -> bool:
        if step in LEARNED or step in ANNOTATED:
            return True
        if step == Step.COUNT:
            return unit.name not in self.rows
        if step in PARTS:
            held = self.store.read_table(old.files[PARTS[step]].path, ["id"])["id"].to_pylist()
            return self.ids.isdisjoint(held)
        return False

    def _kept(self, step: Step, unit: Unit, old: Commit, key: str, parts: dict[str, Any]) -> Commit:
        files, counts, balance = dict(old.files), dict(old.counts), old.balance
        if step in ANNOTATED:
            for shard in self.rows:
                if shard in files:
                    change = _forgotten_verdict if step == Step.VERDICTS else _no_annotation
                    files[shard] = self._with_rows(files[shard], shard, key, change)
        if step == Step.VERDICTS:
            balance, counts["first_reasons"] = self._verdict_counts(files, balance or Balance())
        return Commit(step, unit.name, key, parts, files, counts | {"kept_by_forget": True}, balance)

    def _with_rows(self, info: FileInfo, shard: str, key: str, change: Any) -> FileInfo:
        table = self.store.read_table(info.path)
        rows = table.to_pylist()
        for row in self.rows[shard]:
            rows[row] = change(rows[row])
        changed = pa.Table.from_pylist(rows, schema=table.schema)
        path = f"{info.path.removesuffix('.parquet')[:-12]}{key[:12]}.parquet"
        return self.store.put_table(path, [changed], table.schema)

    def _verdict_counts(self, files: dict[str, FileInfo], before: Balance) -> tuple[Balance, dict[str, int]]:
        """Documents by verdict and first reason, of the tables as they are now."""
        found: dict[str, int] = {}
        reasons: dict[str, int] = {}
        for info in files.values():
            table = self.store.read_table(info.path, ["verdict", "stage", "rule"])
            for row in pc.value_counts(table["verdict"]).to_pylist():
                found[row["values"]] = found.get(row["values"], 0) + row["counts"]
            named = pc.binary_join_element_wise(table["stage"], table["rule"], ".").drop_null()
            for row in pc.value_counts(named).to_pylist():
                reasons[row["values"]] = reasons.get(row["values"], 0) + row["counts"]
        balance = replace(before, **{name: found.get(name, 0) for name in ("kept", "removed", "quarantined")})
        return balance, dict(sorted(reasons.items()))


def _forgotten_verdict(row: dict[str, Any]) -> dict[str, Any]:
    stage, _, rule = REASON.partition(".")
    changed = {"verdict": "quarantined", "stage": stage, "rule": rule, "reasons": [REASON]}
    return row | changed | {name: None for name in row if name in ("duplicate_of", "similarity", "plain_similarity")}


def _no_annotation(row: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(row)
