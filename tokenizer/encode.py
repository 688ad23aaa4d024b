"""Encode Arrow text with a trained tokenizer, id for id as `tokenizers` does, compiled."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.bpe.encoding import CACHE_WORDS, encode, pair_table
from pipeline.kernels.bpe.pretokens import CLASSES, GPT2_PATTERN, PRESETS, WHOLE_ROWS
from pipeline.kernels.buffers import read_only, text_buffers
from tokenizer.bytelevel import CHARACTERS, read


def _pattern_preset(description: dict[str, Any]) -> str:
    """The preset whose pattern a `tokenizer.json` splits by; ValueError when it is none of ours."""
    step = description.get("pre_tokenizer") or {}
    steps = step.get("pretokenizers", [step])
    patterns = [one["pattern"].get("Regex") for one in steps if one.get("type") == "Split"]
    patterns += [GPT2_PATTERN for one in steps if one.get("type") == "ByteLevel" and one.get("use_regex", True)]
    if any(one.get("add_prefix_space") for one in steps):
        raise ValueError("the compiled encoder reads no tokenizer that puts a space before the text")
    for preset in PRESETS.values():
        if patterns == [preset.pattern]:
            return preset.name
    raise ValueError(
        f"the compiled encoder knows the patterns of {sorted(PRESETS)}, this tokenizer splits by {patterns}"
    )


class Encoder:
    """A byte-level BPE `tokenizer.json` of ours, compiled.

    Ids are those of `tokenizers` with `encode_special_tokens = True`: a special string in a document is ordinary text,
    so that no document can inject an end-of-text. Nothing is added before or after a row.
    `nfc` says that the caller composes the text first (`composed`), as Qwen's tokenizers do.
    Raises ValueError when the file is not byte-level BPE with one of our patterns, or when it takes whole pre-tokens that
    its merges do not make (`ignore_merges`; where merges make every token, as in Llama-3's, it changes nothing).
    """

    def __init__(self, tokenizer_json: bytes) -> None:
        description = json.loads(tokenizer_json)
        model = description["model"]
        normalizer = (description.get("normalizer") or {}).get("type")
        if model["type"] != "BPE" or normalizer not in (None, "NFC") or model.get("dropout"):
            raise ValueError("the compiled encoder reads byte-level BPE without dropout, its text as it is or in NFC")
        self.nfc = normalizer == "NFC"
        self.preset = _pattern_preset(description)
        vocab: dict[str, int] = model["vocab"]
        merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
        left = np.array([vocab[pair[0]] for pair in merges], np.int64)
        right = np.array([vocab[pair[1]] for pair in merges], np.int64)
        made = np.array([vocab[pair[0] + pair[1]] for pair in merges], np.int64)
        self.vocab_size = max(max(vocab.values()), *(token["id"] for token in description["added_tokens"]), 0) + 1
        self.specials = {token["content"]: token["id"] for token in description["added_tokens"]}
        self.tokens = [b""] * self.vocab_size
        for name, number in vocab.items():
            self.tokens[number] = read(name) or name.encode()
        for content, number in self.specials.items():
            self.tokens[number] = content.encode()
        self._symbol = np.array([vocab[CHARACTERS[byte]] for byte in range(256)], np.uint32)
        self._merges = pair_table(left, right, made)
        self._cache = np.zeros(CACHE_WORDS, np.uint64)
        self._pool = np.empty(CACHE_WORDS, np.uint32)
        self._fill = np.zeros(2, np.int64)
        if model.get("ignore_merges") and (lost := self.unreachable()):
            raise ValueError(
                f"this tokenizer has ignore_merges, and its merges do not make {len(lost)} of its tokens, such as "
                f"{self.tokens[lost[0]]!r}: the compiled encoder reads it only where they make all"
            )

    def composed(self, text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """A text column as this tokenizer normalises it."""
        return pc.utf8_normalize(text, "NFC") if self.nfc else text

    def unreachable(self) -> list[int]:
        """Ids whose own bytes encode to something else: no text ever contains them. Specials are left out."""
        special = set(self.specials.values())
        numbers = [at for at, token in enumerate(self.tokens) if token and at not in special]
        ids, ends = self.encode_column(pa.array([self.tokens[at] for at in numbers], pa.binary()), cut=False)
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        return [
            number
            for number, first, last in zip(numbers, starts, ends, strict=True)
            if last - first != 1 or ids[first] != number
        ]

    def encode(self, offsets: np.ndarray, data: np.ndarray, cut: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Ids of all rows, uint32[m], and where each row ends in them, int64[n].

        `offsets` int64[n + 1] and `data` uint8 are those of `text_buffers`; invalid UTF-8 is encoded byte for byte.
        Without `cut` every row is taken as one pre-token.
        """
        ids = np.empty(int(offsets[-1] - offsets[0]) + 2, np.uint32)
        ends = np.empty(len(offsets) - 1, np.int64)
        size = encode(
            read_only(offsets),
            read_only(data),
            CLASSES,
            PRESETS[self.preset].rules if cut else WHOLE_ROWS,
            self._merges,
            self._symbol,
            self._cache,
            self._pool,
            self._fill,
            ids,
            ends,
        )
        return ids[:size].copy(), ends

    def decode(self, ids: np.ndarray) -> bytes:
        """The bytes that ids stand for; those of an encoded text are that text."""
        return b"".join([self.tokens[number] for number in ids.tolist()])

    def encode_column(self, text: pa.Array | pa.ChunkedArray, cut: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """`encode` of a text column."""
        return self.encode(*text_buffers(text), cut)
