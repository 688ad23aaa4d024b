"""Cross-entropy summed over tokens, with z-loss, and for large vocabularies without ever holding all logits."""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.size.activations import loss_rows
from recipes.pretrain.objectives import IGNORE


def logits_loss(logits: Tensor, labels: Tensor, z_loss: float) -> Tensor:
    """[sum of loss with z-loss, sum of cross-entropy, number of targets] from logits [N, V] and labels [N]."""
    logits = logits.float()
    entropy = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    valid = labels != IGNORE
    total = entropy
    if z_loss:
        total = total + z_loss * (torch.logsumexp(logits, -1).square() * valid).sum()
    return torch.stack([total, entropy.detach(), valid.sum().to(entropy.dtype)])


def each_target(logits: Tensor, labels: Tensor) -> Tensor:
    """[2, targets] from logits [N, V] and labels [N]: nats, and 1 where the target is the first choice."""
    is_target = labels != IGNORE
    logits, labels = logits[is_target].float(), labels[is_target]
    return torch.stack([F.cross_entropy(logits, labels, reduction="none"), (logits.argmax(-1) == labels).float()])


def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b in fp32; on a GPU 16-bit factors are multiplied into it without being rounded to 16 bits in between."""
    return torch.mm(a, b, out_dtype=torch.float32) if a.is_cuda and a.dtype != torch.float32 else (a @ b).float()


def _slope(logits: Tensor, targets: Tensor, z_loss: float, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """The three sums of a chunk of fp32 logits, and their gradient by the logits: written to be compiled into few kernels."""
    valid, picks = targets != IGNORE, targets.clamp_min(0)[:, None]
    log_z = torch.logsumexp(logits, -1)
    entropy = torch.where(valid, log_z - logits.gather(-1, picks)[:, 0], 0.0).sum()
    z_term = z_loss * (log_z.square() * valid).sum()
    slope = (logits - log_z[:, None]).exp() * (1 + 2 * z_loss * log_z)[:, None]
    slope = slope - (torch.arange(logits.shape[-1], device=logits.device) == picks).float()
    return torch.stack([entropy + z_term, entropy, valid.sum().float()]), (slope * valid[:, None]).to(kind)


@cache
def fused_slope() -> Any:
    """`_slope` compiled, for each size of a chunk on its first use."""
    return torch.compile(_slope, dynamic=False)


class HeadLoss(torch.autograd.Function):
    """hidden [N, d] times weight [V, d], softmax and cross-entropy, a chunk of rows at a time.

    The gradients are computed along with the loss, while a chunk's logits exist; backward only scales them. So the peak
    is one chunk of logits instead of all of them, and no matrix product is done twice.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, z_loss: float, chunk: int, fused: bool
    ) -> Tensor:
        needs = torch.is_grad_enabled() or ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        grad_hidden = torch.empty_like(hidden) if needs else None
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device) if needs else None
        sums = torch.zeros(3, dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), chunk):
            rows, targets = hidden[start : start + chunk], labels[start : start + chunk]
            valid, picks = targets != IGNORE, targets.clamp_min(0)[:, None]
            # what a [rows, V] tensor costs is its way to memory and back: as few passes over it as there can be
            logits = product(rows, weight.t())
            if fused and grad_hidden is not None and grad_weight is not None:
                part, grad = fused_slope()(logits, targets, z_loss, weight.dtype)
                sums += part
                torch.mm(grad, weight, out=grad_hidden[start : start + chunk])
                grad_weight += product(grad.t(), rows)
                continue
            log_p = torch.log_softmax(logits, -1)
            picked = log_p.gather(-1, picks)[:, 0]
            log_z = logits.gather(-1, picks)[:, 0] - picked
            del logits
            entropy = torch.where(valid, -picked, 0.0).sum()
            z_term = (z_loss * log_z.square() * valid).sum() if z_loss else 0.0
            sums += torch.stack([entropy + z_term, entropy, valid.sum().float()])
            if grad_hidden is not None and grad_weight is not None:
                slope = log_p.exp_().mul_((1 + 2 * z_loss * log_z)[:, None]) if z_loss else log_p.exp_()
                grad = slope.scatter_add_(-1, picks, log_p.new_full(picks.shape, -1.0)).to(weight.dtype)
                del log_p, slope
                is_target = valid.to(weight.dtype)[:, None]
                torch.mm(grad, weight, out=grad_hidden[start : start + chunk])
                grad_hidden[start : start + chunk] *= is_target
                grad_weight += product(grad.t(), rows * is_target)
                del grad
        if grad_hidden is not None and grad_weight is not None:
            ctx.save_for_backward(grad_hidden, grad_weight.to(weight.dtype))
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grads[0][0]
        gradients = grad_hidden * scale.to(grad_hidden.dtype), grad_weight * scale.to(grad_weight.dtype)
        return *gradients, None, None, None, None


def head_loss(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    z_loss: float = 0.0,
    chunk: int | None = None,
    fused: bool = False,
) -> Tensor:
    """As `logits_loss` of `hidden @ weight.T`; only the first of the three sums carries a gradient. fused: compiled."""
    rows = chunk or loss_rows(weight.shape[0])
    return HeadLoss.apply(hidden, weight, labels, z_loss, rows, fused)  # pyright: ignore[reportReturnType]
