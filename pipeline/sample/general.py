"""The general side of the sample: eleven genres of ordinary good pages, and those that speak of identity."""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import compose
from pipeline.sample.names import person
from pipeline.sample.words import phrases

_HOSTS = {genre: hosts for genre, *hosts in map(str.split, phrases("general_hosts"))}
GENRES = tuple(_HOSTS)


def page(draw: Draw, number: int) -> Article:
    """One page of the next genre in turn."""
    genre = GENRES[number % len(GENRES)]
    return _article(draw, number, genre, "general")


def identity(draw: Draw, number: int) -> Article:
    """A friendly page that names an identity several times: what a careless toxicity filter would lose."""
    return _article(draw, number, "identity", "identity_good")


def _article(draw: Draw, number: int, genre: str, kind: str) -> Article:
    writer, blocks, title = compose(draw, genre, "general", "identity")
    title = title[:1].upper() + title[1:]
    host = draw.pick(_HOSTS["portrait" if genre == "identity" else genre])
    date = draw.date(2012, 2025)
    facts = {"terms": [writer.row("who")["term"]]} if genre == "identity" else {}
    path, author = f"/{genre}/{slug(title)}-{number}", person(draw)["name"]
    return Article(kind, "general", host, path, title, blocks, author, date, facts=facts)
