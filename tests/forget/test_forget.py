"""Forgetting: the text leaves every file, the rest stays what it was, and no later run takes it in again."""

import contextlib
import io
import json
import shutil
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.__main__ import main as command
from pipeline.core.ledger import Ledger
from pipeline.core.store import Store
from pipeline.extract import tombstones
from pipeline.run import main
from tests.faults.tiny import RECIPE, text, write_inputs

SECRET = "zanzibarquux"
URL = "https://ann.example/diary"
MEMO, MEMO_URL = "quibblewick", "https://carl.example/memo"


def said(call, arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = call([str(argument) for argument in arguments])
    return code, json.loads(out.getvalue().strip().splitlines()[-1])


def run(folder, out, *more):
    return said(main, [folder / "r.yaml", "--out", out, "--ray", "none", "--no-train", "--json", *more])[1]


def forget(out, *wanted, expect=0):
    code, found = said(command, ["forget", *wanted, "--run", out, "--json"])
    assert code == expect, found
    return found


def holding(folder, word):
    """Files that hold a word, in Parquet columns, compressed members or plainly."""
    found = []
    for path in sorted(Path(folder).rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data = json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        elif path.suffix == ".gz":
            decoded = b""
            while data:
                decoder = zlib.decompressobj(31)
                decoded += decoder.decompress(data)
                data = decoder.unused_data
            data = decoded
        if word.encode() in data:
            found.append(str(path.relative_to(folder)))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run over two sources of two files each, with one secret document and an exact copy of it elsewhere."""
    folder = tmp_path_factory.mktemp("forget")
    write_inputs(folder)
    secret = f"{SECRET} {text(777)} {SECRET}"
    with (folder / "news.jsonl").open("a") as file:
        file.write(json.dumps({"id": "diary", "url": URL, "title": SECRET, "text": secret}) + "\n")
        file.write(json.dumps({"id": "other", "url": "https://bob.example/", "text": text(778)}) + "\n")
        memo = f"{MEMO} {text(779, 30)}"
        file.write(json.dumps({"id": "memo", "url": MEMO_URL, "text": memo}) + "\n")
    with (folder / "web.jsonl").open("a") as file:
        file.write(json.dumps({"id": "mirror", "url": "https://mirror.example/", "text": secret}) + "\n")
        file.write(json.dumps({"id": "near", "url": "https://near.example/", "text": f"{memo} Read again."}) + "\n")
    rows = [{"id": f"m{n}", "text": text(300 + n)} for n in range(8)]
    (folder / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    extra = "    - {name: more, kind: jsonl, path: PATH/more.jsonl, role: general, licence: CC0-1.0}\ncurate:"
    (folder / "r.yaml").write_text(RECIPE.replace("curate:", extra, 1).replace("PATH", str(folder)))
    run(folder, folder / "out", "--set", "curate.gopher.min_num_words=10")  # leaves files of other settings behind
    return folder, run(folder, folder / "out")


@pytest.fixture
def copied(made, tmp_path):
    folder, result = made
    shutil.copytree(folder / "out", tmp_path / "out")
    return folder, tmp_path / "out", result


def test_the_text_is_gone_and_the_rest_stays(copied):
    _, out, before = copied
    assert holding(out, SECRET)
    untouched = {p: p.read_bytes() for p in (out / "work/shards").rglob("*") if "/more/" in str(p)}
    tokenizer = (out / "tokenizer/tokenizer.json").read_bytes()
    found = forget(out, URL)
    assert len(found["documents"]) == 2, "the exact copy goes too"
    assert holding(out, SECRET) == []
    assert untouched
    assert all(path.read_bytes() == data for path, data in untouched.items())
    assert (out / "tokenizer/tokenizer.json").read_bytes() == tokenizer
    assert not [name for name in found["made_again"] if "more" in name]
    assert {name for name in found["made_again"] if name.startswith("shards ")} == {"shards news/00000"}
    code, checked = said(command, ["verify", "--run", out, "--json"])
    assert (code, checked["damaged"]) == (0, [])
    after = json.loads((out / "work/result.json").read_text())
    assert after["documents"]["quarantined"] == before["documents"]["quarantined"] + 2
    assert after["documents"]["kept"] == before["documents"]["kept"] - 1
    trail = [row for path in out.glob("corpus/quarantined/**/*.parquet") for row in pq.read_table(path).to_pylist()]
    assert sorted(row["id"] for row in trail if row["reasons"] == ["rights.forgotten"]) == found["documents"]
    assert all(row["text"] == "" and row["url"] is None for row in trail if row["rule"] == "forgotten")
    assert URL not in (out / "tombstones.json").read_text()


def test_the_next_run_finds_everything_done(copied):
    folder, out, _ = copied
    forget(out, URL)
    hashed = json.loads((out / "work/result.json").read_text())["root_hash"]
    again = run(folder, out)
    assert {n: s for n, s in again["steps"].items() if s != "reused: did not change"} == {}
    assert again["root_hash"] == hashed


def test_it_stays_forgotten_when_everything_is_made_again(copied, tmp_path):
    folder, out, _ = copied
    forget(out, URL)
    run(folder, out, "--set", "extract.unwrap=false")
    assert holding(out, SECRET) == []
    listed = f"tombstones=[{out}/tombstones.json]"
    run(folder, tmp_path / "elsewhere", "--set", listed)
    assert holding(tmp_path / "elsewhere", SECRET) == [], "another folder honours the tombstones that its recipe names"


def test_again_changes_nothing_and_strangers_are_an_error(copied):
    _, out, _ = copied
    first = forget(out, URL)
    state = {path: path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
    again = forget(out, URL)
    assert (again["documents"], again["made_again"], again["old_files_removed"]) == ([], [], 0)
    assert again["checkpoints"] == first["checkpoints"]
    assert state == {path: path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
    forget(out, "https://nobody.example/", expect=2)
    forget(out / "nowhere", URL, expect=2)


def test_by_id_and_by_text_hash(copied):
    _, out, _ = copied
    store = Store(str(out))
    table = store.read_table(Ledger(store).last("extract")["news/00000"].files["table"].path, ["id", "url"])
    texts = store.read_table(Ledger(store).last("apply")["news/00000"].files["table"].path, ["text_hash"])
    rows = {row["url"]: (row["id"], texts["text_hash"][n].as_py().hex()) for n, row in enumerate(table.to_pylist())}
    found = forget(out, rows[URL][0], rows["https://bob.example/"][1])
    assert len(found["documents"]) == 3
    assert holding(out, SECRET) == []


def test_near_copies_are_listed_and_forgotten_only_when_asked_for(copied):
    _, out, _ = copied
    [near] = forget(out, MEMO_URL)["near_copies"]
    assert (near["url"], near["verdict"], near["source"]) == ("https://near.example/", "removed", "web")
    assert holding(out, MEMO), "the near copy is another document"
    [recorded] = json.loads((out / "forgotten.json").read_text())["near_copies"]
    assert recorded == {name: near[name] for name in ("id", "verdict", "near")}, "no address: it may be forgotten yet"
    assert [one["id"] for one in forget(out, MEMO_URL)["near_copies"]] == [near["id"]]
    later = forget(out, MEMO_URL, "--near-copies")
    assert (later["documents"], later["near_copies"]) == ([near["id"]], [])
    assert holding(out, MEMO) == holding(out, "near.example") == []
    assert json.loads((out / "forgotten.json").read_text())["near_copies"] == []


def test_near_copies_at_once_and_from_the_side_that_was_removed(copied):
    folder, out, _ = copied
    found = forget(out, "https://near.example/", "--near-copies")
    assert len(found["documents"]) == 2
    assert holding(out, MEMO) == []
    assert {n: s for n, s in run(folder, out)["steps"].items() if s != "reused: did not change"} == {}


def test_tombstones_hold_hashes_alone(tmp_path):
    store = Store(str(tmp_path))
    tombstones.save(store, [tombstones.mark("url", URL)])
    assert tombstones.load(store) == [tombstones.mark("url", URL)]
    assert set(json.loads((tmp_path / "tombstones.json").read_text())) == {"version", "sha256", "checksum"}
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(Exception, match=r"bad\.json"):
        tombstones.load(store, [str(tmp_path / "bad.json")])


def test_a_page_of_the_embedded_crawl_leaves_the_frozen_file_too(tmp_path):
    recipe = Path(__file__).resolve().parents[2] / "recipes/finance.yaml"
    small = ["--set", "sources.sample[0].sample={pages: 60}", "--to", "decide"]
    arguments = [recipe, "--out", tmp_path / "out", "--ray", "none", "--no-train", "--json", *small]
    said(main, arguments)
    store = Store(str(tmp_path / "out"))
    table = store.read_table(Ledger(store).last("extract")["crawl/00000"].files["table"].path)
    page = next(row for row in table.to_pylist() if len(row["text"]) > 500 and row["url"])
    words = page["text"][100:140].replace("\n", " ").split(" ")
    phrase = max(words, key=len)
    before = len(holding(tmp_path / "out", page["url"]))
    forget(tmp_path / "out", page["url"])
    assert before
    assert phrase
    assert holding(tmp_path / "out", page["url"]) == []
    again = said(main, arguments)[1]
    assert {n: s for n, s in again["steps"].items() if s != "reused: did not change"} == {}
