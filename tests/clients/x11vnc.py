# SPDX-License-Identifier: GPL-2.0-or-later
"""x11vnc -reflect is a viewer that shows its picture to others: what they see of it is exactly the surface. It is LibVNCServer's client."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
from compare import difference
from guest import Guest
from host import PASSWORD

PATIENCE = 30


@contextlib.contextmanager
def mirror(where, guest):
    """A viewer of the mirror; it takes a while to be there."""
    port = daemon.free_port()
    with open(f"{where}/x11vnc", "wb") as log:
        process = subprocess.Popen(["x11vnc", "-reflect", f"127.0.0.1:{guest.port}", "-rfbport", str(port), "-localhost", "-forever",
                                    "-noipv6", "-nolookup", "-noshm", "-nocursor", "-quiet"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=dict(os.environ, HOME=where, DISPLAY="", X11VNC_REFLECT_PASSWORD=PASSWORD))
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                viewer = rfb.Client(("127.0.0.1", port), timeout=PATIENCE)
                break
            except (OSError, rfb.Refused):
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("x11vnc: " + pathlib.Path(f"{where}/x11vnc").read_text()) from None
                time.sleep(0.1)
        yield viewer
        viewer.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class X11vnc(unittest.TestCase):
    def until_it_shows(self, viewer, guest):
        """Its pixels may have another order than ours: the viewer's own format is its."""
        end = time.monotonic() + PATIENCE
        size = guest.surface.width, guest.surface.height
        while True:
            viewer.request(incremental=False)
            viewer.update()
            wrong = difference(viewer, guest.surface.expect(viewer.format), size)
            if not wrong:
                return
            self.assertLess(time.monotonic(), end, wrong)
            time.sleep(0.1)

    def reflect(self, **more):
        with Guest(320, 240, **more) as guest, tempfile.TemporaryDirectory() as where, mirror(where, guest) as viewer:
            viewer.set_format(rfb.XRGB)
            viewer.set_encodings(rfb.RAW)
            self.until_it_shows(viewer, guest)
            guest.surface.noise(4, 20, 30, 200, 100)
            guest.surface.signal()
            self.until_it_shows(viewer, guest)

    def test_every_pixel_and_it_follows(self):
        self.reflect()

    def test_with_a_password(self):
        self.reflect(security="vncauth", password=PASSWORD)


if __name__ == "__main__":
    unittest.main()
