"""lm-evaluation-harness on an export: shipped tasks and own ones over files made here, offline."""

import json
import math

import pytest
import torch

from pipeline.handoff import UsageError
from recipes.pretrain import harness
from recipes.pretrain.__main__ import main
from recipes.pretrain.inputs import open_handoff

pytestmark = pytest.mark.train

RUN = ["parallel.sharding=none", "steps=4", "evaluate.every_steps=4", "evaluate.max_samples=1", "evaluate.max_terms=0",
       "evaluate.samples=0", "micro_batch=8"]  # fmt: skip
FILES = {
    "fpb/Sentences_50Agree.txt": "the company counts one two@positive\nprofit of 5 M\u00e4rk fell@negative\n".encode(
        "latin-1"
    ),
    "fiqa_sa.jsonl": b'{"sentence": "shares rose", "target": "X", "score": 0.6}\n{"sentence": "flat", "target": "Y", "score": 0.0}\n',
    "headlines.csv": (
        b"News,Price Direction Up,Price Direction Constant,Price Direction Down,Past Information,Future Information\n"
        b"gold counts three four,1,0,0,1,0\ngold rests,0,1,0,1,0\n"
    ),
    "convfinqa.jsonl": b'{"context": "one 1", "dialogue": "", "question": "how many?", "answer": "1"}\n',
    "finance_ner.jsonl": b'{"sentence": "the company rests", "entity": "company", "type": "organization"}\n',
    "pubmedqa.jsonl": b'{"question": "rests?", "context": {"contexts": ["it counts", "it rests"]}, "final_decision": "maybe"}\n',
    "medqa.jsonl": b'{"question": "which?", "options": {"A": "one", "B": "two", "C": "ten", "D": "six"}, "answer_idx": "C"}\n',
}
OWN = """
task: counting
dataset_path: json
dataset_kwargs: {data_files: {test: counting.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{start}}"
doc_to_choice: [four, nine, zero]
doc_to_target: next
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    for task in ("abercrombie", "hearsay", "overruling", "personal_jurisdiction", "proa", "ucc_v_common_law"):
        right = {"abercrombie": "generic", "ucc_v_common_law": "UCC"}.get(task, "Yes")
        (folder / "legalbench" / task).mkdir(parents=True)
        for split, count in (("train", 6), ("test", 3)):
            field = "contract" if task == "ucc_v_common_law" else "text"
            body = "".join(f"{i}\t{right}\tthe river counts {i}\n" for i in range(count))
            (folder / "legalbench" / task / f"{split}.tsv").write_text(f"index\tanswer\t{field}\n{body}")
    rows = [{"start": "the company counts one two three", "next": "four"}] * 20
    (folder / "counting.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "own").mkdir()
    (folder / "own" / "counting.yaml").write_text(OWN)
    return folder


def set_words(*settings):
    return [word for setting in settings for word in ("--set", setting)]


def test_without_the_package_it_says_so_before_the_training(handoff, tmp_path, world, monkeypatch, capsys):
    real = harness.importlib.util.find_spec
    monkeypatch.setattr(harness.importlib.util, "find_spec", lambda name: None if name == "lm_eval" else real(name))
    assert main([str(handoff), *set_words(*RUN, f"out={tmp_path}", "evaluate.harness=[fpb]")]) == 2
    said = capsys.readouterr().err
    assert (
        "needs lm-evaluation-harness, which is not installed: pip install -c constraints.txt '.[train,evaluate]'"
        in said
    )
    assert not (tmp_path / "metrics.jsonl").exists()


def test_an_encoder_exports_nothing_to_ask(handoff, monkeypatch):
    monkeypatch.setattr(harness, "need_lm_eval", lambda: None)
    with pytest.raises(UsageError, match="asks an exported causal model"):
        harness.check(open_handoff(str(handoff), ["export.huggingface=false", "evaluate.harness=[fpb]"]))


def test_intervals():
    low, high = harness.interval("acc", 0.6, 0.1, 50)
    assert (low, high) == pytest.approx((0.4618, 0.7239), abs=1e-3)  # Wilson's, by hand
    assert harness.interval("acc", 0.0, 0.0, 5)[0] == 0.0
    assert harness.interval("word_perplexity", 10.0, 1.0, 50) == pytest.approx((8.04, 11.96))
    assert harness.interval("f1", 0.4, math.nan, 50) == (None, None)


def test_a_number_is_right_within_one_per_cent():
    from recipes.pretrain.tasks.scores import same_number

    asked = [("206588", "206,588.0"), ("-3.2", "it fell by -3.21 %"), ("yes", "Yes"), ("7", "seven"), ("14", "")]
    assert [same_number({"answer": a}, [b])["exact_match"] for a, b in asked] == [1, 1, 1, 0, 0]


def test_tasks_are_measured_after_training_and_once(handoff, data, tmp_path, world, capsys):
    pytest.importorskip("lm_eval")
    tasks = "[fpb,fiqa_sa,headlines,convfinqa,finance_ner,legalbench,pubmedqa,medqa,counting]"
    words = [str(handoff), "--json", *set_words(*RUN, f"out={tmp_path}", f"evaluate.harness={tasks}",
             f"evaluate.harness_data={data}", f"evaluate.harness_tasks={data / 'own'}")]  # fmt: skip
    assert main(words) == 0
    summary = json.loads(capsys.readouterr().out)
    rows = {(row["task"], row["metric"]): row for row in summary["harness"]}
    assert {task for task, _ in rows} >= {"fpb", "fiqa_sa", "headlines", "convfinqa", "finance_ner", "legalbench",
                                          "pubmedqa", "medqa", "counting", "legalbench_hearsay", "headlines_past"}  # fmt: skip
    counting = rows["counting", "acc"]
    assert counting["examples"] == 20
    assert counting["value"] in (0.0, 1.0)  # twenty times the same
    assert counting["high"] - counting["low"] == pytest.approx(0.161, abs=1e-3)
    assert rows["legalbench_hearsay", "acc"]["examples"] == 3
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"| counting | acc | {counting['value']:.3f} |" in card
    assert card.count(harness.HEADING) == 1
    assert json.loads((tmp_path / "summary.json").read_text())["harness"] == summary["harness"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "measure", lambda *_: pytest.fail("measured again"))
        assert main(words) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["harness"] == summary["harness"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("evaluate.harness=[fbp]", "there is no task fbp; there are convfinqa, "),
        ("evaluate.harness_data=/nowhere/at/all", "/nowhere/at/all is no folder; set evaluate.harness_data"),
        ("evaluate.harness_data=EMPTY", "counting|Sentences_50Agree"),
    ],
)
def test_what_cannot_be_asked_is_said_before_the_training(handoff, tmp_path, given, reason):
    pytest.importorskip("lm_eval")
    opened = open_handoff(str(handoff), ["evaluate.harness=[fpb]", f"evaluate.harness_data={tmp_path}",
                                         given.replace("EMPTY", str(tmp_path))])  # fmt: skip
    with pytest.raises(UsageError, match=reason):
        harness.check(opened)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "medqa: a file of it holds no examples"), ('{"question": "x"\nno json\n', "medqa: JSON parse error")],
)
def test_a_damaged_file_is_named_by_its_task(handoff, tmp_path, content, reason):
    pytest.importorskip("lm_eval")
    (tmp_path / "medqa.jsonl").write_text(content)
    opened = open_handoff(str(handoff), ["evaluate.harness=[medqa]", f"evaluate.harness_data={tmp_path}"])
    with pytest.raises(UsageError, match=reason):
        harness.check(opened)


def test_a_text_begins_in_the_harness_as_in_training(handoff, data, tmp_path, world):
    """Every request reaches the model after the token that ends documents, as windows of documents do in training."""
    pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    assert main([str(handoff), *set_words(*RUN, f"out={tmp_path}")]) == 0
    asked = HFLM(pretrained=str(tmp_path / "model"), device="cpu", batch_size=1, max_length=64)
    seen, call = [], asked._model_call

    def noted(inputs, **more):
        seen.append(inputs[0].tolist())
        return call(inputs, **more)

    asked._model_call = noted
    request = Instance("loglikelihood", {}, ("the company counts one two", " three"), 0)
    ((nats, _),) = asked.loglikelihood([request])
    tokenizer = open_handoff(str(handoff)).read_tokenizer()
    text = tokenizer.encode("the company counts one two three").ids
    assert seen == [[0, *text[:-1]]]
    with torch.no_grad():
        logits = asked.model(torch.tensor([[0, *text]])).logits[0].log_softmax(-1)
    last = len(tokenizer.encode(" three").ids)
    by_hand = sum(float(logits[at, text[at]]) for at in range(len(text) - last, len(text)))
    assert nats == pytest.approx(by_hand, abs=1e-4)
