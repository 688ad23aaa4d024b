"""Write a model as the files that `tokenizers` and `transformers.AutoTokenizer` open, byte for byte reproducible."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.kernels.bpe.pretokens import PRESETS
from tokenizer.bytelevel import written
from tokenizer.merge import Model
from tokenizer.specials import ROLES

_LIMIT = 10**30  # transformers' own word for "no limit"
_NO_ADDED = ("single_word", "lstrip", "rstrip", "normalized")
"""What an added token may do and ours do not."""


def tokenizer_json(model: Model) -> dict[str, Any]:
    """The model in the `tokenizers` format: a Split by the preset's pattern, byte level, BPE, no normalizer."""
    names = [token.decode() if at < len(model.specials) else written(token) for at, token in enumerate(model.tokens)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    pattern = {"Regex": PRESETS[model.preset].pattern}
    split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": at, "content": special, **dict.fromkeys(_NO_ADDED, False), "special": True}
            for at, special in enumerate(model.specials)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            **dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")),
            **dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False),
            "vocab": {name: at for at, name in enumerate(names)},
            "merges": [[names[left], names[right]] for left, right in model.merges],
        },
    }


def _dump(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def save(model: Model) -> dict[str, bytes]:
    """The files of a tokenizer folder by name; writing them is the caller's.

    `AutoTokenizer.from_pretrained(folder)` then works offline. `split_special_tokens` makes it read special strings in
    a document as the ordinary text they are, as our encoder does: no document can end itself or its neighbour.
    """
    roles = {f"{role}_token": token for role, token in ROLES.items() if token in model.specials}
    extra = [special for special in model.specials if special not in roles.values()]
    special_map = roles | ({"additional_special_tokens": extra} if extra else {})
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": _LIMIT,
        "split_special_tokens": True,
        **special_map,
    }
    return {
        "tokenizer.json": _dump(tokenizer_json(model)),
        "tokenizer_config.json": _dump(config),
        "special_tokens_map.json": _dump(special_map),
    }
