"""The hand-off, written last: tokenizer, manifest, training configuration and launch files under their fixed names."""

import json
from importlib.resources import files
from typing import Any

from pipeline.core.root_hash import root_hash
from pipeline.core.run_folder import Run
from pipeline.handoff import (
    Manifest,
    TrainConfig,
    build_manifest,
    default_train_config,
    dump_manifest,
    dump_train_config,
)
from pipeline.publish.launch import launch_files
from pipeline.size.shape import padded
from pipeline.tokens.shards import SPLITS, token_type
from pipeline.tokens.step import streams
from tokenizer.specials import ROLES
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
    commit = run.done["tokenizer"]["all"]
    vocab = json.loads(run.store.read(commit.files["tokenizer.json"].path))
    ids = {added["content"]: added["id"] for added in vocab["added_tokens"]}
    size = commit.counts["vocab_size"]
    sentinels = run.recipe.tokenizer.sentinels
    return {
        "sha256": commit.files["tokenizer.json"].sha256,
        "vocab_size": size,
        "padded_vocab_size": padded(size),
        **{f"{role}_id": ids[token] for role, token in ROLES.items() if token in ids},
        "sentinel_first": ids.get(SENTINEL) if sentinels else None,
        "sentinel_count": sentinels,
    }


def _shards(run: Run, stream: str, split: str, width: int) -> list[dict[str, Any]]:
    found = []
    for unit, commit in run.done["shards"].items():
        counts = commit.counts[split]
        if unit.rpartition("/")[0] != stream or not counts["tokens"]:
            continue
        file = commit.files[f"{split}.ds"]
        found.append(
            {
                "path": file.path,
                "bytes": counts["tokens"] * width,
                "num_tokens": counts["tokens"],
                "num_documents": counts["documents"],
                "max_id": counts["max_id"],
                "sha256": file.sha256,
            }
        )
    return found


def build(run: Run) -> Manifest:
    """The manifest of this run; before its uses are counted it names none."""
    uses = run.done.get("uses", {})
    info = tokenizer_info(run)
    width = token_type(info["vocab_size"]).itemsize
    mix = run.done["mix"]["all"].counts["plan"]
    lines = {line["name"]: line for line in mix["sources"]}
    licences = {source.name: source.licence for source in run.recipe.chosen}
    sources = []
    for name, stream in streams(run).items():
        parts = [c.counts for unit, c in run.done["shards"].items() if unit.rpartition("/")[0] == name]
        sources.append(
            {
                "name": name,
                "role": stream["role"],
                "licence": licences[stream["source"]],
                "weight": lines[name]["weight"],
                "epochs": lines[name]["epochs"],
                "splits": {split: _shards(run, name, split, width) for split in SPLITS},
                "text_bytes": {split: sum(part[split]["text_bytes"] for part in parts) for split in SPLITS},
                "uses": [c.files["uses"].path for u, c in uses.items() if u.rpartition("/")[0] == name],
            }
        )
    listed = term_list(run)
    terms = [term.term for term in load_terms(listed)] if listed else []
    return build_manifest(
        tokenizer=info, sources=sources, mix=mix, plan=run.done["size"]["all"].counts["plan"], terms=terms
    )


def tokenizer_figures(run: Run) -> dict[str, Any]:
    """Vocabulary and compression of the trained tokenizer over everything encoded."""
    counts = [commit.counts[split] for commit in run.done["shards"].values() for split in SPLITS]
    text = sum(found["text_bytes"] for found in counts)
    tokens = sum(found["tokens"] - found["documents"] for found in counts)
    commit = run.done["tokenizer"]["all"]
    return {
        "vocab_size": commit.counts["vocab_size"],
        "asked": commit.counts["asked"],
        "bytes_per_token": text / tokens if tokens else None,
        "tokens": tokens,
        "sha256": commit.files["tokenizer.json"].sha256,
    }


def run_hash(run: Run) -> str:
    """The root hash of a run that went as far as the shards."""
    plan = run.done["size"]["all"].counts["plan"]
    choices = {
        "params": plan["chosen"]["params"],
        "tokens": plan["chosen"]["tokens"],
        "mix": run.done["mix"]["all"].counts["plan"]["realised"],
    }
    shards = [
        f"{unit}/{name}:{info.sha256}"
        for unit, commit in run.done["shards"].items()
        for name, info in commit.files.items()
        if name != "counts"
    ]
    return root_hash(
        [int(run.done["settle"]["all"].counts["row_sum"], 16)],
        run.done["tokenizer"]["all"].files["tokenizer.json"].sha256,
        choices,
        shards,
    )


def write_handoff(run: Run) -> TrainConfig:
    """Write `tokenizer/`, `plan.json` and `handoff/`; the manifest comes last, when all it names is there."""
    store = run.store
    for name, info in run.done["tokenizer"]["all"].files.items():
        store.put(f"tokenizer/{name}", store.read(info.path))
    store.put_json("plan.json", run.done["size"]["all"].counts["plan"])
    manifest = build(run)
    config = default_train_config(manifest, run.recipe.pretrain)
    for name, text in sorted(launch_files(config, manifest).items()):
        store.put(f"handoff/launch/{name}", text.encode())
    store.put("handoff/train.yaml", dump_train_config(config).encode())
    store.put("handoff/manifest.json", dump_manifest(manifest).encode())
    return config
