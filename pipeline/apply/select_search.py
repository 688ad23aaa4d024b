"""`selection.json`: what the proxies of `recipes.pretrain.selection` found, read and checked for a recipe's `select.search`."""

from pydantic import Field

from pipeline.core.run_folder import RunFolder
from pipeline.core.steps import Step
from pipeline.size.search_file import SELECTION_VERSION, SearchPart, read_search_file


class ProxyRun(SearchPart):
    """One proxy: the share it kept, and the held-out loss of each role; null where its text was too little to measure."""

    share: float = Field(gt=0, le=1)
    seed: int
    losses: dict[str, float] | None
    tokens: int = Field(ge=0)


class Best(SearchPart):
    """The share with the least mean loss, what it gains on everything, and how far seeds differ."""

    share: float = Field(gt=0, le=1)
    gain: float
    spread: float = Field(ge=0)
    beyond_spread: bool


class SelectionSearch(SearchPart):
    """A finished search."""

    format_version: int
    unit: str
    target_tokens: int
    runs: list[ProxyRun] = Field(min_length=2)
    best: Best
    exempt: list[str] = []

    @property
    def share(self) -> float:
        """The share to keep: the best, or everything where its gain may be chance."""
        return self.best.share if self.best.beyond_spread else 1.0

    def evidence(self) -> str:
        """What the search says, for terminal and report."""
        by_share: dict[float, list[float]] = {}
        for run in self.runs:
            by_share.setdefault(run.share, []).extend(
                [sum(run.losses.values()) / len(run.losses)] if run.losses else []
            )
        said = ", ".join(
            f"{share:g}: {sum(own) / len(own):.4f}" if own else f"{share:g}: not measured"
            for share, own in sorted(by_share.items())
        )
        verdict = (
            f"the best, {self.best.share:g}, gains {self.best.gain:.4f} and is kept"
            if self.best.beyond_spread
            else "warning: no share gains more than chance on everything, so everything is kept"
        )
        return (
            f"select.search: proxies of {self.runs[0].tokens:,} tokens for a run of {self.target_tokens:,}, {self.unit} by share "
            f"kept: {said}; seeds differ by {self.best.spread:.4f}: {verdict}"
        )


def found_by(run: RunFolder, search: str | list[float] | None) -> SelectionSearch | None:
    """What the search that a recipe names found; None without one, and before the run's own is done."""
    if isinstance(search, list):
        return (
            read_selection(run.store.locate(run.file(Step.SEARCH, name="selection").path))
            if run.has(Step.SEARCH)
            else None
        )
    return read_selection(search) if search else None


def read_selection(path: str) -> SelectionSearch:
    """A search from its file. ValueError in one sentence when it is missing or damaged."""
    return read_search_file(path, SelectionSearch, SELECTION_VERSION, "recipes.pretrain.selection")
