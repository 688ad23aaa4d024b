"""Terms of the domain: what the judge finds, that the counts add up, and known figures of keyness."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.term_survival import TermCounts, log_likelihood, log_ratio, survival_report
from pipeline.kernels.text.term_trie import LOWER, WORD_LOWER
from pipeline.measure.judges.terms import Terms, term_index, terms, words_of
from tokenizer.term_lists import load_terms

LISTS = ("finance", "legal", "medical")
TINY = ["basis points", "basis", "SOB", "res judicata", "c/o", "N/V/D", "driver's licence"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "tiny.tsv"
    path.write_text("term\tgloss\tsource\n" + "".join(f"{term}\tg\ts\n" for term in TINY))
    return str(path)


def found(texts, name):
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    columns = terms.run(batch, Terms(list=name))
    names = term_index(name)[0]
    return [
        dict(zip([names[i] for i in ids], counts, strict=True))
        for ids, counts in zip(columns["terms"].to_pylist(), columns["mentions"].to_pylist(), strict=True)
    ]


def twin(text, listed):
    """Plain Python: words with their characters, the longest listed term from the left, capitals as they are written."""
    words, word = [], ""
    for char in text + " ":
        if WORD_LOWER[ord(char)]:
            word += char
        elif word and char not in "'\u2019":
            words.append(word)
            word = ""
    fold = [tuple(chr(LOWER[ord(c)]) for c in w) for w in words]
    wanted = {tuple(tuple(chr(LOWER[ord(c)]) for c in w) for w in words_of(term)): term for term in listed}
    counts, at = {}, 0
    while at < len(words):
        for size in range(len(words) - at, 0, -1):
            term = wanted.get(tuple(fold[at : at + size]))
            if term:
                capitals = sum("A" <= c <= "Z" for w in words[at : at + size] for c in w)
                if term != term.upper() or capitals >= sum("A" <= c <= "Z" for c in term):
                    counts[term] = counts.get(term, 0) + 1
                at += size - 1
                break
        at += 1
    return counts


PARTS = ["basis", "points", "Basis", "SOB", "sob", "Sob", "res", "judicata", "c/o", "N/V/D", "n/v/d", "driver's", "licence",
         "é", "I'm", "’s", "한국", "𝔸", ".", ",", "-", "\n", "7"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=20), st.sampled_from([" ", "", "  "]))
def test_the_judge_equals_its_twin(tiny, parts, between):
    text = between.join(parts)
    assert found([text], tiny)[0] == twin(text, TINY)


def test_case_and_longest_match(tiny):
    texts = ["25 BASIS-POINTS on this basis", "a sob story", "SOB, c/o SOB", "Res judicata; driver’s licence", ""]
    assert found(texts, tiny) == [
        {"basis points": 1, "basis": 1}, {}, {"SOB": 2, "c/o": 1}, {"res judicata": 1, "driver's licence": 1}, {},
    ]  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_every_listed_term_is_found_as_it_is_written(name):
    listed = [term.term for term in load_terms(name)]
    missed = [
        term
        for term, counts in zip(listed, found([f"of {t}, and" for t in listed], name), strict=True)
        if term not in counts
    ]
    assert len(listed) >= 100
    assert missed == []


@pytest.mark.parametrize(("rows", "message"), [("the\tg\ts\nThe\tg\ts\n", "twice"), ("&\tg\ts\n", "no word")])
def test_a_bad_list_is_refused(tmp_path, rows, message):
    path = tmp_path / "bad.tsv"
    path.write_text("term\tgloss\tsource\n" + rows)
    with pytest.raises(ValueError, match=message):
        Terms(list=str(path))


def test_a_missing_list_is_refused_with_its_name():
    with pytest.raises(ValueError, match="no term list 'avionics'"):
        Terms(list="avionics")


def test_keyness_of_rayson_and_garside():
    # Equal relative frequency is no key; the sign of the log ratio says which side.
    assert log_likelihood(10, 20, 1000, 2000) == pytest.approx(0)
    assert log_likelihood(5, 0, 100, 100) == pytest.approx(10 * math.log(2))
    assert log_likelihood(3, 4, 0, 10) == 0.0
    assert log_ratio(1, 4, 100, 100) == -2
    assert log_ratio(0, 0, 100, 100) is None


COUNT = st.integers(0, 5000)


@given(COUNT, COUNT, st.integers(5000, 10**6), st.integers(5000, 10**6))
def test_keyness_is_symmetric_and_never_negative(a, b, c, d):
    assert log_likelihood(a, b, c, d) == pytest.approx(log_likelihood(b, a, d, c))
    assert log_likelihood(a, b, c, d) >= -1e-6


def shard(draw, rows):
    lists = [sorted(draw.choice(3, draw.integers(0, 4), replace=False).tolist()) for _ in range(rows)]
    signals = pa.table({
        "terms": pa.array(lists, pa.list_(pa.int32())),
        "mentions": pa.array([[1 + n for n in found] for found in lists], pa.list_(pa.int32())),
        "num_words": pa.array([100] * rows, pa.int64()),
    })  # fmt: skip
    verdict = draw.choice(["kept", "removed", "quarantined"], rows).tolist()
    stages = [None if v == "kept" else str(draw.choice(["gopher", "exact"])) for v in verdict]
    roles = draw.choice(["domain", "general"], rows).tolist()
    return signals, pa.table({"verdict": verdict, "stage": pa.array(stages, pa.string()), "role": roles})


@given(st.integers(0, 2**32 - 1))
def test_documents_of_every_term_add_up_over_any_shards(seed):
    draw = np.random.default_rng(seed)
    parts = [shard(draw, int(draw.integers(1, 30))) for _ in range(3)]
    counts, whole = TermCounts.zero(3), TermCounts.zero(3)
    for part in parts:
        counts.add(*part)
    whole.add(pa.concat_tables([p[0] for p in parts]), pa.concat_tables([p[1] for p in parts]))
    report = survival_report(["a", "b", "c"], counts)
    assert report == survival_report(["a", "b", "c"], whole)
    for row in report["rows"]:
        assert row["documents"] == row["kept"] + sum(row["removed_by"].values())
    assert report["corpus"]["documents"] == sum(v != "quarantined" for p in parts for v in p[1]["verdict"].to_pylist())


def test_a_term_that_a_stage_removes_warns_with_the_stage():
    counts = TermCounts.zero(2)
    signals = pa.table({
        "terms": pa.array([[0]] * 40 + [[1]] * 40, pa.list_(pa.int32())),
        "mentions": pa.array([[1]] * 80, pa.list_(pa.int32())),
        "num_words": pa.array([50] * 80, pa.int64()),
    })  # fmt: skip
    verdicts = ["removed"] * 32 + ["kept"] * 48
    stages = pa.array([None if v == "kept" else "gopher" for v in verdicts], pa.string())
    counts.add(signals, pa.table({"verdict": verdicts, "stage": stages, "role": ["domain"] * 80}))
    report = survival_report(["mens rea", "actus reus"], counts)
    assert [row["verdict"] for row in report["rows"]] == ["warn", "pass"]
    assert report["warnings"] == [
        '"mens rea": 20.0% of its 40 documents are kept, of all documents 60.0%; '
        "of the domain's own, 8 of 40; gopher removes 32"
    ]


def test_a_term_lost_within_the_domain_warns_though_noise_is_lost_more():
    """Half of the domain's documents with the term go; all others stay; the corpus is mostly noise that goes."""
    counts = TermCounts.zero(1)
    lists = [[0]] * 40 + [[]] * 360
    verdicts = ["removed"] * 24 + ["kept"] * 16 + ["kept"] * 60 + ["removed"] * 300
    signals = pa.table({
        "terms": pa.array(lists, pa.list_(pa.int32())),
        "mentions": pa.array([[1] * len(found) for found in lists], pa.list_(pa.int32())),
        "num_words": pa.array([50] * 400, pa.int64()),
    })  # fmt: skip
    stages = pa.array([None if v == "kept" else "gopher" for v in verdicts], pa.string())
    counts.add(signals, pa.table({"verdict": verdicts, "stage": stages, "role": ["domain"] * 100 + ["general"] * 300}))
    (row,) = survival_report(["mens rea"], counts)["rows"]
    assert row["ratio"] > 2
    assert row["ratio_domain"] == pytest.approx(0.4 / 0.76, abs=1e-6)
    assert row["verdict"] == "pass"
    counts.domain[1, 0] -= 2
    assert survival_report(["mens rea"], counts)["rows"][0]["verdict"] == "warn"
