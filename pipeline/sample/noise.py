"""Pages that a pipeline should drop: boilerplate, spam, machine lists, other languages, abuse."""

import html

from pipeline.sample.article import Article, slug
from pipeline.sample.draw import Draw
from pipeline.sample.grammar import Writer, load
from pipeline.sample.names import person, town
from pipeline.sample.words import words

LANGUAGES = ("de", "fr", "es", "zh", "ru", "ja", "ko", "pt", "it", "pl")
_EVENTS = ("Yoga", "Board", "Choir", "Call", "Class", "Market")
_SHOPS = ("www.bargainbarn.example", "megamall.example", "parts-direct.example", "cdn7.dealpages.example")
_GOODS = words("goods")
_STYLE = words("styles")


def _blog(kind: str, host: str, number: int, writer: Writer, rule: str, language: str = "en") -> Article:
    title = writer.write(f"{rule}.title") if f"{rule}.title" in writer.grammar.rules else f"{language} {number}"
    path, blocks = f"/{kind}/{slug(title)}-{number}", writer.blocks(f"{rule}.doc")
    return Article(kind, "noise", host, path, title, blocks, language=language)


def boilerplate(draw: Draw, number: int) -> Article:
    """Cookie walls, log-ins, terms, filler text, empty results: nothing that a reader came for."""
    hosts = ("www.valleycourier.example", "www.marketwire.example", "portal.example", "www.centralbank.example")
    return _blog("boilerplate", draw.pick(hosts), number, Writer(load("noise"), draw), "boiler")


def spam(draw: Draw, number: int) -> Article:
    """Sales talk stuffed with one phrase."""
    host = f"{draw.pick(('best', 'top', 'go', 'my'))}-{draw.pick(('deals', 'offers', 'reviews', 'promo'))}.example"
    return _blog("spam", host, number, Writer(load("noise"), draw), "spam")


def toxic(draw: Draw, number: int) -> Article:
    """A comment thread of insults."""
    host = draw.pick(("rantboard.example", "comments.example"))
    return _blog("toxic", host, number, Writer(load("noise"), draw), "toxic")


def foreign(draw: Draw, number: int) -> Article:
    """A short article in one of ten languages."""
    language = LANGUAGES[number % len(LANGUAGES)]
    return _blog("foreign", f"{language}.weltpresse.example", number, Writer(load("foreign"), draw), language, language)


def listing(draw: Draw, number: int) -> Article:
    """Lists made by machines for machines: grids, prices, logs, tags, calendars, directories."""
    form = _FORMS[number % len(_FORMS)]
    name = form.__name__.strip("_")
    body = form(draw)
    title = f"{name.title()} {draw.between(1, 99999)}"
    return Article("list", "noise", draw.pick(_SHOPS), f"/{name}/{number}", title, [("html", body)])


def _product(draw: Draw) -> str:
    return f"{draw.pick(_STYLE)} {draw.pick(_GOODS)} {draw.pick('ABCDEFGHKLMNPRSTVX')}{draw.below(9000)}"


def _grid(draw: Draw) -> str:
    return "\n".join(
        f'<div class="product-card col-md-3" data-sku="{draw.below(10**8)}"><a class="product-link" '
        f'href="/p/{draw.below(10**7)}?ref=grid&amp;pos={n}"><img class="lazy" '
        f'src="/media/{draw.below(1 << 40):x}.webp" alt=""/><h3>{_product(draw)}</h3></a>'
        f'<span class="price">${draw.below(40000) / 100:.2f}</span><span class="stars">{draw.between(10, 50) / 10} '
        f'({draw.below(900)})</span><button class="btn btn-primary add-to-cart">Add to cart</button></div>'
        for n in range(draw.between(24, 84))
    )


def _prices(draw: Draw) -> str:
    rows = "".join(
        f"<tr><td>{draw.below(10**7):07d}</td><td>{_product(draw)}</td><td>{draw.between(1, 500)}</td>"
        f"<td>{draw.below(90000) / 100:.2f}"
        f"</td><td>{draw.pick(('in stock', 'call', '2-3 days', 'sold out'))}</td></tr>\n"
        for _ in range(draw.between(60, 190))
    )
    return f"<table>{rows}</table>"


def _log(draw: Draw) -> str:
    lines = "\n".join(
        f"2025-0{draw.between(1, 9)}-{draw.between(10, 28)}T{draw.below(24):02d}:{draw.below(60):02d}:"
        f"{draw.below(60):02d}Z "
        f"{draw.pick(('INFO', 'WARN', 'DEBUG', 'ERROR'))} worker-{draw.below(64)} req={draw.below(1 << 48):012x} "
        f"GET /{draw.pick(_GOODS).lower()}/{draw.below(10**6)} {draw.pick((200, 200, 304, 404, 500))} "
        f"{draw.below(9000)}ms"
        for _ in range(draw.between(60, 190))
    )
    return f"<pre>{lines}</pre>"


def _tags(draw: Draw) -> str:
    return "<div class='tagcloud'>" + "\n".join(
        f'<a href="/tag/{n}" class="tag-{draw.between(1, 9)}" style="font-size:{draw.between(8, 30)}pt">'
        f"{draw.pick(_STYLE).lower()} {draw.pick(_GOODS).lower()}</a> ({draw.below(999)})"
        for n in range(draw.between(60, 200))
    ) + "</div>"  # fmt: skip


def _calendar(draw: Draw) -> str:
    cells = "".join(
        f'<td class="day d{n % 7}"><a href="/cal?d={draw.below(10**8)}&amp;view=month">{n % 31 + 1}</a>'
        f'<span class="ev">{draw.below(24):02d}:{draw.below(60):02d} {draw.pick(_EVENTS)}</span></td>'
        + ("</tr><tr>" if n % 7 == 6 else "")
        for n in range(draw.between(120, 260))
    )
    return f"<table><tr>{cells}</tr></table>"


def _directory(draw: Draw) -> str:
    rows = []
    for _ in range(draw.between(70, 160)):
        name, where = person(draw)["name"], town(draw)
        rows.append(
            f'<li class="vcard"><span class="fn">{html.escape(name)}</span> <span class="adr">{draw.between(1, 240)} '
            f'{where["road"]}, {where["name"]}</span> <span class="tel">555-01{draw.below(100):02d}</span></li>'
        )
    return "<ul>" + "\n".join(rows) + "</ul>"


_FORMS = (_grid, _prices, _log, _tags, _calendar, _directory, _grid, _prices)
