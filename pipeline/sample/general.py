"""The general side of the sample: eleven genres of ordinary good pages, and those that speak of identity."""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import Writer, load
from pipeline.sample.names import person

_HOSTS = {
    "travel": ("www.slowroads.example", "lanternmaps.example"),
    "cooking": ("onepanonly.example", "www.thelongtable.example"),
    "history": ("townpapers.example", "www.oldmills.example"),
    "science": ("www.fieldnotebook.example", "naturalist.example"),
    "sky": ("darkskies.example", "www.fieldnotebook.example"),
    "sport": ("www.saturdayfootball.example", "touchline.example"),
    "local": ("www.valleycourier.example", "theobserver.example"),
    "howto": ("mendit.example", "www.shedandbench.example"),
    "portrait": ("www.valleycourier.example", "handsatwork.example"),
    "review": ("www.eveningpages.example", "secondshelf.example"),
    "garden": ("plotnineteen.example", "www.shedandbench.example"),
}
GENRES = tuple(_HOSTS)


def page(draw: Draw, number: int) -> Article:
    """One page of the next genre in turn."""
    genre = GENRES[number % len(GENRES)]
    return _article(draw, number, genre, "general")


def identity(draw: Draw, number: int) -> Article:
    """A friendly page that names an identity several times: what a careless toxicity filter would lose."""
    article = _article(draw, number, "identity", "identity_good")
    return article


def _article(draw: Draw, number: int, genre: str, kind: str) -> Article:
    writer = Writer(load("general", "identity"), draw)
    blocks = writer.blocks(f"{genre}.doc")
    title = writer.write(f"{genre}.title")
    title = title[:1].upper() + title[1:]
    host = draw.pick(_HOSTS["portrait" if genre == "identity" else genre])
    date = f"{draw.between(2012, 2025)}-{draw.between(1, 12):02d}-{draw.between(1, 28):02d}"
    facts = {"terms": [writer.row("who")["term"]]} if genre == "identity" else {}
    return Article(
        kind,
        "general",
        host,
        f"/{genre}/{slug(title)}-{number}",
        title,
        [*blocks],
        person(draw)["name"],
        date,
        facts=facts,
    )
