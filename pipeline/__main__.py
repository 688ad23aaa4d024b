"""`domain-corpus COMMAND`, or `python -m pipeline COMMAND`: run, look into a finished run, plan a model, check a machine."""

import argparse
import importlib
import sys

from pipeline.commands.arguments import COMMANDS, declare
from pipeline.commands.console import add_version, guarded, program
from pipeline.commands.parser import Parser

OWN_LINE = {"run": "pipeline.run", "plan": "pipeline.commands.plan"}
"""Commands whose module reads its own command line."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog=program("pipeline"),
        description="From raw documents to a domain corpus; look into a finished run, plan a model, check a machine.",
    )
    add_version(made)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        if name in OWN_LINE:
            commands.add_parser(name, help=text, add_help=False)
            continue
        own = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        declare(own, name)
        if name not in ("completion", "explore"):
            own.add_argument(
                "--json", action="store_true", help="JSON instead of tables: one line, from inspect one a document"
            )
    return made


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of every command, for shell completion."""
    (declared,) = [found.choices for found in parser()._actions if isinstance(found.choices, dict)]
    own = {name: importlib.import_module(module).parser(f"domain-corpus {name}") for name, module in OWN_LINE.items()}
    return {name: own.get(name, declared[name]) for name in COMMANDS}


def dispatch(words: list[str]) -> int:
    """Run the command that the words name. Raises PipelineError."""
    if words[:1] and words[0] in OWN_LINE:
        return importlib.import_module(OWN_LINE[words[0]]).main(words[1:], f"{program('pipeline')} {words[0]}")
    chosen = parser().parse_args(words)
    if chosen.command == "completion":
        from pipeline.commands.completion import script

        print(script(chosen.shell, parsers(), COMMANDS), end="")
        return 0
    return importlib.import_module(f"pipeline.commands.{chosen.command}").run(chosen)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return guarded(lambda: dispatch(words), words, "A defect, or the folder of a run of another version")


if __name__ == "__main__":
    sys.exit(main())
