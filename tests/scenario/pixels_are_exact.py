#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer shows exactly the surface's pixels: every format, every encoding, every pixel format of a viewer."""
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows, until_shows  # noqa: E402

ENCODINGS = (rfb.RAW, rfb.RRE, rfb.CORRE, rfb.HEXTILE, rfb.ZLIB, rfb.TIGHT, rfb.ULTRA, rfb.ZRLE)
LIMIT = 20 * daemon.SLOW
SIZES = ((17, 33), (1, 1), (1, 200), (200, 1), (63, 65), (64, 64), (129, 15))
TILINGS = {"X": surface.X_TILED, "Y": surface.Y_TILED, "Yf": surface.YF_TILED}


def five_six_five(big, swapped=False):
    red, blue = ((31, 0), (31, 11)) if swapped else ((31, 11), (31, 0))
    return rfb.PixelFormat(16, 16, big, red, (63, 5), blue)


# What real viewers ask for, and what the protocol allows beside it.
VIEWERS = {
    "32 bits XRGB": rfb.PixelFormat(),
    "32 bits XBGR": rfb.PixelFormat(red=(255, 0), blue=(255, 16)),
    "32 bits RGBX": rfb.PixelFormat(red=(255, 24), green=(255, 16), blue=(255, 8)),
    "32 bits BGRX": rfb.PixelFormat(red=(255, 8), green=(255, 16), blue=(255, 24)),
    "32 bits XRGB big-endian": rfb.PixelFormat(big=True),
    "32 bits RGBX big-endian": rfb.PixelFormat(big=True, red=(255, 24), green=(255, 16), blue=(255, 8)),
    "32 bits, depth 32": rfb.PixelFormat(depth=32),
    "32 bits, 10 each": rfb.PixelFormat(depth=30, red=(1023, 20), green=(1023, 10), blue=(1023, 0)),
    "32 bits, 6 each": rfb.PixelFormat(depth=18, red=(63, 12), green=(63, 6), blue=(63, 0)),
    "16 bits 565": five_six_five(False),
    "16 bits 565 big-endian": five_six_five(True),
    "16 bits BGR565": five_six_five(False, swapped=True),
    "16 bits 555 big-endian": rfb.PixelFormat(16, 15, True, (31, 10), (31, 5), (31, 0)),
    "16 bits 444": rfb.PixelFormat(16, 12, False, (15, 8), (15, 4), (15, 0)),
    "8 bits BGR233": rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6)),
    "8 bits RGB332": rfb.PixelFormat(8, 8, False, (7, 5), (7, 2), (3, 0)),
    "8 bits 222": rfb.PixelFormat(8, 6, False, (3, 4), (3, 2), (3, 0)),
    "8 bits, grey of 1 bit": rfb.PixelFormat(8, 3, True, (1, 2), (1, 1), (1, 0)),
}


def gradient(canvas, x, y, width, height):
    """Byte c of pixel i, j is i + c * j."""
    ramp, data = bytes(range(256)) * (width // 256 + 2), bytearray(width * height * canvas.each)
    line = width * canvas.each
    for j in range(height):
        for c in range(canvas.each):
            begin = c * j & 255
            data[j * line + c:(j + 1) * line:canvas.each] = ramp[begin:begin + width]
    canvas.draw(x, y, width, height, data)


def strokes(canvas, source, x, y, width, height):
    """Something like text: thin strokes of one colour on another, which encoders with subrectangles like."""
    ground, front = source.randbytes(canvas.each), source.randbytes(canvas.each)
    canvas.fill(ground, x, y, width, height)
    for _ in range(max(1, width * height // 60)):
        w, h = random.Random(source.random()).choice(((1, 5), (4, 1), (2, 2), (1, 1)))
        if w <= width and h <= height:
            canvas.fill(front, x + source.randrange(width - w + 1), y + source.randrange(height - h + 1), w, h)


def paint_patch(canvas, source, x, y, width, height):
    """What makes an encoder choose another way: one colour, few, many, runs, gradients, noise."""
    kind = source.randrange(8)
    if kind == 0:
        canvas.fill(source.randbytes(canvas.each), x, y, width, height)
    elif kind == 1:
        gradient(canvas, x, y, width, height)
    elif kind == 2:
        strokes(canvas, source, x, y, width, height)
    elif kind == 3:
        canvas.noise(source.random(), x, y, width, height)
    else:
        canvas.noise(source.random(), x, y, width, height, colours=(2, 3, 16, 120)[kind - 4])


def paint(canvas, seed, side=96):
    source = random.Random(seed)
    for y in range(0, canvas.height, side):
        for x in range(0, canvas.width, side):
            paint_patch(canvas, source, x, y, min(side, canvas.width - x), min(side, canvas.height - y))


def repaint(canvas, seed, patches=6):
    source = random.Random(seed)
    for _ in range(patches):
        width, height = (min(source.randint(1, 150), end) for end in (canvas.width, canvas.height))
        paint_patch(canvas, source, source.randrange(canvas.width - width + 1), source.randrange(canvas.height - height + 1),
                    width, height)


class PixelsAreExact(unittest.TestCase):
    def look(self, d, canvas, display, encoding, form=None):
        """A new viewer: the whole picture, then changes."""
        viewer = d.viewer(display)
        try:
            if form:
                viewer.set_format(form)
            viewer.set_encodings(encoding)
            viewer.first()
            self.assertIsNone(shows(viewer, canvas))
            for seed in range(2):
                repaint(canvas, seed + encoding)
                canvas.signal()
                until_shows([viewer], canvas, LIMIT)
            # Little enough for every encoder to choose its own way, not raw pixels.
            canvas.fill(bytes(canvas.each))
            canvas.fill(b"\x55" * canvas.each, 0, 0, min(3, canvas.width), min(2, canvas.height))
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            # Tight for pixels of 8 bits each is encoded once for all, in the fourth stream; all else is LibVNCServer's, and so is what comes
            # in an update of at most 2048 pixels, as the end of a picture may that was looked at while it was painted.
            if viewer.streams and viewer.width * viewer.height > 2048:
                self.assertEqual(3 in viewer.streams, viewer.format.is_888(), viewer.streams)
            others = viewer.seen - {encoding, rfb.RAW}
            self.assertFalse(others, "it was sent an encoding that it did not ask for")
            return viewer.seen
        finally:
            viewer.close()

    def cross(self, d, canvas, display, encodings=ENCODINGS):
        held = d.register(canvas, display)
        paint(canvas, display)
        seen = set()
        for encoding in encodings:
            with self.subTest(display=display, encoding=rfb.NAMES[encoding]):
                seen |= self.look(d, canvas, display, encoding)
        return held, seen

    def test_every_format_in_every_encoding(self):
        with daemon.Daemon() as d:
            for form in surface.FORMATS:
                canvas = surface.Surface(331, 203, form)
                # An encoder sees the frame, which has one format: all of them for some, some of them for all.
                encodings = ENCODINGS if form in ("XRGB8888", "RGB565", "XBGR2101010", "UYVY") else ENCODINGS[-3:]
                _, seen = self.cross(d, canvas, form, encodings)
                self.assertEqual(seen, set(encodings), "an encoding that never came is not tested")

    def test_odd_sizes(self):
        with daemon.Daemon() as d:
            for width, height in SIZES:
                for form in ("XRGB8888", "RGB888", "RGB565"):
                    self.cross(d, surface.Surface(width, height, form), f"{width}x{height}.{form}")
                for form in ("C8", "YUYV", "VYUY", "XBGR2101010"):
                    self.cross(d, surface.Surface(width, height, form), f"{width}x{height}.{form}", (rfb.ZRLE,))

    def test_tiles(self):
        """Every tiling of every size of pixels, drawn on and looked at; what is around the picture is no pixel."""
        with daemon.Daemon() as d:
            for name, modifier in TILINGS.items():
                for form in ("XRGB8888", "ABGR8888", "RGB565", "C8", "XRGB2101010", "UYVY"):
                    canvas = surface.Surface(333, 203, form, modifier=modifier)
                    canvas.map[canvas.start:canvas.cursor_at] = random.Random(form).randbytes(canvas.size)
                    self.cross(d, canvas, f"{name}.{form}", (rfb.ZRLE, rfb.TIGHT))

    def test_tiles_of_odd_sizes(self):
        with daemon.Daemon() as d:
            for name, modifier in TILINGS.items():
                for width, height in SIZES:
                    for form, more in (("XRGB8888", 512), ("RGB565", 0), ("C8", 1024), ("YUYV", 0)):
                        canvas = surface.Surface(width, height, form, modifier=modifier)
                        canvas = surface.Surface(width, height, form, modifier=modifier, stride=canvas.stride + more,
                                                 start=4096 + more // 4)
                        self.cross(d, canvas, f"{width}x{height}.{name}.{form}", (rfb.ZRLE,))

    def test_the_same_picture_in_tiles_and_rows(self):
        """The guest changes the layout and nothing else, and then draws."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(500, 260, room=512 * 4 * 288)
            held = d.register(canvas, "a")
            viewer = d.viewer("a")
            viewer.set_encodings(rfb.ZRLE)
            for turn, modifier in enumerate([surface.LINEAR, *TILINGS.values(), surface.LINEAR]):
                with self.subTest(modifier=hex(modifier)):
                    canvas.shape(500, 260, modifier=modifier)
                    paint(canvas, "same")
                    canvas.show()
                    canvas.signal()
                    until_shows([viewer], canvas, LIMIT)
                    repaint(canvas, turn)
                    canvas.signal()
                    until_shows([viewer], canvas, LIMIT)
            del held

    def test_a_laptop_s_size(self):
        """1366 is no multiple of 4: rows of RGB888 and RGB565 begin anywhere."""
        with daemon.Daemon() as d:
            for form in surface.FORMATS:     # their rows are what is tested, and some hundreds are as good as all
                height = 768 if form in ("RGB888", "RGB565") else 200
                self.cross(d, surface.Surface(1366, height, form), form, (rfb.ZRLE, rfb.TIGHT))
            self.cross(d, surface.Surface(1366, 768), "all", ENCODINGS)

    def test_rows_with_padding(self):
        """What is behind a row's end is no pixel, and the byte X of a pixel is no colour."""
        with daemon.Daemon() as d:
            for form, (_, each) in surface.FORMATS.items():
                for padding in (each, 64, 4096):
                    canvas = surface.Surface(129, 70, form)
                    canvas = surface.Surface(129, 70, form, stride=canvas.line + padding)
                    canvas.map[canvas.start:] = random.Random(form).randbytes(canvas.bytes - canvas.start)
                    self.cross(d, canvas, f"{form}.{padding}", (rfb.ZRLE,))

    def test_a_plane_that_begins_in_the_middle(self):
        with daemon.Daemon() as d:
            for form in surface.FORMATS:
                for start, modifier in ((4097, 0), (4096 + 4 * 777, 0), (70002, 0), (4097, surface.YF_TILED)):
                    if modifier and form == "RGB888":
                        continue
                    canvas = surface.Surface(100, 50, form, start=start, modifier=modifier)
                    paint(canvas, start)
                    held = d.register(canvas, f"{form}.{start}.{modifier % 256}")
                    viewer = d.viewer(f"{form}.{start}.{modifier % 256}")
                    viewer.first()
                    with self.subTest(form=form, start=start):
                        self.assertIsNone(shows(viewer, canvas))
                    del held

    def test_every_pixel_format_of_a_viewer(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(333, 170)
            held = d.register(canvas, "a")
            paint(canvas, "formats")
            for name, form in VIEWERS.items():
                for encoding in ENCODINGS:
                    with self.subTest(viewer=name, encoding=rfb.NAMES[encoding]):
                        self.look(d, canvas, "a", encoding, form)
            del held

    def test_a_viewer_with_a_colour_map(self):
        """RFB 7.5.1: a viewer of 8 bits without true colours is told what its numbers mean."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(120, 90)
            paint(canvas, "map")
            held = d.register(canvas, "a")
            for encoding in ENCODINGS:
                viewer = d.viewer("a")
                viewer.set_format(rfb.PixelFormat(8, 8, False, (0, 0), (0, 0), (0, 0), true=False))
                viewer.set_encodings(encoding)
                viewer.first()
                self.assertEqual(len(viewer.colours), 256)
                known = {}
                for i, want in enumerate(canvas.picture()):
                    got = known.setdefault(viewer.pixels[i], [c >> 8 for c in viewer.colours[viewer.pixels[i]]])
                    for shift, colour, steps in ((16, got[0], 7), (8, got[1], 7), (0, got[2], 3)):
                        self.assertLessEqual(abs((want >> shift & 255) - colour), 255 / steps / 2 + 1)
            del held

    def test_a_viewer_that_changes_its_mind(self):
        """Pixel format and encoding change between updates; what is asked for afterwards comes in the new ones."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(260, 140)
            paint(canvas, "mind")
            held = d.register(canvas, "a")
            viewer = d.viewer("a")
            source = random.Random(5)
            for i in range(40):
                name, encoding = source.choice(list(VIEWERS)), source.choice(ENCODINGS)
                with self.subTest(turn=i, viewer=name, encoding=rfb.NAMES[encoding]):
                    viewer.set_format(VIEWERS[name])
                    viewer.set_encodings(encoding)
                    viewer.first()
                    self.assertIsNone(shows(viewer, canvas))
            del held

    def test_several_viewers_in_several_ways(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(400, 300)
            paint(canvas, "several")
            held = d.register(canvas, "a")
            viewers = []
            for i, name in enumerate(list(VIEWERS)[:14]):
                viewer = d.viewer("a")
                viewer.set_format(VIEWERS[name])
                viewer.set_encodings(ENCODINGS[i % len(ENCODINGS)])
                viewers.append(viewer)
            for seed in range(6):
                repaint(canvas, seed, 12)
                canvas.signal()
                until_shows(viewers, canvas, LIMIT)
            self.assertEqual(len(d.rfb_programs()), 1)
            del held

    def test_parts_of_the_picture(self):
        """Who asks for a part gets this part."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(300, 200)
            paint(canvas, "parts")
            held = d.register(canvas, "a")
            source = random.Random(7)
            for encoding in ENCODINGS:
                viewer = d.viewer("a")
                viewer.set_encodings(encoding)
                expected = canvas.expect(viewer.format)
                for _ in range(12):
                    x, y = source.randrange(300), source.randrange(200)
                    w, h = source.randint(1, 300 - x), source.randint(1, 200 - y)
                    viewer.pixels[:] = bytes(len(viewer.pixels))
                    viewer.request(incremental=False, area=(x, y, w, h))
                    while not viewer.update():
                        pass
                    for row in range(y, y + h):
                        at = (row * 300 + x) * 4
                        self.assertEqual(viewer.pixels[at:at + w * 4], expected[at:at + w * 4])
                    for rect in viewer.rects:
                        self.assertTrue(rect[0] >= x and rect[1] >= y and rect[0] + rect[2] <= x + w
                                        and rect[1] + rect[3] <= y + h, rect)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
