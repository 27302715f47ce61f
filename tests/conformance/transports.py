# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain sockets, WebSocket and WebSocket over TLS on one port (RFC 6455), IPv6 and Unix sockets."""
import pathlib
import socket
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
import websocket
from compare import until_shows
from host import PASSWORD, Host

LIMIT = 10 * daemon.SLOW


class Case(unittest.TestCase):
    security, password = "none x509None", None   # the second is what wss is for

    @classmethod
    def setUpClass(cls):
        cls.host = Host(cls.security, transports="rfb websocket secureWebsocket", password=cls.password, viewers="insecure = yes")
        cls.where = ("127.0.0.1", cls.host.port)
        cls.mine = {"Origin": f"http://127.0.0.1:{cls.host.port}", "Host": f"127.0.0.1:{cls.host.port}"}

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()

    def look(self, **more):
        viewer = self.host.viewer(**more)
        viewer.set_encodings(rfb.ZRLE)
        viewer.first()
        until_shows([viewer], self.host.surface, LIMIT)
        return viewer

    def web(self, **more):
        return {"host": f"127.0.0.1:{self.host.port}", **more}

    def connect(self):
        sock = socket.create_connection(self.where, LIMIT)
        self.addCleanup(sock.close)
        return sock

    def upgraded(self):
        return websocket.Stream(self.connect(), **self.web())


class Sockets(Case):
    def test_rfb_on_the_same_port(self):
        """It waits to be greeted and says nothing: a server that waits for its first word hangs up after the handshake's ten seconds."""
        self.look()

    def test_rfb_of_who_speaks_first(self):
        sock = self.connect()
        sock.sendall(b"RFB 003.008\n\1\1")
        viewer = rfb.Client(sock, handshake=False, timeout=LIMIT)
        self.assertEqual(viewer.read(12), b"RFB 003.008\n")
        self.assertIn(1, viewer.read(viewer.read(1)[0]))
        self.assertEqual(viewer.read(4), bytes(4))

    def test_websocket(self):
        self.look(websocket="/", web=self.web())

    def test_websocket_of_an_unknown_path_is_this_display(self):
        """A display's own listener has one display; noVNC's default is /websockify."""
        self.look(websocket="/websockify", web=self.web())

    def test_websocket_over_tls(self):
        self.look(websocket="/", wss=True, ca=self.host.ca, server_name="localhost", web=self.web())

    def test_the_picture_follows_over_each(self):
        viewers = [self.look(), self.look(websocket="/", web=self.web()),
                   self.look(websocket="/", wss=True, ca=self.host.ca, server_name="localhost", web=self.web())]
        for seed in range(10):
            self.host.surface.noise(seed, seed, seed, 100, 60)
            self.host.surface.signal()
            until_shows(viewers, self.host.surface, LIMIT)

    def test_the_protocol_is_binary(self):
        self.assertEqual(self.upgraded().headers.get("sec-websocket-protocol"), "binary")

    def test_no_protocol_asked_for(self):
        stream = websocket.Stream(self.connect(), **self.web(protocol=None))
        self.assertNotIn("sec-websocket-protocol", stream.headers)

    def test_the_server_speaks_first(self):
        self.assertEqual(self.upgraded().recv(12), b"RFB 003.008\n")

    def test_ping(self):
        """RFC 6455 5.5.2: answered with the same bytes."""
        stream = self.upgraded()
        stream.recv(12)
        stream.inner.sendall(websocket.frame(b"are you there", websocket.PING))
        while not stream.pongs:
            while not stream.take():
                stream.raw += stream.inner.recv(4096)
        self.assertEqual(stream.pongs, [b"are you there"])

    def test_close(self):
        """RFC 6455 5.5.1: answered by a close, then the socket is closed."""
        stream = self.upgraded()
        stream.recv(12)
        stream.inner.sendall(websocket.frame(struct.pack(">H", 1000), websocket.CLOSE))
        self.assertEqual(stream.recv(1), b"")
        self.assertEqual(stream.closed, 1000)
        self.assertEqual(stream.inner.recv(1), b"")

    def test_fragments(self):
        """RFC 6455 5.4: a message may be cut anywhere, with control frames between."""
        stream = self.upgraded()
        stream.recv(12)
        text = b"RFB 003.008\n\1\1"
        stream.inner.sendall(websocket.frame(text[:1], websocket.BINARY, last=False))
        for byte in text[1:-1]:
            stream.inner.sendall(websocket.frame(bytes([byte]), websocket.CONTINUED, last=False))
            stream.inner.sendall(websocket.frame(b"", websocket.PING))
        stream.inner.sendall(websocket.frame(text[-1:], websocket.CONTINUED))
        viewer = rfb.Client(stream, handshake=False, timeout=LIMIT)
        self.assertIn(1, viewer.read(viewer.read(1)[0]))
        self.assertEqual(viewer.read(4), bytes(4))

    def test_byte_by_byte(self):
        sock = self.connect()
        request, _ = websocket.request(**self.web())
        for byte in request + websocket.frame(b"RFB 003.008\n"):
            sock.sendall(bytes([byte]))
        seen = b""
        while b"RFB 003.008\n" not in seen:
            data = sock.recv(4096)
            self.assertTrue(data, seen)
            seen += data

    def test_headers_in_any_case(self):
        request, _ = websocket.request(**self.web())
        for text in (request.lower().replace(b"get", b"GET").replace(b"http/", b"HTTP/"),
                     request.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket").replace(b"Connection: Upgrade",
                                                                                        b"connection: keep-alive, Upgrade")):
            sock = self.connect()
            sock.sendall(text)
            self.assertEqual(sock.recv(12), b"HTTP/1.1 101")

    def status(self, **more):
        sock = self.connect()
        request, _ = websocket.request(**{**self.web(), **more})
        sock.sendall(request)
        data = b""
        while b"\r\n" not in data:
            got = sock.recv(4096)
            if not got:
                break
            data += got
        return data.split(b" ")[1:2]

    def test_the_same_origin_is_let_in(self):
        self.assertEqual(self.status(origin=f"http://127.0.0.1:{self.host.port}"), [b"101"])

    def test_a_page_of_another_port_of_this_host(self):
        """It is there that pages come from: this server has none."""
        for origin in ("http://127.0.0.1:8000", "https://127.0.0.1", "http://127.0.0.1"):
            self.assertEqual(self.status(origin=origin), [b"101"])

    def test_no_origin_is_no_browser(self):
        self.assertEqual(self.status(), [b"101"])

    def test_another_origin_is_refused(self):
        for origin in ("http://evil.example", f"http://127.0.0.1:{self.host.port}.evil.example", "null",
                       "http://127.0.0.2", "https://evil.example:443", "http://evil.example/127.0.0.1"):
            with self.subTest(origin):
                self.assertEqual(self.status(origin=origin), [b"403"])

    def test_what_is_no_upgrade(self):
        for leave in (("Upgrade",), ("Connection",), ("Sec-WebSocket-Key",), ("Sec-WebSocket-Version",), ("Host",)):
            with self.subTest(leave):
                self.assertNotEqual(self.status(leave=leave), [b"101"])

    def test_another_version(self):
        """RFC 6455 4.4: 426 or 400, with the version that is spoken."""
        sock = self.connect()
        request, _ = websocket.request(**self.web())
        sock.sendall(request.replace(b"Version: 13", b"Version: 8"))
        self.assertNotEqual(sock.recv(4096).split(b" ")[1], b"101")

    def test_ipv6_and_unix(self):
        path, port = str(self.host.dir / "vnc"), daemon.free_port(socket.AF_INET6, "::1")
        other = surface.Surface(120, 50)
        self.addCleanup(other.close)
        other.noise(5)
        held = self.host.daemon.register(other, "other", listen=[
            {"mode": "view", "address": f"[::1]:{port}"}, {"mode": "view", "address": f"unix:{path}"}])
        for where in (("::1", port), path):
            for more in ({}, {"websocket": "/"}, {"websocket": "/", "wss": True, "ca": self.host.ca}):
                with self.subTest(where=where, **more):
                    viewer = self.host.viewer(where, **more)
                    viewer.first()
                    until_shows([viewer], other, LIMIT)
        del held


class Origins(Case):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("none x509None", transports="rfb websocket secureWebsocket", viewers="insecure = yes\norigins = https://console.example.org http://a.example:8080")
        cls.where = ("127.0.0.1", cls.host.port)

    status = Sockets.status

    def test_those_of_the_list(self):
        for origin in ("https://console.example.org", "http://a.example:8080", "https://CONSOLE.example.org"):
            with self.subTest(origin):
                self.assertEqual(self.status(origin=origin), [b"101"])

    def test_others(self):
        for origin in ("http://console.example.org", "https://console.example.org.evil.example", "https://console.example.org:444",
                       "http://a.example", "null", "https://"):
            with self.subTest(origin):
                self.assertEqual(self.status(origin=origin), [b"403"])


class Encrypted(Case):
    """Over wss the X.509 types become what browsers know: None, VncAuth, VeNCrypt Plain."""

    security, password = "x509Plain x509Vnc", PASSWORD

    def secure(self, kind, **more):
        return {"websocket": "/", "wss": True, "ca": self.host.ca, "server_name": "localhost", "security": kind,
                "password": PASSWORD, "web": self.web(), **more}

    def test_vncauth_over_wss(self):
        self.look(**self.secure("vncauth"))

    def test_plain_over_wss(self):
        viewer = self.look(**self.secure("plain", user="somebody"))
        self.assertEqual(viewer.wanted.subtypes, [256])

    def test_wrong_ones_over_wss(self):
        for kind in ("vncauth", "plain"):
            with self.subTest(kind), self.assertRaises(rfb.Refused):
                self.host.viewer(**self.secure(kind, password="wrong"))

    def test_what_is_offered_over_wss(self):
        viewer = self.host.viewer(handshake=False, websocket="/", wss=True, ca=self.host.ca, web=self.web())
        viewer.hello()
        self.assertEqual(sorted(viewer.types), [2, 19])

    def test_nothing_in_the_clear(self):
        """Over ws there is no TLS for those: nothing is offered that would send a password in the clear."""
        viewer = self.host.viewer(handshake=False, websocket="/", web=self.web())
        try:
            viewer.hello()
            self.assertEqual(viewer.types, [19])
            viewer.send(b"\x13")
            viewer.read(2)
            viewer.send(b"\0\2")
            viewer.read(1)
            subtypes = viewer.unpack(f">{viewer.read(1)[0]}I")
            self.assertNotIn(256, subtypes)
        except (rfb.Refused, EOFError, ConnectionError):
            pass

    def test_rfb_beside_it(self):
        self.look(security="x509Plain", ca=self.host.ca, password=PASSWORD, user="x")


if __name__ == "__main__":
    unittest.main()
