"""Checkpoints: written in the background, complete or absent, loadable by any number of processes and any sharding.

A checkpoint is `checkpoints/step-00000100/` with torch's distributed format inside, `state.json` (how far the run is),
and, written last, `complete.json` with size and CRC-32 of every file, counted while it was written. A folder without
`complete.json` does not exist. Each process compares the files it loads from, as it reads them (see `summed`).
"""

import errno
import json
import re
import threading
import time
import zlib
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from pipeline.handoff import CheckpointSettings, InfrastructureError, PipelineError
from recipes.pretrain.metrics import say
from recipes.pretrain.model import Trainable
from recipes.pretrain.optimizer import Optimizers
from recipes.pretrain.parallel import World
from recipes.pretrain.storage import AGAIN, Where, remove_tree, sizes, write_durably
from recipes.pretrain.summed import METADATA, Damaged, Reader, Sums, Writer
from recipes.pretrain.watch import RECORD, Divergence

NAME = re.compile(r"step-(\d{8})")


def folder_of(root: Where, step: int) -> Where:
    return root / f"step-{step:08d}"


def step_folders(root: Where) -> list[int]:
    """Steps that have a folder, complete or not, ascending."""
    return sorted(int(match[1]) for name in sizes(root) if (match := NAME.fullmatch(name)))


def complete_steps(root: Where) -> list[int]:
    """Steps that have a complete checkpoint, ascending."""
    return [step for step in step_folders(root) if (folder_of(root, step) / "complete.json").exists()]


def seal(folder: Where, keep: bool, sums: Sums) -> None:
    """Write complete.json: from now on the checkpoint exists. `sums`: what was written, by file.

    Raises InfrastructureError when a file is not there with the bytes that were written.
    """
    lying = sizes(folder)
    for name, wanted in sums.items():
        if lying.get(name) != wanted["bytes"]:
            raise InfrastructureError(f"{name} has {lying.get(name, 0):,} bytes and {wanted['bytes']:,} were written")
    write_durably(folder / "complete.json", json.dumps({"keep": keep, "files": sums}, indent=2) + "\n")


def advice(older: list[int]) -> str:
    """What to do about a damaged checkpoint."""
    return f"delete the folder to continue from step {older[-1]}" if older else "delete the folder to start afresh"


def verify(folder: Where, older: list[int]) -> tuple[Sums, dict[str, Any]]:
    """The sums of a checkpoint's files, and its state. What tensors' files hold is compared when they are read.

    Raises InfrastructureError, naming what to do, when a file is missing or has another size, or a small one another sum.
    """
    lying = sizes(folder)
    try:
        sums: Sums = json.loads((folder / "complete.json").read_text("utf-8"))["files"]
        wrong = [f"{name} is missing" for name in sums if name not in lying]
        wrong += [f"{name} was altered" for name in sums if name in lying and lying[name] != sums[name]["bytes"]]
        if not wrong:
            small = {name: (folder / name).read_bytes() for name in ("state.json", METADATA)}
            wrong = [f"{name} was altered" for name in small if zlib.crc32(small[name]) != sums[name]["crc32"]]
        if not wrong:
            return sums, json.loads(small["state.json"])
    except (ValueError, KeyError, TypeError, AttributeError):
        wrong = ["complete.json"]
    raise InfrastructureError(f"checkpoint {folder} is damaged ({wrong[0]}); {advice(older)}")


def _delete(folder: Where) -> None:
    (folder / "complete.json").unlink()  # absent first, then gone
    remove_tree(folder)


def interval_s(settings: CheckpointSettings, held_s: float) -> float:
    """Seconds from one checkpoint to the next by time: every_minutes, stretched until `held_s`, what writing one holds
    training up, is at most max_share of them."""
    if settings.every_minutes is None:
        return float("inf")
    return max(settings.every_minutes * 60, held_s / settings.max_share)


def kept_for_ever(steps: list[int], every: int | None) -> set[int]:
    """The first of the steps, ascending, at or past each multiple of `every`."""
    before = [0, *steps[:-1]]
    return {step for step, last in zip(steps, before, strict=True) if every and step // every > last // every}


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


def first_failure(error: BaseException) -> BaseException:
    """The sentence that a process of several ended with, or the error itself."""
    failures = [e[0] for e in getattr(error, "failures", {}).values() if isinstance(e, tuple)]
    return next((one for one in failures if isinstance(one, PipelineError)), error)


class Checkpoints:
    """The checkpoints of one run.

    model and optimizers are saved with the device tensors of `parts` (loss scale, spike statistics) and a JSON state.
    """

    def __init__(
        self,
        root: Where,
        settings: CheckpointSettings,
        world: World,
        trainable: Trainable,
        optimizers: Optimizers,
        parts: dict[str, Any],
        wait_s: float = 1800,
    ) -> None:
        self.root, self.settings, self.world = root, settings, world
        self.trainable, self.optimizers, self.parts = trainable, optimizers, parts
        self.pending: Any = None
        self.sealer: threading.Thread | None = None
        self.failure: BaseException | None = None
        self.wait_s, self.held_s, self.told_s = wait_s, 0.0, 0.0
        self.sums: Sums = {}
        self.advice = ""
        self.stager = None
        if settings.pinned and world.device.type == "cuda":
            self.stager = DefaultStager(StagingOptions(True, False, False, True))
        if world.is_main:
            root.mkdir(parents=True, exist_ok=True)

    def tensors(self) -> dict[str, Any]:
        """Everything that is saved, by reference: what dcp fills on loading."""
        model, optim = get_state_dict(self.trainable.model, self.optimizers.all)
        return {"model": model, "optim": optim, "parts": {k: v.state_dict() for k, v in self.parts.items()}}

    def due(self, since_s: float) -> bool:
        """Whether a checkpoint is due by time, `since_s` seconds after the last one."""
        return since_s > interval_s(self.settings, self.held_s)

    def save(self, step: int, state: dict[str, Any], *, keep: bool = False, wait: bool = False) -> None:
        """Start writing the checkpoint of `step`; with `wait`, return when it is complete. Collective."""
        begun = time.monotonic()
        self.finish()
        folder = folder_of(self.root, step)
        text = json.dumps(state, indent=2, sort_keys=True) + "\n"
        if self.world.is_main:
            remove_tree(folder)
            folder.mkdir(parents=True)
            write_durably(folder / "state.json", text)
        dist.barrier(group=self.world.control)
        tensors, writer = self.tensors(), Writer(folder)
        writer.sums["state.json"] = {"bytes": len(text.encode()), "crc32": zlib.crc32(text.encode())}
        group = self.world.saving
        try:
            if self.settings.asynchronous and not wait:
                self.pending = async_save(tensors, storage_writer=writer, process_group=group, async_stager=self.stager)
            else:
                dcp_save(tensors, storage_writer=writer, process_group=group)
        except (Exception, CheckpointException) as error:
            raise self._failed(folder, error) from error
        if self.world.is_main:
            written = (folder, self.pending, keep, writer.sums)
            self.sealer = threading.Thread(target=self._seal, args=written, name="sealer")
            self.sealer.start()
        if wait:
            self.finish()
        self._tell(time.monotonic() - begun, last=wait)

    def _tell(self, held_s: float, last: bool) -> None:
        """Say how often checkpoints are written: after the first, and when that has to change by half."""
        self.held_s = held_s
        now, share = interval_s(self.settings, held_s), self.settings.max_share
        if self.world.is_main and not last and now < float("inf") and not self.told_s / 1.5 < now < self.told_s * 1.5:
            self.told_s = now
            say(
                f"checkpoints by time: every {now / 60:.3g} minutes; the last held training up for {held_s:.2f} s, "
                f"{held_s / now:.2%} of that (checkpoint.max_share allows {share:.3g})"
            )

    def _seal(self, folder: Where, pending: Any, keep: bool, sums: Sums) -> None:
        # rank 0's future is done only after every process has written, and has their sums
        try:
            if pending is not None:
                pending.result()
            seal(folder, keep, sums)
            self._prune()
        except BaseException as error:  # noqa: BLE001  raised by finish() in the main thread
            self.failure = self._failed(folder, error)

    def _failed(self, folder: Where, error: BaseException) -> InfrastructureError:
        cause = first_failure(error)
        if disk_is_full(error):
            reason = "no space left on the disk"
        else:
            reason = str(cause) if isinstance(cause, PipelineError) else f"{type(cause).__name__}: {cause}"
        reason = reason.split("\n")[0].removesuffix(AGAIN)
        return InfrastructureError(f"checkpoint {folder} could not be written: {reason}; running again resumes")

    def finish(self) -> None:
        """Wait until the checkpoint under way is complete. Raises InfrastructureError when it failed. Collective."""
        pending, sealer = self.pending, self.sealer
        self.pending = self.sealer = None
        try:
            if sealer is not None:
                sealer.join(self.wait_s)  # it waits for what is pending
                if sealer.is_alive():
                    raise TimeoutError
            elif pending is not None:
                pending.result(self.wait_s)
        except TimeoutError:
            minutes = f"the storage took more than {self.wait_s / 60:.3g} minutes (watch.wait_minutes)"
            self.failure = self._failed(self.root, InfrastructureError(minutes))
        except (Exception, CheckpointException) as error:  # noqa: BLE001
            self.failure = self._failed(self.root, error)
        if self.failure is not None:
            raise self.failure
        dist.barrier(group=self.world.control)

    def _prune(self) -> None:
        """Delete complete checkpoints that are neither among the last nor kept for ever, and incomplete older ones."""
        steps = complete_steps(self.root)
        kept = kept_for_ever(steps, self.settings.keep_every_steps) | set(steps[-self.settings.keep_last :])
        for step in step_folders(self.root):
            folder = folder_of(self.root, step)
            if step not in steps and step < steps[-1]:
                remove_tree(folder)  # of a process that was killed while it wrote
            elif step in steps and step not in kept:
                if not json.loads((folder / "complete.json").read_text("utf-8"))["keep"]:
                    _delete(folder)

    def _record(self) -> Divergence | None:
        """The last divergence. Raises InfrastructureError when its file is damaged."""
        path = self.root / RECORD
        try:
            return Divergence(**json.loads(path.read_text("utf-8"))) if path.exists() else None
        except (ValueError, TypeError) as error:
            raise InfrastructureError(
                f"{path} is damaged ({error}); delete it to resume the newest checkpoint"
            ) from error

    def diverged(self, record: Divergence) -> bool:
        """Leave word of a divergence for the next start; whether there is a good checkpoint to go back to. Collective."""
        if self.world.is_main:
            write_durably(self.root / RECORD, record.dump())
        return self.latest()[0] is not None

    def latest(self) -> tuple[tuple[int, dict[str, Any]] | None, Divergence | None]:
        """Step and state of the newest good checkpoint, its files looked for by rank 0, and the last divergence. Collective.

        Complete checkpoints that the divergence spoils are deleted.
        """
        answer: list[Any] = [None]
        if self.world.is_main:
            try:
                record = self._record()
                newest, sums, steps = None, {}, complete_steps(self.root)
                while steps and newest is None:
                    folder = folder_of(self.root, steps[-1])
                    sums, state = verify(folder, steps[:-1])
                    if record is not None and record.spoils(steps[-1], state):
                        _delete(folder)
                        steps.pop()
                    else:
                        newest = steps[-1], state
                answer = [(newest, record, sums, advice(steps[:-1]))]
            except PipelineError as error:
                answer = [error]
        dist.broadcast_object_list(answer, src=0, group=self.world.control)
        if isinstance(answer[0], PipelineError):
            raise answer[0]
        newest, record, self.sums, self.advice = answer[0]
        return newest, record

    def load(self, step: int) -> None:
        """Fill model, optimizers and parts from the checkpoint that `latest` named, whoever wrote it. Collective.

        Raises InfrastructureError when a file that a process reads is not what was written.
        """
        tensors = self.tensors()
        groups = tensors["optim"].pop("param_groups")  # the configuration's, and another layout has others
        folder = folder_of(self.root, step)
        try:
            dcp_load(tensors, storage_reader=Reader(folder, self.sums), process_group=self.world.control)
        except (Exception, CheckpointException) as error:
            cause = first_failure(error)
            if isinstance(cause, Damaged):
                raise InfrastructureError(f"checkpoint {folder} is damaged ({cause}); {self.advice}") from error
            if isinstance(cause, PipelineError):
                raise cause from error
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
