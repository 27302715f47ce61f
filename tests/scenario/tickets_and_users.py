#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a ticket gives is what it says, once by whatever means; users log in with a name and password. (Who has no right:
hostile_rules.py.)"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import security  # noqa: E402
import surface  # noqa: E402
from compare import shows  # noqa: E402
from host import somebody  # noqa: E402

LIMIT = 20 * daemon.SLOW
REFUSED = (rfb.Refused, security.Refused, EOFError, ConnectionError)
KINDS = ["vncauth", "tlsVnc", "tlsPlain", "rsaAes", "rsaAes256"]


class Tickets(unittest.TestCase):
    def setUp(self):
        self.dir = self.enterContext(tempfile.TemporaryDirectory())
        self.canvas = {name: surface.Surface(200, 120) for name in "ab"}
        for number, canvas in enumerate(self.canvas.values()):
            canvas.noise(number)
        self.held, self.ports = {}, {}

    def register(self, d, name, mode="exclusive", kinds=KINDS, **more):
        self.ports[name] = daemon.free_port()
        self.held[name] = d.register(self.canvas[name], name, listen=[
            {"mode": mode, "address": f"127.0.0.1:{self.ports[name]}", "security": kinds}], **more)
        d.until(lambda: 5 in self.offered(name), "a key for RSA-AES, which is made", timeout=60)

    def offered(self, name):
        viewer = rfb.Client(("127.0.0.1", self.ports[name]), timeout=LIMIT, handshake=False)
        viewer.read(12)
        viewer.send(b"RFB 003.008\n")
        types = viewer.read(viewer.read(1)[0])
        viewer.close()
        return types

    def issue(self, d, name, mode="control", **more):
        return d.connect().call("IssueTicket", {"id": name, "mode": mode, **more})["ticket"]

    def come(self, name, ticket, kind="vncauth", user="anybody"):
        return rfb.Client(("127.0.0.1", self.ports[name]), timeout=LIMIT, password=ticket, security=kind, user=user)

    def look(self, name, ticket, kind="vncauth", **more):
        viewer = self.come(name, ticket, kind, **more)
        try:
            viewer.first()
            self.assertIsNone(shows(viewer, self.canvas[name]))
        finally:
            viewer.close()

    def refused(self, name, ticket, kind="vncauth", **more):
        with self.assertRaises(REFUSED):
            self.come(name, ticket, kind, **more).close()

    def viewers(self, d, name):
        client, found = d.connect(), []
        client.send("ListViewers", {"id": name}, more=True)
        while True:
            reply = client.receive()
            if "error" not in reply:
                found.append(reply["parameters"]["viewer"])
            if not reply.get("continues"):
                return found

    def test_one_that_was_used_is_used_everywhere(self):
        """Its eight characters, its whole text: once in all."""
        with daemon.Daemon() as d:
            self.register(d, "a")
            ticket = self.issue(d, "a")
            self.look("a", ticket, "tlsPlain")
            self.refused("a", ticket[:8])
            ticket = self.issue(d, "a")
            self.look("a", ticket[:8])
            self.refused("a", ticket, "rsaAes")

    def test_mode_and_label(self):
        """The least of what ticket, listener and display give."""
        with daemon.Daemon() as d:
            self.register(d, "a", mode="control")
            self.register(d, "b", context={"viewOnly": True})
            for name, mode, got in (("a", "view", "view"), ("a", "control", "control"), ("a", "exclusive", "control"),
                                    ("b", "view", "view")):
                with self.subTest(name=name, mode=mode):
                    viewer = self.come(name, self.issue(d, name, mode, label="ann of sales"), "tlsPlain")
                    viewer.first()
                    d.until(lambda: self.viewers(d, name), "a viewer")
                    entry = self.viewers(d, name)[0]
                    self.assertEqual((entry["mode"], entry["label"]), (got, "ann of sales"))
                    viewer.close()
                    d.until(lambda: not self.viewers(d, name), "no viewer")

    def test_a_listener_with_a_password(self):
        """It asks for its own by VNC authentication, with another challenge each time, and takes tickets as a user's password."""
        path = os.path.join(self.dir, "password")
        pathlib.Path(path).write_text("geh3im-X")
        os.chmod(path, 0o600)
        with daemon.Daemon(config=f"[viewers]\npassword-file = {path}\n") as d:
            self.register(d, "a")
            ticket = self.issue(d, "a")
            self.refused("a", ticket)
            self.look("a", "geh3im-X")
            self.look("a", ticket, "tlsPlain")
            self.refused("a", ticket, "tlsPlain")
            challenges = set()
            for _ in range(2):
                viewer = rfb.Client(("127.0.0.1", self.ports["a"]), timeout=LIMIT, handshake=False)
                viewer.read(12)
                viewer.send(b"RFB 003.008\n")
                viewer.read(viewer.read(1)[0])
                viewer.send(b"\2")
                challenges.add(viewer.read(16))
                viewer.close()
            self.assertEqual(len(challenges), 2)

    def test_users(self):
        path = os.path.join(self.dir, "users")
        hashed = subprocess.run(["openssl", "passwd", "-6", "open sesame"], capture_output=True, text=True, check=True).stdout.strip()
        pathlib.Path(path).write_text(f"ann:{hashed}\nbob:{hashed}:view:a\n")
        os.chmod(path, 0o600)
        with daemon.Daemon(config=f"[viewers]\npasswords = {path}\n") as d:
            self.register(d, "a")
            self.register(d, "b")
            for kind in ("tlsPlain", "rsaAes", "rsaAes256"):
                with self.subTest(kind=kind):
                    self.look("b", "open sesame", kind, user="ann")
            for user, password in (("ann", "open sesame "), ("bob", "open sesame"), ("eve", "open sesame"), ("ann", "")):
                with self.subTest(user=user):
                    self.refused("b", password, "tlsPlain", user=user)
            viewer = self.come("a", "open sesame", "tlsPlain", user="bob")
            viewer.first()
            d.until(lambda: self.viewers(d, "a"), "a viewer")
            entry = self.viewers(d, "a")[0]
            self.assertEqual((entry["mode"], entry["label"]), ("view", "bob"))
            viewer.close()
            self.look("a", self.issue(d, "a"), "tlsPlain", user="ann")
            self.refused("a", "open sesame")
            self.assertIn("b: user ann logged in", d.text())
            self.assertIn("refused: user eve may not", d.text())
            self.assertNotIn("sesame", d.text(), "a password is in the log")

    def test_who_guesses_and_hangs_up(self):
        """From a hundred addresses, faster than a slow hash is computed: no viewer who is in goes, and users of another display get in."""
        path = os.path.join(self.dir, "users")
        hashed = subprocess.run(["openssl", "passwd", "-6", "open sesame"], capture_output=True, text=True, check=True).stdout.strip()
        slow = f"$6$rounds=900000$salt${hashed.rsplit('$', 1)[1]}"
        pathlib.Path(path).write_text(f"ann:{hashed}\nbob:{slow}\n")
        os.chmod(path, 0o600)
        with daemon.Daemon(config=f"[viewers]\npasswords = {path}\n") as d:
            self.register(d, "a")
            good = d.viewer("a")
            good.first()
            programs = d.rfb_programs()          # of this display alone: who only asked what "b" offers keeps none there
            self.register(d, "b")
            for i in range(100):
                sock = somebody(self.ports["a"])
                viewer = rfb.Client(sock, timeout=LIMIT, handshake=False)
                viewer.hello()
                viewer.send(b"\x13\0\2")
                viewer.read(3)
                viewer.read(4 * viewer.read(1)[0])
                viewer.send(struct.pack(">I", security.SUBTYPES["tlsPlain"]))
                viewer.read(1)
                viewer.sock = security.client_context(anonymous=True).wrap_socket(viewer.sock)
                viewer.send(struct.pack(">II", 3, 5) + b"bob" + b"wrong")
                self.addCleanup(viewer.close)
            self.look("b", self.issue(d, "b"))
            self.assertTrue(set(programs) <= set(d.rfb_programs()), "the RFB program has ended")
            good.request(False)
            good.update()


if __name__ == "__main__":
    unittest.main(verbosity=2)
