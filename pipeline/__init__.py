"""From raw documents to a curated, mixed, tokenized corpus.

`pipeline.open_run(path)` opens a finished run; `pipeline.run_recipe(recipe, set={…}, out=…)` makes one. Both are loaded when
they are first asked for, so that `import pipeline` needs neither Ray nor Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import open_run, run_recipe

__version__ = "0.1.0"
__all__ = ["open_run", "run_recipe"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("pipeline.api"), name)
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
