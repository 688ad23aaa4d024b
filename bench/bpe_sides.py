"""Contenders of the byte-pair benches, each a child process on one core: `python bench/bpe_sides.py TASK SIDE FOLDER`.

The parent writes `texts.json` (a list of strings), for encoding also `tokenizer.json` and `ranks.json`; the child reads
them, warms up, times the work alone, and prints one JSON line. Peers run under `$BENCH_PEERS_PYTHON`, whose environment
needs tokenizers, tiktoken and rustbpe; this interpreter is the default.
"""

import array
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

VOCAB = 32_000
PATTERN = (
    r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The preset gpt4; a test keeps it equal, so that this file needs none of our packages in a peer's environment."""


def _memory(field: str) -> int:
    """`VmRSS` or `VmHWM`, what this process holds or held at most, in bytes (Linux)."""
    found = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024 if found else 0


def _ours_train(texts: list[str]) -> Any:
    import pyarrow as pa

    from tokenizer.count import count_batch
    from tokenizer.merge import train

    train(count_batch(pa.array(texts[:3]), "gpt4"), 300, ["<|endoftext|>"])
    column = pa.array(texts, pa.large_string())
    texts.clear()

    def work() -> int:
        return len(train(count_batch(column, "gpt4"), VOCAB, ["<|endoftext|>"]))

    return work


def _tokenizers_train(texts: list[str]) -> Any:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        min_frequency=2,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def work() -> int:
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer.get_vocab_size()

    return work


def _rustbpe_train(texts: list[str]) -> Any:
    import rustbpe  # pyright: ignore[reportMissingImports]

    tokenizer = rustbpe.Tokenizer()

    def work() -> int:
        tokenizer.train_from_iterator(iter(texts), VOCAB, pattern=PATTERN)
        return tokenizer.vocab_size

    return work


def _ours_encode(texts: list[str], folder: Path) -> Any:
    import pyarrow as pa

    from tokenizer.encode import Encoder

    content = (folder / "tokenizer.json").read_bytes()
    column = pa.array(texts, pa.large_string())
    Encoder(content).encode_column(column[:3])
    encoder = Encoder(content)  # read before the clock starts, as the peers' are; its cache is cold

    def work() -> Any:
        return encoder.encode_column(column)[0]

    return work


def _tokenizers_encode(texts: list[str], folder: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True

    def work() -> Any:
        out = array.array("I")
        for text in texts:
            out.extend(tokenizer.encode(text, add_special_tokens=False).ids)
        return out

    return work


def _tiktoken_encode(texts: list[str], folder: Path) -> Any:
    import tiktoken  # pyright: ignore[reportMissingImports]

    ranks = {bytes.fromhex(token): rank for token, rank in json.loads((folder / "ranks.json").read_text()).items()}
    encoding = tiktoken.Encoding("bench", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})

    def work() -> Any:
        out = array.array("I")
        for text in texts:
            out.extend(encoding.encode_ordinary(text))
        return out

    return work


TRAIN = {"ours": _ours_train, "tokenizers": _tokenizers_train, "rustbpe": _rustbpe_train}
ENCODE = {"ours": _ours_encode, "tokenizers": _tokenizers_encode, "tiktoken": _tiktoken_encode}


def child(task: str, side: str, folder: Path) -> dict[str, Any]:
    """Run one side once in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    size = sum(len(text.encode()) for text in texts)
    work = TRAIN[side](texts) if task == "train" else ENCODE[side](texts, folder)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget how large loading the text made us
    start = time.process_time()  # every side has one thread; what else the machine does is not its fault
    result = work()
    seconds = time.process_time() - start
    answer: dict[str, Any] = {
        "mb_s": size / 1e6 / seconds,
        "seconds": seconds,
        "grown_mb": (_memory("VmHWM") - before) / 1e6,
    }
    if task == "encode":
        answer["ids"] = len(result)
        answer["sha256"] = hashlib.sha256(memoryview(result).cast("B")).hexdigest()
    else:
        answer["tokens"] = result
    if side != "ours":
        answer["version"] = importlib.metadata.version(side)
    return answer


def measure(task: str, side: str, folder: Path) -> dict[str, Any] | None:
    """One run of a side in a fresh process on one core; None when its package is not there."""
    python = sys.executable if side == "ours" else os.environ.get("BENCH_PEERS_PYTHON", sys.executable)
    environment = os.environ | {
        "RAYON_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]) if side == "ours" else "",
    }
    command = [python, "-P", __file__, task, side, str(folder)]  # -P: our modules must not hide packages of their names
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if "ModuleNotFoundError" in done.stderr:
            return None
        raise RuntimeError(f"{side} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
