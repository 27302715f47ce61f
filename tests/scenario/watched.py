#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What people and systemd are told: the status line, the state of displays in words, and metrics whose socket outlives the daemon."""
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402

LIMIT = 20 * daemon.SLOW


def dump(client, **parameters):
    reply = client.call("Dump", parameters)
    fd, = client.fds
    try:
        return os.pread(fd, reply["bytes"] + 1, 0).decode()
    finally:
        os.close(fd)


class Words(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.told.close)
        self.told.bind(str(directory / "notify"))
        self.lines, self.seen = [], 0
        threading.Thread(target=self.hear, daemon=True).start()
        os.environ["NOTIFY_SOCKET"] = str(directory / "notify")
        try:
            self.d = self.enterContext(daemon.Daemon())
        finally:
            del os.environ["NOTIFY_SOCKET"]

    def hear(self):
        """As systemd does: what comes is closed, which is the answer to a barrier."""
        while True:
            try:
                data, ancillary, _, _ = self.told.recvmsg(65536, socket.CMSG_SPACE(64))
            except OSError:
                return
            for _, _, fds in ancillary:
                for at in range(0, len(fds), 4):
                    os.close(int.from_bytes(fds[at:at + 4], sys.byteorder))
            self.lines += [line.removeprefix("STATUS=") for line in data.decode().splitlines() if line.startswith("STATUS=")]

    def until_told(self, status):
        """Since the last call. Returns how many status lines came until that one."""
        first = self.seen
        self.d.until(lambda: status in self.lines[first:], f"{status}, not {self.lines[-1:]}")
        self.seen = self.lines.index(status, first) + 1
        return self.seen - first

    def test_status_and_words(self):
        self.until_told("0 displays live, 0 waiting, 0 without a picture, 0 viewers")
        picture = surface.Surface(320, 200)
        held = self.d.register(picture, "vm-1", context={"name": "The first", "machine": "m-1"})
        self.addCleanup(os.close, held)
        self.until_told("1 display live, 0 waiting, 0 without a picture, 0 viewers")
        viewer = self.d.viewer("vm-1")
        viewer.first()
        self.until_told("1 display live, 0 waiting, 0 without a picture, 1 viewer")
        client = self.d.connect()
        words = dump(client, id="vm-1")
        for each in ("display vm-1: live\n", '"The first", machine "m-1", surface of uid ', "primary plane: surface, 320x200, XRGB8888 LINEAR",
                     "lease: a descriptor", "capture thread: ", "changes by eventfd", "  driver: ", "viewers: 1 in, 1 want pictures",
                     ": control from unix", "  listens at unix:", "1 display; systemd keeps "):
            self.assertIn(each, words)
        self.d.until(lambda: "driver: asked nothing" in dump(client, id="vm-1"), "all has been answered")
        with self.assertRaises(varlink.VarlinkError) as caught:
            dump(client, id="vm-2")
        self.assertEqual(caught.exception.error, "NoSuchDisplay")
        os.kill(self.d.pid, signal.SIGUSR1)
        self.d.until(lambda: "primary plane: surface, 320x200" in self.d.text() and "\nvfio-displayd: 1 display; systemd" in self.d.text(), "they are in the log")
        viewer.close()
        self.d.until(lambda: "0 in, 0 want pictures" in dump(client), "nobody is there")
        self.d.until(lambda: "capture thread: asleep, nobody watches" in dump(client), "its thread sleeps")
        # Many changes, few lines.
        began, before = time.monotonic(), len(self.lines)
        for n in range(30):
            self.d.connect().call("Unregister", {"id": "vm-1"}) if n % 2 == 0 else self.addCleanup(os.close, self.d.register(picture, "vm-1"))
        self.d.until(lambda: self.lines[-1].startswith("1 display live"), "the last of them is told")
        self.assertLessEqual(len(self.lines) - before, 2 + time.monotonic() - began)


class Inherited(unittest.TestCase):
    """systemd's socket: a crash of the daemon refuses no scraper, and the program ends with its link."""

    def start(self, listener, directory):
        pid = os.fork()
        if pid == 0:
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="metrics")
            (directory / "conf").write_text("")
            log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            program = str(daemon.BUILD / "vfio-displayd")
            os.execv(program, [program, "--config", str(directory / "conf"), "--control", str(directory / "control")])
        return pid

    def end(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def ask(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT) as reply:
            return reply.read().decode()

    def test_a_crash_refuses_nobody(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(16)
            port = listener.getsockname()[1]
            first = self.start(listener, directory)
            self.addCleanup(self.end, first)
            self.assertIn("vfio_displayd_build_info", self.ask(port))
            children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
            self.assertEqual(len(children), 1)
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
            end = time.monotonic() + LIMIT
            while os.path.exists(f"/proc/{children[0]}") and "Z" not in pathlib.Path(f"/proc/{children[0]}/stat").read_text().split(") ")[1][:1]:
                self.assertLess(time.monotonic(), end, "the metrics program ends with its link")
                time.sleep(0.02)
            with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as waiting:
                waiting.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                second = self.start(listener, directory)
                self.addCleanup(self.end, second)
                self.assertIn(b" 200 ", waiting.recv(200), "who came meanwhile is answered by the next one")
            self.assertIn("vfio_displayd_build_info", self.ask(port))
            os.kill(second, signal.SIGTERM)
            self.assertEqual(os.waitpid(second, 0)[1], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
