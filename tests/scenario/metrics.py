#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics over HTTP: the form is OpenMetrics, promtool finds nothing wrong, the numbers are true, and who scrapes badly costs nothing."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/proto"))

import daemon  # noqa: E402
import openmetrics  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
CONNECTIONS = 32                 # LIMIT_METRICS_CONNECTIONS
P = "vfio_displayd_"


def get(port, path="/metrics", accept=OPEN, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept} if accept else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def raw(port, data, timeout=LIMIT):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        client.sendall(data)
        out = b""
        try:
            while piece := client.recv(65536):
                out += piece
        except ConnectionResetError:
            pass
    return out


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = daemon.free_port()
        cls.d = cls.enterClassContext(daemon.Daemon(config=f"[metrics]\nlisten = 127.0.0.1:{cls.port}\n"))

    def programs(self):
        return [pid for pid in self.d.children() if self.d.name(pid).startswith("vfio-displayd-m")]

    def families(self, text=None):
        return openmetrics.parse(text if text is not None else get(self.port)[2])

    def value(self, name, **labels):
        return openmetrics.value(self.families(), P + name, labels)

    def show(self, name, **more):
        picture = surface.Surface(320, 200)
        picture.noise(1)
        held = self.d.register(picture, name, **more)
        self.addCleanup(os.close, held)
        viewer = self.d.viewer(name)
        viewer.first()
        return picture, viewer

    def test_numbers_are_true(self):
        picture, viewer = self.show("vm-1", context={"machine": 'a "machine"\\with ä'})
        self.d.until(lambda: self.value("frames_published_total", id="vm-1") >= 1, "a picture is counted")
        self.assertEqual(self.value("displays", state="live"), 1)
        self.assertEqual(self.value("viewers", id="vm-1", mode="control"), 1)
        self.assertEqual(self.value("viewers", id="vm-1", mode="view"), 0)
        self.assertEqual(self.value("display_info", id="vm-1", machine='a "machine"\\with ä', format="XRGB8888", modifier="LINEAR"), 1)
        self.assertGreaterEqual(self.value("damaged_tiles_total", id="vm-1"), 20 * 13)
        changes = self.value("display_changes_total", id="vm-1", via="eventfd")
        picture.noise(2)
        viewer.until(lambda: shows(viewer, picture) is None, ask=True)
        self.d.until(lambda: self.value("display_changes_total", id="vm-1", via="eventfd") > changes, "the change is counted")
        self.d.until(lambda: sum(value for name, labels, value in self.families()["vfio_displayd_viewer_bytes"].samples
                                 if labels["id"] == "vm-1") > 320 * 200, "its bytes are counted")
        for step in ("capture", "damage_scan"):
            self.assertGreaterEqual(self.value(step + "_seconds_count"), 1)
        for step in ("encode", "change_to_wire"):
            self.d.until(lambda step=step: self.is_measured(step, picture, viewer), f"{step} is measured")
        self.assertGreaterEqual(self.value("varlink_calls_total", method="Register", error=""), 1)
        with self.assertRaises(varlink.VarlinkError):
            self.d.connect().call("Unregister", {"id": "nothing"})
        self.assertGreaterEqual(self.value("varlink_calls_total", method="Unregister", error="NoSuchDisplay"), 1)
        with self.assertRaises(varlink.VarlinkError):
            self.d.connect().call("No.Such.Method")
        self.assertGreaterEqual(self.value("varlink_connections"), 1)
        self.d.connect().call("Unregister", {"id": "vm-1"})
        self.assertNotIn('id="vm-1"', get(self.port)[2])

    def is_measured(self, step, picture, viewer):
        """Its program tells with a viewer's state: of the last update perhaps with the next one's."""
        picture.noise(time.monotonic_ns())
        picture.signal()
        viewer.until(lambda: shows(viewer, picture) is None, ask=True)
        return self.value(step + "_seconds_count") >= 1

    def test_a_scrape_asks_no_driver(self):
        """And an unwatched display stays asleep."""
        picture = surface.Surface(64, 64)
        self.addCleanup(os.close, self.d.register(picture, "asleep"))
        self.d.until(lambda: self.value("displays", state="live") >= 1, "it is live")
        time.sleep(1)            # what Register started is over
        before = self.value("frames_captured_total", id="asleep")
        picture.noise(5)
        for _ in range(3):
            get(self.port)
        self.assertEqual(self.value("frames_captured_total", id="asleep"), before)

    def test_forms(self):
        self.addCleanup(os.close, self.d.register(surface.Surface(64, 64), "forms"))
        status, headers, text = get(self.port)
        self.assertEqual((status, headers["Content-Type"]), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        families = self.families(text)
        self.assertEqual(families[P + "build"].type, "info")
        status, headers, classic = get(self.port, accept=None)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertNotIn("# EOF", classic)
        listed = set(re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs/OBSERVE.md").read_text().split("\n## ")[1], re.M))
        self.assertEqual({name.removeprefix(P) for name in families}, listed, "docs/OBSERVE.md lists what there is")

    def test_promtool(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("promtool is missing (Debian package prometheus)")
        self.show("prom")
        for accept in (None,):
            done = subprocess.run([promtool, "check", "metrics"], input=get(self.port, accept=accept)[2], capture_output=True, text=True,
                                  timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_method(self):
        self.addCleanup(os.close, self.d.register(surface.Surface(64, 64), "by-method"))
        for wanted, head in (({}, "# TYPE vfio_displayd_build info"), ({"format": "text"}, "# TYPE vfio_displayd_build_info gauge")):
            client = self.d.connect()
            reply = client.call("GetMetrics", wanted)
            fds = client.fds
            text = os.pread(fds[reply["fileDescriptorIndex"]], 1 << 20, 0).decode()
            self.assertEqual(len(text), reply["bytes"])
            self.assertTrue(text.startswith(head))
            self.assertIn('id="by-method"', text)
            with self.assertRaises(OSError):
                os.pwrite(fds[0], b"x", 0)
            for fd in fds:
                os.close(fd)

    def test_health_and_other_paths(self):
        self.assertEqual(get(self.port, "/healthz")[::2], (200, "ok\n"))
        self.assertEqual(get(self.port, "/")[0], 404)
        self.assertEqual(get(self.port, "/metrics/../etc/passwd")[0], 404)
        self.assertEqual(get(self.port, method="HEAD")[::2], (200, ""))
        for method in ("POST", "PUT", "DELETE", "TRACE", "CONNECT"):
            self.assertGreaterEqual(get(self.port, method=method)[0], 400, method)
        os.kill(self.d.pid, signal.SIGSTOP)
        try:
            self.d.until(lambda: pathlib.Path(f"/proc/{self.d.pid}/stat").read_text().rsplit(") ", 1)[1][0] == "T", "it stands still")
            status, _, words = get(self.port, "/healthz")
            self.assertEqual((status, words), (503, "vfio-displayd does not answer\n"))
        finally:
            os.kill(self.d.pid, signal.SIGCONT)
        self.d.until(lambda: get(self.port, "/healthz")[0] == 200, "it is well again")

    def test_bad_clients(self):
        get(self.port)
        pid, = self.programs()
        idle = self.d.memory(pid)
        for data in (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n", b"\0" * 5000, b"GET " + b"/" * 70000,
                     b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100000,
                     b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n" + b"x" * 100000,
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            try:
                self.assertNotIn(b" 200 ", raw(self.port, data)[:20])
            except (ConnectionResetError, BrokenPipeError):
                pass
        self.crowd()
        self.assertEqual(self.programs(), [pid], "it is the same program")
        self.assertLess(self.d.memory(pid), idle + 8192 * daemon.SLOW)

    def crowd(self):
        """Three times as many as there are places, each of which says one byte of its request at a time, and comes back when it is cut off."""
        over = threading.Event()
        pid, = self.programs()

        def knock():
            client = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
            client.send(b"GET /metrics HTTP/1.1\r\nX: ")
            return client

        def push():
            while not over.wait(0.1):
                for i, client in enumerate(crowd):
                    try:
                        client.send(b"x")
                    except OSError:
                        client.close()
                        crowd[i] = knock()

        crowd = [knock() for _ in range(3 * CONNECTIONS)]
        pusher = threading.Thread(target=push)
        pusher.start()
        try:
            self.assertEqual(get(self.port)[0], 200, "who has said what it wants is served")
            self.assertLessEqual(self.d.fds(pid), CONNECTIONS + 16)
        finally:
            over.set()
            pusher.join()
            for client in crowd:
                client.close()

    def test_a_dead_program_is_started_again(self):
        get(self.port)
        pid, = self.programs()
        os.kill(pid, signal.SIGKILL)
        self.d.until(lambda: get(self.port)[0] == 200, "there is another one")
        self.assertNotEqual(self.programs(), [pid])
        self.assertIn("the metrics program has ended (signal 9)", self.d.text())

    def test_many_at_once(self):
        before = self.value("scrapes_total")
        clients = [socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT) for _ in range(CONNECTIONS - 4)]
        for client in clients:
            client.sendall(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")
        for client in clients:
            text = b""
            while piece := client.recv(65536):
                text += piece
            self.assertTrue(text.startswith(b"HTTP/1.1 200"), text[:100])
            client.close()
        self.assertLess(self.value("scrapes_total") - before, CONNECTIONS / 2, "who waits for the same text shares it")


class Doors(unittest.TestCase):
    def refused(self, config):
        with self.assertRaises(AssertionError) as caught:
            daemon.Daemon(config=config).stop()
        return str(caught.exception)

    def test_loopback_only(self):
        port = daemon.free_port()
        self.assertIn("insecure = yes", self.refused(f"[metrics]\nlisten = 0.0.0.0:{port}\n"))
        with daemon.Daemon(config=f"[metrics]\nlisten = 0.0.0.0:{port}\ninsecure = yes\n"):
            self.assertEqual(get(port)[0], 200)
        self.assertIn("is not HOST:PORT", self.refused("[metrics]\nlisten = nonsense\n"))

    def test_unix_socket_goes_with_the_daemon(self):
        with daemon.Daemon() as d:
            path = d.dir / "metrics"
        with daemon.Daemon(config=f"[metrics]\nlisten = unix:{path.parent}.sock\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(LIMIT)
                client.connect(f"{path.parent}.sock")
                client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 ", client.recv(100))
        self.assertFalse(os.path.exists(f"{path.parent}.sock"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
