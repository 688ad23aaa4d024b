"""Gates: what turns a finished run into exit code 1."""

from typing import Literal

from pydantic import Field

from pipeline.core.settings import Settings

Mode = Literal["report", "gate"]


class GateSettings(Settings):
    """Which audits may fail a run. Toxicity's bias ratio gates by default; everything else reports."""

    bias_stages: list[str] = Field(["toxicity"], description="judges whose bias table is a gate")
    bias_ratio: float = Field(0.8, gt=0, le=1, description="fail when the upper Wilson bound of a ratio is below this")
    min_documents: int = Field(30, ge=1, description="identity terms in fewer documents are reported, never judged")
    mix: Mode = Field("report", description="fail when the mix misses its shares by more than 0.5 points")
    kept_share: tuple[float, float] | None = Field(None, description="bounds on kept / extracted tokens that gate")
