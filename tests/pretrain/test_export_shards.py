"""Shards in other trainers' layouts, read back by readers written from those trainers' own descriptions."""

import gzip
import json
import shutil
import struct

import numpy as np
import pytest

from recipes.pretrain.export_shards import FORMATS, main
from recipes.pretrain.inputs import open_handoff

from .build import make_handoff


def documents(handoff, split="train"):
    """{source: [documents of shard 0, of shard 1, …]} as lists of token ids, eos included."""
    opened = open_handoff(str(handoff))
    found = {}
    for source in opened.manifest.sources:
        found[source.name] = shards = []
        for shard in source.splits[split]:
            tokens = np.fromfile(opened.at(shard.path), np.dtype(opened.manifest.dtype))
            ends = np.fromfile(opened.at(shard.path) + ".index", "<u8").astype(int)
            shards.append([part.tolist() for part in np.split(tokens, ends[:-1])])
    return found


def read_megatron(base):
    """Magic, version, integer type, counts, lengths, byte offsets, borders of documents in sequences."""
    data = base.with_suffix(".idx").read_bytes()
    assert data[:9] == b"MMIDIDX\x00\x00"
    version, code = struct.unpack_from("<QB", data, 9)
    sequences, borders = struct.unpack_from("<QQ", data, 18)
    assert version == 1
    lengths = np.frombuffer(data, "<i4", sequences, 34)
    pointers = np.frombuffer(data, "<i8", sequences, 34 + 4 * sequences)
    index = np.frombuffer(data, "<i8", borders, 34 + 12 * sequences)
    assert len(data) == 34 + 12 * sequences + 8 * borders
    tokens = base.with_suffix(".bin").read_bytes()
    kind = np.dtype({8: "<u2", 4: "<i4"}[code])
    read = [
        np.frombuffer(tokens, kind, n, at).tolist() for n, at in zip(lengths.tolist(), pointers.tolist(), strict=True)
    ]
    assert index.tolist() == list(range(sequences + 1))  # each document is one sequence
    assert len(tokens) == lengths.sum() * kind.itemsize
    return read


def read_olmo(base):
    tokens = np.memmap(base.with_suffix(".npy"), dtype="<u2", mode="r")
    rows = gzip.decompress(base.with_suffix(".csv.gz").read_bytes()).decode().splitlines()
    borders = [tuple(map(int, row.split(","))) for row in rows]
    # what it does itself with a local file: a document ends behind each eos
    assert [end for _, end in borders] == (np.flatnonzero(np.asarray(tokens) == 0) + 1).tolist()
    return [tokens[start:end].tolist() for start, end in borders]


def read_torchtitan(base):
    tokens = np.memmap(base.with_suffix(".bin"), dtype=np.uint32, mode="r")
    offsets = np.load(base.with_suffix(".npy"))
    return [tokens[slice(*offsets[i : i + 2])].tolist() for i in range(len(offsets) - 1)]


def read_nanotron(base):
    tokens = np.memmap(base.with_suffix(".ds"), dtype="<u2", mode="r")
    ends = np.fromfile(base.with_suffix(".ds.index"), "<u8").astype(int).tolist()
    return [tokens[a:b].tolist() for a, b in zip([0, *ends[:-1]], ends, strict=True)]


READERS = {"megatron": read_megatron, "olmo-core": read_olmo, "torchtitan": read_torchtitan, "nanotron": read_nanotron}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_document_is_read_back(handoff, tmp_path, form):
    assert main([str(handoff), "--to", form, "--out", str(tmp_path / "out")]) == 0
    written = json.loads((tmp_path / "out" / "export.json").read_text())
    assert written["eos_id"] == 0
    for split in ("train", "validation"):
        for source, shards in documents(handoff, split).items():
            for number, expected in enumerate(shards):
                base = tmp_path / "out" / split / source / f"{number:05d}"
                assert READERS[form](base) == expected
    sizes = {file["path"]: file["bytes"] for file in written["files"]}
    assert sizes == {
        path.relative_to(tmp_path / "out").as_posix(): path.stat().st_size
        for path in (tmp_path / "out").rglob("*.*")
        if path.name != "export.json"
    }


@pytest.mark.parametrize(("form", "suffix"), [("megatron", ".bin"), ("olmo-core", ".npy"), ("nanotron", ".ds")])
def test_the_tokens_are_the_same_bytes(handoff, tmp_path, form, suffix):
    main([str(handoff), "--to", form, "--out", str(tmp_path)])
    for path in (handoff.parent / "shards").rglob("*.ds"):
        made = tmp_path / path.relative_to(handoff.parent / "shards").with_suffix(suffix)
        assert made.read_bytes() == path.read_bytes()


def test_a_large_vocabulary_is_int32_to_megatron(tmp_path):
    handoff = make_handoff(tmp_path / "run", documents=20)
    fields = json.loads((handoff / "manifest.json").read_text())
    from pipeline.handoff import build_manifest, dump_manifest

    wide = {**fields["tokenizer"], "vocab_size": 70_000, "padded_vocab_size": 70_016}
    for source in fields["sources"]:
        for shard in (s for shards in source["splits"].values() for s in shards):
            path = tmp_path / "run" / shard["path"]
            tokens = np.fromfile(path, "<u2").astype("<u4") * 300
            path.write_bytes(tokens.tobytes())
            import hashlib

            shard.update(
                bytes=4 * len(tokens), max_id=int(tokens.max()), sha256=hashlib.sha256(path.read_bytes()).hexdigest()
            )
    (handoff / "manifest.json").write_text(dump_manifest(build_manifest(tokenizer=wide, sources=fields["sources"])))
    assert main([str(handoff), "--to", "megatron", "--out", str(tmp_path / "out")]) == 0
    for source, shards in documents(handoff).items():
        assert read_megatron(tmp_path / "out" / "train" / source / "00000") == shards[0]


def test_datatrove_reads_what_nanotron_would(handoff, tmp_path):
    dataset = pytest.importorskip("datatrove.utils.dataset")
    main([str(handoff), "--to", "nanotron", "--out", str(tmp_path)])
    folder = tmp_path / "train" / "wiki"
    read = dataset.DatatroveFolderDataset(str(folder), 32, filename_pattern="*.ds", token_size=2, return_positions=True)
    first = [token for document in documents(handoff)["wiki"][0] for token in document][:33]
    assert read[0]["input_ids"].tolist() == first
    assert read[0]["positions"].tolist()[:2] == [0, 1]


def test_settings_name_the_shares_of_the_mix(handoff, tmp_path):
    main([str(handoff), "--to", "megatron", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "export.json").read_text())
    words = written["settings"]["--train-data-path"].split()
    shares = {}
    for weight, prefix in zip(words[::2], words[1::2], strict=True):
        assert (tmp_path / f"{prefix}.bin").exists()
        source = prefix.split("/")[1]
        shares[source] = shares.get(source, 0) + float(weight)
    assert shares == pytest.approx({"filings": 0.51, "wiki": 0.49}, abs=1e-6)


def test_an_altered_shard_and_an_occupied_folder_are_refused(handoff, tmp_path, capsys):
    shutil.copytree(handoff.parent, tmp_path / "run")
    path = tmp_path / "run" / "shards" / "train" / "wiki" / "00001.ds"
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(bytes(data))
    assert main([str(tmp_path / "run" / "handoff"), "--to", "megatron", "--out", str(tmp_path / "out")]) == 3
    assert "was altered" in capsys.readouterr().err
    assert not (tmp_path / "out" / "export.json").exists()
    assert main([str(handoff), "--to", "nanotron", "--out", str(tmp_path / "good")]) == 0
    assert main([str(handoff), "--to", "nanotron", "--out", str(tmp_path / "good")]) == 2
    assert "holds an export already" in capsys.readouterr().err
