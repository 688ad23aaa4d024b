"""The dial: of the documents that everything else keeps, the best up to a share of tokens.

The bound is exact, over all shards: documents are ordered by score, equal scores by id, which is a hash. A group keeps the
number of documents whose tokens come nearest to what was asked. About 30 bytes are held for each document that may stay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.select_settings import SelectSettings
from pipeline.core.store import Store
from pipeline.errors import UsageError

STAGE, RULE, WHERE_RULE = "select", "below", "where"
OTHER_DIALS = (0.01, 0.03, 0.1, 0.3)
ALL = "all"
AT_A_RUNG = 20
"""Documents to read at each tenth of the order."""


@dataclass
class Bound:
    """Where the dial cut one group of documents."""

    group: str
    asked_tokens: int
    kept_tokens: int
    offered_tokens: int
    """What rules, duplicates and cuts leave: more than that cannot be kept."""
    kept: int = 0
    removed: int = 0
    bound: float | None = None
    """The lowest score that stays; null when nothing does, or nothing has a score."""
    just_above: str | None = None
    just_below: str | None = None
    """Ids of the documents on both sides of the bound."""


@dataclass
class Stream:
    """What the dial did to one source and role, as "source/role"."""

    name: str
    documents: int
    removed: int
    tokens: int
    kept_tokens: int
    deciles: list[float | None]
    """Scores of the lowest document, of those at each tenth of the documents, and of the highest."""


@dataclass
class Rung:
    """A place in the order, best first: the share of the offered tokens before it, the score, and documents to read there."""

    share: float
    score: float | None
    ids: list[str]


@dataclass
class Met:
    """What `select.where` did: documents that it was asked of and those that do not meet it, and their tokens."""

    condition: str
    documents: int = 0
    removed: int = 0
    tokens: int = 0
    removed_tokens: int = 0

    def take(self, asked: np.ndarray, met: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """bool[n]: the documents of a shard that go, of those `asked`; they are counted."""
        gone = asked & ~met
        self.documents += int(asked.sum())
        self.removed += int(gone.sum())
        self.tokens += int(tokens[asked].sum())
        self.removed_tokens += int(tokens[gone].sum())
        return gone

    def sentence(self) -> str:
        """What it did, for the summary."""
        share = f" ({self.removed_tokens / self.tokens:.2%} of the words)" if self.tokens else ""
        return f"select.where {self.condition}: {self.removed:,} of {self.documents:,} documents{share} do not meet it and go"


@dataclass
class Bucket:
    """Documents of one bucket, and the lowest score among them."""

    bucket: int
    documents: int
    tokens: int
    lowest: float | None


@dataclass
class Dial:
    """What the dial did: its bounds, and the bound that other shares of the same tokens would have had, by share."""

    bounds: list[Bound] = field(default_factory=list)
    others: dict[str, float | None] = field(default_factory=dict)
    of_tokens: int = 0
    """What a share is of, the exempt sources left out."""
    streams: list[Stream] = field(default_factory=list)
    ladder: list[Rung] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)


@dataclass
class Offered:
    """The documents of one shard that may stay: row in the shard, score, tokens, id and group of each."""

    rows: np.ndarray
    scores: np.ndarray
    tokens: np.ndarray
    ids: pa.Array
    groups: list[str]
    streams: list[str]
    """Source and role of each, as "source/role"."""


def spared(table: pa.Table, told: SelectSettings) -> np.ndarray:
    """bool[n]: documents of exempt sources."""
    return np.asarray(pc.is_in(table["source"], pa.array(told.exempt, pa.string())))


def offered(
    store: Store,
    read: Mapping[str, Any],
    table: pa.Table,
    tokens: pa.ChunkedArray,
    stays: np.ndarray,
    told: SelectSettings,
) -> Offered:
    """The documents of a shard that the dial goes over: those that `stays` names, exempt sources left out.

    `table` has id, source and role; `read` has the files `score` and, where it is asked for, `language`.
    """
    rows = np.flatnonzero(stays & ~spared(table, told))
    chosen = pa.array(rows)
    scores = store.read_table(read["score"].path, [told.column])[told.column].take(chosen)
    if told.per == "language":
        groups = pc.fill_null(
            store.read_table(read["language"].path, ["label"])["label"].cast(pa.string()), "und"
        ).take(chosen)
    else:
        groups = table[told.per].take(chosen) if told.per else pa.array([ALL] * len(rows), pa.string())
    return Offered(
        rows,
        np.asarray(pc.fill_null(pc.cast(scores, pa.float64()), -np.inf)),
        tokens.take(chosen).to_numpy(),
        table["id"].take(chosen).combine_chunks(),
        groups.to_pylist(),
        pc.binary_join_element_wise(table["source"], pc.fill_null(table["role"], "auto"), "/").take(chosen).to_pylist(),
    )


def dial(
    shards: Iterable[Offered], told: SelectSettings, amounts: Mapping[str, int]
) -> tuple[Dial, list[np.ndarray], list[np.ndarray]]:
    """What the dial does; of each shard the rows that it removes, ascending; and of each the bucket of every offered document
    (int8[m]), from 1 for the lowest scores, 0 for none.

    `amounts`: raw or extracted tokens by source, as `of` says; not looked at for `kept_tokens`.
    """
    held = list(shards)
    scores = np.concatenate([np.zeros(0), *(one.scores for one in held)])
    if len(scores) and not np.isfinite(scores).any():
        raise UsageError(
            f"select.by {told.by}: no document has a score, so there is nothing to select by; see the notes on it"
        )
    tokens = np.concatenate([np.zeros(0, np.int64), *(one.tokens for one in held)])
    ids = pa.chunked_array([one.ids for one in held], pa.string())
    names, group_of = np.unique([name for one in held for name in one.groups] or [ALL], return_inverse=True)
    group_of = group_of[: len(scores)]
    of_kept = told.of == "kept_tokens"
    whole = int(tokens.sum()) if of_kept else sum(n for source, n in amounts.items() if source not in told.exempt)
    asked = told.keep_tokens if told.keep is None else told.keep * whole
    assert asked is not None
    # Ids are distinct, so the order of equal scores is one order whatever the shards are.
    rank = pc.sort_indices(
        pa.table({"score": scores, "id": ids.combine_chunks()}), [("score", "descending"), ("id", "ascending")]
    ).to_numpy()
    found, stays, bucket = Dial(of_tokens=whole), np.zeros(len(scores), np.bool_), np.zeros(len(scores), np.int8)
    for number, name in enumerate(names):
        order = rank[group_of[rank] == number]
        there = int(tokens[order].sum())
        if told.per == "source" and told.keep is not None and not of_kept:
            share = told.keep * amounts.get(str(name), 0)
        else:
            share = asked * there / max(int(tokens.sum()), 1)
        count = _nearest(np.cumsum(tokens[order]), share)
        edge = [ids[int(order[n])].as_py() if 0 <= n < len(order) else None for n in (count - 1, count)]
        lowest = _finite(float(scores[order[count - 1]])) if count else None
        kept = int(tokens[order[:count]].sum())
        cut = Bound(str(name), round(share), kept, there, count, len(order) - count, lowest, *edge)
        found.bounds.append(cut)
        stays[order[:count]] = True
        bucket[order[:count]] = _buckets(tokens[order[:count]], told.buckets or 0)
    sums = np.cumsum(tokens[rank])
    for share in OTHER_DIALS:
        count = _nearest(sums, share * whole)
        found.others[f"{share:g}"] = _finite(float(scores[rank[count - 1]])) if count else None
    found.streams = _streams([name for one in held for name in one.streams], scores, tokens, stays)
    found.ladder = _ladder(rank, scores, sums, ids)
    for number in range(1, (told.buckets or 0) + 1):
        own = bucket == number
        lowest = _finite(float(scores[own].min())) if own.any() else None
        found.buckets.append(Bucket(number, int(own.sum()), int(tokens[own].sum()), lowest))
    borders = np.cumsum([len(one.rows) for one in held])[:-1]
    parts = [np.split(values, borders) if held else [] for values in (stays, bucket)]
    return found, [one.rows[~own] for one, own in zip(held, parts[0], strict=True)], parts[1]


def _buckets(tokens: np.ndarray, buckets: int) -> np.ndarray:
    """int8[n]: of documents, the best first, the bucket that the middle of each falls in when their tokens are cut evenly."""
    middle = np.cumsum(tokens) - tokens / 2
    return (buckets - np.floor(middle * buckets / max(int(tokens.sum()), 1)).clip(0, max(buckets - 1, 0))).astype(
        np.int8
    )


def _streams(names: list[str], scores: np.ndarray, tokens: np.ndarray, stays: np.ndarray) -> list[Stream]:
    every, place = np.unique(np.array(names, np.str_), return_inverse=True)
    found = []
    for number, name in enumerate(every.tolist()):
        own = place == number
        ordered = np.sort(scores[own])
        deciles = [_finite(float(ordered[round(tenth * (len(ordered) - 1) / 10)])) for tenth in range(11)]
        kept = own & stays
        sums = (int(own.sum()), int((own & ~stays).sum()), int(tokens[own].sum()), int(tokens[kept].sum()))
        found.append(Stream(name, *sums, deciles))
    return found


def _ladder(rank: np.ndarray, scores: np.ndarray, sums: np.ndarray, ids: pa.ChunkedArray) -> list[Rung]:
    """The first documents at each tenth of the tokens."""
    found = []
    for tenth in range(10 if len(rank) else 0):
        at = min(int(np.searchsorted(sums, tenth / 10 * sums[-1], "right")), len(rank) - 1)
        there = rank[at : at + AT_A_RUNG].tolist()
        found.append(Rung(tenth / 10, _finite(float(scores[rank[at]])), [ids[own].as_py() for own in there]))
    return found


def _finite(score: float) -> float | None:
    """A score; null for a document that has none, which comes last."""
    return float(score) if np.isfinite(score) else None


def _nearest(sums: np.ndarray, wanted: float) -> int:
    """How many documents, of rising sums of tokens, come nearest to what is wanted; the fewer of two that are as near."""
    count = int(np.searchsorted(sums, wanted, "right"))
    if count == len(sums):
        return count
    below = int(sums[count - 1]) if count else 0
    return count + (int(sums[count]) - wanted < wanted - below)


def sentence(found: Dial, told: SelectSettings) -> str:
    """What the dial did, for the summary."""
    asked = (
        f"{told.keep:.4g} of {told.of.replace('_', ' ')}" if told.keep is not None else f"{told.keep_tokens:,} tokens"
    )
    kept, offered_tokens = (sum(getattr(b, name) for b in found.bounds) for name in ("kept_tokens", "offered_tokens"))
    share = f"{kept / found.of_tokens:.2%} of {found.of_tokens:,}" if found.of_tokens else f"{kept:,}"
    bounds = ", ".join(
        f"{b.group}: {'nothing' if b.bound is None else f'{told.by} from {b.bound:.3f}'}" for b in found.bounds
    )
    text = f"select: {asked} asked, {share} kept ({bounds})"
    short = [b.group for b in found.bounds if b.offered_tokens < b.asked_tokens]
    if short:
        text += f"; rules and duplicates leave less than was asked, {offered_tokens:,} tokens, in {', '.join(short)}"
    known = {share: bound for share, bound in found.others.items() if bound is not None}
    others = ", ".join(f"{share} from {bound:.3f}" for share, bound in known.items())
    return f"{text}; other shares: {others}" if others else text
