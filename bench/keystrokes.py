#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a viewer's key takes to the guest's keyboard, with other displays busy, and from there to the picture that comes of it.

    BUILD=DIR bench/keystrokes.py [KEYS [DISPLAYS]]        1000 keys, 10 other displays

The guest is played here: a key turns one block of its picture to another colour, and it says so with its eventfd. See bench/README.md.
"""
import os
import pathlib
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402

WIDTH, HEIGHT = 1280, 800
A = 30


class Guest(threading.Thread):
    """Reads its keyboard and paints; notes when."""

    def __init__(self, d, name):
        super().__init__(daemon=True)
        self.canvas = surface.Surface(WIDTH, HEIGHT)
        self.canvas.noise(1, colours=60)
        ours, theirs = socket.socketpair()
        self.keyboard, self.came, self.painted = ours, [], []
        lease, self.held = os.pipe()
        client = d.connect()
        client.call("Register", {"context": {"id": name}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                 "leaseFileDescriptorIndex": 1, "changeFileDescriptorIndex": 2,
                                 "input": [{"kind": "keyboard", "fileDescriptorIndex": 3}]},
                    [self.canvas.fd, lease, self.canvas.change, theirs.fileno()])
        os.close(lease)
        theirs.close()

    def run(self):
        while True:
            data = self.keyboard.recv(4096)
            now = time.monotonic_ns()
            if not data:
                return
            for kind, code, value in struct.iter_unpack("<HHi", data):
                if kind != 1 or code != A or not value:
                    continue
                self.came.append(now)
                colour = bytes((len(self.came) * 37 % 256, len(self.came) * 101 % 256, 128, 0))
                self.canvas.fill(colour, 320, 160, 16, 16)
                self.canvas.signal()
                self.painted.append(time.monotonic_ns())


def busy(d, name, stop):
    """A display on which something moves all the time, a viewer that follows, and a person who types there."""
    guest = Guest(d, name)
    guest.start()
    viewer = d.viewer(name)
    viewer.set_encodings(rfb.TIGHT, -26, rfb.LAST_RECT)
    viewer.request(incremental=False)

    def paint():
        seed = 0
        while not stop.is_set():
            seed += 1
            guest.canvas.noise(seed, seed * 53 % 960, seed * 31 % 600, 160, 100, colours=30)
            guest.canvas.signal()
            time.sleep(0.1)

    def follow():
        while not stop.is_set():
            if select.select([viewer.sock], [], [], 0.1)[0]:
                viewer.sock.recv(1 << 20)
            viewer.request()
            viewer.point(5, 5)
            time.sleep(0.05)

    threads = [threading.Thread(target=each, daemon=True) for each in (paint, follow)]
    for each in threads:
        each.start()
    return guest, threads


def crowd(d, others):
    """In a process of its own. Returns what ends it when it is closed."""
    ready, begun = os.pipe()
    until, end = os.pipe()
    if os.fork():
        os.close(begun)
        os.close(until)
        os.read(ready, 1)
        os.close(ready)
        return end
    os.close(end)
    stop = threading.Event()
    guests = [busy(d, f"busy{i}", stop) for i in range(others)]
    os.write(begun, b"1")
    os.read(until, 1)
    stop.set()
    for _, threads in guests:
        for thread in threads:
            thread.join()
    os._exit(0)


def line(name, values):
    values = sorted(value / 1000 for value in values)
    at = [values[min(len(values) - 1, int(len(values) * share))] for share in (0.5, 0.9, 0.99)]
    print(f"{name:46} {at[0]:9.0f} {at[1]:9.0f} {at[2]:9.0f} {values[-1]:9.0f}")


def histogram(d):
    client = d.connect()
    size = client.call("GetMetrics")["bytes"]
    text = os.pread(client.fds[0], size, 0).decode()
    os.close(client.fds[0])
    rows = [each.split(" ") for each in text.splitlines() if each.startswith("vfio_displayd_input_seconds_bucket")]
    return {name.split('"')[1]: int(float(count)) for name, count in rows}


def main():
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    others = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with daemon.Daemon() as d:
        end = crowd(d, others)
        guest = Guest(d, "typed")
        guest.start()
        viewer = d.viewer("typed")
        viewer.set_encodings(rfb.RAW)
        viewer.first()
        time.sleep(2)
        sent, first, last = [], [], []
        for n in range(keys):
            viewer.request()
            sent.append(time.monotonic_ns())
            viewer.key(0x61)
            viewer.key(0x61, False)
            while len(guest.came) <= n:
                time.sleep(0.0001)
            viewer.fill(time.monotonic() + 10)
            first.append(time.monotonic_ns())
            viewer.update()
            last.append(time.monotonic_ns())
            time.sleep(0.01)
        print(f"{keys} keys at {WIDTH}x{HEIGHT}, {others} other displays busy; microseconds{'':11} p50       p90       p99       max")
        line("viewer's key to the guest's keyboard", [b - a for a, b in zip(sent, guest.came)])
        line("  there, to the guest's picture (played)", [b - a for a, b in zip(guest.came, guest.painted)])
        line("picture to the update's first bytes", [b - a for a, b in zip(guest.painted, first)])
        line("  there, to the changed block decoded", [b - a for a, b in zip(first, last)])
        line("all: key to picture", [b - a for a, b in zip(sent, last)])
        print("read from the viewer until the sink took it, as the daemon counts (all displays):")
        print("  " + ", ".join(f"{bound} s: {count}" for bound, count in histogram(d).items() if bound == "+Inf" or float(bound) <= 0.01))
        os.close(end)
        os.wait()
        os.close(guest.held)


main()
