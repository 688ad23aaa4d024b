"""Any sequence classifier by path and checksum: a tiny one made here, and every way to name it wrong."""

import importlib.util

import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.measure.hf_models import folder_sha256, load
from pipeline.measure.judges.hf_classifier import HfClassifier, hf_classifier

pytest.importorskip("torch", reason="the train extra is not installed")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "bank"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    made = tmp_path_factory.mktemp("hf") / "model"
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, initializer_range=1.0, id2label={0: "fine", 1: "toxic"}, label2id={"fine": 0, "toxic": 1},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    model.save_pretrained(made, safe_serialization=True)
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(made)
    return made


def settings(folder, **changes):
    return HfClassifier(**{"path": str(folder), "sha256": folder_sha256(folder), "label": "toxic", **changes})


def run(texts, chosen):
    return hf_classifier.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), chosen)


def test_scores_are_the_models_and_each_text_is_scored_alone(folder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    texts = ["good bank", "bad bad bad", "", "bank " * 700, "bad " * 100_000]
    found = run(texts, settings(folder))
    assert found.to_pylist() == [run([text], settings(folder)).to_pylist()[0] for text in texts]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    wanted = model.eval()(**tokenizer(["bad bad bad"], return_tensors="pt")).logits.softmax(1)[0, 1].item()
    assert found["score"][1].as_py() == pytest.approx(wanted, abs=6e-4)
    assert found["score"][0].as_py() != found["score"][1].as_py()
    other = run(texts[:2], settings(folder, label="fine"))["score"].to_pylist()
    assert [a + b for a, b in zip(other, found["score"].to_pylist()[:2], strict=True)] == pytest.approx(
        [1, 1], abs=2e-3
    )


def test_thresholds_are_rules_and_the_checksum_enters_the_fingerprint(folder):
    chosen = settings(folder, max_score=0.0)
    signals = pa.Table.from_batches([run(["good", "bad"], chosen)])
    assert hf_classifier.rules(signals, chosen)["max_score"].to_pylist() == [True, True]
    assert chosen.measured()["sha256"] == hf_classifier.weights(chosen) == folder_sha256(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha256": "0" * 64}, "the recipe says 000"),
        ({"label": "toxci"}, "has no label 'toxci' .it has: fine, toxic"),
        ({"path": "/nowhere/at/all"}, "no such folder"),
    ],
)
def test_a_wrong_name_is_told_what_is_right(folder, changes, says):
    load.cache_clear()
    with pytest.raises(UsageError, match=says):
        run(["x"], settings(folder, **changes))


def test_without_torch_it_says_what_to_install(folder, monkeypatch):
    load.cache_clear()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    with pytest.raises(UsageError, match=r"needs torch, not installed here: pip install 'domain-corpus\[train\]'"):
        run(["x"], settings(folder))


def test_any_change_of_the_folder_changes_its_checksum(folder, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    first = folder_sha256(tmp_path)
    (tmp_path / ".hidden").write_bytes(b"2")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_sha256(tmp_path) != first
