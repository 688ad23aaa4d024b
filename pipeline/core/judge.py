"""The registry of judges: what a judge reads, what it adds, and the rules its thresholds stand for."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.settings import JudgeSettings

Columns = dict[str, pa.Array]
"""Signal columns by name; each as long as the batch, of the declared type."""

Measure = Callable[..., Columns]
"""`(batch, settings) -> columns`, or `(batch, settings, model) -> columns` for a judge with a `model`."""
LoadModel = Callable[[Any, Callable[[], Any]], Any]
Rules = Callable[[pa.Table, Any], dict[str, pa.Array]]

SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("kind", pa.string())]))
"""Spans of a document: byte offsets into its UTF-8 text, sorted, not overlapping, on code-point borders."""


@dataclass
class Judge:
    """One registered judge. `columns` maps signal names to Arrow types; spans columns have the type `SPANS`."""

    name: str
    version: int
    settings: type[JudgeSettings]
    reads: list[str]
    columns: Mapping[str, pa.DataType]
    measure: Measure
    libraries: list[str] = field(default_factory=list)
    """Distribution names whose version decides the output (they enter the fingerprint)."""
    weights: Callable[[Any], str | None] | None = None
    """Gives the sha256 of weights the judge loads, for the fingerprint."""
    model: LoadModel | None = None
    """For a judge that the run trains or prepares: makes its model from its settings and a reader of the committed file."""
    prepare: Callable[[Any], bytes] | None = None
    """For a judge whose model depends on its settings alone: makes the file, once a run. Its `model` is given the mapped
    bytes, uint8[n]; without `weights` (they are None) there is none."""
    custom_rules: Rules | None = None
    cuts: dict[str, str] = field(default_factory=dict)
    """Spans column -> what apply does with it: "cut", or "mask" (replace by the placeholder of its kind)."""
    section: str | None = None
    """The section of the recipe that sets this judge, for one that has no entry under `curate:`."""
    notices: Callable[[Any], list[str]] | None = None
    """Plain statements about its settings for the user, such as a file that is left out."""
    set_aside: Callable[[Any, Any], list[str]] | None = None
    """What the whole corpus shows to be no finding: kinds of spans, from the signals of all shards. Apply leaves them."""
    signals_without: Callable[[pa.Table, list[str]], pa.Table] | None = None

    def rules(self, signals: pa.Table, settings: JudgeSettings) -> dict[str, pa.Array]:
        """Rule name -> boolean array, true where the rule removes the document. Null signals remove nothing.

        Every `max_<signal>`/`min_<signal>` threshold that is set is a rule of its own name, strict as in the papers.
        """
        found: dict[str, pa.Array] = {}
        for name, signal, side, value in settings.bounds():
            if signal in self.columns:
                found[name] = (pc.greater if side == "max" else pc.less)(signals[signal], value)
        if self.custom_rules is not None:
            found.update(self.custom_rules(signals, settings))
        return {name: pc.fill_null(mask, False) for name, mask in found.items()}

    def rule(self, function: Rules) -> Rules:
        """Register rules that are not a plain comparison: `function(signals, settings) -> {rule: mask}`."""
        self.custom_rules = function
        return function

    def over_corpus(self, function: Callable[[Any, Any], list[str]]) -> Callable[[Any, Any], list[str]]:
        """Register `function(shards, settings) -> kinds`, where shards gives (signals, number of each document's cluster)."""
        self.set_aside = function
        return function

    def without(self, function: Callable[[pa.Table, list[str]], pa.Table]) -> Callable[[pa.Table, list[str]], pa.Table]:
        """Register how signals change when kinds are set aside: `function(signals, kinds) -> signals`."""
        self.signals_without = function
        return function

    def run(self, batch: pa.RecordBatch, settings: JudgeSettings, model: Any = None) -> pa.RecordBatch:
        """Measure a batch, check the declared columns and their lengths, and return them in declared order."""
        chosen = batch.select(self.reads)
        found = self.measure(chosen, settings, model) if self.model else self.measure(chosen, settings)
        if set(found) != set(self.columns):
            raise TypeError(f"judge {self.name} declared {sorted(self.columns)} and returned {sorted(found)}")
        arrays = []
        for name, kind in self.columns.items():
            column = found[name] if isinstance(found[name], pa.Array) else pa.array(found[name])
            if len(column) != batch.num_rows:
                raise TypeError(f"judge {self.name}.{name}: {len(column)} values for {batch.num_rows} documents")
            arrays.append(column if column.type == kind else column.cast(kind))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(list(self.columns.items())))


_REGISTRY: dict[str, Judge] = {}


def judge(
    name: str,
    *,
    version: int,
    settings: type[JudgeSettings],
    reads: list[str],
    adds: Mapping[str, pa.DataType],
    **more: Any,
) -> Callable[[Measure], Judge]:
    """Register a judge: a pure function `(batch, settings) -> columns`. `more`: fields of `Judge` after `measure`, by name.

    `version` goes up by one whenever the output changes for the same text; a golden test watches it.
    """

    def register(function: Measure) -> Judge:
        if name in _REGISTRY and _REGISTRY[name].measure.__module__ != function.__module__:
            raise ValueError(f"two judges named {name}: {_REGISTRY[name].measure.__module__}, {function.__module__}")
        _REGISTRY[name] = Judge(name, version, settings, reads, adds, function, **more)
        return _REGISTRY[name]

    return register


def judges() -> dict[str, Judge]:
    """All judges by name. Importing every module of `pipeline.measure.judges` registers them: adding one is adding a file."""
    package = importlib.import_module("pipeline.measure.judges")
    for found in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"pipeline.measure.judges.{found.name}")
    return dict(_REGISTRY)
