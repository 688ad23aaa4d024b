"""`mixture.json`: what the proxy runs of `recipes.pretrain.mixture` found, read and checked for a recipe's `mix.search`."""

from pydantic import Field

from pipeline.size.mixture import FEWEST_RUNS, FORMAT_VERSION, fit_curve
from pipeline.size.search_file import SearchPart, read_search_file


class ProxyRun(SearchPart):
    """One proxy: its domain share and the held-out loss of each role."""

    share: float = Field(gt=0, lt=1)
    losses: dict[str, float]
    tokens: int = Field(ge=0)


class BestShare(SearchPart):
    """The share with the least weighted loss, and where 90 % of the bootstrap puts it."""

    share: float = Field(gt=0, lt=1)
    low: float
    high: float
    at_border: bool


class SourceSearch(SearchPart):
    """The same for one source: shares are those of its role's tokens."""

    role: str
    runs: list[ProxyRun] = Field(min_length=FEWEST_RUNS)
    best: BestShare


class MixtureSearch(SearchPart):
    """A finished search."""

    format_version: int
    unit: str
    weights: dict[str, float]
    target_tokens: int
    runs: list[ProxyRun] = Field(min_length=FEWEST_RUNS)
    best: BestShare
    within: dict[str, SourceSearch] = {}
    tokenizer_sha256: str = ""

    @property
    def share(self) -> float:
        """The best domain share."""
        return self.best.share

    @property
    def tried(self) -> tuple[float, float]:
        """The smallest and the largest share that was run."""
        shares = [run.share for run in self.runs]
        return min(shares), max(shares)

    @property
    def within_shares(self) -> dict[str, float]:
        """Best shares of single sources within their roles."""
        return {name: found.best.share for name, found in sorted(self.within.items())}

    def evidence(self, tokenizer_sha256: str = "") -> list[str]:
        """Sentences for the terminal and the report: the share, the proxies, the fitted losses, and what to beware of."""
        low, high = self.tried
        best = self.best
        said = [
            f"the domain share {best.share:.1%} comes from a mixture search: 90 % of its bootstrap lies between "
            f"{best.low:.1%} and {best.high:.1%}",
            f"{len(self.runs)} proxies of {self.runs[0].tokens:,} tokens, {low:.0%} to {high:.0%} domain, text repeated "
            f"as in a run of {self.target_tokens:,} tokens; held-out losses weigh "
            + " and ".join(f"{role} {weight:.0%}" for role, weight in sorted(self.weights.items())),
        ]
        for role in sorted(self.runs[0].losses):
            curve = fit_curve([run.share for run in self.runs], [run.losses[role] for run in self.runs])
            ends = f"{curve(low):.4f} at {low:.0%} to {curve(high):.4f} at {high:.0%}"
            said.append(f"{role}: {curve(best.share):.4f} {self.unit} at the best share; {ends}")
        if best.at_border:
            said.append(
                "the best share is the edge of what was tried: the optimum may lie beyond; search there as well"
            )
        for name, found in sorted(self.within.items()):
            edge = "; it is the edge of what was tried" if found.best.at_border else ""
            said.append(
                f"{name} gets {found.best.share:.1%} of the {found.role} text by {len(found.runs)} proxies of its own: "
                f"90 % of the bootstrap lies between {found.best.low:.1%} and {found.best.high:.1%}{edge}"
            )
        if tokenizer_sha256 and self.tokenizer_sha256 and tokenizer_sha256 != self.tokenizer_sha256:
            said.append("the proxies ran with another tokenizer than this corpus has: search again to be sure")
        return said


def read_search(path: str) -> MixtureSearch:
    """A search from its file. ValueError in one sentence when it is missing, damaged, or says more than was tried."""
    found = read_search_file(path, MixtureSearch, FORMAT_VERSION, "recipes.pretrain.mixture")
    for what, one in (("domain", found), *((name, one) for name, one in found.within.items())):
        tried = [run.share for run in one.runs]
        if not min(tried) <= one.best.share <= max(tried):
            raise ValueError(
                f"search: {path} names a {what} share of {one.best.share:.1%}, and {min(tried):.0%} to {max(tried):.0%} "
                "were tried: the law does not extrapolate"
            )
    return found
