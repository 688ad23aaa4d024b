"""Phone numbers by country rules: E.164 codes with their lengths, the North American plan, national forms with a trunk 0.

A number that carries its country code, or the shape of a dialled number, is taken as it stands; bare groups of digits only
beside a word such as "phone" or "fax". Dates, amounts, ranges of years and accession numbers are none of these.
"""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pii.checks import alnum, digit, letter
from pipeline.kernels.pii.context_words import PHONE_AFTER, PHONE_WORDS, REFERENCE_WORDS, word_near

# Country code: shortest and longest national number (ITU-T E.164 and the national numbering plans).
_PLANS = (
    "1:10-10 7:10-10 20:8-10 27:9-9 30:10-10 31:9-9 32:8-9 33:9-9 34:9-9 36:8-9 39:6-11 40:9-9 41:9-9 43:7-12 44:9-10 "
    "45:8-8 46:7-9 47:8-8 48:9-9 49:7-11 51:8-9 52:10-10 53:8-8 54:10-11 55:10-11 56:9-9 57:10-10 58:10-10 60:8-10 "
    "61:9-9 62:8-12 63:8-10 64:8-10 65:8-8 66:8-9 81:9-10 82:8-10 84:9-10 86:10-11 90:10-10 91:10-10 92:9-10 93:9-9 "
    "94:9-9 95:7-10 98:10-10 211:9-9 212:9-9 213:8-9 216:8-8 218:8-9 220:7-7 221:9-9 222:8-8 223:8-8 224:9-9 225:8-10 "
    "226:8-8 227:8-8 228:8-8 229:8-10 230:7-8 231:7-9 232:8-8 233:9-9 234:8-10 235:8-8 236:8-8 237:9-9 238:7-7 239:7-7 "
    "240:9-9 241:7-8 242:9-9 243:9-9 244:9-9 245:7-9 248:7-7 249:9-9 250:9-9 251:9-9 252:7-9 253:8-8 254:9-10 255:9-9 "
    "256:9-9 257:8-8 258:8-9 260:9-9 261:9-9 262:9-9 263:8-9 264:8-9 265:7-9 266:8-8 267:7-8 268:8-8 269:7-7 290:4-5 "
    "291:7-7 297:7-7 298:6-6 299:6-6 350:8-8 351:9-9 352:4-11 353:7-9 354:7-9 355:8-9 356:8-8 357:8-8 358:5-12 359:7-9 "
    "370:8-8 371:8-8 372:7-8 373:8-8 374:8-8 375:9-9 376:6-9 377:8-9 378:6-10 380:9-9 381:8-9 382:8-8 383:8-9 385:8-9 "
    "386:8-8 387:8-9 389:8-8 420:9-9 421:9-9 423:7-9 500:5-5 501:7-7 502:8-8 503:8-8 504:8-8 505:8-8 506:8-8 507:7-8 "
    "508:6-6 509:8-8 590:9-9 591:8-8 592:7-7 593:8-9 594:9-9 595:9-9 596:9-9 597:6-7 598:8-8 599:7-8 670:7-8 672:6-6 "
    "673:7-7 674:7-7 675:7-8 676:5-7 677:5-7 678:5-7 679:7-7 680:7-7 681:6-6 682:5-5 683:4-7 685:5-7 686:5-8 687:6-6 "
    "688:5-6 689:6-8 690:4-5 691:7-7 692:7-7 800:8-8 850:8-10 852:8-8 853:8-8 855:8-9 856:8-10 880:8-10 886:8-9 960:7-7 "
    "961:7-8 962:8-9 963:8-9 964:8-10 965:8-8 966:8-9 967:7-9 968:8-8 970:8-9 971:8-9 972:8-9 973:8-8 974:8-8 975:7-8 "
    "976:8-8 977:8-10 992:9-9 993:8-8 994:9-9 995:9-9 996:9-9 998:9-9"
)


def _plans() -> tuple[np.ndarray, np.ndarray]:
    shortest, longest = np.zeros(1000, np.uint8), np.zeros(1000, np.uint8)
    for plan in _PLANS.split():
        code, _, lengths = plan.partition(":")
        low, _, high = lengths.partition("-")
        shortest[int(code)], longest[int(code)] = int(low), int(high)
    return shortest, longest


SHORTEST, LONGEST = _plans()
"""uint8[1000]: national lengths by country code, 0 where there is no such code."""

_MAX_DIGITS = 17


@kernel()
def _nanp(digits: np.ndarray, first: int) -> bool:
    """Ten digits from `first` are a North American number: area and exchange codes from 200, neither N11 as area."""
    return bool(
        digits[first] >= 2 and not (digits[first + 1] == 1 and digits[first + 2] == 1) and digits[first + 3] >= 1
    )


@kernel()
def international(digits: np.ndarray, first: int, count: int, trunk: bool) -> bool:
    """Whether digits from `first` to `count` are a country code and a national number of a length it has.

    With `trunk`, a "(0)" was written and its zero counts for nothing.
    """
    code = 0
    for size in range(1, 4):
        if first + size > count:
            return False
        code = code * 10 + np.int64(digits[first + size - 1])
        if LONGEST[code] > 0:
            national = count - first - size - (1 if trunk else 0)
            if code == 1:
                return bool(national == 10 and digits[first + 1] >= 2)
            if not trunk and national > 0 and digits[first + size] == 0 and code != 39:
                national -= 1
            return bool(np.int64(SHORTEST[code]) <= national <= np.int64(LONGEST[code]))
    return False


@kernel()
def _extension(data: np.ndarray, at: int, end: int) -> int:
    """End of an extension ("x123", " ext. 123") that begins at `at`, or `at`."""
    cursor = at
    if cursor < end and data[cursor] == codes.SPACE:
        cursor += 1
    if cursor + 1 < end and letter(data[cursor]) == 23:
        cursor += 1
    elif (
        cursor + 4 < end
        and letter(data[cursor]) == 4
        and letter(data[cursor + 1]) == 23
        and letter(data[cursor + 2]) == 19
    ):
        cursor += 3
        if data[cursor] == codes.DOT:
            cursor += 1
    else:
        return at
    if cursor < end and data[cursor] == codes.SPACE:
        cursor += 1
    begin = cursor
    while cursor < end and digit(data[cursor]) >= 0 and cursor - begin < 7:
        cursor += 1
    if cursor == begin or cursor - begin > 6 or (cursor < end and alnum(data[cursor]) >= 0):
        return at
    return cursor


@kernel()
def _is_date(digits: np.ndarray, groups: np.ndarray, count: int) -> bool:
    """A range of years, year-month-day or day-month-year, by the sizes and ranges of the first groups."""
    one = np.int64(digits[0]) * 10 + (digits[1] if groups[0] >= 2 else 0)
    if count == 2 and groups[0] == 4 and groups[1] == 4:
        two = np.int64(digits[4]) * 10 + digits[5]
        return bool(15 <= one <= 21 and 15 <= two <= 21)
    if count < 3:
        return False
    if groups[0] == 4 and groups[1] <= 2 and groups[2] <= 2:
        return bool(one in (17, 18, 19, 20, 21))
    if groups[0] <= 2 and groups[1] <= 2 and groups[2] == 4:
        place = groups[0] + groups[1]
        return bool(np.int64(digits[place]) * 10 + digits[place + 1] in (17, 18, 19, 20, 21))
    return False


@kernel()
def _is_reference(data: np.ndarray, begin: int, at: int) -> bool:
    """Whether the word before the number, "No." and "Number" left out, says that it counts files, grants, cases and the like."""
    for _ in range(2):
        stop = at
        while stop > begin and at - stop < 4 and alnum(data[stop - 1]) < 0 and data[stop - 1] < codes.NON_ASCII:
            stop -= 1
        word = stop
        while word > begin and stop - word < 14 and letter(data[word - 1]) >= 0:
            word -= 1
        if word == stop:
            return False
        if word_near(data, word, stop, stop, stop, REFERENCE_WORDS, 14):
            return True
        if letter(data[word]) != 13:  # no, nos, number
            return False
        at = word
    return False


@kernel()
def _among_figures(data: np.ndarray, begin: int, at: int, stop: int, end: int) -> bool:
    """Whether the number's line has a figure right before it or right after it, as rows of tables have."""
    low = at - 1
    while low >= begin and (data[low] == codes.SPACE or data[low] == codes.LEFT_PAREN or data[low] == codes.DOLLAR):
        low -= 1
    if low >= begin and (digit(data[low]) >= 0 or data[low] == codes.PERCENT):
        return True
    if low > begin and data[low] == codes.RIGHT_PAREN and digit(data[low - 1]) >= 0:
        return True
    high = stop
    while high < end and (data[high] == codes.SPACE or data[high] == codes.LEFT_PAREN or data[high] == codes.DOLLAR):
        high += 1
    return bool(high > stop and high < end and digit(data[high]) >= 0)


@kernel()
def phone_end(data: np.ndarray, begin: int, at: int, end: int) -> int:
    """End of the phone number whose first digit is at `at`, or -1."""
    before = data[at - 1] if at > begin else np.uint8(codes.SPACE)
    opened, plus = before == codes.LEFT_PAREN, before == codes.PLUS
    if opened and at - 2 >= begin and data[at - 2] == codes.PLUS:
        plus = True
    glued = before in (
        codes.DOT, codes.SLASH, codes.EQUALS, codes.HASH, codes.UNDERSCORE, codes.DOLLAR, codes.COMMA, codes.PERCENT
    )  # fmt: skip
    if glued or (before == codes.HYPHEN and at - 2 >= begin and alnum(data[at - 2]) >= 0):
        return -1
    digits, groups, marks = np.zeros(_MAX_DIGITS + 1, np.uint8), np.zeros(10, np.int64), np.zeros(10, np.uint8)
    total, count, cursor, paren, trunk = 0, 0, at, opened, False
    stop = at
    while cursor < end and count < 9:
        length = 0
        while cursor < end and digit(data[cursor]) >= 0:
            if total > _MAX_DIGITS - 1:
                return -1
            digits[total] = digit(data[cursor])
            total += 1
            length += 1
            cursor += 1
        if length == 0:
            break
        groups[count] = length
        count += 1
        stop = cursor
        mark = np.uint8(0)
        if paren:
            if cursor >= end or data[cursor] != codes.RIGHT_PAREN:
                return -1
            cursor += 1
            paren, mark = False, np.uint8(codes.RIGHT_PAREN)
        if cursor < end and (data[cursor] == codes.SPACE or data[cursor] == codes.HYPHEN or data[cursor] == codes.DOT):
            mark = data[cursor] if mark == 0 else mark
            cursor += 1
            if cursor < end and data[cursor] == codes.SPACE and data[cursor - 1] != codes.SPACE:
                break
        elif cursor + 4 < end and data[cursor] == codes.SLASH and data[cursor + 4] == codes.HYPHEN:
            if count == 1 and length == 3:  # 646/555-0123
                mark = data[cursor]
                cursor += 1
        if cursor + 2 < end and data[cursor] == codes.LEFT_PAREN and digit(data[cursor + 1]) >= 0:
            if data[cursor + 1] == codes.ZERO and data[cursor + 2] == codes.RIGHT_PAREN:
                trunk = True
            elif count > 1 or (not plus and not (count == 1 and groups[0] == 1)):
                break
            paren = True
            cursor += 1
        elif mark == 0:
            break
        marks[count - 1] = mark
        if cursor >= end or digit(data[cursor]) < 0:
            break
    if stop < end and (data[stop] == codes.PERCENT or data[stop] == codes.UNDERSCORE or data[stop] >= 128):
        return -1
    tail = _extension(data, stop, end)
    if tail == stop and stop < end and alnum(data[stop]) >= 0:
        return -1
    if (
        stop + 1 < end
        and (data[stop] in (codes.DOT, codes.COMMA, codes.SLASH, codes.COLON))
        and digit(data[stop + 1]) >= 0
    ):
        return -1
    if total < 7 or total > 15:
        return -1
    if plus:
        return tail if international(digits, 0, total, trunk) else -1
    if _is_date(digits, groups, count):
        return -1
    named = word_near(data, begin, at, at, at, PHONE_WORDS, 24)
    if not named and not opened and _is_reference(data, begin, at):
        return -1
    if before == codes.COLON and at - 2 >= begin and alnum(data[at - 2]) >= 0 and count == 1:
        word = at - 2  # "go:0005515": the word before the colon alone may say that it is a phone
        while word > begin and alnum(data[word - 1]) >= 0:
            word -= 1
        if not word_near(data, word, at, at, at, PHONE_WORDS, 24):
            return -1
    zeros = 2 if digits[0] == 0 and digits[1] == 0 else 0
    if zeros and groups[0] >= 3 and count >= 3 and international(digits, 2, total, trunk):
        return tail
    if zeros and groups[0] >= 3 and count < 3:  # 001-40609: a file number
        return -1
    dashes = True
    for group in range(count - 1):
        dashes = dashes and (
            marks[group] == codes.HYPHEN
            or marks[group] == codes.DOT
            or marks[group] == codes.RIGHT_PAREN
            or marks[group] == codes.SLASH
        )
    spaced = False
    for group in range(count - 1):
        spaced = spaced or marks[group] == codes.SPACE
    if spaced and not named and _among_figures(data, begin, at, tail, end):
        return -1
    lead = 1 if groups[0] == 1 and digits[0] == 1 and total == 11 else 0
    if (
        total - lead == 10
        and count == 3 + lead
        and groups[lead] == 3
        and groups[lead + 1] == 3
        and _nanp(digits, lead)
        and (dashes or opened or marks[lead] == codes.RIGHT_PAREN)
    ):
        return tail
    # Statements put negatives in brackets, "(557) 197 200": other bracketed codes begin with 0, or a hyphen parts what follows.
    hyphened = count == 3 and marks[1] == codes.HYPHEN and groups[1] >= 3 and groups[2] == 4
    own = digits[0] == 0 or hyphened or named
    if (
        opened
        and own
        and count >= 2
        and groups[0] <= 5
        and 7 <= total <= 11
        and digits[groups[0]] > 0
        and groups[1] >= 3
    ):
        return tail
    zip_code = count == 2 and groups[0] == 5 and groups[1] == 4 and marks[0] == codes.HYPHEN  # New England: 02111-2901
    trunk_zero = digits[0] == 0 and digits[1] != 0 and not zip_code
    if trunk_zero and 9 <= total <= 11 and count >= 2 and before != codes.HYPHEN:
        shortest = 9
        for group in range(count):
            shortest = min(shortest, groups[group])
        if (shortest >= 2 and 2 < groups[0] <= 5) or (groups[0] == 2 and count == 5):
            return tail
    smallest = 99
    for group in range(count):
        smallest = min(smallest, groups[group])
    if smallest >= 2 and total <= 13 and not (opened and not own) and (named or _labelled_after(data, tail, end)):
        return tail
    return -1


@kernel()
def _labelled_after(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the next word says what kind of line the number is, and is no label of what follows it ("Phone: ...")."""
    cursor = at
    while cursor < end and cursor < at + 3 and data[cursor] in (codes.SPACE, codes.HYPHEN, codes.LEFT_PAREN):
        cursor += 1
    stop = cursor
    while stop < end and stop < cursor + 10 and letter(data[stop]) >= 0:
        stop += 1
    if cursor == at or stop == cursor or (stop < end and data[stop] == codes.COLON):
        return False
    return word_near(data, cursor, stop, stop, stop, PHONE_AFTER, 10)
