"""Pages whose worth no rule can tell: clean ones that teach nothing, and odd-looking ones that are full of facts.

Their truth says `worth` (little, much) under `facts`, so that a score of quality can be scored. Rules may keep or remove the
first.
"""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import Writer, load

THIN = ("affiliate", "filler", "release", "listing", "chat")
ODD = ("dosage", "order", "notes")


def thin(draw: Draw, number: int) -> Article:
    """Affiliate posts, filler for search engines, releases, small ads and chat."""
    return _article(draw, number, THIN[number % len(THIN)], "thin", "noise", "little")


def odd(draw: Draw, number: int) -> Article:
    """Lists of doses, court orders, tables with notes."""
    return _article(draw, number, ODD[number % len(ODD)], "odd", "general", "much")


def _article(draw: Draw, number: int, form: str, kind: str, role: str, worth: str) -> Article:
    writer = Writer(load("worth"), draw)
    title, blocks = writer.write(f"{form}.title"), writer.blocks(f"{form}.doc")
    facts = {"worth": worth, "form": form}
    path = f"/{form}/{slug(title)}-{number}"
    return Article(kind, role, f"{form}.{kind}pages.example", path, title, blocks, expect="either", facts=facts)
