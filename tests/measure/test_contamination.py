"""Decontamination: planted copies are found, clean text is not, and the index reads every kind of file."""

import json
import random

import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.measure.contamination import Contamination, build_index, contamination, files_sha256

WORDS = [f"{a}{b}" for a in "bdfglmnprstv" for b in ("ario", "enta", "ilus", "omar", "unde", "yth", "apse", "eck")]


def sentence(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


@pytest.fixture
def items(tmp_path):
    rng = random.Random(1)
    found = [sentence(rng, rng.randrange(16, 60)) for _ in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in found[:10]))
    (tmp_path / "b.csv").write_text("".join(f'"{text}",A\n' for text in found[10:20]))
    (tmp_path / "c.json").write_text(json.dumps([{"paragraphs": [{"text": text}]} for text in found[20:30]]))
    (tmp_path / "d.txt").write_text("\n".join(found[30:]))
    return found, Contamination(files=[str(tmp_path / name) for name in ("a.jsonl", "b.csv", "c.json", "d.txt")])


def run(texts, settings):
    return contamination.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), settings)


def planted(found, change):
    rng = random.Random(2)
    return [f"{sentence(rng, 80)}. {change(text)}. {sentence(rng, 80)}" for text in found]


def test_exact_and_reformatted_copies_have_the_whole_score(items):
    found, settings = items
    for change in (str, str.upper, lambda text: text.replace(" ", "\n"), lambda text: text.replace(" ", ", ")):
        texts = planted(found, change)
        result = run(texts, settings)
        assert result["score"].to_pylist() == [1.0] * len(found)
        for text, item, spans in zip(texts, found, result["spans"].to_pylist(), strict=True):
            assert len(spans) == 1
            assert change(item) in text.encode()[spans[0]["start"] : spans[0]["end"]].decode()


def test_an_edited_copy_is_named(items):
    found, settings = items

    def edited(text):
        words = text.split()
        words[len(words) // 3] = "changed"
        return " ".join(words)

    result = run(planted(found, edited), settings)
    assert sum(bool(names) for names in result["items"].to_pylist()) >= 0.95 * len(found)
    assert result["items"][0].as_py() == ["a.jsonl#0"]


def test_clean_text_and_scattered_words_are_left(items):
    found, settings = items
    rng = random.Random(9)
    scattered = " ".join(word + " " + sentence(rng, 6) for word in found[0].split())
    result = run([sentence(rng, 400), scattered, ""], settings)
    assert max(result["score"].to_pylist()) < 0.2
    assert result["spans"].to_pylist() == [[], [], []]


def test_copies_cut_apart_over_a_long_document_do_not_add_up(items):
    found, settings = items
    rng = random.Random(9)
    words = found[3].split()
    quarter = len(words) // 4
    parts = [" ".join(words[at : at + quarter]) for at in range(0, len(words), quarter)]
    assert run([(" " + sentence(rng, 300) + " ").join(parts)], settings)["score"][0].as_py() < 0.4


def test_no_files_find_nothing_and_missing_ones_are_named(items, tmp_path):
    found, settings = items
    assert run(found, Contamination())["score"].to_pylist() == [0.0] * len(found)
    with pytest.raises(UsageError, match=r"nowhere\.csv"):
        build_index((str(tmp_path / "nowhere.csv"),), 5, 13)
    before = files_sha256(settings)
    (tmp_path / "d.txt").write_text("another benchmark")
    assert files_sha256(settings) != before
    assert files_sha256(Contamination()) is None
