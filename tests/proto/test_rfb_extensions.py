#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Protocol extensions of vfio-displayd-rfb, the real program, in both directions, against the text of rfbproto.rst.

RFB_PROGRAM names it; otherwise it is taken from the current directory.
"""

import os
import struct
import time
import unittest

import rfb
import rfb_harness as harness
from decode import PixelFormat
from rfb import Client

PROGRAM = os.path.abspath(os.environ.get("RFB_PROGRAM", "vfio-displayd-rfb"))
VMWARE_LEDS = 0x574D5668
EVERYTHING = (rfb.RAW, rfb.LAST_RECT, rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE, rfb.CURSOR, rfb.CURSOR_WITH_ALPHA, rfb.FENCE,
              rfb.CONTINUOUS_UPDATES, rfb.DESKTOP_NAME, rfb.QEMU_KEYS, rfb.QEMU_LEDS, rfb.QEMU_MOTION, rfb.MOUSE_BUTTONS, rfb.XVP)
INIT, FAIL = (1, 1), (1, 0)
SHUTDOWN, REBOOT, RESET = 2, 3, 4
POLICY = (16, 1000, 0, 0)  # viewers, frames, bytes, sharing
QUIET = 0.3
RGB565 = PixelFormat.unpack(struct.pack(">BBBBHHHBBBxxx", 16, 16, 0, 1, 31, 63, 31, 11, 5, 0))


class Viewer(Client):
    """Keeps apart what came in which order."""

    def __init__(self, *arguments, **options):
        self.order = []
        super().__init__(*arguments, **options)

    def hear(self, deadline):
        kind = super().hear(deadline)
        self.order.append(kind)
        return kind

    def on_vmware_leds(self, x, y, width, height):
        self.vmware_leds = self.unpack(">I")[0]


rfb.PSEUDO[VMWARE_LEDS] = Viewer.on_vmware_leds


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = harness.Broker(PROGRAM, frames=1000)
        self.addCleanup(self.finish)
        self.broker.show(64, 48, 0x112233)

    def finish(self):
        self.broker.close()
        self.assertEqual(self.broker.status, 0)

    def viewer(self, *encodings, mode=harness.CONTROL, picture=True):
        client = Viewer(self.broker.listen_unix(mode=mode))
        self.addCleanup(client.close)
        client.set_encodings(*(encodings or (rfb.RAW,)))
        if picture:
            client.first()
            client.request()
        return client

    def quiet(self, client, seconds=QUIET):
        """Nothing comes but updates without pixels: returns what came."""
        before = len(client.order)
        try:
            client.until(lambda: False, timeout=seconds)
        except TimeoutError:
            pass
        return client.order[before:]

    def barrier(self, client):
        """Everything that the client sent has been done."""
        token = os.urandom(8)
        client.fence(rfb.FENCE_REQUEST | rfb.FENCE_BEFORE, token)
        client.until(lambda: (rfb.FENCE_BEFORE, token) in client.fences)

    def power(self, heard=True):
        self.broker.send(harness.POLICY, struct.pack("=6I", *POLICY, heard, 1))


class Fence(Case):
    def test_is_announced_by_one_of_ours(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        client.until(lambda: client.fences)
        self.assertTrue(client.fences[0][0] & rfb.FENCE_REQUEST)
        self.assertLessEqual(len(client.fences[0][1]), 64)
        self.barrier(client)

    def test_is_not_sent_to_who_does_not_know_it(self):
        client = self.viewer()
        self.quiet(client)
        self.assertEqual(client.fences, [])

    def test_every_request_is_answered_in_order(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        client.until(lambda: client.fences)
        del client.fences[:]
        asked = [(i % 8, bytes([i]) * (i % 65)) for i in range(200)]
        for flags, payload in asked:
            client.fence(rfb.FENCE_REQUEST | flags, payload)
        client.request(False)  # behind the last one, which may wait for the next message
        client.until(lambda: len([f for f in client.fences if not f[0] & rfb.FENCE_REQUEST]) == len(asked))
        self.assertEqual([f for f in client.fences if not f[0] & rfb.FENCE_REQUEST], asked)

    def test_unknown_flags_come_back_cleared(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        client.fence(0xFFFFFFF8 | rfb.FENCE_BEFORE, b"x")
        client.until(lambda: (rfb.FENCE_BEFORE, b"x") in client.fences)

    def test_too_long_is_skipped_not_answered(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        client.fence(rfb.FENCE_REQUEST, b"y" * 65)
        self.barrier(client)
        self.assertFalse([f for f in client.fences if f[1][:1] == b"y"])

    def test_answers_that_nobody_waits_for_are_nothing(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        for size in (0, 1, 4, 5, 8, 64):
            client.fence(0, b"\xff" * size)
        self.barrier(client)

    def test_a_synchronous_one_waits_for_the_next_message_of_any_kind(self):
        client = self.viewer(rfb.RAW, rfb.FENCE)
        nexts = (lambda: client.key(0x41), lambda: client.cut(b"text"), lambda: client.request(),
                 lambda: client.point(1, 2), lambda: client.set_encodings(rfb.RAW, rfb.FENCE),
                 lambda: client.fence(rfb.FENCE_REQUEST, b"z"))
        for i, send in enumerate(nexts):
            client.fence(rfb.FENCE_REQUEST | rfb.FENCE_SYNC, bytes([i]))
            send()
            client.until(lambda: (rfb.FENCE_SYNC, bytes([i])) in client.fences)

    def test_the_pixel_format_changes_at_a_synchronous_answer(self):
        client = self.viewer(rfb.RAW, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        self.broker.move()
        client.continuous()
        old = client.server_format
        for i in range(20):
            form = (RGB565, old)[i % 2]
            client.fence(rfb.FENCE_REQUEST | rfb.FENCE_SYNC, bytes([i]))
            client.send(b"\0\0\0\0" + form.pack())
            client.until(lambda: (rfb.FENCE_SYNC, bytes([i])) in client.fences)
            client.set_format(form, tell=False)
            for _ in range(3):  # a wrong format loses the place in the stream
                client.update()
                self.assertEqual(len(client.rects), 1)

    def test_a_flood_starves_nobody(self):
        path = self.broker.listen_unix()
        self.broker.move()
        good = harness.GoodViewer(path)
        client = self.viewer(rfb.RAW, rfb.FENCE)
        memory = self.broker.memory_kib()
        client.sock.settimeout(0.2)
        flood = struct.pack(">BxxxIB", 248, rfb.FENCE_REQUEST, 64) + b"f" * 64
        end = time.monotonic() + 3
        try:  # never reading
            while time.monotonic() < end:
                client.sock.sendall(flood * 100)
        except OSError:
            pass
        self.assertLess(self.broker.memory_kib() - memory, 16384)
        gap = good.largest_gap()
        good.finish()
        self.assertIsNone(good.error)
        self.assertLess(gap, 2.0)

    def test_a_flood_that_is_read_gets_pixels_too(self):
        client = self.viewer(rfb.RAW, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        self.broker.move()
        client.continuous()
        answered, updates = len(client.fences), len(client.updates)
        for _ in range(50):
            for _ in range(20):
                client.fence(rfb.FENCE_REQUEST, b"f")
            client.until(lambda: len(client.fences) >= answered + 20)
            answered = len(client.fences)
        client.until(lambda: len(client.updates) > updates + 3)


class ContinuousUpdates(Case):
    def test_is_announced_once(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        client.until(lambda: client.ends)
        for encodings in ((rfb.RAW,), (rfb.RAW, rfb.CONTINUOUS_UPDATES), (rfb.CONTINUOUS_UPDATES,)):
            client.set_encodings(*encodings)
        self.quiet(client)
        self.assertEqual(client.ends, 1)

    def test_is_not_announced_to_others(self):
        client = self.viewer()
        self.quiet(client)
        self.assertEqual(client.ends, 0)

    def test_updates_without_requests_until_the_end(self):
        client = Viewer(self.broker.listen_unix())
        self.addCleanup(client.close)
        client.set_encodings(rfb.RAW, rfb.CONTINUOUS_UPDATES, rfb.FENCE)
        client.until(lambda: client.ends == 1)
        self.broker.move()
        client.continuous()
        for _ in range(20):
            client.update()
        client.continuous(False)
        client.until(lambda: client.ends == 2)
        updates = len(client.updates)
        self.quiet(client)
        self.assertEqual(len(client.updates), updates, "an update that nobody asked for")
        client.request()
        client.update()

    def test_an_end_is_answered_even_if_nothing_was_on(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        client.until(lambda: client.ends == 1)
        for _ in range(3):
            client.continuous(False)
        client.until(lambda: client.ends == 4)

    def test_only_the_area(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        self.quiet(client)
        self.broker.move()
        for area, cut in (((8, 16, 20, 10), (8, 16, 20, 10)), ((60, 40, 500, 65535), (60, 40, 4, 8))):
            client.continuous(area=area)
            client.until(lambda: client.rects and client.rects[0][:4] == cut)
            for _ in range(5):
                client.update()
                self.assertEqual([r[:4] for r in client.rects], [cut])

    def test_an_area_outside_is_silence(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES, rfb.FENCE)
        client.continuous(area=(64, 48, 10, 10))
        self.barrier(client)
        self.broker.move()
        self.quiet(client)  # the request that was open, if it had no answer yet
        updates = len(client.updates)
        self.quiet(client)
        self.assertLessEqual(len(client.updates), updates)

    def test_full_requests_are_honoured_incremental_ones_ignored(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES, rfb.FENCE)
        client.continuous(area=(0, 0, 8, 8))
        client.request(False, (32, 16, 8, 8))
        client.until(lambda: any(r[:4] == (32, 16, 8, 8) for r in client.rects))
        self.quiet(client)
        updates = len(client.updates)
        client.request(True, (32, 16, 8, 8))
        self.broker.move()
        client.until(lambda: len(client.updates) > updates + 10)
        self.assertTrue(all(r[:4] == (0, 0, 8, 8) for r in client.rects))

    def test_the_pixel_format_changes_at_the_end(self):
        """As TigerVNC does it: off, the new format, on; what comes behind the end is in the new one."""
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        client.until(lambda: client.ends == 1)
        self.broker.move()
        client.continuous()
        old = client.server_format
        for i in range(20):
            form, ends = (RGB565, old)[i % 2], client.ends
            client.continuous(False)
            client.send(b"\0\0\0\0" + form.pack())
            client.continuous()
            client.until(lambda: client.ends > ends)
            client.set_format(form, tell=False)
            for _ in range(3):
                client.update()

    def test_another_size(self):
        client = self.viewer(rfb.RAW, rfb.CONTINUOUS_UPDATES, rfb.EXTENDED_DESKTOP_SIZE)
        client.continuous()
        for size in ((32, 24), (128, 96)):
            self.broker.show(*size, 0xABCDEF)
            client.until(lambda: (client.width, client.height) == size)
            client.continuous()
            client.until(lambda: bytes(client.pixels) == struct.pack("<I", 0xABCDEF) * (size[0] * size[1]))


class Tidings(Case):
    def test_acknowledgements_once(self):
        client = self.viewer(rfb.RAW, rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS)
        client.until(lambda: {rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS} <= client.seen, ask=True)
        client.seen.clear()
        client.set_encodings(rfb.RAW)
        client.request(False)
        client.update()
        client.set_encodings(rfb.RAW, rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS)
        client.request(False)
        client.update()
        self.quiet(client)
        self.assertEqual(client.seen, {rfb.RAW})

    def test_nothing_for_who_announces_nothing(self):
        client = self.viewer()
        self.broker.send(harness.NAME, b"Another")
        self.broker.send(harness.LEDS, struct.pack("=I", 7))
        self.broker.send(harness.POINTER_MODE, struct.pack("=I", 1))
        self.power()
        self.quiet(client)
        self.assertEqual(client.seen, {rfb.RAW})
        self.assertEqual((client.fences, client.ends, client.xvps), ([], 0, []))

    def test_name(self):
        client = self.viewer(rfb.RAW, rfb.DESKTOP_NAME)
        self.quiet(client)
        self.assertEqual(client.names, [], "it is the one in ServerInit")
        for name in ("Ünïcode ✓", "", "n" * 128, "é" * 64):
            self.broker.send(harness.NAME, name.encode())
            client.until(lambda: client.name == name, ask=True)
        other = self.viewer(rfb.RAW, rfb.DESKTOP_NAME)
        other.until(lambda: other.name == name, ask=True)
        self.broker.send(harness.NAME, b"a" + "é".encode() * 63)
        self.quiet(client)
        other = self.viewer()
        self.assertEqual(other.name, "a" + "é" * 63, "who comes later has it in ServerInit")
        self.broker.send(harness.NAME, "é".encode() * 64)
        self.quiet(client)
        other = self.viewer()
        self.assertEqual(other.name, "é" * 63, "which has room for 127 bytes")

    def test_name_for_who_announces_it_late(self):
        client = self.viewer()
        self.broker.send(harness.NAME, b"first")
        self.broker.send(harness.NAME, b"second")
        self.quiet(client)
        client.set_encodings(rfb.RAW, rfb.DESKTOP_NAME)
        client.request()
        client.until(lambda: client.names)
        self.assertEqual(client.names, ["second"])

    def test_leds(self):
        client = self.viewer(rfb.RAW, rfb.QEMU_LEDS)
        self.quiet(client)
        self.assertEqual(client.leds, [], "not known is not told")
        for bits in (0, 1, 2, 4, 7):
            self.broker.send(harness.LEDS, struct.pack("=I", bits))
            client.until(lambda: client.leds[-1:] == [bits], ask=True)
        other = self.viewer(rfb.RAW, rfb.QEMU_LEDS)
        other.until(lambda: other.leds == [7], ask=True)

    def test_vmware_leds(self):
        client = self.viewer(rfb.RAW, VMWARE_LEDS)
        self.broker.send(harness.LEDS, struct.pack("=I", 6))
        client.until(lambda: VMWARE_LEDS in client.seen, ask=True)
        self.assertEqual(client.vmware_leds, 6)

    def test_pointer_mode(self):
        client = self.viewer(rfb.RAW, rfb.QEMU_MOTION)
        client.until(lambda: client.motions == [1], ask=True)
        for relative in (1, 0):
            self.broker.send(harness.POINTER_MODE, struct.pack("=I", relative))
            client.until(lambda: client.motions[-1] == (not relative), ask=True)
        self.assertEqual(client.motions, [1, 0, 1])

    def test_everything_at_once(self):
        self.power()
        self.broker.send(harness.LEDS, struct.pack("=I", 3))
        client = self.viewer(*EVERYTHING)
        self.broker.send(harness.NAME, b"name")
        client.until(lambda: client.names and client.leds and client.motions and client.xvps and client.ends and
                     client.fences and {rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS} <= client.seen, ask=True)
        client.qemu_key(0x1E, 0x61)
        client.point(1, 2, 1, more=2)
        client.point(3, 4, 5)
        client.key(0x61)
        client.cut(b"clip")
        client.send(struct.pack(">BxxxiI", 6, -4, 1 << 24))  # extended clipboard, never offered
        self.barrier(client)

    def test_toggling_encodings_does_not_grow(self):
        client = self.viewer(*EVERYTHING)
        memory = self.broker.memory_kib()
        for _ in range(2000):
            client.set_encodings(rfb.RAW)
            client.set_encodings(*EVERYTHING)
        self.barrier(client)
        self.assertLess(self.broker.memory_kib() - memory, 4096)
        self.assertEqual(client.ends, 1)
        self.assertLessEqual(len([f for f in client.fences if f[0] & rfb.FENCE_REQUEST and not f[1]]), 1)


class Power(Case):
    def answers(self, client, *expected):
        client.until(lambda: len(client.xvps) >= len(expected))
        self.quiet(client)
        self.assertEqual(client.xvps, list(expected))

    def wished(self, client, code, action):
        client.xvp(code)
        body = self.broker.wait(harness.POWER)
        self.assertEqual(struct.unpack_from("=II", body)[1], action)

    def test_init_then_wishes(self):
        self.power()
        client = self.viewer(rfb.RAW, rfb.XVP, rfb.FENCE)
        self.answers(client, INIT)
        for code in (SHUTDOWN, REBOOT, RESET):
            self.wished(client, code, code)
        self.answers(client, INIT)
        client.xvp(SHUTDOWN)
        self.answers(client, INIT, FAIL)
        time.sleep(1.1)  # each is heard once a second
        self.wished(client, SHUTDOWN, SHUTDOWN)

    def test_nothing_is_said_where_nobody_hears(self):
        client = self.viewer(rfb.RAW, rfb.XVP, rfb.FENCE)
        self.quiet(client)
        self.assertEqual(client.xvps, [])
        client.xvp(SHUTDOWN)
        self.answers(client, FAIL)
        self.assertIsNone(self.broker.take(harness.POWER))
        self.power()
        self.answers(client, FAIL, INIT)
        self.wished(client, REBOOT, REBOOT)
        self.power(False)
        self.barrier(client)
        self.quiet(client)
        client.xvp(RESET)
        self.answers(client, FAIL, INIT, FAIL)
        self.assertIsNone(self.broker.take(harness.POWER))

    def test_wrong_ones_fail(self):
        self.power()
        client = self.viewer(rfb.RAW, rfb.XVP)
        self.answers(client, INIT)
        for code, version in ((0, 1), (1, 1), (5, 1), (255, 1), (2, 0), (2, 2), (4, 255)):
            client.xvp(code, version)
        self.answers(client, INIT, *[FAIL] * 7)
        self.assertIsNone(self.broker.take(harness.POWER))

    def test_only_who_controls(self):
        self.power()
        client = self.viewer(rfb.RAW, rfb.XVP, mode=harness.VIEW)
        self.quiet(client)
        self.assertEqual(client.xvps, [], "what it may not do is not offered")
        client.xvp(SHUTDOWN)
        self.answers(client, FAIL)
        self.assertIsNone(self.broker.take(harness.POWER))

    def test_a_flood_is_one_wish(self):
        self.power()
        client = self.viewer(rfb.RAW, rfb.XVP, rfb.FENCE)
        client.until(lambda: client.xvps)
        for _ in range(500):
            client.xvp(RESET)
        self.barrier(client)
        self.broker.wait(harness.POWER)
        self.assertIsNone(self.broker.take(harness.POWER))

    def test_not_announced_closes(self):
        client = self.viewer(rfb.RAW)
        client.xvp(SHUTDOWN)
        with self.assertRaises((EOFError, ConnectionError)):
            client.until(lambda: False, timeout=5)
        self.assertIn("not offered", self.broker.wait(harness.VIEWER_GONE)[72:136].split(b"\0")[0].decode())


class Rights(Case):
    def test_who_only_looks_changes_nothing(self):
        self.power()
        self.broker.sizes(1024, 1024)
        client = self.viewer(*EVERYTHING, mode=harness.VIEW)
        client.until(lambda: client.screens and rfb.QEMU_KEYS in client.seen, ask=True)
        client.key(0xFF0D)
        client.qemu_key(0x1C, 0xFF0D)
        client.point(1, 1, 7)
        client.point(1, 1, 7, more=3)
        client.cut(b"text")
        client.xvp(RESET)
        client.ask_size(100, 100)
        client.request()
        client.until(lambda: any(a[:2] == (1, 1) for a in client.size_answers))
        self.barrier(client)
        self.assertIsNone(self.broker.take(harness.POWER))
        self.assertIsNone(self.broker.take(harness.RESIZE))
        self.assertIsNone(self.broker.take(harness.INPUT))
        other = self.viewer(*EVERYTHING)
        other.ask_size(100, 100)
        other.request()
        other.until(lambda: any(a[:2] == (1, 4) for a in other.size_answers))
        self.broker.wait(harness.RESIZE)

    def test_exclusive_controls(self):
        self.power()
        self.broker.sizes(1024, 1024)
        client = self.viewer(*EVERYTHING, mode=harness.EXCLUSIVE)
        client.until(lambda: client.xvps == [INIT] and client.screens, ask=True)
        client.ask_size(100, 100)
        client.request()
        self.broker.wait(harness.RESIZE)
        client.xvp(SHUTDOWN)
        self.broker.wait(harness.POWER)


class Input(Case):
    """What comes out of the parser crosses the wall, in order, from those who may control."""

    def inputs(self, number):
        """So many entries, as they came: (viewer, kind, on, code, the rest)."""
        found = []
        while len(found) < number:
            body = self.broker.wait(harness.INPUT)
            viewer, used = struct.unpack_from("=II", body)
            for i in range(used):
                at, kind, on, code, x, y, width, height = struct.unpack_from("=QBBHiiHH", body, 8 + 24 * i)
                self.assertLess(abs(time.monotonic_ns() - at), 60 * 10 ** 9)
                found.append((viewer, kind, on, code) + ((x & 0xFFFFFFFF,) if kind != 2 else (x, y, width, height)))
        self.assertEqual(len(found), number)
        return found

    def typist(self, *encodings, **more):
        client = self.viewer(rfb.RAW, *encodings, **more)
        body = self.broker.wait(harness.VIEWER_ADDED)
        return client, struct.unpack_from("=I", body)[0]

    def test_keys_and_pointers(self):
        client, n = self.typist(rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS)
        client.key(0x61)
        client.qemu_key(0xCD, 0xFF53)
        client.qemu_key(0x100, 0x62, down=False)     # no such keycode: the keysym is all there is
        client.point(63, 47, 1)
        client.point(1000, 2, 0x7F, more=2)
        client.point(5, 5)
        self.assertEqual(self.inputs(6), [(n, 1, 1, 0, 0x61), (n, 1, 1, 0xCD, 0xFF53), (n, 1, 0, 0, 0x62), (n, 2, 0, 1, 63, 47, 64, 48),
                                          (n, 2, 0, 0x17F, 63, 2, 64, 48), (n, 2, 0, 0, 5, 5, 64, 48)])

    def test_steps(self):
        client, n = self.typist(rfb.QEMU_MOTION)
        other, m = self.typist()
        self.broker.send(harness.POINTER_MODE, struct.pack("=I", 1))
        client.until(lambda: 0 in client.motions, ask=True)
        client.point(0x7FFF + 3, 0x7FFF - 4, 1)
        self.assertEqual(self.inputs(1), [(n, 2, 1, 1, 3, -4, 0, 0)])
        other.point(3, 4)                             # it has never heard of steps
        self.assertEqual(self.inputs(1), [(m, 2, 0, 0, 3, 4, 64, 48)])

    def test_a_line_of_text_at_once(self):
        client, n = self.typist()
        client.send(b"".join(struct.pack(">BBxxI", 4, down, key) for key in range(1000) for down in (1, 0)))
        self.assertEqual(self.inputs(2000), [(n, 1, down, 0, key) for key in range(1000) for down in (1, 0)])

    def test_a_broker_that_does_not_read(self):
        """Pictures, and what others type, are another matter; what is lost is told in its place, and a click stays where it was."""
        client, n = self.typist(rfb.FENCE)
        other, m = self.typist(rfb.FENCE)
        self.broker.pause()
        for i in range(40):                           # what fits into the link, and then what waits in the program
            client.send(b"".join(struct.pack(">BBxxI", 4, down, i * 256 + key) for key in range(256) for down in (1, 0)))
            client.point(i % 64, 1)
        other.key(0x41)
        other.key(0x41, False)
        for x in range(64):
            other.point(x, 3)
        other.point(9, 9, 1)
        for x in range(64):
            other.point(x, 4, 1)
        self.barrier(client)
        self.barrier(other)
        self.broker.go_on()
        found, end = [], time.monotonic() + 10
        while time.monotonic() < end:
            body = self.broker.take(harness.INPUT)
            if body is None:
                lost = sum(each[4] for each in found if each[:2] == (n, 3))
                if lost + len([each for each in found if each[0] == n and each[1] != 3]) == 40 * 513 and (63, 4) in [
                        each[-2:] for each in found if each[0] == m]:
                    break
                time.sleep(0.01)
                continue
            viewer, used = struct.unpack_from("=II", body)
            for i in range(used):
                _, kind, on, code, x, y, _, _ = struct.unpack_from("=QBBHiiHH", body, 8 + 24 * i)
                found.append((viewer, kind, on, code, x, y))
        mine = [each for each in found if each[0] == n]
        lost = [each for each in mine if each[1] == 3]
        self.assertEqual(len(lost), 1)
        keys = [(each[4], each[2]) for each in mine[:mine.index(lost[0])] if each[1] == 1]
        self.assertTrue(keys == [(key // 2, 1 - key % 2) for key in range(len(keys))], "the order is another")
        self.assertEqual(lost[0][4] + len(mine) - 1, 40 * 513)
        theirs = [each[1:] for each in found if each[0] == m]
        self.assertEqual(theirs[:2], [(1, 1, 0, 0x41, 0), (1, 0, 0, 0x41, 0)])
        self.assertEqual(theirs[-2][-2:] if theirs[-1][2] != 1 else theirs[-1][-2:], (63, 4))
        clicked = [each for each in theirs if each[2] == 1]
        self.assertEqual(clicked[0][-2:], (9, 9))
        self.assertLess(len(theirs), 2 + 64 + 22)

    def test_from_who_only_looks_none(self):
        client, _ = self.typist(mode=harness.VIEW)
        other, n = self.typist(mode=harness.EXCLUSIVE)
        client.close()
        other.key(0x61)
        self.assertEqual(self.inputs(1), [(n, 1, 1, 0, 0x61)])


class Levels(Case):
    """Tight's quality is LibVNCServer's to do; whatever is asked for, what comes can be decoded."""

    def test_every_level(self):
        client = self.viewer(rfb.TIGHT, rfb.RAW)
        levels = [*range(-32, -22), *range(-256, -246), -512, -511, -460, -412, *range(-768, -762)]
        for level in levels:
            client.set_encodings(rfb.TIGHT, -512 + 80, level)
            client.request(False)
            client.update()


if __name__ == "__main__":
    unittest.main(verbosity=2)
