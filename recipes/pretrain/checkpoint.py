"""Checkpoints: written in the background, complete or absent, loadable by any number of processes and any sharding.

A checkpoint is `checkpoints/step-00000100/` with torch's distributed format inside, `state.json` (how far the run is),
and, written last, `complete.json` with size and CRC-32 of every file. A folder without `complete.json` does not exist.
"""

import errno
import json
import os
import re
import shutil
import threading
import zlib
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from pipeline.handoff import CheckpointSettings, InfrastructureError
from recipes.pretrain.model import Trainable
from recipes.pretrain.optimizer import Optimizers
from recipes.pretrain.parallel import World
from recipes.pretrain.watch import RECORD, Divergence

NAME = re.compile(r"step-(\d{8})")


def folder_of(root: Path, step: int) -> Path:
    return root / f"step-{step:08d}"


def complete_steps(root: Path) -> list[int]:
    """Steps that have a complete checkpoint, ascending."""
    if not root.is_dir():
        return []
    matches = (NAME.fullmatch(path.name) for path in root.iterdir() if (path / "complete.json").is_file())
    return sorted(int(match[1]) for match in matches if match)


def crc32(path: Path) -> int:
    """CRC-32 of a file, read in pieces."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            value = zlib.crc32(piece, value)
    return value


def write_durably(path: Path, text: str) -> None:
    """Write a small file atomically: it appears under its name only when complete and synced."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def seal(folder: Path, keep: bool) -> None:
    """Write complete.json over the files of a checkpoint: from now on it exists."""
    files = sorted(path for path in folder.iterdir() if path.name != "complete.json")
    listed = {path.name: {"bytes": path.stat().st_size, "crc32": crc32(path)} for path in files}
    write_durably(folder / "complete.json", json.dumps({"keep": keep, "files": listed}, indent=2) + "\n")


def verify(folder: Path, older: list[int]) -> None:
    """Raises InfrastructureError, naming what to do, when a file of the checkpoint is missing or altered."""
    advice = f"delete the folder to continue from step {older[-1]}" if older else "delete the folder to start afresh"
    try:
        files = json.loads((folder / "complete.json").read_text("utf-8"))["files"]
    except (ValueError, KeyError):
        raise InfrastructureError(f"checkpoint {folder} is damaged (complete.json); {advice}") from None
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            raise InfrastructureError(f"checkpoint {folder} is damaged ({name} is missing); {advice}")
        if path.stat().st_size != wanted["bytes"] or crc32(path) != wanted["crc32"]:
            raise InfrastructureError(f"checkpoint {folder} is damaged ({name} was altered); {advice}")


def _delete(folder: Path) -> None:
    (folder / "complete.json").unlink()  # absent first, then gone
    shutil.rmtree(folder)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether a full disk (or quota) is anywhere among an exception's causes."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        text = str(one)
        if "No space left on device" in text or "unexpected pos" in text or "file write failed" in text:
            return True  # torch's zip writer reports a short write by position only
        queue += [one.__cause__, one.__context__]
        queue += [e[0] for e in getattr(one, "failures", {}).values() if isinstance(e, tuple)]
    return False


class Checkpoints:
    """The checkpoints of one run.

    model and optimizers are saved with the device tensors of `parts` (loss scale, spike statistics) and a JSON state.
    """

    def __init__(
        self,
        root: Path,
        settings: CheckpointSettings,
        world: World,
        trainable: Trainable,
        optimizers: Optimizers,
        parts: dict[str, Any],
    ) -> None:
        self.root, self.settings, self.world = root, settings, world
        self.trainable, self.optimizers, self.parts = trainable, optimizers, parts
        self.pending: Any = None
        self.sealer: threading.Thread | None = None
        self.failure: BaseException | None = None
        if world.is_main:
            root.mkdir(parents=True, exist_ok=True)

    def tensors(self) -> dict[str, Any]:
        """Everything that is saved, by reference: what dcp fills on loading."""
        model, optim = get_state_dict(self.trainable.model, self.optimizers.all)
        return {"model": model, "optim": optim, "parts": {k: v.state_dict() for k, v in self.parts.items()}}

    def save(self, step: int, state: dict[str, Any], *, keep: bool = False, wait: bool = False) -> None:
        """Start writing the checkpoint of `step`; with `wait`, return when it is complete. Collective."""
        self.finish()
        folder = folder_of(self.root, step)
        if self.world.is_main:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_durably(folder / "state.json", json.dumps(state, indent=2, sort_keys=True) + "\n")
        dist.barrier(group=self.world.control)
        tensors = self.tensors()
        try:
            if self.settings.asynchronous and not wait:
                self.pending = async_save(tensors, checkpoint_id=folder, process_group=self.world.saving)
            else:
                dcp_save(tensors, checkpoint_id=folder, process_group=self.world.saving)
        except (Exception, CheckpointException) as error:
            raise self._failed(folder, error) from error
        if self.world.is_main:
            self.sealer = threading.Thread(target=self._seal, args=(folder, self.pending, keep), name="sealer")
            self.sealer.start()
        if wait:
            self.finish()

    def _seal(self, folder: Path, pending: Any, keep: bool) -> None:
        # rank 0's future is done only after every process has written and the metadata stands
        try:
            if pending is not None:
                pending.result()
            seal(folder, keep)
            self._prune()
        except BaseException as error:  # noqa: BLE001  raised by finish() in the main thread
            self.failure = self._failed(folder, error)

    def _failed(self, folder: Path, error: BaseException) -> InfrastructureError:
        reason = (
            "no space left on the disk" if disk_is_full(error) else f"{type(error).__name__}: {error}".split("\n")[0]
        )
        return InfrastructureError(f"checkpoint {folder} could not be written: {reason}; running again resumes")

    def finish(self) -> None:
        """Wait until the checkpoint under way is complete. Raises InfrastructureError when it failed. Collective."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            try:
                pending.result()
            except (Exception, CheckpointException) as error:  # noqa: BLE001
                self.failure = self.failure or self._failed(self.root, error)
        if self.sealer is not None:
            self.sealer.join()
            self.sealer = None
        if self.failure is not None:
            raise self.failure
        dist.barrier(group=self.world.control)

    def _prune(self) -> None:
        """Delete complete checkpoints that are neither among the last nor kept for ever, and incomplete older ones."""
        steps = complete_steps(self.root)
        for step in steps[: -self.settings.keep_last]:
            folder = folder_of(self.root, step)
            every = self.settings.keep_every_steps
            if json.loads((folder / "complete.json").read_text("utf-8"))["keep"] or (every and step % every == 0):
                continue
            _delete(folder)

    def diverged(self, record: Divergence) -> bool:
        """Leave word of a divergence for the next start; whether there is a good checkpoint to go back to. Collective."""
        if self.world.is_main:
            write_durably(self.root / RECORD, record.dump())
        return self.latest()[0] is not None

    def latest(self) -> tuple[tuple[int, dict[str, Any]] | None, Divergence | None]:
        """Step and state of the newest good checkpoint, verified by rank 0, and the last divergence. Collective.

        Complete checkpoints that the divergence spoils are deleted.
        """
        answer: list[Any] = [(None, None)]
        if self.world.is_main:
            try:
                path = self.root / RECORD
                record = Divergence(**json.loads(path.read_text("utf-8"))) if path.is_file() else None
                newest, steps = None, complete_steps(self.root)
                while steps and newest is None:
                    folder = folder_of(self.root, steps[-1])
                    verify(folder, steps[:-1])
                    state = json.loads((folder / "state.json").read_text("utf-8"))
                    if record is not None and record.spoils(steps[-1], state):
                        _delete(folder)
                        steps.pop()
                    else:
                        newest = steps[-1], state
                answer = [(newest, record)]
            except InfrastructureError as error:
                answer = [error]
        dist.broadcast_object_list(answer, src=0, group=self.world.control)
        if isinstance(answer[0], InfrastructureError):
            raise answer[0]
        return answer[0]

    def load(self, step: int) -> None:
        """Fill model, optimizers and parts from the checkpoint of `step`, whoever wrote it. Collective."""
        tensors = self.tensors()
        groups = tensors["optim"].pop("param_groups")  # the configuration's, and another layout has others
        folder = folder_of(self.root, step)
        try:
            dcp_load(tensors, checkpoint_id=folder, process_group=self.world.control)
        except (Exception, CheckpointException) as error:
            first = str(error).strip().split("\n")[0]
            raise InfrastructureError(f"checkpoint {folder} does not fit this model and optimizer: {first}") from error
        tensors["optim"]["param_groups"] = groups
        set_state_dict(
            self.trainable.model,
            self.optimizers.all,
            model_state_dict=tensors["model"],
            optim_state_dict=tensors["optim"],
        )
        for name, part in self.parts.items():
            for key, value in part.state_dict().items():
                value.copy_(torch.as_tensor(tensors["parts"][name][key]))
