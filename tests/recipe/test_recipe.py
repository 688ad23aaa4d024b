"""The recipe: every mistake at once, each with its place and the nearest right name; nothing is run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.override import override
from pipeline.errors import UsageError
from pipeline.recipe.located_yaml import read_yaml
from pipeline.recipe.model import json_schema, load, parse

GOOD = """\
name: tiny
use: here
sources:
  here:
    - {name: pages, kind: text, path: "${PAGES}", role: domain, licence: CC0-1.0}
curate:
  - language: {keep: [en], min_score: 0.5}
  - gopher: {min_num_words: 50}
  - exact
"""


def problems(text, sets=(), variables=None):
    with pytest.raises(UsageError) as caught:
        parse("r.yaml", read_yaml("r.yaml", text.encode()), list(sets), variables or {"PAGES": "/pages"})
    return str(caught.value).splitlines()


def good(sets=(), variables=None):
    return parse("r.yaml", read_yaml("r.yaml", GOOD.encode()), list(sets), variables or {"PAGES": "/pages"})


def test_three_mistakes_are_three_located_lines():
    text = (
        GOOD.replace("role: domain", "rol: domain")
        .replace("min_num_words", "min_num_wrds")
        .replace("- exact", "- exakt")
    )
    assert problems(text) == [
        "r.yaml:5:51 sources.here[0].rol unknown key; did you mean role?",
        "r.yaml:8:14 curate[1].gopher.min_num_wrds unknown key; did you mean min_num_words?",
        "r.yaml:9:5 curate[2].exakt unknown judge; did you mean exact?",
    ]


def test_a_mistyped_choice_and_a_value_beyond_a_bound_show_what_was_given():
    (line,) = problems(GOOD.replace("kind: text", "kind: txt"))
    assert line.endswith("not 'txt'; did you mean text?")
    (line,) = problems(GOOD, ["sandbox.max_memory_bytes=10"])
    assert line.endswith("greater than or equal to 67108864, not 10")


@pytest.mark.parametrize("value", [".nan", ".inf"])
def test_a_bound_that_is_no_number_is_refused(value):
    (line,) = problems(GOOD.replace("min_num_words: 50", f"min_num_words: {value}"))
    assert line.startswith("r.yaml:8:")
    assert "finite number" in line


def test_bounds_of_sources_and_roles_are_checked_by_name():
    bounds = "min_num_words: 50, by_source: {pages: {min_num_words: 25}}, by_role: {general: {max_num_words: 9000}}"
    recipe = parse(
        "r.yaml", read_yaml("r.yaml", GOOD.replace("min_num_words: 50", bounds).encode()), [], {"PAGES": "/p"}
    )
    settings = dict(recipe.judges)["gopher"]
    assert [settings.at("pages", "general").min_num_words, settings.at("other", "general").max_num_words] == [25, 9000]
    (line,) = problems(GOOD, ["curate.gopher.by_source={pages: {min_num_wrds: 25}}"])
    assert line.endswith("gopher.by_source pages: no threshold named 'min_num_wrds'; did you mean min_num_words?")
    (line,) = problems(GOOD, ["curate.gopher.by_role={generl: {min_num_words: 25}}"])
    assert "'domain' or 'general'" in line
    for field, value in (("by_source", "{page: {min_num_words: 25}}"), ("exempt", "[page]")):
        (line,) = problems(GOOD, [f"curate.gopher.{field}={value}"])
        assert line.endswith(f"gopher.{field}: there is no source 'page'; did you mean pages?")


def test_duplicate_keys_are_refused():
    assert problems(GOOD + "name: other\n") == ["r.yaml:10:1 name is given twice (first on line 1)"]


def test_alias_bombs_are_refused():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join('*' + a for _ in range(9))}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=False)
    )
    with pytest.raises(UsageError, match=r"values or 40 levels"):
        read_yaml("r.yaml", bomb.encode())


def test_unknown_set_and_unset_variable_are_located():
    assert problems(GOOD.replace("use: here", "use: heer")) == [
        "r.yaml:2:1 use there is no set of sources named 'heer'; did you mean here?"
    ]
    assert (
        problems(GOOD, variables={"X": "1"})
        == ["r.yaml:5:5 sources.here[0].path the environment variable PAGES is not set"]
        or "PAGES is not set" in problems(GOOD, variables={"X": "1"})[0]
    )


def test_optional_sources_may_have_an_unset_variable():
    recipe = parse("r", read_yaml("r", GOOD.replace("role: domain", "optional: true").encode()), [], {})
    assert recipe.chosen[0].is_absent


@pytest.mark.parametrize(
    "text", ["", "- a\n", "a: [\n", "a: b: c\n", "\ta: 1\n", "? [1]\n: 2\n", "a: !!python/object:os.system x\n"]
)
def test_broken_yaml_is_a_usage_error(text):
    with pytest.raises(UsageError, match=r"^r\.yaml:"):
        parse("r.yaml", read_yaml("r.yaml", text.encode()), [], {})


def test_set_is_typed_and_finds_judges_by_name():
    recipe = good(["mix.domain=0.6", "curate.gopher.min_num_words=20", "curate[0].language.keep=[en, de]", "seed=7"])
    assert recipe.mix.domain == 0.6
    assert recipe.seed == 7
    assert dict(recipe.judges)["gopher"].min_num_words == 20
    assert dict(recipe.judges)["language"].keep == ["en", "de"]


@pytest.mark.parametrize("bad", ["mix.domain", "=3", "curate.nope.x=1", "curate[9].x=1", "name.x=1", "mix.domain=[1"])
def test_bad_set_is_a_usage_error(bad):
    with pytest.raises(UsageError, match=r"--set|not|input|mix"):
        good([bad])


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("curate.langage.min_score=0.2", "no entry named 'langage' in curate; did you mean language?"),
        ("curate.goffer.min_num_words=2", "did you mean gopher?"),
        ("curate.exakt.x=1", "did you mean exact?"),
        ("sources.here.pagse.role=general", "no entry named 'pagse' in sources.here; did you mean pages?"),
        ("curate.zzz.x=1", "no entry named 'zzz' in curate (there are language, gopher, exact)"),
        ("sources.here.pages={path: ${PAGES}}", "put quotes around the value with ${PAGES}"),
    ],
)
def test_a_mistyped_set_names_the_nearest_entry(assignment, says):
    with pytest.raises(UsageError) as caught:
        good([assignment])
    assert str(caught.value).startswith(f"--set {assignment}:")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "value", ["{path: ${PAGES}}", "{path: ${PAGES}/x, name: a}", "{path: /data/${PAGES}}", "[${PAGES}]"]
)
def test_an_unquoted_variable_in_braces_says_quote_it(value):
    with pytest.raises(UsageError, match=r"^r\.yaml:2:\d+ not valid YAML: .*put quotes around .*\$\{PAGES\}"):
        read_yaml("r.yaml", f"name: x\nsources: {value}\n".encode())
    with pytest.raises(UsageError) as caught:
        read_yaml("r.yaml", b"name: {a: b {}}\n")
    assert "quotes" not in str(caught.value)


@pytest.mark.parametrize(("name", "nearest"), [("lawe", "legal"), ("finanse", "finance"), ("medicine", "medical")])
def test_a_mistyped_term_list_names_the_nearest(name, nearest):
    (line,) = problems(GOOD + f"  - terms: {{list: {name}}}\n")
    assert line.startswith(f"r.yaml:10:13 curate[3].terms.list no term list '{name}'")
    assert f"did you mean {nearest}?" in line
    (line,) = problems(GOOD + "  - terms: {list: zzzz}\n")
    assert "shipped: finance, legal, medical" in line


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("s4://x", "unknown scheme 's4'; did you mean s3?"),
        ("htps://x/a", "unknown scheme 'htps'; did you mean https?"),
        ("zip://*.csv::gss://b/a.zip", "unknown scheme 'gss'; did you mean gs?"),
    ],
)
def test_an_unknown_scheme_is_located(path, says):
    assert problems(GOOD.replace("${PAGES}", path)) == [f"r.yaml:5:33 sources.here[0].path {says}"]
    for right in ("s3://b/x", "file:///x", "zip://*.csv::s3://b/a.zip", "/pages"):
        assert good(variables={"PAGES": right}).chosen[0].path == right


def test_an_unknown_preset_of_the_training_is_located():
    text = GOOD + "pretrain:\n  model:\n    preset: %s\n"
    for wrong, nearest in (("tinny", "tiny"), ("bertbase", "bert-base"), ("gpt3", "gpt2")):
        assert problems(text % wrong) == [
            f"r.yaml:12:5 pretrain.model.preset no preset named '{wrong}'; did you mean {nearest}?"
        ]
    assert "named 'zzzzz' (known: " in problems(text % "zzzzz")[0]
    assert problems(text % "[tiny]")


def test_missing_recipe_names_the_nearest(tmp_path):
    (tmp_path / "finance.yaml").write_text(GOOD)
    with pytest.raises(UsageError, match=r"did you mean .*finance\.yaml"):
        load(str(tmp_path / "finanse.yaml"))


def test_a_shipped_recipe_is_found_by_name_and_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("finance").name == load("finance", ["seed=3"]).name == "finance"
    with pytest.raises(UsageError, match="finanse: no such recipe; did you mean finance"):
        load("finanse")
    with pytest.raises(UsageError, match=r"recipes/legal\.yaml: no such recipe; did you mean legal"):
        load("recipes/legal.yaml")
    with pytest.raises(UsageError, match=r"zzz: no such recipe \(shipped: finance, legal, medical\)"):
        load("zzz")
    monkeypatch.setenv("PAGES", str(tmp_path))
    for own in ("finance.yaml", "finance"):
        (tmp_path / own).write_text(GOOD)
        assert load("finance").name == "tiny"
        (tmp_path / own).unlink()


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("judges.gopher.n", [{"gopher": {"n": 1}}, "exact", {"name": "web", "path": "p"}]),
        ("judges.exact.n", [{"gopher": None}, {"exact": {"n": 1}}, {"name": "web", "path": "p"}]),
        ("judges.web.path", [{"gopher": None}, "exact", {"name": "web", "path": 1}]),
        ("judges[1]", [{"gopher": None}, 1, {"name": "web", "path": "p"}]),
        ("judges.web", [{"gopher": None}, "exact", 1]),
    ],
)
def test_an_entry_is_named_by_position_or_by_name(path, holds):
    document = {"judges": [{"gopher": None}, "exact", {"name": "web", "path": "p"}]}
    override(document, f"{path}=1")
    assert document["judges"] == holds


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("judges[7]=1", "judges has 1 entries"),
        ("judges.minhash.n=1", "no entry named 'minhash' in judges"),
        ("judges.gopher.n.m=1", None),
        ("seed", "expected path=value"),
        ("seed=[1", "not valid YAML"),
        ("judges[0][0].x=1", None),
    ],
)
def test_a_path_that_leads_nowhere_is_a_sentence(assignment, says):
    document = {"judges": [{"gopher": None}], "seed": 0}
    if says is None:
        override(document, assignment)
        assert document["judges"] != [{"gopher": None}]
        return
    with pytest.raises(UsageError, match=says):
        override(document, assignment)
    assert document == {"judges": [{"gopher": None}], "seed": 0}


def test_order_of_judges_is_the_files_order():
    assert [name for name, _ in good().judges] == ["language", "gopher", "exact"]


def test_every_setting_is_described():
    schema = json_schema()
    fields = {
        f"{model}.{name}": field
        for model, parts in [("", schema), *schema["$defs"].items()]
        for name, field in parts.get("properties", {}).items()
    }
    assert len(fields) > 400
    # A section is described by the first sentence of its own model.
    bare = [name for name, field in fields.items() if "description" not in field and "$ref" not in field]
    assert not bare


def test_schema_lists_every_judge():
    from pipeline.core.judge import judges

    schema, known = json_schema(), judges()
    entry = schema["$defs"]["CurateEntry"]["properties"]
    sections = {judge.section for judge in known.values() if judge.section}
    assert set(entry) == {name for name, judge in known.items() if judge.section is None}
    assert sections <= set(schema["properties"])


@given(st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3),
                    max_leaves=8),
       st.sampled_from(["a", "a.b", "a[0]", "a[0].b", "b.a.b"]))  # fmt: skip
def test_override_either_sets_or_explains(value, path):
    document = {"a": value}
    try:
        override(document, f"{path}=1")
    except UsageError:
        return
    found = document
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(found, list) and not part.isdigit():
            return  # an entry found by its name
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert found == 1
