#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer asks for another size (SetDesktopSize). A surface has no monitor to tell the guest about, so everybody hears "prohibited";
the surface's own change of size reaches everybody all the same, each in the words that it knows."""
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
ROOM = 1920 * 1080 * 4
SERVER, THIS = 0, 1
DONE, PROHIBITED = 0, 1


def watch(d, display, *encodings):
    viewer = d.viewer(display)
    viewer.set_encodings(*encodings)
    viewer.first()
    return viewer


def answered(viewer, count=1):
    """The next notices about sizes, after a time of asking for updates."""
    end = time.monotonic() + LIMIT
    viewer.request()
    while len(viewer.size_answers) < count:
        viewer.update(timeout=max(end - time.monotonic(), 0.05))
        viewer.request()
    got, viewer.size_answers = viewer.size_answers[:count], viewer.size_answers[count:]
    return got


class AskForSize(unittest.TestCase):
    def refused(self, viewer, canvas, *asked):
        viewer.size_answers = []
        viewer.ask_size(*asked)
        self.assertEqual(answered(viewer), [(THIS, PROHIBITED, canvas.width, canvas.height)])
        self.assertEqual((viewer.width, viewer.height), (canvas.width, canvas.height))

    def test_a_surface_has_no_other_sizes(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.ZRLE, rfb.EXTENDED_DESKTOP_SIZE)
            for asked in ((640, 480), (320, 240), (0, 0), (65535, 65535), (640, 480, []),
                          (640, 480, [(0, 0, 0, 320, 480, 0), (1, 320, 0, 320, 480, 0)])):
                with self.subTest(asked):
                    self.refused(viewer, canvas, *asked)
            canvas.noise(2)
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            del held

    def test_who_may_only_view(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            held = d.register(canvas, "a", context={"viewOnly": True})
            viewer = watch(d, "a", rfb.RAW, rfb.EXTENDED_DESKTOP_SIZE)
            self.refused(viewer, canvas, 640, 480)
            del held

    def test_who_never_said_that_it_can(self):
        """No answer, no harm."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.RAW, rfb.DESKTOP_SIZE)
            viewer.ask_size(640, 480)
            canvas.noise(2)
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            self.assertEqual(viewer.size_answers, [])
            del held

    def test_the_surface_s_own_change(self):
        """Reason 0, the server, and never a status; also while a viewer asks."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            canvas.noise(1)
            held = d.register(canvas, "a")
            new, old = watch(d, "a", rfb.HEXTILE, rfb.EXTENDED_DESKTOP_SIZE), watch(d, "a", rfb.TIGHT, rfb.DESKTOP_SIZE)
            for turn, (width, height) in enumerate(((640, 480), (200, 100), (1024, 768))):
                new.size_answers = []
                if turn:
                    new.ask_size(width, height)
                canvas.shape(width, height)
                canvas.noise(turn, colours=9)
                canvas.show()
                canvas.signal()
                until_shows([new, old], canvas, LIMIT)
                changes = [each[:2] for each in new.size_answers if each[:2] != (THIS, PROHIBITED)]
                self.assertEqual(set(changes), {(SERVER, DONE)})
                self.assertEqual((new.resized, old.resized), (turn + 1, turn + 1))
                self.assertEqual(len(new.screens), 1)
                self.assertEqual(new.screens[0][1:5], (0, 0, width, height))
            self.assertEqual(old.size_answers, [])
            del held

    def test_a_flood(self):
        """Somebody who asks all the time gets little for it, and others see every picture."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240, room=ROOM)
            canvas.noise(1)
            held = d.register(canvas, "a")
            pest, good = watch(d, "a", rfb.RAW, rfb.EXTENDED_DESKTOP_SIZE), watch(d, "a", rfb.ZRLE, rfb.DESKTOP_SIZE)
            pest.settle()
            for turn in range(5):
                for i in range(400):
                    pest.ask_size(100 + i, 100)
                canvas.noise(turn + 7)
                canvas.signal()
                until_shows([good], canvas, LIMIT)
            pest.size_answers = []
            before = pest.bytes
            until_shows([pest], canvas, LIMIT)
            # Of 2000. Some wait for each update, and how many updates there are is the machine's business.
            self.assertLessEqual(len(pest.size_answers), 200)
            self.assertLess(pest.bytes - before, 200 * 48 + 2 * 320 * 240 * 4)
            self.refused(pest, canvas, 640, 480)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
