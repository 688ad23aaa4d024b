"""Plain twins of the flat tree and its blocks, from the parser's own tree instead of its markup."""

import re

from resiliparse.parse.html import DOMNode, HTMLTree, NodeType

from pipeline.kernels.html import symbols, tree, visible
from pipeline.kernels.html.html_tokens import NAME_BYTES

TAGS = {name[:NAME_BYTES]: number for name, number in tree.TAGS.items()}
WORDS = {word[:NAME_BYTES]: group for group, words in enumerate(tree.WORDS) for word in words.split()}
DIGITS = tuple("0123456789")
SPACE = " \t\n\f\r\xa0"


def marks(value: str) -> int:
    """Groups of the words in an attribute's value."""
    words = []
    for run in re.finditer(r"[A-Za-z]+", value):
        parts = re.findall(r"[A-Z]+[a-z]*|[a-z]+", run[0])
        for at, part in enumerate(parts):
            beside = (at == 0 and value[: run.start()][-1:] in DIGITS) or (
                at == len(parts) - 1 and value[run.end() :][:1] in DIGITS
            )
            if not beside or len(part) >= 4:
                words.append(part[:NAME_BYTES].lower())
    return sum({1 << WORDS[word] for word in words if word in WORDS})


def style_flags(style: str) -> int:
    """What the declarations of a style say."""
    flags = 0
    for declaration in re.sub(r"[ \t\n\f\r]", "", style).lower().split(";"):
        name, colon, value = declaration.partition(":")
        if not colon:
            continue
        if re.search(r"(display|visibility)$", name):
            flags |= tree.HIDDEN * bool(re.match("none|hidden", value)) | tree.GONE * value.startswith("none")
        if name.endswith("al-align"):
            flags |= tree.RAISED * value.startswith("super") | tree.LOWERED * value.startswith("sub")
        for end, flag in (("k-before", tree.BREAK_BEFORE), ("ak-after", tree.BREAK_AFTER)):
            if name.endswith(end):
                flags |= flag * bool(re.match("(always|page|left)|right$", value))
    return flags


def serialised(value: str) -> bytes:
    """An attribute's value as the serialisation has it."""
    escapes = {"&": "&amp;", "\xa0": "&nbsp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"}
    return "".join(escapes.get(sign, sign) for sign in value).encode()


def number(value: str | None) -> int:
    found = re.match(r"[ \t\n\f\r]*\+?([0-9]+)", value or "")
    return min(int(found[1]), 65535) if found else -1


def symbol_font(value: str) -> int:
    """The font of signs that a style or a `face` names first."""
    for word in re.finditer(r"[A-Za-z]+", value):
        before = value[: word.start()].rstrip(" \t\n\f\r")[-1:]
        name = word[0].lower()[:NAME_BYTES]
        if before != "," and name == "wingding":
            number = value[word.end() :].lstrip(" \t\n\f\r")[:1]
            return {"2": symbols.WINGDINGS_2, "3": symbols.WINGDINGS_3}.get(number, symbols.WINGDINGS)
        if before != "," and name == "webdings":
            return symbols.WEBDINGS
        if name == "symbol" and not re.match("[A-Za-z,]", before):
            return symbols.SYMBOL
    return 0


def drawn(text: str, font: int) -> str:
    """A text as its font of signs draws it."""
    size = len(text.encode())
    if not font or size > symbols.MOST or (font == symbols.SYMBOL and size > symbols.MOST // 4):
        return text
    signs = ""
    for sign in text:
        point = ord(sign)
        letter = (
            point - 0xF000 if 0xF000 <= point < 0xF100 else int([*symbols.LETTERS, 0][min(point, len(symbols.LETTERS))])
        )
        shown = int(symbols.SIGNS[font, letter])
        signs += sign if letter == 0 and point else chr(shown) if shown else ""
    return signs


def flags(name: str, get) -> int:
    """The flags of an element whose attributes `get` gives."""
    found = (tree.HIDDEN | tree.GONE) * (get("hidden") is not None) | style_flags(get("style") or "")
    found |= tree.LINK * (get("href") is not None)
    found |= tree.ARIA_HIDDEN * ((get("aria-hidden") or "").lower() == "true")
    found |= tree.PRESENTATION * ((get("role") or "").lower() in ("presentation", "none"))
    found |= tree.TEX * ("tex" in (get("encoding") or "").lower())
    kind = get("type") or ""
    found |= tree.TEX * (name == "script" and bool(re.match("math(?![^ \t\n\f\r/>])", kind, re.IGNORECASE)))
    found |= tree.DRAWN * bool(re.match("mathjax", get("class") or "", re.IGNORECASE))
    found |= tree.REVERSED * (get("reversed") is not None)
    style = {"a": tree.LETTERED, "i": tree.ROMAN}.get(kind.lower(), 0) if name == "ol" else 0
    found |= style | tree.CAPITALS * bool(style and kind.isupper())
    for named in (get("style"), get("face")):
        found |= symbol_font(named or "") << tree.FONT
    return found


def nodes(page: HTMLTree) -> tuple[list[list[int]], list[tuple[str, str] | None], bytes]:
    """`(rows, what each signature is made of, text)`, walked without recursion."""
    rows: list[list[int]] = []
    made_of: list[tuple[str, str] | None] = []
    data = b""
    assert page.document is not None
    stack: list[tuple[DOMNode, int]] = [(page.document, -1)]
    while stack:
        node, parent = stack.pop()
        row = len(rows)
        if node.type == NodeType.TEXT:
            font = rows[parent][tree.FLAGS] >> tree.FONT & tree.FONT_BITS if parent >= 0 else 0
            text = drawn(node.value or "", font).encode()
            if not node.value:
                continue
            rows.append([tree.TEXT, parent, row + 1, len(data), len(data) + len(text), 0, 0, 0x10001])
            made_of.append(None)
            data += text
        elif node.type == NodeType.ELEMENT:
            get = node.getattr
            named = [get(name) or "" for name in ("class", "id", "role", "itemprop")]
            named[1] = named[1] if len(serialised(named[1])) <= 40 else ""
            found = 0
            for value in named:
                found |= marks(value)
            found |= marks(get("itemtype") or "") & tree.COMMENT
            tag = TAGS.get((node.tag or "")[:NAME_BYTES], tree.UNKNOWN)
            across, down = number(get("colspan")), number(get("rowspan"))
            spans = (min(across, 1000) if across > 0 else 1) | (min(down, 32767) if down >= 0 else 1) << 16
            if node.tag in ("ul", "ol"):
                spans = number(get("start")) if number(get("start")) >= 0 else 1
            elif node.tag == "li":
                spans = max(number(get("value")), 0)
            rows.append([tag, parent, -1, len(data), -1, found, flags(node.tag or "", get), spans])
            made_of.append(((node.tag or "")[:NAME_BYTES], get("class")))
        children, inner = node.child_nodes, row if node.type == NodeType.ELEMENT else parent
        stack += [(child, inner) for child in reversed(children)]
    for row in reversed(range(len(rows))):
        if rows[row][tree.END] < 0:  # after the last row that this one is an ancestor of: the next row's, or its own
            last = row + 1
            while last < len(rows) and rows[last][tree.PARENT] >= row:
                last = rows[last][tree.END]
            rows[row][tree.END] = last
            rows[row][tree.STOP] = rows[last - 1][tree.STOP] if last > row + 1 else rows[row][tree.BEGIN]
    return rows, made_of, data


def hides(rows: list[list[int]], row: int, all_text: bool) -> bool:
    """Whether no reader sees what is in an element."""
    fields = rows[row]
    trait, name = tree.TRAITS[fields[tree.TAG]], fields[tree.TAG]
    if trait & tree.UNSEEN:
        formula = name == TAGS["script"] and fields[tree.FLAGS] & tree.TEX
        return not (formula or (all_text and name == TAGS["noscript"]))
    if fields[tree.FLAGS] & tree.DRAWN:
        after = next((row for row in range(fields[tree.END], len(rows)) if rows[row][tree.TAG] != tree.TEXT), -1)
        if after >= 0 and rows[after][tree.TAG] == TAGS["script"] and rows[after][tree.FLAGS] & tree.TEX:
            return True
    if all_text or (row + 1 < fields[tree.END] and rows[row + 1][tree.TAG] == TAGS["math"]):
        return False
    small = fields[tree.STOP] - fields[tree.BEGIN] <= visible._DECORATION
    return bool(fields[tree.FLAGS] & tree.HIDDEN or (fields[tree.FLAGS] & tree.ARIA_HIDDEN and small))


def blocks(rows: list[list[int]], data: bytes, all_text: bool) -> list[int]:
    """The block of every row: runs of seen text between boundaries, numbered where they hold a sign."""
    tex = {}
    for row, fields in enumerate(rows):
        if fields[tree.TAG] == TAGS["annotati"] and fields[tree.FLAGS] & tree.TEX:
            above = [up for up in ancestors(rows, row) if rows[up][tree.TAG] == TAGS["math"]]
            if above:
                tex.setdefault(above[-1], row)

    def is_apart(row: int) -> bool:
        return hides(rows, row, all_text) or rows[row][tree.TAG] == TAGS["annotati"] or numbers_lines(rows, data, row)

    def seen(row: int) -> bool:
        up = ancestors(rows, row)
        formulas = [one for one in up if rows[one][tree.TAG] == TAGS["math"]]
        if formulas and formulas[-1] in tex:
            inside = tex[formulas[-1]]
            outer = up[up.index(formulas[-1]) :]
            return inside in up and not any(map(is_apart, [*up[: up.index(inside)], *outer]))
        return not any(map(is_apart, up))

    found, count = [-1] * len(rows), 0
    run: list[int] = []
    boundaries = [row for row, fields in enumerate(rows) if tree.TRAITS[fields[tree.TAG]] & tree.BOUNDARY and seen(row)]
    edges = {edge for row in boundaries for edge in (row, rows[row][tree.END])}

    def close() -> None:
        nonlocal count
        if any(data[rows[row][tree.BEGIN] : rows[row][tree.STOP]].decode().strip(SPACE) for row in run):
            for row in run:
                found[row] = count
            count += 1
        run.clear()

    for row, fields in enumerate(rows):
        if row in edges:
            close()
        if fields[tree.TAG] == tree.TEXT and seen(row):
            run.append(row)
    close()
    return found


def numbers_lines(rows: list[list[int]], data: bytes, row: int) -> bool:
    """Whether a cell numbers the lines of code beside it."""
    fields = rows[row]
    if fields[tree.TAG] != TAGS["td"] or not re.fullmatch(
        rb"[0-9 \t\n\f\r]*\n[0-9 \t\n\f\r]*", data[fields[tree.BEGIN] : fields[tree.STOP]]
    ):
        return False
    beside = next((other for other in range(fields[tree.END], len(rows)) if rows[other][tree.TAG] != tree.TEXT), -1)
    if beside < 0 or rows[beside][tree.TAG] != TAGS["td"]:
        return False
    return any(rows[other][tree.TAG] == TAGS["pre"] for other in range(beside, rows[beside][tree.END]))


def ancestors(rows: list[list[int]], row: int) -> list[int]:
    """Innermost first."""
    found = []
    while (row := rows[row][tree.PARENT]) >= 0:
        found.append(row)
    return found
