"""Which share of a crawl is best to train on? One pool, ordered by the quality score; same shape and FLOPs, three seeds.

`CORPORA=… OUT=<folder> python -m bench frontier`. The pool is every English page of `${CORPORA}/web` and 800 generated thin
pages; arms are its best 100, 30, 10, 3 and 1 % of bytes, and a random 10 %. Text repeats as often as the budget forces it; an
arm that would repeat more than ten times is not measured. Held-out text is of sources that gave no positives: domain is news of
companies, calls and speeches of the Fed, general is oral arguments, medical answers, and talk and reviews. All arms use one
tokenizer, trained on the pool. Each training is a piece, kept in OUT; calling again goes on, with STEPS=40 at another
budget: a line through all budgets in OUT says from which on the next larger share wins.
"""

import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import adaptation, quality_labels
from bench.corpora import documents, lines, root
from pipeline.classify.classifier_settings import ViewShares
from pipeline.classify.views import Views
from pipeline.sample import worth
from pipeline.sample.draw import Draw

SHARES = (1.0, 0.3, 0.1, 0.03, 0.01)
RANDOM = 0.1
SEEDS = (0, 1, 2)
THIN = 800
MOST_EPOCHS = 10
TOKENS_A_STEP = adaptation.LENGTH * adaptation.BATCH
HELD = 150_000
"""Characters of held-out text of each set."""
SMALL = (
    "model.preset=tiny",
    "model.hidden_size=64",
    "model.num_layers=2",
    "model.intermediate_size=160",
    "evaluate.max_samples=96",
)


def pool() -> list[str]:
    """The texts, the best first."""
    texts = [page.text for own in quality_labels.pages().values() for page in own]
    for number in range(THIN):
        article = worth.thin(Draw(0, "frontier", number), number)
        texts.append("\n".join([article.title, *(str(body) for _, body in article.blocks)]))
    views = Views({"reference": quality_labels.learned(quality_labels.sample())})
    scores = views.scores(pa.array(texts, pa.large_string()), ViewShares())["score"]
    return [texts[at] for at in np.argsort(-np.nan_to_num(scores, nan=-1), kind="stable").tolist()]


def first(texts: list[str], share: float) -> list[str]:
    """The first texts, up to a share of the bytes of all."""
    sums = np.cumsum([len(text.encode()) for text in texts])
    return texts[: max(1, int(np.searchsorted(sums, share * sums[-1], "right")))]


def held_out() -> dict[str, list[str]]:
    """Text by role of sources that are neither in the pool nor among the positives."""
    calls = [record["text"] for record in lines(root() / "finance/earnings_calls_2020_2021.jsonl.zst")]
    everyday = [record["text"] for record in lines(root() / "general/everyday_language.jsonl.zst")]
    sets = {
        "domain": [list(documents("reuters")), calls, list(documents("fed_speeches"))],
        "general": [list(documents("court")), list(documents("medquad")), everyday],
    }
    return {role: [t for own in found for t in adaptation.some(own, HELD)] for role, found in sets.items()}


def arms() -> dict[str, list[str]]:
    """Texts by arm."""
    ordered = pool()
    found = {f"best {share:.0%}": first(ordered, share) for share in SHARES}
    return found | {f"random {RANDOM:.0%}": first(random.Random(0).sample(ordered, len(ordered)), RANDOM)}


def pieces(out: Path, steps: int, seconds: float) -> None:
    """Train what is missing, seed by seed, until the time is used."""
    from recipes.pretrain.parallel import start_world, stop_world

    begun = time.monotonic()
    if not (out / "arms.json").exists():
        texts, held = arms(), held_out()
        tokenizer = adaptation.train_tokenizer({"pool": (1.0, adaptation.some(texts["best 100%"], 4_000_000))})
        sizes = {}
        for name, own in texts.items():
            folder = out / name.replace(" ", "-").replace("%", "")
            handoff = adaptation.write_arm(folder, {"general": (1.0, own)}, held, tokenizer)
            shards = json.loads((handoff / "manifest.json").read_text())["sources"]
            tokens = sum(shard["num_tokens"] for source in shards for shard in source["splits"].get("train", []))
            sizes[name] = {"folder": folder.name, "documents": len(own), "tokens": tokens}
        (out / "arms.json").write_text(json.dumps(sizes))
    sizes = json.loads((out / "arms.json").read_text())
    world = None
    for seed in SEEDS:
        for name, size in sizes.items():
            path = out / f"{size['folder']}-{seed}-{steps}.json"
            if path.exists() or steps * TOKENS_A_STEP > MOST_EPOCHS * size["tokens"]:
                continue
            if world is not None and time.monotonic() - begun > seconds:
                break
            world = world or start_world()
            bits = adaptation.train_arm(out / size["folder"] / "handoff", steps, seed, world, *SMALL)
            path.write_text(json.dumps(bits))
            print(f"{name} seed {seed}: {bits}", file=sys.stderr, flush=True)
    if world is not None:
        stop_world()


def crossings(losses: Mapping[int, Mapping[float, float]]) -> list[tuple[float, float, float, str]]:
    """Of each share and the next larger one the lead in bits per byte of the larger at the largest budget, by how much the lead
    grows with every doubling of the budget, and from which budget on the larger wins.

    `losses` are mean losses by share, by budget in tokens. The lead is a straight line in the logarithm of the budget, by least
    squares; with two budgets it goes through both, so it says nothing of its own error.
    """
    budgets = sorted(losses)
    if len(budgets) < 2:
        return []
    rows = []
    shares = sorted(set.intersection(*(set(own) for own in losses.values())))
    for smaller, larger in pairwise(shares):
        leads = [losses[budget][smaller] - losses[budget][larger] for budget in budgets]
        slope, start = np.polyfit(np.log2(budgets), leads, 1)
        zero = 2 ** (-start / slope) if slope else math.inf
        if leads[-1] > 0:
            said = "wins now" + (f", loses from {zero:,.0f} tokens" if slope < 0 else "")
        else:
            said = f"from {zero:,.0f} tokens" if slope > 0 else "never, by this line"
        rows.append((smaller, larger, leads[-1], f"{slope:+.4f} a doubling: {said}"))
    return rows


def measured(out: Path, sizes: Mapping[str, Any]) -> dict[int, dict[float, float]]:
    """Median domain loss of every share by budget, of all pieces that lie in a folder."""
    found: dict[int, dict[float, float]] = {}
    for name, size in sizes.items():
        if not name.startswith("best"):
            continue
        by_steps: dict[int, list[float]] = {}
        for path in out.glob(f"{size['folder']}-[0-9]-*.json"):
            by_steps.setdefault(int(path.stem.rpartition("-")[2]), []).append(json.loads(path.read_text())["domain"])
        for steps, bits in by_steps.items():
            if len(bits) == len(SEEDS):
                share = float(name.removeprefix("best ").removesuffix("%")) / 100
                found.setdefault(steps * TOKENS_A_STEP, {})[share] = statistics.median(bits)
    return found


def run(size_mb: int = 0, steps: int = 120) -> dict[str, Any]:
    """Median bits per byte and spread by arm; ratio > 1 means that the best share needs fewer on domain text than all."""
    out, steps = Path(os.environ.get("OUT", "runs/bench-frontier")), int(os.environ.get("STEPS", steps))
    out.mkdir(parents=True, exist_ok=True)
    pieces(out, steps, float(os.environ.get("PIECE_S", "1000")))
    sizes, rows, domain = json.loads((out / "arms.json").read_text()), [], {}
    for name, size in sizes.items():
        paths = [out / f"{size['folder']}-{seed}-{steps}.json" for seed in SEEDS]
        found = [json.loads(path.read_text()) for path in paths if path.exists()]
        epochs = steps * TOKENS_A_STEP / size["tokens"]
        cells = ["not measured"] * 2
        if found:
            values = {role: [own[role] for own in found] for role in adaptation.ROLES}
            cells = [f"{statistics.median(b):.3f} ({min(b):.3f} to {max(b):.3f})" for b in values.values()]
            domain[name] = values["domain"]
        rows.append([name, f"{size['documents']:,}", f"{size['tokens']:,}", f"{epochs:.2f}", *cells])
    if "best 100%" not in domain or len(domain) < 2:
        raise SystemExit("bench frontier: not all pieces are there; call it again")
    medians = {name: statistics.median(bits) for name, bits in domain.items()}
    best = min((name for name in medians if name.startswith("best") and name != "best 100%"), key=medians.__getitem__)
    return {
        "unit": "bits/byte",
        "ours": medians[best],
        "peer": medians["best 100%"],
        "ratio": medians["best 100%"] / medians[best],
        "peer_name": f"the whole pool; ours is {best}",
        "versions": {"numpy": np.__version__},
        "input": f"{steps} steps of {TOKENS_A_STEP:,} tokens",
        "rounds": min(map(len, domain.values())),
        "spread": max(max(bits) - min(bits) for bits in domain.values()),
        "tables": {
            "arms": {
                "head": [
                    "arm",
                    "documents",
                    "tokens",
                    "times seen",
                    *(f"{role}: median (range)" for role in adaptation.ROLES),
                ],
                "rows": rows,
            },
            "budgets": {
                "head": ["share", "next larger", "its lead, bits per byte", "trend and crossing"],
                "rows": [
                    [f"{a:.0%}", f"{b:.0%}", f"{lead:+.3f}", said]
                    for a, b, lead, said in crossings(measured(out, sizes))
                ],
            },
        },
    }
