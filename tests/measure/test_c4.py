"""C4's line rules equal plain Python on random Unicode and on real text; spans cut exactly the published lines."""

import re

import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.kernels.text.c4_lines import TO_THE_READER
from pipeline.kernels.text.word_tables import PUNCT, STOP
from pipeline.measure.judges.c4 import C4, c4, policy_sentence_frac
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed, texts
from tests.kernels.test_words import is_a, python_words

POLICY = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")


def num_sentences(line: str) -> int:
    count, stopped = 1, False
    for word in python_words(line):
        ends = len(word) == 1 and is_a(word, STOP)
        if stopped and not ends and not all(is_a(character, PUNCT) for character in word):
            count, stopped = count + 1, False
        elif ends:
            stopped = True
    return count


def furniture(stripped: str, line: str, text: str) -> bool:
    """The rule of `furniture_only`: `line` is the line without its citations."""
    words = len(stripped.split())
    if words > 40 or 2 * len(stripped.encode()) > len(text.encode()):
        return False
    sentence = line.endswith((".", "?", "!", '"', "'")) and not line.endswith("...")
    return any(phrase in line.lower() for phrase in TO_THE_READER) or (words <= 10 and not sentence)


def plain(text: str, settings: C4) -> dict:
    """The published rules, each counted on its own; `kept` is the published text."""
    found = {"num_sentences": 0, "num_lorem_ipsum": 0, "num_curly_bracket": 0, "kept": []}
    for line in text.splitlines():
        line = stripped = line.strip()
        words = line.split()
        if settings.max_word_length != -1 and any(len(word) > settings.max_word_length for word in words):
            continue
        if settings.remove_citations:
            line = CITATION.sub("", line)
        if settings.filter_no_terminal_punct and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(words) < settings.min_words_per_line:
            continue
        lower = line.lower()
        named = "javascript" in lower or any(phrase in lower for phrase in POLICY)
        found["num_lorem_ipsum"] += "lorem ipsum" in lower
        if settings.furniture_only and named and not furniture(stripped, line, text):
            lower = ""
        if settings.filter_javascript and "javascript" in lower:
            continue
        found["num_curly_bracket"] += "{" in line
        if settings.filter_policy and any(phrase in lower for phrase in POLICY):
            continue
        found["num_sentences"] += num_sentences(line)
        found["kept"].append(line)
    found["num_long_lines"] = sum(len(line) >= 200 for line in text.split("\n"))
    found["num_lines"] = len(text.splitlines())
    found["num_kept_lines"] = len(found["kept"])
    return found


def measured(documents: list[str], settings: C4, spans=None) -> list[dict]:
    return c4.run(batch(documents, spans), settings).to_pylist()


def cut(text: str, spans: list[dict]) -> str:
    raw, at, pieces = text.encode(), 0, []
    for span in spans:
        assert at <= span["start"] < span["end"] <= len(raw)
        pieces.append(raw[at : span["start"]])
        at = span["end"]
    return b"".join([*pieces, raw[at:]]).decode()


SETTINGS = [
    C4(),
    C4(filter_no_terminal_punct=False),
    C4(filter_no_terminal_punct=False, min_words_per_line=-1, max_word_length=-1, remove_citations=False),
    C4(filter_javascript=False, filter_policy=False, max_word_length=20),
    C4(filter_no_terminal_punct=False, furniture_only=True),
]


def assert_equal_to_python(documents: list[str], settings: C4) -> None:
    for text, found in zip(documents, measured(documents, settings), strict=True):
        expected = plain(text, settings)
        kept, spans = expected.pop("kept"), found.pop("spans")
        share, _ = found.pop("cut_frac"), found.pop("policy_sentence_frac")
        assert found == expected, text
        after = cut(text, spans)
        # Blank lines are not compared: what is left on both sides of a cut may be "\\r" and "\\n", one line end.
        assert [line.strip() for line in after.splitlines() if line.strip()] == [
            line.strip() for line in kept if line.strip()
        ], text
        assert share == (pytest.approx(1 - len(after.encode()) / len(text.encode())) if text else None)


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
@relaxed
@given(text=texts)
def test_equals_plain_python_on_random_text(settings, text):
    assert_equal_to_python([text, "", text + ".", text + "\n" + text], settings)


@few_or_many
@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_equals_plain_python_on_real_text(settings, limit):
    assert_equal_to_python(real_texts(limit, 6_000), settings)


def test_lines_and_citations_are_cut_by_reason():
    text = "Rates rose again.[3] They fell.\nMenu | Home\nThis site uses cookies to track you.\nJavaScript must be on.\nOk.\n"
    (found,) = measured([text], C4())
    assert [span["kind"] for span in found["spans"]] == [
        "citation", "no_terminal_punct", "policy", "javascript", "too_few_words",
    ]  # fmt: skip
    assert cut(text, found["spans"]) == "Rates rose again. They fell.\n"
    assert found["num_sentences"] == 2


STORY = "Shares of the lender rose on Tuesday after it said that loans grew in the spring quarter. " * 6
FURNITURE = [
    "Privacy Policy", "Terms of Use | Contact | Careers", "This site uses cookies. By continuing to browse it you agree to them.",
    "Please enable JavaScript to view the comments on this article.", "We use cookies to improve your experience. Learn more",
    "(c) 2031 Example Corp. All rights reserved. Terms of Use and Privacy Policy", "Read our cookie policy.",
]  # fmt: skip
SENTENCES = [
    "Our privacy policy and the laws of several states limit what we may do with data of customers, and a breach of either "
    "could lead to fines, to claims and to a loss of trust that would harm our results of operations and our prospects.",
    "The search engine rewrote its privacy policy in the spring, and regulators in four countries objected within days.",
    "Browsers block the use of cookies by default, which limits how we measure advertising.",
    "The engineers moved the service from Java to JavaScript in two years.",
    "A court in Ohio held that the terms of use had never been accepted by the buyer.",
]


@pytest.mark.parametrize("line", FURNITURE)
def test_page_furniture_is_cut(line):
    for settings in (C4(filter_no_terminal_punct=False, furniture_only=True, min_words_per_line=-1), C4()):
        (found,) = measured([STORY + "\n" + line + "\n" + STORY], settings)
        assert found["spans"], settings


@pytest.mark.parametrize("line", SENTENCES)
def test_sentences_about_policies_stay(line):
    settings = C4(filter_no_terminal_punct=False, furniture_only=True, min_words_per_line=-1)
    for text in (STORY + "\n" + line + "\n" + STORY, line, line + " " + STORY):
        assert measured([text], settings)[0]["spans"] == []
    assert measured([STORY + "\n" + line], C4())[0]["spans"]


def test_document_rules():
    good = "One sentence here. " * 5
    settings = C4(min_num_sentences=5, max_num_lorem_ipsum=0, max_num_curly_bracket=0, min_num_long_lines=3)
    documents = [good, "One sentence here.", good + "\nLorem ipsum dolor sit amet.", good + "\nThen came { a bracket."]
    signals = pa.table(c4.run(batch(documents), settings.without_thresholds()))
    rules = {name: mask.to_pylist() for name, mask in c4.rules(signals, settings).items()}
    assert rules == {
        "min_num_sentences": [False, True, False, False],
        "max_num_lorem_ipsum": [False, False, True, False],
        "max_num_curly_bracket": [False, False, False, True],
        "min_num_long_lines": [True] * 4,
    }


def test_blank_lines_and_tables_stay_on_request():
    text = "Rates rose again today.\n\nRevenue  12  13\nCosts  7  9\n\nMenu\n"
    start = text.index("Revenue")
    spans = [[{"start": start, "end": text.index("\n\nMenu") + 1}]]
    (found,) = measured([text], C4(keep_blank_lines=True, prose_only=True), spans)
    assert cut(text, found["spans"]) == text.removesuffix("Menu\n")
    (found,) = measured([text], C4(), spans)
    assert cut(text, found["spans"]) == "Rates rose again today.\n"


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_measured(name):
    assert measured([ADVERSARIAL[name]], C4())[0]["num_lines"]


def test_pages_of_policy_sentences_are_told_from_prose_that_names_one():
    text = [
        "We use cookies to remember you. See our privacy policy. By reading on you accept the terms of use.",
        "You may ask whether our privacy policy is sound. " + "Revenue rose in every region of the group. " * 9,
        "Bake the cookies for ten minutes. Let the cookies cool.",
        "",
        "A court may hold that our terms of use bind nobody. New laws on the use of cookies would make adverts cheaper. "
        "Regulators in two states have asked about the privacy policy of our lending arm.",
        "The search engine rewrote its privacy policy on Friday, its fourth change since the fine of last spring.",
        "Cookie policy\nPrivacy policy\nTerms of use\nContact",
        "Please enable JavaScript to read on.",
    ]
    assert policy_sentence_frac(pa.array(text, pa.large_string())).to_pylist() == [
        1.0,
        0.1,
        0.0,
        0.0,
        0.0,
        0.0,
        0.75,
        1.0,
    ]


def test_a_list_of_partners_is_policy_though_it_speaks_to_nobody():
    lists = [
        f"Partner {name} ({n}) stores cookies for {n * 7} days, see its privacy policy."
        for n, name in enumerate("ABCD")
    ]
    article = [
        "The regulator fined the bank over its privacy policy.",
        "Lawyers had warned that the privacy policy of 2019 was out of date.",
        "A new privacy policy follows in May.",
        "Analysts expect that other lenders will rewrite theirs before the summer.",
    ]
    found = policy_sentence_frac(pa.array([" ".join(lists), " ".join(article), lists[0]], pa.large_string()))
    assert found.to_pylist() == [1.0, 0.0, 0.0]
