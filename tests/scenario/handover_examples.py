#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of docs/HANDOVER.md do what they say: seen, asked to reboot, there again after the daemon was killed, and let go."""
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402

LIMIT = 20 * daemon.SLOW
REBOOT = 3
XVP = -309


class Examples(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compiled(self):
        """As the head of the file says, with the header of this tree."""
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson"], capture_output=True, text=True, check=True).stdout
        subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-O2", f"-I{ROOT}/include",
                        "-o", self.dir / "handover", ROOT / "docs/examples/handover.c", *shlex.split(flags)], check=True, timeout=LIMIT)
        return [self.dir / "handover"]

    def until(self, test, what):
        end = time.monotonic() + LIMIT
        while not test():
            self.assertLess(time.monotonic(), end, f"{what}: {(self.dir / 'said').read_text()}")
            time.sleep(0.02)

    def sees_it(self, d, display):
        """The last daemon's program, which ends with it, may take a connection to the same socket once more."""
        try:
            viewer = rfb.Client(str(self.dir / f"{display}.vnc"), timeout=LIMIT)
            d.opened.append(viewer)
            viewer.first()
        except (OSError, EOFError):
            return False
        return True

    def play(self, command):
        with daemon.Daemon() as d:
            control, display = d.control, command[-1].name
            said = self.dir / "said"
            out = open(said, "wb")
            self.addCleanup(out.close)
            example = subprocess.Popen([*command, control, display], cwd=self.dir, stdout=out, stderr=out)
            self.addCleanup(example.wait)
            self.addCleanup(example.kill)
            self.until(lambda: b"registered as" in said.read_bytes(), "it has registered")
            viewer = rfb.Client(str(self.dir / f"{display}.vnc"), timeout=LIMIT)
            d.opened.append(viewer)
            viewer.first()
            viewer.set_encodings(0, XVP)
            viewer.request()
            viewer.until(lambda: viewer.xvps, ask=True)
            viewer.xvp(REBOOT)
            self.until(lambda: b"asks for reboot" in said.read_bytes(), "it hears of the wish")
            first, d_config = d.process, d.dir
            first.kill()
            first.wait()
            again = subprocess.Popen([daemon.BUILD / "vfio-displayd", "--config", d_config / "conf", "--control", control],
                                     stdin=subprocess.DEVNULL, stdout=d.log, stderr=d.log)
            d.process, d.pid = again, again.pid
            self.until(lambda: said.read_bytes().count(b"registered as") == 2, "it is there again")
            self.until(lambda: self.sees_it(d, display), "it is seen again")
            example.send_signal(signal.SIGTERM)
            self.assertEqual(example.wait(LIMIT), 0, said.read_bytes())
            self.assertIn(b"\nunregistered:", said.read_bytes())
            self.assertIn(f"{display}: released", d.text())

    def test_python(self):
        self.play([sys.executable, ROOT / "docs/examples/handover.py"])

    def test_c(self):
        self.play(self.compiled())


if __name__ == "__main__":
    unittest.main(verbosity=2)
