"""The gate on rights: which licences may be in the corpus, and what a reservation of mining means for it.

Set by the recipe's own section `licences:`, not under `curate:`. The columns are the record's
(see pipeline.ingest.rights.signals), so that the decision, `explain`, `whatif` and the report read them like any other signal.
"""

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.judge import Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings
from pipeline.ingest.rights.licences import UNKNOWN, matches
from pipeline.ingest.rights.signals import RESERVED


class Licences(JudgeSettings):
    """Licences that may be in the corpus, and whether reserved text may."""

    allow: Annotated[list[str], DecidedBy()] = []
    """Licences kept, by name or glob (CC-BY-*); empty: all. `unknown` is a name like any other."""
    deny: Annotated[list[str], DecidedBy()] = []
    """Licences removed, by name or glob (*-NC-*); comes before allow."""
    tdm: Annotated[Literal["allow", "deny"], DecidedBy()] = "allow"
    """`deny`: remove records that reserve text and data mining or training."""
    robots: Annotated[Literal["allow", "deny"], DecidedBy()] = "allow"
    """`deny`: remove pages whose archived robots.txt refuses all or AI crawlers."""


@judge(
    "rights",
    version=1,
    settings=Licences,
    reads=["licence", "tdm", "robots"],
    adds={"licence": pa.string(), "tdm": pa.string(), "robots": pa.string()},
    section="licences",
)
def rights(batch: pa.RecordBatch, settings: Licences) -> Columns:
    """The record's own columns, `unknown` where nothing is said; `robots` null without a snapshot."""
    return {
        "licence": pc.fill_null(batch["licence"], UNKNOWN),
        "tdm": pc.fill_null(batch["tdm"], UNKNOWN),
        "robots": batch["robots"],
    }


@rights.rule
def refused(signals: pa.Table, settings: Licences) -> dict[str, pa.Array]:
    """`licence`, `tdm` and `robots`: which documents the section removes; a rule that nothing sets is left out."""
    found: dict[str, pa.Array] = {}
    if settings.allow or settings.deny:
        names = signals["licence"].combine_chunks().dictionary_encode()
        bad = [
            matches(name, settings.deny) or bool(settings.allow and not matches(name, settings.allow))
            for name in names.dictionary.to_pylist()
        ]
        codes = names.indices.to_numpy(zero_copy_only=False)
        found["licence"] = pa.array(np.array(bad, np.bool_)[codes] if len(bad) else np.zeros(len(codes), np.bool_))
    if settings.tdm == "deny":
        found["tdm"] = pc.equal(signals["tdm"], RESERVED)
    if settings.robots == "deny":
        found["robots"] = pc.match_substring(signals["robots"], " refuses ")
    return found
