"""The benches by group: one table of docs/benchmarks.md each. A bench is a module of this package with `run()`."""

GROUPS: dict[str, dict[str, str]] = {
    "Curation": {
        "heuristics": "Gopher quality and repetition, C4, FineWeb rules over text",
        "pipeline": "WARC to verdicts in committed Parquet: text, heuristics, language, signatures",
        "pipeline_full": "the same with every judge of the finance recipe",
        "documents": "words right and found of PDF, office and mail files, PDF pages per second",
        "crawl": "fifty hosts fetched politely: pages a second, processor time a page",
        "growth": "WARC to verdicts from 10 MB to 1 GB: time linear, memory flat, first-run compile time",
        "scale": "seconds and memory of every step from 10^4 to 10^6 small documents",
        "scale_driver": "requests, memory and seconds of a driver that finds 10^4 shards of 13 judges done",
        "scale_plan": "what 1, 100 and 1,000 TB would take, from measured rates",
        "tables": "cells, rows and headings of filings' tables, and their words, after extraction",
        "finance": "good documents of real finance sets kept by the recipe and by stock rules",
        "judged": "precision of removal by rule, and junk among the kept, on documents that were read",
        "quality_labels": "good pages against thin ones and junk, of pages that were read: the score and its peers",
        "language": "language identification",
        "classifier": "domain classifier: training, held-out figures, scoring",
        "domain": "role by domain score on sources that training did and did not see",
        "adversarial": "the slowest judge on a megabyte of one thing",
    },
    "Duplicates": {
        "minhash": "signatures from text",
        "cluster": "band keys to clusters",
        "cluster_growth": "clustering from 10^5 to 10^7 documents, and its worst cases",
        "dedup_quality": "near-copies found against truth, theory and the peers",
        "near_copies": "what goes as a near-copy: how near it is, and what stays that should",
        "substring": "repeated substrings",
    },
    "Audit": {
        "pii": "personal data spans",
        "contamination": "benchmark items in text: found when planted, not found where there are none",
        "toxicity": "toxicity scores",
        "whatif": "other thresholds on a finished run",
        "explore": "every page of the explorer over a million documents: seconds, and what it holds in memory",
    },
    "Tokenizer": {
        "bpe_train": "training a byte-level BPE vocabulary",
        "bpe_encode": "encoding text",
        "tokens_saved": "tokens of held-out text, the mix's tokenizer against one of general text",
    },
    "Training": {
        "shards": "token shards from text",
        "loader": "reading training samples from shards",
        "gpu": "training speed and memory on one GPU",
        "memory": "the plan's memory of a training step against what is allocated, on a CPU",
        "fsdp_overhead": "FSDP on two CPU processes against one process, same global batch",
        "frontier": "the best share of a pool by the quality score against all of it and a random share, at equal compute",
        "adaptation": "curated mix against raw crawl and general text at equal compute",
    },
}
"""Heading -> name -> one line."""
NAMES = {name: text for group in GROUPS.values() for name, text in group.items()}
ALL_CORES = ("crawl", "explore", "gpu", "fsdp_overhead", "adaptation", "frontier", "loader")
"""Benches that may use every processor; the others stay on one."""
