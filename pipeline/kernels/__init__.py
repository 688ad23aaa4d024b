"""Compiled kernels over Arrow buffers: the ground floor. Nothing here imports anything else of this project.

Numba's cache does not notice that a function in another file changed, so its folder is named after all kernels' source:
a change gives a new folder, and every process of a machine shares it. `NUMBA_CACHE_DIR`, when set, is left alone.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path


def source_digest() -> str:
    """16 hex digits over where the kernels lie (Numba keeps them apart by that), their sources and the Python version."""
    digest = hashlib.sha256(f"{sys.version}\0{Path(__file__).parent}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels are kept: the user's cache folder, or the temporary one where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.access(os.path.dirname(base) if not os.path.isdir(base) else base, os.W_OK):
        base = tempfile.gettempdir()
    return Path(base) / "domain-corpus" / f"kernels-{source_digest()}"


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())
    if "numba" in sys.modules:  # it reads the variable once, when it is imported
        sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
