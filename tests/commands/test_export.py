"""`inspect --sql` and `--export`: the same documents as `--json` gives, in every format, and mistakes answered."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main


@pytest.fixture
def out(tiny_runs):
    return tiny_runs / "one"


@pytest.fixture
def inspected(out, capsys):
    def ask(*words: str) -> list[dict]:
        capsys.readouterr()
        assert main(["inspect", "--run", str(out), "--json", "--limit", "99", *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def test_sql_reads_every_kind_of_column(inspected):
    every = inspected()
    conditions = {
        "gopher_num_words < 100 and verdict = 'removed'": lambda row: row["rule"] == "min_num_words",
        "reasons like '%exact.duplicate%'": lambda row: "exact.duplicate" in row["reasons"],
        "text like '%Write to%' and pii_num_email = 1": lambda row: "Write to" in row["text"],
        "source = 'web' or gopher_num_words > 204": lambda row: (
            row["source"] == "web" or (row["signals"]["gopher"]["num_words"] or 0) > 204
        ),
        "host = ''": lambda row: not row["url"],
        "duplicate_of is not null": lambda row: row["duplicate_of"],
        "1": lambda row: True,
        "0": lambda row: False,
    }
    for condition, wanted in conditions.items():
        assert inspected("--sql", condition) == [row for row in every if wanted(row)], condition


def test_sql_goes_with_the_other_filters(inspected):
    rows = inspected("--sql", "gopher_num_words > 200", "--source", "news", "--verdict", "kept", "--grep", "figure")
    assert rows
    assert all(row["source"] == "news" and row["signals"]["gopher"]["num_words"] > 200 for row in rows)
    assert len(inspected("--sql", "verdict = 'kept'", "--sample", "3")) == 3


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("gopher_num_word > 3", "no such column: gopher_num_word; did you mean gopher_num_words?"),
        ("verdict = ", "syntax error"),
        ("1); delete from documents; --", "--sql"),
        ("load_extension('x')", "name load_extension does not exist"),
        ("nosuch(text)", "name nosuch does not exist"),
        ("text = (select content from read_text('/etc/passwd'))", 'Cannot access file "/etc/passwd"'),
    ],
)
def test_a_condition_that_cannot_be_read_is_answered(condition, said, out, capsys):
    capsys.readouterr()
    assert main(["inspect", "--run", str(out), "--sql", condition]) == 2
    assert said in capsys.readouterr().err


def test_export_in_three_formats_is_the_same(inspected, out, tmp_path, capsys):
    wanted = inspected("--verdict", "kept")
    assert len(wanted) > 10  # more than are printed: an export has all
    for ending in ("jsonl", "csv", "parquet", "txt"):
        file = tmp_path / f"kept.{ending}"
        capsys.readouterr()
        assert main(["inspect", "--run", str(out), "--verdict", "kept", "--export", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["documents"] == len(wanted)
        if ending == "txt":
            assert file.read_text().split() == [row["id"] for row in wanted]
            continue
        if ending == "parquet":
            rows = pq.read_table(file).to_pylist()
        elif ending == "csv":
            with open(file, newline="") as handle:
                rows = list(csv.DictReader(handle))
        else:
            rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(row["id"], row["text"]) for row in rows] == [(row["id"], row["text"]) for row in wanted]
        assert [int(row["gopher_num_words"]) for row in rows] == [
            row["signals"]["gopher"]["num_words"] for row in wanted
        ]
        assert "ann@" not in json.dumps(rows)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["kept.csv", "kept.jsonl", "kept.parquet", "kept.txt"]


@pytest.mark.parametrize(("name", "said"), [("x.doc", ".jsonl, .csv, .parquet, .txt"), ("none/x.csv", "No such file")])
def test_an_export_that_cannot_be_written_is_answered(name, said, out, tmp_path, capsys):
    capsys.readouterr()
    assert main(["inspect", "--run", str(out), "--export", str(tmp_path / name)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
