"""The proxies of a search: each source cut to the proxy's part of the target, the mix they see, their losses."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.handoff import Manifest, Shard, Source, UsageError, build_manifest
from pipeline.size.mixture import within_role
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.token_stream import TokenStream


def target_tokens(handoff: Handoff, given: float | None) -> int:
    """Training tokens of the run that proxies stand for: those given, else the plan's, else all of the hand-off."""
    planned = (handoff.manifest.plan.get("chosen") or {}).get("tokens")
    return int(given or planned or sum(handoff.manifest.tokens_by_role().values()))


def cut_source(handoff: Handoff, source: Source, part: float, folder: Path) -> tuple[Source, int]:
    """The source with about `part` of its training documents, whole ones from the front, written under `folder`.

    Held-out shards stay where they are. Returns the source and how many tokens it kept.
    """
    stream = TokenStream(handoff, source.splits.get("train", []))
    wanted = max(1, round(part * stream.num_tokens))
    tokens, ends = stream.read(0, min(stream.num_tokens, max(wanted, 1)))
    last = int(ends[-1]) if len(ends) else 0
    whole = last if last >= 0.5 * wanted else len(tokens)
    bounds = np.array([*(int(end) for end in ends if end <= whole)], np.uint64)
    if not len(bounds) or int(bounds[-1]) != whole:
        bounds = np.append(bounds, np.uint64(whole))
    return write_source(source, tokens[:whole], bounds, handoff, folder), whole


def write_source(source: Source, tokens: np.ndarray, ends: np.ndarray, handoff: Handoff, folder: Path) -> Source:
    """The source with these tokens alone to train on, in documents that end at `ends`, written under `folder`."""
    kept = np.ascontiguousarray(tokens, np.dtype(handoff.manifest.dtype).newbyteorder("<"))
    path = folder / f"{source.name}.ds"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kept.tobytes())
    Path(f"{path}.index").write_bytes(ends.astype("<u8").tobytes())
    shard = Shard(
        path=str(path),
        bytes=kept.nbytes,
        num_tokens=len(kept),
        num_documents=len(ends),
        max_id=int(kept.max(initial=0)),
        sha256=hashlib.sha256(kept.tobytes()).hexdigest(),
    )
    held = [shard.model_copy(update={"path": handoff.at(shard.path)}) for shard in source.splits.get("validation", [])]
    return source.model_copy(update={"splits": {"train": [shard], "validation": held}})


def at_share(
    manifest: Manifest,
    sources: Sequence[Source],
    share: float,
    tokenizer: str,
    within: Mapping[str, float] | None = None,
) -> Manifest:
    """The manifest of a proxy: the roles get the share, and each role's sources keep their proportions to each other.

    `within` gives sources a share of their role's tokens; the other sources of that role divide the rest.
    """
    roles = {"domain": share, "general": 1 - share}
    sizes = {s.name: s.weight or float(s.num_tokens()) for s in sources}
    weights: dict[str, float] = {}
    for role, part in roles.items():
        of_role = {s.name: sizes[s.name] for s in sources if s.role == role}
        if not sum(of_role.values()):
            raise UsageError(f"there is no {role} source to mix: a search needs both roles")
        weights |= {name: part * one for name, one in within_role(of_role, within or {}).items()}
    mixed = [s.model_copy(update={"weight": weights[s.name]}) for s in sources]
    info = manifest.tokenizer.model_copy(update={"path": tokenizer})
    return build_manifest(tokenizer=info, sources=mixed, mix={"domain": share})


def role_losses(manifest: Manifest, validation: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, float], str]:
    """Held-out loss of each role, its sources weighted by their held-out text, and the unit."""
    sums: dict[str, list[float]] = {}
    exact = all(result["bits_per_byte"] is not None for result in validation.values())
    for source in manifest.sources:
        if source.name in validation:
            result = validation[source.name]
            value = result["bits_per_byte"] if exact else result["loss"]
            size = float(source.text_bytes.get("validation", 0) or source.num_tokens("validation"))
            total = sums.setdefault(source.role, [0.0, 0.0])
            total[0] += size * value
            total[1] += size
    if missing := [role for role in ("domain", "general") if role not in sums]:
        raise UsageError(f"no held-out text of the role {missing[0]}: the search has nothing to judge by")
    losses = {role: total / size for role, (total, size) in sorted(sums.items())}
    return losses, "bits per byte" if exact else "nats per target"
