"""Personal data: our scan beside presidio's patterns, F1 by kind on presidio's own sentences, and speed.

`python -m bench.pii` writes docs/pii.md. presidio runs in a child process of `$BENCH_PEERS_PYTHON`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pyarrow as pa

from bench import labelled, pii_notes
from bench.peer_text import finance_like_text
from bench.pii_peer import KINDS as PRESIDIO
from bench.pii_text import KEPT, MASKED, sentences
from pipeline.measure.judges.pii import Pii, pii

Spans = set[tuple[str, str]]
EVERY = Pii(kinds=list(MASKED))  # type: ignore[arg-type]
ROUNDS, PEER_SHARE = 5, 10
GENERATED = 16_000


def ours(texts: list[str], settings: Pii = EVERY) -> tuple[list[Spans], list[int]]:
    """(kind, value) of every span by text, and the public identifiers left alone."""
    found = pii.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), settings)
    spans = [
        {(span["kind"], text.encode()[span["start"] : span["end"]].decode()) for span in row}
        for text, row in zip(texts, found["spans"].to_pylist(), strict=True)
    ]
    return spans, found["num_public_ids"].to_pylist()


def presidio(texts: list[str]) -> tuple[list[Spans], float, str] | None:
    """The same of presidio, its seconds and version; None where it is not installed. Of overlapping spans the surest stays."""
    done = subprocess.run(
        [os.environ.get("BENCH_PEERS_PYTHON", sys.executable), "-m", "bench.pii_peer"],
        input="".join(json.dumps(text) + "\n" for text in texts),
        capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    if done.returncode:
        return None
    result = json.loads(done.stdout.splitlines()[-1])
    found = []
    for text, spans in zip(texts, result["spans"], strict=True):
        kept: list[tuple[str, int, int]] = []
        for kind, start, end, _ in sorted(spans, key=lambda span: (-span[3], span[1], -span[2])):
            if all(end <= other[1] or start >= other[2] for other in kept):
                kept.append((kind, start, end))
        found.append({(kind, text[start:end]) for kind, start, end in kept})
    return found, result["seconds"], result["version"]


def as_presidio(spans: Spans) -> Spans:
    """With one kind for both sorts of IP address, and the kinds presidio's patterns do not have left out."""
    named = {("ip" if kind.startswith("ipv") else kind, value) for kind, value in spans}
    return {(kind, value) for kind, value in named if kind in PRESIDIO.values()}


def scores(found: list[Spans], wanted: list[Spans]) -> dict[str, tuple[int, int, int]]:
    """Kind -> found rightly, extra, missed."""
    counts: Counter[tuple[str, int]] = Counter()
    for own, truth in zip(found, wanted, strict=True):
        for at, part in enumerate((own & truth, own - truth, truth - own)):
            counts.update((kind, at) for kind, _ in part)
    kinds = sorted({kind for kind, _ in counts})
    return {kind: (counts[kind, 0], counts[kind, 1], counts[kind, 2]) for kind in kinds}


def f1(counts: tuple[int, int, int]) -> float:
    """Of (found, extra, missed)."""
    hit, extra, missed = counts
    return 2 * hit / max(1, 2 * hit + extra + missed)


def synth(corpora: Path) -> tuple[list[str], list[Spans]]:
    """presidio's synthetic sentences and their labelled spans."""
    _, content = next(labelled.members(corpora / "filters/pii_presidio_synth.tar.zst", "synth_dataset_v2.json"))
    rows = json.loads(content)
    wanted = [
        {(PRESIDIO[s["entity_type"]], s["entity_value"]) for s in row["spans"] if s["entity_type"] in PRESIDIO}
        for row in rows
    ]
    return [row["full_text"] for row in rows], wanted


def generated(count: int = GENERATED) -> dict[str, tuple[int, int, int]]:
    """Kind -> found, extra, missed on generated text; of kinds to keep: left alone, (0), masked."""
    made = sentences(count)
    found, public = ours([one.text for one in made])
    counts = scores(found, [{pair for pair in one.planted if pair[0] in MASKED} for one in made])
    for kind in KEPT:
        own = [n for n, one in enumerate(made) if one.planted and one.planted[0][0] == kind]
        kept = sum(not found[n] and public[n] == 1 for n in own)
        counts[kind] = (kept, 0, len(own) - kept)
    return counts


def run(size_mb: int | None = None) -> dict:
    """MB/s of processor time on news with planted data; F1 by kind of both where CORPORA is set."""
    texts = finance_like_text((size_mb or 8) * 1_000_000)
    size = sum(len(text.encode()) for text in texts) / 1e6
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    pii.run(batch.slice(0, 1), Pii())
    few = texts[: max(1, len(texts) // (PEER_SHARE * (size_mb or 8)))]
    few_size = sum(len(text.encode()) for text in few) / 1e6
    speed, peer_speed, version = [], [], "not installed"
    for _ in range(ROUNDS):
        begin = time.process_time()
        pii.run(batch, Pii())
        speed.append(size / (time.process_time() - begin))
        other = presidio(few)
        if other is not None:
            peer_speed.append(few_size / other[1])
            version = other[2]
    result: dict = {
        "unit": "MB/s",
        "ours": round(median(speed), 1),
        "peer": round(median(peer_speed), 3) if peer_speed else None,
        "ratio": round(median(speed) / median(peer_speed), 1) if peer_speed else None,
        "peer_name": "presidio-analyzer's pattern recognizers",
        "versions": {"presidio-analyzer": version},
        "input": f"{size:.1f} MB of generated finance text (presidio: {few_size:.2f} MB of it)",
        "rounds": ROUNDS,
        "f1_generated": {kind: round(f1(counts), 4) for kind, counts in generated(1600).items()},
    }
    if os.environ.get("CORPORA"):
        sides = both_sides(Path(os.environ["CORPORA"]))
        result["f1"] = {kind: round(f1(counts), 4) for kind, counts in sides[0].items()}
        if sides[1]:
            result["peer_f1"] = {kind: round(f1(counts), 4) for kind, counts in sides[1].items()}
    return result


def both_sides(corpora: Path) -> tuple[dict[str, tuple[int, int, int]], dict[str, tuple[int, int, int]]]:
    """Scores of ours and of presidio on presidio's sentences; the second is empty without presidio."""
    texts, wanted = synth(corpora)
    own = scores([as_presidio(found) for found in ours(texts, Pii())[0]], wanted)
    other = presidio(texts)
    return own, scores(other[0], wanted) if other else {}


def page(corpora: Path) -> list[str]:
    """Lines of docs/pii.md."""
    own, other = both_sides(corpora)
    lines = [
        "# Personal data",
        "",
        "Made by `BENCH_PEERS_PYTHON=… CORPORA=… python -m bench.pii`; the speed of both sides is `python -m bench pii`, in",
        "[the benches](benchmarks.md).",
        "",
        "Found spans become typed placeholders (`<EMAIL>`) in every published split, removed documents included, or remove",
        "their document (`pii: {action: remove}`). One linear scan with the check digits of each kind, no regular expression but",
        "for names and spelled addresses.",
        "",
        "Exact spans on presidio's synthetic sentences, and presidio's own patterns on the same:",
        "",
        "| kind | found | extra | missed | precision | recall | F1 | presidio's F1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in PRESIDIO.values():
        hit, extra, missed = own[kind]
        peer = f"{f1(other[kind]):.3f}" if other else "not measured"
        lines.append(
            f"| {kind} | {hit} | {extra} | {missed} | {hit / max(hit + extra, 1):.3f} | {hit / max(hit + missed, 1):.3f} "
            f"| {f1(own[kind]):.3f} | {peer} |"
        )
    made = generated()
    lines += [
        "",
        f"{GENERATED:,} generated sentences with one identifier or look-alike each (`bench/pii_text.py`):",
        "",
    ]
    lines += ["| kind | found | extra | missed | precision | recall |", "|---|---:|---:|---:|---:|---:|"]
    for kind in MASKED:
        hit, extra, missed = made[kind]
        lines.append(
            f"| {kind} | {hit} | {extra} | {missed} | {hit / max(hit + extra, 1):.3f} | {hit / max(hit + missed, 1):.3f} |"
        )
    lines += ["", "Public identifiers of finance pass their own checks first and are left alone:", ""]
    lines += ["| kind | kept | masked or not recognised |", "|---|---:|---:|"]
    lines += [f"| {kind} | {made[kind][0]} | {made[kind][2]} |" for kind in KEPT]
    return lines + _filings(corpora) + pii_notes.lines()


def _filings(corpora: Path) -> list[str]:
    kinds: Counter[str] = Counter()
    size = 0
    for _, content in labelled.members(corpora / "finance/edgar_filings_html_a.tar.zst", ".htm"):
        size += len(content)
        spans, public = ours([content.decode("utf-8", "replace")], Pii())
        kinds.update(kind for kind, _ in spans[0])
        kinds["kept public identifiers"] += public[0]
    lines = ["", f"Raw inline XBRL, {size / 1e6:.0f} MB of filings: distinct values found per MB.", ""]
    lines += ["| kind | values | per MB |", "|---|---:|---:|"]
    for kind in (*(kind for kind in MASKED if kind != "ein"), "kept public identifiers"):
        lines.append(f"| {kind} | {kinds[kind]} | {kinds[kind] / (size / 1e6):.2f} |")
    return lines


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.pii", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pii.md"))
    arguments = parser.parse_args()
    arguments.out.write_text("\n".join(page(Path(os.environ["CORPORA"]))) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
