"""Gates: what turns a finished run into exit code 1."""

from typing import Literal

from pydantic import Field

from pipeline.core.settings import Settings

Mode = Literal["report", "gate"]


class GateSettings(Settings):
    """Which measures of the whole run may fail it. What the filters did to whom has its own section, `bias`."""

    mix: Mode = "report"
    """`gate`: fail when the mix misses its shares by more than 0.5 points."""
    max_unread_frac: float | None = Field(default=0.02, ge=0, le=1)
    """Fail when more than this share of the sources' bytes, excluded files left out, is in files that could not be
    read."""
    kept_share: tuple[float, float] | None = None
    """Fail when kept / extracted pre-tokens lies outside these bounds."""
