"""`clean`: give back the disk that `work/` takes, and keep what a user opens: corpus, tokenizer, hand-off, report, cards.

What is lost is said first, and nothing goes without `--yes`. On a local disk the published files are hard links into `work/`, so
what comes back is less than its size; that is counted too.
"""

import argparse
import os

from pipeline.commands.console import answer
from pipeline.core import lease
from pipeline.core.run_folder import RECIPE, open_run
from pipeline.core.steps import Step
from pipeline.core.store import WORK, Store
from pipeline.errors import UsageError
from pipeline.ingest.account import megabytes

LOST = (
    "explain, inspect, whatif, diff, status, verify, forget and report no longer work on this folder",
    "the next run of the recipe reads its sources and computes everything again",
    "a later run cannot be deduplicated against this one",
    "the unmasked texts of all documents, and the texts of those that were removed other than in corpus/removed",
)


def freed(store: Store, paths: list[str]) -> int:
    """Bytes that deleting these files gives back: on a local disk those of files that have no second name."""
    if not store.local:
        return sum(int(store.filesystem.size(store.locate(path))) for path in paths)
    found = [os.stat(store.locate(path)) for path in paths]
    return sum(one.st_size for one in found if one.st_nlink == 1)


def remove_empty(store: Store) -> None:
    """Take away the folders of `work/`, once they hold nothing."""
    if store.local:
        for folder, _, _ in os.walk(store.locate(WORK), topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)


def run(arguments: argparse.Namespace) -> int:
    """Say what goes and, with `--yes`, delete it. Raises UsageError for a run that has not published its corpus."""
    opened = open_run(arguments.run)
    store = opened.store
    if not opened.has(Step.EXPORT) or not store.exists("corpus/README.md"):
        raise UsageError(
            f"{arguments.run}: the run has not published its corpus yet: without {WORK}/ nothing would be left"
        )
    with lease.held(store):
        # The recipe's note stays: the folder still belongs to it.
        paths = [path for path in store.list(WORK) if path not in (RECIPE, lease.FILE)]
        size = freed(store, paths)
        if arguments.yes:
            # Records first: a folder that is half cleaned must not look like a run whose files are damaged.
            for path in sorted(paths, key=lambda path: (not path.startswith(f"{WORK}/ledger/"), path)):
                store.delete(path)
    if arguments.yes:
        remove_empty(store)
    found = {"files": len(paths), "bytes": size, "lost": LOST, "deleted": arguments.yes}
    if arguments.yes:
        said = [f"{len(paths):,} files deleted, {megabytes(size)} are free again; what a user opens stays"]
    else:
        said = [
            f"{store.url(WORK)}: {len(paths):,} files would go. What is lost:",
            *(f"- {line}" for line in LOST),
            f"{megabytes(size)} come back. Nothing was deleted; `--yes` does it.",
        ]
    return answer(arguments, found, said)
