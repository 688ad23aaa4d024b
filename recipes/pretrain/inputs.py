"""A hand-off folder opened for training: manifest and configuration read, tokenizer and shards checked."""

import hashlib
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from pipeline.handoff import (
    Manifest,
    TrainConfig,
    UsageError,
    default_train_config,
    parse_manifest,
    parse_train_config,
)
from recipes.pretrain.storage import place


@dataclass(frozen=True)
class Handoff:
    """What a training run works from. `root` is the run folder (a path or an fsspec URL)."""

    root: str
    manifest: Manifest
    config: TrainConfig

    def at(self, path: str) -> str:
        """A path of the manifest or the configuration, made absolute; absolute paths and URLs stay as they are."""
        if "://" in path or os.path.isabs(path):
            return path
        return posixpath.join(self.root, path)

    @property
    def tokenizer_file(self) -> str:
        """Where tokenizer.json is."""
        return self.at(posixpath.join(self.manifest.tokenizer.path, "tokenizer.json"))

    def read_tokenizer(self) -> Tokenizer:
        """The tokenizer the shards were written with."""
        return Tokenizer.from_str(read_text(self.tokenizer_file))


def read_text(url: str) -> str:
    """Text of a small file. Raises UsageError when it is not there."""
    try:
        return place(url).read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist; expected a hand-off folder or its train.yaml") from None
    except UnicodeDecodeError:
        raise UsageError(f"{url} is no UTF-8 text") from None


def open_handoff(where: str, overrides: Sequence[str] = ()) -> Handoff:
    """Read `manifest.json` and `train.yaml` of a hand-off folder (or the folder of the given train.yaml).

    Null settings are filled from the size of the model and the data. Raises UsageError in one sentence when a file is
    missing, damaged or contradicts the tokenizer beside it.
    """
    where = where.rstrip("/") or "/"
    is_file = where.endswith((".yaml", ".yml"))
    folder = posixpath.dirname(where) or "." if is_file else where
    train_yaml = where if is_file else posixpath.join(folder, "train.yaml")
    if "://" not in folder:
        folder = os.path.abspath(folder)
    manifest = parse_manifest(read_text(posixpath.join(folder, "manifest.json")), f"{where}: manifest.json")
    config = default_train_config(manifest, parse_train_config(read_text(train_yaml), train_yaml, overrides))
    handoff = Handoff(root=posixpath.dirname(folder), manifest=manifest, config=config)
    _check_tokenizer(handoff)
    return handoff


def _check_tokenizer(handoff: Handoff) -> None:
    url = handoff.tokenizer_file
    digest = hashlib.sha256(read_text(url).encode("utf-8")).hexdigest()
    wanted = handoff.manifest.tokenizer.sha256
    if digest != wanted:
        raise UsageError(
            f"{url} is not the tokenizer the shards were written with: sha256 {digest[:12]}…, expected {wanted[:12]}…"
        )
