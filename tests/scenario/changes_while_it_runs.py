#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Update reaches viewers that are there, and what a viewer asks for reaches the registrant."""
import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows  # noqa: E402

SHUTDOWN, REBOOT, RESET = 2, 3, 4
FAIL, INIT = 0, 1


class Changes(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(200, 120)
        self.canvas.noise(3)
        self.d = self.enterContext(daemon.Daemon())

    def viewer(self, *encodings, **more):
        viewer = self.d.viewer("a", **more)
        viewer.set_encodings(rfb.RAW, *encodings)
        viewer.first()
        return viewer

    def update(self, **context):
        return self.d.connect().call("Update", {"id": "a", "context": context})["context"]

    def test_the_name(self):
        held = self.d.register(self.canvas, "a", context={"name": "before"})
        knows, other = self.viewer(rfb.DESKTOP_NAME), self.viewer()
        self.assertEqual((knows.name, other.name), ("before", "before"))
        self.update(name="Grüße")
        knows.until(lambda: knows.name == "Grüße", ask=True)
        other.settle()
        self.assertEqual(other.names, [])
        self.assertIsNone(shows(other, self.canvas))
        later = self.viewer()
        self.assertEqual(later.name, "Grüße")
        os.close(held)

    def logged(self):
        """Of which viewers the program has said, for who debugs it, that they have come."""
        return set(re.findall(r"viewer (\d+) from", self.d.text()))

    def test_how_much_is_logged(self):
        held = self.d.register(self.canvas, "a")
        client = self.d.connect()
        self.viewer()
        for level, more in ((7, 1), (6, 0), (7, 1)):
            client.call("io.systemd.service.SetLogLevel", {"level": level})
            before = self.logged()
            self.viewer()
            self.d.until(lambda: len(self.logged() - before) >= more, "a line")
        self.assertEqual(len(self.logged()), 2)
        os.close(held)

    def test_how_many_viewers(self):
        held = self.d.register(self.canvas, "a", context={"viewersMaximum": 1})
        first = self.viewer()
        client = self.d.connect()
        self.assertEqual(client.error("Attach", {"id": "a", "mode": "view"}), "LimitReached")
        self.assertEqual(self.update(viewersMaximum=2)["viewersMaximum"], 2)
        self.viewer()
        self.assertEqual(self.update(viewersMaximum=1)["viewersMaximum"], 1)
        first.first()
        os.close(held)

    def test_what_a_viewer_asks_for(self):
        """Whoever called Register with "more" hears it; a view is not enough to ask."""
        lease, held = os.pipe()
        registrant = self.d.connect()
        registrant.send("Register", {"context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                     "leaseFileDescriptorIndex": 1}, [self.canvas.fd, lease], more=True)
        os.close(lease)
        self.assertEqual(registrant.receive()["parameters"]["event"], "registered")
        viewer = self.viewer(rfb.XVP)
        viewer.until(lambda: (1, INIT) in viewer.xvps, ask=True)
        sock, _ = self.d.connect().attach("a", mode="view")
        looks = rfb.Client(sock, timeout=10 * daemon.SLOW)
        self.d.opened.append(looks)
        looks.set_encodings(rfb.RAW, rfb.XVP)
        looks.first()
        looks.xvp(RESET)
        looks.settle()
        for code, word in ((SHUTDOWN, "shutdown"), (REBOOT, "reboot"), (RESET, "reset")):
            viewer.xvp(code)
            reply = registrant.receive()
            self.assertTrue(reply["continues"])
            got = reply["parameters"]
            self.assertEqual((got["id"], got["event"], got["action"]), ("a", "powerRequested", word))
            names = self.names()
            self.assertIn(got["viewer"], names)
        os.close(held)
        reply = registrant.receive()
        self.assertEqual(reply["parameters"]["event"], "unregistered")
        self.assertFalse(reply.get("continues", False))

    def test_nobody_hears_it(self):
        held = self.d.register(self.canvas, "a")
        viewer = self.viewer(rfb.XVP)
        viewer.xvp(RESET)
        viewer.until(lambda: (1, FAIL) in viewer.xvps, ask=True)
        self.assertIsNone(shows(viewer, self.canvas))
        os.close(held)

    def names(self):
        client, found = self.d.connect(), []
        client.send("ListViewers", {"id": "a"}, more=True)
        while True:
            reply = client.receive()
            if "error" not in reply:
                found.append(reply["parameters"]["viewer"]["viewer"])
            if not reply.get("continues"):
                return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
