"""Settings of the judges that are trained in the run: what is positive, what is negative, or which weights to load."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from pipeline.core.settings import DecidedBy, JudgeSettings, Settings, Threshold


class Selection(Settings):
    """Documents of the run chosen by source, role or host (any one of the three is enough), and documents of files.

    >>> Selection(hosts=["*.sec.gov"]).names("crawl", "auto", "www.sec.gov")
    True
    """

    sources: list[str] = []
    """Names of sources of the set in use."""
    roles: list[Literal["domain", "general", "auto"]] = []
    """Roles as sources and hosts give them; auto: not given yet."""
    hosts: list[str] = []
    """Globs of hosts."""
    files: list[str] = []
    """Paths, folders or globs, any fsspec URL: text to learn from that is not in the corpus."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.sources or self.roles or self.hosts or self.files):
            raise ValueError("selects nothing: give sources, roles, hosts or files")
        return self

    def names(self, source: str, role: str, host: str) -> bool:
        """Whether a document of this source, role and host is selected."""
        return (
            source in self.sources
            or role in self.roles
            or any(fnmatchcase(host, pattern.lower()) for pattern in self.hosts)
        )


class Pinned(Settings):
    """A file by its path and its checksum: anything but these bytes is an error."""

    path: str = Field(min_length=1)
    """Any fsspec URL."""
    sha256: str
    """64 hex digits."""

    @field_validator("sha256")
    @classmethod
    def _is_digest(cls, value: str) -> str:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            raise ValueError("must be the 64 hex digits of the file's sha256")
        return value.lower()


class FastText(Pinned):
    """A fastText `.bin` on local disk, scored through fasttext-predict."""

    label: str = Field(min_length=1)
    """Label whose probability is the score, such as __label__hq."""


class ClassifierSettings(JudgeSettings):
    """Base of the judges that are trained from documents of the run, or load weights."""

    positives: Selection | None = None
    """Documents that score towards 1."""
    negatives: Selection | None = None
    """Documents that score towards 0."""
    hard_negatives: dict[str, Selection] = {}
    """Named groups of further negatives that look like positives; each is reported on its own."""
    weights: Pinned | None = None
    """Load these weights instead of training."""
    fasttext: FastText | None = None
    """Score with this fastText model instead of training."""
    method: Literal["logistic", "dsir"] = "logistic"
    """Logistic regression, or the log ratio of n-gram frequencies (DSIR)."""
    max_documents: PositiveInt = 10_000
    """Documents sampled for each side."""
    everyday: float = Field(default=0.0, ge=0, le=1)
    """Everyday talk written here, as negatives: so many for each other one (`pipeline.classify.everyday`)."""
    shuffled: float = Field(default=0.0, ge=0, le=1)
    """Share of positives that are added as hard negatives with their words shuffled."""
    min_score: Threshold = None
    """Remove documents below this score; sources in `exempt` are spared."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        ways = [bool(self.positives or self.negatives), self.weights is not None, self.fasttext is not None]
        if sum(ways) > 1:
            raise ValueError("positives and negatives, weights and fasttext exclude each other: give one of them")
        if (self.positives is None) != (self.negatives is None):
            raise ValueError("training needs both positives and negatives")
        if self.hard_negatives and self.positives is None:
            raise ValueError("hard_negatives need positives and negatives")
        return self

    @property
    def sides(self) -> dict[str, Selection]:
        """The selections to learn from, by name: "negatives", "positives", then the groups of hard negatives."""
        if self.positives is None or self.negatives is None:
            return {}
        return {"negatives": self.negatives, "positives": self.positives, **self.hard_negatives}

    @property
    def bound(self) -> tuple[str, float | None]:
        """Name and value of the setting that verdicts or roles follow; the value is None when no verdict does."""
        return "min_score", self.min_score

    @property
    def has_origin(self) -> bool:
        """Whether the settings say where the model comes from."""
        return bool(self.positives or self.weights or self.fasttext)

    @property
    def needs_origin(self) -> bool:
        """Whether there is no score without a model."""
        return True

    def libraries(self) -> list[str]:
        """fastText's reader, where it is used."""
        return ["fasttext-predict"] if self.fasttext else []

    def learned(self) -> dict[str, Any]:
        """The settings that the model depends on: no threshold, and of pinned files only the checksum."""
        found = self.measured()
        for name in ("weights", "fasttext"):
            if found[name]:
                found[name] = {key: value for key, value in found[name].items() if key != "path"}
        return found


class DomainSettings(ClassifierSettings):
    """Text of the domain against other text: role `auto` follows its score."""

    everyday: float = Field(default=0.15, ge=0, le=1)
    """Everyday talk written here, as negatives: so many for each other one (`pipeline.classify.everyday`)."""
    role_score: Annotated[float, DecidedBy()] = Field(default=0.5, ge=0, le=1)
    """Documents of role auto that score at least this are domain."""

    @property
    def bound(self) -> tuple[str, float | None]:
        """`min_score` when it is set, else `role_score`."""
        return ("role_score", self.role_score) if self.min_score is None else ("min_score", self.min_score)


class ViewShares(Settings):
    """How much each view counts in the score of quality: their ranks among raw text, weighed by these numbers."""

    reference: float = Field(default=1.0, ge=0)
    """How much it reads like the positives (learned in the run)."""
    informative: float = Field(default=2.0, ge=0)
    """How much it informs (shipped weights, English)."""
    domain: float = Field(default=0.0, ge=0)
    """How much it reads like text of role domain rather than general: the log ratio of their n-grams."""

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if not self.reference + self.informative + self.domain:
            raise ValueError("every view counts nothing: give one of them a number above 0")
        return self


class QualitySettings(ClassifierSettings):
    """The best of a crawl first: three views of quality, combined by rank; the better copy of near-duplicates stays."""

    views: ViewShares = ViewShares()
    """How much each view counts in `score`."""
    shuffled: float = Field(default=0.25, ge=0, le=1)
    """Share of positives that are added as hard negatives with their words shuffled."""

    @property
    def needs_origin(self) -> bool:
        """The informative view is shipped: without a model the score is that view alone."""
        return False
