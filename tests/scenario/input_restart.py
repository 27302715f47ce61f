#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's keyboard and pointers outlive the daemon, and what was lost stays lost."""
import os
import pathlib
import socket
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402
import systemd  # noqa: E402
import varlink  # noqa: E402

KINDS = ["keyboard", "absolutePointer", "touch"]
REPORT = (0, 0, 0)


class InputRestart(unittest.TestCase):
    def setUp(self):
        self.service = systemd.Service()
        self.canvas = surface.Surface(64, 48)
        self.lease = None
        self.pairs = [socket.socketpair() for _ in KINDS]
        for ours, _ in self.pairs:
            ours.settimeout(10 * daemon.SLOW)
        self.addCleanup(self.end)

    def end(self):
        for each in self.service.opened:
            each.close()
        for pair in self.pairs:
            for each in pair:
                each.close()
        os.close(self.lease)
        self.canvas.close()
        self.service.stop()

    def register(self):
        lease, self.lease = os.pipe()
        inputs = [{"kind": kind, "fileDescriptorIndex": i + 2, **({"xMaximum": 1919} if i else {})}
                  for i, kind in enumerate(KINDS)]
        self.service.connect().call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                                 "leaseFileDescriptorIndex": 1, "input": inputs},
                                    [self.canvas.fd, lease, *(theirs.fileno() for _, theirs in self.pairs)])
        os.close(lease)
        for _, theirs in self.pairs:
            theirs.close()

    def send(self, *events, **more):
        with_names = [dict(zip(("type", "code", "value"), each)) for each in events]
        return self.service.connect().call("SendInput", {"id": "guest", "events": with_names, **more})

    def read(self, n, count):
        data = self.pairs[n][0].recv(8 * count, socket.MSG_WAITALL)
        return list(struct.iter_unpack("<HHi", data))

    def runtime(self):
        return self.service.connect().call("List", {"id": "guest"})["runtime"]["input"]

    def names(self):
        self.service.settle()
        return self.service.store.names("input")

    def test_they_go_on(self):
        self.register()
        for how in ("crash", "restart"):
            self.send((1, 30, 1), (1, 30, 0))
            self.assertEqual(self.read(0, 3), [(1, 30, 1), (1, 30, 0), REPORT])
            if how == "crash":
                self.service.crash()
                self.service.start()
            else:
                self.service.restart()
            self.assertEqual([(each["kind"], each["connected"], each.get("xMaximum")) for each in self.runtime()],
                             [("keyboard", True, None), ("absolutePointer", True, 1919), ("touch", True, 1919)])
            self.send((1, 30, 1), (1, 30, 0))
            self.assertEqual(self.read(0, 3), [(1, 30, 1), (1, 30, 0), REPORT])
            self.send((3, 0, 1919))
            self.assertEqual(self.read(1, 2), [(3, 0, 1919), REPORT])
            with self.assertRaises(varlink.VarlinkError):
                self.send((3, 0, 1920))
        self.assertEqual(len(self.names()), 3)
        # One that the VMM closes is taken out of the store, so that it is closed, and is not listed any more by the next daemon.
        self.pairs[0][0].close()
        self.service.until(lambda: not self.runtime()[0]["connected"], "the keyboard's end")
        self.service.until(lambda: len(self.names()) == 2, "the keyboard's end in the store")
        self.service.restart()
        self.assertEqual([(each["kind"], each["connected"]) for each in self.runtime()],
                         [("absolutePointer", True), ("touch", True)])
        # One that it closes while no daemon runs.
        self.service.crash()
        self.pairs[1][0].close()
        self.service.start()
        self.service.until(lambda: not self.runtime()[0]["connected"], "the pointer's end")
        self.service.until(lambda: len(self.names()) == 1, "the pointer's end in the store")
        # Others take their place, in the store too.
        pair = socket.socketpair()
        self.service.connect().call("SetInput", {"id": "guest", "input": [{"kind": "keyboard", "fileDescriptorIndex": 0}]},
                                    [pair[1].fileno()])
        pair[1].close()
        self.assertEqual(self.pairs[2][0].recv(1), b"")
        self.service.crash()
        self.service.start()
        self.assertEqual([(each["kind"], each["connected"]) for each in self.runtime()], [("keyboard", True)])
        self.service.connect().call("Unregister", {"id": "guest"})
        self.assertEqual(pair[0].recv(1), b"")
        self.assertEqual(self.names(), [])
        pair[0].close()


if __name__ == "__main__":
    unittest.main()
