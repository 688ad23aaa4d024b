"""Every registered judge gives a verdict on a megabyte of anything; `python -m bench adversarial` says how long it takes."""

import numpy as np
import pyarrow as pa
import pytest

from bench.adversarial import SKIPPED, batch_of, documents, model_of
from pipeline.core.judge import judges

TEXTS = documents()


@pytest.mark.parametrize("name", sorted(set(judges()) - SKIPPED))
def test_a_megabyte_of_anything_is_measured(name):
    judge = judges()[name]
    texts = [*TEXTS.values(), ""]
    found = judge.run(batch_of(texts), judge.settings(), model_of(judge))
    assert found.num_rows == len(texts)
    for column in found.columns:
        if pa.types.is_floating(column.type):
            assert np.isfinite(np.asarray(column.drop_null())).all(), column
    for column in judge.cuts:
        for text, spans in zip(texts, found[column].to_pylist(), strict=True):
            last = 0
            for span in spans or ():
                assert last <= span["start"] < span["end"] <= len(text.encode())
                last = span["end"]
    # Neighbours in a batch change nothing: the same document alone has the same row.
    alone = judge.run(batch_of([texts[3]]), judge.settings(), model_of(judge))
    assert [c for c in judge.columns if alone[c].to_pylist() != found[c].slice(3, 1).to_pylist()] in ([], ["audit"])
