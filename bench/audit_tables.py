"""The tables of docs/bias.md: `python -m bench.audit_tables CORPORA [--out docs]`."""

import argparse
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench import labelled
from bench.train_toxicity import SHIPPED, Choice, score_documents, train
from pipeline.audit.bias import area_under_curve, identity_auc
from pipeline.audit.identity_terms import NAMES_NOBODY, find_terms, identity_terms
from pipeline.kernels.buffers import text_buffers

MARKS = ("<!-- tables -->", "<!-- /tables -->")
DIALECT_PAIRS = (
    ("he be working late every night", "he works late every night"),
    ("she been knew that", "she has known that for a long time"),
    ("they ain't got no money", "they do not have any money"),
    ("finna go to the store real quick", "about to go to the store quickly"),
    ("my momma done told me already", "my mother has already told me"),
    ("we was chillin at the crib", "we were relaxing at home"),
    ("that food bussin fr", "that food is really good"),
    ("he stay talking bout his job", "he is always talking about his job"),
    ("ion even know what he said", "i do not even know what he said"),
    ("y'all tryna come thru tonight", "do you all want to come over tonight"),
    ("she tryna get paid tho", "she is trying to get paid though"),
    ("it be like that sometimes", "it is like that sometimes"),
    ("dat boy got jokes", "that boy is funny"),
    ("we had us a good ol time", "we had a good time"),
    ("bruh he wildin", "man he is acting strangely"),
    ("her hair lookin nice", "her hair looks nice"),
    ("i'ma hit you up later", "i will call you later"),
    ("ain't nobody got time for that", "nobody has time for that"),
    ("he dont never call me back", "he never calls me back"),
    ("them shoes fresh", "those shoes are stylish"),
)


def scores(texts: list[str]) -> np.ndarray:
    """Document scores of the shipped scorer."""
    from pipeline.measure.judges.toxicity import Toxicity, toxicity

    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return toxicity.run(batch, Toxicity())["score"].to_numpy(zero_copy_only=False)


def mentions(texts: list[str]) -> dict[str, np.ndarray]:
    """Which texts mention a term, ambiguous words included: in a template, `black` is always a person."""
    rows, terms, _, _ = find_terms(*text_buffers(pa.array(texts, pa.large_string())))
    words = [set(text.lower().rstrip(".").split()) for text in texts]
    found = {}
    for term in identity_terms():
        mask = np.zeros(len(texts), bool)
        mask[rows[terms == term.id]] = True
        for word in term.ambiguous:
            mask |= np.array([word in some for some in words])
        if term.axis != "pronoun" and term.axis not in NAMES_NOBODY and mask.any():
            found[f"{term.axis}/{term.name}"] = mask
    return found


def shipped_bound() -> float:
    """`max_score` of the packaged finance recipe."""
    from pipeline.measure.judges.toxicity import Toxicity
    from pipeline.recipe.model import load

    settings = dict(load(str(Path(__file__).parent.parent / "recipes/finance.yaml")).judges)["toxicity"]
    assert isinstance(settings, Toxicity)
    assert settings.max_score is not None
    return settings.max_score


def peer_run(texts: list[str]) -> dict[str, Any] | None:
    """Scores of alt-profanity-check from `$BENCH_PEERS_PYTHON`, processor seconds and version; None where it is not installed.

    Raises RuntimeError when it is and fails.
    """
    python = os.environ.get("BENCH_PEERS_PYTHON", sys.executable)
    command = [python, "-P", str(Path(__file__).with_name("toxicity_peer.py"))]  # -P: our names must not hide packages
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=False)
    if done.returncode:
        if "ModuleNotFoundError" in done.stderr:
            return None
        raise RuntimeError(f"alt-profanity-check under {python}: {done.stderr[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def peer_scores(texts: list[str]) -> tuple[np.ndarray | None, str]:
    """Scores of alt-profanity-check and its version; None where it is not installed."""
    found = peer_run(texts)
    return (None, "not installed") if found is None else (np.array(found["scores"]), found["version"])


@functools.cache
def trained_without(corpora: Path, name: str, choice: Choice = SHIPPED) -> dict[str, np.ndarray]:
    """Weights that never saw the set, trained here."""
    return train(corpora, name, choice)


def left_out(corpora: Path, name: str, texts: list[str], choice: Choice = SHIPPED) -> np.ndarray:
    """Scores of a scorer that never saw the set."""
    return score_documents(pa.array(texts, pa.large_string()), trained_without(corpora, name, choice))


def _share(mask: np.ndarray) -> str:
    return f"{mask.mean():.3f}" if len(mask) else "–"


def sets_table(corpora: Path, bound: float) -> list[str]:
    """AUC of every labelled set, not trained on it and trained on it, against the peer; recall and false removals as shipped."""
    lines, version = [], ""
    for name in ("davidson", "toxigen", "madlibs", "olid"):
        examples = getattr(labelled, name)(corpora)
        texts, toxic = [e.text for e in examples], np.array([e.toxic for e in examples])
        found = scores(texts)
        unseen = found if name == "olid" else left_out(corpora, name, texts)
        peer, version = peer_scores(texts)
        known = f"{area_under_curve(peer, toxic):.4f}" if peer is not None else "–"
        note = " (the peer was trained on it)" if name == "davidson" else ""
        seen = "never" if name == "olid" else f"{area_under_curve(found, toxic):.4f}"
        lines.append(
            f"| {name}{note} | {len(toxic):,} | {toxic.mean():.3f} | {area_under_curve(unseen, toxic):.4f} | {seen} | {known} | "
            f"{_share(found[toxic] > bound)} | {(found[~toxic] > bound).mean():.4f} |"
        )
    head = ["| set | sentences | toxic | AUC, not trained on it | AUC, trained on it | alt-profanity-check "]
    head[0] += f"{version} | recall as shipped | clean ones removed |"
    return [*head, "|---|---:|---:|---:|---:|---:|---:|---:|", *lines]


def identities_table(corpora: Path, bound: float) -> list[str]:
    """Templates by identity, of the shipped weights, of weights not trained on them, and of the peer."""
    examples = labelled.madlibs(corpora)
    texts, toxic = [e.text for e in examples], np.array([e.toxic for e in examples])
    groups = {
        name: mask
        for name, mask in mentions(texts).items()
        if (mask & toxic).sum() >= 20 and (mask & ~toxic).sum() >= 20
    }
    peer, version = peer_scores(texts)
    sides = {"shipped": (scores(texts), bound), "not trained on them": (left_out(corpora, "madlibs", texts), bound)}
    if peer is not None:
        sides[f"alt-profanity-check {version}"] = (peer, 0.5)
    lines = [
        f"Templates (madlibs), {len(groups)} identities: the worst AUC of each kind (Borkan et al. 2019), the identity whose",
        "clean sentences are kept least, its ratio to the one kept most, and how many identities are under four fifths of that.",
        "",
        "| scorer | bound | subgroup | BPSN | BNSP | kept least | ratio | under four fifths |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for name, (found, limit) in sides.items():
        aucs = {group: identity_auc(found, toxic, mask) for group, mask in groups.items()}
        worst = [min((auc[kind], group) for group, auc in aucs.items()) for kind in range(3)]
        kept = {group: float((found[mask & ~toxic] <= limit).mean()) for group, mask in groups.items()}
        least, most = min(kept, key=lambda group: kept[group]), max(kept.values())
        low = sum(share < 0.8 * most for share in kept.values())
        cells = " | ".join(f"{value:.3f} {group.split('/')[1]}" for value, group in worst)
        lines.append(
            f"| {name} | {limit:g} | {cells} | {least.split('/')[1]} {kept[least]:.3f} | {kept[least] / most:.3f} | {low} |"
        )
    return lines


def pairs_tables(corpora: Path, bound: float) -> list[str]:
    """CrowS-Pairs by kind of bias, and the written dialect pairs."""
    pairs = labelled.crows_pairs(corpora)
    lines = ["CrowS-Pairs: share kept of both sentences of a pair.", ""]
    lines += ["| kind | pairs | about the disadvantaged group | about the other | ratio |", "|---|---:|---:|---:|---:|"]
    first, second = scores([pair[0] for pair in pairs]), scores([pair[1] for pair in pairs])
    for kind in sorted({pair[2] for pair in pairs}):
        mask = np.array([pair[2] == kind for pair in pairs])
        one, other = (first[mask] <= bound).mean(), (second[mask] <= bound).mean()
        lines.append(f"| {kind} | {mask.sum()} | {one:.3f} | {other:.3f} | {one / other:.3f} |")
    dialect = [(scores([pair[at] for pair in DIALECT_PAIRS]) <= bound).mean() for at in (0, 1)]
    ratio = dialect[0] / dialect[1]
    return [
        *lines,
        "",
        f"Dialect, {len(DIALECT_PAIRS)} written pairs: kept {dialect[0]:.3f} against {dialect[1]:.3f}, ratio {ratio:.3f}.",
    ]


def chunks_table(corpora: Path, bound: float) -> list[str]:
    """Clean text in pieces of 2 kB: how many would be removed."""
    from bench.train_toxicity import CLEAN_SOURCES, half

    lines = ["Chunks of 2 kB of clean text (the half that did not train, where a source trains):", ""]
    lines += ["| text | chunks | removed | share |", "|---|---:|---:|---:|"]
    for source in ("edgar", "fed", "reuters", "calls", "wikipedia", "medquad", "bbc", "books"):
        documents = labelled.clean_text(corpora, source, 14_000_000)
        documents = half(documents, odd=True) if source in CLEAN_SOURCES else documents
        pieces = [piece for text in documents for piece in labelled.chunks(text)][:3000]
        gone = int((scores(pieces) > bound).sum())
        lines.append(f"| {source} | {len(pieces):,} | {gone} | {gone / len(pieces):.2%} |")
    return lines


def bias_page(corpora: Path) -> list[str]:
    """The tables of docs/bias.md."""
    bound = shipped_bound()
    lines = [
        "`BENCH_PEERS_PYTHON=… python -m bench.audit_tables $CORPORA`; "
        f"the shipped weights at the finance recipe's `max_score: {bound:g}`.",
        "",
    ]
    for table in (sets_table, identities_table, pairs_tables, chunks_table):
        lines += [*table(corpora, bound), ""]
    return lines[:-1]


def between_marks(page: str, tables: list[str]) -> str:
    """The page with its generated part made new. Raises ValueError where a mark is missing."""
    begin, end = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
    return page[:begin] + "\n" + "\n".join(tables) + "\n" + page[end:]


def main(argv: list[str] | None = None) -> int:
    """Write the tables of the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit_tables", description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args(argv)
    page = arguments.out / "bias.md"
    made = between_marks(page.read_text(encoding="utf-8"), bias_page(arguments.corpora))
    page.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
