"""Names of people, dates and high ages, for records of medicine and law: context, and lists or a model of your own.

A name is taken by a title before it ("Dr. Ann Lee"), a label ("Patient: Lee, Ann"), a given name and a word with a capital
after it, or a given name alone that is hardly ever a word. Lists: the US census of 1990. Names that no list holds are found
beside titles and labels only. Dates lose day and month and keep the year; ages are taken from 90 on (HIPAA's safe harbour,
45 CFR 164.514(b)(2)). Regular expressions over the text: some 2 MB/s, so it is off unless a recipe asks for it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources

import numpy as np

from pipeline.errors import UsageError
from pipeline.measure.hf_models import load, longest

FindNames = Callable[[str], Iterator[tuple[int, int]]]
"""Spans of names in a text, in characters."""
_CAPITAL, _SMALL = "[A-ZÀ-ÖØ-ÞĆČĎĐĘĚĞİŁŃŇŐŘŚŞŠŤŮŰŹŻŽÇ]", "[a-zß-öø-ÿĀ-ɏḀ-ỿ]"
_PARTICLE = r"(?:O'|Mc|Mac|De|Di|La|Le|Van|von)?"
_WORD = (
    rf"(?:{_PARTICLE}{_CAPITAL}{_SMALL}+(?:[-'’](?!s\b){_CAPITAL}?{_SMALL}+)*"  # Wójcik, O'Neil, Jean-Luc
    r"|[A-Z]{2,}(?:-[A-Z]{2,})?)"
)
_PART = rf"(?:{_WORD}|[A-Z]\.)"
_FULL = rf"{_PART}(?:[ ](?:(?:de|da|del|van|von|der|den|bin|al|la)[ ])*{_PART}){{0,3}}"
TITLED = re.compile(
    r"\b(?:Dr\.?|Mr\.?|Mrs\.?|Ms\.?|Mx\.?|Prof\.?|Rev\.?|Hon\.?|Miss|Doctor|Professor|Judge|Justice|Nurse|Detective|Officer)"
    rf"[ ](?P<name>{_FULL})"
)
LABELLED = re.compile(rf":[ \t]*(?P<name>{_WORD},[ ]{_FULL}|{_FULL})")
LABEL = re.compile(r"(?P<label>[A-Za-z]+)(?:'s)?(?: [Nn]ame)? ?\Z")
DEGREE = re.compile(r",?[ ](?:M\.?D\.?|D\.?O\.?|R\.?N\.?|Ph\.?D\.?|Esq\.?|PA-C|NP|LCSW|FACS|FACP|J\.?D\.?)(?![A-Za-z])")
GRADED = re.compile(rf"(?<![A-Za-z.])(?P<name>{_WORD}(?:[ ][A-Z]\.?)?(?:[ ]{_WORD}){{1,2}})\Z")
LOOK_BACK = 60
CAPITAL = re.compile(rf"(?<![A-Za-z])(?<!St\. ){_WORD}")
TURNED = re.compile(rf",[ ](?P<first>{_WORD})(?:[ ][A-Z](?![a-z])\.?)?")
REST = re.compile(rf"(?:[ ](?:[A-Z]\.|{_WORD})){{1,2}}")
LABELS = frozenset(
    "patient pt client resident mother father husband wife spouse son daughter guardian attending physician provider surgeon "
    "assistant anesthesiologist consultant nurse pcp by plaintiff defendant petitioner respondent witness attorney counsel judge "
    "name kin contact".split()
)
"""Last words of a label before a colon: "Referring physician:", "Dictated by:"."""
_MONTHS = frozenset(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept "
    "oct nov dec".split()
)
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\.?"
)
DATES = re.compile(
    rf"\b(?:{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?(?!\d)|\d{{1,2}}(?:st|nd|rd|th)?(?:[ ]of)?[ -]{_MONTH}(?=[ ,.;)-]|$)"
    r"|(?:0?[1-9]|1[0-2]|[12]\d|3[01])[/-](?:0?[1-9]|[12]\d|3[01])(?=[/-](?:19|20)?\d\d\b))"
    r"|(?:(?<=on )|(?<=since )|(?<=from )|(?<=until )|(?<=dated ))(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])(?![\d/-])"
    r"|(?<=\b(?:19|20)\d\d[-/])(?:0[1-9]|1[0-2])[-/](?:0[1-9]|[12]\d|3[01])\b",
    re.MULTILINE,
)
AGES = re.compile(
    r"\b(?P<a>9\d|1[01]\d)(?=[ -]?(?:years?|yrs?|y)[ -]?(?:old|o\b|/o)|[ -]years?-old|[ ]?y\.?o\.?\b|[ ](?:years|yrs)[ ]of[ ]age)"
    r"|(?i:\bage[ds]?[ :]{1,2})(?P<b>9\d|1[01]\d)\b"
)  # fmt: skip


@cache
def _lists() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {"lone": set(), "given": set(), "surname": set()}
    for line in resources.files("pipeline.measure").joinpath("names.txt").read_text(encoding="utf-8").splitlines():
        kind, _, words = line.partition(": ")
        if kind in found:
            found[kind].update(words.split())
    found["given"] |= found["lone"]
    found["known"] = found["given"] | found["surname"]
    return {kind: frozenset(words) for kind, words in found.items()}


def _key(word: str) -> str:
    """How the lists spell a word: without accents, in lower case."""
    return unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower()


def _by_context(text: str) -> Iterator[tuple[int, int]]:
    """Names beside a title, a label or a degree."""
    yield from (hit.span("name") for hit in TITLED.finditer(text))
    known = _lists()["known"]
    for hit in LABELLED.finditer(text):
        label = LABEL.search(text, max(0, hit.start() - LOOK_BACK), hit.start())
        words = hit["name"].replace(",", "").split()
        if label and label["label"].lower() in LABELS and (len(words) > 1 or _key(words[0]) in known):
            yield hit.span("name")
    for hit in DEGREE.finditer(text):
        if before := GRADED.search(text, max(0, hit.start() - LOOK_BACK), hit.start()):
            yield before.span("name")


def by_lists(text: str) -> Iterator[tuple[int, int]]:
    """Names whose words the lists hold."""
    lists, at = _lists(), 0
    given, lone, surnames = lists["given"], lists["lone"], lists["surname"]
    for hit in CAPITAL.finditer(text):
        if hit.start() < at:
            continue
        word = hit.group()
        key = word.lower() if word.isascii() else _key(word)
        if key in _MONTHS or key not in given:
            if key in surnames and (turned := TURNED.match(text, hit.end())) and _key(turned["first"]) in lone:
                at = turned.end()
                yield hit.start(), at
            continue
        rest = REST.match(text, hit.end())
        last = _key(rest.group().split()[-1]).partition("-")[0] if rest else ""
        if (
            rest
            and last not in _MONTHS
            and (last in surnames or (key in lone and (last in given or rest.group().count(" ") == 1)))
        ):
            at = rest.end()
            yield hit.start(), at
        elif key in lone and not word.isupper():
            at = hit.end()
            yield hit.span()


def by_model(text: str, path: str, sha256: str, labels: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Spans of a token classifier's labels, in whole words: long texts in windows that overlap by half.

    Raises UsageError where the folder, its checksum or its labels are not as said.
    """
    tokenizer, model = load("pii.names_", path, sha256, "TokenClassification")
    known = {str(name).removeprefix("B-").removeprefix("I-"): None for name in model.config.id2label.values()}
    wanted = [
        at for at, name in model.config.id2label.items() if str(name).removeprefix("B-").removeprefix("I-") in labels
    ]
    if not wanted:
        raise UsageError(f"pii.names_labels: {path} has none of {', '.join(labels)} (it has: {', '.join(known)})")
    limit = longest(model)
    read = tokenizer(
        text, truncation=True, max_length=limit, stride=limit // 2, return_overflowing_tokens=True,
        return_offsets_mapping=True, padding=True, return_tensors="pt",
    )  # fmt: skip
    hit = np.zeros(len(text) + 1, bool)
    for ids, mask, places in zip(
        read["input_ids"], read["attention_mask"], read["offset_mapping"].tolist(), strict=True
    ):
        best = model(input_ids=ids[None], attention_mask=mask[None]).logits[0].argmax(-1).tolist()
        for one, (start, end) in zip(best, places, strict=True):
            hit[start:end] |= one in wanted
    # Whole words, and the space between two of them.
    words = [
        match.span() for match in re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", text) if hit[slice(*match.span())].any()
    ]
    at = 0
    while at < len(words):
        start, end = words[at]
        while at + 1 < len(words) and text[end : words[at + 1][0]] in (" ", ". "):
            at, end = at + 1, words[at + 1][1]
        yield start, end
        at += 1


def find_names(text: str, finder: FindNames = by_lists) -> list[tuple[int, int, str]]:
    """(start, end, kind) of names, dates and ages in characters, in order.

    >>> [("Seen on March 3, 2031 by Dr. Okafor; Linda Hayes, 93 years old."[a:b], kind)
    ...  for a, b, kind in find_names("Seen on March 3, 2031 by Dr. Okafor; Linda Hayes, 93 years old.")]
    [('March 3', 'date'), ('Okafor', 'name'), ('Linda Hayes', 'name'), ('93', 'age')]
    """
    found = [(*hit.span(), "date") for hit in DATES.finditer(text)]
    found += [(*hit.span("a" if hit["a"] else "b"), "age") for hit in AGES.finditer(text)]
    named = [*_by_context(text), *finder(text)]
    found += [(start, end, "name") for start, end in named]
    found.sort(key=lambda one: (one[0], -one[1]))
    kept: list[tuple[int, int, str]] = []
    for one in found:
        if not kept or one[0] >= kept[-1][1]:
            kept.append(one)
    return kept


def find_in_rows(
    offsets: np.ndarray, data: np.ndarray, finder: FindNames = by_lists
) -> list[tuple[int, int, int, str]]:
    """`find_names` of every row of a column: (row, start, end, kind), bytes within the row."""
    found = []
    for row in range(len(offsets) - 1):
        raw = data[offsets[row] : offsets[row + 1]].tobytes()
        text = raw.decode()
        at, byte = 0, 0
        for start, end, kind in find_names(text, finder):
            byte += len(text[at:start].encode())
            size = len(text[start:end].encode())
            found.append((row, byte, byte + size, kind))
            at, byte = end, byte + size
    return found
