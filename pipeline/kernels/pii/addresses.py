"""IPv6 addresses and keys of services: where one that begins at a byte ends. Compiled, no allocation."""

import numpy as np

from pipeline.kernels import codes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pii.checks import alnum, digit, letter


@kernel()
def ipv6_end(data: np.ndarray, at: int, end: int) -> tuple[int, bool]:
    """End of the IPv6 address that begins at `at` (or -1), and whether it is outside the local ranges."""
    groups, size, double, value, first, digits, cursor = 0, 0, False, 0, -1, 0, at
    stop = -1
    while cursor < end and cursor < at + 40:
        byte = data[cursor]
        code = alnum(byte)
        if 0 <= code < 16:
            size += 1
            if size > 4:
                return -1, False
            digits += code < 10
            value = value * 16 + code
            cursor += 1
        elif byte == codes.COLON:
            if size > 0:
                groups += 1
                if first < 0:
                    first = value
            if cursor + 1 < end and data[cursor + 1] == codes.COLON:
                if double:
                    return -1, False
                double = True
                cursor += 1
            elif size == 0:
                break
            size, value = 0, 0
            cursor += 1
        else:
            break
    if size > 0:
        groups += 1
        stop = cursor
    elif double and cursor >= 2 and data[cursor - 1] == codes.COLON and data[cursor - 2] == codes.COLON:
        stop = cursor
    if stop < 0 or digits < 2 or (cursor < end and (alnum(data[cursor]) >= 0 or data[cursor] == codes.UNDERSCORE)):
        return -1, False
    if not ((groups == 8 and not double) or (double and 3 <= groups <= 7)):
        return -1, False
    return stop, first < 0xFC00  # unique local, link-local and multicast addresses lie above


_SERVICES = {"A?IA": 16, "AIza": 35, "gh?_": 36, "sk-": 20, "sk_": 20, "xox?-": 20}
"""How a service's secrets begin (`?` is a letter), and how many bytes follow at least. AWS (AKIA, ASIA) comes first."""
_ANY = ord("?")
_STARTS = np.array([[*name.encode(), *[0] * (6 - len(name))] for name in _SERVICES], np.uint8)
_LEAST = np.array(list(_SERVICES.values()), np.int64)


@kernel()
def api_key_end(data: np.ndarray, at: int, end: int) -> int:
    """End of a well-known service's secret that begins at `at`, or -1."""
    service, cursor = 0, at
    while service < len(_STARTS):
        size = 0
        while _STARTS[service, size] != 0 and at + size < end:
            sign = _STARTS[service, size]
            if data[at + size] != sign and (sign != _ANY or letter(data[at + size]) < 0):
                break
            size += 1
        if _STARTS[service, size] == 0 and end - at >= size + _LEAST[service]:
            cursor = at + size
            break
        service += 1
    if service == len(_STARTS):
        return -1
    begin, digits, capitals, smalls = cursor, 0, 0, 0
    most = 16 if service == 0 else 200
    while cursor < end and cursor < begin + most:
        byte = data[cursor]
        if digit(byte) >= 0:
            digits += 1
        elif codes.UPPER_A <= byte <= codes.UPPER_Z:
            capitals += 1
        elif codes.SMALL_A <= byte <= codes.SMALL_Z:
            smalls += 1
        elif byte != codes.HYPHEN and byte != codes.UNDERSCORE:
            break
        cursor += 1
    if service == 0:  # 16 capitals and digits, and no more
        ours = data[at + 1] == codes.UPPER_K or data[at + 1] == codes.UPPER_S
        whole = digits + capitals == most and (cursor == end or alnum(data[cursor]) < 0)
        return cursor if ours and whole else -1
    return cursor if cursor - begin >= _LEAST[service] and digits >= 2 and smalls + capitals >= 4 else -1
