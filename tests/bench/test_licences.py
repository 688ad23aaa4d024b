"""The list of licences names what is installed, and nothing of it is under a licence that would bind a user's own code."""

from bench.licences import COPYLEFT, PAGE, closure, licence, rows


def listed() -> dict[str, str]:
    lines = [
        line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ") and "package" not in line
    ]
    return {name.strip(): stated.strip() for _, name, stated, *_ in lines}


def test_the_page_has_every_installed_package_under_its_licence():
    page = listed()
    assert {name: stated for name, (stated, _) in rows().items() if page.get(name) != stated} == {}, (
        "python -m bench.licences --write"
    )


def test_no_licence_is_unknown_or_copyleft():
    page = listed()
    assert len(page) > 40
    assert [name for name, stated in page.items() if stated == "not stated" or COPYLEFT.search(stated)] == []


def test_copyleft_is_recognised():
    assert COPYLEFT.search("GPL-3.0-only")
    assert COPYLEFT.search("AGPL-3.0")
    assert not COPYLEFT.search("LGPL-2.1")


def test_a_requirement_leads_to_what_it_requires():
    names = closure(["rich>=13"])
    assert {"rich", "pygments", "markdown-it-py", "mdurl"} <= names
    assert "numpy" not in names
    assert licence("rich") == "MIT"
