"""Files told apart by content: a change under an equal size and time is met when it is looked for, and from then on."""

import os

from pipeline.core.store import Store
from pipeline.ingest.contents import by_content
from pipeline.ingest.files import list_inputs
from pipeline.ingest.source import Source


def versions(store, source, again=False):
    return {file.path: file.version for file in by_content(store, "notes", list_inputs(source), again)}


def test_a_change_under_an_equal_size_and_time_is_met(tmp_path):
    (tmp_path / "in").mkdir()
    for name, text in (("a.txt", "one two three"), ("b.txt", "four five")):
        (tmp_path / "in" / name).write_text(text)
    source, store = Source(name="notes", path=str(tmp_path / "in")), Store(str(tmp_path / "run"))
    plain = versions(store, source)
    assert plain == {file.path: file.version for file in list_inputs(source)}, "nobody asked for digests"
    digests = versions(store, source, again=True)
    assert not set(digests.values()) & set(plain.values())
    changed = tmp_path / "in" / "a.txt"
    when = changed.stat()
    changed.write_text("one TWO three")
    os.utime(changed, ns=(when.st_atime_ns, when.st_mtime_ns))
    assert versions(store, source) == digests, "time and size are as before"
    met = versions(store, source, again=True)
    assert met["b.txt"] == digests["b.txt"]
    assert met["a.txt"] != digests["a.txt"]
    assert versions(store, source) == met, "a run that does not look keeps to what was seen last"


def test_a_file_that_was_only_touched_is_the_same_file(tmp_path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.txt"
    file.write_text("one two three")
    source, store = Source(name="notes", path=str(tmp_path / "in")), Store(str(tmp_path / "run"))
    before = versions(store, source, again=True)
    os.utime(file, (1, 1))
    assert versions(store, source) == before
    file.write_text("one two three four")
    assert versions(store, source) != before
