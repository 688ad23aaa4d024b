"""Lineage of a run: from its sources to the corpus, the tokenizer and the model, by W3C PROV, as JSON-LD and as a picture."""

from typing import Any, NamedTuple

from pipeline import __version__
from pipeline.report.render import environment
from pipeline.report.run_report import RunReport
from pipeline.report.svg import Svg
from pipeline.size.units import bytes_text, number_text

MOST_SOURCES = 8
"""Sources drawn one by one, those of most kept text; the rest are one box. All stand in the JSON."""
WIDE, BOX, HIGH, GAP = 960, 200, 62, 30
LETTERS = 28
"""Characters that fit into a box."""


class Node(NamedTuple):
    """An entity or an activity of the graph, in a row of the picture, with the nodes that it came from."""

    name: str
    row: int
    is_activity: bool
    lines: tuple[str, ...]
    after: tuple[str, ...] = ()


def nodes(report: RunReport) -> list[Node]:
    """The graph, row by row. Its counts are the report's."""
    totals = report.totals
    sources = sorted(report.provenance.sources, key=lambda source: -source.pretokens)
    found = [
        Node(f"source/{source.name}", 0, False, (source.name, source.kind, f"{source.kept:,} kept"))
        for source in sources
    ]
    rules = sum(reason.documents for reason in report.reasons if reason.verdict == "removed")
    read, extracted = f"{totals.documents_in + totals.children:,}", bytes_text(totals.extracted_bytes)
    every = tuple(node.name for node in found)
    found += [
        Node("extraction", 1, True, ("read and extract", f"version {__version__}"), every),
        Node("documents", 2, False, ("documents", read, extracted), ("extraction",)),
        Node("curation", 3, True, ("measure, cluster, decide", f"{rules:,} removed"), ("documents",)),
        Node("kept", 4, False, ("kept", f"{totals.kept:,} documents", bytes_text(totals.kept_bytes)), ("curation",)),
        Node("removed", 4, False, ("removed", f"{totals.removed:,} documents"), ("curation",)),
        Node("quarantined", 4, False, ("quarantined", f"{totals.quarantined:,} documents"), ("curation",)),
    ]
    if report.tokenizer and totals.kept_tokens:
        found += [
            Node("encoding", 5, True, ("tokenizer and shards",), ("kept",)),
            Node("tokenizer", 6, False, ("tokenizer", f"{report.tokenizer.vocab_size:,} entries"), ("encoding",)),
            Node("shards", 6, False, ("token shards", f"{totals.kept_tokens:,} tokens"), ("encoding",)),
        ]
    if report.training and report.plan:
        params = number_text(report.plan["chosen"]["params"])
        found += [
            Node("training", 7, True, ("pre-training",), ("tokenizer", "shards")),
            Node("model", 8, False, ("model", f"{params} parameters"), ("training",)),
        ]
    return found


def graph(report: RunReport) -> dict[str, Any]:
    """The graph as PROV-O in JSON-LD: an activity used what it came from, and generated what comes from it."""
    agent = {"@id": "run:software", "@type": "prov:SoftwareAgent", "rdfs:label": f"domain-corpus {__version__}"}
    found: list[dict[str, Any]] = [agent]
    for node in nodes(report):
        one: dict[str, Any] = {
            "@id": f"run:{node.name}",
            "@type": "prov:Activity" if node.is_activity else "prov:Entity",
            "rdfs:label": ", ".join(node.lines),
        }
        before = [{"@id": f"run:{name}"} for name in node.after]
        if node.is_activity:
            one |= {"prov:used": before, "prov:wasAssociatedWith": {"@id": "run:software"}}
        elif before:
            one |= {"prov:wasGeneratedBy": before[0]}
        found.append(one)
    context = {
        "prov": "http://www.w3.org/ns/prov#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "run": f"urn:domain-corpus:{report.root_hash}:",
    }
    return {"@context": context, "@graph": found}


def _shown(found: list[Node]) -> list[Node]:
    """The nodes that are drawn: sources past the largest few in one box."""
    sources, rest = [node for node in found if node.row == 0], [node for node in found if node.row]
    if len(sources) <= MOST_SOURCES:
        return found
    more = Node("source/", 0, False, (f"{len(sources) - MOST_SOURCES + 1} more sources",))
    first = [*sources[: MOST_SOURCES - 1], more]
    return [*first, rest[0]._replace(after=tuple(node.name for node in first)), *rest[1:]]


def picture(report: RunReport) -> str:
    """The graph as one SVG file, entities as boxes and activities as rounded ones, in the report's colours."""
    found = _shown(nodes(report))
    rows = [[node for node in found if node.row == row] for row in range(max(node.row for node in found) + 1)]
    svg = Svg(WIDE, len(rows) * (HIGH + GAP), f"Lineage of the run {report.name}")
    centres: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        width = min(BOX, WIDE / max(1, len(row)) - 8)
        for place, node in enumerate(row):
            x, y = WIDE * (place + 0.5) / len(row), 1 + number * (HIGH + GAP)
            centres[node.name] = (x, y)
            for before in node.after:
                from_x, from_y = centres[before]
                svg.line(from_x, from_y + HIGH, x, y, "axis")
            css, radius = ("node activity", 24) if node.is_activity else ("node", 4)
            svg.rect(x - width / 2, y, width, HIGH, css, radius=radius)
            letters, top = int(LETTERS * width / BOX), y + 44 - 8 * len(node.lines)
            for line, text in enumerate(node.lines):
                shown = text if len(text) <= letters else text[: letters - 1] + "…"
                svg.text(x, top + 16 * line, shown, "t small" if line else "t strong", anchor="middle")
    style = environment().get_template("report.css").render()
    return (
        svg.drawn()
        .replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" ', 1)
        .replace(">", f"><style>{style}</style>", 1)
    )
