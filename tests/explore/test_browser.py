"""What a person who has never seen the project asks of a run, answered by clicking; and what a hostile document cannot do."""

import json

from pipeline.explore import browse


def rows(page, selector="table tr:has(td)"):
    return page.locator(selector)


def test_which_rule_costs_most_and_on_which_host(page, server):
    page.get_by_role("link", name="Rules", exact=True).click()
    by_host = page.locator("section", has_text="Rule by host")
    costs = json.loads(server.ask("/rules.json").body)["matrices"][1]
    first = by_host.locator("tr:has(td)").first
    assert first.locator("td").first.inner_text() == costs["rules"][0]["rule"]
    short = by_host.locator("tr", has_text="gopher.min_num_words")
    column = [head.inner_text() for head in by_host.locator("th").all()].index("short.example")
    assert int(short.locator("td").nth(column).inner_text().replace(",", "")) > 0


def test_what_was_wrongly_removed_and_the_bound_that_keeps_it(page, server):
    page.goto(f"{server.url}/rules")
    page.get_by_role("link", name="gopher.min_num_words").first.click()
    nearest = page.locator("section", has_text="Removed documents nearest to the bound").locator("tr:has(td)")
    assert nearest.count() >= 5
    assert "short.example" in nearest.first.inner_text()
    slider = page.locator("input[type=range]")
    slider.evaluate("(one) => { one.value = one.min; one.dispatchEvent(new Event('input')); }")
    assert page.locator("input[name=value]").input_value() == slider.input_value()
    page.locator("input[name=value]").fill("40")
    page.get_by_role("button", name="What if").click()
    page.wait_for_selector("#answer table")
    answer = page.locator("#answer")
    assert "Documents that come back" in answer.inner_text()
    assert "more: 6 documents" in answer.inner_text()
    assert "min_num_words: 40" in answer.locator("pre").inner_text()
    assert page.url.endswith("name=gopher.min_num_words&value=40")


def test_where_the_duplicates_come_from(page):
    page.get_by_role("link", name="Duplicates").click()
    table = page.locator("section", has_text="by host").locator("tr:has(td)").filter(has_text="mirror.example")
    assert table.count() == 1
    page.locator("section", has_text="Largest clusters").locator("summary").first.click()
    sources = page.locator("section", has_text="by source").first.inner_text()
    assert "more" in sources
    assert "web" in sources


def test_the_document_with_a_sentence_and_its_review(page, server):
    page.get_by_label("a sentence of its text").fill("heron waited by the frozen")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="https://desk.example/needle").click()
    assert "The heron waited by the frozen weir." in page.locator("pre.whole").inner_text()
    page.get_by_label("why").fill("reads well")
    page.get_by_role("button", name="Keep").click()
    assert "keep: reads well" in page.locator("#review").inner_text()


def test_a_search_fills_its_page_by_itself(page, server, monkeypatch):
    monkeypatch.setattr(browse, "SECONDS", -1.0)  # one row group at a time
    page.goto(f"{server.url}/documents?text=heron+waited")
    page.get_by_role("link", name="https://desk.example/needle").wait_for()
    page.locator("#searched", has_not=page.locator("a")).wait_for()
    assert rows(page, "#found tr:has(td)").count() == 1
    page.goto(f"{server.url}/documents?text=no+such+words")
    page.locator("#found", has_text="No document.").wait_for()


def test_which_documents_carry_telephone_masks(page):
    page.get_by_role("link", name="Masks and cuts").click()
    page.get_by_role("link", name="pii.phone").click()
    (found,) = rows(page).all()
    assert "https://desk.example/call" in found.inner_text()
    assert "555-0187" not in page.content()


def test_what_changed_since_the_last_run(page):
    page.get_by_role("link", name="Compare").click()
    settings = page.locator("section", has_text="Settings that differ")
    assert "curate.gopher.min_num_words" in settings.inner_text()
    change = page.locator("section", has_text="by rule").locator("tr", has_text="kept → removed")
    assert "+gopher.min_num_words 6" in change.inner_text()
    assert (
        page.locator("section", has=page.get_by_role("heading", name="kept → removed")).locator("tr:has(td)").count()
        == 6
    )


def test_a_hostile_document_does_nothing(page, server):
    own = json.loads(server.ask("/documents.json?text=gnp.exe").body)["documents"][0]["id"]
    for path in (
        f"/document/{own}",
        "/documents?text=gnp.exe",
        "/sources",
        "/clusters",
        "/documents?source=more&rows=50",
    ):
        page.goto(server.url + path)
        assert page.evaluate("window.hacked") is None
        assert page.locator("a[href^='javascript']").count() == 0
        assert page.locator("img, b[onmouseover]").count() == 0
        assert "\u202e" not in page.content()
        assert "\x1b" not in page.content()
    page.goto(f"{server.url}/document/{own}")
    shown = page.locator("pre.whole").inner_text()
    assert "<script>window.hacked=1</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert "‹U+202E›" in shown
    assert "javascript:window.hacked=3" in page.locator("main").inner_text()


def test_a_phone_does_not_scroll_sideways(page, server):
    own = json.loads(server.ask("/documents.json?rows=1").body)["documents"][0]["id"]
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", "/documents", f"/document/{own}", "/rules", "/rule?name=gopher.min_num_words&value=50", "/clusters", "/sources",
                 "/spans", "/mix", "/compare", "/steps", "/tokenizer?text=bank"):  # fmt: skip
        page.goto(server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
