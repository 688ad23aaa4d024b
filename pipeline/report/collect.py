"""Fill the report from a finished run: counts, histograms, samples, and what each step took."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.apply.settle import SettleCounts
from pipeline.apply.step import ApplyCounts
from pipeline.core.conserve import add_up
from pipeline.core.judge import judges
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step, label_of
from pipeline.core.store import WORK, FileInfo
from pipeline.decide.step import DecideCounts
from pipeline.extract.step import ExtractCounts
from pipeline.ingest.account import account_of, sums
from pipeline.plan.step import mix_plan, size_plan
from pipeline.report import stats, tally, where
from pipeline.report.bias_step import BIAS
from pipeline.report.cards import cards, late_cards
from pipeline.report.dial import dial
from pipeline.report.file_account import file_rows
from pipeline.report.hidden import is_hidden
from pipeline.report.progress import Display
from pipeline.report.provenance import provenance
from pipeline.report.render import render
from pipeline.report.rights_account import item_rows, rights_rows
from pipeline.report.run_report import Place, RunReport
from pipeline.report.tokenizer_figures import TERMS, vocabulary_figures
from pipeline.sample import score
from pipeline.tokens.parts import stream_of, streams
from pipeline.tokens.step import ShardCounts

SAMPLES = 12


def _whole(run: Run, columns: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """(documents, verdicts) of the whole run, row by row, in the order of its shards."""
    documents = [run.documents(shard, list(columns)) for shard in run.shards]
    return pa.concat_tables(documents), pa.concat_tables([run.verdicts(shard) for shard in run.shards])


def _samples(run: Run, documents: pa.Table, verdicts: pa.Table, verdict: str) -> list[stats.Sample]:
    """A few documents of one verdict, the first in the order of a hash of their ids."""
    rows = tally.sample_rows(verdicts["id"], np.asarray(pc.equal(verdicts["verdict"], verdict)), SAMPLES)
    firsts = np.cumsum([0, *(run.file(Step.EXTRACT, shard).rows or 0 for shard in run.shards)])
    shown, found = ["id", "source", "verdict", "reasons", "duplicate_of"], []
    for row, own in zip(rows, verdicts.select(shown).take(pa.array(rows, pa.int64())).to_pylist(), strict=True):
        at = int(np.searchsorted(firsts, row, "right")) - 1
        texts = run.table(run.file(Step.APPLY, run.shards[at]), ["text"])
        text, cut = tally.shortened(texts["text"][row - int(firsts[at])].as_py())
        url, hidden = documents["url"][row].as_py() or "", is_hidden(own["reasons"])
        found.append(stats.Sample(**own, url=url, text=text, shortened=cut, hidden=hidden))
    return sorted(found, key=lambda sample: sample.id)


def _histograms(run: Run) -> list[Any]:
    found = []
    known = judges()
    for name, settings in run.recipe.judges:
        columns = [
            c for c, kind in known[name].columns.items() if pa.types.is_floating(kind) or pa.types.is_integer(kind)
        ]
        if columns:
            tables = [run.signals(name, shard, columns) for shard in run.shards]
            found += tally.threshold_histograms(name, settings, pa.concat_tables(tables))
    return found


def _languages(run: Run, documents: pa.Table, verdicts: pa.Table) -> list[stats.Count]:
    """Extracted documents by language, most first; empty where the recipe has no judge of languages."""
    if not run.asks_for("language"):
        return []
    labels = pa.concat_tables([run.signals("language", shard, ["label"]) for shard in run.shards])["label"]
    labelled = documents.append_column("label", labels)
    found: dict[str, stats.Count] = {}
    counts = where.grouped([(labelled, verdicts)], {"label": where.filled("label"), "verdict": where.verdict_of})
    for (name, verdict, what), number in counts.items():
        row = found.setdefault(name, stats.Count(name=name, documents=0))
        if what == "documents":
            row.documents += number
        elif verdict == "kept":
            row.kept_pretokens += number
    return sorted((row for row in found.values() if row.name), key=lambda row: (-row.documents, row.name))


def _duplicates(
    run: Run, reasons: list[stats.Reason], parts: list[tuple[pa.Table, pa.Table]]
) -> stats.Duplicates | None:
    joined = pa.concat_tables([run.clusters(shard) for shard in run.shards])
    exact, near = (joined[name].drop_null() for name in ("exact_cluster", "near_cluster"))
    removed = sum(
        r.documents for r in reasons if r.stage in ("exact", "minhash") and r.rule in ("duplicate", "in_index")
    )
    delta = run.counted(DecideCounts, Step.DECIDE).delta
    if not delta and not len(near) and not len(exact):
        return None
    return stats.Duplicates(
        exact_clusters=pc.count_distinct(exact).as_py(),
        exact_documents=len(exact),
        near_clusters=pc.count_distinct(near).as_py(),
        near_documents=len(near),
        removed=removed,
        delta=delta,
        largest=where.clusters(parts),
    )


def _cuts(run: Run) -> list[stats.Cut]:
    """Bytes by rule that extract and apply cut and inserted, the largest first."""
    balance = add_up(commit.balance for commit in run.commits(Step.APPLY).values())
    sources = {unit: counts.source for unit, counts in run.counts(ExtractCounts, Step.EXTRACT).items()}
    by_source: dict[str, Counter[str]] = {}
    for unit, counts in run.counts(ApplyCounts, Step.APPLY).items():
        for rule, number in counts.documents_cut.items():
            by_source.setdefault(rule, Counter())[sources[unit]] += number
    found = []
    for rule, size in balance.cut.items():
        own, inserted = by_source.get(rule, Counter()), balance.inserted.get(rule, 0)
        counted = {"documents": own.total(), "bytes_cut": size, "bytes_inserted": inserted}
        found.append(stats.Cut(rule=rule, **counted, by_source=dict(sorted(own.items()))))
    edited: Counter[tuple[str, str]] = Counter()
    for counts in run.counts(ExtractCounts, Step.EXTRACT).values():
        for rule, (number, size) in counts.edited.items():
            edited.update({(rule, "documents"): number, (rule, "bytes"): size})
    found += [
        stats.Cut(rule=f"extract.{rule}", documents=edited[rule, "documents"], bytes_cut=edited[rule, "bytes"])
        for rule in sorted({rule for rule, _ in edited})
    ]
    return sorted(found, key=lambda cut: (-cut.bytes_cut, cut.rule))


def _truth(run: Run, documents: pa.Table, verdicts: pa.Table) -> list[stats.TruthRow]:
    """The run against what the embedded sample planted."""
    rows: list[stats.TruthRow] = []
    for commit in run.commits(Step.INGEST).values():
        if "truth.jsonl" not in commit.files:
            continue
        truth = [json.loads(line) for line in run.store.read(commit.files["truth.jsonl"].path).splitlines()]
        by_url = dict(zip(documents["url"].to_pylist(), verdicts["verdict"].to_pylist(), strict=True))
        for kind, found in score(truth, by_url)["kinds"].items():
            wanted, other = found["expected_keep"], found["documents"] - found["expected_keep"]
            if wanted:
                rows.append(stats.TruthRow(kind=kind, documents=wanted, wanted="kept", right=wanted - found["lost"]))
            if other:
                rows.append(stats.TruthRow(kind=kind, documents=other, wanted="dropped", right=other - found["leaked"]))
    return rows


def _sources(run: Run, documents: pa.Table, verdicts: pa.Table) -> list[stats.SourceRow]:
    rows = tally.source_rows(documents, verdicts)
    every, kept = streams(run), Counter[tuple[str, str]]()
    for unit, counts in run.counts(ShardCounts, Step.SHARDS).items():
        own = every[stream_of(unit)]
        kept[own.source, own.role] += sum(split.tokens - split.documents for split in counts.splits().values())
    for row in rows:
        row.kept_tokens = kept[row.name, row.role]
    return rows


def _items(run: Run, verdicts: pa.Table) -> list[stats.ItemRow]:
    if not run.asks_for("contamination"):
        return []
    signals = pa.concat_tables([run.signals("contamination", shard, ["items"]) for shard in run.shards])
    aside = run.counted(DecideCounts, Step.DECIDE).set_aside.get("contamination", [])
    return item_rows([(signals, verdicts)], aside)


def _continued(summary: dict[str, Any]) -> str:
    """What a continued training says of its replay."""
    if not summary.get("continued_from"):
        return ""
    general = summary["shares"]["general"]
    return f" It continues the model {summary['continued_from']}; {general:.1%} of its samples replay general text."


def training_curve(train: dict[str, Any]) -> stats.Training:
    """The curve of the training that ended the run."""
    points = [
        stats.CurvePoint(
            step=line["step"],
            loss=line.get("loss"),
            tokens=line.get("tokens", 0),
            val={name: found["bits_per_byte"] for name, found in (line.get("val") or {}).items()},
        )
        for line in train["curve"]
        if "step" in line
    ]
    summary = train["summary"]
    written = summary.get("written") or {}
    return stats.Training(
        points=points,
        seconds=summary.get("seconds"),
        note=f"{train['processes']} processes, FSDP2." + _continued(summary),
        samples=[stats.Written(**one) for one in written.get("texts", [])],
        likeness=stats.Likeness(**written.get("likeness", {})),
        scores=[stats.Score(**one) for one in summary.get("harness", [])],
    )


PLACES = (
    ("corpus", "kept, removed and quarantined documents; datasets.load_dataset opens it"),
    ("tokenizer", "the trained tokenizer; AutoTokenizer.from_pretrained opens it"),
    (
        "handoff",
        "manifest, training configuration, launch files; token shards in datatrove's format; uses of each document",
    ),
    ("plan.json", "the sized model"),
    (BIAS, "who was removed: every stage and identity term, swaps, scores, pronouns; docs/bias.md names its fields"),
    (TERMS, "every term of the domain: documents kept, what removed the others, keyness"),
    (
        "cards",
        "datasheet, the EU's summary of training content, licences.csv, lineage; model-card.md of a trained model",
    ),
    (WORK, "everything else: documents, signals and clusters (unmasked text), and the ledger"),
)


def build(run: Run, result: dict[str, Any], display: Display) -> RunReport:
    """The report's data."""
    columns = "id url date source role licence tdm robots raw_bytes text_bytes num_pretokens".split()
    whole = _whole(run, columns)
    parts, histograms = [whole], _histograms(run)
    account = account_of(run)
    order = ["extract", *(name for name, _ in run.recipe.judges), "apply"]
    reasons = tally.reasons(*whole, order)
    counted, documents = result["tokens"], result["documents"]
    streams = run.counted(SettleCounts, Step.SETTLE).streams.values()
    extracts = run.counts(ExtractCounts, Step.EXTRACT).values()
    bias = run.store.read_json(BIAS) if run.store.exists(BIAS) else None
    bias_rows, sources = bias.pop("rows") if bias else [], _sources(run, *whole)
    return RunReport(
        name=run.recipe.name,
        domain=run.recipe.domain,
        use=run.recipe.use,
        out=run.store.root,
        exit=result["exit"],
        root_hash=result["root_hash"],
        totals=stats.Totals(
            documents_in=documents["in"],
            **{name: documents[name] for name in ("children", "kept", "removed", "quarantined")},
            raw_bytes=sum(counts.raw_bytes for counts in extracts),
            raw_pretokens=counted["raw_pretokens"],
            extracted_bytes=sum(counts.text_bytes for counts in extracts),
            extracted_pretokens=counted["extracted_pretokens"],
            kept_bytes=sum(stream.bytes for stream in streams),
            kept_pretokens=counted["kept_pretokens"],
            kept_tokens=counted["kept"],
        ),
        reasons=reasons,
        cuts=_cuts(run),
        sources=sources,
        file_sentence=sums(account).sentence() if account.num_rows else "",
        files=file_rows(account),
        rights=rights_rows(parts),
        provenance=provenance(run, parts, sources),
        contamination=_items(run, whole[1]),
        languages=_languages(run, *whole),
        taken=where.rules_by_source(parts),
        hosts=where.hosts(parts),
        edges=where.edges(run, histograms),
        histograms=histograms,
        kept_samples=_samples(run, *whole, "kept"),
        removed_samples=_samples(run, *whole, "removed"),
        bias=[stats.BiasRow.model_validate(row) for row in bias_rows],
        bias_audit=bias,
        classifiers=result["classifiers"],
        dial=dial(run),
        duplicates=_duplicates(run, reasons, parts),
        mix=mix_plan(run),
        tokenizer=vocabulary_figures(run, result["tokenizer"]),
        plan=size_plan(run) if result["mix"]["total_tokens"] else None,
        truth=_truth(run, *whole),
        gates=[
            stats.Gate(name=g["name"], measured=g["sentence"], passed=g["passed"], gating=g["gating"])
            for g in result["gates"]
        ],
        timings=[
            stats.Timing(
                step=label_of(step),
                seconds=line.seconds,
                documents=line.documents or None,
                bytes=line.bytes or None,
                reused=line.reused == line.total and line.total > 0,
                why=line.why,
            )
            for step, line in display.lines.items()
        ],
        places=[
            Place(path=path, what=what) for path, what in PLACES if path not in (BIAS, TERMS) or run.store.exists(path)
        ],
        notes=run.notes,
    )


def write_report(run: Run, report: RunReport) -> None:
    """`report.json` and `report.html`, and the cards that training changes."""
    run.store.put("report.json", (report.model_dump_json(indent=1) + "\n").encode())
    run.store.put("report.html", render(report).encode())
    for path, text in late_cards(report).items():
        run.store.put(path, text.encode())


def write_cards(run: Run, report: RunReport, files: dict[str, list[FileInfo]]) -> list[FileInfo]:
    """The cards, `corpus/README.md` last: what it does not list does not exist for a reader."""
    return [run.store.put(path, text.encode()) for path, text in cards(report, files).items()]
