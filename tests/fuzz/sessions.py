#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random viewers: sessions over every transport, security type, encoding and extension, half of them with bytes changed on their way.

    BUILD=build RANDOM_SECONDS=600 sessions.py [SEED...]

A session is made by its seed alone. Those that failed before are in corpus/sessions, one seed a line, and come first; then new ones until
the time is over. RANDOM_SEED begins the new ones, else the clock does. With seeds as arguments there are no others.

A session that nothing was changed in must go as the protocol says. Whatever the others do, the RFB program stays the same, no sanitizer
complains, and a good viewer beside them sees every change. One session at a time, with rests: it takes little of a processor.
"""
import contextlib
import os
import pathlib
import random
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "proto"))
import daemon
import rfb
import websocket
from beside import Beside
from host import PASSWORD, Host

SEEDS = ROOT / "fuzz/corpus/sessions"
REST = 0.03                      # seconds between two sessions
SECURITY = ("none", "vncauth", "tlsNone", "tlsVnc", "tlsPlain", "x509Vnc", "x509Plain", "rsaAes", "rsaAes256")
ENCODINGS = (rfb.RAW, rfb.COPYRECT, rfb.RRE, rfb.CORRE, rfb.HEXTILE, rfb.ZLIB, rfb.TIGHT, rfb.ULTRA, rfb.ZRLE)
EXTRAS = (rfb.CURSOR, rfb.CURSOR_WITH_ALPHA, rfb.XCURSOR, rfb.POINTER_POS, rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE, rfb.LAST_RECT,
          rfb.DESKTOP_NAME, rfb.FENCE, rfb.CONTINUOUS_UPDATES, rfb.XVP, rfb.QEMU_KEYS, rfb.QEMU_LEDS, rfb.QEMU_MOTION,
          rfb.MOUSE_BUTTONS, -256, -247, -32, -23, -512, -412, -768, -765)
FORMATS = (rfb.XRGB, rfb.PixelFormat(red=(255, 0), blue=(255, 16)), rfb.PixelFormat(big=True),
           rfb.PixelFormat(16, 16, False, (31, 11), (63, 5), (31, 0)), rfb.PixelFormat(16, 16, True, (31, 11), (63, 5), (31, 0)),
           rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6)), rfb.PixelFormat(8, 8, False, (0, 0), (0, 0), (0, 0), true=False))
GONE = (OSError, EOFError, rfb.Refused, websocket.Refused)


class Late(Exception):
    """A session that is right in itself was not let in: the server's fault if it happens again."""


class Mutated:
    """A stream whose bytes are changed at times."""

    def __init__(self, inner, source, rate):
        self.inner, self.source, self.rate = inner, source, rate

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def sendall(self, data):
        if self.source.random() < self.rate:
            data = mutate(bytearray(data), self.source)
        for piece in pieces(data, self.source):
            self.inner.sendall(piece)


def mutate(data, source):
    for _ in range(source.choice((1, 1, 2, 5))):
        kind, at = source.randrange(7), source.randrange(len(data) + 1)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << source.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = source.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            del data[at:at + source.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = source.randbytes(source.choice((1, 4, 64)))
        elif kind == 4:
            data += data[at:]
        elif kind == 5 and len(data) >= 4:
            at = source.randrange(len(data) - 3)
            data[at:at + 4] = source.choice((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\xff\xff"))
        elif kind == 6:
            del data[at:]
    return bytes(data)


def pieces(data, source):
    if len(data) < 2 or source.random() < 0.8:
        return [data]
    at = source.randrange(1, len(data))
    return [data[:at], data[at:]]


class Session:
    def __init__(self, host, seed):
        self.host, self.seed, self.source = host, seed, random.Random(seed)
        self.valid = self.source.random() < 0.5
        self.rate = 0 if self.valid else self.source.choice((0.02, 0.1, 0.4))
        self.done = []               # what it did, for people

    def run(self):
        """Raises AssertionError where a valid session does not go as it should."""
        try:
            client = self.connect()
        except GONE as error:
            if self.valid:
                raise Late(f"not let in: {self.done} {type(error).__name__}: {error}") from error
            return
        except (AssertionError, struct.error, ValueError):
            if self.valid:           # else it misunderstands what it has changed itself
                raise
            return
        try:
            self.play(client)
        except GONE as error:
            if self.valid:
                raise AssertionError(f"thrown out: {self.done} {type(error).__name__}: {error}") from error
        except (AssertionError, struct.error, ValueError):
            if self.valid:
                raise
        finally:
            with contextlib.suppress(OSError):
                client.close()

    def connect(self):
        source, kind = self.source, self.source.choice(SECURITY)
        transport = source.choice(("rfb", "rfb", "ws", "wss"))
        if transport != "rfb":
            kind = source.choice(("none", "vncauth", "vncauth")) if transport == "ws" else source.choice(("vncauth", "plain"))
        version = "3.8" if kind not in ("none", "vncauth") else source.choice(("3.3", "3.7", "3.8", "3.889"))
        if version == "3.3":
            kind = "none"            # what the server puts first
        self.done.append((transport, version, kind))
        where = ("127.0.0.1", self.host.port)
        client = rfb.Client(where, timeout=(10 if self.valid else 0.5) * daemon.SLOW, handshake=False, security=kind,
                            user=source.choice(("", "u", "somebody")), password=PASSWORD, ca=self.host.ca, server_name="localhost",
                            wss=transport == "wss")
        if transport != "rfb" and source.random() < 0.5:
            client.sock = Mutated(client.sock, source, self.rate)
        if transport != "rfb":
            client.sock = websocket.Stream(client.sock, source.choice(("/", "/websockify")), host=f"127.0.0.1:{self.host.port}")
        if not (kind.startswith(("tls", "x509"))):   # TLS wants the socket itself
            client.sock = Mutated(client.sock, source, self.rate)
        if version == "3.3":
            client.wanted.kind = None
        client.handshake(version, shared=source.randrange(2))
        if not isinstance(client.sock, Mutated):
            client.sock = Mutated(client.sock, source, self.rate)
        return client

    def play(self, client):
        source = self.source
        encodings = source.sample(ENCODINGS, source.randrange(1, 5)) + source.sample(EXTRAS, source.randrange(len(EXTRAS)))
        self.announced = set(encodings)
        if source.random() < 0.5:
            client.set_format(source.choice(FORMATS))
        client.set_encodings(*encodings)
        if self.valid and source.random() < 0.7:
            client.first()
        for _ in range(source.choice((3, 10, 30))):
            self.step(client)
        if self.valid:               # and it is still served
            client.request(incremental=False)
            client.update()
            while not client.rects:
                client.request(incremental=False)
                client.update()

    def step(self, client):
        source = self.source
        name = source.choice(("request", "request", "read", "key", "pointer", "cut", "fence", "continuous", "xvp", "qemu", "size",
                              "encodings", "garbage", "rest"))
        self.done.append(name)
        if name == "request":
            client.request(source.random() < 0.7, None if source.random() < 0.5 else [source.randrange(400) for _ in range(4)])
        elif name == "read":
            self.read(client)
        elif name == "key":
            client.key(source.choice((0x61, 0xff0d, 0, 0xffffffff)), source.random() < 0.6)
        elif name == "pointer":
            more = source.randrange(4) if rfb.MOUSE_BUTTONS in self.announced and source.random() < 0.5 else None
            client.point(source.randrange(700), source.randrange(500), source.randrange(128), more)
        elif name == "cut":
            client.cut(source.randbytes(source.choice((0, 1, 100, 20000))))
        elif name == "fence" and rfb.FENCE in self.announced:
            flags = source.choice((0, rfb.FENCE_REQUEST)) | source.randrange(8)
            client.fence(flags, source.randbytes(source.choice((0, 8, 64))))
        elif name == "continuous" and rfb.CONTINUOUS_UPDATES in self.announced:
            client.continuous(source.random() < 0.5, None if source.random() < 0.5 else [source.randrange(400) for _ in range(4)])
        elif name == "xvp" and rfb.XVP in self.announced:
            client.xvp(source.choice((2, 3, 4)))
        elif name == "qemu" and rfb.QEMU_KEYS in self.announced:
            client.qemu_key(source.randrange(256), 0x61, source.random() < 0.6)
        elif name == "size" and rfb.EXTENDED_DESKTOP_SIZE in self.announced:
            client.ask_size(source.randrange(2000), source.randrange(2000))
        elif name == "encodings":
            again = source.sample(ENCODINGS, 3) + [each for each in self.announced if each not in ENCODINGS]
            client.set_encodings(*again)
        elif name == "garbage" and not self.valid:
            client.send(source.randbytes(source.choice((1, 20, 500))))
        elif name == "rest":
            time.sleep(source.choice((0, 0.01, 0.05)))

    def read(self, client):
        with contextlib.suppress(TimeoutError):
            client.hear(time.monotonic() + 0.02)


class Run:
    def __init__(self, host, good):
        self.host, self.good = host, good
        self.program = host.daemon.rfb_programs()
        self.count = self.failed = 0

    def session(self, seed):
        session = Session(self.host, seed)
        try:
            session.run()
        except Late as late:
            # A client that says nothing for a while, as one on a busy machine does, is taken for one that speaks RFB (LIMIT_SNIFF_MS).
            print(f"# session of seed {seed} once more - {late}", flush=True)
            session = self.again(seed)
        except AssertionError as error:
            self.fail(seed, error)
        if self.host.daemon.process.poll() is not None or self.host.daemon.rfb_programs() != self.program:
            self.fail(seed, f"the RFB program is another one: {session.done}\n{self.host.daemon.text()[-4000:]}")
            self.program = self.host.daemon.rfb_programs()
        self.count += 1
        time.sleep(REST)

    def again(self, seed):
        session = Session(self.host, seed)
        try:
            session.run()
        except (AssertionError, Late) as error:
            self.fail(seed, error)
        return session

    def fail(self, seed, why):
        self.failed += 1
        print(f"not ok session of seed {seed} - {why}", flush=True)
        if os.environ.get("RANDOM_KEEP"):
            with open(os.environ["RANDOM_KEEP"], "a") as kept:
                kept.write(f"{seed}\n")


def kept_seeds():
    if not SEEDS.exists():
        return []
    return [int(line.split()[0]) for line in SEEDS.read_text().splitlines() if line.strip() and not line.startswith("#")]


def play(host, seeds, seconds):
    client = host.daemon.connect()
    sock, _ = client.attach("guest")
    with sock:
        good = Beside(sock, host.surface)
    with good:
        run = Run(host, good)
        for seed in seeds or kept_seeds():
            run.session(seed)
        first = seed = int(os.environ.get("RANDOM_SEED") or time.time_ns() // 1000)
        print(f"# seeds from {first} on", flush=True)
        end = time.monotonic() + (0 if seeds else seconds)
        while time.monotonic() < end and run.failed < 10 and host.daemon.rfb_programs():
            run.session(seed)
            seed += 1
    print(f"# {run.count} sessions, the good viewer saw {good.seen}")
    return run


def main():
    seeds = [int(each) for each in sys.argv[1:]]
    seconds = float(os.environ.get("RANDOM_SECONDS") or 30)
    with Host(" ".join(SECURITY), transports="rfb websocket secureWebsocket", password=PASSWORD, size=(320, 240),
              viewers="insecure = yes\nstall-seconds = 3") as host:
        run = play(host, seeds, seconds)
    if not run.failed:
        print("ok random sessions")
    seen = run.good.seen
    late = seen.get("gap", 99) >= 0.5 * daemon.SLOW
    print("not ok the good viewer beside them - " + str(seen) if late or not seen.get("same") else "ok the good viewer beside them")
    sys.exit(bool(run.failed or late or not seen.get("same")))


if __name__ == "__main__":
    main()
