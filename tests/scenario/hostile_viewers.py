# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a viewer does, a good one beside it keeps receiving updates, and memory stays bounded."""
import contextlib
import pathlib
import select
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from beside import Beside
from hostile import GROWTH, HANDSHAKE, HEIGHT, WIDTH, closed

STALL = 2

MESSAGES = {
    "SetPixelFormat": b"\0\0\0\0" + rfb.XRGB.pack(),
    "SetEncodings": struct.pack(">BxH4i", 2, 4, 16, 7, 5, 0),
    "FramebufferUpdateRequest": struct.pack(">BBHHHH", 3, 1, 0, 0, WIDTH, HEIGHT),
    "KeyEvent": struct.pack(">BBxxI", 4, 1, 65),
    "PointerEvent": struct.pack(">BBHH", 5, 1, 10, 10),
    "ClientCutText": struct.pack(">BxxxI", 6, 20) + b"twenty bytes of text",
    "SetDesktopSize": struct.pack(">BxHHBxIHHHHI", 251, 800, 600, 1, 0, 0, 0, 800, 600, 0),
}


class HostileViewers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = daemon.Daemon(config=f"[viewers]\nstall-seconds = {STALL}\nviewers-maximum = 16\n")
        cls.surface = surface.Surface(WIDTH, HEIGHT)
        cls.port = daemon.free_port()
        cls.lease = cls.daemon.register(cls.surface, "victim",
                                        listen=[{"mode": "control", "address": f"127.0.0.1:{cls.port}"}])
        cls.path = str(cls.daemon.dir / "rfb" / "victim")
        with Beside(cls.path, cls.surface):
            cls.program = cls.daemon.rfb_programs()
            cls.memory = cls.resident()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.good = self.stack.enter_context(Beside(self.path, self.surface))
        self.until_alone()

    def tearDown(self):
        grown = self.resident() - self.memory
        self.stack.close()           # the hostile ones go first, the good one then looks back
        self.good.check(self)
        self.assertLess(grown, GROWTH, "KiB more than before")
        self.assertEqual(self.daemon.rfb_programs(), self.program, "the same RFB program all the time")

    @classmethod
    def resident(cls):
        return sum(cls.daemon.memory(pid) for pid in (cls.daemon.pid, *cls.daemon.rfb_programs()))

    def until_alone(self):
        """Who was here in the test before has gone: the good viewer is the only one."""
        client = self.daemon.connect()
        client.until("victim", lambda runtime: runtime["viewers"] == 1)
        client.close()

    # ---- those who come ----

    def socket(self, tcp=True):
        if tcp:
            sock = socket.create_connection(("127.0.0.1", self.port), 10 * daemon.SLOW)
        else:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(10 * daemon.SLOW)
            sock.connect(self.path)
        self.stack.callback(sock.close)
        return sock

    def viewer(self, **more):
        client = rfb.Client(("127.0.0.1", self.port), timeout=10 * daemon.SLOW, **more)
        self.stack.callback(client.close)
        return client

    def assert_closed(self, sock, within=3):
        self.assertTrue(closed(sock, within), f"still open after {within} s")

    def assert_serves(self, client):
        client.first()
        self.assertEqual(client.rects[0][:2], (0, 0))

    # ---- before authentication ----

    def test_silent_ones_and_slow_ones_are_sent_away(self):
        silent = [self.socket(tcp) for tcp in (True, False) * 10]
        one_byte = [self.socket(tcp) for tcp in (True, False) * 5]
        for sock in one_byte:
            sock.sendall(b"R")
        half_security = [self.socket() for _ in range(3)]
        for sock in half_security:
            sock.sendall(b"RFB 003.008\n\1")
        slow = self.socket()
        text = b"RFB 003.008\n\1" + b"\1" * 30
        end = time.monotonic() + (HANDSHAKE + 2) * daemon.SLOW
        open_ones = {*silent, *one_byte, *half_security, slow}
        for byte in text:
            try:
                slow.sendall(bytes([byte]))
            except OSError:
                break
            if len(text) and time.monotonic() > end:
                break
            time.sleep(0.9 * daemon.SLOW)
            open_ones -= {sock for sock in select.select([*open_ones], [], [], 0)[0] if closed(sock, 0.01)}
        for sock in open_ones - {slow}:
            self.assert_closed(sock, 2)

    def test_versions_that_are_none(self):
        for version in (b"GET / HTTP/1", b"RFB 004.000\n", b"RFB 003x008\n", b"\0" * 12, b"\xff" * 12, b"RFB -03.-08\n"):
            with self.subTest(version):
                sock = self.socket()
                sock.sendall(version)
                self.assert_closed(sock)

    def test_a_security_type_that_was_not_offered(self):
        for kind in (0, 2, 16, 19, 255):
            with self.subTest(kind):
                sock = self.socket()
                sock.sendall(b"RFB 003.008\n" + bytes([kind]) + b"\1")
                self.assert_closed(sock)

    def test_everything_at_once(self):
        """The whole handshake and the messages in the first packet: nothing is lost, nothing is confused."""
        sock = self.socket()
        sock.sendall(b"RFB 003.008\n\1\1" + b"".join(MESSAGES.values()))
        client = rfb.Client(sock, timeout=10 * daemon.SLOW, handshake=False)
        self.assertEqual(client.read(12), b"RFB 003.008\n")
        self.assertEqual(client.read(2), b"\1\1")
        self.assertEqual(client.unpack(">I"), (0,))
        client.width, client.height = client.unpack(">HH")
        self.assertEqual((client.width, client.height), (WIDTH, HEIGHT))
        client.read(16)
        client.read(client.unpack(">I")[0])
        client.set_format(rfb.XRGB, tell=False)
        client.update()

    # ---- many ----

    def test_two_hundred_connections(self):
        """All speak up to the end of the handshake; as many as may come in do, the others are told no."""
        socks = [self.socket(tcp=number % 2) for number in range(200)]
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.sendall(b"RFB 003.008\n\1\1")
        came_in = refused = 0
        for sock in socks:
            client = rfb.Client(sock, timeout=10 * daemon.SLOW, handshake=False)
            try:
                client.read(12)
                if client.read(1) == b"\1":
                    client.read(5)
                    client.read(4)
                    came_in += 1
                else:
                    self.assertIn("viewers", client.reason())
                    refused += 1
            except (EOFError, ConnectionError):
                refused += 1
        self.assertEqual((came_in, refused), (15, 185))

    def test_two_hundred_silent_connections(self):
        """They knock for as long as there is room; a real viewer gets in all the same."""
        for number in range(200):
            self.socket(tcp=number % 2)
        client = self.viewer()
        client.set_encodings(rfb.HEXTILE)
        self.assert_serves(client)

    def test_five_hundred_come_and_go(self):
        fds = self.daemon.fds(self.program[0])
        for number in range(500):
            sock = self.socket(tcp=number % 2)
            if number % 3 == 0:
                sock.sendall(b"RFB 003.008\n\1\1")
            if number % 9 == 0:
                sock.sendall(MESSAGES["FramebufferUpdateRequest"])
            if number % 50 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        self.daemon.until(lambda: self.daemon.fds(self.program[0]) <= fds + 2, "descriptors of the RFB program again")
        self.until_alone()

    # ---- messages ----

    def test_half_of_every_message(self):
        halves = {}
        for name, message in MESSAGES.items():
            for size in {1, 2, len(message) // 2, len(message) - 1}:
                halves[name, size] = client = self.viewer(version="3.3") if len(halves) < 14 else None
                if client is None:
                    # Sixteen may look at a time: room for the next ones.
                    for each in [c for c in halves.values() if c]:
                        each.close()
                    halves = {}
                    self.until_alone()
                    halves[name, size] = client = self.viewer(version="3.3")
                client.send(message[:size])
        time.sleep(1)

    def test_half_a_message_and_then_the_rest(self):
        client = self.viewer()
        for message in MESSAGES.values():
            for byte in message:
                client.send(bytes([byte]))
        client.update()
        self.assert_serves(client)

    def test_messages_that_are_none(self):
        for kind in (1, 7, 9, 100, 150, 248, 250, 252, 255):
            with self.subTest(kind):
                client = self.viewer()
                client.send(bytes([kind]) + b"\1" * 64)
                self.assert_closed(client.sock)

    def test_pixel_formats_that_are_none(self):
        def form(bits=32, depth=24, true=1, most=(255, 255, 255), shift=(16, 8, 0)):
            return b"\0\0\0\0" + struct.pack(">BBBBHHHBBBxxx", bits, depth, 0, true, *most, *shift)

        wrong = [form(bits=bits) for bits in (0, 1, 7, 12, 24, 48, 64, 255)]
        wrong += [form(depth=0), form(depth=255), form(true=0), form(most=(0, 0, 0)), form(most=(65535, 255, 255), shift=(17, 8, 0)),
                  form(most=(254, 255, 255)), form(shift=(32, 8, 0)), form(shift=(255, 255, 255)), form(bits=8),
                  form(bits=16, shift=(10, 8, 0))]
        for message in wrong:
            with self.subTest(message[4:].hex()):
                client = self.viewer()
                client.send(message + MESSAGES["FramebufferUpdateRequest"])
                self.assert_closed(client.sock)

    def test_sixty_five_thousand_encodings(self):
        client = self.viewer()
        client.send(struct.pack(">BxH", 2, 65535) + struct.pack(">i", 0x7fff0000) * 65534 + struct.pack(">i", 0))
        self.assert_serves(client)
        client.send(struct.pack(">BxH", 2, 65535) + b"\xff" * (4 * 65535))
        self.assert_serves(client)
        client.set_encodings()
        self.assert_serves(client)

    def test_cut_text_without_end(self):
        for length in (0xffffffff, 0x7fffffff, 0x80000000, (16 << 20) + 1):
            with self.subTest(hex(length)):
                client = self.viewer()
                with contextlib.suppress(OSError):
                    client.send(struct.pack(">BxxxI", 6, length))
                    for _ in range(64):
                        client.send(b"x" * (1 << 20))
                if length != 0xffffffff:
                    self.assert_closed(client.sock)

    def test_cut_text_as_large_as_may_be(self):
        """It is skipped, not kept, and the viewer goes on."""
        client = self.viewer()
        client.send(struct.pack(">BxxxI", 6, 16 << 20) + bytes(16 << 20))
        self.assert_serves(client)

    def test_requests_outside_the_screen(self):
        client = self.viewer()
        client.set_encodings(rfb.RAW)
        for area in ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (WIDTH, HEIGHT, 1, 1), (WIDTH - 1, 0, 65535, 65535),
                     (0, 0, 65535, 0), (10, 10, 0, 65535)):
            client.request(incremental=False, area=area)
        self.assert_serves(client)

    def test_desktop_sizes_that_are_none(self):
        client = self.viewer()
        client.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)
        for width, height, screens in ((0, 0, 0), (65535, 65535, 255), (1, 1, 0), (800, 600, 255)):
            client.send(struct.pack(">BxHHBx", 251, width, height, screens) + b"\xff" * (16 * screens))
        for _ in range(3):
            client.request(incremental=False)
            client.update()
        self.assertEqual((client.width, client.height), (WIDTH, HEIGHT))

    def test_ultra_and_other_extensions(self):
        """SetScale, PalmVNC's, TextChat, file transfer, xvp, single window: served harmlessly or not at all."""
        for message in (b"\x08\0\0\0", b"\x08\1\0\0", b"\x08\xff\0\0", b"\x0f\2\0\0", b"\x06\0\0\0\x80\0\0\0",
                        b"\x0b\0\0\0\xff\xff\xff\xff", b"\x07\3\0\0" + b"\xff" * 8, b"\x0a\0\0\0\0\0", b"\xfa\0\1\2"):
            with self.subTest(message.hex()):
                client = self.viewer()
                with contextlib.suppress(OSError, EOFError):
                    client.send(message)
                    client.send(MESSAGES["FramebufferUpdateRequest"])
                    client.update(timeout=2)
                client.close()

    # ---- those who do not read ----

    def test_one_that_never_reads_while_the_picture_moves(self):
        """It is dropped after stall-seconds."""
        clients = [self.viewer() for _ in range(4)]
        for client in clients:
            client.set_encodings(rfb.RAW)
        end = time.monotonic() + (STALL + 4) * daemon.SLOW
        while time.monotonic() < end:
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(struct.pack(">BBHHHH", 3, 0, 0, 0, WIDTH, HEIGHT))
            time.sleep(0.05)
        for client in clients:
            self.assert_closed(client.sock)

    def test_a_flood_of_requests_without_reading(self):
        client = self.viewer()
        client.sock.settimeout(0.2)
        request = struct.pack(">BBHHHH", 3, 0, 0, 0, WIDTH, HEIGHT)
        end = time.monotonic() + 2
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    client.sock.sendall(request * 1000)
        self.assertLess(self.resident() - self.memory, GROWTH)

    def test_one_that_reads_a_byte_at_a_time(self):
        client = self.viewer()
        client.set_encodings(rfb.RAW)
        client.request(incremental=False)
        for _ in range(100):
            client.sock.recv(1)
            time.sleep(0.01)

    def test_gone_in_the_middle_of_an_update(self):
        for number in range(20):
            client = self.viewer()
            client.set_encodings((rfb.RAW, rfb.TIGHT, rfb.ZRLE, rfb.HEXTILE)[number % 4])
            client.request(incremental=False)
            client.sock.recv(100)
            if number % 2:
                client.sock.shutdown(socket.SHUT_WR)
            else:
                client.close()

    def test_formats_and_encodings_change_all_the_time(self):
        client = self.viewer()
        forms = [rfb.XRGB, rfb.PixelFormat(16, 16, False, (31, 11), (63, 5), (31, 0)),
                 rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6)), rfb.PixelFormat(32, 24, True)]
        end = time.monotonic() + 2
        with contextlib.suppress(ConnectionError):
            number = 0
            while time.monotonic() < end:
                number += 1
                client.send(b"\0\0\0\0" + forms[number % 4].pack())
                client.set_encodings((rfb.RAW, rfb.RRE, rfb.CORRE, rfb.HEXTILE, rfb.ZLIB, rfb.TIGHT, rfb.ZRLE)[number % 7])
                client.send(MESSAGES["FramebufferUpdateRequest"])
                client.sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.sock.recv(1 << 20)
                client.sock.setblocking(True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
