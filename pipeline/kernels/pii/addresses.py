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


@kernel()
def api_key_end(data: np.ndarray, at: int, end: int) -> int:
    """End of a well-known service's secret that begins at `at`, or -1."""
    least, cursor = 0, at
    first = data[at]
    left = end - at
    if (
        first == codes.UPPER_A
        and left >= 20
        and (data[at + 1] == codes.UPPER_K or data[at + 1] == codes.UPPER_S)
        and data[at + 2] == codes.UPPER_I
        and data[at + 3] == codes.UPPER_A
    ):
        for cursor in range(at + 4, at + 20):  # AKIA / ASIA and 16 capitals or digits
            byte = data[cursor]
            if not (codes.ZERO <= byte <= codes.NINE or codes.UPPER_A <= byte <= codes.UPPER_Z):
                return -1
        return -1 if at + 20 < end and alnum(data[at + 20]) >= 0 else at + 20
    if (
        first == codes.UPPER_A
        and left >= 39
        and data[at + 1] == codes.UPPER_I
        and data[at + 2] == codes.SMALL_Z
        and data[at + 3] == codes.SMALL_A
    ):
        cursor, least = at + 4, 35  # AIza
    elif (
        first == codes.SMALL_G
        and left >= 40
        and data[at + 1] == codes.SMALL_H
        and letter(data[at + 2]) >= 0
        and data[at + 3] == codes.UNDERSCORE
    ):
        cursor, least = at + 4, 36  # ghp_, gho_, ghs_
    elif (
        first == codes.SMALL_S
        and left >= 24
        and data[at + 1] == codes.SMALL_K
        and (data[at + 2] == codes.HYPHEN or data[at + 2] == codes.UNDERSCORE)
    ):
        cursor, least = at + 3, 20  # sk-, sk_live_
    elif (
        first == codes.SMALL_X
        and left >= 24
        and data[at + 1] == codes.SMALL_O
        and data[at + 2] == codes.SMALL_X
        and data[at + 4] == codes.HYPHEN
    ):
        cursor, least = at + 5, 20  # xoxb-
    else:
        return -1
    begin, digits, capitals, smalls = cursor, 0, 0, 0
    while cursor < end and cursor < begin + 200:
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
    return cursor if cursor - begin >= least and digits >= 2 and smalls + capitals >= 4 else -1
