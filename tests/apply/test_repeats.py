"""Repeated text as a recipe has it: one copy stays, bytes are accounted for, and explain says where the copy is."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.core import blocks
from pipeline.core.conserve import add_up
from pipeline.ingest import files
from tests.cluster.runs import Documents, run_small, verdicts, write_source

NOTICE = (
    "This press release contains forward-looking statements that involve risks and uncertainties, as defined by law, "
    "and the company undertakes no obligation to update them after the date of this release."
)
PARAGRAPHS = "repeats: {paragraphs: {min_bytes: 80, min_documents: 3}}"


def prose(seed: int, words: int = 60) -> str:
    draw = random.Random(seed)
    return " ".join(
        "".join(draw.choice("bdfgklmnprstv") + draw.choice("aeiou") for _ in range(4)) for _ in range(words)
    )


def with_notice(count: int) -> Documents:
    return {f"d{n}": f"Report {n} {prose(n)}\n\n{NOTICE}\n\nEnd {n} {prose(1000 + n)}" for n in range(count)}


@pytest.fixture(scope="module")
def noticed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noticed")
    write_source(folder, "web", with_notice(6), files=3)
    write_source(folder, "filings", {"filing": f"Filing {prose(77)}\n{NOTICE}\n{prose(78)}"})
    sources = {"web": "role: general", "filings": "role: domain"}
    return folder, run_small(folder, folder / "out", sources, more=PARAGRAPHS)


def test_one_copy_of_a_notice_stays_in_the_domain_document(noticed):
    _, run = noticed
    found = verdicts(run)
    assert {row["verdict"] for row in found.values()} == {"kept"}
    assert [own for own, row in found.items() if NOTICE in row["text"]] == ["filing"]
    assert all(prose(n) in found[f"d{n}"]["text"] and prose(1000 + n) in found[f"d{n}"]["text"] for n in range(6))
    balance = add_up(commit.balance for commit in run.commits("apply").values())
    assert balance.cut["repeats.paragraph"] == 6 * (len(NOTICE) + 1)
    assert sum(c.counts["documents_cut"].get("repeats.paragraph", 0) for c in run.commits("apply").values()) == 6
    assert run.commits("repeats")["paragraphs"].counts == {"spans": 6, "documents": 6}


def test_explain_shows_the_cut_and_where_the_copy_stays(noticed, capsys):
    folder, _ = noticed
    assert main(["explain", "https://d3.example/", "--run", str(folder / "out"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["documents"]
    (span,) = found["spans"]
    assert span["rule"] == "repeats.paragraph"
    assert span["text"] == NOTICE[:100] + "…"
    assert span["first_in"]["url"] == "https://filing.example/"
    assert main(["explain", "https://d3.example/", "--run", str(folder / "out")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"cut {len(NOTICE) + 1} bytes" in shown
    assert f"stays in https://filing.example/ ({span['first_in']['id']})" in shown


def test_texts_do_not_depend_on_the_layout(noticed, tmp_path):
    _, run = noticed
    documents = with_notice(6)
    write_source(tmp_path, "web", dict(reversed(documents.items())), files=2)
    write_source(tmp_path, "filings", {"filing": f"Filing {prose(77)}\n{NOTICE}\n{prose(78)}"})
    sources = {"web": "role: general", "filings": "role: domain"}
    other = run_small(tmp_path, tmp_path / "out", sources, more=PARAGRAPHS)
    texts = [{own: row["text"] for own, row in verdicts(one).items()} for one in (run, other)]
    # ids name the file a document came from, so among web documents another may stand first; the filing stands before
    assert texts[0] == texts[1]


def test_off_by_default_and_forgotten_when_switched_off(noticed, tmp_path):
    folder, _ = noticed
    sources = {"web": "role: general", "filings": "role: domain"}
    out = tmp_path / "out"
    on = run_small(folder, out, sources, more=PARAGRAPHS)
    off = run_small(folder, out, sources)
    assert set(on.commits("repeats")) == {"paragraphs"}
    assert off.commits("repeats") == {}
    assert all(NOTICE in row["text"] for row in verdicts(off).values())
    assert run_small(folder, out, sources, more=PARAGRAPHS).runner.reasons["repeats"].startswith("reused")


def test_substrings_are_cut_at_word_borders_and_short_rests_removed(tmp_path):
    shared = prose(5, 80)
    documents = {f"d{n}": f"{prose(10 + n, 20)} {shared} {prose(30 + n, 20)}" for n in range(4)}
    documents["rest"] = f"one {shared} two"
    write_source(tmp_path, "web", documents, files=2)
    more = "repeats: {substrings: {min_bytes: 500}}\napply: {min_chars: 50}\ncluster: {near: false}"
    run = run_small(tmp_path, tmp_path / "out", {"web": "role: general"}, more=more)
    found = verdicts(run)
    held = [own for own, row in found.items() if shared in row["text"]]
    assert len(held) == 1
    for own, row in found.items():
        left = documents[own] if own in held else " ".join(documents[own].replace(shared, " ").split())
        assert " ".join(row["text"].split()) == left
    if held != ["rest"]:
        assert (found["rest"]["verdict"], found["rest"]["reasons"]) == ("removed", ["apply.too_short"])


def test_a_document_that_falls_as_too_short_does_not_hold_the_copy(tmp_path):
    """The filing would come first; with its notice it is too short to stay, so the copy stays elsewhere."""
    write_source(tmp_path, "web", with_notice(4), files=2)
    short = {"filing": f"Filing {prose(77, 6)}\n{NOTICE}", "other": f"Other {prose(78, 8)}\n{NOTICE}"}
    write_source(tmp_path, "filings", short)
    sources = {"web": "role: general", "filings": "role: domain"}
    run = run_small(tmp_path, tmp_path / "out", sources, more=f"{PARAGRAPHS}\napply: {{min_chars: 400}}")
    found = verdicts(run)
    assert {own for own, row in found.items() if row["reasons"] == ["apply.too_short"]} == {"filing", "other"}
    assert len([own for own, row in found.items() if row["verdict"] == "kept" and NOTICE in row["text"]]) == 1
    assert run.commits("settle")["all"].counts["lost_repeats"] == {"spans": 0, "documents": 0}
    assert run.notes == []
    low = run_small(tmp_path, tmp_path / "low", sources, more=f"{PARAGRAPHS}\napply: {{min_chars: 100}}")
    held = {own for own, row in verdicts(low).items() if row["verdict"] == "kept" and NOTICE in row["text"]}
    assert held <= {"filing", "other"}, "what stays with it may hold it"


def test_a_copy_lost_to_the_other_kind_of_repeat_is_counted(tmp_path):
    """Paragraphs and substrings are looked for apart: a document that only both together leave too short is said."""
    shared = prose(5, 80)
    write_source(tmp_path, "top", {"first": f"{prose(1)} {shared} {prose(2)}"})
    write_source(tmp_path, "middle", {"falls": f"{NOTICE}\n{shared}"})
    write_source(tmp_path, "low", {f"l{n}": f"{prose(10 + n)}\n{NOTICE}\n{prose(20 + n)}" for n in range(2)})
    sources = {"top": "role: general, priority: 9", "middle": "role: general, priority: 5", "low": "role: general"}
    more = "repeats: {paragraphs: {min_bytes: 80, min_documents: 3}, substrings: {min_bytes: 400}}"
    run = run_small(
        tmp_path, tmp_path / "out", sources, more=f"{more}\napply: {{min_chars: 300}}\ncluster: {{near: false}}"
    )
    assert verdicts(run)["falls"]["reasons"] == ["apply.too_short"]
    assert run.commits("settle")["all"].counts["lost_repeats"] == {"spans": 2, "documents": 1}
    assert [note for note in run.notes if "2 passages are cut" in note and "1 documents" in note]


@given(st.lists(st.sets(st.integers(0, 3)), min_size=3, max_size=9), st.booleans())
@settings(max_examples=8, deadline=None)
def test_what_is_published_is_published_again_unchanged(tmp_path_factory, plan, substrings):
    """Idempotence: a run over what a run kept keeps all of it and cuts nothing."""
    folder = tmp_path_factory.mktemp("again")
    notices = [f"{NOTICE} {prose(900 + n, 20)}" for n in range(4)]
    documents = {
        f"d{at}": "\n\n".join([f"Begin {prose(at)}", *(notices[n] for n in sorted(held)), f"End {prose(500 + at)}"])
        for at, held in enumerate(plan)
    }
    kind = "substrings: {min_bytes: 150}" if substrings else "paragraphs: {min_bytes: 80, min_documents: 2}"
    more = f"repeats: {{{kind}}}\ncluster: {{near: false}}\napply: {{min_chars: 50}}"
    write_source(folder, "web", documents, files=2)
    first = verdicts(run_small(folder, folder / "one", {"web": "role: general"}, more=more))
    kept_texts = {own: row["text"] for own, row in first.items() if row["verdict"] == "kept"}
    assert kept_texts.keys() == documents.keys()
    write_source(folder, "again", kept_texts, files=3)
    second = run_small(folder, folder / "two", {"again": "role: general"}, more=more)
    assert {own: row["text"] for own, row in verdicts(second).items()} == kept_texts
    assert {commit.counts["spans"] for commit in second.commits("repeats").values()} == {0}


def test_a_cut_does_not_show_what_is_masked(tmp_path, capsys):
    notice = NOTICE + " Write to ann@mail.example.org."
    documents = {f"d{n}": f"{prose(n)}\n{notice}" for n in range(3)}
    write_source(tmp_path, "web", documents)
    run = run_small(tmp_path, tmp_path / "out", {"web": "role: general"}, more=PARAGRAPHS)
    for own in verdicts(run):
        assert main(["explain", f"https://{own}.example/", "--run", str(tmp_path / "out"), "--json"]) == 0
        assert "ann@mail" not in capsys.readouterr().out


@pytest.mark.parametrize("min_chars", [100, 400])
def test_blocks_and_parts_do_not_show(tmp_path, monkeypatch, min_chars):
    """With 400 the filings fall, one after the other, so that two more rounds put them last."""
    write_source(tmp_path, "web", with_notice(6), files=3)
    short = {"filing": f"Filing {prose(77, 6)}\n{NOTICE}", "other": f"Other {prose(78, 8)}\n{NOTICE}"}
    write_source(tmp_path, "filings", short)
    sources = {"web": "role: general", "filings": "role: domain"}
    more = f"{PARAGRAPHS}\napply: {{min_chars: {min_chars}}}"
    monkeypatch.setattr(files, "SHARD_FILES", 1)
    one = run_small(tmp_path, tmp_path / "one", sources, more=more)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 2)
    monkeypatch.setattr(blocks, "PART_ROWS", 3)
    many = run_small(tmp_path, tmp_path / "many", sources, more=more)
    assert len(many.commits("cuts")) > len(one.commits("cuts")) == 1
    assert len(many.commits("falling")) == (3 if min_chars == 400 else 1) * len(many.commits("cuts"))
    for shard in one.shards:
        for step, unit in (("repeats", "paragraphs"), ("settle", "all")):
            assert one.file(step, unit, shard).sha256 == many.file(step, unit, shard).sha256, (step, shard)
    assert one.commits("repeats")["paragraphs"].counts == many.commits("repeats")["paragraphs"].counts
    assert one.commits("settle")["all"].counts == many.commits("settle")["all"].counts
