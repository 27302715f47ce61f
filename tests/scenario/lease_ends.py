# SPDX-License-Identifier: GPL-2.0-or-later
"""When a lease ends, everything of its display is released within a second, whatever its viewers do; and Unregister answers
after the device is closed."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from compare import until_shows
from varlink import VarlinkError

SECOND = 1.0 * daemon.SLOW


class LeaseEnds(unittest.TestCase):
    config = "[viewers]\nlinger-seconds = 0\n"

    def setUp(self):
        self.daemon = daemon.Daemon(config=self.config)
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.client.call("GetCapabilities")  # so it has been accepted, and counts
        self.addCleanup(self.client.close)
        self.surface = surface.Surface(800, 600)
        self.addCleanup(self.surface.close)
        self.fds_before = self.daemon.fds()

    def register(self, lease=None, client=None, **more):
        """With a viewer that has a picture, one that has never read, and one that sends half a message."""
        self.held = self.daemon.register(self.surface, "guest", lease=lease, client=client or self.client, **more)
        self.watch()

    def watch(self):
        self.viewers = [self.daemon.viewer("guest") for _ in range(3)]
        self.viewers[0].first()
        for _ in range(20):
            self.viewers[1].request(incremental=False)
        self.viewers[2].send(b"\3\1")
        self.assertTrue(self.holds_it())

    def holds_it(self):
        """The daemon or one of its children has the surface's memfd open or mapped."""
        inode = os.fstat(self.surface.fd).st_ino
        for pid in (self.daemon.pid, *self.daemon.children()):
            try:
                for fd in os.scandir(f"/proc/{pid}/fd"):
                    if os.stat(fd.path).st_ino == inode:
                        return True
                with open(f"/proc/{pid}/maps") as maps:
                    if any(line.split()[4] == str(inode) for line in maps):
                        return True
            except OSError:
                pass             # it closes what we look at, or has ended
        return False

    def assert_released(self):
        begin = time.monotonic()
        while self.holds_it():
            self.assertLess(time.monotonic() - begin, SECOND, "it still holds the device")
            time.sleep(0.005)
        self.assertLess(time.monotonic() - begin, SECOND)
        self.assert_gone()

    def assert_gone(self):
        self.daemon.until(lambda: self.daemon.fds() <= self.fds_before, "its descriptors are as before")
        self.daemon.until(lambda: not self.daemon.rfb_programs(), "its RFB program has ended")
        with self.assertRaises(VarlinkError) as caught:
            self.client.describe("guest")
        self.assertEqual(caught.exception.error, "NoSuchDisplay")
        for viewer in self.viewers:
            self.assert_closed(viewer)

    def assert_closed(self, viewer):
        end = time.monotonic() + 20 * daemon.SLOW
        viewer.sock.settimeout(20 * daemon.SLOW)
        try:
            while viewer.sock.recv(1 << 20):
                self.assertLess(time.monotonic(), end, "its viewer stays connected")
        except ConnectionError:
            pass

    def test_a_pipe(self):
        self.register()
        os.close(self.held)
        self.assert_released()

    def test_a_socket(self):
        ours, theirs = socket.socketpair()
        self.register(lease=theirs.fileno())
        theirs.close()
        ours.close()
        self.assert_released()

    def test_a_socket_that_is_shut_down(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.register(lease=theirs.fileno())
        theirs.close()
        ours.shutdown(socket.SHUT_RDWR)
        self.assert_released()

    def test_bytes_are_no_end(self):
        """Nothing is read from a lease, and what lies in it does not end it."""
        self.register()
        os.write(self.held, b"alive" * 1000)
        time.sleep(0.3)
        self.assertTrue(self.holds_it())
        self.surface.noise(1, 10, 10, 100, 100)
        self.surface.signal()
        until_shows(self.viewers[:1], self.surface, 20 * daemon.SLOW)
        os.close(self.held)
        self.assert_released()

    def test_the_pidfd_of_a_process_that_is_killed(self):
        vmm = subprocess.Popen(["sleep", "1000"])
        pidfd = os.pidfd_open(vmm.pid)
        try:
            self.register(lease=pidfd)
            vmm.send_signal(signal.SIGKILL)
            self.assert_released()
        finally:
            os.close(pidfd)
            vmm.kill()
            vmm.wait()

    def test_the_connection(self):
        registrant = self.daemon.connect()
        got = registrant.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                           "changeFileDescriptorIndex": 1}, [self.surface.fd, self.surface.change], more=True)
        self.assertEqual(got["event"], "registered")
        self.watch()
        registrant.close()
        self.assert_released()

    def test_while_the_picture_moves(self):
        self.register()
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            self.surface.noise(time.monotonic_ns(), 0, 0, 200, 200)
            self.surface.signal()
            self.viewers[0].request()
            self.viewers[0].update()
        os.close(self.held)
        self.assert_released()

    def test_while_the_rfb_program_is_stopped(self):
        self.register()
        program, = self.daemon.rfb_programs()
        os.kill(program, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            os.close(self.held)
            inode = os.fstat(self.surface.fd).st_ino
            while any(os.stat(fd.path).st_ino == inode for fd in os.scandir(f"/proc/{self.daemon.pid}/fd")
                      if os.path.exists(fd.path)):
                self.assertLess(time.monotonic() - begin, SECOND, "a stopped RFB program keeps the device")
                time.sleep(0.005)
        finally:
            if program in self.daemon.rfb_programs():
                os.kill(program, signal.SIGCONT)
        self.assert_released()

    def test_unregister_answers_after_the_close(self):
        self.register()
        self.client.call("Unregister", {"id": "guest"})
        self.assertFalse(self.holds_it(), "it answered before it closed the device")
        self.assert_released()
        os.close(self.held)

    def test_unregister_tells_the_registrant(self):
        registrant = self.daemon.connect()
        registrant.send("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0},
                        [self.surface.fd], more=True)
        self.assertEqual(registrant.result()["event"], "registered")
        self.watch()
        self.client.call("Unregister", {"id": "guest"})
        self.assertEqual(registrant.result()["event"], "unregistered")
        registrant.close()
        self.assert_released()

    def test_register_again_at_once(self):
        for _ in range(20):
            held = self.daemon.register(self.surface, "guest", client=self.client)
            self.client.call("Unregister", {"id": "guest"})
            os.close(held)
        for _ in range(20):
            held = self.daemon.register(self.surface, "guest", client=self.client)
            os.close(held)
            self.daemon.until(lambda: not self.holds_it(), "released")
            self.daemon.until(lambda: not self.listed(), "gone from List")

    def listed(self):
        try:
            self.client.describe("guest")
            return True
        except VarlinkError:
            return False

    def test_a_lease_that_has_ended_before(self):
        ours, theirs = os.pipe()
        os.close(theirs)
        try:
            self.client.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                          "leaseFileDescriptorIndex": 1}, [self.surface.fd, ours])
        except VarlinkError:
            pass
        os.close(ours)
        self.viewers = []
        self.assert_released()

    def test_other_displays_stay(self):
        other = surface.Surface(320, 240)
        self.addCleanup(other.close)
        lease = self.daemon.register(other, "other")
        viewer = self.daemon.viewer("other")
        viewer.first()
        self.register()
        os.close(self.held)
        for number in range(30):
            other.noise(number, 0, 0, 64, 64)
            other.signal()
            viewer.request()
            viewer.update()
        until_shows([viewer], other, 20 * daemon.SLOW)
        self.assertFalse(self.holds_it())
        self.assertEqual(self.client.describe("other")["state"], "live")
        os.close(lease)


class LeaseEndsWithGhosts(LeaseEnds):
    """The same, where viewers are kept (ghosts.py): of the device nothing is."""
    config = ""

    def assert_gone(self):
        if self.listed() and self.client.describe("guest")["state"] == "lost":
            self.daemon.until(lambda: not self.listed() or "viewers wait" in
                              self.client.describe("guest").get("stateReason", ""), "it is a ghost")
            for viewer in self.viewers:
                viewer.close()
        super().assert_gone()

    def assert_closed(self, viewer):
        if viewer.sock.fileno() >= 0:
            super().assert_closed(viewer)


if __name__ == "__main__":
    unittest.main()
