"""Tokenizer and shards, as steps: count pre-tokens per shard, merge once; then encode each document once."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.partition import part_numbers, validation_mask
from pipeline.core.run_folder import Commits, Run
from pipeline.core.store import Store
from pipeline.errors import GateError
from pipeline.kernels.buffers import text_buffers
from pipeline.tokens.shards import SPLITS, pack, part_count, token_type
from pipeline.tokens.vocabulary import in_sample, sample_fractions, vocabulary_size
from tokenizer import count, encode, merge, save, superwords
from tokenizer.specials import ROLES, special_tokens

COUNT_VERSION = TRAIN_VERSION = 2
ENCODE_VERSION = 1
EOS = ROLES["eos"]


def streams(run: Run) -> dict[str, dict[str, Any]]:
    """What was kept, by stream: a source, or `<source>-<role>` where a source gives both roles."""
    fixed = {source.name: source.role for source in run.recipe.chosen}
    found = {}
    for key, sums in run.done["settle"]["all"].counts["streams"].items():
        source, role = key.split("/")
        name = f"{source}-{role}" if fixed[source] == "auto" else source
        found[name] = {"source": source, "role": role, **sums}
    return dict(sorted(found.items()))


def kept_rows(store: Store, files: dict[str, str], columns: list[str] | None = None) -> pa.Table:
    """id, source, role and text of the kept documents of one shard, and further columns of its documents."""
    verdicts = store.read_table(files["verdicts"], ["id", "source", "role", "verdict"])
    texts = store.read_table(files["texts"], ["text", "text_bytes"])
    table = verdicts.append_column("text", texts["text"]).append_column("text_bytes", texts["text_bytes"])
    if columns:
        documents = store.read_table(files["documents"], columns)
        for column in columns:
            table = table.append_column(column, documents[column])
    return table.filter(pc.equal(verdicts["verdict"], "kept"))


def shard_files(run: Run, shard: str) -> dict[str, Any]:
    """The files of one document shard that later steps read."""
    return {
        "documents": run.file("extract", shard),
        "texts": run.file("apply", shard),
        "verdicts": run.file("settle", "all", shard),
    }


def stages(preset: str) -> tuple[str, ...]:
    """The presets whose counts a tokenizer learns from, in order: superwords are made of words."""
    return (superwords.WORDS, superwords.PHRASES) if preset == superwords.PHRASES else (preset,)


def count_shard(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Distinct pre-tokens of the sampled kept text of a shard, with their counts."""
    produced = []
    for assigned in assignments:
        table = kept_rows(store, assigned.arguments["files"])
        settings = assigned.parts["settings"]
        chosen = in_sample(table["id"], table["role"].to_pylist(), settings["fractions"])
        chosen &= ~validation_mask(table["id"], settings["validation_frac"])
        text = table["text"].filter(pa.array(chosen)).combine_chunks()
        files = {}
        for preset in stages(settings["preset"]):
            counts = count.count_batch(text, preset).to_table()
            files[preset] = store.put_table(assigned.path(f"pretokens-{preset}"), [counts], counts.schema)
        size = int(pc.sum(table["text_bytes"].filter(pa.array(chosen))).as_py() or 0)
        produced.append(Produced(files, {"documents": int(chosen.sum()), "bytes": size}))
    return produced


def train_tokenizer(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Sum the counts of all shards and learn the merges once."""
    (assigned,) = assignments
    settings = assigned.parts["settings"]
    summed = []
    for paths in assigned.arguments["counts"]:
        tables = [store.read_table(path) for path in paths]
        summed.append(count.merge_counts([count.Counts.from_table(table) for table in tables]))
    asked = settings["vocab_size"], settings["specials"]
    if len(summed) == 2:
        model = superwords.train_superwords(summed[0], summed[1], *asked)
    else:
        model = merge.train(summed[0], *asked)
    files = {}
    folder = f"tokenizer-{assigned.fingerprint[:12]}"
    for name, data in sorted(save.save(model).items()):
        files[name] = store.put(f"{folder}/{name}", data)
    return [Produced(files, {"vocab_size": len(model), "asked": model.asked})]


def tokenizer(run: Run) -> Commits:
    """Count per shard at the tokenizer's shares by bytes, then train one tokenizer."""
    by_role: dict[str, int] = {}
    for stream in streams(run).values():
        by_role[stream["role"]] = by_role.get(stream["role"], 0) + stream["bytes"]
    if not sum(by_role.values()):
        raise GateError(
            "no document was kept, so there is nothing to train a tokenizer on. "
            "`python -m pipeline explain URL` shows which rule removed a document"
        )
    settings = run.recipe.tokenizer
    fractions = sample_fractions(by_role, settings.shares(), settings.max_sample_bytes)
    units = []
    for shard in run.shards:
        files = shard_files(run, shard)
        units.append(
            Unit(
                name=shard,
                inputs=[files["texts"].sha256, files["verdicts"].sha256],
                settings={
                    "preset": settings.pretokens,
                    "fractions": fractions,
                    "validation_frac": run.recipe.shards.validation_frac,
                },
                version=COUNT_VERSION,
                libraries=libraries("unicode"),
                arguments={"files": {name: info.path for name, info in files.items()}},
            )
        )
    counted = run.keep("count", run.runner.execute("count", units, count_shard))
    sample_bytes = sum(commit.counts["bytes"] for commit in counted.values())
    tables = {preset: [commit.files[preset] for commit in counted.values()] for preset in stages(settings.pretokens)}
    unit = Unit(
        name="all",
        inputs=sorted(info.sha256 for infos in tables.values() for info in infos),
        settings={
            "preset": settings.pretokens,
            "specials": special_tokens(sentinels=settings.sentinels),
            "vocab_size": vocabulary_size(settings, sample_bytes),
        },
        version=TRAIN_VERSION,
        libraries=libraries("unicode"),
        arguments={"counts": [[info.path for info in infos] for infos in tables.values()]},
    )
    return run.keep("tokenizer", run.runner.execute("tokenizer", [unit], train_tokenizer))


def load_part(store: Store, arguments: dict[str, Any], columns: list[str] | None = None) -> pa.Table:
    """The kept documents of one part of a stream, in the order of their ids, from all shards of its source."""
    tables = []
    for files in arguments["shards"]:
        table = kept_rows(store, files, columns)
        mine = np.asarray(pc.equal(table["role"], arguments["role"]))
        if arguments["parts"] > 1:
            mine &= part_numbers(table["id"], arguments["parts"]) == arguments["part"]
        tables.append(table.filter(pa.array(mine)))
    return pa.concat_tables(tables).sort_by("id").combine_chunks()


TOKEN_COUNTS = pa.schema([("id", pa.string()), ("num_tokens", pa.int64()), ("split", pa.string())])


def encode_part(store: Store, assignments: list[Assignment], shared: Any) -> list[Produced]:
    """Encode the documents of one part once: a shard pair per split, and the number of tokens of each document."""
    produced = []
    for assigned in assignments:
        encoder = encode.Encoder(store.read(assigned.arguments["tokenizer"]))
        table = load_part(store, assigned.arguments)
        ids, ends = encoder.encode(*text_buffers(table["text"]))
        ends = np.asarray(ends, np.int64)
        held_out = validation_mask(table["id"], assigned.parts["settings"]["validation_frac"])
        eos, dtype = encoder.specials[EOS], token_type(encoder.vocab_size)
        files, counts = {}, {}
        for split, chosen in zip(SPLITS, (~held_out, held_out), strict=True):
            packed = pack(ids, ends, chosen, eos, dtype)
            base = f"shards/{split}/{assigned.name}-{assigned.fingerprint[:12]}.ds"
            files[f"{split}.ds"] = store.put(base, packed.tokens.tobytes())
            files[f"{split}.index"] = store.put(f"{base}.index", packed.ends.astype("<u8").tobytes())
            counts[split] = {
                "documents": len(packed.ends),
                "tokens": len(packed.tokens),
                "max_id": packed.largest,
                "text_bytes": int(table["text_bytes"].to_numpy()[chosen].sum()),
                "largest_document": int(np.diff(packed.ends.astype(np.int64), prepend=0).max(initial=0)),
            }
        split_names = pa.array(np.where(held_out, SPLITS[1], SPLITS[0]))
        sizes = pa.table(
            {"id": table["id"], "num_tokens": np.diff(ends, prepend=0), "split": split_names}, TOKEN_COUNTS
        )
        files["counts"] = store.put_table(assigned.path("token_counts"), [sizes], TOKEN_COUNTS)
        produced.append(Produced(files, counts))
    return produced


def shards(run: Run) -> Commits:
    """One unit per part of a stream. Parts are cut by id, so the same documents give the same shards in any layout."""
    encoder = run.done["tokenizer"]["all"].files["tokenizer.json"]
    units = []
    for name, stream in streams(run).items():
        own = [
            shard_files(run, shard)
            for shard in run.shards
            if run.done["extract"][shard].counts["source"] == stream["source"]
        ]
        parts = part_count(stream["bytes"], run.recipe.shards)
        for part in range(parts):
            units.append(
                Unit(
                    name=f"{name}/{part:05d}",
                    inputs=[encoder.sha256, *([f["texts"].sha256, f["verdicts"].sha256] for f in own)],
                    settings={
                        "validation_frac": run.recipe.shards.validation_frac,
                        "role": stream["role"],
                        "part": [part, parts],
                    },
                    version=ENCODE_VERSION,
                    libraries=libraries("unicode"),
                    arguments={
                        "tokenizer": encoder.path,
                        "role": stream["role"],
                        "part": part,
                        "parts": parts,
                        "shards": [{key: info.path for key, info in files.items()} for files in own],
                    },
                )
            )
    run.arguments["shards"] = {unit.name: unit.arguments for unit in units}
    return run.keep("shards", run.runner.execute("shards", units, encode_part))
