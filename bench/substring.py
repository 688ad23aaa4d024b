"""Repeated substrings of 500 bytes over `--size` MB of real text on one core, beside suffix arrays.

Ours goes from texts in Arrow to the merged byte ranges to cut, through files in a folder. libdivsufsort
(`pydivsufsort`), where it is installed, only builds the array in memory, before any duplicate is looked for. The
reference tool (google-research/deduplicate-text-datasets, which text-dedup calls, too) is compiled from its repository at
run time and is on no package index; its authors publish about 0.1 MB/s a core for the array, and that is all we quote.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the peers' interpreter runs this file as a script

from bench import child

PUBLISHED_MB_S = 0.1
SHARD_ROWS = 2000
FEW_MB = 100
"""From so many MB on one round is enough: either side takes seconds, not milliseconds."""


def _ours(folder: str) -> dict:
    """The child's side: seconds, memory and what was found."""
    import pyarrow as pa

    from bench.cluster import disk
    from pipeline.apply.substrings import SubstringSettings, TextShard, repeated_substrings

    def read(at: int) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(Path(folder, "texts.arrow"))) as source:
            yield pa.ipc.open_file(source).get_batch(at)

    with pa.memory_map(str(Path(folder, "texts.arrow"))) as source:
        file = pa.ipc.open_file(source)
        rows = [file.get_batch(at).num_rows for at in range(file.num_record_batches)]
    shards = [TextShard(str(at), count, lambda at=at: read(at)) for at, count in enumerate(rows)]
    settings = SubstringSettings()
    list(repeated_substrings(shards[:1], settings, Path(folder, "warm")))

    def act() -> dict[str, int]:
        spans, most = 0, 0
        for _, column in repeated_substrings(shards, settings, Path(folder, "work")):
            most = most or disk(Path(folder, "work"))
            spans += len(column.flatten())
        return {"spans": spans, "disk_mib": most}

    found = child.timed(act)
    return found | found.pop("result")


def _divsufsort(folder: str) -> dict:
    import importlib.metadata

    import pydivsufsort  # pyright: ignore[reportMissingImports]

    raw = Path(folder, "all.txt").read_bytes()
    found = child.timed(lambda: len(pydivsufsort.divsufsort(raw)))
    return found | {"version": importlib.metadata.version("pydivsufsort")}


def real_text(size_mb: int) -> list[str]:
    """Whole sets of the corpora in turn, up to `size_mb`; raises SystemExit when they hold less."""
    from bench.corpora import SETS, documents

    texts, size = [], 0
    for name in SETS:
        for text in documents(name):
            if size > size_mb * 1e6:
                return texts
            texts.append(text)
            size += len(text.encode())
    if size < size_mb * 1e6:
        raise SystemExit(f"the corpora hold {size / 1e6:.0f} MB of text; ask for less with --size")
    return texts


def run(size_mb: int = 200) -> dict:
    """Megabytes of text per CPU second."""
    import pyarrow as pa

    texts = real_text(size_mb)
    number, size = len(texts), sum(len(text.encode()) for text in texts)
    rounds = 3 if size_mb < FEW_MB else 1
    sides: dict[str, list[dict]] = {"ours": [], "libdivsufsort": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "all.txt").write_bytes("\0".join(texts).encode())
        table = pa.table({"id": [f"{at:09}" for at in range(number)], "text": pa.array(texts, pa.large_string())})
        with pa.ipc.new_file(str(Path(folder, "texts.arrow")), table.schema) as writer:
            for at in range(0, number, SHARD_ROWS):
                writer.write_table(table.slice(at, SHARD_ROWS).combine_chunks())
        del texts, table
        for _ in range(rounds):
            for name, results in sides.items():
                found = child.call(__file__, name, folder, own=name == "ours")
                if found is not None:
                    results.append(found)
    rate = {
        name: size / 1e6 / statistics.median(result["seconds"] for result in results)
        for name, results in sides.items()
        if results
    }
    peer = rate.get("libdivsufsort", PUBLISHED_MB_S)
    rows = [
        [
            name,
            round(rate[name], 1),
            max(result["peak_mib"] for result in sides[name]),
            sides[name][0].get("disk_mib", 0),
        ]
        for name in rate
    ]
    return {
        "name": "substring",
        "unit": "MB of text per CPU second, one core",
        "ours": round(rate["ours"], 1),
        "peer": round(peer, 2),
        "ratio": round(rate["ours"] / peer, 1),
        "peer_name": "libdivsufsort (array only)" if "libdivsufsort" in rate else "published, array only",
        "versions": {"pydivsufsort": sides["libdivsufsort"][0]["version"]} if sides["libdivsufsort"] else {},
        "input": f"{number} documents, {size / 1e6:.0f} MB, {sides['ours'][0]['spans']} spans found",
        "rounds": rounds,
        "published": {"deduplicate-text-datasets": PUBLISHED_MB_S, "ratio": round(rate["ours"] / PUBLISHED_MB_S)},
        "tables": {"sides": {"head": ["side", "MB per CPU second", "peak memory, MiB", "on disk, MiB"], "rows": rows}},
    }


if __name__ == "__main__":
    print(json.dumps({"ours": _ours, "libdivsufsort": _divsufsort}[sys.argv[1]](sys.argv[2])))
