"""`forget URL|id|hash …`: take documents out of a finished run and keep them out."""

import argparse
from collections.abc import Iterator
from typing import Any

from pipeline.commands.console import answer
from pipeline.core import lease
from pipeline.core.run_folder import RunFolder
from pipeline.core.store import Store


def run(arguments: argparse.Namespace) -> int:
    """Forget them and their exact copies. Running it again changes nothing; after a crash it finishes."""
    from pipeline.forget.erase import forget, read_recipe  # the whole flow, which other commands do not need

    store = Store(arguments.run)
    read_recipe(RunFolder(store))
    with lease.held(store):
        found = forget(store, arguments.documents, near=arguments.near_copies)
    return answer(arguments, {"run": arguments.run, **found}, lines(found, arguments.near_copies))


def lines(found: dict[str, Any], near_too: bool) -> Iterator[str]:
    """For a person."""
    if not found["documents"]:
        yield "nothing new to forget; what was begun before is finished"
    for own in found["documents"]:
        yield f"{own}  forgotten"
    yield f"{len(found['made_again'])} units made again: {', '.join(found['made_again']) or 'none'}"
    yield f"{found['old_files_removed']} old files and records removed; {found['tombstones']} tombstones keep it out"
    for one in found["near_copies"]:
        where = " ".join(one[name] for name in ("source", "url", "run") if one.get(name))
        yield f"{one['id']}  {one['verdict'] or 'not decided'}, near copy of {one['near']}, stays  {where}".rstrip()
    if found["near_copies"] and not near_too:
        yield "near copies hold nearly the same text: the same command with --near-copies forgets those of this run"
    for one in found["checkpoints"]:
        said = {True: "HELD", False: "did not hold", None: "MAY HAVE HELD"}[one["held"]]
        yield f"{one['path']}: {said} forgotten documents ({one['why']})"
