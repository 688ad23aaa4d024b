"""What a bench needs of other projects, and the sentence that says so when it is missing."""

import importlib.metadata
import importlib.util

MODULES = {"spacy": "spacy", "datatrove": "datatrove", "py3langid": "py3langid"}
"""Distribution -> the module that shows it is there."""


def require(*names: str) -> dict[str, str]:
    """Versions of distributions, or an exit with the command that installs them."""
    missing = [name for name in names if importlib.util.find_spec(MODULES.get(name, name)) is None]
    if missing:
        raise SystemExit(f"this needs {' and '.join(missing)}: pip install 'domain-corpus[peers]'")
    return {name: importlib.metadata.version(name) for name in names}
