#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is sent with SendInput reaches the VMM as virtio_input records, and a VMM that does not read, dies or lies harms nobody."""
import contextlib
import os
import pathlib
import socket
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402

SYN, KEY, REL, ABS, LED = 0, 1, 2, 3, 0x11
KEY_A, MARK, BTN_LEFT = 30, 200, 0x110
REPORT = (SYN, 0, 0)


def event(kind, code, value):
    return {"type": kind, "code": code, "value": value}


class Vmm:
    """Its ends of some sinks."""

    def __init__(self, *kinds, **more):
        self.ours, self.theirs = [], []
        for _ in kinds:
            pair = socket.socketpair()
            self.ours.append(pair[0])
            self.theirs.append(pair[1])
            pair[0].settimeout(10 * daemon.SLOW)
        self.parameter = [{"kind": kind, "fileDescriptorIndex": i, **more.get(kind, {})} for i, kind in enumerate(kinds)]

    @property
    def fds(self):
        return [each.fileno() for each in self.theirs]

    def given(self):
        """The daemon has them."""
        for each in self.theirs:
            each.close()

    def close(self):
        for each in self.ours + self.theirs:
            each.close()

    def read(self, n, count):
        data = b""
        while len(data) < 8 * count:
            data += self.ours[n].recv(8 * count - len(data)) or b"end of file" * count
        return list(struct.iter_unpack("<HHi", data))

    def say(self, n, *events):
        self.ours[n].sendall(b"".join(struct.pack("<HHi", *each) for each in events))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = daemon.Daemon()
        cls.addClassCleanup(lambda: cls.d.__exit__(*sys.exc_info()))
        cls.client, cls.number = cls.d.connect(), 0

    def setUp(self):
        self.addCleanup(self.leave)
        type(self).number += 1
        self.id = f"d{self.number}"
        self.canvas = surface.Surface(64, 48)
        self.held = None
        self.vmms = []

    def leave(self):
        if self.held is not None:
            os.close(self.held)
        self.canvas.close()
        for each in self.vmms:
            each.close()

    def vmm(self, *kinds, **more):
        vmm = Vmm(*kinds, **more)
        self.vmms.append(vmm)
        return vmm

    def register(self, vmm, **more):
        """With `vmm`'s sockets behind the descriptors that every registration has."""
        lease, self.held = os.pipe()
        inputs = [{**each, "fileDescriptorIndex": each["fileDescriptorIndex"] + 2} for each in vmm.parameter]
        self.client.call("Register", {"context": {"id": self.id, **more}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                           "leaseFileDescriptorIndex": 1, "input": inputs}, [self.canvas.fd, lease, *vmm.fds])
        os.close(lease)
        vmm.given()

    def set(self, vmm, client=None):
        (client or self.client).call("SetInput", {"id": self.id, "input": vmm.parameter}, vmm.fds)
        vmm.given()

    def send(self, *events, client=None, **more):
        return (client or self.client).call("SendInput", {"id": self.id, "events": [event(*each) for each in events], **more})

    def error(self, error, *events, **more):
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.send(*events, **more)
        self.assertEqual(caught.exception.error, error)
        return caught.exception.parameters

    def runtime(self):
        return self.client.call("List", {"id": self.id})["runtime"]["input"]

    def until(self, test, what):
        self.d.until(lambda: test(self.runtime()), what)


class Input(Case):
    def test_records(self):
        vmm = self.vmm("keyboard", "absolutePointer", absolutePointer={"xMaximum": 1919, "yMaximum": 1079})
        self.register(vmm)
        self.assertEqual(self.send((KEY, KEY_A, 1), (KEY, KEY_A, 0)), {"dropped": 0})
        self.assertEqual(vmm.read(0, 3), [(KEY, KEY_A, 1), (KEY, KEY_A, 0), REPORT])
        self.send((ABS, 0, 1919), (ABS, 1, 0), REPORT, (KEY, BTN_LEFT, 1), REPORT, (KEY, BTN_LEFT, 0))
        self.assertEqual(vmm.read(1, 7), [(ABS, 0, 1919), (ABS, 1, 0), REPORT, (KEY, BTN_LEFT, 1), REPORT, (KEY, BTN_LEFT, 0),
                                          REPORT])
        self.assertEqual(self.error("InvalidParameter", (ABS, 0, 1920)), {"parameter": "events[0].value"})
        self.assertEqual(self.error("InvalidParameter", (KEY, KEY_A, 1), (KEY, KEY_A, 7)), {"parameter": "events[1].value"})
        self.assertEqual(self.error("InvalidParameter", (0x15, 0, 0)), {"parameter": "events[0].type"})
        self.assertEqual(self.error("NoSuchInput", (REL, 0, 1)), {"id": self.id, "kind": "relativePointer"})
        keyboard, pointer = self.runtime()
        self.assertEqual(keyboard, {"kind": "keyboard", "connected": True, "leds": [], "eventsSent": 2, "eventsDropped": 0})
        self.assertEqual(pointer, {"kind": "absolutePointer", "connected": True, "xMaximum": 1919, "yMaximum": 1079,
                                   "eventsSent": 4, "eventsDropped": 0})

    def test_lights(self):
        vmm = self.vmm("keyboard")
        self.register(vmm)
        vmm.say(0, (LED, 1, 1), (LED, 0, 1), REPORT)
        self.until(lambda r: r[0]["leds"] == ["numLock", "capsLock"], "the lights")
        vmm.say(0, (LED, 1, 0))
        self.until(lambda r: r[0]["leds"] == ["numLock"], "one light less")

    def test_others_take_their_place(self):
        first, second = self.vmm("keyboard", "touch"), self.vmm("keyboard")
        self.register(first)
        self.send((KEY, KEY_A, 1))
        self.set(second)
        # What was down is let go of, and then it is closed.
        self.assertEqual(first.read(0, 4), [(KEY, KEY_A, 1), REPORT, (KEY, KEY_A, 0), REPORT])
        self.assertEqual(first.ours[0].recv(1), b"")
        self.assertEqual(first.ours[1].recv(1), b"")
        self.send((KEY, KEY_A, 1))
        self.assertEqual(second.read(0, 2), [(KEY, KEY_A, 1), REPORT])
        self.assertEqual([each["kind"] for each in self.runtime()], ["keyboard"])
        self.client.call("SetInput", {"id": self.id, "input": []})
        self.assertEqual(self.runtime(), [])
        self.error("NoSuchInput", (KEY, KEY_A, 1))

    def test_the_end_closes_them(self):
        vmm = self.vmm("keyboard")
        self.register(vmm)
        self.send((KEY, KEY_A, 1))
        self.client.call("Unregister", {"id": self.id})
        self.assertEqual(vmm.read(0, 4)[2:], [(KEY, KEY_A, 0), REPORT])
        self.assertEqual(vmm.ours[0].recv(1), b"")
        self.error("NoSuchDisplay", (KEY, KEY_A, 1))

    def test_view_only(self):
        self.register(self.vmm("keyboard"), viewOnly=True)
        self.error("PermissionDenied", (KEY, KEY_A, 1))

    def test_what_is_no_sink(self):
        self.register(self.vmm("keyboard"))
        listening, datagram = socket.socket(socket.AF_UNIX), socket.socketpair(type=socket.SOCK_SEQPACKET)
        listening.bind(b"\0" + os.urandom(8).hex().encode())
        listening.listen()
        for fd in (self.canvas.fd, self.canvas.change, listening.fileno(), datagram[0].fileno()):
            with self.assertRaises(varlink.VarlinkError) as caught:
                self.client.call("SetInput", {"id": self.id, "input": [{"kind": "touch", "fileDescriptorIndex": 0}]}, [fd])
            self.assertEqual(caught.exception.error, "DescriptorUnsuitable")
            self.assertEqual(caught.exception.parameters["index"], 0)
        self.assertEqual([each["kind"] for each in self.runtime()], ["keyboard"])
        for each in (listening, *datagram):
            each.close()

    def test_one_that_never_reads(self):
        """Keys are bounded and counted, the newest place arrives, and no key stays down."""
        vmm = self.vmm("keyboard", "absolutePointer")
        self.register(vmm)
        client = self.client
        memory, dropped = self.d.memory(self.d.pid), 0
        for i in range(400):
            dropped += self.send(*[each for code in range(1, 65) for each in ((KEY, code, 1), REPORT, (KEY, code, 0), REPORT)],
                                 client=client)["dropped"]
            self.assertEqual(self.send(*[(ABS, 0, i * 32 + n) for n in range(32)], client=client), {"dropped": 0})
        keyboard, pointer = self.runtime()
        self.assertGreater(dropped, 40000)
        self.assertEqual((keyboard["eventsDropped"], pointer["eventsDropped"]), (dropped, 0))
        if not daemon.SANITIZED:      # a sanitizer keeps what is freed
            self.assertLess(self.d.memory(self.d.pid) - memory, 2048)
        metrics = self.client.call("GetMetrics")
        text = os.pread(self.client.fds[0], metrics["bytes"], 0).decode()
        os.close(self.client.fds[0])
        for name, kind, value in (("input_dropped", "keyboard", dropped), ("input_events", "keyboard", keyboard["eventsSent"]),
                                  ("input_sink_blocked", "keyboard", 1), ("input_sink_blocked", "absolutePointer", 1)):
            self.assertIn(f'vfio_displayd_{name}_total{{id="{self.id}",kind="{kind}"}} {value}\n', text)
        # It reads again.
        down, last = set(), None
        self.set(self.vmm())
        for n in (0, 1):
            data = b""
            while True:
                more = vmm.ours[n].recv(65536)
                if not more:
                    break
                data += more
            for kind, code, value in struct.iter_unpack("<HHi", data):
                if kind == KEY:
                    (down.add if value else down.discard)(code)
                elif kind == ABS:
                    last = value
            self.assertLess(len(data), 64 << 10)
        self.assertIsNotNone(last)
        self.assertEqual(down, set())

    def test_one_that_reads_late(self):
        """What waited comes, in order, and after it what is sent then."""
        vmm = self.vmm("keyboard", "absolutePointer")
        self.register(vmm)
        client = self.client
        for i in range(2000):
            self.send((KEY, 1 + i % 100, 1), REPORT, (KEY, 1 + i % 100, 0), client=client)
            self.send((ABS, 0, i), client=client)
        self.send((KEY, BTN_LEFT, 1), client=client)
        down = set()
        while self.send((KEY, MARK, 1), client=client)["dropped"]:
            self.watch(vmm.read(0, 16), down)      # there are more, as there was no room
        while MARK not in down:
            self.watch(vmm.read(0, 1), down)
        self.send((KEY, MARK, 0), client=client)
        while down:      # what is owed may come behind it
            self.watch(vmm.read(0, 1), down)
        places = []
        while not places or places[-1] != (KEY, BTN_LEFT, 1):
            places += vmm.read(1, 1)
        self.assertEqual([each for each in places if each[0] == ABS][-1], (ABS, 0, 1999))
        self.assertLess(len(places), 300)

    @staticmethod
    def watch(records, down):
        for kind, code, value in records:
            if kind == KEY:
                (down.add if value else down.discard)(code)

    def test_one_that_dies(self):
        vmm = self.vmm("keyboard", "touch")
        self.register(vmm)
        listener = self.d.connect()
        listener.send("Subscribe", {"id": self.id, "filter": ["inputLost"]}, more=True)
        self.assertEqual(listener.result()["event"], "ready")
        vmm.ours[0].close()
        event = listener.result()
        self.assertEqual((event["event"], event["id"], event["input"]), ("inputLost", self.id, "keyboard"))
        self.assertTrue(event["reason"])
        listener.close()
        self.until(lambda r: [each["connected"] for each in r] == [False, True], "the keyboard's end")
        self.error("NoSuchInput", (KEY, KEY_A, 1))
        self.send((KEY, 0x14a, 1))
        self.assertEqual(vmm.read(1, 2), [(KEY, 0x14a, 1), REPORT])
        self.assertEqual(self.d.text().count(f"{self.id}: its keyboard is lost"), 1, self.d.text())

    def test_one_that_sends_garbage(self):
        vmm = self.vmm("keyboard", "touch")
        self.register(vmm)
        vmm.ours[0].sendall(os.urandom(3))
        vmm.ours[0].sendall(b"\xff" * 8000)
        self.until(lambda r: not r[0]["connected"], "the keyboard's end")
        # Events that mean nothing are taken no notice of; a flood of them is read at leisure.
        vmm.ours[1].setblocking(False)
        block, sent = struct.pack("<HHi", LED, 1, 1) * 512, 0
        for _ in range(1000):
            try:
                sent += vmm.ours[1].send(block)
            except BlockingIOError:
                self.runtime()
        self.assertLess(sent, 1000 * len(block))
        self.assertTrue(self.runtime()[1]["connected"])

    def test_nothing_is_told_of_keys(self):
        """In the log, that is, also of wrong ones."""
        vmm = self.vmm("keyboard")
        self.register(vmm)
        for code in range(201, 248):
            self.send((KEY, code, 1), (KEY, code, 0))
        self.error("InvalidParameter", (KEY, 234, 66))
        vmm.ours[0].close()
        self.until(lambda r: not r[0]["connected"], "the keyboard's end")
        lines = [line for line in self.d.text().splitlines() if self.id in line]
        self.assertTrue(lines)
        for line in lines:
            self.assertNotRegex(line, r"\b(20[1-9]|2[1-4][0-9])\b")


class Stop(Case):
    def test_while_a_vmm_reads_nothing(self):
        """SIGTERM: it ends in time, others hear that no key is down, and what the VMM finds later is whole."""
        canvas = self.canvas
        deaf, mute = self.vmm("keyboard", "absolutePointer"), self.d.connect()
        self.register(deaf)
        while not self.send(*[each for code in range(1, 65) for each in ((KEY, code, 1), REPORT)])["dropped"]:
            self.send((ABS, 0, 1), (KEY, BTN_LEFT, 1))
        self.send((KEY, KEY_A, 1))
        # Its replies wait, too.
        mute.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                mute.send("List", more=True)
        lease, other = self.held, surface.Surface(64, 48)
        self.id, self.canvas = "hears", other
        vmm = self.vmm("keyboard")
        self.register(vmm)
        self.send((KEY, KEY_A, 1))
        self.assertEqual(vmm.read(0, 2), [(KEY, KEY_A, 1), REPORT])
        self.d.process.terminate()
        self.assertEqual(vmm.read(0, 2), [(KEY, KEY_A, 0), REPORT])
        self.assertEqual(vmm.ours[0].recv(1), b"")
        self.assertEqual(self.d.process.wait(15 * daemon.SLOW), 0, self.d.text())
        for each in deaf.ours:
            data = b"".join(iter(lambda: each.recv(65536), b""))
            self.assertTrue(data)
            self.assertEqual(len(data) % 8, 0)
        mute.close()
        os.close(lease)
        canvas.close()


if __name__ == "__main__":
    unittest.main()
