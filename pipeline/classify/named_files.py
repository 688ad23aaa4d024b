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


def inputs(paths: list[str]) -> list[InputFile]:
    """Every file of the paths; formats go by name and content. Raises UsageError when a path names none."""
    return [file for path in paths for file in list_inputs(Source(name=NAME, path=path))]


def documents(files: list[InputFile]) -> Iterator[pa.RecordBatch]:
    """Batches of the extracted documents of files: id, url, text."""
    settings = ExtractSettings.model_validate({})
    source = Source(name=NAME, optional=True)
    for shard in plan_shards(source, files):
        for records in read_shard(source, shard):
            extracted = extract_batch(records.select(RECORDS.names), settings)
            yield extracted.filter(pc.is_null(extracted["reason"])).select(["id", "url", "text"])
