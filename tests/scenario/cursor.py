#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cursor plane: a shape for viewers that draw it themselves, part of the picture for the others, gone without a trace."""
import pathlib
import random
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows, until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
NO_SAFETY = "[capture]\nsafety-ms = 60000\n"


def arrow(side=32, alpha=255):
    """A triangle with a bright edge, transparent elsewhere; premultiplied."""
    out = bytearray(side * side * 4)
    for y in range(side):
        for x in range(y // 2 + 1):
            colour = (200, 40, 10) if x == y // 2 or not x else (10, 60, 250)
            out[(y * side + x) * 4:(y * side + x) * 4 + 4] = bytes(c * alpha // 255 for c in colour) + bytes((alpha,))
    return bytes(out)


def blended(canvas, image, x, y, width, height):
    """The picture with the cursor over it, as bytes of an XRGB viewer."""
    out = bytearray(canvas.expect(rfb.XRGB))
    for row in range(max(0, -y), min(height, canvas.height - y)):
        for column in range(max(0, -x), min(width, canvas.width - x)):
            over = image[(row * width + column) * 4:(row * width + column) * 4 + 4]
            at = ((y + row) * canvas.width + x + column) * 4
            for i in range(3):
                out[at + i] = min(255, over[i] + (out[at + i] * (255 - over[3]) + 127) // 255)
    return bytes(out)


def rgb(pixels):
    """The colours of XRGB pixels, whatever X is."""
    return pixels[0::4], pixels[1::4], pixels[2::4]


def rgba(image):
    """ARGB pixels as Cursor With Alpha sends them."""
    out = bytearray(len(image))
    out[0::4], out[1::4], out[2::4], out[3::4] = image[2::4], image[1::4], image[0::4], image[3::4]
    return bytes(out)


def watch(d, display, *encodings, **more):
    viewer = d.viewer(display, **more)
    viewer.set_encodings(*encodings)
    viewer.first()
    return viewer


def until(viewer, test, what):
    end = time.monotonic() + LIMIT
    viewer.request()
    while not test():
        try:
            viewer.update(timeout=max(end - time.monotonic(), 0.05))
        except TimeoutError:
            raise AssertionError(f"not in time: {what}") from None
        viewer.request()


class Cursor(unittest.TestCase):
    def move(self, canvas, x, y, image, side=32, **more):
        canvas.set_cursor(x, y, side, image, **more)
        canvas.signal()

    def composited(self, viewers, canvas, image, x, y, width=32, height=32):
        until_shows(viewers, canvas, LIMIT, expected=lambda viewer: blended(canvas, image, x, y, width, height))

    def test_a_shape(self):
        """The Cursor pseudo-encoding (RFB 7.8.1): cut to what is visible, hot spot with it, picture without it."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(320, 240)
            canvas.noise(1)
            image = arrow()
            canvas.set_cursor(100, 50, 32, image, hot=(3, 5))
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.ZRLE, rfb.CURSOR)
            until(viewer, lambda: viewer.cursor and viewer.cursor[:2] == (16, 32), "the shape")
            width, height, hot_x, hot_y, pixels, mask = viewer.cursor
            self.assertEqual((width, height, hot_x, hot_y), (16, 32, 3, 5))
            for y in range(32):
                for x in range(16):
                    at = (y * 32 + x) * 4
                    shown = bool(mask[y * 2 + x // 8] & 0x80 >> x % 8)
                    self.assertEqual(shown, image[at + 3] > 0)
                    if shown:
                        self.assertEqual(pixels[(y * 16 + x) * 4:][:3], image[at:at + 3])
            self.assertIsNone(shows(viewer, canvas), "the cursor is in the picture too")
            self.move(canvas, 100, 50, None)
            until(viewer, lambda: not any(viewer.cursor[5]), "no shape")
            self.move(canvas, 0, 0, arrow(16), side=16, serial=2)
            until(viewer, lambda: viewer.cursor[:2] == (8, 16), "another shape")
            self.assertIsNone(shows(viewer, canvas))
            del held

    def test_half_transparent_colours_are_divided(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(100, 100)
            canvas.set_cursor(10, 10, 8, bytes((100, 50, 25, 200)) * 32 + bytes((10, 10, 10, 60)) * 32)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.RAW, rfb.CURSOR)
            until(viewer, lambda: viewer.cursor and viewer.cursor[0] == 8, "the shape")
            self.assertEqual(viewer.cursor[:2], (8, 4), "what is nearly transparent is cut off")
            for i, want in enumerate((128, 64, 32)):
                self.assertAlmostEqual(viewer.cursor[4][i], want, delta=1)
            del held

    def test_the_pointer_s_place(self):
        """A viewer that asked for PointerPos and may only view is told where the guest's pointer is."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240)
            canvas.set_cursor(100, 50, 32, arrow(), hot=(2, 1))
            held = d.register(canvas, "a", context={"viewOnly": True})
            viewer = watch(d, "a", rfb.RAW, rfb.CURSOR, rfb.POINTER_POS)
            for x, y in ((10, 20), (200, 100), (-2, -1), (300, 230)):
                self.move(canvas, x, y, arrow(), hot=(2, 1))
                until(viewer, lambda at=(x + 2, y + 1): viewer.pointer == at, f"the pointer at {x + 2},{y + 1}")
            del held

    def test_a_move_costs_no_scan(self):
        """The source counts what it draws: only the cursor is looked at, and a viewer that draws it itself gets a few bytes."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(640, 480)
            canvas.drawn = 1
            canvas.noise(1)
            canvas.set_cursor(0, 0, 32, arrow())
            held = d.register(canvas, "a", context={"viewOnly": True})
            viewer = watch(d, "a", rfb.RAW, rfb.CURSOR, rfb.POINTER_POS)
            until(viewer, lambda: viewer.cursor and viewer.pointer == (0, 0), "the shape")
            client = d.connect()
            scans, sent, moves = client.describe("a")["framesCaptured"], viewer.bytes, 20
            # What is not counted is not seen: no pixel was looked at.
            canvas.fill(b"\x56\x34\x12\0", 600, 400, 10, 10)
            for step in range(1, moves + 1):
                self.move(canvas, step * 7, step * 5, arrow())
                until(viewer, lambda at=(step * 7, step * 5): viewer.pointer == at, "the move")
            self.assertEqual(client.describe("a")["framesCaptured"], scans)
            self.assertLess((viewer.bytes - sent) / moves, 2048)
            self.assertIsNotNone(shows(viewer, canvas))
            canvas.drawn = 2
            self.move(canvas, 3, 3, arrow())
            until(viewer, lambda: shows(viewer, canvas) is None, "what was drawn")
            self.assertEqual(client.describe("a")["framesCaptured"], scans + 1)
            del held

    def test_composited(self):
        """For a viewer without cursor encodings: blended in exactly, the old place restored exactly, at edges and outside."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(200, 150)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW), watch(d, "a", rfb.ZRLE), watch(d, "a", rfb.TIGHT)]
            shaper = watch(d, "a", rfb.HEXTILE, rfb.CURSOR)
            for image in (arrow(), arrow(alpha=100), bytes(random.Random(1).randbytes(32 * 32 * 3)[i // 4 * 3 + i % 4]
                                                        if i % 4 < 3 else 255 for i in range(32 * 32 * 4))):
                for x, y in ((10, 10), (12, 11), (60, 60), (-10, -20), (190, 140), (199, 149), (200, 150), (-32, 0), (0, 0)):
                    self.move(canvas, x, y, image)
                    self.composited(viewers, canvas, image, x, y)
                    self.assertIsNone(shows(shaper, canvas))
            self.move(canvas, 0, 0, None)
            until_shows(viewers, canvas, LIMIT)
            del held

    def test_what_changes_below_it(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(200, 150)
            canvas.noise(1)
            image = arrow(alpha=128)
            canvas.set_cursor(50, 50, 32, image)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW), watch(d, "a", rfb.HEXTILE)]
            source = random.Random(2)
            x, y = 50, 50
            for turn in range(30):
                canvas.noise(turn, source.randrange(120), source.randrange(100), source.randint(1, 80), source.randint(1, 50))
                if turn % 3 == 0:
                    x, y = source.randrange(-20, 200), source.randrange(-20, 150)
                    canvas.set_cursor(x, y, 32, image)
                canvas.signal()
                self.composited(viewers, canvas, image, x, y)
            del held

    def test_another_image_at_the_same_place(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(200, 150)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW), watch(d, "a", rfb.ZRLE)]
            for serial, side in enumerate((32, 16, 64, 33, 1)):
                image = arrow(side, alpha=255 - serial * 30)
                self.move(canvas, 40, 40, image, side=side, serial=serial)
                self.composited(viewers, canvas, image, 40, 40, side, side)
            del held

    def test_large_ones(self):
        """256 pixels are the most, and a shape like any other: exact for both encodings, exact where it is drawn in."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(400, 300)
            canvas.noise(1)
            held = d.register(canvas, "a")
            plain, shaper, alpha = watch(d, "a", rfb.RAW), watch(d, "a", rfb.RAW, rfb.CURSOR), \
                watch(d, "a", rfb.ZRLE, rfb.CURSOR_WITH_ALPHA)
            for serial, side in enumerate((64, 88, 96, 128, 256)):
                image = b"".join(bytes((i & 255, i >> 8 & 255, (i * 7) & 255, 255)) for i in range(side * side))
                self.move(canvas, 30, 20, image, side=side, serial=serial, hot=(side - 1, side // 2))
                self.composited([plain], canvas, image, 30, 20, side, side)
                until(shaper, lambda: shaper.cursor and shaper.cursor[0] == side, "the shape")
                self.assertEqual(shaper.cursor[:4], (side, side, side - 1, side // 2))
                self.assertEqual((rgb(shaper.cursor[4]), shaper.cursor[5]), (rgb(image), b"\xff" * (side * side // 8)))
                until(alpha, lambda: alpha.alpha_cursor and alpha.alpha_cursor[0] == side, "the shape with alpha")
                self.assertEqual(alpha.alpha_cursor, (side, side, side - 1, side // 2, rgba(image)))
                for viewer in (shaper, alpha):
                    self.assertIsNone(shows(viewer, canvas))
            self.move(canvas, 30, 20, None)
            until_shows([plain], canvas, LIMIT)
            until(shaper, lambda: not any(shaper.cursor[5]), "no shape")
            until(alpha, lambda: not any(alpha.alpha_cursor[4]), "no shape with alpha")
            del held

    def test_with_alpha(self):
        """Premultiplied R, G, B, A as they are, whatever the pixel format; cut to what is not wholly transparent."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(100, 100)
            canvas.noise(1)
            source = random.Random(3)
            pixels = []
            for i in range(24 * 24):
                opacity = source.choice((0, 1, 60, 127, 128, 200, 255)) if i % 24 and i >= 24 else 0
                pixels.append(bytes(source.randint(0, opacity) for _ in range(3)) + bytes((opacity,)))
            image = b"".join(pixels)
            canvas.set_cursor(10, 10, 24, image, hot=(20, 22))
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW, rfb.CURSOR_WITH_ALPHA), watch(d, "a", rfb.TIGHT, rfb.CURSOR_WITH_ALPHA, rfb.CURSOR)]
            odd = d.viewer("a")
            odd.set_format(rfb.PixelFormat(16, 16, True, (31, 11), (63, 5), (31, 0)))
            odd.set_encodings(rfb.HEXTILE, rfb.CURSOR, rfb.CURSOR_WITH_ALPHA, rfb.XCURSOR)
            odd.first()
            cut = b"".join(image[(y * 24 + 1) * 4:(y + 1) * 24 * 4] for y in range(1, 24))
            for viewer in (*viewers, odd):
                until(viewer, lambda: viewer.alpha_cursor and viewer.alpha_cursor[0] == 23, "the shape")
                self.assertEqual(viewer.alpha_cursor, (23, 23, 19, 21, rgba(cut)))
                self.assertIsNone(viewer.cursor)
                self.assertIsNone(shows(viewer, canvas))
            del held

    def test_a_move_is_cheap(self):
        """No shape again, no pixels: nothing for who draws the cursor, and under 2 KiB each for who follows it."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(320, 240)
            canvas.noise(1)
            image = arrow(64)
            canvas.set_cursor(100, 50, 64, image, hot=(2, 1))
            held = d.register(canvas, "a", context={"viewOnly": True})
            kinds = (rfb.CURSOR, rfb.XCURSOR, rfb.CURSOR_WITH_ALPHA)
            viewers = [watch(d, "a", rfb.ZRLE, kind) for kind in kinds]
            watcher = watch(d, "a", rfb.RAW, rfb.CURSOR_WITH_ALPHA, rfb.POINTER_POS)
            follower = watch(d, "a", rfb.RAW)      # says when a move has come
            for viewer in (*viewers, watcher):
                until(viewer, lambda: viewer.shapes == 1, "the shape")
                viewer.settle()
            before = [viewer.bytes for viewer in viewers]
            for x, y in ((101, 50), (0, 0), (319, 239), (-20, -63), (7, 9)):
                known = watcher.bytes
                self.move(canvas, x, y, image, side=64, hot=(2, 1))
                self.composited([follower], canvas, image, x, y, 64, 64)
                at = (min(max(x + 2, 0), 319), min(max(y + 1, 0), 239))
                until(watcher, lambda: watcher.pointer == at, "the pointer")
                self.assertLess(watcher.bytes - known, 2048)
            self.assertEqual([viewer.bytes for viewer in viewers], before, "a move costs nothing")
            for viewer in (*viewers, watcher):
                viewer.settle(quiet=0.1)
                self.assertEqual(viewer.shapes, 1)
                self.assertIsNone(shows(viewer, canvas))
            del held

    def test_hot_spots(self):
        """Known, unknown, nonsense: the last two are 0, 0."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(100, 100)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW, rfb.CURSOR), watch(d, "a", rfb.RAW, rfb.CURSOR_WITH_ALPHA)]
            image = bytes((1, 2, 3, 255)) * 64
            unknown = surface.HOT_UNKNOWN
            for serial, (hot, want) in enumerate((((7, 6), (7, 6)), ((unknown, unknown), (0, 0)), ((3, 3), (3, 3)), ((8, 0), (0, 0)),
                                                  ((5, 5), (5, 5)), ((0, 70000), (0, 0)))):
                for viewer in viewers:
                    viewer.cursor = viewer.alpha_cursor = None
                self.move(canvas, 5, 5, image, side=8, hot=hot, serial=serial)
                for viewer in viewers:
                    until(viewer, lambda: viewer.cursor or viewer.alpha_cursor, "the shape")
                    self.assertEqual((viewer.cursor or viewer.alpha_cursor)[:4], (8, 8, *want))
            del held

    def test_far_outside(self):
        """A shape is a shape wherever the guest says that it is; drawn in there is nothing to see."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(100, 80)
            canvas.noise(1)
            held = d.register(canvas, "a")
            plain, shaper = watch(d, "a", rfb.RAW), watch(d, "a", rfb.RAW, rfb.CURSOR_WITH_ALPHA)
            far = (1 << 31) - 1
            image = arrow()
            for serial, (x, y) in enumerate(((far, far), (-far - 1, -far - 1), (far, 0), (0, -far), (70000, 5))):
                self.move(canvas, 10, 10, image, serial=2 * serial)
                self.composited([plain], canvas, image, 10, 10)
                shaper.alpha_cursor = None
                self.move(canvas, x, y, arrow(16), side=16, serial=2 * serial + 1)
                until_shows([plain], canvas, LIMIT)
                until(shaper, lambda: shaper.alpha_cursor and shaper.alpha_cursor[:2] == (8, 16), "the shape")
                self.assertIsNone(shows(shaper, canvas))
            del held

    def test_one_that_is_too_large_is_not_shown(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(64, 64)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.RAW)
            canvas.set_cursor(0, 0, 8, arrow(8), width=257, height=1)
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            runtime = d.connect().describe("a")
            self.assertEqual((runtime["state"], [p["type"] for p in runtime["planes"]]), ("live", ["primary"]))
            del held

    def test_a_viewer_that_changes_its_mind(self):
        """SetEncodings with and without Cursor, in turns: shape or picture, never both, never none."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(200, 150)
            canvas.noise(1)
            image = arrow()
            canvas.set_cursor(20, 30, 32, image)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.RAW)
            self.composited([viewer], canvas, image, 20, 30)
            for turn, kind in enumerate((rfb.CURSOR, rfb.CURSOR_WITH_ALPHA, rfb.XCURSOR) * 2):
                viewer.cursor = viewer.alpha_cursor = None
                viewer.set_encodings(rfb.RAW, kind)
                until(viewer, lambda: viewer.shapes == turn + 1 and shows(viewer, canvas) is None, f"the shape alone, turn {turn}")
                if kind != rfb.XCURSOR:
                    self.assertEqual((viewer.cursor or viewer.alpha_cursor)[:2], (16, 32))
                self.assertEqual(bool(viewer.alpha_cursor), kind == rfb.CURSOR_WITH_ALPHA)
                viewer.set_encodings(rfb.ZRLE)
                self.composited([viewer], canvas, image, 20, 30)
            del held

    def test_in_other_pixel_formats(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(100, 80)
            canvas.noise(1)
            image = arrow()
            canvas.set_cursor(20, 30, 32, image)
            held = d.register(canvas, "a")
            for form in (rfb.PixelFormat(16, 16, True, (31, 11), (63, 5), (31, 0)),
                         rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6))):
                plain, shaper = d.viewer("a"), d.viewer("a")
                for viewer, encodings in ((plain, (rfb.TIGHT,)), (shaper, (rfb.ZRLE, rfb.CURSOR))):
                    viewer.set_format(form)
                    viewer.set_encodings(*encodings)
                    viewer.first()
                drawn = blended(canvas, image, 20, 30, 32, 32)
                until_shows([plain], canvas, LIMIT, expected=lambda viewer: form.pixels(drawn[2::4], drawn[1::4], drawn[0::4]))
                until(shaper, lambda: shaper.cursor and shaper.cursor[:2] == (16, 32), "the shape")
                self.assertEqual(shaper.cursor[4][:form.bytes], form.pixel(0x0a28c8))
                self.assertIsNone(shows(shaper, canvas))
            del held

    def test_after_a_resize(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(200, 150, room=500 * 400 * 4)
            canvas.noise(1)
            image = arrow()
            canvas.set_cursor(180, 140, 32, image)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW, rfb.DESKTOP_SIZE), watch(d, "a", rfb.ZRLE, rfb.EXTENDED_DESKTOP_SIZE)]
            for width, height in ((300, 250), (100, 100), (190, 400)):
                canvas.shape(width, height)
                canvas.noise(width)
                canvas.show()
                canvas.signal()
                self.composited(viewers, canvas, image, 180, 140)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
