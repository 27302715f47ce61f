# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs out: descriptors, memory, room on the disk, whoever reads the log. Each refuses newcomers in words, keeps who is there, and is
over when there is enough again (docs/ARCHITECTURE.md, "When something runs out")."""
import contextlib
import os
import pathlib
import resource
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from beside import Beside
from varlink import VarlinkError


class Exhaustion(unittest.TestCase):
    """A display with a viewer is there before and after, and its picture moves all the time."""

    arguments, through = (), ()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.daemon = daemon.Daemon(*self.arguments, config="[viewers]\ngrace-seconds = 0\nlinger-seconds = 0\n",
                                    through=self.through)
        self.stack.callback(self.daemon.stop)
        self.client = self.daemon.connect()
        self.surface = surface.Surface(320, 240)
        self.lease = self.daemon.register(self.surface, "guest", client=self.client)
        sock, _ = self.client.attach("guest")
        with sock:
            self.good = self.stack.enter_context(Beside(sock, self.surface))
        self.surfaces = []

    def newcomer(self, display, client=None):
        made = surface.Surface(64, 48)
        self.surfaces.append(made)
        return self.daemon.register(made, display, client=client)

    def refused(self, display, client=None):
        with self.assertRaises(VarlinkError) as caught:
            self.newcomer(display, client)
        self.assertEqual(caught.exception.error, "Unavailable")
        self.assertTrue(caught.exception.parameters["reason"])
        return caught.exception.parameters["reason"]

    def still_serves(self):
        self.assertEqual(self.client.describe("guest")["viewers"], 1)

    def recovers(self, display="later"):
        """As if nothing had been."""
        client = self.daemon.connect()
        lease = self.newcomer(display, client)
        viewer = rfb.Client(client.attach(display)[0], timeout=30 * daemon.SLOW)
        self.stack.callback(viewer.close)
        viewer.first()
        self.assertEqual(bytes(viewer.pixels), self.surfaces[-1].expect(rfb.XRGB))
        os.close(lease)
        self.good.check(self, gap=2 * daemon.SLOW)  # it goes on; how fast is not what is claimed here
        self.still_serves_after()

    def still_serves_after(self):
        self.client.until("guest", lambda runtime: runtime["viewers"] == 0, 10 * daemon.SLOW)


class Descriptors(Exhaustion):
    @contextlib.contextmanager
    def limited(self, left):
        """`left` more numbers than are in use below 1024; what lies above stays."""
        before = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        used = max(int(n) for n in os.listdir(f"/proc/{self.daemon.pid}/fd") if int(n) < 1024)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (used + 1 + left, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, before)

    def test_none_for_a_display(self):
        before = self.daemon.fds()
        with self.limited(3):
            for number in range(5):
                self.refused(f"refused-{number}", self.client)
            self.still_serves()
            with self.assertRaises(VarlinkError) as caught:
                self.client.call("Capture", {"id": "absent"})
            self.assertEqual(caught.exception.error, "NoSuchDisplay")
        self.daemon.until(lambda: self.daemon.fds() <= before, "what refused calls brought is closed")
        self.recovers()

    def test_none_for_a_connection(self):
        """Who is connected is served; who comes waits, and the daemon does not spin."""
        with self.limited(2):
            waiting = []
            for _ in range(10):
                sock = socket.socket(socket.AF_UNIX)
                self.stack.callback(sock.close)
                sock.connect(self.daemon.control)
                waiting.append(sock)
            before, start = self.processor(), time.monotonic()
            time.sleep(1)
            self.still_serves()
            took = time.monotonic() - start
            self.assertLess(self.processor() - before, took / 2, "seconds of processor while it cannot accept")
        for sock in waiting:
            sock.close()
        self.recovers()

    def processor(self):
        """Seconds of the main thread."""
        fields = pathlib.Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_none_for_an_rfb_program(self):
        lease = self.newcomer("other", self.client)
        with self.limited(1):
            self.assertIn(self.client.error("Attach", {"id": "other", "mode": "view"}), ("Unavailable", "DescriptorUnsuitable"))
            with contextlib.suppress(OSError, EOFError, rfb.Refused):
                self.daemon.viewer("other").close()
            self.still_serves()
        viewer = self.daemon.viewer("other")
        viewer.first()
        os.close(lease)
        self.recovers()


@unittest.skipIf(daemon.SANITIZED, "a sanitizer's shadow is more address space than any limit leaves")
class Memory(Exhaustion):
    @contextlib.contextmanager
    def limited(self, more):
        """Address space, as large as it is now and `more` bytes."""
        pages = int(pathlib.Path(f"/proc/{self.daemon.pid}/statm").read_text().split()[0])
        before = resource.prlimit(self.daemon.pid, resource.RLIMIT_AS)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, before)

    def test_none_for_a_thread(self):
        with self.limited(64 << 10):
            for number in range(5):
                self.assertIn("no memory", self.refused(f"refused-{number}", self.client))
            self.still_serves()
        self.recovers()

    def test_none_for_a_larger_picture(self):
        """The guest's next mode is too large: words say so, the viewer stays, and a smaller one goes on."""
        lease = self.newcomer("grows", self.client)
        viewer = rfb.Client(self.client.attach("grows")[0], timeout=30 * daemon.SLOW)
        self.stack.callback(viewer.close)
        viewer.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE)
        viewer.first()
        large = surface.Surface(64, 48, room=4096 * 2160 * 4)
        lease_of_large = self.daemon.register(large, "large", client=self.client)
        with self.limited(1 << 20):
            large.shape(4096, 2160)
            large.show()
            large.signal()
            self.assertEqual(self.client.error("Capture", {"id": "large"}), "NotLive")
            self.still_serves()
        # Without the limit it is seen.
        end = time.monotonic() + 15 * daemon.SLOW
        while True:
            with contextlib.suppress(VarlinkError):
                self.assertEqual(self.client.capture("large")[:2], (4096, 2160))
                break
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        os.close(lease)
        os.close(lease_of_large)
        large.close()
        self.recovers()


def may_mount():
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(may_mount(), "no file system can be mounted here")
class Disk(Exhaustion):
    """The directory of its sockets is on a file system with room for one of them."""

    arguments = ("--state-dir", "/mnt")
    through = ("unshare", "-m", "sh", "-c",
               'mount -t tmpfs -o size=64k,nr_inodes=3 none /mnt && chmod 755 /mnt && exec "$@"', "sh")

    def test_no_room_for_a_socket(self):
        """A display without its own socket is still there for Attach; one that must listen there is refused."""
        lease = self.newcomer("bare", self.client)
        self.assertEqual(self.client.describe("bare")["endpoints"], [])
        self.assertIn("bare: no socket for viewers at /mnt/rfb/bare: No space left on device", self.daemon.text())
        viewer = rfb.Client(self.client.attach("bare")[0], timeout=30 * daemon.SLOW)
        self.stack.callback(viewer.close)
        viewer.first()
        made = surface.Surface(64, 48)
        with self.assertRaises(VarlinkError) as caught:
            self.daemon.register(made, "refused", client=self.client, listen=[{"mode": "view", "address": "unix:/mnt/refused"}])
        self.assertEqual(caught.exception.error, "AddressUnavailable")
        self.assertIn("No space left on device", caught.exception.parameters["reason"])
        self.still_serves()
        os.close(self.lease)     # gives its room back
        self.client.until_gone("guest", 10 * daemon.SLOW)
        self.daemon.until(self.has_room, "there is room again when its RFB program has ended")
        os.close(lease)

    def has_room(self):
        lease = self.newcomer("later", self.client)
        endpoints = self.client.describe("later")["endpoints"]
        os.close(lease)
        self.client.until_gone("later", 10 * daemon.SLOW)
        return endpoints == ["unix:/mnt/rfb/later"]


class Journal(Exhaustion):
    """Nobody reads the log: its pipe is full all the time."""

    def setUp(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.read = read
        self.through = ("sh", "-c", f'exec "$@" 2>/proc/{os.getpid()}/fd/{write}', "sh")
        try:
            super().setUp()
        finally:
            os.close(write)

    def flood(self, count=600):
        """Each call leaves a line, or more."""
        for number in range(count):
            made = self.surfaces[0] if self.surfaces else surface.Surface(64, 48)
            self.surfaces[:1] = [made]
            os.close(self.daemon.register(made, f"flood-{number}", client=self.client))

    def test_a_reader_that_has_stopped(self):
        self.flood()
        self.recovers()
        text = os.read(self.read, 1 << 20)
        self.assertGreater(len(text), 32 << 10, "the pipe was full")
        os.close(self.newcomer("said", self.client))
        self.daemon.until(lambda: b"lines were lost" in os.read(self.read, 1 << 20), "it says that some were lost")

    def test_a_reader_that_has_gone(self):
        drain = threading.Thread(target=lambda: os.read(self.read, 1))
        drain.start()
        drain.join()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, self.read)  # the last reader of that pipe
        os.close(null)
        self.flood(50)
        self.recovers()


del Exhaustion
if __name__ == "__main__":
    unittest.main(verbosity=2)
