"""The end of a run: audit, hand-off, data card, report, training, and the one result everything is printed from."""

import json
from dataclasses import asdict
from typing import Any

from pipeline.apply.settle import SettleCounts
from pipeline.core.conserve import add_up
from pipeline.core.fingerprint import fingerprint
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.core.store import FileInfo
from pipeline.decide.step import DecideCounts
from pipeline.errors import EXIT_GATE, EXIT_OK, ConservationError
from pipeline.extract.step import ExtractCounts
from pipeline.flow import steps
from pipeline.ingest.account import account_of, sums
from pipeline.plan.step import mix_plan, size_plan
from pipeline.publish.export import RESULT, export, record_loose, sweep
from pipeline.publish.export import record as record_export
from pipeline.publish.hand_over import run_hash, tokenizer_figures, write_handoff
from pipeline.publish.step import corpus_files
from pipeline.publish.training import train as launch_training
from pipeline.report.bias_step import bias, bias_gates, commit_bias, gates
from pipeline.report.classifier_cards import figures as classifier_figures
from pipeline.report.file_account import unread_gate
from pipeline.report.progress import Display


def documents(run: Run) -> dict[str, Any]:
    """Documents in, children, kept, removed, quarantined: of the last step that gave verdicts.

    With an index of earlier runs also the delta against them.
    """
    read = add_up(commit.balance for commit in run.commits(Step.EXTRACT).values())
    found: dict[str, Any] = {
        "in": read.entered,
        "children": read.children,
        "kept": read.kept,
        "removed": 0,
        "quarantined": read.quarantined,
    }
    if run.verdict_step is not None:
        balance = run.commit(run.verdict_step).balance
        found |= {name: getattr(balance, name) for name in ("kept", "removed", "quarantined")}
        delta = run.counted(DecideCounts, Step.DECIDE).delta
        found |= {} if delta is None else {"delta": delta}
    return found


def files(run: Run) -> dict[str, Any]:
    """The account of files in sums, and as a sentence; empty for a run whose files no one accounted for."""
    account = account_of(run)
    found = sums(account)
    return {**asdict(found), "sentence": found.sentence()} if account.num_rows else {}


def tokens(run: Run) -> dict[str, Any]:
    """Pre-tokens raw, extracted and kept, with the kept share of each by name; tokens of the trained tokenizer."""
    extracts = run.counts(ExtractCounts, Step.EXTRACT).values()
    raw = sum(counts.raw_pretokens for counts in extracts)
    extracted = sum(counts.num_pretokens for counts in extracts)
    found: dict[str, Any] = {"raw_pretokens": raw, "extracted_pretokens": extracted}
    if run.has(Step.SETTLE):
        kept = sum(stream.pretokens for stream in run.counted(SettleCounts, Step.SETTLE).streams.values())
        found |= {
            "kept_pretokens": kept,
            "kept_of_raw": kept / raw if raw else 0.0,
            "kept_of_extracted": kept / extracted if extracted else 0.0,
        }
    if run.has(Step.SHARDS):
        found["kept"] = tokenizer_figures(run)["tokens"]
    return found


def partial(run: Run) -> dict[str, Any]:
    """The result of a run that was told to stop early (`--to`)."""
    found: dict[str, Any] = {"exit": EXIT_OK, "out": run.store.root, "steps": run.runner.reasons, "notes": run.notes}
    if run.has(Step.EXTRACT):
        found |= {"documents": documents(run), "tokens": tokens(run), "files": files(run)}
    return found


def complete_result(run: Run) -> dict[str, Any]:
    """Everything a finished run has to say, as JSON values."""
    counted = tokens(run)
    mix, plan = mix_plan(run), size_plan(run)
    audit = bias(run)
    share = counted["kept_of_extracted"] if counted["extracted_pretokens"] else None
    results = [*bias_gates(run.recipe.bias, audit), *gates(run.recipe.gates, mix, share)]
    results += unread_gate(run.recipe.gates, sums(account_of(run)))
    red = [gate for gate in results if gate.gating and gate.passed is False]
    if audit is not None:
        commit_bias(run, audit)
    return {
        "exit": EXIT_GATE if red else EXIT_OK,
        "out": run.store.root,
        "recipe": {
            "name": run.recipe.name,
            "use": run.recipe.use,
            "fingerprint": fingerprint(run.recipe.model_dump(mode="json")),
        },
        "files": files(run),
        "documents": documents(run),
        "tokens": counted,
        "mix": mix["realised"]
        | {name: mix[name] for name in ("total_tokens", "statement", "missing", "evidence", "choices")},
        "tokenizer": tokenizer_figures(run),
        "plan": {
            "label": plan["label"],
            **{name: {key: plan[name][key] for key in ("params", "tokens", "flops")} for name in ("optimal", "chosen")},
        },
        "classifiers": classifier_figures(run),
        "gates": [gate.to_json() for gate in results],
        "root_hash": run_hash(run),
        "steps": run.runner.reasons,
        "notes": run.notes,
    }


def _portable(result: dict[str, Any]) -> dict[str, Any]:
    """The result without the folder it lies in."""
    return {key: value for key, value in result.items() if key != "out"}


def check_published(run: Run, splits: dict[str, list[FileInfo]], counted: dict[str, Any]) -> None:
    """Raise ConservationError unless the published files, as they lie there, hold the documents that the records count."""
    for split, files in splits.items():
        rows = 0
        for info in files:
            with run.store.open_table(info.path) as parquet:
                rows += parquet.metadata.num_rows
        if rows != counted[split]:
            raise ConservationError(f"corpus/{split} holds {rows} documents, and the records count {counted[split]}")


def conclude(run: Run, display: Display, *, complete: bool, train: bool | None) -> dict[str, Any]:
    """Write what a run leaves besides its data, train if asked, print the summary, and return the result."""
    from pipeline.report.summary import print_partial, print_summary

    if not complete:
        result = partial(run)
        if not display.quiet:
            print_partial(result)
        return result
    result = complete_result(run)
    trainable = result["mix"]["total_tokens"] > 0
    config, handoff = write_handoff(run) if trainable else (None, [])
    splits = corpus_files(run)
    check_published(run, splits, result["documents"])
    corpus = {split: export(run, files) for split, files in splits.items()}
    from pipeline.report.collect import build, training_curve, write_cards, write_report

    report = build(run, result, display)
    files = [*handoff, *(info for files in corpus.values() for info in files), *write_cards(run, report, corpus)]
    for folder in ("corpus", "handoff/shards", "handoff/uses") if trainable else ("corpus", "handoff"):
        sweep(run, folder, (info.path for info in files))
    record_export(run, files)
    write_report(run, report)
    run.store.put_json(RESULT, _portable(result))
    if config is None:
        result["train"] = {
            "ran": False,
            "why": "the mix is empty",
            "how": "see the plan: " + "; ".join(result["mix"]["missing"]),
        }
    else:
        result["train"] = launch_training(run, config, train, quiet=display.quiet)
    if result["train"]["ran"]:
        write_report(run, report.model_copy(update={"training": training_curve(result["train"])}))
        trained = {key: value for key, value in result["train"].items() if key != "curve"}
        run.store.put_json(RESULT, _portable({**result, "train": trained}))
    record_loose(run.store, steps())
    if not display.quiet:
        print_summary(result)
    return json.loads(json.dumps(result))
