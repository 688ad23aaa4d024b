"""Train, load or prepare: the models of the judges that need one, before the measure pass. Recipes without one have no unit
here."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa

from pipeline.classify.classifier_settings import ClassifierSettings, QualitySettings
from pipeline.classify.everyday import everyday_texts
from pipeline.classify.learn import train as learn
from pipeline.classify.model import Model
from pipeline.classify.named_files import documents as documents_of_files
from pipeline.classify.named_files import inputs
from pipeline.classify.sample import AUDIT_SEED, Sample, audit_mask, excerpt, hosts_of, id_hashes
from pipeline.classify.views import Views, view_of, without_identity
from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.judge import judges
from pipeline.core.reads import Digest, PinnedFile
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import UsageError, near
from pipeline.ingest.files import InputFile
from pipeline.recipe.model import RecipeBase

VERSION = 7
COLUMNS = ["id", "url", "source", "role", "reason"]
MIN_DOCUMENTS = 20
"""Fewer of one side, and nothing said about the classifier would mean anything."""
SIDES = ("negatives", "positives")


def classifiers(recipe: RecipeBase) -> list[tuple[str, ClassifierSettings]]:
    """The judges of a recipe that need a model, or are given one."""
    return [
        (name, settings)
        for name, settings in recipe.judges
        if isinstance(settings, ClassifierSettings) and (settings.has_origin or settings.needs_origin)
    ]


def check(recipe: RecipeBase) -> None:
    """Raise UsageError when a judge's file is not right, or a classifier has no origin, or one that names no source."""
    sources = {source.name for source in recipe.chosen}
    problems = []
    for name, settings in recipe.judges:
        try:
            settings.check()
        except UsageError as error:
            problems.append(f"curate.{name}: {error}")
    for name, settings in classifiers(recipe):
        if not settings.has_origin:
            problems.append(f"curate.{name}: needs positives and negatives to learn from, or weights, or fasttext")
        for side, selection in settings.sides.items():
            where = f"curate.{name}.{side if side in SIDES else f'hard_negatives.{side}'}"
            problems += [
                f"{where}.sources: no source {source!r} in sources.{recipe.use}{near(source, sources)}"
                for source in selection.sources
                if source not in sources
            ]
            try:
                inputs(selection.files)
            except UsageError as error:
                problems.append(f"{where}.files: {error}")
    if problems:
        raise UsageError("\n".join(problems))


def sides_of(documents: pa.Table, settings: ClassifierSettings) -> tuple[np.ndarray, list[str]]:
    """int16[n]: place in `settings.sides` (0 negatives, 1 positives), -1 for none and for both; and every host.

    A document of a group of hard negatives stands there and not among the negatives.
    """
    hosts = hosts_of(documents["url"])
    rows = list(zip(documents["source"].to_pylist(), documents["role"].to_pylist(), hosts, strict=True))
    selections = list(settings.sides.values())
    named: dict[tuple[str, str, str], int] = {}
    for key in set(rows):
        places = [at for at, selection in enumerate(selections) if selection.names(*key)]
        against = [at for at in places if at != 1]
        named[key] = -1 if not places or (1 in places and against) else 1 if 1 in places else against[-1]
    return np.array([named[key] for key in rows], np.int16), hosts


def _learnable(documents: pa.Table, settings: ClassifierSettings) -> tuple[np.ndarray, list[str]]:
    """As `sides_of`, -1 for quarantined and audited documents too."""
    sides, hosts = sides_of(documents, settings)
    sides[documents["reason"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)] = -1
    sides[audit_mask(documents["id"])] = -1
    return sides, hosts


class _Chosen:
    """The candidates of one side with the lowest hashes seen so far; memory does not grow with the run."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.hashes = np.zeros(0, np.uint64)
        self.places = np.zeros((0, 2), np.int64)
        self.hosts = np.zeros(0, np.str_)
        self.seen = 0

    def add(self, hashes: np.ndarray, places: np.ndarray, hosts: np.ndarray) -> None:
        self.seen += len(hashes)
        joined = np.concatenate([self.hashes, hashes])
        lowest = np.argsort(joined, kind="stable")[: self.most]
        self.hashes = joined[lowest]
        self.places = np.concatenate([self.places, places])[lowest]
        self.hosts = np.concatenate([self.hosts, hosts])[lowest]


def draw(
    store: Store, paths: list[str], files: dict[str, list[InputFile]], settings: ClassifierSettings, seed: int
) -> tuple[Sample, dict[str, int], dict[str, int]]:
    """The sample of a run's documents and of each side's files; how many each side has, and how many texts of each were copies
    or empty."""
    names = list(settings.sides)
    sides = [_Chosen(settings.max_documents) for _ in names]
    for number, path in enumerate(paths):
        documents = store.read_table(path, COLUMNS)
        labels, hosts = _learnable(documents, settings)
        hashes = id_hashes(documents["id"], seed)
        for label, side in enumerate(sides):
            rows = np.flatnonzero(labels == label)
            places = np.stack([np.full(len(rows), number), rows], axis=1)
            side.add(hashes[rows], places, np.array([hosts[row] for row in rows], np.str_))
    found: list[Entry] = []
    for number, path in enumerate(paths):
        wanted = {
            int(row): (int(side.hashes[at]), label, str(side.hosts[at]))
            for label, side in enumerate(sides)
            for at in np.flatnonzero(side.places[:, 0] == number).tolist()
            for row in [side.places[at, 1]]
        }
        if wanted:
            found += _texts(store, path, wanted)
    known = {name: chosen.seen for name, chosen in zip(names, sides, strict=True)}
    for label, name in enumerate(names):
        more, seen = _from_files(files[name], label, f"files of {name}", settings.max_documents, seed)
        found += more
        known[name] += seen
    talk = round(settings.everyday * sum(entry[1] == 0 for entry in found))
    numbers = id_hashes(pa.array([f"everyday {at}" for at in range(talk)], pa.string()), seed)
    for number, text in zip(numbers.tolist(), everyday_texts(talk), strict=True):
        found.append((number, 0, "", text.encode(), "everyday talk"))
    found.sort(key=lambda entry: (entry[0], entry[1], entry[3]))
    sample = Sample(
        texts=pa.array([entry[3] for entry in found], pa.large_binary()),
        labels=np.array([int(entry[1] == 1) for entry in found], np.int64),
        groups=[entry[2] for entry in found],
        hashes=np.array([entry[0] for entry in found], np.uint64),
        sides=[names[entry[1]] for entry in found],
        sources=[entry[4] for entry in found],
    ).deduplicated()
    drawn, left = Counter(names[entry[1]] for entry in found), Counter(sample.sides)
    return sample, known, {name: drawn[name] - left[name] for name in names}


Entry = tuple[int, int, str, bytes, str]
"""Hash, place of the side, host, text, source."""


def _from_files(files: list[InputFile], label: int, source: str, most: int, seed: int) -> tuple[list[Entry], int]:
    """Excerpts of the documents of files with the lowest hashes, and how many documents the files have."""
    found: list[Entry] = []
    seen = 0
    for batch in documents_of_files(files):
        hashes, hosts = id_hashes(batch["id"], seed), hosts_of(batch["url"])
        texts = batch["text"].to_pylist()
        found += [
            (int(number), label, host, excerpt(text.encode()), source)
            for number, host, text in zip(hashes, hosts, texts, strict=True)
        ]
        seen += len(texts)
        found = sorted(found)[:most]
    return found, seen


def _texts(store: Store, path: str, wanted: dict[int, tuple[int, int, str]]) -> list[Entry]:
    """Excerpts of some rows of a shard, reading only the row groups that hold one."""
    found: list[Entry] = []
    start = 0
    with store.open_table(path) as parquet:
        for group in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(group).num_rows
            rows = [row for row in sorted(wanted) if start <= row < start + size]
            if rows:
                table = parquet.read_row_group(group, columns=["text", "source"], use_threads=False)
                for row in rows:
                    text, source = (table[name][row - start].as_py() for name in ("text", "source"))
                    found.append((*wanted[row], excerpt(text.encode()), source))
            start += size
    return found


def _pinned(settings: ClassifierSettings) -> tuple[bytes | None, dict[str, Any]]:
    """Weights from outside, checked against their sha256, and their card. fastText files stay where they are."""
    pinned = settings.weights
    if pinned is None:
        assert settings.fasttext is not None
        judges_model = {"method": "fasttext", "label": settings.fasttext.label, "sha256": settings.fasttext.sha256}
        from pipeline.classify.fasttext import FastTextModel

        FastTextModel(settings.fasttext)
        return None, judges_model
    try:
        with fsspec.open(pinned.path, "rb") as file:
            data = file.read()  # pyright: ignore[reportAttributeAccessIssue]
    except OSError as error:
        raise UsageError(f"classifier weights {pinned.path}: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != pinned.sha256:
        raise UsageError(f"classifier weights {pinned.path} have the sha256 {digest}, the recipe says {pinned.sha256}")
    (Views if isinstance(settings, QualitySettings) else Model).from_bytes(data)
    return data, {"method": "pinned"}


def _trained(store: Store, assigned: Assignment, settings: ClassifierSettings) -> tuple[bytes | None, dict[str, Any]]:
    """A model learnt from documents of the run, and its card; no model, and why, of too few documents."""
    seed = AUDIT_SEED + 1 + int(assigned.settings["seed"])
    paths = [info.path for info in assigned.reads["documents"]]
    sample, known, copies = draw(store, paths, assigned.reads["files"], settings, seed)
    for label, side in enumerate(SIDES):
        own = int((sample.labels == label).sum())
        if own < MIN_DOCUMENTS:
            why = (
                f"curate.{assigned.name}.{side}: {own} different extracted documents in this run; "
                f"a classifier needs at least {MIN_DOCUMENTS}. Name other sources, roles, hosts or files, or give weights"
            )
            return None, {"method": "none", "why": why, "documents": known}
    model, card = learn(sample, settings.method, settings.shuffled)
    card = {"documents": known, "copies_in_the_sample": copies, **card}
    if not isinstance(settings, QualitySettings):
        return model.to_bytes(), card
    raw = sample.texts.filter(pa.array(sample.labels == 0))
    views = {"reference": view_of(without_identity(model), raw)}
    if settings.views.domain:
        roles = {side: {"roles": [role]} for side, role in zip(SIDES, ("general", "domain"), strict=True)}
        own = ClassifierSettings.model_validate({**roles, "method": "dsir", "max_documents": settings.max_documents})
        texts, count, _ = draw(store, paths, {side: [] for side in SIDES}, own, seed)
        card["domain_view"] = {"documents": count}
        if min(int((texts.labels == label).sum()) for label in (0, 1)) >= MIN_DOCUMENTS:
            views["domain"] = view_of(learn(texts, own.method)[0], raw)
    return Views(views).to_bytes(), card


@dataclass
class ModelCounts:
    """What is said of a judge's model. `sha256` is null when nothing could be learnt, `why` says why."""

    sha256: str | None = None
    bytes: int | None = None
    why: str | None = None
    card: dict[str, Any] = field(default_factory=dict)


def train_models(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Weights and a card for each classifier; of a judge that is prepared, the file that workers map."""
    known, produced = judges(), []
    for assigned in assignments:
        judge = known[assigned.name]
        settings = judge.settings.model_validate(_with_path(assigned))
        if judge.prepare is not None:
            info = store.put(assigned.path("prepared", suffix=".safetensors"), judge.prepare(settings))
            produced.append(Produced({"weights": info}, ModelCounts(info.sha256, info.bytes)))
            continue
        assert isinstance(settings, ClassifierSettings)
        data, card = _trained(store, assigned, settings) if settings.positives else _pinned(settings)
        files = {}
        if data is not None:
            files["weights"] = store.put(assigned.path("classifiers", suffix=".safetensors"), data)
            card = {**card, "sha256": files["weights"].sha256}
        card = {"judge": assigned.name, **card}
        files["card"] = store.put_json(assigned.path("classifiers", suffix=".json"), card)
        produced.append(Produced(files, ModelCounts(card.get("sha256"), why=card.get("why"), card=card)))
    return produced


def _with_path(assigned: Assignment) -> dict[str, Any]:
    """The judge's settings, of a pinned file with the path that the fingerprint leaves out."""
    settings = {name: value for name, value in assigned.settings.items() if name != "seed"}
    pinned = {"path": assigned.reads["pinned"].path} if "pinned" in assigned.reads else {}
    return {n: value | pinned if n in ("weights", "fasttext") and value else value for n, value in settings.items()}


def _prepared(recipe: RecipeBase) -> list[Unit]:
    known, units = judges(), []
    for name, settings in recipe.judges:
        judge = known[name]
        digest = judge.weights(settings) if judge.prepare and judge.weights else None
        if digest is not None:
            versions = libraries("unicode", *judge.libraries)
            reads = {"files": Digest(digest)}
            units.append(Unit(name, reads, settings.measured(), judge.version, versions))
    return units


def _classifier_unit(run: Run, name: str, settings: ClassifierSettings) -> Unit:
    """Keyed by the documents when the classifier learns, by the checksum alone when it is pinned."""
    reads: dict[str, Any] = {}
    if settings.positives is not None:
        documents = [run.file(Step.EXTRACT, shard) for shard in run.shards]
        reads["documents"] = sorted(documents, key=lambda info: info.sha256)
        reads["files"] = {side: inputs(selection.files) for side, selection in settings.sides.items()}
    elif pinned := settings.weights or settings.fasttext:
        reads["pinned"] = PinnedFile(pinned.path, pinned.sha256)
    seed = {"seed": run.recipe.seed} if settings.positives is not None else {}
    versions = libraries("unicode", *settings.libraries())
    return Unit(name, reads, {**settings.learned(), **seed}, VERSION, versions)


def classify(run: Run) -> Commits:
    """One unit per classifier, and one per judge that is prepared, keyed by the digest of its files."""
    units = _prepared(run.recipe)
    units += [_classifier_unit(run, name, settings) for name, settings in classifiers(run.recipe)]
    commits = run.execute(Step.CLASSIFY, units, train_models) if units else run.keep(Step.CLASSIFY, {})
    for name, settings in classifiers(run.recipe):
        if why := run.counted(ModelCounts, Step.CLASSIFY, name).why:
            if settings.min_score is not None:
                raise UsageError(why)
            left = "its scores are left empty" if settings.needs_origin else "its score is that of the informative view"
            run.notes.append(f"{why}. Nothing removes by it, so {left}")
    return commits
