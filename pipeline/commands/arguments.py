"""The arguments of every command, apart from the commands: `--help` and a mistyped word need no Arrow and no kernel."""

import argparse

from pipeline.flow import STAGES


def whole(text: str) -> int:
    """A count: a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def run_folder(parser: argparse.ArgumentParser) -> None:
    """The argument that names the run folder."""
    parser.add_argument("--run", default="runs/finance", metavar="DIR", help="run folder (default: runs/finance)")


def show_removed(parser: argparse.ArgumentParser) -> None:
    """The argument that unmasks removed abuse."""
    parser.add_argument(
        "--show", action="store_true", help="show texts that were removed for toxicity, masked otherwise"
    )


def run(parser: argparse.ArgumentParser) -> None:
    """Of `run`, and of `python -m pipeline.run`."""
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="a file, or the name of a shipped recipe: finance, legal, medical")
    add("--out", metavar="DIR", help="run folder, any fsspec URL (default: runs/<recipe's name>)")
    add("--set", action="append", default=[], metavar="PATH=VALUE", dest="sets", help="change one setting")
    add("--to", metavar="STAGE", help=f"stop after this stage: {', '.join(STAGES)}")
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--train", action="store_true", default=None, help="train the language model at the end; an error without torch"
    )
    model.add_argument("--no-train", action="store_false", dest="train", help="stop at the hand-off to training")
    add("--dry-run", action="store_true", help="check the recipe and print the plan; read and write nothing")
    add("--ray", default="local", metavar="ADDRESS|local|none", help="a cluster, a local Ray (default), or in process")
    add(
        "--verify",
        choices=["sums", "sizes"],
        help="how files of an earlier run are checked before they are used again (default: sums on a local disk, else sizes)",
    )
    add("--workers", type=int, metavar="N", help="processes of a local Ray (default: all processors)")
    add(
        "--metrics", metavar="FILE", help="write Prometheus' text format here while it runs, for its textfile collector"
    )
    add(
        "--lineage",
        action="store_true",
        help="send OpenLineage events, to where OPENLINEAGE_URL or openlineage.yml says",
    )


def explain(parser: argparse.ArgumentParser) -> None:
    """Of `explain`."""
    parser.add_argument(
        "document",
        metavar="URL|id|path",
        help="a URL, an id or its first 8 or more digits, a path, a file name, or a part of URL or path that only one has",
    )
    run_folder(parser)
    parser.add_argument("--text", action="store_true", help="print the whole text")
    show_removed(parser)


def inspect(parser: argparse.ArgumentParser) -> None:
    """Of `inspect`."""
    run_folder(parser)
    parser.add_argument(
        "--files",
        action="store_true",
        help="the files of the sources instead: kind, bytes, what became of each and why",
    )
    parser.add_argument("--verdict", choices=["kept", "removed", "quarantined"], help="only these")
    parser.add_argument(
        "--rule",
        metavar="STAGE.RULE",
        help="only documents that this rule hits, as gopher.min_num_words; that any rule of a stage hits, as gopher; "
        "or in which a judge marks spans of a kind, as pii.phone",
    )
    parser.add_argument("--source", help="only documents of this source")
    parser.add_argument("--host", help="only documents whose URL has this host; *.HOST is every subdomain")
    parser.add_argument("--grep", metavar="TEXT", help="only documents whose published text contains this")
    parser.add_argument("--ignore-case", action="store_true", help="with --grep: upper and lower case are the same")
    drawn = parser.add_mutually_exclusive_group()
    drawn.add_argument(
        "--sample", type=whole, metavar="N", help="N random documents instead of the first, the same every time"
    )
    drawn.add_argument(
        "--near",
        metavar="JUDGE.COLUMN=VALUE",
        help="the --limit documents nearest to this value of a signal on each side, nearest first",
    )
    show_removed(parser)
    parser.add_argument(
        "--sql",
        metavar="CONDITION",
        help="only documents for which this holds, over source, host, verdict, text, … and every signal as JUDGE_COLUMN: "
        "\"gopher_num_words < 80 and host like '%%.gov'\"",
    )
    parser.add_argument(
        "--export", metavar="FILE", help="write them, with their signals, as FILE.jsonl, FILE.csv or FILE.parquet"
    )
    parser.add_argument(
        "--limit", type=whole, metavar="N", help="at most N documents (default 10; all of them with --export)"
    )


def explore(parser: argparse.ArgumentParser) -> None:
    """Of `explore`."""
    run_folder(parser)
    parser.add_argument(
        "--other", action="append", default=[], metavar="DIR", help="a run to compare with; may be repeated"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")


def whatif(parser: argparse.ArgumentParser) -> None:
    """Of `whatif`."""
    parser.add_argument(
        "changes",
        nargs="+",
        metavar="JUDGE.THRESHOLD=VALUE",
        help="as repetition.max_dup_line_frac=0.2; or select.keep=0.1, by itself",
    )
    run_folder(parser)


def diff(parser: argparse.ArgumentParser) -> None:
    """Of `diff`."""
    parser.add_argument("one", metavar="RUN", help="a run folder")
    parser.add_argument("other", metavar="OTHER", help="another")


def forget(parser: argparse.ArgumentParser) -> None:
    """Of `forget`."""
    parser.add_argument(
        "documents", nargs="+", metavar="URL|id|hash", help="addresses, ids, or hashes of texts as published"
    )
    parser.add_argument("--near-copies", action="store_true", help="forget the near copies in the run too")
    run_folder(parser)


report = status = verify = run_folder


def clean(parser: argparse.ArgumentParser) -> None:
    """Of `clean`."""
    run_folder(parser)
    parser.add_argument("--yes", action="store_true", help="delete; without it, say what would go and what is lost")


def doctor(parser: argparse.ArgumentParser) -> None:
    """Of `doctor`."""
    parser.add_argument("--run", default=".", metavar="DIR", help="folder that a run would write to")


def schema(parser: argparse.ArgumentParser) -> None:
    """Of `schema`."""
    parser.add_argument("--write", metavar="FILE", help="write it to a file instead of printing it")
    parser.add_argument("--check", metavar="FILE", help="exit 1 unless the file holds the schema of this version")


def completion(parser: argparse.ArgumentParser) -> None:
    """Of `completion`."""
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], help="which shell the script is for")
