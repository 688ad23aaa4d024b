"""The report page: hostile text stays text, nothing is fetched or run, equal reports give equal bytes."""

import re
from html.parser import HTMLParser

import pytest

from pipeline.report.render import render
from pipeline.report.run_report import RunReport, funnel
from pipeline.report.stats import Gate, Reason, Totals, Training
from tests.report.example import HOSTILE, example

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Tags, attributes and balance of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def bare(**more: object) -> RunReport:
    return RunReport(name="empty", totals=Totals(documents_in=0, kept=0, removed=0, quarantined=0), **more)


def test_nothing_runs_and_nothing_is_fetched() -> None:
    page = Page(render(example()))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "link", "object", "embed", "form", "base", "video", "audio", "use"}
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")]
        assert not {"src", "srcset", "data", "action", "xlink:href"} & set(attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    policy = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "url(" not in render(example())
    assert "@import" not in render(example())


def test_hostile_text_everywhere_stays_text() -> None:
    """Every string field of a report takes the hostile text; no tag or attribute may appear that was not there."""
    plain = Page(render(example()))
    report = example()
    names = ("name", "domain", "use", "out", "root_hash", "version")
    hostile = report.model_copy(update={name: HOSTILE for name in names} | {"notes": [HOSTILE]})
    for rows in (report.reasons, report.sources, report.languages, report.histograms, report.bias, report.timings,
                 report.places, report.gates, report.truth, report.kept_samples, report.removed_samples):  # fmt: skip
        for row in rows:
            for field, info in type(row).model_fields.items():
                if info.annotation is str:
                    setattr(row, field, HOSTILE)
    hostile.tokenizer.references[HOSTILE] = 1.0
    hostile.tokenizer.terms[0].tokens_with_space = [HOSTILE]
    hostile.mix["statement"] = HOSTILE
    hostile.mix["sources"][0]["name"] = HOSTILE
    hostile.plan["label"] = HOSTILE
    hostile.training.points[-1].val[HOSTILE] = 1.0
    hostile.duplicates.largest[0].survivor = HOSTILE
    found = Page(render(hostile))
    assert found.open == []
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in plain.tags}
    known = {key for _, attributes in plain.tags for key in attributes}
    assert {key for _, attributes in found.tags for key in attributes} <= known
    assert '<script>alert("x")</script>' in found.text
    assert "{{ 7*7 }}" in found.text
    assert "\u202e" not in found.text.replace(HOSTILE, "") or "‹U+202E›" in found.text


def test_equal_reports_give_equal_bytes() -> None:
    assert render(example()) == render(example())
    again = RunReport.model_validate_json(example().model_dump_json())
    assert render(again) == render(example())


def test_an_empty_run_renders() -> None:
    page = Page(render(bare()))
    assert page.open == []
    assert "Every one of 0 documents is accounted for" in page.text
    assert "nan" not in page.text.lower()


@pytest.mark.parametrize("field", ["mix", "plan", "tokenizer", "training", "duplicates"])
def test_each_part_may_be_absent(field: str) -> None:
    assert Page(render(example().model_copy(update={field: None}))).open == []


def test_large_runs_render_their_own_figures() -> None:
    report = example(tokens=60_000_000_000)
    assert report.plan["chosen"]["params"] == 3_137_254_902
    page = Page(render(report))
    assert "3.14B" in page.text
    assert "Optimal parameters, from this run to the published models" in page.text
    assert "Optimal tokens, where published models stand" in page.text
    assert "BloombergGPT" in page.text


def test_verdict_says_what_is_wrong() -> None:
    gate = Gate(name="bias: toxicity", measured="0.5", bound="0.8", passed=False)
    failed = example().model_copy(update={"gates": [gate], "exit": 1})
    assert failed.verdict == (
        "bad",
        "Every one of 3,002 documents is accounted for, but 1 of 1 gates failed: bias: toxicity.",
    )
    warned = example().model_copy(update={"gates": [gate.model_copy(update={"gating": False})]})
    assert warned.verdict[0] == "good"
    assert "reported, not gating: bias: toxicity" in warned.verdict[1]
    lost = bare()
    lost.totals.documents_in = 3
    assert lost.verdict[0] == "bad"
    assert "do not add up" in render(lost)


def test_toxic_samples_are_folded_and_others_shown() -> None:
    page = render(example())
    folded = re.findall(r"<details( open)?>.*?</details>", page, re.S)
    assert len(folded) == 7  # five of documents, one the model wrote, one of a threshold
    hidden = page[page.index("text hidden") - 400 : page.index("text hidden")]
    assert hidden.rindex("<details>") > hidden.rfind("<details open>")


def test_funnel_takes_each_document_once() -> None:
    report = example()
    steps = funnel(report.totals, report.reasons)
    assert [step.stage for step in steps] == [
        "language", "gopher", "repetition", "fineweb", "exact", "minhash", "toxicity", "apply",
    ]  # fmt: skip
    assert steps[-1].left_documents == report.totals.kept
    gone = sum(step.removed_pretokens for step in steps)
    assert steps[-1].left_pretokens == report.totals.extracted_pretokens - gone
    assert funnel(report.totals, [Reason(stage="x", rule="y", verdict="quarantined", documents=3)]) == []


def test_many_signals_are_folded_behind_those_that_remove_most() -> None:
    report = example()
    first = report.histograms[0]
    report.histograms = [first.model_copy(update={"signal": f"signal_{n}", "removed": n}) for n in range(20)]
    page = Page(render(report))
    assert page.open == []
    assert page.text.index("signal_19") < page.text.index("8 more signals") < page.text.index("signal_0")


def test_what_the_model_writes_is_shown_with_what_it_is() -> None:
    page = render(example())
    assert "What it writes" in page
    assert "<pre><b>Net income</b> rose &lt;script&gt;" in page
    assert "61.0% are more frequent in domain" in page
    assert ">fpb</td>" in page
    assert ">0.520 to 0.690</td>" in page
    assert "What it writes" not in render(example().model_copy(update={"training": Training()}))


def test_cells_carry_their_headings_for_a_phone() -> None:
    page = render(example())
    rows = re.findall(r"<tr>(<td.*?)</tr>", page, re.DOTALL)
    (row,) = [row for row in rows if "repetition.max_dup_line_frac" in row]
    assert re.findall(r'data-h="([^"]*)"', row)[:3] == ["", "documents, first reason", "documents it hit at all"]
    assert 'colspan="12" class="muted"' in page  # a note has no column of its own
    assert "<script" not in page


def test_only_wide_drawings_scroll_on_a_phone() -> None:
    page = render(example())
    inside = page.count('<div class="scroll"><svg')
    assert 0 < inside < page.count("<svg")
    assert page.count('<div class="scroll">') == inside
