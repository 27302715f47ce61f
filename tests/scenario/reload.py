#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""New certificates are for new connections, open ones go on; a bad file is refused with its name, and the old one stays."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import certificates  # noqa: E402
import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
RELOAD = "io.systemd.service.Reload"


class Reload(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.picture = surface.Surface(120, 80)
        self.picture.noise(1, colours=40)
        self.old, self.new = (certificates.Authority(self.dir, name) for name in ("old", "new"))
        self.cert, self.key = self.dir / "now.pem", self.dir / "now.key"
        self.use(*self.old.issue("server-old"))

    def use(self, cert, key):
        shutil.copy(cert, self.cert)
        shutil.copy(key, self.key)
        self.key.chmod(0o600)

    def config(self, more=""):
        return f"[viewers]\ncertificate = {self.cert}\nkey = {self.key}\nsecurity-local = x509Plain x509Vnc\n{more}\n"

    def viewer(self, d, port, authority):
        ticket = d.connect().call("IssueTicket", {"id": "a", "mode": "view"})["ticket"]
        viewer = rfb.Client(("127.0.0.1", port), timeout=LIMIT, security="x509Plain", user="x", password=ticket, ca=authority.ca)
        d.opened.append(viewer)
        viewer.first()
        return viewer

    def start(self, **more):
        d = self.enterContext(daemon.Daemon(config=self.config(**more)))
        self.port = daemon.free_port()
        self.lease = d.register(self.picture, "a", listen=[{"mode": "control", "address": f"127.0.0.1:{self.port}"}])
        self.addCleanup(os.close, self.lease)
        return d

    def reload(self, d):
        before = d.text().count("reload")
        os.kill(d.pid, signal.SIGHUP)
        d.until(lambda: d.text().count("reload") > before, "the daemon says that it has reloaded")

    def test_open_connections_go_on(self):
        d = self.start()
        first = self.viewer(d, self.port, self.old)
        self.use(*self.new.issue("server-new"))
        self.reload(d)
        second = self.viewer(d, self.port, self.new)
        with self.assertRaises(rfb.Refused):
            self.viewer(d, self.port, self.old)
        for n in (2, 3):
            self.picture.noise(n, colours=40)
            for each in (first, second):
                each.until(lambda viewer=each: shows(viewer, self.picture) is None, ask=True)

    def test_a_bad_file_changes_nothing(self):
        d = self.start()
        other = self.new.issue("server-new")
        self.key.write_bytes(pathlib.Path(other[1]).read_bytes())
        self.reload(d)
        self.assertRegex(d.text(), r"reload: key \S+now\.key: is not the key of the certificate; what was there is kept")
        self.viewer(d, self.port, self.old)
        self.cert.unlink()
        with self.assertRaises(varlink.VarlinkError) as caught:
            d.connect().call(RELOAD)
        self.assertEqual(caught.exception.error, "Unavailable")
        self.assertRegex(caught.exception.parameters["reason"], r"^certificate \S+now\.pem: No such file")
        self.viewer(d, self.port, self.old)
        self.use(*other)
        d.connect().call(RELOAD)
        self.viewer(d, self.port, self.new)
        self.assertNotIn("PRIVATE", d.text())

    def test_a_program_started_later_has_the_new_one(self):
        d = self.start(more="grace-seconds = 0")
        self.viewer(d, self.port, self.old).close()
        d.until(lambda: not d.rfb_programs(), "the program has ended")
        self.use(*self.new.issue("server-new"))
        self.reload(d)
        self.viewer(d, self.port, self.new)

    def test_registered_later(self):
        d = self.start()
        self.use(*self.new.issue("server-new"))
        self.reload(d)
        port = daemon.free_port()
        held = d.register(surface.Surface(40, 30), "b", listen=[{"mode": "view", "address": f"127.0.0.1:{port}"}])
        ticket = d.connect().call("IssueTicket", {"id": "b", "mode": "view"})["ticket"]
        rfb.Client(("127.0.0.1", port), timeout=LIMIT, security="x509Plain", user="x", password=ticket, ca=self.new.ca).close()
        os.close(held)

    def test_systemd_is_told(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(str(self.dir / "notify"))
        listener.settimeout(LIMIT)
        os.environ["NOTIFY_SOCKET"] = str(self.dir / "notify")
        try:
            d = self.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        said = []

        def hear(word):
            while not any(word in each for each in said):
                said.append(listener.recv(4096).decode())

        hear("READY=1")
        said.clear()
        os.kill(d.pid, signal.SIGHUP)
        hear("RELOADING=1")
        self.assertRegex("\n".join(said), r"MONOTONIC_USEC=\d+")
        told = int(re.search(r"MONOTONIC_USEC=(\d+)", "\n".join(said))[1])
        self.assertLess(abs(told - int(time.monotonic() * 1e6)), LIMIT * 1e6)
        said.clear()
        hear("READY=1")
        # A failed one ends, too.
        self.key.unlink()
        os.kill(d.pid, signal.SIGHUP)
        hear("RELOADING=1")
        said.clear()
        hear("READY=1")

    def test_ping(self):
        d = self.start()
        self.assertEqual(d.connect().call("io.systemd.service.Ping"), {})
        self.assertIn("io.systemd.service", d.connect().call("org.varlink.service.GetInfo")["interfaces"])

    def test_a_bad_file_at_the_start(self):
        conf = self.dir / "conf"
        conf.write_text(self.config())
        self.key.chmod(0o644)
        done = subprocess.run([daemon.BUILD / "vfio-displayd", "--config", conf, "--control", self.dir / "c"],
                              capture_output=True, text=True, timeout=LIMIT)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"key \S+now\.key: is a secret that everybody may read")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_credentials_of_systemd(self):
        directory = self.dir / "credentials"
        directory.mkdir()
        shutil.copy(self.cert, directory / "tls.cert")
        shutil.copy(self.key, directory / "tls.key")
        (directory / "vnc.password").write_text("geh3im-X\n")
        for each in directory.iterdir():
            each.chmod(0o440)
        os.environ["CREDENTIALS_DIRECTORY"] = str(directory)
        try:
            d = self.enterContext(daemon.Daemon(config="[viewers]\nsecurity-local = x509Vnc\n"))
        finally:
            del os.environ["CREDENTIALS_DIRECTORY"]
        port = daemon.free_port()
        held = d.register(self.picture, "a", listen=[{"mode": "control", "address": f"127.0.0.1:{port}"}])
        viewer = rfb.Client(("127.0.0.1", port), timeout=LIMIT, security="x509Vnc", password="geh3im-X", ca=self.old.ca)
        viewer.first()
        self.assertIsNone(shows(viewer, self.picture))
        viewer.close()
        os.close(held)

    def test_the_rsa_key_is_made_once(self):
        """And is no one's but the daemon's."""
        prints = []
        for _ in range(2):
            os.environ["STATE_DIRECTORY"] = str(self.dir)
            try:
                with daemon.Daemon(config="[viewers]\nsecurity-local = rsaAes\n") as d:
                    held = d.register(self.picture, "a")
                    d.until((self.dir / "rsa.key").exists, "a key is made", timeout=60)
                    self.assertEqual((self.dir / "rsa.key").stat().st_mode & 0o777, 0o600)
                    prints.append((self.dir / "rsa.key").read_bytes())
                    os.close(held)
                    self.assertNotIn("PRIVATE", d.text())
            finally:
                del os.environ["STATE_DIRECTORY"]
        self.assertEqual(prints[0], prints[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
