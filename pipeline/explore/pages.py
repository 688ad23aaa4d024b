"""The other pages, and the table of all of them."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from pipeline.ask.tables import MARKS_TABLE, quoted
from pipeline.ask.whatif import problems
from pipeline.core import lease, sealed
from pipeline.core.ledger import LEDGER
from pipeline.core.run_folder import open_run
from pipeline.core.steps import Step, label_of
from pipeline.errors import UsageError
from pipeline.explore.browse import by_ids, documents
from pipeline.explore.one import document
from pipeline.explore.page import Download, Explorer, Page, number, whole
from pipeline.explore.rules import PRETOKENS, rule, rules
from pipeline.flow import steps as all_steps
from pipeline.handoff.text import parse_train_config
from pipeline.plan.mix import MixSettings, MixSource
from pipeline.plan.mix import mix as plan_mix
from pipeline.report.charts import curve_chart, funnel_chart, mix_chart
from pipeline.report.collect import training_curve
from tokenizer.encode import Encoder

CLUSTERS, MEMBERS, HOSTS = 30, 6, 60
MOST_PASTED = 20_000
TOKENS_SHOWN = 2000


def overview(explorer: Explorer, asked: QueryParams) -> Page:
    """Totals and the funnel; before anything is decided, the steps."""
    run = explorer.run
    if run.folder.verdict_step is None:
        return steps(explorer, asked)
    found, totals = run.funnel(), run.totals()
    data = {
        "totals": totals.model_dump(exclude_unset=True),
        "reasons": [one.model_dump() for one in run.reasons()[:12]],
    }
    return Page("overview", "Overview", data, {"chart": funnel_chart(totals, found)})


def clusters(explorer: Explorer, asked: QueryParams) -> Page:
    """The survivors that most removed documents name, with copies, and from which sources and hosts copies come."""
    tables = explorer.run.tables
    largest = tables.rows(
        f"SELECT duplicate_of AS id, count(*) AS copies, min(similarity) AS lowest, {PRETOKENS} AS pretokens, "
        f"list(id ORDER BY id)[:{MEMBERS}] AS members FROM {tables.light} "
        f"WHERE duplicate_of IS NOT NULL GROUP BY duplicate_of ORDER BY copies DESC, id LIMIT {CLUSTERS}"
    )
    shown = {
        row["id"]: row
        for row in by_ids(explorer, [own for one in largest for own in (one["id"], *one["members"])], text=False)
    }
    for one in largest:
        one["survivor"] = shown.get(one["id"])
        one["members"] = [shown[own] for own in one["members"] if own in shown]
    origins = {}
    for column in ("source", "host"):
        origins[column] = tables.rows(
            f"SELECT c.{column} AS copy, s.{column} AS survivor, count(*) AS documents, {PRETOKENS} AS pretokens "
            f"FROM (SELECT {column}, duplicate_of, num_pretokens FROM {tables.light} WHERE duplicate_of IS NOT NULL) c "
            f"LEFT JOIN (SELECT id, {column} FROM {tables.light}) s ON s.id = c.duplicate_of "
            f"GROUP BY ALL ORDER BY documents DESC, 1, 2 LIMIT {CLUSTERS}"
        )
    settings = explorer.run.folder.commit(Step.DECIDE).parts["settings"]
    order = settings["survivors"]["order"]
    return Page("clusters", "Duplicates", {"clusters": largest, "origins": origins, "survives": order})


COLUMNS = {"languages": "language_label", "licences": "licence", "kinds": "doc_type", "years": "year"}


def sources(explorer: Explorer, asked: QueryParams) -> Page:
    """Sources and the largest hosts: in, kept, pre-tokens; the same of languages, licences, kinds and years."""
    tables = explorer.run.tables

    def volumes(column: str, more: str = "", limit: int = HOSTS) -> list[dict[str, Any]]:
        kept = "FILTER (verdict = 'kept')"
        return tables.rows(
            f"SELECT {quoted(column)} AS value{more}, count(*) AS documents, count(*) {kept} AS kept, {PRETOKENS} AS pretokens, "
            f"coalesce(sum(num_pretokens) {kept}, 0)::BIGINT AS kept_pretokens FROM {tables.light} "
            f"WHERE coalesce({quoted(column)}, '') <> '' GROUP BY ALL ORDER BY pretokens DESC, value LIMIT {limit}"
        )

    data: dict[str, Any] = {"sources": volumes("source", ", role", 1000), "hosts": volumes("host")}
    data |= {title: volumes(column, limit=20) for title, column in COLUMNS.items() if column in tables.columns}
    return Page(
        "sources",
        "Sources and hosts",
        data,
        {"columns": COLUMNS} | {title: [] for title in COLUMNS.keys() - data.keys()},
    )


def spans(explorer: Explorer, asked: QueryParams) -> Page:
    """What judges mark inside documents (personal data, benchmark items, lines), by kind and source."""
    tables = explorer.run.tables
    tables.hold()
    rows = tables.rows(
        "SELECT judge, kind, source, count(*) AS documents, sum(spans)::BIGINT AS spans, count(*) FILTER (verdict = 'kept') AS "
        f"kept_documents FROM {MARKS_TABLE} JOIN {tables.light} USING (number) GROUP BY ALL ORDER BY documents DESC, kind, source"
    )
    kinds: dict[str, dict[str, Any]] = {}
    for row in rows:
        label = f"{row['judge']}.{row['kind']}" if row["kind"] else row["judge"]
        one = kinds.setdefault(label, {"kind": label, "documents": 0, "kept_documents": 0, "spans": 0, "by_source": {}})
        for name in ("documents", "kept_documents", "spans"):
            one[name] += row[name]
        one["by_source"][row["source"]] = row["documents"]
    ordered = sorted(kinds.values(), key=lambda one: (-one["documents"], one["kind"]))
    return Page("spans", "Masks and cuts", {"kinds": ordered[:200]})


@lru_cache(maxsize=2)
def _encoder(content: bytes) -> Encoder:
    return Encoder(content)


def tokens(explorer: Explorer, asked: QueryParams) -> Page:
    """A pasted text in tokens of the trained tokenizer."""
    text, run = (asked.get("text") or "")[:MOST_PASTED], explorer.run.folder
    if not run.has(Step.TOKENIZER):
        raise UsageError("this run has no tokenizer yet")
    encoder = _encoder(run.store.read(run.file(Step.TOKENIZER, name="tokenizer.json").path))
    ids = encoder.encode_column(pa.array([text], pa.large_string()))[0].tolist() if text else []
    shown = [encoder.tokens[own].decode("utf-8", "replace") for own in ids[:TOKENS_SHOWN]]
    size = len(text.encode())
    data = {"text": text, "ids": ids, "tokens": shown, "bytes": size, "vocabulary": encoder.vocab_size}
    return Page("tokenizer", "Tokenizer", data | {"bytes_per_token": size / len(ids) if ids else None})


def mix(explorer: Explorer, asked: QueryParams) -> Page:
    """The planner's answer to another share, size or number of epochs, from the run's own token counts."""
    run = explorer.run.folder
    if not run.has(Step.MIX):
        raise UsageError("this run has no mix yet; it stopped before, or goes on")
    settled = run.commit(Step.MIX).parts["settings"]
    own: dict[str, Any] = dict(settled["mix"])
    if asked.get("domain"):
        own |= {"domain": number("domain", asked["domain"]), "general": None}
    if asked.get("max_epochs"):
        own |= {"max_epochs": number("max_epochs", asked["max_epochs"])}
    if asked.get("total_tokens"):
        own |= {"total_tokens": whole(asked, "total_tokens", 0, 10**15)}
    if asked.get("on_shortage"):
        own |= {"on_shortage": asked["on_shortage"]}
    try:
        settings = MixSettings.model_validate(own)
    except ValidationError as errors:
        raise UsageError(problems(errors, "mix")) from errors
    plan = asdict(
        plan_mix([MixSource(**one) for one in settled["sources"]], settings, keep_rates=settled["keep_rates"])
    )
    data = {"settings": settings.model_dump(mode="json"), "plan": plan}
    return Page("mix", "Mix", data, {"chart": mix_chart(plan["realised"], plan["requested"])})


def training(explorer: Explorer, asked: QueryParams) -> Page:
    """The curve of a training that runs or has run; its loss also in bits per byte, the unit of the held-out sources."""
    store = explorer.run.folder.store
    out = "train"
    if store.exists("handoff/train.yaml"):
        out = parse_train_config(store.read("handoff/train.yaml").decode()).out
    path, points = f"{out}/metrics.jsonl", []
    if store.exists(path):
        lines = [line for line in store.read(path).decode("utf-8", "replace").split("\n")[:-1] if line.strip()]
        points = training_curve({"curve": [json.loads(line) for line in lines], "summary": {}, "processes": 1}).points
    report = store.read_json("report.json") if store.exists("report.json") else {}
    per_token = (report.get("tokenizer") or {}).get("bytes_per_token")
    if per_token:
        for point in points:
            if point.loss is not None:
                point.val = point.val | {"training": point.loss / math.log(2) / per_token}
    data = {"points": [point.model_dump() for point in points], "file": path}
    return Page("training", "Training", data, {"chart": curve_chart(points) if points else None})


def compare(explorer: Explorer, asked: QueryParams) -> Page:
    """What changed in another run: settings, and documents by kind of change, rule and source, with examples."""
    other = asked.get("other") or (explorer.others[0] if explorer.others else "")
    data: dict[str, Any] = {"other": other, "others": explorer.others, "diff": None}
    if other:
        data["diff"] = found = explorer.other(other).diff(explorer.run)
        data["examples"] = {kind: by_ids(explorer, ids[:8]) for kind, ids in found["examples"].items()}
    return Page("compare", "Compare", data)


def steps(explorer: Explorer, asked: QueryParams) -> Page:
    """Which steps are recorded, which is going on, and who is at it."""
    run, rows = open_run(explorer.path), []
    for step in all_steps():
        commits = run.commits(step)
        size = sum(info.bytes for commit in commits.values() for info in commit.files.values())
        entered = sum(commit.balance.entered for commit in commits.values() if commit.balance)
        records = len(run.store.list(f"{LEDGER}/{step}")) if not commits and run.store.local else len(commits)
        title = label_of(step)
        rows.append(
            {"step": step, "title": title, "done": bool(commits), "units": records, "documents": entered, "bytes": size}
        )
    holder = sealed.read(run.store, lease.FILE)
    running = {"pid": holder["pid"], "since": holder["since"], "beat": holder["beat"]} if holder else None
    return Page("steps", "Steps", {"steps": rows, "running": running})


PAGES: dict[str, Callable[[Explorer, QueryParams], Page | Download]] = {
    "/": overview,
    "/documents": documents,
    "/document/{id}": document,
    "/rules": rules,
    "/rule": rule,
    "/clusters": clusters,
    "/sources": sources,
    "/spans": spans,
    "/tokenizer": tokens,
    "/mix": mix,
    "/training": training,
    "/compare": compare,
    "/steps": steps,
}
