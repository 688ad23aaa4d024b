"""What the word scanner knows of characters and of English contractions, as tables for compiled code.

The words of the published filters are those of spaCy's English rules: a chunk between white space is stripped of
punctuation at both ends, its inside is split at hyphens, slashes and ellipses, and contractions and abbreviations are
looked up. The tables say the same of Unicode's properties, so they follow the Unicode version of Python.
"""

import sys

import numpy as np

from pipeline.kernels.unicode import CATEGORIES, CATEGORY, IS_SPACE

ALPHA, SYMBOL, SPACE, PREFIX, SUFFIX, LOWER, UPPER, DIGIT, QUOTE, ICON, CURRENCY, PUNCT, STOP, BEFORE_DOT, BREAK = (
    1 << bit for bit in range(15)
)
"""Bits of `ATTRIBUTES`. ALPHA: `str.isalpha`. SYMBOL: no part of a word (Gopher's punctuation). STOP: ends a sentence.
BEFORE_DOT: a full stop after it is a token of its own. BREAK: one of `str.splitlines`' line ends."""
PLAIN = 1 << 15
"""A letter, mark or number that no rule below can split from its neighbours."""

TERMINAL = (
    "!.?\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u104a\u104b\u1362"
    "\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u17d6\u17d9\u17da\u1803\u1809\u1944\u1945\u1aa8\u1aa9\u1aaa\u1aab"
    "\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047\u2048\u2049\u2e2e\u2e3c\u2e53\u2e54"
    "\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb"
    "\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
) + "".join(
    chr(point)
    for first, last in (
        (0x10A56, 0x10A57), (0x10F55, 0x10F59), (0x10F86, 0x10F89), (0x11047, 0x11048), (0x110BE, 0x110C1),
        (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0x111CD), (0x111DE, 0x111DF), (0x11238, 0x11239),
        (0x1123B, 0x1123C), (0x112A9, 0x112A9), (0x1144B, 0x1144C), (0x115C2, 0x115C3), (0x115C9, 0x115D7),
        (0x11641, 0x11642), (0x1173C, 0x1173E), (0x11944, 0x11944), (0x11946, 0x11946), (0x11A42, 0x11A43),
        (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44), (0x16A6E, 0x16A6F),
        (0x16AF5, 0x16AF5), (0x16B37, 0x16B38), (0x16B44, 0x16B44), (0x16E98, 0x16E98), (0x1BC9F, 0x1BC9F), (0x1DA88, 0x1DA88),
    )
    for point in range(first, last + 1)
)  # fmt: skip
"""Unicode's Sentence_Terminal characters: the ends of sentences in every script."""

SYMBOLS = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00ab\u00b4\u00bb\u2013\u2014\u2019\u201c\u201d\u201e\u2026"
    "\u2236\u2501\u25ba\u3001\u3002\u3008\u3009\u300a\u300b\u300c\u300d\u3010\u3011\uff01\uff05\uff08\uff09\uff0c\uff0e\uff11\uff1a"
    "\uff1b\uff1f\uff5e"
)

CLOSING = ",:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪…"
"""Split off at both ends of a chunk."""
QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
CURRENCIES = "$£€¥฿﷼" + "".join(map(chr, range(0x20A0, 0x20C0)))
OPENING = "§%=—–"
UNITS = (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa "
    "mbar mb MB kb KB gb GB tb TB T G M K %"
).split()
"""Units that are tokens of their own after a digit."""


CASED_BLOCKS = (
    (0x41, 0x7A), (0xC0, 0x2AF), (0x386, 0x3CE), (0x410, 0x44F), (0x1D00, 0x1EFF), (0x2C60, 0x2C7F),
    (0xA720, 0xA7FF), (0xAB30, 0xAB64), (0xFF21, 0xFF5A),
)  # fmt: skip
"""Latin, Greek and Cyrillic, whose capitals and small letters the rules below tell apart."""
MORE_CASED = "ЁёЀѐЃѓЄєЅѕІіЇїЈјЉљЊњЌќЍѝҐґҖҗҢңҮүҺһӘәӨө"
"""Cyrillic letters beyond the Russian alphabet that spaCy's rules for English know."""
UNCASED_BLOCKS = (
    (0x591, 0x5F4), (0x620, 0x64A), (0x66E, 0x6D5), (0x6E5, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8BD), (0x900, 0x97F),
    (0x980, 0x9FF), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xC80, 0xCFF), (0xD80, 0xDFF), (0x1100, 0x11FF), (0x1200, 0x137F),
    (0x2E80, 0x2FDF), (0x2FF0, 0x30FF), (0x31C0, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF), (0xFB1D, 0xFBB1), (0xFBD3, 0xFD3D), (0xFD50, 0xFDC7), (0xFDF0, 0xFDFB), (0xFE30, 0xFE4F),
    (0xFE70, 0xFEFC), (0x1EE00, 0x1EEBB), (0x20000, 0x2EBEF), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""Blocks of scripts without case, whose characters count as both: Hebrew, Arabic, Indic, Ethiopic, Hangul, kana, Han.
Armenian, Georgian and Thai are not among them, as in spaCy."""


def _attributes() -> np.ndarray:
    table = np.zeros(sys.maxunicode + 1, np.uint16)

    def mark(characters: str, bits: int) -> None:
        table[[ord(character) for character in characters]] |= bits

    def category(names: str, bits: int) -> None:
        table[np.isin(CATEGORY, [CATEGORIES.index(name) for name in names.split()])] |= bits

    category("Lu Ll Lt Lm Lo", ALPHA)
    points = np.arange(sys.maxunicode + 1)
    for name, bits in (("Ll", LOWER), ("Lu", UPPER)):
        cased = CATEGORIES.index(name) == CATEGORY
        for first, last in CASED_BLOCKS:
            table[cased & (points >= first) & (points <= last)] |= bits
    mark("".join(filter(str.islower, MORE_CASED)), LOWER)
    mark("".join(filter(str.isupper, MORE_CASED)), UPPER)
    for first, last in UNCASED_BLOCKS:
        table[first : last + 1] |= LOWER | UPPER
    category("Ll Lu Lt Lm Lo Mn Mc Me Nd Nl No Sk Cf Co Cn", PLAIN)
    category("Pc Pd Ps Pe Pi Pf Po", PUNCT)
    category("So", ICON | PREFIX | SUFFIX)
    table[IS_SPACE] |= SPACE
    mark("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", BREAK)
    mark("0123456789", DIGIT | BEFORE_DOT)
    mark(TERMINAL, STOP | SYMBOL)
    mark(SYMBOLS + "".join(map(chr, [*range(9), 11, 12, *range(13, 32), *range(127, 160)])), SYMBOL)
    mark(CLOSING + QUOTES + "—–", PREFIX | SUFFIX)
    mark(OPENING + CURRENCIES, PREFIX)
    mark(CURRENCIES, CURRENCY)
    mark(QUOTES, QUOTE)
    mark(CLOSING + QUOTES + "%²-+|", BEFORE_DOT)
    table[(table & LOWER) > 0] |= BEFORE_DOT
    table[ord("µ")] |= LOWER
    # A character of any other rule is not plain.
    table[(table & (PREFIX | SUFFIX | ICON | QUOTE | CURRENCY | SPACE)) > 0] &= 0xFFFF ^ PLAIN
    mark_off = [ord(character) for character in "0123456789.+-*^~/<>=:@%|"]
    table[mark_off] &= 0xFFFF ^ PLAIN
    return table


ATTRIBUTES = _attributes()
"""uint16[0x110000]: the bits above for every code point."""


def _contractions() -> dict[str, list[str]]:
    """Words that are several tokens, as spaCy's English tokenizer splits them: with ', with ’ and with neither."""
    found: dict[str, list[str]] = {}

    def add(*parts: str, bare: bool = True) -> None:
        for mark in ("'", "’", "") if bare else ("'", "’"):
            pieces = [part.replace("'", mark) for part in parts]
            found["".join(pieces)] = pieces
            pieces = [pieces[0][0].upper() + pieces[0][1:], *pieces[1:]]
            found["".join(pieces)] = pieces

    def verbs(word: str, endings: str) -> None:
        for ending in endings.split():
            add(
                word,
                "'" + ending,
                bare=(word, ending) not in {("he", "ll"), ("she", "d"), ("we", "re"), ("it", "s"), ("who", "re")},
            )
            if ending in {"d", "ll"}:
                add(word, "'" + ending, "'ve")

    for word in "that this these those there what when where why how".split():
        verbs(word, "d ll" + " re ve" * (word not in {"that", "this"}) + " s" * (word not in {"these", "those"}))
    pronouns = {"i": "d", "you": "d ll re ve", "he": "d ll s", "she": "d ll s", "it": "d ll s", "we": "d ll re ve"}
    for word, endings in {**pronouns, "they": "d ll re ve", "who": "d ll re s ve"}.items():
        verbs(word, endings)
    for word in ("could", "might", "must", "not", "should", "would"):
        add(word, "'ve")
    negated = "ai are ca could dare did does do had has have is may might must need ought sha should was were wo would"
    for word in negated.split():
        add(word, "n't")
        if word not in {"ai", "are", "dare", "has", "have", "is", "was", "were"}:
            add(word, "n't", "'ve")
    for unsplit in ("ill", "well", "shell", "hell", "whore", "its", "were", "shed"):
        for form in (unsplit, unsplit.capitalize()):
            found.pop(form, None)
    for first in ("i", "I"):
        found |= {first + rest: [first, *tail] for rest, tail in (("m", ["m"]), ("ma", ["m", "a"]), ("ve", ["ve"]))}
        for mark in "'’":
            found |= {first + mark + rest: [first, mark + rest] for rest in ("m", "ll", "ve")}
            found[f"{first}{mark}ma"] = [first, mark + "m", "a"]
            found[f"{first}{mark}ll{mark}ve"] = [first, mark + "ll", mark + "ve"]
        found[first + "llve"] = [first, "ll", "ve"]
    add("let", "'s", bare=False)
    add("how", "'d", "'y", bare=False)
    for mark in "'’":
        found |= {
            f"c{mark}mon": [f"c{mark}m", "on"],
            f"C{mark}mon": [f"C{mark}m", "on"],
            f"y{mark}all": [f"y{mark}", "all"],
        }
    found["yall"] = ["y", "all"]
    for first, second in (("can", "not"), ("gon", "na"), ("got", "ta")):
        found |= {first + second: [first, second], first.capitalize() + second: [first.capitalize(), second]}
    for hour in range(1, 13):
        found |= {f"{hour}{half}": [str(hour), half] for half in ("am", "pm", "a.m.", "p.m.")}
    for degree in "cfkCFK":
        found[f"°{degree}."] = ["°", degree, "."]
    return found


def _whole() -> list[str]:
    """Abbreviations and emoticons that are one token with their punctuation."""
    letters = [f"{letter}." for letter in "abcdefghijklmnopqrstuvwxyzäöü"]
    abbreviations = (
        "Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr. E.G. E.g. Feb. Fla. Ga. "
        "Gen. Gov. I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. "
        "Mich. Minn. Miss. Mo. Mont. Mr. Mrs. Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. "
        "Pa. Ph.D. Prof. Rep. Rev. S.C. Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. and/or co. e.g. i.e. p.m. v.s. vs. w/o "
        "' '' ’ ’’ C++ \\n \\t \\\")"
    ).split()
    dropped = "Cause Cos Coz Cuz S bout cause cos coz cuz d em ll nuff re s".split()
    gerunds = "do go hav lov noth nuth someth Do Go Hav Lov Noth Nuth Someth".split()
    elided = ("ma am", "Ma am", "o clock", "O clock", "ol ", "Ol ")
    clipped = [f"{mark}{word}" for mark in "'’" for word in dropped]
    clipped += [f"{word}in{mark}" for mark in "'’" for word in gerunds]
    clipped += [word.replace(" ", mark) for mark in "'’" for word in elided]
    faces = [f":{nose}{mouth}" for nose in ("", "-") for mouth in (*")(DPpOoXx/|]*}>03", "))", "((", ")))", "(((")]
    faces += (
        "=) =( =D =/ =| =] =[ =3 ;) ;-) ;D ;-D 8) 8-) 8D 8-D <3 <33 </3 (: ): (; (= [: [= ]= 0.0 0_0 -_- ^_^ :1".split()
    )
    faces += [left + mouth + right for left, right in ("Oo", "oO", "oo", "OO", "vv", "VV") for mouth in "._"]
    return letters + abbreviations + clipped + faces + ["‘s", "‘S", "'re", "’re"]


LONGEST_SPECIAL = 16
"""Bytes of the longest special chunk; a longer one needs no lookup."""


def fnv(word: bytes) -> int:
    """The scanner's hash of a word: FNV-1a over 64 bits with a final mix (compiled twice: here and in `words`)."""
    value = 0xCBF29CE484222325
    for byte in word:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    value ^= value >> 32
    value = (value * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 29)


SPECIALS = {word: [word] for word in _whole()} | _contractions()
"""Chunk -> its tokens."""


def _special_table() -> tuple[np.ndarray, np.ndarray]:
    keys, lengths = np.zeros(8192, np.uint64), np.zeros(8192, np.uint32)
    for word, parts in SPECIALS.items():
        raw = word.encode()
        if len(raw) > LONGEST_SPECIAL:
            continue
        slot = fnv(raw) & 8191
        while keys[slot]:
            slot = (slot + 1) & 8191
        keys[slot] = fnv(raw)
        lengths[slot] = sum(len(part.encode()) << (8 * at) for at, part in enumerate(parts))
    return keys, lengths


SPECIAL_KEYS, SPECIAL_LENGTHS = _special_table()
"""Open addressing on the low 13 bits of `fnv`: keys uint64[8192] and the byte lengths of up to 4 tokens, 8 bits each."""


def _unit_table() -> np.ndarray:
    """uint64[k]: `fnv` of every unit; looked up by the run of characters after the last digit."""
    return np.array(sorted(fnv(unit.encode()) for unit in UNITS), np.uint64)


UNIT_KEYS = _unit_table()
