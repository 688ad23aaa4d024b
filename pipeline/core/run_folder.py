"""What every step is given, and how steps find each other's files."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.core.execute import Runner
from pipeline.core.ledger import Commit
from pipeline.core.store import FileInfo, Store

if TYPE_CHECKING:
    from pipeline.cluster.index_file import IndexFile
    from pipeline.recipe.model import RecipeBase

Commits = dict[str, Commit]


@dataclass
class Run:
    """One run: its recipe, where it writes, and the commits of the steps done so far."""

    recipe: "RecipeBase"
    store: Store
    runner: Runner
    done: dict[str, Commits] = field(default_factory=dict)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Arguments of a step's units by name, where a later step reads the same files."""
    indexes: "list[IndexFile]" = field(default_factory=list)
    """Index files of the earlier runs that this one is deduplicated against."""
    notes: list[str] = field(default_factory=list)
    """Plain statements for the user, such as an optional source that was skipped."""

    def keep(self, step: str, commits: Commits) -> Commits:
        """Remember a step's commits for the steps after it."""
        self.done[step] = commits
        return commits

    def file(self, step: str, unit: str, name: str = "table") -> FileInfo:
        """A committed file of an earlier step."""
        return self.done[step][unit].files[name]

    @property
    def shards(self) -> list[str]:
        """Names of the document shards, in order."""
        return list(self.done["extract"])


def signal_unit(judge: str, shard: str) -> str:
    """The unit of the measure step that holds one judge's signals for one shard."""
    return f"{judge}/{shard}"


def paths(files: dict[str, FileInfo]) -> dict[str, Any]:
    """Paths by name, for a unit's arguments."""
    return {name: info.path for name, info in files.items()}
