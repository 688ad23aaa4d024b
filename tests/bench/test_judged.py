"""Precision of removal: labels count for the text that was read, in the draw, and for no other."""

from bench import judged

DIGESTS = {"a": "1", "b": "2", "c": "3", "d": "4"}


def test_only_labels_of_drawn_documents_with_the_text_that_was_read_count(monkeypatch):
    draw = {
        "gopher.min_num_words": [{"id": name, "of": 40, "duplicate_of": None} for name in "abc"],
        judged.KEPT: [{"id": "d", "of": 900, "duplicate_of": None}],
    }
    labels = [
        ("a", "gopher.min_num_words", "1", "right"),
        ("b", "gopher.min_num_words", "2", "wrong"),
        ("c", "gopher.min_num_words", "9", "right"),  # of another text of this document
        ("e", "gopher.min_num_words", "5", "right"),  # not in the draw
        ("d", judged.KEPT, "4", "junk"),
    ]
    monkeypatch.setattr(judged, "drawn", lambda run: draw)
    monkeypatch.setattr(judged, "texts", lambda run, rows: {name: {"digest": own} for name, own in DIGESTS.items()})
    rows = {(i, rule): {"id": i, "rule": rule, "digest": digest, "label": label} for i, rule, digest, label in labels}
    monkeypatch.setattr(judged, "labels", lambda: rows)
    found = judged.scored(None)  # type: ignore[arg-type]
    rule = found["rules"]["gopher.min_num_words"]
    assert (rule["documents"], rule["drawn"], rule["read"], rule["right"], rule["share"]) == (40, 3, 2, 1, 0.5)
    assert rule["low"] < 0.5 < rule["high"]
    assert found["rules"][judged.KEPT]["counts"] == {"junk": 1}
    assert (found["drawn"], found["used"], found["labels"]) == (4, 3, 5)
    page = "\n".join(judged.tables(found))
    assert "| gopher.min_num_words | 40 | 2 | 1 | 0.50 |" in page
    assert "1 were read: 0 good, 0 thin, 1 junk" in page


def test_every_stored_label_says_which_text_and_why_and_holds_no_text():
    rows = judged.labels()
    assert len(rows) > 200
    for row in rows.values():
        assert set(row) == {"id", "rule", "source", "key", "digest", "label", "reason"}
        assert len(row["id"]) == 32
        assert len(row["digest"]) == 16
        assert row["label"] in {"right", "wrong", "good", "thin", "junk"}
        assert 8 <= len(row["reason"]) < 80
