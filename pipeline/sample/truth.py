"""Compares a run's verdicts with what the sample knows about each page."""

from collections.abc import Iterable, Mapping
from typing import Any


def score(truth_rows: Iterable[Mapping[str, Any]], verdicts: Mapping[str, str]) -> dict[str, Any]:
    """Counts of right and wrong verdicts by kind of page, a pure function.

    `verdicts` maps URLs to "kept", "removed" or "quarantined". An original and its copies are judged together: exactly
    one may be kept, whichever it is. A page that should go may be removed or quarantined; "either" is never wrong.

    Returns `kinds` (kind -> documents, expected_keep, kept, lost, leaked, missing), `lost` (URLs that should have been
    kept and were not), `leaked` (URLs that were kept and should not have been), `missing` (URLs without a verdict),
    `copies` (clusters, with_one_kept, with_more_kept, with_none_kept), and `keep_recall` and `drop_recall`.
    """
    clusters: dict[str, list[Mapping[str, Any]]] = {}
    for row in truth_rows:
        if row["record"] == "response" and row["url"] is not None:
            clusters.setdefault(row["duplicate_of"] or row["url"], []).append(row)
    kinds: dict[str, dict[str, int]] = {}
    urls: dict[str, list[str]] = {"lost": [], "leaked": [], "missing": []}
    copies = {"clusters": 0, "with_one_kept": 0, "with_more_kept": 0, "with_none_kept": 0}
    wanted = unwanted = 0
    for first, members in clusters.items():
        kept = [row["url"] for row in members if verdicts.get(row["url"]) == "kept"]
        original = next((row for row in members if row["url"] == first), members[0])
        if len(members) > 1 and original["expect"] == "keep":
            copies["clusters"] += 1
            copies[("with_none_kept", "with_one_kept", "with_more_kept")[min(2, len(kept))]] += 1
        for row in members:
            url, expect = row["url"], row["expect"]
            survivor = row["duplicate_of"] is not None and original["expect"] != "drop" and len(kept) == 1
            wrong = {
                "lost": expect == "keep" and not kept,
                "leaked": expect in ("drop", "quarantine") and url in kept and not survivor,
                "missing": url not in verdicts,
            }
            wanted += expect == "keep"
            unwanted += expect in ("drop", "quarantine")
            count = kinds.setdefault(row["kind"], dict.fromkeys(("documents", "expected_keep", "kept", *wrong), 0))
            count["documents"] += 1
            count["expected_keep"] += expect == "keep"
            count["kept"] += url in kept
            for name, holds in wrong.items():
                count[name] += holds
                urls[name] += [url] * holds
    return {
        "kinds": dict(sorted(kinds.items())),
        **urls,
        "copies": copies,
        "keep_recall": 1 - len(urls["lost"]) / wanted if wanted else 1.0,
        "drop_recall": 1 - len(urls["leaked"]) / unwanted if unwanted else 1.0,
    }
