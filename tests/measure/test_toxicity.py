"""The toxicity scorer: columns, invariance to identity, clean text untouched, the weights' origin."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.measure.judges.toxicity import (
    SENTENCE_THRESHOLD,
    WEIGHTS,
    Toxicity,
    toxicity,
)

BOUND = 0.73
CORPORA = os.environ.get("CORPORA", "")
needs_corpora = pytest.mark.skipif(not CORPORA, reason="CORPORA names the folder of labelled sets; it is not set")


def run(texts):
    return toxicity.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), Toxicity())


def scores(texts):
    return np.array(run(texts)["score"].to_pylist())


CLEAN = "Net sales rose 3% to $4.5 million in the quarter, reflecting higher volumes. "
RUDE = "You are a stupid worthless idiot and everybody hates you. "


def test_rude_text_scores_high_and_clean_text_low():
    assert scores([RUDE])[0] > BOUND
    assert scores([CLEAN])[0] < 0.2
    assert scores([""])[0] == 0


def test_one_slip_in_a_long_filing_is_no_verdict():
    found = run([CLEAN * 100 + RUDE + CLEAN * 100])
    assert found["worst_sentence"][0].as_py() > SENTENCE_THRESHOLD
    assert found["score"][0].as_py() < 0.5
    [span] = found["spans"][0].as_py()
    assert (CLEAN * 100 + RUDE)[span["start"] : span["end"]] == RUDE.strip().rstrip(".")
    assert found["num_toxic_sentences"][0].as_py() == 1


@pytest.mark.parametrize(
    ("sentence", "decides"),
    [
        ("Trannies are revolting freaks and should not be alive. ", True),
        ("Somebody ought to string up those filthy niggers. ", True),
        ("Those filthy ragheads stink up the whole bus. ", True),
        ("All faggots should burn. ", True),  # too short to be read alone before
        ("Sick bitches were kept in a clean pen, apart from the pups. ", False),
        ("Both bitches whelped in the barn this week. ", False),
        ("An old stupid chink in the fence let the hens out. ", False),
        ("The reporter said that a slur for Jews, kike, was daubed on the door. ", False),
        ("A chink in the dyke let the water through. ", False),
        ("Cold nights retard the growth of coon hounds and of seedlings. ", False),
        ("The bitch was spayed, and her pups are well. ", False),
    ],
)
def test_a_slur_at_people_decides_in_a_short_text(sentence, decides):
    assert (scores([CLEAN * 4 + sentence + CLEAN * 4])[0] > BOUND) == decides
    assert scores([CLEAN * 100 + sentence])[0] < BOUND


@pytest.mark.parametrize(
    "term", ["gay", "queer", "homosexual", "Muslim", "black", "deaf", "transgender", "Jewish", "old"]
)
def test_naming_an_identity_is_not_toxic(term):
    texts = [f"I am a {term} man and I work at a bank.", f"The {term} community met on Sunday.", f"She is {term}."]
    assert (scores(texts) < 0.6).all()


def test_rows_do_not_depend_on_their_neighbours():
    texts = [RUDE, CLEAN, "", RUDE + CLEAN]
    together = run(texts).to_pylist()
    assert together == [run([text]).to_pylist()[0] for text in texts]


def test_thresholds_are_rules_and_the_judge_never_sees_them():
    settings = Toxicity(max_score=BOUND, max_sentence_share=0.5)
    signals = pa.Table.from_batches([run([RUDE, CLEAN])])
    assert {name: mask.to_pylist() for name, mask in toxicity.rules(signals, settings).items()} == {
        "max_score": [True, False],
        "max_sentence_share": [True, False],
    }
    assert settings.measured() == {}


def test_weights_are_small_and_enter_the_fingerprint():
    assert len(WEIGHTS.stored) < 1_000_000
    assert toxicity.weights is not None
    assert toxicity.weights(Toxicity()) == WEIGHTS.sha256
    assert WEIGHTS.tensors["word_weights"].dtype == np.int8


PLAIN = (
    "The bank opened a branch by the river. It rained in the north for most of the day. The library is open until eight. Prices "
    "rose by two percent last year. The train to the coast leaves at noon. She planted beans along the wall. The council met on "
    "Tuesday evening. A bridge will be built next spring. The museum shows maps of the last century. "
)


@pytest.mark.parametrize(
    "line",
    [
        "Spam calls are absolutely disgusting.", "The parking situation downtown is pathetic and a disgrace.",
        "She told the regulator that the managers were clowns and thieves.", "Councillor Dick chaired the hearing.",
        "The orientation of cells in the visual cortex was measured.", "Milk of lactating bitches was sampled for bacteria.",
        "The ass carried the wood up the hill and the cock crowed.",
    ],
)  # fmt: skip
def test_one_sharp_or_odd_sentence_in_clean_text_is_no_verdict(line):
    assert scores([PLAIN + line])[0] <= BOUND


@pytest.mark.parametrize(
    "line",
    [
        "All Mexicans are vermin and should be shot.", "Muslims are not human, they are cockroaches.",
        "I am going to kill the next Jew I see, you hear me.",
    ],
)  # fmt: skip
def test_a_threat_or_denied_worth_aimed_at_people_is(line):
    assert scores([PLAIN + line])[0] > BOUND
    assert scores([PLAIN * 20 + line])[0] <= BOUND


@pytest.mark.parametrize(
    ("line", "threatens"),
    [
        ("Next time I see you I'll stab you in the chest.", True),
        ("Pay us or we will snap your legs.", True),
        ("Talk to them again and I'll cut your throat.", True),
        ("We know where your kids are in school. You'll be sorry that you came.", True),
        ("You are next, and we are coming for you.", True),
        ("I’m going to murder you and bury you in the woods.", True),
        ('"I will murder you," the duke shouted across the hall.', False),
        ("‘I will murder you, and your horse too,’ he whispered.", False),
        ('A note to the judge read "we know where you live and you will regret it".', False),
        ("He was charged with threatening to murder the clerk and burn her house.", False),
        ("I'll murder you at tennis on Sunday.", False),
        ("I will love you and kill you with my kindness. I find you, you regret the day you left.", False),
        ("We have your address and will come to your house at noon. You will be sorry to hear the price.", False),
        ("I will destroy you from the earth and burn your house with fire, and your sons shall fall.", False),
        ("We know where you live now, so I will pick you up at nine.", False),
        ("You will regret it if you do not try the soup.", False),
        ("The frost will kill the beans that I gave you.", False),
        ("I'll shoot you an email when we know where the hall is.", False),
    ],
)  # fmt: skip
def test_a_threat_needs_no_group(line, threatens):
    assert (scores([PLAIN + line])[0] > BOUND) == threatens
    assert (scores([line])[0] > BOUND) == threatens
    assert scores([PLAIN * 20 + line])[0] <= BOUND


def test_one_sentence_more_is_no_step():
    lines = [f"The council met on day {at} of the month to vote on roads." for at in range(40)]
    hate = "You are a stupid worthless idiot and a liar.\n"
    found = scores([hate * 3 + "\n".join(lines[:count]) for count in range(1, 40)])
    assert (np.abs(np.diff(found)) < 0.2).all()
    assert found[-1] < 0.4 < BOUND < found[0]


@needs_corpora
def test_clean_finance_is_never_removed():
    from bench.labelled import chunks, clean_text

    for source in ("edgar", "fed", "reuters"):
        pieces = [piece for text in clean_text(Path(CORPORA), source, 1_500_000) for piece in chunks(text)][:500]
        assert (scores(pieces) <= BOUND).all(), source


def test_listed_words_are_a_signal_and_no_rule_reads_them():
    signals = pa.table(run([RUDE])).set_column(4, "num_listed_words", pa.array([99], pa.int32()))
    settings = Toxicity(max_score=1.0, max_sentence_share=1.0, max_worst_sentence=1.0)
    rules = toxicity.rules(signals, settings)
    assert set(rules) == {"max_score", "max_sentence_share", "max_worst_sentence"}
    assert not any(np.asarray(mask).any() for mask in rules.values())


@needs_corpora
def test_clean_encyclopaedic_and_medical_text_is_hardly_ever_removed():
    from bench.labelled import chunks, clean_text
    from bench.train_toxicity import half

    for source in ("wikipedia", "medquad"):
        unseen = half(clean_text(Path(CORPORA), source, 3_000_000), odd=True)
        pieces = [piece for text in unseen for piece in chunks(text)][:1000]
        assert len(pieces) > 300
        assert (scores(pieces) > BOUND).mean() <= 0.005, source


@needs_corpora
def test_pairs_that_differ_in_the_group_or_the_dialect_are_kept_alike():
    from bench.audit_tables import DIALECT_PAIRS
    from bench.labelled import crows_pairs

    pairs = crows_pairs(Path(CORPORA))
    kept = [scores([pair[at] for pair in pairs]) <= BOUND for at in (0, 1)]
    for kind in {pair[2] for pair in pairs}:
        mask = np.array([pair[2] == kind for pair in pairs])
        one, other = (side[mask].mean() for side in kept)
        assert min(one, other) >= 0.8 * max(one, other), kind
    one, other = ((scores([pair[at] for pair in DIALECT_PAIRS]) <= BOUND).mean() for at in (0, 1))
    assert min(one, other) >= 0.8 * max(one, other)


@needs_corpora
def test_every_identity_of_the_templates_is_told_from_hate():
    from bench.audit_tables import mentions
    from bench.labelled import madlibs
    from pipeline.audit.bias import identity_auc

    some = madlibs(Path(CORPORA))[::5]
    toxic, found = np.array([one.toxic for one in some]), scores([one.text for one in some])
    masks = [
        mask
        for mask in mentions([one.text for one in some]).values()
        if min(mask[toxic].sum(), mask[~toxic].sum()) >= 20
    ]
    assert len(masks) > 30
    worst = np.min([identity_auc(found, toxic, mask) for mask in masks], axis=0)
    assert (worst >= (0.94, 0.87, 0.94)).all(), worst


@needs_corpora
def test_no_identity_of_the_templates_is_under_four_fifths():
    from bench.labelled import madlibs
    from bench.train_toxicity import neutral_words

    clean = [example.text for example in madlibs(Path(CORPORA))[::4] if not example.toxic]
    kept = scores(clean) <= BOUND
    words = [set(text.lower().rstrip(".").split()) for text in clean]
    shares = {}
    for term in neutral_words():
        mask = np.array([term in found for found in words])
        if mask.sum() >= 20:
            shares[term] = kept[mask].mean()
    assert len(shares) > 30
    assert min(shares.values()) >= 0.8 * max(shares.values()), shares


@needs_corpora
def test_unseen_tweets_are_told_apart():
    from bench.labelled import olid
    from pipeline.audit.bias import area_under_curve

    examples = olid(Path(CORPORA))
    found = area_under_curve(scores([e.text for e in examples]), np.array([e.toxic for e in examples]))
    # Offensive tweets are swearing first of all, which a listed word no longer decides: alt-profanity-check has 0.7816.
    assert found > 0.755


@needs_corpora
@pytest.mark.slow
def test_the_command_makes_the_weights():
    from bench.train_toxicity import main

    assert main([CORPORA, "--check"]) == 0
