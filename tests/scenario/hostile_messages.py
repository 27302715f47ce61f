# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is in and means harm: clipboards, extensions used as they should not be, keys that are held for ever, and sizes in the middle of
an update."""
import contextlib
import os
import pathlib
import struct
import sys
import time
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
from hostile import HEIGHT, WIDTH, Hostile

EXTENDED_CLIPBOARD = 0xc0a1e5ce - (1 << 32)
CAPS, REQUEST, PEEK, NOTIFY, PROVIDE = (1 << bit for bit in range(24, 29))
EXTENSIONS = (rfb.FENCE, rfb.CONTINUOUS_UPDATES, rfb.XVP, rfb.QEMU_KEYS, rfb.QEMU_LEDS, rfb.QEMU_MOTION, rfb.MOUSE_BUTTONS,
              rfb.DESKTOP_NAME, rfb.EXTENDED_DESKTOP_SIZE, rfb.LAST_RECT)


class Messages(Hostile):
    wanted = {"security": "none"}

    def guest(self, *encodings):
        client = self.viewer()
        client.set_encodings(rfb.HEXTILE, *encodings)
        return client

    def flood(self, client, data, seconds=2):
        """As much of it as is taken, without reading."""
        client.sock.settimeout(0.2)
        end, sent = time.monotonic() + seconds, 0
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    client.sock.sendall(data)
                    sent += len(data)
        return sent

    def assert_small(self, most=32 << 10):
        self.assertLess(self.resident() - self.memory, most * daemon.SLOW, "KiB")

    # ---- clipboard ----

    def extended(self, flags, data=b"", size=None):
        body = struct.pack(">I", flags) + data
        return struct.pack(">Bxxxi", 6, -len(body) if size is None else size) + body

    def test_an_extended_clipboard_of_negative_length(self):
        """QEMU's CVE-2022-3165: -1 to -3 are shorter than their flags; the others promise what does not come."""
        for size in (-1, -2, -3, -4, -0x7fffffff, -0x80000000):
            with self.subTest(size):
                client = self.guest(EXTENDED_CLIPBOARD)
                with contextlib.suppress(OSError):
                    client.send(self.extended(PROVIDE | 1, b"x" * 64, size))
                    for _ in range(40):
                        client.send(bytes(1 << 16))
        self.assert_small()

    def test_a_clipboard_request_without_capability(self):
        """QEMU's CVE-2023-6683: asked for what was never announced."""
        for flags in (REQUEST | 1, PEEK, NOTIFY | 1, PROVIDE | 1, CAPS, 0xffffffff, 0):
            client = self.guest()
            client.send(self.extended(flags, bytes(16)))
            with contextlib.suppress(OSError, EOFError):
                client.request()
                client.update(timeout=2)
            client = self.guest(EXTENDED_CLIPBOARD)
            client.send(self.extended(flags, bytes(16)))
            with contextlib.suppress(OSError, EOFError):
                client.request()
                client.update(timeout=2)

    def test_a_zlib_bomb(self):
        """Ten megabytes that unpack to ten gigabytes: nothing unpacks them."""
        bomb = zlib.compressobj(9)
        data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush()
        client = self.guest(EXTENDED_CLIPBOARD)
        for _ in range(5):
            client.send(self.extended(PROVIDE | 1, data))
        self.assert_small(16 << 10)
        with contextlib.suppress(EOFError, OSError):
            self.serves(client)

    def test_clipboards_all_the_time(self):
        client = self.guest()
        self.flood(client, struct.pack(">BxxxI", 6, 1 << 20) + bytes(1 << 20))
        self.assert_small(16 << 10)

    # ---- extensions ----

    def test_a_flood_of_fences_without_reading(self):
        """Each wants an answer of 64 bytes."""
        client = self.guest(rfb.FENCE)
        self.flood(client, struct.pack(">BxxxIB", 248, rfb.FENCE_REQUEST | 7, 64) * 500 + bytes(64), 3)
        self.assert_small()

    def test_fences_that_answer_nothing(self):
        client = self.guest(rfb.FENCE)
        for flags in (0, 1, 7, 0x7fffffff):
            for size in (0, 8, 64):
                client.fence(flags, os.urandom(size))
        self.serves(client)

    def test_fences_that_are_too_long(self):
        for size in (65, 128, 255):
            client = self.guest(rfb.FENCE)
            client.fence(rfb.FENCE_REQUEST, bytes(size))
            self.serves(client)
            self.assertNotIn(size, [len(payload) for _, payload in client.fences])

    def test_wrong_answers_to_the_server_s_fences(self):
        """Another payload, twice, too early, never."""
        client = self.guest(rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        client.answers_fences = False
        client.continuous()
        end = time.monotonic() + 3
        with contextlib.suppress(EOFError, OSError):
            while time.monotonic() < end:
                client.hear(end)
                for flags, payload in client.fences:
                    client.fence(flags & 7, payload)
                    client.fence(flags & 7, payload)
                    client.fence(flags & 7, payload[::-1])
                    client.fence(flags & 7, b"\xff" * 64)
                client.fences.clear()

    def test_continuous_updates_without_reading(self):
        client = self.guest(rfb.CONTINUOUS_UPDATES)
        client.continuous()
        time.sleep(4 * daemon.SLOW)
        self.assert_small()
        self.assert_closed(client.sock, 4)

    def test_continuous_updates_on_and_off_without_reading(self):
        client = self.guest(rfb.CONTINUOUS_UPDATES)
        self.flood(client, (struct.pack(">BBHHHH", 150, 1, 0, 0, WIDTH, HEIGHT) + struct.pack(">BBHHHH", 150, 0, 0, 0, 0, 0)) * 500, 3)
        self.assert_small()

    def test_continuous_updates_outside_the_screen(self):
        client = self.guest(rfb.CONTINUOUS_UPDATES)
        for area in ((65535, 65535, 65535, 65535), (0, 0, 0, 0), (WIDTH, 0, 1, 1), (WIDTH - 1, HEIGHT - 1, 65535, 65535)):
            client.continuous(area=area)
        client.continuous(False)
        self.serves(client)

    def test_a_flood_of_power_requests(self):
        client = self.guest(rfb.XVP)
        self.flood(client, struct.pack(">BxBB", 250, 1, 2) * 5000)
        self.assert_small()

    def test_power_of_no_version_and_no_code(self):
        for version, code in ((0, 2), (2, 2), (255, 255), (1, 0), (1, 1), (1, 5)):
            client = self.guest(rfb.XVP)
            client.xvp(code, version)
            with contextlib.suppress(OSError, EOFError):
                client.request()
                client.update(timeout=1)

    def test_a_flood_of_sizes(self):
        client = self.guest(rfb.EXTENDED_DESKTOP_SIZE)
        self.flood(client, struct.pack(">BxHHBxIHHHHI", 251, 800, 600, 1, 0, 0, 0, 800, 600, 0) * 2000)
        self.assert_small()

    def test_sizes_that_are_none(self):
        """No screen, 255 of them, 65535 x 65535, screens outside, screens of nothing."""
        client = self.guest(rfb.EXTENDED_DESKTOP_SIZE)
        for width, height, screens in ((0, 0, []), (800, 600, []), (65535, 65535, [(0, 0, 0, 65535, 65535, 0)]),
                                       (800, 600, [(i, 0, 0, 800, 600, 0) for i in range(255)]),
                                       (800, 600, [(0, 65535, 65535, 800, 600, 0)]), (1, 1, [(0, 0, 0, 0, 0, 0)])):
            client.ask_size(width, height, screens)
        self.serves(client)
        self.assertEqual((client.width, client.height), (WIDTH, HEIGHT))
        self.assertNotIn(0, [status for reason, status in [each[:2] for each in client.size_answers] if reason == 1])

    def test_qemu_messages_that_are_none(self):
        for body in (b"\1\0\0", b"\1\0\1", b"\1\0\2" + bytes(6), b"\2" + bytes(20), b"\xff" * 20):
            client = self.guest(rfb.QEMU_KEYS)
            client.send((b"\xff" + body).ljust(12, b"\0"))
            self.assert_closed(client.sock, 3)

    def test_all_extensions_of_who_announced_none(self):
        for data in (struct.pack(">BxxxIB", 248, rfb.FENCE_REQUEST, 0), struct.pack(">BBHHHH", 150, 1, 0, 0, 9, 9),
                     struct.pack(">BxBB", 250, 1, 2), struct.pack(">BBHII", 255, 0, 1, 0, 30)):
            client = self.guest()
            client.send(data * 3)
            with contextlib.suppress(OSError, EOFError):
                client.request()
                client.update(timeout=1)

    def test_encodings_all_the_time(self):
        """Announced and taken back, thousands of times, without reading what that brings."""
        client = self.guest()
        on = struct.pack(f">BxH{len(EXTENSIONS) + 1}i", 2, len(EXTENSIONS) + 1, rfb.ZRLE, *EXTENSIONS)
        off = struct.pack(">BxHi", 2, 1, rfb.RAW)
        self.flood(client, (on + off) * 100 + struct.pack(">BBHHHH", 3, 0, 0, 0, WIDTH, HEIGHT), 3)
        self.assert_small()

    # ---- held keys and buttons ----

    def test_keys_held_at_the_end(self):
        """Every key there is, held, then gone: nothing is kept of it, and the next one types as if nothing were."""
        for number in range(5):
            client = self.guest(rfb.QEMU_KEYS)
            for key in range(256):
                client.key(0x20 + key)
                client.qemu_key(key)
            client.point(10, 10, 127)
            if number % 2:
                client.sock.shutdown(1)
            client.close()
        self.serves()
        self.assert_small(16 << 10)

    def test_keys_that_are_none(self):
        client = self.guest(rfb.QEMU_KEYS)
        for key in (0, 0xffffffff, 0x01000000, 0x0110ffff, 0x7fffffff):
            client.key(key)
            client.qemu_key(key, key)
            client.key(key, False)
        client.point(65535, 65535, 255)
        client.point(0, 0, 0)
        self.serves(client)

    def test_a_flood_of_keys_and_pointers(self):
        client = self.guest()
        self.flood(client, (struct.pack(">BBxxI", 4, 1, 65) + struct.pack(">BBHH", 5, 7, 3, 3)) * 3000)
        self.assert_small()

    # ---- the screen ----

    def test_a_size_in_the_middle_of_an_update(self):
        """The guest changes its size while viewers that read slowly, or not at all, are being sent a picture."""
        from surface import Surface

        other = Surface(800, 600)
        other.noise(1)
        held = self.daemon.register(other, "sizes")
        try:
            clients = []
            for encoding in (rfb.RAW, rfb.ZRLE, rfb.TIGHT, rfb.HEXTILE):
                for extra in ((), (rfb.DESKTOP_SIZE,), (rfb.EXTENDED_DESKTOP_SIZE,)):
                    client = self.daemon.viewer("sizes")
                    client.set_encodings(encoding, *extra)
                    client.request(incremental=False)
                    clients.append((client, extra))
            for number in range(12):
                for client, _ in clients:
                    with contextlib.suppress(OSError):
                        client.sock.settimeout(0.01)
                        client.sock.recv(500)
                        client.request(incremental=False)
                other.shape(*((640, 480), (800, 600), (1, 1), (333, 222))[number % 4])
                other.noise(number)
                other.show()
                other.signal()
                time.sleep(0.1)
            honest = self.daemon.viewer("sizes")
            honest.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE)
            honest.first()
            self.assertEqual((honest.width, honest.height), (333, 222))
            for client in [honest] + [client for client, _ in clients]:
                client.close()
        finally:
            os.close(held)
            other.close()
        self.daemon.until(lambda: len(self.daemon.rfb_programs()) == 1, "the other display's program is gone", 90)


class ViewOnly(Hostile):
    """On a listener that gives a view: what moves others does not pass."""

    wanted = {"security": "none", "mode": "view"}

    def test_a_button_held_by_who_may_only_look(self):
        client = self.viewer()
        client.set_encodings(rfb.RAW, rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS)
        client.point(5, 5, 1)
        client.key(65)
        client.qemu_key(30)
        client.close()
        self.serves()

    def test_nothing_of_others_changes(self):
        """Sizes, power, exclusive looks: prohibited, failed, ignored."""
        client = self.viewer(shared=False)
        client.set_encodings(rfb.RAW, rfb.EXTENDED_DESKTOP_SIZE, rfb.XVP)
        client.ask_size(320, 200)
        client.xvp(4)
        client.until(lambda: (1, 1) in [each[:2] for each in client.size_answers], ask=True)
        self.assertEqual((client.width, client.height), (WIDTH, HEIGHT))
        self.assertNotIn((320, 200), [each[2:] for each in client.size_answers if each[1] == 0])
        self.serves()


class ManyDescriptors(Hostile):
    """Descriptors with numbers of 1024 and more: LibVNCServer's fd_set ends there."""

    wanted = {"security": "none", "viewers": "viewers-maximum = 128"}

    def test_more_connections_than_an_fd_set_holds(self):
        """A thousand knock; some of them stay and look; nobody is confused with another."""
        socks = []
        for _ in range(1100):
            with contextlib.suppress(OSError):
                socks.append(self.socket())
        looking = []
        for _ in range(20):
            with contextlib.suppress(rfb.Refused, OSError):
                client = self.viewer()
                client.set_encodings(rfb.RAW)
                looking.append(client)
        self.assertGreater(len(looking), 0)
        for client in looking:
            self.serves(client)


if __name__ == "__main__":
    unittest.main(verbosity=2)
