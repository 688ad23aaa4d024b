"""The raw page of a document: its record read again from the source, where that is still at hand and unchanged."""

import os
import time
from typing import Any

import pyarrow.compute as pc

from pipeline.core import sealed
from pipeline.core.run_folder import RECIPE, RunFolder
from pipeline.core.steps import Step
from pipeline.errors import PipelineError, UsageError
from pipeline.ingest.encoding import decode_payload
from pipeline.ingest.files import InputFile, InputShard, list_inputs
from pipeline.ingest.read import read_shard
from pipeline.ingest.source import Source
from pipeline.ingest.step import frozen_files
from pipeline.recipe.model import rebuilt

MOST_SECONDS = 20.0
"""That a file is searched for its record: about 4 GB of WARC, and less of archives."""
DANGEROUS = ("ingest.killed_worker", "extract.killed_worker", "measure.killed_worker")


def _file(run: RunFolder, document: dict[str, Any]) -> InputFile:
    """The file that a document was read from: the run's own copy of what it fetched, else the source's by today's recipe."""
    name, path = document["source"], document["path"]
    if info := frozen_files(run.commits(Step.INGEST), name).get(path):
        return InputFile(path, run.store.url(info.path), info.bytes, info.sha256)
    written = sealed.read(run.store, RECIPE)
    chosen = rebuilt(written).chosen if written else []
    source = next((source for source in chosen if source.name == name), None)
    if source is None or source.is_absent or source.has_no_files:
        raise UsageError(f"the source {name} has no files at hand")
    file = next((file for file in list_inputs(source) if file.path == path), None)
    if file is None:
        raise UsageError(f"{os.path.basename(path)} is no longer among the files of the source {name}")
    return file


def raw_record(run: RunFolder, shard: str, document: dict[str, Any]) -> tuple[bytes, str]:
    """(payload, charset) of a document as its source holds it; nothing in it is masked.

    Raises UsageError with the reason when it is not at hand: the source is gone or fetched again each time, the file has changed,
    the document was forgotten or kills what reads it, or the search takes too long.
    """
    if document["reason"] == "rights.forgotten":
        raise UsageError("this document was forgotten")
    if document["reason"] in DANGEROUS:
        raise UsageError("reading this document killed a worker; it is not tried again here")
    try:
        file = _file(run, document)
        source = Source.model_validate(run.commit(Step.EXTRACT, shard).parts["settings"]["source"])
        until = time.monotonic() + MOST_SECONDS
        for records in read_shard(source, InputShard(shard, (file,))):
            row = pc.index(records["id"], document["id"]).as_py()
            if row >= 0:
                return records["payload"][row].as_py() or b"", records["charset"][row].as_py() or ""
            if time.monotonic() > until:
                raise UsageError(f"not found in the first {MOST_SECONDS:.0f} seconds of {os.path.basename(file.path)}")
    except (PipelineError, OSError) as error:
        raise UsageError(f"The raw page is not at hand: {error}") from error
    raise UsageError("The raw page is not at hand: the file has changed since the run read it")


def as_text(payload: bytes, charset: str, most: int) -> str:
    """The first `most` bytes as text; a sentence for bytes that are none.

    >>> as_text(b"<p>\\xe9t\\xe9", "latin-1", 100), as_text(b"%PDF\\0\\x01", "", 100)
    ('<p>été', '6 bytes that are no text')
    """
    shown = payload[:most]
    if b"\0" in shown[:4096] and "16" not in charset:
        return f"{len(payload):,} bytes that are no text"
    return decode_payload(shown, charset or None, True).text.replace("\r\n", "\n")
