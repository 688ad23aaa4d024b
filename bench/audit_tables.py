"""The tables of docs/bias.md and docs/pii.md: `python -m bench.audit_tables CORPORA [--out docs]`."""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.audit import labelled
from pipeline.audit.bias import area_under_curve, identity_auc
from pipeline.audit.terms import NAMES_NOBODY, find_terms, identity_terms
from pipeline.kernels.buffers import text_buffers

BOUND = 0.95
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
    from pipeline.measure.toxicity import Toxicity, toxicity

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


def bias_page(corpora: Path) -> list[str]:
    """Lines of docs/bias.md."""
    lines = [
        "# What the toxicity filter does to whom",
        "",
        "Made by `python -m bench.audit_tables $CORPORA`; the shipped weights at `max_score: 0.95`.",
        "",
        "| set | sentences | toxic | AUC | recall | clean ones removed |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("davidson", "toxigen", "madlibs", "olid"):
        examples = getattr(labelled, name)(corpora)
        toxic, found = np.array([e.toxic for e in examples]), scores([e.text for e in examples])
        seen = "" if name == "olid" else " (trained on)"
        lines.append(
            f"| {name}{seen} | {len(toxic):,} | {toxic.mean():.3f} | {area_under_curve(found, toxic):.3f} | "
            f"{(found[toxic] > BOUND).mean():.3f} | {(found[~toxic] > BOUND).mean():.4f} |"
        )
    examples = labelled.madlibs(corpora)
    texts, toxic = [e.text for e in examples], np.array([e.toxic for e in examples])
    found, groups = scores(texts), mentions(texts)
    lines += ["", "Templates (madlibs), by identity: AUCs as in Borkan et al. 2019, and clean sentences kept.", ""]
    lines += ["| identity | subgroup | BPSN | BNSP | kept |", "|---|---|---|---|---|"]
    for name, mask in groups.items():
        if (mask & toxic).sum() >= 20 and (mask & ~toxic).sum() >= 20:
            sub, bpsn, bnsp = identity_auc(found, toxic, mask)
            kept = (found[mask & ~toxic] <= BOUND).mean()
            lines.append(f"| {name} | {sub:.3f} | {bpsn:.3f} | {bnsp:.3f} | {kept:.3f} |")
    pairs = labelled.crows_pairs(corpora)
    lines += ["", "CrowS-Pairs: share kept of both sentences of a pair.", ""]
    lines += ["| kind | pairs | about the disadvantaged group | about the other | ratio |", "|---|---|---|---|---|"]
    first, second = scores([pair[0] for pair in pairs]), scores([pair[1] for pair in pairs])
    for kind in sorted({pair[2] for pair in pairs}):
        mask = np.array([pair[2] == kind for pair in pairs])
        one, other = (first[mask] <= BOUND).mean(), (second[mask] <= BOUND).mean()
        lines.append(f"| {kind} | {mask.sum()} | {one:.3f} | {other:.3f} | {one / other:.3f} |")
    dialect = [(scores([pair[at] for pair in DIALECT_PAIRS]) <= BOUND).mean() for at in (0, 1)]
    lines += ["", f"Dialect, {len(DIALECT_PAIRS)} written pairs: kept {dialect[0]:.3f} against {dialect[1]:.3f}.", ""]
    lines += ["Chunks of 2 kB of clean text (the half that did not train, where a source trains):", ""]
    lines += ["| text | chunks | removed |", "|---|---|---|"]
    from pipeline.measure.train_toxicity import CLEAN_SOURCES, half

    for source in ("edgar", "fed", "reuters", "calls", "wikipedia", "medquad", "bbc", "books"):
        documents = labelled.clean_text(corpora, source, 14_000_000)
        documents = half(documents, odd=True) if source in CLEAN_SOURCES else documents
        pieces = [piece for text in documents for piece in labelled.chunks(text)][:3000]
        lines.append(f"| {source} | {len(pieces):,} | {(scores(pieces) > BOUND).sum()} |")
    return lines


PRESIDIO = {
    "EMAIL_ADDRESS": "email",
    "IP_ADDRESS": "ip",
    "US_SSN": "ssn",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "PHONE_NUMBER": "phone",
}


def pii_page(corpora: Path) -> list[str]:
    """Lines of docs/pii.md."""
    from pipeline.measure.pii import Pii, pii

    _, content = next(labelled.members(corpora / "filters/pii_presidio_synth.tar.zst", "synth_dataset_v2.json"))
    rows = json.loads(content)
    batch = pa.record_batch({"text": pa.array([row["full_text"] for row in rows], pa.large_string())})
    counts: Counter[tuple[str, str]] = Counter()
    for row, spans in zip(rows, pii.run(batch, Pii())["spans"].to_pylist(), strict=True):
        raw = row["full_text"].encode()
        ours = {("ip" if s["kind"][:3] == "ipv" else s["kind"], raw[s["start"] : s["end"]].decode()) for s in spans}
        wanted = {(PRESIDIO[s["entity_type"]], s["entity_value"]) for s in row["spans"] if s["entity_type"] in PRESIDIO}
        for label, found in (("hit", ours & wanted), ("extra", ours - wanted), ("missed", wanted - ours)):
            counts.update((kind, label) for kind, _ in found)
    lines = [
        "# Personal data",
        "",
        "Made by `python -m bench.audit_tables $CORPORA`. Exact spans on presidio's synthetic sentences.",
        "",
        "| kind | found | extra | missed | precision | recall | F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in PRESIDIO.values():
        hit, extra, missed = (counts[kind, label] for label in ("hit", "extra", "missed"))
        lines.append(
            f"| {kind} | {hit} | {extra} | {missed} | {hit / max(hit + extra, 1):.3f} | {hit / max(hit + missed, 1):.3f} | "
            f"{2 * hit / max(2 * hit + extra + missed, 1):.3f} |"
        )
    kinds: Counter[str] = Counter()
    size = 0
    for _, content in labelled.members(corpora / "finance/edgar_filings_html_a.tar.zst", ".htm"):
        size += len(content)
        batch = pa.record_batch({"text": pa.array([content.decode("utf-8", "replace")], pa.large_string())})
        found = pii.run(batch, Pii())
        kinds.update(span["kind"] for span in found["spans"][0].as_py())
        kinds["kept public identifiers"] += found["num_public_ids"][0].as_py()
    lines += ["", f"Raw inline XBRL, {size / 1e6:.0f} MB of filings: what is found per MB.", ""]
    lines += ["| kind | spans | per MB |", "|---|---|---|"]
    for kind in (
        "card",
        "email",
        "phone",
        "ssn",
        "iban",
        "ipv4",
        "ipv6",
        "passport",
        "api_key",
        "kept public identifiers",
    ):
        lines.append(f"| {kind} | {kinds[kind]} | {kinds[kind] / (size / 1e6):.2f} |")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Write both pages."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit_tables", description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args(argv)
    for name, page in (("bias.md", bias_page), ("pii.md", pii_page)):
        (arguments.out / name).write_text("\n".join(page(arguments.corpora)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
