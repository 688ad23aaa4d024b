"""Precision of removal, by rule: documents of a run that were read and labelled, and junk among what it keeps.

    RUN=runs/finance python -m bench.judged --draw    # documents of the draw that have no label yet, to be read
    RUN=runs/finance python -m bench.judged           # writes the tables of docs/judged.md

A draw is the documents with the lowest hashes of their ids, 20 of each rule and 40 of the kept. A label stands in
`bench/judged.jsonl` beside the document's id, source, path and the digest of the text that was read; ids come from the source's
name, the record's own key and its bytes, so they outlive another extraction, and the digest says when the text did not. Such a
document counts as not read.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from pipeline.audit.bias import wilson
from pipeline.core.run_folder import RunFolder, open_run
from pipeline.errors import UsageError

LABELS = Path(__file__).with_suffix(".jsonl")
PAGE = Path(__file__).resolve().parent.parent / "docs/judged.md"
PER_RULE, OF_KEPT = 20, 40
KEPT = "kept"
RIGHT = {"right", "junk"}
"""Labels under which a removal was right. Of kept documents: good, thin, junk."""


def _order(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def drawn(run: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """By rule (and "kept"): the rows of the draw, with the number of documents under `of`."""
    ids: dict[str, list[tuple[str, str]]] = defaultdict(list)
    rows: dict[str, dict[str, Any]] = {}
    for shard in run.shards:
        verdicts = run.verdicts(shard, ["id", "verdict", "reasons", "duplicate_of", "similarity"])
        for row in verdicts.to_pylist():
            for rule in row["reasons"] if row["verdict"] == "removed" else [KEPT] if row["verdict"] == "kept" else []:
                ids[rule].append((_order(row["id"]), row["id"]))
                rows[row["id"]] = row | {"shard": shard}
    return {
        rule: [rows[own] | {"of": len(found)} for _, own in sorted(found)[: OF_KEPT if rule == KEPT else PER_RULE]]
        for rule, found in ids.items()
    }


def texts(run: RunFolder, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By id: source, key (address or place in the file), extracted text and its digest; survivors of duplicates too."""
    wanted = {row["id"] for row in rows} | {row["duplicate_of"] for row in rows if row["duplicate_of"]}
    found = {}
    for shard in run.shards:
        table = run.documents(shard, ["id", "source", "url", "path", "locator", "text"])
        ids = table["id"].to_pylist()
        for at in [at for at, own in enumerate(ids) if own in wanted]:
            own = table.slice(at, 1).to_pylist()[0]
            key = own["url"] or f"{Path(own['path']).name} {own['locator'] or ''}".strip()
            digest = hashlib.sha256((own["text"] or "").encode()).hexdigest()[:16]
            found[own["id"]] = {"source": own["source"], "key": key, "text": own["text"] or "", "digest": digest}
    return found


def labels() -> dict[tuple[str, str], dict[str, Any]]:
    """By id and rule."""
    rows = [json.loads(line) for line in LABELS.read_text().splitlines()] if LABELS.exists() else []
    return {(row["id"], row["rule"]): row for row in rows}


def unread(run: RunFolder) -> list[dict[str, Any]]:
    """Documents of the draw without a label of this text, each with what it is drawn for."""
    draw = drawn(run)
    known = texts(run, [row for rows in draw.values() for row in rows])
    read = labels()
    found = []
    for rule, rows in sorted(draw.items()):
        for row in rows:
            own, label = known[row["id"]], read.get((row["id"], rule))
            if label is None or label["digest"] != own["digest"]:
                twin = known.get(row["duplicate_of"] or "", {}).get("text")
                found.append({"id": row["id"], "rule": rule, "reasons": row["reasons"], **own, "survivor": twin})
    return found


def scored(run: RunFolder) -> dict[str, Any]:
    """By rule: documents it removes, how many of its draw have a label of the text they have now, how many of these were right,
    precision and its interval; of the kept, counts by label. Labels of other documents say nothing: they were drawn from other
    runs."""
    read, draw = labels(), drawn(run)
    known = texts(run, [row for rows in draw.values() for row in rows])
    found, used = {}, 0
    for rule, rows in sorted(draw.items(), key=lambda item: (-item[1][0]["of"], item[0])):
        own = [label for row in rows if (label := read.get((row["id"], rule)))]
        counts = Counter(label["label"] for label in own if known[label["id"]]["digest"] == label["digest"])
        right, total = sum(counts[name] for name in RIGHT), counts.total()
        low, high = wilson(right, total) if total else (0.0, 1.0)
        used += total
        found[rule] = {
            "documents": rows[0]["of"], "drawn": len(rows), "read": total, "counts": dict(counts), "right": right,
            "share": right / total if total else None, "low": low, "high": high,
        }  # fmt: skip
    return {"rules": found, "drawn": sum(map(len, draw.values())), "labels": len(read), "used": used}


def tables(found: dict[str, Any]) -> list[str]:
    """The tables of the page."""
    rows = ["| rule | removes | read | right | precision | 95 % interval |", "|---|---:|---:|---:|---:|---|"]
    for rule, row in found["rules"].items():
        if rule != KEPT:
            share = f"{row['share']:.2f}" if row["read"] else "–"
            rows.append(
                f"| {rule} | {row['documents']:,} | {row['read']} | {row['right']} | {share} "
                f"| {row['low']:.2f}–{row['high']:.2f} |"
            )
    kept = found["rules"][KEPT]
    said = ", ".join(f"{kept['counts'].get(name, 0)} {name}" for name in ("good", "thin", "junk"))
    rows += ["", f"Of {kept['documents']:,} kept documents {kept['read']} were read: {said}; junk "]
    rows[-1] += (
        f"{kept['counts'].get('junk', 0) / max(kept['read'], 1):.2f}, 95 % interval {kept['low']:.2f}–{kept['high']:.2f}."
    )
    rows.append(
        f"Of {found['drawn']} drawn, {found['used']} have a label of their text; {found['labels']} labels are stored."
    )
    return rows


def run() -> dict[str, Any]:
    """Precision of removal over all rules of the run folder that `RUN` names."""
    found = scored(_run())
    rules = [row for rule, row in found["rules"].items() if rule != KEPT and row["read"]]
    removed = sum(row["documents"] for row in rules)
    return {
        "unit": "of removals right, each rule by the documents it removes",
        "ours": sum(row["share"] * row["documents"] for row in rules) / max(removed, 1),
        "peer": None,
        "versions": {},
        "input": f"{found['labels']} labelled documents",
        "rounds": 1,
        **found,
    }


def _run() -> RunFolder:
    if not os.environ.get("RUN"):
        raise SystemExit("set RUN to the folder of a finished run of recipes/finance.yaml --set use=local")
    try:
        return open_run(os.environ["RUN"])
    except UsageError as error:
        raise SystemExit(str(error)) from error


def main() -> int:
    """Write the tables of docs/judged.md, or print what is to be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draw", action="store_true", help="print documents without a label, as JSON lines")
    if parser.parse_args().draw:
        for row in unread(_run()):
            print(json.dumps(row, ensure_ascii=False))
        return 0
    before, _, rest = PAGE.read_text().partition("<!-- tables -->\n")
    after = rest.partition("<!-- /tables -->")[2]
    PAGE.write_text(f"{before}<!-- tables -->\n" + "\n".join(tables(scored(_run()))) + f"\n<!-- /tables -->{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
