"""Settings of `select:`, the dial: how much of the corpus to keep, the best first."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.core.settings import Settings


class SelectSettings(Settings):
    """Keep the best documents up to a share, or a number, of tokens. It comes last: after rules, duplicates and cuts.

    Tokens are pre-tokens here, as in `tokens.kept_of_raw` of the result: no vocabulary is trained yet.
    """

    keep: float | None = Field(default=None, gt=0, le=1)
    """Share of `of` that is to be published, as 0.02."""
    of: Literal["raw_tokens", "extracted_tokens"] = "raw_tokens"
    """What `keep` is a share of: all words of the raw input, or of the text extracted."""
    keep_tokens: PositiveInt | None = None
    """Instead of `keep`: so many tokens in all."""
    per: Literal["source", "role", "language"] | None = None
    """Keep the same share of each source, role or language; without it the best of all together."""
    by: str = Field(default="quality.score", pattern=r"^\w+\.\w+$")
    """The signal to go by, highest first: JUDGE.COLUMN. The judge `quality` is added where the recipe has none."""
    exempt: list[str] = []
    """Sources that are kept as they are; `keep` is of the others, as filings beside a crawl."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.keep is None) == (self.keep_tokens is None):
            raise ValueError("give keep or keep_tokens, one of them")
        return self

    @property
    def judge(self) -> str:
        """The judge whose signal it goes by."""
        return self.by.partition(".")[0]

    @property
    def column(self) -> str:
        """The column of that judge."""
        return self.by.partition(".")[2]
