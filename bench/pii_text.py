"""Sentences with planted identifiers of every kind, their exact places, and look-alikes whose check digits are wrong."""

import random
import string
from dataclasses import dataclass, field

KEPT = ("cusip", "isin", "lei", "cik", "accession")
"""Public identifiers of finance: they must not be masked."""
MASKED = ("email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "ein", "passport", "api_key")
FRAMES = {
    "email": ["Write to {} today.", "Contact: {}", "<{}>, our desk,", "mail {}; thanks"],
    "phone": ["Call {} now.", "phone {} (office)", "Tel.: {}", "Fax {} or write"],
    "ipv4": ["The server at {} answered.", "from {} on Monday", "IP {}"],
    "ipv6": ["host {} is up", "from [{}]", "address {}"],
    "iban": ["IBAN {} at the bank", "Pay to {}, please.", "account {}."],
    "card": ["My card {} was charged.", "credit card number {}", "Visa {} expires"],
    "ssn": ["SSN {}", "social security number {}.", "Her number is {} and"],
    "ein": ["EIN {}", "employer identification number {},", "tax id {}."],
    "passport": ["passport no. {}", "Passport number {} was shown", "holder of passport {}"],
    "api_key": ["key = {}", "export TOKEN={}", "use '{}' here"],
    "cusip": ["CUSIP {}", "the notes (CUSIP No. {})"],
    "isin": ["ISIN {}", "the bond {} trades"],
    "lei": ["LEI {}", "identified as {}."],
    "cik": ["CIK {}", "Central Index Key {}"],
    "accession": ["accession number {}", "filed as {}."],
    "decoy": ["Revenue of {} was flat.", "reference {} of the order", "version {} of it", "see {}."],
}
FILLER = (
    "The committee met on 12 March 2019.", "Net income rose 12.5% to $1,234,567.", "Section 3.2.1 applies.",
    "Orders of 4,500 units shipped in 2020-2021.", "The 30-year 4.25% notes are due 2050.", "It closed at 1.0845.",
)  # fmt: skip
DOMAINS = ("example.com", "mail.example.co.uk", "bücher.example", "пример.рф", "xn--bcher-kva.example", "例え.jp")
ALNUM = string.digits + string.ascii_uppercase


@dataclass
class Sentence:
    """A text and its planted (kind, value) pairs, in order."""

    text: str
    planted: list[tuple[str, str]] = field(default_factory=list)


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def _expand(text: str) -> str:
    return "".join(str(int(char, 36)) for char in text)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _iban(rng: random.Random) -> str:
    country, form = rng.choice(
        [("DE", "9" * 18), ("GB", "A" * 4 + "9" * 14), ("FR", "9" * 23), ("NL", "A" * 4 + "9" * 10)]
    )
    body = "".join(rng.choice(string.ascii_uppercase if sign == "A" else string.digits) for sign in form)
    whole = f"{country}{98 - int(_expand(body + country + '00')) % 97:02d}{body}"
    spaced = " ".join(whole[n : n + 4] for n in range(0, len(whole), 4))
    return rng.choice([whole, spaced])


def _card(rng: random.Random) -> str:
    start, size = rng.choice([("4", 16), ("52", 16), ("37", 15), ("6011", 16)])
    body = start + _digits(rng, size - len(start) - 1)
    whole = body + _luhn(body)
    if size == 15:
        return rng.choice([whole, f"{whole[:4]} {whole[4:10]} {whole[10:]}"])
    mark = rng.choice(["", " ", "-"])
    return mark.join(whole[n : n + 4] for n in range(0, 16, 4))


def _cusip(rng: random.Random) -> str:
    body = _digits(rng, 6) + "".join(rng.choices(ALNUM, k=2))
    total = 0
    for place, char in enumerate(body):
        value = int(char, 36) * (place % 2 + 1)
        total += value // 10 + value % 10
    return f"{body}{-total % 10}"


def _lei(rng: random.Random) -> str:
    body = _digits(rng, 4) + "00" + "".join(rng.choices(ALNUM, k=12))
    return f"{body}{98 - int(_expand(body + '00')) % 97:02d}"


def _isin(rng: random.Random) -> str:
    body = rng.choice(["US", "DE", "GB", "XS"]) + _digits(rng, 9)
    return body + _luhn(_expand(body))


def _ssn(rng: random.Random) -> str:
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03d}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10000):04d}"


def _email(rng: random.Random) -> str:
    local = rng.choice(["ann", "j.doe+news", "o_brien", "jürgen", "иван", "r2d2"])
    return f"{local}{rng.randrange(100)}@{rng.choice(DOMAINS)}"


def _phone(rng: random.Random) -> str:
    area, line = rng.randrange(201, 989), f"555-{rng.randrange(100, 200):04d}"
    while area % 100 == 11 or area % 100 // 10 == 9:
        area = rng.randrange(201, 989)
    british = f"+44 20 7946 0{rng.randrange(100, 999)}"
    return rng.choice([f"({area}) {line}", f"{area}-{line}", f"+1 {area} {line.replace('-', ' ')}", british])


def _ipv4(rng: random.Random) -> str:
    return f"{rng.choice([8, 23, 81, 151, 193])}.{rng.randrange(20, 256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _ipv6(rng: random.Random) -> str:
    groups = [f"{rng.randrange(1, 65536):x}" for _ in range(6)]
    return rng.choice([f"2a00:1450:{':'.join(groups)}", f"2a00:1450:4001:{groups[0]}::{rng.randrange(256, 65536):x}"])


def _api_key(rng: random.Random) -> str:
    body = "".join(rng.choices(string.ascii_letters + string.digits, k=36)) + "a1B2"
    capitals = "".join(rng.choices(ALNUM, k=16))
    return rng.choice([f"AKIA{capitals}", f"ghp_{body}", f"sk-{body}", f"AIza{body[:35]}", f"xoxb-{body}"])


def _ein(rng: random.Random) -> str:
    return f"{rng.choice([12, 36, 52, 77, 94])}-{_digits(rng, 7)}"


def _passport(rng: random.Random) -> str:
    return rng.choice([_digits(rng, 9), "C" + _digits(rng, 8)])


def _decoy(rng: random.Random) -> str:
    """What looks like an identifier and is none: wrong check digits, dates, versions, figures."""
    card = _card(rng).replace(" ", "").replace("-", "")
    wrong_card = card[:-1] + str((int(card[-1]) + 1) % 10)
    iban = _iban(rng).replace(" ", "")
    wrong_iban = iban[:2] + f"{(int(iban[2:4]) + 1) % 97:02d}" + iban[4:]
    return rng.choice([
        wrong_card, wrong_iban, f"666-{_digits(rng, 2)}-{_digits(rng, 4)}", f"000-12-{_digits(rng, 4)}", "192.168.1.20",
        f"3.{rng.randrange(20)}.{rng.randrange(20)}", f"{rng.randrange(1, 999)},{_digits(rng, 3)},{_digits(rng, 3)}",
        f"2019-0{rng.randrange(1, 10)}-1{rng.randrange(10)}", f"user{rng.randrange(99)}@localhost",
        f"10:{rng.randrange(10, 60)}:30",
    ])  # fmt: skip


MAKERS = {
    "email": _email, "phone": _phone, "ipv4": _ipv4, "ipv6": _ipv6, "iban": _iban, "card": _card, "ssn": _ssn, "ein": _ein,
    "passport": _passport, "api_key": _api_key, "cusip": _cusip, "isin": _isin, "lei": _lei,
    "cik": lambda rng: f"000{rng.randrange(10**6, 10**7)}", "decoy": _decoy,
    "accession": lambda rng: f"000{rng.randrange(10**6, 10**7)}-{rng.randrange(10, 25)}-{_digits(rng, 6)}",
}  # fmt: skip


def sentences(count: int, seed: int = 0) -> list[Sentence]:
    """`count` texts, each of fillers around one identifier or decoy, every kind equally often."""
    rng = random.Random(f"pii {seed}")
    kinds = [*MASKED, *KEPT, "decoy"]
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        value = MAKERS[kind](rng)
        text = f"{rng.choice(FILLER)} {rng.choice(FRAMES[kind]).format(value)} {rng.choice(FILLER)}"
        found.append(Sentence(text, [] if kind == "decoy" else [(kind, value)]))
    return found
