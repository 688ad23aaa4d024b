"""The local shards against the sums of the manifest, before the first step: what was altered is named, not trained on.

It costs one reading of all shards, divided between the processes, once for an `out` and whenever a file's size or time
has changed. A URL's shards are not compared.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist

from pipeline.handoff import InfrastructureError, PipelineError, Shard, UsageError
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.parallel import World, all_max
from recipes.pretrain.storage import Where, is_local, write_durably
from recipes.pretrain.token_stream import SHARDS, open_array, past_vocabulary, read_ends


def damage(handoff: Handoff, shards: Iterable[Shard]) -> PipelineError | None:
    """What is wrong with the first local shard whose bytes are not those of the manifest; None when all are right."""
    for shard in shards:
        path = Path(handoff.at(shard.path).removeprefix("file://"))
        try:
            open_array(str(path), handoff.manifest.dtype, shard.bytes)
            read_ends(handoff, shard)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except PipelineError as error:
            return error
        if digest != shard.sha256:
            largest = int(np.memmap(path, np.dtype(handoff.manifest.dtype).newbyteorder("<"), "r").max())
            if largest >= handoff.manifest.tokenizer.vocab_size:
                return UsageError(past_vocabulary(largest, shard, handoff.manifest.tokenizer.vocab_size))
            return InfrastructureError(f"{path} was altered after it was written: its sha256 is another")
    return None


def check_shards(handoff: Handoff, out: Where, world: World) -> None:
    """Compare the local shards with the manifest's sums, each by one process. Collective."""
    SHARDS.forget()
    manifest, marker = handoff.manifest, out / "shards-checked.txt"
    shards = [s for source in manifest.sources for split in source.splits.values() for s in split if s.num_tokens]
    files = [Path(url.removeprefix("file://")) for s in shards if is_local(url := handoff.at(s.path))]
    if not handoff.config.check_shards or not files:
        return
    stats = [path.stat() for path in files if path.exists()]
    told = repr((manifest.fingerprint, [(one.st_size, one.st_mtime_ns) for one in stats]))
    done = hashlib.sha256(told.encode()).hexdigest()
    if all_max(world, int(not marker.exists() or marker.read_text("utf-8") != done)) == 0:
        return
    found: list[Any] = [damage(handoff, shards[world.rank :: world.size])] * world.size
    if world.size > 1:
        dist.all_gather_object(found, found[0], group=world.control)
    if wrong := [error for error in found if error is not None]:
        raise wrong[0]
    if world.is_main:
        out.mkdir(parents=True, exist_ok=True)
        write_durably(marker, done)
