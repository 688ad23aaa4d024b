"""Decontamination: planted copies are found, clean text is not, and the index reads every kind of file."""

import gzip
import io
import json
import os
import random
import re
import tarfile
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.run_folder import Run
from pipeline.core.store import Store
from pipeline.errors import UsageError
from pipeline.flow import advance
from pipeline.ingest.benchmarks import PIECE_WORDS, Item, read_items
from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text import overlap
from pipeline.kernels.text.term_trie import WORD_LOWER
from pipeline.measure.item_index import Index, build_index, index_of
from pipeline.measure.judges.contamination import Contamination, contamination, files_sha256, left_out
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import parse

WORDS = [f"{a}{b}" for a in "bdfglmnprstv" for b in ("ario", "enta", "ilus", "omar", "unde", "yth", "apse", "eck")]


def sentence(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


@pytest.fixture
def items(tmp_path):
    rng = random.Random(1)
    found = [sentence(rng, rng.randrange(16, 60)) for _ in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in found[:10]))
    (tmp_path / "b.csv").write_text("".join(f'"{text}",A\n' for text in found[10:20]))
    (tmp_path / "c.json").write_text(json.dumps([{"paragraphs": [{"text": text}]} for text in found[20:30]]))
    (tmp_path / "d.txt").write_text("\n".join(found[30:]))
    return found, Contamination(files=[str(tmp_path / name) for name in ("a.jsonl", "b.csv", "c.json", "d.txt")])


def run(texts, settings):
    return contamination.run(pa.record_batch({"text": pa.array(texts, pa.large_string())}), settings)


def planted(found, change):
    rng = random.Random(2)
    return [f"{sentence(rng, 80)}. {change(text)}. {sentence(rng, 80)}" for text in found]


def test_exact_and_reformatted_copies_have_the_whole_score(items):
    found, settings = items
    for change in (str, str.upper, lambda text: text.replace(" ", "\n"), lambda text: text.replace(" ", ", ")):
        texts = planted(found, change)
        result = run(texts, settings)
        assert result["score"].to_pylist() == [1.0] * len(found)
        for text, item, spans in zip(texts, found, result["spans"].to_pylist(), strict=True):
            assert len(spans) == 1
            assert change(item) in text.encode()[spans[0]["start"] : spans[0]["end"]].decode()


def test_an_edited_copy_is_named(items):
    found, settings = items

    def edited(text):
        words = text.split()
        words[len(words) // 3] = "changed"
        return " ".join(words)

    result = run(planted(found, edited), settings)
    named = [bool(names) for names in result["items"].to_pylist()]
    evidence = named[20:30]
    assert all(named[:20] + named[30:])
    assert sum(evidence) <= 2, "short evidence without a figure counts word for word"
    assert result["items"][0].as_py() == ["a.jsonl#0"]


ASKED = {
    "question": "How much did Harbour Works pay for its quay in 2031?",
    "answer": "$5,363 million",
    "company": "Harbour Works",
    "file": "a_2031_10k.pdf",
}
AROUND = "The weather was fair and the fleet sailed at noon. " * 8


def judged(tmp_path, record, text, **settings):
    (tmp_path / "b.jsonl").write_text(json.dumps(record) + "\n")
    build_index.cache_clear()
    return run([f"{AROUND}{text}\n{AROUND}"], Contamination(files=[str(tmp_path / "b.jsonl")], **settings)).to_pylist()[
        0
    ]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("How much did Harbour Works pay for its quay in 2031? $5,363 million", True),
        ("q: how much did harbour works pay for its quay in 2031\na: 5363 MILLION", True),
        ("How much did Harbour Works pay for its quay in 2031?", False),  # a short question needs its answer
        ("In 2031 Harbour Works paid much for its quay, of 5,363 million in all.", False),
        ("How much did Harbour Works pay for its quay in 2029? $5,363 million", False),  # another year
        ("What Harbour Works did pay for its quay in 2031 was $5,363 million", False),  # says it, and asks nothing
        (
            "How much did Harbour Works pay for its quay in 2031? million were paid to 5,363 men",
            False,
        ),  # no such answer
    ],
)
def test_a_short_question_counts_with_its_answer(tmp_path, text, counts):
    found = judged(tmp_path, ASKED, text)
    assert found["items"] == (["b.jsonl#0"] if counts else [])
    assert found["whole"] == ([True] if counts else [])


def test_figures_agree_with_and_without_separators(tmp_path):
    text = "Capital expenditure of the harbour division rose to {} thousand in the year, of which the new quay took nearly one half."
    assert judged(tmp_path, {"context": text.format("5,363,120")}, text.format("5363120"))["score"] == 1.0


def test_lines_of_json_end_at_line_feeds_alone(tmp_path):
    record = {
        "question": "Where did the capital\u2028expenditure of the fiscal year 2018 go, in the end, as the board reported it?"
    }
    (tmp_path / "u.jsonl").write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [item.kind for item in read_items(str(tmp_path / "u.jsonl"), 13)] == ["question"]


def test_evidence_counts_with_its_figures(tmp_path):
    text = "As of June {} the total of unrecognised benefits was {} million, of which {} million would lower the rate if recognised."
    record = {"context": text.format("2031", "22.75", "10.84")}
    assert judged(tmp_path, record, text.format("2031", "22.75", "10.84"))["items"]
    assert not judged(tmp_path, record, text.format("2034", "31.20", "14.66"))["items"]


def test_a_short_row_counts_by_all_of_its_figures(tmp_path):
    row = "Deferred revenue of the segment, net of refunds {} {} {} {} at year end"
    record = {"context": row.format("411.7", "388.2", "365.9", "340.1")}
    assert judged(tmp_path, record, row.format("411.7", "388.2", "365.9", "340.1"))["items"]
    assert not judged(tmp_path, record, row.format("411.7", "388.2", "365.9", "341.6"))["items"]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Dealer partners are the shops and the agents that we engage to sell our boats abroad.", True),
        ("The table below reconciles the boats sold with the boats built, for the years shown:", True),
        ("Item 14. Exhibits of the Registrant, Boats Held for Sale and Related Harbour Matters", False),
        ("NUMBER OF BOATS, MEAN PRICE OF A BOAT AND REMAINING YEARS OF ITS HULL", False),
    ],
)
def test_short_evidence_without_figures_counts_word_for_word_unless_it_is_a_heading(tmp_path, text, counts):
    assert bool(judged(tmp_path, {"context": text}, text)["items"]) == counts
    assert not judged(tmp_path, {"context": text}, text.replace("boats", "ships", 1).replace("BOATS", "SHIPS"))["items"]


@pytest.mark.parametrize(
    ("before", "held", "after", "cut"),
    [
        ("One. ", "{}", " Three.", "{} "),
        ("Cash\t12\t13\nRow of {} and", "", "\t7\nDebt\t1\t2", "Row of {} and\t7"),
        ("One! Two begins here and {} ends. ", "", "Three.", "Two begins here and {} ends. "),
    ],
)
def test_whole_sentences_or_rows_are_cut(tmp_path, before, held, after, cut):
    item = sentence(random.Random(5), 18)
    text = f"{AROUND}\n{(before + held + after).replace('{}', item if '.' in before[:5] or not held else item + '.')}\n{AROUND}"
    (tmp_path / "t.txt").write_text(item + "\n")
    build_index.cache_clear()
    (spans,) = run([text], Contamination(files=[str(tmp_path / "t.txt")]))["spans"].to_pylist()
    (span,) = spans
    got = text.encode()[span["start"] : span["end"]].decode()
    assert item in got
    assert got.count("\n") == 0
    if "\t" in text:
        assert got == cut.format(item)


def test_what_stands_in_many_documents_is_a_stock_phrase_unless_it_is_asked_and_answered(tmp_path):
    phrase = sentence(random.Random(6), 24)
    (tmp_path / "s.jsonl").write_text(json.dumps({"paragraph": phrase}) + "\n" + json.dumps(ASKED) + "\n")
    chosen = Contamination(files=[str(tmp_path / "s.jsonl")])
    build_index.cache_clear()
    rng = random.Random(7)
    texts = [
        f"{sentence(rng, 60)}. {phrase}. {ASKED['question']} {ASKED['answer']}. {sentence(rng, 60)}" for _ in range(6)
    ]
    signals = pa.Table.from_batches([run(texts, chosen)])
    aside = contamination.set_aside(iter([(signals, np.arange(6))]), chosen)
    assert aside == ["s.jsonl#0"]
    assert contamination.set_aside(iter([(signals, np.zeros(6, np.int64))]), chosen) == [], (
        "copies of one document are one"
    )
    left = contamination.signals_without(signals, ["s.jsonl#0", "s.jsonl#1"])
    assert left["score"].to_pylist() == [0.0] * 6
    assert contamination.signals_without(signals, aside)["score"].to_pylist() == [1.0] * 6


def test_a_question_that_leaked_everywhere_is_no_stock_phrase(tmp_path):
    asked = "If the mill grinds 14 sacks before noon and thrice as many after, how many sacks does it grind in 6 days?"
    (tmp_path / "w.jsonl").write_text(json.dumps({"question": asked, "answer": "336"}) + "\n")
    chosen, rng = Contamination(files=[str(tmp_path / "w.jsonl")]), random.Random(3)
    build_index.cache_clear()
    signals = pa.Table.from_batches(
        [run([f"{sentence(rng, 60)}. {asked} {sentence(rng, 60)}" for _ in range(9)], chosen)]
    )
    assert signals["items"].to_pylist() == [["w.jsonl#0"]] * 9
    assert contamination.set_aside(iter([(signals, np.arange(9))]), chosen) == []


TABLE = [["", "2031", "2030"], ["Tolls", "{}", "207.3"], ["Leases", "88.9", "(14.6)"], ["Total of both", "{}", "192.7"]]


@pytest.mark.parametrize(("tolls", "total", "held"), [("211.4", "300.3", True), ("517.2", "606.1", False)])
@pytest.mark.parametrize("mark", ["\t", " | "])
def test_a_table_of_short_rows_counts_whole(tmp_path, tolls, total, held, mark):
    """No row has words enough to be an item of its own."""
    record = {"table": json.loads(json.dumps(TABLE).replace('"{}"', '"211.4"', 1).replace('"{}"', '"300.3"'))}
    cells = iter((tolls, total))
    text = "\n".join(mark.join(next(cells) if cell == "{}" else cell for cell in row) for row in TABLE)
    assert bool(judged(tmp_path, record, text)["items"]) == held


def test_turns_of_a_chat_are_a_question_and_its_answer(tmp_path):
    turns = [
        {"role": "user", "content": "Which lock of the Vessel canal failed first?"},
        {"role": "assistant", "content": "The ninth, at Orm"},
    ]
    assert judged(tmp_path, {"messages": turns}, "Which lock of the Vessel canal failed first? The ninth, at Orm")[
        "items"
    ]
    assert not judged(tmp_path, {"messages": turns}, "A lock of the Vessel canal failed, and the first boat waited.")[
        "items"
    ]


def test_clean_text_and_scattered_words_are_left(items):
    found, settings = items
    rng = random.Random(9)
    scattered = " ".join(word + " " + sentence(rng, 6) for word in found[0].split())
    result = run([sentence(rng, 400), scattered, ""], settings)
    assert max(result["score"].to_pylist()) < 0.2
    assert result["spans"].to_pylist() == [[], [], []]


def test_copies_cut_apart_over_a_long_document_do_not_add_up(items):
    found, settings = items
    rng = random.Random(9)
    words = found[3].split()
    quarter = len(words) // 4
    parts = [" ".join(words[at : at + quarter]) for at in range(0, len(words), quarter)]
    assert run([(" " + sentence(rng, 300) + " ").join(parts)], settings)["score"][0].as_py() < 0.4


def test_the_mapped_index_is_the_index(items, tmp_path):
    found, chosen = items
    built = build_index(tuple(chosen.files), chosen.ngram, chosen.min_words)
    store = Store(str(tmp_path / "run"))
    store.put("index.safetensors", built.to_bytes())
    mapped = Index.mapped(store.map("index.safetensors"))
    assert mapped.names.equals(built.names)
    for part in ("tables", "postings", "items"):
        for one, other in zip(getattr(mapped, part), getattr(built, part), strict=True):
            assert one.dtype == other.dtype
            assert one.flags.aligned
            assert one.flags.writeable, "kernels are compiled for arrays that may be written"
            assert np.array_equal(one, other)
    batch = pa.record_batch({"text": pa.array(planted(found, str.upper), pa.large_string())})
    assert contamination.run(batch, chosen, mapped).equals(contamination.run(batch, chosen))
    assert built.to_bytes() == mapped.to_bytes()


def test_a_run_builds_the_index_once_and_its_workers_map_it(items, tmp_path, monkeypatch):
    found, chosen = items
    lines = [json.dumps({"id": str(n), "text": text}) for n, text in enumerate(planted(found, str))]
    for part in range(4):
        (tmp_path / f"p{part}.jsonl").write_text("\n".join(lines[part::4]) + "\n")
    sources = "".join(f"    - {{name: s{n}, kind: jsonl, path: '{tmp_path}/p{n}.jsonl'}}\n" for n in range(4))
    files = json.dumps(chosen.files)
    text = f"name: t\nuse: a\nsources:\n  a:\n{sources}curate:\n  - contamination: {{files: {files}}}\n"
    builds = []
    monkeypatch.setattr("pipeline.measure.item_index.index_of", lambda *given: builds.append(1) or index_of(*given))
    build_index.cache_clear()
    store = Store(str(tmp_path / "run"))
    state = Run(store, parse("t.yaml", read_yaml("t.yaml", text.encode()), [], {}), Runner(store, InProcess()))
    advance(state, "classify")
    build_index.cache_clear()
    advance(state, "measure")
    assert len(state.shards) == 4
    assert builds == [1]
    assert state.file("classify", "contamination", "weights").path.startswith("work/prepared/")
    for shard in state.shards:
        texts = store.read_table(state.file("extract", shard).path, ["text"])
        [batch] = texts.combine_chunks().to_batches()
        signals = store.read_table(state.file("measure", f"contamination/{shard}").path)
        assert signals.equals(pa.Table.from_batches([contamination.run(batch, chosen)]))
        assert all(signals["items"].to_pylist())


def test_what_a_benchmark_holds_is_cut_from_the_text_and_the_rest_stays(items, tmp_path):
    found, chosen = items
    lines = [
        json.dumps({"id": str(n), "text": f"Before the item of text {n}.\n{item}\nAfter it, in text {n}, more."})
        for n, item in enumerate(found)
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines) + "\n")
    files = json.dumps(chosen.files)
    text = f"name: t\nuse: a\nsources:\n  a:\n    - {{name: s, kind: jsonl, path: '{tmp_path}/p.jsonl'}}\n"
    text += f"curate:\n  - contamination: {{files: {files}}}\n"
    store = Store(str(tmp_path / "run"))
    state = Run(store, parse("t.yaml", read_yaml("t.yaml", text.encode()), [], {}), Runner(store, InProcess()))
    advance(state, "apply")
    texts = [
        row
        for shard in state.shards
        for row in store.read_table(state.file("apply", shard).path, ["text"])["text"].to_pylist()
    ]
    assert len(texts) == len(found)
    for item in found:
        assert not any(item in text for text in texts)
    assert all("Before the item" in text and "After it" in text for text in texts)


def test_no_files_find_nothing_and_missing_ones_are_named(items, tmp_path):
    found, settings = items
    assert run(found, Contamination())["score"].to_pylist() == [0.0] * len(found)
    with pytest.raises(Exception, match=r"nowhere\.csv"):
        build_index((str(tmp_path / "nowhere.csv"),), 4, 13)
    before = files_sha256(settings)
    (tmp_path / "d.txt").write_text("another benchmark")
    assert files_sha256(settings) != before
    assert files_sha256(Contamination()) is None
    unset = Contamination(files=["${NOT_SET}/a.csv"])
    assert left_out(unset) == ["contamination: ${NOT_SET}/a.csv is left out, its variable is not set"]
    assert run(found[:1], unset)["items"].to_pylist() == [[]]


def test_every_kind_of_file_gives_the_same_items(tmp_path):
    long, short = (
        sentence(random.Random(3), 20),
        ["one two three", "four five six seven", "eight nine ten eleven twelve", "a b"],
    )
    rows = [{"uid": "0123456789abcdef0123", "q": long, "choices": short, "n": 4}]
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0]) + "\n\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    (tmp_path / "c.json").write_text(json.dumps({"data": rows}))
    (tmp_path / "d.csv").write_text(",".join([f'"{long}"', *short]) + "\n")
    (tmp_path / "e.tsv").write_text("\t".join([long, *short]) + "\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "f.parquet")
    with tarfile.open(tmp_path / "g.tar", "w") as archive:
        for name in ("a.jsonl", "README.md", "_origin/x.csv"):
            data = (tmp_path / "a.jsonl").read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    for name in ("a.jsonl", "b.jsonl.gz", "c.json", "f.parquet", "g.tar"):
        found = [(item.kind, item.pieces, item.answer) for item in read_items(str(tmp_path / name), 13)]
        joined = " ".join(short)
        assert found == [("question", (long,), joined), ("evidence", (joined,), "")], name
    for name in ("d.csv", "e.tsv"):
        found = [(item.kind, item.pieces) for item in read_items(str(tmp_path / name), 13)]
        assert found == [("text", (long,)), ("text", (" ".join(short),))], name
    (tmp_path / "h.txt").write_bytes("Umsatz über 5 Mio@positive\n".encode("latin-1"))
    assert read_items(str(tmp_path / "h.txt"), 4) == [Item("h.txt#0", "text", ("Umsatz über 5 Mio",))]
    (tmp_path / "i.jsonl").write_text("{broken")
    with pytest.raises(UsageError, match=r"i\.jsonl"):
        read_items(str(tmp_path / "i.jsonl"), 4)


def test_members_of_an_archive_are_chosen_by_name(tmp_path):
    text = " ".join(WORDS[:20])
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("set/train.txt", "set/test-1.txt"):
            data = f"{name} {text}".encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    path = str(tmp_path / "a.tar")
    assert [item.name for item in read_items(path, 13)] == ["train.txt#0", "test-1.txt#0"]
    assert [item.name for item in read_items(f"{path}#*/test-*.txt", 13)] == ["test-1.txt#0"]
    chosen = Contamination(files=[f"{path}#*/test-*.txt"])
    assert files_sha256(chosen) == files_sha256(Contamination(files=[path]))
    with pytest.raises(UsageError, match=r"nothing in a\.tar is named none\*"):
        read_items(f"{path}#none*", 13)
    (tmp_path / "b.txt").write_text(text)
    with pytest.raises(UsageError, match="names members of an archive"):
        read_items(f"{tmp_path}/b.txt#x", 13)


@given(st.integers(1, 400))
def test_long_items_are_cut_into_even_pieces(count):
    from pipeline.ingest.benchmarks import _pieces

    words = [str(n) for n in range(count)]
    pieces = [piece.split() for piece in _pieces(words)]
    assert [word for piece in pieces for word in piece] == words
    assert max(map(len, pieces)) <= PIECE_WORDS
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


WORD = re.compile(r"[^\W_]+(?:['’]+[^\W_]+)*")


def twin_words(text):
    joined = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return [word.replace("'", "").replace("’", "").lower() for word in WORD.findall(joined)]


def twin_grams(words, size):
    """(place, n-gram), without and with a word left out in the middle."""
    head = size - size // 2
    found = [(n, tuple(words[n : n + size])) for n in range(len(words) - size + 1)]
    return found + [(n, (*words[n : n + head], *words[n + head + 1 : n + size + 1])) for n in range(len(words) - size)]


def twin_index(texts, size):
    words = [twin_words(text) for text in texts]
    holders = Counter(word for own in words for word in set(own))
    grams = [twin_grams(own, size) for own in words]
    known = Counter(gram for own in grams for gram in {gram for _, gram in own})
    kept = [[(n, gram) for n, gram in own if known[gram] <= 20] for own in grams]
    kept = [found if len(found) >= 3 else own for found, own in zip(kept, grams, strict=True)]
    weights = [
        [np.float32((2 if re.search(r"\d", w) else 1) * np.log2(1 + len(texts) / holders[w])) for w in own]
        for own in words
    ]
    return words, weights, grams, kept


def twin_find(documents, texts, size):
    """Rows, items and shares, by dictionaries and lists."""
    words, weights, _, kept = twin_index(texts, size)
    found = []
    for row, document in enumerate(documents):
        own = twin_words(document)
        places = {}
        for at, gram in twin_grams(own, size):
            places.setdefault(gram, []).append(at)
        for item in range(len(texts)):
            diagonals = sorted(at - n for n, gram in kept[item] for at in places.get(gram, ()))
            needed = min(max(1, (len(words[item]) - size + 1) // 8), max(1, len(kept[item])))
            while diagonals:
                group = [diagonals.pop(0)]
                while diagonals and diagonals[0] - group[-1] <= 8 and diagonals[0] - group[0] <= 24:
                    group.append(diagonals.pop(0))
                if len(group) >= needed:
                    slack = 4 + len(words[item]) // 4
                    window = own[max(0, group[0] - slack) : group[-1] + len(words[item]) + slack]
                    share = twin_align(window, words[item], weights[item]) / sum(map(float, weights[item]))
                    found.append((row, item, round(share, 4)))
    return sorted(found)


def twin_align(window, item, weights):
    best = [0.0] * (len(window) + 1)
    for word, weight in zip(item, weights, strict=True):
        line = [0.0]
        for column, other in enumerate(window):
            taken = best[column] + float(weight) if other == word else 0.0
            line.append(max(best[column + 1], line[-1], taken))
        best = line
    return best[-1]


def kernel_find(documents, texts, size):
    index = index_of([Item(str(n), "text", (text,)) for n, text in enumerate(texts)], size)
    offsets, data = text_buffers(pa.array(documents, pa.large_string()))
    rows, items, shares, firsts, lasts = overlap.find_items(
        offsets, data, WORD_LOWER, size, index.tables, index.postings, index.items
    )
    for row, first, last in zip(rows, firsts, lasts, strict=True):
        raw = documents[row].encode()
        assert 0 <= first < last <= len(raw)
        raw[first:last].decode()
    return sorted((int(r), int(i), round(float(s), 4)) for r, i, s in zip(rows, items, shares, strict=True))


few = st.lists(
    st.sampled_from(
        ["an", "der", "Ü", "7", "12%", "5,363", "5363", "1,234,567", "one", "rate", "…", "it's", "中", "zwei"]
    ),
    min_size=4,
    max_size=30,
)


@settings(deadline=None)
@given(st.lists(few, min_size=1, max_size=5), st.lists(few, min_size=1, max_size=4), st.integers(2, 4))
def test_the_kernel_equals_its_twin(texts, documents, size):
    texts, documents = [" ".join(t) for t in texts], [" ".join(d) for d in documents]
    ours, twins = kernel_find(documents, texts, size), twin_find(documents, texts, size)
    assert [found[:2] for found in ours] == [found[:2] for found in twins]
    assert [found[2] for found in ours] == pytest.approx([found[2] for found in twins], abs=2e-4)


CORPORA = os.environ.get("CORPORA", "")


@pytest.mark.skipif(not CORPORA, reason="CORPORA names the folder of real text; it is not set")
def test_recall_and_false_positives_on_real_benchmarks():
    from bench.contamination import TARGETS, clean_texts, recalls

    settings = Contamination(files=[f"{CORPORA}/{name}" for name in TARGETS])
    found = recalls(settings, 150)
    assert min(found["exact"], found["reformatted"]) >= 0.97
    assert found["edited"] >= 0.93
    texts = clean_texts(1_500)
    assert sum(bool(names) for names in run(texts, settings)["items"].to_pylist()) == 0
