# SPDX-License-Identifier: GPL-2.0-or-later
"""gvnccapture (Debian: gvncviewer) sees exactly the surface."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import pictures
from guest import Guest


class Gvnccapture(unittest.TestCase):
    def test_every_pixel(self):
        for width, height in ((640, 480), (1366, 768)):
            with self.subTest(f"{width}x{height}"), Guest(width, height) as guest, tempfile.TemporaryDirectory() as where:
                subprocess.run(["gvnccapture", "-q", f"127.0.0.1:{guest.number}", f"{where}/seen.png"], check=True, timeout=60)
                # Not assertEqual: nobody wants to read a megabyte.
                self.assertTrue(pictures.load(f"{where}/seen.png") == guest.expected())


if __name__ == "__main__":
    unittest.main()
