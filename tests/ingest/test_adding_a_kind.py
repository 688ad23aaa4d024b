"""A new source kind is one file: written into the package, its files are found, read, and named in the recipe's schema."""

import io
import sys
import tarfile

import pytest

import pipeline.ingest.formats as package
from pipeline.core.run_folder import open_run
from pipeline.ingest import kinds
from pipeline.recipe.model import json_schema, recipe_model
from pipeline.run import main

PAGED = '''
"""Text files whose documents are parted by form feeds."""

from pipeline.ingest.kinds import source_kind
from pipeline.ingest.record import Record


@source_kind("paged", ".paged")
def read_paged(stream, where):
    """One record a page."""
    for number, page in enumerate(stream.read().split(b"\\f")):
        yield Record(key=f"{where.name}#{number}", payload=page, locator=where.locator(f"page={number}"))
'''


@pytest.fixture
def paged(tmp_path, monkeypatch):
    """The file where the others are; afterwards nothing of it is left."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "paged.py").write_text(PAGED)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    recipe_model.cache_clear()
    yield
    kinds._REGISTRY.pop("paged", None)
    sys.modules.pop("pipeline.ingest.formats.paged", None)
    recipe_model.cache_clear()


@pytest.mark.parametrize("kind", ["paged", "auto"])
def test_one_file_is_a_source_kind(paged, kind, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.paged").write_text("The first page.\fThe second page.")
    (data / "b.other").write_text("Not of this kind.")
    with tarfile.open(data / "c.tar", "w") as archive:
        member = tarfile.TarInfo("inside.paged")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"A\fB C"))
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: paged\nuse: here\nsources: {{here: [{{name: pages, kind: {kind}, path: {data}}}]}}\ncurate: [exact]\n"
    )
    out = tmp_path / "run"
    assert main([str(recipe), "--out", str(out), "--ray", "none", "--to", "extract", "--json"]) == 0
    opened = open_run(str(out))
    found = [row for shard in opened.shards for row in opened.documents(shard).to_pylist()]
    of_archive = [("member=inside.paged;page=0", "A"), ("member=inside.paged;page=1", "B C")] if kind == "auto" else []
    assert [(row["locator"], row["text"]) for row in found] == [
        ("page=0", "The first page."),
        ("page=1", "The second page."),
        *of_archive,
    ]
    assert "paged" in json_schema()["$defs"]["Source"]["properties"]["kind"]["enum"]


def test_two_kinds_may_not_claim_one_ending():
    with pytest.raises(ValueError, match=r"kinds jsonl and other both claim \.jsonl"):
        kinds.source_kind("other", ".other", ".jsonl")(lambda stream, where: iter(()))
    assert "other" not in kinds.formats()
