"""The bias audit's look into texts: swap identities in a sample of a run's documents and score both readings again.

The sample is drawn by a hash of ids among kept and among removed documents that mention an identity; every judge with a rule
that reads text scores the documents, every judge with weights, its own or trained in the run, the sentences and the templates
as well. Whatever else a judge reads (id, address) is the document's own in both readings. Where the domain score gives
roles, the role is looked at in the same pairs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit.bias_settings import BiasSettings
from pipeline.audit.flips import auc_table, flip_row, role_row, template_flips
from pipeline.audit.identity_terms import Term, find_terms, identity_terms
from pipeline.audit.swaps import Mention, moved, rivals, swap
from pipeline.audit.templates import Filled, filled_templates
from pipeline.classify.classifier_settings import DomainSettings
from pipeline.classify.score import reads_as_domain
from pipeline.core.batch import DOCUMENTS
from pipeline.core.judge import Judge, judges
from pipeline.core.partition import id_fractions
from pipeline.core.run_folder import Run
from pipeline.core.settings import JudgeSettings
from pipeline.decide.rules import DUPLICATE_STAGES, masks
from pipeline.kernels.buffers import text_buffers
from pipeline.measure.judges.toxicity import Toxicity, score_texts, toxicity
from pipeline.measure.step import load_model, model_reads
from pipeline.report.hidden import masked

TERMS_OF_A_DOCUMENT = 3
RIVALS_OF_A_TERM = 2
MAX_DOCUMENT_BYTES = 50_000
"""Longer documents are read for their sentences and not swapped as a whole."""
MAX_EXAMPLES = 5
BATCH = 512


@dataclass(frozen=True)
class Reading:
    """One text to score, of one document. Tables are byte ranges, as in documents; `row` holds other columns of it."""

    text: bytes
    tables: list[tuple[int, int]] = field(default_factory=list)
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """A text as it is and with another identity."""

    kind: str
    id: str
    verdict: str
    own: Term
    other: Term
    plain: Reading
    swapped: Reading
    mention: Mention


@dataclass(frozen=True)
class Scorer:
    """A judge of the recipe that can remove, with what it needs to score again."""

    judge: Judge
    settings: JudgeSettings
    model: Any

    def signals(self, texts: Sequence[Reading]) -> pa.Table:
        """Its signals for texts, in batches of bounded size."""
        batches = []
        for start in range(0, len(texts), BATCH):
            rows = [
                {**one.row, "text": one.text.decode(), "table_spans": [{"start": a, "end": b} for a, b in one.tables]}
                for one in texts[start : start + BATCH]
            ]
            schema = pa.schema([DOCUMENTS.field(name) for name in self.judge.reads])
            batch = pa.RecordBatch.from_pylist(rows, schema=schema)
            batches.append(self.judge.run(batch, self.settings.without_thresholds(), self.model))
        return pa.Table.from_batches(batches, schema=pa.schema(list(self.judge.columns.items())))

    def removes(self, texts: Sequence[Reading]) -> np.ndarray:
        """bool[n]: any of its rules removes the text."""
        hit = np.zeros(len(texts), np.bool_)
        columns = (pa.array([one.row.get(name) for one in texts], pa.string()) for name in ("source", "role"))
        for mask in masks(self.judge, self.settings, self.signals(texts), *columns).values():
            hit |= mask
        return hit

    def gives_domain(self, texts: Sequence[Reading]) -> np.ndarray:
        """bool[n]: of the domain judge, whether a text whose role is open becomes domain text."""
        assert isinstance(self.settings, DomainSettings)
        return np.asarray(reads_as_domain(self.signals(texts)["score"], self.settings))

    def spares(self, text: Reading) -> bool:
        """Whether the text is of a source that the judge measures and never removes."""
        return text.row.get("source") in self.settings.exempt


def scorers(run: Run) -> list[Scorer]:
    """The recipe's judges that read text and have a rule, in its order, those trained in the run with the run's weights."""
    known, found = judges(), []
    for name, settings in run.recipe.judges:
        judge = known[name]
        if name in DUPLICATE_STAGES or "text" not in judge.reads:
            continue
        empty = pa.table({n: pa.array([], t) for n, t in judge.columns.items()})
        if not judge.rules(empty, settings):
            continue
        found.append(_scorer(run, judge, settings))
    return found


def _scorer(run: Run, judge: Judge, settings: JudgeSettings) -> Scorer:
    return Scorer(judge, settings, load_model(run.store, judge, settings, model_reads(run, judge.name)))


def _swappable() -> np.ndarray:
    return np.array([bool(rivals(term.id)) for term in identity_terms()])


def sample(table: pa.Table, most: int) -> pa.Table:
    """At most `most` kept and as many removed rows, those with the lowest hashes of ids, that mention a swappable term."""
    lists = table["terms"].combine_chunks()
    rows = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy(zero_copy_only=False))
    named = np.zeros(len(lists), np.bool_)
    named[rows[_swappable()[lists.flatten().to_numpy(zero_copy_only=False)]]] = True
    order, chosen = id_fractions(table["id"], "bias"), []
    for verdict in ("kept", "removed"):
        own = np.flatnonzero(named & np.asarray(pc.equal(table["verdict"], verdict)))
        chosen += own[np.argsort(order[own], kind="stable")][:most].tolist()
    return table.take(pa.array(chosen, pa.int64()))


def _documents(run: Run, chosen: pa.Table, columns: set[str]) -> Iterator[tuple[dict[str, Any], Reading]]:
    """The sampled rows with their extracted text and these columns of the documents; each shard is read once."""
    wanted = sorted(columns | {"text", "table_spans", "source", "role"})
    for shard in sorted(set(chosen["shard"].to_pylist())):
        rows = chosen.filter(pc.equal(chosen["shard"], shard)).to_pylist()
        texts = run.documents(shard, wanted)
        for row in rows:
            own = {name: texts[name][row["row"]].as_py() for name in wanted}
            tables = [(span["start"], span["end"]) for span in own.pop("table_spans") or ()]
            yield row, Reading(own.pop("text").encode(), tables, own)


@dataclass
class _Around:
    """Sums of sentence toxicity by term and verdict: int64 counts and float64 sums, [terms, kept or removed]."""

    counts: np.ndarray
    sums: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        found = []
        for term in identity_terms():
            kept, removed = (int(n) for n in self.counts[term.id])
            if kept + removed and rivals(term.id):
                mean = [
                    round(s / n, 6) if n else None for s, n in zip(self.sums[term.id], (kept, removed), strict=True)
                ]
                found.append(
                    {
                        "axis": term.axis,
                        "term": term.name,
                        "sentences_kept": kept,
                        "mean_kept": mean[0],
                        "sentences_removed": removed,
                        "mean_removed": mean[1],
                    }
                )
        return found


def _pairs(row: dict[str, Any], document: Reading, around: _Around) -> list[Pair]:
    """The swaps of one document, as a whole and of its first sentence with the term; adds to the surroundings of its terms."""
    column = pa.array([document.text.decode()], pa.large_string())
    _, found, starts, ends = find_terms(*text_buffers(column))
    _, begins, stops, scores = score_texts(column)
    sentence = np.searchsorted(begins, starts, side="right") - 1
    side = int(row["verdict"] != "kept")
    for term, at in set(zip(found.tolist(), sentence.tolist(), strict=True)):
        around.counts[term, side] += 1
        around.sums[term, side] += float(scores[at])
    names = [term for term in dict.fromkeys(found.tolist()) if rivals(term)]
    pairs = []
    for term in _lowest(row["id"], names, TERMS_OF_A_DOCUMENT):
        mentions = [Mention(term, int(a), int(b)) for t, a, b in zip(found, starts, ends, strict=True) if t == term]
        at = int(sentence[found.tolist().index(term)])
        begin, stop = int(begins[at]), int(max(stops[at], mentions[0].end))
        inside = [Mention(term, m.start - begin, m.end - begin) for m in mentions if begin <= m.start and m.end <= stop]
        own, wanted = identity_terms()[term], [other.id for other in rivals(term)]
        for rival in _lowest(f"{row['id']}/{term}", wanted, RIVALS_OF_A_TERM):
            other = identity_terms()[rival]
            line = Reading(document.text[begin:stop], row=document.row)
            both = (row["id"], row["verdict"], own, other)
            swapped = Reading(swap(line.text, inside, other)[0], row=document.row)
            pairs.append(Pair("sentence", *both, line, swapped, inside[0]))
            if len(document.text) <= MAX_DOCUMENT_BYTES:
                text, edits = swap(document.text, mentions, other)
                tables = [(moved(a, edits), moved(b, edits)) for a, b in document.tables]
                swapped = Reading(text, tables, document.row)
                pairs.append(Pair("document", *both, document, swapped, mentions[0]))
    return pairs


def _lowest(salt: str, terms: Sequence[int], most: int) -> list[int]:
    order = id_fractions(pa.array([f"{salt}/{term}" for term in terms], pa.string()), "bias")
    return [terms[at] for at in np.argsort(order, kind="stable")[:most]]


def _calm(pairs: Sequence[Pair], bound: float) -> list[Pair]:
    """Those of which one reading is not toxic, so naming a group would be what makes the other one so."""
    both = [[pair.plain for pair in pairs], [pair.swapped for pair in pairs]]
    scorer = Scorer(toxicity, Toxicity(), None)
    scores = [scorer.signals(readings)["score"].to_numpy() if readings else np.zeros(0) for readings in both]
    return [pair for pair, is_calm in zip(pairs, np.minimum(*scores) <= bound, strict=True) if is_calm]


def audit_texts(run: Run, table: pa.Table) -> dict[str, Any]:
    """`flips`, `role_flips`, `auc`, `surroundings` and masked `flip_examples` of a run.

    `table` has a row per extracted document with id, verdict, terms, and the shard and row of its text.
    """
    settings, around = (
        run.recipe.bias,
        _Around(np.zeros((len(identity_terms()), 2), np.int64), np.zeros((len(identity_terms()), 2))),
    )
    judging, pairs = scorers(run), []
    chosen = sample(table, settings.sample_documents)
    for row, document in _documents(run, chosen, {name for scorer in judging for name in scorer.judge.reads}):
        pairs += _pairs(row, document, around)
    calm = _calm(pairs, settings.toxic_above)
    flips, scores, examples = [], [], []
    for scorer in judging:
        weights = scorer.judge.weights(scorer.settings) if scorer.judge.weights else None
        trained = weights is not None or scorer.judge.model is not None
        for kind in ("sentence", "document") if trained else ("document",):
            own = [pair for pair in calm if pair.kind == kind and not scorer.spares(pair.plain)]
            changed = _changed(scorer.removes, own)
            flips.append(_flip_row(scorer, kind, own, changed, settings))
            examples += [_example(scorer, own[at]) for at in np.flatnonzero(changed)[:MAX_EXAMPLES]]
        if trained:
            templates, readings = _templates()
            flips.append(template_flips(scorer.judge.name, templates, scorer.removes(readings), settings))
            signals = scorer.signals(readings)
            for name, sign in _scores(scorer):
                values = sign * np.nan_to_num(np.asarray(signals[name].to_numpy(), np.float64))
                scores.append(auc_table(f"{scorer.judge.name}.{name}", values, templates))
    return {
        "sampled": {v: int(pc.sum(pc.equal(chosen["verdict"], v)).as_py() or 0) for v in ("kept", "removed")},
        "flips": flips,
        "flip_examples": examples,
        "role_flips": role_flips(run, calm) if any(_is_undecided(pair) for pair in pairs) else [],
        "auc": scores,
        "surroundings": around.rows(),
    }


def role_flips(run: Run, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Rows like those of `flips`, of the role that the domain score gives; a flip is one of a document whose role neither its
    source nor its host gives. `pairs` are swaps in texts that are not toxic."""
    rows, settings = [], run.recipe.bias
    for scorer in [_scorer(run, judges()[name], own) for name, own in run.recipe.judges if name == "domain"]:
        for kind in ("sentence", "document"):
            own = [pair for pair in pairs if pair.kind == kind]
            undecided = np.array([_is_undecided(pair) for pair in own], np.bool_)
            flipped = _changed(scorer.gives_domain, own) & undecided
            rows.append(role_row(_flip_row(scorer, kind, own, flipped, settings), int(undecided.sum())))
        templates, readings = _templates()
        row = template_flips(scorer.judge.name, templates, scorer.gives_domain(readings), settings)
        rows.append(role_row(row, row["swaps"]))
    return rows


def _is_undecided(pair: Pair) -> bool:
    return pair.plain.row.get("role") == "auto"


def _templates() -> tuple[list[Filled], list[Reading]]:
    """The filled templates, and each as a text to score."""
    templates = filled_templates()
    return templates, [Reading(one.text.encode(), row={"id": f"template-{at}"}) for at, one in enumerate(templates)]


def _flip_row(
    scorer: Scorer, kind: str, pairs: Sequence[Pair], flipped: np.ndarray, settings: BiasSettings
) -> dict[str, Any]:
    axes, groups = [pair.own.axis for pair in pairs], [pair.verdict for pair in pairs]
    return flip_row(scorer.judge.name, kind, flipped, axes, groups, settings)


def _changed(decides: Callable[[Sequence[Reading]], np.ndarray], pairs: Sequence[Pair]) -> np.ndarray:
    """bool[n]: what is decided differs between both readings. Texts that occur in many pairs are scored once."""
    unique = {pair.plain.text: pair.plain for pair in pairs}
    place = {text: at for at, text in enumerate(unique)}
    if not pairs:
        return np.zeros(0, np.bool_)
    plain = decides(list(unique.values()))
    return plain[[place[pair.plain.text] for pair in pairs]] != decides([pair.swapped for pair in pairs])


def _scores(scorer: Scorer) -> list[tuple[str, int]]:
    """Signals of a judge that are compared with a bound, and +1 where high values are removed, -1 where low ones are."""
    columns = scorer.judge.columns
    return [
        (signal, 1 if side == "max" else -1)
        for _, signal, side, _ in sorted(scorer.settings.bounds())
        if signal in columns and pa.types.is_floating(columns[signal])
    ]


def _example(scorer: Scorer, pair: Pair) -> dict[str, Any]:
    """A flip for a reader: everything but the term is masked. `python -m pipeline explain ID --show` shows the document."""
    start, stop = max(0, pair.mention.start - 80), pair.mention.end + 80
    before = pair.plain.text[start : pair.mention.start].decode(errors="ignore")
    term = pair.plain.text[pair.mention.start : pair.mention.end].decode(errors="ignore")
    after = pair.plain.text[pair.mention.end : stop].decode(errors="ignore")
    return {
        "stage": scorer.judge.name,
        "texts": pair.kind,
        "id": pair.id,
        "verdict": pair.verdict,
        "term": pair.own.name,
        "swapped_for": pair.other.name,
        "text": masked(before + term + after, (len(before), len(before) + len(term))),
    }
