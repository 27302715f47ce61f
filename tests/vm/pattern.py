# SPDX-License-Identifier: GPL-2.0-or-later
"""pattern.h's pictures, computed again: lines of B, G, R, 0 bytes."""

import array
import sys

COLOURS = 65536
LINE_MAXIMUM = 8192
BLOCK = 64


def _colour_table():
    state = 0x2545F491
    table = array.array("I", bytes(4 * COLOURS))
    for i in range(COLOURS):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        table[i] = state & 0xFFFFFF
    if sys.byteorder == "big":
        table.byteswap()
    return table.tobytes()


_table = _colour_table()


def line(name, seed, x, y, count):
    if name == "noise":
        first = (y * 131 + seed * 7919) % (COLOURS - LINE_MAXIMUM) + x
        return _table[4 * first:4 * (first + count)]
    if name == "solid":
        first = seed % COLOURS
        return _table[4 * first:4 * first + 4] * count
    assert name == "blocks", name
    out = bytearray()
    for left in range(x, x + count):
        if left == x or left % BLOCK == 0:
            first = (seed * 977 + y // BLOCK * 61 + left // BLOCK * 7) % COLOURS
            out += _table[4 * first:4 * first + 4] * min(BLOCK - left % BLOCK, x + count - left)
    return bytes(out)


def picture(name, seed, width, height):
    return b"".join(line(name, seed, 0, y, width) for y in range(height))
