# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in front of displays, with the files of docs/deploy as they are: nginx, HAProxy, systemd-socket-proxyd, and a client that
dials as OpenStack Nova's proxy does."""
import os
import pathlib
import select
import shutil
import socket
import ssl
import struct
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import certificates  # noqa: E402
import compare  # noqa: E402
import place  # noqa: E402
import rfb  # noqa: E402
from security import Refused  # noqa: E402

REASON = place.enter()


class Recipe(unittest.TestCase):
    conf = None

    def setUp(self):
        self.where = pathlib.Path("/run/pki")
        self.where.mkdir(exist_ok=True)
        self.authority = certificates.Authority(self.where)
        self.before()
        self.host = place.Installed(self.conf)
        self.addCleanup(self.host.__exit__, None)

    def before(self):
        pass

    def certificate(self, names, *paths):
        """A server's, at these paths, which the daemon's user can read."""
        for source, path in zip(self.authority.issue("server", names=names), paths):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            place.run("install", "-o", "root", "-g", "vfio-displayd", "-m", "640", source, path)

    def sees(self, canvas, *where, **more):
        viewer = self.host.viewer(*where, **more)
        compare.until_shows([viewer], canvas)
        viewer.close()


@unittest.skipIf(REASON, REASON)
class Nginx(Recipe):
    conf = "nginx-gate.conf"
    AT = ("127.0.0.1", 443)

    def test_a_browser_goes_through_it(self):
        self.certificate(("console.example.org",), "/etc/nginx/console.pem", "/etc/nginx/console.key")
        shutil.copy(place.RECIPES / "nginx.conf", "/etc/nginx/conf.d/vfio-display.conf")
        canvases = [self.host.display("vm1", 1), self.host.display("vm2", 2)]
        nginx = self.host.start("nginx", "-g", "daemon off;")
        nginx.until(lambda: place.listens(*self.AT), "nginx listens")

        def sees(display, ticket, path=None, origin="https://console.example.org"):
            self.sees(canvases[int(display[-1]) - 1], self.AT, websocket=path or f"/displays/{display}", wss=True,
                      server_name="console.example.org", ca=self.authority.ca, security="vncauth", password=ticket[:8],
                      web={"host": "console.example.org", "origin": origin})

        for name in ("vm1", "vm2"):
            sees(name, self.host.ticket(name))
        with self.assertRaisesRegex(Refused, "wrong password"):
            sees("vm1", self.host.ticket("vm2"))
        with self.assertRaisesRegex(Refused, "404"):
            sees("vm1", self.host.ticket("vm1"), path="/vm1")
        with self.assertRaisesRegex(Refused, "403"):
            sees("vm1", self.host.ticket("vm1"), origin="https://elsewhere.example.org")


@unittest.skipIf(REASON, REASON)
class Haproxy(Recipe):
    conf = "haproxy-gate.conf"

    def before(self):
        self.certificate(("*.host1.console.example.org",), "/etc/vfio-displayd/host.pem", "/etc/vfio-displayd/host.key")

    def test_viewers_and_browsers_go_through_it(self):
        canvases = [self.host.display("vm1", 1), self.host.display("vm2", 2)]
        shutil.copy(place.RECIPES / "haproxy.cfg", "/etc/haproxy/haproxy.cfg")
        place.run("haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg")
        haproxy = self.host.start("haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg")
        haproxy.until(lambda: place.listens("127.0.0.1", 8443), "HAProxy listens")
        self.sees(canvases[0], ("127.0.0.1", 5901))
        for number, canvas in enumerate(canvases):
            name = f"vm{number + 1}"
            context = ssl.create_default_context(cafile=self.authority.ca)
            sock = context.wrap_socket(socket.create_connection(("127.0.0.1", 8443), 10),
                                       server_hostname=f"{name}.host1.console.example.org")
            self.sees(canvas, sock, websocket="/", security="vncauth", password=self.host.ticket(name)[:8])
        with self.assertRaises(OSError):
            context.wrap_socket(socket.create_connection(("127.0.0.1", 8443), 10), server_hostname="vm1.host2.console.example.org")


@unittest.skipIf(REASON, REASON)
class Units(unittest.TestCase):
    def test_systemd_understands_them(self):
        names = sorted(path.name for path in place.RECIPES.iterdir() if path.suffix in (".service", ".socket"))
        self.assertEqual(len(names), 4)
        for name in names:
            shutil.copy(place.RECIPES / name, "/etc/systemd/system")
        names[names.index("vnc@.service")] = "vnc@vm1.service"
        for name in names:
            self.assertEqual(place.run("systemd-analyze", "verify", "--man=no", f"/etc/systemd/system/{name}"), "", name)


@unittest.skipIf(REASON, REASON)
class SocketProxyd(Recipe):
    def test_a_port_of_a_display(self):
        canvas = self.host.display("vm1")
        said = place.unit(place.RECIPES / "vnc-vm1.socket")["Socket"]
        host, port = said["ListenStream"][0].rsplit(":", 1)
        self.assertEqual(said["Service"], ["vnc@vm1.service"])
        with socket.create_server((host, int(port))) as listener:
            self.host.service("vnc@.service", instance="vm1", fd=listener.fileno())
            self.sees(canvas, (host, int(port)))


class Nova:
    """What novncproxy does towards a compute host: RFB 3.8, VeNCrypt 0.2 and X509None in it, with a certificate of its own; then it
    passes bytes between a viewer, to whom it offers None, and that connection."""

    VENCRYPT, X509NONE = 19, 260

    def __init__(self, address, ca, certificate=None, key=None):
        self.sock = socket.create_connection(address, 10)
        try:
            self.dial(ca, certificate, key)
        except BaseException:
            self.sock.close()
            raise

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the compute host has closed")
            data += more
        return data

    def dial(self, ca, certificate, key):
        if self.read(12) != b"RFB 003.008\n":
            raise AssertionError("Nova takes RFB 3.8 only")
        self.sock.sendall(b"RFB 003.008\n")
        if self.VENCRYPT not in self.read(self.read(1)[0]):
            raise AssertionError("VeNCrypt is not offered")
        self.sock.sendall(bytes([self.VENCRYPT]))
        if self.read(2) != b"\0\2":
            raise AssertionError("Nova takes VeNCrypt 0.2 only")
        self.sock.sendall(b"\0\2")
        if self.read(1) != b"\0":
            raise AssertionError("VeNCrypt 0.2 is refused")
        subtypes = struct.unpack(f">{(count := self.read(1)[0])}I", self.read(4 * count))
        if self.X509NONE not in subtypes:
            raise AssertionError(f"{subtypes} are offered, not X509None")
        self.sock.sendall(struct.pack(">I", self.X509NONE))
        if self.read(1) != b"\1":
            raise AssertionError("X509None is refused")
        context = ssl.create_default_context(cafile=ca)
        context.check_hostname = False          # as Nova: the authority alone counts
        if certificate:
            context.load_cert_chain(certificate, key)
        self.sock = context.wrap_socket(self.sock)
        if self.read(4) != b"\0\0\0\0":
            raise ConnectionError("SecurityResult: not let in")

    def serve(self, viewer):
        """A viewer's side: None, then bytes both ways."""
        viewer.sendall(b"RFB 003.008\n")
        viewer.recv(12, socket.MSG_WAITALL)
        viewer.sendall(b"\1\1")
        viewer.recv(1, socket.MSG_WAITALL)
        viewer.sendall(b"\0\0\0\0")
        with viewer, self.sock:
            while True:
                ready = select.select([viewer, self.sock], [], [])[0]
                for source, to in ((viewer, self.sock), (self.sock, viewer)):
                    if source in ready:
                        data = source.recv(65536)        # more than a record of TLS has
                        if not data:
                            return
                        to.sendall(data)


@unittest.skipIf(REASON, REASON)
class NovaProxy(Recipe):
    conf = "nova.conf"
    ADDRESS = ("192.0.2.1", 5907)

    def before(self):
        self.certificate(("compute1",), "/etc/vfio-displayd/host.pem", "/etc/vfio-displayd/host.key")
        shutil.copy(self.authority.ca, "/etc/vfio-displayd/proxies.pem")
        place.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")

    def test_it_shows_its_certificate(self):
        canvas = self.host.display("vm7", listen=[{"mode": "control", "address": "%s:%d" % self.ADDRESS}])
        mine = self.authority.issue("novncproxy", client=True)
        nova = Nova(self.ADDRESS, self.authority.ca, *mine)
        ours, viewers = socket.socketpair()
        proxy = threading.Thread(target=nova.serve, args=(ours,), daemon=True)
        proxy.start()
        self.sees(canvas, viewers, security="none")
        proxy.join(20)
        self.assertFalse(proxy.is_alive())
        stranger = certificates.Authority(self.where, "others").issue("stranger", client=True)
        for bad in ((), stranger):
            with self.subTest(bad), self.assertRaises((OSError, ssl.SSLError)):
                Nova(self.ADDRESS, self.authority.ca, *bad)
        # A viewer that offers nothing of this is not let in either.
        with self.assertRaises(Refused):
            rfb.Client(self.ADDRESS, security="none")


if __name__ == "__main__":
    unittest.main(verbosity=2)
