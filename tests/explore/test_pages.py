"""The explorer without a browser: who is answered, what every page says as JSON, and files that are taken out."""

import io
import json
import os
import re
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.__main__ import main
from pipeline.ask.documents import Documents, hit_by
from pipeline.ask.raw import raw_record
from pipeline.ask.tables import NUMBERS
from pipeline.core.run_folder import RECIPE
from pipeline.errors import UsageError
from pipeline.explore import browse
from pipeline.explore.one import changes, pieces
from pipeline.explore.page import Explorer
from pipeline.explore.pages import PAGES
from pipeline.explore.review import read
from tests.explore.conftest import TOKEN

SIMPLE = [path for path in PAGES if "{" not in path and path != "/rule"] + ["/rule?name=gopher.min_num_words"]


@pytest.fixture(scope="session")
def run(runs):
    return pipeline.open_run(runs.now)


def said(server, path):
    answer = server.ask(path)
    assert answer.status == 200, answer.body[:400]
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "path", [*SIMPLE, "/static/explore.js", "/favicon.ico", "/nothing", "/index.json", "/documents?as=csv"]
)
def test_nothing_is_answered_without_the_token(path, server):
    for token in (None, "", "wrong", TOKEN[:-1], "\u00e9"):
        answer = server.ask(path, token=token and quote(token))
        assert answer.status == 401
        assert b"documents" not in answer.body.lower()
    assert server.ask("/review", token=None, method="POST", form={"id": "x"}).status == 401


def test_the_token_goes_into_a_cookie_and_out_of_the_address(server):
    answer = server.ask(f"/documents?verdict=kept&token={TOKEN}", token=None)
    assert (answer.status, answer.headers["location"]) == (303, "/documents?verdict=kept")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert server.ask(f"//evil.example/?token={TOKEN}", token=None).headers["location"].startswith("/evil.example/")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1:80@evil.example"])
def test_another_name_for_this_machine_is_not_answered(host, server):
    assert server.ask("/documents", Host=host).status == 403
    assert server.ask("/documents", Host=f"localhost:{server.port}").status == 200


def test_every_answer_forbids_what_a_document_could_bring(server):
    for path in ("/", "/static/explore.css", "/nothing", "/documents.json"):
        headers = server.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    for path in SIMPLE:
        html = server.ask(path).body.decode()
        assert not re.search(r"<[a-z][^>]*\s(on\w+|style)=", html)
        assert not re.search(r"<script(?! src=\"/static/explore.js\")", html)


@pytest.mark.parametrize(
    "path",
    ["/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/document/..%2f..%2f..%2fetc%2fpasswd",
     "/document/%2fetc%2fpasswd", "/compare?other=/etc", "/compare.json?other=../before", "/documents?as=../../x",
     "/documents?where=" + quote("text = (SELECT content FROM read_text('/etc/passwd'))"),
     "/documents?where=" + quote("exists (FROM read_csv('/etc/passwd'))"), "/static/explore.py", f"/{RECIPE}"],
)  # fmt: skip
def test_no_file_outside_the_run_is_served(path, server):
    answer = server.ask(path)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("path", SIMPLE)
def test_every_page_is_also_json(path, server):
    name, _, asked = path.partition("?")
    found = said(server, f"{'/index' if name == '/' else name}.json?{asked}")
    assert isinstance(found, dict)
    assert json.loads(server.ask(path, Accept="application/json").body).keys() == found.keys()
    assert server.ask(path, Accept="text/html,application/json").headers["content-type"].startswith("text/html")


def test_documents_are_filtered_sorted_drawn_and_counted(server, run):
    every = list(run.documents())
    kept = said(server, "/documents.json?verdict=kept&rows=500")
    assert {row["id"] for row in kept["documents"]} == {row["id"] for row in every if row["verdict"] == "kept"}
    assert kept["total"] == len(kept["documents"])
    assert {"value": "more", "documents": 4} in kept["facets"]["source"]
    short = said(server, "/documents.json?column=gopher_num_words&low=30&high=100&sort=gopher_num_words&down=1")
    numbers = [row["gopher_num_words"] for row in short["documents"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == short["total"] == 6
    few = sum(row["gopher_num_words"] is not None and row["gopher_num_words"] < 100 for row in every)
    assert said(server, "/documents.json?where=documents.gopher_num_words%3C100")["total"] == few > 0
    near = said(server, "/documents.json?near=gopher.num_words%3D100&rows=2")["documents"]
    assert sorted(row["gopher_num_words"] < 100 for row in near) == [False, False, True, True]
    assert said(server, "/documents.json?draw=1&rows=4") == said(server, "/documents.json?draw=1&rows=4")
    pages = [said(server, f"/documents.json?rows=7&page={n}")["documents"] for n in range(1, 6)]
    assert [row["id"] for page in pages for row in page] == [row["id"] for row in every]
    found = said(server, "/documents.json?text=frozen%20weir")
    assert [row["url"] for row in found["documents"]] == ["https://desk.example/needle"]
    assert "frozen weir" in found["documents"][0]["text"]
    assert found["total"] is None
    assert found["searched"] == {"hits": 1, "documents": len(every), "of": len(every), "goes_on": None}
    assert said(server, "/documents.json?text=FROZEN&any_case=1&count=1")["total"] == 1
    assert said(server, "/documents.json?text=FROZEN&any_case=1&sort=gopher_num_words&count=1")["total"] == 1
    assert (
        said(server, "/documents.json?rule=duplicate")["total"]
        == said(server, "/documents.json?hit=exact")["total"]
        == 2
    )


@pytest.mark.parametrize("seconds", [-1.0, 60.0])
def test_a_text_search_goes_on_where_it_stopped(server, run, monkeypatch, seconds):
    monkeypatch.setattr(browse, "SECONDS", seconds)
    wanted = [row["id"] for row in run.documents(grep="lender", role="domain")]
    found, at, asked = [], 0, 0
    while at is not None:
        page = said(server, f"/documents.json?text=lender&role=domain&rows=3&at={at}")
        found += [row["id"] for row in page["documents"]]
        assert len(page["documents"]) <= 3
        at, asked = page["searched"]["goes_on"], asked + 1
    assert found == wanted
    assert asked >= max(2, len(wanted) // 3)


def test_a_facet_counts_what_the_other_filters_leave(server, run):
    every = list(run.documents())
    facets = said(server, "/documents.json?source=more&verdict=kept")["facets"]
    counts = {name: {one["value"]: one["documents"] for one in values} for name, values in facets.items()}
    assert counts["source"] == dict(Counter(row["source"] for row in every if row["verdict"] == "kept"))
    assert counts["verdict"] == dict(Counter(row["verdict"] for row in every if row["source"] == "more"))
    both = [row for row in every if row["source"] == "more" and row["verdict"] == "kept"]
    assert counts["host"] == dict(Counter(row["host"] for row in both if row["host"]))


def test_what_is_held_answers_as_the_files_do(server, run):
    tables = server.explorer.run.tables
    tables.hold()
    names = sorted(tables.held[NUMBERS] & run.tables.columns.keys())
    shown = [
        Documents(one, table=table).to_arrow(names) for one, table in ((tables, NUMBERS), (run.tables, "documents"))
    ]
    assert shown[0].equals(shown[1].cast(shown[0].schema))
    for kind in ("pii.phone", "pii.email", "pii.iban"):
        ids = [
            [row["id"] for row in Documents(one, table=table).having(hit_by(one, kind, table)).rows(["id"])]
            for one, table in ((tables, NUMBERS), (run.tables, "documents"))
        ]
        assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("asked", "words"),
    [("where=gopher_num_word%3C3", "did you mean gopher_num_words"), ("column=nothing&low=3", "no number of that name"),
     ("column=gopher_num_words&low=x", "expected a number"),
     ("column=gopher_num_words&low=inf", "expected a number"), ("sort=urk", "did you mean url"), ("page=-1", "expected a whole number"),
     ("where=regexp_matches(text,'(')", "missing )"), ("source=nwes", "did you mean news"), ("hit=gofer", "did you mean gopher"),
     ("near=gopher_num_words", "expected a number"), ("as=exe", "expected one of jsonl"), ("text=%00", "in no text")],
)  # fmt: skip
def test_a_mistake_is_answered(asked, words, server):
    answer = server.ask(f"/documents.json?{asked}")
    assert answer.status == 400
    assert words in json.loads(answer.body)["error"]
    assert server.ask(f"/documents?{asked}").status == 400


def test_a_selection_is_taken_out_in_four_forms(server, run):
    wanted = [(row["id"], row["text"]) for row in run.documents(verdict="removed")]
    body = {
        kind: server.ask(f"/documents?verdict=removed&as={kind}").body for kind in ("jsonl", "csv", "parquet", "txt")
    }
    assert [(row["id"], row["text"]) for row in map(json.loads, body["jsonl"].splitlines())] == wanted
    table = pq.read_table(io.BytesIO(body["parquet"])).to_pylist()
    assert [(row["id"], row["text"]) for row in table] == wanted
    assert body["txt"].decode().split() == [own for own, _ in wanted]
    assert len(body["csv"].decode().splitlines()) > len(wanted)


def test_another_bound_is_whatif(server, run):
    found = said(server, "/rule.json?name=gopher.min_num_words&value=20")
    assert found["answer"] == run.whatif({"gopher.min_num_words": 20})
    assert (found["bound"], found["hit"]) == (100, 7)
    assert found["by_host"][0] == {
        "value": "short.example",
        "documents": 6,
        "pretokens": found["by_host"][0]["pretokens"],
    }
    values = [row["gopher_num_words"] for row in found["nearest"]]
    assert values == sorted(values, reverse=True)
    assert server.ask("/rule?name=gopher.nothing").status == 400
    for value in ("x", "nan", "1e999"):
        assert server.ask(f"/rule?name=gopher.min_num_words&value={value}").status == 400
    assert server.ask("/rule?name=gopher.min_num_words&value=-5").status == 200


def test_a_document_says_what_explain_says(server, run):
    own = next(iter(run.documents(rule="exact.duplicate", source="web")))["id"]
    found, explained = said(server, f"/document/{own}.json"), run.explain(own)
    assert {name: found[name] for name in explained} == json.loads(json.dumps(explained))
    assert found["way"][-1] == ["verdict", "removed"]
    bounds = {row["rule"]: row for row in found["measured"]}["gopher.min_num_words"]
    assert (bounds["bound"], bounds["hit"]) == (100, False)
    assert 0 < bounds["below"] < 1


def test_what_is_masked_is_not_in_the_page(server, run):
    own = next(iter(run.documents(rule="pii.phone")))["id"]
    html = server.ask(f"/document/{own}").body.decode()
    assert "555-0187" not in html
    assert '<mark class="mask" title="pii.phone">' in html


def test_a_review_has_who_when_and_why_and_needs_its_page(server, runs, run):
    own = next(iter(run.documents(rule="gopher.min_num_words")))["id"]
    form = {"id": own, "review": "wrong", "why": "a good  text", "token": TOKEN}
    here = server.url
    assert server.ask("/review", method="POST", form=form).status == 403
    assert server.ask("/review", method="POST", form=form, Origin="http://evil.example").status == 403
    assert server.ask("/review", method="POST", form=form, Origin="null").status == 403
    assert server.ask("/review", method="POST", form=form | {"token": "x"}, Origin=here).status == 401
    assert server.ask("/review", method="POST", form=form | {"review": "burn"}, Origin=here).status == 400
    assert server.ask("/review", method="POST", form=form | {"id": "0" * 32}, Origin=here).status == 400
    assert server.ask("/review").status == 405
    store = run.folder.store
    before = read(store)
    assert server.ask("/review", method="POST", form=form, Origin=here).status == 303
    *same, line = read(store)
    assert same == before
    assert (line["id"], line["review"], line["why"], line["verdict"]) == (own, "wrong", "a good text", "removed")
    assert line["who"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line["when"])
    assert said(server, f"/document/{own}.json")["reviews"] == [line]
    assert main(["verify", "--run", runs.now]) == 0


def test_many_reviews_at_once_are_all_written(server, run):
    ids = [row["id"] for row in run.documents(verdict="kept").rows(["id"])][:6]
    form = {"review": "keep", "why": "", "token": TOKEN}
    before = {own: said(server, f"/document/{own}.json")["reviews"] for own in ids}
    ask = [threading.Thread(target=server.ask, args=("/review",),
                            kwargs={"method": "POST", "form": form | {"id": own}, "Origin": server.url}) for own in ids]  # fmt: skip
    for one in ask:
        one.start()
    for one in ask:
        one.join()
    for own in ids:
        assert said(server, f"/document/{own}.json")["reviews"][:-1] == before[own]


def test_mix_and_tokens_are_those_of_the_planner_and_the_tokenizer(server, run):
    assert said(server, "/mix.json")["plan"]["statement"] == run.folder.commit("mix").counts["plan"]["statement"]
    assert said(server, "/mix.json?domain=0.2")["plan"]["requested"] == {"domain": 0.2, "general": 0.8}
    assert server.ask("/mix?domain=7").status == 400
    found = said(server, "/tokenizer.json?text=The%20bank")
    assert "".join(found["tokens"]) == "The bank"
    assert len(found["ids"]) == len(found["tokens"]) > 0


def test_the_training_curve_has_the_loss_in_bits_per_byte(server, run):
    lines = [{"step": 1, "loss": 2.0, "tokens": 10}, {"step": 2, "tokens": 20, "val": {"news": {"bits_per_byte": 1.5}}}]
    store = run.folder.store
    store.put("train/metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode() + b'{"step": 3, "lo')
    points = said(server, "/training.json")["points"]
    store.delete("train/metrics.jsonl")
    assert [point["step"] for point in points] == [1, 2]
    assert points[1]["val"] == {"news": 1.5}
    assert 0 < points[0]["val"]["training"] < 8
    assert said(server, "/training.json")["points"] == []


def test_a_run_that_goes_on_shows_its_steps(tmp_path, runs):
    from starlette.datastructures import QueryParams

    from pipeline.explore.page import Explorer
    from tests.faults.tiny import write_recipe

    pipeline.run_recipe(str(write_recipe(tmp_path)), out=str(tmp_path / "out"), to="measure", ray="none")
    explorer = Explorer(str(tmp_path / "out"), [])
    shown = PAGES["/"](explorer, QueryParams())
    assert {row["step"]: row["done"] for row in shown.data["steps"]}["decide"] is False
    pipeline.run_recipe(str(tmp_path / "tiny.yaml"), out=str(tmp_path / "out"), to="decide", ray="none")
    assert PAGES["/"](explorer, QueryParams()).data["totals"]["documents_in"] == 20


def test_pieces_of_a_text_are_the_text_but_for_masks():
    text = "é one two three"
    spans = [
        {"start": 0, "bytes": 6, "action": "cut", "rule": "c4.x", "text": "é one"},
        {"start": 3, "bytes": 3, "action": "mask", "rule": "pii.name", "text": "[name]"},
        {"start": 5, "bytes": 5, "action": "table", "rule": "table", "text": ""},
    ]
    found = pieces(text, spans)
    assert "".join(one["text"] for one in found) == "é [name] two three"
    assert [one["marks"] for one in found] == ["cut", "cut mask", "cut mask table", "table", ""]
    assert pieces(text, [], 1) == []
    assert pieces("", spans) == []


def test_a_difference_is_cut_into_what_went_and_what_came():
    assert changes(["in [-the-] {+this+} third"]) == [
        [("", "in "), ("del", "the"), ("", " "), ("ins", "this"), ("", " third")]
    ]


def test_the_command_prints_its_address_at_once(runs, capsys, monkeypatch):
    from pipeline.explore import server as module

    monkeypatch.setattr(module.uvicorn.Server, "run", lambda *_, **__: None)
    assert main(["explore", "--run", runs.now]) == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}\n", capsys.readouterr().out)
    with module.listen(0)[0] as taken:
        assert main(["explore", "--run", runs.now, "--port", str(taken.getsockname()[1])]) == 3
    assert "Address already in use" in capsys.readouterr().err
    assert main(["explore", "--run", "/nowhere"]) == 2
    assert main(["explore", "--run", runs.now, "--port", "99999"]) == 2


def test_a_wrong_run_to_compare_with_is_said_at_the_start(runs, tmp_path):
    with pytest.raises(UsageError, match="no run is recorded here"):
        Explorer(runs.now, [str(tmp_path / "none")])


def shown(server, own, asked="raw=1"):
    return server.ask(f"/document/{own}?{asked}").body.decode()


def id_of(server, text):
    return said(server, f"/documents.json?text={quote(text)}")["documents"][0]["id"]


def test_the_raw_page_stands_beside_its_text_when_it_is_asked_for(server, run):
    own = id_of(server, "frozen weir")
    assert "whole raw" not in shown(server, own, "")
    page = shown(server, own)
    raw = page.partition('<pre class="whole raw">')[2].partition("</pre>")[0]
    assert "The heron waited by the frozen weir." in raw
    bad = shown(server, id_of(server, "gnp.exe"))
    assert "<script>window" not in bad
    assert "&lt;script&gt;window.hacked=1" in bad.partition('<pre class="whole raw">')[2]
    assert "555-0187" in shown(server, next(row["id"] for row in run.documents(rule="pii.phone")))


def test_a_raw_page_that_is_gone_is_said_to_be(server, runs):
    more = Path(runs.now).parent / "more.jsonl"
    own, before, times = id_of(server, "frozen weir"), more.read_bytes(), more.stat()
    try:
        more.write_bytes(before.replace(b"heron", b"crane"))
        assert "the file has changed since the run read it" in shown(server, own)
        more.unlink()
        assert "The raw page is not at hand" in shown(server, own)
    finally:
        more.write_bytes(before)
        os.utime(more, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "frozen weir" in shown(server, own)


@pytest.mark.parametrize("reason", ["rights.forgotten", "extract.killed_worker"])
def test_what_was_forgotten_or_kills_is_not_read_again(run, reason):
    (row,) = run.documents(grep="frozen weir").rows(["id", "source", "path"])
    with pytest.raises(UsageError, match=r"forgotten|killed"):
        raw_record(run.folder, run.folder.shards[0], {**row, "reason": reason})
