"""What the recipe says about clusters and survivors."""

from typing import Literal

from pydantic import Field

from pipeline.core.settings import Settings

RankBy = Literal["priority", "quality", "length", "date", "newest"]


class ClusterSettings(Settings):
    """Which edges join documents into a cluster."""

    exact: bool = True
    """Join documents whose normalised texts are the same."""
    near: bool = True
    """Join documents that share a MinHash band key."""
    url: bool = False
    """Join documents whose normalised URLs are the same. Off by default: parts split from one file share its URL."""
    min_similarity: float | None = Field(default=0.7, gt=0, le=1)
    """Remove a near-copy only when its text reaches this against the survivor that is named: the Jaccard similarity of both,
    or the share of it that the survivor holds. Null: one document stays of every chain of shared band keys, as in datatrove."""
    contained: bool = True
    """Look for documents that are a part of another one, too."""
    min_contained: int = Field(default=50, ge=1)
    """Word n-grams that such a part has at least."""
    min_added: int = Field(default=30, ge=1)
    """A part that is not held almost whole stays when it adds a passage of so many word n-grams, without boilerplate."""
    boilerplate: int | None = Field(default=8, ge=2)
    """Word n-grams in so many documents that otherwise differ (covers, notices, templates) count towards no similarity of
    documents that have text of their own. Null: all count."""
    index: tuple[str, ...] = ()
    """Run folders of earlier, finished runs: their documents take part in the clusters, and one that was kept is its
    cluster's survivor. A run that was itself deduplicated against others brings these along."""
    compare_up_to: int = Field(default=16, ge=2)
    """Of so many different texts that share a band key every two are compared; of more, all with the longest few."""


class SurvivorSettings(Settings):
    """Which document of a cluster stays: the best-ranked of those that pass every filter."""

    order: tuple[RankBy, ...] = ("priority", "quality", "length", "date")
    """First difference decides: source priority (higher wins), quality score (higher), length of the text (longer),
    date (`date`: the earlier, `newest`: the later; a missing date comes last). The id (smaller) breaks the last tie."""
