"""Token shards from a Parquet file of text: our encode and pack beside datatrove's `DocumentTokenizer`, in turns.

Both read the same file and leave `.ds` and `.ds.index`; the bytes must be equal. Ours also writes durably, with a
checksum read back, as every file of a run is written.
"""

import importlib.metadata
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import corpora
from bench.peers import require
from pipeline.core.store import Store
from pipeline.kernels.buffers import text_buffers
from pipeline.tokens.shards import pack, token_type
from tokenizer.count import count_batch
from tokenizer.encode import Encoder
from tokenizer.merge import train
from tokenizer.save import save

VOCAB = 32_000
EOS = "<|endoftext|>"


def ours(source: Path, tokenizer: Path, out: Path) -> bytes:
    """Read, encode, pack, write; returns shard and index."""
    encoder = Encoder(tokenizer.read_bytes())
    texts = pq.read_table(source, columns=["text"])["text"].combine_chunks()
    ids, ends = encoder.encode(*text_buffers(texts))
    packed = pack(ids, ends, np.ones(len(texts), np.bool_), encoder.specials[EOS], token_type(encoder.vocab_size))
    store = Store(str(out))
    store.put("part.ds", packed.tokens.tobytes())
    store.put("part.ds.index", packed.ends.astype("<u8").tobytes())
    return (out / "part.ds").read_bytes() + (out / "part.ds.index").read_bytes()


def peer(source: Path, tokenizer: Path, out: Path) -> bytes:
    """The same by datatrove, unshuffled, without its executor's logs and processes."""
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    reader = ParquetReader(str(source.parent), glob_pattern=source.name)
    writer = DocumentTokenizer(
        str(out), str(tokenizer), eos_token=EOS, shuffle_documents=False, save_final_metadata=False
    )
    for _ in writer.run(reader.run(None, 0, 1), 0, 1) or ():  # pyright: ignore[reportArgumentType]
        pass
    shard = next(iter(sorted(out.glob("*.ds"))))
    return shard.read_bytes() + Path(f"{shard}.index").read_bytes()


def run(size_mb: int = 30, rounds: int = 3) -> dict:
    """MB of text per second of processor time, medians. Raises AssertionError when the shards differ."""
    require("datatrove")
    # The peer leaves out documents without text.
    texts = pa.array([text for text in corpora.texts(size_mb).to_pylist() if text], pa.large_string())
    size = sum(len(text.encode()) for text in texts.to_pylist()) / 1e6
    model = train(count_batch(texts[::2] if len(texts) > 1000 else texts, "gpt4"), VOCAB, [EOS])
    speeds: dict[str, list[float]] = {"ours": [], "datatrove": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text").mkdir()
        tokenizer = folder / "tokenizer.json"
        tokenizer.write_bytes(save(model)["tokenizer.json"])
        ids = pa.array([f"{number:08d}" for number in range(len(texts))])
        source = folder / "text" / "text.parquet"
        pq.write_table(pa.table({"text": texts, "id": ids}), source, compression="zstd")
        Encoder(tokenizer.read_bytes()).encode_column(texts[:3])
        for number in range(rounds):
            made = {}
            for side, work in (("ours", ours), ("datatrove", peer)):
                out = folder / f"{side}-{number}"
                out.mkdir()
                start = time.process_time()
                made[side] = work(source, tokenizer, out)
                speeds[side].append(size / (time.process_time() - start))
            assert made["ours"] == made["datatrove"], "the shards differ"
    speed = {side: statistics.median(found) for side, found in speeds.items()}
    return {
        "unit": "MB/s",
        "ours": speed["ours"],
        "peer": speed["datatrove"],
        "ratio": speed["ours"] / speed["datatrove"],
        "peer_name": "datatrove DocumentTokenizer",
        "versions": {name: importlib.metadata.version(name) for name in ("datatrove", "tokenizers", "pyarrow")},
        "input": f"{len(texts)} documents, {size:.1f} MB of English text in zstd Parquet, {VOCAB:,} tokens",
        "rounds": rounds,
        "identical_shards": True,
    }
