#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the guest shows nothing, viewers read why, and the picture is back as soon as there is one."""
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import is_words, shows, until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
OFF = "the guest has not switched its display on"


def watch(d, display, *encodings):
    viewer = d.viewer(display)
    viewer.set_encodings(*(encodings or (rfb.ZRLE, rfb.DESKTOP_SIZE)))
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


class PlaneOffShowsPlacard(unittest.TestCase):
    def test_off_from_the_beginning(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480)
            canvas.off()
            held = d.register(canvas, "a")
            viewer = watch(d, "a")
            self.assertEqual((viewer.width, viewer.height), (1024, 768))
            self.assertTrue(is_words(viewer))
            client = d.connect()
            runtime = client.until("a", lambda r: r["state"] == "blank")
            self.assertEqual((runtime["stateReason"], runtime["planes"]), (OFF, []))
            canvas.noise(1)
            canvas.show()
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            runtime = client.until("a", lambda r: r["state"] == "live")
            self.assertIsNone(runtime.get("stateReason"))
            del held

    def test_off_and_on(self):
        """The words have the size of the picture: viewers that cannot resize see them too. Three times."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a"), watch(d, "a", rfb.RAW), watch(d, "a", rfb.TIGHT, rfb.EXTENDED_DESKTOP_SIZE)]
            for turn in range(3):
                canvas.noise(turn)
                canvas.show()
                canvas.signal()
                until_shows(viewers, canvas, LIMIT)
                canvas.off()
                for viewer in viewers:
                    until(viewer, lambda v=viewer: is_words(v), "words")
                self.assertEqual(viewers[0].pixels, viewers[1].pixels)
                self.assertEqual([(v.width, v.height) for v in viewers], [(640, 480)] * 3)
                late = watch(d, "a", rfb.HEXTILE)
                self.assertEqual(late.pixels, viewers[0].pixels, "who comes now sees the same words")
                late.close()
            del held

    def test_with_the_timer(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(400, 300)
            held = d.register(canvas, "a", event=False)
            viewer = watch(d, "a")
            canvas.off()
            until(viewer, lambda: is_words(viewer), "words")
            canvas.noise(2)
            canvas.show()
            until_shows([viewer], canvas, LIMIT)
            del held

    def test_words_need_room(self):
        """After a tiny picture the words still fit."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(17, 33)
            held = d.register(canvas, "a")
            viewer = watch(d, "a")
            self.assertIsNone(shows(viewer, canvas))
            canvas.off()
            until(viewer, lambda: (viewer.width, viewer.height) == (320, 200) and is_words(viewer), "words")
            canvas.show()
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            del held

    def test_a_short_gap_shows_no_words(self):
        """A guest that changes its mode is off for a moment; viewers keep the last picture."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480, room=800 * 600 * 4)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a")
            for attempt in range(20):
                viewer.resized = 0
                looks = d.connect().describe("a")
                before = time.monotonic()
                canvas.off()
                time.sleep(0.05)
                canvas.shape(800 - attempt, 600)
                canvas.noise(attempt)
                canvas.show()
                canvas.signal()
                gap = time.monotonic() - before
                del looks
                wordy = []
                until(viewer, lambda: wordy.append(is_words(viewer)) or (viewer.width == canvas.width
                                                                         and shows(viewer, canvas) is None), "the picture")
                if gap < 0.3:       # else this machine was too slow to leave a short gap
                    self.assertFalse(any(wordy), "words in a gap of a mode switch")
                    self.assertEqual(viewer.resized, 1)
                    break
            del held

    def test_a_source_that_fails_for_a_moment(self):
        """A burst of errors at a mode switch: the last picture stays, then the new one comes, without words in between."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a")
            for attempt in range(20):
                before = time.monotonic()
                canvas.show(sequence=False)     # a header that is never whole
                canvas.signal()
                time.sleep(0.15)
                canvas.noise(attempt + 2)
                canvas.show()
                canvas.signal()
                gap = time.monotonic() - before
                wordy = []
                until(viewer, lambda: wordy.append(is_words(viewer)) or shows(viewer, canvas) is None, "the picture")
                if gap < 0.3:       # else this machine was too slow to leave a short gap
                    self.assertFalse(any(wordy), "words in a short burst of errors")
                    break
            del held

    def test_a_source_that_goes_on_failing(self):
        """After half a second the words say why, and it is asked less and less often; the picture is back soon after it says something."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewer = watch(d, "a")
            canvas.show(sequence=False)
            canvas.signal()
            until(viewer, lambda: is_words(viewer), "words")
            runtime = d.connect().until("a", lambda r: r["state"] == "blank")
            self.assertIn("the driver does not say what it shows", runtime["stateReason"])
            time.sleep(1)
            before, end = d.wakeups(d.pid), time.monotonic() + 2
            while time.monotonic() < end:       # a guest that signals without end
                canvas.signal()
                time.sleep(0.01)
            self.assertLess(d.wakeups(d.pid) - before, 40)
            canvas.noise(2)
            canvas.show()
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            self.assertIn("no picture: the driver does not say what it shows", d.text())
            del held

    def test_capture_says_that_there_is_nothing(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(64, 64)
            held = d.register(canvas, "a")
            canvas.off()
            client = d.connect()
            with self.assertRaises(varlink.VarlinkError) as caught:
                client.call("Capture", {"id": "a"})
            self.assertEqual((caught.exception.error, caught.exception.parameters),
                             ("NotLive", {"id": "a", "state": "blank"}))
            del held

    def test_the_cursor_goes_with_the_picture(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(400, 300)
            canvas.set_cursor(20, 20, 16, b"\xff\xff\xff\xff" * 256)
            held = d.register(canvas, "a")
            viewer = watch(d, "a", rfb.ZRLE, rfb.CURSOR, rfb.DESKTOP_SIZE)
            until(viewer, lambda: viewer.cursor and viewer.cursor[:2] == (16, 16), "a shape")
            canvas.off()
            until(viewer, lambda: is_words(viewer) and not any(viewer.cursor[5]), "words and no shape")
            canvas.show()
            canvas.signal()
            until(viewer, lambda: viewer.cursor[:2] == (16, 16) and shows(viewer, canvas) is None, "picture and shape")
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
