"""The law side of the sample: opinions and statutes."""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import Writer, load

HOSTS = ["*.opinions.example", "*.statutes.example"]


def opinion(draw: Draw, number: int) -> Article:
    """The opinion of a court in a civil or criminal case."""
    writer = Writer(load("legal"), draw)
    blocks = writer.blocks("opinion.doc")
    title = writer.write("opinion.title")
    date = draw.date(1998, 2025)
    path = f"/{date[:4]}/{slug(title)}-{number}"
    return Article("opinion", "domain", "www.opinions.example", path, title, blocks, date=date)


def statute(draw: Draw, number: int) -> Article:
    """Sections of an act, numbered as codes number them."""
    writer = Writer(load("legal"), draw)
    blocks = writer.blocks("statute.doc")
    title = writer.write("statute.title")
    first = draw.between(101, 900)
    numbered = [(tag, f"§ {first + n}. {text}") for n, (tag, text) in enumerate(blocks)]
    host = f"{draw.pick(('code', 'www'))}.statutes.example"
    return Article("statute", "domain", host, f"/{slug(title)}-{number}.html", title, numbered, look="filing")
