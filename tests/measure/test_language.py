"""Language labels equal py3langid's own on every text; windows agree with the whole text."""

import time

import pyarrow as pa
import pytest
from hypothesis import example, given
from py3langid.langid import LanguageIdentifier

from pipeline.measure.language import Language, language
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, real_texts, relaxed, texts

FULL = Language(full_text=True)


@pytest.fixture(scope="module")
def reference():
    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz")
    return lambda text: identifier.classify(text)[0]


def measured(documents: list[str], settings: Language | None = None) -> list[dict]:
    return language.run(batch(documents), settings or Language()).to_pylist()


@relaxed
@given(text=texts)
@example(text="")
@example(text="GROSSE ÄNDERUNGEN IN DER STRASSE")
@example(text="e\u0301te\u0301 comme hiver, l'e\u0301cole est ferme\u0301e")
@example(text="ПРИВЕТ МИР")
def test_full_text_labels_are_those_of_py3langid(reference, text):
    documents = [text, text.upper(), text + " the end of the text"]
    assert [found["label"] for found in measured(documents, FULL)] == [reference(document) for document in documents]


def test_full_text_labels_are_those_of_py3langid_on_real_text(reference):
    documents = real_texts(200, 6_000)
    assert [found["label"] for found in measured(documents, FULL)] == [reference(document) for document in documents]


def test_windows_agree_with_the_whole_text():
    documents = real_texts(400, 20_000)
    whole, windows = measured(documents, FULL), measured(documents)
    same = [one["label"] == other["label"] for one, other in zip(whole, windows, strict=True)]
    assert sum(same) >= 0.995 * len(same)


def test_rows_do_not_depend_on_their_neighbours():
    documents = [
        "Der Zins ist hoch und die Anleihe fällt.",
        "",
        "The bond fell. " * 200,
        "La banque a dit. " * 150,
        "ok",
    ]
    together = measured(documents)
    assert together == [measured([document])[0] for document in documents]
    assert together == measured(documents[::-1])[::-1]
    sliced = batch(["before", *documents]).slice(1)
    assert language.run(sliced, Language()).to_pylist() == together


def test_mixed_text_is_seen():
    english, german = (
        "The board of the bank raised its forecast for the year. ",
        "Der Vorstand der Bank hob die Prognose an. ",
    )
    pure, mixed = measured([english * 60, english * 30 + german * 40])
    assert pure["label"] == "en"
    assert pure["mixed_frac"] == 0
    assert 0.3 <= mixed["mixed_frac"] <= 0.7


def test_rules():
    settings = Language(keep=["en"], min_score=0.5)
    documents = [
        "The board of the bank raised its forecast for the year.",
        "Der Vorstand der Bank hob die Prognose an.",
        "",
    ]
    signals = pa.table(language.run(batch(documents), settings.without_thresholds()))
    rules = {name: mask.to_pylist() for name, mask in language.rules(signals, settings).items()}
    assert rules["keep"] == [False, True, True]
    assert rules["min_score"][2]
    assert language.rules(signals, Language()) == {}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_quick(name, full):
    measured(["warm up"], Language(full_text=full))
    start = time.process_time()
    measured([ADVERSARIAL[name]], Language(full_text=full))
    assert time.process_time() - start < 1
