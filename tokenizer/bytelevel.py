"""The printable alphabet in which `tokenizers` writes bytes: 188 bytes stand for themselves, 68 move to U+0100 …"""

from collections.abc import Iterable

PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_MOVED = [byte for byte in range(256) if byte not in set(PRINTABLE)]
CHARACTERS = {byte: chr(byte) for byte in PRINTABLE} | {byte: chr(0x100 + at) for at, byte in enumerate(_MOVED)}
BYTES = {character: byte for byte, character in CHARACTERS.items()}
ALPHABET = [byte for _, byte in sorted((character, byte) for byte, character in CHARACTERS.items())]
"""The 256 bytes in the order of their characters: the order in which a trained vocabulary numbers them."""

_TABLE = [CHARACTERS[byte] for byte in range(256)]


def written(data: Iterable[int]) -> str:
    """Bytes in the printable alphabet.

    >>> written(" é".encode())
    'ĠÃ©'
    """
    return "".join(_TABLE[byte] for byte in data)


def read(text: str) -> bytes | None:
    """The bytes that `text` stands for, None when it holds a character outside the alphabet.

    >>> read("ĠÃ©").decode(), read("a b")
    (' é', None)
    """
    return bytes(BYTES[c] for c in text) if all(c in BYTES for c in text) else None
