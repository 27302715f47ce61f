# SPDX-License-Identifier: GPL-2.0-or-later
"""Encoding x pixel format x byte order: what a viewer decodes is the surface, pixel by pixel. One test for each cell of the table.

Three pictures for each: one in which every way of an encoder is taken, a change of a part, and a picture of few colours.
"""
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from compare import shows, until_shows

WIDTH, HEIGHT = 150, 77          # no multiple of a tile's side
LIMIT = 20 * daemon.SLOW
ENCODINGS = ("raw", "copyrect", "rre", "corre", "hextile", "zlib", "tight", "ultra", "zrle")


def form(bits, depth, big, *channels):
    return rfb.PixelFormat(bits, depth, big, *channels)


X888, BGR888 = ((255, 16), (255, 8), (255, 0)), ((255, 0), (255, 8), (255, 16))
RGBX, BGRX = ((255, 24), (255, 16), (255, 8)), ((255, 8), (255, 16), (255, 24))
DEEP = ((1023, 20), (1023, 10), (1023, 0))
R565, R555, R444 = ((31, 11), (63, 5), (31, 0)), ((31, 10), (31, 5), (31, 0)), ((15, 8), (15, 4), (15, 0))
FORMATS = {
    "8_bgr233": form(8, 8, False, (7, 0), (7, 3), (3, 6)),
    "8_rgb332": form(8, 8, False, (7, 5), (7, 2), (3, 0)),
    "8_rgb222": form(8, 6, False, (3, 4), (3, 2), (3, 0)),
    **{f"16_{name}_{end}": form(16, depth, end == "big", *channels) for end in ("little", "big")
       for name, depth, channels in (("rgb565", 16, R565), ("rgb555", 15, R555), ("rgb444", 12, R444))},
    **{f"32_{name}_{end}": form(32, depth, end == "big", *channels) for end in ("little", "big")
       for name, depth, channels in (("xrgb", 24, X888), ("xbgr", 24, BGR888), ("rgbx", 24, RGBX), ("bgrx", 24, BGRX),
                                     ("rgb30", 30, DEEP))},
}
# LibVNCServer 0.9.14 garbles these in ZRLE: they are sent raw.
GARBLED = [FORMATS[name] for name in ("16_rgb555_little", "16_rgb555_big", "16_rgb444_little", "16_rgb444_big", "32_rgbx_little",
                                      "32_bgrx_little")]
MAP = rfb.PixelFormat(8, 8, False, (0, 0), (0, 0), (0, 0), true=False)


def paint(canvas, seed):
    """Patches that make encoders choose: one colour, two, few, many, noise, gradients, thin strokes."""
    source = random.Random(seed)
    for y in range(0, canvas.height, 26):
        for x in range(0, canvas.width, 30):
            width, height = min(30, canvas.width - x), min(26, canvas.height - y)
            kind = source.randrange(7)
            if kind == 0:
                canvas.fill(source.randbytes(4), x, y, width, height)
            elif kind == 1:
                canvas.draw(x, y, width, height, b"".join(bytes(((i * 5) & 255, (j * 7) & 255, (i + j) & 255, 0))
                                                         for j in range(height) for i in range(width)))
            elif kind == 2:
                canvas.fill(source.randbytes(4), x, y, width, height)
                front = source.randbytes(4)
                for _ in range(9):
                    canvas.fill(front, x + source.randrange(width - 3), y + source.randrange(height - 1), 3, 1)
            else:
                canvas.noise(seed * 7 + kind, x, y, width, height, colours=(None, 2, 5, 90)[kind - 3])


class Encodings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = daemon.Daemon(config="[viewers]\nviewers-maximum = 128\nframes-per-second-maximum = 240\n")
        cls.canvas = surface.Surface(WIDTH, HEIGHT)
        cls.lease = cls.daemon.register(cls.canvas, "table")

    @classmethod
    def tearDownClass(cls):
        cls.canvas.close()
        cls.daemon.stop()

    def viewer(self, name, pixels):
        viewer = self.daemon.viewer("table")
        self.addCleanup(viewer.close)
        if pixels:
            viewer.set_format(pixels)
        viewer.set_encodings(getattr(rfb, name.upper()))
        return viewer

    def cell(self, name, pixels):
        paint(self.canvas, 1)
        self.canvas.signal()
        viewer = self.viewer(name, pixels)
        viewer.first()
        until_shows([viewer], self.canvas, LIMIT)
        self.canvas.noise(name, 31, 11, 80, 50, colours=12)
        self.canvas.signal()
        until_shows([viewer], self.canvas, LIMIT)
        self.canvas.fill(b"\x10\x80\xf0\0")
        self.canvas.fill(b"\xff\x40\x20\0", 60, 30, 3, 2)
        self.canvas.signal()
        until_shows([viewer], self.canvas, LIMIT)
        self.assertIsNone(shows(viewer, self.canvas))
        wanted = getattr(rfb, name.upper())
        self.assertLessEqual(viewer.seen, {wanted, rfb.RAW}, "it was sent what it did not ask for")
        if name not in ("raw", "copyrect") and not (name == "zrle" and pixels in GARBLED):
            self.assertIn(wanted, viewer.seen)

    def map_cell(self, name):
        """RFB 7.5.1: a viewer of 8 bits without true colours is told what its numbers mean (SetColourMapEntries)."""
        paint(self.canvas, 2)
        self.canvas.signal()
        viewer = self.viewer(name, MAP)
        viewer.first()
        viewer.settle()
        self.assertEqual(len(viewer.colours), 256)
        for number, want in zip(viewer.pixels, self.canvas.picture()):
            got = [colour >> 8 for colour in viewer.colours[number]]
            for shift, colour, steps in ((16, got[0], 7), (8, got[1], 7), (0, got[2], 3)):
                self.assertLessEqual(abs((want >> shift & 255) - colour), 255 / steps / 2 + 1)

    # ---- JPEG of Tight: lossy, and no worse than its level promises ----

    def far(self, viewer):
        """The mean difference of a channel, of 255, in what came as JPEG. `viewer` has 8 bits for each."""
        wanted, total, count = self.canvas.expect(viewer.format), 0, 0
        for x, y, width, height in viewer.jpegs:
            for row in range(y, y + height):
                at = (row * viewer.width + x) * 4
                for i in range(at, at + 4 * width):
                    total += abs(viewer.pixels[i] - wanted[i])
                count += 3 * width
        return total / count

    def gradients(self, seed):
        for y in range(HEIGHT):
            self.canvas.draw(0, y, WIDTH, 1, b"".join(
                bytes(((x * 3 // 2 + seed) & 255, (y * 3 + seed) & 255, (x + y) & 255, 0)) for x in range(WIDTH)))
        self.canvas.signal()

    def jpeg(self, *levels, pixels=None):
        self.gradients(0)
        viewer = self.viewer("tight", pixels)
        viewer.set_encodings(rfb.TIGHT, *levels)
        viewer.first()
        return viewer

    def test_jpeg_comes_with_a_quality_level_only(self):
        self.assertFalse(self.jpeg().jpegs)
        viewer = self.jpeg(-26)
        self.assertTrue(viewer.jpegs)
        self.assertLess(self.far(viewer), 12)

    def test_jpeg_levels_are_better_the_higher_they_are(self):
        far = [self.far(self.jpeg(level)) for level in (-32, -28, -23)]
        self.assertGreater(far[0], far[1])
        self.assertGreater(far[1], far[2])

    def test_jpeg_of_every_fine_level(self):
        """TurboVNC's: -512 to -412 are quality 0 to 100, -768 the chroma in full."""
        for quality in (1, 50, 100):
            viewer = self.jpeg(-512 + quality, -768)
            self.assertTrue(viewer.jpegs, quality)
        self.assertLess(self.far(viewer), 3)

    def test_jpeg_in_grey(self):
        """TurboVNC's -765: no chroma."""
        viewer = self.jpeg(-412, -765)
        self.assertTrue(viewer.jpegs)
        x, y, width, height = viewer.jpegs[0]
        for at in range((y * WIDTH + x) * 4, (y * WIDTH + x + width) * 4, 4):
            blue, green, red = viewer.pixels[at:at + 3]
            self.assertLessEqual(max(blue, green, red) - min(blue, green, red), 3)

    def test_jpeg_for_16_bits(self):
        viewer = self.jpeg(-26, pixels=FORMATS["16_rgb565_little"])
        self.assertTrue(viewer.jpegs)

    def test_no_jpeg_for_8_bits(self):
        viewer = self.jpeg(-26, pixels=FORMATS["8_bgr233"])
        self.assertFalse(viewer.jpegs)
        self.assertIsNone(shows(viewer, self.canvas))

    def test_what_was_lossy_becomes_exact_when_quiet(self):
        viewer = self.jpeg(-29)
        self.assertTrue(viewer.jpegs)
        self.assertIsNotNone(shows(viewer, self.canvas))
        until_shows([viewer], self.canvas, LIMIT)

    def test_compression_levels(self):
        """-256 to -247: the same picture, whatever they cost."""
        for name in ("tight", "zlib", "zrle"):
            for level in (-256, -251, -247):
                viewer = self.viewer(name, None)
                paint(self.canvas, level)
                self.canvas.noise(level, 0, 0, WIDTH, 40)
                self.canvas.signal()
                viewer.set_encodings(getattr(rfb, name.upper()), level)
                viewer.first()
                until_shows([viewer], self.canvas, LIMIT)

    def test_last_rect(self):
        """RFB 7.8.9: only to who listed it, and the end of an update whose number of rectangles was not known."""
        for name in ("tight", "zrle", "hextile"):
            paint(self.canvas, 3)
            self.canvas.signal()
            viewer = self.viewer(name, None)
            viewer.set_encodings(getattr(rfb, name.upper()), rfb.LAST_RECT)
            viewer.first()
            until_shows([viewer], self.canvas, LIMIT)

    def test_the_order_of_encodings_is_a_preference(self):
        """RFB 7.5.2: the first one that the server knows."""
        paint(self.canvas, 4)
        self.canvas.signal()
        for name in ("hextile", "zrle", "tight", "raw"):
            viewer = self.viewer(name, None)
            others = [getattr(rfb, each.upper()) for each in ("zrle", "hextile", "tight") if each != name]
            viewer.set_encodings(12345, getattr(rfb, name.upper()), *others)
            viewer.first()
            self.assertLessEqual(viewer.seen, {getattr(rfb, name.upper()), rfb.RAW})


def cell(name, pixels):
    return lambda self: self.cell(name, pixels)


for _name in ENCODINGS:
    for _form, _pixels in FORMATS.items():
        setattr(Encodings, f"test_{_name}_{_form}", cell(_name, _pixels))
    setattr(Encodings, f"test_{_name}_8_colour_map", lambda self, name=_name: self.map_cell(name))


if __name__ == "__main__":
    unittest.main()
