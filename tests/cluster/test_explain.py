"""Explain, end to end: the survivor of exact and near duplicates, how alike the two are, and a diff."""

import json
import re

import pytest

from pipeline.__main__ import main
from tests.apply.test_repeats import prose
from tests.cluster.runs import run_small, write_source


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    long = prose(1, 200)
    documents = {"first": long + " the last word", "copy": long + "\nthe  last word", "near": long + " another ending"}
    write_source(folder, "web", documents)
    run_small(folder, folder / "out", {"web": "role: general"}, more="cluster: {min_similarity: 0.7}")
    return folder / "out"


def explained(out, own, capsys):
    assert main(["explain", f"https://{own}.example/", "--run", str(out), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["documents"]
    return found


def test_json_names_survivor_similarity_and_diff(out, capsys):
    found = {own: explained(out, own, capsys) for own in ("first", "copy", "near")}
    removed = {own: one for own, one in found.items() if one["verdict"]["verdict"] == "removed"}
    (stays,) = found.keys() - removed.keys()
    assert len(removed) == 2
    for own, one in removed.items():
        exact = {own, stays} == {"first", "copy"}
        assert one["verdict"]["reasons"] == ["exact.duplicate" if exact else "minhash.duplicate"]
        assert one["survivor"]["url"] == f"https://{stays}.example/"
        assert one["survivor"]["jaccard"] == (1.0 if exact else pytest.approx(197 / 202, abs=0.02))
        assert one["verdict"]["similarity"] == (1.0 if exact else pytest.approx(one["survivor"]["jaccard"], abs=0.12))
        assert one["survivor"]["diff_lines"] == (0 if exact else 1)
    assert "survivor" not in found[stays]


def test_a_person_reads_the_same(out, capsys):
    assert main(["explain", "https://near.example/", "--run", str(out)]) == 0
    one = " ".join(capsys.readouterr().out.split())
    if "removed by minhash.duplicate" in one:
        assert re.search(
            r"stays instead: https://\w+\.example/ \(\w+; similarity 0\.9\d; bound 0\.70; true Jaccard 0\.9\d\)", one
        )
        assert "[-the last word-] {+another ending+}" in one
    else:
        assert main(["explain", "https://first.example/", "--run", str(out)]) == 0
        one = " ".join(capsys.readouterr().out.split())
        assert "stays instead: https://near.example/" in one
        assert "[-another ending-] {+the last word+}" in one
