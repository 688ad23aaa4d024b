"""`domain-corpus plan`: the planner on the command line."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import get_args

from rich.console import Console
from rich.table import Table

from pipeline.commands.parser import Parser
from pipeline.errors import UsageError
from pipeline.size.activations import Checkpointing
from pipeline.size.advise import KINDS, TASKS, advise
from pipeline.size.dial import Plan, Request, plan
from pipeline.size.facts import facts, show_facts
from pipeline.size.flops import Kind
from pipeline.size.gpus import GPUS, gpu_named
from pipeline.size.laws import LAWS
from pipeline.size.memory import Setup, Sharding, fewest_gpus
from pipeline.size.precision import Precision
from pipeline.size.units import bytes_text, flops_text, hours_text, number_text


def parser(prog: str = "python -m pipeline plan") -> argparse.ArgumentParser:
    """The command's arguments. Numbers may be written as 1.3e9, 1.3B, 569B tokens or 70M."""
    made = Parser(prog=prog, description="Size a model: one dial in, the rest out.")
    dial = made.add_argument_group("the dial (one of)")
    dial.add_argument("--params", type=quantity, help="parameters, e.g. 1.3e9 or 1.3B")
    dial.add_argument("--flops", type=quantity, help="training FLOPs, e.g. 3.5e23")
    dial.add_argument("--petaflops-days", type=quantity, help="training compute in petaFLOP/s-days")
    dial.add_argument(
        "--tokens", type=quantity, help="training tokens at hand, e.g. 569B (with --params: judge the pair)"
    )
    dial.add_argument("--gpu", default="h100", help=f"with --gpus and --hours; one of {', '.join(GPUS)}")
    dial.add_argument("--gpus", type=int, help="number of GPUs")
    dial.add_argument("--hours", type=quantity, help="wall-clock hours on these GPUs")
    how = made.add_argument_group("how it is counted")
    how.add_argument("--law", default="rule_of_20", help=f"one of {', '.join(LAWS)}")
    how.add_argument("--kind", default="decoder", choices=["decoder", "encoder", "encoder_decoder"])
    how.add_argument("--task", help=f"pick the kind for a task: {', '.join(TASKS)}")
    how.add_argument("--mfu", type=float, default=0.40, help="share of the dense bf16 peak (default 0.40)")
    how.add_argument("--unique-tokens", type=quantity, help="different tokens at hand; more tokens are repetition")
    how.add_argument("--inference-tokens", type=quantity, help="tokens to serve, for the law inference_aware")
    how.add_argument("--domain-share", type=float, default=0.51, help="share of domain tokens (default 0.51)")
    how.add_argument("--keep-rate", type=float, nargs="+", help="kept over raw tokens (default 0.01 and 0.03)")
    how.add_argument("--vocab", type=int, default=32_768, help="vocabulary of the tokenizer (default 32768)")
    run = made.add_argument_group("how it is trained")
    run.add_argument("--sequence", type=int, default=2048, help="tokens of a sequence (default 2048)")
    run.add_argument("--micro-batch", type=int, default=1, help="sequences on one GPU at a time (default 1)")
    run.add_argument("--precision", default="bf16", choices=get_args(Precision))
    run.add_argument("--sharding", default="full", choices=get_args(Sharding))
    run.add_argument("--sharding-factor", type=int, help="GPUs that share one copy of the states")
    run.add_argument("--checkpointing", default="none", choices=get_args(Checkpointing))
    run.add_argument("--offload", action="store_true", help="keep the states in host memory")
    made.add_argument(
        "--facts", action="store_true", help="the facts plans rest on: memory rules, petaFLOP/s-days, tasks"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def quantity(text: str) -> float:
    """A number with an optional K, M, B, T suffix.

    >>> quantity("1.3B"), quantity("569e9")
    (1300000000.0, 569000000000.0)
    """
    scale = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}.get(text[-1:].lower(), 1.0)
    return float(text.replace("_", "").replace(",", "")[: None if scale == 1.0 else -1]) * scale


def main(argv: Sequence[str] | None = None, prog: str = "python -m pipeline plan") -> int:
    """Run the command; returns the exit code. Usage errors go to stderr in one sentence and give 2."""
    try:
        asked = parser(prog).parse_args(argv)
    except SystemExit as stop:  # argparse has already said why
        return int(stop.code or 0)
    if asked.facts:
        if asked.json:
            print(json.dumps(facts()))
        else:
            show_facts(facts(), Console())
        return 0
    try:
        made = plan(_request(asked))
    except UsageError as error:
        print(f"plan: {error}", file=sys.stderr)
        return error.exit_code
    if asked.json:
        print(json.dumps(made.to_json()))
    else:
        show(made, Console())
        if asked.task:
            advice = advise(asked.task)
            print(f"- {asked.task}: {advice.architecture}, objective {advice.objective}: {advice.reason}")
    return 0


def _request(asked: argparse.Namespace) -> Request:
    kind: Kind = asked.kind
    if asked.task:
        kind = KINDS[advise(asked.task).architecture]
    flops = asked.flops
    if asked.petaflops_days is not None:
        if flops is not None:
            raise UsageError("--flops and --petaflops-days are the same dial: give one of them")
        flops = asked.petaflops_days * 8.64e19
    if asked.vocab < 1 or asked.sequence < 1 or asked.micro_batch < 1:
        raise UsageError("--vocab, --sequence and --micro-batch are at least 1")
    setup = Setup(
        asked.precision,
        asked.sharding,
        sharding_factor=asked.sharding_factor,
        micro_batch=asked.micro_batch,
        sequence=asked.sequence,
        checkpointing=asked.checkpointing,
        offload=asked.offload,
    )
    rates = tuple(asked.keep_rate) if asked.keep_rate else Request().keep_rates
    return Request(
        asked.params,
        flops,
        asked.tokens,
        asked.gpu,
        asked.gpus,
        asked.hours,
        asked.law,
        kind,
        asked.vocab,
        setup,
        asked.mfu,
        asked.domain_share,
        rates,
        asked.unique_tokens,
        asked.inference_tokens,
    )


def show(made: Plan, console: Console) -> None:
    """Print a plan as tables in which every number has its unit."""
    console.print(_answers(made))
    console.print(_memory(made))
    verdict = "fits" if made.fit.fits else "does not fit"
    console.print(
        f"It {verdict}: {made.fit.needed_gb:,.1f} GB with the driver, of {made.fit.memory_gb:g} GB on each GPU. "
        f"Rule of 24 bytes a parameter at fp32: {made.memory_rule_fp32_gb:,.1f} GB over all GPUs.",
        highlight=False,
    )
    console.print(_ways(made))
    console.print(_where(made))
    for note in made.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def _answers(made: Plan) -> Table:
    table = Table(title=f"Plan by {made.law} ({made.law_source})", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    shape, training = made.shape, made.training
    loss = "no law was fitted at this size"
    if made.loss is not None and made.premium is not None:
        loss = f"{made.loss:.4f} nats per token, {made.premium:+.1%} FLOPs against the optimum ({made.loss_law})"
    epochs = f"{made.tokens_per_param:.1f} per parameter, {made.epochs:.2f} epochs"
    attention = f"{flops_text(made.flops_with_attention)} with attention, embeddings out"
    days = [
        f"{one.whole} {one.gpu.upper()} ({one.printed_tflops:g}"
        + ("" if one.printed_tflops == one.peak_tflops else f" printed, {one.peak_tflops:g} dense")
        + ")"
        for one in made.equivalents
    ]
    per_day = f"one is a day of {' or '.join(days)} at that many peak TFLOP/s"
    heads = f"{shape.heads} heads of {shape.head_dim} ({shape.kv_heads} key-value)"
    count = f"vocabulary {shape.vocab:,} = {shape.params:,} parameters"
    steps = f"{training.steps:,} steps of {training.batch_tokens:,} tokens, warm-up {training.warmup_steps:,} steps"
    clock = f"{made.gpu_hours:,.4g} GPU-hours = {hours_text(made.hours)} on {made.gpus} {made.gpu}"
    rows = {
        "parameters": f"{number_text(made.params)} ({made.params:,})",
        "tokens": f"{number_text(made.tokens)} tokens, {epochs}",
        "compute": f"{flops_text(made.flops)} ({made.counting}); {attention}",
        "petaFLOP/s-days": f"{number_text(made.petaflops_days)} (8.64e19 FLOPs each); {per_day}",
        "loss": loss,
        "shape": f"{shape.layers} layers x {shape.hidden} wide, {heads}, feed-forward {shape.ffn}, {count}",
        "training": f"{steps}, learning rate {training.learning_rate:.2g}",
        "time": f"{clock} at MFU {made.mfu:.2f} of {made.peak_tflops:g} TFLOP/s",
        "energy": f"{made.energy_kwh:,.4g} kWh at board power, cooling and hosts apart",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    for crawl in made.raw_crawl:
        share = f"{made.domain_share:.0%} domain at a keep rate of {crawl.keep_rate:.2%}"
        table.add_row("raw crawl to collect", f"{number_text(crawl.raw_tokens)} raw tokens for {share}")
    return table


def _memory(made: Plan) -> Table:
    table = Table(title=f"Memory of one {made.gpu}, {made.fit.sharding} over {made.gpus} GPUs", title_justify="left")
    table.add_column("part")
    table.add_column("memory", justify="right")
    memory = made.memory
    rows = {
        "weights": memory.weights,
        "copies at work": memory.copies,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": memory.activations,
        "logits and their gradients": memory.transient,
        "peak": memory.peak,
    }
    for name, value in (rows | ({"host memory": memory.host} if memory.host else {})).items():
        table.add_row(name, bytes_text(value))
    return table


def _ways(made: Plan) -> Table:
    table = Table(title=f"The same step by sharding, on {made.strategies[0].gpus} {made.gpu}", title_justify="left")
    for name in ("sharding", "needed each", "fits"):
        table.add_column(name, justify="right" if name == "needed each" else "left")
    for found in made.strategies:
        table.add_row(found.sharding, f"{found.needed_gb:,.1f} GB", "yes" if found.fits else "no, out of memory")
    return table


def _where(made: Plan) -> Table:
    table = Table(title="Fewest GPUs that hold it (full sharding, powers of two)", title_justify="left")
    for name in ("GPU", "GPUs", "needed each", "has each"):
        table.add_column(name, justify="left" if name == "GPU" else "right")
    for name in ("l4", "rtx-4090", "l40s", "a100-40gb", "a100", "h100", "h200", "b200"):
        found = fewest_gpus(made.shape, Setup(sequence=made.training.sequence_length), gpu_named(name))
        count = str(found.gpus) if found.fits else f"over {found.gpus}"
        table.add_row(name, count, f"{found.needed_gb:,.1f} GB", f"{found.memory_gb:g} GB")
    return table
