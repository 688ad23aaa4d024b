"""Fonts that draw letters as signs: in Wingdings `o` is a box to tick and `§` a bullet, in Symbol `a` is an alpha.

Old filings and everything that Word exports write check boxes and bullets so. A sign whose meaning is certain becomes that sign
in Unicode, all bullets `•`; other letters of such a font are drawings and go. Only short text that lies right in the element
that names the font is read so: what is longer was never meant to be drawn.
"""

import numpy as np

from pipeline.kernels.arrays import copy_items
from pipeline.kernels.compiled import kernel
from pipeline.kernels.html.html_tokens import is_letter, is_space, pack
from pipeline.kernels.memory import Int, byte_at
from pipeline.kernels.text.fold import encode
from pipeline.kernels.unicode import decode

WINGDINGS, WINGDINGS_2, WINGDINGS_3, WEBDINGS, SYMBOL = range(1, 6)
MOST = 24
"""Bytes of a text up to which it is signs."""
_DRAWN = {
    WINGDINGS: "• lmnstuvw§Ø\x9e\x9f|☐ opqr¨|☒ xý|☑ þ|✓ ü|✗ û|→ àèð|← ßçï|↑ áéñ|↓ âêò|☎ (|✉ *|☺ J|☹ L|★ «",
    WINGDINGS_2: "• \x95\x96\x97\x98|✗ O|✓ P|☒ QST|☑ R|☐ £",
    WINGDINGS_3: "• }|← f|→ g|↑ h|↓ i|▲ p|▼ q|◀ t|▶ u",
    WEBDINGS: "• gn<=|✓ a|☐ c|✗ r|◀ 3|▶ 4|▲ 5|▼ 6",
    SYMBOL: "• ·|− -|° °|± ±|≤ £|≥ ³|× ´|÷ ¸|≠ ¹|∞ ¥|→ ®|® Òâ|© Óã|™ Ôä|≈ »|∑ å|√ Ö|∂ ¶|∫ ò|∈ Î|∩ Ç|∪ È|⊂ Ì|∅ Æ|∇ Ñ|⋅ ×",
}
_GREEK = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_PLAIN = " !#%&()+,./0123456789:;<=>?[]_{|}"
"""What Symbol draws as it is written."""


def _signs() -> np.ndarray:
    signs = np.zeros((6, 256), np.int32)
    for font, drawn in _DRAWN.items():
        for sign, _, letters in (part.partition(" ") for part in drawn.split("|")):
            signs[font, [*letters.encode("latin-1")]] = ord(sign)
    signs[SYMBOL, [*_PLAIN.encode()]] = [*_PLAIN.encode()]
    for first, letters in zip(b"Aa", _GREEK, strict=True):
        signs[SYMBOL, first : first + 26] = [*map(ord, letters)]
    signs[1:, ord(" ")] = ord(" ")
    return signs


def _letters() -> np.ndarray:
    letters = np.zeros(0x2123, np.uint8)
    letters[:256] = np.arange(256)
    for code in range(0x80, 0xA0):  # a reference such as `&#150;` is read as a character of Windows-1252
        point = ord(bytes([code]).decode("cp1252", "replace"))
        letters[point if point < len(letters) else code] = code
    return letters


SIGNS, LETTERS = _signs(), _letters()
"""int32[fonts, 256]: the code point that a font draws for a letter, 0 for what goes; uint8: the letter of a code point."""
SIGNS.flags.writeable = LETTERS.flags.writeable = False
_WINGDINGS, _WEBDINGS, _SYMBOL = (np.uint64(pack(name)) for name in ("wingdings", "webdings", "symbol"))


@kernel()
def symbol_font(place: Int, end: Int) -> int:
    """The font of signs that a style or a `face` names first, 0 for none: "Symbol" is one, "Segoe UI Symbol" is not."""
    word, size, last, before = np.uint64(0), 0, 0, 0x3A
    while place <= end:
        byte = byte_at(place) if place < end else 0x20
        place += 1
        if is_letter(byte):
            if size < 8:
                word |= np.uint64(byte | 0x20) << np.uint64(8 * size)
            before = last if size == 0 else before
            size += 1
        elif size:
            first = before != 0x2C  # a comma
            if first and word == _WINGDINGS:
                while place < end and is_space(byte):
                    byte, place = byte_at(place), place + 1
                return WINGDINGS_2 if byte == 0x32 else WINGDINGS_3 if byte == 0x33 else WINGDINGS
            if first and word == _WEBDINGS:
                return WEBDINGS
            if first and word == _SYMBOL and not is_letter(before):
                return SYMBOL
            word, size = np.uint64(0), 0
        last = last if is_space(byte) else byte
    return 0


@kernel()
def put_signs(data: np.ndarray, first: int, stop: int, font: int, signs: np.ndarray, letters: np.ndarray) -> int:
    """Write the signs that a font (0: none) draws in place of `data[first:stop]`, valid UTF-8; one past what was written.

    `data` has room for three bytes a byte, and for twice `MOST` more behind that.
    """
    size = stop - first
    if font == 0 or size > MOST or (font == SYMBOL and size > MOST // 4):
        return stop
    at, to = first + 3 * MOST, first
    end = at + size
    copy_items(data, first, stop, data, at)
    while at < end:
        point, width = decode(data, at, end)
        at += width
        letter = point - 0xF000 if 0xF000 <= point < 0xF100 else letters[point] if 0 <= point < len(letters) else 0
        if letter == 0 and point > 0:
            to = encode(int(point), data, to)
        elif signs[font, letter]:
            to = encode(signs[font, letter], data, to)
    return to
