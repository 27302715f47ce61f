# SPDX-License-Identifier: GPL-2.0-or-later
"""gvnccapture (Debian: gvncviewer), which is gtk-vnc, sees exactly the surface, through each security type that it knows."""
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
from guest import Guest
from host import PASSWORD

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

    def test_each_security_type(self):
        """x509None is for viewers with certificates of their own."""
        kinds = ("none", "vncauth", "tlsNone", "tlsVnc", "tlsPlain", "x509None", "x509Vnc", "x509Plain")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = {kind: pool.submit(sees, kind, host="localhost", password=PASSWORD, certificate=True) for kind in kinds}
        for kind, job in jobs.items():
            with self.subTest(kind):
                self.assertTrue(job.result())


if __name__ == "__main__":
    unittest.main()
