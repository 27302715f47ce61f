#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What changes in the surface comes to every viewer, nothing stays stale, and no viewer sees what was never there.

A producer draws when it likes, so a picture may hold one of its draws and not yet the next. What holds: at rest the viewer's
picture equals the surface's; every pixel that a viewer shows was in the surface at that place; and a producer that draws only
while nobody looks, and signals afterwards, has its pictures shown whole.
"""
import pathlib
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows, until_shows  # noqa: E402

ENCODINGS = (rfb.RAW, rfb.RRE, rfb.CORRE, rfb.HEXTILE, rfb.ZLIB, rfb.TIGHT, rfb.ZRLE)
LIMIT = 20 * daemon.SLOW
# An eventfd that was missed stays missed: the safety poll must not hide it.
NO_SAFETY = "[capture]\nsafety-ms = 60000\n[viewers]\nframes-per-second-maximum = 240\n"


def watch(d, display, encodings=ENCODINGS):
    viewers = []
    for encoding in encodings:
        viewer = d.viewer(display)
        viewer.set_encodings(encoding)
        viewer.first()
        viewers.append(viewer)
    return viewers


def draw_something(canvas, source):
    kind = source.randrange(6)
    width = source.choice((1, 2, 16, 17, 63, 64, 65, source.randint(1, canvas.width)))
    height = source.choice((1, 2, 16, 17, 64, source.randint(1, canvas.height)))
    width, height = min(width, canvas.width), min(height, canvas.height)
    x, y = source.randrange(canvas.width - width + 1), source.randrange(canvas.height - height + 1)
    if kind == 0:
        canvas.noise(source.random(), x, y, width, height)
    elif kind == 1:
        canvas.noise(source.random(), x, y, width, height, colours=source.randint(2, 20))
    elif kind == 2:     # scroll: the same pixels elsewhere
        rows = canvas.stride * min(height, canvas.height - 1)
        at = canvas.start + canvas.stride
        canvas.map[canvas.start:canvas.start + rows] = canvas.map[at:at + rows]
    elif kind == 3:     # two tiles change places
        side = 64
        if canvas.width >= 2 * side and canvas.height >= 2 * side:
            swap(canvas, (0, 0), (side, side), side)
    else:
        canvas.fill(source.randbytes(canvas.each), x, y, width, height)


def block(canvas, x, y, side):
    return b"".join(canvas.map[at:at + side * canvas.each]
                    for at in range(canvas.start + y * canvas.stride + x * canvas.each,
                                    canvas.start + (y + side) * canvas.stride + x * canvas.each, canvas.stride))


def swap(canvas, a, b, side):
    first, second = block(canvas, *a, side), block(canvas, *b, side)
    canvas.draw(*a, side, side, second)
    canvas.draw(*b, side, side, first)


class DamageReachesViewer(unittest.TestCase):
    def storm(self, d, canvas, viewers, seed, rounds, event=True):
        source = random.Random(seed)
        for turn in range(rounds):
            for _ in range(source.randint(1, 12)):
                draw_something(canvas, source)
                if event and source.random() < 0.5:
                    canvas.signal()
                if source.random() < 0.2:
                    time.sleep(source.random() * 0.03)
                for viewer in viewers:      # some look in between, some do not
                    if source.random() < 0.3:
                        viewer.request()
                        try:
                            viewer.update(timeout=source.choice((0.001, 0.02)))
                        except TimeoutError:
                            pass
            if event:
                canvas.signal()
            if turn % 4 == 3:
                until_shows(viewers, canvas, LIMIT)
        until_shows(viewers, canvas, LIMIT)

    def test_storm_with_an_eventfd(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            for form, (width, height) in (("XRGB8888", (320, 240)), ("RGB565", (333, 201)), ("RGB888", (257, 130))):
                canvas = surface.Surface(width, height, form)
                held = d.register(canvas, form)
                viewers = watch(d, form)
                self.storm(d, canvas, viewers, form, 24)
                for viewer in viewers:
                    viewer.close()
                del held

    def test_storm_with_the_timer(self):
        with daemon.Daemon() as d:
            for form, (width, height) in (("XRGB8888", (320, 240)), ("ABGR8888", (131, 257))):
                canvas = surface.Surface(width, height, form)
                held = d.register(canvas, form, event=False)
                viewers = watch(d, form)
                self.storm(d, canvas, viewers, form, 16, event=False)
                for viewer in viewers:
                    viewer.close()
                del held

    def test_storm_on_a_small_screen(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            for width, height in ((1, 1), (17, 33), (65, 1), (1, 65)):
                canvas = surface.Surface(width, height)
                held = d.register(canvas, f"{width}x{height}")
                self.storm(d, canvas, watch(d, f"{width}x{height}"), width, 8)
                del held

    def test_a_forgotten_signal(self):
        """The safety poll covers a registrant that draws and does not signal."""
        with daemon.Daemon(config="[capture]\nsafety-ms = 200\n") as d:
            canvas = surface.Surface(200, 100)
            held = d.register(canvas, "a")
            viewers = watch(d, "a", (rfb.RAW,))
            canvas.noise(1)
            until_shows(viewers, canvas, LIMIT)
            del held

    def test_the_least_change(self):
        """One bit of one colour of one pixel, at corners, edges and beside a tile's edge."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(200, 150)
            held = d.register(canvas, "a")
            viewers = watch(d, "a", (rfb.RAW, rfb.ZRLE))
            canvas.noise(1)
            canvas.signal()
            until_shows(viewers, canvas, LIMIT)
            for x, y in ((0, 0), (199, 0), (0, 149), (199, 149), (63, 63), (64, 64), (127, 128), (191, 5), (192, 149)):
                at = canvas.start + y * canvas.stride + x * 4
                for byte, bit in ((0, 0), (1, 7), (2, 3)):
                    canvas.map[at + byte] ^= 1 << bit
                    canvas.signal()
                    until_shows(viewers, canvas, LIMIT)
                    for left, top, width, height, _ in viewers[0].rects:
                        self.assertTrue(left <= x < left + width and top <= y < top + height)
                        self.assertLessEqual((width, height), (16, 16), "more than a block of 16 pixels for one pixel")
            del held

    def test_blank_to_blank(self):
        """All tiles alike before and after: a sum would not see it."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(256, 192)
            held = d.register(canvas, "a")
            viewers = watch(d, "a", (rfb.RAW, rfb.TIGHT))
            for value in (0, 0xffffff, 0x010101, 0, 0x000001, 0x010000, 0x7f7f7f, 0x808080, 0xff, 0xff00, 0xff0000):
                canvas.fill(value.to_bytes(4, "little"))
                canvas.signal()
                until_shows(viewers, canvas, LIMIT)
            del held

    def test_moved_blocks(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(320, 256)
            held = d.register(canvas, "a")
            viewers = watch(d, "a", (rfb.RAW, rfb.HEXTILE))
            canvas.noise(3, colours=5)
            source = random.Random(3)
            for side in (16, 32, 64):
                for _ in range(8):
                    a, b = ((source.randrange(320 // side) * side, source.randrange(256 // side) * side) for _ in range(2))
                    swap(canvas, a, b, side)
                    canvas.signal()
                    until_shows(viewers, canvas, LIMIT)
            del held

    def test_the_unused_byte_is_no_damage(self):
        """A guest that writes X of XRGB8888, or behind its rows, draws nothing: viewers get nothing."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(128, 64, stride=128 * 4 + 64)
            canvas.noise(2)
            held = d.register(canvas, "a")
            viewer, = watch(d, "a", (rfb.RAW,))
            viewer.settle()
            before = len(viewer.updates)
            source = random.Random(2)
            for y in range(64):
                at = canvas.start + y * canvas.stride
                canvas.map[at + 3:at + 512:4] = source.randbytes(128)
                canvas.map[at + 512:at + canvas.stride] = source.randbytes(64)
            captured = d.connect().describe("a")["framesCaptured"]
            canvas.signal()
            d.connect().until("a", lambda r: r["framesCaptured"] > captured, LIMIT)
            with self.assertRaises(TimeoutError):
                viewer.update(timeout=0.5)
            self.assertEqual(len(viewer.updates), before)
            self.assertIsNone(shows(viewer, canvas))
            del held

    def test_there_and_back(self):
        """A, B, A: whatever the viewer has seen of B, it ends at A."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(256, 128)
            held = d.register(canvas, "a")
            viewers = watch(d, "a")
            source = random.Random(11)
            for turn in range(40):
                x, y = source.randrange(192), source.randrange(64)
                canvas.fill(b"\x10\x20\x30\0", x, y, 64, 64)
                canvas.signal()
                time.sleep(source.choice((0, 0.002, 0.01, 0.03)))
                canvas.fill(b"\0\0\0\0", x, y, 64, 64)
                canvas.signal()
                for viewer in source.sample(viewers, 2):
                    viewer.request()
                if turn % 8 == 7:
                    until_shows(viewers, canvas, LIMIT)
            del held

    def test_a_viewer_that_sleeps(self):
        """It asks long after everything has changed many times, and gets the picture of now in one update."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(256, 192)
            held = d.register(canvas, "a")
            sleeper, awake = watch(d, "a", (rfb.ZRLE, rfb.RAW))
            sleeper.settle()
            before = len(sleeper.updates)
            source = random.Random(12)
            for _ in range(30):
                draw_something(canvas, source)
                canvas.signal()
                until_shows([awake], canvas, LIMIT)
            until_shows([sleeper, awake], canvas, LIMIT)
            self.assertLessEqual(len(sleeper.updates) - before, 2, "one was asked for before the changes, one after them")
            del held

    def test_pictures_are_whole(self):
        """The producer draws a whole new picture only when the last has come, and signals when it is done."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(640, 360)
            held = d.register(canvas, "a")
            viewers = watch(d, "a")
            for viewer in viewers:
                viewer.settle()
            for turn in range(12):
                if turn % 3 == 0:
                    canvas.noise(turn, colours=4)
                else:
                    canvas.fill(bytes((turn * 20, 255 - turn, turn, 0)))
                canvas.signal()
                for viewer in viewers:
                    viewer.update()
                    self.assertIsNone(shows(viewer, canvas), f"turn {turn}: the first update is not the whole picture")
                    viewer.request()
            del held

    def test_nothing_is_made_up(self):
        """While a producer draws without a pause in three colours, all seven encodings show these and no other, and stay
        decodable: no encoder sees a pixel change under its hands."""
        palette = (b"\x11\x22\x33\0", b"\xee\xdd\xcc\0", b"\x80\x00\xff\0")
        known = {each[:3] for each in palette}
        with daemon.Daemon(config="[viewers]\nframes-per-second-maximum = 240\n") as d:
            canvas = surface.Surface(320, 200)
            canvas.fill(palette[0])
            held = d.register(canvas, "a")
            viewers = watch(d, "a")
            stop = threading.Event()

            def draw():
                source = random.Random(13)
                while not stop.is_set():
                    for _ in range(20):
                        width, height = source.randint(1, 320), source.randint(1, 40)
                        data = source.choice(palette) * (width * height)
                        canvas.draw(source.randrange(321 - width), source.randrange(201 - height), width, height, data)
                    canvas.signal()
                    time.sleep(0.001)

            producer = threading.Thread(target=draw)
            producer.start()
            try:
                for _ in range(30):
                    for viewer in viewers:
                        viewer.request()
                    for viewer in viewers:
                        viewer.update()
                        pixels = bytes(viewer.pixels)
                        shown = {pixels[i:i + 3] for i in range(0, len(pixels), 4)}
                        self.assertLessEqual(shown, known, rfb.NAMES[viewer.rects[0][4]] if viewer.rects else "")
            finally:
                stop.set()
                producer.join()
            canvas.signal()
            until_shows(viewers, canvas, LIMIT)
            del held

    def test_viewers_come_and_go(self):
        """One who comes while others watch gets the whole picture, not only what changes from then on."""
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(300, 200)
            held = d.register(canvas, "a")
            source = random.Random(14)
            viewers = []
            for turn in range(24):
                if viewers and source.random() < 0.4:
                    viewers.pop(source.randrange(len(viewers))).close()
                else:
                    viewers += watch(d, "a", (source.choice(ENCODINGS),))
                draw_something(canvas, source)
                canvas.signal()
                until_shows(viewers, canvas, LIMIT)
            del held

    def test_drawn_while_nobody_looked(self):
        with daemon.Daemon(config=NO_SAFETY) as d:
            canvas = surface.Surface(300, 200)
            held = d.register(canvas, "a")
            source = random.Random(15)
            for _ in range(25):
                viewers = watch(d, "a", (rfb.ZRLE,))
                self.assertIsNone(shows(viewers[0], canvas))
                viewers[0].close()
                d.until(lambda: d.connect().describe("a")["viewers"] == 0, "the viewer's end")
                draw_something(canvas, source)
                if source.random() < 0.5:
                    canvas.signal()
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
