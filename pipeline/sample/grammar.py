"""A small grammar language for the sample's prose, its loader, and the writer that expands it.

A grammar file holds rules and tables. `= name` starts a rule, and every line under it is one alternative;
`% name: column|column` starts a table, and every line under it is one row. `#` starts a comment line. In an alternative

    [a|b|]            one of the choices, nested at will, an empty one allowed
    {rule}            an alternative of the rule; a document uses all of them before it uses one again
    {rule*2-4}        two to four of them, joined by spaces
    {=rule}           chosen once, then the same for the whole document; {=rule#b} is a second, different choice
    {table.column}    a row chosen once for the whole document; {table#b.column} is another row
    {n:3-12}          an integer; {n,:…} with thousands separators; {x:…} one decimal, {xx:…} two
    {^…}              any of these with a capital first letter
    a~                "a" or "an", whichever the next word asks for
    //                ends a block: a paragraph, or "## heading", or "- list item"
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from pipeline.sample.draw import Draw
from pipeline.sample.names import MAKERS, Row
from pipeline.sample.words import text_of


class Slot(NamedTuple):
    """One `{…}` of an alternative."""

    row: str  # before the last dot: perhaps a table or a fact, with its #instance
    column: str  # after it
    rule: str  # the whole, without #instance
    key: str  # the whole
    low: int
    high: int
    capital: bool
    sticky: bool


class Number(NamedTuple):
    """One `{n:…}` of an alternative."""

    low: float
    high: float
    form: str


Node = str | Slot | Number | list[list["Node"]]

_SLOT = re.compile(r"(\^?)(=?)([a-z_0-9]+(?:[.#][a-z_0-9]+)*)(?:\*(\d+)(?:-(\d+))?)?$")
_NUMBER = re.compile(r"(n,|n|xx|x):([\d.]+)-([\d.]+)$")
_FORMS = {"n": "d", "n,": ",d", "x": ".1f", "xx": ".2f"}
_ARTICLE = re.compile(r"\b([Aa])~ (?=(\W*\w+))")


@dataclass
class Grammar:
    """Rules and tables by name; `makers` are tables whose rows are composed instead of listed."""

    rules: dict[str, list[list[Node]]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    makers: dict[str, Callable[[Draw], Row]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Read one grammar file's text. Raises ValueError with the line that cannot be read."""
        alternatives: list[list[Node]] = []
        rows: list[Row] | None = None
        columns: list[str] = []
        for line in text.splitlines():
            line = line.strip()
            if not line or line.startswith("# "):
                continue
            if line.startswith("= "):
                alternatives, rows = self.rules.setdefault(line[2:].strip(), []), None
            elif line.startswith("% "):
                name, _, heads = line[2:].partition(":")
                columns = [head.strip() for head in heads.split("|")]
                rows = self.tables.setdefault(name.strip(), [])  # type: ignore[arg-type]
            elif rows is not None:
                cells = [cell.strip() for cell in line.split("|")]
                if len(cells) != len(columns):
                    raise ValueError(f"{len(cells)} cells for {len(columns)} columns: {line}")
                rows.append(dict(zip(columns, cells, strict=True)))
            else:
                alternatives.append(self._parse(line))

    def _parse(self, text: str) -> list[Node]:
        nodes, end = self._sequence(text, 0, "")
        if end != len(text):
            raise ValueError(f"unbalanced brackets: {text}")
        return nodes

    def _sequence(self, text: str, at: int, stops: str) -> tuple[list[Node], int]:
        nodes: list[Node] = []
        plain = at
        while at < len(text) and text[at] not in stops:
            if text[at] not in "[{":
                at += 1
                continue
            if plain < at:
                nodes.append(text[plain:at])
            if text[at] == "{":
                close = text.index("}", at)
                nodes.append(self._slot(text[at + 1 : close]))
                at = close + 1
            else:
                choices: list[list[Node]] = []
                while text[at] != "]":
                    choice, at = self._sequence(text, at + 1, "|]")
                    if at >= len(text):
                        raise ValueError(f"unbalanced brackets: {text}")
                    choices.append(choice)
                nodes.append(choices)
                at += 1
            plain = at
        if plain < at:
            nodes.append(text[plain:at])
        return nodes, at

    @staticmethod
    def _slot(body: str) -> Slot | Number:
        if number := _NUMBER.match(body):
            return Number(float(number[2]), float(number[3]), _FORMS[number[1]])
        found = _SLOT.match(body)
        if found is None:
            raise ValueError(f"cannot read {{{body}}}")
        capital, sticky, key, low, high = found.groups()
        row, _, column = key.rpartition(".")
        rule = key.partition("#")[0]
        return Slot(row, column, rule, key, int(low or 1), int(high or low or 1), bool(capital), bool(sticky))


class Writer:
    """Expands a grammar for one document; facts of the document win over rules and tables of the same name."""

    def __init__(self, grammar: Grammar, draw: Draw) -> None:
        self.grammar = grammar
        self.draw = draw
        self.facts: dict[str, Row | str] = {}
        self._decks: dict[str, list[list[Node]]] = {}

    def write(self, rule: str) -> str:
        """One expansion of a rule, articles settled."""
        text = self._expand(self._next(rule))
        return _ARTICLE.sub(lambda m: m[1] + ("n " if _vowel(m[2]) else " "), text)

    def blocks(self, rule: str) -> list[tuple[str, str]]:
        """A rule's blocks as (tag, text), the tag one of h2, li, p."""
        found = []
        for block in self.write(rule).split("//"):
            text = " ".join(block.split())
            if text:
                tag = "h2" if text.startswith("## ") else "li" if text.startswith("- ") else "p"
                found.append((tag, text if tag == "p" else text.lstrip("#- ")))
        return found

    def row(self, key: str) -> Row:
        """The document's row of a table, drawn at first sight; instances of one table differ."""
        known = self.facts.get(key)
        if isinstance(known, Mapping):
            return known
        table = key.partition("#")[0]
        taken = [row for name, row in self.facts.items() if name.partition("#")[0] == table]
        maker = self.grammar.makers.get(table)
        for _ in range(50):
            row = maker(self.draw) if maker else self.draw.pick(self.grammar.tables[table])
            if row not in taken:
                break
        self.facts[key] = row
        return row

    def _next(self, rule: str) -> list[Node]:
        deck = self._decks.get(rule)
        if not deck:
            deck = self._decks[rule] = self.draw.shuffled(self.grammar.rules[rule])
        return deck.pop()

    def _expand(self, nodes: list[Node]) -> str:
        parts = []
        for node in nodes:
            if isinstance(node, str):
                parts.append(node)
            elif isinstance(node, Number):
                value = self.draw.uniform(node.low, node.high)
                parts.append(f"{round(value) if 'd' in node.form else value:{node.form}}")
            elif isinstance(node, Slot):
                value = " ".join(self._value(node) for _ in range(self.draw.between(node.low, node.high)))
                parts.append(value[:1].upper() + value[1:] if node.capital else value)
            else:
                parts.append(self._expand(self.draw.pick(node)))
        return "".join(parts)

    def _value(self, slot: Slot) -> str:
        table = slot.row.partition("#")[0]
        if table in self.facts or table in self.grammar.tables or table in self.grammar.makers:
            return self.row(slot.row)[slot.column]
        known = self.facts.get(slot.key)
        if isinstance(known, str):
            return known
        value = self._expand(self._next(slot.rule))
        if slot.sticky:
            self.facts[slot.key] = value
        return value


def _vowel(word: str) -> bool:
    """Whether "an" goes before the word, as it is said."""
    word = word.lower().lstrip("\"'“‘($")
    if word.startswith(("uni", "use", "usu", "euro", "one", "eu", "ut")):
        return False
    if word.startswith(("hour", "honest", "heir", "honour", "honor")):
        return True
    return word[:1] in "aeiou" or word.startswith("8") or word in ("11", "18")


def compose(draw: Draw, rule: str, *names: str) -> tuple["Writer", list[tuple[str, str]], str]:
    """A writer of the files, the blocks of `<rule>.doc`, and `<rule>.title`, drawn in this order."""
    writer = Writer(load(*names), draw)
    blocks = writer.blocks(f"{rule}.doc")
    return writer, blocks, writer.write(f"{rule}.title")


@cache
def load(*names: str) -> Grammar:
    """The grammar of some files of `texts/`, read once, with the composed tables every document may use."""
    grammar = Grammar(makers=dict(MAKERS))
    for name in names:
        grammar.add(text_of(name))
    return grammar
