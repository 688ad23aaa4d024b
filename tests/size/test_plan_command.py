"""`python -m pipeline plan`: dials, JSON, units, and errors that name the nearest right answer."""

import json

import pytest

from pipeline.commands.arguments import quantity
from pipeline.commands.plan import main
from pipeline.size.advise import advise
from pipeline.size.laws import LAWS


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> dict:
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_dial_gives_everything(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--params", "1.3e9")
    assert {"params", "tokens", "flops", "loss", "law", "memory", "shape", "training", "gpus", "hours", "energy_kwh",
            "raw_crawl", "fit", "premium", "counting", "notes"} <= set(made)  # fmt: skip
    assert (made["params"], made["tokens"], made["law"]) == (1_300_000_000, 26_000_000_000, "rule_of_20")


def test_gpus_for_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--gpu", "h100", "--gpus", "64", "--hours", "72")
    assert made["flops_with_attention"] == pytest.approx(989.4e12 * 0.4 * 64 * 72 * 3600, rel=1e-6)
    assert made["flops"] == pytest.approx(made["flops_with_attention"], rel=0.1)
    assert made["hours"] == pytest.approx(72)


def test_hours_count_attention(capsys: pytest.CaptureFixture[str]) -> None:
    """Half a million tokens of context cost far more than 6ND says, and no GPU holds such a sequence."""
    argv = ("--params", "8e9", "--gpu", "h100", "--gpus", "64")
    short, long = answer(capsys, *argv, "--sequence", "4096"), answer(capsys, *argv, "--sequence", "524288")
    for made in (short, long):
        hours = made["flops_with_attention"] / (989.4e12 * 0.4 * 3600)
        assert made["gpu_hours"] == pytest.approx(hours)
        assert made["cost"] == pytest.approx(hours * made["price_per_gpu_hour"])
        assert "full square" in made["mfu_convention"]
    assert short["flops"] == long["flops"]
    assert long["gpu_hours"] > 20 * short["gpu_hours"]
    assert (short["context_parallel"], long["context_parallel"]) == (1, 64)
    assert any("context parallelism over 64" in note for note in long["notes"])
    assert not any("context parallelism" in note for note in short["notes"])


@pytest.mark.parametrize(("argv", "layers", "width", "params", "head"), [
    (("--params", "1.24e9", "--gpus", "8"), 24, 1920, 1_240_690_560, 1),
    (("--params", "7e9", "--gpus", "64"), 39, 4096, 6_995_898_368, 1),
    (("--params", "70e9", "--gpu", "h200", "--gpus", "512"), 80, 9216, 70_063_137_792, 1),
    (("--params", "8e9", "--gpus", "64", "--sequence", "131072"), 44, 4096, 7_996_805_120, 1),
    (("--preset", "llama-3.2-1b", "--vocab", "128256", "--sequence", "4096"), 16, 2048, 1_235_814_400, 0),
])  # fmt: skip
def test_figures_by_hand(argv, layers, width, params, head, capsys: pytest.CaptureFixture[str]) -> None:
    """FLOPs, steps, hours, energy and money of five shapes from their layers alone. `head`: whether it is untied, so that
    the input table multiplies nothing."""
    made = answer(capsys, *argv)
    shape, sequence = made["shape"], made["training"]["sequence_length"]
    assert (shape["layers"], shape["hidden"], shape["params"]) == (layers, width, params)
    norms = (2 * layers + 1) * width
    multiplied = params - head * shape["vocab"] * width - norms
    per_token = 6 * multiplied + 12 * layers * width * sequence
    flops = per_token * made["tokens"]
    assert made["flops_with_attention"] == pytest.approx(flops, rel=1e-6)
    hours = flops / (989.4e12 * 0.4) / 3600
    assert made["gpu_hours"] == pytest.approx(hours, rel=1e-6)
    assert made["hours"] == pytest.approx(hours / made["gpus"], rel=1e-6)
    assert made["energy_kwh"] == pytest.approx(0.7 * hours, rel=1e-6)
    assert made["cost"] == pytest.approx((3.8 if "h200" in argv else 3.0) * hours, rel=1e-6)
    assert made["training"]["steps"] == -(-made["tokens"] // made["training"]["batch_tokens"])
    assert made["petaflops_days"] == pytest.approx(6 * made["params"] * made["tokens"] / 8.64e19, rel=1e-6)


def test_more_gpus_than_samples_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    many, enough = (answer(capsys, "--params", "1e9", "--gpus", count)["notes"] for count in ("4096", "64"))
    assert any("samples of 2,048 tokens, fewer than 4,096 GPUs" in note for note in many)
    assert not any("fewer than" in note for note in enough)
    assert any("parallel.context" in n for n in answer(capsys, "--params", "8e9", "--sequence", "524288")["notes"])


def test_small_times_and_sums_are_not_rounded_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--params", "110e6", "--gpu", "h100", "--gpus", "1"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    made = answer(capsys, "--params", "110e6", "--gpu", "h100", "--gpus", "1")
    assert 0.5 < made["gpu_hours"] < 10
    assert f"{made['gpu_hours']:.3g} GPU-hours" in said
    assert f"{made['cost']:.2f} US dollars" in said


def test_packed_documents_compute_less(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(
        capsys, "--preset", "llama-3.2-1b", "--vocab", "128256", "--sequence", "4096", "--document-tokens", "580"
    )
    square, inside = 12 * 16 * 2048 * 4096, 12 * 16 * 2048 * 580
    assert made["flops_with_attention"] / made["tokens"] == pytest.approx(6 * 1_235_746_816 + square, rel=1e-4)
    assert made["flops_packed"] / made["tokens"] == pytest.approx(6 * 1_235_746_816 + inside, rel=1e-4)
    assert answer(capsys, "--preset", "llama-3.2-1b")["flops_packed"] is None
    assert main(["--preset", "llama-3.2-1b", "--document-tokens", "580"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "as packed documents compute" in said
    assert "model FLOPs as published" in said


def test_batches_far_from_the_ladder_are_flagged(capsys: pytest.CaptureFixture[str]) -> None:
    large, small = answer(capsys, "--params", "70e9"), answer(capsys, "--params", "1e9")
    (flagged,) = [note for note in large["notes"] if "outside the ladder" in note]
    assert "Chinchilla 70B: 3 million tokens, 0.0001 (arXiv 2203.15556)" in flagged
    assert not any("outside the ladder" in note for note in small["notes"])
    (also,) = [note for note in large["notes"] if "you also need" in note]
    assert "840 GB each" in also
    assert not any("you also need" in note for note in answer(capsys, "--params", "19e9")["notes"])


def test_money(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--params", "1e9", "--price", "2.25")
    assert made["cost"] == pytest.approx(2.25 * made["gpu_hours"])
    assert answer(capsys, "--params", "1e9", "--gpu", "gb200")["cost"] is None
    assert main(["--params", "1e9", "--price", "2.25"]) == 0
    assert "US dollars at 2.25 a GPU-hour" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "kind"),
    [("ner", "encoder"), ("NER", "encoder"), ("Named-Entity recognition", "encoder"), ("semantic search", None),
     ("search", "encoder"), ("chatbot", "decoder"), ("q_a", None), ("qa", "decoder"), ("summarize", "encoder_decoder")],
)  # fmt: skip
def test_tasks_in_plain_words(task: str, kind: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if kind is None:
        assert main(["--params", "1e9", "--task", task]) == 2
        assert "no task named" in capsys.readouterr().err
    else:
        counting = answer(capsys, "--params", "1e9", "--task", task)["counting"]
        assert counting.startswith("3ND") == (kind == "encoder_decoder")
        assert advise(task).objective == {"encoder": "masked", "decoder": "causal"}.get(kind, "spans")


def test_tokens_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "--tokens", "569B")["params"] == 28_450_000_000


def test_a_given_pair_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    """BloombergGPT: 11.3 tokens per parameter; a GPT-3 as trained costs half as much again as the optimum."""
    made = answer(capsys, "--params", "50.6e9", "--tokens", "569e9")
    assert made["tokens_per_param"] == pytest.approx(11.245, rel=1e-3)
    assert 0 < made["premium"] < 0.1
    gpt3 = answer(capsys, "--params", "175e9", "--tokens", "300e9")
    assert gpt3["premium"] > 0.3
    assert any("under-trained" in note for note in gpt3["notes"])


@pytest.mark.parametrize("law", LAWS)
def test_every_law_answers(law: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--flops", "5.76e23", "--law", law, "--inference-tokens", "1e12")
    assert made["law"] == law
    if law != "inference_aware":
        assert made["flops"] == pytest.approx(5.76e23, rel=0.02)
    assert 1e10 < made["params"] < 1e12


def test_repetition_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    fresh = answer(capsys, "--flops", "1e22", "--law", "muennighoff")
    again = answer(capsys, "--flops", "1e22", "--law", "muennighoff", "--unique-tokens", "10e9")
    assert again["loss"] > fresh["loss"]
    assert again["params"] < fresh["params"]
    assert again["epochs"] > 4
    assert any("passes over the same" in note for note in again["notes"])


def test_tables_have_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--params", "1.3e9", "--sharding", "hybrid", "--gpus", "8"]) == 0
    shown = capsys.readouterr().out
    for unit in ("tokens", "FLOPs", "GPU-hours", "kWh", "GB", "petaFLOP/s-days", "nats per token", "TFLOP/s"):
        assert unit in shown


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--params", "1e9", "--law", "chinchila_1"], "did you mean chinchilla_1"),
        (["--params", "1e9", "--gpu", "a1000"], "did you mean a100"),
        ([], "give one of"),
        (["--params", "1e9", "--flops", "1e20"], "contradict"),
        (["--params", "1e9", "--gpus", "8", "--hours", "5"], "leave out --hours"),
        (["--params", "-1"], "positive"),
        (["--params", "nan"], "positive"),
        (["--params", "1.3"], "--params 1.3: expected a number from 1,000; did you mean 1.3B or 1.3M?"),
        (["--params", "999"], "did you mean 999B or 999M?"),
        (["--tokens", "569"], "--tokens 569: expected a number from 1,000; did you mean 569B or 569M?"),
        (["--params", "1e9", "--unique-tokens", "10"], "--unique-tokens 10: expected"),
        (["--params", "1e9", "--law", "inference_aware"], "--inference-tokens"),
        (["--params", "1e9", "--mfu", "1.4"], "mfu"),
        (["--params", "1e9", "--sharding", "hybrid", "--gpus", "8", "--sharding-factor", "3"], "does not divide"),
        (["--params", "1e9", "--gpus", "0"], "positive"),
        (["--params", "1e9", "--task", "summary"], "did you mean summarisation"),
    ],
)
def test_mistakes_are_one_sentence(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_tasks_pick_the_counting(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--params", "3e9", "--tokens", "1e12", "--task", "translation")
    assert made["counting"].startswith("3ND")
    assert made["petaflops_days"] == pytest.approx(104, rel=0.01)


def test_quantities() -> None:
    assert [quantity(t) for t in ("1.3B", "70m", "569e9", "1_000", "2T")] == [1.3e9, 70e6, 569e9, 1000, 2e12]


def test_the_facts_of_the_course(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "--facts")
    assert found["fp32_gb_per_billion"]["total"] == 24
    assert list(found["zero_gb_7_5b_on_64"].values()) == pytest.approx([120, 31.4, 16.6, 1.9], rel=0.02)
    assert [row["ddp_fits"] for row in found["t5_ddp_and_fsdp"]] == [True, True, False]
    assert found["tflops_per_gpu_of_512_against_8"] == pytest.approx(0.93)
    whole = {one["gpu"]: one["whole"] for one in found["gpus_for_a_petaflops_day"]}
    assert (whole["v100"], whole["a100"]) == (8, 2)
    assert found["petaflops_days"]["GPT-3"] == pytest.approx(3640, rel=0.01)
    kinds = {task: advice["architecture"] for task, advice in found["tasks"].items()}
    assert (kinds["classification"], kinds["generation"]) == ("encoder", "decoder")
    assert kinds["translation"] == kinds["summarisation"] == "encoder-decoder"
    bloomberg = found["bloomberggpt"]
    assert (bloomberg["gpu_hours"], bloomberg["steps"]) == (1.3e6, 139_200)
    assert bloomberg["batch_tokens"] == [1024 * 2048, 2048 * 2048]
    assert main(["--facts"]) == 0
    said = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
    assert "24 GB per billion parameters" in said
    assert "out of memory" in said
    assert "1.3 million GPU hours" in said
    assert "7% less TFLOP/s" in said
