# SPDX-License-Identifier: GPL-2.0-or-later
"""Versions and security types, as rfbproto's text has them: what is offered, what lets in, and what is said to who is not let in."""
import pathlib
import ssl
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import security
from compare import shows
from host import PASSWORD, Host, issued

TLS = ("tlsNone", "tlsVnc", "tlsPlain", "x509None", "x509Vnc", "x509Plain")
WITH_PASSWORD = ("tlsVnc", "tlsPlain", "x509Vnc", "x509Plain")


class Case(unittest.TestCase):
    host = None

    @classmethod
    def tearDownClass(cls):
        if cls.host:
            cls.host.stop()
            cls.host = None

    def look(self, **more):
        viewer = self.host.viewer(**more)
        viewer.first()
        while shows(viewer, self.host.surface):
            viewer.request()
            viewer.update()
        viewer.close()
        return viewer

    def refused(self, **more):
        with self.assertRaises(rfb.Refused) as caught:
            self.host.viewer(**more)
        return str(caught.exception)

    def raw(self, version="3.8"):
        """Up to the offer."""
        viewer = self.host.viewer(handshake=False)
        viewer.hello(version)
        return viewer


class Versions(Case):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("none")

    def test_the_server_says_3_8(self):
        self.assertEqual(self.look().server_version, b"RFB 003.008\n")

    def test_3_3(self):
        """RFB 7.1.2: the server decides, one number of four bytes; None has no result."""
        self.assertEqual(self.look(version="3.3").types, [1])

    def test_3_7(self):
        """None has no result."""
        self.assertEqual(self.look(version="3.7").types, [1])

    def test_3_8(self):
        self.assertEqual(self.look(version="3.8").types, [1])

    def test_3_889(self):
        """Apple's viewer: 3.8."""
        self.assertEqual(self.look(version="3.889").types, [1])

    def test_3_5_is_3_3(self):
        """RFB 7.1.1: other numbers are to be taken for 3.3."""
        viewer = self.host.viewer(handshake=False)
        viewer.read(12)
        viewer.send(b"RFB 003.005\n")
        self.assertEqual(viewer.unpack(">I"), (1,))
        viewer.init()
        viewer.first()

    def test_4_0_is_refused(self):
        viewer = self.host.viewer(handshake=False)
        viewer.read(12)
        viewer.send(b"RFB 004.000\n")
        with self.assertRaises((EOFError, ConnectionError)):
            while True:
                viewer.read(1)

    def test_server_init(self):
        """RFB 7.3.2."""
        viewer = self.look()
        self.assertEqual((viewer.width, viewer.height, viewer.name), (160, 100, "guest"))
        form = viewer.server_format
        self.assertEqual((form.bits, form.depth, form.true, form.red[0], form.green[0], form.blue[0]), (32, 24, True, 255, 255, 255))


class VncAuth(Case):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("vncauth", password=PASSWORD)

    def test_offered_alone(self):
        self.assertEqual(self.raw().types, [2])

    def test_the_password(self):
        for version in ("3.3", "3.7", "3.8", "3.889"):
            with self.subTest(version):
                self.look(version=version, password=PASSWORD)

    def test_only_8_characters_count(self):
        self.look(password=PASSWORD + "9th and more")

    def test_a_challenge_is_never_used_twice(self):
        seen = set()
        for _ in range(6):
            viewer = self.raw()
            viewer.send(b"\2")
            seen.add(viewer.read(16))
            viewer.close()
        self.assertEqual(len(seen), 6)

    def test_wrong_with_a_reason_in_3_8(self):
        self.assertNotIn("closed", self.refused(password="wrong"))

    def test_wrong_without_a_reason_in_3_7(self):
        for version in ("3.3", "3.7"):
            viewer = self.raw(version)
            if version == "3.7":
                viewer.send(b"\2")
            viewer.read(16)
            viewer.send(bytes(16))
            self.assertEqual(viewer.unpack(">I"), (1,))
            with self.assertRaises((EOFError, ConnectionError)):
                viewer.read(1)


class VeNCrypt(Case):
    """Every subtype on one listener."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host(" ".join(TLS), password=PASSWORD, client_ca=True, viewers="insecure = yes")
        cls.mine = issued("viewer", client=True)

    def words(self, kind, **more):
        return {"security": kind, "password": PASSWORD, "user": "somebody", "ca": self.host.ca, "certificate": self.mine[0],
                "key": self.mine[1], "server_name": "guest", **more}

    def test_offered_alone(self):
        self.assertEqual(self.raw().types, [19])

    def test_version_0_2_and_all_subtypes(self):
        viewer = self.host.viewer(**self.words("x509Plain"))
        self.assertEqual(sorted(viewer.wanted.subtypes), [257, 258, 259, 260, 261, 262])

    def test_another_version_of_it_is_refused(self):
        for version in (b"\0\1", b"\0\0", b"\1\0", b"\xff\xff"):
            viewer = self.raw()
            viewer.send(b"\x13")
            self.assertEqual(viewer.read(2), b"\0\2")
            viewer.send(version)
            self.assertNotEqual(viewer.read(1), b"\0")
            with self.assertRaises((EOFError, ConnectionError)):
                viewer.read(1)

    def test_a_certificate_of_nobody_s(self):
        """The viewer's authority has not signed the server: it is the viewer that goes."""
        self.refused(**self.words("x509Plain", ca=issued("other", by="another")[0]))

    def test_tls_1_2_and_1_3(self):
        for kind in ("x509Plain", "tlsPlain"):
            viewer = self.host.viewer(**self.words(kind))
            self.assertEqual(viewer.sock.version(), "TLSv1.2" if kind == "tlsPlain" else "TLSv1.3")

    def test_the_password_in_one_piece_with_the_end_of_tls_s_handshake(self):
        """TLS 1.3 lets a client send with its Finished (RFC 8446, 2): what the server reads at once it also looks at at once."""
        viewer = self.raw()
        viewer.send(bytes([19]))
        viewer.read(2)
        viewer.send(b"\0\2")
        viewer.read(viewer.read(2)[1] * 4)
        viewer.send(struct.pack(">I", 262))
        self.assertEqual(viewer.read(1), b"\1")
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = security.client_context(ca=self.host.ca).wrap_bio(came, goes)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                viewer.sock.sendall(goes.read())
                came.write(viewer.sock.recv(65536))
        self.assertEqual(tls.version(), "TLSv1.3")
        tls.write(struct.pack(">II", 1, len(PASSWORD)) + b"u" + PASSWORD.encode())
        viewer.sock.sendall(goes.read())
        viewer.sock.settimeout(5 * daemon.SLOW)  # less than the time that a handshake may take
        came.write(viewer.sock.recv(65536))
        self.assertEqual(tls.read(4), b"\0\0\0\0")
        viewer.close()

    def test_not_3_3_s(self):
        """A server of 3.3 can offer one type, and nothing but None and VncAuth was known."""
        viewer = self.host.viewer(handshake=False)
        with self.assertRaises(rfb.Refused):
            viewer.hello("3.3")

    def test_3_7(self):
        self.look(**self.words("x509Plain", version="3.7"))

    def test_wrong_passwords(self):
        for kind in WITH_PASSWORD:
            with self.subTest(kind):
                self.refused(**self.words(kind, password="wrong"))


def lets_in(kind):
    return lambda self: self.look(**self.words(kind))


for _kind in TLS:
    setattr(VeNCrypt, f"test_{_kind}", lets_in(_kind))


class ClientCertificates(Case):
    """x509None alone: the certificate is all that is asked for (OpenStack Nova's proxy)."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host("x509None", client_ca=True)

    def test_the_right_one(self):
        certificate, key = issued("viewer", client=True)
        self.look(security="x509None", ca=self.host.ca, certificate=certificate, key=key)

    def test_none(self):
        self.refused(security="x509None", ca=self.host.ca)

    def test_somebody_else_s(self):
        certificate, key = issued("stranger", client=True, by="another")
        self.refused(security="x509None", ca=self.host.ca, certificate=certificate, key=key)

    def test_a_server_s(self):
        """Signed by the right authority, for another purpose."""
        certificate, key = issued("server-too")
        self.refused(security="x509None", ca=self.host.ca, certificate=certificate, key=key)


class RsaAes(Case):
    @classmethod
    def setUpClass(cls):
        cls.host = Host("rsaAes256 rsaAes", password=PASSWORD)

    def test_offered(self):
        self.assertEqual(sorted(self.raw().types), [5, 129])

    def test_256_bits(self):
        self.look(security="rsaAes256", user="somebody", password=PASSWORD)

    def test_128_bits(self):
        self.look(security="rsaAes", user="somebody", password=PASSWORD)

    def test_nobody_by_name(self):
        self.look(security="rsaAes256", password=PASSWORD)

    def test_wrong_passwords(self):
        for kind in ("rsaAes", "rsaAes256"):
            with self.subTest(kind):
                self.assertNotIn("closed", self.refused(security=kind, password="wrong"))

    def test_the_server_s_key_stays(self):
        """Viewers remember its fingerprint."""
        keys = set()
        for kind in (5, 129, 129):
            viewer = self.raw()
            viewer.send(bytes([kind]))
            bits, = viewer.unpack(">I")
            self.assertGreaterEqual(bits, 2048)
            keys.add(viewer.read(2 * ((bits + 7) // 8)))
        self.assertEqual(len(keys), 1)


class Failures(Case):
    """Everything at once, and what is said."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host("vncauth x509Vnc x509Plain rsaAes256 rsaAes", password=PASSWORD, viewers="insecure = yes")

    def test_all_types_are_offered_once(self):
        self.assertEqual(sorted(self.raw().types), [2, 5, 19, 129])

    def test_each_way_in(self):
        for kind in ("vncauth", "x509Vnc", "x509Plain", "rsaAes256", "rsaAes"):
            with self.subTest(kind):
                self.look(security=kind, password=PASSWORD, ca=self.host.ca, server_name="localhost")

    def test_3_3_gets_vncauth(self):
        self.look(version="3.3", password=PASSWORD)

    def test_long_names_and_passwords(self):
        """As long as may be is wrong, longer closes; nothing else happens."""
        for length in (255, 256, 1024, 65536):
            with self.subTest(length):
                self.refused(security="x509Plain", user="u" * length, password="p" * length, ca=self.host.ca)

    def test_an_empty_password(self):
        for kind in ("vncauth", "x509Vnc", "x509Plain", "rsaAes256"):
            with self.subTest(kind):
                self.refused(security=kind, password="", ca=self.host.ca)

    def test_the_reason_has_a_length(self):
        viewer = self.raw()
        viewer.send(b"\2")
        viewer.read(16)
        viewer.send(bytes(16))
        status, length = viewer.unpack(">II")
        self.assertEqual(status, 1)
        self.assertTrue(0 < length < 256)
        viewer.read(length).decode()


if __name__ == "__main__":
    unittest.main()
