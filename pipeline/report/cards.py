"""The cards a run leaves, from its report: data card and Croissant of corpus/; datasheet, the EU's summary of training content,
licences, crawled domains and lineage in cards/; and the model card of a trained model.

What a run cannot know (who publishes, how files were obtained, dates of the market) comes from the recipe's `card:`; where that
is silent too the cards say "not stated", so that nobody reads a gap as a no.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.core.store import FileInfo
from pipeline.publish.export import GRAPH, LINEAGE, MODEL_CARD
from pipeline.report import lineage
from pipeline.report.croissant import croissant
from pipeline.report.provenance import Provenance
from pipeline.report.render import environment
from pipeline.report.run_report import RunReport, shares
from pipeline.report.tally import SEVERAL
from pipeline.size.units import bytes_text, number_text

SPLITS = ("kept", "removed", "quarantined")
CONFIGS = {"kept": "default", "removed": "removed", "quarantined": "quarantined"}
"""Verdict -> configuration of `datasets.load_dataset`: what it opens without a name is what was kept."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip
LICENCE_COLUMNS = "source licence tdm robots documents kept removed quarantined kept_pretokens".split()
_NO_LANGUAGE = ("und", "zxx", "mis", "mul")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|])")


def data_card(report: RunReport, files: Mapping[str, Sequence[str]]) -> str:
    """`corpus/README.md`. `files` lists the committed Parquet files of each verdict, relative to the card.

    The `configs:` front matter names every file, so that `load_dataset(dir)` opens the kept documents, and
    `load_dataset(dir, "removed")` and `"quarantined"` the rest, and never a file that no commit knows.
    """
    front = _front_matter(
        {
            "language": _languages(report),
            "license": _licence(report),
            "size_categories": [_size_category(report.totals.kept)],
            "task_categories": ["text-generation"],
            "configs": [
                {
                    "config_name": CONFIGS[verdict],
                    **({"default": True} if verdict == "kept" else {}),
                    "data_files": [{"split": "train", "path": sorted(files[verdict])}],
                }
                for verdict in SPLITS
                if files.get(verdict)
            ],
        }
    )
    return front + _render("data_card.md.jinja", report)


def model_card(report: RunReport, *, training: Mapping[str, Any] | None = None, name: str = "") -> str:
    """The model card of a model trained from this run. `training` holds settings worth printing, as plain values."""
    tags = [tag for tag in (report.domain, "pretraining") if tag]
    front = _front_matter({"library_name": "transformers", "pipeline_tag": "text-generation", "tags": tags})
    chosen = (report.plan or {}).get("chosen")
    title = name or f"{report.name} {number_text(chosen['params']) if chosen else 'model'}"
    return front + _render("model_card.md.jinja", report, c=chosen, title=title, training=dict(training or {}))


def cards(report: RunReport, files: Mapping[str, Sequence[FileInfo]]) -> dict[str, str]:
    """Every card by its path in the run folder, but for `late_cards`. `files` are the committed files of each verdict, under
    `corpus/`."""
    placed = {
        verdict: sorted((info.path.removeprefix("corpus/"), info) for info in listed)
        for verdict, listed in files.items()
    }
    found = {
        "cards/datasheet.md": _render("datasheet.md.jinja", report),
        "cards/training-content.md": _render("training_content.md.jinja", report),
    }
    facts = report.provenance
    rows = [[getattr(row, name) for name in LICENCE_COLUMNS] for row in report.rights]
    found["cards/licences.csv"] = table(LICENCE_COLUMNS, rows)
    found["cards/crawled-domains.csv"] = table(["domain", "documents", "pretokens"], top_domains(facts))
    described = croissant(report, placed, statements(report), facts.card.licence or _licence(report))
    found["corpus/croissant.json"] = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
    found["corpus/README.md"] = data_card(
        report, {verdict: [path for path, _ in own] for verdict, own in placed.items()}
    )
    return found


def late_cards(report: RunReport) -> dict[str, str]:
    """What training changes, by its path: the lineage, and of a trained model the card."""
    found = {
        LINEAGE: lineage.picture(report),
        GRAPH: json.dumps(lineage.graph(report), indent=1, ensure_ascii=False) + "\n",
    }
    return found | ({MODEL_CARD: model_card(report)} if report.training is not None else {})


def top_domains(facts: Provenance) -> list[tuple[str, int, int]]:
    """The largest tenth of the crawled domains by pre-tokens of kept text, at least one: what the EU's template asks to list."""
    return facts.domains[: -(-len(facts.domains) // 10)]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated values. A word that a spreadsheet would run as a formula gets an apostrophe before it.

    >>> table(["licence"], [["=1+1"]])
    "licence\\n'=1+1\\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *([f"'{v}" if re.match(r"[=+@\t\r-]", str(v)) else v for v in row] for row in rows)])
    return text.getvalue()


def statements(report: RunReport) -> dict[str, str]:
    """What several cards say in the same words, under the names of Croissant's vocabulary of responsible AI."""
    facts, totals = report.provenance, report.totals
    rules = len([reason for reason in report.reasons if reason.verdict == "removed"])
    read = [f"{source.name}: {source.what or source.kind}" for source in facts.sources if source.kept]
    return {
        "dataCollection": "; ".join(read) or "not stated",
        "dataPreprocessingProtocol": f"Main text was extracted; {rules} rules removed {totals.removed:,} of "
        f"{totals.documents_in + totals.children:,} documents, duplicates among them. What was removed is published beside the "
        "corpus, with the reasons.",
        "dataBiases": _who_is_removed(report),
        "personalSensitiveInformation": _personal(report, facts),
        "dataUseCases": f"Pre-training of language models for the domain {report.domain or 'that the recipe names'}.",
    }


def _who_is_removed(report: RunReport) -> str:
    judged = [row for row in report.bias if row.verdict != "too_few"]
    if not judged:
        return "Whether the filters remove groups of people more often than others was not measured in this run."
    worst = ", ".join(sorted({row.term for row in judged if row.verdict == "fail"}))
    outcome = (
        f"removed more often than the four-fifths rule allows: {worst}" if worst else "none fails the four-fifths rule"
    )
    return f"Of terms for groups of people, {len(judged)} comparisons had enough documents; {outcome}."


def _personal(report: RunReport, facts: Provenance) -> str:
    settings = facts.judges.get("pii")
    if settings is None:
        return "Personal data was not looked for: the texts hold what their sources hold."
    searched = f"ersonal data that rules find ({', '.join(settings['kinds'])})"
    masked = [cut for cut in report.cuts if cut.rule.startswith("pii.")]
    where = ", ".join(f"{cut.rule.removeprefix('pii.')} in {cut.documents:,} documents" for cut in masked)
    if settings["action"] == "remove":
        done = f"Documents with p{searched} were removed."
    else:
        done = f"P{searched} was replaced by placeholders: {f'{where}, removed ones included' if where else 'none was found'}."
    names = "Names of people, days of dates and ages over 89 were searched too."
    names = names if settings["names"] != "off" else "Names of people were not searched and stay."
    return f"{done} {names} Postal addresses stay. No search finds everything: what is left may be personal data."


def _render(template: str, report: RunReport, **values: Any) -> str:
    made = environment().overlay(autoescape=False)
    made.filters["md"] = plain
    made.filters["size"] = bytes_text
    made.filters["stated"] = lambda value: plain(value) if value else "**not stated**"
    facts = report.provenance
    languages = {count.name: count.kept_pretokens for count in report.languages if count.kept_pretokens}
    shared = {
        "languages": shares(languages),
        "s": statements(report),
        "p": facts,
        "card": facts.card,
        "top": top_domains(facts),
    }
    return made.get_template(template).render(r=report, **shared, **values)


def plain(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def _languages(report: RunReport) -> list[str]:
    """Languages of at least a twentieth of the extracted documents; codes for "none" and "unknown" are no languages."""
    total = sum(count.documents for count in report.languages)
    return sorted(
        count.name
        for count in report.languages
        if re.fullmatch(r"[a-z]{2,3}", count.name) and count.name not in _NO_LANGUAGE and 20 * count.documents >= total
    )


def _licence(report: RunReport) -> str:
    """The licence of the whole: the sources' own where they agree, else "other" (the card lists each)."""
    found = {" ".join(source.licence.lower().split()) for source in report.sources if source.kept}
    return found.pop() if len(found) == 1 and not found & {"unknown", SEVERAL} else "other"


def _size_category(documents: int) -> str:
    return next((name for limit, name in _SIZES if documents < limit), "n>1B")


def _front_matter(values: Mapping[str, Any]) -> str:
    """YAML between rules, without the keys that have no value."""
    given = {key: value for key, value in values.items() if value not in ([], None, "")}
    return f"---\n{yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=1 << 20)}---\n\n"
