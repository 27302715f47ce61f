#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP listeners ask for the configured password; outside loopback nothing is open."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
PASSWORD = "geh3im-X"


class PasswordListener(unittest.TestCase):
    def setUp(self):
        self.dir = self.enterContext(tempfile.TemporaryDirectory())
        self.canvas = surface.Surface(200, 120)
        self.canvas.noise(1)

    def password_file(self, text=PASSWORD + "\n", mode=0o600):
        path = os.path.join(self.dir, "password")
        pathlib.Path(path).write_text(text)
        os.chmod(path, mode)
        return f"[viewers]\npassword-file = {path}\n"

    def register(self, d, *addresses, mode="control"):
        return d.register(self.canvas, "a", listen=[{"mode": mode, "address": each} for each in addresses])

    def look(self, where, **more):
        viewer = rfb.Client(where, timeout=LIMIT, **more)
        try:
            viewer.first()
            self.assertIsNone(shows(viewer, self.canvas))
        finally:
            viewer.close()

    def test_the_right_one_and_wrong_ones(self):
        with daemon.Daemon(config=self.password_file()) as d:
            port = daemon.free_port()
            held = self.register(d, f"127.0.0.1:{port}")
            for version in ("3.3", "3.7", "3.8"):
                self.look(("127.0.0.1", port), version=version, password=PASSWORD)
                for wrong in ("", "geh3im-x", "geh3im-", PASSWORD[::-1]):
                    with self.subTest(version=version, wrong=wrong), self.assertRaises(rfb.Refused):
                        rfb.Client(("127.0.0.1", port), version=version, password=wrong, timeout=LIMIT)
                self.look(("127.0.0.1", port), version=version, password=PASSWORD + "is cut after 8")
            self.assertNotIn(PASSWORD, d.text(), "the password is in the log")
            del held

    def test_nothing_but_the_password(self):
        """None is not offered, and choosing it does not help."""
        with daemon.Daemon(config=self.password_file()) as d:
            port = daemon.free_port()
            held = self.register(d, f"127.0.0.1:{port}")
            for choice in (1, 0, 16, 19, 255):
                viewer = rfb.Client(("127.0.0.1", port), timeout=LIMIT, handshake=False)
                viewer.read(12)
                viewer.send(b"RFB 003.008\n")
                self.assertEqual(viewer.read(viewer.read(1)[0]), b"\x02")
                viewer.send(bytes((choice,)))
                with self.assertRaises((EOFError, ConnectionError, AssertionError)):
                    self.assertNotEqual(viewer.unpack(">I")[0], 0)
                    viewer.reason()
                    viewer.send(b"\1")
                    viewer.read(24)
                viewer.close()
            self.look(("127.0.0.1", port), password=PASSWORD)
            del held

    def test_unix_sockets_ask_for_none(self):
        """The right to connect to them is the right to see."""
        with daemon.Daemon(config=self.password_file()) as d:
            path = os.path.join(self.dir, "vnc")
            held = self.register(d, f"unix:{path}")
            self.look(path)
            self.look(str(d.dir / "rfb" / "a"))
            sock, _ = d.connect().attach("a")
            self.look(sock)
            del held

    def test_loopback_without_a_password(self):
        with daemon.Daemon() as d:
            ports = daemon.free_port(), daemon.free_port(socket.AF_INET6, "::1")
            held = self.register(d, f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}")
            self.look(("127.0.0.1", ports[0]))
            self.look(("::1", ports[1]))
            self.assertLessEqual({f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"}, set(d.connect().describe("a")["endpoints"]))
            del held

    def test_outside_loopback(self):
        """Nothing that is open or not encrypted, whatever the address is called and whoever made the socket, and nothing of a
        refused registration stays."""
        local = "[viewers]\nsecurity = tlsVnc\nsecurity-local = none\n"
        for where in ("0.0.0.0", "[::]", "*"):
            with self.subTest(where=where), daemon.Daemon(config=local) as d:
                port = daemon.free_port()
                held = self.register(d, f"{where}:{port}")
                with socket.create_connection(("127.0.0.1" if where != "[::]" else "::1", port)) as viewer:
                    viewer.settimeout(LIMIT)
                    self.assertEqual(viewer.recv(12), b"RFB 003.008\n")
                    viewer.send(b"RFB 003.008\n")
                    types = viewer.recv(1)
                    self.assertNotIn(b"\x01", viewer.recv(types[0]) if types[0] else b"", "None is offered")
                del held
        with daemon.Daemon() as d:
            port = daemon.free_port()
            client = d.connect()
            client.call("GetCapabilities")
            before = d.fds()
            for where in ("0.0.0.0:0", "[::]:0", "*:0"):
                lease, held = os.pipe()
                self.assertEqual(client.error("Register", {
                    "context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                    "listen": [{"mode": "view", "address": where}]}, [self.canvas.fd, lease]), "InvalidParameter")
                os.close(lease)
                os.close(held)
            d.until(lambda: d.fds() == before, "descriptors as before")

    def test_configurations_that_are_open(self):
        """Refused at the start, in one line that says which and why, unless the file says `insecure`."""
        conf = os.path.join(self.dir, "conf")
        for words in ("none", "tlsNone", "vncauth", "tlsPlain none", "x509Plain"):
            pathlib.Path(conf).write_text(f"[viewers]\nsecurity = {words}\n")
            done = subprocess.run([daemon.BUILD / "vfio-displayd", "--config", conf, "--control", os.path.join(self.dir, "c")],
                                  capture_output=True, text=True, timeout=30 * daemon.SLOW)
            with self.subTest(words=words):
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("a certificate" if "x509" in words else "insecure = yes", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        with daemon.Daemon(config=self.password_file() + "security = vncauth\ninsecure = yes\n") as d:
            port = daemon.free_port()
            held = self.register(d, f"0.0.0.0:{port}")
            self.look(("127.0.0.1", port), password=PASSWORD)
            with self.assertRaises(rfb.Refused):
                rfb.Client(("127.0.0.1", port), password="wrong", timeout=LIMIT)
            del held

    def test_a_listener_of_the_registrant(self):
        with daemon.Daemon(config=self.password_file()) as d:
            listener = socket.create_server(("127.0.0.1", 0))
            where = listener.getsockname()
            lease, held = os.pipe()
            d.connect().call("Register", {"context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                          "leaseFileDescriptorIndex": 1,
                                          "listen": [{"mode": "view", "fileDescriptorIndex": 2}]},
                             [self.canvas.fd, lease, listener.fileno()])
            listener.close()
            os.close(lease)
            self.look(where, password=PASSWORD)
            with self.assertRaises(rfb.Refused):
                rfb.Client(where, password="wrong", timeout=LIMIT)
            os.close(held)

    def test_a_taken_address(self):
        with daemon.Daemon() as d:
            taken = socket.create_server(("127.0.0.1", 0))
            lease, held = os.pipe()
            for address in (f"127.0.0.1:{taken.getsockname()[1]}", "unix:/nonexistent/directory/socket"):
                self.assertEqual(d.connect().error("Register", {
                    "context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                    "leaseFileDescriptorIndex": 1, "listen": [{"mode": "view", "address": address}]},
                    [self.canvas.fd, lease]), "AddressUnavailable")
            taken.close()
            os.close(lease)
            os.close(held)

    def test_password_files_that_are_no_good(self):
        """The daemon says what is wrong with it in one line, without the password, and does not start."""
        for text, mode in (("", 0o600), ("\n", 0o600), ("ninechars", 0o600), (PASSWORD, 0o644), (PASSWORD, 0o602), (None, 0)):
            config = self.password_file(text or "", mode or 0o600)
            path = os.path.join(self.dir, "password")
            if text is None:
                os.unlink(path)
            conf = os.path.join(self.dir, "conf")
            pathlib.Path(conf).write_text(config)
            done = subprocess.run([daemon.BUILD / "vfio-displayd", "--config", conf, "--control", os.path.join(self.dir, "c")],
                                  capture_output=True, text=True, timeout=30 * daemon.SLOW)
            with self.subTest(text=text, mode=oct(mode)):
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("password-file", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                if text and text.strip():
                    self.assertNotIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
