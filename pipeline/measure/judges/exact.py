"""128-bit hashes of the normalised text and of the normalised URL: what exact deduplication compares.

Two texts are the same when they differ in nothing but the amount and kind of white space (and, on request, in case):
line wrapping and indentation vary with the extractor, words, figures and punctuation do not.
"""

import pyarrow as pa

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import JudgeSettings
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.dedup.minhash import lower_table
from pipeline.kernels.rows import bytes_column
from pipeline.kernels.text.fold import text_hashes
from pipeline.kernels.text.urls import url_hashes
from pipeline.kernels.unicode import IS_SPACE

HASH = pa.binary(16)


class ExactSettings(JudgeSettings):
    """What counts as the same text."""

    fold_case: bool = False
    """Whether texts that differ only in upper and lower case are the same."""


@judge("exact", version=2, settings=ExactSettings, reads=["text", "url"], adds={"text_hash": HASH, "url_hash": HASH})
def exact(batch: pa.RecordBatch, settings: ExactSettings) -> Columns:
    """Hash text and URL. A text of nothing but white space, and a missing URL, have a null hash and match nothing."""
    hashes, sizes = text_hashes(*text_buffers(batch["text"]), IS_SPACE, lower_table(), settings.fold_case)
    urls, url_sizes = url_hashes(*text_buffers(batch["url"]))
    return {
        "text_hash": bytes_column(hashes, sizes > 0, fixed=True),
        "url_hash": bytes_column(urls, url_sizes > 0, fixed=True),
    }
