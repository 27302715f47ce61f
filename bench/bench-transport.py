#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What TLS and WebSockets cost, beside a plain connection: see bench/README.md.

usage: bench/bench-transport.py BUILD-DIRECTORY [ROUNDS [SECONDS]]

One vfio-displayd-rfb, whose broker is played here, shows a 1920x1080 photograph of noise in which everything is always new. One viewer
with Tight and JPEG lets updates come as fast as they can; each kind of connection has its turn in each round, in another order.
"""
import fcntl
import os
import pathlib
import random
import statistics
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))
import certificates
import rfb
import rfb_harness as harness

WIDTH, HEIGHT = 1920, 1080
KINDS = {
    "plain": {"security": "none"},
    "TLS": {"security": "x509None", "ca": True},
    "anonymous TLS": {"security": "tlsNone"},
    "WebSocket": {"security": "none", "websocket": "/"},
    "WebSocket in TLS": {"security": "none", "websocket": "/", "wss": True, "ca": True},
}


class Photograph(harness.Broker):
    """Its frames are painted once; everything in them is new each time."""

    def _paint(self, pixel):
        if not self.published:
            seed, smooth = random.Random(1), bytearray()
            for _ in range(HEIGHT):
                value, row = seed.randrange(256), bytearray()
                for _ in range(WIDTH // 8):
                    value = min(255, max(0, value + seed.randrange(-24, 25)))
                    row += bytes((value, 255 - value, value // 2, 0)) * 8
                smooth += row
            for y in range(HEIGHT):
                at = self.frame.pixels_offset + y * self.frame.stride
                self.frame.map[at:at + WIDTH * 4] = smooth[y * WIDTH * 4:][:WIDTH * 4]
        self.published += 1
        self.frame.damage_all()
        self.publish(1)

    def give_certificate(self, certificate, key):
        fd = os.memfd_create("bundle", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(fd, certificate + key)
        fcntl.fcntl(fd, harness.F_ADD_SEALS, 1 | 2 | 4 | 8)  # SEAL, SHRINK, GROW, WRITE
        self.send(harness.TLS, struct.pack("=4I", len(certificate), len(key), 0, 0), fd)
        os.close(fd)

    def cpu(self):
        """Seconds that all its threads have run: those that ended are in no file, so that callers look while they live."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9


def measure(broker, where, kind, ca, seconds):
    """(MB in a second, CPU milliseconds for each MB) of one viewer."""
    options = dict(KINDS[kind])
    if options.pop("ca", False):
        options.update(ca=ca, server_name="localhost")
    client = rfb.Client(where, timeout=20, **options)
    client.set_encodings(rfb.TIGHT, -26, rfb.CONTINUOUS_UPDATES)  # JPEG quality 6
    client.send(struct.pack(">BBHHHH", 150, 1, 0, 0, WIDTH, HEIGHT))
    sock, size = getattr(client.sock, "inner", client.sock), 0  # frames are not opened: that would be slower than all here
    end = time.monotonic() + 0.5  # what is settling
    while time.monotonic() < end:
        sock.recv(1 << 20)
    began, cpu = time.monotonic(), broker.cpu()
    while time.monotonic() < began + seconds:
        size += len(sock.recv(1 << 20))
    took, cpu = time.monotonic() - began, broker.cpu() - cpu
    client.close()
    return size / 1e6 / took, cpu * 1000 / (size / 1e6)


def main(build, rounds=7, seconds=2):
    directory = tempfile.TemporaryDirectory()
    authority = certificates.Authority(directory.name)
    pair = [pathlib.Path(path).read_bytes() for path in authority.issue("server")]
    results = {kind: [] for kind in KINDS}
    with Photograph(f"{build}/vfio-displayd-rfb") as broker:
        broker.give_certificate(*pair)
        broker.show(WIDTH, HEIGHT)
        where = broker.listen_tcp(security=harness.NONE | harness.X509_NONE | harness.TLS_NONE,
                                  transports=harness.RFB | harness.WEBSOCKET | harness.SECURE_WEBSOCKET)
        broker.move()
        for _ in range(int(rounds)):
            for kind in random.sample(list(KINDS), len(KINDS)):
                results[kind].append(measure(broker, where, kind, authority.ca, float(seconds)))
    plain = [statistics.median(one) for one in zip(*results["plain"])]
    print(f"{'':18}{'MB/s':>8}{'plain/it':>10}{'CPU ms/MB':>11}{'it/plain':>10}")
    for kind, got in results.items():
        rate, cpu = (statistics.median(one) for one in zip(*got))
        print(f"{kind:18}{rate:8.1f}{plain[0] / rate:10.2f}{cpu:11.2f}{cpu / plain[1]:10.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
