"""The driver alone: a step of many shards and judges that is found done, on a store that counts its requests.

`--size` is the number of shards in thousands. There is no work and there are no files: the record of the step is written, and
the store lists what that names. So what is measured is what the driver itself holds and asks for when a run of that size is
reused; a request of an object store takes about 20 ms, and that is added up, not waited for.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

JUDGES = 13
REQUEST_S = 0.02
SETTINGS = {f"setting_{n}": n / 7 for n in range(20)}
SHA256 = "0123456789abcdef" * 4


def _counting(requests: list[int]) -> type:
    """An object store on a folder of this machine: it has each shard's signals of every judge, and counts requests."""
    from fsspec.implementations.local import LocalFileSystem

    class Counting(LocalFileSystem):
        protocol = ("counting",)
        shards = 0

        def __init__(self, **named: Any) -> None:
            super().__init__(auto_mkdir=True, **named)

        def cat_file(self, *arguments: Any, **named: Any) -> Any:
            requests[0] += 1
            return super().cat_file(*arguments, **named)

        def open(self, *arguments: Any, **named: Any) -> Any:
            requests[0] += 1
            return super().open(*arguments, **named)

        def ls(self, path: str, detail: bool = False, **named: Any) -> Any:
            if "signals/judge" not in path:
                requests[0] += 1
                return super().ls(path, detail=detail, **named)
            requests[0] += -(-self.shards // 1000)
            return ({"name": f"{path}/{shard:06d}.parquet", "size": 1000} for shard in range(self.shards))

        def info(self, path: str, **named: Any) -> Any:
            requests[0] += 1
            return super().info(path, **named)

    return Counting


def _units(shards: int) -> Iterator[Any]:
    from pipeline.core.execute import Unit
    from pipeline.core.store import FileInfo

    for shard in range(shards):
        documents = FileInfo(f"work/documents/{shard:06d}.parquet", 1000, f"{shard:064x}", 100)
        for judge in range(JUDGES):
            yield Unit(f"judge{judge:02d}/{shard:06d}", {"documents": documents}, SETTINGS, group=f"{shard:06d}")


def measured(folder: str, shards: int) -> dict[str, Any]:
    """In a process of its own: requests, memory and seconds of a step that is written, and of one that is found done."""
    import fsspec

    from pipeline.core.execute import Runner, fingerprint, parts_of
    from pipeline.core.in_process import InProcess
    from pipeline.core.ledger import Commit, Ledger
    from pipeline.core.store import FileInfo, Store

    requests = [0]
    kind = _counting(requests)
    kind.shards = shards
    fsspec.register_implementation("counting", kind, clobber=True)
    store = Store(f"counting://{folder}")
    if not store.exists(Ledger.step_path("measure")):
        commits = {}
        for unit in _units(shards):
            judge, _, shard = unit.name.partition("/")
            info = FileInfo(f"work/signals/{judge}/{shard}.parquet", 1000, SHA256, 100)
            parts = parts_of("measure", unit)
            commits[unit.name] = Commit("measure", unit.name, fingerprint(parts), parts, {"table": info})
        Ledger(store).write_step("measure", commits)
    else:
        Runner(store, InProcess(), verify="sizes").execute("measure", list(_units(shards)), lambda *_: [])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"requests": requests[0], "bytes": peak, "cpu_s": time.process_time()}


def run(size_mb: int = 10) -> dict:
    """Seconds to find a step done, with its requests at `REQUEST_S` each; the table has a row a size."""
    rows = []
    for shards in (size_mb * 100, size_mb * 1000):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "bench.scale_driver", folder, str(shards)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        whole = found["cpu_s"] + REQUEST_S * found["requests"]
        rows.append([f"{shards:,}", found["requests"], round(found["cpu_s"], 1), round(whole, 1)])
        rows[-1].append(round(found["bytes"] / 2**20))
        print(*rows[-1], sep="  ", file=sys.stderr)
    return {
        "name": "scale_driver",
        "unit": "s to find a step done",
        "ours": rows[-1][3],
        "peer": None,
        "ratio": None,
        "peer_name": "",
        "versions": {},
        "input": f"{size_mb * 1000:,} shards of {JUDGES} judges, done already; {REQUEST_S * 1000:.0f} ms a request",
        "rounds": 1,
        "tables": {
            "driver": {"head": ["shards", "requests", "CPU s", "s with requests", "peak MiB"], "rows": rows},
        },
    }


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
