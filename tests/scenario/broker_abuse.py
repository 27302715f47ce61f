# SPDX-License-Identifier: GPL-2.0-or-later
"""Registrants that mean ill: whatever they hand over and do with it, the daemon serves everybody else."""
import os
import pathlib
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import surface

LINGER = 60                      # seconds that a close() would take


def stuck_socket():
    """A TCP connection whose close() blocks: SO_LINGER, and data that the other end does not read."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as ours:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ours.connect(server.getsockname())
        theirs, ours = server.accept()[0], ours.dup()
    ours.setblocking(False)
    try:
        while True:
            ours.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
    return ours, theirs


def cpu_time(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def hand_over(client, message, fds, ours):
    """Closes our copy before the message ends: the daemon's is the last one."""
    client.send_raw(message[:1], fds)
    ours.close()
    client.send_raw(message[1:])


class BrokerAbuse(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon.Daemon()
        self.surface = surface.Surface(320, 240)
        self.other = self.daemon.connect()
        self.other.call("GetCapabilities")

    def tearDown(self):
        self.surface.close()
        self.daemon.stop()

    def registration(self, display="abuse", **more):
        return {"context": {"id": display}, "source": "surface", "deviceFileDescriptorIndex": 0,
                "leaseFileDescriptorIndex": 1, **more}

    def still_answers(self):
        began = time.monotonic()
        self.other.call("GetCapabilities")
        self.assertLess(time.monotonic() - began, LINGER / 4)

    # ---- what cannot be closed in time ----

    def test_an_unused_descriptor_that_lingers(self):
        ours, theirs = stuck_socket()
        client = self.daemon.connect()
        hand_over(client, client.message("GetCapabilities"), [ours.fileno()], ours)
        client.result()
        self.still_answers()
        theirs.close()

    def test_a_message_with_lingering_descriptors_that_is_rubbish(self):
        ours, theirs = stuck_socket()
        hand_over(self.daemon.connect(), b"{]\0", [ours.fileno()], ours)
        time.sleep(0.2)
        self.still_answers()
        theirs.close()

    def test_a_lease_that_lingers(self):
        ours, theirs = stuck_socket()
        client = self.daemon.connect()
        hand_over(client, client.message("Register", self.registration()), [self.surface.fd, ours.fileno()], ours)
        client.result()
        theirs.shutdown(socket.SHUT_WR)
        self.daemon.until(lambda: "abuse: released" in self.daemon.text(), "released")
        self.still_answers()
        theirs.close()

    def test_more_of_them_than_there_are_threads(self):
        client = self.daemon.connect()
        client.call("GetCapabilities")
        before = self.daemon.fds()
        pairs = [stuck_socket() for _ in range(40)]
        for ours, _ in pairs:
            hand_over(client, client.message("GetCapabilities"), [ours.fileno()], ours)
            client.result()
        self.still_answers()
        lease = self.daemon.register(self.surface, "good", client=self.other)
        self.other.call("Unregister", {"id": "good"})
        os.close(lease)
        self.assertGreater(self.daemon.fds(), before)
        for _, theirs in pairs:
            theirs.close()
        self.daemon.until(lambda: self.daemon.fds() <= before, "all are closed at last")

    # ---- what would keep the daemon busy ----

    def test_a_listener_that_is_shut_down(self):
        """Readable for ever: no program is started for it again and again, and none that runs spins."""
        lease, held = os.pipe()
        for family, where in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(self.daemon.dir / "listener"))):
            with self.subTest(family), socket.socket(family) as listener:
                listener.bind(where)
                listener.listen()
                more = self.registration(listen=[{"mode": "view", "fileDescriptorIndex": 2}])
                self.other.call("Register", more, [self.surface.fd, lease, listener.fileno()])
                viewer = self.daemon.viewer("abuse")
                viewer.set_encodings(0)
                viewer.first()
                viewer.settle()
                name = "unix:" + where if isinstance(where, str) else f"{where[0]}:{listener.getsockname()[1]}"
                listener.shutdown(socket.SHUT_RDWR)
                program, = self.daemon.rfb_programs()
                before = cpu_time(program)
                time.sleep(2)
                self.assertLess(cpu_time(program) - before, 0.5)
                viewer.close()
                self.daemon.signal(program)
                self.daemon.until(lambda: program not in self.daemon.children(), "the program is gone")
                self.daemon.until(lambda: f"{name} has been shut down" in self.daemon.text(), "it is noticed")
                self.assertEqual(self.daemon.rfb_programs(), [])
                self.daemon.viewer("abuse").close()
                self.other.call("Unregister", {"id": "abuse"})
        os.close(lease)
        os.close(held)

    def test_an_eventfd_signalled_without_end(self):
        lease = self.daemon.register(self.surface, "abuse", client=self.other)
        viewer = self.daemon.viewer("abuse")
        viewer.set_encodings(0)
        viewer.first()
        viewer.settle()
        before, looks = self.daemon.wakeups(self.daemon.pid), self.other.describe("abuse")["framesCaptured"]
        end = time.monotonic() + 2
        while time.monotonic() < end:
            self.surface.signal()
        looks = self.other.describe("abuse")["framesCaptured"] - looks
        self.assertGreater(looks, 0)
        self.assertLess(self.daemon.wakeups(self.daemon.pid) - before, 4 * looks + 100)
        viewer.close()
        os.close(lease)


if __name__ == "__main__":
    unittest.main()
