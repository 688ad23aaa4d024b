"""Encodings gone wrong, copies, and personal data planted into good pages."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.sample.article import Article, Block
from pipeline.sample.draw import Draw
from pipeline.sample.words import phrases

BROKEN: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "windows-1252": ("keep", lambda text: text.encode("windows-1252", "xmlcharrefreplace")),
    "utf-16": (
        "keep",
        lambda text: b"\xff\xfe" + text.replace('charset="utf-8"', 'charset="utf-16"').encode("utf-16-le"),
    ),
    "mojibake": ("either", lambda text: text.encode("utf-8").decode("latin-1").encode("utf-8")),
    "surrogates": ("either", lambda text: text.replace(". ", ".\ud83d ").encode("utf-8", "surrogatepass")),
    "nul": ("either", lambda text: text.replace(". ", ".\x00 ").encode("utf-8")),
    "cut": ("either", lambda text: text.encode("utf-8")[:-1].replace("’".encode(), "’".encode()[:2])),
}
"""name: (what a pipeline should do, how the page's text becomes bytes); every page still claims UTF-8."""

_SWAPS = dict(line.split(" ", 1) for line in phrases("swaps"))


def edited(article: Article, draw: Draw) -> list[Block]:
    """The article's blocks with about 0.6 % of the words replaced: a five-word shingle overlap near 0.94."""
    blocks: list[Block] = []
    for tag, body in article.blocks:
        if isinstance(body, str):
            words = body.split(" ")
            common = [n for n, word in enumerate(words) if word in _SWAPS]
            for n in draw.shuffled(common)[: int(len(words) * 0.006 + draw.uniform(0, 1))]:
                words[n] = _SWAPS[words[n]]
            body = " ".join(words)
        blocks.append((tag, body))
    return blocks


def iban(draw: Draw, country: str = "GB") -> str:
    """An invented IBAN whose check digits hold (ISO 13616, mod 97)."""
    if country == "GB":
        account = "".join(draw.pick("ABCDEFGHKLMNPRSTW") for _ in range(4)) + f"{draw.below(10**14):014d}"
    else:
        account = f"{draw.below(10**18):018d}"
    number = int("".join(str(int(c, 36)) for c in account + country + "00"))
    return f"{country}{98 - number % 97:02d}{account}"


def card(draw: Draw) -> str:
    """An invented 16-digit card number that passes the Luhn check."""
    body = "4" + f"{draw.below(10**14):014d}"
    total = sum(sum(divmod(2 * int(d), 10)) if n % 2 == 0 else int(d) for n, d in enumerate(body))
    return body + str(-total % 10)


def personal(article: Article, draw: Draw) -> Article:
    """The article with two to four pieces of personal data in sentences of their own, and their counts as facts."""
    name = article.author or "The Office"
    user = "".join(c for c in name.lower().replace(" ", ".") if c.isascii() and (c.isalnum() or c == "."))
    digits = card(draw)
    spaced = " ".join(digits[n : n + 4] for n in range(0, 16, 4))
    phone = f"+1 {draw.pick((212, 312, 415, 617))}-555-01{draw.below(100):02d}"
    address = ".".join(str(draw.between(20, 219)) for _ in range(4))
    account = iban(draw, draw.pick(("GB", "DE")))
    made = {
        "email": f"Corrections may be sent to {user}{draw.between(2, 99)}@mail{draw.below(40)}.example.com in time.",
        "ip": f"The first version was posted from the address {address}, the log says.",
        "iban": f"Donations for the archive go to the account {account}, with a receipt on request.",
        "card": f"A reader wrote that the card {spaced} had been charged twice.",
        "phone": f"A patient clerk answers the telephone at {phone} on weekdays.",
    }
    kinds = sorted(draw.shuffled(list(made))[: draw.between(2, 4)])
    blocks = list(article.blocks)
    places = [n for n, (tag, body) in enumerate(blocks) if tag == "p" and isinstance(body, str)]
    for kind in kinds:
        at = draw.pick(places)
        blocks[at] = (blocks[at][0], f"{blocks[at][1]} {made[kind]}")
    return replace(article, kind="pii_good", blocks=blocks, facts={"pii": {kind: 1 for kind in kinds}})
