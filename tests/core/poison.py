"""Documents that kill: a parser and a judge that die on marked texts. Work functions here are the real ones, poisoned."""

import contextlib
import faulthandler
import os
import signal

import numpy as np
import pyarrow as pa

from pipeline.extract import step as extract
from pipeline.extract.payload import RefusalError
from pipeline.extract.records import _Rows
from pipeline.measure import step as measure
from pipeline.measure.judges.gopher import gopher

SEGFAULT, HUNGRY, ENDLESS, UNREADABLE = b"MARK-SEGFAULT", b"MARK-HUNGRY", b"MARK-ENDLESS", b"MARK-UNREADABLE"
REFUSED = {}
"""Payload mark -> detail: what a handled error would say; filled by the test that compares."""

real_read, real_measure = _Rows._read, gopher.measure
real_extract, real_measure_shard = extract.extract_shard, measure.measure_shard


def die_of(content):
    if SEGFAULT in content:
        os.kill(os.getpid(), signal.SIGSEGV)
    if HUNGRY in content:
        eaten = []
        while True:
            eaten.append(np.empty(2**26, np.uint8))  # address space, no pages: quick to run out of
    if ENDLESS in content:
        die_of(content)


def read(self, payload, row):
    for mark, detail in REFUSED.items():
        if mark in payload:
            raise RefusalError("killed_worker", detail)
    die_of(payload)
    return real_read(self, payload, row)


def judged(batch, settings):
    die_of(b"\n".join(text.encode() for text in batch["text"].to_pylist()))
    return real_measure(batch, settings)


@contextlib.contextmanager
def poisoned(parser, judge):
    _Rows._read, gopher.measure = (read if parser else real_read), (judged if judge else real_measure)
    try:
        yield
    finally:
        _Rows._read, gopher.measure = real_read, real_measure


@extract.works_on_documents
def extract_shard(store, assignments):
    with poisoned(True, False):
        return real_extract(store, assignments)


@measure.works_on_documents
def measure_shard(store, assignments):
    with poisoned(False, True):
        return real_measure_shard(store, assignments)


def dying_records(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Dies on the marks of a column `text`; else gives the lengths."""
    for text in batch["text"].to_pylist():
        die_of(text.encode())
    return pa.RecordBatch.from_pydict({"length": [len(text) for text in batch["text"].to_pylist()]})


def run(where, arguments):
    """A run whose parser, or judge, is poisoned; returns its exit code. For a process of its own."""
    from pipeline.run import main

    faulthandler.disable()  # its report of a death that is meant
    if where == "parser":
        extract.extract_shard = extract_shard
    else:
        measure.measure_shard = measure_shard
    return main(arguments)
