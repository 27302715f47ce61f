#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each viewer has its own pace: a slow one costs a fast one nothing, gets current pictures and not a long queue of old ones, and
nobody gets more bytes or frames than the caps allow."""
import os
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from beside import Beside  # noqa: E402
from compare import until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
CAP = 300000


class Painter:
    """Draws all of the surface again and again."""

    def __init__(self, canvas):
        self.canvas, self.ended = canvas, threading.Event()
        self.thread = threading.Thread(target=self.paint)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def paint(self):
        number = 0
        while not self.ended.wait(0.02):
            number += 1
            self.canvas.noise(number)
            self.canvas.signal()


class OwnPace(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(320, 240)
        self.addCleanup(self.canvas.close)

    def daemon(self, config=""):
        d = daemon.Daemon(config=config)
        self.enterContext(d)
        held = d.register(self.canvas, "x")
        self.addCleanup(os.close, held)
        return d

    def read_slowly(self, viewer, seconds, rate):
        """Takes so many bytes a second."""
        end, taken, begin = time.monotonic() + seconds, 0, time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.02)
            while taken < rate * (time.monotonic() - begin):
                deadline = time.monotonic() + 0.005
                before = viewer.bytes
                try:
                    viewer.hear(deadline)
                    viewer.request()
                except TimeoutError:
                    break
                taken += viewer.bytes - before

    def test_a_slow_one_beside_a_fast_one(self):
        d = self.daemon()
        for extra in ((), (rfb.FENCE,)):
            slow = d.viewer("x")
            slow.set_encodings(rfb.RAW, *extra)
            slow.request(incremental=False)
            with Beside(d.dir / "rfb" / "x", self.canvas) as good:
                self.read_slowly(slow, 4, 400000)
            good.check(self)
            until_shows([slow], self.canvas, LIMIT)
            slow.close()

    def test_a_silent_one_with_fences_beside_a_fast_one(self):
        d = self.daemon()
        with Beside(d.dir / "rfb" / "x", self.canvas) as good:
            # Two: while the rate is not known, one more than fits is not sent before an answer, for two seconds. A machine on which a
            # second takes that long tells nothing: once more.
            for _ in range(10):
                silent, began = self.silent(d), time.monotonic()
                self.hear(silent, 1)
                if time.monotonic() < began + 1.9:
                    break
                silent.close()
            else:
                self.fail("no second took less than two")
            self.assertIn(len(silent.updates), (1, 2))
            # Then it is one that does not know fences.
            self.hear(silent, 3)
            self.assertGreater(len(silent.updates), 4)
        good.check(self)

    def silent(self, d):
        viewer = d.viewer("x")
        viewer.answers_fences = False
        viewer.set_encodings(rfb.RAW, rfb.FENCE)
        viewer.request(incremental=False)
        return viewer

    def hear(self, viewer, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                viewer.hear(end)
            except TimeoutError:
                return
            viewer.request()

    def test_a_slow_line_gets_less_quality(self):
        d = self.daemon()
        slow = d.viewer("x")
        slow.set_encodings(rfb.TIGHT, -23, rfb.FENCE)
        sizes = []
        with Painter(self.canvas):
            end = time.monotonic() + LIMIT
            while len(sizes) < 4 or sizes[-1] > max(sizes) * 3 // 4:
                self.assertLess(time.monotonic(), end, f"bytes of the updates: {sizes}")
                before = slow.bytes
                slow.request(incremental=False)
                slow.update()
                sizes.append(slow.bytes - before)
                self.linger(slow, 0.3)
        # Nobody else's: a line that is not slow has the quality that was wished for.
        other = d.viewer("x")
        other.set_encodings(rfb.TIGHT, -23, rfb.FENCE)
        before = other.bytes
        other.request(incremental=False)
        other.update()
        self.assertGreater(other.bytes - before, sizes[-1])

    @staticmethod
    def linger(viewer, seconds):
        """The viewer takes its time, and has asked for more already: what comes next has waited for the line, as its fences tell."""
        viewer.request()
        time.sleep(seconds)

    def test_the_cap_of_bytes(self):
        d = self.daemon(f"[viewers]\nbytes-per-second-maximum = {CAP}\n")
        viewer = d.viewer("x")
        viewer.set_encodings(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        begin, one = time.monotonic(), 320 * 240 * 4
        viewer.continuous()
        with Painter(self.canvas):
            while time.monotonic() < begin + 6:
                try:
                    viewer.hear(time.monotonic() + 0.1)
                except TimeoutError:
                    pass
                allowed = CAP * (time.monotonic() - begin) + one + 4096
                self.assertLessEqual(viewer.bytes, allowed)
        self.assertGreaterEqual(len(viewer.updates), 2)

    def test_the_cap_of_bytes_can_change(self):
        d = self.daemon()
        viewer = d.viewer("x")
        viewer.set_encodings(rfb.RAW)
        viewer.first()
        d.connect().call("Update", {"id": "x", "context": {"bytesPerSecondMaximum": CAP}})
        time.sleep(0.2)
        begin, before = time.monotonic(), viewer.bytes
        with Painter(self.canvas):
            while time.monotonic() < begin + 4:
                viewer.request()
                viewer.update(timeout=LIMIT)
                allowed = CAP * (time.monotonic() - begin) + 2 * 320 * 240 * 4
                self.assertLessEqual(viewer.bytes - before, allowed)

    def test_the_cap_of_frames(self):
        d = self.daemon("[viewers]\nframes-per-second-maximum = 10\n")
        viewer = d.viewer("x")
        viewer.set_encodings(rfb.HEXTILE, rfb.CONTINUOUS_UPDATES, rfb.FENCE)
        viewer.continuous()
        begin = time.monotonic()
        with Painter(self.canvas):
            while time.monotonic() < begin + 3:
                viewer.update(timeout=LIMIT)
        self.assertLessEqual(len(viewer.updates), 10 * (time.monotonic() - begin) + 2)


if __name__ == "__main__":
    unittest.main()
