"""`python -m pipeline.run RECIPE`: plan, execute, report, exit code."""

import argparse
import contextlib
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

from pipeline.commands.parser import Parser
from pipeline.errors import EXIT_INTERRUPTED, EXIT_OK, InfrastructureError, KilledWorkerError, PipelineError, UsageError

if TYPE_CHECKING:
    from pipeline.core.execute import Engine
    from pipeline.core.run_folder import Run
    from pipeline.core.sandbox import SandboxSettings
    from pipeline.recipe.model import RecipeBase
    from pipeline.report.progress import Display

EPILOG = """\
examples:
  python -m pipeline.run recipes/finance.yaml                          the embedded sample: no network, no GPU
  CORPORA=/data/corpora python -m pipeline.run recipes/finance.yaml --set use=local
  python -m pipeline.run recipes/finance.yaml --set curate.repetition.max_dup_line_frac=0.2 --to decide
  python -m pipeline.run recipes/finance.yaml --out s3://bucket/run --ray ray://head:10001

Running again is resuming: what did not change is not computed again.
exit codes: 0 all accounted for and gates green; 1 a gate failed; 2 recipe or usage; 3 infrastructure, safe to rerun;
130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    steps = "ingest, extract, train, measure, cluster, decide, apply, tokenizer, shards, size, mix, publish"
    made = Parser(
        prog="python -m pipeline.run",
        description="From raw documents to a curated corpus, a tokenizer, a sized model and a pre-training job.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("recipe", metavar="RECIPE", help="a recipe, such as recipes/finance.yaml")
    made.add_argument("--out", metavar="DIR", help="run folder, any fsspec URL (default: runs/<recipe's name>)")
    made.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="sets", help="change one setting"
    )
    made.add_argument("--to", metavar="STEP", help=f"stop after this step: {steps}")
    train = made.add_mutually_exclusive_group()
    train.add_argument("--train", action="store_true", default=None, help="train at the end; an error without torch")
    train.add_argument("--no-train", action="store_false", dest="train", help="stop at the hand-off")
    made.add_argument(
        "--dry-run", action="store_true", help="check the recipe and print the plan; read and write nothing"
    )
    made.add_argument(
        "--ray", default="local", metavar="ADDRESS|local|none", help="a cluster, a local Ray (default), or in process"
    )
    made.add_argument("--workers", type=int, metavar="N", help="processes of a local Ray (default: all processors)")
    made.add_argument("--json", action="store_true", help="no progress; one line of JSON at the end")
    return made


def engine_for(ray: str, workers: int | None, sandbox: "SandboxSettings") -> "Engine":
    """The engine that `--ray` names."""
    if ray == "none":
        from pipeline.core.in_process import InProcess

        return InProcess(sandbox)
    from pipeline.core.ray_engine import RayEngine

    return RayEngine(ray, workers, sandbox)


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


def run_steps(recipe: "RecipeBase", out: str, engine: "Engine", display: "Display", to: str) -> "Run":
    """Run the steps. Documents that kill their worker are taken out, and then the steps go on from what is done."""
    from pipeline.core import quarantine
    from pipeline.core.execute import Runner
    from pipeline.core.run_folder import Run
    from pipeline.core.store import Store
    from pipeline.flow import advance

    while True:
        state = Run(recipe, Store(out), Runner(Store(out), engine, display))
        state.store.put_json("recipe.json", recipe.model_dump(mode="json", exclude_unset=True))
        try:
            advance(state, to)
            return state
        except KilledWorkerError as found:
            for killer in quarantine.add(state.store, recipe.sandbox, found.killers):
                display.say(f"{killer.name} of {killer.shard} is quarantined, {killer.reason}: {killer.detail}")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line says and return the exit code. Raises PipelineError."""
    from pipeline.recipe import model as recipes

    recipe = recipes.load(arguments.recipe, arguments.sets)
    from pipeline.flow import STEPS
    from pipeline.publish.index import indexes
    from pipeline.report.progress import Display

    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError(f"--workers {arguments.workers}: expected a number of processes from 1")
    if arguments.to is not None and arguments.to not in STEPS:
        raise UsageError(f"--to {arguments.to}: unknown step{recipes.near(arguments.to, STEPS)}")
    out = arguments.out or f"runs/{recipe.name}"
    indexes(recipe, out)
    if arguments.dry_run:
        from pipeline.commands.dry_run import print_plan

        print_plan(recipe, out, arguments.json)
        return EXIT_OK
    from pipeline.conclude import conclude

    engine = engine_for(arguments.ray, arguments.workers, recipe.sandbox)
    try:
        with Display(quiet=arguments.json) as display:
            warm(engine, recipe, display)
            state = run_steps(recipe, out, engine, display, arguments.to or "publish")
    finally:
        engine.close()  # before training: its processes need the cores
    result = conclude(state, display, complete=arguments.to in (None, "publish"), train=arguments.train)
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
    return int(result["exit"])


def report_error(error: PipelineError, as_json: bool) -> int:
    """Say what is wrong, on stderr and, with --json, as the last line."""
    print(f"error: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
    if as_json:
        print(json.dumps({"exit": error.exit_code, "error": str(error)}, ensure_ascii=False))
    return error.exit_code


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments: Any = parser().parse_args(argv)
    try:
        return run(arguments)
    except PipelineError as error:
        return report_error(error, arguments.json)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours, said in full
        traceback.print_exc()
        return report_error(
            InfrastructureError(f"{type(error).__name__}: {error}. This is a defect; what was committed stays."),
            arguments.json,
        )
    except KeyboardInterrupt:
        print("interrupted: what was committed stays; run the same command again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
