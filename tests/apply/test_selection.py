"""The dial: the best documents up to a share of tokens, exactly, whatever the shards; what whatif says is what a run does."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.__main__ import main as command
from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.selection import Offered, dial, sentence
from pipeline.errors import UsageError
from pipeline.recipe.model import load
from pipeline.run import main
from tests.faults.tiny import write_recipe

DOCUMENT = st.tuples(st.sampled_from([0.1, 0.5, 0.5, 0.9, -np.inf]), st.integers(0, 50), st.sampled_from(["a", "b"]))


def shard(documents):
    """documents: (id, (score, tokens, group))"""
    return Offered(
        np.arange(len(documents)),
        np.array([score for _, (score, _, _) in documents], float),
        np.array([tokens for _, (_, tokens, _) in documents], np.int64),
        pa.array([own for own, _ in documents], pa.string()),
        [group for _, (_, _, group) in documents],
        [f"s/{group}" for _, (_, _, group) in documents],
    )


def kept_by(shards, told, amounts):
    found, removed, _ = dial(iter(shards), told, amounts)
    gone = {own for one, rows in zip(shards, removed, strict=True) for own in one.ids.take(pa.array(rows)).to_pylist()}
    return found, {own for one in shards for own in one.ids.to_pylist()} - gone


@given(st.lists(DOCUMENT, max_size=20), st.integers(1, 19), st.floats(0.01, 1), st.sampled_from([None, "role"]))
def test_it_keeps_the_best_and_comes_nearest(documents, cut, keep, per):
    documents.append((0.3, 7, "a"))
    named = [
        (f"{n:02d}", (score, tokens, group if per else "all")) for n, (score, tokens, group) in enumerate(documents)
    ]
    told = SelectSettings(keep=keep, per=per)
    amounts = {"s": 100}
    found, kept = kept_by([shard(named)], told, amounts)
    assert kept_by([shard(named[cut:]), shard(named[:cut])], told, amounts) == (found, kept), "any layout"
    offered = sum(tokens for _, (_, tokens, _) in named)
    for bound in found.bounds:
        order = sorted(((-score, own, tokens) for own, (score, tokens, group) in named if group == bound.group))
        wanted = keep * 100 * sum(tokens for *_, tokens in order) / max(offered, 1)
        sums = [sum(tokens for *_, tokens in order[:count]) for count in range(len(order) + 1)]
        assert abs(bound.kept_tokens - wanted) <= min(abs(total - wanted) for total in sums) + 1e-9
        assert {own for _, own, _ in order[: bound.kept]} == {own for _, own, _ in order} & kept
        assert bound.kept + bound.removed == len(order)


@given(st.lists(DOCUMENT, max_size=20), st.integers(1, 19), st.integers(2, 5), st.sampled_from([None, "role"]))
def test_buckets_are_even_parts_of_the_words_in_the_order_of_scores(documents, cut, buckets, per):
    documents.append((0.3, 7, "a"))
    named = [
        (f"{n:02d}", (score, tokens, group if per else "all")) for n, (score, tokens, group) in enumerate(documents)
    ]
    told = SelectSettings(buckets=buckets, per=per)
    found, _, (own,) = dial(iter([shard(named)]), told, {})
    _, removed, parts = dial(iter([shard(named[:cut]), shard(named[cut:])]), told, {})
    assert np.concatenate(parts).tolist() == own.tolist(), "any layout"
    assert sum(map(len, removed)) == 0
    assert sum(one.documents for one in found.buckets) == len(named)
    for group in {group for _, (_, _, group) in named}:
        order = sorted(
            (-score, name, tokens, own[n]) for n, (name, (score, tokens, g)) in enumerate(named) if g == group
        )
        whole, before = sum(tokens for *_, tokens, _ in order), 0
        for _, _, tokens, bucket in order:
            middle = (before + tokens / 2) * buckets
            assert bucket == (buckets if not whole else buckets - min(int(middle // whole), buckets - 1))
            before += tokens


def test_it_says_what_it_did_to_each_source_and_what_stands_at_each_tenth():
    documents = [(f"{n:02d}", (n / 20, 10, "a" if n < 15 else "b")) for n in range(20)]
    shards = [replace(one, groups=["all"] * len(one.rows)) for one in (shard(documents[:7]), shard(documents[7:]))]
    found, kept = kept_by(shards, SelectSettings(keep=0.5), {"s": 200})
    assert len(kept) == 10
    a, b = found.streams
    assert (a.name, a.documents, a.removed, a.tokens, a.kept_tokens) == ("s/a", 15, 10, 150, 50)
    assert (b.name, b.documents, b.removed, b.tokens, b.kept_tokens) == ("s/b", 5, 0, 50, 50)
    assert (a.deciles[0], a.deciles[5], a.deciles[10]) == (0, 0.35, 0.7)
    assert [rung.share for rung in found.ladder] == [tenth / 10 for tenth in range(10)]
    assert found.ladder[0].ids[:3] == ["19", "18", "17"]
    assert found.ladder[5].ids[0] == "09", "the first that the dial removes"
    assert found.ladder[5].score == 0.45


def test_a_share_of_what_rules_leave_needs_no_other_amounts():
    documents = [(f"{n:02d}", (n / 20, 10, "a")) for n in range(20)]
    for per in (None, "source"):
        found, kept = kept_by([shard(documents)], SelectSettings(keep=0.25, of="kept_tokens", per=per), {"s": 10**9})
        assert sorted(kept) == ["15", "16", "17", "18", "19"]
        assert found.of_tokens == 200


def test_more_than_there_is_removes_nothing_and_says_so():
    found, kept = kept_by(
        [shard([("1", (0.5, 10, "all")), ("2", (0.1, 10, "all"))])], SelectSettings(keep=0.5), {"s": 100}
    )
    assert kept == {"1", "2"}
    assert "leave less than was asked, 20 tokens" in sentence(found, SelectSettings(keep=0.5))


def test_without_any_score_there_is_nothing_to_go_by():
    with pytest.raises(UsageError, match="no document has a score"):
        dial(iter([shard([("1", (-np.inf, 3, "all"))])]), SelectSettings(keep=0.5), {"s": 3})


def recipe_with(tmp_path, select):
    path = write_recipe(tmp_path)
    path.write_text(path.read_text().replace("curate:", f"select: {select}\ncurate:"))
    return path


def test_a_run_keeps_the_share_and_whatif_knows_it(tmp_path, capsys):
    def said():
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    results = {}
    for keep in (1.0, 0.4):
        path = recipe_with(tmp_path, f"{{keep: {keep}, of: extracted_tokens, by: gopher.num_words}}")
        assert main([str(path), "--out", str(tmp_path / "out"), "--ray", "none", "--json"]) == 0
        results[keep] = said()
        if keep == 1:
            assert command(["whatif", "select.keep=0.4", "--run", str(tmp_path / "out"), "--json"]) == 0
            predicted = said()["select"]["bounds"][0]
    assert results[0.4]["tokens"]["kept_pretokens"] == predicted["kept_tokens"]
    assert results[0.4]["documents"]["kept"] == predicted["kept"] < results[1.0]["documents"]["kept"]
    assert abs(results[0.4]["tokens"]["kept_of_extracted"] - 0.4) < 0.05
    assert any(note.startswith("select: 0.4 of extracted tokens asked") for note in results[0.4]["notes"])
    assert command(["explain", predicted["just_below"], "--run", str(tmp_path / "out")]) == 0
    assert "select" in capsys.readouterr().out
    assert command(["whatif", "select.keep=2", "--run", str(tmp_path / "out")]) == 2


def test_a_condition_removes_and_whatif_knows_it(tmp_path, capsys):
    def said():
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    folder, results = tmp_path / "out", {}
    where = "source = 'web' or text like '%figure 0.%'"
    for select in ("{where: 'true'}", f'{{where: "{where}"}}', f'{{where: "{where}", exempt: [news]}}'):
        path = recipe_with(tmp_path, select)
        assert main([str(path), "--out", str(folder), "--ray", "none", "--json", "--to", "apply"]) == 0
        results[select] = said()
        if len(results) == 1:
            change = f"select.where=({where}) and host = 'nowhere.example'"
            assert command(["whatif", change, "--run", str(folder), "--json"]) == 0
            nothing = said()["where"]
            assert command(["whatif", f"select.where={where}", "--run", str(folder), "--json"]) == 0
            predicted = said()["where"]
            assert command(["whatif", "select.where=gopher_num_word > 3", "--run", str(folder)]) == 2
            assert "did you mean gopher_num_words" in capsys.readouterr().err
    everything, some, spared = results.values()
    assert everything["documents"]["kept"] == predicted["documents"]
    assert some["documents"]["kept"] == predicted["documents"] - predicted["removed"]
    assert 0 < predicted["removed"] < predicted["documents"]
    assert nothing["removed"] == predicted["documents"]
    assert spared["documents"]["kept"] == everything["documents"]["kept"], "news is exempt, and all of the web meets it"
    assert any(note.startswith(f"select.where {where}: ") for note in some["notes"])
    assert everything["tokens"]["kept_pretokens"] - some["tokens"]["kept_pretokens"] == predicted["removed_tokens"]


def test_a_condition_and_a_share_go_together(tmp_path, capsys):
    select = "{where: \"source = 'web'\", keep: 0.5, of: kept_tokens, by: gopher.num_words}"
    folder = tmp_path / "out"
    assert (
        main([str(recipe_with(tmp_path, select)), "--out", str(folder), "--ray", "none", "--json", "--to", "apply"])
        == 0
    )
    capsys.readouterr()
    assert command(["inspect", "--run", str(folder), "--rule", "select", "--json", "--limit", "99"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_rule = {rule: {row["source"] for row in rows if row["rule"] == rule} for rule in ("where", "below")}
    assert by_rule == {"where": {"news"}, "below": {"web"}}


def test_buckets_reach_corpus_mix_and_hand_off(tmp_path, capsys):
    path = recipe_with(
        tmp_path, "{buckets: 2, by: gopher.num_words, exempt: [news]}\nmix: {domain: 0.3, buckets: {2: 3}}"
    )
    out = tmp_path / "out"
    assert main([str(path), "--out", str(out), "--ray", "none", "--json", "--no-train"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    kept = pq.read_table(out / "corpus/kept").to_pylist()
    assert len(kept) == result["documents"]["kept"]
    words = {row["id"]: row["signals"]["gopher"]["num_words"] for row in inspected(out, capsys)}
    for row in kept:
        assert (row["bucket"] is None) == (row["source"] == "news")
    low, high = ([words[row["id"]] for row in kept if row["bucket"] == n] for n in (1, 2))
    assert max(low) <= min(high)
    manifest = json.loads((out / "handoff/manifest.json").read_text())
    sources = {one["name"]: one for one in manifest["sources"]}
    assert {name: one["bucket"] for name, one in sources.items()} == {"news": None, "web-b1": 1, "web-b2": 2}
    assert sources["web-b2"]["epochs"] == pytest.approx(3 * sources["web-b1"]["epochs"], rel=0.01)
    ids = {n: set(pq.read_table(out / f"handoff/uses/web-b{n}")["id"].to_pylist()) for n in (1, 2)}
    train = {n: {row["id"] for row in kept if row["bucket"] == n and row["split"] == "train"} for n in (1, 2)}
    assert ids == train
    shown = json.loads((out / "report.json").read_text())["dial"]
    assert all(-1 <= value <= 1 for _, value in shown["rules"])
    assert [one["bucket"] for one in shown["buckets"]] == [1, 2]
    assert "stage <code>select</code>" in (out / "report.html").read_text()
    plan = pipeline.open_run(str(out)).whatif({"select.keep": 0.5})
    assert [one["bucket"] for one in plan["select"]["buckets"]] == [1, 2]
    assert main([str(path), "--out", str(out), "--ray", "none", "--json", "--no-train"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again["root_hash"] == result["root_hash"]
    assert set(again["steps"].values()) == {"reused: did not change"}


def inspected(out, capsys):
    capsys.readouterr()
    assert command(["inspect", "--run", str(out), "--json", "--limit", "99"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("{keep: 0.5, by: gopher.num_words}\nmix: {buckets: {2: 3}}", "mix.buckets.2: select.buckets makes none"),
        ("{buckets: 3, by: gopher.num_words}\nmix: {buckets: {4: 3}}", "mix.buckets.4: select.buckets makes 1 to 3"),
        ("{}", "or where"),
        ("{where: ' '}", "select.where"),
        ("{search: [0.1, 1.0]}", "shares between 0 and 1"),
        ("{search: 0.1}", "shares between 0 and 1"),
        ("{where: 'gopher_num_word > 3'}", "no such column: gopher_num_word; did you mean gopher_num_words"),
        ("{where: \"verdict = 'kept'\"}", "no such column: verdict"),
        ("{where: 'random() < 0.5'}", "random is not the same"),
        ("{where: 'date < current_date'}", "current_date is not the same"),
        ('{where: "id in (select id from documents)"}', "without queries of its own"),
        ("{where: 'source = '}", "syntax error"),
        ("{where: 'true', exempt: [nwes]}", "did you mean news"),
        ("{keep: 0.1, keep_tokens: 5}", "one of them"),
        ("{keep: 0.1, by: gopher.words}", "there is no signal 'gopher.words'"),
        ("{keep: 0.1, by: domain.score}", "put the judge 'domain' under curate"),
        ("{keep: 0.1, by: gopher.num_words, exempt: [nwes]}", "did you mean news"),
        ("{keep: 0.1, by: gopher.num_words, per: language}", "needs the judge language"),
    ],
)
def test_a_selection_that_cannot_work_is_refused(tmp_path, select, said):
    with pytest.raises(UsageError, match=said):
        load(str(recipe_with(tmp_path, select)))
