"""`domain-corpus run RECIPE`, or `python -m pipeline.run RECIPE`: plan, execute, report, exit code."""

import argparse
import contextlib
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from pipeline.commands.arguments import declare
from pipeline.commands.console import add_version, guarded
from pipeline.commands.parser import Parser
from pipeline.errors import EXIT_OK, KilledWorkerError, UsageError
from pipeline.flow import LAST, STAGES

if TYPE_CHECKING:
    from pipeline.core.execute import Engine, Runner, Verify
    from pipeline.core.run_folder import Run
    from pipeline.core.sandbox import SandboxSettings
    from pipeline.core.store import Store
    from pipeline.recipe.model import RecipeBase
    from pipeline.report.progress import Display

DESCRIPTION = "From raw documents to a curated corpus, a tokenizer, a sized model and a pre-training job."
EPILOG = """\
examples:
  domain-corpus run finance                       the embedded sample of the shipped recipe: no network, no GPU
  CORPORA=/data/corpora domain-corpus run finance --set use=local
  domain-corpus run mine.yaml --set curate.repetition.max_dup_line_frac=0.2 --to decide
  domain-corpus run mine.yaml --out s3://bucket/run --ray ray://head:10001
`python -m pipeline.run` is the same as `domain-corpus run`, in a checkout too.

Running again is resuming: what did not change is not computed again.
exit codes: 0 all accounted for and gates green; 1 a gate failed; 2 recipe or usage; 3 infrastructure, safe to rerun;
130 interrupted.
"""


RENAMED = {"train": "; did you mean classify? (--train trains the language model, after the last stage)"}
"""What is said of a name that another thing bears."""


def parser(prog: str = "python -m pipeline.run") -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    declare(made, "run", stages=list(STAGES))
    made.add_argument("--json", action="store_true", help="no progress; one line of JSON at the end")
    add_version(made)
    return made


def engine_for(ray: str, workers: int | None, sandbox: "SandboxSettings") -> "Engine":
    """The engine that `--ray` names."""
    if ray == "none":
        from pipeline.core.in_process import InProcess

        return InProcess(sandbox)
    from pipeline.core.ray_engine import RayEngine

    return RayEngine(ray, workers, sandbox)


def end_like_interrupted() -> None:
    """Let SIGTERM, and a terminal that closes, end the run as Ctrl-C does: workers are let go, the lease is given back, exit
    code 130."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(signal.SIGHUP, interrupt)


def default_verify(store: "Store") -> "Verify":
    """How files of an earlier run are checked when the command line does not say: by their sums on a local disk, where that
    costs a second a gigabyte, and by size on an object store, which keeps sums itself and where it costs a download."""
    return "sums" if store.local else "sizes"


def warm(engine: "Engine", recipe: "RecipeBase", display: "Display") -> None:
    """Compile what this recipe needs and this machine has not compiled yet."""
    from pipeline.warm import cold_pieces, compile_piece, names

    pieces = cold_pieces(recipe)
    if not pieces:
        return
    display.say(names(pieces))
    if engine.workers > 1:
        engine.spread(compile_piece, pieces)
        return
    for piece in pieces:
        with contextlib.suppress(Exception):  # what fails here is reported where its work is really needed
            compile_piece(*piece)


def run_steps(recipe: "RecipeBase", runner: "Runner", display: "Display", to: str) -> "Run":
    """Run the steps. Documents that kill their worker are taken out, and then the steps go on from what is done."""
    from pipeline.core import quarantine
    from pipeline.core.run_folder import Run
    from pipeline.flow import advance

    while True:
        state = Run(runner.store, recipe, runner)
        try:
            advance(state, to)
            return state
        except KilledWorkerError as found:
            for killer in quarantine.add(state.store, recipe.sandbox, found.killers):
                display.say(f"{killer.name} of {killer.shard} is quarantined, {killer.reason}: {killer.detail}")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line says and return the exit code. Raises PipelineError."""
    from pipeline.recipe import model as recipes

    end_like_interrupted()
    recipe = recipes.load(arguments.recipe, arguments.sets)
    from pipeline.publish.index import indexes
    from pipeline.report.progress import Display

    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError(f"--workers {arguments.workers}: expected a number of processes from 1")
    if arguments.to is not None and arguments.to not in STAGES:
        nearest = RENAMED.get(arguments.to) or recipes.near(arguments.to, STAGES)
        raise UsageError(f"--to {arguments.to}: unknown stage{nearest}")
    out = arguments.out or f"runs/{recipe.name}"
    indexes(recipe, out)
    if arguments.dry_run:
        from pipeline.commands.dry_run import print_plan

        print_plan(recipe, out, arguments.json)
        return EXIT_OK
    from pipeline.conclude import conclude
    from pipeline.core import lease
    from pipeline.core.execute import Runner
    from pipeline.core.run_folder import claim, refuse_other_recipe
    from pipeline.core.store import Store
    from pipeline.report.monitor import watched

    store = Store(out)
    refuse_other_recipe(store, recipe)
    display = Display(quiet=arguments.json)
    with contextlib.ExitStack() as until_the_end:
        watch = until_the_end.enter_context(
            watched(recipe, store.url(""), display, arguments.metrics, arguments.lineage)
        )
        engine = engine_for(arguments.ray, arguments.workers, recipe.sandbox)
        end_like_interrupted()  # again: Ray puts a handler of its own in place
        try:
            mine = until_the_end.enter_context(lease.held(store))
            claim(store, recipe)
            engine.check(store)
            runner = Runner(store, engine, arguments.verify or default_verify(store), arguments.rehash, mine.check)
            runner.listener = watch
            with display:
                warm(engine, recipe, display)
                state = run_steps(recipe, runner, display, arguments.to or LAST)
        finally:
            engine.close()  # before training: its processes need the cores
        result = conclude(state, display, complete=arguments.to in (None, LAST), train=arguments.train)
        watch.result = result
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
    return int(result["exit"])


def main(argv: list[str] | None = None, prog: str = "python -m pipeline.run") -> int:
    """Entry point; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    arguments: Any = parser(prog).parse_args(words)
    return guarded(
        lambda: run(arguments),
        words,
        "This is a defect; what was committed stays.",
        "interrupted: what was committed stays; run the same command again to go on",
    )


if __name__ == "__main__":
    sys.exit(main())
