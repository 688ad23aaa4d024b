"""datatrove's signatures: the golden vectors, and datatrove itself where it is installed."""

import numpy as np
import pytest

from pipeline.kernels.dedup.minhash_datatrove import parameters, shingle_hashes, signature_from_words, xxh32

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
BUCKET_0 = [
    85330943174081874, 663359892825767826, 302227827184868053, 34440879854629237,
    1270900061947546662, 117899488208280896, 922286648869847700, 204404170303891102,
]  # fmt: skip


def test_golden_parameters():
    a, b = parameters(112, 1)
    assert a[:3].tolist() == [775169054918279404, 1758426461858698313, 2109959069025162]
    assert b[:3].tolist() == [1062448801025099917, 1324811268927594100, 1217488311597731462]


def test_golden_signatures():
    assert len(shingle_hashes(WORDS)) == 5
    assert int(shingle_hashes(WORDS)[0]) == 7797000677988824208
    assert signature_from_words(WORDS)[:8].tolist() == BUCKET_0
    assert int(shingle_hashes(WORDS, hash_function="sha1_64")[0]) == 12313522834835307089
    sha1 = signature_from_words(WORDS, hash_function="sha1_64")[:2].tolist()
    assert sha1 == [585594454516184072, 284080765670708113]
    assert int(shingle_hashes(WORDS, hash_function="xxhash32")[0]) == 1936900125
    assert signature_from_words(WORDS, hash_function="xxhash32")[:2].tolist() == [125697124, 899546107]


def test_fewer_words_than_a_shingle_have_no_signature():
    assert (signature_from_words(WORDS[:4]) == np.uint64(2**64 - 1)).all()
    assert (signature_from_words([]) == np.uint64(2**64 - 1)).all()


@pytest.mark.parametrize("length", range(0, 70))
def test_xxh32_equals_the_xxhash_package(length: int):
    xxhash = pytest.importorskip("xxhash")
    raw = bytes((11 * i + 5) % 256 for i in range(length))
    assert int(xxh32(np.frombuffer(b"\x00" + raw, np.uint8), 1, 1 + length)) == xxhash.xxh32_intdigest(raw, 0)


@pytest.mark.parametrize("hash_function", ["xxhash64", "sha1_64", "xxhash32"])
def test_equals_datatrove_itself(hash_function: str):
    """datatrove's own class on words of ours (its tokenizer is spaCy, which this does not need)."""
    minhash = pytest.importorskip("datatrove.pipeline.dedup.minhash")
    hashing = pytest.importorskip("datatrove.utils.hashing")
    precision = 32 if hash_function.endswith("32") else 64
    config = minhash.MinhashConfig(
        hash_config=hashing.HashConfig(
            precision=precision, hash_fc=hash_function.rstrip("_0123456789").replace("sha", "sha1")
        ),
        num_buckets=5,
        hashes_per_bucket=3,
        seed=7,
    )
    try:
        signer = minhash.MinhashDedupSignature(output_folder="memory://x", config=config)
    except ImportError as missing:
        pytest.skip(f"datatrove's MinHash needs {missing}")
    rng = np.random.default_rng(2)
    words = [f"w{i}é" for i in rng.integers(0, 40, 90)]
    shingles = shingle_hashes(words, 5, hash_function)
    expected = [value for bucket in signer.get_signature(shingles.reshape(-1, 1)) for value in bucket]
    found = signature_from_words(words, permutations=15, seed=7, hash_function=hash_function)
    assert found.tolist() == expected
