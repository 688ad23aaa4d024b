"""Tokenizer and shards, as steps: count pre-tokens per shard, merge once; then encode each document once."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.execute import Assignment, Produced, Unit, each, libraries
from pipeline.core.partition import validation_mask
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo, Store
from pipeline.errors import GateError
from pipeline.kernels.buffers import text_buffers
from pipeline.tokens import existing
from pipeline.tokens.parts import final_files, kept_rows, load_part, parts_of_streams, scatter, scored_files, streams
from pipeline.tokens.shards import SPLITS, pack, token_type
from pipeline.tokens.vocabulary import in_sample, sample_fractions, vocabulary_size
from tokenizer import count, encode, extend, merge, save, superwords
from tokenizer.specials import ROLES, special_tokens

COUNT_VERSION = TRAIN_VERSION = 2
ENCODE_VERSION = 2
EOS = ROLES["eos"]


def stages(preset: str) -> tuple[str, ...]:
    """The presets whose counts a tokenizer learns from, in order: superwords are made of words."""
    return (superwords.WORDS, superwords.PHRASES) if preset == superwords.PHRASES else (preset,)


@dataclass
class SampledText:
    """Text that the tokenizer learns from: documents, and their bytes."""

    documents: int = 0
    bytes: int = 0


@each
def count_shard(store: Store, assigned: Assignment) -> Produced:
    """Distinct pre-tokens of the sampled kept text of a shard, with their counts."""
    table = kept_rows(store, assigned.reads)
    settings = assigned.settings
    chosen = in_sample(table["id"], table["role"].to_pylist(), settings["fractions"])
    chosen &= ~validation_mask(table["id"], settings["validation_frac"])
    text = table["text"].filter(pa.array(chosen)).combine_chunks()
    if settings.get("nfc"):
        text = pc.utf8_normalize(text, "NFC")
    files = {}
    for preset in stages(settings["preset"]):
        counts = count.count_batch(text, preset).to_table()
        files[preset] = store.put_table(assigned.path(f"pretokens-{preset}"), [counts], counts.schema)
    size = int(pc.sum(table["text_bytes"].filter(pa.array(chosen))).as_py() or 0)
    return Produced(files, SampledText(int(chosen.sum()), size))


@dataclass
class TokenizerCounts:
    """Entries of the vocabulary, and how many were asked for."""

    vocab_size: int
    asked: int


@each
def train_tokenizer(store: Store, assigned: Assignment) -> Produced:
    """Sum the counts of all shards and learn the merges once."""
    settings = assigned.settings
    summed = []
    for preset in stages(settings["preset"]):
        tables = [store.read_table(info.path) for info in assigned.reads[preset]]
        summed.append(count.merge_counts([count.Counts.from_table(table) for table in tables]))
    asked = settings["vocab_size"], settings["specials"]
    if len(summed) == 2:
        model = superwords.train_superwords(summed[0], summed[1], *asked)
    else:
        model = merge.train(summed[0], *asked)
    files = {}
    folder = assigned.path("tokenizer", suffix="")
    for name, data in sorted(save.save(model).items()):
        files[name] = store.put(f"{folder}/{name}", data)
    return Produced(files, TokenizerCounts(len(model), model.asked))


@each
def keep_tokenizer(store: Store, assigned: Assignment) -> Produced:
    """A public tokenizer as it is, or with tokens that the counts of domain text ask for."""
    files = {name: store.read(info.path) for name, info in assigned.reads["base"].items()}
    base, more = files["tokenizer.json"], assigned.settings["extend"]
    if more:
        tables = [store.read_table(info.path) for info in assigned.reads["counts"]]
        counts = count.merge_counts([count.Counts.from_table(table) for table in tables])
        files["tokenizer.json"] = extend.extend(base, counts, more)
    folder = assigned.path("tokenizer", suffix="")
    put = {name: store.put(f"{folder}/{name}", data) for name, data in sorted(files.items())}
    sizes = [encode.Encoder(content).vocab_size for content in (files["tokenizer.json"], base)]
    return Produced(put, TokenizerCounts(sizes[0], sizes[1] + more))


def _count_units(run: Run, preset: str, fractions: dict[str, float], nfc: bool = False) -> list[Unit]:
    settings = {
        "preset": preset,
        "fractions": fractions,
        "validation_frac": run.recipe.shards.validation_frac,
        **({"nfc": True} if nfc else {}),
    }
    return [Unit(shard, final_files(run, shard), settings, COUNT_VERSION, libraries("unicode")) for shard in run.shards]


def _kept_tokenizer(run: Run, by_role: dict[str, int]) -> Commits:
    """The tokenizer of `tokenizer.from`, extended by what the domain's text needs."""
    settings = run.recipe.tokenizer
    files = existing.read_folder(str(settings.folder))
    encoder = encode.Encoder(files["tokenizer.json"])
    counted: list[FileInfo] = []
    if settings.extend:
        role = "domain" if by_role.get("domain") else next(role for role, size in by_role.items() if size)
        fractions = sample_fractions(by_role, {role: 1.0}, settings.max_sample_bytes)
        commits = run.execute(Step.COUNT, _count_units(run, encoder.preset, fractions, encoder.nfc), count_shard)
        counted = sorted((c.files[encoder.preset] for c in commits.values()), key=lambda info: info.sha256)
    reads = {"base": existing.put(run.store, files), "counts": counted}
    unit = Unit("all", reads, {"extend": settings.extend, "kept": True}, TRAIN_VERSION, libraries("unicode"))
    return run.execute(Step.TOKENIZER, [unit], keep_tokenizer)


def token_roles(run: Run) -> dict[str, str]:
    """The special tokens of this run's tokenizer by role."""
    if run.recipe.tokenizer.folder is None:
        return ROLES
    files = run.commit(Step.TOKENIZER).files
    return existing.roles({name: run.store.read(info.path) for name, info in files.items() if name in existing.NAMING})


def _nothing_kept(run: Run) -> str:
    """Why there is nothing to train a tokenizer on: the rule that took most, by first reasons."""
    said = "no document was kept, so there is nothing to train a tokenizer on"
    tables = [run.verdicts(shard, ["verdict", "stage", "rule"]) for shard in run.shards]
    grouped = pa.concat_tables(tables).group_by(["verdict", "stage", "rule"]).aggregate([([], "count_all")])
    rows = sorted(grouped.to_pylist(), key=lambda row: (-row["count_all"], f"{row['stage']}.{row['rule']}"))
    if not rows:
        return said
    rule, most = f"{rows[0]['stage']}.{rows[0]['rule']}", rows[0]["count_all"]
    whole = sum(table.num_rows for table in tables)
    return (
        f"{said}; {rule} took most, {most:,} of {whole:,}: domain-corpus inspect --run {run.store.root} --rule {rule}"
    )


def tokenizer(run: Run) -> Commits:
    """Count per shard at the tokenizer's shares by bytes, then train one tokenizer; or keep a public one."""
    by_role: dict[str, int] = {}
    for stream in streams(run).values():
        by_role[stream.role] = by_role.get(stream.role, 0) + stream.bytes
    if not sum(by_role.values()):
        raise GateError(_nothing_kept(run))
    settings = run.recipe.tokenizer
    if settings.folder is not None:
        return _kept_tokenizer(run, by_role)
    fractions = sample_fractions(by_role, settings.shares(), settings.max_sample_bytes)
    units = _count_units(run, settings.pretokens, fractions)
    counted = run.execute(Step.COUNT, units, count_shard)
    sample_bytes = sum(text.bytes for text in run.counts(SampledText, Step.COUNT).values())
    unit = Unit(
        name="all",
        reads={
            preset: sorted((commit.files[preset] for commit in counted.values()), key=lambda info: info.sha256)
            for preset in stages(settings.pretokens)
        },
        settings={
            "preset": settings.pretokens,
            "specials": special_tokens(sentinels=settings.sentinels),
            "vocab_size": vocabulary_size(settings, sample_bytes),
        },
        version=TRAIN_VERSION,
        libraries=libraries("unicode"),
    )
    return run.execute(Step.TOKENIZER, [unit], train_tokenizer)


@dataclass
class SplitCounts:
    """One split of one part of a stream. `tokens` count an end-of-text token a document; sizes are of text in bytes, and of the
    largest document in tokens."""

    documents: int = 0
    tokens: int = 0
    max_id: int = 0
    text_bytes: int = 0
    largest_document: int = 0


@dataclass
class ShardCounts:
    """What encoding one part of a stream counted."""

    train: SplitCounts = field(default_factory=SplitCounts)
    validation: SplitCounts = field(default_factory=SplitCounts)

    def splits(self) -> dict[str, SplitCounts]:
        """By the split's name."""
        return {split: getattr(self, split) for split in SPLITS}


TOKEN_COUNTS = pa.schema(
    [("id", pa.string()), ("num_tokens", pa.int64()), ("split", pa.string()), ("score", pa.float32())]
)
"""A row a document of the part, in the order of ids. `score` is that of the recipe's `select.by`, null without."""


@each
def encode_part(store: Store, assigned: Assignment) -> Produced:
    """Encode the documents of one part once: a shard pair per split, and the number of tokens of each document."""
    encoder = encode.Encoder(store.read(assigned.reads["tokenizer"].path))
    table = load_part(store, assigned)
    ids, ends = encoder.encode(*text_buffers(encoder.composed(table["text"])))
    ends = np.asarray(ends, np.int64)
    held_out = validation_mask(table["id"], assigned.settings["validation_frac"])
    eos, dtype = encoder.specials[assigned.settings.get("eos", EOS)], token_type(encoder.vocab_size)
    files, counts = {}, ShardCounts()
    for split, chosen in zip(SPLITS, (~held_out, held_out), strict=True):
        packed = pack(ids, ends, chosen, eos, dtype)
        base = assigned.path(f"shards/{split}", suffix=".ds")
        files[f"{split}.ds"] = store.put(base, packed.tokens.tobytes())
        files[f"{split}.index"] = store.put(f"{base}.index", packed.ends.astype("<u8").tobytes())
        sizes = np.diff(packed.ends.astype(np.int64), prepend=0)
        text_bytes = int(table["text_bytes"].to_numpy()[chosen].sum())
        split_counts = SplitCounts(
            len(packed.ends), len(packed.tokens), packed.largest, text_bytes, int(sizes.max(initial=0))
        )
        setattr(counts, split, split_counts)
    split_names = pa.array(np.where(held_out, SPLITS[1], SPLITS[0]))
    sizes = pa.table([table["id"], np.diff(ends, prepend=0), split_names, table["score"]], TOKEN_COUNTS)
    files["counts"] = store.put_table(assigned.path("token_counts"), [sizes], TOKEN_COUNTS)
    return Produced(files, counts)


def shards(run: Run) -> Commits:
    """One unit per part of a stream. Parts are cut by id, so the same documents give the same shards in any layout."""
    encoder = run.file(Step.TOKENIZER, name="tokenizer.json")
    eos = token_roles(run)["eos"]
    shared = {"validation_frac": run.recipe.shards.validation_frac} | ({} if eos == EOS else {"eos": eos})
    scatter(run)
    units = [
        Unit(name, {"tokenizer": encoder, **reads}, shared | place, ENCODE_VERSION, libraries("unicode"))
        for name, reads, place in parts_of_streams(run, scored_files)
    ]
    return run.execute(Step.SHARDS, units, encode_part)
