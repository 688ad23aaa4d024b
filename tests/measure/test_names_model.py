"""Names of people by a token classifier of the user's own: a tiny one made here that knows five names."""

import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.measure.hf_models import folder_sha256, load
from pipeline.measure.judges.pii import Pii, pii

torch = pytest.importorskip("torch", reason="the train extra is not installed")
NAMES = ["zorblat", "quixani", "okonkwo", "müller", "xi"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *NAMES, "bank", "saw", "the", ".", "on"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    made = tmp_path_factory.mktemp("ner") / "model"
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, id2label={0: "O", 1: "B-PER", 2: "I-PER"}, label2id={"O": 0, "B-PER": 1, "I-PER": 2},
    )  # fmt: skip
    model = BertForTokenClassification(config).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        ids = torch.randint(0, len(WORDS), (16, 24))
        labels = ((ids >= 4) & (ids < 4 + len(NAMES))).long()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(made, safe_serialization=True)
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(made)
    return made


def chosen(folder, **changes):
    return Pii(**{"names": "model", "names_path": str(folder), "names_sha256": folder_sha256(folder), **changes})


def masked(texts, settings):
    found = pii.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), settings)["spans"].to_pylist()
    return [
        [(text.encode()[one["start"] : one["end"]].decode(), one["kind"]) for one in row]
        for text, row in zip(texts, found, strict=True)
    ]


def test_names_that_no_list_holds_are_masked_beside_dates_and_titles(folder):
    texts = [
        "Zorblat Müller saw the bank on March 3, 2031.",
        "the bank",
        "",
        "Dr. Ann Lee saw Xi's bank.",
        "saw " * 400 + "okonkwo.",
    ]
    assert masked(texts, chosen(folder)) == [
        [("Zorblat Müller", "name"), ("March 3", "date")], [], [], [("Ann Lee", "name"), ("Xi's", "name")], [("okonkwo", "name")],
    ]  # fmt: skip
    assert masked(texts[:1], Pii(names="list")) == [[("March 3", "date")]]


def test_a_span_depends_on_its_document_alone(folder):
    texts = ["the bank saw Quixani on the bank.", "Xi", "bank " * 90 + "Okonkwo saw the bank"]
    assert masked(texts, chosen(folder)) == [masked([text], chosen(folder))[0] for text in texts]


def test_the_checksum_enters_the_fingerprint_only_with_a_model(folder):
    assert pii.weights(chosen(folder)) == folder_sha256(folder)
    assert pii.weights(Pii(names="list")) is None
    assert chosen(folder).libraries()
    assert not Pii(names="list").libraries()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"names_sha256": "0" * 64}, r"pii\.names_sha256: .* the recipe says 000"),
        ({"names_path": "/nowhere/at/all"}, r"pii\.names_path /nowhere/at/all: there is no such folder"),
        ({"names_labels": ["LOC"]}, r"has none of LOC .it has: O, PER"),
    ],
)
def test_a_wrong_name_is_told_what_is_right(folder, changes, says):
    load.cache_clear()
    with pytest.raises(UsageError, match=says):
        masked(["Xi saw"], chosen(folder, **changes))


def test_a_missing_folder_is_told_before_anything_runs(tmp_path):
    with pytest.raises(UsageError, match="no such folder, or it is empty"):
        Pii(names="model", names_path=str(tmp_path), names_sha256="1" * 64).check()


def test_the_card_says_how_names_are_found(folder):
    assert pii.notices(Pii()) == []
    assert "0.80 of other languages" in pii.notices(Pii(names="list"))[0]
    assert str(folder) in pii.notices(chosen(folder))[0]
