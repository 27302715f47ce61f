#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes that viewers ask for (SetDesktopSize): what vfio-displayd-rfb answers, what it tells the broker, and who is told what when the
guest has another mode at last. The broker is played here.
"""

import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rfb_harness as rfb  # noqa: E402
from rfb_harness import Viewer  # noqa: E402
from test_rfb_program import Case, wait_until  # noqa: E402

SERVER, THIS, OTHER = range(3)
DONE, PROHIBITED, INVALID, FORWARDED = 0, 1, 3, 4
BOTH = (0, -223, -308)
PACE = 0.25     # LIMIT_RESIZE_MS


def wish_of(body):
    return struct.unpack_from("=III", body)


class Sizes(Case):
    def viewer(self, path, encodings=BOTH):
        viewer = Viewer(path, encodings=encodings)
        self.addCleanup(viewer.close)
        viewer.request(False)
        while viewer.last is None:
            viewer.update()
            viewer.request()
        return viewer

    def told(self, viewer, reason, status, seconds=5):
        """The next notice about sizes is that one."""
        viewer.sock.settimeout(seconds)
        while not viewer.layouts:
            viewer.request()
            viewer.update()
        self.assertEqual(viewer.layouts.pop(0), (reason, status))

    def asked(self, broker, *size):
        self.assertEqual(wish_of(broker.wait(rfb.RESIZE))[1:], size)

    def quiet(self, broker, seconds=0.3):
        time.sleep(seconds)
        self.assertIsNone(broker.take(rfb.RESIZE))

    def ready(self, size=(320, 240), sizes=(1920, 1080), **options):
        broker = self.broker(size)
        if sizes:
            broker.sizes(*sizes)
        viewer = self.viewer(broker.listen_unix(**options))
        viewer.layouts.clear()
        return broker, viewer

    def test_the_layout_is_told(self):
        """Who lists ExtendedDesktopSize learns that it is spoken, and again by each request that is not incremental."""
        broker = self.broker()
        viewer = Viewer(broker.listen_unix(), encodings=(0,))
        self.addCleanup(viewer.close)
        viewer.request()
        viewer.set_encodings(BOTH)
        self.told(viewer, SERVER, DONE)
        viewer.request(False)
        self.told(viewer, SERVER, DONE)
        viewer.set_encodings((-308, 0))     # nothing new
        viewer.set_encodings((0,))
        viewer.set_encodings(BOTH)
        self.told(viewer, SERVER, DONE)
        self.assertEqual((viewer.width, viewer.height), (320, 240))

    def test_nobody_may(self):
        """Not before the broker has said how far, and not after it took it back."""
        broker, viewer = self.ready(sizes=None)
        viewer.ask_size(640, 480)
        self.told(viewer, THIS, PROHIBITED)
        broker.sizes(800, 600)
        broker.sizes(0, 0)
        time.sleep(0.1)
        viewer.ask_size(640, 480)
        self.told(viewer, THIS, PROHIBITED)
        self.quiet(broker)

    def test_who_only_looks_may_not(self):
        broker, viewer = self.ready(mode=rfb.VIEW)
        for size in ((640, 480), (0, 0), (320, 240)):
            viewer.ask_size(*size)
            self.told(viewer, THIS, PROHIBITED)
        self.quiet(broker)

    def test_layouts_that_cannot_be(self):
        broker, viewer = self.ready()
        for width, height, screens in (
                (0, 0, None), (640, 0, None), (0, 480, None), (1921, 1080, None), (1920, 1081, None), (65535, 65535, None),
                (640, 480, []), (640, 480, [(0, 0, 320, 480), (320, 0, 320, 480)]), (640, 480, [(0, 0, 640, 480)] * 255),
                (640, 480, [(1, 0, 640, 480)]), (640, 480, [(0, 0, 640, 481)]), (640, 480, [(0, 0, 0, 0)]),
                (640, 480, [(65535, 65535, 65535, 65535)])):
            with self.subTest(f"{width}x{height} {screens}"):
                viewer.ask_size(width, height, screens)
                self.told(viewer, THIS, INVALID)
        self.quiet(broker)
        self.assertEqual((viewer.width, viewer.height), (320, 240))

    def test_a_wish_comes_true(self):
        """4, "request forwarded"; then the guest's new mode: for who asked by its own wish, for the others by another's."""
        broker, viewer = self.ready()
        path = broker.listen_unix(mode=rfb.VIEW)
        other, old = self.viewer(path), self.viewer(path, encodings=(0, -223))
        other.layouts.clear()
        viewer.ask_size(1024, 768)
        self.told(viewer, THIS, FORWARDED)
        self.asked(broker, 1024, 768)
        for each in (viewer, other, old):
            self.assertEqual((each.width, each.height), (320, 240))
            each.request()
        broker.show(1024, 768, 0x445566)
        self.told(viewer, THIS, DONE)
        self.told(other, OTHER, DONE)
        for each in (viewer, other, old):
            each.until(0x445566)
            self.assertEqual((each.width, each.height), (1024, 768))
        # The next one is the guest's own.
        viewer.request()
        other.request()
        broker.show(320, 240, 0x778899)
        self.told(viewer, SERVER, DONE)
        self.told(other, SERVER, DONE)
        # And a wish for what there is needs no guest.
        viewer.ask_size(320, 240)
        self.told(viewer, THIS, DONE)
        self.quiet(broker)

    def test_another_mode_first(self):
        """The link goes down and up again on the way: words about it may have any size."""
        broker, viewer = self.ready()
        viewer.ask_size(1024, 768)
        self.told(viewer, THIS, FORWARDED)
        viewer.request()
        broker.show(640, 480)
        self.told(viewer, SERVER, DONE)
        viewer.request()
        broker.show(1024, 768)
        self.told(viewer, THIS, DONE)

    def test_a_flood(self):
        """However fast a viewer asks, the broker hears little of it, the last one for certain; and the viewer few answers."""
        broker, viewer = self.ready()
        began = time.monotonic()
        for i in range(3000):
            viewer.ask_size(100 + i % 1500, 100)
        viewer.ask_size(111, 222)
        wishes = []
        self.assertTrue(wait_until(lambda: wishes.append(broker.take(rfb.RESIZE)) or
                                   (wishes[-1] is not None and wish_of(wishes[-1])[1:] == (111, 222))), "the last one is heard")
        heard = [each for each in wishes if each is not None]
        self.assertLessEqual(len(heard), (time.monotonic() - began) / PACE + 2)
        viewer.sock.settimeout(5)
        viewer.request()
        viewer.update()
        self.assertLessEqual(len(viewer.layouts), 33)
        self.assertEqual(set(viewer.layouts), {(THIS, FORWARDED)})
        self.assertTrue(broker.alive())

    def test_gone_before_it_is_heard(self):
        """Its wish goes with it: the broker must not hear from who is not there."""
        broker, viewer = self.ready()
        hasty = self.viewer(broker.listen_unix())
        viewer.ask_size(640, 480)
        self.asked(broker, 640, 480)
        hasty.ask_size(800, 600)    # waits for its turn
        hasty.sock.close()
        broker.wait(rfb.VIEWER_GONE)
        self.quiet(broker, 2 * PACE)

    def test_never_announced(self):
        """Nobody is there to understand an answer."""
        broker, _ = self.ready()
        plain = self.viewer(broker.listen_unix(), encodings=(0, -223))
        plain.ask_size(640, 480)
        plain.request(False)
        plain.update()
        self.assertEqual(plain.layouts, [])
        self.quiet(broker)


if __name__ == "__main__":
    unittest.main(verbosity=2)
