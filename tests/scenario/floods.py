#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who makes the daemon write lines makes it write a bounded number, and hides nothing that is worth an audit."""
import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import surface
import varlink

# As in src/base/limits.h, in a minute; what is counted over the end of one may be counted twice.
CALLER, AUDIT = 64, 2048


class Floods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.monitor = f"/tmp/vfio-displayd-test-monitor.{os.getpid()}"
        cls.daemon = daemon.Daemon(config=f"[control]\nmonitor = {cls.monitor}\n")
        cls.addClassCleanup(cls.daemon.stop)
        cls.surface = surface.Surface(64, 64)
        cls.addClassCleanup(cls.surface.close)

    def setUp(self):
        self.client = self.daemon.connect()
        self.addCleanup(self.client.close)

    def lines(self, pattern):
        return len(re.findall(pattern, self.daemon.text()))

    def test_connections_that_end_badly(self):
        for _ in range(10 * CALLER):
            client = varlink.Client(self.daemon.control)
            client.send_raw(b"rubbish\0")
            with self.assertRaises(EOFError):
                client.receive()
            client.close()
        self.assertIn(self.lines("not a JSON object"), range(1, 2 * CALLER + 1))
        self.assertIn("too many connections", self.daemon.text())

    def test_denials_hide_no_deed(self):
        """root, too, may nothing but observe at the monitor socket."""
        self.addCleanup(os.close, self.daemon.register(self.surface, "deeds", event=False))
        monitor = varlink.Client(self.monitor)
        self.addCleanup(monitor.close)
        for _ in range(AUDIT + 500):
            self.assertEqual(monitor.error("IssueTicket", {"id": "deeds", "mode": "view"}), "PermissionDenied")
        self.assertIn(self.lines("refused to uid"), range(1, 2 * AUDIT + 1))
        self.assertIn("uid 0 does too much" if os.getuid() == 0 else "does too much", self.daemon.text())
        self.client.call("IssueTicket", {"id": "deeds", "mode": "view"})
        self.daemon.until(lambda: self.lines("a ticket for .* was issued by uid"), "the line about the ticket")

    def test_registrations_under_ever_new_ids(self):
        for i in range(AUDIT + 100):
            held = self.daemon.register(self.surface, f"new-{i}", event=False, client=self.client)
            self.client.call("Unregister", {"id": f"new-{i}"})
            os.close(held)
        self.assertIn(self.lines(r"new-\d+: ((un)?registered by|released)"), range(1, 2 * AUDIT + 1))
        self.assertIn("does too much for a line each", self.daemon.text())


if __name__ == "__main__":
    unittest.main()
