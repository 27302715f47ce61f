#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayd-rfb, the real program, between a broker and viewers that are both played here.

RFB_PROGRAM names it; otherwise it is taken from the current directory.
"""

import ctypes
import os
import re
import socket
import struct
import time
import unittest

import rfb_harness as rfb
from rfb_harness import Broker, Closed, GoodViewer, Viewer, connect

PROGRAM = os.path.abspath(os.environ.get("RFB_PROGRAM", "vfio-displayd-rfb"))
# Seconds without an update that a well served viewer may see here, where `make check` runs other programs beside this one. That it
# is 500 ms on a machine at rest is for tests/scenario/hostile_viewers.py to show, which runs alone.
GAP = 2.0
VERSIONS = (b"003.003", b"003.007", b"003.008", b"003.889", b"003.005")


def vnc_answer(password):
    """DES of the challenge under the mirrored password: triple DES with one key three times."""
    crypto = ctypes.CDLL("libcrypto.so.3")
    crypto.EVP_CIPHER_CTX_new.restype = crypto.EVP_des_ede3_ecb.restype = ctypes.c_void_p
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0")) * 3

    def answer(challenge):
        context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
        out, size = ctypes.create_string_buffer(32), ctypes.c_int()
        crypto.EVP_EncryptInit_ex(context, ctypes.c_void_p(crypto.EVP_des_ede3_ecb()), None, key, None)
        crypto.EVP_CIPHER_CTX_set_padding(context, 0)
        crypto.EVP_EncryptUpdate(context, out, ctypes.byref(size), challenge, 16)
        crypto.EVP_CIPHER_CTX_free(context)
        return out.raw[:16]
    return answer


def text(body, at):
    return body[at:at + 64].split(b"\0")[0].decode()


def viewer_of(body):
    return struct.unpack_from("=I", body)[0]


def reason_of(body):
    return text(body, 72)


def wait_until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Case(unittest.TestCase):
    def broker(self, size=(320, 240), pixel=0x112233, **options):
        broker = Broker(PROGRAM, **options)
        self.addCleanup(self.finish, broker)
        if size:
            broker.show(*size, pixel)
        return broker

    def finish(self, broker):
        broker.close()
        self.assertEqual(broker.status, getattr(self, "status", 0))

    def assert_closed(self, sock, seconds=5):
        sock.settimeout(seconds)
        try:
            while sock.recv(1 << 16):
                pass
        except ConnectionError:
            pass

    def assert_serves(self, address, **options):
        viewer = Viewer(address, **options)
        viewer.request(False)
        viewer.update()
        viewer.close()
        return viewer


class Handshake(Case):
    def test_every_version_and_family(self):
        broker = self.broker()
        path = broker.listen_unix()
        for address in (path, broker.listen_tcp(), broker.listen_tcp(socket.AF_INET6, "::1")):
            for version in VERSIONS:
                viewer = self.assert_serves(address, version=version)
                self.assertEqual((viewer.width, viewer.height, viewer.last), (320, 240, 0x112233))
                self.assertEqual(viewer.name, "Tést display")
                body = broker.wait(rfb.VIEWER_ADDED)
                form = "unix" if address == path else r"\[::1\]:\d+" if ":" in address[0] else r"127\.0\.0\.1:\d+"
                self.assertRegex(text(body, 8), f"^{form}$")
                self.assertEqual(viewer_of(body) % 2, 1)

    def test_password(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")
        for version in VERSIONS:
            viewer = self.assert_serves(path, version=version, answer=vnc_answer("secret"))
            self.assertEqual(viewer.offered, [rfb.VNCAUTH])
        for version in VERSIONS[:3]:
            start = time.monotonic()
            viewer = Viewer(path, version=version, answer=vnc_answer("Secret"))
            self.assertEqual(viewer.failure, "wrong password" if version == b"003.008" else "failed")
            self.assertGreaterEqual(time.monotonic() - start, 0.9)
            self.assert_closed(viewer.sock)

    def test_guessing_is_slow(self):
        """Who hangs up when no answer comes at once learns nothing: after a wrong password a right one is not answered at
        once either."""
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")

        def quick(word):
            start = time.monotonic()
            sock = connect(path)
            sock.recv(12)
            sock.sendall(b"RFB 003.003\n")
            while len(challenge := sock.recv(20, socket.MSG_PEEK)) < 20:
                pass
            sock.recv(20)
            sock.sendall(vnc_answer(word)(challenge[4:]))
            self.addCleanup(sock.close)
            return sock, start

        sock, _ = quick("secret")
        sock.settimeout(0.5)
        self.assertEqual(sock.recv(4), bytes(4), "nobody has guessed yet")
        quick("guess")[0].close()
        for _ in range(20):
            sock, start = quick("guess")
            sock.settimeout(0.02)
            with self.assertRaises(TimeoutError):
                sock.recv(4)
            sock.close()
        sock, start = quick("secret")
        sock.settimeout(5)
        self.assertEqual(sock.recv(4), bytes(4))
        self.assertGreaterEqual(time.monotonic() - start, 0.9)

    def test_open_and_password_listeners_do_not_mix(self):
        broker = self.broker()
        closed = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")
        opened = broker.listen_unix()
        waiting = connect(closed)
        self.assertEqual(waiting.recv(12), b"RFB 003.008\n")
        waiting.sendall(b"RFB 003.008\n")
        self.assertEqual(waiting.recv(2), b"\1\2")
        self.assert_serves(opened)
        waiting.sendall(b"\1\1")
        self.assertEqual(waiting.recv(16), b"")

    def test_type_not_offered(self):
        broker = self.broker()
        for address, other in ((broker.listen_unix(), 2), (broker.listen_unix(security=rfb.VNCAUTH, password=b"x"), 1)):
            for choice in (other, 16, 18, 19, 255):
                with self.assertRaises((Closed, ConnectionError)):
                    Viewer(address, choose=choice, answer=lambda challenge: b"")

    def test_not_rfb(self):
        broker = self.broker()
        path = broker.listen_unix()
        for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0" * 12, b"RFB 003.00\xff\n"):
            sock = connect(path)
            sock.sendall(words.ljust(12))
            self.assert_closed(sock)
        self.assert_serves(path)

    def test_too_many_viewers_hear_why(self):
        broker = self.broker(viewers=2)
        path = broker.listen_unix()
        first, second = Viewer(path), Viewer(path)
        for version in VERSIONS[:3]:
            third = Viewer(path, version=version)
            self.assertIn("as many viewers", third.failure)
            self.assert_closed(third.sock)
        first.close()
        self.assertTrue(wait_until(lambda: Viewer(path).failure is None))
        second.close()

    def test_who_has_left_takes_nobodys_place(self):
        """Not even while its worker still ends: the next one is as quick as it can be."""
        broker = self.broker(viewers=1, size=(2048, 2048))
        path = broker.listen_unix()
        for _ in range(30):
            viewer = Viewer(path, encodings=(6, -223))
            self.assertIsNone(viewer.failure)
            broker.wait(rfb.VIEWER_ADDED)
            viewer.request(False)
            viewer.read(1)
            viewer.close()
            broker.wait(rfb.VIEWER_GONE)

    def test_waits_for_the_first_frame(self):
        broker = self.broker(size=None)
        viewer = Viewer(broker.listen_unix(), init=False)
        viewer.sock.sendall(b"\1" + struct.pack(">BB4H", 3, 0, 0, 0, 64, 64))
        broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 1)
        viewer.sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            viewer.sock.recv(1)
        viewer.sock.settimeout(10)
        broker.show(64, 64, 0xABCDEF)
        self.assertEqual(viewer.unpack(">HH"), (64, 64))
        viewer.read(16 + 4 + len("Tést display".encode()))
        viewer.update()
        self.assertEqual(viewer.last, 0xABCDEF)

    def test_late_publish_is_no_picture_for_who_comes_next(self):
        # The broker has not heard of the last viewer's end when it publishes, and the next one comes long after.
        broker = self.broker(size=(64, 64))
        path = broker.listen_unix()
        with broker.lock:
            broker.asked = True  # so it does not publish by itself
        first = Viewer(path, init=False)
        first.sock.sendall(b"\1")
        broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 1)
        broker.publish(1)
        self.assertEqual(first.unpack(">HH"), (64, 64))
        first.close()
        broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 0)
        late = broker.audience
        broker.publish(1, late)
        second = Viewer(path, init=False)
        second.sock.sendall(b"\1")
        broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 1)
        broker.publish(1, late)
        second.sock.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            second.sock.recv(1)
        second.sock.settimeout(10)
        broker.publish(1)
        self.assertEqual(second.unpack(">HH"), (64, 64))

    def test_who_comes_while_the_guest_returns_waits_for_its_picture(self):
        broker = self.broker(size=None)
        path = broker.listen_unix()
        # A machine may sleep for longer than it waits: then that was no test.
        for tries in range(10):
            broker.show(64, 64, 0xABCDEF, placard=2)
            viewer = Viewer(path, init=False)
            began = time.monotonic()
            viewer.sock.sendall(b"\1")
            broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 1)
            time.sleep(0.2)
            broker.show(128, 96, 0x123456)
            size = viewer.unpack(">HH")
            if time.monotonic() - began < 1.5:
                break
            viewer.close()
            broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 0)
        self.assertEqual(size, (128, 96))
        # Not for ever.
        broker.show(64, 64, 0xABCDEF, placard=2)
        second = Viewer(path, init=False)
        second.sock.sendall(b"\1")
        self.assertEqual(second.unpack(">HH"), (64, 64))
        # Words that are to stay come at once, also to who waits for a picture.
        broker.show(64, 64, 0xABCDEF, placard=1)
        third = Viewer(path, init=False)
        third.sock.sendall(b"\1")
        self.assertEqual(third.unpack(">HH"), (64, 64))


class Wall(Case):
    def test_sandbox(self):
        broker = self.broker()
        viewer = Viewer(broker.listen_unix())
        self.assertEqual(broker.status_field("NoNewPrivs"), "1")
        self.assertGreaterEqual(int(broker.proc("oom_score_adj")), 500, "the kernel would rather end the broker")
        self.assertEqual(broker.status_field("Seccomp"), "0" if rfb.sanitized(PROGRAM) else "2")
        kinds = set()
        for fd in os.listdir(f"/proc/{broker.pid}/fd"):
            target = os.readlink(f"/proc/{broker.pid}/fd/{fd}")
            if int(fd) > 2:
                kinds.add(re.sub(r"\d+|\(deleted\)", "", target).strip())
        self.assertLessEqual(kinds, {"socket:[]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]",
                                     "anon_inode:[timerfd]", "/memfd:frame", "pipe:[]"})
        viewer.close()

    def test_attached_viewer(self):
        broker = self.broker()
        ours, theirs = socket.socketpair()
        broker.attach(theirs, 2)
        theirs.close()
        ours.settimeout(10)
        viewer = Viewer(ours)
        viewer.request(False)
        viewer.update()
        body = broker.wait(rfb.VIEWER_ADDED)
        self.assertEqual((viewer_of(body), text(body, 8)), (2, "attached"))
        broker.detach(2, b"by hand")
        self.assertEqual(reason_of(broker.wait(rfb.VIEWER_GONE)), "by hand")
        self.assert_closed(ours)
        broker.wait(rfb.WATCH, check=lambda body: viewer_of(body) == 0)
        # One that never gets so far is heard of as well; so is what is no socket.
        ours, theirs = socket.socketpair()
        broker.attach(theirs, 4)
        theirs.close()
        ours.close()
        self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_GONE)), 4)
        listening = socket.create_server(("127.0.0.1", 0))
        broker.attach(listening, 6)
        self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_GONE)), 6)
        listening.close()

    def test_state_is_told(self):
        broker = self.broker()
        good = GoodViewer(broker.listen_unix())
        broker.move()
        body = broker.wait(rfb.VIEWER_STATE, check=lambda body: struct.unpack_from("=Q", body, 8)[0] > 320 * 240 * 4)
        self.assertEqual(body[16:20], b"raw\0")
        good.finish()

    def test_idle_then_stop(self):
        broker = self.broker(grace_ms=300)
        path = broker.listen_unix()
        self.assert_serves(path)
        broker.wait(rfb.IDLE)
        # It has been offered to stop: who comes now is for the next program, or for this one later.
        late = connect(path)
        late.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            late.recv(1)
        late.settimeout(10)
        self.assertEqual(late.recv(12), b"RFB 003.008\n")
        late.close()
        broker.wait(rfb.IDLE)
        broker.send(rfb.STOP)
        self.assertEqual(broker.exit_status(), 0)

    def test_stop_with_viewers(self):
        broker = self.broker()
        path = broker.listen_unix()
        good, silent = GoodViewer(path), connect(path)
        deaf = Viewer(path)
        deaf.request(False)
        broker.move()
        self.assertTrue(wait_until(lambda: len(good.viewer.updates) > 3))
        start = time.monotonic()
        broker.send(rfb.STOP)
        self.assertEqual(broker.exit_status(), 0)
        self.assertLess(time.monotonic() - start, 5)
        good.finish()
        silent.close()
        deaf.close()

    def test_stop_sends_what_is_queued(self):
        """The broker hangs up right after STOP; an update that a viewer has been slow to take still arrives whole."""
        broker = self.broker()
        slow = Viewer(broker.listen_unix())
        slow.request(False)
        broker.wait(rfb.VIEWER_STATE, 5)  # something has been encoded for it
        broker.send(rfb.STOP)
        broker.over = True
        broker.thread.join()
        broker.link.close()
        slow.update()
        slow.close()
        self.assertEqual(broker.exit_status(), 0)

    def test_broker_gone(self):
        broker = self.broker()
        good = GoodViewer(broker.listen_unix())
        self.assertTrue(wait_until(lambda: good.viewer.updates))
        broker.over = True
        broker.thread.join()
        broker.link.close()
        self.assertEqual(broker.exit_status(), 0)
        good.finish()

    def test_lies_end_it(self):
        self.status = 1
        pipe = os.pipe()
        for lie in (lambda b: b.link.send(b"short"), lambda b: b.send(99), lambda b: b.send(rfb.FRAME),
                    lambda b: b.send(rfb.FRAME, struct.pack("=III", 1, 64, 64), pipe[0]),
                    lambda b: b.send(rfb.STOP, b"", pipe[0]),
                    lambda b: b.send(rfb.LISTENER, struct.pack("=5I9s256s", 2, 1 << 10, 1, 0, 0, b"", b""), pipe[0])):
            broker = self.broker(size=None)
            lie(broker)
            self.assertEqual(broker.exit_status(), 1)
        for fd in pipe:
            os.close(fd)


class Messages(Case):
    def gone(self, broker, data, encodings=(0, -223, -308)):
        viewer = Viewer(self.path, encodings=encodings)
        viewer.sock.sendall(data)
        self.assert_closed(viewer.sock)
        return reason_of(broker.wait(rfb.VIEWER_GONE))

    def test_bad_messages_close_with_a_reason(self):
        broker = self.broker()
        self.path = broker.listen_unix()
        pixel_format = struct.pack(">B3x4B3H3B3x", 0, 24, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        self.assertIn("bits per pixel", self.gone(broker, pixel_format))
        self.assertIn("cut text", self.gone(broker, struct.pack(">B3xI", 6, (16 << 20) + 1)))
        self.assertIn("cut text", self.gone(broker, struct.pack(">B3xi", 6, -(1 << 31))))
        for kind in (1, 7, 11, 150, 248, 250, 255):
            self.assertIn("not offered", self.gone(broker, bytes([kind]) + bytes(20)))
        self.assert_serves(self.path)

    def test_harmless_messages_are_skipped(self):
        broker = self.broker()
        viewer = Viewer(broker.listen_unix())
        viewer.sock.sendall(struct.pack(">B3xI", 6, 3 << 20) + bytes(3 << 20))
        viewer.sock.sendall(struct.pack(">B3xi", 6, -12) + bytes(12))
        viewer.sock.sendall(bytes([8, 2, 0, 0, 15, 2, 0, 0, 4, 1, 0, 0, 0, 0, 0, 65, 5, 1, 0, 1, 0, 1]))
        viewer.sock.sendall(struct.pack(">BxH", 2, 65535) + bytes(4 * 65535))
        viewer.request(False, (0, 0, 65535, 65535))
        viewer.update()
        self.assertEqual(viewer.last, 0x112233)

    def test_byte_by_byte(self):
        broker = self.broker(size=(16, 16))
        viewer = Viewer(broker.listen_tcp())
        data = struct.pack(">BxHi", 2, 1, 0) + struct.pack(">BB4H", 3, 0, 0, 0, 16, 16)
        for byte in data:
            viewer.sock.sendall(bytes([byte]))
            time.sleep(0.005)
        viewer.update()
        self.assertEqual(viewer.last, 0x112233)

    def test_resize(self):
        broker = self.broker()
        path = broker.listen_unix()
        stiff = Viewer(path, encodings=(0,))
        follower, modern = Viewer(path), Viewer(path, encodings=(0, -223, -308))
        for viewer in (stiff, follower, modern):
            viewer.request(False)
            viewer.update()
            viewer.request()
        broker.take(rfb.VIEWER_GONE)
        broker.show(400, 300, 0x445566)
        self.assert_closed(stiff.sock)
        self.assertIn("resize", reason_of(broker.wait(rfb.VIEWER_GONE)))
        for viewer in (follower, modern):
            viewer.until(0x445566)
            self.assertEqual((viewer.width, viewer.height), (400, 300))
        # Smaller: the viewer's next request is for a place that is gone.
        broker.show(100, 80, 0x778899)
        follower.request(True, (300, 200, 100, 100))
        follower.until(0x778899)
        self.assertEqual((follower.width, follower.height), (100, 80))

    def test_desktop_size_is_prohibited(self):
        broker = self.broker()
        viewer = Viewer(broker.listen_unix(), encodings=(0, -223, -308))
        viewer.request(False)
        viewer.update()
        for screens in (1, 0, 255):
            count = len(viewer.layouts)
            viewer.sock.sendall(struct.pack(">BxHHBx", 251, 1000, 1000, screens) + bytes(16 * screens))
            for _ in range(5):
                viewer.request(False)
                viewer.update()
                if (1, 1) in viewer.layouts[count:]:
                    break
            self.assertIn((1, 1), viewer.layouts[count:], f"{screens} screens")
        self.assertEqual((viewer.width, viewer.height), (320, 240))


class Hostile(Case):
    """A good viewer looks on while others misbehave."""

    def setUp(self):
        self.hub = self.broker(viewers=16, stall_ms=2000)
        self.path = self.hub.listen_unix()
        self.ticker = rfb.Ticker()
        self.good = GoodViewer(self.path)
        self.hub.move()
        self.assertTrue(wait_until(lambda: len(self.good.viewer.updates) > 5))
        self.socks = []
        # Under a sanitizer memory is kept back on purpose.
        self.sane = not rfb.sanitized(PROGRAM)

    def tearDown(self):
        time.sleep(0.3)
        self.assertIsNone(self.good.error)
        self.ticker.done = True
        # Three processes take part in an update; a busy machine delays each.
        self.assertLess(self.good.largest_gap(), (GAP if self.sane else 4 * GAP) + 3 * self.ticker.late)
        self.assert_serves(self.path)
        self.good.finish()
        for sock in self.socks:
            sock.close()

    def knock(self, data=b""):
        sock = connect(self.path)
        self.socks.append(sock)
        if data:
            sock.sendall(data)
        return sock

    def test_silence_before_the_handshake(self):
        start = time.monotonic()
        for data in (b"", b"R", b"RFB", b"RFB 003.008\n", b"RFB 003.008\n\1"):
            self.knock(data)
        for sock in self.socks:
            self.assert_closed(sock, 15)
        self.assertGreater(time.monotonic() - start, 8)

    def test_drip(self):
        sock = self.knock()
        for byte in b"RFB 003.008\n":
            sock.sendall(bytes([byte]))
            time.sleep(0.1)
        self.assertEqual(sock.recv(14)[:4], b"RFB ")

    def test_half_of_every_message(self):
        whole = [struct.pack(">B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0), struct.pack(">BxH2i", 2, 2, 0, -223),
                 struct.pack(">BB4H", 3, 0, 0, 0, 64, 64), struct.pack(">BBxxI", 4, 1, 65), struct.pack(">BBHH", 5, 0, 1, 1),
                 struct.pack(">B3xI", 6, 100) + bytes(100), struct.pack(">BxHHBx", 251, 9, 9, 1) + bytes(16)]
        for data in whole:
            viewer = Viewer(self.path)
            self.socks.append(viewer.sock)
            viewer.sock.sendall(data[:len(data) // 2])
        time.sleep(1)

    def test_never_reads(self):
        memory = self.hub.memory_kib()
        self.hub.show(1280, 720)
        deaf = Viewer(self.path)
        self.socks.append(deaf.sock)
        deaf.sock.settimeout(0.01)
        requests = struct.pack(">BB4H", 3, 0, 0, 0, 1280, 720) * 1000
        peak = 0
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                deaf.sock.send(requests)
            except TimeoutError:
                pass
            peak = max(peak, self.hub.memory_kib() - memory)
        if self.sane:
            self.assertLess(peak, 1280 * 720 * 4 * 3 // 1024 + 8192)
        gone = self.hub.wait(rfb.VIEWER_GONE)
        self.assertEqual(reason_of(gone), "takes nothing")
        # What a frame needed goes back.
        if self.sane:
            self.assertTrue(wait_until(lambda: self.hub.memory_kib() - memory < 1280 * 720 * 4 // 1024 + 4096))

    def test_the_broker_need_not_wait_for_a_slow_viewer(self):
        """Pictures go on while those who take nothing are in; a machine that stands still for that long is given another try."""
        for _ in range(5):
            deaf = [Viewer(self.path) for _ in range(4)]
            self.socks += [viewer.sock for viewer in deaf]
            for viewer in deaf:
                viewer.request(False)
            time.sleep(0.3)
            before, gone = self.hub.published, None
            end = time.monotonic() + 10
            while not gone and time.monotonic() < end:
                if self.hub.published > before + 10:
                    return
                time.sleep(0.02)
                gone = self.hub.take(rfb.VIEWER_GONE)
            for viewer in deaf:
                viewer.close()
            for _ in range(3 if gone else 4):
                self.hub.wait(rfb.VIEWER_GONE)
        self.fail("there are no pictures before slow viewers are sent away")

    def test_a_long_encode_is_no_hang(self):
        """While the grant waits for an encoder, the broker hears that the program is alive; viewers that leave meanwhile are
        cheap to get rid of, and others get in: who has left takes nobody's place."""
        with Broker(PROGRAM, viewers=3) as broker:
            broker.show(8192, 8192)
            with broker.lock:
                noise, frame = os.urandom(1 << 20), broker.frame
                for at in range(frame.pixels_offset, frame.size, len(noise)):
                    end = min(frame.size, at + len(noise))
                    frame.map[at:end] = noise[:end - at]
            address = broker.listen_unix()
            dear = [Viewer(address, encodings=(16, -223)) for _ in range(3)]
            for viewer in dear:
                viewer.request(False)
            time.sleep(0.3)
            began = time.monotonic()
            broker.move()
            broker.wait(rfb.BUSY, 6)
            for viewer in dear:
                viewer.close()
            self.assertLess(time.monotonic() - began, 5)
            for _ in range(3):
                broker.wait(rfb.VIEWER_GONE, 5)
            for _ in range(3):
                broker.wait(rfb.VIEWER_ADDED)
            with self.subTest("the door is open"):
                began = time.monotonic()
                late = Viewer(address, init=False)
                self.assertIsNone(late.failure)
                late.sock.sendall(b"\1")
                broker.wait(rfb.VIEWER_ADDED)
                late.close()
                self.assertLess(time.monotonic() - began, 2)
            self.assertTrue(wait_until(lambda: broker.published > 1, 60 if self.sane else 240), "the grant never came")

    def test_200_connections(self):
        for _ in range(200):
            self.knock()
        self.assert_serves(self.path)
        time.sleep(0.5)
        self.assertLess(self.hub.fds(), 150)

    def test_500_times_in_and_out(self):
        self.assert_serves(self.path)
        self.assertTrue(wait_until(lambda: self.hub.watch == 1))
        before, memory = self.hub.fds(), self.hub.memory_kib()
        for i in range(500):
            stage = i % 5
            if stage == 0:
                connect(self.path).close()
            elif stage == 1:
                sock = connect(self.path)
                sock.sendall(b"RFB 003.008\n\1")
                sock.close()
            else:
                # More than may be in at once: workers end a little later than their viewers go.
                viewer = Viewer(self.path, init=stage > 2)
                if viewer.failure is None and stage == 4:
                    viewer.request(False)
                viewer.close()
        self.assertTrue(wait_until(lambda: self.hub.fds() <= before), f"{before} fds became {self.hub.fds()}")
        self.assertTrue(wait_until(lambda: self.hub.watch == 1), f"{self.hub.watch} are in")
        if self.sane:
            self.assertLess(self.hub.memory_kib() - memory, 8192)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
