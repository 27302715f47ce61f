#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What viewers type and point reaches the guest's keyboard and pointer, whatever way they came; who may only look does nothing; no key
stays down, whatever ends; and a VMM that does not read holds nobody up."""
import os
import pathlib
import signal
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import host  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import systemd  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
SYN, KEY, REL, ABS, LED = 0, 1, 2, 3, 0x11
A, B, LEFTSHIFT, LEFTCTRL, RIGHT = 30, 48, 42, 29, 106
BTN_LEFT, BTN_RIGHT = 0x110, 0x111
REPORT = (SYN, 0, 0)
CLOSED = (rfb.Refused, EOFError, ConnectionError)


class Sink:
    """The VMM's end of one."""

    def __init__(self, kind, **more):
        self.kind, self.more = kind, more
        self.sock, self.theirs = socket.socketpair()
        self.sock.setblocking(False)
        self.data, self.events, self.ended = b"", [], False      # events: without the SYN_REPORTs

    def take(self):
        """All that has come."""
        try:
            while True:
                more = self.sock.recv(1 << 16)
                if not more:
                    self.ended = True
                    break
                self.data += more
        except BlockingIOError:
            pass
        whole = len(self.data) // 8 * 8
        self.events += [each for each in struct.iter_unpack("<HHi", self.data[:whole]) if each != REPORT]
        self.data = self.data[whole:]
        return self.events

    def wait(self, number, what=""):
        end = time.monotonic() + LIMIT
        while len(self.take()) < number:
            if time.monotonic() > end or self.ended:
                raise AssertionError(f"{number} events wanted ({what}), {self.events} have come")
            time.sleep(0.002)
        out, self.events = self.events[:number], self.events[number:]
        return out

    def down(self, events):
        """Keys that are down after these."""
        down = set()
        for kind, code, value in events:
            if kind == KEY:
                (down.add if value else down.discard)(code)
        return down

    def say(self, *events):
        self.sock.sendall(b"".join(struct.pack("<HHi", *each) for each in events))

    def close(self):
        self.sock.close()
        self.theirs.close()


class Scene(systemd.Service):
    """A service with a gate, and a display "guest" with a keyboard, a pointer, and a port for each kind of viewer."""

    def __init__(self, pointer="absolutePointer", **context):
        self.gate = daemon.free_port()
        super().__init__(config="[viewers]\ncertificate = {}\nkey = {}\n".format(*host.issued()) +
                         f"[gate]\nlisten = 127.0.0.1:{self.gate}\n")
        self.viewers, self.held, self.canvases = [], [], []
        self.add_sinks(pointer)
        self.ports = [daemon.free_port() for _ in range(4)]
        kinds = [{"mode": "control"}, {"mode": "view"}, {"mode": "control", "security": ["x509None"]},
                 {"mode": "control", "security": ["none", "x509None"], "transports": ["websocket", "secureWebsocket"]}]
        self.guest = self.add("guest", [self.keyboard, self.pointer],
                              listen=[{"address": f"127.0.0.1:{port}", **kind} for port, kind in zip(self.ports, kinds)], **context)

    def add_sinks(self, pointer):
        self.keyboard = Sink("keyboard")
        self.pointer = Sink(pointer, **({"xMaximum": 639, "yMaximum": 399} if pointer == "absolutePointer" else {}))

    def add(self, name, sinks, listen=(), **context):
        canvas = surface.Surface(320, 200)
        canvas.noise(1, colours=40)
        lease, held = os.pipe()
        inputs = [{"kind": each.kind, "fileDescriptorIndex": i + 3, **each.more} for i, each in enumerate(sinks)]
        client = self.connect()
        client.call("Register", {"context": {"id": name, **context}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                 "leaseFileDescriptorIndex": 1, "changeFileDescriptorIndex": 2, "listen": list(listen), "input": inputs},
                    [canvas.fd, lease, canvas.change, *(each.theirs.fileno() for each in sinks)])
        client.close()
        os.close(lease)
        for each in sinks:
            each.theirs.close()
        self.held.append(held)
        self.canvases.append(canvas)
        return canvas

    def set_sinks(self, *sinks):
        self.call("SetInput", {"id": "guest", "input": [{"kind": each.kind, "fileDescriptorIndex": i, **each.more}
                                                        for i, each in enumerate(sinks)]},
                  [each.theirs.fileno() for each in sinks])

    def come(self, port=None, **more):
        viewer = rfb.Client(("127.0.0.1", self.ports[0] if port is None else port), timeout=LIMIT, **more)
        self.viewers.append(viewer)
        viewer.first()
        return viewer

    def call(self, method, parameters, fds=()):
        client = self.connect()
        try:
            return client.call(method, parameters, fds)
        finally:
            client.close()
            self.opened.remove(client)

    def listed(self):
        client, found = self.connect(), []
        client.send("ListViewers", {"id": "guest"}, more=True)
        while True:
            reply = client.receive()
            if "error" in reply:
                break
            found.append(reply["parameters"]["viewer"]["viewer"])
            if not reply.get("continues"):
                break
        client.close()
        return found

    def metric(self, name):
        client = self.connect()
        size = client.call("GetMetrics")["bytes"]
        text = os.pread(client.fds[0], size, 0).decode()
        os.close(client.fds[0])
        client.close()
        return int(float(text.split(f"\nvfio_displayd_{name} ")[1].split("\n")[0]))

    def stop(self, check=True):
        for each in self.viewers + self.opened:
            each.close()
        super().stop(check)
        for fd in self.held:
            os.close(fd)
        for each in [*self.canvases, self.keyboard, self.pointer]:
            each.close()


class Case(unittest.TestCase):
    def scene(self, **more):
        scene = Scene(**more)
        self.addCleanup(scene.stop)
        return scene

    def key(self, scene, viewer, code=A, keysym=0x61):
        viewer.key(keysym)
        self.assertEqual(scene.keyboard.wait(1, "a press"), [(KEY, code, 1)])

    def released(self, scene, *codes):
        self.assertEqual(sorted(scene.keyboard.wait(len(codes), "releases")), sorted((KEY, code, 0) for code in codes))


class Ways(Case):
    """One daemon for all of them."""

    def types(self, scene, viewer):
        """Keys both ways, in order with clicks and a wheel."""
        viewer.set_encodings(rfb.RAW, rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS)
        viewer.until(lambda: {rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS} <= viewer.seen, ask=True)
        viewer.qemu_key(0x1E, 0x61)
        viewer.qemu_key(0xCD, 0xFF53)
        viewer.qemu_key(0xCD, 0xFF53, down=False)
        viewer.qemu_key(0x1E, 0x61, down=False)
        viewer.key(0x62)
        viewer.key(0x62, False)
        self.assertEqual(scene.keyboard.wait(6, "keys"), [(KEY, A, 1), (KEY, RIGHT, 1), (KEY, RIGHT, 0), (KEY, A, 0), (KEY, B, 1),
                                                          (KEY, B, 0)])
        viewer.point(0, 0)
        viewer.point(319, 199)
        viewer.point(319, 199, 1)
        viewer.point(319, 199, 0)
        viewer.point(319, 199, 8)
        viewer.point(319, 199, 0, more=1)      # back
        viewer.point(319, 199, 0)
        end, seen = time.monotonic() + LIMIT, []
        while (KEY, 0x116, 0) not in seen and (KEY, 0x113, 0) not in seen:
            self.assertLess(time.monotonic(), end, seen)
            seen += scene.pointer.wait(1, "pointers")
        places = [(code, value) for kind, code, value in seen if kind == ABS]
        self.assertTrue({(0, 0), (0, 1)} & set(places) and {(0, 638), (0, 639)} & set(places), places)
        buttons = [each for each in seen if each[0] == KEY]
        self.assertEqual(buttons[:2], [(KEY, BTN_LEFT, 1), (KEY, BTN_LEFT, 0)])
        self.assertEqual(len(buttons), 4)
        self.assertIn((REL, 8, 1), seen)
        self.assertIn((REL, 11, 120), seen)
        self.assertLess(seen.index(buttons[1]), seen.index((REL, 8, 1)))
        self.assertLess(seen.index((REL, 8, 1)), seen.index(buttons[2]))

    def test_every_way(self):
        scene = self.scene()
        more = {"ca": host.authority("ca").ca}
        ways = [("plain", lambda: scene.come()),
                ("TLS", lambda: scene.come(scene.ports[2], security="x509None", **more)),
                ("websocket", lambda: scene.come(scene.ports[3], websocket="/", security="none")),
                ("wss", lambda: scene.come(scene.ports[3], websocket="/", wss=True, security="none", **more)),
                ("gate", lambda: scene.come(scene.gate, security="x509Plain", user="x", **more, password=scene.call(
                    "IssueTicket", {"id": "guest", "mode": "control"})["ticket"])),
                ("attached", lambda: self.attach(scene))]
        for name, come in ways:
            with self.subTest(way=name):
                self.types(scene, come())
        count = sum(1 for _ in ways)
        self.assertGreaterEqual(scene.metric("input_seconds_count"), count * 10)
        self.assertEqual(scene.metric("input_lost_total"), 0)
        # Those who may only look do nothing, by whatever they came.
        lookers = [scene.come(scene.ports[1]), self.attach(scene, mode="view"),
                   scene.come(scene.gate, security="x509Plain", user="x", **more, password=scene.call(
                       "IssueTicket", {"id": "guest", "mode": "view"})["ticket"])]
        for each in lookers:
            each.set_encodings(rfb.RAW, rfb.QEMU_KEYS, rfb.FENCE)
            each.until(lambda: rfb.QEMU_KEYS in each.seen, ask=True)
            each.qemu_key(0x1E, 0x61)
            each.key(0x61)
            each.point(1, 1, 1)
            each.fence(rfb.FENCE_REQUEST | rfb.FENCE_BEFORE, b"done")
            each.until(lambda: (rfb.FENCE_BEFORE, b"done") in each.fences)
        self.key(scene, scene.viewers[0], B, 0x62)
        scene.viewers[0].key(0x62, False)
        self.released(scene, B)
        self.assertEqual(scene.pointer.take(), [])
        # No key is in what people read.
        self.assertNotRegex(scene.text(), r"0x6[12]|keysym|KEY_")

    def attach(self, scene, mode="control"):
        ours, theirs = socket.socketpair()
        scene.call("Attach", {"id": "guest", "fileDescriptorIndex": 0, "mode": mode}, [theirs.fileno()])
        theirs.close()
        viewer = rfb.Client(ours, timeout=LIMIT)
        scene.viewers.append(viewer)
        viewer.first()
        return viewer

    def test_lights_and_steps(self):
        scene = self.scene()
        viewer = scene.come()
        viewer.set_encodings(rfb.RAW, rfb.QEMU_LEDS, rfb.QEMU_MOTION)
        viewer.until(lambda: viewer.motions, ask=True)
        self.assertEqual((viewer.leds, viewer.motions), ([], [1]))
        for events, bits in (([(LED, 1, 1)], 4), ([(LED, 0, 1), (LED, 2, 1)], 7), ([(LED, 1, 0)], 3)):
            scene.keyboard.say(*events, REPORT)
            viewer.until(lambda: viewer.leds[-1:] == [bits], ask=True)
        # Only steps are left: the viewer is told, and who does not know of it points all the same.
        steps = Sink("relativePointer")
        self.addCleanup(steps.close)
        scene.pointer.close()
        again = Sink("keyboard")
        self.addCleanup(again.close)
        scene.set_sinks(again, steps)
        viewer.until(lambda: viewer.motions[-1] == 0, ask=True)
        viewer.point(0x7FFF + 5, 0x7FFF - 7)
        self.assertEqual(sorted(steps.wait(2)), [(REL, 0, 5), (REL, 1, -7)])
        old = scene.come()
        old.point(10, 10)
        old.point(13, 8)
        end, moved = time.monotonic() + LIMIT, []
        while sum(value for _, code, value in moved if code == 1) != -2 and time.monotonic() < end:
            moved += steps.take()
            steps.events = []
        self.assertEqual(sum(value for _, code, value in moved if code == 0) % 3, 0)
        # A pointer with places comes back.
        scene.keyboard.close()
        scene.add_sinks("absolutePointer")
        scene.set_sinks(scene.keyboard, scene.pointer)
        viewer.until(lambda: viewer.motions[-1] == 1, ask=True)
        # And goes: the sink that is lost counts no more at once.
        scene.pointer.theirs.close()
        scene.pointer.sock.close()
        scene.keyboard.theirs.close()
        scene.until(lambda: not scene.call("List", {"id": "guest"})["runtime"]["input"][1]["connected"], "the pointer's end")
        viewer.key(0x61)
        self.assertEqual(scene.keyboard.wait(1), [(KEY, A, 1)])


class Turns(Case):
    def tries(self, viewer, keysym=0x61):
        """Types; when this returns its program has told the daemon, before whatever other viewers do next."""
        viewer.key(keysym)
        viewer.key(keysym, False)
        viewer.fences.clear()
        viewer.fence(rfb.FENCE_REQUEST | rfb.FENCE_BEFORE, b"done")
        viewer.until(lambda: (rfb.FENCE_BEFORE, b"done") in viewer.fences)

    def come(self, scene):
        viewer = scene.come()
        viewer.set_encodings(rfb.RAW, rfb.FENCE)
        return viewer

    def test_one_at_a_time(self):
        scene = self.scene(inputExclusiveSeconds=3600)
        one, two = self.come(scene), self.come(scene)
        self.tries(one)
        self.assertEqual(scene.keyboard.wait(2), [(KEY, A, 1), (KEY, A, 0)])
        self.tries(two, 0x62)
        two.point(5, 5, 1)
        two.point(5, 5, 0)
        self.tries(two, 0x62)
        self.tries(one)                                     # nothing of the other's came before
        self.assertEqual(scene.keyboard.wait(2), [(KEY, A, 1), (KEY, A, 0)])
        self.assertEqual((scene.keyboard.take(), scene.pointer.take()), ([], []))
        one.close()                                         # whoever comes next has it
        scene.until(lambda: len(scene.listed()) == 1, "the first has gone")
        self.tries(two, 0x62)
        self.assertEqual(scene.keyboard.wait(2), [(KEY, B, 1), (KEY, B, 0)])
        # Shared again, while they look.
        three = self.come(scene)
        self.tries(three)
        self.tries(two, 0x62)
        self.assertEqual(scene.keyboard.wait(2), [(KEY, B, 1), (KEY, B, 0)])
        scene.call("Update", {"id": "guest", "context": {"inputExclusiveSeconds": 0}})
        self.tries(three)
        self.assertEqual(scene.keyboard.wait(2), [(KEY, A, 1), (KEY, A, 0)])
        self.tries(two, 0x62)
        self.assertEqual(scene.keyboard.wait(2), [(KEY, B, 1), (KEY, B, 0)])


class Hygiene(Case):
    def test_nothing_stays_down(self):
        scene = self.scene()
        two, first = scene.come(), scene.come()
        # Two hold the same: it goes up with the last.
        self.key(scene, first)
        two.key(0x61)
        two.key(0xFFE3)
        events = scene.keyboard.wait(1)
        if events == [(KEY, A, 2)]:
            events = scene.keyboard.wait(1)
        self.assertEqual(events, [(KEY, LEFTCTRL, 1)])
        two.point(5, 5, 1)
        while (KEY, BTN_LEFT, 1) not in scene.pointer.wait(1):
            pass
        first.sock.close()                                  # killed
        two.key(0xFFE3, False)
        self.assertEqual(scene.keyboard.wait(1), [(KEY, LEFTCTRL, 0)])
        scene.until(lambda: len(scene.listed()) == 1, "the first has gone")
        self.assertEqual(scene.keyboard.take(), [])
        two.sock.shutdown(socket.SHUT_RDWR)
        self.released(scene, A)
        self.assertEqual([each for each in scene.pointer.wait(1) if each[0] == KEY], [(KEY, BTN_LEFT, 0)])
        # Detached.
        viewer = scene.come()
        scene.until(lambda: len(scene.listed()) == 1, "the second has gone")
        self.key(scene, viewer)
        scene.call("Detach", {"viewer": scene.listed()[0]})
        self.released(scene, A)
        # Its program is killed.
        viewer = scene.come()
        self.key(scene, viewer)
        viewer.key(0xFFE1)
        self.assertEqual(scene.keyboard.wait(1), [(KEY, LEFTSHIFT, 1)])
        for pid in self.programs_with_frames(scene):
            os.kill(pid, signal.SIGKILL)
        self.released(scene, A, LEFTSHIFT)
        # The guest goes, and comes back as one at which nobody may type.
        viewer = self.retry(scene.come)
        self.key(scene, viewer)
        os.close(scene.held.pop())
        self.released(scene, A)
        self.closed(scene, scene.keyboard)
        scene.until(lambda: scene.call("List", {"id": "guest"})["runtime"]["state"] == "lost", "a ghost")
        viewer.key(0x61)
        for each in (scene.keyboard, scene.pointer):
            each.close()
        scene.add_sinks("absolutePointer")
        scene.add("guest", [scene.keyboard, scene.pointer], viewOnly=True)
        with self.assertRaises(CLOSED):
            while True:
                viewer.key(0x61)
                viewer.point(3, 3, 1)
                viewer.until(lambda: True, ask=True)
                time.sleep(0.01)
        self.assertEqual((scene.keyboard.take(), scene.pointer.take()), ([], []))
        scene.call("Unregister", {"id": "guest"})
        self.closed(scene, scene.keyboard)

    def closed(self, scene, sink):
        scene.until(lambda: sink.take() is not None and sink.ended, "it is closed")

    def retry(self, come):
        """A program that was killed is started again a second later."""
        end = time.monotonic() + LIMIT
        while True:
            try:
                return come()
            except CLOSED:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def programs_with_frames(self, scene):
        return [pid for pid in scene.rfb_programs() if any("vfio-display-frame" in each for each in scene.open_files(pid))]

    def test_the_daemon_is_killed(self):
        """What is held goes up when the next one comes; what is typed meanwhile comes, in order; viewers go on."""
        scene = self.scene()
        viewer, leaver = scene.come(), scene.come()
        self.key(scene, viewer)
        leaver.key(0xFFE1)
        self.assertEqual(scene.keyboard.wait(1), [(KEY, LEFTSHIFT, 1)])
        leaver.point(9, 9, 4)
        while (KEY, BTN_RIGHT, 1) not in scene.pointer.wait(1):
            pass
        scene.crash()
        leaver.close()
        viewer.key(0x61, False)
        for keysym in (0x62, 0x61) * 3:
            viewer.key(keysym)
            viewer.key(keysym, False)
        scene.start()
        self.released(scene, A, LEFTSHIFT)
        self.assertIn((KEY, BTN_RIGHT, 0), scene.pointer.wait(1))
        self.assertEqual(scene.keyboard.wait(12, "what was typed meanwhile"),
                         [(KEY, code, value) for code in (B, A) * 3 for value in (1, 0)])
        self.key(scene, viewer)
        scene.restart()                                     # an orderly end
        self.released(scene, A)
        viewer.key(0x61, False)
        self.key(scene, viewer, B, 0x62)
        viewer.key(0x62, False)
        self.released(scene, B)
        self.assertEqual(scene.keyboard.take(), [])

    def test_a_vmm_that_does_not_read(self):
        """For ten seconds. Pictures go on, others type elsewhere, and what comes in the end is in order, with no key down."""
        scene = self.scene()
        other = Sink("keyboard")
        self.addCleanup(other.close)
        scene.add("other", [other], listen=[{"mode": "control", "address": f"127.0.0.1:{(port := daemon.free_port())}"}])
        viewer, free = scene.come(), scene.come(port)
        end, n, pictures, codes = time.monotonic() + 10, 0, 0, []
        while time.monotonic() < end:
            for i in range(40):
                codes.append(2 + n % 60)
                viewer.set_encodings(rfb.RAW, rfb.QEMU_KEYS)
                if n == 0:
                    viewer.until(lambda: rfb.QEMU_KEYS in viewer.seen, ask=True)
                viewer.qemu_key(2 + n % 60)
                viewer.qemu_key(2 + n % 60, down=False)
                viewer.point(n % 320, n % 200)
                n += 1
            scene.guest.noise(n, colours=40)
            scene.guest.signal()
            viewer.until(lambda: shows(viewer, scene.guest) is None, ask=True)
            pictures += 1
            free.key(0x61)
            free.key(0x61, False)
            self.assertEqual(other.wait(2), [(KEY, A, 1), (KEY, A, 0)])
        self.assertGreater(pictures, 10)
        dropped = scene.call("List", {"id": "guest"})["runtime"]["input"][0]["eventsDropped"]
        self.assertGreater(dropped, 0)
        # It reads again.
        viewer.point(7, 7, 1)
        viewer.point(7, 7, 0)
        viewer.qemu_key(0x1C)
        viewer.qemu_key(0x1C, down=False)
        events, quiet = [], 0
        while quiet < 50:
            scene.call("List", {"id": "guest"})
            quiet = 0 if scene.keyboard.take() else quiet + 1
            events += scene.keyboard.events
            scene.keyboard.events = []
        self.assertEqual(scene.keyboard.down(events), set())
        presses = [code for _, code, value in events if value == 1]
        self.assertIn(presses[:len(presses) - 1], (codes[:len(presses) - 1], presses[:len(presses) - 1]))
        at = -1
        for code in presses[:100]:
            at = codes.index(code, at + 1)                  # what came is a part of what was typed, in its order
        pointed = []
        while (KEY, BTN_LEFT, 0) not in pointed:
            pointed += scene.pointer.wait(1)
        before = pointed[:pointed.index((KEY, BTN_LEFT, 1))]
        self.assertIn([each for each in before if each[:2] == (ABS, 0)][-1][2], (14, 15))
        self.key(scene, viewer, B, 0x62)


if __name__ == "__main__":
    unittest.main(verbosity=2)
