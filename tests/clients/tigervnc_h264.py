# SPDX-License-Identifier: GPL-2.0-or-later
"""TigerVNC's viewer, where it is built with a decoder (from 1.13 on; Debian 13 has one), shows a film that it was sent as H.264: what is on its
screen is like a picture that was drawn, while it plays, and exact when it rests."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import h264
import player
from guest import Guest
from novnc_h264 import built, cut
from tigervnc import ended, screenshot, shows, x_server

PLACE = (96, 64)
LIKE_MIN = 28                        # dB; the other pictures that are drawn have some 15
LIMIT = 60 * daemon.SLOW
OPTIONS = ("-SecurityTypes=None", "-AutoSelect=0", "-FullColor", "-PreferredEncoding=Tight", "-QualityLevel=8", "-MenuKey=",
           "-AcceptClipboard=0", "-SendClipboard=0", "-geometry=+0+0")


def decodes():
    program = shutil.which("xtigervncviewer")
    return bool(program) and b"libavcodec.so" in pathlib.Path(program).read_bytes()


@contextlib.contextmanager
def viewer(display, where, guest):
    with open(f"{where}/viewer", "wb") as log:
        process = subprocess.Popen(["xtigervncviewer", *OPTIONS, f"127.0.0.1::{guest.port}"], stdout=log, stderr=log,
                                   env=dict(os.environ, DISPLAY=display, HOME=where))
    try:
        yield process
    finally:
        ended(process)


@unittest.skipUnless(built(), "built without libx264")
@unittest.skipUnless(decodes(), "this TigerVNC decodes no H.264")
class Film(unittest.TestCase):
    def until(self, test, what):
        end = time.monotonic() + LIMIT
        while not test():
            said = pathlib.Path(self.where, "viewer").read_text()
            self.assertIsNone(self.process.poll(), said)
            self.assertLess(time.monotonic(), end, f"not within {LIMIT} s: {what}\n{said}")
            time.sleep(0.1)

    def find(self, guest):
        """Where the picture begins on the screen: its first row is found there, and stays."""
        width, _, seen = screenshot(self.display)
        first = seen.find(guest.expected()[2][:3 * guest.surface.width]) // 3
        return first % width, first // width

    def alike(self, left, top):
        """dB, of the drawn pictures' that it is most like."""
        seen = cut(screenshot(self.display), left + PLACE[0], top + PLACE[1], *player.SIZE)
        return max(h264.psnr(seen, scene) for scene in player.SCENES)

    def encodings(self, guest):
        with guest.daemon.connect() as client:
            client.send("ListViewers", {"id": "guest"}, more=True)
            found = []
            while True:
                reply = client.receive()
                found.append(reply["parameters"]["viewer"].get("encoding"))
                if not reply.get("continues"):
                    return found

    def play(self, guest):
        """One film, from its first shot until it rests."""
        left, top = self.find(guest)
        drawing = player.Player(guest.surface, (*PLACE, *player.SIZE))
        try:
            self.until(lambda: "h264" in self.encodings(guest), "the encoding in ListViewers")
            for _ in range(3):
                self.until(lambda: self.alike(left, top) > LIKE_MIN and "h264" in self.encodings(guest), "a picture that was drawn")
            if os.environ.get("KEEP_PICTURES"):
                width, height, seen = screenshot(self.display)
                pathlib.Path(os.environ["KEEP_PICTURES"], "tigervnc-h264.ppm").write_bytes(b"P6 %d %d 255\n" % (width, height) + seen)
        finally:
            drawing.stop()
        self.until(lambda: shows(screenshot(self.display), guest), "the picture at rest, exact")
        self.until(lambda: "h264" not in self.encodings(guest), "the encoding in ListViewers, as all is exact")

    def test_film(self):
        with Guest(flat=True) as guest, tempfile.TemporaryDirectory() as self.where, x_server(self.where) as self.display, \
                viewer(self.display, self.where, guest) as self.process:
            self.until(lambda: shows(screenshot(self.display), guest), "the picture, exact")
            self.play(guest)
            self.play(guest)


if __name__ == "__main__":
    unittest.main(verbosity=2)
