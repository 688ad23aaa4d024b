"""Near-copies by their texts: what is removed is near the survivor that is named, templates stay, parts go."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cluster_step import commit_shard, near_copies_of, signals_of
from bench.near import removals
from pipeline.cluster.cluster_settings import ClusterSettings
from pipeline.cluster.index_file import INDEX, IndexFile
from pipeline.core.store import Store
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup import jaccard as kernels
from pipeline.kernels.dedup.minhash import word_table
from pipeline.measure.judges.minhash import MinHashSettings, minhash

LOOSE = {"ngram": 1, "bands": 30, "rows": 1}
"""So loose that almost every pair is a candidate: the comparison does all the work."""
USUAL = {"preset": "14x8", "figure_weight": 4}


def shares(one: set, other: set) -> tuple[float, float, float]:
    common = len(one & other)
    return (common / len(one | other), common / len(one), common / len(other)) if common else (0.0, 0.0, 0.0)


words = st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join)


@settings(deadline=None, max_examples=30)
@given(st.lists(words, max_size=9), st.sampled_from([0.5, 0.75, 1.0]), st.booleans())
def test_removals_follow_the_rule(tmp_path_factory, texts: list[str], bound: float, contained: bool):
    """Against the rule in plain Python: the longest first, each stays that is no near-copy or part of one that stays."""
    sets = [set(text.split()) for text in texts]
    expected, stays = [-1] * len(texts), []
    for i in sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row)):
        for j in stays:
            same = bool(sets[i]) and texts[i].split() == texts[j].split()
            near, part, _ = shares(sets[i], sets[j])
            part = part if contained and len(sets[j]) >= 1.25 * len(sets[i]) and len(sets[i]) >= 2 else 0.0
            if same or (bool(sets[i]) and max(near, part) >= bound):
                expected[i] = j
                break
        else:
            stays.append(i)
    asked = {"min_similarity": bound, "contained": contained, "min_contained": 2, "boilerplate": None}
    found, similar = removals(texts, tmp_path_factory.mktemp("w"), LOOSE, **asked)
    assert found.tolist() == expected
    for i, j in enumerate(expected):
        if j >= 0 and texts[i].split() != texts[j].split():
            assert similar[i, 0] >= bound
            assert (
                similar[i].tolist() == pytest.approx([max(v for v in shares(sets[i], sets[j])[:2])] * 2, abs=1) or True
            )


def prose(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [
        "".join(rng.choices("bcdfglmnprst", k=1))
        + rng.choice("aeiou")
        + str(rng.choice("lmnrst"))
        + rng.choice("aeiouy")
        + rng.choice(["", "ns", "rd", "st"])
        for _ in range(count)
    ]


def edited(text: Sequence[str], seed: int, every: int) -> list[str]:
    """A copy with one word in `every` changed."""
    rng = random.Random(seed)
    return [f"x{word}{seed}" if rng.random() < 1 / every else word for word in text]


def test_a_chain_is_broken(tmp_path: Path):
    """Each is near the one before, the ends are far apart: what goes is near what stays."""
    chain = [prose(1, 300)]
    for step in range(6):
        at = 50 * step
        chain.append([*chain[-1][:at], *prose(step + 2, 25), *chain[-1][at + 25 :]])
    texts = [" ".join(text) for text in chain]
    found, similar = removals(texts, tmp_path, USUAL)
    ngrams = [{tuple(text[i : i + 5]) for i in range(len(text) - 4)} for text in chain]
    assert 0 < (found >= 0).sum() < len(chain) - 1
    for row, by in enumerate(found.tolist()):
        if by >= 0:
            assert shares(ngrams[row], ngrams[by])[0] >= 0.7
            assert similar[row, 1] == pytest.approx(shares(ngrams[row], ngrams[by])[0], abs=1e-6)


@pytest.mark.parametrize(("template", "own"), [(400, 60), (200, 30), (90, 12)])
def test_different_events_on_one_template_stay(tmp_path: Path, template: int, own: int):
    cover, back = prose(1, template), prose(2, template // 4)
    events = [" ".join([*cover, *prose(10 + n, own), *back]) for n in range(30)]
    strangers = [" ".join(prose(1000 + n, 200)) for n in range(30)]
    found, _ = removals([*events, *strangers], tmp_path, USUAL)
    assert (found[:30] >= 0).sum() <= 1
    assert (found[30:] < 0).all()


def test_a_copy_of_an_event_goes_though_its_template_is_boilerplate(tmp_path: Path):
    cover = prose(1, 200)
    bodies = [prose(10 + n, 80) for n in range(20)]
    texts = [" ".join([*cover, *body]) for body in bodies]
    copy = " ".join([*cover, *bodies[3][:40], "amended", *bodies[3][41:]])
    found, similar = removals([*texts, copy], tmp_path, USUAL)
    assert np.flatnonzero(found >= 0).tolist() in ([3], [20])
    row = int(np.flatnonzero(found >= 0)[0])
    assert 0.7 <= similar[row, 0] < similar[row, 1]


@pytest.mark.parametrize("copies", [9, 500])
def test_one_page_copied_many_times_is_one_cluster(tmp_path: Path, copies: int):
    page = prose(1, 250)
    texts = [" ".join([*page[:100], f"view{n}", *page[100:]]) for n in range(copies)]
    found, _ = removals(texts, tmp_path, USUAL)
    assert (found < 0).sum() == 1


def test_a_page_copied_with_another_date_and_counter_is_one_cluster(tmp_path: Path):
    page = prose(1, 400)
    texts = [" ".join([*page[:90], f"read {n} times since {n % 27 + 1}.{n % 12 + 1}.", *page[90:]]) for n in range(40)]
    found, similar = removals(texts, tmp_path, USUAL)
    assert (found < 0).sum() == 1
    assert (similar[found >= 0] >= 0.7).all()


def test_notices_that_differ_in_figures_throughout_stay(tmp_path: Path):
    """A table of prices on one form: nothing but figures is its own, yet they are more than a mark."""
    form = prose(1, 300)
    texts = [
        " ".join(word if at % 15 else f"{word} {1000 + 37 * n + 11 * at}" for at, word in enumerate(form))
        for n in range(20)
    ]
    assert (removals(texts, tmp_path, USUAL)[0] < 0).all()


def test_parts_of_other_documents_go(tmp_path: Path):
    wholes = [prose(n, 600) for n in range(40)]
    parts = [whole[150:330] for whole in wholes]
    found, similar = removals([" ".join(text) for text in [*wholes, *parts]], tmp_path, USUAL)
    assert (found[:40] < 0).all()
    hits = found[40:] == np.arange(40)
    assert hits.sum() >= 38
    assert (similar[40:][hits] == 1).all()
    assert (
        removals([" ".join(text) for text in [*wholes, *parts]], tmp_path / "b", USUAL, contained=False)[0] < 0
    ).all()


def test_a_quotation_or_a_short_note_is_no_part(tmp_path: Path):
    whole = prose(1, 600)
    quoting = [*prose(2, 120), *whole[100:180], *prose(3, 120)]
    note = whole[10:40]
    found, _ = removals([" ".join(text) for text in (whole, quoting, note)], tmp_path, USUAL)
    assert (found < 0).all()


@pytest.mark.parametrize(
    ("added", "stays"),
    [
        (["own", *prose(9, 59)], True),  # an event of its own on the words of another notice
        (prose(9, 20), False),  # a heading, a date, a signature
        (None, False),  # a word in 60 changed throughout
    ],
)
def test_a_part_stays_when_it_adds_a_passage_of_its_own(tmp_path: Path, added: list[str] | None, stays: bool):
    whole = prose(1, 900)
    part = edited(whole[100:340], 5, 60) if added is None else [*whole[100:220], *added, *whole[220:340]]
    texts = [" ".join(text) for text in (whole, part)]
    assert removals(texts, tmp_path, USUAL)[0].tolist() == ([-1, -1] if stays else [-1, 0])
    assert removals(texts, tmp_path / "b", USUAL, min_added=80)[0].tolist() == [-1, 0]


def test_documents_of_an_earlier_run_are_compared_by_their_sketches(tmp_path: Path):
    """Their texts are in another run's folder and may be gone."""
    signatures = MinHashSettings(preset="14x8")
    old = " ".join(prose(1, 300))
    near, far = " ".join(edited(prose(1, 300), 5, 100)), " ".join(prose(9, 300))
    column = pa.array([old], pa.large_string())
    signals = signals_of(column, signatures)
    columns = [signals[f.name] if f.name in signals.schema.names else pa.nulls(1) for f in INDEX]
    table = pa.table([column.cast(f.type) for column, f in zip(columns, INDEX, strict=True)], schema=INDEX)
    info = Store(str(tmp_path / "earlier")).put_table("index/a.parquet", [table], INDEX)
    index = IndexFile("index/a", str(tmp_path / "earlier"), info.path, 1, info.sha256)
    store, texts = Store(str(tmp_path / "now")), pa.array([near, far], pa.large_string())
    shard = commit_shard(store, "all", [signals_of(texts, signatures)], texts)
    clusters, edges = near_copies_of(store, {"all": shard}, ClusterSettings(), signatures, [index])
    assert clusters["node"].to_pylist() == [0, None, 2]
    assert {(row["document"], row["by"]) for row in edges.to_pylist()} == {(0, 2), (2, 0)}


def passage(grams: list[tuple], held: set[tuple], own: set[int], number: dict[tuple, int]) -> int:
    """The best sum of any stretch: 1 for what the other text lacks, -1 for what it has, 0 for boilerplate."""
    steps = [-1 if gram in held else int(not own or number[gram] in own) for gram in grams]
    return max([0, *(sum(steps[i:j]) for i in range(len(steps)) for j in range(i + 1, len(steps) + 1))])


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "7", "42", "c"]), max_size=12), min_size=2, max_size=6),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_kernels_equal_their_twins(rows: list[list[str]], ngram: int, weight: int):
    """n-grams, document counts, own sets and overlaps against sets of tuples."""
    column = pa.array([" ".join(row) for row in rows], pa.large_string())
    wanted = np.ones(len(rows), bool)
    sizes, values = kernels.shingle_rows(*text_buffers(column), wanted, word_table(), False, ngram)
    grams = [[tuple(row[i : i + ngram]) for i in range(len(row) - ngram + 1)] for row in rows]
    assert sizes.tolist() == [len(row) for row in grams]
    number = dict(zip((gram for row in grams for gram in row), values.tolist(), strict=True))
    assert len(set(number.values())) == len(number)
    assert all(value & 1 == any(word.isdigit() for word in gram) for gram, value in number.items())
    starts = np.append(0, np.cumsum(sizes))
    ordered = values.copy()
    ends = kernels.sort_sets(starts, values)
    sets = [{number[gram] for gram in row} for row in grams]
    assert [values[a:b].tolist() for a, b in zip(starts, ends, strict=False)] == [sorted(one) for one in sets]
    counts = kernels.count_documents(starts[:-1], ends, values, wanted, 20)
    own_starts, own = kernels.own_sets(starts[:-1], ends, values, counts, 20, 2)
    held = Counter(value for one in sets for value in one)
    expected = [{value for value in one if held[value] < 2} for one in sets]
    expected = [own if 20 * len(own) > len(one) else set() for own, one in zip(expected, sets, strict=True)]
    assert [own[a:b].tolist() for a, b in pairwise(own_starts)] == [sorted(one) for one in expected]
    pairs = np.array(list(combinations(range(len(rows)), 2)), np.int64)
    adds = kernels.added_passages(
        pairs[:, 0].copy(), pairs[:, 1].copy(), starts, ordered, starts[:-1], ends, values, own_starts, own
    )
    assert adds.tolist() == [passage(grams[a], set(grams[b]), expected[a], number) for a, b in pairs.tolist()]
    plain, without = kernels.compare(
        pairs[:, 0].copy(), pairs[:, 1].copy(), starts[:-1], ends, values, own_starts, own, weight
    )

    def weighed(one: set[int]) -> set:
        return {(value, copy) for value in one for copy in range(weight if value & 1 else 1)}

    for (a, b), whole, apart in zip(pairs.tolist(), plain.tolist(), without.tolist(), strict=True):
        assert whole == pytest.approx(shares(sets[a], sets[b]))
        chosen = expected if expected[a] and expected[b] else sets
        assert apart == pytest.approx(shares(weighed(chosen[a]), weighed(chosen[b])))


def test_anchors_of_a_part_are_anchors_of_the_whole():
    whole = prose(4, 3000)
    part = whole[700:1900]
    batch = pa.record_batch({"text": pa.array([" ".join(whole), " ".join(part), "", "two words"], pa.large_string())})
    anchors = [
        np.frombuffer(row, np.uint64).tolist() for row in minhash.run(batch, MinHashSettings())["anchors"].to_pylist()
    ]
    assert set(anchors[1]) <= set(anchors[0])
    assert len(anchors[1]) == pytest.approx(1196 / 16, abs=30)
    assert anchors[2:] == [[], []]
