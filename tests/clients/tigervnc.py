# SPDX-License-Identifier: GPL-2.0-or-later
"""TigerVNC's viewer shows exactly the surface on its screen, in every lossless encoding that it can prefer, and follows it."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import pictures
from guest import Guest

SCREEN = (1024, 768)
PATIENCE = 30


def ended(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def x_server(where):
    """An X server of our own; yields its display."""
    read, write = os.pipe()
    with open(f"{where}/xvfb", "wb") as log:
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24",
                                   "-nolisten", "tcp", "-br"], pass_fds=(write,), stdout=log, stderr=log)
    os.close(write)
    try:
        with os.fdopen(read) as ready:
            number = ready.readline().strip()
        if not number:
            raise AssertionError("no X server: " + pathlib.Path(f"{where}/xvfb").read_text())
        yield f":{number}"
    finally:
        ended(server)


@contextlib.contextmanager
def viewer(display, where, guest, *options):
    environment = dict(os.environ, DISPLAY=display, HOME=where)
    with open(f"{where}/viewer", "wb") as log:
        process = subprocess.Popen(["xtigervncviewer", "-SecurityTypes=None", "-AutoSelect=0", "-FullColor", "-NoJPEG",
                                    "-MenuKey=", "-AcceptClipboard=0", "-SendClipboard=0", *options,
                                    f"127.0.0.1::{guest.port}"], env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        ended(process)


def screenshot(display):
    got = subprocess.run(["xwd", "-root", "-silent", "-display", display], check=True, capture_output=True, timeout=30)
    return pictures.load_xwd(got.stdout)


def shows(screen, guest):
    """The viewer's window lies somewhere on the screen: there is no window manager."""
    screen_width, screen_height, seen = screen
    width, height, wanted = guest.expected()
    first = seen.find(wanted[:3 * width])
    if first < 0 or first % 3:
        return False
    y, x = divmod(first // 3, screen_width)
    if x + width > screen_width or y + height > screen_height:
        return False
    line = 3 * width
    return all(seen[3 * ((y + i) * screen_width + x):][:line] == wanted[i * line:(i + 1) * line] for i in range(height))


class TigerVNC(unittest.TestCase):
    def until_it_shows(self, display, guest, process, where):
        end = time.monotonic() + PATIENCE
        while not shows(screenshot(display), guest):
            if process.poll() is not None or time.monotonic() > end:
                self.fail("the picture is not on the screen\n" + pathlib.Path(f"{where}/viewer").read_text())
            time.sleep(0.2)

    def test_every_pixel(self):
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display:
            for encoding in ("ZRLE", "Tight", "Hextile", "Raw"):
                with self.subTest(encoding), viewer(display, where, guest, f"-PreferredEncoding={encoding}") as process:
                    self.until_it_shows(display, guest, process, where)

    def test_it_follows(self):
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, \
                viewer(display, where, guest, "-PreferredEncoding=Tight") as process:
            self.until_it_shows(display, guest, process, where)
            guest.surface.noise(3, 111, 222, 333, 100)
            guest.surface.signal()
            self.until_it_shows(display, guest, process, where)
            guest.surface.shape(500, 400)
            guest.draw(flat=True)
            guest.surface.show()
            guest.surface.signal()
            self.until_it_shows(display, guest, process, where)


if __name__ == "__main__":
    unittest.main()
