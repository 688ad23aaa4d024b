"""A command line whose mistakes are answered with the nearest right word."""

import argparse
import re
from typing import Any, NoReturn

from pipeline.errors import did_you_mean


class Parser(argparse.ArgumentParser):
    """`argparse`, with "did you mean" for a mistyped command, option or choice."""

    def error(self, message: str) -> NoReturn:
        """See argparse: exit 2. One sentence, with the nearest right word or where all of them stand."""
        self.exit(2, f"error: {message}{self._nearest(message) or f' (see {self.prog} --help)'}\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse: a command's own parser answers for its options, as it alone knows them."""
        found, rest = super().parse_known_args(args, namespace)
        if rest and not any(isinstance(action.choices, dict) for action in self._actions):
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def _nearest(self, message: str) -> str:
        options = [option for action in self._actions for option in action.option_strings]
        found = re.search(r"unrecognized arguments: (--?[^ =]+)", message)
        if found:
            return did_you_mean(found[1], options)
        found = re.search(r"argument ([^:]+): invalid choice: '([^']*)'", message)
        if found:
            choices = [str(choice) for action in self._actions for choice in action.choices or ()]
            return did_you_mean(found[2], choices)
        return ""
