"""The cards a run leaves: the data card of corpus/ and the model card of a trained model, as Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.report.render import environment
from pipeline.report.run_report import RunReport
from pipeline.size.units import bytes_text, number_text

SPLITS = ("kept", "removed", "quarantined")
CONFIGS = {"kept": "default", "removed": "removed", "quarantined": "quarantined"}
"""Verdict -> configuration of `datasets.load_dataset`: what it opens without a name is what was kept."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip
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
    return front + _render("data_card.md.jinja", r=report)


def model_card(report: RunReport, *, training: Mapping[str, Any] | None = None, name: str = "") -> str:
    """The model card of a model trained from this run. `training` holds settings worth printing, as plain values."""
    front = _front_matter(
        {
            "license": _licence(report),
            "library_name": "transformers",
            "pipeline_tag": "text-generation",
            "tags": [tag for tag in (report.domain, "pretraining") if tag],
        }
    )
    chosen = (report.plan or {}).get("chosen")
    title = name or f"{report.name} {number_text(chosen['params']) if chosen else 'model'}"
    return front + _render("model_card.md.jinja", r=report, c=chosen, title=title, training=dict(training or {}))


def _render(template: str, **values: Any) -> str:
    made = environment().overlay(autoescape=False)
    made.filters["md"] = plain
    made.filters["size"] = bytes_text
    return made.get_template(template).render(**values)


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
    return found.pop() if len(found) == 1 and "unknown" not in found else "other"


def _size_category(documents: int) -> str:
    return next((name for limit, name in _SIZES if documents < limit), "n>1B")


def _front_matter(values: Mapping[str, Any]) -> str:
    """YAML between rules, without the keys that have no value."""
    given = {key: value for key, value in values.items() if value not in ([], None, "")}
    return f"---\n{yaml.safe_dump(given, sort_keys=False, allow_unicode=True, width=1 << 20)}---\n\n"
