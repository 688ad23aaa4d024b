"""`verify`: compare every file of a run with the checksum in its record, and every record with its own."""

import argparse
from dataclasses import dataclass, field

from pipeline.commands.console import answer
from pipeline.core import sealed
from pipeline.core.ledger import LEDGER, Commit, Ledger, commits_in, units_in
from pipeline.core.run_folder import refuse_old_layout
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.errors import EXIT_INFRASTRUCTURE, EXIT_OK, UsageError
from pipeline.flow import steps
from pipeline.publish.export import RESULT, LooseCounts

ADVICE = "run the recipe into this folder again: it makes damaged files again"
OVERWRITTEN = (Step.AUDIT, Step.EXPORT, Step.REPORT)
"""Steps whose files keep their names from run to run: what an earlier record says of them no longer holds."""


@dataclass(frozen=True)
class Damage:
    """A file that is not what its record says, or a record that is not whole."""

    path: str
    step: str
    unit: str
    found: str


@dataclass
class Ledgered:
    """What the records of a run folder name."""

    held: int = 0
    files: dict[FileInfo, Commit] = field(default_factory=dict)
    """Files of the steps as they stand."""
    earlier: dict[FileInfo, Commit] = field(default_factory=dict)
    """Files of earlier settings that are there: a run with those settings would use them again."""
    damaged: list[str] = field(default_factory=list)
    """Paths of records that are damaged or gone, those of earlier settings left out: a run does without them."""


def read_ledger(store: Store) -> Ledgered:
    """Read every record of the ledger."""
    found, named, torn = Ledgered(), set[str](), list[str]()
    step_paths = {Ledger.step_path(step) for step in steps()}
    listed = [path for path in store.list(LEDGER) if path in step_paths or path.count("/") > LEDGER.count("/") + 1]
    for path in listed:
        value = sealed.read(store, path)
        found.held += 1
        if value is None:
            torn.append(path)
        elif path in step_paths:
            for commit in units_in(value):
                named.add(Ledger.unit_path(commit))
                found.files |= dict.fromkeys(commit.files.values(), commit)
                if commit.step == Step.REPORT:
                    named |= {Ledger.step_path(step) for step in commit.counted(LooseCounts).steps}
        elif value["step"] not in OVERWRITTEN:
            for commit in commits_in(value):
                found.earlier |= dict.fromkeys(commit.files.values(), commit)
    if store.exists(RESULT):  # of a finished run, no step is without its record
        named |= {Ledger.step_path(path.split("/")[-2]) for path in listed if path not in step_paths}
    found.damaged = sorted(named - set(listed)) + [path for path in torn if path in named | step_paths]
    found.earlier = {i: c for i, c in found.earlier.items() if i not in found.files and store.exists(i.path)}
    return found


def damage_in(store: Store) -> tuple[Ledgered, list[Damage]]:
    """What the ledger names, and everything in the folder that is not as its record says."""
    ledger = read_ledger(store)
    steps_of = {
        path: path.removeprefix(f"{LEDGER}/").partition("/")[0].removesuffix(".json") for path in ledger.damaged
    }
    bad = [Damage(path, step, "record", "damaged") for path, step in steps_of.items()]
    for info, commit in [*ledger.files.items(), *ledger.earlier.items()]:
        try:
            digest = store.digest(info.path)
        except OSError:
            digest = (0, "missing")
        if digest != (info.bytes, info.sha256):
            bad.append(Damage(info.path, commit.step, commit.unit, digest[1][:12]))
    return ledger, bad


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when every file is as it was committed, 3 otherwise; the next run makes damaged files again."""
    store = Store(arguments.run)
    refuse_old_layout(store)
    ledger, bad = damage_in(store)
    if not ledger.held:
        raise UsageError(
            f"{arguments.run}: no run is recorded here; python -m pipeline.run RECIPE --out {arguments.run} makes one"
        )
    code = EXIT_INFRASTRUCTURE if bad else EXIT_OK
    files, size = len(ledger.files), sum(info.bytes for info in ledger.files)
    found = {"files": files, "records": ledger.held, "bytes": size, "damaged": [vars(one) for one in bad]}
    compared = f"{files:,} files, {size:,} bytes and {ledger.held:,} records compared with their checksums"
    lines = [f"{one.path}: damaged or missing ({one.step} {one.unit})" for one in bad]
    return answer(arguments, found, [*lines, f"{compared}: {len(bad)} damaged", *([ADVICE] if bad else [])], code)
