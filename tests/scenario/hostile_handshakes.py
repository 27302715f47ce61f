# SPDX-License-Identifier: GPL-2.0-or-later
"""Who never gets in: silence, slowness and lies in each state of a handshake, and every way around a password."""
import contextlib
import pathlib
import select
import socket
import ssl
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import rsaaes
import websocket
from host import PASSWORD
from hostile import HANDSHAKE, Hostile, closed
from security import SUBTYPES, client_context

HELLO = b"RFB 003.008\n"
LATE = HANDSHAKE + 3             # seconds after which nobody may still be in a handshake


def client_hello():
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


# What somebody has sent so far, when it falls silent. Each is a state of the server.
STATES = {
    "nothing": b"", "one_byte": b"R", "three_bytes": b"RFB", "version": HELLO, "half_a_version": HELLO[:7],
    "vnc_challenge": HELLO + b"\2", "half_a_response": HELLO + b"\2" + bytes(9),
    "vencrypt": HELLO + b"\x13", "vencrypt_version": HELLO + b"\x13\0\2", "half_a_subtype": HELLO + b"\x13\0\2\0\0",
    "before_tls": HELLO + b"\x13\0\2" + struct.pack(">I", SUBTYPES["x509Plain"]),
    "rsa": HELLO + b"\x81", "half_an_rsa_key": HELLO + b"\x81" + struct.pack(">I", 2048) + bytes(100),
    "tls_one_byte": b"\x16", "tls_three_bytes": b"\x16\3\1", "client_hello": client_hello(), "half_a_client_hello": client_hello()[:60],
    "get": b"GET ", "half_a_request": websocket.request()[0][:-2], "request": websocket.request()[0],
    "half_a_frame": websocket.request()[0] + websocket.frame(HELLO)[:7],
    "websocket_version": websocket.request()[0] + websocket.frame(HELLO),
}

PATIENT = {"vnc_challenge", "half_a_response", "rsa"}


class Handshakes(Hostile):
    """All types, all transports on one port."""

    wanted = {"security": "vncauth tlsVnc tlsPlain x509Vnc x509Plain rsaAes256 rsaAes", "transports": "rfb websocket secureWebsocket",
              "password": PASSWORD}

    def chosen(self, kind):
        """A viewer that has been offered the types and has taken one."""
        viewer = self.viewer(handshake=False)
        viewer.hello()
        viewer.send(bytes([kind]))
        return viewer

    def vencrypt(self):
        viewer = self.chosen(19)
        viewer.read(2)
        viewer.send(b"\0\2")
        self.assertEqual(viewer.read(1), b"\0")
        viewer.subtypes = viewer.unpack(f">{viewer.read(1)[0]}I")
        return viewer

    def honest(self):
        self.serves(security="x509Plain", ca=self.host.ca, user="u", password=PASSWORD)

    # ---- silence ----

    def test_silence_in_every_state(self):
        """Closed within the handshake's time, all of them at once, while an honest one gets in. (Where somebody may be typing a password or
        comparing a key there is a minute: test_rfb_guesses.py.)"""
        began = time.monotonic()
        open_ones = {}
        for name, sent in STATES.items():
            for _ in range(2):
                sock = self.socket()
                with contextlib.suppress(OSError):
                    sock.sendall(sent)
                open_ones[sock] = name
        self.honest()
        while set(open_ones.values()) - PATIENT and time.monotonic() < began + LATE * daemon.SLOW:
            for sock in select.select(list(open_ones), [], [], 0.1)[0]:
                if closed(sock, 0.05 / daemon.SLOW):
                    del open_ones[sock]
        self.assertEqual(set(open_ones.values()), PATIENT, "still open")

    def test_one_byte_a_second_in_every_state(self):
        """Slow ones have no more time than silent ones."""
        tails = {"version": HELLO + b"\2" + bytes(40), "vencrypt": b"\x13\0\2" + struct.pack(">I", 262) + client_hello(),
                 "rsa": bytes(600), "get": websocket.request()[0], "tls": client_hello()}
        heads = {"version": b"", "vencrypt": HELLO, "rsa": HELLO + b"\x81" + struct.pack(">I", 2048), "get": b"", "tls": b""}
        began = time.monotonic()
        slow = []
        for name, tail in tails.items():
            sock = self.socket()
            sock.sendall(heads[name])
            slow.append([name, sock, tail])
        while slow and time.monotonic() < began + LATE * daemon.SLOW:
            for each in list(slow):
                try:
                    each[1].sendall(each[2][:1])
                    each[2] = each[2][1:]
                except OSError:
                    slow.remove(each)
                    continue
                if closed(each[1], 0.01):
                    slow.remove(each)
            time.sleep(0.9)
        self.assertFalse([each[0] for each in slow], "still open")

    # ---- around the password ----

    def test_a_security_type_that_was_not_offered(self):
        for kind in (0, 1, 3, 4, 6, 7, 8, 16, 18, 20, 30, 35, 128, 130, 255):
            with self.subTest(kind):
                sock = self.socket()
                sock.sendall(HELLO + bytes([kind]) + b"\1\1\1\1" + struct.pack(">BBHHHH", 3, 0, 0, 0, 10, 10))
                self.assert_no_server_init(sock)

    def assert_no_server_init(self, sock, within=4):
        """Closed, and what came has no desktop name in it."""
        seen, end = b"", time.monotonic() + within * daemon.SLOW
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                data = sock.recv(65536)
            except TimeoutError:
                break
            except OSError:
                data = b""
            if not data:
                self.assertNotIn(b"guest", seen)
                return
            seen += data
        self.fail(f"still open after {within} s, it said {seen[:80]!r}")

    def test_a_subtype_that_was_not_offered(self):
        for subtype in (0, 1, 2, 19, 255, 256, 257, 260, 263, 264, 0xffffffff):
            with self.subTest(subtype):
                viewer = self.vencrypt()
                self.assertNotIn(subtype, viewer.subtypes)
                viewer.send(struct.pack(">I", subtype) + struct.pack(">II", 1, len(PASSWORD)) + b"u" + PASSWORD.encode() + b"\1")
                self.assert_no_server_init(viewer.sock)

    def test_credentials_before_tls(self):
        """In one packet with the subtype: no byte of it may be taken for one that came through TLS."""
        plain = struct.pack(">II", 1, len(PASSWORD)) + b"u" + PASSWORD.encode() + b"\1"
        for tail in (plain, b"x", plain + client_hello(), client_hello() + plain):
            with self.subTest(tail[:4]):
                viewer = self.vencrypt()
                viewer.send(struct.pack(">I", SUBTYPES["x509Plain"]) + tail)
                self.assert_no_server_init(viewer.sock)

    def test_no_result_without_credentials(self):
        """ClientInit in place of the credentials, for each type."""
        for kind in (2, 5, 19, 129):
            with self.subTest(kind):
                sock = self.socket()
                sock.sendall(HELLO + bytes([kind]) + b"\1" * 64)
                sock.shutdown(socket.SHUT_WR)
                self.assert_no_server_init(sock)

    def test_a_reflected_response(self):
        """The challenge sent back, an old response, the response to nothing."""
        viewer = self.chosen(2)
        challenge = viewer.read(16)
        viewer.send(challenge)
        with self.assertRaises(rfb.Refused):
            viewer.result()
        again = self.chosen(2)
        again.read(16)
        again.send(rfb.vnc_response(PASSWORD, challenge))
        with self.assertRaises(rfb.Refused):
            again.result()

    def test_failures_are_slow(self):
        """RFB 7.2: and the next one is not let in sooner by coming on another connection."""
        for _ in range(3):
            began = time.monotonic()
            with self.assertRaises(rfb.Refused):
                self.viewer(security="vncauth", password="wrong")
            self.assertGreater(time.monotonic() - began, 0.5)

    def test_forty_guesses_at_once(self):
        """None gets in, none holds anybody up but themselves."""
        socks = []
        for _ in range(40):
            sock = self.socket()
            sock.sendall(HELLO + b"\2" + bytes(16) + b"\1")
            socks.append(sock)
        for sock in socks:
            self.assert_no_server_init(sock, 12)

    # ---- TLS ----

    def test_gone_inside_the_tls_handshake(self):
        """After each part of it, many times (QEMU's CVE-2023-3354)."""
        hello = client_hello()
        fds = self.daemon.fds(self.program[0])
        for number in range(60):
            viewer = self.vencrypt()
            viewer.send(struct.pack(">I", SUBTYPES["x509Plain"]))
            viewer.read(1)
            viewer.send(hello[:number * 7 % len(hello)] if number % 3 else hello)
            if number % 5 == 0:
                with contextlib.suppress(OSError, EOFError):
                    viewer.fill(time.monotonic() + 0.05)
            if number % 2:
                viewer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            viewer.close()
        for number in range(60):
            sock = self.socket()
            sock.sendall(hello[:1 + number * 5 % len(hello)])
            sock.close()
        self.daemon.until(lambda: self.daemon.fds(self.program[0]) <= fds + 2, "descriptors of the RFB program again")
        self.honest()

    def test_what_is_no_tls(self):
        viewers = {}
        for text in (b"\x16\3\1\xff\xff" + bytes(70000), b"\x16\3\1\0\0" * 1000, b"\x15\3\3\0\2\2\0", b"\x17\3\3\0\1x",
                     b"\x16\3\1\0\4\1\0\0\0", b"GET / HTTP/1.1\r\n\r\n", bytes(1000)):
            viewer = self.vencrypt()
            viewer.send(struct.pack(">I", SUBTYPES["x509Plain"]))
            viewer.read(1)
            with contextlib.suppress(OSError):
                viewer.send(text)
                viewer.sock.shutdown(socket.SHUT_WR)
            viewers[text[:8]] = viewer
        for text, viewer in viewers.items():
            with self.subTest(text):
                self.assert_closed(viewer.sock, LATE if text[1:3] == b"\3\1" else 3)

    def test_old_tls(self):
        """Before 1.2: no."""
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.subTest(version.name):
                viewer = self.vencrypt()
                viewer.send(struct.pack(">I", SUBTYPES["x509Plain"]))
                viewer.read(1)
                context = client_context()
                context.minimum_version, context.maximum_version = version, version
                context.set_ciphers("ALL:@SECLEVEL=0")
                with self.assertRaises(OSError):
                    context.wrap_socket(viewer.sock)

    # ---- credentials ----

    def through_tls(self, subtype="x509Plain"):
        viewer = self.vencrypt()
        viewer.send(struct.pack(">I", SUBTYPES[subtype]))
        viewer.read(1)
        viewer.sock = client_context(anonymous=subtype.startswith("tls")).wrap_socket(viewer.sock)
        return viewer

    def test_names_and_passwords_that_are_too_long(self):
        for user, password in ((0xffffffff, 0), (0, 0xffffffff), (0x80000000, 0x80000000), (1 << 20, 1 << 20), (1025, 1), (1, 5000)):
            with self.subTest(user=user, password=password):
                viewer = self.through_tls()
                with contextlib.suppress(OSError):
                    viewer.send(struct.pack(">II", user, password))
                    for _ in range(64):
                        viewer.send(b"x" * 16384)
                self.assert_closed(viewer.sock, 5)

    def test_a_password_with_a_nul(self):
        """"geh3im-X" and more behind a NUL is another password."""
        viewer = self.through_tls()
        word = PASSWORD.encode() + b"\0x"
        viewer.send(struct.pack(">II", 1, len(word)) + b"u" + word)
        with self.assertRaises((rfb.Refused, EOFError, ConnectionError)):
            viewer.result()
            viewer.init()

    def test_client_init_with_the_credentials(self):
        """Right ones: what follows them in the same record is not lost."""
        viewer = self.through_tls()
        viewer.send(struct.pack(">II", 1, len(PASSWORD)) + b"u" + PASSWORD.encode() + b"\1" +
                    struct.pack(">BBHHHH", 3, 0, 0, 0, 10, 10))
        viewer.result()
        width, _ = viewer.unpack(">HH")
        self.assertEqual(width, 640)

    # ---- RSA-AES ----

    def test_rsa_keys_that_are_none(self):
        viewers = {}
        for bits in (0, 1, 512, 1023, 8193, 65536, 0x7fffffff, 0xffffffff):
            viewers[bits] = viewer = self.chosen(129)
            with contextlib.suppress(OSError):
                viewer.send(struct.pack(">I", bits) + bytes(4096))
        for bits, viewer in viewers.items():
            with self.subTest(bits):
                self.assert_closed(viewer.sock)

    def test_rsa_numbers_that_are_none(self):
        size, viewers = 256, []
        for modulus, exponent in ((0, 0), (1, 1), (2, 3), ((1 << 2048) - 1, 1), ((1 << 2048) - 2, 65537), ((1 << 2047) + 1, 0),
                                  ((1 << 2047) + 1, (1 << 2048) - 1)):
            viewers.append(self.chosen(129))
            with contextlib.suppress(OSError):
                viewers[-1].send(struct.pack(">I", 2048) + modulus.to_bytes(size, "big") + exponent.to_bytes(size, "big") +
                                 struct.pack(">H", size) + bytes(size))
        for viewer in viewers:
            self.assert_closed(viewer.sock, LATE)

    def exchanged(self, kind=129):
        """Up to our random number; the server's key is in viewer.theirs."""
        viewer = self.chosen(kind)
        viewer.theirs = rsaaes.read_public(viewer)
        modulus, exponent, _ = rsaaes.key_pair()
        viewer.send(rsaaes.public(rsaaes.BITS, modulus, exponent))
        return viewer

    def test_rsa_random_numbers_that_are_none(self):
        viewers = []
        for length, data in ((0, b""), (1, b"x"), (256, bytes(256)), (256, b"\xff" * 256), (65535, bytes(65535))):
            viewers.append(self.exchanged())
            with contextlib.suppress(OSError):
                viewers[-1].send(struct.pack(">H", length) + data + bytes(200))
        for viewer in viewers:
            self.assert_closed(viewer.sock, LATE)

    def test_rsa_aes_with_tags_that_are_wrong(self):
        viewer = self.exchanged()
        modulus, exponent, size, _ = viewer.theirs
        viewer.send(rsaaes.sealed_for(bytes(32), modulus, exponent, size) + struct.pack(">H", 32) + bytes(48))
        self.assert_closed(viewer.sock)

    def test_rsa_aes_messages_without_end(self):
        viewer = self.exchanged()
        modulus, exponent, size, _ = viewer.theirs
        with contextlib.suppress(OSError):
            viewer.send(rsaaes.sealed_for(bytes(32), modulus, exponent, size) + b"\xff\xff" * 100000)
        self.assert_closed(viewer.sock)

    def test_rsa_aes_in_the_clear_afterwards(self):
        """Who is in and then forgets to seal is closed."""
        viewer = self.viewer(security="rsaAes256", password=PASSWORD)
        viewer.sock.inner.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, 10, 10) * 100)
        self.assert_closed(viewer.sock.inner)

    def test_rsa_aes_replayed(self):
        """A message sent twice: its number is wrong the second time."""
        viewer = self.viewer(security="rsaAes256", password=PASSWORD)
        sealed = viewer.sock.sealed(struct.pack(">BBHHHH", 3, 1, 0, 0, 10, 10))
        viewer.sock.inner.sendall(sealed + sealed)
        self.assert_closed(viewer.sock.inner)

    # ---- floods ----

    def test_many_handshakes_at_once(self):
        """Sixty knock with RSA-AES and TLS, whose arithmetic is dear; the good viewer does not notice."""
        done = []

        def knock(kind):
            with contextlib.suppress(Exception):
                self.viewer(security=kind, password="wrong", user="x", ca=self.host.ca)
            done.append(kind)

        threads = [threading.Thread(target=knock, args=(kind,)) for kind in ("rsaAes256", "x509Plain", "tlsPlain") * 8]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 * daemon.SLOW)
        self.assertEqual(len(done), len(threads))

    def test_bytes_after_the_handshake_failed(self):
        sock = self.socket()
        with contextlib.suppress(OSError):
            sock.sendall(HELLO + b"\2" + bytes(16))
            for _ in range(200):
                sock.sendall(bytes(65536))
        self.assert_closed(sock, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
