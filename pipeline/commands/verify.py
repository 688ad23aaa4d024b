"""`verify`: compare every committed file of a run with the checksum in its commit record."""

import argparse
import json

from pipeline.core.run_folder import open_run
from pipeline.errors import EXIT_INFRASTRUCTURE, EXIT_OK
from pipeline.flow import steps


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when every file is as it was committed, 3 otherwise; the next run makes damaged files again."""
    opened = open_run(arguments.run)
    bad, checked, size = [], 0, 0
    for step in steps():
        for commit in opened.commits(step).values():
            for info in commit.files.values():
                checked += 1
                size += info.bytes
                try:
                    found = opened.store.digest(info.path)
                except OSError:
                    found = (0, "missing")
                if found != (info.bytes, info.sha256):
                    bad.append({"step": step, "unit": commit.unit, "path": info.path, "found": found[1][:12]})
    code = EXIT_INFRASTRUCTURE if bad else EXIT_OK
    if arguments.json:
        print(json.dumps({"exit": code, "files": checked, "bytes": size, "damaged": bad}))
        return code
    for row in bad:
        print(f"{row['path']}: damaged or missing ({row['step']} {row['unit']}); delete it and run the recipe again")
    print(f"{checked:,} files, {size:,} bytes compared with their checksums: {len(bad)} damaged")
    return code
