"""One linear scan for personal data: e-mail, phone, IP, IBAN, card, SSN, EIN, passport, keys; and finance's public numbers.

No regex and no backtracking: candidates begin at `@` or at the beginning of a word or number, and look at most 253 bytes
ahead and 64 back. A candidate must satisfy the check digits of its kind, and where a bare number could be anything (a
phone without a country code, a Maestro card), a word such as "phone" or "card" beside it.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.arrays import grow
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pii.addresses import api_key_end, ipv6_end
from pipeline.kernels.pii.checks import (
    IBAN_LENGTHS,
    alnum,
    card_network,
    digit,
    is_cusip,
    is_ein_prefix,
    is_iban,
    is_isin,
    is_lei,
    is_public_ip,
    is_ssn,
    letter,
    luhn,
)
from pipeline.kernels.pii.context_words import CARD_WORDS, CUSIP_WORDS, IP_WORDS, PASSPORT_WORDS, SSN_WORDS, word_near
from pipeline.kernels.pii.phone import phone_end
from pipeline.kernels.unicode import LETTER, MAJOR, MARK, NUMBER, decode

KINDS = tuple("email phone ipv4 ipv6 iban card ssn ein passport api_key isin cusip lei cik accession".split())
"""Names of the kinds; their index is the code the kernel gives."""

EMAIL, PHONE, IPV4, IPV6, IBAN, CARD, SSN, EIN, PASSPORT, API_KEY, ISIN, CUSIP, LEI, CIK, ACCESSION = range(15)
FIRST_PUBLIC = ISIN
"""Kinds from here on are public identifiers of finance: found so that they are kept."""

IS_WORDLIKE = np.isin(MAJOR, [LETTER, MARK, NUMBER])

_MAX_LOCAL, _MAX_DOMAIN = 64, 253


def _byte_classes() -> np.ndarray:
    classes = np.zeros(256, np.uint8)
    for byte in range(256):
        char = chr(byte)
        if byte < 128 and char.isalnum():
            classes[byte] = 1
        elif char in "._%+-'":
            classes[byte] = 2
        elif byte >= 128:
            classes[byte] = 3
    return classes


_CLASS = _byte_classes()


@kernel()
def _email(data: np.ndarray, begin: int, at: int, end: int, wordlike: np.ndarray) -> tuple[int, int]:
    """The e-mail address around the `@` at `at`, as (start, end), or (-1, -1). `begin` bounds the look back."""
    start = at
    low = max(begin, at - _MAX_LOCAL)
    while start > low:
        byte = data[start - 1]
        kind = _CLASS[byte]
        if kind == 1 or kind == 2:
            start -= 1
        elif kind == 3 and start - 2 >= low and 0xC3 <= data[start - 2] <= 0xD4 and byte < 0xC0:
            point, _ = decode(data, start - 2, end)  # Latin, Greek and Cyrillic letters; ideographs glue to words
            if point < 0 or not wordlike[point]:
                break
            start -= 2
        else:
            break
    while start < at and _CLASS[data[start]] == 2:
        start += 1
    if start == at:  # an address in another script, from white space on
        while start - 3 >= low and data[start - 3] >= 0xE0 and data[start - 1] & 0xC0 == 0x80:
            point, size = decode(data, start - 3, end)
            if size != 3 or point < 0 or not wordlike[point]:
                break
            start -= 3
        if start > begin and data[start - 1] > codes.SPACE:
            return -1, -1
    if start == at or data[at - 1] == codes.DOT:
        return -1, -1
    stop, cursor, label, dots, alphas, top = at + 1, at + 1, 0, 0, 0, 0
    high = min(end, at + 1 + _MAX_DOMAIN)
    while cursor < high:
        byte = data[cursor]
        if byte < 128:
            if digit(byte) >= 0:
                label += 1
                cursor += 1
            elif letter(byte) >= 0:
                label += 1
                alphas += 1
                cursor += 1
            elif byte == codes.HYPHEN and label > 0:
                label += 1
                cursor += 1
            elif byte == codes.DOT and label > 0 and data[cursor - 1] != codes.HYPHEN:
                dots += 1
                label, alphas = 0, 0
                cursor += 1
                continue
            else:
                break
        else:
            point, size = decode(data, cursor, end)
            if point < 0 or not wordlike[point]:
                break
            label += 1
            alphas += 2
            cursor += size
        if dots > 0 and alphas >= 2 and data[cursor - 1] != codes.HYPHEN:
            stop, top = cursor, 1
    return (start, stop) if top == 1 else (-1, -1)


@kernel()
def _letters(
    data: np.ndarray, begin: int, at: int, end: int, values: np.ndarray, lengths: np.ndarray
) -> tuple[int, int]:
    """(kind, end) of an IBAN, ISIN, LEI, CUSIP or passport number that begins at `at`, or (-1, at)."""
    count, digits, cursor, plain, plain_digits = 0, 0, at, 0, 0
    spaced = False
    while cursor < end and count < 34:
        byte = data[cursor]
        value = alnum(byte)
        if value < 0:
            if (
                byte == codes.SPACE
                and count % 4 == 0
                and count >= 4
                and cursor + 1 < end
                and alnum(data[cursor + 1]) >= 0
            ):
                if plain == 0:
                    plain, plain_digits = count, digits
                spaced = True
                cursor += 1
                continue
            break
        values[count] = value
        count += 1
        digits += value < 10
        cursor += 1
    if plain == 0:
        plain, plain_digits = count, digits
    whole = cursor >= end or (alnum(data[cursor]) < 0 and data[cursor] != codes.UNDERSCORE)
    if values[0] > 9 and count >= 15 and values[1] > 9 and values[2] < 10 and values[3] < 10:
        wanted = int(lengths[(np.int64(values[0]) - 10) * 26 + values[1] - 10])
        if wanted > 0 and count >= wanted and ((count == wanted and whole) or spaced):
            stop, seen = at, 0
            while seen < wanted:
                seen += alnum(data[stop]) >= 0
                stop += 1
            if (stop >= end or alnum(data[stop]) < 0) and is_iban(values, wanted, lengths):
                return IBAN, stop
    stop = at + plain
    if stop < end and (alnum(data[stop]) >= 0 or data[stop] == codes.UNDERSCORE):
        return -1, at
    if plain == 12 and plain_digits >= 2 and is_isin(values, 12):
        return ISIN, stop
    if plain == 20 and plain_digits >= 4 and is_lei(values, 20):
        return LEI, stop
    if (
        plain == 9
        and plain_digits >= 3
        and is_cusip(values, 9)
        and word_near(data, begin, at, stop, end, CUSIP_WORDS, 32)
    ):
        return CUSIP, stop
    if 7 <= plain <= 9 and plain_digits >= 6 and word_near(data, begin, at, stop, end, PASSPORT_WORDS, 32):
        return PASSPORT, stop
    return -1, at


@kernel()
def _numbers(
    data: np.ndarray, begin: int, at: int, end: int, digits: np.ndarray, groups: np.ndarray, marks: np.ndarray
) -> tuple[int, int]:
    """(kind, end) of a card, SSN, EIN, IPv4 address, CIK or accession number that begins at the digit `at`."""
    count, total, cursor = 0, 0, at
    # Digit groups with one separator between: lengths in `groups`, the separator after each in `marks`.
    while cursor < end and count < 6 and total < 20:
        length = 0
        while cursor < end and digit(data[cursor]) >= 0 and total < 20:
            digits[total] = digit(data[cursor])
            total += 1
            length += 1
            cursor += 1
        groups[count] = length
        marks[count] = 0
        count += 1
        if cursor + 1 < end and digit(data[cursor + 1]) >= 0:
            byte = data[cursor]
            if byte == codes.HYPHEN or byte == codes.SPACE or byte == codes.DOT:
                marks[count - 1] = byte
                cursor += 1
                continue
        break
    before = data[at - 1] if at > begin else np.uint8(codes.SPACE)
    after = data[cursor] if cursor < end else np.uint8(codes.SPACE)
    after_joins = cursor < end and (alnum(data[cursor]) >= 0 or after == codes.UNDERSCORE or after >= 128)
    glued = (
        before == codes.HYPHEN
        or before == codes.DOT
        or before == codes.SLASH
        or before == codes.EQUALS
        or before == codes.HASH
        or before == codes.UNDERSCORE
        or before == codes.PERCENT
    )
    if (
        count >= 4
        and marks[0] == codes.DOT
        and marks[1] == codes.DOT
        and marks[2] == codes.DOT
        and marks[3] != codes.DOT
    ):
        place, high, ok, octets = 0, 0, True, np.zeros(4, np.int64)
        for group in range(4):
            length = groups[group]
            value = 0
            for _ in range(min(length, 3)):
                value = value * 10 + digits[place]
                place += 1
            ok = ok and length <= 3 and value <= 255 and (length == 1 or digits[place - length] != 0)
            place += max(0, length - 3)
            octets[group] = value
            high = max(high, value)
        stop = at + int(groups[0] + groups[1] + groups[2] + groups[3]) + 3
        joined = stop < end and (alnum(data[stop]) >= 0 or data[stop] == codes.HYPHEN)
        if ok and not joined and before != codes.DOT and before != codes.HYPHEN and octets[0] > 0:
            if high >= 20 or word_near(data, begin, at, stop, end, IP_WORDS, 24):
                return (IPV4 if is_public_ip(octets[0], octets[1], octets[2]) else -2), stop
    if after_joins:
        return -1, at
    if count == 3 and marks[0] == codes.HYPHEN and marks[1] == codes.HYPHEN:
        if groups[0] == 10 and groups[1] == 2 and groups[2] == 6:
            return ACCESSION, cursor
    ssn_mark = (
        count >= 3
        and groups[0] == 3
        and groups[1] == 2
        and groups[2] == 4
        and marks[0] == marks[1]
        and marks[2] != codes.HYPHEN
    )
    if ssn_mark and not glued and (marks[0] == codes.HYPHEN or marks[0] == codes.SPACE):
        area = np.int64(digits[0]) * 100 + digits[1] * 10 + digits[2]
        group = np.int64(digits[3]) * 10 + digits[4]
        serial = np.int64(digits[5]) * 1000 + digits[6] * 100 + digits[7] * 10 + digits[8]
        stop = at + 11
        named = word_near(data, begin, at, stop, end, SSN_WORDS, 40)
        if is_ssn(area, group, serial) and (marks[0] == codes.HYPHEN or named):
            return SSN, stop
    if count == 2 and groups[0] == 2 and groups[1] == 7 and marks[0] == codes.HYPHEN and not glued:
        if is_ein_prefix(np.int64(digits[0]) * 10 + digits[1]):
            return EIN, cursor
    if count == 1 and total == 10 and digits[0] == 0 and digits[1] == 0:
        return CIK, cursor
    if count == 1 and total == 9 and word_near(data, begin, at, cursor, end, SSN_WORDS, 40):
        area = np.int64(digits[0]) * 100 + digits[1] * 10 + digits[2]
        if is_ssn(area, np.int64(digits[3]) * 10 + digits[4], 1):
            return SSN, cursor
    if not glued and 12 <= total <= 19 and after != codes.HYPHEN and after != codes.SLASH and after != codes.PERCENT:
        even = count == 1
        if count > 1:
            same = True
            for group in range(count - 1):
                same = same and marks[group] == marks[0] and marks[group] != codes.DOT
            fours = same
            for group in range(count - 1):
                fours = fours and groups[group] == 4
            years = True
            for group in range(0, total - 1, 4):
                century = np.int64(digits[group]) * 10 + digits[group + 1]
                years = years and (century == 19 or century == 20)
            even = (fours and 3 <= count <= 5 and groups[count - 1] <= 4 and not years) or (
                same and count == 3 and groups[0] == 4 and groups[1] == 6 and (groups[2] == 5 or groups[2] == 4)
            )
        network = card_network(digits, total) if even else 0
        if network > 0 and luhn(digits, total):
            named = word_near(data, begin, at, cursor, end, CARD_WORDS, 48)
            if named or (network == 2 and count > 1):
                return CARD, cursor
            # A bare run of 16 digits passes Luhn one time in ten: alone in running text, not in a list of numbers.
            if network == 2 and not _listed(data, begin, at, cursor, end):
                return CARD, cursor
    return -1, at


@kernel()
def _listed(data: np.ndarray, begin: int, at: int, stop: int, end: int) -> bool:
    """Whether a number stands after "No.", a code or a figure, or before a figure, lines between or not."""
    low = at - 1
    while low >= begin and data[low] <= codes.SPACE:
        low -= 1
    if low >= begin and (
        digit(data[low]) >= 0 or (data[low] < codes.NON_ASCII and alnum(data[low]) < 0 and low == at - 1)
    ):
        return True
    word = low
    while word >= begin and low - word < 3 and (letter(data[word]) >= 0 or data[word] == codes.DOT):
        word -= 1
    if low - word >= 2 and letter(data[word + 1]) == 13 and letter(data[word + 2]) == 14:  # no, no.
        return True
    high = stop
    while high < end and data[high] <= codes.SPACE:
        high += 1
    return high > stop and high < end and digit(data[high]) >= 0


@kernel()
def scan(
    offsets: np.ndarray, data: np.ndarray, wanted: np.ndarray, wordlike: np.ndarray, public_only: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spans of every row: arrays of row, start and end byte within the row, and kind; sorted, not overlapping.

    `wanted` is bool[kinds]; a kind that is not wanted still hides what lies inside it. With `public_only`, private,
    loopback and documentation addresses are no spans.
    """
    rows, starts, ends, kinds = (
        np.empty(64, np.int64),
        np.empty(64, np.int64),
        np.empty(64, np.int64),
        np.empty(64, np.int8),
    )
    digits, groups, marks = np.zeros(24, np.uint8), np.zeros(8, np.int64), np.zeros(8, np.uint8)
    values = np.zeros(40, np.uint8)
    total = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        at, free, last_email, inside = begin, begin, begin, False
        while at < end:
            byte = data[at]
            code = alnum(byte)
            kind, start, stop = -1, at, at
            if byte == codes.AT:
                start, stop = _email(data, last_email, at, end, wordlike)
                if start >= 0:
                    kind, last_email = EMAIL, stop
                    # An address takes back what was found inside its local part.
                    while total > 0 and rows[total - 1] == row and ends[total - 1] > start - begin:
                        total -= 1
            elif code >= 0 and not inside:
                if code >= 10:
                    digits_near = False
                    for ahead in range(at + 1, min(end, at + 8)):
                        digits_near = digits_near or digit(data[ahead]) >= 0
                    if digits_near:
                        kind, stop = _letters(data, begin, at, end, values, IBAN_LENGTHS)
                    if kind == -1 and (
                        byte == codes.UPPER_A or byte == codes.SMALL_G or byte == codes.SMALL_S or byte == codes.SMALL_X
                    ):
                        stop = api_key_end(data, at, end)
                        kind = API_KEY if stop > 0 else -1
                else:
                    kind, stop = _numbers(data, begin, at, end, digits, groups, marks)
                    if kind == -1:
                        stop = phone_end(data, free, at, end)
                        kind = PHONE if stop > 0 else -1
                        if kind == PHONE:
                            while start > free and (
                                data[start - 1] == codes.LEFT_PAREN or data[start - 1] == codes.PLUS
                            ):
                                start -= 1
                    if kind == -1 and at + 8 < end:
                        kind, stop = _letters(data, begin, at, end, values, IBAN_LENGTHS)
                if kind == -1 and code < 16:
                    near = False
                    for ahead in range(at + 1, min(end, at + 5)):
                        near = near or data[ahead] == codes.COLON
                    if near and (at == begin or data[at - 1] != codes.COLON):
                        stop, outside = ipv6_end(data, at, end)
                        if stop > 0:
                            kind = IPV6 if outside or not public_only else -2
            if kind == -2 and not public_only:
                kind = IPV4
            if kind >= 0:
                if wanted[kind]:
                    if total == len(rows):
                        rows, starts = grow(rows, 2 * total), grow(starts, 2 * total)
                        ends, kinds = grow(ends, 2 * total), grow(kinds, 2 * total)
                    rows[total], starts[total], ends[total], kinds[total] = row, start - begin, stop - begin, kind
                    total += 1
                at, free, inside = stop, stop, False
                continue
            if kind == -2:
                at, free, inside = stop, stop, False
                continue
            inside = code >= 0 or byte == codes.UNDERSCORE or byte >= 128
            at += 1
    return rows[:total], starts[:total], ends[:total], kinds[:total]
