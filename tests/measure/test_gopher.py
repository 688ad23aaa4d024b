"""Gopher's quality signals equal plain Python on random Unicode and on real text; the published bounds fire strictly."""

import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.measure.judges.gopher import ENGLISH, Gopher, gopher
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts
from tests.kernels.test_words import SYMBOL, is_a, python_words

PUBLISHED = Gopher(
    min_num_words=50, max_num_words=100_000, min_mean_word_length=3, max_mean_word_length=10,
    max_hash_word_ratio=0.1, max_ellipsis_word_ratio=0.1, max_bullet_line_frac=0.9, max_ellipsis_line_frac=0.3,
    min_alpha_word_frac=0.8, min_num_stop_words=2,
)  # fmt: skip


def plain(text: str) -> dict[str, float | None]:
    tokens, lines = python_words(text), text.splitlines()
    spoken = [word for word in tokens if not all(is_a(character, SYMBOL) for character in word)]

    def share(part: float, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "num_words": len(spoken),
        "mean_word_length": share(sum(map(len, spoken)), len(spoken)),
        "hash_word_ratio": share(text.count("#"), len(tokens)),
        "ellipsis_word_ratio": share(text.count("...") + text.count("…"), len(tokens)),
        "bullet_line_frac": share(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_line_frac": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_word_frac": share(sum(any(c.isalpha() for c in word) for word in tokens), len(tokens)),
        "num_stop_words": len(set(ENGLISH) & set(tokens)),
        "table_frac": 0.0 if text else None,
    }


def measured(documents: list[str], settings: Gopher | None = None, spans=None) -> list[dict]:
    return gopher.run(batch(documents, spans), settings or Gopher()).to_pylist()


@relaxed
@given(texts)
def test_equals_plain_python_on_random_text(text):
    documents = [text, "", text + "\n", "\r\n" + text]
    assert measured(documents) == [plain(document) for document in documents]


@few_or_many
def test_equals_plain_python_on_real_text(limit):
    documents = real_texts(limit, 6_000)
    assert measured(documents) == [plain(document) for document in documents]


def rules_hit(text: str, settings: Gopher = PUBLISHED) -> set[str]:
    signals = gopher.run(batch([text]), settings.without_thresholds())
    return {name for name, mask in gopher.rules(pa.table(signals), settings).items() if mask[0].as_py()}


PROSE = "They say that the price of the bond is to be paid with interest and they have it. " * 6


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Too short to keep.", "min_num_words"),
        ("a b " * 60 + "the of", "min_mean_word_length"),
        ("incomprehensibilities " * 60 + "the of", "max_mean_word_length"),
        (PROSE + "#" * 20, "max_hash_word_ratio"),
        (PROSE + "… " * 20, "max_ellipsis_word_ratio"),
        ("\n".join("- " + PROSE for _ in range(3)), "max_bullet_line_frac"),
        ("\n".join(PROSE + "..." for _ in range(3)), "max_ellipsis_line_frac"),
        (PROSE + "12 " * 60, "min_alpha_word_frac"),
        ("Preis Anleihe Zinsen zahlen " * 20, "min_num_stop_words"),
    ],
)
def test_each_published_bound_removes_what_it_is_for(text, rule):
    assert rule in rules_hit(text)
    assert not rules_hit(PROSE)


def test_bounds_are_strict_and_off_by_default():
    fifty = "the bond and " + "word " * 47
    assert rules_hit(fifty) == set()
    assert rules_hit("the bond and " + "word " * 46) == {"min_num_words"}
    assert rules_hit("#", Gopher()) == set()


def test_tables_are_left_out_of_prose_on_request():
    table = "Revenue | 12 | 13\nCosts | 7 | 9\n"
    text = PROSE + "\n" + table + PROSE
    start = len(PROSE) + 1
    spans = [[{"start": start, "end": start + len(table)}]]
    whole, prose = measured([text], spans=spans)[0], measured([text], Gopher(prose_only=True), spans)[0]
    assert whole["alpha_word_frac"] < prose["alpha_word_frac"]
    assert prose | {"table_frac": 0} == plain(PROSE + "\n" + PROSE)
    assert whole["table_frac"] == prose["table_frac"] == pytest.approx(len(table) / len(text))


def test_stop_words_of_other_languages():
    text = "Der Preis der Anleihe ist mit dem Zins und der Laufzeit verbunden."
    assert measured([text])[0]["num_stop_words"] == 0
    assert measured([text], Gopher(language="de"))[0]["num_stop_words"] >= 3
    assert measured([text], Gopher(stop_words=["Zins"]))[0]["num_stop_words"] == 1


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_measured(name):
    assert measured([ADVERSARIAL[name]])[0]["num_words"] is not None
