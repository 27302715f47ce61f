# SPDX-License-Identifier: GPL-2.0-or-later
"""vncsnapshot sees the surface. It writes nothing but JPEG, which keeps a block of one colour up to the rounding of its
colour space: those are compared, in every encoding that it knows."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import pictures
from guest import BLOCK, Guest
from host import PASSWORD
from security import password_file

# Not tight: vncsnapshot 1.2a then asks for LastRect and does not know it when it comes, whatever the server.
ENCODINGS = ("raw", "copyrect", "hextile", "zlib", "corre", "rre")
FAR = 4                          # of 255, what JPEG's colour space rounds away


class Vncsnapshot(unittest.TestCase):
    def test_every_block_in_every_encoding(self):
        with Guest(flat=True) as guest, tempfile.TemporaryDirectory() as where:
            width, height, wanted = guest.expected()
            for encoding in ENCODINGS:
                with self.subTest(encoding):
                    subprocess.run(["vncsnapshot", "-quiet", "-nojpeg", "-quality", "100",
                                    "-encodings", f"{encoding} raw", f"127.0.0.1:{guest.number}", f"{where}/seen.jpg"],
                                   check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    seen = pictures.load(f"{where}/seen.jpg")
                    self.assertEqual(seen[:2], (width, height))
                    self.compare(seen[2], wanted, width, height)

    def test_with_a_password(self):
        with Guest(flat=True, security="vncauth", password=PASSWORD) as guest, tempfile.TemporaryDirectory() as where:
            width, height, wanted = guest.expected()
            pathlib.Path(where, "password").write_bytes(password_file(PASSWORD))
            subprocess.run(["vncsnapshot", "-quiet", "-nojpeg", "-quality", "100", "-passwd", f"{where}/password",
                            "-encodings", "hextile raw", f"127.0.0.1:{guest.number}", f"{where}/seen.jpg"],
                           check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.compare(pictures.load(f"{where}/seen.jpg")[2], wanted, width, height)

    def compare(self, seen, wanted, width, height):
        for y in range(BLOCK // 2, height, BLOCK):
            for x in range(BLOCK // 2, width, BLOCK):
                at = 3 * (y * width + x)
                far = max(abs(a - b) for a, b in zip(seen[at:at + 3], wanted[at:at + 3]))
                self.assertLessEqual(far, FAR, f"at {x},{y}: {seen[at:at + 3].hex()}, not {wanted[at:at + 3].hex()}")


if __name__ == "__main__":
    unittest.main()
