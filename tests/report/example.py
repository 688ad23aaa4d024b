"""A made-up run for the report's tests and pictures."""

import json
import random
from dataclasses import asdict

from pipeline.plan.mix import MixSettings, mix
from pipeline.plan.sizing import SizeSettings, size_run
from pipeline.report.run_report import Place, RunReport
from pipeline.report.stats import (
    BiasRow,
    Cluster,
    Count,
    CurvePoint,
    Cut,
    Duplicates,
    Edge,
    EdgeDocument,
    Gate,
    Histogram,
    HostRow,
    Likeness,
    Reason,
    Sample,
    Score,
    SourceRow,
    TakenRow,
    Term,
    Timing,
    TokenizerFigures,
    Totals,
    Training,
    TruthRow,
    Written,
)

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> \u202egnp.exe {{ 7*7 }} </pre></details>&lt;'


def example(tokens: int = 320_000) -> RunReport:
    draw = random.Random(5)
    sources = [
        {"name": "filings", "role": "domain", "tokens": tokens // 3, "largest_document": 5000},
        {"name": "news", "role": "domain", "tokens": tokens // 5, "largest_document": 900, "raw_bytes": 31_000_000},
        {"name": "web", "role": "general", "tokens": int(tokens * 1.4), "largest_document": 2400},
    ]
    rates = {"domain": 0.021, "general": 0.016}
    shares = {"domain": 0.51, "general": 0.49}
    by_role = {"domain": tokens // 3 + tokens // 5, "general": int(tokens * 1.4)}
    plan = size_run(by_role, shares, SizeSettings(), vocab=4096, keep_rates=rates)
    removed = [
        ("language", "min_score", 210, 310_000, 95_000), ("gopher", "min_words", 340, 21_000, 5100),
        ("gopher", "max_symbol_ratio", 95, 160_000, 52_000), ("repetition", "max_dup_line_frac", 180, 420_000, 131_000),
        ("fineweb", "min_line_punct_frac", 120, 260_000, 71_000), ("exact", "duplicate", 160, 390_000, 98_000),
        ("minhash", "duplicate", 130, 350_000, 91_000), ("toxicity", "max_score", 61, 70_000, 19_400),
        ("apply", "min_chars", 12, 900, 210),
    ]  # fmt: skip
    reasons = [
        Reason(stage=s, rule=r, documents=d, text_bytes=b, pretokens=p, hits=d + draw.randrange(40))
        for s, r, d, b, p in removed
    ] + [
        Reason(stage="ingest", rule="truncated", verdict="quarantined", documents=14),
        Reason(stage="extract", rule="undecodable", verdict="quarantined", documents=23),
        Reason(stage="extract", rule="too_deep", verdict="quarantined", documents=3),
    ]
    gone = sum(r.documents for r in reasons if r.verdict == "removed")
    gone_tokens = sum(r.pretokens for r in reasons)
    totals = Totals(
        documents_in=2990, children=12, kept=3002 - gone - 40, removed=gone, quarantined=40, raw_bytes=88_000_000,
        raw_pretokens=31_000_000, extracted_bytes=4_600_000, extracted_pretokens=1_180_000,
        kept_bytes=2_350_000, kept_pretokens=1_180_000 - gone_tokens - 22_000, kept_tokens=int(tokens * 1.93),
    )  # fmt: skip

    def shape(centre: float, spread: float, low: float, high: float) -> tuple[list[float], list[int]]:
        edges = [low + (high - low) * i / 36 for i in range(37)]
        counts = [0] * 36
        for _ in range(2900):
            value = min(max(draw.gauss(centre, spread), low), high - 1e-9)
            counts[int((value - low) / (high - low) * 36)] += 1
        return edges, counts

    histograms = []
    for judge, signal, centre, spread, low, high, lower, upper in (
        ("repetition", "dup_line_frac", 0.06, 0.11, 0, 0.7, None, 0.3), ("gopher", "words", 380, 260, 0, 1400, 50, None),
        ("toxicity", "score", 0.04, 0.14, 0, 1, None, 0.6), ("language", "score", 0.93, 0.12, 0, 1, 0.65, None),
        ("fineweb", "line_punct_frac", 0.6, 0.25, 0, 1, 0.12, None), ("gopher", "mean_word_chars", 4.8, 0.9, 2, 12, 3, 10),
    ):  # fmt: skip
        edges, counts = shape(centre, spread, low, high)
        histograms.append(
            Histogram(judge=judge, signal=signal, edges=edges, counts=counts, lower=lower, upper=upper, removed=210)
        )
    prose = (
        "The company reported net revenue of $1,204.5 million for the quarter ended March 31, 2024, an increase of 8.4 % "
        "over the prior year, driven by higher interest income and lower provisions for credit losses. Contact [email] "
        "for the full statement.\n\nManagement expects the cost of deposits to stabilise in the second half. "
    )
    bias = []
    for term, axis, ratio in (
        ("gay", "orientation", 0.97), ("lesbian", "orientation", 0.93), ("queer", "orientation", 0.88),
        ("muslim", "religion", 0.99), ("jewish", "religion", 1.01), ("christian", "religion", 1.0),
        ("black", "race", 0.98), ("white", "race", 1.02), ("women", "gender", 1.0), ("deaf", "disability", 0.74),
    ):  # fmt: skip
        bias.append(
            BiasRow(
                stage="toxicity", axis=axis, term=term, documents_with=draw.randrange(20, 300), kept_with=18,
                kept_share_with=0.98 * ratio, documents_others_in_axis=400, kept_share_others_in_axis=0.98, ratio=ratio,
                wilson_low=ratio - 0.09, wilson_high=ratio + 0.05, verdict="fail" if ratio < 0.75 else "warn" if ratio < 0.9 else "pass",
            )
        )  # fmt: skip
    bias.append(
        BiasRow(stage="toxicity", axis="age", term="elderly", kept_share_with=1.0, kept_share_others_in_axis=0.9,
                ratio=1.1, wilson_low=0.2, wilson_high=None, verdict="too_few")
    )  # fmt: skip
    loss = [8.3 * 0.985**i + 3.9 + draw.gauss(0, 0.05) for i in range(300)]
    points = [
        CurvePoint(step=i + 1, loss=value, tokens=1024 * (i + 1),
                   val={"domain": 3.1 * 0.99**i + 1.7, "general": 3.1 * 0.99**i + 1.95} if i % 50 == 49 or i == 0 else {})
        for i, value in enumerate(loss)
    ]  # fmt: skip
    steps = (
        "ingest",
        "extract",
        "measure",
        "cluster",
        "decide",
        "apply",
        "tokenizer",
        "shards",
        "size",
        "mix",
        "publish",
    )
    return RunReport(
        name="finance", domain="finance", use="sample", out="runs/finance", exit=0, root_hash="9f3c2a77" * 8, version="0.1.0",
        totals=totals, reasons=reasons, cuts=[Cut(rule="repeats.paragraph", documents=3, bytes_cut=812)],
        sources=[
            SourceRow(name="filings", role="domain", licence="CC0-1.0", documents_in=900, kept=610, removed=280, quarantined=10, raw_bytes=41_000_000, extracted_pretokens=520_000, kept_pretokens=260_000),
            SourceRow(name="news", role="domain", licence="CC0-1.0", documents_in=800, kept=520, removed=270, quarantined=10, raw_bytes=22_000_000, extracted_pretokens=310_000, kept_pretokens=150_000),
            SourceRow(name="web", role="general", licence="CC-BY-4.0", documents_in=1302, kept=524, removed=758, quarantined=20, raw_bytes=25_000_000, extracted_pretokens=350_000, kept_pretokens=185_000),
        ],
        languages=[Count(name=n, documents=d) for n, d in (("en", 2610), ("de", 120), ("fr", 90), ("zh", 61), ("es", 40), ("und", 81))],
        histograms=histograms,
        kept_samples=[Sample(id="a1", url="https://news.example/q1", source="news", verdict="kept", text=prose * 3, shortened=True),
                      Sample(id="a2", url="https://filings.example/10-k", source="filings", verdict="kept", text=prose)],
        removed_samples=[Sample(id="b1", url="https://spam.example/win?x=<b>", source="web", verdict="removed", reasons=["repetition.max_dup_line_frac", "gopher.min_words"], text="Buy now\n" * 40),
                         Sample(id="b2", url="https://x.example/", source="web", verdict="removed", reasons=["toxicity.max_score"], text="an insult", hidden=True),
                         Sample(id="b3", url="https://evil.example/" + HOSTILE, source="web", verdict="removed", reasons=["minhash.duplicate"], duplicate_of="a1", text=HOSTILE)],
        bias=bias,
        classifiers={
            "domain": {"method": "logistic", "sha256": "0", "setting": "role_score", "threshold": 0.5, "why": None,
                       "trained": {"positives": 820, "negatives": 790}, "auc": 0.9987, "recall_at_1_percent_false_positives": 0.981,
                       "calibration": {"error": 0.0123}, "kept_share_of_held_out": {"bound": 0.5, "positives": 0.98, "negatives": 0.012},
                       "hard_negatives": {"news": {"auc": 0.93}},
                       "highest_negatives": {"in_1_percent": 7, "above_half": 2, "hosts": [{"host": HOSTILE, "above_half": 2, "held_out": 9}]},
                       "all": {"kept_share": 0.49}, "audit": {"kept_share": 0.5, "documents": 28, "auc": 0.994},
                       "roles": [{"source": "web", "host": "a<b>.example", "filed": "auto", "documents": 1200, "scores_as_domain": 0.031}]},
            "quality": {"method": "none", "sha256": None, "setting": "min_score", "threshold": None, "all": None, "audit": None, "roles": None,
                        "why": "curate.quality.positives: 3 different extracted documents in this run"},
        },
        dial={"by": "quality.score", "search": [[0.01, 3.1], [0.01, 3.2], [0.1, 2.9], [0.1, 2.95], [1.0, 2.8]], "bounds": [{"group": "all", "bound": 0.91, "kept": 20, "removed": 500}],
              "streams": [{"name": f"web/{HOSTILE}", "documents": 520, "removed": 500, "tokens": 90_000, "kept_tokens": 9_000, "deciles": [n / 10 for n in range(11)]}],
              "ladder": [{"share": 0.0, "score": 0.99, "ids": ["a1", "b1"]}, {"share": 0.5, "score": None, "ids": []}],
              "buckets": [{"bucket": 1, "documents": 0, "tokens": 0, "lowest": None}, {"bucket": 2, "documents": 20, "tokens": 9_000, "lowest": 0.91}],
              "rules": [["gopher.min_num_words", -0.31], ["c4.max_lines", 0.4]], "languages": [],
              "hosts": {"lose": [{"name": HOSTILE, "words": 90, "kept": 0, "before": 0.1, "after": 0.0}, {"name": "a.example", "words": 9, "kept": 9, "before": 0.01, "after": 0.1}], "gain": []}},
        duplicates=Duplicates(exact_clusters=70, exact_documents=230, near_clusters=55, near_documents=185, removed=290,
                              largest=[Cluster(documents=14, survivor="https://filings.example/10-k"), Cluster(documents=9, survivor="https://news.example/q1", kind="exact")]),
        mix=json.loads(json.dumps(asdict(mix(sources, MixSettings(), keep_rates=rates)))),
        tokenizer=TokenizerFigures(vocab_size=4096, tokens=int(tokens * 1.93), bytes_per_token=3.812, fertility=1.51,
                                   by_source={"filings": 3.71, "news": 3.9, "web": 3.78}, references={"gpt2 (50,257)": 3.63},
                                   terms=[Term(term="EBITDA", tokens=["EB", "IT", "DA"], tokens_with_space=[" EBITDA"]), Term(term="basis points", tokens=["basis", " points"], tokens_with_space=[" basis", " points"])]),
        plan=json.loads(json.dumps(plan.to_json())),
        training=Training(points=points, seconds=71.4, device="2 CPU processes", tokens_per_second=4300, note="Held-out loss is in bits per byte, so that it can be compared across tokenizers.",
                          samples=[Written(kind="term", prompt="Net income", text=f" rose {HOSTILE}")],
                          likeness=Likeness(generated=0.61, held_out_domain=0.66, held_out_general=0.31, words=900),
                          scores=[Score(task="fpb", metric="acc", value=0.61, low=0.52, high=0.69, examples=120), Score(task=HOSTILE, metric="f1", value=0.4)]),
        truth=[TruthRow(kind="exact duplicates", documents=160, wanted="dropped", right=160), TruthRow(kind="spam", documents=300, wanted="dropped", right=291), TruthRow(kind="good finance pages", documents=1200, wanted="kept", right=1181)],
        taken=[TakenRow(rule="exact.duplicate", documents={"web": 150, "news": 10}, pretokens={"web": 91_000, "news": 7_000}),
               TakenRow(rule="gopher.min_words", documents={"web": 340}, pretokens={"web": 5100})],
        hosts=[HostRow(host=HOSTILE, documents=12, kept_documents=2, pretokens=900, kept_pretokens=90,
                       rule="exact.duplicate", rule_pretokens=700)],
        edges=[Edge(rule="gopher.min_words", bound=50, documents=[
            EdgeDocument(id="e1", url=HOSTILE, source=HOSTILE, verdict="removed", value=49, text=HOSTILE),
            EdgeDocument(id="e2", source="web", verdict="kept", value=50, text="At the bound it stays.")])],
        gates=[Gate(name="bias: toxicity", measured="lowest judged ratio 0.88 (queer)", bound="at least 0.80", passed=True),
               Gate(name="mix", measured="0.00 points off", bound="at most 0.5 points", passed=True),
               Gate(name="kept share", measured="50.4 % of extracted", bound="20–80 %", passed=True, gating=False)],
        timings=[Timing(step=s, seconds=draw.random() * 6, documents=2990, bytes=88_000_000 if s in ("ingest", "extract") else None, reused=s in ("tokenizer",), why="its inputs did not change" if s == "tokenizer" else "") for s in steps],
        places=[Place(path="corpus/", what="kept, removed and quarantined documents: datasets.load_dataset opens it"), Place(path="tokenizer/", what="the trained tokenizer: AutoTokenizer.from_pretrained opens it"), Place(path="handoff/", what="manifest, training configuration, launch scripts"), Place(path="shards/", what="packed tokens by split and source")],
        notes=["The sample's pages are written by a generator; they are no real companies."],
    )  # fmt: skip
