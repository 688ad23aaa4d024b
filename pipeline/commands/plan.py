"""`domain-corpus plan`: the planner on the command line."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from pipeline.commands.arguments import declare
from pipeline.commands.parser import Parser
from pipeline.errors import UsageError
from pipeline.size.activations import Checkpointing, Precision
from pipeline.size.advise import TASKS, advise
from pipeline.size.dial import Plan, Request, plan
from pipeline.size.facts import GPU, MEMBERS, facts
from pipeline.size.flops import PACKED_CONVENTION, PETAFLOPS_DAY
from pipeline.size.gpus import GPUS, gpu_named
from pipeline.size.laws import LAWS
from pipeline.size.memory import Setup, Sharding, fewest_gpus
from pipeline.size.shape import KINDS, PRESETS, Kind
from pipeline.size.units import bytes_text, flops_text, hours_text, number_text

SMALLEST = 1000
"""Parameters or tokens below this lack their suffix: nobody plans a model of 1.3 parameters."""


def parser(prog: str = "python -m pipeline plan") -> argparse.ArgumentParser:
    """The command's arguments. Numbers may be written as 1.3e9, 1.3B, 569B tokens or 70M."""
    cli = Parser(prog=prog, description="Size a model: one dial in, the rest out.")
    names = {"presets": list(PRESETS), "gpu_names": list(GPUS), "laws": list(LAWS), "tasks": list(TASKS)}
    choices = {"kind": Kind, "precision": Precision, "sharding": Sharding, "checkpointing": Checkpointing}
    declare(cli, "plan", **names, **{name: get_args(kind) for name, kind in choices.items()})
    cli.add_argument("--json", action="store_true", help="print one JSON object")
    return cli


def main(argv: Sequence[str] | None = None, prog: str = "python -m pipeline plan") -> int:
    """Run the command; returns the exit code. Usage errors go to stderr in one sentence and give 2."""
    try:
        asked = parser(prog).parse_args(argv)
    except SystemExit as stop:  # argparse has already said why
        return int(stop.code or 0)
    try:
        answer = facts() if asked.facts else plan(_request(asked))
    except UsageError as error:
        print(f"plan: {error}", file=sys.stderr)
        return error.exit_code
    if asked.json:
        print(json.dumps(answer.to_json() if isinstance(answer, Plan) else answer))
    elif not isinstance(answer, Plan):
        show_facts(answer, Console())
    else:
        show(answer, Console())
        if asked.task:
            advice = advise(asked.task)
            print(f"- {asked.task}: {advice.architecture}, objective {advice.objective}: {advice.reason}")
    return 0


def _request(asked: argparse.Namespace) -> Request:
    def given(kind: type[Request] | type[Setup]) -> dict[str, Any]:
        values = {field.name: getattr(asked, field.name, None) for field in fields(kind)}
        return {name: value for name, value in values.items() if value is not None}

    request = Request(**given(Request), setup=Setup(**given(Setup)))
    if asked.task:
        request = replace(request, kind=KINDS[advise(asked.task).objective])
    if asked.petaflops_days is not None:
        if asked.flops is not None:
            raise UsageError("--flops and --petaflops-days are the same dial: give one of them")
        request = replace(request, flops=asked.petaflops_days * PETAFLOPS_DAY)
    for name in ("params", "tokens", "unique_tokens", "inference_tokens"):
        if (number := getattr(asked, name)) is not None and 0 < number < SMALLEST:
            hint = f"did you mean {number:g}B or {number:g}M?"
            raise UsageError(f"--{name.replace('_', '-')} {number:g}: expected a number from {SMALLEST:,}; {hint}")
    if asked.vocab < 1 or asked.sequence < 1 or asked.micro_batch < 1:
        raise UsageError("--vocab, --sequence and --micro-batch are at least 1")
    return request


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose first column is words and whose others are numbers; without columns, names and their values."""
    table = Table(title=title, show_header=bool(columns), title_justify="left")
    for at, name in enumerate(columns or ("", "")):
        table.add_column(
            name, justify="right" if at and columns else "left", style="bold" if not (at or columns) else ""
        )
    for row in rows:
        table.add_row(*row)
    return table


def show_facts(answer: dict[str, Any], console: Console) -> None:
    """Print the facts as tables in which every number has its unit."""
    parts = answer["fp32_gb_per_billion"]
    listed = " + ".join(f"{name} {size:g}" for name, size in parts.items() if name != "total")
    console.print(f"fp32 with Adam: {listed} = {parts['total']:g} GB per billion parameters", highlight=False)
    zero = ", ".join(f"{name} {size:.1f}" for name, size in answer["zero_gb_7_5b_on_64"].items())
    console.print(f"ZeRO, 7.5 billion parameters on 64 GPUs, GB each: {zero} (arXiv 1910.02054)", highlight=False)

    def memory(row: dict[str, Any], way: str) -> str:
        return f"{row[f'{way}_gb']:.1f} GB{'' if row[f'{way}_fits'] else ', out of memory'}"

    rows = [
        (f"{row['params'] / 1e9:.3g} billion", memory(row, "ddp"), memory(row, "full"))
        for row in answer["t5_ddp_and_fsdp"]
    ]
    title = f"T5 on {MEMBERS} {GPU.upper()} of 80 GB, fp32 states with Adam"
    console.print(_table(title, ("model", "DDP", "FSDP, full"), rows))
    lost = 1 - answer["tflops_per_gpu_of_512_against_8"]
    console.print(f"512 GPUs: {lost:.0%} less TFLOP/s on each than 8, T5-11B (arXiv 2304.11277)", highlight=False)
    rows = [
        (
            row["gpu"].upper(),
            f"{row['printed_tflops']:g}",
            str(row["whole"]),
            f"{row['peak_tflops']:g}",
            f"{row['at_peak']:.2f}",
        )
        for row in answer["gpus_for_a_petaflops_day"]
    ]
    columns = ("GPU", "printed TFLOP/s", "GPUs", "dense TFLOP/s", "GPUs ")
    console.print(_table("GPUs that make a petaFLOP/s-day in a day", columns, rows))
    days = ", ".join(f"{name} {value:,.0f}" for name, value in answer["petaflops_days"].items())
    console.print(f"petaFLOP/s-days: {days} (encoder-decoders 3ND, others 6ND)", highlight=False)
    run = answer["bloomberggpt"]
    console.print(
        f"BloombergGPT: {run['params'] / 1e9:g} billion parameters, {run['tokens'] / 1e9:g} billion tokens, "
        f"{run['steps']:,} steps of {run['batch_tokens'][0] / 1e6:.1f} to {run['batch_tokens'][1] / 1e6:.1f} million tokens "
        f"at {run['learning_rate']:g}, on {run['gpus']} {run['gpu']} at {run['tflops_per_gpu']} TFLOP/s; "
        f"a budget of {run['gpu_hours'] / 1e6:g} million GPU hours, trials included ({run['source']})",
        highlight=False,
    )
    rows = [(task, advice["architecture"], advice["objective"]) for task, advice in answer["tasks"].items()]
    console.print(_table("Objective by task", ("task", "architecture", "objective"), rows))


def show(answer: Plan, console: Console) -> None:
    """Print a plan as tables in which every number has its unit."""
    console.print(_answers(answer))
    console.print(_memory(answer))
    verdict = "fits" if answer.fit.fits else "does not fit"
    console.print(
        f"It {verdict}: {answer.fit.needed_gb:,.1f} GB with the driver, of {answer.fit.memory_gb:g} GB on each GPU. "
        f"Rule of 24 bytes a parameter at fp32: {answer.memory_rule_fp32_gb:,.1f} GB over all GPUs.",
        highlight=False,
    )
    console.print(_ways(answer))
    console.print(_where(answer))
    for note in answer.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def _answers(answer: Plan) -> Table:
    shape, training = answer.shape, answer.training
    loss = "no law was fitted at this size"
    if answer.loss is not None and answer.premium is not None:
        loss = f"{answer.loss:.4f} nats per token, {answer.premium:+.1%} FLOPs against the optimum ({answer.loss_law})"
    epochs = f"{answer.tokens_per_param:.1f} per parameter, {answer.epochs:.2f} epochs"
    attention = f"{flops_text(answer.flops_with_attention)} with attention as a full square, embeddings out"
    if answer.flops_packed:
        attention += f"; {flops_text(answer.flops_packed)} {PACKED_CONVENTION}"
    days = [
        f"{one.whole} {one.gpu.upper()} ({one.printed_tflops:g}"
        + ("" if one.printed_tflops == one.peak_tflops else f" printed, {one.peak_tflops:g} dense")
        + ")"
        for one in answer.equivalents
    ]
    per_day = f"one is a day of {' or '.join(days)} at that many peak TFLOP/s"
    heads = f"{shape.heads} heads of {shape.head_dim} ({shape.kv_heads} key-value)"
    count = f"vocabulary {shape.vocab:,} = {shape.params:,} parameters"
    steps = f"{training.steps:,} steps of {training.batch_tokens:,} tokens, warm-up {training.warmup_steps:,} steps"
    gpu_hours = f"{answer.gpu_hours:,.0f}" if answer.gpu_hours >= 100 else f"{answer.gpu_hours:.3g}"
    clock = f"{gpu_hours} GPU-hours = {hours_text(answer.hours)} on {answer.gpus} {answer.gpu}"
    rows = {
        "parameters": f"{number_text(answer.params)} ({answer.params:,})",
        "tokens": f"{number_text(answer.tokens)} tokens, {epochs}",
        "compute": f"{flops_text(answer.flops)} ({answer.counting}); {attention}",
        "petaFLOP/s-days": f"{number_text(answer.petaflops_days)} (8.64e19 FLOPs each); {per_day}",
        "loss": loss,
        "shape": f"{shape.layers} layers x {shape.hidden} wide, {heads}, feed-forward {shape.ffn}, {count}",
        "training": f"{steps}, samples of {training.sequence_length:,}, learning rate {training.learning_rate:.2g}",
        "time": f"{clock} at MFU {answer.mfu:.2f} of {answer.peak_tflops:g} TFLOP/s ({answer.mfu_convention})",
        "energy": f"{answer.energy_kwh:,.4g} kWh at board power, cooling and hosts apart",
    }
    if answer.cost is not None:
        rows["cost"] = (
            f"{answer.cost:{',.0f' if answer.cost >= 100 else '.2f'}} US dollars at {answer.price_per_gpu_hour:g} a GPU-hour"
        )
    crawls = []
    for crawl in answer.raw_crawl:
        share = f"{answer.domain_share:.0%} domain at a keep rate of {crawl.keep_rate:.2%}"
        crawls.append(("raw crawl to collect", f"{number_text(crawl.raw_tokens)} raw tokens for {share}"))
    return _table(f"Plan by {answer.law} ({answer.law_source})", (), [*rows.items(), *crawls])


def _memory(answer: Plan) -> Table:
    memory = answer.memory
    rows = {
        "weights": memory.weights,
        "copies at work": memory.copies,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": memory.activations,
        "logits and their gradients": memory.transient,
        "peak of a step": memory.peak,
        "start": memory.start,
        "export": memory.export,
    }
    if memory.host:
        rows["host memory"] = memory.host
    title = f"Memory of one {answer.gpu}, {answer.fit.sharding} over {answer.gpus} GPUs"
    return _table(title, ("part", "memory"), [(name, bytes_text(value)) for name, value in rows.items()])


def _ways(answer: Plan) -> Table:
    title = f"The same step by sharding, on {answer.strategies[0].gpus} {answer.gpu}"
    rows = [
        (way.sharding, f"{way.needed_gb:,.1f} GB", "yes" if way.fits else "no, out of memory")
        for way in answer.strategies
    ]
    return _table(title, ("sharding", "needed each", "fits"), rows)


def _where(answer: Plan) -> Table:
    rows = []
    for name in ("l4", "rtx-4090", "l40s", "a100-40gb", "a100", "h100", "h200", "b200"):
        fit = fewest_gpus(answer.shape, Setup(sequence=answer.training.sequence_length), gpu_named(name))
        count = str(fit.gpus) if fit.fits else f"over {fit.gpus}"
        rows.append((name, count, f"{fit.needed_gb:,.1f} GB", f"{fit.memory_gb:g} GB"))
    title = "Fewest GPUs that hold it (full sharding, powers of two)"
    return _table(title, ("GPU", "GPUs", "needed each", "has each"), rows)
