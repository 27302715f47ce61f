# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty displays, viewers on ten of them: each sees its own, only those ten cost anything, and all of it goes again."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from compare import until_shows
from varlink import VarlinkError

DISPLAYS, WATCHED = 50, 10


class ManyDisplays(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon.Daemon(config="[viewers]\ngrace-seconds = 0\nlinger-seconds = 0\n")
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.client.call("GetCapabilities")
        self.fds_before = self.daemon.fds()
        self.surfaces, self.leases = [], []
        for number in range(DISPLAYS):
            made = surface.Surface(100 + number, 80 + number % 7)
            self.addCleanup(made.close)
            made.noise(number)
            self.surfaces.append(made)
            self.leases.append(self.daemon.register(made, f"guest-{number}", client=self.client, event=number % 2 == 0))
        self.viewers = {}
        for number in range(0, DISPLAYS, DISPLAYS // WATCHED):
            self.viewers[number] = viewer = self.daemon.viewer(f"guest-{number}")
            self.addCleanup(viewer.close)
            viewer.set_encodings((rfb.RAW, rfb.ZRLE, rfb.HEXTILE)[number % 3])
            viewer.first()

    def check(self, numbers):
        for number in numbers:
            until_shows([self.viewers[number]], self.surfaces[number], 20 * daemon.SLOW)

    def listed(self):
        self.client.send("List", {}, more=True)
        out = {}
        while True:
            reply = self.client.receive()
            if "error" in reply:
                raise VarlinkError(reply["error"], reply.get("parameters"))
            got = reply["parameters"]
            out[got["context"]["id"]] = got["runtime"]
            if not reply.get("continues"):
                return out

    def close_leases(self, numbers):
        for number in numbers:
            os.close(self.leases[number])
            self.leases[number] = None

    def tearDown(self):
        self.close_leases(n for n, lease in enumerate(self.leases) if lease is not None)
        self.daemon.until(lambda: self.daemon.fds() <= self.fds_before, "all descriptors are closed")
        self.daemon.until(lambda: not self.daemon.children(), "no child is left")

    def test_each_sees_its_own(self):
        self.check(self.viewers)
        for turn in range(5):
            for number, made in enumerate(self.surfaces):
                made.noise(1000 * turn + number, turn * 10, turn * 10, 40, 30)
                made.signal()
        self.check(self.viewers)
        self.assertEqual(len(self.daemon.rfb_programs()), WATCHED)

    def test_all_are_listed_in_order(self):
        listed = self.listed()
        self.assertEqual(list(listed), [f"guest-{number}" for number in range(DISPLAYS)])
        self.assertEqual(sum(runtime["viewers"] for runtime in listed.values()), WATCHED)

    def test_what_nobody_watches_is_not_looked_at(self):
        before = self.listed()
        self.check(self.viewers)
        after = self.listed()
        for number in range(DISPLAYS):
            if number not in self.viewers:
                name = f"guest-{number}"
                # List itself looks at a display that nobody watches, once.
                self.assertLessEqual(after[name]["framesCaptured"] - before[name]["framesCaptured"], 1, name)
                self.assertEqual(after[name]["framesPublished"], 0, name)

    def test_half_of_them_go(self):
        self.close_leases(range(0, DISPLAYS, 2))
        rest = [number for number in self.viewers if number % 2]
        self.daemon.until(lambda: len(self.listed()) == DISPLAYS // 2, "half of them are listed")
        for number in rest:
            self.surfaces[number].noise(7, 1, 1, 50, 50)
            self.surfaces[number].signal()
        self.check(rest)
        self.daemon.until(lambda: len(self.daemon.rfb_programs()) == len(rest), "as many RFB programs as are watched")

    def test_their_viewers_go(self):
        for viewer in self.viewers.values():
            viewer.close()
        self.daemon.until(lambda: not self.daemon.rfb_programs(), "no RFB program is left")
        self.assertEqual(len(self.listed()), DISPLAYS)


if __name__ == "__main__":
    unittest.main()
