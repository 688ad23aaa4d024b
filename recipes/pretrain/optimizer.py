"""Optimizers, learning-rate schedule, and the decision to skip a step, all without waiting for the device."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from pipeline.handoff import OptimizerSettings, ScheduleSettings, decay_start
from recipes.pretrain.parallel import whole

T = TypeVar("T", bound=Tensor)


def learning_rate(step: int, steps: int, peak: float, settings: ScheduleSettings) -> float:
    """Learning rate of step 0 … steps-1: linear warm-up ((s+1)/w), then stable and linear decay, or cosine.

    A virtual step after the last would have `final_ratio`, so the last step still learns.

    >>> [round(learning_rate(s, 10, 1.0, ScheduleSettings(warmup_steps=2, decay_fraction=0.3)), 2) for s in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    warmup = settings.warmup_steps or 0
    if step < warmup:
        return peak * (step + 1) / warmup
    floor = settings.final_ratio
    if settings.kind == "cosine":
        progress = (step - warmup + 1) / (steps - warmup + 1)
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
    begin = decay_start(steps, settings)
    if step < begin:
        return peak
    return peak * (1 - (1 - floor) * (step - begin + 1) / (steps - begin + 1))


class Optimizers:
    """AdamW, or Muon for the blocks' matrices with AdamW for the rest, behind one step."""

    def __init__(
        self, trainable: nn.Module, blocks: list[nn.Module], settings: OptimizerSettings, ratio: float = 1.0
    ) -> None:
        """ratio: what the width is of the one whose learning rate is given (`mup`)."""
        matrices = {id(p) for block in blocks for p in block.parameters() if p.ndim == 2}
        embeddings = {id(p) for m in trainable.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
        parameters = [p for p in trainable.parameters() if p.requires_grad]
        lr, betas = settings.learning_rate or 1e-3, (settings.beta1, settings.beta2 or 0.99)
        groups: dict[str, list[nn.Parameter]] = {"muon": [], "decays": [], "plain": [], "hidden": []}
        special = "muon" if settings.name == "muon" else "hidden" if ratio != 1 else "decays"
        for p in parameters:
            hidden = id(p) in matrices - embeddings
            groups[special if hidden else "decays" if p.ndim >= 2 and id(p) not in embeddings else "plain"].append(p)
        decay = {"decays": settings.weight_decay, "plain": 0.0, "hidden": settings.weight_decay * ratio}
        scale = {"hidden": 1 / ratio}
        by_adam = [
            {"params": same, "weight_decay": decay[name], "scale": scale.get(name, 1.0)}
            for name in decay
            for same in by_mesh(groups[name])
        ]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(by_adam, lr=lr, betas=betas, eps=settings.eps, fused=True)
        ]
        if groups["muon"]:
            muon = {"weight_decay": settings.weight_decay, "adjust_lr_fn": "match_rms_adamw"}
            self.all.append(torch.optim.Muon(groups["muon"], lr=lr, **muon))

    def step(self, lr: float, skip: Tensor, divisor: Tensor) -> None:
        """One update at this learning rate by the gradients over `divisor`; none where the device's `skip` (0 or 1) says so.

        Fused AdamW reads both in its kernel. Muon cannot: with it one number is fetched from the device.
        """
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = lr * group.get("scale", 1.0)
            if isinstance(optimizer, torch.optim.AdamW):
                optimizer.found_inf = skip  # pyright: ignore[reportAttributeAccessIssue]
                optimizer.grad_scale = divisor  # pyright: ignore[reportAttributeAccessIssue]
                optimizer.step()
            elif not bool(skip.item()):
                for p in optimizer.param_groups[0]["params"]:
                    gradient = p.grad.to_local() if isinstance(p.grad, DTensor) else p.grad
                    gradient.div_(divisor.to(gradient.device))
                optimizer.step()

    def zero_grad(self) -> None:
        for optimizer in self.all:
            optimizer.zero_grad(set_to_none=True)


def by_mesh(tensors: Sequence[T]) -> list[list[T]]:
    """The tensors by the processes that share them: one call of a fused kernel takes those of one mesh."""
    groups: dict[Any, list[T]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.device_mesh if isinstance(tensor, DTensor) else None, []).append(tensor)
    return list(groups.values())


def clip(parameters: list[nn.Parameter], limit: float, loss_scale: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """The norm of the gradients over the loss scale, and what to divide them by so that it is at most `limit`: plain tensors.

    The optimizer divides while it reads them (`Optimizers.step`), which saves a pass over all gradients.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [whole(torch.nn.utils.get_total_norm(same)) for same in by_mesh(gradients)]
    norm = (norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))) / loss_scale
    return norm, ((norm + 1e-6) / limit).clamp(min=1.0) * loss_scale


class SpikeGuard:
    """Skips a step whose loss or gradient norm stands out: above mean + sigma deviations of the last `window` steps.

    All state lives on the device. A skipped step enters the statistics too, so that a level that stays becomes the usual
    one after a few steps; at most SPIKE times the bound, so that one huge value does not switch the guard off. Steps that
    are not finite are always skipped and never enter. `skipped` counts all of them, `in_row` those since the last update.
    """

    SPIKE = 4.0

    def __init__(self, sigma: float, window: int, device: torch.device) -> None:
        self.sigma, self.window = sigma, window
        self.values = torch.zeros(2, window, device=device)
        self.seen, self.skipped, self.in_row = (torch.zeros((), dtype=torch.int64, device=device) for _ in range(3))

    def __call__(self, loss: Tensor, norm: Tensor) -> Tensor:
        """1.0 where the step should be skipped, else 0.0."""
        now = torch.stack([loss.detach().float(), norm.detach().float()])
        finite = torch.isfinite(now).all()
        bad, entered = ~finite, now
        if self.sigma > 0:
            filled = torch.arange(self.window, device=now.device)[None, :] < self.seen
            n = filled.sum().clamp_min(1)
            mean = (self.values * filled).sum(1) / n
            deviation = (((self.values - mean[:, None]) * filled).square().sum(1) / n).sqrt()
            bound = mean + self.sigma * deviation + 1e-6
            # the first half window only watches: early losses fall too fast for a mean to mean anything
            watching = self.seen >= self.window // 2
            bad = bad | ((now > bound) & watching).any()
            entered = torch.where(watching, now.minimum(self.SPIKE * bound), now)
        slot = (self.seen % self.window).expand(2, 1)
        self.values.scatter_(1, slot, torch.where(finite, entered, self.values.gather(1, slot)[:, 0])[:, None])
        self.seen += finite
        self.skipped += bad
        self.in_row.copy_((self.in_row + 1) * bad)
        return bad.float()

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values, "seen": self.seen}


class LossScale:
    """Dynamic loss scaling for fp16, on the device: halved after an overflow, doubled after 2,000 good steps."""

    def __init__(self, enabled: bool, device: torch.device) -> None:
        self.enabled = enabled
        self.scale = torch.full((), 2.0**16 if enabled else 1.0, device=device)
        self.good = torch.zeros((), dtype=torch.int32, device=device)

    def update(self, overflow: Tensor) -> None:
        """Adapt to whether the last step overflowed (1.0) or not."""
        if self.enabled:
            torch._amp_update_scale_(  # pyright: ignore[reportPrivateImportUsage]
                self.scale, self.good, overflow, 2.0, 0.5, 2000
            )

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale, "good": self.good}
