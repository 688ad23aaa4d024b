"""Gopher's repetition signals equal plain Python on random Unicode and on real text."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measure.judges.repetition import Repetition, repetition
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts
from tests.kernels.test_words import python_words


def duplicates(pieces: list[str]) -> tuple[int, int]:
    """How many second and later copies, and their code points."""
    again = [piece for at, piece in enumerate(pieces) if piece in set(pieces[:at])] if len(pieces) < 200 else []
    if len(pieces) >= 200:
        seen: set[str] = set()
        for piece in pieces:
            if piece in seen:
                again.append(piece)
            seen.add(piece)
    return len(again), sum(map(len, again))


def top_chars(words: list[str], n: int) -> int:
    grams = Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))
    if not grams:
        return 0
    gram, count = max(grams.items(), key=lambda item: item[1])
    return len(" ".join(gram)) * count


def repeated_chars(words: list[str], n: int) -> int:
    seen, total, at = set(), 0, 0
    while at + n <= len(words):
        gram = tuple(words[at : at + n])
        if gram in seen:
            total += len("".join(gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return total


def plain(text: str) -> dict[str, float | None]:
    names = ["dup_line_frac", "dup_paragraph_frac", "dup_line_char_frac", "dup_paragraph_char_frac"]
    names += [f"{'top' if n < 5 else 'dup'}_{n}_gram_char_frac" for n in range(2, 11)]
    if not text:
        return {"num_chars": 0} | dict.fromkeys(names)
    lines, paragraphs = re.split("\n+", text), re.split("\n{2,}", text.strip())
    (dup_lines, line_chars), (dup_paragraphs, paragraph_chars) = duplicates(lines), duplicates(paragraphs)
    words, size = python_words(text), len(text)
    values = [dup_lines / len(lines), dup_paragraphs / len(paragraphs), line_chars / size, paragraph_chars / size]
    values += [(top_chars if n < 5 else repeated_chars)(words, n) / size for n in range(2, 11)]
    return {"num_chars": size} | dict(zip(names, values, strict=True))


def measured(documents: list[str], settings: Repetition | None = None) -> list[dict]:
    return repetition.run(batch(documents), settings or Repetition()).to_pylist()


few_words = st.lists(st.sampled_from(["a", "b", "c", "a b c d e f", "b a\n", "\n", "\n\n"]), max_size=80).map(" ".join)
few_lines = st.lists(st.sampled_from(["x", "y.", " ", "", "z z", "é", "\u3000"]), max_size=30).map("\n".join)


@relaxed
@given(texts, few_words, few_lines)
def test_equals_plain_python_on_random_text(text, words, lines):
    documents = [text, words, lines, "", words + "\n" + lines, "\n" + words]
    assert measured(documents) == [plain(document) for document in documents]


@few_or_many
def test_equals_plain_python_on_real_text(limit):
    documents = real_texts(limit, 6_000)
    assert measured(documents) == [plain(document) for document in documents]


def test_known_shares():
    (found,) = measured(["one two one two one two\none two\n\none two\n\none two"])
    assert found["dup_line_frac"] == 2 / 4
    assert found["dup_paragraph_frac"] == 1 / 3
    assert found["top_2_gram_char_frac"] == 7 * 6 / 49


def test_speaker_lines_are_no_duplicates_on_request():
    turns = "\n".join(
        f"Operator\nOur next question is number {n} of the day.\nJane Doe:\nThank you, {n}." for n in range(9)
    )
    assert measured([turns])[0]["dup_line_frac"] > 0.4
    assert measured([turns], Repetition(ignore_speaker_lines=True))[0]["dup_line_frac"] == 0
    assert measured(["Same text here.\n" * 3], Repetition(ignore_speaker_lines=True))[0]["dup_line_frac"] > 0


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_measured(name):
    assert measured([ADVERSARIAL[name]])[0]["num_chars"] == len(ADVERSARIAL[name])


def test_a_stub_that_says_its_name_three_times_is_not_repetitive_where_short_texts_are_left_out():
    stub = "Amber Lake Brook is a stream in Ontario. Amber Lake Brook rises near Amber Lake and joins the Moira River."
    spam = "cheap amber rings " * 60
    documents = [stub, spam, stub + " It is short. " * 40]
    published, long_only = measured(documents), measured(documents, Repetition(top_grams_from=60))
    assert published[0]["top_2_gram_char_frac"] > 0.2
    tops = [row["top_2_gram_char_frac"] for row in long_only]
    assert tops == [0.0, *(row["top_2_gram_char_frac"] for row in published[1:])]
    dups = [[row["dup_5_gram_char_frac"] for row in rows] for rows in (published, long_only)]
    assert dups[0] == dups[1]
