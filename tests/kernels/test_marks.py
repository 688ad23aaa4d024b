"""Text without rulers, leaders, bullets and boxes equals what regular expressions leave, and rules do not see the marks."""

import itertools
import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.marks import BOXES, BULLETS, KINDS, RULERS, without_marks
from pipeline.measure.judges.dolma import Dolma, dolma
from pipeline.measure.judges.fineweb import FineWeb, fineweb
from pipeline.measure.judges.gopher import Gopher, gopher
from pipeline.measure.judges.repetition import Repetition, repetition
from tests.kernels.heuristic_texts import ADVERSARIAL, batch, few_or_many, real_texts, relaxed

RULER = re.compile(rf"(?P<sign>[{re.escape(RULERS)}\u2500-\u257f])(?: {{0,2}}(?P=sign))*")
BOX = re.compile(rf"[{BOXES}]|\[(?: {{1,4}}|(?= *[xX] *\])[ xX]{{1,4}})\]|\( {{1,4}}\)")


def twin(text: str) -> str:
    lines = text.split("\n")
    return "".join(
        line if line is not None else ""
        for line in (one_line(line, "\n" if at < len(lines) - 1 else "") for at, line in enumerate(lines))
    )


def one_line(line: str, end: str) -> str:
    out, at, signs, lost = "", 0, 0, False
    while at < len(line):
        skip = 0
        if ruler := RULER.match(line, at):
            count = ruler.group().count(ruler["sign"])
            rest = line[ruler.end() :]
            alone = count >= 3 and signs == 0 and all(character <= " " for character in rest)
            skip = ruler.end() - at if count >= 4 or alone else 0
        if not skip and signs == 0 and line[at] in BULLETS and line[at + 1 : at + 2] <= " ":
            skip = 1
        if not skip and (box := BOX.match(line, at)):
            skip = len(box.group())
        if skip:
            lost, signs = True, signs + 1
            out += " " if out and out[-1] > " " else ""
            at += skip
            continue
        out += line[at]
        signs += line[at] > " "
        at += 1
    return "" if lost and not out.strip("".join(map(chr, range(33)))) else out + end


def plain(texts: list[str]) -> list[str]:
    offsets, data = text_buffers(pa.array(texts, pa.large_string()))
    places, out = without_marks(offsets, data, KINDS)
    raw = out.tobytes()
    return [raw[start:stop].decode() for start, stop in itertools.pairwise(places)]


pieces = st.sampled_from([
    "a", "Item 1", " ", "  ", "   ", "\n", "\n\n", "-", "--", "----", "_", "______", ". . . .", "...", ".....", "=====", "***", "* ",
    "• ", "☐", "[ ]", "[X]", "[ x ]", "[1]", "( )", "(  )", "(x)", "[", "(", "─", "──────", "–", "\t", "é", "😀", "■ ",
])  # fmt: skip


@relaxed
@given(st.lists(pieces, max_size=30).map("".join))
@example("Total . . . . . . . $ 5\n------------\n- one\n\n☐ Yes ☒ No [ ]\nend...")
@example("a [ xx ] b [     ] c\n - \n=== x\n===")
def test_equals_regular_expressions(text):
    assert plain([text, text + "\nend", "x" + text]) == [twin(text), twin(text + "\nend"), twin("x" + text)]


@few_or_many
def test_equals_regular_expressions_on_real_text(limit):
    texts = real_texts(limit, 6_000)
    assert plain(texts) == [twin(text) for text in texts]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_anything_is_read_once(name):
    assert len(plain([ADVERSARIAL[name]])[0]) <= len(ADVERSARIAL[name])


WORDS = (
    "The registrant agrees to furnish a copy of any omitted schedule to the staff on request, and with that to file it."
)
FORM = "\n".join(
    [
        "=" * 72, WORDS, "_" * 110, "Delaware . . . . . . . . . . . . . . 12", "-----------------   -----------------",
        "[ ] Written communications", "[X] Soliciting material", "☐ Pre-commencement communications", "• the first of the terms",
        "• the second of the terms", "* * *", "Signature: ______________________",
    ]
)  # fmt: skip
BARE = "\n".join(
    [
        WORDS, "Delaware   12", "Written communications", "Soliciting material", "Pre-commencement communications",
        "the first of the terms", "the second of the terms", "Signature:",
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("judge", "settings"), [(gopher, Gopher), (repetition, Repetition), (fineweb, FineWeb), (dolma, Dolma)]
)
def test_a_form_measures_as_its_words_do(judge, settings):
    (form,), (bare,) = (judge.run(batch([text]), settings(ignore_layout=True)).to_pylist() for text in (FORM, BARE))
    published = judge.run(batch([FORM]), settings()).to_pylist()[0]
    spaces = {"num_chars", "line_punct_ratio", "bullet_line_frac", "compressed_frac", "chars_per_token", "letter_frac"}
    for name, value in bare.items():
        assert name in spaces or form[name] == pytest.approx(value, rel=0.05), name
    assert published != form


def test_bullets_are_still_counted_as_lines():
    (found,) = gopher.run(batch(["- one\n- two\nthree\n"]), Gopher(ignore_layout=True)).to_pylist()
    assert found["bullet_line_frac"] == pytest.approx(2 / 3)
    assert found["num_words"] == 3


def test_an_ellipsis_is_no_leader():
    (found,) = gopher.run(batch(["He said no...\nAssets ........ 5\n"]), Gopher(ignore_layout=True)).to_pylist()
    assert found["ellipsis_line_frac"] == 0.5
    assert found["ellipsis_word_ratio"] == pytest.approx(1 / 6)


def test_prose_in_capitals_has_stop_words():
    notice = (
        "IN NO EVENT SHALL THE SELLER BE LIABLE TO THE BUYER, AND THE BUYER AGREES WITH THAT. The and THE are one word."
    )
    assert gopher.run(batch([notice]), Gopher()).to_pylist()[0]["num_stop_words"] == 1
    assert gopher.run(batch([notice]), Gopher(any_case=True)).to_pylist()[0]["num_stop_words"] == 6
