"""A public tokenizer that the corpus is encoded with, kept or extended: its files, its roles, its pre-token pattern.

Read are byte-level BPE tokenizers with one of the patterns that the compiled encoder knows: GPT-2, Llama-3, Qwen, GPT-4.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.core.store import WORK, FileInfo, Store
from pipeline.errors import UsageError
from tokenizer.encode import Encoder
from tokenizer.specials import ROLES

NAMING = ("special_tokens_map.json", "tokenizer_config.json")
"""The files that name special tokens; the later one has the last word."""
FILES = ("tokenizer.json", *NAMING)


def read_folder(folder: str) -> dict[str, bytes]:
    """The files of a tokenizer folder by name. Raises UsageError where the compiled encoder cannot stand for it."""
    found = {name: (Path(folder) / name).read_bytes() for name in FILES if (Path(folder) / name).is_file()}
    if "tokenizer.json" not in found:
        raise UsageError(f"tokenizer.from: there is no tokenizer.json in {folder}")
    try:
        encoder = Encoder(found["tokenizer.json"])
    except (ValueError, KeyError) as error:
        raise UsageError(f"tokenizer.from: {folder}: {error}") from None
    if roles(found)["eos"] not in encoder.specials:
        raise UsageError(f"tokenizer.from: the end-of-text token of {folder} is none of its added tokens")
    return found


def roles(files: dict[str, bytes]) -> dict[str, str]:
    """The special tokens by role, as the folder's configuration names them. Raises UsageError without an end of text."""
    named: dict[str, str] = {}
    for name in NAMING:
        values: dict[str, Any] = json.loads(files.get(name, b"{}"))
        for role in ROLES:
            token = values.get(f"{role}_token")
            token = token.get("content") if isinstance(token, dict) else token
            if token:
                named[role] = token
    if "eos" not in named:
        raise UsageError("tokenizer.from: its tokenizer_config.json names no eos_token, which ends every document")
    return named


def put(store: Store, files: dict[str, bytes]) -> dict[str, FileInfo]:
    """The files under a name that holds their content, for workers on other machines too."""
    digest = hashlib.sha256(b"".join(name.encode() + data for name, data in sorted(files.items()))).hexdigest()
    return {name: store.put(f"{WORK}/tokenizer/from-{digest[:16]}/{name}", data) for name, data in files.items()}
