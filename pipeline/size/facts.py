"""The facts a plan rests on, computed: memory by rule and by sharding, and what a petaFLOP/s-day is."""

from typing import Any

from pipeline.size.advise import TASKS, scaling_efficiency
from pipeline.size.flops import PETAFLOPS_DAY, petaflops_days, petaflops_equivalent, training_flops
from pipeline.size.gpus import gpu_named
from pipeline.size.memory import rule_fp32, t5_under_ddp_and_fsdp, zero_paper_gb
from pipeline.size.published import BLOOMBERGGPT

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
        "gpus_for_a_petaflops_day": [vars(petaflops_equivalent(gpu_named(name))) for name in EQUIVALENTS],
        "petaflops_days": {
            "T5-3B": petaflops_days(training_flops(3e9, 1e12, "encoder_decoder")),
            "GPT-3": petaflops_days(training_flops(174.6e9, 300e9)),
        },
        "bloomberggpt": BLOOMBERGGPT,
        "tasks": {task: advice._asdict() for task, advice in TASKS.items()},
    }
