"""FineWeb's line signals equal plain Python on random Unicode and on real text."""

import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.kernels.text.word_tables import TERMINAL
from pipeline.measure.judges.fineweb import FineWeb, fineweb
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts
from tests.kernels.test_words import python_words

PUBLISHED = FineWeb(
    min_num_lines=1, min_line_punct_ratio=0.12, max_short_line_ratio=0.67, max_char_dup_ratio=0.01, max_list_ratio=0.3
)


def plain(text: str) -> dict[str, float | None]:
    lines = [line for line in text.split("\n") if line.strip()]
    seen, repeated = set(), 0
    for line in lines:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    words, chars = python_words(text), len(text.replace("\n", ""))
    return {
        "num_lines": len(lines),
        "line_punct_ratio": sum(line.endswith(tuple(TERMINAL)) for line in lines) / len(lines) if lines else None,
        "short_line_ratio": sum(len(line) <= 30 for line in lines) / len(lines) if lines else None,
        "char_dup_ratio": repeated / chars if chars else None,
        "list_ratio": text.count("\n") / len(words) if words else None,
    }


def measured(documents: list[str], settings: FineWeb | None = None, spans=None) -> list[dict]:
    return fineweb.run(batch(documents, spans), settings or FineWeb()).to_pylist()


@relaxed
@given(texts)
def test_equals_plain_python_on_random_text(text):
    documents = [text, "", text + "\n" + text, "\n" + text]
    assert measured(documents) == [plain(document) for document in documents]


@few_or_many
def test_equals_plain_python_on_real_text(limit):
    documents = real_texts(limit, 6_000)
    assert measured(documents) == [plain(document) for document in documents]


def rules_hit(text: str, settings: FineWeb = PUBLISHED) -> set[str]:
    signals = pa.table(fineweb.run(batch([text]), settings.without_thresholds()))
    return {name for name, mask in fineweb.rules(signals, settings).items() if mask[0].as_py()}


LINE = "Rates rose again in the quarter, the bank said in its letter, number {}."


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("\n".join(LINE.format(n) for n in range(9)), set()),
        (" \n ", {"min_num_lines"}),
        ("\n".join(LINE.format(n)[:-1] for n in range(9)), {"min_line_punct_ratio"}),
        ("\n".join(f"Some words of it, {n}." for n in range(9)), {"max_short_line_ratio"}),
        ("\n".join(LINE for n in range(9)), {"max_char_dup_ratio"}),
        ("\n\n".join(map(str, range(20))), {"min_line_punct_ratio", "max_short_line_ratio", "max_list_ratio"}),
    ],
)
def test_each_published_bound_removes_what_it_is_for(text, rules):
    assert rules_hit(text) == rules


def test_carriage_returns_hide_the_punctuation_as_published():
    text = "\n".join(LINE.format(n) for n in range(9))
    assert rules_hit(text + "\n" + LINE) == set()
    assert rules_hit((text + "\n" + LINE).replace("\n", "\r\n")) == {"min_line_punct_ratio"}


def test_speaker_lines_are_no_duplicates_on_request():
    turns = "\n".join(f"Jane Doe -- Analyst\n{LINE.format(n)}\nOperator\n{LINE.format(-n - 1)}" for n in range(9))
    assert measured([turns])[0]["char_dup_ratio"] > 0.1
    assert measured([turns], FineWeb(ignore_speaker_lines=True))[0]["char_dup_ratio"] == 0
    repeated = turns + "\n" + LINE.format(1)
    assert measured([repeated], FineWeb(ignore_speaker_lines=True))[0]["char_dup_ratio"] > 0


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_measured(name):
    assert measured([ADVERSARIAL[name]])[0]["num_lines"] is not None
