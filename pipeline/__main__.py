"""`python -m pipeline COMMAND`: look into a finished run, plan a model, check a machine."""

import argparse
import importlib
import json
import sys
import traceback

from pipeline.commands import arguments
from pipeline.commands.parser import Parser
from pipeline.errors import EXIT_INTERRUPTED, InfrastructureError, PipelineError

COMMANDS = {
    "explain": "what happened to one document, and why",
    "status": "which steps of a run folder are done",
    "inspect": "signals, verdict and text of documents, filtered",
    "whatif": "how many documents other thresholds would keep, without running",
    "diff": "what changed between two runs",
    "report": "write report.html of a finished run again",
    "forget": "take documents out of a run, keep them out, and list the checkpoints that had them",
    "verify": "compare every committed file with its checksum",
    "plan": "parameters, tokens, compute, memory and time from one number",
    "doctor": "whether this machine can run the pipeline",
    "schema": "the JSON schema of a recipe, for editors",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog="python -m pipeline",
        description="Look into a finished run, plan a model, check a machine. To run: python -m pipeline.run RECIPE",
    )
    found = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        if name == "plan":
            found.add_parser(name, help=text, add_help=False)
            continue
        own = found.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        getattr(arguments, name)(own)
        own.add_argument("--json", action="store_true", help="one line of JSON instead of tables")
    return made


def _said(error: PipelineError, as_json: bool) -> int:
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps({"exit": error.exit_code, "error": str(error)}, ensure_ascii=False))
    return error.exit_code


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] == ["plan"]:
            from pipeline.commands.plan import main as plan

            return plan(words[1:])
        chosen = parser().parse_args(words)
        return importlib.import_module(f"pipeline.commands.{chosen.command}").run(chosen)
    except PipelineError as error:
        return _said(error, "--json" in words)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours, said in full
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}. A defect, or the folder of a run of another version"
        return _said(InfrastructureError(what), "--json" in words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
