"""Which checkpoints of a training run had documents in their data, from the order in which samples are drawn.

The order is a pure function of the hand-off and the number of samples consumed (pipeline.handoff.order), so a document's
place in the token shards says when its turn came.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipeline.core.ledger import Commit
from pipeline.core.store import Store
from pipeline.handoff.order import keys, unpermute
from pipeline.handoff.phases import PhasedTurns
from pipeline.handoff.windows import Window
from pipeline.publish.export import exported
from pipeline.tokens.shards import SPLITS


@dataclass(frozen=True)
class Place:
    """Where a document's tokens lie: source of the hand-off, and token range in that source's train stream."""

    document: str
    source: str
    start: int
    stop: int


@dataclass(frozen=True)
class Exposure:
    """One checkpoint. `held`: True or False where the order tells, None where it cannot (other data, older format)."""

    path: str
    step: int
    consumed: int
    held: bool | None
    documents: list[str]
    why: str


def places(store: Store, shards: dict[str, Commit], ids: set[str], manifest: dict[str, Any]) -> list[Place]:
    """Token ranges of documents in the train streams that the manifest describes."""
    found = []
    for source in manifest["sources"]:
        base = 0
        by_path = {exported(commit.files[f"{SPLITS[0]}.ds"].path): commit for commit in shards.values()}
        for shard in source["splits"].get(SPLITS[0], []):
            commit = by_path.get(shard["path"])
            if commit is not None:
                counts = store.read_table(commit.files["counts"].path)
                train = counts.filter(pc.equal(counts["split"], SPLITS[0]))
                ends = np.cumsum(train["num_tokens"].to_numpy() + 1)  # the end-of-text token follows every document
                for row, own in enumerate(train["id"].to_pylist()):
                    if own in ids:
                        start = int(ends[row - 1]) if row else 0
                        found.append(Place(own, source["name"], base + start, base + int(ends[row])))
            base += shard["num_tokens"]
    return found


def checkpoints(store: Store, manifest: dict[str, Any], folder: str, found: list[Place]) -> list[Exposure]:
    """Every complete checkpoint under the training folder, oldest first."""
    listed = []
    for path in store.list(f"{folder}/checkpoints"):
        if not path.endswith("/complete.json"):
            continue
        base = path.rpartition("/")[0]
        state = store.read_json(f"{base}/state.json")
        listed.append(_exposure(base, state, manifest, found))
    return sorted(listed, key=lambda one: (one.step, one.path))


def _exposure(path: str, state: dict[str, Any], manifest: dict[str, Any], found: list[Place]) -> Exposure:
    step, consumed = int(state["step"]), int(state["consumed"])
    if state["identity"]["fingerprint"] != manifest["fingerprint"]:
        return Exposure(
            path, step, consumed, None, [], "trained on another state of the data: assume that it held them"
        )
    window = state.get("window")
    if window is None:
        return Exposure(path, step, consumed, None, [], "it does not record its windows: assume that it held them")
    order = _Order(manifest, int(state["identity"]["seed"]), window["stride"], window["overlap"], state.get("phases"))
    held = sorted({place.document for place in found if order.had(place, consumed)})
    why = (
        f"{len(held)} of them in its first {consumed:,} samples" if held else f"none in its first {consumed:,} samples"
    )
    return Exposure(path, step, consumed, bool(held), held, why)


class _Order:
    """The order of samples of one training run."""

    def __init__(
        self, manifest: dict[str, Any], seed: int, stride: int, overlap: int, phases: list[Any] | None = None
    ) -> None:
        self.seed, self.stride, self.overlap = seed, stride, overlap
        phases = phases or [[0, {source["name"]: source["weight"] for source in manifest["sources"]}]]
        active = [s for s in manifest["sources"] if any(shares.get(s["name"]) for _, shares in phases)]
        self.names = [source["name"] for source in active]
        tokens = [sum(shard["num_tokens"] for shard in source["splits"].get(SPLITS[0], [])) for source in active]
        self.windows = [max(1, Window(stride, overlap).count(count)) for count in tokens]
        self.turns = PhasedTurns(phases, self.names)

    def had(self, place: Place, consumed: int) -> bool:
        """Whether a window that touches the place was among the first `consumed` samples."""
        if place.source not in self.names:
            return False
        source = self.names.index(place.source)
        size, drawn = self.windows[source], self.turns.counts(consumed)[source]
        if drawn >= size:
            return True
        first = max(0, (place.start - self.overlap) // self.stride)
        last = min(size - 1, (place.stop - 1) // self.stride)
        round_keys = keys(self.seed, place.source, 0)
        return any(unpermute(window, size, round_keys) < drawn for window in range(first, last + 1))


def read_manifest(store: Store) -> tuple[dict[str, Any] | None, str]:
    """The hand-off as it stands, and the folder it trains in."""
    if not store.exists("handoff/manifest.json"):
        return None, "train"
    folder = "train"
    for line in store.read("handoff/train.yaml").decode().splitlines():
        if line.startswith("out:"):
            folder = line.partition(":")[2].split("#")[0].strip().strip("'\"") or folder
    return json.loads(store.read("handoff/manifest.json")), folder
