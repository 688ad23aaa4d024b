"""Settling, in blocks of shards and parts of hashes, against the plain way with everything in Python."""

import uuid
from dataclasses import asdict

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.apply.equal import equal_part, gather_block
from pipeline.apply.settle import add_settled, settle_block
from pipeline.apply.spans import ApplySettings
from pipeline.apply.step import TEXTS
from pipeline.core.blocks import Counted, first_rows
from pipeline.core.conserve import Balance
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
            "num_chars": 11 - 10 * short,
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


def settled(store, shards, rows, parts):
    """The steps one after the other, with a block for each shard."""
    told, firsts = (
        {"apply": ApplySettings(min_chars=5, drop_newly_identical=True).model_dump(mode="json")},
        first_rows(rows),
    )
    borders = sorted({*firsts.values(), sum(rows.values())})

    def made(work, name, reads, **more):
        (one,) = work(store, [Assignment("step", name, f"{name:f<12}", {"settings": told | more}, reads)])
        return one

    blocks = [
        (
            {"shards": {name: files}},
            {"firsts": {name: firsts[name]}, "between": [firsts[name], firsts[name] + rows[name]]},
        )
        for name, files in shards.items()
    ]
    gathered = [made(gather_block, f"g{n}", read, parts=parts, **own) for n, (read, own) in enumerate(blocks)]
    staying = {"staying": [one.files["staying"] for one in gathered]}
    equal = [made(equal_part, f"e{part}", staying, part=part, borders=borders).files["table"] for part in range(parts)]
    everywhere = {"equal": equal, "select": [], "fallen": []}
    final = [made(settle_block, f"f{n}", read | everywhere, **own) for n, (read, own) in enumerate(blocks)]
    counted = [Counted(str(n), asdict(one.counts), asdict(one.balance or Balance())) for n, one in enumerate(final)]
    reads = {"verdicts": [one.files for one in final], "counted": counted, "lost": [], "select": []}
    return made(add_settled, "all", reads)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=4), st.randoms(use_true_random=False), st.integers(1, 3)
)
def test_the_same_verdicts_as_the_plain_way(drawn, random, parts):
    ids = [f"{n:03d}" for n in range(sum(map(len, drawn)))]
    random.shuffle(ids)
    shards = {f"s{n}": {ids.pop(): row for row in rows} for n, rows in enumerate(drawn)}
    store = Store(f"memory://settle-{uuid.uuid4().hex}")
    reads = {name: written(store, name, rows) for name, rows in shards.items()}
    made = settled(store, reads, {name: len(rows) for name, rows in shards.items()}, parts)
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
