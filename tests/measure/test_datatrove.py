"""datatrove's filters as a judge: their verdicts and reasons; wrong names and arguments are errors a user can act on."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.errors import UsageError
from pipeline.measure.judges.datatrove_blocks import Datatrove, datatrove

pytest.importorskip("datatrove.pipeline.filters.c4_filters", reason="datatrove is not installed")

LONG = "word " * 50


def table(*documents: str | None) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "id": pa.array([str(at) for at in range(len(documents))]),
            "url": pa.array([None] * len(documents), pa.string()),
            "text": pa.array(documents, pa.large_string()),
        }
    )


def test_paragraph_filter_gives_its_reason():
    settings = Datatrove(filter="C4ParagraphFilter")
    found = datatrove.run(table("\n".join([LONG] * 3), "short", ""), settings)
    assert found.to_pylist() == [
        {"passed": True, "reason": None},
        {"passed": False, "reason": "< 3 paragraphs"},
        {"passed": False, "reason": "< 3 paragraphs"},
    ]
    assert {name: mask.to_pylist() for name, mask in datatrove.rules(pa.table(found), settings).items()} == {
        "< 3 paragraphs": [False, True, True]
    }
    only_measured = Datatrove(filter="C4ParagraphFilter", remove=False)
    assert datatrove.rules(pa.table(found), only_measured) == {}


def test_arguments_reach_the_filter_and_a_bare_no_is_named_after_it():
    found = datatrove.run(
        table("a price", "a cost", None), Datatrove(filter="RegexFilter", args={"regex_exp": "price"})
    )
    assert found["passed"].to_pylist() == [False, True, True]
    assert found["reason"].to_pylist() == ["RegexFilter", None, None]


def test_a_document_that_breaks_the_filter_is_left_unjudged(monkeypatch):
    from datatrove.pipeline.filters.regex_filter import RegexFilter

    def broken(self, doc):
        return 1 / len(doc.text)

    monkeypatch.setattr(RegexFilter, "filter", broken)
    settings = Datatrove(filter="RegexFilter", args={"regex_exp": "x"})
    found = datatrove.run(table("a", ""), settings)
    assert found.to_pylist() == [
        {"passed": True, "reason": None},
        {"passed": None, "reason": "error_ZeroDivisionError"},
    ]
    assert datatrove.rules(pa.table(found), settings) == {}


def test_wrong_names_and_arguments_are_usage_errors():
    with pytest.raises(ValidationError, match="no registered datatrove filter; there are Gopher"):
        Datatrove(filter="LambdaFilter")
    with pytest.raises(UsageError, match="does not take these args"):
        datatrove.run(table("a"), Datatrove(filter="RegexFilter", args={"pattern": "x"}))


def test_gopher_filter_needs_spacy_or_gives_its_reasons():
    settings = Datatrove(filter="GopherQualityFilter")
    try:
        import spacy  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match=r"spacy.*domain-corpus\[peers\]"):
            datatrove.run(table("a few words"), settings)
    else:
        assert datatrove.run(table("a few words"), settings)["reason"].to_pylist() == ["gopher_short_doc"]
