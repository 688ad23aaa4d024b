"""`forget URL|id|hash …`: take documents out of a finished run and keep them out."""

import argparse
import json

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
    if arguments.json:
        print(json.dumps({"exit": 0, "run": arguments.run, **found}))
        return 0
    if not found["documents"]:
        print("nothing new to forget; what was begun before is finished")
    for own in found["documents"]:
        print(f"{own}  forgotten")
    print(f"{len(found['made_again'])} units made again: {', '.join(found['made_again']) or 'none'}")
    print(f"{found['old_files_removed']} old files and records removed; {found['tombstones']} tombstones keep it out")
    for one in found["near_copies"]:
        where = " ".join(one[name] for name in ("source", "url", "run") if one.get(name))
        print(f"{one['id']}  {one['verdict'] or 'not decided'}, near copy of {one['near']}, stays  {where}".rstrip())
    if found["near_copies"] and not arguments.near_copies:
        print("near copies hold nearly the same text: the same command with --near-copies forgets those of this run")
    for one in found["checkpoints"]:
        said = {True: "HELD", False: "did not hold", None: "MAY HAVE HELD"}[one["held"]]
        print(f"{one['path']}: {said} forgotten documents ({one['why']})")
    return 0
