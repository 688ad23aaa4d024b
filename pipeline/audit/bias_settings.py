"""What the bias audit allows, and what the run does when a filter removes some people's documents more than others'."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.core.settings import Settings

Action = Literal["report", "gate", "rebalance"]
Means = Literal["readmit", "threshold"]


class BiasGate(Settings):
    """When a row of the bias table warns and fails. Compared with the upper end of the 95 % interval."""

    fail_below: float = Field(default=0.80, gt=0, le=1)
    """Four fifths, as 29 CFR 1607.4 D has it."""
    warn_below: float = Field(default=0.90, gt=0, le=1)
    """A row between the two warns."""
    min_documents: int = Field(default=10, ge=1)
    """Terms in fewer documents, or with fewer documents of other terms of their axis, are listed but not judged."""

    @model_validator(mode="after")
    def _ordered(self) -> "BiasGate":
        if self.warn_below < self.fail_below:
            raise ValueError(f"warn_below {self.warn_below} is under fail_below {self.fail_below}")
        return self


class BiasSettings(BiasGate):
    """The audit of who was removed. Every removing stage is measured; `stages` are those that may fail a run or be corrected."""

    action: Action = "gate"
    """`report`: list only; `gate`: exit code 1 for a failing row; `rebalance`: correct the decision until no row fails."""
    stages: list[str] = ["toxicity"]
    """Judges whose failing rows fail the run, or are corrected by rebalance."""
    rebalance: Means = "readmit"
    """`readmit`: removed documents of the harmed group that are not toxic come back, those nearest to the bound first;
    `threshold`: the stage's bounds are loosened for everyone."""
    toxic_above: float = Field(default=0.75, ge=0, le=1)
    """Documents with a higher toxicity.score are never readmitted: between the recipes' bound (0.65) and 0.85, where
    one sentence at a group of people decides a short text."""
    max_lift: float = Field(default=1.25, gt=1)
    """A term's share of documents may grow or shrink by this factor."""
    max_flip_share: float = Field(default=0.01, ge=0, le=1)
    """Largest share of verdicts on non-toxic texts that may change when another identity is named."""
    sample_documents: int = Field(default=200, ge=0)
    """Number of kept, and of removed, documents whose text is checked for flips."""
