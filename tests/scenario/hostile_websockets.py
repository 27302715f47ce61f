# SPDX-License-Identifier: GPL-2.0-or-later
"""Browsers that are none: requests and frames that RFC 6455 does not allow, on a port that also speaks RFB and TLS."""
import contextlib
import os
import pathlib
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import websocket
from hostile import HANDSHAKE, Hostile
from security import client_context

HELLO = b"RFB 003.008\n"
LATE = HANDSHAKE + 3


class WebSockets(Hostile):
    wanted = {"security": "none x509None", "transports": "rfb websocket secureWebsocket"}

    def web(self, **more):
        return {"host": f"127.0.0.1:{self.host.port}", **more}

    def request(self, **more):
        return websocket.request(**self.web(**more))[0]

    def stream(self, secure=False):
        sock = self.socket()
        if secure:
            sock = client_context().wrap_socket(sock)
        stream = websocket.Stream(sock, **self.web())
        self.assertEqual(stream.recv(12), HELLO)
        return stream

    def first_line(self, text, within=3):
        sock = self.socket()
        with contextlib.suppress(OSError):
            sock.sendall(text)
        seen = b""
        sock.settimeout(within)
        with contextlib.suppress(OSError):
            while b"\n" not in seen and (data := sock.recv(4096)):
                seen += data
        return sock, seen.split(b"\r\n")[0]

    def refused(self, text, within=3):
        sock, line = self.first_line(text, within)
        self.assertNotIn(b"101", line)
        self.assertNotIn(b"RFB", line)
        self.assert_closed(sock, within)

    # ---- requests ----

    def test_an_origin_of_another_page(self):
        for origin in ("http://evil.example", "null", "", f"http://127.0.0.1:{self.host.port}@evil.example",
                       f"http://evil.example/127.0.0.1:{self.host.port}", "file://"):
            with self.subTest(origin):
                self.refused(self.request(origin=origin))

    def test_a_name_that_somebody_else_owns(self):
        """DNS rebinding: the page's host was made to be this one. Nothing but its name tells."""
        for host in ("evil.example", f"localhost.evil.example:{self.host.port}"):
            with self.subTest(host):
                self.refused(websocket.request(host=host, origin=f"http://{host}")[0])
        good = f"localhost:{self.host.port}"
        self.assertIn(b"101", self.first_line(websocket.request(host=good, origin=f"http://{good}")[0])[1])

    def test_two_origins(self):
        good = f"http://127.0.0.1:{self.host.port}"
        self.refused(self.request(origin=good, more=("Origin: http://evil.example",)))
        self.refused(self.request(origin="http://evil.example", more=(f"Origin: {good}",)))

    def test_no_host(self):
        self.refused(self.request(leave=("Host",)))
        self.refused(self.request(leave=("Host",), origin="http://evil.example"))

    def test_a_key_that_is_none(self):
        for key in ("", "x", "A" * 23 + "=", "A" * 400, "!" * 24, "A" * 22 + "==\0"):
            with self.subTest(key):
                self.refused(self.request(key=key))

    def test_other_methods_and_versions(self):
        text = self.request()
        for change in ((b"GET / HTTP/1.1", b"POST / HTTP/1.1"), (b"HTTP/1.1", b"HTTP/1.0"), (b"HTTP/1.1", b"HTTP/9.9"),
                       (b"GET / HTTP/1.1", b"GET /"), (b"GET / HTTP/1.1", b"GET  HTTP/1.1"), (b"Upgrade: websocket", b"Upgrade: h2c"),
                       (b"Version: 13", b"Version: 0")):
            with self.subTest(change[1]):
                sock, line = self.first_line(text.replace(*change))
                self.assertNotIn(b" 101", line)
                self.assert_closed(sock, LATE if change[1].startswith(b"POST") else 3)

    def test_headers_that_overflow(self):
        """A line, or all of them, longer than anybody needs."""
        self.refused(self.request()[:-2] + b"X: " + b"y" * 100000 + b"\r\n\r\n")
        self.refused(self.request()[:-2] + b"X: y\r\n" * 20000 + b"\r\n")
        self.refused(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n")
        self.refused(b"GET / HTTP/1.1\r\n" + b"\0" * 70000)

    def test_headers_without_end(self):
        sock = self.socket()
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\n")
            end = time.monotonic() + 3
            while time.monotonic() < end:
                sock.sendall(b"X-Header: " + os.urandom(8).hex().encode() + b"\r\n")
        self.assert_closed(sock, LATE)

    def test_header_lines_that_are_none(self):
        for line in (b": no name", b"no colon", b" folded: line", b"Name : space", b"Na\0me: x", b"\xff\xfe: x"):
            with self.subTest(line):
                sock, _ = self.first_line(self.request()[:-2] + line + b"\r\n\r\n")
                sock.close()
        self.serves(websocket="/", web=self.web())

    def test_paths_that_are_none(self):
        for path in ("/../../etc/passwd", "/displays/", "/displays/" + "x" * 3000, "/displays/other", "/%00", "*", "http://a/b"):
            with self.subTest(path[:20]):
                sock, _ = self.first_line(self.request(path=path))
                sock.close()

    # ---- frames ----

    def assert_ends(self, stream, within=3):
        self.assert_closed(stream.inner, within)

    def test_frames_without_a_mask(self):
        """RFC 6455 5.1: a server must close."""
        stream = self.stream()
        stream.inner.sendall(websocket.frame(HELLO, mask=False))
        self.assert_ends(stream)

    def test_frames_with_reserved_bits(self):
        for bits in (1, 2, 4, 7):
            stream = self.stream()
            stream.inner.sendall(websocket.frame(HELLO, reserved=bits))
            self.assert_ends(stream)

    def test_frames_of_unknown_kinds(self):
        for kind in (3, 7, 11, 15):
            stream = self.stream()
            stream.inner.sendall(websocket.frame(HELLO, kind))
            self.assert_ends(stream)

    def test_control_frames_in_fragments(self):
        """RFC 6455 5.5."""
        for kind in (websocket.PING, websocket.PONG, websocket.CLOSE):
            stream = self.stream()
            stream.inner.sendall(websocket.frame(b"x", kind, last=False))
            self.assert_ends(stream)

    def test_control_frames_that_are_too_long(self):
        for kind in (websocket.PING, websocket.PONG, websocket.CLOSE):
            stream = self.stream()
            with contextlib.suppress(OSError):
                stream.inner.sendall(websocket.frame(bytes(126), kind))
            self.assert_ends(stream)

    def test_lengths_of_64_bits(self):
        """The most significant bit must be 0; and a promise of terabytes is nothing that is kept."""
        for length in (1 << 63, (1 << 64) - 1):
            stream = self.stream()
            with contextlib.suppress(OSError):
                stream.inner.sendall(websocket.frame(b"x" * 100, length=b"\x7f" + struct.pack(">Q", length)))
            self.assert_ends(stream)
        streams = []
        for length in (1 << 62, 1 << 40, 1 << 32):
            streams.append(self.stream())
            with contextlib.suppress(OSError):
                streams[-1].inner.sendall(websocket.frame(HELLO + b"\1\1" + b"\xff" * 5000, length=b"\x7f" + struct.pack(">Q", length)))
        for stream in streams:
            self.assert_ends(stream, LATE)

    def test_lengths_in_more_bytes_than_they_need(self):
        """RFC 6455 5.2: the shortest form must be used; closed or taken, not confused."""
        for length in (b"\x7e\0\x0c", b"\x7f" + bytes(7) + b"\x0c"):
            stream = self.stream()
            stream.inner.sendall(websocket.frame(HELLO, length=length))
            stream.inner.settimeout(3)
            with contextlib.suppress(OSError):
                stream.recv(10)
            stream.close()

    def test_a_continuation_of_nothing(self):
        stream = self.stream()
        stream.inner.sendall(websocket.frame(HELLO, websocket.CONTINUED))
        self.assert_ends(stream)

    def test_a_message_inside_a_message(self):
        stream = self.stream()
        stream.inner.sendall(websocket.frame(HELLO[:3], last=False) + websocket.frame(HELLO[3:]))
        self.assert_ends(stream)

    def test_text_frames(self):
        """RFB is binary. Closed or taken: noVNC never sends one."""
        stream = self.stream()
        stream.inner.sendall(websocket.frame(HELLO, websocket.TEXT))
        stream.inner.settimeout(3)
        with contextlib.suppress(OSError):
            stream.recv(10)

    def test_close_frames_that_are_none(self):
        for data in (b"x", struct.pack(">H", 0), struct.pack(">H", 1005), struct.pack(">H", 65535), b"\3\xe8\xff\xfe\xfd"):
            stream = self.stream()
            stream.inner.sendall(websocket.frame(data, websocket.CLOSE))
            self.assert_ends(stream)

    def test_data_after_close(self):
        stream = self.stream()
        stream.inner.sendall(websocket.frame(b"", websocket.CLOSE) + websocket.frame(HELLO + b"\1\1") * 100)
        self.assert_ends(stream)

    def test_a_flood_of_empty_frames(self):
        """Bytes that bring no byte of RFB are time that is used up."""
        stream = self.stream()
        frames = (websocket.frame(b"", last=False) + websocket.frame(b"", websocket.CONTINUED)) * 2000
        stream.inner.settimeout(0.5)
        end = time.monotonic() + 3
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                stream.inner.sendall(frames)
        stream.close()

    def test_a_flood_of_pings_without_reading(self):
        """Each wants an answer as long as itself."""
        client = self.viewer(websocket="/", web=self.web())
        pings = websocket.frame(bytes(125), websocket.PING) * 500
        client.sock.inner.settimeout(0.5)
        end = time.monotonic() + 4
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                client.sock.inner.sendall(pings)
        grown = self.resident() - self.memory
        self.assertLess(grown, (16 << 10) * daemon.SLOW, "KiB for answers that nobody reads")

    def test_one_that_never_reads(self):
        """Over ws and wss, while the picture moves: dropped after stall-seconds."""
        clients = [self.viewer(websocket="/", web=self.web()), self.viewer(websocket="/", wss=True, web=self.web())]
        for client in clients:
            client.set_encodings(rfb.RAW)
        end = time.monotonic() + 7
        while time.monotonic() < end:
            for client in clients:
                with contextlib.suppress(OSError):
                    client.request(incremental=False)
            time.sleep(0.05)
        for client in clients:
            self.assert_closed(client.sock.inner)

    def test_tls_that_speaks_something_else(self):
        for text in (b"", b"SSH-2.0-x\r\n", HELLO + b"\1\1", b"\x16\3\1\0\5", b"GET / HTTP/1.1\r\n\r\n"):
            sock = client_context().wrap_socket(self.socket())
            with contextlib.suppress(OSError):
                sock.sendall(text)
            seen = b""
            sock.settimeout(1)
            with contextlib.suppress(OSError):
                seen = sock.recv(100)
            self.assertNotIn(b"\1\1\0\0\0\0", seen)
            sock.close()

    def test_what_is_neither(self):
        """Neither RFB, nor TLS, nor a request: greeted as an RFB viewer, and closed as one."""
        socks = []
        for text in (b"\x16", b"G", b"GE", b"SSH-2.0-x\r\n", b"\x80\x2e\1\3\1", b"\x17\3\3\0\1", b"PUT / HTTP/1.1\r\n\r\n", os.urandom(64)):
            socks.append(self.socket())
            socks[-1].sendall(text)
        for sock in socks:
            self.assert_closed(sock, LATE)

    def test_an_honest_browser_beside_them(self):
        self.serves(websocket="/", web=self.web())
        self.serves(websocket="/", wss=True, web=self.web())
        self.serves()


if __name__ == "__main__":
    unittest.main(verbosity=2)
