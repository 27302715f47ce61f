#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayctl capture writes exactly the surface's pixels, watched or not, and leaves no half files."""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402
from compare import until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at = 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body), "a wrong checksum"
        yield kind, body
        at += 12 + size


def unfilter(kind, line, above, each):
    """PNG 9.2: what a row was before its filter."""
    for i, byte in enumerate(line):
        left, up = line[i - each] if i >= each else 0, above[i]
        corner = above[i - each] if i >= each else 0
        if kind == 4:
            guess = left + up - corner
            add = min((left, up, corner), key=lambda v: abs(guess - v))
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        line[i] = (byte + add) & 255


def read_png(data):
    """(width, height, RGB bytes) of a PNG with 8 bits a channel and no alpha."""
    parts = list(chunks(data))
    assert parts[0][0] == b"IHDR" and parts[-1][0] == b"IEND"
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    assert (bits, colours, interlaced) == (8, 2, 0), "not 8 bits of RGB"
    rows = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    out, above = [], bytes(width * 3)
    for y in range(height):
        line = bytearray(rows[y * (width * 3 + 1) + 1:(y + 1) * (width * 3 + 1)])
        unfilter(rows[y * (width * 3 + 1)], line, above, 3)
        out.append(bytes(line))
        above = line
    return width, height, b"".join(out)


def rgb(canvas):
    out = bytearray(canvas.width * canvas.height * 3)
    for i, channel in enumerate(canvas.channels()):
        out[i::3] = channel
    return bytes(out)


class CapturePng(unittest.TestCase):
    def setUp(self):
        self.dir = self.enterContext(tempfile.TemporaryDirectory())
        self.file = os.path.join(self.dir, "picture.png")

    def ctl(self, d, *arguments, **more):
        return subprocess.run([daemon.BUILD / "vfio-displayctl", "--socket", d.control, *arguments], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60 * daemon.SLOW, **more)

    def capture(self, d, display, path=None):
        done = self.ctl(d, "capture", display, "-o", path or self.file)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout if path == "-" else pathlib.Path(path or self.file).read_bytes()

    def test_every_format(self):
        with daemon.Daemon() as d:
            for form in surface.FORMATS:
                for width, height in ((333, 55), (17, 33), (1, 1)):
                    canvas = surface.Surface(width, height, form, stride=width * 4 + 12)
                    canvas.noise(form, colours=30)
                    held = d.register(canvas, f"{form}.{width}")
                    with self.subTest(form=form, width=width):
                        self.assertEqual(read_png(self.capture(d, f"{form}.{width}")), (width, height, rgb(canvas)))
                    os.close(held)
            self.assertEqual(d.rfb_programs(), [], "a picture needs no program for viewers")

    def test_every_tiling(self):
        with daemon.Daemon() as d:
            for modifier in (surface.X_TILED, surface.Y_TILED, surface.YF_TILED):
                for form in ("XRGB8888", "RGB565", "C8", "VYUY"):
                    for width, height in ((533, 75), (17, 33), (1, 1)):
                        canvas = surface.Surface(width, height, form, modifier=modifier)
                        canvas.noise(form, colours=30)
                        held = d.register(canvas, f"{form}.{width}.{modifier % 256}")
                        with self.subTest(form=form, width=width, modifier=modifier):
                            self.assertEqual(read_png(self.capture(d, f"{form}.{width}.{modifier % 256}")),
                                             (width, height, rgb(canvas)))
                        os.close(held)

    def test_watched_and_not(self):
        """The picture of now, each time, with a cursor plane that is not in it."""
        with daemon.Daemon(config="[capture]\nsafety-ms = 60000\n") as d:
            canvas = surface.Surface(200, 100)
            canvas.set_cursor(10, 10, 8, b"\xff" * 256)
            held = d.register(canvas, "a")
            for turn in range(6):
                canvas.noise(turn)
                if turn == 3:
                    viewer = d.viewer("a")
                if turn >= 3:
                    canvas.signal()
                self.assertEqual(read_png(self.capture(d, "a"))[2], rgb(canvas))
            canvas.set_cursor(0, 0)
            canvas.signal()
            until_shows([viewer], canvas, LIMIT)
            del held

    def test_to_standard_output_and_over_a_file(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(64, 48)
            canvas.noise(1)
            held = d.register(canvas, "a")
            self.assertEqual(read_png(self.capture(d, "a", "-"))[2], rgb(canvas))
            pathlib.Path(self.file).write_text("older")
            self.assertEqual(read_png(self.capture(d, "a"))[2], rgb(canvas))
            link = os.path.join(self.dir, "link.png")
            os.symlink(self.file, link)
            canvas.noise(2)
            self.capture(d, "a", link)
            self.assertTrue(os.path.islink(link))
            self.assertEqual(read_png(pathlib.Path(self.file).read_bytes())[2], rgb(canvas))
            self.assertEqual(sorted(os.listdir(self.dir)), ["link.png", "picture.png"])
            del held

    def test_no_half_files(self):
        """Where there is no picture, no file appears, and one that is there stays."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(64, 48)
            held = d.register(canvas, "a")
            canvas.off()
            pathlib.Path(self.file).write_text("older")
            for display, status, word in (("a", 7, b"blank"), ("b", 5, b"no such display")):
                for path in (self.file, os.path.join(self.dir, "new.png")):
                    done = self.ctl(d, "capture", display, "-o", path)
                    self.assertEqual((done.returncode, done.stdout), (status, b""))
                    self.assertRegex(done.stderr, rb"\Avfio-displayctl: " + display.encode() + rb": [^\n]*" + word + rb"[^\n]*\n\Z")
            canvas.show(canvas.plane(format=surface.fourcc("NV12")))
            done = self.ctl(d, "capture", "a", "-o", self.file)
            self.assertEqual(done.returncode, 8)
            self.assertIn(b"NV12", done.stderr)
            self.assertEqual(pathlib.Path(self.file).read_text(), "older")
            canvas.show()
            done = self.ctl(d, "capture", "a", "-o", os.path.join(self.dir, "nowhere", "new.png"))
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"No such file", done.stderr)
            self.assertEqual(os.listdir(self.dir), ["picture.png"])
            with open("/dev/full", "wb") as full:
                done = subprocess.run([daemon.BUILD / "vfio-displayctl", "--socket", d.control, "capture", "a", "-o", "-"],
                                      stdout=full, stderr=subprocess.PIPE, timeout=60 * daemon.SLOW)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"No space left", done.stderr)
            del held

    def test_while_the_guest_draws(self):
        """Each capture is a whole picture of colours that were there; descriptors do not add up."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 200)
            canvas.fill(b"\x01\x02\x03\0")
            held = d.register(canvas, "a")
            self.capture(d, "a")
            d.until(lambda: d.fds() == len(d.open_files()), "rest")
            before = d.fds()
            stop = threading.Event()

            def draw():
                turn = 0
                while not stop.is_set():
                    canvas.fill((b"\x01\x02\x03\0", b"\x0a\x0b\x0c\0")[turn % 2], 0, turn * 7 % 190, 320, 10)
                    turn += 1

            producer = threading.Thread(target=draw)
            producer.start()
            try:
                for _ in range(15):
                    _, _, pixels = read_png(self.capture(d, "a"))
                    self.assertLessEqual({pixels[i:i + 3] for i in range(0, len(pixels), 3)},
                                         {b"\x03\x02\x01", b"\x0c\x0b\x0a"})
            finally:
                stop.set()
                producer.join()
            d.until(lambda: d.fds() <= before, "descriptors as before")
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
