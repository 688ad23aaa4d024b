"""Check digits and formats of identifiers, on bytes: cards, IBAN, SSN, EIN, ISIN, CUSIP, LEI. Compiled, no allocation."""

import numpy as np

from pipeline.kernels.compiled import kernel


def _iban_lengths() -> np.ndarray:
    # Lengths of the IBAN registry (ISO 13616, SWIFT release 97), as "country length".
    registry = (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    )
    lengths = np.zeros(26 * 26, np.uint8)
    for entry in registry.split():
        lengths[(ord(entry[0]) - 65) * 26 + ord(entry[1]) - 65] = int(entry[2:])
    return lengths


IBAN_LENGTHS = _iban_lengths()
"""uint8[676]: length of an IBAN by its two country letters, 0 where there is none."""


@kernel(forceinline=True)
def digit(byte: int) -> int:
    """The value of an ASCII digit, or -1."""
    return int(byte) - 48 if 48 <= byte <= 57 else -1


@kernel(forceinline=True)
def letter(byte: int) -> int:
    """0-25 for an ASCII letter of either case, or -1."""
    low = int(byte) | 32
    return low - 97 if 97 <= low <= 122 else -1


@kernel(forceinline=True)
def alnum(byte: int) -> int:
    """0-9 for digits, 10-35 for letters of either case, or -1: the values ISO 7064 and ISO 6166 use."""
    value = digit(byte)
    if value >= 0:
        return value
    value = letter(byte)
    return value + 10 if value >= 0 else -1


@kernel()
def luhn(digits: np.ndarray, count: int) -> bool:
    """ISO/IEC 7812 check of the first `count` values."""
    total = 0
    for at in range(count):
        value = np.int64(digits[count - 1 - at])
        if at % 2 == 1:
            value *= 2
            if value > 9:
                value -= 9
        total += value
    return total % 10 == 0


@kernel()
def card_network(digits: np.ndarray, count: int) -> int:
    """0: no card; 1: a length and a first digit cards have, to be believed beside a word for them; 2: an issuer's range."""
    if count < 12 or count > 19:
        return 0
    two = np.int64(digits[0]) * 10 + digits[1]
    four = two * 100 + np.int64(digits[2]) * 10 + digits[3]
    visa = digits[0] == 4
    mastercard = 51 <= two <= 55 or 2221 <= four <= 2720
    discover = four == 6011 or 6440 <= four <= 6599 or two == 62
    if count == 16 and (visa or mastercard or discover):
        return 2
    if count == 15 and (two == 34 or two == 37):
        return 2
    if 3528 <= four <= 3589 and count >= 16:
        return 2 if count == 16 else 1
    return 1 if digits[0] <= 6 else 0


@kernel()
def mod_97(values: np.ndarray, begin: int, end: int, remainder: int) -> int:
    """ISO 7064 mod 97 of alphanumeric values (letters are two digits), continued from `remainder`."""
    for at in range(begin, end):
        value = int(values[at])
        remainder = (remainder * (100 if value > 9 else 10) + value) % 97
    return remainder


@kernel()
def is_iban(values: np.ndarray, count: int, lengths: np.ndarray) -> bool:
    """Country, length and check digits of an IBAN given as alphanumeric values."""
    if count < 15 or values[0] < 10 or values[1] < 10 or values[2] > 9 or values[3] > 9:
        return False
    if lengths[(np.int64(values[0]) - 10) * 26 + values[1] - 10] != count:
        return False
    return mod_97(values, 0, 4, mod_97(values, 4, count, 0)) == 1


@kernel()
def is_lei(values: np.ndarray, count: int) -> bool:
    """A legal entity identifier (ISO 17442): 18 characters and two check digits."""
    return count == 20 and values[18] < 10 and values[19] < 10 and mod_97(values, 0, 20, 0) == 1


@kernel()
def is_isin(values: np.ndarray, count: int) -> bool:
    """A security's number (ISO 6166): two letters, nine characters, Luhn over the expanded digits."""
    if count != 12 or values[0] < 10 or values[1] < 10 or values[11] > 9:
        return False
    total, position = 0, 0
    for at in range(11, -1, -1):
        rest = np.int64(values[at])
        while True:
            value = rest % 10
            if position % 2 == 1:
                value *= 2
            total += value // 10 + value % 10
            position += 1
            rest //= 10
            if rest == 0:
                break
    return total % 10 == 0


@kernel()
def is_cusip(values: np.ndarray, count: int) -> bool:
    """A CUSIP: eight characters and a check digit, every second value doubled."""
    if count != 9 or values[8] > 9:
        return False
    total = 0
    for at in range(8):
        value = np.int64(values[at]) * (2 if at % 2 == 1 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == values[8]


@kernel()
def is_ssn(area: int, group: int, serial: int) -> bool:
    """A number the Social Security Administration may have issued, or the IRS (9xx: ITIN, and ATIN of an adopted child)."""
    if area >= 900:
        return 50 <= group <= 99 and group not in (66, 67, 68, 69, 89) and area < 1000
    return area not in (0, 666) and group != 0 and serial != 0


@kernel()
def is_ein_prefix(prefix: int) -> bool:
    """The two digits the IRS has assigned to its campuses."""
    return not (prefix == 0 or prefix in (7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97))


@kernel()
def is_public_ip(first: int, second: int, third: int) -> bool:
    """Whether an IPv4 address is outside private, loopback, link-local, documentation and multicast ranges."""
    if first == 0 or first == 10 or first == 127 or first >= 224:
        return False
    if (first == 169 and second == 254) or (first == 172 and 16 <= second <= 31) or (first == 192 and second == 168):
        return False
    if first == 100 and 64 <= second <= 127:
        return False
    if first == 192 and second == 0 and (third == 0 or third == 2):
        return False
    return not ((first == 198 and second == 51 and third == 100) or (first == 203 and second == 0 and third == 113))
