"""Plain-Python twin of the scan for personal data: the rules on bytes, expressions and whole numbers, one row at a time."""

import re
import unicodedata

from pipeline.kernels.pii.phone import _PLANS

REGISTRY = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 "
    "FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
    "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
    "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBANS = {entry[:2]: int(entry[2:]) for entry in REGISTRY.split()}
PLANS = {int(c): tuple(map(int, r.split("-"))) for c, _, r in (plan.partition(":") for plan in _PLANS.split())}
WORDS = {
    "phone": "phone phones telephone telephones tel tele ph mobile mobil cell cellphone cellular fax facsimile telefax call "
    "calls calling called dial dialing ring reach text sms whatsapp hotline helpline landline answering messages contact "
    "telefon telephon telefono handy desk switchboard pager voicemail",
    "reference": "file files docket dockets grant grants case cases registration award contract patent invoice order isbn issn "
    "doi pmid pmc serial policy claim licence license permit part model item cert accession bill act go",
    "phone after": "phone tel telephone mobile cell fax office home work desk direct",
    "card": "card cards credit debit visa mastercard amex maestro discover diners jcb unionpay cc pan kreditkarte carte tarjeta",
    "ssn": "ssn ssns social security itin itins atin atins taxpayer",
    "ip": "ip ipv4 ips address addresses host server ping",
    "passport": "passport passports passeport reisepass pasaporte",
    "cusip": "cusip cusips",
}
WORDS = {kind: {word.encode() for word in words.split()} for kind, words in WORDS.items()}
ALNUM = re.compile(rb"[A-Za-z0-9]+")


def alnum(byte):
    return chr(byte).isascii() and chr(byte).isalnum()


def at_byte(data, at, default=0x20):
    return data[at] if 0 <= at < len(data) else default


def value(byte):
    return int(chr(byte), 36)


def near(data, at, stop, kind, window, end=None):
    """A word of that kind within `window` bytes before, or in the 16 after."""
    low = max(0, at - window)
    before = data[low:at]
    if low > 0:
        before = re.sub(rb"^[A-Za-z0-9\x80-\xff]+", b"", before)
    after = data[stop : min(len(data) if end is None else end, stop + 16)]
    return any(word.lower() in WORDS[kind] for part in (before, after) for word in ALNUM.findall(part))


def luhn(digits):
    doubled = [d if at % 2 == 0 else sum(divmod(2 * d, 10)) for at, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def mod_97(text):
    return int("".join(str(int(char, 36)) for char in text)) % 97


def is_iban(text):
    return mod_97(text[4:] + text[:4]) == 1


def is_isin(text):
    return text[:2].isalpha() and text[11].isdigit() and luhn([int(d) for c in text for d in str(int(c, 36))])


def is_lei(text):
    return text[18:].isdigit() and mod_97(text) == 1


def is_cusip(text):
    total = sum(sum(divmod(int(c, 36) * (2 if at % 2 else 1), 10)) for at, c in enumerate(text[:8]))
    return text[8].isdigit() and (10 - total % 10) % 10 == int(text[8])


def is_ssn(area, group, serial):
    if area >= 900:
        return group in {*range(50, 66), *range(70, 89), *range(90, 100)} and area < 1000
    return area not in (0, 666) and group > 0 and serial > 0


def is_public(one, two, three):
    if one in (0, 10, 127) or one >= 224 or (one, two) in ((169, 254), (192, 168)):
        return False
    if (one == 172 and 16 <= two <= 31) or (one == 100 and 64 <= two <= 127):
        return False
    return (one, two, three) not in ((192, 0, 0), (192, 0, 2), (198, 51, 100), (203, 0, 113))


def network(digits):
    """0 no card, 1 beside a word, 2 an issuer's range."""
    count, two, four = len(digits), int("".join(map(str, digits[:2]))), int("".join(map(str, digits[:4])))
    if count == 16:
        if digits[0] == 4 or 51 <= two <= 55 or 2221 <= four <= 2720:
            return 2
        if four == 6011 or 6440 <= four <= 6599 or two == 62:
            return 2
    if count == 15 and two in (34, 37):
        return 2
    if 3528 <= four <= 3589 and count >= 16:
        return 2 if count == 16 else 1
    return int(digits[0] <= 6)


def wordlike(char):
    return unicodedata.category(char)[0] in "LMN"


def email(data, last, at):
    """(start, stop) or None."""
    low, start = max(last, at - 64), at
    while start > low:
        if re.match(rb"[A-Za-z0-9._%+'-]", data[start - 1 : start]):
            start -= 1
        elif start - 2 >= low and re.fullmatch(rb"[\xc3-\xd4][\x80-\xbf]", data[start - 2 : start]):
            if not wordlike(data[start - 2 : start].decode()):
                break
            start -= 2
        else:
            break
    start += len(data[start:at]) - len(data[start:at].lstrip(b"._%+-'"))
    if start == at:
        if own := re.search(rb"(?:[\xe0-\xef][\x80-\xbf]{2})+$", data[max(low, 0) : at]):
            for char in reversed(own[0].decode("utf-8", "replace")):
                if not wordlike(char) or start - 3 < low:
                    break
                start -= 3
        if start > 0 and data[start - 1] > 0x20:
            return None
    if start == at or data[at - 1] == ord("."):
        return None
    cursor, stop, label, letters, dots = at + 1, None, 0, 0, 0
    for char in data[at + 1 :].decode("utf-8", "ignore"):
        if cursor >= at + 254:
            break
        size = len(char.encode())
        if char == "." and label and data[cursor - 1] != ord("-"):
            dots, label, letters = dots + 1, 0, 0
            cursor += 1
            continue
        if char.isascii():
            if not (char.isalnum() or (char == "-" and label)):
                break
            letters += char.isalpha()
        elif not wordlike(char):
            break
        else:
            letters += 2
        label += 1
        cursor += size
        if dots and letters >= 2 and char != "-":
            stop = cursor
    return (start, stop) if stop else None


def api_key(data, at):
    if found := re.match(rb"A[KS]IA[A-Z0-9]{16}", data[at:]):
        after = at + found.end()
        return after if not alnum(at_byte(data, after)) else None
    if re.match(rb"A[KS]IA", data[at:]) and len(data) - at >= 20:
        return None
    for start, least in ((rb"AIza", 35), (rb"gh[A-Za-z]_", 36), (rb"sk[-_]", 20), (rb"xox[A-Za-z]-", 20)):
        found = re.match(start, data[at:])
        if found and len(data) - at >= found.end() + least:
            run = re.match(rb"[A-Za-z0-9_-]{0,200}", data[at + found.end() :])[0]
            good = len(run) >= least and len(re.findall(rb"\d", run)) >= 2 and len(re.findall(rb"[A-Za-z]", run)) >= 4
            return at + found.end() + len(run) if good else None
    return None


def ipv6(data, at):
    """(stop, outside the local ranges) or None."""
    size = groups = digits = number = 0
    first, double, cursor = None, False, at
    while cursor < min(len(data), at + 40):
        char = chr(data[cursor])
        if char in "0123456789abcdefABCDEF":
            size, number, digits = size + 1, number * 16 + int(char, 16), digits + char.isdigit()
            if size > 4:
                return None
        elif char == ":":
            if size:
                groups += 1
                first = number if first is None else first
            if at_byte(data, cursor + 1) == ord(":"):
                if double:
                    return None
                double = True
                cursor += 1
            elif not size:
                break
            size = number = 0
        else:
            break
        cursor += 1
    if size:
        groups += 1
    elif not (double and data[cursor - 2 : cursor] == b"::"):
        return None
    if digits < 2 or (cursor < len(data) and (alnum(data[cursor]) or data[cursor] == ord("_"))):
        return None
    if not ((groups == 8 and not double) or (double and 3 <= groups <= 7)):
        return None
    return cursor, (-1 if first is None else first) < 0xFC00


def lettered(data, at):
    """(kind, stop) or None."""
    text, cursor, plain, spaced = "", at, None, False
    while cursor < len(data) and len(text) < 34:
        if alnum(data[cursor]):
            text += chr(data[cursor]).upper()
        elif data[cursor] == 0x20 and text and len(text) % 4 == 0 and alnum(at_byte(data, cursor + 1)):
            plain, spaced = plain or len(text), True
        else:
            break
        cursor += 1
    plain = plain or len(text)
    whole = cursor >= len(data) or not (alnum(data[cursor]) or data[cursor] == ord("_"))
    wanted = IBANS.get(text[:2], 0) if len(text) >= 15 and re.match(r"[A-Z]{2}\d\d", text) else 0
    if wanted and len(text) >= wanted and ((len(text) == wanted and whole) or spaced):
        stop = at + [found.end() for found in re.finditer(rb"[A-Za-z0-9]", data[at:cursor])][wanted - 1]
        if not alnum(at_byte(data, stop)) and is_iban(text[:wanted]):
            return "iban", stop
    stop, text = at + plain, text[:plain]
    if stop < len(data) and (alnum(data[stop]) or data[stop] == ord("_")):
        return None
    digits = sum(char.isdigit() for char in text)
    if plain == 12 and digits >= 2 and is_isin(text):
        return "isin", stop
    if plain == 20 and digits >= 4 and is_lei(text):
        return "lei", stop
    if plain == 9 and digits >= 3 and is_cusip(text) and near(data, at, stop, "cusip", 32):
        return "cusip", stop
    if 7 <= plain <= 9 and digits >= 6 and near(data, at, stop, "passport", 32):
        return "passport", stop
    return None


def numbered(data, at):
    """(kind, stop), the kind "local" for an address that is no public one; or None."""
    groups, marks, cursor = [], [], at
    while cursor < len(data) and len(groups) < 6 and sum(map(len, groups)) < 20:
        run = re.match(rb"\d+", data[cursor:])[0][: 20 - sum(map(len, groups))].decode()
        groups.append(run)
        cursor += len(run)
        mark = data[cursor : cursor + 1] if re.match(rb"[-. ]\d", data[cursor : cursor + 2]) else b""
        marks.append(mark)
        if not mark:
            break
        cursor += 1
    sizes, digits = [len(group) for group in groups], [int(char) for group in groups for char in group]
    before, after = chr(at_byte(data, at - 1)), at_byte(data, cursor)
    if len(groups) >= 4 and marks[:3] == [b"."] * 3 and marks[3] != b".":
        octets = groups[:4]
        stop = at + sum(sizes[:4]) + 3
        good = all(len(octet) <= 3 and int(octet) <= 255 and (len(octet) == 1 or octet[0] != "0") for octet in octets)
        joined = stop < len(data) and (alnum(data[stop]) or data[stop] == ord("-"))
        if good and not joined and before not in ".-" and int(octets[0]) > 0:
            if max(map(int, octets)) >= 20 or near(data, at, stop, "ip", 24):
                return ("ipv4" if is_public(*map(int, octets[:3])) else "local"), stop
    if cursor < len(data) and (alnum(after) or after == ord("_") or after >= 128):
        return None
    if sizes == [10, 2, 6] and marks[:2] == [b"-", b"-"]:
        return "accession", cursor
    glued = before in "-./=#_%"
    if sizes[:3] == [3, 2, 4] and marks[0] == marks[1] and marks[2] != b"-" and not glued and marks[0] in (b"-", b" "):
        stop = at + 11
        named = near(data, at, stop, "ssn", 40)
        if is_ssn(*map(int, groups[:3])) and (marks[0] == b"-" or named):
            return "ssn", stop
    if sizes == [2, 7] and marks[0] == b"-" and not glued:
        unassigned = (0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97)
        if int(groups[0]) not in unassigned:
            return "ein", cursor
    if sizes == [10] and groups[0].startswith("00"):
        return "cik", cursor
    if sizes == [9] and near(data, at, cursor, "ssn", 40) and is_ssn(int(groups[0][:3]), int(groups[0][3:5]), 1):
        return "ssn", cursor
    if glued or not 12 <= len(digits) <= 19 or after in b"-/%":
        return None
    same = all(mark == marks[0] != b"." for mark in marks[:-1])
    fours = same and all(size == 4 for size in sizes[:-1])
    years = all(digits[place : place + 2] in ([1, 9], [2, 0]) for place in range(0, len(digits) - 1, 4))
    even = len(sizes) == 1 or (fours and 3 <= len(sizes) <= 5 and sizes[-1] <= 4 and not years)
    even = even or (same and len(sizes) == 3 and sizes[:2] == [4, 6] and sizes[2] in (4, 5))
    issuer = network(digits) if even else 0
    if issuer and luhn(digits):
        named = near(data, at, cursor, "card", 48)
        if named or (issuer == 2 and len(sizes) > 1):
            return "card", cursor
        if issuer == 2 and not listed(data, at, cursor):
            return "card", cursor
    return None


def listed(data, at, stop):
    head = data[:at].rstrip(bytes(range(33)))
    if re.search(rb"\d\Z", head) or (len(head) == at and re.search(rb"[^A-Za-z0-9\x80-\xff]\Z", head)):
        return True
    if re.search(rb"[A-Za-z.]{0,3}\Z", head)[0][:2].lower() == b"no":
        return True
    return bool(re.match(rb"[\x00-\x20]+\d", data[stop:]))


def is_reference(data, at):
    for _ in range(2):
        stop = at
        while stop > 0 and at - stop < 4 and data[stop - 1] < 128 and not alnum(data[stop - 1]):
            stop -= 1
        word = re.search(rb"[A-Za-z]{0,14}\Z", data[:stop])[0]
        if not word:
            return False
        if word.lower() in WORDS["reference"]:
            return True
        if word[:1] not in b"nN":
            return False
        at = stop - len(word)
    return False


def among_figures(data, at, stop):
    head, tail = data[:at].rstrip(b" ($"), data[stop:]
    before = re.search(rb"[\d%]\Z|\d\)\Z", head)
    return bool(before or re.match(rb"[ ($]+\d", tail))


def is_international(digits, trunk):
    for size in (1, 2, 3):
        if len(digits) < size:
            return False
        code = int("".join(map(str, digits[:size])))
        if code in PLANS:
            national = len(digits) - size - trunk
            if code == 1:
                return national == 10 and digits[1] >= 2
            if not trunk and national > 0 and digits[size] == 0 and code != 39:
                national -= 1
            return PLANS[code][0] <= national <= PLANS[code][1]
    return False


def extension(data, at):
    """End of "x12", " ext. 12" …, or `at`. A marker needs something behind it."""
    found = re.match(rb" ?(?:[xX](?=.)|[eE][xX][tT](?=..|[^.])\.?) ?(\d{1,6})(?![A-Za-z0-9])", data[at:], re.S)
    return at + found.end() if found else at


def is_date(sizes, digits):
    head = "".join(map(str, digits))
    one = int(head[:2]) if sizes[0] >= 2 else 10 * int(head[0])
    if sizes == [4, 4]:
        return 15 <= one <= 21 and 15 <= int(head[4:6]) <= 21
    if len(sizes) < 3:
        return False
    if sizes[0] == 4 and sizes[1] <= 2 and sizes[2] <= 2:
        return 17 <= one <= 21
    if sizes[0] <= 2 and sizes[1] <= 2 and sizes[2] == 4:
        return 17 <= int(head[sizes[0] + sizes[1] :][:2]) <= 21
    return False


def phone(data, at):
    """The end, or None."""
    before, second = chr(at_byte(data, at - 1)), at_byte(data, at - 2) if at >= 2 else None
    opened = before == "("
    plus = before == "+" or (opened and second == ord("+"))
    if before in "./=#_$,%" or (before == "-" and second is not None and alnum(second)):
        return None
    digits, sizes, marks, cursor, stop = [], [], [], at, at
    paren, trunk = opened, False
    while cursor < len(data) and len(sizes) < 9:
        run = re.match(rb"\d*", data[cursor:])[0]
        if len(digits) + len(run) > 17:
            return None
        if not run:
            break
        digits += [int(char) for char in run.decode()]
        sizes.append(len(run))
        cursor = stop = cursor + len(run)
        mark = ""
        if paren:
            if at_byte(data, cursor, 0) != ord(")"):
                return None
            cursor, paren, mark = cursor + 1, False, ")"
        if cursor < len(data) and data[cursor] in b" -.":
            mark = mark or chr(data[cursor])
            cursor += 1
            if at_byte(data, cursor, 0) == 0x20 and data[cursor - 1] != 0x20:
                break
        elif cursor + 4 < len(data) and data[cursor] == ord("/") and data[cursor + 4] == ord("-"):
            if len(sizes) == 1 and len(run) == 3:
                mark, cursor = "/", cursor + 1
        if cursor + 2 < len(data) and re.match(rb"\(\d", data[cursor:]):
            if data[cursor + 1 : cursor + 3] == b"0)":
                trunk = True
            elif len(sizes) > 1 or (not plus and not (len(sizes) == 1 and sizes[0] == 1)):
                break
            paren = True
            cursor += 1
        elif not mark:
            break
        marks.append(mark)
        if not re.match(rb"\d", data[cursor : cursor + 1]):
            break
    marks += [""] * (len(sizes) - len(marks))
    if stop < len(data) and (data[stop] in b"%_" or data[stop] >= 128):
        return None
    tail = extension(data, stop)
    if tail == stop and stop < len(data) and alnum(data[stop]):
        return None
    if re.match(rb"[.,/:]\d", data[stop : stop + 2]) or not 7 <= len(digits) <= 15:
        return None
    if plus:
        return tail if is_international(digits, trunk) else None
    if is_date(sizes, digits):
        return None
    named = near(data, at, at, "phone", 24, at)
    if not named and not opened and is_reference(data, at):
        return None
    if before == ":" and second is not None and alnum(second) and len(sizes) == 1:
        word = re.search(rb"[A-Za-z0-9]+\Z", data[: at - 1])[0]
        if word[-23:].lower() not in WORDS["phone"]:
            return None
    if digits[:2] == [0, 0] and sizes[0] >= 3 and len(sizes) >= 3 and is_international(digits[2:], trunk):
        return tail
    if digits[:2] == [0, 0] and sizes[0] >= 3 and len(sizes) < 3:
        return None
    if " " in marks[: len(sizes) - 1] and not named and among_figures(data, at, tail):
        return None
    lead = int(sizes[0] == 1 and digits[0] == 1 and len(digits) == 11)
    own = digits[lead:]
    if len(own) == 10 and len(sizes) == 3 + lead and sizes[lead : lead + 2] == [3, 3]:
        north_american = own[0] >= 2 and own[1:3] != [1, 1] and own[3] >= 1
        joined = all(mark in ("-", ".", ")", "/") for mark in marks[: len(sizes) - 1])
        if north_american and (joined or opened or marks[lead] == ")"):
            return tail
    several = len(sizes) >= 2
    hyphened = len(sizes) == 3 and marks[1] == "-" and sizes[1] >= 3 and sizes[2] == 4
    bracketed = digits[0] == 0 or hyphened or named
    if (
        opened
        and bracketed
        and several
        and sizes[0] <= 5
        and 7 <= len(digits) <= 11
        and digits[sizes[0]] > 0
        and sizes[1] >= 3
    ):
        return tail
    zip_code = sizes == [5, 4] and marks[0] == "-"
    if digits[0] == 0 and digits[1] != 0 and 9 <= len(digits) <= 11 and several and before != "-" and not zip_code:
        if (min(9, *sizes) >= 2 and 2 < sizes[0] <= 5) or (sizes[0] == 2 and len(sizes) == 5):
            return tail
    if opened and not bracketed:
        return None
    if min(sizes) >= 2 and len(digits) <= 13 and (named or labelled_after(data, tail)):
        return tail
    return None


def labelled_after(data, at):
    found = re.match(rb"([ (-]{1,3})([A-Za-z]{1,10})(?!:)", data[at:])
    if found is None or (found.end() < len(data) - at and data[at + found.end()] == ord(":")):
        return False
    word = re.match(rb"[ (-]{1,3}([A-Za-z]{1,10})", data[at:])
    if at_byte(data, at + word.end(), 0) == ord(":"):
        return False
    return word[1].lower() in WORDS["phone after"]


def scan(text, wanted, public_only):
    """(start, end, kind) of a text, by bytes."""
    data, found = text.encode(), []
    at = free = last_email = 0
    inside = False
    while at < len(data):
        byte = data[at]
        kind, start, stop = None, at, at
        if byte == ord("@"):
            if pair := email(data, last_email, at):
                (start, stop), kind = pair, "email"
                last_email = stop
                while found and found[-1][1] > start:
                    found.pop()
        elif alnum(byte) and not inside:
            hit = None
            if chr(byte).isalpha():
                if re.search(rb"\d", data[at + 1 : at + 8]):
                    hit = lettered(data, at)
                if hit is None and byte in b"Agsx" and (end := api_key(data, at)):
                    hit = ("api_key", end)
            else:
                hit = numbered(data, at)
                if hit is None and (end := phone(data[free:], at - free)):  # a label inside an earlier span is none
                    hit = ("phone", free + end)
                    start -= len(data[free:at]) - len(data[free:at].rstrip(b"(+"))
                if hit is None and at + 8 < len(data):
                    hit = lettered(data, at)
            if hit is None and value(byte) < 16 and b":" in data[at + 1 : at + 5] and at_byte(data, at - 1) != ord(":"):
                if pair := ipv6(data, at):
                    hit = ("ipv6" if pair[1] or not public_only else "local"), pair[0]
            if hit:
                kind, stop = hit
        if kind == "local" and not public_only:
            kind = "ipv4"
        if kind is None:
            inside = alnum(byte) or byte == ord("_") or byte >= 128
            at += 1
            continue
        if kind in wanted:
            found.append((start, stop, kind))
        at = free = stop
        inside = False
    return found
