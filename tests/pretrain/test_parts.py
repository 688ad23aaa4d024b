"""Loss, schedule, skipping of steps, loss scale, metrics: the small parts, each against a plain twin."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.handoff import OptimizerSettings, ScheduleSettings, TrainConfig
from pipeline.size.flops import flops_per_token
from pipeline.size.shape import PRESETS
from recipes.pretrain.evaluate import bits_per_byte, cumulative_lengths, to_device
from recipes.pretrain.loss import head_loss, logits_loss
from recipes.pretrain.metrics import Reporter, Speed, peak_flops
from recipes.pretrain.optimizer import LossScale, Optimizers, SpikeGuard, clip, decay_start, learning_rate

pytestmark = pytest.mark.train


@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
@pytest.mark.parametrize("chunk", [3, 7, 100])
def test_chunked_loss_equals_plain(z_loss, chunk):
    torch.manual_seed(0)
    hidden, weight = torch.randn(20, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    labels = torch.randint(0, 50, (20,))
    labels[[2, 3, 19]] = -100
    ours = head_loss(hidden, weight, labels, z_loss, chunk)
    (ours[0] * 0.37).backward()
    grads = hidden.grad.clone(), weight.grad.clone()
    hidden.grad = weight.grad = None
    plain = logits_loss(hidden @ weight.t(), labels, z_loss)
    (plain[0] * 0.37).backward()
    assert torch.allclose(ours, plain, rtol=1e-5)
    assert torch.allclose(grads[0], hidden.grad, atol=1e-5)
    assert torch.allclose(grads[1], weight.grad, atol=1e-5)
    assert float(plain[1].detach()) == pytest.approx(
        float(F.cross_entropy(hidden @ weight.t(), labels, reduction="sum").detach()), rel=1e-5
    )
    assert int(plain[2]) == 17


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_the_compiled_loss_equals_the_other(kind):
    torch.manual_seed(0)
    hidden, weight = torch.randn(20, 8).to(kind).requires_grad_(), torch.randn(50, 8).to(kind).requires_grad_()
    labels = torch.randint(0, 50, (20,))
    labels[[2, 3, 19]] = -100
    ours, theirs = (head_loss(hidden, weight, labels, 1e-2, 8, fused) for fused in (True, False))
    exact = 1e-6 if kind == torch.float32 else 1e-2
    assert torch.allclose(ours, theirs, rtol=1e-6)
    for one, other in zip(*(torch.autograd.grad(sums[0], (hidden, weight)) for sums in (ours, theirs)), strict=True):
        assert torch.allclose(one, other, rtol=exact, atol=exact * float(other.abs().max()))


def test_loss_without_gradients_needs_none():
    hidden, weight = torch.randn(5, 4), torch.randn(9, 4)
    with torch.no_grad():
        assert head_loss(hidden, weight, torch.zeros(5, dtype=torch.long))[2] == 5


@pytest.mark.parametrize("kind", ["wsd", "cosine"])
def test_schedules(kind):
    settings = ScheduleSettings(kind=kind, warmup_steps=10, decay_fraction=0.2, final_ratio=0.1)
    rates = [learning_rate(s, 100, 2.0, settings) for s in range(100)]
    assert rates[:10] == pytest.approx([2.0 * (s + 1) / 10 for s in range(10)])
    assert max(rates) == 2.0
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert 0.2 < rates[-1] < 0.3  # a virtual step after the last would be at a tenth
    if kind == "wsd":
        assert decay_start(100, settings) == 80
        assert set(rates[10:80]) == {2.0}


def decisions_of(guard, losses, norms):
    return [
        float(guard(torch.tensor(loss), torch.tensor(norm))) for loss, norm in zip(losses, norms, strict=True)
    ]  # fmt: skip


def test_spikes_are_skipped_and_counted():
    guard = SpikeGuard(6.0, 16, torch.device("cpu"))
    losses = [{20: 9.0, 25: float("nan"), 30: float("inf")}.get(i, 1.0 + 0.01 * math.sin(i)) for i in range(40)]
    decisions = decisions_of(guard, losses, [0.5] * 40)
    assert [i for i, d in enumerate(decisions) if d] == [20, 25, 30]
    assert (int(guard.skipped), int(guard.in_row), int(guard.seen)) == (3, 0, 38)
    assert torch.isfinite(guard.values).all()


@pytest.mark.parametrize("level", [1.5, 4.0, 60.0])
def test_a_norm_that_rises_and_stays_becomes_the_usual_one(level):
    guard = SpikeGuard(6.0, 128, torch.device("cpu"))
    noise = [1.0 + 0.05 * math.sin(i) for i in range(400)]
    norms = noise[:200] + [level * n for n in noise[200:]]
    decisions = decisions_of(guard, [2.0] * 400, norms)
    assert decisions[200] == 1.0
    assert not any(decisions[225:])
    assert int(guard.in_row) == 0


def test_a_norm_that_doubles_ever_faster_is_not_followed():
    guard = SpikeGuard(6.0, 32, torch.device("cpu"))
    norms = [1.0 + 0.05 * math.sin(i) for i in range(64)] + [100.0 * 100.0**i for i in range(8)]
    assert decisions_of(guard, [2.0] * len(norms), norms)[64:] == [1.0] * 8


def test_one_huge_spike_leaves_the_guard_awake():
    guard = SpikeGuard(6.0, 64, torch.device("cpu"))
    losses = [1.0 + 0.01 * math.sin(i) for i in range(100)]
    losses[80], losses[90] = 1e30, 30.0
    assert [i for i, d in enumerate(decisions_of(guard, losses, [0.5] * 100)) if d] == [80, 90]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_skipped_step_changes_nothing(name):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    optimizers = Optimizers(model, [model[0]], OptimizerSettings(name=name, learning_rate=0.1, beta2=0.99))
    model(torch.ones(2, 4)).sum().backward()
    before = [p.clone() for p in model.parameters()]
    optimizers.step(0.1, torch.tensor(1.0), torch.tensor(1.0))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    optimizers.step(0.1, torch.tensor(0.0), torch.tensor(1.0))
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    state = optimizers.all[0].state[model[1].weight]
    assert int(state["step"]) == 1


def test_clip_returns_the_norm_before():
    parameter = torch.nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), 3.0)
    norm, divisor = clip([parameter], 1.0)
    assert float(norm) == pytest.approx(6.0)
    assert float((parameter.grad / divisor).norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(clip([parameter], 7.0)[1]) == 1.0
    norm, divisor = clip([parameter], 1.0, torch.tensor(2.0))
    assert float(norm) == pytest.approx(3.0)
    assert float((parameter.grad / divisor).norm()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_optimizer_divides_as_if_the_gradients_were_shortened(name):
    """Three updates by gradients far over the limit, against torch's own clip_grad_norm_ and the plain optimizers."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    twin = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    twin.load_state_dict(model.state_dict())
    settings = OptimizerSettings(name=name, learning_rate=0.1, beta2=0.99)
    ours = Optimizers(model, [model[0]], settings)
    plain = Optimizers(twin, [twin[0]], settings)
    for number in range(3):
        for one, optimizers in ((model, ours), (twin, plain)):
            optimizers.zero_grad()
            one(torch.full((2, 4), 1.0 + number)).square().sum().mul(100).backward()
        norm, divisor = clip(list(model.parameters()), 0.5)
        assert float(norm) == pytest.approx(float(torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)), rel=1e-6)
        ours.step(0.1, torch.tensor(0.0), divisor)
        for optimizer in plain.all:
            optimizer.found_inf = None
            optimizer.step()
        for a, b in zip(model.parameters(), twin.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-6 if name == "adamw" else 2e-3)


def test_loss_scale_halves_on_overflow_and_grows_again():
    scale = LossScale(True, torch.device("cpu"))
    scale.update(torch.tensor(1.0))
    assert float(scale.scale) == 2.0**15
    for _ in range(2000):
        scale.update(torch.tensor(0.0))
    assert float(scale.scale) == 2.0**16


def test_bits_per_byte_do_not_depend_on_the_cut():
    # the same text of 1,000 bytes and the same total surprise in 250 or in 500 tokens
    assert bits_per_byte(4.0, 250, 1000) == pytest.approx(bits_per_byte(2.0, 500, 1000))
    assert bits_per_byte(math.log(256), 1000, 1000) == pytest.approx(8.0)


def test_document_starts_for_varlen_attention():
    docs = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]])
    ends = cumulative_lengths(docs)
    assert ends[:5].tolist() == [0, 2, 4, 5, 8]
    assert ends[-1] == 8
    assert ends.dtype == torch.int32
    assert len(ends) == 65


def test_peak_names_are_matched_longest_first():
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989.4e12
    assert peak_flops("NVIDIA GB200") == 2500e12
    assert peak_flops("NVIDIA H200 NVL") == 835e12
    assert peak_flops("NVIDIA A100-SXM4-80GB") == 312e12
    assert peak_flops("NVIDIA H20") == 148e12
    assert peak_flops("NVIDIA H800") is None
    assert peak_flops("Tesla V100-SXM2-16GB") is None  # it computes no bf16


def test_metrics_of_steps_taken_again_are_dropped(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 5}\n{"step": 9}\n{"st')
    reporter = Reporter(tmp_path, TrainConfig(steps=20), 5, True)
    reporter.write({"step": 6})
    reporter.close()
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == ['{"step": 0}', '{"step": 5}', '{"step": 6}']


def test_utilisation_is_said_of_a_known_device_alone(monkeypatch):
    now = iter([100.0, 102.0, 104.0])
    monkeypatch.setattr("recipes.pretrain.metrics.time.perf_counter", lambda: next(now))
    shape = PRESETS["llama-3.2-1b"]
    speed = Speed(shape, world_size=2, device=torch.device("cpu"), price=2.5)
    speed.tokens, speed.data_wait = 4000, 0.1
    found = speed.report(step=10, steps=50, steps_since=10)
    unknown = {"mfu": None, "mfu_packed": None, "memory_bytes": None}
    assert found == {"tokens_per_s": 2000, "data_wait_ms": 10, "eta_s": 8, **unknown}
    speed.peak, speed.tokens = 10e12, 4000
    # two rows of six places: documents of 4 and 2, of 1, 2 and 3
    speed.saw(np.array([[0, 0, 0, 0, 1, 1], [0, 1, 1, 2, 2, 2]]))
    said = speed.report(20, 50, 10)
    attended = (16 + 4 + 1 + 4 + 9) / 12
    assert said["mfu"] == pytest.approx(2000 * flops_per_token(shape, 512) / 10e12 / 2)
    assert said["mfu_packed"] == pytest.approx(2000 * flops_per_token(shape, attended) / 10e12 / 2)


def test_a_terminal_gets_a_bar_and_held_out_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    reporter = Reporter(tmp_path, TrainConfig(steps=4), 0, True)
    reporter.write({"step": 0, "val": {"wiki": {"loss": 5.5, "bits_per_byte": 1.25}}})
    reporter.write({"step": 4, "loss": 4.5, "lr": 0.001, "grad_norm": 1.0, "tokens_per_s": 10, "eta_s": 0})
    reporter.close()
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)  # without its colours
    assert "step 0  held out: wiki: 5.5000 (1.2500 bits/byte)" in told
    assert "4/4" in told
    assert "loss 4.5000" in told
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_the_longest_document_is_a_power_of_two_and_never_past_the_sample():
    docs = np.array([[0] * 5 + [1] * 3 + [2] * 12, [0] * 20])
    batch = {"docs": docs, "inputs": docs}
    assert int(to_device(batch, torch.device("cpu"), use_varlen=True)["longest"]) == 20  # 32 is past the sample
    docs = np.array([[0] * 5 + [1] * 3 + [2] * 5 + [3] * 7, [0, 1, 2, 3] * 5])
    assert int(to_device({"docs": docs, "inputs": docs}, torch.device("cpu"), use_varlen=True)["longest"]) == 8
    assert "longest" not in to_device(batch, torch.device("cpu"))
