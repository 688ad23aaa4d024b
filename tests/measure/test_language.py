"""Language labels equal py3langid's own on every text; windows agree with the whole text."""

import hashlib
import re
import sys

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from py3langid.langid import LanguageIdentifier

from pipeline.errors import UsageError
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import langid
from pipeline.kernels.text.word_tables import ATTRIBUTES
from pipeline.measure.judges.language import COMMON_LABELS, Language, language
from tests.fasttext_file import write as write_fasttext
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts

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


@few_or_many
def test_full_text_labels_are_those_of_py3langid_on_real_text(reference, limit):
    documents = real_texts(limit, 6_000)
    assert [found["label"] for found in measured(documents, FULL)] == [reference(document) for document in documents]


def test_windows_agree_with_the_whole_text():
    documents = real_texts(300, 8_000)
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
    assert signals["label"].to_pylist() == ["en", "de", "und"]
    assert signals["score"].to_pylist()[2] is None
    assert rules["min_score"] == [False, False, False]
    undetermined = Language(keep=["en", "und"])
    assert language.rules(signals, undetermined)["keep"].to_pylist() == [False, True, False]
    assert language.rules(signals, Language()) == {}


ROWS = """
Inventories 12,408 11,930 / Goodwill and other intangible assets 4,211.0 3,987.5 / Total / (0.4)% / 2031
Provision for loan losses\t(312)\t(287)\t— / Unearned revenue, net of current portion . . . . . . . . . $ 88 $ 91
Class A-4 761118QK3 21,350,000.00 0.00 6.875000 % 0.00 / Senior notes due 2034 / PF-07321332 / ======== ========
"""


@pytest.mark.parametrize("row", [row.strip() for row in ROWS.replace("\n", "/").split("/") if row.strip()])
def test_a_row_of_figures_is_english_or_undetermined(row):
    assert {found["label"] for found in measured([row, row + "\n" + row])} <= {"en", "und"}


@pytest.mark.parametrize("figures", ["", " 1,234.5 (77) 12%", "\n----------\n==========\n", " ........ 7 ________ 9"])
def test_digits_and_marks_say_nothing(figures):
    text = "The company sold its stake in the mine and paid the rest of its debt."
    score = measured([text])[0]["score"]
    (found,) = measured([text + figures])
    assert found["label"] == "en"
    assert found["score"] == pytest.approx(score, abs=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "Gunnlaugur Þorsteinsson and Nguyễn Hữu Phước opened the new branch of the bank last week.",
        "The court heard Katarzyna Wójcik, Ümit Yıldırım and Eoghan Ó Flaithbheartaigh before lunch.",
        "Sven-Åke Lindström (Swedish; Чайковский in a Russian paper) joined the board in May of that year.",
        "Shares of Société Générale and Crédit Agricole rose after the results were read out.",
    ],
)
def test_names_do_not_turn_a_sentence(text):
    assert measured([text])[0]["label"] == "en"


def test_short_text_of_other_languages_keeps_its_label():
    documents = {
        "de": "Der Umsatz stieg im dritten Quartal um neun Prozent auf 4,2 Milliarden Euro.",
        "fr": "Le bénéfice net de la société a reculé de 12 % au premier semestre.",
        "es": "La empresa pagará un dividendo de 0,35 euros por acción en julio.",
        "ru": "Я сам к тебе зайду.",
        "zh": "公司第三季度净利润增长百分之十二。",
    }
    assert [found["label"] for found in measured(list(documents.values()))] == list(documents)


def test_min_words_0_labels_everything():
    assert measured(["Goodwill 4,211"])[0]["label"] == "und"
    assert measured(["Goodwill 4,211"], Language(min_words=0))[0]["label"] != "und"


WORD = re.compile(r"(?:[^\W_]|[\u0300-\u036f])(?:[^\W_]|[\u0300-\u036f'’-])*")


def quiet_twin(text: str) -> tuple[str, list[int]]:
    """`langid.quiet` by Python's own notions of a letter, on text of letters, digits and marks."""

    def latin(letter: str) -> bool:
        return ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00

    letters = [letter for letter in text if letter.isalpha()]
    mostly_latin = 2 * sum(map(latin, letters)) >= len(letters)
    counts = [0, 0, int(mostly_latin)]

    def replaced(match: re.Match[str]) -> str:
        word = match.group()
        own = [letter for letter in word if letter.isalpha()]
        code = any(letter in "0123456789" for letter in word)
        uncased = sum(not letter.isupper() and not letter.islower() for letter in own)
        words = 0 if code else max(int(len(own) > 1), uncased // 2)
        counts[0] += words
        if not own or code or own[0].isupper() or any(latin(letter) != mostly_latin for letter in own):
            return " "
        counts[1] += words
        return word

    return WORD.sub(replaced, text), counts


@relaxed
@given(text=st.text("ABab1 .,'-\n\u00e9\u0416\u0436\u4e2d\u6587", max_size=60))
@example(text="PF-0732 paid Müller's 3rd-quarter bill; Иван и петр: 中文 text x")
def test_words_left_out_are_those_of_the_twin(text):
    for document in (text, "Then " + text + " the rest of it"):
        offsets, data = text_buffers(pa.array([document], pa.large_string()))
        out, places, counts = langid.quiet(offsets[:-1], offsets[1:], data, ATTRIBUTES)
        assert (out[: places[1]].tobytes().decode(), counts[0].tolist()) == quiet_twin(document)


@pytest.mark.parametrize(
    ("label", "nearest"),
    [
        ("english", "en"), ("English", "en"), ("EN", "en"), ("en-US", "en"), ("eng", "en"), ("germna", "de"),
        ("deu", "de"), ("spa", "es"), ("zh_Hans", "zh"), ("eng_Latn", "en"),
    ],
)  # fmt: skip
def test_a_label_that_no_text_can_have_is_refused_with_the_nearest(label, nearest):
    with pytest.raises(ValueError, match=rf"no language has the label '{label}' \(did you mean {nearest}\?\)"):
        Language(keep=["en", label])


def test_all_wrong_labels_are_named_and_right_ones_are_not():
    with pytest.raises(ValueError, match=r"'frensh' \(did you mean fr\?\), '%%' \(labels are ISO 639-1: en"):
        Language(keep=["en", "frensh", "zu", "%%"])
    labels = set(langid.load_model().labels)
    assert Language(keep=sorted(labels)).keep == sorted(labels)
    assert labels > COMMON_LABELS - {"und"}
    assert Language.model_validate({"fasttext": {"path": "x.bin", "sha256": "0" * 64}, "keep": ["eng_Latn"]}).keep


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_has_a_label(name, full):
    (found,) = measured([ADVERSARIAL[name]], Language(full_text=full))
    assert found["label"]
    assert found["label"] == "und" if found["score"] is None else 0 <= found["score"] <= 1


@pytest.fixture
def fasttext_model(tmp_path):
    pytest.importorskip("fasttext", reason="fasttext-predict is not installed (extra `fasttext`)")
    path = tmp_path / "lid.bin"
    words = {
        "__label__en": ["the", "bank", "of"],
        "__label__de": ["der", "die", "Bank"],
        "__label__fr": ["la", "banque"],
    }
    return {"path": str(path), "sha256": write_fasttext(path, words, weight=10)}


def test_a_fasttext_model_labels_instead(fasttext_model):
    settings = Language.model_validate({"fasttext": fasttext_model})
    settings.check()
    english, german = "the bank of the bank\n", "der die Bank der die\n"
    found = measured([english, german, "", "unknown", english * 40 + german * 20, english * 60], settings)
    assert [row["label"] for row in found] == ["en", "de", "und", "und", "en", "en"]
    assert found[0]["score"] > 0.99
    assert found[2]["score"] == 0
    assert 0.1 < found[4]["mixed_frac"] < 0.6
    assert found[5]["mixed_frac"] == 0
    whole = measured(
        [english * 40 + german * 20], Language.model_validate({"fasttext": fasttext_model, "full_text": True})
    )
    assert whole[0]["label"] == "en"
    kept = Language.model_validate({"fasttext": fasttext_model, "keep": ["en"]})
    signals = pa.table(language.run(batch([english, german]), kept.without_thresholds()))
    assert language.rules(signals, kept)["keep"].to_pylist() == [False, True]


def test_the_model_is_part_of_the_fingerprint(fasttext_model):
    settings = Language.model_validate({"fasttext": fasttext_model})
    assert language.weights(settings) == fasttext_model["sha256"]
    assert settings.libraries() == ["fasttext-predict"]
    assert language.weights(Language()) is None
    assert Language().libraries() == []


def test_a_wrong_fasttext_file_is_one_clear_sentence(fasttext_model, tmp_path):
    def check(**changed):
        Language.model_validate({"fasttext": {**fasttext_model, **changed}}).check()

    with pytest.raises(UsageError, match=r"lid.bin has the sha256 [0-9a-f]{64}, the recipe says 0{64}"):
        check(sha256="0" * 64)
    with pytest.raises(UsageError, match=r"fastText model .*none.bin: No such file"):
        check(path=str(tmp_path / "none.bin"))
    other = tmp_path / "text.bin"
    other.write_bytes(b"no model at all")
    with pytest.raises(UsageError, match="none that fasttext-predict reads"):
        check(path=str(other), sha256=hashlib.sha256(b"no model at all").hexdigest())


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(UsageError, match=r"pip install 'domain-corpus\[fasttext\]'"):
        Language.model_validate({"fasttext": {"path": "x.bin", "sha256": "0" * 64}}).check()
