"""Gates: what turns a finished run into exit code 1."""

from typing import Literal

from pydantic import Field

from pipeline.audit.bias import BiasGate
from pipeline.core.settings import Settings

Mode = Literal["report", "gate"]


class GateSettings(Settings):
    """Which audits may fail a run. Toxicity's bias ratio gates by default; everything else reports."""

    bias_stages: list[str] = Field(default=["toxicity"], description="judges whose bias table is a gate")
    bias: BiasGate = Field(default=BiasGate(), description="when a row of the bias table warns and fails")
    mix: Mode = Field(default="report", description="gate: fail when the mix misses its shares by more than 0.5 points")
    kept_share: tuple[float, float] | None = Field(
        default=None, description="fail when kept / extracted pre-tokens lies outside these bounds"
    )
