"""As `pipeline`, with every judge of the finance recipe."""

from pathlib import Path
from typing import Any

import yaml

from bench.pipeline import RECIPE, compare


def run(size_mb: int = 100) -> dict[str, Any]:
    """The finance recipe's `curate:` block on the crawl."""
    finance = yaml.safe_load(Path("recipes/finance.yaml").read_text())
    base = yaml.safe_load(RECIPE)
    return compare(yaml.safe_dump(base | {"curate": finance["curate"]}), size_mb)
