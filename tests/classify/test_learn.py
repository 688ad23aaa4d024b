"""Samples, held-out hosts, measures and the trained model."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.numpy import load, save

from pipeline.classify.classifier_settings import DomainSettings, QualitySettings, Selection
from pipeline.classify.learn import train
from pipeline.classify.measures import auc, calibration_table, recall_at, shares
from pipeline.classify.model import Model
from pipeline.classify.sample import Sample, audit_mask, excerpt, folds, held_out, hosts_of, id_hashes
from pipeline.errors import UsageError
from pipeline.kernels.text.linear import PIECE_BYTES, PIECES

MONEY = "bond yield dividend equity coupon ledger audit margin credit issuer".split()
OTHER = "river song tree goal singer forest bridge poem garden winter".split()
COMMON = "the of and to in was for on with that".split()


def made(count=400, hosts=12, seed=0):
    """Two sides that differ by some of their words."""
    rng = np.random.default_rng(seed)
    texts, labels, groups = [], [], []
    for number in range(count):
        label = number % 2
        own = rng.choice(MONEY if label else OTHER, 12)
        words = np.concatenate([own, rng.choice(COMMON, 20)])
        texts.append(" ".join(rng.permutation(words)) + f" {number}x")
        labels.append(label)
        groups.append(f"{'m' if label else 'o'}{number // 2 % hosts}.example" if hosts else "")
    ids = pa.array([f"{number:032x}" for number in range(count)])
    hashes = id_hashes(ids, 7)
    order = np.argsort(hashes)
    column = pa.array([text.encode() for text in texts], pa.large_binary()).take(pa.array(order))
    return Sample(column, np.array(labels)[order], [groups[at] for at in order], hashes[order])


@pytest.mark.parametrize("method", ["logistic", "dsir"])
def test_both_methods_learn_and_measure_on_hosts_they_did_not_see(method):
    model, card = train(made(), method)
    assert card["auc"] > 0.99
    assert card["recall_at_1_percent_false_positives"] > 0.9
    assert card["held_out"]["split_by"] == {"negatives": "hosts", "positives": "hosts"}
    assert card["calibration"]["error"] < 0.1
    scores, known = model.score(pa.array(["bond yield of the issuer", "the song in the forest", "", None]))
    assert scores[0] > 0.5 > scores[1]
    assert known.tolist() == [True, True, False, False]


def test_negatives_that_read_like_positives_are_named_with_their_host():
    sample = made()
    test, _ = held_out(sample)
    mirror = next(sample.groups[at] for at in np.flatnonzero(test & (sample.labels == 0)))
    texts = sample.texts.to_pylist()
    for at, (host, label) in enumerate(zip(sample.groups, sample.labels, strict=True)):
        if host == mirror and label == 0:
            texts[at] = b"bond yield dividend equity coupon %d" % at
    wrong = Sample(pa.array(texts, pa.large_binary()), sample.labels, sample.groups, sample.hashes)
    _, card = train(wrong)
    found = card["highest_negatives"]
    assert found["hosts"][0]["host"] == mirror
    assert found["hosts"][0]["above_half"] == found["hosts"][0]["held_out"] == found["above_half"]
    assert found["in_1_percent"] == card["held_out"]["negatives"] // 100
    assert found["documents"][0]["host"] == mirror
    assert found["documents"][0]["begins"].startswith("bond yield")


def test_the_same_sample_gives_the_same_bytes():
    assert train(made())[0].to_bytes() == train(made())[0].to_bytes()


def test_weights_come_back_from_their_bytes():
    model, _ = train(made())
    again = Model.from_bytes(model.to_bytes())
    texts = pa.array(["bond yield", "the song of winter", "株式 12"])
    assert (model.score(texts)[0] == again.score(texts)[0]).all()
    assert len(model.to_bytes()) < 530_000
    with pytest.raises(UsageError, match="no classifier weights"):
        Model.from_bytes(b"something else")
    older = {name: value for name, value in load(model.to_bytes()).items() if name != "features"}
    with pytest.raises(UsageError, match="train again"):
        Model.from_bytes(save(older))


def test_shuffled_text_scores_lower_than_the_text_it_came_from():
    rng = np.random.default_rng(1)
    sentences = ["the bank raised its rate", "profit fell in the quarter", "the board approved a dividend"]
    texts = [
        " ".join(rng.choice(sentences, 8)) + f" n{n}" if n % 2 else " ".join(rng.choice(OTHER, 40)) + f" n{n}"
        for n in range(300)
    ]
    ids = pa.array([f"{n:032x}" for n in range(300)])
    sample = Sample(
        pa.array([t.encode() for t in texts], pa.large_binary()), np.arange(300) % 2, [""] * 300, id_hashes(ids, 1)
    )
    model, card = train(sample, shuffled=0.5)
    assert card["shuffled_negatives"] > 40
    assert card["auc_against_shuffled"] > 0.99
    straight = " ".join(sentences * 3)
    mixed = " ".join(rng.permutation(straight.split()))
    scores, _ = model.score(pa.array([straight, mixed]))
    assert scores[0] > scores[1]


def test_hosts_never_stand_on_both_parts():
    sample = made()
    mask, how = held_out(sample)
    assert how == ["hosts", "hosts"]
    groups = np.array(sample.groups)
    assert not set(groups[mask]) & set(groups[~mask])
    assert 0.1 < mask.mean() < 0.3


@pytest.mark.parametrize("hosts", [0, 1])
def test_no_host_or_one_host_is_split_by_document(hosts):
    mask, how = held_out(made(hosts=hosts))
    assert how == ["documents", "documents"]
    assert 0.1 < mask.mean() < 0.3


def test_a_hostile_address_is_cut():
    assert len(hosts_of(pa.array(["http://" + "a" * 1_000_000]))[0]) == 253
    assert hosts_of(pa.array([None, "", "nothing", "HTTPS://u@A.example:1/x"])) == ["", "", "", "a.example"]


def test_one_copy_of_a_text_and_none_of_a_text_on_both_sides():
    texts = pa.array([b"a", b"a", b"b", b"b", b"c"], pa.large_binary())
    sample = Sample(texts, np.array([1, 1, 1, 0, 0]), [""] * 5, np.arange(5, dtype=np.uint64))
    found = sample.deduplicated()
    assert found.texts.to_pylist() == [b"a", b"c"]
    assert found.labels.tolist() == [1, 0]


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=40), st.integers(1, 4000))
def test_excerpts_are_bounded_and_valid(unit, times):
    text = (unit * times).encode("utf-8", "ignore")
    found = excerpt(text)
    found.decode()
    assert len(found) <= PIECES * (PIECE_BYTES + 1)
    if len(text) <= PIECES * PIECE_BYTES:
        assert found == text


def test_audit_stream_is_one_percent_and_of_the_id_alone():
    ids = pa.array([f"{n:032x}" for n in range(100_000)])
    mask = audit_mask(ids)
    assert 0.008 < mask.mean() < 0.012
    assert (audit_mask(ids.slice(500)) == mask[500:]).all()


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_measures_are_what_their_definitions_say(positive, negative):
    p, n = np.array(positive) / 10, np.array(negative) / 10
    pairs = [(a > b) + (a == b) / 2 for a in p for b in n]
    assert auc(p, n) == pytest.approx(np.mean(pairs), abs=1e-6)
    found = recall_at(p, n, 0.01)
    bounds = [b for b in n if (n > b).mean() <= 0.01]
    assert found == pytest.approx((p > min(bounds)).mean(), abs=1e-6)
    table = shares(p, n)
    assert table["0.50"] == [pytest.approx((p >= 0.5).mean(), abs=1e-4), pytest.approx((n >= 0.5).mean(), abs=1e-4)]


def test_calibration_error_is_zero_for_truth_and_large_for_lies():
    labels = np.array([0, 1] * 50)
    assert calibration_table(labels.astype(float), labels)["error"] == 0
    assert calibration_table(1 - labels.astype(float), labels)["error"] == 1
    assert auc(np.zeros(0), np.ones(1)) is None


def test_settings_say_one_origin():
    both = {"positives": {"roles": ["domain"]}, "negatives": {"roles": ["general"]}}
    assert DomainSettings.model_validate(both).has_origin
    assert not DomainSettings().has_origin
    assert QualitySettings().shuffled == 0.25
    for wrong in (
        {"positives": {"roles": ["domain"]}},
        {**both, "weights": {"path": "x", "sha256": "0" * 64}},
        {"positives": {}, "negatives": {"roles": ["general"]}},
        {"weights": {"path": "x", "sha256": "12"}},
    ):
        with pytest.raises(ValidationError):
            DomainSettings.model_validate(wrong)


def test_thresholds_and_paths_are_no_part_of_what_is_learned():
    pinned = {"path": "/a", "sha256": "0" * 64}
    one = DomainSettings.model_validate({"weights": pinned, "min_score": 0.3, "role_score": 0.7})
    other = DomainSettings.model_validate({"weights": {**pinned, "path": "/b"}})
    assert one.learned() == other.learned()
    assert one.decided() != other.decided()


def test_selections_are_unions():
    chosen = Selection(sources=["news"], hosts=["*.SEC.gov"])
    assert chosen.names("news", "auto", "")
    assert chosen.names("crawl", "general", "www.sec.gov")
    assert not chosen.names("crawl", "domain", "sec.gov.example")


def of_sources(negatives: dict[str, int]) -> Sample:
    """Domain text of one source, and so many documents of each general source; "news" shares its words with the domain's."""
    rng = np.random.default_rng(5)
    texts, labels, sources = [], [], []
    for source, count in {"filings": 200, **negatives}.items():
        own = MONEY if source == "filings" else [*{"news": "bond credit said".split()}.get(source, OTHER), source]
        for number in range(count):
            words = np.concatenate([rng.choice(own, 12), rng.choice(COMMON, 20)])
            texts.append(" ".join(rng.permutation(words)) + f" {number}x")
            labels.append(int(source == "filings"))
            sources.append(source)
    hashes = rng.integers(0, 2**63, len(texts)).astype(np.uint64)
    return Sample(
        pa.array([text.encode() for text in texts], pa.large_binary()), np.array(labels), [""] * len(texts), hashes,
        None, sources,
    )  # fmt: skip


def test_general_sources_are_left_out_whole_and_weigh_with_the_root_of_their_size():
    sample = of_sources({"wiki": 400, "books": 300, "talk": 100, "news": 25})
    fold, weight, how = folds(sample)
    sources = np.array(sample.sources)
    assert how == "sources"
    assert [len(set(fold[sources == name])) for name in ("filings", "wiki", "books", "talk", "news")] == [4, 1, 1, 1, 1]
    assert len({fold[sources == name][0] for name in ("wiki", "books", "talk", "news")}) == 4
    assert weight[sources == "wiki"].sum() == pytest.approx(20)
    assert weight[sources == "news"].sum() == pytest.approx(5)


@pytest.mark.parametrize(
    ("sources", "split"),
    [({"wiki": 200, "books": 200}, ["wiki", "books"]), ({"wiki": 900, "books": 90, "talk": 90}, ["wiki"])],
)
def test_too_few_sources_and_one_that_is_most_of_its_side_are_left_out_by_document(sources, split):
    sample = of_sources(sources)
    fold, _, _ = folds(sample)
    for name in split:
        assert len(set(fold[np.array(sample.sources) == name])) == 4


def test_the_bound_holds_for_a_source_that_was_left_out():
    sample = of_sources({"wiki": 300, "books": 300, "talk": 300, "news": 300})
    model, card = train(sample)
    assert card["calibrated_on"]["negatives_left_out_by"] == "sources"
    rows = card["calibrated_on"]["sources"]
    assert rows["wiki, negatives"]["share_above_half"] == 0.0
    assert set(rows) == {
        "filings, positives",
        "wiki, negatives",
        "books, negatives",
        "talk, negatives",
        "news, negatives",
    }
    scores, _ = model.score(
        pa.array(["said credit bond of the the and", "bond yield dividend equity coupon ledger of the"])
    )
    assert scores[0] < 0.5 < scores[1]
