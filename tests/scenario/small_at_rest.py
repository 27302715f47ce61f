#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a display with a viewer takes of the host's memory beside its frame, once nothing happens any more: less than 30 % of a picture in full HD;
and what the daemon keeps when the viewer has left."""
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

WIDTH, HEIGHT = 1920, 1080
LIMIT = 30 * daemon.SLOW
DISPLAYS = 4
LEFT = 6                        # % of a frame that the daemon keeps of a display without viewers: hashes, and what they are made with


def own(*pids):
    """Bytes of the daemon and its programs that no file has, and page tables: frames and guests' memory are files."""
    total = 0
    for pid in pids:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += 1024 * (int(re.search(r"^Anonymous:\s+(\d+)", rollup, re.M)[1]) + int(re.search(r"^VmPTE:\s+(\d+)", status, re.M)[1]))
    return total


@unittest.skipIf(daemon.SANITIZED, "sanitizers have memory of their own")
class SmallAtRest(unittest.TestCase):
    def show(self, d, name):
        canvas = surface.Surface(WIDTH, HEIGHT)
        self.addCleanup(canvas.close)
        canvas.noise(name, 100, 100, 400, 300, colours=6)
        self.addCleanup(os.close, d.register(canvas, name))
        viewer = d.viewer(name)
        self.addCleanup(viewer.close)
        viewer.set_encodings(rfb.TIGHT, rfb.LAST_RECT, rfb.RAW)
        viewer.first()
        for number in range(3):     # what looks for moves and what encodes have work
            canvas.noise(number, 100, 100, 400, 300, colours=6)
            viewer.request()
            viewer.update()
        viewer.request()

    def least(self, measure, enough):
        """Bytes, as soon as they are few enough, or after LIMIT."""
        end = time.monotonic() + LIMIT
        while (now := measure()) > enough and time.monotonic() < end:
            time.sleep(0.1)
        return now

    def test_a_display_at_rest(self):
        with daemon.Daemon() as d:
            def all_own():
                return own(d.pid, *d.children())

            before = all_own()
            for i in range(DISPLAYS):
                self.show(d, f"x{i}")
            most = DISPLAYS * WIDTH * HEIGHT * 4 * 30 // 100
            grown = self.least(all_own, before + most) - before
            self.assertLessEqual(grown, most, f"{100 * grown / DISPLAYS / (WIDTH * HEIGHT * 4):.1f} % of a frame each")

    def test_displays_whose_viewers_leave_at_once(self):
        """While all of the picture changes: nobody looks after that."""
        with daemon.Daemon() as d:
            before, displays = own(d.pid), 2
            for i in range(displays):
                canvas = surface.Surface(WIDTH, HEIGHT)
                self.addCleanup(canvas.close)
                self.addCleanup(os.close, d.register(canvas, f"x{i}"))
                viewer = d.viewer(f"x{i}")
                viewer.first()
                for _ in range(3):
                    canvas.draw(0, 0, WIDTH, HEIGHT, os.urandom(WIDTH * HEIGHT * 4))
                    viewer.request()
                    viewer.update()
                viewer.close()
            most = displays * WIDTH * HEIGHT * 4 * LEFT // 100
            grown = self.least(lambda: own(d.pid), before + most) - before
            self.assertLessEqual(grown, most, f"{100 * grown / displays / (WIDTH * HEIGHT * 4):.1f} % of a frame each")


if __name__ == "__main__":
    unittest.main(verbosity=2)
