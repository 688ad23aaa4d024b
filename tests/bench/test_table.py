"""The page of benchmarks is made of results that benches printed: nothing in its tables is typed by hand."""

import json

import pytest

from bench import table
from bench.names import GROUPS, NAMES

RESULT = {
    "name": "pii",
    "unit": "MB/s",
    "ours": 12345.67,
    "peer": None,
    "ratio": None,
    "peer_name": "a | peer",
    "versions": {"some-peer": "1.2"},
    "input": "3 MB | of text",
    "rounds": 5,
    "machine": "a processor",
    "date": "2026-01-02",
    "found": {"emails": 3, "names": [1, 2]},
}


def test_the_page_is_what_its_results_say():
    results = json.loads(table.PAGE.with_suffix(".json").read_text())
    text = table.PAGE.read_text()
    assert table.page(text, results) == text, "write it with `python -m bench table --write`"
    assert set(results) <= set(NAMES)


def test_every_bench_has_a_row_and_text_around_the_tables_stays():
    text = "# Title\n\n<!-- bench: Audit -->\nold\n<!-- /bench: Audit -->\n\nmine\n"
    made = table.page(text, {"pii": RESULT})
    assert table.page(made, {"pii": RESULT}) == made
    assert "\nold\n" not in made
    assert "\nmine\n" in made
    for name in NAMES:
        assert made.count(f"| `python -m bench {name}` |") == 1
    assert made.count("not measured") == len(NAMES) - 1
    assert "| 12,346 MB/s | – | – | (1) |" in made
    assert "(1) a processor, 2026-01-02." in made
    assert "- `pii`: 3 MB \\| of text; 5 rounds; some-peer 1.2. found emails: 3; found names: 2 entries" in made


def test_results_of_another_machine_are_read_and_kept(tmp_path):
    printed, page = tmp_path / "out.json", tmp_path / "page.md"
    printed.write_text("a line before\n" + json.dumps(RESULT) + "\n")
    assert table.main(["--read", str(printed), "--write", str(page)]) == 0
    assert json.loads(page.with_suffix(".json").read_text()) == {"pii": RESULT}
    assert table.main(["--write", str(page)]) == 0
    assert "12,346" in page.read_text()


def test_a_named_bench_is_run_and_its_row_written(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(table, "measured", lambda *arguments: asked.append(arguments) or RESULT)
    page = tmp_path / "page.md"
    assert table.main(["pii", "--size", "3", "--write", str(page)]) == 0
    assert asked == [("pii", 3, False)]
    assert "12,346" in page.read_text()
    monkeypatch.setattr(table, "measured", lambda *arguments: None)
    assert table.main(["pii", "--write", str(page)]) == 1
    assert "12,346" in page.read_text(), "the last row stays"


@pytest.mark.parametrize("text", ["", "no json", "{}", json.dumps({**RESULT, "name": "other"})])
def test_what_is_no_result_is_refused(text):
    with pytest.raises(SystemExit, match=r"JSON|no result"):
        table.last_line(text)


def test_names_are_unique_and_known(capsys):
    assert len(NAMES) == sum(map(len, GROUPS.values()))
    with pytest.raises(SystemExit):
        table.main(["nothing"])
    assert "no bench nothing" in capsys.readouterr().err


def test_whole_tables_stand_on_their_pages():
    results = json.loads(table.PAGE.with_suffix(".json").read_text())
    for name in table.DETAILS:
        text = table.PAGE.with_name(name).read_text()
        assert "<!-- table: " in text
        assert table.details(text, results) == text, "write it with `python -m bench table --write`"
    whole = {"head": ["a", "b"], "rows": [["x|y", 1234.5], ["z", None]]}
    made = table.details(
        "before\n<!-- table: pii one -->\nold\n<!-- /table -->\nafter", {"pii": RESULT | {"tables": {"one": whole}}}
    )
    assert "old" not in made
    assert made.startswith("before\n<!-- table: pii one -->\n| a | b |\n| --- | ---: |\n| x\\|y | 1,234 |\n| z | – |\n")
    assert made.endswith("2026-01-02.\n<!-- /table -->\nafter")
    assert "one" not in "".join(table.group_lines({"pii": "t"}, {"pii": RESULT | {"tables": {"one": whole}}})[3:])
