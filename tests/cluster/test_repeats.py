"""Repeated text as a recipe has it: one copy stays, bytes are accounted for, and explain says where the copy is."""

import json
import random

import pytest

from pipeline.__main__ import main
from pipeline.core.conserve import add_up
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
    balance = add_up([commit.counts["balance"] for commit in run.done["apply"].values()])
    assert balance.cut["repeats.paragraph"] == 6 * (len(NOTICE) + 1)
    assert sum(c.counts["documents_cut"].get("repeats.paragraph", 0) for c in run.done["apply"].values()) == 6
    assert run.done["repeats"]["paragraphs"].counts == {"spans": 6, "documents": 6}


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
    assert set(on.done["repeats"]) == {"paragraphs"}
    assert off.done["repeats"] == {}
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


def test_a_cut_does_not_show_what_is_masked(tmp_path, capsys):
    notice = NOTICE + " Write to ann@mail.example.org."
    documents = {f"d{n}": f"{prose(n)}\n{notice}" for n in range(3)}
    write_source(tmp_path, "web", documents)
    run = run_small(tmp_path, tmp_path / "out", {"web": "role: general"}, more=PARAGRAPHS)
    for own in verdicts(run):
        assert main(["explain", f"https://{own}.example/", "--run", str(tmp_path / "out"), "--json"]) == 0
        assert "ann@mail" not in capsys.readouterr().out
