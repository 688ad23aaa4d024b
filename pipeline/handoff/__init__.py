"""The hand-off: the contract between the pipeline that writes token shards and the recipe that trains on them.

`handoff/manifest.json` says what there is to train on, `handoff/train.yaml` how to train on it, both without a clock, a
host name or a path of the machine. Every path in the manifest is relative to the run folder, the parent of `handoff/`,
so that the folder can be copied to another machine or bucket and still be read:

    <run>/handoff/manifest.json  train.yaml  launch/…
    <run>/tokenizer/tokenizer.json …
    <run>/shards/<split>/<source>/<part>.ds        raw little-endian uint16 (uint32 past 65,535 ids), eos included
    <run>/shards/<split>/<source>/<part>.ds.index  little-endian uint64: where each document ends, counted in tokens
"""

# ruff: noqa: F401, I001  these names are the interface of the package, several on a line

from pipeline.errors import (
    EXIT_GATE, EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, InfrastructureError, PipelineError, UsageError,
    is_of_storage, missing_library,
)  # fmt: skip
from pipeline.handoff.base import FORMAT_VERSION
from pipeline.handoff.manifest import (
    Manifest, Shard, Source, TokenizerInfo, build_manifest, dump_manifest, fingerprint, parse_manifest, token_dtype,
)  # fmt: skip
from pipeline.handoff.phases import batch_at, decay_start
from pipeline.handoff.shapes import default_train_config, model_shape, resolve_model
from pipeline.handoff.text import dump_train_config, parse_train_config
from pipeline.handoff.train_config import (
    CheckpointSettings, EvaluateSettings, ExportSettings, ModelSettings, ObjectiveSettings, OptimizerSettings,
    ParallelSettings, ReportSettings, ScheduleSettings, TrainConfig, WatchSettings,
)  # fmt: skip
