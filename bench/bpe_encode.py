"""Encode text in memory with one tokenizer of 32,000 tokens, on one core, beside `tokenizers` and tiktoken."""

import json
import statistics
import tempfile
from pathlib import Path

import pyarrow as pa

from bench import bpe_sides, corpora
from tokenizer.count import count_batch
from tokenizer.merge import train
from tokenizer.save import save


def run(size_mb: int = 30, rounds: int = 3) -> dict:
    """MB per second of processor time from text to ids, medians, cold caches; `peer` is tiktoken.

    Raises AssertionError when the ids of two sides differ.
    """
    texts = corpora.texts(size_mb).to_pylist()
    size = sum(len(text.encode()) for text in texts) / 1e6
    model = train(count_batch(pa.array(texts[::2], pa.large_string()), "gpt4"), bpe_sides.VOCAB, ["<|endoftext|>"])
    ranks = {token.hex(): at for at, token in enumerate(model.tokens) if at >= len(model.specials)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        (folder / "tokenizer.json").write_bytes(save(model)["tokenizer.json"])
        (folder / "ranks.json").write_text(json.dumps(ranks))
        found: dict[str, list[dict]] = {side: [] for side in bpe_sides.ENCODE}
        for _ in range(rounds):
            for side in found:
                answer = bpe_sides.measure("encode", side, folder)
                if answer is not None:
                    found[side].append(answer)
    ids = {side: {(one["ids"], one["sha256"]) for one in runs} for side, runs in found.items() if runs}
    if len(set().union(*ids.values())) != 1:
        raise AssertionError(f"the sides' ids differ: {ids}")
    speed = {side: statistics.median(one["mb_s"] for one in runs) for side, runs in found.items() if runs}
    peer = "tiktoken" if "tiktoken" in speed else "tokenizers"
    return {
        "name": "bpe_encode",
        "unit": "MB/s",
        "ours": speed["ours"],
        "peer": speed[peer],
        "ratio": speed["ours"] / speed[peer],
        "peer_name": peer,
        "versions": {side: runs[0]["version"] for side, runs in found.items() if runs and "version" in runs[0]},
        "input": f"{len(texts)} documents, {size:.1f} MB of English news, calls, speeches, encyclopaedia, books",
        "rounds": rounds,
        "others": {side: {"mb_s": rate, "ratio": speed["ours"] / rate} for side, rate in speed.items()},
        "identical_ids": sorted(ids),
    }
