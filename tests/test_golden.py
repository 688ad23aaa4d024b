"""Golden digests: a judge whose output changes without a new version is caught here.

After a deliberate change raise the judge's `version=` and run `python -m tests.test_golden`.
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.batch import DOCUMENTS
from pipeline.core.fingerprint import library_versions
from pipeline.core.judge import judges
from tests.faults.tiny import text

GOLDEN = Path(__file__).with_name("golden.json")
PLUGINS = {"datatrove"}
"""Judges whose output is another project's; the certificate compares those."""
NEEDS_FILES = {"contamination", "hf_classifier"}
"""Judges that measure nothing without files named in their settings."""

TEXTS = [
    *(text(seed) for seed in range(4)),
    "",
    "Short.",
    "Net income rose 12% to $1,234.56 million; EBITDA was flat. Operator\nOperator\nOperator\n",
    "- one\n- two\n• three\n...\nfour…\n#tag #tag\n",
    "Der Umsatz stieg im dritten Quartal um zwölf Prozent, teilte die Bank am Freitag in Frankfurt mit.",
    "Le chiffre d'affaires a progressé de douze pour cent au troisième trimestre, a indiqué la banque.",
    "한국은행은 금융통화위원회를 열어 기준금리를 동결하기로 결정했다고 밝혔다.",
    "Write to jürgen@bücher.example or call +1 212 555 0142; IBAN DE89 3704 0044 0532 0130 00; card 4111 1111 1111 1111.",
    "The deaf engineer and the Muslim teacher met at a gay bar; Black-Scholes and a blind trust were not discussed.",
    "You are a stupid idiot and everybody hates you. Shut up, you worthless fool.",
    "a" * 5000,
    "lorem ipsum { javascript } terms of use cookies\n" * 20,
    "Item | 2023 | 2022\nRevenue | 1,200 | 1,100\nCosts | 900 | 880\nProfit | 300 | 220\n",
]


def batch() -> pa.RecordBatch:
    rows = [
        {"id": f"{n:032x}", "url": f"https://host{n % 3}.example/page?id={n}", "text": found, "table_spans": []}
        for n, found in enumerate(TEXTS)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=DOCUMENTS)


def plain(value):
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def digest(judge) -> str:
    found = judge.run(batch(), judge.settings())
    rows = [{name: plain(value) for name, value in row.items()} for row in found.to_pylist()]
    return hashlib.sha256(json.dumps(rows, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()[:24]


def current(name: str) -> dict:
    judge = judges()[name]
    return {
        "version": judge.version,
        "digest": digest(judge),
        "libraries": library_versions(sorted({"unicode", *judge.libraries})),
    }


NAMES = sorted(set(judges()) - PLUGINS - NEEDS_FILES)


@pytest.mark.parametrize("name", NAMES)
def test_output_changes_only_with_the_version(name):
    golden = json.loads(GOLDEN.read_text())
    assert name in golden, f"new judge {name}: python -m tests.test_golden"
    found = current(name)
    if found["libraries"] != golden[name]["libraries"]:
        pytest.skip(f"made with {golden[name]['libraries']}, here {found['libraries']}")
    if found["digest"] != golden[name]["digest"]:
        assert found["version"] > golden[name]["version"], f"{name}: other output, same version; raise version="
    assert found == golden[name], "python -m tests.test_golden writes the new digest"


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: current(name) for name in NAMES}, indent=1, sort_keys=True) + "\n")
