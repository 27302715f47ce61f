# SPDX-License-Identifier: GPL-2.0-or-later
"""A text console in a picture: its glyphs are learned from a row of known text, then other rows are read."""

import string

from rawview import without_x

ALPHABET = string.digits + string.ascii_letters + "-=/.,:;$+*()[]"


class Console:
    def __init__(self, viewer, rows, columns):
        """viewer: has .width, .height and .pixels, 4 bytes each."""
        self.viewer = viewer
        self.rows, self.columns = rows, columns
        self.width, self.height = viewer.width // columns, viewer.height // rows
        self.glyphs = {}

    def cell(self, row, column):
        """The glyph's pixels, as bytes that differ where the colours do."""
        line = 4 * self.viewer.width
        first = row * self.height * line + column * self.width * 4
        return b"".join(bytes(self.viewer.pixels[at:at + 4 * self.width])
                        for at in range(first, first + self.height * line, line))

    def row(self, row):
        """All pixels of a row of text."""
        size = 4 * self.viewer.width * self.height
        return bytes(self.viewer.pixels[row * size:(row + 1) * size])

    def is_blank(self, row):
        return not any(without_x(self.row(row)))

    def is_all(self, colour):
        """Whether the whole screen is B, G, R of this colour."""
        return without_x(self.viewer.pixels) == (colour + b"\0") * (self.viewer.width * self.viewer.height)

    def learn(self, row):
        """Takes the glyphs of ALPHABET, which that row shows with a blank behind. Whether all of them are there."""
        cells = [self.cell(row, column) for column in range(len(ALPHABET) + 1)]
        if len(set(cells)) != len(cells):
            return False
        self.glyphs = dict(zip(cells, ALPHABET + " "))
        return True

    def read(self, row):
        """The row's text; what was not learned is "?"."""
        return "".join(self.glyphs.get(self.cell(row, column), "?") for column in range(self.columns)).rstrip()


class Picture:
    """What gvnccapture wrote, in the form that Console reads."""

    def __init__(self, width, height, rgb):
        self.width, self.height = width, height
        self.pixels = bytearray(4 * width * height)
        for colour in range(3):
            self.pixels[2 - colour::4] = rgb[colour::3]
