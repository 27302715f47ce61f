#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach lets a viewer in without a password, on a socket of either side; ListViewers names it; Detach closes it."""
import os
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import shows, until_shows  # noqa: E402

LIMIT = 20 * daemon.SLOW


def viewers(client, **of):
    """ListViewers as a list. NoSuchViewer: none."""
    client.send("ListViewers", of, more=True)
    out = []
    while True:
        reply = client.receive()
        if "error" in reply:
            if reply["error"].endswith("NoSuchViewer"):
                return out
            raise varlink.VarlinkError(reply["error"], reply.get("parameters", {}))
        out.append(reply["parameters"]["viewer"])
        if not reply.get("continues"):
            return out


class AttachAndDetach(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(200, 120)
        self.canvas.noise(1)

    def closed(self, viewer):
        with self.assertRaises((EOFError, ConnectionError)):
            while True:
                viewer.update(timeout=LIMIT)

    def test_a_socket_from_the_daemon(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            client = d.connect()
            sock, name = client.attach("a", label="somebody")
            viewer = rfb.Client(sock, timeout=LIMIT)
            viewer.set_encodings(rfb.ZRLE)
            viewer.first()
            self.assertIsNone(shows(viewer, self.canvas))
            d.until(lambda: [v for v in viewers(client) if v.get("encoding") == "zrle" and v["bytesSent"] > 0],
                    "what ListViewers says of it")
            entry, = viewers(client)
            self.assertEqual((entry["viewer"], entry["id"], entry["mode"], entry["label"], entry["peer"]),
                             (name, "a", "view", "somebody", "attached"))
            viewer.request()
            self.assertEqual(client.call("Detach", {"viewer": name}), {})
            self.closed(viewer)
            d.until(lambda: not viewers(client), "the viewer's end in ListViewers")
            self.assertEqual(client.error("Detach", {"viewer": name}), "NoSuchViewer")
            sock.close()
            del held

    def test_a_socket_of_the_caller(self):
        """A Unix pair and a TCP connection."""
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            client = d.connect()
            listener = socket.create_server(("127.0.0.1", 0))
            ours = socket.create_connection(listener.getsockname())
            for mine, its in (socket.socketpair(), (ours, listener.accept()[0])):
                got = client.call("Attach", {"id": "a", "mode": "control", "fileDescriptorIndex": 0}, [its.fileno()])
                self.assertIsNone(got.get("fileDescriptorIndex"))
                self.assertEqual(client.fds, [])
                its.close()
                viewer = rfb.Client(mine, timeout=LIMIT)
                viewer.first()
                self.assertIsNone(shows(viewer, self.canvas))
                self.assertEqual([v["mode"] for v in viewers(client, id="a")], ["control"])
                mine.close()
                d.until(lambda: not viewers(client, id="a"), "the viewer's end")
            listener.close()
            del held

    def test_what_is_refused(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a", context={"viewOnly": True})
            client = d.connect()
            client.describe("a")        # it is accepted by now
            before = d.fds()
            self.assertEqual(client.error("Attach", {"id": "b", "mode": "view"}), "NoSuchDisplay")
            self.assertEqual(client.error("Attach", {"id": "a", "mode": "control"}), "PermissionDenied")
            self.assertEqual(client.error("Attach", {"id": "a", "mode": "all"}), "InvalidParameter")
            self.assertEqual(client.error("Attach", {"id": "a"}), "InvalidParameter")
            for label in ("", "x" * 129, "a\nb"):
                self.assertEqual(client.error("Attach", {"id": "a", "mode": "view", "label": label}), "InvalidParameter")
            lone = socket.socket(socket.AF_UNIX)
            packets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener = socket.create_server(("127.0.0.1", 0))
            datagrams = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            pipe = os.pipe()
            path = os.open("/", os.O_PATH)
            for fd in (lone.fileno(), packets[0].fileno(), listener.fileno(), datagrams[0].fileno(), *pipe, path,
                       self.canvas.fd, self.canvas.change):
                self.assertEqual(client.error("Attach", {"id": "a", "mode": "view", "fileDescriptorIndex": 0}, [fd]),
                                 "DescriptorUnsuitable")
            self.assertEqual(client.error("Attach", {"id": "a", "mode": "view", "fileDescriptorIndex": 3}),
                             "DescriptorUnsuitable")
            self.assertEqual(client.error("Detach", {"viewer": "1-2"}), "NoSuchViewer")
            self.assertEqual(client.error("ListViewers", {}), "ExpectedMore")
            self.assertEqual(client.error("ListViewers", {"id": "b"}, more=True), "NoSuchDisplay")
            self.assertEqual(d.fds(), before)
            for each in (lone, *packets, listener, *datagrams):
                each.close()
            for each in (*pipe, path):
                os.close(each)
            del held

    def test_the_limit_of_viewers(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a", context={"viewersMaximum": 2})
            client = d.connect()
            opened = [client.attach("a") for _ in range(2)]
            good = [rfb.Client(sock, timeout=LIMIT) for sock, _ in opened]
            with self.assertRaises(varlink.VarlinkError) as caught:
                client.attach("a")
            self.assertEqual((caught.exception.error, caught.exception.parameters),
                             ("LimitReached", {"limit": "viewersMaximum", "value": 2}))
            good[0].close()
            d.until(lambda: len(viewers(client)) == 1, "room for another")
            sock, _ = client.attach("a")
            viewer = rfb.Client(sock, timeout=LIMIT)
            viewer.first()
            until_shows([viewer, good[1]], self.canvas, LIMIT)
            del held

    def test_names_are_unique(self):
        with daemon.Daemon() as d:
            second = surface.Surface(64, 64)
            held = d.register(self.canvas, "a"), d.register(second, "b")
            client = d.connect()
            names = set()
            for _ in range(3):
                for display in ("a", "b"):
                    sock, name = client.attach(display)
                    self.assertNotIn(name, names)
                    names.add(name)
                    rfb.Client(sock, timeout=LIMIT).close()
            through_a_socket = d.viewer("a")
            through_a_socket.first()
            entry, = [v for v in viewers(client, id="a") if v["viewer"] not in names]
            self.assertEqual((entry["peer"], entry["id"]), ("unix", "a"))
            client.call("Detach", {"viewer": entry["viewer"]})
            self.closed(through_a_socket)
            del held

    def test_others_do_not_notice(self):
        """50 viewers are attached and detached beside one that watches; descriptors do not add up."""
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            client = d.connect()
            watching = d.viewer("a")
            watching.set_encodings(rfb.TIGHT)
            watching.first()
            program, = d.rfb_programs()
            before = d.fds(), d.fds(program)
            for turn in range(50):
                sock, name = client.attach("a", mode="view")
                if turn % 3:
                    rfb.Client(sock, timeout=LIMIT)
                if turn % 2:
                    client.call("Detach", {"viewer": name})
                sock.close()
                self.canvas.noise(turn, 0, 0, 50, 50)
                self.canvas.signal()
                until_shows([watching], self.canvas, LIMIT)
            d.until(lambda: (d.fds(), d.fds(program)) == before, f"descriptors as before: {before}")
            d.until(lambda: len(viewers(client)) == 1, "one viewer")
            self.assertEqual(d.rfb_programs(), [program])
            del held

    def test_when_the_display_ends(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            client = d.connect()
            sock, name = client.attach("a")
            viewer = rfb.Client(sock, timeout=LIMIT)
            viewer.first()
            viewer.request()
            os.close(held)
            self.closed(viewer)
            d.until(lambda: client.error("Attach", {"id": "a", "mode": "view"}) == "NoSuchDisplay", "the display's end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
