"""`doctor`: whether this machine can run the pipeline, and with what. Imports nothing that may be missing."""

import argparse
import importlib.metadata
import os
import shutil
import sys

from pipeline.commands.console import answer
from pipeline.errors import EXIT_INFRASTRUCTURE, EXIT_OK

NEEDED = ("ray", "datasets", "tokenizers", "huggingface-hub", "transformers", "datatrove", "pyarrow", "numpy", "numba",
          "resiliparse", "fastwarc", "pydantic", "pyyaml", "rich", "fsspec", "zstandard", "ftfy", "isal", "protego",
          "safetensors", "py3langid", "jinja2", "duckdb")  # fmt: skip
"""The dependencies of pyproject.toml."""
OPTIONAL = {
    "torch": "curation works, training needs pip install 'domain-corpus[train]'",
    "torchao": "int8 export and low-precision training need pip install 'domain-corpus[quant]'",
    "starlette": "the explorer needs pip install 'domain-corpus[explore]'",
    "uvicorn": "the explorer needs pip install 'domain-corpus[explore]'",
    "fasttext-predict": "fastText models in a recipe need pip install 'domain-corpus[fasttext]'",
}
ABSENT = "absent"
GIB = 1 << 30
MEMORY_PER_WORKER_GIB = 1.5


def version_of(name: str) -> str:
    """The installed version of a distribution, or ABSENT."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ABSENT


def checks(folder: str) -> list[dict[str, object]]:
    """One row a check: name, whether it is fine, and a sentence."""
    rows: list[dict[str, object]] = []
    version = sys.version_info
    rows.append({"name": "python", "ok": (3, 11) <= version[:2] <= (3, 13), "says": ".".join(map(str, version[:3]))})
    for name in NEEDED:
        says = version_of(name)
        rows.append({"name": name, "ok": says != ABSENT, "says": says})
    for name, without in OPTIONAL.items():
        says = version_of(name)
        rows.append({"name": name, "ok": True, "says": f"{ABSENT}: {without}" if says == ABSENT else says})
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    rows.append({"name": "memory", "ok": memory >= workers * MEMORY_PER_WORKER_GIB,
                 "says": f"{memory:.1f} GiB for {workers} workers of {MEMORY_PER_WORKER_GIB} GiB"})  # fmt: skip
    free = shutil.disk_usage(folder).free / GIB
    rows.append({"name": "disk", "ok": free > 1, "says": f"{free:.1f} GiB free at {os.path.abspath(folder)}"})
    rows.append({"name": "writable", "ok": os.access(folder, os.W_OK), "says": os.path.abspath(folder)})
    for variable in ("CORPORA", "CRAWL"):
        value = os.environ.get(variable)
        says = f"{variable}={value}" if value else f"{variable} is not set: sources that need it are skipped or refused"
        rows.append({"name": variable, "ok": value is None or os.path.isdir(value), "says": says})
    return rows


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 when nothing is wrong, 3 otherwise."""
    folder = os.path.abspath(arguments.run)
    while not os.path.isdir(folder):  # a run makes its folder
        folder = os.path.dirname(folder)
    rows = checks(folder)
    code = EXIT_OK if all(row["ok"] for row in rows) else EXIT_INFRASTRUCTURE
    lines = (f"{'ok  ' if row['ok'] else 'BAD '} {row['name']:16} {row['says']}" for row in rows)
    return answer(arguments, {"checks": rows}, lines, code)
