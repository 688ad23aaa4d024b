"""Articles dressed as pages: templates with the scripts, styles, menus and teasers that most of a crawl consists of."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.sample.article import Article, Block
from pipeline.sample.draw import Draw
from pipeline.sample.words import phrases, words

_WORDS = words("identifiers")
_VERBS = words("verbs")
_PROPERTIES = phrases("css")
_MENU = words("menu")
_TEASERS = phrases("teasers")


def _css(draw: Draw, rules: int) -> str:
    lines = []
    for _ in range(rules):
        body = ";".join(
            draw.pick(_PROPERTIES).format(n=draw.between(1, 96), h=f"{draw.below(1 << 24):06x}")
            for _ in range(draw.between(2, 6))
        )
        lines.append(f".{draw.pick(_WORDS)}-{draw.pick(_WORDS)}__{draw.pick(_WORDS)}{{{body}}}")
    return "\n".join(lines)


def _js(draw: Draw, functions: int) -> str:
    lines = ["!function(e,t){'use strict';var n=e.document,r={};"]
    for number in range(functions):
        a, b, c = draw.pick(_VERBS), draw.pick(_WORDS).title(), draw.pick(_WORDS)
        lines.append(
            f"function {a}{b}{number}(t,n){{var o=n||{{}},i=o.{c}||{draw.below(9999)};if(!t||t.{draw.pick(_WORDS)}<i)"
            f"return r['{c}-{draw.pick(_WORDS)}'];for(var s=0;s<t.length;s++){{e.{draw.pick(_WORDS)}Queue.push(["
            f"'{draw.pick(_VERBS)}','{draw.pick(_WORDS)}',t[s].get(0x{draw.below(65536):x})])}}"
            f"return t.{draw.pick(_VERBS)}(function(e){{return e.id!=='{draw.pick(_WORDS)}{draw.below(999)}'}})}}"
        )
    lines.append("}(window,window.jQuery);")
    return "\n".join(lines)


def _svg(draw: Draw, paths: int) -> str:
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" style="display:none">']
    for number in range(paths):
        points = " ".join(f"{draw.pick('LCMQ')}{draw.below(2400) / 100} {draw.below(2400) / 100}" for _ in range(12))
        lines.append(f'<symbol id="i{number}" viewBox="0 0 24 24"><path d="M0 0{points}z"/></symbol>')
    return "\n".join([*lines, "</svg>"])


@dataclass
class Pages:
    """Renders articles. The junk between the lines comes from pools made once per seed, so that it costs nothing."""

    seed: int

    @cached_property
    def styles(self) -> list[str]:
        """Style sheets of 2 to 5 kB."""
        return [_css(draw := Draw(self.seed, "css", n), draw.between(24, 56)) for n in range(16)]

    @cached_property
    def scripts(self) -> list[str]:
        """Scripts of 2 to 9 kB."""
        return [_js(draw := Draw(self.seed, "js", n), draw.between(5, 26)) for n in range(36)]

    @cached_property
    def icons(self) -> list[str]:
        """Icon sheets."""
        return [_svg(draw := Draw(self.seed, "svg", n), draw.between(3, 9)) for n in range(8)]

    def weight(self, draw: Draw, scripts: int) -> str:
        """Inline scripts, as pages carry them."""
        return "".join(f"<script>{draw.pick(self.scripts)}</script>\n" for _ in range(scripts))

    def render(self, article: Article, draw: Draw) -> str:
        """The whole page as HTML text."""
        if article.look == "filing":
            return self._filing(article, draw)
        return self._site(article, draw)

    def _filing(self, article: Article, draw: Draw) -> str:
        """The way word processors save a report: a style attribute on everything, and a table for every line-up."""
        font = draw.pick(("Times New Roman,serif", "Arial,sans-serif", "Helvetica,sans-serif"))
        size = draw.pick(("10pt", "9.5pt", "11pt"))
        plain = f"font-family:{font};font-size:{size};font-weight:400;line-height:{draw.between(110, 130)}%"
        parts = []
        for number, (tag, body) in enumerate(article.blocks):
            if isinstance(body, list):
                parts.append(self._filing_table(body, plain, draw))
                continue
            weight = plain.replace("400", "700") if tag == "h2" else plain
            place = "text-align:justify;padding-top:12pt" if tag == "p" else "padding-top:18pt"
            parts.append(
                f'<div id="i{draw.below(1 << 32):08x}_{number}" style="{place}"><span style="color:#000000;{weight}">'
                f"{html.escape(body, quote=False)}</span></div>"
            )
        contexts = "".join(
            f'<xbrli:context id="c-{n}"><xbrli:entity><xbrli:identifier scheme="http://www.sec-filings.example/CIK">'
            f"{draw.below(10**10):010d}</xbrli:identifier></xbrli:entity><xbrli:period><xbrli:instant>"
            f"20{draw.between(19, 25)}-{draw.between(1, 12):02d}-{draw.between(1, 28):02d}</xbrli:instant>"
            f"</xbrli:period></xbrli:context>\n"
            for n in range(draw.between(10, 60))
        )
        title = html.escape(article.title)
        return (
            f"<?xml version='1.0' encoding='UTF-8'?>\n<html xmlns=\"http://www.w3.org/1999/xhtml\"><head>"
            f'<meta charset="utf-8"/><title>{title}</title></head><body><div style="display:none"><ix:header>'
            f"<ix:resources>{contexts}</ix:resources></ix:header></div>\n"
            f'<div style="text-align:center"><span style="{plain}">{title}</span></div>\n'
            + "\n".join(parts)
            + "</body></html>"
        )

    @staticmethod
    def _filing_table(rows: list[list[str]], plain: str, draw: Draw) -> str:
        shade = f"{draw.between(0xC0, 0xEF):02x}eeff"
        out = ['<div style="padding-top:9pt"><table style="border-collapse:collapse;display:inline-table;width:100%">']
        for number, row in enumerate(rows):
            ground = f"background-color:#{shade};" if number % 2 else ""
            cells = "".join(
                f'<td colspan="3" style="{ground}padding:2px 1pt;text-align:{"left" if not column else "right"};'
                f'vertical-align:bottom"><span style="color:#000000;{plain}">{html.escape(cell, quote=False)}</span>'
                "</td>"
                for column, cell in enumerate(row)
            )
            out.append(f"<tr>{cells}</tr>")
        return "\n".join([*out, "</table></div>"])

    def _site(self, article: Article, draw: Draw) -> str:
        title = html.escape(article.title)
        style = self.styles[(len(article.host) * 7 + len(article.kind)) % 16]
        main = "\n".join(_blocks(article.blocks))
        links = "".join(
            f'<li class="menu-item nav-{n}"><a href="/{word.lower()}">{word}</a></li>'
            for n, word in enumerate(draw.shuffled(_MENU)[: draw.between(8, 20)])
        )
        teasers = "".join(
            f'<div class="teaser"><a href="/t/{draw.below(10**7)}?utm_source=rail&amp;utm_medium=box"><img src="/img/'
            f'{draw.below(10**9):x}.jpg" alt="" width="120" height="80" loading="lazy"/><span>{draw.pick(_TEASERS)}'
            f"</span></a></div>"
            for _ in range(draw.between(6, 24))
        )
        data = json.dumps(
            {"@context": "https://schema.org", "@type": "WebPage", "headline": article.title, "url": article.url,
             "datePublished": article.date, "author": article.author, "identifier": draw.below(10**9)}
        )  # fmt: skip
        byline = f'<p class="byline">By {article.author}</p>' if article.author and article.look == "news" else ""
        soup = draw.chance(0.4)
        body = (
            f'<div class="content-area"><div class="entry-content"><h1>{title}</h1>{byline}\n{main}</div></div>'
            if soup
            else f"<main><article><h1>{title}</h1>{byline}\n{main}</article></main>"
        )
        return (
            f'<!doctype html>\n<html lang="{article.language}"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width"><meta property="og:title" content="{title}">'
            f'<link rel="canonical" href="{html.escape(article.url)}"><style>{style}</style>\n'
            f'<script type="application/ld+json">{data}</script>\n{self.weight(draw, draw.between(0, 2))}</head><body '
            f'class="page t-{draw.below(99)}">{draw.pick(self.icons)}<header class="site-header"><nav><ul>{links}</ul>'
            f'</nav></header>\n{body}\n<aside class="sidebar related">{teasers}</aside><footer class="site-footer"><ul>'
            f"{links}</ul><p>© {article.host}. All rights reserved.</p></footer>\n"
            f"{self.weight(draw, draw.between(0, 2))}</body></html>"
        )


def _blocks(blocks: Sequence[Block]) -> list[str]:
    out, listing = [], False
    for tag, body in blocks:
        if tag == "li" and not listing:
            out.append("<ul>")
        elif tag != "li" and listing:
            out.append("</ul>")
        listing = tag == "li"
        if isinstance(body, list):
            rows = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>\n" for row in body)
            out.append(f"<table>{rows}</table>")
        elif tag == "html":
            out.append(body)
        else:
            out.append(f"<{tag}>{html.escape(body, quote=False)}</{tag}>")
    if listing:
        out.append("</ul>")
    return out
