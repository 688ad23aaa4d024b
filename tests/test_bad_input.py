"""Bad input and bad machines: a clear sentence, the right exit code, nothing half-published."""

import json
import os
from pathlib import Path

import pytest

from pipeline.run import main
from tests.faults.tiny import write_recipe


@pytest.fixture
def tiny(tmp_path):
    return write_recipe(tmp_path)


def run(recipe, out, capsys, *more):
    code = main([str(recipe), "--out", str(out), "--ray", "none", "--no-train", "--json", *more])
    printed = capsys.readouterr()
    last = printed.out.strip().splitlines()[-1] if printed.out.strip() else "{}"
    return code, json.loads(last), printed.err


def test_missing_folder(tiny, tmp_path, capsys):
    code, result, err = run(tiny, tmp_path / "out", capsys, "--set", f"sources.here.news.path={tmp_path}/newz.jsonl")
    assert code == result["exit"] == 2
    assert "newz.jsonl does not exist; did you mean" in err
    assert not (tmp_path / "out/corpus").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tiny, tmp_path, capsys):
    (tmp_path / "news.jsonl").chmod(0)
    code, _, err = run(tiny, tmp_path / "out", capsys)
    assert code == 3
    assert "news.jsonl" in err


def test_empty_corpus(tiny, tmp_path, capsys):
    (tmp_path / "news.jsonl").write_text("")
    (tmp_path / "web.jsonl").write_text("")
    code, _, err = run(tiny, tmp_path / "out", capsys)
    assert code == 2
    assert "its file holds no document" in err
    assert not (tmp_path / "out/corpus/README.md").exists()


def test_unwritable_run_folder(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = run(tiny, tmp_path / "file", capsys)
    assert code == 2
    assert f"{tmp_path / 'file'} is a file; a run needs a folder of its own" in err
    code, _, err = run(tiny, tmp_path / "file" / "below", capsys)
    assert code == 2
    assert f"{tmp_path / 'file'} is a file" in err


def test_a_broken_line_is_quarantined_and_named(tiny, tmp_path, capsys):
    code, result, _ = run(tiny, tmp_path / "out", capsys)
    assert code == 0
    assert result["documents"]["quarantined"] == 1
    import pyarrow.parquet as pq

    (row,) = [
        r for p in Path(tmp_path / "out/corpus/quarantined").rglob("*.parquet") for r in pq.read_table(p).to_pylist()
    ]
    assert row["reasons"][0].startswith("ingest.")
    assert "web.jsonl" in row["path"]
    assert row["detail"]


def test_unknown_step(tiny, tmp_path, capsys):
    code, _, err = run(tiny, tmp_path / "out", capsys, "--to", "decied")
    assert code == 2
    assert "did you mean decide?" in err


def test_one_side_missing_says_so_and_there_is_nothing_to_train_on(tiny, tmp_path, capsys):
    code, result, _ = run(tiny, tmp_path / "out", capsys, "--set", "sources.here.web.role=domain")
    assert code == 1
    (gate,) = [gate for gate in result["gates"] if gate["passed"] is False]
    assert gate["name"] == "mix"
    assert "general" in gate["sentence"]
    assert not (tmp_path / "out/handoff").exists()


def test_everything_removed(tiny, tmp_path, capsys):
    code, _, err = run(tiny, tmp_path / "out", capsys, "--set", "curate.gopher.min_num_words=100000")
    assert code == 1
    assert "no document was kept" in err
    assert "gopher.min_num_words took most, 19 of 20" in err


def test_shuffled_records_and_renamed_order_give_the_same_root_hash(tiny, tmp_path, capsys):
    _, first, _ = run(tiny, tmp_path / "one", capsys)
    for name in ("news", "web"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(reversed(path.read_text().splitlines())) + "\n")
    text = tiny.read_text().splitlines()
    at = next(n for n, line in enumerate(text) if "name: news" in line)
    text[at], text[at + 1] = text[at + 1], text[at]
    tiny.write_text("\n".join(text))
    _, second, _ = run(tiny, tmp_path / "two", capsys)
    assert first["root_hash"] == second["root_hash"]


def test_a_live_crawl_is_frozen_once_and_then_read_from_its_files(tiny, tmp_path, capsys):
    import functools
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from tests.faults.tiny import text

    site = tmp_path / "site"
    site.mkdir()
    for n in range(3):
        links = "".join(f"<a href='/p{k}.html'>{k}</a>" for k in range(3))
        (site / f"p{n}.html").write_text(f"<html><body><main><p>{text(900 + n)}</p></main>{links}</body></html>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    plan = f"{{user_agent: 'tests/1 (+https://bot.example)', seeds: ['http://{address}/p0.html'], max_pages: 9, delay_s: 0, allow_hosts: ['{address}']}}"
    recipe = tiny.read_text().replace(
        "- {name: web, kind: jsonl, path:",
        f"- {{name: site, kind: crawl, role: general, crawl: {plan}}}\n    - {{name: web, kind: jsonl, path:",
    )
    tiny.write_text(recipe)
    _, first, err = run(tiny, tmp_path / "out", capsys)
    server.shutdown()
    assert first["exit"] == 0, err
    assert first["documents"]["in"] == 20 + 3
    _, again, _ = run(tiny, tmp_path / "out", capsys)
    assert again["root_hash"] == first["root_hash"], "the site is gone; its frozen pages are the input"


def test_a_run_without_general_text_says_so_and_a_source_without_a_document_ends_it(tmp_path, capsys):
    for name, lines in (
        ("full", [{"id": "a", "text": "The bank raised its guidance after a strong quarter. " * 40}]),
        ("void", []),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: void\ndomain: test\nuse: here\nsources:\n  here:\n"
        f"    - {{name: full, kind: jsonl, path: {tmp_path}/full, role: domain}}\n"
        "curate: [exact]\n"
    )
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--no-train"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "there are no general tokens at all" in said
    assert "bias not measured: the recipe has no identity judge" in said
    assert "hand-off" not in said.partition("Where")[2], "an empty mix leaves no hand-off, so none is named"
    assert (tmp_path / "out/report.html").exists()
    assert not (tmp_path / "out/handoff/manifest.json").exists()
    void = f"    - {{name: void, kind: jsonl, path: {tmp_path}/void, role: general}}\n"
    recipe.write_text(recipe.read_text().replace("curate:", void + "curate:"))
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--ray", "none", "--no-train"]) == 2
    assert "source void: its file holds no document; empty: the file has no bytes" in capsys.readouterr().err
