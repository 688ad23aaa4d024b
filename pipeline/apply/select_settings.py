"""Settings of `select:`, the dial: how much of the corpus to keep, the best first."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.apply.select_search import read_selection
from pipeline.core.settings import Settings


class ProxySettings(Settings):
    """The proxies that `select.search` trains."""

    steps: int = Field(default=100, ge=1)
    """Steps of each."""
    seeds: int = Field(default=3, ge=2)
    """Runs of each share: how far they differ is what chance does."""
    set: list[str] = []
    """Their settings, as `["model.hidden_size=128"]`."""


class SelectSettings(Settings):
    """Keep the best documents up to a share, or a number, of tokens. It comes last: after rules, duplicates and cuts.

    Tokens are pre-tokens here, as in `tokens.kept_of_raw` of the result: no vocabulary is trained yet.
    """

    keep: float | None = Field(default=None, gt=0, le=1)
    """Share of `of` that is to be published, as 0.02."""
    of: Literal["raw_tokens", "extracted_tokens", "kept_tokens"] = "raw_tokens"
    """What `keep` is a share of: all words of the raw input, of the text extracted, or of what rules, duplicates and
    cuts leave."""
    keep_tokens: PositiveInt | None = None
    """Instead of `keep`: so many tokens in all."""
    per: Literal["source", "role", "language"] | None = None
    """Keep the same share of each source, role or language; without it the best of all together."""
    by: str = Field(default="quality.score", pattern=r"^\w+\.\w+$")
    """The signal to go by, highest first: JUDGE.COLUMN. The judge `quality` is added where the recipe has none."""
    exempt: list[str] = []
    """Sources that are kept as they are; `keep` is of the others, as filings beside a crawl."""

    where: str | None = Field(default=None, pattern=r"\S")
    """Keep only documents for which this holds, in the words of `inspect --sql`: "source <> 'crawl' or pii_num_phone = 0".
    Before the share is taken, and by itself too."""
    buckets: int | None = Field(default=None, ge=2, le=100)
    """Store with each document it keeps its bucket by score, the best in the last: 5 makes fifths of the words. The mix can weigh
    and repeat them (`mix.buckets`), and each is a source of its own in the hand-off. Without `keep`, of all that rules leave."""
    search: str | list[float] | None = None
    """Shares of kept_tokens, as [0.01, 0.1]: proxies train on each in the run, and the best is kept, or all where it gains no
    more than chance. Or a `selection.json` of `python -m recipes.pretrain.selection`, for what it found."""
    proxies: ProxySettings = ProxySettings()

    @model_validator(mode="before")
    @classmethod
    def _searched(cls, given: Any) -> Any:
        """What a search found in place of `keep`, so that all who read the settings see one share."""
        if isinstance(given, dict) and given.get("buckets") and not set(given) & {"keep", "keep_tokens", "search"}:
            return {**given, "keep": 1.0, "of": "kept_tokens"}
        if not isinstance(given, dict) or given.get("search") is None:
            return given
        shares = given["search"]
        if not isinstance(shares, str) or not shares:
            numbers = isinstance(shares, list) and all(type(one) in (int, float) and 0 < one < 1 for one in shares)
            if not numbers or not shares:
                raise ValueError("search takes shares between 0 and 1, as [0.01, 0.1], or the name of a selection.json")
        if set(given) & {"keep", "keep_tokens", "of"} and not {**given, "keep": 1.0, "of": "kept_tokens"} == given:
            raise ValueError("search says how much to keep: leave out keep, keep_tokens and of")
        if not isinstance(given["search"], str):
            return {**given, "keep": 1.0, "of": "kept_tokens"}
        found = read_selection(given["search"])
        return {"exempt": found.exempt, **given, "keep": found.share, "of": "kept_tokens"}

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if self.keep is not None and self.keep_tokens is not None:
            raise ValueError("give keep or keep_tokens, one of them")
        if not self.ranks and self.where is None:
            raise ValueError("give keep or keep_tokens, one of them, or where")
        return self

    @property
    def ranks(self) -> bool:
        """Whether documents are put in the order of a score."""
        return self.keep is not None or self.keep_tokens is not None

    @property
    def judge(self) -> str:
        """The judge whose signal it goes by."""
        return self.by.partition(".")[0]

    @property
    def column(self) -> str:
        """The column of that judge."""
        return self.by.partition(".")[2]
