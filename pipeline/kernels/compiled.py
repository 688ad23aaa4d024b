"""How a kernel is compiled and where its machine code is kept.

Numba's cache notices a change in a function's own file, not in a file it calls into. So each file's kernels lie in a folder
named after that file's source and the sources of every kernel file it imports, however far away: a change recompiles what it
reaches and nothing else. `NUMBA_CACHE_DIR`, when set, is the folder above; else it is the user's cache folder.

With `KERNELS=checked` in the environment every access to memory is checked (`pipeline.kernels.checked`), at about a third of
the speed; that code has a folder of its own.
"""

import ast
import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core import config, types

HERE = Path(__file__).parent
if os.environ.get("KERNELS", "") not in ("", "checked"):
    raise ValueError(f"KERNELS={os.environ['KERNELS']}: it is unset or `checked`")
CHECKED = os.environ.get("KERNELS") == "checked"
"""Whether loads, stores and indexes of compiled code are checked against the bounds of their arrays."""
P = ParamSpec("P")
R = TypeVar("R")


@cache
def imported(path: Path) -> frozenset[Path]:
    """The kernel files that a Python file imports, in any of the three spellings."""
    package, found = "pipeline.kernels", set[Path]()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package):
            inner = node.module.removeprefix(package).removeprefix(".")
            names = (
                [inner, *(f"{inner}.{alias.name}" for alias in node.names)] if inner else [a.name for a in node.names]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name.removeprefix(package + ".") for alias in node.names if alias.name.startswith(package)]
        else:
            continue
        found |= {file for name in names if (file := HERE / f"{name.replace('.', '/')}.py").exists()}
    return frozenset(found)


def reached(path: Path) -> frozenset[Path]:
    """A file and every kernel file that it imports, directly or through others."""
    found, waiting = {path}, [path]
    while waiting:
        new = imported(waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(found)


@cache
def source_digest(path: Path) -> str:
    """16 hex digits over a file, the kernel files that it reaches, and the Python version (its Unicode tables)."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(reached(path)):
        digest.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def all_kernels_digest() -> str:
    """16 hex digits over where the kernels lie (Numba keeps them apart by that) and every one of them."""
    digest = hashlib.sha256(str(HERE).encode())
    for path in sorted(HERE.rglob("*.py")):
        digest.update(source_digest(path).encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels are kept: as told, in the user's cache folder, or in the temporary one without a home."""
    part = "checked" if CHECKED else ""
    if told := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(told) / part
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.access(os.path.dirname(base) if not os.path.isdir(base) else base, os.W_OK):
        base = tempfile.gettempdir()
    return Path(base) / "domain-corpus" / "kernels" / part


def kernel(**options: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`numba.njit` with its code kept on disk; `options` are Numba's (`nogil`, `forceinline`).

    Small kernels in innermost loops are `forceinline`: LLVM inlines them. Numba's own `inline="always"` would infer their
    types again at each call, which was a quarter of all compilation.

    A kernel may call kernels of its own file and of `pipeline.kernels`, nothing else compiled.
    """

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(cache_folder() / source_digest(Path(inspect.getfile(function))))
        try:  # Numba reads the folder when a function is decorated, not when it is compiled
            told: dict[str, Any] = {"cache": True, "boundscheck": CHECKED, "no_cfunc_wrapper": True} | options
            dispatcher = numba.njit(**told)(function)
        finally:
            config.CACHE_DIR = before
        if not config.DISABLE_JIT:  # with it, the function comes back as it is
            _forget_literals(dispatcher)
        return dispatcher

    return compiled


def _forget_literals(dispatcher: Any) -> None:
    """Compile a kernel for int64 where another calls it with a constant.

    Numba compiles a called kernel anew for "the literal 0" while it infers the types of `at = 0` in a loop, and throws that
    code away once it knows better: one compilation in seven.
    """
    for_types = dispatcher.get_call_template

    def without_literals(args: Sequence[types.Type], named: dict[str, types.Type]) -> Any:
        return for_types([*map(types.unliteral, args)], {name: types.unliteral(kind) for name, kind in named.items()})

    dispatcher.get_call_template = without_literals
