"""HTML to text with resiliparse: main content, or the whole page where that finds too little."""

import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.extract.encoding import decode_within
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.extract.payload import Extracted, RefusalError
from pipeline.kernels.html.slim import slim

ATTRIBUTE_WORK = 250_000_000
"""Sum of squared attribute counts of the tags: what the parser's time grows with (100,000 in one tag take 19 s).

Of a tag a few are left for the parser; what is meant here is text that it may take for tags."""
MAIN_WORK = 10_000_000
"""Tags times depth up to which main content is looked for: the search walks up from every element (10^7: 0.7 s)."""

_EDGAR_LEAD = re.compile(
    rb"\s{0,64}<DOCUMENT>\s{0,8}<TYPE>[^<]{0,64}(?:<(?:SEQUENCE|FILENAME|DESCRIPTION)>[^<]{0,256})*<TEXT>"
)
"""The envelope around a filing's page, which a browser would show as text."""
NAVIGATION = ["nav", "footer", "aside", "form", "menu", "[role=navigation]", "[role=banner]", "[role=contentinfo]"]
"""Left out of a page whose main content is not found."""


def extract_html(payload: bytes, charset: str | None, settings: ExtractSettings) -> Extracted:
    """Text and title of a page; table cells are separated by tabs.

    Raises `RefusalError`: `undecodable`, `too_many_nodes`, `too_many_attributes`, `too_deep`, `unparsable`.
    """
    decoded = decode_within(payload, charset, True, settings.max_replaced_frac)
    unchanged = decoded.encoding == "utf-8" and not decoded.replaced and not payload.startswith(b"\xef\xbb\xbf")
    markup = payload if unchanged else decoded.text.encode()
    lead = _EDGAR_LEAD.match(markup)
    if lead:
        markup, unchanged = markup[lead.end() :], False
    source, tags, depth, attribute_work, visible = slim(markup)
    if tags > settings.max_nodes:
        raise RefusalError("too_many_nodes", f"{tags:,} tags, the limit is {settings.max_nodes:,}")
    if attribute_work > ATTRIBUTE_WORK:
        raise RefusalError(
            "too_many_attributes", "what looks like tags in a text field has more attributes than any page needs"
        )
    try:
        tree = HTMLTree.parse(source.decode())
    except (ValueError, RuntimeError) as error:
        raise RefusalError("unparsable", f"the parser gave up: {error}") from error
    if depth > settings.max_depth and (real := tree_depth(tree)) > settings.max_depth:
        raise RefusalError("too_deep", f"elements nest {real:,} deep, the limit is {settings.max_depth:,}")
    text = None
    if settings.main_content:
        text = _main_text(tree, visible, settings) if tags * depth <= MAIN_WORK else _without(tree, NAVIGATION)
    return Extracted(
        # An unclosed <noscript> can hold the whole page.
        text=text or _without(tree, []) or extract_plain_text(tree, alt_texts=False, noscript=True),
        encoding=decoded.encoding,
        title=_title(tree),
        markup=None if unchanged else markup,
        tabular=True,
    )


def _main_text(tree: HTMLTree, visible: int, settings: ExtractSettings) -> str:
    """The main content; where it is suspiciously little of the page, the page without its marked navigation."""
    main = extract_plain_text(tree, main_content=True, alt_texts=False)
    least = settings.min_main_frac
    # How much text the page can have tells most pages, without a look at that text.
    if len(main) >= settings.min_main_chars and len(main) >= least * visible:
        return main
    rest = _without(tree, NAVIGATION)
    return rest if len(main) < settings.min_main_chars or len(main) < least * len(rest) else main


def _without(tree: HTMLTree, selectors: list[str]) -> str:
    return extract_plain_text(tree, alt_texts=False, skip_elements=selectors)


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
