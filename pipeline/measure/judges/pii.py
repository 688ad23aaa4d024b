"""Personal data as spans, masked in every published split; finance's public identifiers are recognised and kept.

E-mail (international ones, and addresses spelled "jane [at] bank [dot] example"), phone (country rules), public IP addresses,
IBAN (mod 97), cards (Luhn and issuer), SSN and ITIN, EIN, passport numbers, private keys and tokens of services; with `names`
names of people, days of dates and ages over 89. What a span is depends on its own document alone. CUSIP, ISIN, LEI, CIK and
accession numbers are public: they pass their own checks first and hide what lies inside them.

Not masked: names unless `names` is set, postal addresses, dates of birth without `names`, account and record numbers, national
numbers of countries other than the United States, and what only the sense of a sentence tells.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.core.judge import SPANS, Columns, judge
from pipeline.core.settings import DecidedBy, JudgeSettings, Threshold
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.pii.scan import FIRST_PUBLIC, IS_WORDLIKE, KINDS, scan
from pipeline.measure.hf_models import LIBRARIES, checked
from pipeline.measure.names import FindNames, by_lists, by_model, find_in_rows
from pipeline.measure.secrets import find_rare
from pipeline.measure.spans import spans_column

Kind = Literal["email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "ein", "passport", "api_key"]
DEFAULT_KINDS: list[Kind] = ["email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "passport", "api_key"]


class Pii(JudgeSettings):
    """Which kinds are found, and what becomes of them: `mask` writes a typed placeholder, `remove` drops the document."""

    kinds: list[Kind] = DEFAULT_KINDS
    """Kinds to find; ein (employer identification number) is off, because it is public for companies."""
    names: Literal["off", "list", "model"] = "off"
    """Also mask names of people, days of dates and ages over 89: by a list (of the US census; titles, labels) or by a
    token classifier of your own beside titles and labels."""
    names_path: str = ""
    """`model`: its folder, on this machine (Hugging Face format, safetensors)."""
    names_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Checksum of the folder; the error for a wrong value gives the right one."""
    names_labels: list[str] = ["PER", "PERSON", "NAME", "PATIENT"]
    """Labels of the model that are names of people, as in its config without B- and I-."""
    keep_contacts_of: list[Literal["organisation"]] = []
    """`organisation`: leave numbers and addresses of investor relations, media, switchboards and calls."""
    public_ips_only: bool = True
    """Leave out private, loopback and documentation addresses."""
    action: Annotated[Literal["mask", "remove"], DecidedBy()] = "mask"
    """Mask what is found, or remove the documents that hold it."""
    max_num_spans: Threshold = None
    """Remove documents with more spans, such as lists of people."""

    def libraries(self) -> list[str]:
        """Those of the model, where there is one."""
        return LIBRARIES if self.names == "model" else []

    def check(self) -> None:
        """The model's folder is there and is the one that was named."""
        if self.names == "model":
            checked(Path(self.names_path), self.names_sha256, "pii.names_")


def placeholder(kind: str) -> str:
    """What stands in the published text for a span of this kind.

    >>> placeholder("email")
    '<EMAIL>'
    """
    return f"<{kind.upper()}>"


COUNTS = ("email", "phone", "ip", "iban", "card", "ssn", "ein", "passport", "api_key", "name", "date", "age")
ORGANISATION = re.compile(
    rb"investor|media (?:relations|contact|inquir)|press (?:office|contact)|shareholder (?:services|relations)|toll[- ]free|"
    rb"dial[- ]?in|dialing|to dial|conference call|webcast|replay|passcode|access code|registrant|principal executive offices|"
    rb"switchboard|customer (?:service|care|support)|help ?line|hot ?line|transfer agent|www\.",
    re.IGNORECASE,
)
"""What stands near a number or an address of an organisation."""
OFFICE = re.compile(
    rb"(?:ir|investors?|investor[._-]?relations|media|press|pr|info|contact|support|sales|service|help|webmaster|office|"
    rb"communications?|relations?)(?:[._+-][a-z0-9.]*)?(?:@|\s{0,2}[\[({<]| at )",
    re.IGNORECASE,
)
NEAR_BEFORE, NEAR_AFTER = 160, 60
"""Bytes around a number in which `ORGANISATION` is looked for."""


def _of_organisation(raw: bytes, start: int, end: int) -> bool:
    """Whether the address or the words around a number say that it is an organisation's."""
    around = raw[max(0, start - NEAR_BEFORE) : start] + b" " + raw[end : end + NEAR_AFTER]
    return OFFICE.match(raw, start, end) is not None or ORGANISATION.search(around) is not None


def what_is_masked(settings: Pii) -> list[str]:
    """What a reader of the card must know where names are masked: how many are found."""
    how = {
        "list": "by lists, titles and labels: of names in written notes 1.00 of the census lists and 0.80 of other languages "
        "were found, all of them names",
        "model": f"by titles, labels and the token classifier {settings.names_path} ({settings.names_sha256[:12]}); its recall "
        "and precision on written notes: python -m bench.pii_notes --path",
    }
    return [f"pii: names of people are masked {how[settings.names]}"] if settings.names in how else []


@judge(
    "pii",
    version=6,
    settings=Pii,
    reads=["text"],
    adds={
        "spans": SPANS,
        "num_spans": pa.int32(),
        **{f"num_{kind}": pa.int32() for kind in COUNTS},
        "num_public_ids": pa.int32(),
    },
    weights=lambda settings: settings.names_sha256 if settings.names == "model" else None,
    cuts={"spans": "mask"},
    notices=what_is_masked,
)
def pii(batch: pa.RecordBatch, settings: Pii) -> Columns:
    """`spans` (kinds as in the settings; name, date and age with `names`), their number by kind, and how many public
    identifiers were left alone."""
    count = batch.num_rows
    chosen = np.array([name in settings.kinds for name in KINDS])
    chosen[FIRST_PUBLIC:] = True
    offsets, data = text_buffers(batch["text"])
    rows, starts, ends, kinds = scan(offsets, data, chosen, IS_WORDLIKE, settings.public_ips_only)
    private = kinds < FIRST_PUBLIC
    found = [
        (row, start, end, KINDS[kind])
        for row, start, end, kind in zip(
            *(column[private].tolist() for column in (rows, starts, ends, kinds)), strict=True
        )
    ]
    rare = [one for one in find_rare(offsets, data) if one[3] in settings.kinds]
    if settings.keep_contacts_of:
        found, rare = (_without_organisations(part, offsets, data) for part in (found, rare))
    named = find_in_rows(offsets, data, _finder(settings)) if settings.names != "off" else []
    found = _merged(rare, found, named)
    by_row = np.array([one[0] for one in found], np.int64)
    names = np.array([one[3] for one in found], np.str_)
    counts = {name: np.bincount(by_row[names == name], minlength=count) for name in {*COUNTS, *KINDS}}
    counts["ip"] = counts["ipv4"] + counts["ipv6"]
    return {
        "spans": spans_column(
            by_row,
            np.array([one[1] for one in found], np.int64),
            np.array([one[2] for one in found], np.int64),
            pa.array(names.tolist(), pa.string()),
            count,
        ),
        "num_spans": pa.array(np.bincount(by_row, minlength=count).astype(np.int32)),
        **{f"num_{kind}": pa.array(counts[kind].astype(np.int32)) for kind in COUNTS},
        "num_public_ids": pa.array(np.bincount(rows[~private], minlength=count).astype(np.int32)),
    }


def _finder(settings: Pii) -> FindNames:
    """What finds names of people besides titles and labels."""
    if settings.names == "list":
        return by_lists
    return lambda text: by_model(text, settings.names_path, settings.names_sha256, tuple(settings.names_labels))


Found = tuple[int, int, int, str]
"""Row, start and end byte within it, kind."""


def _without_organisations(found: list[Found], offsets: np.ndarray, data: np.ndarray) -> list[Found]:
    kept = []
    for row, start, end, kind in found:
        low = max(int(offsets[row]), int(offsets[row]) + start - NEAR_BEFORE)
        raw = data[low : min(int(offsets[row + 1]), int(offsets[row]) + end + NEAR_AFTER)].tobytes()
        at = int(offsets[row]) + start - low
        if kind not in ("phone", "email") or not _of_organisation(raw, at, at + end - start):
            kept.append((row, start, end, kind))
    return kept


def _merged(*layers: list[Found]) -> list[Found]:
    """All spans in order; of those that overlap the one of the earlier layer stays."""
    ranked = [(row, start, -end, rank, kind) for rank, layer in enumerate(layers) for row, start, end, kind in layer]
    kept: list[tuple[int, int, int, int, str]] = []
    for one in sorted(ranked):
        while kept and kept[-1][0] == one[0] and one[1] < -kept[-1][2] and one[3] < kept[-1][3]:
            kept.pop()
        if not (kept and kept[-1][0] == one[0] and one[1] < -kept[-1][2]):
            kept.append(one)
    return [(row, start, -end, kind) for row, start, end, _, kind in kept]


@pii.rule
def removes(signals: pa.Table, settings: Pii) -> dict[str, pa.Array]:
    """With `action: remove`, any span removes its document."""
    if settings.action != "remove":
        return {}
    return {"found": pc.greater(signals["num_spans"], 0)}
