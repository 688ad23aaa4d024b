"""The medical side of the sample: abstracts, pages for patients, clinic letters with their prescriptions."""

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import compose

HOSTS = ["*.journals.example", "*.patients.example", "*.clinicletters.example"]


def _page(draw: Draw, number: int, kind: str, host: str) -> Article:
    _, blocks, title = compose(draw, kind, "medical")
    date = draw.date(2008, 2025)
    return Article(kind, "domain", host, f"/{date[:4]}/{slug(title)}-{number}", title, blocks, date=date)


def abstract(draw: Draw, number: int) -> Article:
    """The report of a trial in miniature."""
    return _page(draw, number, "abstract", f"{draw.pick(('www', 'trials', 'archive'))}.journals.example")


def patient(draw: Draw, number: int) -> Article:
    """A page that explains a condition to those who have it."""
    return _page(draw, number, "patient", "www.patients.example")


def note(draw: Draw, number: int) -> Article:
    """A clinic letter, shorthand included."""
    return _page(draw, number, "note", "www.clinicletters.example")
