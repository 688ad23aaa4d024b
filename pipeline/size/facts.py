"""The facts a plan rests on, computed and printed: memory by rule and by sharding, and what a petaFLOP/s-day is."""

from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.size.advise import TASKS, scaling_efficiency
from pipeline.size.flops import PETAFLOPS_DAY, petaflops_days, petaflops_equivalent, training_flops
from pipeline.size.gpus import gpu_named
from pipeline.size.memory import rule_fp32, t5_under_ddp_and_fsdp, zero_paper_gb

EQUIVALENTS = ("v100", "a100", "h100", "h200")
GPU = "a100"
MEMBERS = 8


def facts() -> dict[str, Any]:
    """Every fact as JSON values."""
    billion = rule_fp32(1e9)
    return {
        "fp32_gb_per_billion": {name: size / 1e9 for name, size in billion.items()},
        "zero_gb_7_5b_on_64": zero_paper_gb(7.5e9, 64),
        "t5_ddp_and_fsdp": t5_under_ddp_and_fsdp(gpu_named(GPU), MEMBERS),
        "tflops_per_gpu_of_512_against_8": scaling_efficiency(512),
        "petaflops_day_flops": PETAFLOPS_DAY,
        "gpus_for_a_petaflops_day": [petaflops_equivalent(gpu_named(name))._asdict() for name in EQUIVALENTS],
        "petaflops_days": {
            "T5-3B": petaflops_days(training_flops(3e9, 1e12, "encoder_decoder")),
            "GPT-3": petaflops_days(training_flops(174.6e9, 300e9)),
        },
        "tasks": {task: advice._asdict() for task, advice in TASKS.items()},
    }


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for at, name in enumerate(columns):
        table.add_column(name, justify="left" if at == 0 else "right")
    return table


def show_facts(found: dict[str, Any], console: Console) -> None:
    """The facts as tables in which every number has its unit."""
    parts = found["fp32_gb_per_billion"]
    listed = " + ".join(f"{name} {size:g}" for name, size in parts.items() if name != "total")
    console.print(f"fp32 with Adam: {listed} = {parts['total']:g} GB per billion parameters", highlight=False)
    zero = ", ".join(f"{name} {size:.1f}" for name, size in found["zero_gb_7_5b_on_64"].items())
    console.print(f"ZeRO, 7.5 billion parameters on 64 GPUs, GB each: {zero} (arXiv 1910.02054)", highlight=False)
    table = _table(f"T5 on {MEMBERS} {GPU.upper()} of 80 GB, fp32 states with Adam", "model", "DDP", "FSDP, full")
    for row in found["t5_ddp_and_fsdp"]:
        ways = [
            f"{row[f'{way}_gb']:.1f} GB{'' if row[f'{way}_fits'] else ', out of memory'}" for way in ("ddp", "full")
        ]
        table.add_row(f"{row['params'] / 1e9:.3g} billion", *ways)
    console.print(table)
    lost = 1 - found["tflops_per_gpu_of_512_against_8"]
    console.print(f"512 GPUs: {lost:.0%} less TFLOP/s on each than 8, T5-11B (arXiv 2304.11277)", highlight=False)
    table = _table(
        "GPUs that make a petaFLOP/s-day in a day", "GPU", "printed TFLOP/s", "GPUs", "dense TFLOP/s", "GPUs "
    )
    for one in found["gpus_for_a_petaflops_day"]:
        dense = f"{one['at_peak']:.2f}"
        table.add_row(
            one["gpu"].upper(), f"{one['printed_tflops']:g}", str(one["whole"]), f"{one['peak_tflops']:g}", dense
        )
    console.print(table)
    days = ", ".join(f"{name} {value:,.0f}" for name, value in found["petaflops_days"].items())
    console.print(f"petaFLOP/s-days: {days} (encoder-decoders 3ND, others 6ND)", highlight=False)
    table = _table("Objective by task", "task", "architecture", "objective")
    for task, advice in found["tasks"].items():
        table.add_row(task, advice["architecture"], advice["objective"])
    console.print(table)
