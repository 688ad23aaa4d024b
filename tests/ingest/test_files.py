"""Which files are read, in which order and shards, and what is said when there are none."""

import gzip
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.files import (
    BIG_FILE_BYTES,
    SHARD_BYTES,
    SHARD_FILES,
    InputFile,
    list_inputs,
    plan_shards,
)
from pipeline.ingest.kinds import kind_of_name
from pipeline.ingest.source import Source

from .conftest import rows_of

AGENT = "acme/1.0 (+https://acme.example/bot)"


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"text": "x"}')


def test_order_is_by_relative_path_whatever_the_listing(tmp_path):
    names = ["b.jsonl", "a/z.jsonl", "a.jsonl", "a/b.jsonl.zst", ".hidden/c.jsonl", "note.md"]
    write(tmp_path, *random.Random(1).sample(names, len(names)))
    source = Source(name="s", kind="jsonl", path=str(tmp_path))
    assert [file.path for file in list_inputs(source)] == ["a.jsonl", "a/b.jsonl.zst", "a/z.jsonl", "b.jsonl"]


def test_globs_choose_and_leave_out(tmp_path):
    write(tmp_path, "x/a.jsonl", "x/b.jsonl", "y/a.jsonl")
    listed = list_inputs(Source(name="s", path=str(tmp_path), include=["x/*"], exclude=["b.jsonl"]))
    assert [file.path for file in listed] == ["x/a.jsonl"]
    globbed = list_inputs(Source(name="s", path=f"{tmp_path}/*/a.jsonl"))
    assert [file.path for file in globbed] == ["x/a.jsonl", "y/a.jsonl"]
    single = list_inputs(Source(name="s", path=f"{tmp_path}/x/a.jsonl"))
    assert [file.path for file in single] == ["a.jsonl"]


def test_version_changes_with_the_file_and_only_then(tmp_path):
    write(tmp_path, "a.jsonl")
    source = Source(name="s", path=str(tmp_path))
    before = list_inputs(source)
    assert before == list_inputs(source)
    os.utime(tmp_path / "a.jsonl", ns=(1, 1_000_000_123_000))
    assert list_inputs(source)[0].version != before[0].version


def test_a_missing_folder_names_the_nearest_one(tmp_path):
    (tmp_path / "crawl-2026").mkdir()
    with pytest.raises(UsageError, match=r"source s: .*crawl-2025 does not exist; did you mean .*crawl-2026\?"):
        list_inputs(Source(name="s", path=str(tmp_path / "crawl-2025")))
    with pytest.raises(UsageError, match=r"source s: .*deep/down does not exist; .* holds crawl-2026"):
        list_inputs(Source(name="s", path=str(tmp_path / "zzz/deep/down")))


def test_a_folder_without_a_match_says_what_it_holds(tmp_path):
    with pytest.raises(UsageError, match=r"no file of kind warc in .*; it is empty"):
        list_inputs(Source(name="s", kind="warc", path=str(tmp_path)))
    write(tmp_path, "a.jsonl", "b.png")
    with pytest.raises(UsageError, match=r"no file of kind warc in .*; it holds a.jsonl, b.png"):
        list_inputs(Source(name="s", kind="warc", path=str(tmp_path)))


def test_an_exclude_that_leaves_nothing_is_named(tmp_path):
    write(tmp_path, "a.jsonl", "b.txt")
    with pytest.raises(
        UsageError, match=r"source s: exclude \(\*\) leaves out every file in .*; it holds a.jsonl, b.txt"
    ):
        list_inputs(Source(name="s", path=str(tmp_path), exclude=["*"]))


def test_an_unreadable_file_is_an_infrastructure_error_that_names_it(tmp_path, monkeypatch):
    write(tmp_path, "a.jsonl")
    source = Source(name="s", path=str(tmp_path))
    if os.geteuid():
        (tmp_path / "a.jsonl").chmod(0)
    else:  # root may read anything: refuse in its place

        def refuse(*_args, **_kwargs):
            raise PermissionError(13, "Permission denied", str(tmp_path / "a.jsonl"))

        monkeypatch.setattr("pipeline.ingest.streams.open", refuse, raising=False)
    with pytest.raises(InfrastructureError, match=r"cannot read .*a\.jsonl: Permission denied"):
        rows_of(source)


def test_any_fsspec_url_is_a_path():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/ingest-test/b/x.jsonl", b'{"text": "one"}\n')
    memory.pipe("/ingest-test/a.jsonl", b'{"text": "two"}\n')
    source = Source(name="s", path="memory://ingest-test")
    assert [(row["path"], row["payload"]) for row in rows_of(source)] == [("a.jsonl", b"two"), ("b/x.jsonl", b"one")]


@given(st.lists(st.integers(0, 2 * BIG_FILE_BYTES), max_size=60), st.integers(1, 3))
def test_shards_hold_every_file_once_in_order(sizes, repeat):
    files = [InputFile(f"{number:04d}", "", size, "") for number, size in enumerate(sizes * repeat)]
    shards = plan_shards(Source(name="s", path="x"), files)
    assert [file for shard in shards for file in shard.files] == files
    assert [shard.name for shard in shards] == [f"s/{number:05d}" for number in range(len(shards))]
    for shard in shards:
        assert len(shard.files) <= SHARD_FILES
        assert shard.size <= SHARD_BYTES or len(shard.files) == 1
        assert len(shard.files) == 1 or all(file.size < BIG_FILE_BYTES for file in shard.files)


def test_many_small_files_fill_shards_by_count():
    files = [InputFile(f"{number:05d}", "", 10, "") for number in range(1100)]
    assert [len(shard.files) for shard in plan_shards(Source(name="s", path="x"), files)] == [512, 512, 76]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.warc.gz", "warc"), ("a.WET", "warc"), ("b.html", "html"), ("c.jsonl.zst", "jsonl"), ("d.tar.gz", "tar"),
     ("d.tgz", "tar"), ("e.tsv", "csv"), ("f.md", "text"), ("g.PDF", "pdf"), ("g.xcf", None), ("h.gz", None), ("i.sgm", "reuters"),
     ("j.nc", "edgar")],
)  # fmt: skip
def test_kind_by_name(name, kind):
    assert kind_of_name(name) == kind


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "path is missing"),
        ({"kind": "hub"}, "needs a `hub:` block"),
        (
            {"path": "x", "crawl": {"seeds": ["https://a.example"], "user_agent": AGENT}},
            "only for sources of kind crawl",
        ),
        ({"kind": "crawl", "crawl": {"seeds": ["https://a.example"]}}, "user_agent\n  Field required"),
        ({"kind": "crawl", "crawl": {"seeds": ["https://a.example"], "user_agent": "mybot/1.0"}}, "hold a contact"),
        ({"kind": "crawl", "crawl": {"seeds": ["https://[a"], "user_agent": AGENT}}, "is not an http or https address"),
        ({"kind": "crawl", "crawl": {"user_agent": AGENT}}, "give `seeds` or `domains`"),
        ({"kind": "html", "fetch": {"user_agent": AGENT, "years": [2024]}}, "only for sources of kind edgar"),
        ({"kind": "edgar", "path": "x", "fetch": {"user_agent": AGENT, "years": [2024]}}, "takes no path"),
        (
            {"kind": "commoncrawl", "commoncrawl": {"user_agent": AGENT, "crawls": ["CC-MAIN-2024-10"]}},
            "give `domains`, `urls` or `files`",
        ),
        ({"kind": "crawl", "crawl": {"seeds": ["ftp://a"]}}, "is not an http or https address"),
        ({"kind": "hub", "hub": {"dataset": "a/b", "revision": "main"}}, "a branch, which moves"),
        ({"kind": "hub", "hub": {"dataset": "https://hub.example/a/b", "revision": "v1"}}, "hub.dataset"),
        ({"kind": "edgar", "fetch": {"user_agent": AGENT, "years": [24]}}, "greater than or equal to 1993"),
        (
            {
                "kind": "commoncrawl",
                "commoncrawl": {"user_agent": AGENT, "crawls": ["2024-10"], "domains": ["a.example"]},
            },
            "commoncrawl.crawls",
        ),
        ({"path": "x", "roles": "domain"}, "Extra inputs are not permitted"),
        ({"name": "Not a slug", "path": "x"}, "String should match pattern"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Source(**{"name": "s", **settings})


def test_an_absent_optional_source_has_no_files():
    source = Source(name="s", optional=True)
    assert source.is_absent
    assert list_inputs(source) == []


def test_roles_by_host():
    source = Source(name="s", path="x", domain_hosts=["*.sec.gov", "fed.example"])
    assert [source.role_of(url) for url in ("https://WWW.sec.gov/a", "http://fed.example:80/", "https://x.org", None)] == [
        "domain", "domain", "general", "general",
    ]  # fmt: skip
    assert Source(name="s", path="x", role="domain").role_of("https://x.org") == "domain"


def test_every_setting_is_described():
    schema = Source.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    assert not [name for model in models for name, field in model["properties"].items() if "description" not in field]


def test_rows_without_end_in_a_small_file_are_cut_and_said(tmp_path):
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 50_000))
    rows = rows_of(Source(name="s", path=str(tmp_path)))
    assert len(rows) == 10_001
    assert rows[-1]["reason"] == "ingest.too_many_records"
    assert "more than 10,000 records" in rows[-1]["detail"]
    assert len(rows_of(Source(name="s", path=str(tmp_path), max_records=20_000))) == 20_001
    long = b"".join(b'{"text": "row %d is long enough to be one"}\n' % number for number in range(12_000))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(long, 0))
    assert len(rows_of(Source(name="s", path=str(tmp_path)))) == 12_000


def test_a_name_that_is_no_utf_8_is_escaped(tmp_path):
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt"), "wb") as file:
        file.write(b"Coffee is served until noon.")
    (row,) = rows_of(Source(name="s", path=str(tmp_path)))
    assert (row["path"], row["payload"]) == ("caf\\xe9.txt", b"Coffee is served until noon.")
