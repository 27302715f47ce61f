#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What only moves on the guest's screen moves on viewers' screens: exact for those who know CopyRect and those who do not, who are
fast and who lag, who draw the cursor themselves and who have it in their picture."""
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import difference, shows, until_shows  # noqa: E402
from cursor import arrow, blended  # noqa: E402

LIMIT = 20 * daemon.SLOW
WIDTH, HEIGHT = 520, 330
EIGHT_BITS = rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6))


class Screen:
    """A guest that scrolls and drags."""

    def __init__(self, canvas, seed):
        self.canvas, self.source = canvas, random.Random(seed)
        canvas.noise(seed, colours=3)

    def text(self, x, y, width, height):
        """Every row is another one, in every 64 pixels."""
        self.canvas.noise(self.source.random(), x, y, width, height, colours=2)

    def shove(self, x, y, width, height, dx, dy):
        canvas = self.canvas
        rows = [canvas.row(y + i)[x * canvas.each:(x + width) * canvas.each] for i in range(height)]
        canvas.draw(x + dx, y + dy, width, height, b"".join(rows))

    def scroll(self, x, y, width, height, by):
        """Up by so many rows, or down where `by` is negative."""
        if by > 0:
            self.shove(x, y + by, width, height - by, 0, -by)
            self.text(x, y + height - by, width, by)
        else:
            self.shove(x, y, width, height + by, 0, -by)
            self.text(x, y, width, -by)

    def step(self):
        """Anything that screens do."""
        by = self.source.choice((1, 3, 16, 17, 50, -1, -16, -33))
        kind = self.source.randrange(6)
        if kind < 3:
            self.scroll(0, 0, WIDTH, HEIGHT, by)
        elif kind == 3:
            self.scroll(64, 30, 256, 250, by)
            self.scroll(384, 10, 130, 300, -by)
        elif kind == 4:
            self.shove(100, 60, 300, 200, self.source.randint(-30, 30), self.source.randint(-30, 30))
        else:
            self.text(self.source.randrange(400), self.source.randrange(300), 100, 20)


def watch(d, *encodings, form=None):
    viewer = d.viewer("a")
    if form:
        viewer.set_format(form)
    viewer.set_encodings(*encodings)
    viewer.first()
    return viewer


class Moves(unittest.TestCase):
    def exact(self, viewers, canvas):
        until_shows(viewers, canvas, LIMIT)

    def test_copies_are_sent_and_spare_bytes(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            screen = Screen(canvas, 1)
            held = d.register(canvas, "a")
            for encoding in (rfb.ZRLE, rfb.TIGHT, rfb.HEXTILE, rfb.RAW):
                with self.subTest(encoding=rfb.NAMES[encoding]):
                    copies, plain = watch(d, encoding, rfb.COPYRECT), watch(d, encoding)
                    self.exact((copies, plain), canvas)
                    before = copies.bytes, plain.bytes
                    for by in (16, 32, 5, -16, 40):
                        screen.scroll(0, 0, WIDTH, HEIGHT, by)
                        canvas.signal()
                        self.exact((copies, plain), canvas)
                    self.assertIn(rfb.COPYRECT, copies.seen)
                    self.assertNotIn(rfb.COPYRECT, plain.seen)
                    self.assertLess(copies.bytes - before[0], (plain.bytes - before[1]) * 2 // 3)
                    copies.close()
                    plain.close()
            del held

    def test_everybody_s_picture_is_exact(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            screen = Screen(canvas, 2)
            held = d.register(canvas, "a")
            fast = [watch(d, rfb.ZRLE, rfb.COPYRECT), watch(d, rfb.TIGHT, rfb.COPYRECT, rfb.LAST_RECT), watch(d, rfb.RAW),
                    watch(d, rfb.HEXTILE, rfb.COPYRECT, form=EIGHT_BITS)]
            fenced = watch(d, rfb.TIGHT, rfb.COPYRECT, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
            fenced.continuous()
            slow = [watch(d, rfb.ZRLE, rfb.COPYRECT), watch(d, rfb.TIGHT, rfb.COPYRECT)]
            for turn in range(60):
                screen.step()
                canvas.signal()
                # Some pictures come too soon after each other for anybody.
                if turn % 5 == 4:
                    continue
                self.exact(fast, canvas)
                if turn % 7 == 0:
                    self.exact(slow[:1], canvas)
                if turn == 40:
                    # It changes its mind with moves waiting for it, and some on their way.
                    slow[0].set_encodings(rfb.ZRLE)
                    self.exact(slow[:1], canvas)
                    slow[0].seen.clear()
            self.exact(fast + slow + [fenced], canvas)
            self.assertNotIn(rfb.COPYRECT, slow[0].seen)
            for viewer in (fast[0], fast[1], fast[3], slow[1], fenced):
                self.assertIn(rfb.COPYRECT, viewer.seen)
            self.assertNotIn(rfb.COPYRECT, fast[2].seen)
            del held

    def test_who_asks_for_a_part(self):
        """Is sent no copies, and what it had not asked for is right when it does."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            screen = Screen(canvas, 3)
            held = d.register(canvas, "a")
            viewer = watch(d, rfb.ZRLE, rfb.COPYRECT)
            other = watch(d, rfb.ZRLE, rfb.COPYRECT)
            self.exact((viewer, other), canvas)
            for turn in range(12):
                screen.step()
                canvas.signal()
                self.exact((other,), canvas)
                if turn % 3 == 2:
                    self.exact((viewer,), canvas)
                else:
                    viewer.request(area=(30, 100, 200, 100))
                    viewer.update(timeout=LIMIT) if turn % 3 == 0 else None
            self.exact((viewer,), canvas)
            del held

    def test_with_the_cursor_in_the_picture(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            screen = Screen(canvas, 4)
            image = arrow()
            canvas.set_cursor(100, 100, 32, image)
            held = d.register(canvas, "a")
            drawn = [watch(d, rfb.ZRLE, rfb.COPYRECT), watch(d, rfb.TIGHT, rfb.COPYRECT), watch(d, rfb.ZRLE)]
            shaped = watch(d, rfb.ZRLE, rfb.COPYRECT, rfb.CURSOR)
            x, y = 100, 100
            for turn in range(40):
                screen.step()
                if turn % 3 == 0:
                    x, y = screen.source.randrange(-20, WIDTH), screen.source.randrange(-20, HEIGHT)
                    canvas.set_cursor(x, y, 32, image)
                canvas.signal()
                if turn % 4 == 3:
                    continue
                until_shows(drawn if turn % 2 else drawn[:1], canvas, LIMIT,
                            expected=lambda viewer: blended(canvas, image, x, y, 32, 32))
                self.exact((shaped,), canvas)
            for viewer in (drawn[0], drawn[1], shaped):
                self.assertIn(rfb.COPYRECT, viewer.seen)
            del held

    def test_what_was_not_exact_becomes_so(self):
        """Pixels that went out as JPEG are copied as they are, and sent again without loss."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            canvas.noise(5)
            held = d.register(canvas, "a")
            viewer = watch(d, rfb.TIGHT, rfb.COPYRECT, -27)
            self.assertTrue(viewer.jpegs)
            self.assertIsNotNone(shows(viewer, canvas))
            screen = Screen.__new__(Screen)
            screen.canvas, screen.source = canvas, random.Random(5)
            for _ in range(3):
                screen.scroll(0, 0, WIDTH, HEIGHT, 20)
                canvas.signal()
                viewer.request()
                viewer.update(timeout=LIMIT)
            self.exact((viewer,), canvas)
            self.assertIn(rfb.COPYRECT, viewer.seen)
            del held

    def test_nothing_else_than_what_is_there(self):
        """A source that changes all the time, and stops."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(WIDTH, HEIGHT)
            screen = Screen(canvas, 6)
            held = d.register(canvas, "a")
            viewers = [watch(d, rfb.ZRLE, rfb.COPYRECT), watch(d, rfb.RAW, rfb.COPYRECT)]
            for _ in range(5):
                for _ in range(30):
                    screen.scroll(0, 0, WIDTH, HEIGHT, screen.source.choice((1, 2, 3, 8, -4)))
                    canvas.signal()
                self.exact(viewers, canvas)
                self.assertIsNone(difference(viewers[0], canvas.expect(viewers[0].format), (WIDTH, HEIGHT)))
            del held


if __name__ == "__main__":
    unittest.main()
