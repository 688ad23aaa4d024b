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
    verify_jaccard: float | None = Field(default=None, gt=0, le=1)
    """Join a candidate pair only when its true Jaccard similarity reaches this; null: every shared band key joins."""
    index: tuple[str, ...] = ()
    """Run folders of earlier, finished runs: their documents take part in the clusters, and one that was kept is its
    cluster's survivor. A run that was itself deduplicated against others brings these along."""
    verify_limit: int = Field(default=64, ge=2)
    """Pairs are compared in groups of up to so many different texts that share a band key; larger groups join as they
    are, so that the work stays linear."""


class SurvivorSettings(Settings):
    """Which document of a cluster stays: the best-ranked of those that pass every filter."""

    order: tuple[RankBy, ...] = ("priority", "quality", "length", "date")
    """First difference decides: source priority (higher wins), quality score (higher), length of the text (longer),
    date (`date`: the earlier, `newest`: the later; a missing date comes last). The id (smaller) breaks the last tie."""
