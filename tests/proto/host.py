# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon with one display on a loopback port, and what viewers need to get in: certificates, a password.

    with Host("x509Plain", transports="rfb websocket", password="geh3im-X") as host:
        host.viewer(password=host.password, ca=host.ca)
"""
import atexit
import functools
import pathlib
import secrets
import shutil
import socket
import tempfile
import threading
import time

import certificates
import daemon
import rfb
import surface

PASSWORD = "geh3im-X"


def somebody(port):
    """A connection to that port from an address of its own: wrong passwords are counted by address."""
    source = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
    sock = socket.create_connection(("127.0.0.1", port), 30 * daemon.SLOW, source_address=(source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def once(make):
    """Made once for each set of arguments, whoever asks first: a cache alone lets two threads make two authorities."""
    lock, made = threading.RLock(), functools.lru_cache(maxsize=None)(make)

    def ask(*arguments, **named):
        with lock:
            return made(*arguments, **named)
    return ask


@once
def authority(name="ca"):
    where = tempfile.mkdtemp(prefix="vfio-displayd-test.")
    atexit.register(shutil.rmtree, where, ignore_errors=True)
    return certificates.Authority(where, name)


@once
def issued(name="server", client=False, by="ca", days=2):
    return authority(by).issue(name, names=("localhost", "guest", "guest.example.org"), client=client, days=days)


def wait_for_rsa(address):
    """The daemon makes its first RSA key beside its other work, and offers no RSA-AES before."""
    end = time.monotonic() + 60 * daemon.SLOW
    while time.monotonic() < end:
        with socket.create_connection(address) as viewer:
            viewer.sendall(b"RFB 003.008\n")
            reader = viewer.makefile("rb")
            count = reader.read(13)[12]
            if {5, 129} & set(reader.read(count)):
                return
        time.sleep(0.1)
    raise AssertionError("no RSA-AES is offered")


class Host:
    """`security`: words of the configuration. `client_ca`: viewers are asked for certificates. `more`: the registrant listens."""

    def __init__(self, security="", transports="", password=None, certificate=True, client_ca=False, viewers="", config="",
                 size=(160, 100), mode="control", name="guest", more=False,
                 port=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.password, self.ca = password, authority("ca").ca
        lines = ["[viewers]", viewers]
        if password is not None:
            path = self.dir / "password"
            path.write_text(password + "\n")
            path.chmod(0o600)
            lines.append(f"password-file = {path}")
        if certificate:
            lines += ["certificate = {}\nkey = {}".format(*issued())]
        if client_ca:
            lines.append(f"client-ca = {self.ca}")
        if security:
            lines.append(f"security-local = {security}")
        if transports:
            lines.append(f"transports = {transports}")
        self.daemon = daemon.Daemon(config="\n".join([*lines, config, ""]))
        self.surface = surface.Surface(*size)
        self.surface.noise(1, colours=40)
        self.port = port or daemon.free_port()
        self.registrant = self.daemon.connect()
        self.lease = self.daemon.register(self.surface, name, client=self.registrant, flags={"more": more},
                                          listen=[{"mode": mode, "address": f"127.0.0.1:{self.port}"}])
        self.opened = []
        if "rsaAes" in security:
            wait_for_rsa(("127.0.0.1", self.port))

    def __enter__(self):
        return self

    def __exit__(self, kind, *more):
        for each in self.opened:
            each.close()
        self.daemon.__exit__(kind, *more)
        self.surface.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        self.__exit__(None)

    def viewer(self, *where, **more):
        client = rfb.Client(*(where or [somebody(self.port)]), timeout=30 * daemon.SLOW, **more)
        self.opened.append(client)
        return client
