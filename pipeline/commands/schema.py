"""`schema`: the JSON schema of a recipe, for editors."""

import argparse
import json
from pathlib import Path

from pipeline.errors import EXIT_GATE, EXIT_OK, UsageError
from pipeline.recipe.model import json_schema


def text() -> str:
    """The schema as it is stored."""
    return json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def run(arguments: argparse.Namespace) -> int:
    """Print, write or check."""
    made = text()
    if arguments.check:
        try:
            same = Path(arguments.check).read_text() == made
        except OSError as error:
            raise UsageError(f"--check {arguments.check}: {error.strerror}; --write makes it") from error
        print(f"{arguments.check}: {'up to date' if same else 'not the schema of this version; run `just docs`'}")
        return EXIT_OK if same else EXIT_GATE
    if arguments.write:
        try:
            Path(arguments.write).write_text(made)
        except OSError as error:
            raise UsageError(f"--write {arguments.write}: {error.strerror}") from error
        return EXIT_OK
    print(json.dumps(json.loads(made)) if arguments.json else made, end="")
    return EXIT_OK
