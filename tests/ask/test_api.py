"""`import pipeline`: a finished run in Python says what the commands say, on disk and on another storage."""

import json
import subprocess
import sys

import fsspec
import pytest

import pipeline
from pipeline.__main__ import main
from pipeline.errors import InfrastructureError, UsageError
from tests.faults.tiny import text, write_recipe


@pytest.fixture
def made(tiny_runs):
    return tiny_runs, pipeline.open_run(str(tiny_runs / "one")), pipeline.open_run(str(tiny_runs / "two"))


@pytest.fixture
def run(made):
    return made[1]


def command(capsys, *words: str):
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_import_needs_neither_ray_nor_numba_nor_arrow():
    code = "import sys, pipeline; print([m for m in ('ray', 'numba', 'pyarrow', 'duckdb') if m in sys.modules], dir(pipeline))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("[] ")
    with pytest.raises(AttributeError, match="no attribute 'open_ran'"):
        _ = pipeline.open_ran


def test_documents_are_those_of_inspect(run, made, capsys):
    out = str(made[0] / "one")
    rows = list(run.documents(verdict="removed", where="gopher_num_words < 80"))
    (shown,) = command(capsys, "inspect", "--run", out, "--verdict", "removed", "--sql", "gopher_num_words < 80")
    assert [row["id"] for row in rows] == [shown["id"]]
    assert rows[0]["gopher_num_words"] == shown["signals"]["gopher"]["num_words"]
    assert len(run.documents()) == len(list(run.documents())) == 20
    assert len(run.documents(source=["news", "web"])) == 20
    assert len(run.documents(source=[])) == len(run.documents(where="0").to_pandas()) == 0
    assert len(run.documents(rule="pii.email", source="news")) == len(run.documents(grep="Write to")) == 1


def test_every_signal_is_keyed_by_its_document(run):
    folder = run.folder
    wanted = {}
    for shard in folder.shards:
        ids = folder.documents(shard, ["id"])["id"].to_pylist()
        wanted |= dict(zip(ids, folder.signals("gopher", shard)["num_words"].to_pylist(), strict=True))
    table = run.documents().to_arrow(["id", "gopher_num_words"])
    assert dict(zip(*(column.to_pylist() for column in table.columns), strict=True)) == wanted
    frame = run.documents().to_pandas()
    assert dict(zip(frame["id"], frame["pii_spans"], strict=True))[frame["id"][0]] == 0
    assert {f"{judge}_" for judge in folder.judges} <= {name.partition("_")[0] + "_" for name in frame.columns}


def test_polars_has_the_same_rows(run):
    pytest.importorskip("polars")
    frame = run.documents().to_polars(["id", "verdict"])
    assert frame.rows() == [tuple(row.values()) for row in run.documents().rows(["id", "verdict"])]


def test_without_polars_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(InfrastructureError, match="pip install polars"):
        run.documents().to_polars()


def test_sample_and_near(run):
    five = [row["id"] for row in run.sample(5)]
    assert len(five) == 5
    assert set(five) < {row["id"] for row in run.sample(9)}
    near = [row["gopher_num_words"] for row in run.sample(2, near="gopher_num_words=203", verdict="kept")]
    kept = [row["gopher_num_words"] for row in run.documents(verdict="kept")]
    below, above = sorted(n for n in kept if n < 203), sorted(n for n in kept if n >= 203)
    assert sorted(near) == below[-2:] + above[:2]


def test_whatif_is_the_other_run(made):
    _, run, other = made
    found = run.whatif({"gopher.min_num_words": 204})
    assert found["after"]["verdicts"] == other.whatif({"gopher.min_num_words": 204})["before"]["verdicts"]
    gone = set(found["gone"]["examples"])
    assert 0 < len(gone) == sum(each["documents"] for each in found["gone"]["by_source"].values())
    assert gone == {row["id"] for row in other.documents(rule="gopher.min_num_words") if row["gopher_num_words"] > 20}
    assert found["back"] == {"by_source": {}, "examples": []}
    reverse = other.whatif({"gopher.min_num_words": 20})
    assert set(reverse["back"]["examples"]) == gone
    with pytest.raises(UsageError, match="did you mean min_num_words"):
        run.whatif({"gopher.min_num_word": 3})
    with pytest.raises(UsageError, match="asked about by itself"):
        run.whatif({"select.keep": 0.5, "gopher.min_num_words": 3})


def test_diff_explain_and_funnel(made, capsys):
    folder, run, other = made
    found = run.diff(other)
    (said,) = command(capsys, "diff", str(folder / "one"), str(folder / "two"))
    assert found == run.diff(folder / "two") == {name: value for name, value in said.items() if name != "exit"}
    copy = next(iter(run.documents(rule="exact.duplicate")))
    account = run.explain(copy["id"])
    assert account["survivor"]["id"] == copy["duplicate_of"]
    assert run.explain(copy["duplicate_of"])["copies"] == 1
    steps = run.funnel()
    totals = run.totals()
    assert [step.stage for step in steps] == ["gopher", "exact"]
    assert steps[-1].left_documents == totals.kept == len(run.documents(verdict="kept"))
    kept = list(run.documents(verdict="kept"))
    assert steps[-1].left_pretokens == sum(row["num_pretokens"] for row in kept)
    assert totals.kept_pretokens == sum(row["published_pretokens"] for row in kept) < steps[-1].left_pretokens


def test_a_mistake_is_answered_with_the_nearest_name(run):
    for call, said in (
        (lambda: run.documents(verdikt="kept"), "did you mean verdict"),
        (lambda: run.documents(where="gopher_num_word < 3"), "did you mean gopher_num_words"),
        (lambda: run.documents().to_arrow(["urk"]), "did you mean url"),
        (lambda: run.documents().sorted("nothing"), "no such column"),
        (lambda: run.sample(1, near="gopher_num_words=x"), "expected a number"),
        (lambda: pipeline.run_recipe("finanse"), "did you mean finance"),
        (lambda: pipeline.open_run("/nowhere"), "no run is recorded here"),
        (lambda: pipeline.open_run(__file__), "not a run folder"),
        (lambda: run.sample(-1), "expected a number from 0"),
        (lambda: run.documents(source={"a": 1}), "expected a text or a number"),
        (lambda: run.documents(gopher_num_words=float("nan")), "expected a text or a number"),
        (lambda: list(run.documents(where="cast(text as int) > 3")), "^.{20,300}$"),
        (lambda: list(run.documents(where="regexp_matches(text, '(')")), "missing \\)"),
        (lambda: len(run.documents(where="strptime(text, '%Y') > '2020-01-01'")), "Could not parse string"),
        (lambda: run.documents(where="error('no')").to_arrow(), "no"),
        (lambda: run.documents(verdict="keptt"), "no such verdict; did you mean kept"),
        (lambda: run.documents(source=["news", "wbe"]), "no such source; did you mean web"),
        (lambda: run.documents(role="domian"), "no such role; did you mean domain"),
        (lambda: run.documents(rule="gopher.min_num_wrods"), "did you mean gopher.min_num_words"),
        (lambda: run.documents(rule="gofer"), "no such stage; did you mean gopher"),
        (lambda: run.documents(where=" "), "where: expected a text"),
        (lambda: run.documents(grep=""), "grep: expected a text"),
    ):
        with pytest.raises(UsageError, match=said):
            call()


def test_a_known_name_that_nothing_has_is_an_empty_answer(run):
    assert len(run.documents(rule="minhash.duplicate")) == 0
    assert len(run.documents(rule="gopher.max_hash_word_ratio")) == 0
    assert list(run.documents(verdict="quarantined", source="web", where="false")) == []


def test_a_condition_has_a_bound_on_its_time(made, monkeypatch):
    run = pipeline.open_run(str(made[0] / "one"))
    monkeypatch.setattr(run.tables, "seconds", 0.3)
    endless = "(select count(*) from range(100000000) a, range(100000) b where a.range + b.range > text_bytes) > 0"
    with pytest.raises(UsageError, match="takes more than"):
        len(run.documents(where=endless))
    assert len(run.documents(where="gopher_num_words > 0")) > 0, "the next question is answered"


def test_a_notebook_shows_escaped_tables(run):
    shown = run.documents(where="verdict = 'kept'")
    assert "documents" in shown._repr_html_()
    assert "<td>exact</td>" in run._repr_html_()
    hostile = run.documents().relation.project("* REPLACE ('<script>x</script>' AS url)")
    html = type(shown)(run.tables, hostile)._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_a_condition_reads_the_run_and_nothing_else(run, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    for condition in (
        f"id = (SELECT content FROM read_text('{secret}'))",
        f"exists (SELECT * FROM '{secret}')",
        "exists (SELECT * FROM duckdb_settings()) OR id = getenv('HOME')",
        "1); COPY (SELECT 1) TO '/tmp/x.csv'; --",
    ):
        with pytest.raises(UsageError):
            list(run.documents(where=condition))


def test_removed_abuse_is_masked_until_asked_for(run):
    shown = run.documents().relation.project("* REPLACE (true AS hidden, 'Größe 12 is' AS text)")
    documents = type(run.documents())
    assert next(documents(run.tables, shown).rows(["text"]))["text"] == "█████ ██ ██"
    assert next(documents(run.tables, shown, show=True).rows(["text"]))["text"] == "Größe 12 is"


def test_a_run_under_another_url_reads_the_same(made):
    folder, run, _ = made
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "one"), "/api/out", recursive=True)
    there = pipeline.open_run("memory://api/out")
    assert list(there.documents()) == list(run.documents())
    own = next(iter(run.documents(verdict="kept")))["id"]
    assert there.explain(own) == run.explain(own)
    memory.rm("/api", recursive=True)


def test_a_damaged_file_is_named_as_such(made):
    folder, run, _ = made
    file = folder / "one" / run.folder.signal_file("gopher", run.folder.shards[0]).path
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(InfrastructureError, match="is damaged"):
            len(pipeline.open_run(str(folder / "one")).documents(where="gopher_num_words > 1"))
    finally:
        file.write_bytes(whole)


def test_what_is_no_number_or_no_storage_is_said_in_one_sentence(run, capsys):
    with pytest.raises(UsageError, match="expected a number, not nan"):
        run.whatif({"gopher.min_num_words": float("nan")})
    with pytest.raises(UsageError, match="cannot be opened as a run folder"):
        pipeline.open_run("foo://run")
    for option in ("--limit", "--sample"):
        with pytest.raises(SystemExit, match="2"):
            main(["inspect", option, "-3"])
        assert "expected a whole number from 0" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_looked_for_as_runs_note_it(run):
    with pytest.raises(UsageError, match="no document has"):
        run.explain("bad\udcffname.txt")
    with pytest.raises(UsageError, match="in no name"):
        run.explain("\ud800")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A run over pages whose addresses are written in several ways."""
    folder = tmp_path_factory.mktemp("pages")
    recipe = write_recipe(folder)
    addresses = ["https://www.bank.example/News/rates", "http://bank.example/news/rates?page=2", "https://bank.example/a/", "https://bank.example/a/b",
                 "https://other.example/q?id=1", "https://other.example/q?id=2"]  # fmt: skip
    rows = [{"id": f"p{n}", "text": text(300 + n), "url": url} for n, url in enumerate(addresses)]
    (folder / "pages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = f"    - {{name: pages, kind: jsonl, path: {folder}/pages.jsonl, role: domain, licence: CC0-1.0}}\ncurate:"
    recipe.write_text(recipe.read_text().replace("curate:", source))
    return pipeline.run_recipe(str(recipe), out=str(folder / "out"), to="decide", ray="none")


@pytest.mark.parametrize(
    ("pasted", "address"),
    [("HTTPS://WWW.BANK.EXAMPLE/News/rates", "https://www.bank.example/News/rates"),
     ("bank.example/News/rates", "https://www.bank.example/News/rates"),
     ("https://www.bank.example/News/rates#today", "https://www.bank.example/News/rates"),
     ("https://bank.example/News/rates/", "https://www.bank.example/News/rates"),
     ("https://bank.example/News/rates?utm_source=mail", "https://www.bank.example/News/rates"),
     ("https://bank.example/news/rates?page=2#x", "http://bank.example/news/rates?page=2"),
     ("http://www.bank.example/a", "https://bank.example/a/"),
     (" https://Bank.example/a/b ", "https://bank.example/a/b"),
     ("//other.example/q?id=2", "https://other.example/q?id=2")],
)  # fmt: skip
def test_an_address_is_found_however_it_was_pasted(pages, pasted, address):
    assert pages.explain(pasted)["document"]["url"] == address


@pytest.mark.parametrize(
    "pasted",
    [
        "https://bank.example",
        "https://bank.example/News",
        "https://bank.example/NEWS/rates",
        "https://x.example/q?id=1",
    ],
)
def test_another_page_of_the_host_is_not_taken_for_it(pages, pasted):
    with pytest.raises(UsageError, match=r"no document has|documents match"):
        pages.explain(pasted)


def test_rows_of_one_id_are_compared_one_by_one(tmp_path):
    """Equal rows without ids have one id: one is kept, the others are its copies, in both runs."""
    words = "The committee of the fund met on Friday and found that the figures of the quarter were as the desk had said they would be."
    (tmp_path / "rows.jsonl").write_text(f'{{"text": "{words}"}}\n' * 3 + f'{{"text": "{words} Again."}}\n')
    recipe = tmp_path / "rows.yaml"
    recipe.write_text(
        f"name: rows\nuse: here\nsources:\n  here:\n    - {{name: rows, kind: jsonl, path: {tmp_path}/rows.jsonl, role: domain,"
        " licence: CC0-1.0}\ncurate: [exact]\n"
    )
    one, two = (
        pipeline.run_recipe(str(recipe), out=str(tmp_path / out), to="decide", ray="none") for out in ("one", "two")
    )
    assert one.diff(two)["documents"] == {"same": 4}
