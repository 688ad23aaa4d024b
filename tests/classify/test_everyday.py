"""Everyday talk as negatives: the same texts every time, and a classifier of finance that does not take talk for it."""

import numpy as np
import pyarrow as pa

from pipeline.classify.classifier_settings import DomainSettings, QualitySettings
from pipeline.classify.everyday import everyday_texts
from pipeline.classify.learn import train
from pipeline.classify.sample import Sample

SPOKEN = "Well, you know, I think we will see how the quarter goes, and I would say net sales and margins will be up. "
FILED = "Net sales rose and the company repaid notes under its credit facility at quarter end, subject to covenants. "
ARTICLE = "The river rises in the hills and the village of {n} was built on its bank in the century before the war. "
TALK = [
    "you know, I think we're going to go to the lake with the kids, and I mean, it's going to be fun",
    "My sister made pancakes and we sat on the porch till the rain stopped.",
    "I will always love you, oh baby, you know I need you tonight",
]


def sample(share: float) -> Sample:
    texts = [f"{(SPOKEN if at % 2 else FILED) * 3} {at}" for at in range(120)]
    labels = [1] * len(texts)
    for at in range(120):
        texts.append(ARTICLE.format(n=f"place{at % 40}") * 3 + str(at))
    texts += everyday_texts(round(share * 120))
    labels += [0] * (len(texts) - len(labels))
    hashes = np.random.default_rng(0).integers(0, 2**63, len(texts)).astype(np.uint64)
    return Sample(
        pa.array([text.encode() for text in texts], pa.large_binary()), np.array(labels), [""] * len(texts), hashes
    )


def test_texts_are_the_same_for_any_count():
    few, many = list(everyday_texts(3)), list(everyday_texts(9))
    assert few == many[:3]
    assert len(set(many)) == 9
    assert list(everyday_texts(3, seed=1)) != few
    assert all(len(text.split()) > 15 for text in many)


def test_talk_is_no_finance_once_it_is_among_the_negatives():
    scores = {}
    for share in (0.0, 0.5):
        model, _ = train(sample(share))
        scores[share], _ = model.score(pa.array([*TALK, SPOKEN, FILED], pa.large_string()))
    assert scores[0.0][0] > 0.5
    assert (scores[0.5][: len(TALK)] < 0.5).all()
    assert (scores[0.5][len(TALK) :] > 0.5).all()


def test_the_domain_judge_has_them_and_quality_has_not():
    assert DomainSettings().everyday > 0
    assert QualitySettings().everyday == 0
