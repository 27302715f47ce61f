# SPDX-License-Identifier: GPL-2.0-or-later
"""An RFB program that somebody has taken over says what it likes: it can end itself, and deceive its own viewers. The broker goes
on, and other displays notice nothing.

The program is this file, put beside a copy of the daemon: what it does is named by the display's id. "honest" gets the real one.
"""
import contextlib
import os
import pathlib
import random
import re
import shutil
import socket
import stat
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

from rfb_harness import VERSION  # noqa: E402

# src/frame/link.h
FRAME, WANT_WRITE, PUBLISH = 4, 5, 6
READY, MAY_WRITE, VIEWER_ADDED, VIEWER_STATE, VIEWER_GONE, WATCH, IDLE, BUSY, TAKEN, RESIZE, CHECK, POWER, RESUMED, HERE, TIMES, INPUT = range(64, 80)
SIZE = 512
ROUNDS = 4


# ---- the program ----

def message(kind, body=b""):
    return struct.pack("=II", kind, 0) + body[:SIZE - 8].ljust(SIZE - 8, b"\0")


def seen(source, end=b"\0"):
    return struct.pack("=II", source.randrange(6), source.choice((1, 1, 2, source.randrange(1 << 32)))) + \
        source.randbytes(63).replace(b"\0", b"\n") + end + source.randbytes(63) + end


def lie(source):
    """Nearly right, mostly."""
    kind = source.choice((READY, MAY_WRITE, VIEWER_ADDED, VIEWER_STATE, VIEWER_GONE, WATCH, BUSY, TAKEN))
    number = source.choice((0, 1, 2, 3, 7, (1 << 32) - 1, source.randrange(1 << 32)))
    if kind in (VIEWER_ADDED, VIEWER_GONE):
        return message(kind, seen(source))
    if kind == VIEWER_STATE:
        return message(kind, struct.pack("=IIQ", source.randrange(6), number, number << 32 | number) +
                       source.randbytes(15) + b"\0")
    if kind == READY:
        return message(kind, struct.pack("=I", VERSION))
    if kind == WATCH:
        return message(kind, struct.pack("=II", source.randrange(129), number))
    return message(kind, struct.pack("=II", number, number))


def typed(viewer, entries):
    return message(INPUT, struct.pack("=II", viewer, len(entries)) + b"".join(entries))


def key(keycode, down):
    return struct.pack("=QBBHIII", time.monotonic_ns(), 1, down, keycode, 0, 0, 0)


def rubbish(source):
    return source.choice((
        lambda: source.randbytes(SIZE),
        lambda: struct.pack("=II", source.randrange(80), 0) + source.randbytes(SIZE - 8),
        lambda: message(source.randrange(80)),
        lambda: lie(source)[:source.randrange(SIZE)],
        lambda: lie(source) + b"more",
        lambda: message(VIEWER_ADDED, seen(source, b"x")),
        lambda: message(WATCH, struct.pack("=I", 1 << 31)),
        lambda: message(RESIZE, struct.pack("=III", source.randrange(6), source.randrange(8200), source.randrange(8200))),
        lambda: typed(source.randrange(4), [source.randbytes(24) for _ in range(source.randrange(20))]),
        lambda: typed(source.randrange(4), [key(source.randrange(300), 1)] * 20),
        lambda: message(IDLE)))()


def tell(link, source):
    """Lies until the broker has had enough."""
    for _ in range(20000):
        what = rubbish(source) if source.random() < 0.002 else lie(source)
        fds = [0, 1, link.fileno()] * 40 if source.random() < 0.0005 else []
        try:
            if fds:
                socket.send_fds(link, [what], fds)
            else:
                link.send(what)
            while source.random() < 0.3:
                link.recv(SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue


def slow(link, busy):
    """Never grants anything."""
    link.send(message(WATCH, struct.pack("=I", 1)))
    link.settimeout(1)
    generation = 0
    while True:
        with contextlib.suppress(TimeoutError):
            got = link.recv(SIZE)
            if not got:
                return
            kind, _, number = struct.unpack_from("=III", got)
            if kind in (FRAME, WANT_WRITE):
                generation = number
            if kind == FRAME:
                link.send(message(TAKEN, struct.pack("=I", number)))
        if busy:
            link.send(message(BUSY, struct.pack("=I", generation)))


def flood(link):
    """Types as fast as it can, for somebody who may."""
    link.setblocking(True)
    link.send(message(VIEWER_ADDED, struct.pack("=II64s64s", 1, 2, b"", b"")))
    link.send(message(WATCH, struct.pack("=I", 1)))
    keys = [key(0x1e, n % 2) for n in range(20)]
    while True:
        link.send(typed(1, keys))


def deaf(link):
    """Takes nothing."""
    link.send(message(WATCH, struct.pack("=I", 1)))
    while True:
        time.sleep(1)


def program(real):
    link = socket.socket(fileno=3)
    while len(hello := link.recv(SIZE, socket.MSG_PEEK)) < SIZE:
        pass
    name = re.search(rb"(honest|mute|liar|slow|busy|deaf|flood)[.\w]*", hello)[0].decode()
    if name.startswith("honest"):
        os.execv(real, ["vfio-displayd-rfb"])
    source = random.Random()
    if name.startswith("mute"):
        link.recv(SIZE)
    link.send(message(READY, struct.pack("=I", VERSION)))
    with contextlib.suppress(OSError):
        {"liar": lambda: tell(link, source), "slow": lambda: slow(link, False), "busy": lambda: slow(link, True),
         "deaf": lambda: deaf(link), "flood": lambda: flood(link)}[name.split(".")[0]]()


# ---- the test ----

if __name__ == "__main__" and len(sys.argv) == 3 and sys.argv[1] == "--program":
    program(sys.argv[2])
    sys.exit(0)

import daemon                    # noqa: E402
import surface                   # noqa: E402
from beside import Beside        # noqa: E402

GRANT = 5                        # LIMIT_GRANT_MS


class LyingProgram(unittest.TestCase):
    def setUp(self):
        self.build = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.addCleanup(shutil.rmtree, self.build, ignore_errors=True)
        real = daemon.BUILD
        for name in ("vfio-displayd", "vfio-displayd-testcard"):
            shutil.copy2(real / name, self.build / name)
        fake = self.build / "vfio-displayd-rfb"
        fake.write_text(f"#!/bin/sh\nexec {sys.executable} {os.path.abspath(__file__)} --program {real}/vfio-displayd-rfb\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        daemon.BUILD, self.real = self.build, real
        self.addCleanup(setattr, daemon, "BUILD", real)
        self.daemon = daemon.Daemon()
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.addCleanup(self.client.close)
        self.honest = self.display("honest", 320, 200)

    def display(self, name, width=64, height=64):
        made = surface.Surface(width, height)
        self.addCleanup(made.close)
        lease = self.daemon.register(made, name, client=self.client)
        self.addCleanup(os.close, lease)
        return made

    def knock(self, name):
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.connect(str(self.daemon.dir / "rfb" / name))
        return sock

    def look(self):
        """What users would see of it."""
        for method in ("List", "ListViewers"):
            client = self.daemon.connect()
            try:
                client.send(method, {}, more=True)
                while client.receive().get("continues"):
                    pass
            finally:
                self.daemon.opened.remove(client)
                client.close()

    def test_lies(self):
        """Every message, with anything in it."""
        names = [f"liar.{i}" for i in range(6)]
        shown = [self.display(name) for name in names]
        with Beside(str(self.daemon.dir / "rfb" / "honest"), self.honest) as good:
            before = self.daemon.fds()
            for turn in range(ROUNDS):
                knocks = [self.knock(name) for name in names]
                end = time.monotonic() + 1.5
                while time.monotonic() < end:
                    for each in shown:
                        each.noise(turn)
                        each.signal()
                    self.client.call("List", more=True) if False else self.client.call("GetCapabilities")
                    self.look()
                    time.sleep(0.05)
                for sock in knocks:
                    sock.close()
        good.check(self, gap=2 * daemon.SLOW)
        self.assertIn("cannot be true", self.daemon.text())
        self.daemon.until(lambda: self.daemon.fds() <= before + len(names) * 4, "no descriptor is left behind")

    def test_types_without_end(self):
        """Others are looked at, and typed at, as ever."""
        made = self.display("flood")
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        ours.settimeout(10 * daemon.SLOW)
        self.client.call("SetInput", {"id": "honest", "input": [{"kind": "keyboard", "fileDescriptorIndex": 0}]}, [theirs.fileno()])
        theirs.close()
        sink, theirs = socket.socketpair()      # which nobody reads
        self.addCleanup(sink.close)
        self.client.call("SetInput", {"id": "flood", "input": [{"kind": "keyboard", "fileDescriptorIndex": 0}]}, [theirs.fileno()])
        theirs.close()
        with Beside(str(self.daemon.dir / "rfb" / "honest"), self.honest) as good:
            _, pid = self.started("flood")
            viewer = self.daemon.viewer("honest")
            viewer.first()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                made.signal()
                viewer.key(0x62)
                viewer.key(0x62, False)
                got = b""
                while len(got) < 32:
                    got += ours.recv(32 - len(got))
                self.assertEqual([each[1:] for each in struct.iter_unpack("<HHi", got) if each[0]], [(48, 1), (48, 0)])
                self.look()
            self.assertIn(pid, self.daemon.children(), self.daemon.text())
            viewer.close()
        good.check(self, gap=2 * daemon.SLOW)

    def ended(self, name, pid, within):
        self.daemon.until(lambda: pid not in self.daemon.children(), f"the program of {name} is ended", within)

    def started(self, name):
        before = set(self.daemon.children())
        sock = self.knock(name)
        self.daemon.until(lambda: set(self.daemon.children()) - before, "a program runs")
        pid, = set(self.daemon.children()) - before
        return sock, pid

    def move(self, made, seconds, pid=None):
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end and (pid is None or pid in self.daemon.children()):
            turn += 1
            made.noise(turn)
            made.signal()
            time.sleep(0.05)

    def test_never_grants(self):
        made = self.display("slow")
        _, pid = self.started("slow")
        self.move(made, 2 * GRANT * daemon.SLOW, pid)
        self.ended("slow", pid, 1)

    def test_busy_is_not_stuck(self):
        made = self.display("busy")
        _, pid = self.started("busy")
        self.move(made, GRANT + 3)
        self.assertIn(pid, self.daemon.children())

    def test_takes_no_frames(self):
        """Words about a picture that cannot be shown are frames too, and need no grant: none more are made than it takes."""
        made = self.display("deaf", 1024, 768)
        _, pid = self.started("deaf")
        end = time.monotonic() + 3 * GRANT * daemon.SLOW
        turn = 0
        while time.monotonic() < end and pid in self.daemon.children():
            turn += 1
            made.show(made.plane(modifier=turn))
            made.signal()
            time.sleep(0.05)
        self.ended("deaf", pid, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
