"""The corpus in the Croissant format 1.1 of MLCommons, with its vocabulary of responsible AI and W3C provenance, as JSON-LD.

`mlcroissant` reads it without a remark and opens the records by it (tests/report/test_cards.py). Paths are relative to the file.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from pipeline.core.store import FileInfo
from pipeline.publish.step import KEPT, REMOVED
from pipeline.report.lineage import graph
from pipeline.report.run_report import RunReport

PARQUET = "application/x-parquet"
_CROISSANT = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
    "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
    "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    **{name: f"cr:{name}" for name in _CROISSANT},
}
"""The context of appendix 1 of the specification 1.1."""
COLUMNS = {
    "id": "Hash of source, natural key and payload: the same record has one id in every run.",
    "text": "The text after cuts, personal data replaced by typed placeholders.",
    "licence": "Licence of the record, or unknown.",
    "tdm": "What the record's signals say of text and data mining: reserved, open or unknown.",
    "num_tokens": "Tokens of the trained tokenizer.",
    "duplicate_of": "Id of the document that stands for this one.",
    "reasons": "Every rule that hit.",
}


def _type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def _records(verdict: str, schema: pa.Schema, count: int) -> dict[str, Any]:
    """A record set of one verdict's columns. Lists of structs are left out: their readers want the schema of Parquet."""
    fields = []
    for column in schema:
        kind, repeated = column.type, pa.types.is_list(column.type)
        if repeated and pa.types.is_struct(kind.value_type):
            continue
        source = {"fileSet": {"@id": f"{verdict}-files"}, "extract": {"column": column.name}}
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"{verdict}/{column.name}",
            "name": column.name,
            "description": COLUMNS.get(column.name, f"See the data card, column {column.name}."),
            "dataType": _type(kind.value_type if repeated else kind),
            "source": source,
        }
        fields.append(field | ({"isArray": True, "arrayShape": "-1"} if repeated else {}))
    return {
        "@type": "cr:RecordSet",
        "@id": verdict,
        "name": verdict,
        "description": f"{count:,} {verdict} documents",
        "key": {"@id": f"{verdict}/id"},
        "field": fields,
    }


def _distribution(verdict: str, files: Iterable[tuple[str, FileInfo]]) -> list[dict[str, Any]]:
    each = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "contentSize": f"{info.bytes} B",
            "encodingFormat": PARQUET,
            "sha256": info.sha256,
        }
        for path, info in files
    ]
    whole = {
        "@type": "cr:FileSet",
        "@id": f"{verdict}-files",
        "name": f"{verdict}-files",
        "description": f"Every file of {verdict} documents",
        "encodingFormat": PARQUET,
        "includes": f"{verdict}/**/*.parquet",
    }
    return [*each, whole]


def croissant(
    report: RunReport, files: Mapping[str, Iterable[tuple[str, FileInfo]]], statements: Mapping[str, str], licence: str
) -> dict[str, Any]:
    """`corpus/croissant.json`. `files` are (path from the card, file) by verdict; `statements` the texts of `rai:`."""
    card, totals = report.provenance.card, report.totals
    made = graph(report)
    lineage = {node["@id"]: node for node in made["@graph"]}
    found: dict[str, Any] = {
        "@context": CONTEXT | made["@context"],
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"{report.name}-corpus",
        "description": report.verdict[1],
        "license": licence,
        "version": card.version,
        "citeAs": ", ".join(filter(None, (f"{report.name} corpus", card.provider, report.root_hash))),
        "inLanguage": [count.name for count in report.languages if count.kept_pretokens][:20],
        "distribution": [one for verdict, listed in files.items() for one in _distribution(verdict, listed)],
        "recordSet": [
            _records(verdict, KEPT if verdict == "kept" else REMOVED, getattr(totals, verdict)) for verdict in files
        ],
        "prov:wasDerivedFrom": [node for name, node in lineage.items() if name.startswith("run:source/")],
        "prov:wasGeneratedBy": lineage["run:curation"],
        **{f"rai:{name}": text for name, text in statements.items()},
        "rai:dataLimitations": [*report.notes, "Filters remove good text too; rules do not see every fault."],
    }
    if card.provider:
        found["creator"] = {"@type": "Organization", "name": card.provider}
    if card.url:
        found["url"] = card.url
    if card.published:
        found["datePublished"] = card.published.isoformat()
    return found
