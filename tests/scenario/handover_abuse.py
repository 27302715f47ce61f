# SPDX-License-Identifier: GPL-2.0-or-later
"""What is handed over wrongly gets its named error, leaks nothing, and does not touch anybody else."""
import os
import pathlib
import resource
import socket
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import surface
from compare import until_shows
from varlink import VarlinkError


def parameters(display="abuse", device=0, lease=1, **more):
    return {"context": {"id": display}, "source": "surface", "deviceFileDescriptorIndex": device,
            "leaseFileDescriptorIndex": lease, **more}


class HandoverAbuse(unittest.TestCase):
    """One daemon; a display of somebody else's is watched all the time."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = daemon.Daemon()
        cls.other = surface.Surface(320, 240)
        cls.other_lease = cls.daemon.register(cls.other, "other")
        cls.viewer = cls.daemon.viewer("other")
        cls.viewer.set_encodings(0)
        cls.viewer.first()

    @classmethod
    def tearDownClass(cls):
        cls.viewer.close()
        cls.daemon.stop()

    def setUp(self):
        self.client = self.daemon.connect()
        self.client.call("GetCapabilities")
        self.surface = surface.Surface(64, 48)
        self.lease, self.held = os.pipe()
        self.made = [self.lease, self.held]
        self.fds_before = self.daemon.fds()

    def tearDown(self):
        for fd in self.made:
            os.close(fd)
        self.surface.close()
        self.client.close()
        # The connection of this test is the only descriptor that setUp() counted and that is gone now.
        self.daemon.until(lambda: self.daemon.fds() <= self.fds_before - 1, f"{self.fds_before - 1} descriptors again")
        self.other.noise(time.monotonic_ns(), 16, 16, 64, 64)
        self.other.signal()
        until_shows([self.viewer], self.other, 20 * daemon.SLOW)

    def keep(self, *fds):
        self.made += fds
        return fds[0]

    def refused(self, error, fds, index=None, **more):
        with self.assertRaises(VarlinkError) as caught:
            self.client.call("Register", parameters(**more), fds)
        self.assertEqual(caught.exception.error, error, caught.exception)
        if index is not None:
            self.assertEqual(caught.exception.parameters["index"], index)
            self.assertTrue(caught.exception.parameters["reason"])
        return caught.exception.parameters

    def unsuitable_device(self, fd, **more):
        self.refused("DescriptorUnsuitable", [fd, self.lease], index=0, **more)

    # ---- devices that are none ----

    def each_kind(self):
        with open(self.daemon.dir / "file", "w+b") as file:
            file.truncate(1 << 20)
            yield "a regular file", file.fileno()
        yield "a pipe", self.held
        a, b = socket.socketpair()
        with a, b:
            yield "a socket", a.fileno()
        yield "/dev/null", self.keep(os.open("/dev/null", os.O_RDWR))
        yield "/dev/zero", self.keep(os.open("/dev/zero", os.O_RDWR))
        yield "a directory", self.keep(os.open("/", os.O_RDONLY))
        yield "an O_PATH memfd", self.keep(os.open(f"/proc/self/fd/{self.surface.fd}", os.O_PATH))
        yield "an O_PATH file", self.keep(os.open("/etc/passwd", os.O_PATH))
        yield "an eventfd", self.keep(os.eventfd(0))
        yield "a pidfd", self.keep(os.pidfd_open(os.getpid()))
        yield "an unsealed memfd", self.keep(os.memfd_create("plain"))

    def test_what_is_not_a_surface(self):
        for name, fd in self.each_kind():
            with self.subTest(name):
                self.unsuitable_device(fd)

    def test_what_is_not_a_vfio_device(self):
        for name, fd in [*self.each_kind(), ("a surface", self.surface.fd)]:
            if fd == self.surface.fd or "file" not in name and "socket" not in name:
                with self.subTest(name):
                    self.unsuitable_device(fd, source="vfio")

    def test_a_surface_that_can_shrink(self):
        loose = surface.Surface(64, 48, seal=False)
        self.unsuitable_device(loose.fd)
        loose.close()

    def test_a_surface_with_garbage_as_its_header(self):
        self.surface.map[0:144] = bytes(range(144))
        with self.assertRaises(VarlinkError) as caught:
            self.client.call("Register", parameters(), [self.surface.fd, self.lease])
        self.assertIn(caught.exception.error, ("DeviceUnsuitable", "DescriptorUnsuitable"))

    # ---- what a surface has not ----

    def test_a_surface_has_no_interrupt_no_edid_and_needs_no_import(self):
        node = self.keep(os.open("/dev/null", os.O_RDWR))
        for field, value in (("displayInterrupt", True), ("ownsEdid", True), ("renderNodeFileDescriptorIndex", 2)):
            with self.subTest(field):
                said = self.refused("InvalidParameter", [self.surface.fd, self.lease, node], **{field: value})
                self.assertEqual(said["parameter"], field)
        self.client.call("Register", parameters(displayInterrupt=False, ownsEdid=False, renderNodeFileDescriptorIndex=None),
                         [self.surface.fd, self.lease])
        self.client.call("Unregister", {"id": "abuse"})

    # ---- leases and eventfds that are none ----

    def test_what_is_not_a_lease(self):
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with listening, open("/etc/passwd", "rb") as file:
            for name, fd in (("a file", file.fileno()), ("a listening socket", listening.fileno()),
                             ("an eventfd", self.surface.change), ("an O_PATH", self.keep(os.open("/", os.O_PATH)))):
                with self.subTest(name):
                    self.refused("DescriptorUnsuitable", [self.surface.fd, fd], index=1)

    def test_what_is_not_an_eventfd(self):
        for name, fd in (("a pipe", self.held), ("/dev/null", self.keep(os.open("/dev/null", os.O_RDWR)))):
            with self.subTest(name):
                self.refused("DescriptorUnsuitable", [self.surface.fd, self.lease, fd], index=2,
                             changeFileDescriptorIndex=2)

    def test_what_is_not_a_listener(self):
        a, b = socket.socketpair()
        with a, b:
            for name, fd in (("a connected socket", a.fileno()), ("a pipe", self.held)):
                with self.subTest(name):
                    self.refused("DescriptorUnsuitable", [self.surface.fd, self.lease, fd], index=2,
                                 listen=[{"mode": "view", "fileDescriptorIndex": 2}])

    def test_a_listener_in_place_of_another_display_s_socket(self):
        rfb = self.daemon.dir / "rfb"
        link = self.daemon.dir / "link"
        if not link.is_symlink():
            link.symlink_to(rfb)
        for path in (rfb / "victim", rfb / "abuse", f"{rfb}//victim", f"{rfb}/../rfb/victim", link / "victim"):
            with self.subTest(path):
                reason = self.refused("AddressUnavailable", [self.surface.fd, self.lease],
                                      listen=[{"mode": "view", "address": f"unix:{path}"}])["reason"]
                self.assertIn("own sockets", reason)
        self.assertFalse((rfb / "victim").exists())
        self.refused("AddressUnavailable", [self.surface.fd, self.lease], listen=[{"mode": "view", "address": f"unix:{rfb}/other"}])
        self.assertTrue((rfb / "other").is_socket())
        # Elsewhere a name is nobody's, also one that is there too.
        self.client.call("Register", parameters(listen=[{"mode": "view", "address": f"unix:{self.daemon.dir}/other"}]),
                         [self.surface.fd, self.lease])
        self.client.call("Unregister", {"id": "abuse"})

    # ---- the wrong number, the wrong one ----

    def test_no_descriptor(self):
        self.refused("DescriptorUnsuitable", [], index=0)

    def test_an_index_beyond(self):
        self.refused("DescriptorUnsuitable", [self.surface.fd, self.lease], index=2, device=2)
        self.refused("DescriptorUnsuitable", [self.surface.fd, self.lease], index=15, lease=15)

    def test_an_index_that_is_none(self):
        for wrong in (-1, 1 << 40, -(1 << 63)):
            with self.subTest(wrong):
                with self.assertRaises(VarlinkError) as caught:
                    self.client.call("Register", parameters(device=wrong), [self.surface.fd, self.lease])
                self.assertIn(caught.exception.error, ("InvalidParameter", "DescriptorUnsuitable"))
        self.assertEqual(self.client.error("Register", parameters(device="0"), [self.surface.fd, self.lease]),
                         "InvalidParameter")

    def test_one_index_twice(self):
        with self.assertRaises(VarlinkError) as caught:
            self.client.call("Register", parameters(device=0, lease=0), [self.surface.fd, self.lease])
        self.assertIn(caught.exception.error, ("DescriptorUnsuitable", "InvalidParameter"))

    def test_no_lease(self):
        wrong = parameters()
        del wrong["leaseFileDescriptorIndex"]
        self.assertEqual(self.client.error("Register", wrong, [self.surface.fd]), "LeaseRequired")

    def test_more_than_are_used(self):
        """Sixteen may come; what the call does not name is closed."""
        extra = [self.surface.fd, self.lease] + [self.keep(os.dup(self.lease)) for _ in range(14)]
        self.client.call("Register", parameters(), extra)
        held = self.daemon.fds()
        self.client.call("Unregister", {"id": "abuse"})
        self.assertLess(held - self.fds_before, 14)

    def test_too_many_descriptors(self):
        """The connection ends; what it sent is closed (tearDown counts)."""
        for count in (17, 64, 200, 253):
            client = self.daemon.connect()
            with self.subTest(count):
                try:
                    client.send("Register", parameters(), [self.surface.fd, self.lease] + [self.lease] * (count - 2))
                    self.assertEqual(client.receive().get("error", "").rsplit(".", 1)[-1], "DescriptorUnsuitable")
                except (EOFError, ConnectionError):
                    pass
            client.close()

    def test_descriptors_with_every_byte(self):
        """More descriptors than allowed, spread over the bytes of one message."""
        message = self.client.message("Register", parameters())
        try:
            for at in range(len(message)):
                self.client.send_raw(message[at:at + 1], [self.lease] * 4)
            self.client.receive()
            self.fail("there was an answer")
        except (EOFError, ConnectionError):
            pass

    def test_a_descriptor_in_the_middle(self):
        """Descriptors belong to a message's first byte; this is a protocol error."""
        message = self.client.message("Register", parameters())
        try:
            self.client.send_raw(message[:20])
            time.sleep(0.1)
            self.client.send_raw(message[20:], [self.surface.fd, self.lease])
            reply = self.client.receive()
            self.assertIn("error", reply)
        except (EOFError, ConnectionError):
            pass

    def test_truncated_control_data(self):
        """The kernel has no room for the second descriptor: what it says with MSG_CTRUNC."""
        pid = self.daemon.pid
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
        free = min(fd for fd in range(len(taken) + 1) if fd not in taken)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, limit[1]))
        try:
            self.client.send("Register", parameters(), [self.surface.fd, self.lease])
            self.assertIn("error", self.client.receive())
        except (EOFError, ConnectionError):
            pass
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)

    # ---- half of it, or rubbish ----

    def test_half_a_message_with_descriptors(self):
        message = self.client.message("Register", parameters())
        self.client.send_raw(message[:len(message) // 2], [self.surface.fd, self.lease])
        self.daemon.until(lambda: self.daemon.fds() >= self.fds_before + 2, "the descriptors arrived")
        self.client.close()          # tearDown counts

    def test_rubbish_with_descriptors(self):
        for rubbish in (b"\0", b"{}\0", b"[1]\0", b"\xff\xfe\0", b'{"method":1}\0', b'{"method":"x"}\0',
                        b"{" * 1000 + b"\0",
                        b'{"method":"org.vfiodisplay.Display.List","parameters":{"id":"a\\u0000b"}}\0'):
            client = self.daemon.connect()
            with self.subTest(rubbish[:20]):
                try:
                    client.send_raw(rubbish, [self.surface.fd, self.lease])
                    self.assertIn("error", client.receive())
                except (EOFError, ConnectionError):
                    pass
            client.close()

    def test_a_message_without_end(self):
        try:
            self.client.send_raw(b'{"method":"', [self.lease])
            for _ in range(64):
                self.client.send_raw(b"x" * 16384)
            self.fail("a megabyte was taken")
        except (ConnectionError, TimeoutError):
            pass

    # ---- the same again ----

    def test_the_same_surface_under_another_name(self):
        reason = self.refused("DeviceUnsuitable", [self.other.fd, self.lease])["reason"]
        self.assertTrue(reason)

    def test_a_duplicate_of_the_same_surface(self):
        """Opened a second time: another struct file, the same memfd."""
        again = self.keep(os.open(f"/proc/self/fd/{self.other.fd}", os.O_RDWR))
        self.refused("DeviceUnsuitable", [again, self.lease])

    def test_the_same_registration_again_is_answered(self):
        got = self.client.call("Register", parameters("other"), [self.other.fd, self.lease])
        self.assertEqual(got["id"], "other")

    def test_a_name_that_is_taken(self):
        self.assertEqual(self.client.error("Register", parameters("other"), [self.surface.fd, self.lease]),
                         "DisplayExists")

    def test_names_that_are_none(self):
        for name in ("", ".", "..", "a/b", "x" * 65, "ö", "a\x01b", "a b"):
            with self.subTest(name):
                self.assertEqual(self.client.error("Register", parameters(name), [self.surface.fd, self.lease]),
                                 "InvalidParameter")

    def test_a_hundred_times_in_and_out(self):
        for _ in range(100):
            self.client.call("Register", parameters(), [self.surface.fd, self.lease])
            self.client.call("Unregister", {"id": "abuse"})


if __name__ == "__main__":
    unittest.main()
