#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that changes its mode takes its viewers along: by DesktopSize, by ExtendedDesktopSize, or with a reason to leave."""
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
ROOM = 2048 * 1200 * 4
MODES = ((800, 600), (17, 33), (1, 1), (1366, 768), (1024, 768), (1023, 767), (640, 480))
BOTH = (rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)


def mode(canvas, width, height, form="XRGB8888", seed=None):
    """As a guest does it: pixels first, then the plane, then the signal."""
    canvas.shape(width, height, form)
    canvas.noise(seed or width * height, colours=7)
    canvas.show()
    canvas.signal()


def watch(d, display, *encodings):
    viewer = d.viewer(display)
    viewer.set_encodings(*encodings)
    viewer.first()
    return viewer


class Resize(unittest.TestCase):
    def follow(self, encodings, check=lambda viewer: None):
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", *encodings)
            for i, (width, height) in enumerate(MODES):
                mode(canvas, width, height)
                until_shows([viewer], canvas, LIMIT)
                self.assertEqual(viewer.resized, i + 1)
                check(viewer)
            runtime = d.connect().describe("a")
            self.assertEqual((runtime["planes"][0]["width"], runtime["planes"][0]["height"]), MODES[-1])
            self.assertEqual(runtime["viewers"], 1)
            del held

    def test_desktop_size(self):
        self.follow((rfb.ZRLE, rfb.DESKTOP_SIZE))

    def test_extended_desktop_size(self):
        def one_screen(viewer):
            (_, x, y, width, height, _), = viewer.screens
            self.assertEqual((x, y, width, height), (0, 0, viewer.width, viewer.height))
        self.follow((rfb.TIGHT, rfb.EXTENDED_DESKTOP_SIZE), one_screen)

    def test_both(self):
        self.follow((rfb.HEXTILE, *BOTH))

    def test_in_every_encoding(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", each, BOTH[each % 2]) for each in rfb.NAMES if each != rfb.COPYRECT]
            for width, height in ((333, 222), (64, 64), (500, 41), (16, 300)):
                mode(canvas, width, height)
                until_shows(viewers, canvas, LIMIT)
            del held

    def test_a_viewer_that_cannot(self):
        """It is closed and the log says why; those beside it go on."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a")
            stiff, good = watch(d, "a", rfb.RAW), watch(d, "a", rfb.RAW, rfb.DESKTOP_SIZE)
            stiff.request()
            mode(canvas, 400, 300)
            until_shows([good], canvas, LIMIT)
            with self.assertRaises((EOFError, ConnectionError)):
                while True:     # a look in the middle of the change may show the old size once more
                    stiff.update(timeout=LIMIT)
                    stiff.request()
            d.until(lambda: "cannot resize" in d.text(), "the reason in the log")
            d.until(lambda: d.connect().describe("a")["viewers"] == 1, "the end of one viewer")
            canvas.noise(9)
            canvas.signal()
            until_shows([good], canvas, LIMIT)
            again = watch(d, "a", rfb.RAW)
            self.assertEqual((again.width, again.height), (400, 300))
            self.assertIsNone(shows(again, canvas))
            del held

    def test_the_same_size_is_no_resize(self):
        """Another format or another buffer of the same size: viewers that cannot resize stay."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.RAW), watch(d, "a", rfb.ZRLE, *BOTH)]
            for form in (*surface.FORMATS, "XRGB8888"):
                mode(canvas, 320, 240, form, seed=form)
                until_shows(viewers, canvas, LIMIT)
            canvas.start += 4096
            canvas.noise(1)
            canvas.show()
            canvas.signal()
            until_shows(viewers, canvas, LIMIT)
            self.assertEqual([viewer.resized for viewer in viewers], [0, 0])
            del held

    def test_many_modes_in_a_hurry(self):
        """Modes come and go faster than viewers look, with draws in between; at rest everyone has the last one."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a", rfb.ZRLE, rfb.DESKTOP_SIZE), watch(d, "a", rfb.TIGHT, rfb.EXTENDED_DESKTOP_SIZE),
                       watch(d, "a", rfb.RAW, *BOTH), watch(d, "a", rfb.HEXTILE, *BOTH)]
            source = random.Random(4)
            for turn in range(30):
                mode(canvas, source.randint(1, 500), source.randint(1, 400), source.choice(list(surface.FORMATS)), seed=turn)
                time.sleep(source.choice((0, 0, 0.005, 0.03)))
                for viewer in source.sample(viewers, 2):
                    viewer.request()
                    try:
                        viewer.update(timeout=0.01)
                    except TimeoutError:
                        pass
                if turn % 10 == 9:
                    until_shows(viewers, canvas, LIMIT)
            del held

    def test_while_a_viewer_reads_nothing(self):
        """The old picture is still on its way; the stream stays in order."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(1600, 1000, room=ROOM)
            canvas.noise(1)
            held = d.register(canvas, "a")
            slow = d.viewer("a")
            slow.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE)
            good = watch(d, "a", rfb.RAW, rfb.DESKTOP_SIZE)
            slow.request(incremental=False)     # 6 MB that it does not take
            for width, height in ((700, 500), (300, 900)):
                mode(canvas, width, height)
                until_shows([good], canvas, LIMIT)
            until_shows([slow], canvas, LIMIT)
            del held

    def test_requests_for_the_old_size(self):
        """A request that crosses the resize asks for more than there is."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(800, 600, room=ROOM)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.RAW, rfb.DESKTOP_SIZE)
            mode(canvas, 100, 50)
            for area in ((0, 0, 800, 600), (700, 500, 100, 100), (0, 0, 65535, 65535), (65535, 65535, 1, 1), (50, 25, 0, 0)):
                viewer.request(area=area)
                viewer.request(incremental=False, area=area)
            until_shows([viewer], canvas, LIMIT)
            mode(canvas, 900, 700)
            until_shows([viewer], canvas, LIMIT)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
