"""The views of quality: what each prefers, how they are joined, stored and left out."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.audit.identity_terms import identity_terms
from pipeline.classify.classifier_settings import QualitySettings, ViewShares
from pipeline.classify.informative import FEATURES, WEIGHTS, features, informative
from pipeline.classify.model import SLOTS, Model, grams
from pipeline.classify.views import View, Views, view_of, without_identity
from pipeline.core.batch import DOCUMENTS
from pipeline.core.judge import judges
from pipeline.errors import UsageError

EXPLAINS = (
    "A bond pays its holder a fixed sum each year, called the coupon. When rates in the market rise, the price of the bond falls, "
    "because a buyer could otherwise get more elsewhere. For example, a bond of $1,000 that pays 3 % is worth less once new bonds "
    "pay 5 %. The longer it runs, the larger the effect: each payment further in the future is discounted more. Duration measures "
    "this, in years, and it is therefore the number that a manager watches first when the central bank is about to act.\n"
)
SELLS = (
    "Our amazing gifts!! Shop now and save today. Free shipping on all orders. Love your home with our gorgeous collection. "
    "Click here to view the gallery. Best price guaranteed! Call us today, your perfect gift is waiting! Order now!\n"
)
MENU = "Home | About | Contact\nLog in\nForgot password?\nSite map\nCopyright 2006. All rights reserved.\nNext page\n"
CHAT = "hi thanks i guess\nme too, really cool stuff\nanyway i just love my blog :)\ncomments?\n"


def column(*texts):
    return pa.array(texts, pa.large_string())


def test_informative_puts_an_explanation_before_sales_chat_and_menus():
    scores = informative(column(EXPLAINS * 3, SELLS * 3, MENU * 3, CHAT * 3))
    assert scores[0] > 0.6
    assert scores[0] > scores[1:].max() + 0.3
    assert scores[2] < 0.1


def test_saying_the_same_again_does_not_help():
    once, soups = (
        informative(column(EXPLAINS * 3)),
        ("word " * 5000, "cheap loans for bonds and shares " * 900, EXPLAINS[:50] * 200),
    )
    assert informative(column(*soups)).max() < 0.3 < once[0]


def test_features_have_a_weight_each_and_ranks_rise():
    fitted = WEIGHTS.tensors
    assert features(column(EXPLAINS, "")).shape == (2, len(FEATURES))
    assert {len(fitted[name]) for name in ("weights", "middle", "scale")} == {len(FEATURES)}
    assert (np.diff(fitted["ranks"]) >= 0).all()
    assert np.isfinite(features(column("", "!", "\n", "a" * 50_000))).all()


@pytest.mark.parametrize("people", [("women", "men"), ("Muslim", "Jewish"), ("Black", "white"), ("gay", "straight")])
def test_who_is_written_about_does_not_matter(people):
    texts = [
        f"{EXPLAINS}The study shows that {who} workers were paid less in 2010, because rents rose.\n" * 2
        for who in people
    ]
    scores = informative(column(*texts))
    assert abs(scores[0] - scores[1]) < 0.02


def example_views():
    rng = np.random.default_rng(0)
    models = [Model(rng.normal(size=SLOTS).astype(np.float16).astype(np.float32), 1.0, 0.0) for _ in range(2)]
    raw = column(*(f"{EXPLAINS} {at} {SELLS * (at % 3)}" for at in range(30)))
    return Views({name: view_of(model, raw) for name, model in zip(("reference", "domain"), models, strict=True)})


def test_the_score_is_the_weighted_mean_of_the_ranks():
    views, texts = example_views(), column(EXPLAINS, SELLS, MENU, "")
    found = views.scores(texts, ViewShares(reference=1, informative=2, domain=1))
    mean = (found["reference"] + 2 * found["informative"] + found["domain"]) / 4
    assert found["score"][:3] == pytest.approx(mean[:3], abs=2e-4)
    assert np.isnan(found["score"][3])
    only = views.scores(texts, ViewShares(reference=0, informative=0, domain=3))
    assert only["score"].tolist()[:3] == only["domain"].tolist()[:3]


def test_views_are_stored_whole_and_other_weights_are_refused():
    views = example_views()
    again = Views.from_bytes(views.to_bytes())
    assert again.to_bytes() == views.to_bytes()
    own, stored = (v.scores(column(EXPLAINS, SELLS), ViewShares(domain=1)) for v in (views, again))
    assert {name: scores.tolist() for name, scores in own.items()} == {n: s.tolist() for n, s in stored.items()}
    plain = Model(np.zeros(SLOTS, np.float32), 1.0, 0.0)
    with pytest.raises(UsageError, match="no ranks"):
        Views.from_bytes(plain.to_bytes())
    with pytest.raises(UsageError, match="no classifier weights"):
        Views.from_bytes(b"something else")


def test_words_for_people_have_no_weight():
    model = without_identity(Model(np.ones(SLOTS, np.float32), 1.0, 0.0))
    words = [term.forms[0].split()[0] for term in identity_terms()]
    borders, slots = grams(column(*words))
    assert (model.weights[slots[borders[:-1]]] == 0).all()
    assert model.weights.mean() > 0.99


def test_without_a_model_the_informative_view_stands_alone():
    judge = judges()["quality"]
    rows = [{"id": f"{at:032x}", "text": text} for at, text in enumerate((EXPLAINS, MENU, ""))]
    found = judge.run(pa.RecordBatch.from_pylist(rows, schema=DOCUMENTS), QualitySettings()).to_pydict()
    assert found["score"] == found["informative"]
    assert found["score"][0] > found["score"][1]
    assert found["score"][2] is None
    assert found["reference"] == found["domain"] == [None] * 3


def test_a_view_must_count():
    with pytest.raises(ValueError, match="every view counts nothing"):
        QualitySettings.model_validate({"views": {"reference": 0, "informative": 0}})


def test_a_model_without_spread_ranks_without_error():
    flat = View(Model(np.zeros(SLOTS, np.float32), 1.0, 0.0), np.zeros(101, np.float32))
    assert np.isfinite(Views({"reference": flat}).scores(column(EXPLAINS), ViewShares())["score"]).all()
