"""Training text from files outside the corpus, read and extracted like a source's."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.batch import RECORDS
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.records import extract_batch
from pipeline.ingest.files import InputFile, list_inputs, plan_shards
from pipeline.ingest.read import read_shard
from pipeline.ingest.source import Source

NAME = "classifier-files"


def sources(paths: list[str]) -> list[Source]:
    """One source a path; formats go by name and content."""
    return [Source(name=NAME, path=path) for path in paths]


def versions(paths: list[str]) -> list[list[str]]:
    """Path and version of every file, for the fingerprint. Raises UsageError when a path names none."""
    return [[file.path, file.version] for source in sources(paths) for file in list_inputs(source)]


def documents(paths: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of the extracted documents of files: id, url, text."""
    settings = ExtractSettings.model_validate({})
    for source in sources(paths):
        inputs: list[InputFile] = list_inputs(source)
        for shard in plan_shards(source, inputs):
            for records in read_shard(source, shard):
                found = extract_batch(records.select(RECORDS.names), settings)
                yield found.filter(pc.is_null(found["reason"])).select(["id", "url", "text"])
