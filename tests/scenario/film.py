#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A part of the picture that moves like a film is sent as H.264 to viewers that know it, as one film for all of them, looks like what was drawn, and
ends exact when it rests. Who does not know it, or wishes for no loss, is never sent any.
"""
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import h264  # noqa: E402
import player  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import until_shows  # noqa: E402

LIMIT = 60 * daemon.SLOW
WIDTH, HEIGHT = 640, 400
FILM = (96, 64, *player.SIZE)           # on whole blocks, so that the area is known
LIKE_MIN = 30                        # dB
RESTS = 2                            # seconds after which an encoder that nobody needs is gone (LIMIT_TIDY_MS)
QUALITY_6, QUALITY_9 = -26, -23
SLOW_LINE, FAST_LINE = 10000, 1 << 30   # bytes a second
SWAPPED = rfb.PixelFormat(red=(255, 0), blue=(255, 16))
ODD = (331, 247)
SIZES = (rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)
KNOWS = (rfb.TIGHT, rfb.H264, QUALITY_6, rfb.LAST_RECT, *SIZES)


def built():
    """The program that serves viewers is linked with an encoder."""
    return b"libx264.so" in (daemon.BUILD / "vfio-displayd-rfb").read_bytes()


@unittest.skipUnless(h264.there(), "FFmpeg's libraries are not there")
@unittest.skipUnless(built(), "built without libx264")
class Film(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(WIDTH, HEIGHT)
        self.addCleanup(self.canvas.close)
        self.canvas.noise(1, colours=40)
        self.players = []
        self.addCleanup(self.stop)

    def start(self, config=""):
        self.d = self.enterContext(daemon.Daemon(config=config))
        self.addCleanup(os.close, self.d.register(self.canvas, "x"))

    def watch(self, *encodings, form=None):
        viewer = self.d.viewer("x")
        if form:
            viewer.set_format(form)
        viewer.set_encodings(*encodings)
        viewer.first()
        viewer.request()
        return viewer

    def resize(self, width, height):
        self.canvas.shape(width, height)
        self.canvas.noise(width, colours=40)
        self.canvas.show()
        self.canvas.signal()

    def play(self, place=FILM, *scenes):
        self.players.append(player.Player(self.canvas, place, *scenes))

    def stop(self):
        while self.players:
            self.players.pop().stop()

    def step(self, viewers):
        """One update for each that gets one soon."""
        for viewer in viewers:
            try:
                viewer.update(timeout=0.2)
                viewer.request()
            except TimeoutError:
                pass

    def until(self, test, viewers, what):
        end = time.monotonic() + LIMIT
        while not test():
            self.assertLess(time.monotonic(), end, f"not within {LIMIT} s: {what}")
            self.step(viewers)

    def until_film(self, *viewers, more=3):
        """Each is sent some more shots."""
        wanted = [len(viewer.films.shots) + more for viewer in viewers]
        self.until(lambda: all(len(v.films.shots) >= n for v, n in zip(viewers, wanted)), viewers, "a film")

    def metric(self, name):
        with self.d.connect() as client:
            size = client.call("GetMetrics")["bytes"]
            text = os.pread(client.fds[0], size, 0).decode()
            os.close(client.fds[0])
        return float(text.split(f"\nvfio_displayd_{name}_total ")[1].split("\n")[0])

    def drawn(self):
        x, y, width, height = FILM
        return b"".join(self.canvas.row(y + i)[x * 4:(x + width) * 4] for i in range(height))

    def encodings(self):
        out = []
        with self.d.connect() as client:
            client.send("ListViewers", {"id": "x"}, more=True)
            while True:
                reply = client.receive()
                out.append(reply["parameters"]["viewer"].get("encoding"))
                if not reply.get("continues"):
                    return out

    def test_for_all(self):
        """One film for all that can have it, and it looks like what was drawn; all others never see any."""
        self.start()
        given = [self.watch(*KNOWS), self.watch(*KNOWS, rfb.CURSOR), self.watch(*KNOWS, rfb.COPYRECT),
                 self.watch(rfb.ZRLE, rfb.H264, QUALITY_6, *SIZES), self.watch(*KNOWS, form=SWAPPED)]
        others = {"does not know it": self.watch(rfb.TIGHT, QUALITY_6, *SIZES),
                  "wishes for no loss": self.watch(rfb.TIGHT, rfb.H264, *SIZES),
                  "wishes for the best": self.watch(rfb.TIGHT, rfb.H264, QUALITY_9, *SIZES)}
        alike = [0.0] * len(given)
        end = time.monotonic() + LIMIT
        while min(alike) < LIKE_MIN:
            self.assertLess(time.monotonic(), end, f"the last shots were alike by {alike} dB")
            self.play()
            self.until_film(*given)
            self.step(others.values())
            self.until(lambda: "h264" in self.encodings(), [*given, *others.values()], "the encoding in ListViewers")
            self.stop()
            until_shows([*given, *others.values()], self.canvas, LIMIT)
            alike = [h264.psnr(viewer.films.last[1], self.drawn()) for viewer in given]
        self.d.until(lambda: self.metric("film_pictures_sent") > 2 * self.metric("film_pictures_encoded") > 0,
                     "five viewers have one film, as is counted", LIMIT)
        for viewer in given:
            self.assertEqual({place for place, _, _ in viewer.films.shots}, {FILM}, "another area moved")
            self.assertEqual(viewer.films.shots[0][1], h264.RESET | h264.RESET_ALL)
        for why, viewer in others.items():
            self.assertNotIn(rfb.H264, viewer.seen, why)
        self.d.until(lambda: "h264" not in self.encodings(), "the encoding in ListViewers, as all is exact", LIMIT)

    def test_comes_late_and_stalls(self):
        """Who comes in the middle begins with a picture that stands alone, the others go on; who reads nothing for a while has missed
        too much, and gets pixels, and a film again, but exact in the end."""
        self.start()
        early = self.watch(*KNOWS)
        self.play()
        self.until_film(early)
        late = self.watch(*KNOWS)
        self.until_film(early, late)
        self.assertEqual(late.films.shots[0][1], h264.RESET | h264.RESET_ALL)
        for _ in range(3):
            self.until_film(early, more=20)
        self.until_film(late)
        late.close()
        self.until_film(early)
        self.stop()
        until_shows([early], self.canvas, LIMIT)

    def test_rests(self):
        """What has stopped and is exact stays so, however long a pointer moves over it: it is not sent as a film again."""
        self.start()
        viewers = [self.watch(*KNOWS), self.watch(*KNOWS, rfb.CURSOR)]
        self.play()
        self.until_film(*viewers)
        self.stop()
        until_shows(viewers, self.canvas, LIMIT)
        shots = [len(viewer.films.shots) for viewer in viewers]
        seen, moved, end = len(viewers[0].updates), 0, time.monotonic() + 2.5 * RESTS
        while time.monotonic() < end or len(viewers[0].updates) < seen + 5:
            self.assertLess(time.monotonic(), end + LIMIT, "the pointer's moves are not seen")
            moved += 1
            self.canvas.set_cursor(120 + moved % 200, 150, image=b"\x40\x80\x20\xc0" * 1024)
            self.canvas.signal()
            self.step(viewers)
        self.assertEqual([len(viewer.films.shots) for viewer in viewers], shots)
        self.canvas.set_cursor(0, 0)
        self.canvas.signal()
        until_shows(viewers, self.canvas, LIMIT)

    def test_changes_meanwhile(self):
        """Encodings are listed again, with it and without, the size changes, a cursor is drawn in, while it plays."""
        self.start()
        viewers = [self.watch(*KNOWS), self.watch(*KNOWS), self.watch(rfb.TIGHT, QUALITY_6, *SIZES)]
        for turn, (width, height) in enumerate(((640, 400), (531, 377), (640, 400))):
            self.resize(width, height)
            self.play()
            self.until_film(*viewers[:2])
            viewers[0].set_encodings(*(KNOWS[:1] + KNOWS[2:]))
            viewers[2].set_encodings(*KNOWS)
            self.until_film(*viewers[1:])
            self.canvas.set_cursor(150 + 20 * turn, 100, image=b"\x40\x80\x20\xc0" * 1024, serial=turn + 1)
            self.canvas.signal()
            viewers[0].set_encodings(*KNOWS)
            self.until_film(*viewers)
            viewers[2].set_encodings(*(KNOWS[:1] + KNOWS[2:]))
            self.stop()
            self.canvas.set_cursor(0, 0)
            self.canvas.signal()
            until_shows(viewers, self.canvas, LIMIT)

    def until_quantiser(self, test, viewers, what):
        """A viewer is sent a picture that stands not alone, of such a quality."""
        for viewer in viewers:
            viewer.films.quantisers.clear()
        self.until(lambda: any(test(q) for v in viewers for q in v.films.quantisers), viewers, f"a quantiser {what}")
        return next(q for v in viewers for q in v.films.quantisers if test(q))

    def limit(self, bytes_per_second):
        with self.d.connect() as client:
            client.call("Update", {"id": "x", "context": {"bytesPerSecondMaximum": bytes_per_second}})

    def test_quality(self):
        """One whose line is slow alone gets a film that takes less, and with one whose line is not the film is again as it was."""
        self.start()
        viewers = [self.watch(*KNOWS)]
        self.play()
        best = self.until_quantiser(lambda _: True, viewers, "of any kind")
        self.limit(SLOW_LINE)
        self.until_quantiser(lambda q: q > best, viewers, f"above {best}, as the line is slow")
        self.limit(FAST_LINE)
        viewers.append(self.watch(*KNOWS))
        self.until_quantiser(lambda q: q <= best, viewers, f"of {best}, as another line is fast")
        self.stop()
        until_shows(viewers, self.canvas, LIMIT)

    def test_odd_size(self):
        """The film goes up to an edge that is on no whole block, and whose last row and column no film can have."""
        self.resize(*ODD)
        self.start()
        viewer = self.watch(*KNOWS)
        self.play((0, 0, *ODD), [player.scene(number, *ODD) for number in range(6)])
        self.until_film(viewer)
        self.stop()
        self.assertEqual(viewer.films.shots[-1][0], (0, 0, ODD[0] - 1, ODD[1] - 1))
        until_shows([viewer], self.canvas, LIMIT)

    def test_few_colours(self):
        """What moves and has few colours is text: Tight is smaller, and exact."""
        self.start()
        viewer = self.watch(*KNOWS)
        text = surface.Surface(FILM[2], FILM[3])
        self.addCleanup(text.close)
        pages = []
        for number in range(6):
            text.noise(number, colours=12)
            pages.append(b"".join(map(text.row, range(text.height))))
        self.play(FILM, pages)
        seen = len(viewer.updates) + 60
        self.until(lambda: len(viewer.updates) >= seen, [viewer], "updates")
        self.assertNotIn(rfb.H264, viewer.seen)
        self.stop()
        until_shows([viewer], self.canvas, LIMIT)

    def configure(self, text):
        (self.d.dir / "conf").write_text(text)
        self.d.connect().call("io.systemd.service.Reload")

    def test_switched_off_and_on(self):
        """By the configuration, at the start and while it plays; a broken one leaves it as it is."""
        self.start("[viewers]\nh264 = no\n")
        viewer = self.watch(*KNOWS)
        self.play()
        seen = len(viewer.updates) + 60
        self.until(lambda: len(viewer.updates) >= seen, [viewer], "updates")
        self.assertNotIn(rfb.H264, viewer.seen)
        self.configure("[viewers]\nh264 = yes\n")
        self.until_film(viewer)
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.configure("[viewers]\nh264 = no\nh265 = no\n")
        self.assertRegex(caught.exception.parameters["reason"], r"conf:3: ")
        self.until_film(viewer)
        self.configure("[viewers]\nh264 = no\n")
        self.until(lambda: "h264" not in self.encodings(), [viewer], "another encoding in ListViewers")
        seen = len(viewer.updates)
        self.until(lambda: len(viewer.updates) >= seen + 5, [viewer], "what was on its way")
        shots = len(viewer.films.shots)
        self.until(lambda: len(viewer.updates) >= seen + 30, [viewer], "updates")
        self.assertEqual(len(viewer.films.shots), shots)
        self.stop()
        until_shows([viewer], self.canvas, LIMIT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
