"""The features of blocks in plain Python, over the same rows of nodes: lists and dictionaries, no tables, no shared state."""

import re
import unicodedata
from collections import Counter

import numpy as np

from pipeline.kernels.html import block_features as made
from pipeline.kernels.html.tree import (
    BEGIN,
    BODY,
    BOUNDARY,
    COMMENT,
    FLAGS,
    LINK,
    MARKS,
    PARENT,
    STOP,
    TAG,
    TAGS,
    TEXT,
    TRAITS,
    WORDS,
)
from pipeline.kernels.text.word_tables import TERMINAL

NAME = {number: name for name, number in TAGS.items()}
LESSER = {"nav", "footer", "header", "aside", "form"}


def kind_of(character):
    """The class of a character, by its name."""
    for kind, members in (
        ("divider", "|›•·→▸►>"),
        ("space", "\t\n\f\r\u2028\u2029\u200b"),
        ("closing", "\"'”’"),
        ("comma", ",;،؛、，；"),
        ("ending", TERMINAL + "…"),
    ):
        if character in members:
            return kind
    category, point = unicodedata.category(character), ord(character)
    if category in ("Ll", "Lm", "Lo", "Pc"):
        if category != "Pc":
            if re.match("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U00031fff]", character):
                return "ideograph"
            if 0x0E00 <= point < 0x0F00 or 0x1000 <= point < 0x10A0 or 0x1780 <= point < 0x1800:
                return "unspaced"
        return "letter"
    groups = {"Lu": "capital", "Lt": "capital", "Nd": "digit", "Nl": "digit", "No": "digit", "Zs": "space"}
    groups |= {"Mn": "mark", "Mc": "mark", "Me": "mark", "Pe": "closing", "Pf": "closing", "Pi": "closing"}
    return groups.get(category, "other")


def events_of(pieces):
    """`(letters, sign, linked, counts)` of the words of a block's pieces `(text, linked)`, in order.

    A word has letters; an ideograph, or a letter of a script without spaces, is a sign; of the latter each fifth counts.
    """
    events, word, first_linked, run = [], "", False, 0
    for text, inside in pieces:
        for character in text:
            kind = kind_of(character)
            if kind in ("letter", "capital", "digit"):
                first_linked = first_linked if word else inside
                word += character
            elif kind != "mark":
                if word:
                    events.append((word, "", first_linked, True))
                    word = ""
                if kind in ("ideograph", "unspaced"):
                    events.append(("", character, inside, kind == "ideograph" or run % 5 == 0))
                    run += kind == "unspaced"
    return events + ([(word, "", first_linked, True)] if word else [])


def ascii_lower(word):
    return "".join(character.lower() if character < "\x80" else character for character in word)


def finished(kinds):
    """Whether the last sign ends a sentence; signs that close something do not count behind one that does."""
    last = ""
    for kind in kinds:
        if kind != "space" and not (kind == "closing" and last == "ending"):
            last = kind
    return last == "ending"


def sentence_ends(kinds):
    """Beyond ASCII each one counts; in ASCII those before white space, with what closes in between."""
    ends = 0
    for at, (kind, character) in enumerate(kinds):
        after = at + 1
        while after < len(kinds) and kinds[after][0] == "closing":
            after += 1
        before_space = after == len(kinds) or kinds[after][0] == "space"
        ends += kind == "ending" and (ord(character) >= 0x80 or before_space)
    return ends


def count_text(pieces, title):
    """`(counts by name, what is the same for blocks of the same words)` of one block."""
    events = events_of(pieces)
    kinds = [(kind_of(character), character) for text, _ in pieces for character in text]
    signs = [kind for kind, _ in kinds if kind != "space"]
    words = [word for word, _, _, _ in events if word]
    count, linked = sum(event[3] for event in events), sum(event[3] and event[2] for event in events)
    row = dict(
        COUNT=count, LINKED=linked, LETTERS=len(signs), DIGITS=signs.count("digit"), CAPITALS=signs.count("capital"),
        ENDS=sentence_ends(kinds), COMMAS=signs.count("comma"), DIVIDERS=signs.count("divider"),
        FINISHED=finished([kind for kind, _ in kinds]),
        DATED=any(re.fullmatch("[0-9]{4}", word) and 1900 <= int(word) < 2100 for word in words),
        COPYRIGHT=any("©" in text for text, _ in pieces), TITLED=sum(ascii_lower(word) in title for word in words),
        GOOD=count - linked if count >= 10 and 10 * linked < 3 * count else 0,
    )  # fmt: skip
    return row, [(ascii_lower(word), sign) for word, sign, _, _ in events]


class Box:
    """A block-level element, or the page."""

    def __init__(self, up, row, tag, marks, signature):
        self.up, self.row, self.tag, self.marks, self.signature = up, row, tag, marks, signature
        self.depth = up.depth + 1 if up else 0
        self.blocks, self.order = [], 0

    def line(self):
        """The box and all around it, the page last."""
        return [self, *(self.up.line() if self.up else [])]

    def total(self, name):
        return sum(block[name] for block in self.blocks)


def share(part, whole):
    return np.float32(part) / np.float32(max(whole, 1))


def title_of(nodes, data):
    for row in range(1, len(nodes)):
        if nodes[row][TAG] == TEXT and NAME.get(nodes[nodes[row][PARENT]][TAG]) == "title":
            events = events_of([(data[nodes[row][BEGIN] : nodes[row][STOP]].decode(), False)])
            return {ascii_lower(word) for word, _, _, _ in events if word}, sum(event[3] for event in events)
    return set(), 0


def read_blocks(nodes, signatures, data, block):
    """`(boxes, blocks)`: every block a dictionary of its counts, with `box` and `same`."""
    title, title_words = title_of(nodes, data)
    page = Box(None, -1, 0, 0, 0)
    boxes, box_of, linked, pieces, place = [page], {}, {}, {}, {}
    last = None
    for row, node in enumerate(nodes):
        parent = node[PARENT]
        box_of[row] = box_of.get(parent, page)
        linked[row] = (NAME.get(node[TAG]) == "a" and node[FLAGS] & LINK != 0) or linked.get(parent, False)
        if TRAITS[node[TAG]] & BOUNDARY:
            box_of[row] = Box(box_of[row], row, node[TAG], node[MARKS], signatures[row])
            box_of[row].order = len(boxes)
            boxes.append(box_of[row])
        if NAME.get(node[TAG]) == "br" and last is not None:
            pieces[last].append(("\n", False))
        if block[row] >= 0:
            last = block[row]
            place.setdefault(last, box_of[row])
            pieces.setdefault(last, []).append((data[node[BEGIN] : node[STOP]].decode(), linked[row]))
    blocks = []
    for number in sorted(pieces):
        counts, words = count_text(pieces[number], title)
        blocks.append({**counts, "box": place[number], "same": tuple(words), "title_words": title_words})
        for box in place[number].line():
            box.blocks.append(blocks[-1])
    return boxes, blocks


def features(nodes, signatures, data, block):
    """The rows of features, one list a block."""
    boxes, blocks = read_blocks(nodes, signatures, data, block)
    prose = sum(each["GOOD"] for each in blocks)
    words, links = (sum(each[name] for each in blocks) for name in ("COUNT", "LINKED"))

    def heavy(box):
        return prose > 0 and 2 * box.total("GOOD") >= prose

    def plain_prose(box):
        inside = box.total("GOOD")
        straight = sum(
            each["GOOD"]
            for each in box.blocks
            if each["box"] is box or (each["box"].up is box and NAME.get(each["box"].tag) == "p")
        )
        return 2 * straight >= inside or 100 * inside >= 99 * prose

    def own(box):
        near = sum(2 * each["GOOD"] for each in blocks if each["box"].up is box)
        return near + sum(each["GOOD"] for each in blocks if grand(each["box"]) is box)

    def grand(box):
        return box.up and (box.up.up or boxes[0])

    best = max(boxes, key=lambda box: (own(box), -box.order))
    half = max((box for box in boxes if 2 * box.total("GOOD") >= prose), key=lambda box: (box.depth, box.order))
    in_best = [at for at, each in enumerate(blocks) if each["GOOD"] and best in each["box"].line()] or [-1]
    heading = next((at for at, each in enumerate(blocks) if NAME.get(each["box"].tag) == "h1"), None)
    alike = {}
    for each in blocks:
        alike.setdefault(key(each["box"]), []).append(each)
    same = Counter(each["same"] for each in blocks)
    rows = []
    for at, each in enumerate(blocks):
        box, count = each["box"], each["COUNT"]
        before, after = blocks[:at], blocks[at + 1 :]
        row = [
            count, share(each["LINKED"], count), each["ENDS"], share(each["ENDS"], count), share(each["COMMAS"], count),
            each["FINISHED"], share(each["DIGITS"], each["LETTERS"]), share(each["CAPITALS"], each["LETTERS"]),
            share(each["LETTERS"], count), each["DATED"], each["COPYRIGHT"], each["DIVIDERS"], share(each["TITLED"], count),
            share(each["TITLED"], each["title_words"]), same[each["same"]], kind_number(box), kind_number(box.up), box.depth,
            share(at, len(blocks)), share(sum(b["COUNT"] for b in before), words), share(sum(b["COUNT"] for b in after), words),
            share(sum(b["GOOD"] for b in before), prose), share(sum(b["GOOD"] for b in after), prose),
            -999 if heading is None else at - heading, at, len(blocks) - at,
        ]  # fmt: skip
        lines = [(around, NAME.get(around.tag), heavy(around)) for around in box.line() if around.up]
        within = {name for _, name, much in lines if not (much and name in LESSER)}
        row += [any(name in within for name in names.split()) for names in made._WITHIN]
        for group in range(len(WORDS)):
            steps = made.FAR
            for step, (around, _, much) in enumerate(lines):
                counts = not much or 1 << group == BODY or (1 << group == COMMENT and not plain_prose(around))
                if around.marks >> group & 1 and counts:
                    steps = min(step, steps)
            row.append(steps)
        row += containers(each, at, best, half, in_best, alike[key(box)], prose, len(blocks))
        for step in (-1, 1):
            other = blocks[at + step] if 0 <= at + step < len(blocks) else None
            row += [
                other["COUNT"], share(other["LINKED"], other["COUNT"]), kind_number(other["box"]),
                other["box"].up is box.up, other["GOOD"],
            ] if other else [-1] * 5  # fmt: skip
        row.append(next((n for n in range(1, 12) if at >= n and blocks[at - n]["GOOD"]), 12))
        row.append(next((n for n in range(1, 12) if at + n < len(blocks) and blocks[at + n]["GOOD"]), 12))
        row.append(sum(other["GOOD"] for other in blocks[max(0, at - 5) : at + 6]))
        row += [
            words,
            share(links, words),
            len(blocks),
            share(prose, words),
            share(max(b["GOOD"] for b in blocks), prose),
        ]
        rows.append(row)
    return rows


def key(box):
    return box.signature, box.up.signature if box.up else 0, box.up is None or box.up.up is None


def kind_number(box):
    names = made.KINDS
    name = NAME.get(box.tag) if box and box.up else None
    return names.index(name) if name in names else len(names)


def containers(each, at, best, half, in_best, alike, prose, count):
    """The ten features about `best`, `half` and blocks alike, and five for each of the innermost boxes."""
    line = each["box"].line()
    joint = next(box for box in line if box in best.line())
    row = [
        min(line.index(half), 20) if half in line else 21, min(line.index(joint), 20), best in line, best.depth - joint.depth,
        max(in_best[0] - at, -1), max(at - in_best[-1], -1), share(sum(b["GOOD"] for b in alike), prose),
        share(sum(b["LINKED"] for b in alike), sum(b["COUNT"] for b in alike)), len(alike), share(len(alike), count),
    ]  # fmt: skip
    for level in range(made.LEVELS):
        box = line[min(level, len(line) - 1)]
        total = box.total("COUNT")
        row += [
            total, share(box.total("LINKED"), total), share(box.total("GOOD"), prose), len(box.blocks),
            share(box.total("ENDS"), total),
        ]  # fmt: skip
    return row
