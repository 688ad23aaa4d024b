"""HTML to text: a parser's tree, read into flat arrays, and the blocks of its main content written out by compiled code."""

import html
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from resiliparse.parse.html import HTMLTree

from pipeline.extract.documents.formulas import lined
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.main_content import keep_blocks
from pipeline.extract.methods import METHODS
from pipeline.extract.page_facts import page_facts
from pipeline.extract.payload import Extracted, RefusalError, decode_within
from pipeline.kernels.html.render import DROP_TABLES, MARKDOWN_TABLES, TEXT_TABLES, render
from pipeline.kernels.html.slim import slim
from pipeline.kernels.html.tables import find_tables
from pipeline.kernels.html.tree import read_tree
from pipeline.kernels.html.visible import blocks

ATTRIBUTE_WORK = 250_000_000
"""Sum of squared attribute counts of the tags: what the parser's time grows with (100,000 in one tag take 19 s).

Of a tag a few are left for the parser; what is meant here is text that it may take for tags."""
ARTICLE_BYTES, ARTICLE_TIMES = 400, 2
"""JSON-LD's article is the text when it is at least this long, and this many times as long as what is visible of it."""
TABLES = {"text": TEXT_TABLES, "markdown": MARKDOWN_TABLES, "drop": DROP_TABLES}

_EDGAR_LEAD = re.compile(
    rb"\s{0,64}<DOCUMENT>\s{0,8}<TYPE>[^<]{0,64}(?:<(?:SEQUENCE|FILENAME|DESCRIPTION)>[^<]{0,256})*<TEXT>"
)
"""The envelope around a filing's page, which a browser would show as text."""
_SIGN_FONT = re.compile(
    rb"font(?:-family\s*:|\s*:[^;{}<>,]{0,40}?(?:p[tx]|em|%))\s*[\"']?(Wingdings(?: [23])?|Webdings|Symbol)\b",
    re.IGNORECASE,
)
"""A declaration whose first font draws letters as signs."""
_CLASS = re.compile(rb"\.([\w-]+)\s*(?=,|\Z)")
_MOST_RULES, _LONGEST_RULE = 64, 2048
_MOST_NAMES, _DECLARATION = 1024, 80
"""Names of such fonts that are looked at, and bytes before and behind one in which its declaration stands."""
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,9}(?:\s[^<>]{0,500})?/?>")


def extract_html(payload: bytes, charset: str | None, settings: ExtractSettings) -> Extracted:
    """Text and facts of a page; the cells of tables are separated by tabs, pages by form feeds.

    Raises `RefusalError`: `undecodable`, `too_many_nodes`, `too_many_attributes`, `too_deep`, `unparsable`.
    """
    decoded = decode_within(payload, charset, True, settings.max_replaced_frac)
    unchanged = decoded.encoding == "utf-8" and not decoded.replaced and not payload.startswith(b"\xef\xbb\xbf")
    markup = payload if unchanged else decoded.text.encode()
    lead = _EDGAR_LEAD.match(markup)
    if lead:
        markup, unchanged = markup[lead.end() :], False
    tree = _parsed(markup, settings)
    facts, origin = page_facts(markup), "page"
    if settings.method != "ours":
        text = METHODS[settings.method](markup.decode("utf-8", "replace"), settings)
    else:
        text = page_text(tree, settings)
        if facts.article and len(facts.article) >= max(ARTICLE_BYTES, ARTICLE_TIMES * len(text)):
            text, origin = facts.article, "json-ld"
            text = markup_text(text, settings) if _TAG.search(text) else html.unescape(text)
    return Extracted(
        text=text,
        encoding=decoded.encoding,
        title=" ".join((tree.title or "").split())[:1000] or facts.title,
        markup=None if unchanged else markup,
        tabular=True,
        date=facts.date,
        author=facts.author,
        language=facts.language,
        origin=origin,
    )


def markup_text(markup: str, settings: ExtractSettings) -> str:
    """The text of a piece of markup. Raises `RefusalError` as `extract_html` does."""
    return page_text(_parsed(markup.encode("utf-8", "replace"), settings), settings)


def _parsed(markup: bytes, settings: ExtractSettings) -> HTMLTree:
    """The tree of a page in UTF-8, within the limits that guard the parser."""
    source, tags, depth, attribute_work = slim(lined(markup) if b"<math" in markup else markup)
    if tags > settings.max_nodes:
        raise RefusalError("too_many_nodes", f"{tags:,} tags, the limit is {settings.max_nodes:,}")
    if attribute_work > ATTRIBUTE_WORK:
        raise RefusalError(
            "too_many_attributes", "what looks like tags in a text field has more attributes than any page needs"
        )
    try:
        tree = HTMLTree.parse(source.decode("utf-8", "replace"))
    except (ValueError, RuntimeError) as error:
        raise RefusalError("unparsable", f"the parser gave up: {error}") from error
    _show(tree, source, markup)
    if depth > settings.max_depth and (real := tree_depth(tree)) > settings.max_depth:
        raise RefusalError("too_deep", f"elements nest {real:,} deep, the limit is {settings.max_depth:,}")
    return tree


def _show(tree: HTMLTree, source: bytes, markup: bytes) -> None:
    """Put into the tree what a browser shows otherwise than it is written: a table's foot below its rows, readings in brackets
    that it draws above their signs, and the fonts of signs that a style sheet names. `source` is `markup` without its scripts
    and style sheets."""
    document: Any = tree.document
    if document is None:
        return
    for reading in document.get_elements_by_tag_name("rt") if b"<rt" in source or b"<RT" in source else ():
        if reading.text.strip() and reading.parent is not None and not reading.parent.get_elements_by_tag_name("rp"):
            reading.insert_before(tree.create_text_node("("), reading.first_child)
            reading.append_child(tree.create_text_node(")"))
    if b"<tfoot" in source or b"<TFOOT" in source:
        for foot in document.get_elements_by_tag_name("tfoot"):
            if foot.parent is not None and foot.next is not None:
                foot.parent.append_child(foot)
    for match in islice(_sign_fonts(markup), _MOST_RULES):
        rule = markup[max(0, match.start() - _LONGEST_RULE) : match.start()]
        selectors, _, inside = rule.rpartition(b"{")
        if b"}" in inside:
            continue  # the style of an element, which the tree has
        for name in _CLASS.findall(selectors[max(map(selectors.rfind, (b"}", b"{", b";", b"/"))) + 1 :].strip()):
            for element in document.get_elements_by_class_name(name.decode("utf-8", "replace")):
                element["face"] = match[1].decode()


def _sign_fonts(markup: bytes) -> Iterator[re.Match[bytes]]:
    """The declarations of fonts of signs, in order. Their names are found first: the pattern alone reads a page at 100 MB/s."""
    names = (b"dings", b"Dings", b"ymbol")
    for at in sorted(at for name in names for at in islice(_places(markup, name), _MOST_NAMES)):
        if match := _SIGN_FONT.search(markup, max(0, at - _DECLARATION), at + _DECLARATION):
            yield match


def _places(data: bytes, part: bytes) -> Iterator[int]:
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + len(part))


def page_text(tree: HTMLTree, settings: ExtractSettings) -> str:
    """The text of a parsed page, of its main content when the settings say so."""
    serialised = tree.document.html if tree.document is not None else ""
    nodes, signatures, data = read_tree(np.frombuffer(serialised.encode("utf-8", "replace"), np.uint8))
    block, count = blocks(nodes, data, False)
    if count == 0:  # an unclosed <noscript> can hold the whole page
        block, count = blocks(nodes, data, True)
    role, column = find_tables(nodes, data, block)
    if settings.main_content:
        keep = keep_blocks(
            nodes, signatures, data, block, count, role=role,
            comments=settings.comments, min_chars=settings.min_main_chars, min_frac=settings.min_main_frac,
        )  # fmt: skip
    else:
        keep = np.ones(count, np.bool_)
    return render(nodes, data, block, keep, role, column, TABLES[settings.tables]).tobytes().decode("utf-8", "replace")


def tree_depth(tree: HTMLTree) -> int:
    """How deep the elements nest, walked without recursion."""
    node, depth, deepest = tree.document, 0, 0
    while node is not None:
        child = node.first_child
        if child is not None:
            node, depth = child, depth + 1
            deepest = max(deepest, depth)
            continue
        while node is not None and node.next is None:
            node, depth = node.parent, depth - 1
        node = node.next if node is not None else None
    return deepest
