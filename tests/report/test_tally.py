"""Counting for the report equals counting by hand, whatever the shards."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.settings import JudgeSettings, Threshold
from pipeline.report.tally import (
    histogram,
    reasons,
    sample_rows,
    shortened,
    source_rows,
    threshold_histograms,
)

RULES = ["gopher.min_words", "gopher.max_words", "exact.duplicate", "language.min_score"]
ROW = st.tuples(
    st.sampled_from(["kept", "removed", "quarantined"]),
    st.lists(st.sampled_from(RULES), min_size=1, max_size=3, unique=True),
    st.integers(0, 10_000),
    st.sampled_from(["web", "news"]),
)


def tables(rows: list) -> tuple[pa.Table, pa.Table]:
    names = {"quarantined": ["ingest.truncated"]}
    said = [[] if verdict == "kept" else names.get(verdict, found) for verdict, found, _, _ in rows]
    documents = pa.table(
        {
            "source": pa.array([r[3] for r in rows], pa.string()),
            "role": pa.array(["domain" if r[3] == "news" else "general" for r in rows], pa.string()),
            "licence": pa.array(["CC0"] * len(rows), pa.string()),
            "raw_bytes": pa.array([r[2] * 9 for r in rows], pa.int64()),
            "text_bytes": pa.array([r[2] * 4 for r in rows], pa.int64()),
            "num_pretokens": pa.array([r[2] for r in rows], pa.int64()),
        }
    )
    verdicts = pa.table(
        {
            "verdict": pa.array([r[0] for r in rows], pa.string()),
            "stage": pa.array([s[0].split(".")[0] if s else None for s in said], pa.string()),
            "rule": pa.array([s[0].split(".")[1] if s else None for s in said], pa.string()),
            "reasons": pa.array(said, pa.list_(pa.string())),
        }
    )
    return documents, verdicts


@given(st.lists(ROW, max_size=40), st.integers(0, 40))
@settings(deadline=None)
def test_reasons_and_sources_by_hand(rows: list, cut: int) -> None:
    documents, verdicts = tables(rows)
    order = ["language", "gopher", "exact"]
    found = reasons(documents, verdicts, order)
    first, tokens, hits = Counter(), Counter(), Counter()
    for verdict, stage, rule, said, size in zip(
        *(verdicts[c].to_pylist() for c in ("verdict", "stage", "rule", "reasons")),
        documents["num_pretokens"].to_pylist(),
        strict=True,
    ):
        hits.update(said)
        if verdict != "kept":
            first[verdict, stage, rule] += 1
            tokens[verdict, stage, rule] += size
    assert {(r.verdict, r.stage, r.rule): r.documents for r in found} == dict(first)
    assert {(r.verdict, r.stage, r.rule): r.pretokens for r in found} == dict(tokens)
    assert all(r.hits == hits[f"{r.stage}.{r.rule}"] for r in found)
    by_source = source_rows(documents, verdicts)
    assert sum(row.documents_in for row in by_source) == len(rows)
    for row in by_source:
        assert row.documents_in == row.kept + row.removed + row.quarantined
        assert row.kept_pretokens == sum(r[2] for r in rows if r[3] == row.name and r[0] == "kept")
    halves = [(documents.slice(0, cut), verdicts.slice(0, cut)), (documents.slice(cut), verdicts.slice(cut))]
    sharded = [pa.concat_tables(side) for side in zip(*halves, strict=True)]
    assert reasons(*sharded, order) == found
    assert source_rows(*sharded) == by_source


@given(
    st.lists(st.floats(-1e6, 1e6) | st.none() | st.just(float("nan")), max_size=200), st.none() | st.floats(-1e3, 1e3)
)
@settings(deadline=None)
def test_histograms_lose_nothing(values: list, bound: float | None) -> None:
    found = histogram("j", "s", pa.array(values, pa.float64()), upper=bound)
    known = [v for v in values if v is not None and v == v]
    assert sum(found.counts) == len(known)
    assert found.missing == len(values) - len(known)
    assert found.removed == (sum(v > bound for v in known) if bound is not None else 0)
    assert all(a < b for a, b in zip(found.edges, found.edges[1:], strict=False))
    if bound is not None and known:
        assert found.edges[0] <= bound <= found.edges[-1]


class Example(JudgeSettings):
    ngram: int = 5
    max_ratio: Threshold = None
    min_words: Threshold = None
    min_ratio: Threshold = None


def test_every_threshold_gets_its_histogram() -> None:
    signals = pa.table({"ratio": [0.1, 0.5, 0.9], "words": [10, 60, 200], "kind": ["a", "b", "c"]})
    found = {
        h.signal: h for h in threshold_histograms("j", Example(max_ratio=0.6, min_ratio=0.2, min_words=50), signals)
    }
    assert (found["ratio"].lower, found["ratio"].upper, found["ratio"].removed) == (0.2, 0.6, 2)
    assert (found["words"].lower, found["words"].removed) == (50, 1)
    assert threshold_histograms("j", Example(), signals) == []


def test_samples_depend_on_ids_alone() -> None:
    ids = pa.array([f"{i:032x}" for i in range(100)])
    mask = np.arange(100) % 2 == 0
    rows = sample_rows(ids, mask, 5)
    assert len(rows) == 5
    assert all(mask[row] for row in rows)
    order = np.random.default_rng(1).permutation(100)
    again = sample_rows(ids.take(pa.array(order)), mask[order], 5)
    assert [ids[row].as_py() for row in rows] == [ids[int(order[row])].as_py() for row in again]


def test_shortened() -> None:
    assert shortened("short") == ("short", False)
    text, cut = shortened("word " * 1000, 103)
    assert cut
    assert text.endswith("word")
    assert len(text) <= 103
    assert shortened("x" * 5000, 100) == ("x" * 100, True)


def licences_of(values: list[str | None], cut: int) -> set[str]:
    documents, verdicts = tables([("kept" if n % 2 else "removed", RULES[:1], 5, "web") for n in range(len(values))])
    documents = documents.set_column(2, "licence", pa.array(values, pa.string()))
    halves = [(documents.slice(0, cut), verdicts.slice(0, cut)), (documents.slice(cut), verdicts.slice(cut))]
    return {
        row.licence
        for rows in (
            source_rows(documents, verdicts),
            source_rows(*(pa.concat_tables(side) for side in zip(*halves, strict=True))),
        )
        for row in rows
    }


def test_a_source_has_the_licence_of_its_documents_or_several() -> None:
    for cut in (1, 2, 3):
        assert licences_of(["CC0", "CC0", "CC0", "CC0"], cut) == {"CC0"}
        assert licences_of(["CC0", "CC0", "MIT", "CC0"], cut) == {"several"}
        assert licences_of(["CC0", "unknown", "CC0", "CC0"], cut) == {"several"}
    assert licences_of(["CC0", None, "CC0", "CC0"], 2) == {"CC0"}  # a forgotten document has none
    assert licences_of([None, None], 1) == {"unknown"}
