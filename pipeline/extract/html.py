"""HTML to text with resiliparse: main content, or the whole page where that finds too little."""

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.extract.encoding import decode_within
from pipeline.extract.settings import ExtractSettings
from pipeline.extract.unit import Extracted, RefusalError
from pipeline.kernels.markup import SHALLOW, scan_markup

MAX_ATTRIBUTES = 1000
"""Of one tag: the parser's time grows with their square (100,000 take 19 s)."""
MAIN_WORK = 10_000_000
"""Tags times depth up to which main content is looked for: the search walks up from every element (10^7: 0.7 s)."""


def extract_html(payload: bytes, charset: str | None, settings: ExtractSettings) -> Extracted:
    """Text and title of a page; table cells are separated by tabs.

    Raises `RefusalError`: `undecodable`, `too_many_nodes`, `too_many_attributes`, `too_deep`, `unparsable`.
    """
    decoded = decode_within(payload, charset, True, settings.max_replaced_frac)
    unchanged = decoded.encoding == "utf-8" and not decoded.replaced and not payload.startswith(b"\xef\xbb\xbf")
    markup = payload if unchanged else decoded.text.encode()
    tags, depth, attributes = scan_markup(np.frombuffer(markup, np.uint8), SHALLOW)
    if tags > settings.max_nodes:
        raise RefusalError("too_many_nodes", f"{tags:,} tags, the limit is {settings.max_nodes:,}")
    if attributes > MAX_ATTRIBUTES:
        raise RefusalError("too_many_attributes", f"{attributes:,} attributes in one tag, the limit is {MAX_ATTRIBUTES:,}")
    try:
        tree = HTMLTree.parse_from_bytes(markup, "utf-8", "strict")
    except (ValueError, RuntimeError) as error:
        raise RefusalError("unparsable", f"the parser gave up: {error}") from error
    if depth > settings.max_depth and (real := tree_depth(tree)) > settings.max_depth:
        raise RefusalError("too_deep", f"elements nest {real:,} deep, the limit is {settings.max_depth:,}")
    text = _main_text(tree, settings) if settings.main_content and tags * depth <= MAIN_WORK else None
    return Extracted(
        text=text if text is not None else extract_plain_text(tree, alt_texts=False),
        encoding=decoded.encoding,
        title=_title(tree),
        markup=None if unchanged else markup,
        tabular=True,
    )


def _main_text(tree: HTMLTree, settings: ExtractSettings) -> str | None:
    """The main content, or None when it is suspiciously little of the page."""
    main = extract_plain_text(tree, main_content=True, alt_texts=False)
    if len(main) < settings.min_main_chars:
        return None
    whole = len(extract_plain_text(tree, alt_texts=False)) if settings.min_main_frac else 0
    return main if len(main) >= settings.min_main_frac * whole else None


def _title(tree: HTMLTree) -> str | None:
    title = " ".join((tree.title or "").split())
    return title[:1000] or None


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
