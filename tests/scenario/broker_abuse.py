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


if __name__ == "__main__":
    unittest.main()
