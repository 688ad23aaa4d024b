"""Personal data as spans, masked in every published split; finance's public identifiers are recognised and kept.

E-mail (international domains), phone (country rules), public IP addresses, IBAN (mod 97), cards (Luhn and issuer), SSN, EIN,
passport numbers, service keys. What a span is depends on its own document alone. CUSIP, ISIN, LEI, CIK and accession numbers
are public: they pass their own checks first and hide what lies inside them.
"""

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings, Threshold
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.pii.scan import FIRST_PUBLIC, IS_WORDLIKE, KINDS, scan
from pipeline.measure.spans import spans_column

Kind = Literal["email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "ein", "passport", "api_key"]
DEFAULT_KINDS: list[Kind] = ["email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "passport", "api_key"]


class Pii(JudgeSettings):
    """Which kinds are found, and what becomes of them: `mask` writes a typed placeholder, `remove` drops the document."""

    kinds: list[Kind] = Field(
        default=DEFAULT_KINDS,
        description="kinds to find; ein (employer identification number) is off, because it is public for companies",
    )
    public_ips_only: bool = Field(default=True, description="leave out private, loopback and documentation addresses")
    action: Annotated[Literal["mask", "remove"], DecidedBy()] = "mask"
    max_num_spans: Threshold = Field(
        default=None, description="remove documents with more spans, such as lists of people"
    )


def placeholder(kind: str) -> str:
    """What stands in the published text for a span of this kind.

    >>> placeholder("email")
    '<EMAIL>'
    """
    return f"<{kind.upper()}>"


COUNTS = ("email", "phone", "ip", "iban", "card", "ssn", "ein", "passport", "api_key")


@judge(
    "pii",
    version=1,
    settings=Pii,
    reads=["text"],
    adds={
        "spans": SPANS,
        "num_spans": pa.int32(),
        **{f"num_{kind}": pa.int32() for kind in COUNTS},
        "num_public_ids": pa.int32(),
    },
    cuts={"spans": "mask"},
)
def pii(batch: pa.RecordBatch, settings: Pii) -> Columns:
    """`spans` (kinds as in the settings), their number by kind, and how many public identifiers were left alone."""
    count = batch.num_rows
    chosen = np.array([name in settings.kinds for name in KINDS])
    chosen[FIRST_PUBLIC:] = True
    rows, starts, ends, kinds = scan(*text_buffers(batch["text"]), chosen, IS_WORDLIKE, settings.public_ips_only)
    private = kinds < FIRST_PUBLIC
    names = pa.array(list(KINDS), pa.string()).take(pa.array(kinds[private].astype(np.int32)))
    by_kind = {name: np.bincount(rows[kinds == code], minlength=count) for code, name in enumerate(KINDS)}
    by_kind["ip"] = by_kind["ipv4"] + by_kind["ipv6"]
    return {
        "spans": spans_column(rows[private], starts[private], ends[private], names, count),
        "num_spans": pa.array(np.bincount(rows[private], minlength=count).astype(np.int32)),
        **{f"num_{kind}": pa.array(by_kind[kind].astype(np.int32)) for kind in COUNTS},
        "num_public_ids": pa.array(np.bincount(rows[~private], minlength=count).astype(np.int32)),
    }


@pii.rule
def removes(signals: pa.Table, settings: Pii) -> dict[str, pa.Array]:
    """With `action: remove`, any span removes its document."""
    if settings.action != "remove":
        return {}
    return {"found": pc.greater(signals["num_spans"], 0)}
