#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be shown has a named reason in List and words for viewers; it is never a crash, and never garbage."""
import pathlib
import random
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import is_words, until_shows  # noqa: E402
from plane_off_shows_placard import until, watch  # noqa: E402

LIMIT = 20 * daemon.SLOW
LINEAR_INVALID = 0x00ffffffffffffff
Y_CCS = 0x0100000000000004

# what is wrong: (fields of the plane, a word of the reason, Capture's error)
WRONG = {
    "AYUV": ({"format": surface.fourcc("AYUV")}, "AYUV", "FormatUnsupported"),
    "NV12": ({"format": surface.fourcc("NV12")}, "NV12", "FormatUnsupported"),
    "10 bits": ({"format": surface.fourcc("P010")}, "P010", "FormatUnsupported"),
    "no letters": ({"format": 0x01020304}, "0x01020304", "FormatUnsupported"),
    "big-endian": ({"format": surface.fourcc("XR24") | 1 << 31}, "0x", "FormatUnsupported"),
    "compressed": ({"modifier": Y_CCS}, "INTEL_Y_TILED_CCS", "FormatUnsupported"),
    "tiled in a way that nobody knows": ({"modifier": 0x1000000000000ff}, "0x1000000000000ff", "FormatUnsupported"),
    "tiles of pixels of three bytes": ({"modifier": surface.X_TILED, "format": surface.fourcc("RG24")}, "INTEL_X_TILED",
                                       "FormatUnsupported"),
    "a part of a tile": ({"modifier": surface.X_TILED, "stride": 640 * 4 + 64}, "whole number of tiles",
                         "FormatUnsupported"),
    "tiles beyond its size": ({"modifier": surface.Y_TILED, "width": 64, "height": 33, "stride": 256, "size": 256 * 33},
                              "size", None),
    "too wide": ({"width": 1 << 20, "stride": 1 << 22}, "too large", None),
    "too high": ({"height": 0xffffffff}, "too large", None),
    "stride under a row": ({"stride": 4}, "stride", None),
    "stride too large": ({"stride": 0xfffffffc}, "stride", None),
    "beyond its size": ({"size": 4096}, "size", None),
    "beyond the memfd": ({"start": 1 << 40}, "", None),
    "beyond what can be counted": ({"start": (1 << 64) - 4096}, "", None),
    "in the header": ({"start": 0}, "header", None),
}


class UnsupportedFormatShowsReason(unittest.TestCase):
    def test_each(self):
        """Watched by viewers, and looked at by List and Capture."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(640, 480)
            canvas.noise(1)
            held = d.register(canvas, "a")
            client, viewers = d.connect(), [watch(d, "a"), watch(d, "a", rfb.RAW)]
            for name, (fields, word, error) in WRONG.items():
                with self.subTest(wrong=name):
                    canvas.show(canvas.plane(**fields))
                    canvas.signal()
                    runtime = client.until("a", lambda r: r["state"] == "blank", LIMIT)
                    self.assertIn(word, runtime["stateReason"])
                    for viewer in viewers:
                        until(viewer, lambda v=viewer: is_words(v), "words")
                    self.assertIn(client.error("Capture", {"id": "a"}), [error] if error else
                                  ("FormatUnsupported", "NotLive"))
                    canvas.show()
                    canvas.signal()
                    until_shows(viewers, canvas, LIMIT)
                    client.until("a", lambda r: r["state"] == "live" and not r.get("stateReason"), LIMIT)
            del held

    def test_each_from_the_beginning(self):
        """Registered like this: accepted, since it may change, and the reason is there without a viewer."""
        with daemon.Daemon() as d:
            client = d.connect()
            for i, (name, (fields, word, _)) in enumerate(WRONG.items()):
                with self.subTest(wrong=name):
                    canvas = surface.Surface(64, 64)
                    canvas.show(canvas.plane(**fields))
                    held = d.register(canvas, f"d{i}")
                    runtime = client.until(f"d{i}", lambda r: r["state"] == "blank" and r.get("stateReason"), LIMIT)
                    self.assertIn(word, runtime["stateReason"])
                    self.assertTrue(is_words(watch(d, f"d{i}")))
                    del held

    def test_the_format_is_named(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(64, 64)
            canvas.show(canvas.plane(format=surface.fourcc("NV12"), modifier=5))
            held = d.register(canvas, "a")
            with self.assertRaises(varlink.VarlinkError) as caught:
                d.connect().call("Capture", {"id": "a"})
            self.assertEqual(caught.exception.error, "FormatUnsupported")
            self.assertEqual(caught.exception.parameters, {"format": "NV12", "modifier": "0x5", "modifierName": "0x5"})
            plane, = d.connect().until("a", lambda r: r["planes"])["planes"]
            self.assertEqual((plane["format"], plane["modifier"]), ("NV12", "0x5"))
            del held

    def test_an_invalid_modifier_means_linear(self):
        with daemon.Daemon() as d:
            canvas = surface.Surface(100, 80)
            canvas.noise(1)
            canvas.show(canvas.plane(modifier=LINEAR_INVALID))
            held = d.register(canvas, "a")
            until_shows([watch(d, "a")], canvas, LIMIT)
            del held

    def test_a_header_that_is_broken_later(self):
        """Magic, version and a counter that stays odd: no crash, and the picture is back afterwards."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240)
            canvas.noise(1)
            held = d.register(canvas, "a")
            client, viewer = d.connect(), watch(d, "a")
            for at, value in ((0, 0), (4, 2), (8, 0x7fffffff)):
                struct.pack_into("=I", canvas.map, at, value)
                canvas.signal()
                runtime = client.until("a", lambda r: r["state"] == "blank", LIMIT)
                self.assertTrue(runtime["stateReason"])
                until(viewer, lambda: is_words(viewer), "words")
                canvas.show()
                canvas.signal()
                until_shows([viewer], canvas, LIMIT)
            del held

    def test_planes_at_random(self):
        """A producer that writes anything, while viewers look: the daemon lives, and shows the next good picture."""
        with daemon.Daemon() as d:
            canvas = surface.Surface(320, 240)
            canvas.noise(1)
            held = d.register(canvas, "a")
            viewers = [watch(d, "a"), watch(d, "a", rfb.TIGHT, rfb.DESKTOP_SIZE, rfb.CURSOR)]
            source = random.Random(6)
            extremes = (0, 1, 2, 3, 4, 63, 64, 240, 320, 4096, 4097, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
            for _ in range(300):
                fields = {name: source.choice(extremes) for name in
                          source.sample(("start", "modifier", "width", "height", "stride", "size"), source.randint(1, 3))}
                if source.random() < 0.3:
                    fields["format"] = source.choice([fourcc for fourcc, _ in surface.FORMATS.values()] + [0, 1])
                canvas.cursor = source.choice((b"\0" * 64, source.randbytes(64), canvas.plane(**fields)))
                canvas.show(canvas.plane(**fields))
                canvas.signal()
                if source.random() < 0.2:
                    time.sleep(0.01)
                    for viewer in viewers:
                        viewer.request()
                        try:
                            viewer.update(timeout=0.01)
                        except TimeoutError:
                            pass
            canvas.cursor = b"\0" * 64
            canvas.show()
            canvas.signal()
            until_shows(viewers, canvas, LIMIT)
            self.assertEqual(d.connect().describe("a")["viewers"], 2)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
