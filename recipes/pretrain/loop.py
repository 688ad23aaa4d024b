"""The training loop: one step after the other, the same for every objective and every sharding."""

import gc
import itertools
import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from pipeline.handoff import TrainConfig, UsageError, batch_at, decay_start
from recipes.pretrain import harness, lora, mup
from recipes.pretrain.checkpoint import Checkpoints
from recipes.pretrain.cloze import TermCloze
from recipes.pretrain.data import Loader, Samples
from recipes.pretrain.evaluate import Validation, to_device
from recipes.pretrain.export import export_huggingface, export_int8
from recipes.pretrain.initialise import fill
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.metrics import Reporter, Speed, say
from recipes.pretrain.model import config_shape
from recipes.pretrain.objectives import IGNORE, build_objective
from recipes.pretrain.optimizer import LossScale, Optimizers, SpikeGuard, clip, learning_rate
from recipes.pretrain.parallel import World, accumulate, all_max, all_sum, apply_parallel, resolve_precision
from recipes.pretrain.quantize import need_torchao
from recipes.pretrain.shard_sums import check_shards
from recipes.pretrain.start import starting_model
from recipes.pretrain.storage import place, write_durably
from recipes.pretrain.stragglers import Stragglers
from recipes.pretrain.watch import MAX_REWINDS, DivergedError, Divergence, StalledError, Watch, repeats_sentence

COLLECT_GARBAGE_EVERY = 200
PROGRESS = ("step", "consumed", "tokens", "first_validation", "last_validation", "last_cloze", "rate", "divergences")
DUE, STOP, REPEATS = 1, 1 << 20, 1 << 40
"""Flags that ranks sum with their number of targets: rank 0 says that a checkpoint is due, any rank that it must stop or
that its batches repeat."""


class Trainer:
    """Everything one process holds while training; `run` trains to the last step or a signal."""

    def __init__(self, handoff: Handoff, world: World, *, allow_data_change: bool = False) -> None:
        self.handoff, self.world, self.config = handoff, world, handoff.config
        config = self.config
        self.out = place(handoff.at(config.out))
        if config.export.int8:
            need_torchao("export.int8")  # before the training, not after it
        if world.is_main:
            harness.check(handoff)
        self.steps = config.steps or 1
        self.objective = build_objective(config.objective, handoff.manifest.tokenizer)
        check_shards(handoff, self.out, world)
        self.samples = Samples(handoff, self.objective)
        self.validation = Validation(handoff, self.objective, config.evaluate)
        self.cloze = TermCloze(handoff, self.objective, config.evaluate)
        device = "cpu" if config.parallel.offload else str(world.device)
        self.parallel = resolve_precision(config.parallel, world)
        start = starting_model(handoff, world, self.objective, self.parallel, device)
        self.trainable, values, self.world, self.ratio, self.parameters = start
        world, model = self.world, self.trainable.model
        # only a causal model predicts as many tokens as it reads
        self.shape = config_shape(model.config, self.objective.length) if self.trainable.causal else None
        apply_parallel(self.trainable, self.parallel, world, qat=config.export.qat)
        fill(self.trainable, values, device, "model.")
        self.optimizers = Optimizers(self.trainable, self.trainable.blocks, config.optimizer, self.ratio)
        self.guard = SpikeGuard(config.optimizer.skip_sigma, config.optimizer.skip_window, world.device)
        self.scale = LossScale(self.parallel.precision == "fp16", world.device)
        parts = {"guard": self.guard, "scale": self.scale}
        folder = self.out / "checkpoints"
        wait_s = config.watch.wait_minutes * 60
        self.checkpoints = Checkpoints(folder, config.checkpoint, world, self.trainable, self.optimizers, parts, wait_s)
        self.step = self.consumed = self.tokens = 0
        self.first_validation: dict[str, Any] = {}
        self.last_validation: dict[str, Any] = {}
        self.last_cloze: dict[str, Any] | None = None
        self.rate, self.divergences = 1.0, 0  # what divergences left of the learning rate; these eight are PROGRESS
        learns_after = None if config.model.init_from else config.schedule.warmup_steps or 0
        self.watch = Watch(config.watch, config.report.every_steps, learns_after)
        self.stop_requested, self.allow_data_change = False, allow_data_change
        self.resume()

    # ------------------------------------------------------------------------------------------------ state

    def identity(self) -> dict[str, Any]:
        """What must not change between two parts of one run."""
        config: TrainConfig = self.config
        return {
            "fingerprint": self.handoff.manifest.fingerprint,
            "seed": config.seed,
            "model": config.model.model_dump(mode="json", exclude={"preset", "dropout", "init_from"}),
            **({"lora": config.lora.model_dump(mode="json")} if config.lora else {}),
            "objective": config.objective.model_dump(mode="json"),
            "optimizer": config.optimizer.name
            + (f", mup from {config.optimizer.base_width}" if self.ratio != 1 else ""),
        }

    def state(self) -> dict[str, Any]:
        """What a checkpoint says beside its tensors: how far the run is, and of which run it is."""
        window = {"stride": self.objective.stride, "overlap": self.objective.overlap}
        skips = {"skipped": int(self.guard.skipped), "in_row": int(self.guard.in_row)}
        first = {"first_loss": self.watch.first_loss}
        progress = {name: getattr(self, name) for name in PROGRESS}
        return progress | skips | first | {"window": window, "identity": self.identity(), "phases": self._phases()}

    def _phases(self) -> list[list[Any]]:
        """The mixes that samples have come from so far: what a resume must not change."""
        return [[first, shares] for first, shares in self.samples.phases if first < max(1, self.consumed)]

    def resume(self) -> None:
        """Go on from the newest good checkpoint. Raises UsageError when it belongs to another run."""
        newest, divergence = self.checkpoints.latest()
        if newest is not None:
            step, state = newest
            now, then = self.identity(), state["identity"]
            if now["fingerprint"] != then["fingerprint"] and not self.allow_data_change:
                raise UsageError(
                    f"the data changed since the checkpoint of step {step} (fingerprint {then['fingerprint'][:12]}…, "
                    f"now {now['fingerprint'][:12]}…); choose another `out`, or continue with --allow-data-change"
                )
            changed = [key for key in now | then if key != "fingerprint" and now.get(key) != then.get(key)]
            if changed:
                raise UsageError(
                    f"the checkpoint of step {step} was made with another {' and '.join(changed)}; choose another `out` "
                    f"or delete {self.checkpoints.root}"
                )
            self.checkpoints.load(step)
            for name in PROGRESS:
                setattr(self, name, state.get(name, getattr(self, name)))
            if state.get("phases") not in (None, self._phases()):
                raise UsageError(
                    f"the checkpoint of step {step} was made with other phases, or another batch before them; choose "
                    f"another `out` or delete {self.checkpoints.root}"
                )
            self.guard.skipped.fill_(state.get("skipped", 0))
            self.guard.in_row.fill_(state.get("in_row", 0))
            self.watch.first_loss = state.get("first_loss")
        if divergence is not None and divergence.number > self.divergences:
            self._after(divergence)

    def _after(self, divergence: Divergence) -> None:
        """Take note of a divergence that the resumed checkpoint does not know of, and say what follows."""
        if self.config.on_divergence == "stop" and divergence.restarted():
            raise StalledError(
                f"the run diverged at step {divergence.step} and is not restarted by itself; start it again"
            )
        self.divergences = divergence.number
        source = (
            f"from step {self.step}, the last good checkpoint" if self.step else "from the start: no checkpoint is good"
        )
        told = f"the run diverged at step {divergence.step}; going on {source}"
        if self.config.on_divergence == "rewind":
            self.rate *= self.config.rewind_rate
            told += (
                f", {divergence.consumed - self.consumed:,} samples further on, at {self.rate:g} of the learning rate"
            )
            self.consumed = divergence.consumed
        if self.world.is_main:
            say(told)

    # ------------------------------------------------------------------------------------------------- steps

    def train_step(self, micro_batches: list[dict[str, Any]], lr: float, flags: int) -> dict[str, Any]:
        """Forward, backward and update over one process's micro-batches; nothing waits for the device.

        Returns device tensors `loss` (mean nats per target, all processes) and `grad_norm`, and host numbers `targets`
        and `flags` (the largest over the processes).
        """
        world = self.world
        targets = sum(int((batch["labels"] != IGNORE).sum()) for batch in micro_batches)
        host = torch.tensor([targets, flags], dtype=torch.int64)
        if world.size > 1:
            dist.all_reduce(host, group=world.control)
        total = max(1, int(host[0]) // world.sharing)
        # gradients are averaged over the processes: times their number, over all targets, makes them exact
        factor = self.scale.scale * (world.size / world.tensor / total)
        entropy = torch.zeros((), device=world.device)
        torch.manual_seed((self.config.seed << 32) + (self.step << 12) + world.rank)  # dropout, the same after a resume
        for index, batch in enumerate(micro_batches):
            accumulate(self.trainable, self.parallel, index == len(micro_batches) - 1)
            batch = world.context.cut(batch) if world.context else batch
            sums = self.trainable(to_device(batch, world.device, self.trainable.use_varlen))
            (sums[0] * factor).backward()
            entropy += sums[1].detach()
        loss = all_sum(world, entropy) / total
        parameters = list(self.trainable.parameters())
        norm, divisor = clip(parameters, self.config.optimizer.clip, self.scale.scale)
        norm = norm.to(world.device)
        skip = self.guard(loss, norm)
        self.optimizers.step(lr, skip, divisor)
        self.scale.update((~torch.isfinite(norm)).float())
        self.optimizers.zero_grad()
        return {"loss": loss, "grad_norm": norm, "targets": total, "flags": int(host[1])}

    def run(self) -> dict[str, Any]:
        """Train from where the run is to its last step. Returns the summary; `finished` is false after SIGTERM."""
        world = self.world
        if self.step >= self.steps:
            # one that was killed between its last checkpoint and the export still has the export to write
            missing = world.is_main and not (self.out / "summary.json").exists()
            return self._finish() if all_max(world, int(missing)) else self.summary(already=True)
        previous = self._catch_signals()
        gc.collect()
        gc.disable()  # collections at different moments on different processes make all of them wait
        try:
            while not self._train_on():
                self.resume()
        finally:
            gc.enable()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._finish()

    def _train_on(self) -> bool:
        """Train to the last step or a signal; false when the run diverged and is to go back to a checkpoint."""
        config, world = self.config, self.world
        reporter = Reporter(self.out, config, self.step, world.is_main)
        if world.is_main and self.step:
            say(f"resuming after step {self.step} of {self.steps}")
        sizes = (batch_at(config, step) for step in itertools.count(self.step))
        batches = {"consumed": self.consumed, "batch": sizes, "micro": config.micro_batch}
        loader = Loader(
            self.samples, **batches, rank=world.data_rank, world=world.data_size, wait_s=config.watch.wait_minutes * 60
        )
        try:
            self._steps(loader, reporter)
        except DivergedError as error:
            self.checkpoints.finish()
            again = config.on_divergence == "rewind" and error.record.number <= MAX_REWINDS
            if not self.checkpoints.diverged(error.record) or not again:
                raise
            return False
        finally:
            loader.close()
            reporter.close()
        return True

    def _steps(self, loader: Loader, reporter: Reporter) -> None:
        config, world = self.config, self.world
        speed = Speed(self.shape, world.size, world.device, config.report.price_per_gpu_hour)
        if self.step == 0:
            self.first_validation = self._validate(reporter)
        decay = decay_start(self.steps, config.schedule) if config.schedule.kind == "wsd" else -1
        steps, stragglers = iter(loader), Stragglers(world, config.watch.slow_factor)
        last_save, reported, owed = time.monotonic(), self.step, False
        speed.last = time.perf_counter()
        while self.step < self.steps:
            waited = time.perf_counter()
            micro_batches = next(steps)
            waited = time.perf_counter() - waited
            speed.data_wait += waited
            if (slow := stragglers.stepped(waited)) and world.is_main:
                say(slow)
            lr = learning_rate(self.step, self.steps, config.optimizer.learning_rate or 1e-3, config.schedule)
            lr *= self.rate
            due = world.is_main and self.checkpoints.due(time.monotonic() - last_save)
            flags = DUE * due + STOP * self.stop_requested + REPEATS * self.watch.repeats(micro_batches)
            outcome = self.train_step(micro_batches, lr, flags)
            self.consumed += batch_at(config, self.step)
            self.step += 1
            self.tokens += outcome["targets"]
            speed.tokens += outcome["targets"]
            for batch in micro_batches:
                speed.saw(batch["docs"])
            if self.step % COLLECT_GARBAGE_EVERY == 0:
                gc.collect()
            if self.step % config.report.every_steps == 0 or self.step == self.steps:
                self._report(outcome, lr, speed, reporter, self.step - reported)
                reported = self.step
            if outcome["flags"] >= REPEATS:
                raise StalledError(repeats_sentence(config.watch, self.step))
            if self.step % self.watch.every == 0 or self.step == self.steps:
                if not self.tokens:
                    raise StalledError(
                        f"no token was to be predicted in {self.step:,} steps: the text is special tokens alone"
                    )
                at_end = self.step == self.steps
                self.watch.look(self.step, self.consumed, float(outcome["loss"]), self.guard, self.divergences, at_end)
            if self.step % config.evaluate.every_steps == 0 or self.step == self.steps:
                paused = time.perf_counter()
                self.last_validation = self._validate(reporter)
                speed.last += time.perf_counter() - paused
            at_decay, last = self.step == decay, self.step == self.steps
            stop = outcome["flags"] % REPEATS >= STOP
            by_steps = config.checkpoint.every_steps and self.step % config.checkpoint.every_steps == 0
            owed = owed or last or bool(by_steps) or at_decay or outcome["flags"] > 0
            if owed and self._save(float(outcome["loss"]), reporter, keep=last or at_decay, wait=last or stop):
                owed, last_save = False, time.monotonic()
            if stop and not last:
                self.stop_requested = True
                break
        self.checkpoints.finish()

    def _save(self, loss: float, reporter: Reporter, *, keep: bool, wait: bool) -> bool:
        """Write a checkpoint of finite weights after an update from a finite loss; says whether it was written.

        A skipped step has nothing new to write, and must not push a good checkpoint out. The last step and one that ends
        by a signal may be skipped ones, the last where held-out losses are numbers.
        """
        if int(self.guard.in_row) and not wait:
            return False
        parameters = (p.to_local() if isinstance(p, DTensor) else p for p in self.trainable.parameters())
        norms = torch.stack([p.detach().norm().cpu() for p in parameters])
        held_out = [result["loss"] for result in self.last_validation.values()] if self.step == self.steps else []
        good = math.isfinite(loss) or (bool(held_out) and all(map(math.isfinite, held_out)))
        if all_max(self.world, int(not torch.isfinite(norms).all())) or not good:
            if self.step == self.steps:
                record = Divergence(self.divergences + 1, self.step, self.step - 2, self.consumed, f"loss {loss}")
                raise DivergedError(f"the training ends with a loss of {loss}; lower optimizer.learning_rate", record)
            return False
        reporter.flush()  # a checkpoint that is resumed has its metrics
        self.checkpoints.save(self.step, self.state(), keep=keep, wait=wait)
        return True

    def _report(self, outcome: dict[str, Any], lr: float, speed: Speed, reporter: Reporter, since: int) -> None:
        loss, norm = float(outcome["loss"]), float(outcome["grad_norm"])
        metrics = {
            "step": self.step,
            "loss": loss,
            "tokens": self.tokens,
            "lr": lr,
            "grad_norm": norm,
            "skipped": int(self.guard.skipped),
            **speed.report(self.step, self.steps, since),
        }
        reporter.write(metrics)

    def _validate(self, reporter: Reporter) -> dict[str, Any]:
        results = self.validation(self.trainable, self.world)
        self.last_cloze = self.cloze(self.trainable, self.world)
        if results:
            metrics: dict[str, Any] = {"step": self.step, "tokens": self.tokens, "val": results}
            if self.last_cloze:
                metrics["cloze"] = self.last_cloze
            reporter.write(metrics)
        return results

    def _catch_signals(self) -> dict[int, Any]:
        def request_stop(number: int, frame: Any) -> None:
            self.stop_requested = True

        try:
            return {n: signal.signal(n, request_stop) for n in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # not the main thread (Ray Train): signals are the caller's
            return {}

    # --------------------------------------------------------------------------------------------------- end

    def summary(self, already: bool = False) -> dict[str, Any]:
        return {
            "finished": self.step >= self.steps,
            "already_finished": already,
            "steps": self.step,
            "samples": self.consumed,
            "tokens": self.tokens,
            "parameters": self.parameters,
            "architecture": self.trainable.architecture,
            "objective": self.config.objective.kind,
            "sharding": self.parallel.sharding,
            "precision": self.parallel.precision,
            "processes": self.world.size,
            "fingerprint": self.handoff.manifest.fingerprint,
            "epochs": self.samples.realised(self.consumed),
            "shares": self.samples.shares(self.consumed),
            "phases": [{"first_sample": first, "mix": shares} for first, shares in self.samples.phases[1:]],
            "continued_from": self.config.model.init_from and Path(self.config.model.init_from).name,
            "validation_before": self.first_validation,
            "validation": self.last_validation,
            "cloze": self.last_cloze,
            "skipped": int(self.guard.skipped),
        }

    def _finish(self) -> dict[str, Any]:
        summary = self.summary()
        if summary["finished"] and self.config.export.huggingface:
            if self.config.lora:
                lora.merge(self.trainable)
            if self.ratio != 1:
                mup.fold(self.trainable, self.ratio)
            export_huggingface(self.handoff, self.trainable, self.world, self.out / "model", summary)
            if self.config.export.int8 and self.world.is_main:
                summary["int8"] = export_int8(self.out, self.validation)
        if self.world.is_main:
            write_durably(self.out / "summary.json", json.dumps(summary, indent=2, sort_keys=True) + "\n")
        dist.barrier(group=self.world.control)
        return summary
