"""Known answers of the planner, from the oracle file where it is at hand, and restated with their sources elsewhere."""

import json
import math
import os
from pathlib import Path

import pytest

from pipeline.size.dial import plan
from pipeline.size.flops import flops_per_token, petaflops_days, petaflops_equivalent, training_flops
from pipeline.size.gpus import gpu_named
from pipeline.size.laws import LAWS
from pipeline.size.memory import rule_fp32, t5_under_ddp_and_fsdp, zero_paper_gb
from pipeline.size.published import CHINCHILLA, MODELS
from pipeline.size.regimes import inference_aware, unique_worth
from pipeline.size.shape import Shape, span_lengths
from tests.plan.shares import temperature_weights, unimax
from tokenizer.check import renyi_efficiency

from .published import PUBLISHED, bloom, hardware_flops, mfu, raw_to_collect, rounded, scheduled_tokens

LLAMA_8B = Shape(32, 4096, 14_336, 32, 8, 128, 128_256, False)
LLAMA_1B = Shape(16, 2048, 8192, 32, 8, 64, 128_256, True)


def oracle() -> dict:
    folder = os.environ.get("ORACLES")
    if folder is None and "CORPORA" in os.environ:
        folder = str(Path(os.environ["CORPORA"]).parent / "oracles")
    path = Path(folder or "") / "planner.json"
    if folder is None or not path.is_file():
        pytest.skip("set ORACLES (or CORPORA beside it) to a folder with planner.json")
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("law", "params", "tokens", "loss"),
    [  # at Chinchilla's budget, from the constants each paper prints
        ("besiroglu", 72.25e9, 1328.7e9, 1.9744),
        ("hoffmann_printed", 32.19e9, 2982e9, 1.9307),
        ("hoffmann_tex", 40.36e9, 2379e9, 1.9184),
        ("muennighoff", 69.9622e9, 1372.17e9, 2.0252),
    ],
)
def test_optimum_at_chinchillas_budget(law: str, params: float, tokens: float, loss: float) -> None:
    made = plan(flops=5.76e23, law=law)
    assert made.params == pytest.approx(params, rel=1e-3)
    assert made.tokens == pytest.approx(tokens, rel=1e-3)
    assert made.loss == pytest.approx(loss, rel=1e-3)
    assert made.flops == pytest.approx(5.76e23, rel=1e-6)
    assert made.premium == pytest.approx(0, abs=1e-6)


def test_rule_of_20() -> None:
    made = plan(params=70e9)
    assert (made.params, made.tokens) == (70_000_000_000, 1_400_000_000_000)
    assert plan(tokens=1.4e12).params == 70_000_000_000


def test_bloomberg_sizing() -> None:
    """arXiv 2303.17564: sizes the two Chinchilla approaches give for 1.3 million GPU-hours; the batch schedule; the model."""
    first, second = LAWS["chinchilla_1"].optimum(3.51e23), LAWS["chinchilla_2"].optimum(3.51e23)
    assert first.params == pytest.approx(52.993e9, rel=1e-4)
    assert first.tokens == pytest.approx(1111.112e9, rel=1e-4)
    assert second.params == pytest.approx(49.753e9, rel=1e-4)
    assert second.tokens == pytest.approx(1175.766e9, rel=1e-4)
    assert bloom(70, 7680, 131_072) == 50_558_868_480
    assert scheduled_tokens([(7200, 1024, 2048), (132_000, 2048, 2048)]) == 568_747_622_400
    assert hardware_flops(102, 512, 32.5, 139_200) == pytest.approx(2.363e23, rel=1e-3)
    assert training_flops(50_558_868_480, 568_747_622_400) == pytest.approx(1.727e23, rel=0.01)


def test_refits_round_to_the_printed_lines() -> None:
    for name, n0, a, d0, b in (
        ("chinchilla_1", -1.0037, 0.4981, 0.2294, 0.5019),
        ("chinchilla_2", -0.8390, 0.4899, 0.0617, 0.5100),
        ("chinchilla_3", -0.2720, 0.4587, -0.5012, 0.5410),
    ):
        law = LAWS[name]
        assert (law.n0, law.a, law.d0, law.b) == pytest.approx((n0, a, d0, b), abs=2e-4)


def test_kaplan_anchor() -> None:
    point = LAWS["kaplan"].optimum(1e21)
    assert point.params == pytest.approx(4.68e9, rel=1e-9)
    assert 6 * point.params * point.tokens == pytest.approx(1e21, rel=1e-9)


def test_worth_of_repeated_tokens() -> None:
    assert [unique_worth(e) for e in (4, 10, math.inf)] == pytest.approx([3.7257, 7.8141, 16.3878], rel=1e-4)


def test_inference_aware() -> None:
    """arXiv 2401.00448: the quality of a 13B model that will serve 2T tokens."""
    made = inference_aware(13e9, 2e12)
    assert made.params == pytest.approx(6.97e9, rel=0.01)
    assert made.tokens == pytest.approx(1.248e12, rel=0.01)
    assert made.saving == pytest.approx(0.174, rel=0.01)


def test_raw_to_collect() -> None:
    for rate, raw in ((0.01, 1025.4e9), (0.03, 341.8e9)):
        assert raw_to_collect(20e9, 0.5127, rate) == pytest.approx(raw, rel=1e-3)
    made = plan(params=1e9, domain_share=0.5127)
    assert [crawl.raw_tokens for crawl in made.raw_crawl] == pytest.approx([1025.4e9, 341.8e9], rel=1e-3)


def test_memory_facts() -> None:
    """24 GB per billion at fp32; ZeRO's figure 1; T5-11B is out of memory under DDP and not under FSDP on 80 GB."""
    assert rule_fp32(1e9)["total"] == 24e9
    assert rule_fp32(8.03e9)["total"] == pytest.approx(192.7e9, rel=1e-3)
    paper = zero_paper_gb(7.5e9, 64)
    assert list(paper.values()) == pytest.approx([120, 31.4, 16.6, 1.9], rel=0.02)
    fits = [(row["ddp_fits"], row["full_fits"]) for row in t5_under_ddp_and_fsdp(gpu_named("a100"))]
    assert fits == [(True, True), (True, True), (False, True)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts(name: str) -> None:
    ours, published = PUBLISHED[name]
    assert ours == published


COMPUTE = [
    # arXiv 2005.14165, table D.1: parameters, tokens, how a token passes them, FLOPs, petaFLOP/s-days
    ("T5-small", 60e6, 1e12, "encoder_decoder", 1.80e20, 2.08),
    ("T5-base", 220e6, 1e12, "encoder_decoder", 6.60e20, 7.64),
    ("T5-large", 770e6, 1e12, "encoder_decoder", 2.31e21, 26.7),
    ("T5-3B", 3e9, 1e12, "encoder_decoder", 9.00e21, 104),
    ("T5-11B", 11e9, 1e12, "encoder_decoder", 3.30e22, 382),
    ("BERT-base", 109e6, 250e9, "encoder", 1.64e20, 1.89),
    ("BERT-large", 355e6, 250e9, "encoder", 5.33e20, 6.16),
    ("RoBERTa-base", 125e6, 2e12, "encoder", 1.50e21, 17.4),
    ("RoBERTa-large", 355e6, 2e12, "encoder", 4.26e21, 49.3),
    ("GPT-3 125M", 125e6, 300e9, "decoder", 2.25e20, 2.60),
    ("GPT-3 350M", 356e6, 300e9, "decoder", 6.41e20, 7.42),
    ("GPT-3 760M", 760e6, 300e9, "decoder", 1.37e21, 15.8),
    ("GPT-3 1.3B", 1.32e9, 300e9, "decoder", 2.38e21, 27.5),
    ("GPT-3 2.7B", 2.65e9, 300e9, "decoder", 4.77e21, 55.2),
    ("GPT-3 6.7B", 6.66e9, 300e9, "decoder", 1.20e22, 139),
    ("GPT-3 13B", 12.85e9, 300e9, "decoder", 2.31e22, 268),
    ("GPT-3 175B", 174.6e9, 300e9, "decoder", 3.14e23, 3640),
]


@pytest.mark.parametrize(("name", "params", "tokens", "kind", "flops", "days"), COMPUTE)
def test_all_rows_of_gpt3s_table_of_compute(
    name: str, params: float, tokens: float, kind: str, flops: float, days: float
) -> None:
    assert training_flops(params, tokens, kind) == pytest.approx(flops, rel=5e-3)
    assert petaflops_days(training_flops(params, tokens, kind)) == pytest.approx(days, rel=5e-3)
    made = plan(params=params, tokens=tokens, kind=kind)
    assert made.petaflops_days == pytest.approx(days, rel=5e-3)
    assert ("3ND" in made.counting) == (kind == "encoder_decoder")


def test_chinchilla_and_its_table() -> None:
    """arXiv 2203.15556: 6ND of 70B on 1.4T against the budget of 5.76e23; table 3 agrees with 6ND, two rows rounded."""
    assert training_flops(70e9, 1.4e12) == pytest.approx(5.76e23, rel=0.021)
    for row in CHINCHILLA:
        loose = 0.05 if row.params == 67e9 else 0.012
        assert training_flops(row.params, row.tokens_1) == pytest.approx(row.flops_1, rel=loose)


@pytest.mark.parametrize(
    ("law", "flops", "ratio"),
    [("hoffmann_printed", 1.21e20, 40.8), ("hoffmann_printed", 5.76e23, 92.6), ("besiroglu", 1.21e20, 22.8),
     ("besiroglu", 5.76e23, 18.4)],
)  # fmt: skip
def test_tokens_per_parameter_of_the_fits(law: str, flops: float, ratio: float) -> None:
    """Why nobody should check the ratio of 20 with the printed constants."""
    point = LAWS[law].optimum(flops)
    assert point.tokens / point.params == pytest.approx(ratio, rel=0.005)


def test_bloomberg_counts_recomputation() -> None:
    """Its 2.36e23 FLOPs are four passes of two, 8ND and the hardware's rate; 6ND is 1.73e23, and GPU-hours are 651,000."""
    assert 8 / 6 * training_flops(50.56e9, 568.75e9) == pytest.approx(2.301e23, rel=1e-3)
    assert pytest.approx(651e3, rel=1e-3) == 512 * 53 * 24
    assert LAWS["rule_of_20"].at_params(50.6e9).tokens == pytest.approx(1.01e12, rel=0.01)


def test_gpus_for_one_petaflops_day() -> None:
    assert petaflops_equivalent(gpu_named("V100")).whole == 8
    a100 = petaflops_equivalent(gpu_named("A100"))
    assert (a100.whole, a100.peak_tflops, a100.printed_tflops) == (2, 312, 624)


def test_flops_per_token_and_mfu_as_their_owners_print_them() -> None:
    assert flops_per_token(LLAMA_8B, 8192) == pytest.approx(5.791e10, rel=1e-3)
    assert flops_per_token(LLAMA_1B, 4096) == pytest.approx(9.025e9, rel=1e-3)
    assert flops_per_token(LLAMA_1B, 2048) == pytest.approx(8.22e9, rel=1e-3)
    assert mfu(6667, LLAMA_8B, 8192, 989.4) == pytest.approx(0.390, abs=5e-4)
    assert mfu(5762, LLAMA_8B, 8192, 989.4) == pytest.approx(0.337, abs=5e-4)
    assert 12_273 * flops_per_token(LLAMA_8B, 8192) / 1e12 == pytest.approx(711, abs=0.5)
    llama_2 = Shape(32, 4096, 11_008, 32, 32, 128, 32_000, False)
    assert 16_934 * flops_per_token(llama_2, 4096) / 1e12 == pytest.approx(780, abs=0.5)
    # MPT: learnt positions are none, two feed-forward matrices of four widths, a tied head of 50,432
    for layers, hidden, rate, printed in ((32, 4096, 10_643, 0.4644), (24, 2048, 45_455, 0.4182)):
        each = 6 * (layers * 12 * hidden**2 + 50_432 * hidden) + 12 * layers * hidden * 2048
        assert rate * each / 989.4e12 == pytest.approx(printed, abs=5e-3)


def test_number_formats_of_pi() -> None:
    assert rounded(math.pi, "float16") == 3.140625
    assert rounded(math.pi, "bfloat16") == 3.140625
    assert rounded(math.pi, "int8") == 3


def test_t5_span_lengths() -> None:
    assert [span_lengths(n) for n in (256, 512, 1024, 2048)] == [(284, 58), (568, 114), (1137, 229), (2274, 456)]


def test_oracle_file_agrees_with_the_tables_here() -> None:
    found = oracle()
    assert [list(row) for row in CHINCHILLA] == found["chinchilla_tables"]["rows"]
    for row, model in zip(found["models"], MODELS, strict=True):
        assert (row["name"], row["N"], row["D"]) == (model.name, model.params, model.tokens)
    for name, stated in found["laws"].items():
        surface = LAWS[name].surface
        if "E" in stated:
            assert surface is not None
            assert {key: getattr(surface, key) for key in ("E", "A", "B", "alpha", "beta")} == {
                key: stated[key] for key in ("E", "A", "B", "alpha", "beta")
            }


def test_every_oracle_answer() -> None:
    for answer in oracle()["answers"]:
        rtol, kind = answer.get("rtol", 0), answer["ask"]
        if kind == "optimum":
            point = LAWS[answer["law"]].optimum(answer["C"])
            assert tuple(point) == pytest.approx((answer["N"], answer["D"], answer["L"]), rel=rtol)
        elif kind == "rule_of_20":
            assert LAWS["rule_of_20"].at_params(answer["N"]).tokens == pytest.approx(answer["D"], rel=rtol)
        elif kind == "effective_unique_multiple":
            assert unique_worth(float(answer["epochs"])) == pytest.approx(answer["value"], rel=rtol)
        elif kind == "chinchilla_approach_1_and_2_at":
            points = [*LAWS["chinchilla_1"].optimum(answer["C"])[:2], *LAWS["chinchilla_2"].optimum(answer["C"])[:2]]
            assert points == pytest.approx([answer[k] for k in ("N1", "D1", "N2", "D2")], rel=rtol)
        elif kind == "petaflops_days":
            for model in answer["models"]:
                share = "encoder_decoder" if model.get("encoder_decoder") else "decoder"
                made = petaflops_days(training_flops(model["N"], model["D"], share))
                assert made == pytest.approx(model["days"], rel=rtol)
        elif kind == "flops_6ND":
            assert training_flops(answer["N"], answer["D"]) == pytest.approx(answer["value"], rel=rtol)
        elif kind == "memory_fp32_adam":
            assert rule_fp32(answer["N"])["total"] == pytest.approx(answer["bytes"], rel=rtol)
        elif kind == "zero_memory":
            wanted = [answer[f"{k}_gb"] for k in ("ddp", "stage1", "stage2", "stage3")]
            assert list(zero_paper_gb(7.5e9, 64).values()) == pytest.approx(wanted, rel=rtol)
        elif kind == "tokens_from_batch_schedule":
            assert scheduled_tokens(map(tuple, answer["steps"])) == answer["value"]
        elif kind == "t5_span_lengths":
            assert span_lengths(answer["inputs"]) == (answer["raw"], answer["targets"])
        elif kind == "parameters":
            assert PUBLISHED["BloombergGPT"][0] == answer["value"]
        elif kind == "hardware_flops":
            rate = (answer[k] for k in ("tflops_per_gpu", "gpus", "seconds_per_step", "steps"))
            assert hardware_flops(*rate) == pytest.approx(answer["value"], rel=rtol)
        elif kind == "inference_aware":
            served = inference_aware(answer["same_quality_as_N"], answer["inference_tokens"])
            wanted = (answer["N"], answer["D"], answer["saving"])
            assert (served.params, served.tokens, served.saving) == pytest.approx(wanted, rel=rtol)
        elif kind == "temperature":
            assert temperature_weights(answer["sizes"], answer["T"]) == pytest.approx(answer["weights"], rel=rtol)
        elif kind == "unimax":
            assert unimax(answer["sizes"], answer["budget"], answer["max_epochs"]) == answer["tokens"]
        elif kind == "raw_to_collect":
            tokens = answer["N"] * answer["tokens_per_param"]
            raw = [raw_to_collect(tokens, answer["domain_share"], rate) for rate in answer["keep_rate"]]
            assert raw == pytest.approx(answer["raw_tokens"], rel=rtol)
        elif kind == "renyi_efficiency":
            assert renyi_efficiency(answer["counts"], answer["alpha"]) == pytest.approx(answer["value"], rel=rtol)
        elif kind == "bfloat16_float16_int8_of_pi":
            for name in ("float16", "bfloat16", "int8"):
                assert rounded(math.pi, name) == answer[name]
        elif kind == "gpus_for_one_petaflops_day":
            for name in ("V100", "A100"):
                assert petaflops_equivalent(gpu_named(name)).whole == answer[name]
        else:
            raise AssertionError(f"the oracle asks for {kind}, and nothing here answers")
