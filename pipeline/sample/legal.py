"""The law side of the sample: opinions and statutes."""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import compose

HOSTS = ["*.opinions.example", "*.statutes.example"]


def opinion(draw: Draw, number: int) -> Article:
    """The opinion of a court in a civil or criminal case."""
    _, blocks, title = compose(draw, "opinion", "legal")
    date = draw.date(1998, 2025)
    path = f"/{date[:4]}/{slug(title)}-{number}"
    return Article("opinion", "domain", "www.opinions.example", path, title, blocks, date=date)


def statute(draw: Draw, number: int) -> Article:
    """Sections of an act, numbered as codes number them."""
    _, blocks, title = compose(draw, "statute", "legal")
    first = draw.between(101, 900)
    numbered = [(tag, f"§ {first + n}. {text}") for n, (tag, text) in enumerate(blocks)]
    host = f"{draw.pick(('code', 'www'))}.statutes.example"
    return Article("statute", "domain", host, f"/{slug(title)}-{number}.html", title, numbered, look="filing")
