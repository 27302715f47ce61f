# SPDX-License-Identifier: GPL-2.0-or-later
"""gvnccapture (Debian: gvncviewer), which is gtk-vnc, sees exactly the surface, through each security type that it knows; and gvncviewer brings
a person's keys and clicks."""
import concurrent.futures
import os
import pathlib
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import pictures
from guest import ABS, KEY, Guest, Sinks
from host import PASSWORD
from tigervnc import screenshot, shows, x_server
from xpointer import Pointer

PATIENCE = 60
ANSWERS = {b"sername": b"somebody\n", b"assword": PASSWORD.encode() + b"\n"}


def until_unseen(terminal, end):
    """It asks first and turns the echo off then, and what was typed before is thrown away."""
    while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < end:
        time.sleep(0.01)


def capture(guest, host, where):
    """It asks for a name and a password on its terminal, and finds the authority in its home, which it asks getpwuid() for: that is
    what libnss-wrapper is for."""
    authority = pathlib.Path(where, ".pki/CA")
    authority.mkdir(parents=True, exist_ok=True)
    (authority / "cacert.pem").write_bytes(pathlib.Path(guest.ca).read_bytes())
    pathlib.Path(where, "passwd").write_text(f"tester:x:{os.getuid()}:{os.getgid()}::{where}:/bin/sh\n")
    pathlib.Path(where, "group").write_text(f"tester:x:{os.getgid()}:\n")
    home = {"HOME": where, "LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_PASSWD": f"{where}/passwd",
            "NSS_WRAPPER_GROUP": f"{where}/group"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["gvnccapture", f"{host}:{guest.number}", f"{where}/seen.png"], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=dict(os.environ, **home), start_new_session=True)
    os.close(theirs)
    said, heard, end = b"", b"", time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < end:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(ours, 4096)
            except OSError:          # the terminal is gone with it
                process.wait(PATIENCE)
                break
            said, heard = said + data, heard + data
            for question, answer in ANSWERS.items():
                if question in heard:
                    heard = b""
                    if question == b"assword":
                        until_unseen(ours, end)
                    os.write(ours, answer)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    if process.returncode:
        raise AssertionError(f"gvnccapture: {process.returncode} {said.decode(errors='replace')}")
    return pictures.load(f"{where}/seen.png")


def sees(security, size=(640, 480), host="127.0.0.1", **more):
    with Guest(*size, security=security, viewers="insecure = yes", **more) as guest, tempfile.TemporaryDirectory() as where:
        return capture(guest, host, where) == guest.expected()


class Gvnccapture(unittest.TestCase):
    def test_every_pixel(self):
        for size in ((640, 480), (1366, 768)):
            with self.subTest(size):
                # Not assertEqual: nobody wants to read a megabyte.
                self.assertTrue(sees("", size))

    def let_in(self, *kinds):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = {kind: pool.submit(sees, kind, host="localhost", password=PASSWORD, certificate=True) for kind in kinds}
        for kind, job in jobs.items():
            with self.subTest(kind):
                self.assertTrue(job.result())

    def test_each_security_type(self):
        self.let_in("none", "vncauth", "tlsNone", "tlsVnc", "tlsPlain")

    def test_certificates(self):
        """x509None is for viewers with certificates of their own."""
        try:
            self.assertTrue(sees("x509None", host="localhost", password=PASSWORD, certificate=True))
        except AssertionError as error:
            if "Unsupported credential type 3" not in str(error):
                raise
            self.skipTest("this gvnccapture (1.4 and later) asks itself for the authority in words that it does not know")
        self.let_in("x509Vnc", "x509Plain")

    def test_a_person_types_and_points(self):
        """At gvncviewer, its program with a window, by XTEST."""
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, Sinks(guest) as sinks, \
                Pointer(display) as pointer, open(f"{where}/viewer", "wb") as log:
            process = subprocess.Popen(["gvncviewer", f"127.0.0.1:{guest.number}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=dict(os.environ, DISPLAY=display, HOME=where, NO_AT_BRIDGE="1", GDK_BACKEND="x11"))
            try:
                end = time.monotonic() + PATIENCE
                while not shows(seen := screenshot(display), guest):
                    self.assertTrue(process.poll() is None and time.monotonic() < end, pathlib.Path(f"{where}/viewer").read_text())
                    time.sleep(0.2)
                first = seen[2].find(guest.expected()[2][:3 * guest.surface.width]) // 3
                left, top = first % seen[0], first // seen[0]
                for x, y in ((50, 50), (101, 57)):
                    pointer.go(left + x, top + y)
                pointer.button(1, True)
                pointer.button(1, False)
                clicked = sinks.until("absolutePointer", (KEY, 0x110, 0))
                place = dict((code, value) for kind, code, value in clicked if kind == ABS)
                self.assertEqual((place[0] * 640 // 32768, place[1] * 480 // 32768), (101, 57))
                for name, code in (("a", 30), ("Return", 28), ("Right", 106), ("Shift_L", 42), ("KP_Enter", 96)):
                    for down in (True, False):
                        pointer.key(name, down)
                        self.assertEqual(sinks.until("keyboard", (KEY, code, down))[-1], (KEY, code, down), name)
            finally:
                process.kill()
                process.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
