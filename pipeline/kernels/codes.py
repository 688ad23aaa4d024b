"""Characters by name, as kernels compare bytes and code points with them."""

TAB = ord("\t")
LINE_FEED = ord("\n")
FORM_FEED = ord("\f")
RETURN = ord("\r")
SPACE = ord(" ")
EXCLAMATION = ord("!")
QUOTE = ord('"')
HASH = ord("#")
DOLLAR = ord("$")
PERCENT = ord("%")
AMPERSAND = ord("&")
APOSTROPHE = ord("'")
LEFT_PAREN = ord("(")
RIGHT_PAREN = ord(")")
ASTERISK = ord("*")
PLUS = ord("+")
COMMA = ord(",")
HYPHEN = ord("-")
DOT = ord(".")
SLASH = ord("/")
ZERO = ord("0")
NINE = ord("9")
COLON = ord(":")
LESS = ord("<")
EQUALS = ord("=")
GREATER = ord(">")
QUESTION = ord("?")
AT = ord("@")
LEFT_BRACKET = ord("[")
BACKSLASH = ord("\\")
RIGHT_BRACKET = ord("]")
CARET = ord("^")
UNDERSCORE = ord("_")
LEFT_BRACE = ord("{")
BAR = ord("|")
RIGHT_BRACE = ord("}")
TILDE = ord("~")
DELETE = ord("\x7f")
(UPPER_A, UPPER_C, UPPER_I, UPPER_K, UPPER_S, UPPER_U, UPPER_Z) = b"ACIKSUZ"
(
    SMALL_A, SMALL_B, SMALL_D, SMALL_E, SMALL_G, SMALL_H, SMALL_I, SMALL_K, SMALL_L, SMALL_M, SMALL_N, SMALL_O,
    SMALL_P, SMALL_R, SMALL_S, SMALL_T, SMALL_V, SMALL_W, SMALL_X, SMALL_Y, SMALL_Z,
) = b"abdeghiklmnoprstvwxyz"  # fmt: skip
CASE_BIT = 0x20
"""Set in small letters, not in capitals."""
NON_ASCII = 0x80
"""The first byte, and the first code point, beyond ASCII."""
EN_DASH = 0x2013
EM_DASH = 0x2014
RIGHT_APOSTROPHE = 0x2019
ELLIPSIS = 0x2026
