"""Hugging Face models of a judge: a local folder and its checksum; nothing is fetched and no code of the folder is run.

Runs through `transformers` and the torch that it brings (`pip install 'domain-corpus[train]'`); no other part of curation needs
either. Only safetensors weights are read.
"""

import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

LIBRARIES = ["transformers", "tokenizers", "torch"]


def folder_sha256(folder: Path, setting: str = "hf_classifier.path") -> str:
    """sha256 over the names and sha256 of all files under a folder, in the order of names; hidden files do not count.

    Raises UsageError when there is none.
    """
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and not any(n[0] == "." for n in p.relative_to(folder).parts)
    )
    if not files:
        raise UsageError(f"{setting} {folder}: there is no such folder, or it is empty")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def checked(folder: Path, sha256: str, setting: str) -> None:
    """Raises UsageError when a folder is not the one whose checksum was given."""
    found = folder_sha256(folder, f"{setting}path")
    if found != sha256:
        raise UsageError(f"{setting}sha256: {folder} has {found}, the recipe says {sha256 or 'nothing'}")


@functools.lru_cache(maxsize=2)
def load(setting: str, path: str, sha256: str, task: str) -> tuple[Any, Any]:
    """Tokenizer and model (`task` as in transformers' `AutoModelFor…`). Raises UsageError that says what is wrong and what
    would be right; `setting` is the judge and the prefix of its `path` and `sha256`, such as `pii.names_`."""
    missing = [name for name in ("transformers", "torch") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{setting}path needs {' and '.join(missing)}, not installed here: pip install 'domain-corpus[train]'"
        )
    checked(Path(path), sha256, setting)
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        model = getattr(transformers, f"AutoModelFor{task}").from_pretrained(
            path, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{setting}path {path}: {error}") from error
    model.eval()
    model.requires_grad_(False)
    return tokenizer, model


def longest(model: Any) -> int:
    """Tokens that a model reads at once, at most 512."""
    return min(512, getattr(model.config, "max_position_embeddings", 512))
