"""Settling, shard by shard with 9 bytes a document held, against the plain way with everything in Python."""

import uuid

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.apply.settle import settle_all
from pipeline.apply.spans import ApplySettings
from pipeline.apply.step import TEXTS
from pipeline.core.execute import Assignment
from pipeline.core.store import Store
from pipeline.decide.rules import DECISIONS

HASHES = [b"a" * 16, b"a" * 8 + b"b" * 8, b"b" * 16, b"c" * 8 + b"a" * 8]
"""Two share their first half."""

ROW = st.tuples(
    st.sampled_from(["kept", "kept", "kept", "removed", "quarantined"]), st.sampled_from(HASHES), st.booleans()
)


def plain(shards):
    """(rule, survivor) of every row: the documented rule, one dictionary over all documents."""
    best, found, taken = {}, {}, set()
    stays = {}
    for rows in shards.values():
        for own, (verdict, digest, short) in rows.items():
            stays[own] = verdict == "kept" and not short
            if stays[own]:
                best[digest] = min(own, best.get(digest, own))
            found[own] = ("too_short", None) if verdict == "kept" and short else (None, None)
    for rows in shards.values():
        for own, (_, digest, _) in rows.items():
            if stays[own] and (own != best[digest] or digest in taken):
                found[own] = ("newly_identical", best[digest])
            elif stays[own]:
                taken.add(digest)
    return found


def written(store, name, rows):
    decisions = [
        {field.name: None for field in DECISIONS}
        | {"id": own, "source": "s", "role": "domain", "verdict": verdict, "reasons": []}
        for own, (verdict, _, _) in rows.items()
    ]
    texts = [
        {
            "text": "x" if short else "long enough",
            "text_bytes": 11 - 10 * short,
            "num_pretokens": 1,
            "text_hash": digest,
        }
        for _, digest, short in rows.values()
    ]
    return {
        "decisions": store.put_table(f"d/{name}", [pa.Table.from_pylist(decisions, schema=DECISIONS)], DECISIONS),
        "texts": store.put_table(f"t/{name}", [pa.Table.from_pylist(texts, schema=TEXTS)], TEXTS),
        "repeats": [],
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_same_verdicts_as_the_plain_way(drawn, random):
    ids = [f"{n:03d}" for n in range(sum(map(len, drawn)))]
    random.shuffle(ids)
    shards = {f"s{n}": {ids.pop(): row for row in rows} for n, rows in enumerate(drawn)}
    store = Store(f"memory://settle-{uuid.uuid4().hex}")
    reads = {"shards": {name: written(store, name, rows) for name, rows in shards.items()}}
    told = ApplySettings(min_chars=5, drop_newly_identical=True).model_dump(mode="json")
    (made,) = settle_all(store, [Assignment("settle", "all", "f" * 32, {"settings": told}, reads)])
    wanted = plain(shards)
    rows = [row for name in shards for row in store.read_table(made.files[name].path).to_pylist()]
    assert {row["id"]: (row["rule"], row["duplicate_of"]) for row in rows} == wanted
    assert made.balance is not None
    made.balance.check("settle")
    assert made.balance.kept == sum(row["verdict"] == "kept" for row in rows)
    assert (
        made.counts.streams.get("s/domain", None) is None
        or made.counts.streams["s/domain"].documents == made.balance.kept
    )
