"""Other extractors of main content behind one setting, `extract.method`, so that a recipe can be run with each and compared.

They get the decoded page and are bounded only by the limits on its bytes, tags and depth. trafilatura and readability-lxml are
not installed with the product; the default method has no part here.
"""

import importlib.util
from collections.abc import Callable

from pipeline.errors import UsageError
from pipeline.extract.extract_settings import ExtractSettings, Method

PACKAGES: dict[Method, str] = {
    "ours": "resiliparse", "resiliparse": "resiliparse", "trafilatura": "trafilatura", "readability": "readability-lxml",
}  # fmt: skip
"""The package of each method (of ours the parser); its version enters the fingerprint."""


def require(method: Method) -> None:
    """Raises UsageError when the package of a method is not installed."""
    if method != "ours" and importlib.util.find_spec(method) is None:
        raise UsageError(f"extract.method: {method} needs its package: pip install {PACKAGES[method]}")


def resiliparse(page: str, settings: ExtractSettings) -> str:
    """Resiliparse's rules."""
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(
        page, main_content=settings.main_content, comments=settings.comments == "keep", alt_texts=False
    )


def trafilatura(page: str, settings: ExtractSettings) -> str:
    """trafilatura's rules with its own fallbacks; its tables have bars between cells."""
    from trafilatura import extract  # pyright: ignore[reportMissingImports]

    tables = settings.tables != "drop"
    return extract(page, include_comments=settings.comments == "keep", include_tables=tables) or ""


def readability(page: str, settings: ExtractSettings) -> str:
    """The markup that readability-lxml keeps, written out as our own text."""
    from readability import Document  # pyright: ignore[reportMissingImports]

    from pipeline.extract.html_text import markup_text

    summary = Document(page).summary(html_partial=True)
    return markup_text(summary, settings.model_copy(update={"main_content": False}))


METHODS: dict[Method, Callable[[str, ExtractSettings], str]] = {
    "resiliparse": resiliparse, "trafilatura": trafilatura, "readability": readability,
}  # fmt: skip
