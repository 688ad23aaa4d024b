"""The proxies of a search: each source cut to the proxy's part of the target, the mix they see, their losses.

A proxy sees far fewer tokens than the run it stands for. So that text repeats as often in the proxy as it will in the
run, every source is cut to the proxy's part of the target: with 1 % of the target's tokens it draws on 1 % of the source.
"""

import argparse
import gc
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.handoff import (
    EXIT_OK,
    Manifest,
    Shard,
    Source,
    TrainConfig,
    UsageError,
    build_manifest,
    default_train_config,
    dump_manifest,
    parse_train_config,
)
from pipeline.size.mixture import within_role
from recipes.pretrain import command
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.token_stream import TokenStream

DEFAULTS = ("phases=[]", "batch_ramp=null", "global_batch=8", "objective.sequence_length=128", "model.preset=tiny",
            "optimizer.learning_rate=0.003")  # fmt: skip
"""What a proxy takes unless `--set` says otherwise: about a million parameters and 1,024 tokens a step."""
FIXED = ("checkpoint.every_steps=1000000", "export.huggingface=false", "parallel.sharding=none")


def parser(module: str, description: str, handoff: str) -> argparse.ArgumentParser:
    """The arguments that searches have in common."""
    cli = command.parser(module, description, handoff)
    cli.add_argument("--steps", type=int, default=100, metavar="N", help="steps of a proxy (default 100)")
    cli.add_argument("--target-tokens", type=float, metavar="N", help="tokens of the real run (default: the plan's)")
    return cli


class Proxies:
    """The proxies of one search, trained one after the other in this process. Finished ones are not trained again."""

    def __init__(self, handoff: Handoff, options: argparse.Namespace, name: str) -> None:
        self.handoff, self.name, self.unit = handoff, name, ""
        self.target = target_tokens(handoff, options.target_tokens)
        if min(options.steps, self.target) < 1:
            raise UsageError("--steps and --target-tokens are at least 1")
        self.config = proxy_config(handoff, options.steps, options.set)
        self.steps = self.config.steps or options.steps
        self.tokens = self.steps * (self.config.global_batch or 1) * (self.config.objective.sequence_length or 1)
        self.part = min(1.0, self.tokens / self.target)
        self.folder, self.tokenizer = Path(handoff.at(name)), handoff.at(handoff.manifest.tokenizer.path)
        self.world: Any = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """While inside, proxies can be trained."""
        from recipes.pretrain.parallel import start_world, stop_world

        self.world = start_world()
        try:
            if self.world.size > 1:
                raise UsageError("proxies are small: start the search with one process, without torchrun")
            yield
        finally:
            stop_world()

    def train(self, manifest: Manifest, name: str, seed: int = 0) -> tuple[dict[str, Any], dict[str, float]]:
        """Train one proxy on a manifest of cut sources: the trainer's summary, and the held-out loss of each role."""
        from recipes.pretrain.loop import Trainer

        out = self.folder / f"{name}-{manifest.fingerprint[:8]}"
        out.mkdir(parents=True, exist_ok=True)
        (out / "manifest.json").write_text(dump_manifest(manifest), encoding="utf-8")
        config = self.config.model_copy(update={"out": str(out), "seed": self.config.seed + seed})
        trainer = Trainer(Handoff(self.handoff.root, manifest, config), self.world)
        summary = trainer.run()
        del trainer
        gc.collect()
        if not summary["finished"]:
            raise KeyboardInterrupt
        losses, self.unit = role_losses(manifest, summary["validation"])
        shown = ", ".join(f"{role} {loss:.4f}" for role, loss in losses.items())
        print(f"{name}: held out, {self.unit}: {shown}", file=sys.stderr, flush=True)
        return summary, losses

    def leave(self, options: argparse.Namespace, result: dict[str, Any], sentences: Sequence[str]) -> int:
        """Write what was found beside what it was found with, and say it; returns the exit code."""
        model = self.config.model.model_dump(mode="json")
        result |= {
            "unit": self.unit,
            "target_tokens": self.target,
            "proxy": {"tokens": self.tokens, "steps": self.steps, "part": self.part, "model": model},
            "tokenizer_sha256": self.handoff.manifest.tokenizer.sha256,
        }
        path = Path(self.handoff.at(f"{self.name}.json"))
        path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(json.dumps(result) if options.json else "\n".join([*sentences, f"written to {path}"]), flush=True)
        return EXIT_OK


def proxy_config(handoff: Handoff, steps: int, overrides: Sequence[str]) -> TrainConfig:
    """`train.yaml` cut down to a proxy; rate and batch follow the proxy's size, not the target's."""
    settings = [*DEFAULTS, f"evaluate.every_steps={steps}", *FIXED, *overrides]
    given = parse_train_config(f"seed: {handoff.config.seed}\nsteps: {steps}\n", "proxy", settings)
    if given.objective.kind is None:
        kind = handoff.config.objective.kind if given.model.architecture else "causal"
        given = given.model_copy(update={"objective": given.objective.model_copy(update={"kind": kind})})
    bare = handoff.manifest.model_copy(update={"plan": {}})  # its rate and batch are the target's
    return default_train_config(bare, given)


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
