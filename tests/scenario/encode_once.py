#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is encoded once for all viewers of a display is right for each of them: in any pixel format, at any speed, while sizes, encodings and
formats change, while others stall or leave in the middle, with a cursor drawn in and without.
"""
import os
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
from compare import until_shows  # noqa: E402

LIMIT = 30 * daemon.SLOW
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
SECONDS = float(os.environ.get("RANDOM_SECONDS", 6))
ROOM = 700 * 500 * 4
SHARED = 3                           # the Tight stream of what is made once

XRGB, XBGR = rfb.PixelFormat(), rfb.PixelFormat(red=(255, 0), blue=(255, 16))
RGBX_BIG = rfb.PixelFormat(big=True, red=(255, 24), green=(255, 16), blue=(255, 8))
BITS_16 = rfb.PixelFormat(16, 16, False, (31, 11), (63, 5), (31, 0))
DEPTH_32 = rfb.PixelFormat(depth=32)
FORMATS = (XRGB, XBGR, RGBX_BIG, BITS_16, DEPTH_32)
ENCODINGS = ((rfb.TIGHT,), (rfb.TIGHT, -254), (rfb.TIGHT, -250, rfb.LAST_RECT), (rfb.TIGHT, -26), (rfb.ZRLE,), (rfb.HEXTILE, rfb.TIGHT))
SIZES = (rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)


def paint(canvas, source):
    """One change: of any size, of few colours or many."""
    width, height = source.randint(1, canvas.width), source.randint(1, canvas.height)
    if source.random() < 0.7:
        width, height = min(width, 90), min(height, 60)
    x, y = source.randrange(canvas.width - width + 1), source.randrange(canvas.height - height + 1)
    kind = source.randrange(5)
    if kind == 0:
        canvas.fill(source.randbytes(canvas.each), x, y, width, height)
    else:
        canvas.noise(source.random(), x, y, width, height, colours=(2, 7, 200, None)[kind - 1])


class Looker(threading.Thread):
    """A viewer with habits, until it is told to stop; then its picture may be compared."""

    def __init__(self, d, number, habit):
        super().__init__(daemon=True)
        self.d, self.habit, self.random = d, habit, random.Random(SEED + number)
        self.stopping, self.error, self.paths = False, None, set()
        self.come()
        self.start()

    def come(self):
        self.viewer = rfb.Client(str(self.d.dir / "rfb" / "x"), timeout=LIMIT)
        self.change()
        self.viewer.request(incremental=False)

    def change(self):
        """Another format and other encodings. The answer to the fence comes right before the format is changed."""
        form = self.random.choice(FORMATS) if self.habit in ("changes", "leaves") else self.habit
        form = form if isinstance(form, rfb.PixelFormat) else XRGB
        encodings = self.random.choice(ENCODINGS) if self.habit in ("changes", "leaves") else ENCODINGS[0]
        self.viewer.set_encodings(*encodings, rfb.FENCE, *SIZES)
        name = self.random.randbytes(8)
        self.viewer.fence(rfb.FENCE_REQUEST | rfb.FENCE_SYNC, name)
        self.viewer.send(b"\0\0\0\0" + form.pack())
        self.viewer.until(lambda: any(payload == name for _, payload in self.viewer.fences), LIMIT)
        self.viewer.fences.clear()
        self.viewer.set_format(form, tell=False)
        self.viewer.request(incremental=False)

    def leave(self):
        """In the middle: something was asked for, and not read."""
        self.viewer.request(incremental=False)
        self.viewer.close()
        self.come()

    def live(self):
        try:
            self.viewer.update(timeout=0.1)
            self.viewer.request()
        except TimeoutError:
            pass
        if self.habit == "slow":
            time.sleep(0.15)
        elif self.habit == "changes" and self.random.random() < 0.3:
            self.change()
        elif self.habit == "leaves" and self.random.random() < 0.3:
            self.leave()
        if len(self.viewer.streams) == 1:
            self.paths |= self.viewer.streams

    def run(self):
        try:
            while not self.stopping:
                self.live()
            self.paths |= self.viewer.streams
        except Exception as error:
            self.error = error

    def both_ways(self):
        paths = self.paths | self.viewer.streams
        return SHARED in paths and paths != {SHARED}

    def stop(self):
        self.stopping = True
        self.join(LIMIT)
        if self.error:
            raise self.error
        return self.viewer


class EncodeOnce(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(640, 400, room=ROOM)
        self.addCleanup(self.canvas.close)
        self.d = self.enterContext(daemon.Daemon())
        self.addCleanup(os.close, self.d.register(self.canvas, "x"))
        self.source = random.Random(SEED)
        self.canvas.noise(SEED, colours=40)
        self.canvas.signal()

    def watch(self, *encodings, form=XRGB):
        viewer = self.d.viewer("x")
        viewer.set_format(form)
        viewer.set_encodings(*encodings, *SIZES)
        viewer.first()
        return viewer

    def metric(self, name):
        with self.d.connect() as client:
            size = client.call("GetMetrics")["bytes"]
            text = os.pread(client.fds[0], size, 0).decode()
            os.close(client.fds[0])
        return float(text.split(f"\nvfio_displayd_{name}_total ")[1].split("\n")[0])

    def draw(self, changes=5):
        for _ in range(changes):
            paint(self.canvas, self.source)
        self.canvas.signal()

    def test_in_step(self):
        """All ask for the same; who wants other pixels or levels gets them."""
        viewers = [self.watch(rfb.TIGHT, form=form) for form in (XRGB, XRGB, XBGR, RGBX_BIG, XRGB, XBGR)]
        viewers += [self.watch(rfb.TIGHT, -247), self.watch(rfb.TIGHT, rfb.LAST_RECT), self.watch(rfb.TIGHT, form=BITS_16),
                    self.watch(rfb.TIGHT, form=DEPTH_32), self.watch(rfb.ZRLE)]
        for _ in range(12):
            self.draw()
            until_shows(viewers, self.canvas, LIMIT)
        for viewer in viewers[:8]:
            self.assertEqual(viewer.streams, {SHARED})
        # Seven of eight have the same level; what they are sent was made once, but for what one of them had more to be sent.
        self.d.until(lambda: self.metric("areas_encoded") > 0, "counters come with the viewers' states", LIMIT)
        self.assertGreater(self.metric("areas_shared"), 3 * self.metric("areas_encoded"))
        for viewer in viewers[8:10]:
            self.assertTrue(viewer.streams and SHARED not in viewer.streams, viewer.streams)

    def test_random(self):
        habits = [XRGB, XBGR, RGBX_BIG, BITS_16, "slow", "changes", "changes", "leaves", "fast"]
        with self.subTest(seed=SEED):
            lookers = [Looker(self.d, number, habit) for number, habit in enumerate(habits)]
            changing = [looker for looker in lookers if looker.habit == "changes"]
            end = time.monotonic() + SECONDS
            latest = end + LIMIT
            # On a busy machine they change less often.
            while (now := time.monotonic()) < end or now < latest and not all(looker.both_ways() for looker in changing):
                if self.source.random() < 0.04:
                    self.canvas.shape(self.source.randint(1, 700), self.source.randint(1, 500))
                    self.canvas.noise(self.source.random(), colours=9)
                    self.canvas.show()
                self.draw(self.source.randint(1, 4))
                time.sleep(self.source.random() * 0.06)
            viewers = [looker.stop() for looker in lookers]
            until_shows(viewers, self.canvas, LIMIT)
            for looker in changing:
                self.assertTrue(looker.both_ways(), "it was served in one way only")
            for viewer in viewers:
                viewer.close()

    def test_a_stalled_one_holds_up_nobody(self):
        others = [self.watch(rfb.TIGHT) for _ in range(3)]
        stalled = self.watch(rfb.TIGHT)
        for seed in range(25):
            stalled.request()        # and does not read
            self.canvas.noise(seed)  # more than any socket holds, together
            self.canvas.signal()
            until_shows(others, self.canvas, LIMIT)
        until_shows([stalled], self.canvas, LIMIT)

    def test_parts(self):
        """Nothing is sent that was not asked for."""
        viewer = self.watch(rfb.TIGHT)
        want = self.canvas.expect(viewer.format)
        for _ in range(20):
            width, height = self.source.randint(1, 640), self.source.randint(1, 400)
            x, y = self.source.randrange(641 - width), self.source.randrange(401 - height)
            viewer.pixels[:] = bytes(len(viewer.pixels))
            viewer.request(incremental=False, area=(x, y, width, height))
            while not viewer.update():
                pass
            self.assertEqual(sum(w * h for _, _, w, h, _ in viewer.rects), width * height)
            for row in range(y, y + height):
                at = (row * 640 + x) * 4
                self.assertEqual(viewer.pixels[at:at + width * 4], want[at:at + width * 4])
            for left, top, w, h, _ in viewer.rects:
                self.assertTrue(left >= x and top >= y and left + w <= x + width and top + h <= y + height)

    def until_same(self, raw, drawn):
        """What has come to rest may have been the picture before."""
        end = time.monotonic() + LIMIT
        while True:
            raw.settle()
            want = bytes(raw.pixels)
            swapped = bytearray(want)
            swapped[0::4], swapped[2::4] = want[2::4], want[0::4]
            try:
                return until_shows(drawn, self.canvas, 3, lambda viewer: bytes(swapped) if viewer.format is XBGR else want)
            except AssertionError:
                if time.monotonic() > end:
                    raise

    def test_a_cursor_drawn_in(self):
        """For those who cannot draw it, in all formats; the others' picture stays without."""
        image = b"".join(bytes((x * 4, y * 4, 0, 200)) for y in range(48) for x in range(48))
        raw = self.watch(rfb.RAW)
        drawn = [self.watch(rfb.TIGHT), self.watch(rfb.TIGHT, form=XBGR), self.watch(rfb.TIGHT, rfb.LAST_RECT)]
        without = [self.watch(rfb.TIGHT, rfb.CURSOR), self.watch(rfb.TIGHT, rfb.CURSOR_WITH_ALPHA)]
        for turn in range(12):
            self.canvas.set_cursor(self.source.randrange(-40, 640), self.source.randrange(-40, 400), 48, image, serial=turn // 4 + 1)
            self.draw(2)
            until_shows(without, self.canvas, LIMIT)
            self.until_same(raw, drawn)
        for viewer in drawn + without:
            self.assertEqual(viewer.streams, {SHARED})


if __name__ == "__main__":
    unittest.main()
