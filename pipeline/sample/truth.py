"""How a run's verdicts compare with the sample's truth."""

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
    rows = [row for row in truth_rows if row["record"] == "response" and row["url"] is not None]
    clusters: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        clusters.setdefault(row["duplicate_of"] or row["url"], []).append(row)
    kinds: dict[str, dict[str, int]] = {}
    lost: list[str] = []
    leaked: list[str] = []
    missing: list[str] = []
    copies = {"clusters": 0, "with_one_kept": 0, "with_more_kept": 0, "with_none_kept": 0}
    wanted = dropped = undesired = found = 0
    for first, members in clusters.items():
        kept = [row["url"] for row in members if verdicts.get(row["url"]) == "kept"]
        original = next((row for row in members if row["url"] == first), members[0])
        if len(members) > 1 and original["expect"] == "keep":
            copies["clusters"] += 1
            copies[("with_none_kept", "with_one_kept", "with_more_kept")[min(2, len(kept))]] += 1
        for row in members:
            count = kinds.setdefault(
                row["kind"], {"documents": 0, "expected_keep": 0, "kept": 0, "lost": 0, "leaked": 0, "missing": 0}
            )
            count["documents"] += 1
            count["expected_keep"] += row["expect"] == "keep"
            count["kept"] += row["url"] in kept
            if row["url"] not in verdicts:
                count["missing"] += 1
                missing.append(row["url"])
            if row["expect"] == "keep":
                wanted += 1
                found += bool(kept)
                if not kept:
                    count["lost"] += 1
                    lost.append(row["url"])
            elif row["expect"] in ("drop", "quarantine"):
                undesired += 1
                survivor = row["duplicate_of"] is not None and original["expect"] != "drop" and len(kept) == 1
                stays = row["url"] in kept and not survivor
                dropped += not stays
                if stays:
                    count["leaked"] += 1
                    leaked.append(row["url"])
    return {
        "kinds": dict(sorted(kinds.items())),
        "lost": lost,
        "leaked": leaked,
        "missing": missing,
        "copies": copies,
        "keep_recall": found / wanted if wanted else 1.0,
        "drop_recall": dropped / undesired if undesired else 1.0,
    }
