"""What a page says of itself, and when its JSON-LD is its text."""

import json

import pytest

from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.html_text import extract_html
from pipeline.extract.page_facts import page_facts

ARTICLE = (
    "The harbour was dredged in spring, and the county paid a third of what that cost the town and its port. " * 12
)


def linked(**data) -> str:
    return f"<script type='application/ld+json'>{json.dumps(data)}</script>"


@pytest.mark.parametrize(
    ("markup", "facts"),
    [
        ("<html lang=de-AT><meta name=author content='Eva Berg'>", (None, "Eva Berg", "de-AT")),
        ('<meta content="2021-03-04T10:00:00Z" property="article:published_time">', ("2021-03-04T10:00:00Z", None, None)),
        ("<meta name=author content=https://a.example/eva>", (None, None, None)),
        ("<meta name=date content='last Friday'><time datetime=2020-05-06>May</time>", ("2020-05-06", None, None)),
        (linked(headline="x", datePublished="2019-01-02", author=[{"name": "A"}, {"name": "B"}], inLanguage="en"), ("2019-01-02", "A, B", "en")),
        (linked(**{"@graph": [{"@type": "WebPage"}, {"headline": "x", "author": "C"}]}), (None, "C", None)),
        ("<script type='application/ld+json'>{broken</script><script type='application/ld+json'>" + "[" * 99_999, (None, None, None)),
        ("<p>nothing", (None, None, None)),
    ],
)  # fmt: skip
def test_facts(markup, facts):
    found = page_facts(markup.encode())
    assert (found.date, found.author, found.language) == facts


def extract(markup: str):
    return extract_html(markup.encode(), None, ExtractSettings())


def test_an_article_in_json_ld_is_the_text_of_a_teaser():
    teaser = f"<title>Harbour</title><p>The harbour was dredged. Subscribe to read on.</p>{linked(headline='x', articleBody=ARTICLE)}"
    found = extract(teaser)
    assert (found.text, found.origin, found.title) == (ARTICLE, "json-ld", "Harbour")
    marked_up = extract(f"<p>Short.</p>{linked(articleBody=f'<p>{ARTICLE}</p><p>End &amp; all.</p>')}")
    assert marked_up.text == f"{ARTICLE.strip()}\n\nEnd & all."


@pytest.mark.parametrize(
    "script",
    [
        linked(**{"@type": "WebPage", "mainEntity": {"@type": "Report", "articleBody": ARTICLE}}),
        linked(articleBody=ARTICLE) * 2,
        f"<script type='application/ld+json'>//<![CDATA[\n{json.dumps({'articleBody': ARTICLE})}\n//]]></script>",
        f"<script type='application/ld+json; charset=utf-8'><!-- {json.dumps({'articleBody': ARTICLE})} --></script>",
        f"<script type='application/ld+json'>/*<![CDATA[*/ {json.dumps([{'articleBody': ARTICLE}])} /*]]>*/</script>",
    ],
)
def test_where_an_article_lies_in_json_ld(script):
    assert extract(f"<p>Short.</p>{script}").text == ARTICLE


def test_an_escaped_article_in_json_ld_is_decoded_once():
    escaped = linked(articleBody=f"Tate &amp; Lyle &amp;lt; 3.\n\n{ARTICLE}")
    assert extract(f"<p>Short.</p>{escaped}").text == f"Tate & Lyle &lt; 3.\n\n{ARTICLE}"
    broken = extract(f"<p>Short.</p>{linked(articleBody=f'One.<br>Two &amp; three.<br/>{ARTICLE}')}").text
    assert broken.startswith("One.\nTwo & three.\nThe harbour")


def test_nested_objects_without_end_are_no_facts():
    deep = '{"mainEntity":' * 300 + '{"articleBody": "x"}' + "}" * 300
    assert extract(f"<p>Short.</p><script type='application/ld+json'>{deep}</script>").text == "Short."


def test_what_is_visible_is_the_text_when_it_is_most_of_the_article():
    whole = extract(f"<p>{ARTICLE}</p>{linked(headline='x', articleBody=ARTICLE)}")
    assert (whole.text, whole.origin) == (ARTICLE.strip(), "page")
    several = extract(f"<p>News of today.</p>{linked(articleBody=ARTICLE)}{linked(articleBody=ARTICLE * 2)}")
    assert several.origin == "page"
