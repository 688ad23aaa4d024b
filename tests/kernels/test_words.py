"""The word scanner equals a plain-Python reading of spaCy's rules, and never loses or invents a character."""

import re
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from pipeline.kernels.text import words as scanner
from pipeline.kernels.text.word_tables import (
    ALPHA,
    ATTRIBUTES,
    BEFORE_DOT,
    CURRENCY,
    DIGIT,
    ICON,
    LONGEST_SPECIAL,
    LOWER,
    PREFIX,
    PUNCT,
    QUOTE,
    SPECIALS,
    STOP,
    SUFFIX,
    SYMBOL,
    UNITS,
    UPPER,
    fnv,
)
from tests.kernels.heuristic_texts import ADVERSARIAL, few_or_many, real_texts, relaxed, texts


def is_a(character: str, bits: int) -> bool:
    return bool(ATTRIBUTES[ord(character)] & bits)


def special(chunk: str) -> list[str] | None:
    return SPECIALS.get(chunk) if len(chunk.encode()) <= LONGEST_SPECIAL else None


def prefix_length(chunk: str) -> int:
    if is_a(chunk[0], PREFIX):
        return 1
    if chunk[0] == "+":
        return int(not (len(chunk) > 1 and is_a(chunk[1], DIGIT)))
    found = re.match(r"\.\.+|US\$|C\$|A\$", chunk)
    return len(found[0]) if found else 0


def suffix_length(chunk: str) -> int:
    """The longest suffix rule that fits: as a search for the leftmost match does."""
    best = 0
    if not chunk:
        return 0
    last, rest = chunk[-1], chunk[:-1]
    if is_a(last, SUFFIX):
        best = 1
    if found := re.search(r"(\.\.+|……|'s|'S|’s|’S)\Z", chunk):
        best = max(best, len(found[0]))
    if last == "." and best == 0 and rest:
        best = int(is_a(rest[-1], BEFORE_DOT) or (len(rest) > 1 and is_a(rest[-1], UPPER) and is_a(rest[-2], UPPER)))
    if last == "+" and rest and is_a(rest[-1], DIGIT):
        best = max(best, 1)
    if rest and is_a(last, CURRENCY) and is_a(rest[-1], DIGIT):
        best = max(best, 1)
    for ending in (*UNITS, "C$", "A$"):
        if chunk.endswith(ending) and len(chunk) > len(ending) and is_a(chunk[-len(ending) - 1], DIGIT):
            best = max(best, len(ending))
    return best


def infix_length(chunk: str, at: int) -> int:
    if found := re.match(r"\.\.+|…", chunk[at:]):
        return len(found[0])
    if is_a(chunk[at], ICON):
        return 1
    if at == 0 or at + 1 >= len(chunk):
        return 0
    before, here, after = chunk[at - 1], chunk[at], chunk[at + 1]
    letter = LOWER | UPPER
    if here in "+-*^" and is_a(before, DIGIT) and (is_a(after, DIGIT) or after == "-"):
        return 1
    if here == ".":
        return int(is_a(before, LOWER | QUOTE) and is_a(after, UPPER | QUOTE))
    if here == ",":
        return int(is_a(before, letter) and is_a(after, letter))
    if here in ":<>=/":
        return int(is_a(before, letter | DIGIT) and is_a(after, letter))
    for hyphen in ("-", "–", "—", "--", "---", "——", "~"):
        if chunk.startswith(hyphen, at) and is_a(before, letter | DIGIT):
            following = chunk[at + len(hyphen) : at + len(hyphen) + 1]
            if following and is_a(following, letter):
                return len(hyphen)
    return 0


def is_host(rest: str) -> bool:
    run = re.match(r"[0-9A-Za-z\u00a1-\uffff_.-]*", rest)[0]
    head, _, top = run.rpartition(".")
    labels = head.split(".")
    if not head or not 2 <= len(top) <= 63 or not all(is_a(character, LOWER) for character in top):
        return False
    if any(not label or len(label) > 64 or label[0] in "-_" or label[-1] in "-_" for label in labels):
        return False
    return re.match(r"(:[0-9]{2,5})?([/?#].*)?\Z", rest[len(run) :], re.S) is not None


def is_url(chunk: str) -> bool:
    scheme = re.search(r"(?<=..)://(?=.)|(?<=..)://\Z", chunk)
    start = scheme.end() if scheme else 0
    sign = chunk.rfind("@")
    return is_host(chunk[start:]) or (sign > start and is_host(chunk[sign + 1 :]))


def split_inside(chunk: str) -> list[str]:
    infixes, at = [], 0
    while at < len(chunk):
        width = infix_length(chunk, at)
        if width and at > 0:
            infixes.append((at, at + width))
        at += max(1, width)
    if not infixes or is_url(chunk):
        return [chunk]
    parts, start = [], 0
    for low, high in infixes:
        parts += [chunk[start:low], chunk[low:high]]
        start = high
    return [part for part in [*parts, chunk[start:]] if part]


def chunk_words(chunk: str) -> list[str]:
    """spaCy's algorithm: strip affixes from both ends, looking for special cases in between."""
    front: list[str] = []
    back: list[str] = []
    while chunk and not special(chunk):
        head = prefix_length(chunk)
        if head and chunk[head:] and special(chunk[head:]):
            front.append(chunk[:head])
            chunk = chunk[head:]
            break
        tail = suffix_length(chunk[head:])
        if tail and chunk[:-tail] and special(chunk[:-tail]):
            back.append(chunk[-tail:])
            chunk = chunk[:-tail]
            break
        if not head and not tail:
            break
        if head:
            front.append(chunk[:head])
        if tail:
            back.append(chunk[-tail:])
        chunk = chunk[head : len(chunk) - tail]
    inside = (special(chunk) or split_inside(chunk)) if chunk else []
    return front + inside + back[::-1]


def python_words(text: str) -> list[str]:
    return [word for chunk in text.split() for word in chunk_words(chunk)]


def scanned(documents: list[str]) -> list[tuple[list[int], list[int]]]:
    found = scanner.words(pa.array(documents, pa.large_string()))
    return [
        (found.hashes[low:high].tolist(), found.sizes[low:high].tolist())
        for low, high in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]


def assert_equal_to_python(documents: list[str]) -> None:
    for text, (hashes, sizes) in zip(documents, scanned(documents), strict=True):
        expected = python_words(text)
        assert [size >> scanner.SIZE_SHIFT for size in sizes] == [len(word) for word in expected], text
        assert hashes == [fnv(word.encode()) for word in expected]
        for word, size in zip(expected, sizes, strict=True):
            assert bool(size & scanner.HAS_ALPHA) == any(is_a(character, ALPHA) for character in word)
            assert bool(size & scanner.HAS_WORD) == any(not is_a(character, SYMBOL) for character in word)
            assert bool(size & scanner.IS_PUNCT) == all(is_a(character, PUNCT) for character in word)
            assert bool(size & scanner.IS_STOP) == (len(word) == 1 and is_a(word, STOP))
        starts = [python_words(line) for line in text.splitlines()]
        first = np.cumsum([0] + [len(line) for line in starts if line])[:-1].tolist()
        assert [at for at, size in enumerate(sizes) if size & scanner.NEW_LINE] == first


@relaxed
@given(texts)
def test_equals_plain_python_on_random_text(text):
    assert_equal_to_python([text, "", text[::-1]])


@few_or_many
def test_equals_plain_python_on_real_text(limit):
    assert_equal_to_python(real_texts(limit, 6_000))


@relaxed
@given(texts)
def test_no_character_is_lost(text):
    ((_, sizes),) = scanned([text])
    assert sum(size >> scanner.SIZE_SHIFT for size in sizes) == sum(len(chunk) for chunk in text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop.", ["Do", "n't", "stop", "."]),
        ("$1.23bn at 12%", ["$", "1.23bn", "at", "12", "%"]),
        ("(U.S. Inc.)", ["(", "U.S.", "Inc.", ")"]),
        ("see http://x.org/a-b, ok", ["see", "http://x.org/a-b", ",", "ok"]),
        ("a well-known 10km run", ["a", "well", "-", "known", "10", "km", "run"]),
        ("wait...what", ["wait", "...", "what"]),
        ("\x85\u2028\u3000", []),
    ],
)
def test_known_words(text, expected):
    assert scanned([text])[0][0] == [fnv(word.encode()) for word in expected]


def test_the_last_column_is_remembered_only_while_it_is_the_same():
    one = pa.array(["a b", "c"], pa.large_string())
    assert scanner.words(one) is scanner.words(one)
    assert len(scanner.words(one.slice(1)).hashes) == 1
    assert len(scanner.words(pa.array(["a b c d"])).hashes) == 4


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_quick(name):
    scanned(["warm up (it's compiled)."])
    start = time.process_time()
    ((_, sizes),) = scanned([ADVERSARIAL[name]])
    assert time.process_time() - start < 1
    assert sum(size >> scanner.SIZE_SHIFT for size in sizes) == sum(map(len, ADVERSARIAL[name].split()))
