"""Other extractors behind `extract.method`: each gives its own text, one that is absent is named, and the choice is in the key."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from pipeline.errors import UsageError
from pipeline.extract import methods
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import extract_html
from pipeline.run import main

STORY = (
    "The harbour board met on Monday and agreed to dredge the northern channel before the winter storms set in. " * 4
)
PAGE = (
    "<html><head><title>Harbour</title></head><body><nav><a href=/a>Home</a> <a href=/b>News</a></nav>"
    f"<article><h1>Harbour</h1><p>{STORY}</p><p>{STORY}</p></article>"
    "<footer><a href=/c>Imprint</a></footer></body></html>"
)


def text_by(method, **settings):
    return extract_html(PAGE.encode(), None, ExtractSettings(method=method, **settings)).text


def test_resiliparse():
    text = text_by("resiliparse")
    assert text.count("northern channel") == 8
    assert "Imprint" not in text
    assert "Imprint" in text_by("resiliparse", main_content=False)


@pytest.mark.parametrize(("method", "package"), [("trafilatura", "trafilatura"), ("readability", "readability-lxml")])
def test_real_packages(method, package):
    pytest.importorskip(method, reason=f"{package} is not installed")
    text = text_by(method)
    assert "northern channel" in text
    assert "Imprint" not in text


def test_what_the_packages_are_asked_for(monkeypatch):
    asked = {}

    def extract(page, **options):
        asked.update(options)
        return "by trafilatura" if "dredge" in page else None

    class Document:
        def __init__(self, page):
            self.page = page

        def summary(self, html_partial):
            assert html_partial
            assert "dredge" in self.page
            return "<div><p>by readability</p><table><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table></div>"

    monkeypatch.setitem(sys.modules, "trafilatura", SimpleNamespace(extract=extract))
    monkeypatch.setitem(sys.modules, "readability", SimpleNamespace(Document=Document))
    assert text_by("trafilatura", comments="keep", tables="drop") == "by trafilatura"
    assert asked == {"include_comments": True, "include_tables": False}
    assert text_by("readability") == "by readability\n\na\t1\nb\t2"
    assert extract_html(b"<p>other", None, ExtractSettings(method="trafilatura")).text == ""


def test_an_absent_package_is_said_in_one_sentence(monkeypatch, tmp_path, capsys):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "readability" else there(name))
    with pytest.raises(UsageError, match=r"^extract\.method: readability needs .* pip install readability-lxml$"):
        methods.require("readability")
    methods.require("ours")
    methods.require("resiliparse")
    assert main([*arguments(tmp_path), "--set", "extract.method=readability"]) == 2
    assert "pip install readability-lxml" in capsys.readouterr().err


def test_another_method_extracts_anew(tmp_path, capsys):
    assert main(arguments(tmp_path)) == 0
    assert main([*arguments(tmp_path), "--set", "extract.method=resiliparse"]) == 0
    assert 'extract.method "ours" → "resiliparse"' in capsys.readouterr().err


def arguments(folder):
    """Those of a run over one page."""
    (folder / "page.html").write_text(PAGE)
    recipe = folder / "recipe.yaml"
    source = f"{{name: pages, role: domain, path: {folder}/page.html}}"
    recipe.write_text(f"name: methods\nuse: own\nsources: {{own: [{source}]}}\ncurate: [gopher]\n")
    return [str(recipe), "--to", "extract", "--out", str(folder / "run"), "--ray", "none"]
