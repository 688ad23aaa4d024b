"""The end of a run on the terminal: funnel, mix, tokenizer, plan, gates, and where everything is."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def number(value: float) -> str:
    """A count with thousands separators, or a large one in scientific form."""
    return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"


def _rows(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(escape(name), escape(text))
    return table


def funnel_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Documents and tokens, every share with its denominator."""
    found, counted = result["documents"], result["tokens"]
    total = max(1, found["in"] + found["children"])
    rows = [
        *([("files", result["files"]["sentence"])] if result.get("files") else []),
        ("documents", f"{found['in']:,} read + {found['children']:,} split off"),
        ("kept", f"{found['kept']:,} ({found['kept'] / total:.1%} of documents)"),
        ("removed", f"{found['removed']:,} ({found['removed'] / total:.1%} of documents)"),
        ("quarantined", f"{found['quarantined']:,} ({found['quarantined'] / total:.1%} of documents)"),
        ("raw", f"{counted['raw_pretokens']:,} pre-tokens, markup and junk included"),
        ("extracted", f"{counted['extracted_pretokens']:,} pre-tokens of text"),
    ]
    if delta := found.get("delta"):
        text = f"{delta['new']:,} new, {delta['removed_in_index']:,} copies of earlier runs' documents, "
        rows.append(("earlier runs", text + f"{delta['removed_among_themselves']:,} copies of each other"))
    if "kept_pretokens" in counted:
        rows.append(
            (
                "kept",
                f"{counted['kept_pretokens']:,} pre-tokens: {counted['kept_of_raw']:.2%} of raw tokens, "
                f"{counted['kept_of_extracted']:.1%} of extracted tokens",
            )
        )
    return rows


def _plan_rows(plan: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name in ("optimal", "chosen"):
        found = plan[name]
        rows.append(
            (
                name,
                f"{number(found['params'])} parameters, {number(found['tokens'])} tokens, {found['flops']:.2e} FLOPs",
            )
        )
    return [*rows, ("because", plan["label"])]


def _train_rows(train: dict[str, Any]) -> list[tuple[str, str]]:
    if not train["ran"]:
        why = f"{train['why']}, then: " if train.get("why") else ""
        return [("not started", f"{why}{train['how']}")]
    steps = [line for line in train["curve"] if "loss" in line]
    rows = []
    if steps:
        rows.append(
            (
                "loss",
                f"{steps[0]['loss']:.3f} → {steps[-1]['loss']:.3f} nats per token over {steps[-1]['step']:,} steps",
            )
        )
    held_out = [line for line in train["curve"] if line.get("val")]
    if len(held_out) > 1:
        for source, first in held_out[0]["val"].items():
            last = held_out[-1]["val"].get(source)
            if last:
                rows.append(
                    (f"held out: {source}", f"{first['bits_per_byte']:.3f} → {last['bits_per_byte']:.3f} bits per byte")
                )
    return rows


def _trained_places(out: str) -> list[tuple[str, str]]:
    """Where a run with a mix leaves what training needs; an empty mix leaves neither."""
    if "://" in out:  # transformers opens folders alone
        opened = f'fsspec.url_to_fs("{out}")[0].get("{out}/tokenizer/", "tokenizer/", recursive=True)'
    else:
        opened = f'AutoTokenizer.from_pretrained("{out}/tokenizer")'
    return [("tokenizer", f"{out}/tokenizer   {opened}"), ("hand-off", f"{out}/handoff")]


def _opened_corpus(out: str) -> str:
    """The line that opens the kept documents."""
    if "://" in out:
        return f'datasets.load_dataset("parquet", data_files="{out}/corpus/kept/**/*.parquet")'
    return f'datasets.load_dataset("{out}/corpus")'


def gate_rows(gates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(name, state and sentence) of every gate."""
    rows = []
    for gate in gates:
        failed = "FAIL" if gate["gating"] else "over (reports only)"
        state = "not measured" if gate["passed"] is None else "pass" if gate["passed"] else failed
        rows.append((gate["name"], f"{state}: {gate['sentence']}"))
    return rows


def print_summary(result: dict[str, Any], console: Console | None = None) -> None:
    """A finished run."""
    console = console or Console()
    out, mix, tokenizer = result["out"], result["mix"], result["tokenizer"]
    console.print(_rows("Funnel", funnel_rows(result)))
    for note in result["notes"]:
        console.print(f"note: {note}", style="yellow")
    console.print(
        _rows(
            "Mix",
            [
                ("domain", f"{mix['domain']:.2%} of training tokens"),
                ("general", f"{mix['general']:.2%} of training tokens"),
                ("", mix["statement"]),
                *(("", f"missing: {sentence}") for sentence in mix["missing"]),
                *(("", f"choice: {choice['sentence']}{' (taken)' * choice['taken']}") for choice in mix["choices"]),
                *(("", sentence) for sentence in mix["evidence"]),
            ],
        )
    )
    asked = f" ({tokenizer['asked']:,} asked)" if tokenizer["asked"] != tokenizer["vocab_size"] else ""
    console.print(
        _rows(
            "Tokenizer",
            [
                ("vocabulary", f"{tokenizer['vocab_size']:,} entries{asked}"),
                ("text", f"{tokenizer['tokens']:,} tokens, {tokenizer['bytes_per_token']:.2f} bytes per token"),
            ],
        )
    )
    console.print(_rows("Plan", _plan_rows(result["plan"])))
    console.print(_rows("Training", _train_rows(result["train"])))
    console.print(_rows("Gates", gate_rows(result["gates"])))
    console.print(
        _rows(
            "Where",
            [
                ("corpus", f"{out}/corpus   {_opened_corpus(out)}"),
                *(_trained_places(out) if mix["total_tokens"] else []),
                ("report", f"{out}/report.html"),
                ("root hash", result["root_hash"][:32]),
            ],
        )
    )


def print_partial(result: dict[str, Any], console: Console | None = None) -> None:
    """A run that was told to stop early."""
    console = console or Console()
    if "documents" in result:
        console.print(_rows("Funnel so far", funnel_rows(result)))
    for note in result["notes"]:
        console.print(f"note: {note}", style="yellow")
    console.print(f"stopped where --to said; run again without it to go on. Files: {result['out']}")
