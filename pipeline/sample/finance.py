"""The finance side of the sample: companies whose figures add up, and the filings, news and speeches about them."""

from pipeline.sample.article import Article, Block, slug
from pipeline.sample.draw import Draw
from pipeline.sample.figures import UP, figures
from pipeline.sample.grammar import Grammar, Writer, load
from pipeline.sample.names import Row, person, town
from pipeline.sample.words import words

HOSTS = ["*.sec-filings.example", "*.marketwire.example", "*.centralbank.example"]

_HEADS = words("firms")
_MIDDLES = ("", "", *(f" {word}" for word in words("firm_middles")))
_TAILS = words("firm_tails")
_LEGAL = (", Inc.", " Inc.", " Corp.", "", " plc", " Ltd.")
_STATES = words("states")
_AUDITORS = ("Hale & Wexford LLP", "Brandt Oakley LLP", "Crane Mercer LLP", "Sutcliffe Rowe LLP", "Dunning & Pell LLP")


def company(draw: Draw) -> Row:
    """name, short, ticker, city, state, founded, employees, auditor."""
    head, middle, tail = draw.pick(_HEADS), draw.pick(_MIDDLES), draw.pick(_TAILS)
    short = head + middle
    return {
        "name": f"{short} {tail}{draw.pick(_LEGAL) if tail in ('Holdings', 'Industries', 'Group', 'Works') else ''}",
        "short": short,
        "ticker": (head[:3] + middle.strip()[:1]).upper(),
        "city": town(draw)["name"],
        "state": draw.pick(_STATES),
        "founded": str(draw.between(1884, 2009)),
        "employees": f"{draw.between(420, 28400):,}",
        "auditor": draw.pick(_AUDITORS),
    }


def grammar() -> Grammar:
    """The finance grammar with companies as a composed table."""
    found = load("finance")
    found.makers["co"] = company
    return found


def _writer(draw: Draw) -> tuple[Writer, dict[str, list[list[str]]], str]:
    year = draw.between(2021, 2025)
    quarter = draw.between(1, 4)
    writer = Writer(grammar(), draw)
    fig, tables = figures(draw, year, quarter)
    date = f"{year + (quarter == 4)}-{(quarter * 3 + 1) % 12:02d}-{draw.between(2, 28):02d}"
    writer.facts |= {"fig": fig, "co": company(draw), "ceo": person(draw), "cfo": person(draw)}
    for key in ("rev", "s1", "s2", "s3"):
        fig[f"{key}_why"] = writer.write("cause.up" if fig[f"{key}_rose"] in UP else "cause.down")
    fig["rev_but"] = writer.write("cause.down" if fig["rev_rose"] in UP else "cause.up")
    sector = writer.row("sector")
    head, *rows = tables["segments"]
    tables["segments"] = [head, *([sector.get(name, name), *amounts] for name, *amounts in rows)]
    return writer, tables, date


def _with_tables(blocks: list[tuple[str, str]], tables: dict[str, list[list[str]]]) -> list[Block]:
    return [("table", tables[text[6:]]) if text.startswith("TABLE ") else (tag, text) for tag, text in blocks]


def filing(draw: Draw, number: int) -> Article:
    """An annual or quarterly report."""
    writer, tables, date = _writer(draw)
    co, fig = writer.row("co"), writer.row("fig")
    blocks = _with_tables(writer.blocks("filing.doc"), tables)
    form = "10-K" if fig["period"].startswith("fiscal") else "10-Q"
    path = f"/archives/data/{draw.between(10**5, 10**6)}/{date[:4]}{number:06d}/{co['ticker'].lower()}-{slug(form)}.htm"
    title = f"{co['name']} Form {form} for {fig['period']}"
    return Article("filing", "domain", "www.sec-filings.example", path, title, blocks, date=date, look="filing")


def current(draw: Draw, number: int) -> Article:
    """A current report: a deal, results, an officer, a credit line."""
    writer, _, date = _writer(draw)
    co = writer.row("co")
    path = f"/archives/data/{draw.between(10**5, 10**6)}/{date[:4]}{number:06d}/{co['ticker'].lower()}-8k.htm"
    title = f"{co['name']} Form 8-K, {date}"
    blocks = writer.blocks("current.doc")
    return Article("filing", "domain", "www.sec-filings.example", path, title, blocks, date=date, look="filing")


_TOPICS = ("earnings", "earnings", "bonds", "commodities", "merger", "bank", "markets")
_DESKS = ("www", "equities", "credit", "economy")


def news(draw: Draw, number: int) -> Article:
    """A market story of 350 to 600 words."""
    writer, _, date = _writer(draw)
    topic = _TOPICS[number % len(_TOPICS)]
    blocks = writer.blocks(f"news.{topic}")
    title = writer.write(f"news.title.{topic}")
    path = f"/{date[:4]}/{date[5:7]}/{slug(title)}-{number}"
    host = f"{draw.pick(_DESKS)}.marketwire.example"
    author = person(draw)["name"]
    return Article("news", "domain", host, path, title, blocks, author, date, "news")


def speech(draw: Draw, number: int) -> Article:
    """A central banker's address."""
    writer, _, date = _writer(draw)
    blocks = writer.blocks("speech.doc")
    speaker, bank = person(draw)["name"], writer.row("bank")
    title = writer.write("speech.title")
    path = f"/speeches/{date[:4]}/{slug(speaker)}-{number}.html"
    host = f"{draw.pick(('www', 'speeches'))}.centralbank.example"
    where = f"Remarks by {speaker} of {bank['name']} at {bank['place']}, {date}."
    return Article("speech", "domain", host, path, title, [("p", where), *blocks], speaker, date, "blog")
