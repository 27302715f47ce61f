#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a viewer got as JPEG comes again without loss once it is quiet, so that a still picture ends exact, pixel for pixel, at every
viewer with Tight: in any quality, any pixel format, with continuous updates and without, under a cap of bytes, with a cursor drawn into
it, beside an area that never rests. And only then: it is sent once, and nothing more comes after it.
"""
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows, until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
WIDTH, HEIGHT = 640, 480
QUALITIES = range(-32, -22)
FINE_QUALITY_80, GREY = -512 + 80, -765
SWAPPED = rfb.PixelFormat(red=(255, 0), blue=(255, 16))
FORMATS = {
    "the server's": None,
    "big-endian, swapped": rfb.PixelFormat(32, 24, True, (255, 0), (255, 8), (255, 16)),
    "16 bits": rfb.PixelFormat(16, 16, False, (31, 11), (63, 5), (31, 0)),
}


def photo(canvas, seed=1):
    """Colours that run into each other, with noise in the middle: nothing that a palette could hold."""
    rows = []
    for y in range(canvas.height):
        row = bytearray()
        for x in range(canvas.width):
            row += bytes((x * 255 // canvas.width, y * 255 // canvas.height, (x + y + seed * 40) & 255, 0))
        rows.append(bytes(row))
    canvas.draw(0, 0, canvas.width, canvas.height, b"".join(rows))
    canvas.noise(seed, 200, 100, 150, 90)


class StillPictureEndsExact(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(WIDTH, HEIGHT)
        self.addCleanup(self.canvas.close)

    def daemon(self, config=""):
        d = daemon.Daemon(config=config)
        self.enterContext(d)
        photo(self.canvas)
        held = d.register(self.canvas, "x")
        self.addCleanup(os.close, held)
        return d

    def watch(self, d, *encodings, form=None):
        viewer = d.viewer("x")
        if form:
            viewer.set_format(form)
        viewer.set_encodings(rfb.TIGHT, rfb.RAW, *encodings)
        viewer.first()
        return viewer

    def test_any_quality(self):
        d = self.daemon()
        viewers = [self.watch(d, quality, rfb.LAST_RECT) for quality in QUALITIES]
        viewers.append(self.watch(d, FINE_QUALITY_80))
        viewers.append(self.watch(d, -23, GREY))
        for viewer in viewers:
            self.assertTrue(viewer.jpegs, "there was no JPEG to begin with")
            self.assertIsNotNone(shows(viewer, self.canvas))
        until_shows(viewers, self.canvas, LIMIT)

    def test_grey(self):
        """A viewer that wishes for grey gets no palettes from LibVNCServer, so few colours are no reason to think that it has them."""
        d = self.daemon()
        colours = (b"\xff\0\0\0", b"\0\xff\0\0", b"\0\0\xff\0", b"\x10\x80\xf0\0")
        row = b"".join(colours[x // 3 % 4] for x in range(WIDTH + 12))
        self.canvas.draw(0, 0, WIDTH, HEIGHT, b"".join(row[y % 4 * 12:][:WIDTH * 4] for y in range(HEIGHT)))
        viewers = [self.watch(d, -23, GREY, form=FORMATS["16 bits"]), self.watch(d, -26, GREY, rfb.LAST_RECT), self.watch(d, -26)]
        self.assertTrue(viewers[0].jpegs, "there was no JPEG to begin with")
        until_shows(viewers, self.canvas, LIMIT)

    def test_formats(self):
        d = self.daemon()
        viewers = [self.watch(d, -26, form=form) for form in FORMATS.values()]
        for viewer in viewers:
            self.assertTrue(viewer.jpegs)
        until_shows(viewers, self.canvas, LIMIT)

    def test_once(self):
        d = self.daemon()
        viewer = self.watch(d, -26)
        viewer.jpegs.clear()
        before = viewer.bytes
        until_shows([viewer], self.canvas, LIMIT)
        self.assertFalse(viewer.jpegs, "a refresh with JPEG")
        self.assertLess(viewer.bytes - before, WIDTH * HEIGHT * 4)
        with self.assertRaises(TimeoutError):
            viewer.update(timeout=1.5)

    def test_continuous_updates_and_fences(self):
        d = self.daemon()
        viewer = d.viewer("x")
        viewer.set_encodings(rfb.TIGHT, -26, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        viewer.continuous()
        self.until_exact(viewer)
        for seed in range(2, 5):
            self.canvas.noise(seed, 100, 50, 400, 300)
            self.canvas.signal()
            self.until_exact(viewer)

    def until_exact(self, viewer):
        """Without asking for anything. Who takes long between two messages is a slow viewer, and is sent little: so only bytes are compared."""
        want = self.canvas.expect(viewer.format)
        viewer.until(lambda: viewer.pixels == want, LIMIT)

    def test_a_cap_of_bytes(self):
        d = self.daemon("[viewers]\nbytes-per-second-maximum = 400000\n")
        viewer = self.watch(d, -26, rfb.FENCE)
        until_shows([viewer], self.canvas, LIMIT)

    def test_a_cursor_in_the_picture(self):
        d = self.daemon()
        image = b"\x20\x40\x60\x80" * (32 * 32)
        self.canvas.set_cursor(300, 200, 32, image)
        self.canvas.signal()
        viewer, exact = self.watch(d, -26), d.viewer("x")
        exact.set_encodings(rfb.RAW)
        exact.first()
        without = self.canvas.expect(exact.format)
        exact.until(lambda: exact.pixels != without, LIMIT, ask=True)
        exact.settle()
        until_shows([viewer], self.canvas, LIMIT, lambda _: exact.pixels)

    def test_beside_an_area_that_never_rests(self):
        d = self.daemon()
        viewer = self.watch(d, -29, rfb.FENCE)
        end, number = time.monotonic() + LIMIT, 0
        top = 64 * WIDTH * 4
        want = self.canvas.expect(viewer.format)[top:]
        while viewer.pixels[top:] != want:
            self.assertLess(time.monotonic(), end, "the still part stays as it was")
            number += 1
            # Between two changes there is a moment in which nothing else is wanted, also on a busy machine.
            viewer.request()
            try:
                while viewer.hear(time.monotonic() + 0.05) != 0:  # an update
                    pass
                viewer.request()
            except TimeoutError:
                pass
            self.canvas.noise(number, 0, 0, WIDTH, 32)
            self.canvas.signal()
            viewer.update()
        self.assertGreater(number, 5)

    def test_few_colours_are_exact_however_little_is_new(self):
        """At most 256 are never JPEG, in a letter no more than in a window; more are, where that is wished for."""
        d = self.daemon()
        viewers = [self.watch(d, -26), self.watch(d, -26, rfb.LAST_RECT, form=SWAPPED), self.watch(d, -23, GREY)]
        until_shows(viewers, self.canvas, LIMIT)
        for number, (width, height, colours) in enumerate(((10, 16, 60), (40, 40, 250), (45, 45, 100), (90, 60, 200), (40, 40, None))):
            for viewer in viewers:
                viewer.jpegs.clear()
            self.canvas.noise(number + 10, 100, 200, width, height, colours=colours)
            self.canvas.signal()
            until_shows(viewers, self.canvas, LIMIT)
            for viewer in viewers:
                self.assertEqual(bool(viewer.jpegs), colours is None, f"{colours} colours in {width}x{height}: JPEGs {viewer.jpegs}")

    def test_palettes_are_exact_at_once(self):
        d = self.daemon()
        self.canvas.noise(3, colours=12)
        self.canvas.signal()
        viewer = self.watch(d, -32)
        viewer.settle(quiet=1.5)
        before = viewer.bytes
        self.canvas.noise(4, 100, 100, 200, 200, colours=12)
        self.canvas.signal()
        until_shows([viewer], self.canvas, LIMIT)
        first = viewer.bytes - before
        viewer.settle(quiet=1.5)
        self.assertLess(viewer.bytes - before, first + 100, "what was exact came again")


if __name__ == "__main__":
    unittest.main()
