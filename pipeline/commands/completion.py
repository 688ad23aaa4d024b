"""`completion`: shell scripts made from the parsers, so that what a shell offers is what the commands take."""

import argparse
import re
from collections.abc import Mapping

from pipeline.flow import STAGES
from pipeline.recipe.shipped import names

FILES = ("DIR", "FILE", "RUN", "OTHER", "RECIPE")
"""What stands for a path in help."""


def script(shell: str, parsers: Mapping[str, argparse.ArgumentParser], help_texts: Mapping[str, str]) -> str:
    """The script for `bash`, `zsh` or `fish`, to be read by the shell at its start."""
    if shell == "fish":
        return _fish(parsers, help_texts)
    bash = _bash(parsers)
    if shell == "zsh":
        return f"#compdef domain-corpus\nautoload -U +X bashcompinit && bashcompinit\n{bash}"
    return bash


def values(action: argparse.Action) -> list[str]:
    """The words that an argument may be, as far as they are known."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    return {"STAGE": list(STAGES), "RECIPE": names()}.get(str(action.metavar), [])


def is_path(action: argparse.Action) -> bool:
    """Whether the argument is a file or a folder."""
    return action.metavar in FILES


def _bash(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    lines = [
        '# bash completion of domain-corpus: source this file, or eval "$(domain-corpus completion bash)"',
        "_domain_corpus() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" files=""',
        '  if [ "$COMP_CWORD" -eq 1 ]; then',
        f'    words="{" ".join(parsers)} --help --version"',
        "  else",
        '    case "${COMP_WORDS[1]} $before" in',
    ]
    for name, parser in parsers.items():
        for action in parser._actions:
            if action.option_strings and action.nargs != 0:
                pattern = "|".join(f'"{name} {option}"' for option in action.option_strings)
                lines.append(f'      {pattern}) words="{" ".join(values(action))}" files="{_flag(is_path(action))}" ;;')
    lines += ['      *) case "${COMP_WORDS[1]}" in']
    for name, parser in parsers.items():
        options = [option for action in parser._actions for option in action.option_strings if option != "-h"]
        positional = [action for action in parser._actions if not action.option_strings]
        offered = [word for action in positional for word in values(action)] + options
        path = _flag(any(map(is_path, positional)))
        lines.append(f'        {name}) words="{" ".join(offered)}" files="{path}" ;;')
    lines += [
        "      esac ;;",
        "    esac",
        "  fi",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        '  if [ -n "$files" ]; then COMPREPLY+=($(compgen -f -- "$word")); fi',
        "}",
        "complete -o filenames -F _domain_corpus domain-corpus",
    ]
    return "\n".join(lines) + "\n"


def _flag(value: bool) -> str:
    return "yes" if value else ""


def _fish(parsers: Mapping[str, argparse.ArgumentParser], help_texts: Mapping[str, str]) -> str:
    lines = [
        "# fish completion of domain-corpus: domain-corpus completion fish | source",
        "complete -c domain-corpus -f",
        "complete -c domain-corpus -n __fish_use_subcommand -l version -d 'print it and exit'",
    ]
    for name, parser in parsers.items():
        lines.append(f"complete -c domain-corpus -n __fish_use_subcommand -a {name} -d {_quoted(help_texts[name])}")
        start = f"complete -c domain-corpus -n '__fish_seen_subcommand_from {name}'"
        for action in parser._actions:
            parts = [
                f"-{'l' if option.startswith('--') else 's'} {option.lstrip('-')}" for option in action.option_strings
            ]
            if action.option_strings and action.nargs != 0:
                parts.append("-r")
            if is_path(action):
                parts.append("-F")
            if words := values(action):
                parts.append(f"-a {_quoted(' '.join(words))}")
            if parts:
                lines.append(" ".join([start, *parts, "-d", _quoted(action.help or "")]))
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """One line between single quotes, as fish reads it."""
    text = re.sub(r"\s+", " ", text.replace("%%", "%"))
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
