"""The hand-off, written last: tokenizer, manifest, training configuration and launch files under their fixed names."""

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from pipeline.apply.select_search import found_by
from pipeline.apply.settle import SettleCounts
from pipeline.core.root_hash import root_hash
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo
from pipeline.handoff import (
    Manifest,
    TrainConfig,
    build_manifest,
    default_train_config,
    dump_manifest,
    dump_train_config,
)
from pipeline.plan.step import mix_plan, size_plan
from pipeline.publish.export import export, exported
from pipeline.publish.launch import launch_files
from pipeline.size.shape import padded
from pipeline.tokens.parts import stream_of, streams
from pipeline.tokens.shards import SPLITS, token_type
from pipeline.tokens.step import ShardCounts, TokenizerCounts, token_roles
from tokenizer.term_lists import load_terms

SENTINEL = "<extra_id_0>"


def term_list(run: Run) -> str | None:
    """The list reports use: that of the judge `terms`, else the domain's: a list of that name, or the path of a TSV file."""
    for name, settings in run.recipe.judges:
        if name == "terms":
            return settings.list  # type: ignore[attr-defined]
    domain = run.recipe.domain
    if domain.endswith(".tsv"):
        return domain
    return domain if (files("tokenizer") / "terms" / f"{domain}.tsv").is_file() else None


def tokenizer_info(run: Run) -> dict[str, Any]:
    """What the trainer must know of the tokenizer."""
    file = run.file(Step.TOKENIZER, name="tokenizer.json")
    vocab = json.loads(run.store.read(file.path))
    ids = {added["content"]: added["id"] for added in vocab["added_tokens"]}
    size = run.counted(TokenizerCounts, Step.TOKENIZER).vocab_size
    sentinels = run.recipe.tokenizer.sentinels
    return {
        "sha256": file.sha256,
        "vocab_size": size,
        "padded_vocab_size": padded(size),
        **{f"{role}_id": ids[token] for role, token in token_roles(run).items() if token in ids},
        "sentinel_first": ids.get(SENTINEL) if sentinels else None,
        "sentinel_count": sentinels,
    }


def _shards(run: Run, stream: str, split: str, width: int, place: Callable[[str], str]) -> list[dict[str, Any]]:
    listed = []
    for unit, commit in run.commits(Step.SHARDS).items():
        counts = commit.counted(ShardCounts).splits()[split]
        if stream_of(unit) != stream or not counts.tokens:
            continue
        file = commit.files[f"{split}.ds"]
        listed.append(
            {
                "path": place(file.path),
                "bytes": counts.tokens * width,
                "num_tokens": counts.tokens,
                "num_documents": counts.documents,
                "max_id": counts.max_id,
                "sha256": file.sha256,
            }
        )
    return listed


def build(run: Run, place: Callable[[str], str] = exported) -> Manifest:
    """The manifest of this run, with its files where `place` says; before its uses are counted it names none."""
    info = tokenizer_info(run)
    width = token_type(info["vocab_size"]).itemsize
    mix = mix_plan(run)
    lines = {line["name"]: line for line in mix["sources"]}
    licences = {source.name: source.licence for source in run.recipe.chosen}
    counts = run.counts(ShardCounts, Step.SHARDS)
    sources = []
    for name, stream in streams(run).items():
        parts = [found.splits() for unit, found in counts.items() if stream_of(unit) == name]
        uses = [commit.files["uses"] for unit, commit in run.commits(Step.USES).items() if stream_of(unit) == name]
        sources.append(
            {
                "name": name,
                "role": stream.role,
                "licence": licences[stream.source],
                "bucket": stream.bucket or None,
                "weight": lines[name]["weight"],
                "epochs": lines[name]["epochs"],
                "splits": {split: _shards(run, name, split, width, place) for split in SPLITS},
                "text_bytes": {split: sum(part[split].text_bytes for part in parts) for split in SPLITS},
                "uses": [place(file.path) for file in uses],
            }
        )
    listed = term_list(run)
    terms = [term.term for term in load_terms(listed)] if listed else []
    return build_manifest(tokenizer=info, sources=sources, mix=mix, plan=size_plan(run), terms=terms)


def tokenizer_figures(run: Run) -> dict[str, Any]:
    """Vocabulary and compression of the trained tokenizer over everything encoded."""
    splits = [split for counts in run.counts(ShardCounts, Step.SHARDS).values() for split in counts.splits().values()]
    text = sum(split.text_bytes for split in splits)
    tokens = sum(split.tokens - split.documents for split in splits)
    counts = run.counted(TokenizerCounts, Step.TOKENIZER)
    return {
        "vocab_size": counts.vocab_size,
        "asked": counts.asked,
        "bytes_per_token": text / tokens if tokens else None,
        "tokens": tokens,
        "sha256": run.file(Step.TOKENIZER, name="tokenizer.json").sha256,
    }


def run_hash(run: Run) -> str:
    """The root hash of a run that went as far as the shards."""
    plan = size_plan(run)
    choices = {"params": plan["chosen"]["params"], "tokens": plan["chosen"]["tokens"], "mix": mix_plan(run)["realised"]}
    shards = [
        f"{unit}/{name}:{info.sha256}"
        for unit, commit in run.commits(Step.SHARDS).items()
        for name, info in commit.files.items()
        if name != "counts"
    ]
    row_sum = int(run.counted(SettleCounts, Step.SETTLE).row_sum, 16)
    return root_hash([row_sum], run.file(Step.TOKENIZER, name="tokenizer.json").sha256, choices, shards)


def write_handoff(run: Run) -> tuple[TrainConfig, list[FileInfo]]:
    """Write `tokenizer/`, `plan.json` and `handoff/`; the manifest comes last, when all it names is there.

    Returns the training configuration, and every file that was written.
    """
    store = run.store
    shards = [info for c in run.commits(Step.SHARDS).values() for name, info in c.files.items() if name != "counts"]
    uses = [info for commit in run.commits(Step.USES).values() for info in commit.files.values()]
    files = export(run, [*shards, *uses])
    for name, info in run.commit(Step.TOKENIZER).files.items():
        files.append(store.put(f"tokenizer/{name}", store.read(info.path)))
    searched = found_by(run, run.recipe.select.search) if run.recipe.select else None
    selection = {"selection": searched.model_dump(mode="json")} if searched else {}
    files.append(store.put_json("plan.json", size_plan(run) | selection))
    manifest = build(run)
    config = default_train_config(manifest, run.recipe.pretrain)
    for name, text in sorted(launch_files(manifest).items()):
        files.append(store.put(f"handoff/launch/{name}", text.encode()))
    files.append(store.put("handoff/train.yaml", dump_train_config(config).encode()))
    files.append(store.put("handoff/manifest.json", dump_manifest(manifest).encode()))
    return config, files
