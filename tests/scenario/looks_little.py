#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How much is looked at, in looks and wake-ups, not in time: a still picture by one row of eight, one that changes here and there by fewer and where
that was, what is told of at once and as a whole."""
import os
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import until_shows  # noqa: E402

WIDTH, HEIGHT = 640, 400
LIMIT = 20 * daemon.SLOW


class LooksLittle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Slow enough to be counted, and the same all the time.
        cls.d = cls.enterClassContext(daemon.Daemon(config="[capture]\ntimer-fast-ms = 50\ntimer-slow-ms = 50\n"))
        cls.client = cls.d.connect()

    def show(self, name, **more):
        # Room for two pictures: a flip is another offset.
        canvas = surface.Surface(WIDTH, HEIGHT, room=2 * WIDTH * HEIGHT * 4)
        self.addCleanup(canvas.close)
        canvas.noise(1)
        self.addCleanup(os.close, self.d.register(canvas, name, **more))
        viewer = self.d.viewer(name)
        self.addCleanup(viewer.close)
        viewer.set_encodings(rfb.RAW)
        viewer.first()
        viewer.request()
        return canvas, viewer

    def looks(self, name):
        """That brought the picture up to date, at some rows, and how many of the latter before the last of the former. Metrics may be a
        tenth of a second old, this is not."""
        reply = self.client.call("Dump", {"id": name})
        fd, = self.client.fds
        try:
            text = os.pread(fd, reply["bytes"] + 1, 0).decode()
        finally:
            os.close(fd)
        words = re.search(r"(\d+) at the whole picture, (\d+) at a part of it, (\d+) at some rows \((\d+) since\)", text).groups()
        self.whole, self.part, rows, since = map(int, words)
        return self.whole + self.part, rows, rows - since

    def wait(self, test, what):
        end = time.monotonic() + LIMIT
        while not test():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def settle(self, name):
        """Until nothing is looked at but by probes."""
        def rests():
            before = self.looks(name)
            self.wait(lambda: self.looks(name)[1] >= before[1] + 10, "ten probes")
            return self.looks(name)[0] == before[0]
        self.wait(rests, "a picture that rests")

    def test_a_still_picture_is_probed(self):
        self.show("still", event=False)
        self.settle("still")
        whole, probes, _ = self.looks("still")
        self.wait(lambda: self.looks("still")[1] >= probes + 40, "forty probes")
        self.assertEqual(self.looks("still")[0], whole)

    def test_what_is_eight_rows_high_is_found_by_the_next_looks(self):
        canvas, viewer = self.show("glyphs", event=False)
        self.settle("glyphs")
        for n in range(12):
            whole = self.looks("glyphs")[0]
            canvas.noise(n + 2, 16 + 37 * n, 11 + 29 * n, 8, 8)
            probes = self.looks("glyphs")[1]
            viewer.update()
            viewer.request()
            after = self.looks("glyphs")
            # One probe finds it, or just after a change, and not where that was, four. Another may have been under way, and half of it
            # have been drawn.
            self.assertLessEqual(after[2] - probes, 3 if n == 0 else 6)
            self.assertIn(after[0] - whole, range(1, 5))

    def test_what_is_drawn_again_and_again_in_one_place_is_looked_at_there(self):
        canvas, viewer = self.show("clock", event=False)
        self.settle("clock")
        self.looks("clock")
        part = self.part
        for n in range(20):
            canvas.noise(n + 2, 600, 380, 16, 16)
            viewer.update()
            viewer.request()
            # One look finds nothing, so that this is no film.
            probes = self.looks("clock")[1]
            self.wait(lambda: self.looks("clock")[1] >= probes + 2, "two probes")
        self.looks("clock")
        # Nearly all of them. A machine that is late comes to what is owed first, or finds it half drawn.
        self.assertGreaterEqual(self.part - part, 4)
        # All of it is looked at in the end.
        before = self.whole
        canvas.noise(99, 600, 380, 16, 16)
        viewer.update()

        def paid():
            self.looks("clock")
            return self.whole > before
        self.wait(paid, "a look at all of it")

    def test_one_pixel_is_found_within_eight(self):
        canvas, viewer = self.show("pixels", event=False)
        self.settle("pixels")
        for n in range(10):
            x, y = 63 * n % WIDTH, 41 * n % HEIGHT
            at = canvas.start + y * canvas.stride + x * 4
            canvas.map[at] ^= 1
            probes = self.looks("pixels")[1]
            viewer.update()
            viewer.request()
            # Counted up to the look that found it, however long its news took to get here. One may have been under way.
            self.assertLessEqual(self.looks("pixels")[2] - probes, 8 + 1)

    def test_a_flip_is_looked_at_as_a_whole(self):
        canvas, viewer = self.show("flips", event=False)
        self.settle("flips")
        place = canvas.start
        for n in range(4):
            whole = self.looks("flips")[0]
            # The same pixels elsewhere: no probe would find anything.
            other = place if n % 2 else place + WIDTH * HEIGHT * 4
            canvas.map[other:other + WIDTH * HEIGHT * 4] = canvas.map[canvas.start:canvas.start + WIDTH * HEIGHT * 4]
            canvas.start = other
            canvas.show()
            self.wait(lambda: self.looks("flips")[0] > whole, "a look at the other buffer")

    def test_letters_that_are_told_of_are_looked_for_first(self):
        canvas, viewer = self.show("typed")
        letters, rest, corner = 24, 0, (WIDTH - 4, HEIGHT - 4)
        self.looks("typed")
        part = self.part
        for n in range(letters):
            canvas.noise(n + 2, 100 + 8 * n, 211, 7, 11)
            # Now and then something elsewhere, too.
            if n % 8 == 7:
                canvas.noise(n + 99, *corner, 4, 4)
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
        self.looks("typed")
        self.assertGreaterEqual(self.part - part, letters // 2)

    def test_whoever_is_told_is_not_woken(self):
        canvas, viewer = self.show("told")
        for n in range(3):
            canvas.noise(n + 2, 50, 50, 40, 40)
            canvas.signal()
            viewer.update()
            viewer.request()
        whole, probes, _ = self.looks("told")
        self.assertEqual(probes, 0)
        time.sleep(8)
        # After 1, 2 and 4 s, and the next one after 8. That a machine is slow makes it fewer.
        self.assertLessEqual(self.looks("told")[0] - whole, 4)
        self.assertEqual(self.looks("told")[1], 0)


if __name__ == "__main__":
    unittest.main()
