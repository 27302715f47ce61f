# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the broker for vfio-displayd-rfb (src/frame/link.h, src/frame/frame.h), and a viewer that knows Raw only.

    with Broker(PROGRAM) as broker:
        broker.show(640, 480)
        path = broker.listen_unix()
        viewer = Viewer(path)
"""

import array
import fcntl
import mmap
import os
import pathlib
import re
import select
import signal
import socket
import struct
import tempfile
import threading
import time

HELLO, LISTENER, VIEWER, FRAME, WANT_WRITE, PUBLISH, DETACH, SIZES, STOP, TLS, POLICY, UNLISTEN, VERDICT, NAME, LEDS, \
    POINTER_MODE, RESUME = range(1, 18)
READY, MAY_WRITE, VIEWER_ADDED, VIEWER_STATE, VIEWER_GONE, WATCH, IDLE, BUSY, TAKEN, RESIZE, CHECK, POWER, \
    RESUMED, HERE, TIMES, INPUT = range(64, 80)
LINK_H = pathlib.Path(__file__).resolve().parents[2] / "src/frame/link.h"
VERSION = int(re.search(r"^#define LINK_VERSION (\d+)u", LINK_H.read_text(), re.M)[1])
# Of listeners; the first two are RFB's numbers too.
NONE, VNCAUTH, TLS_NONE, TLS_VNC, TLS_PLAIN, X509_NONE, X509_VNC, X509_PLAIN, RSA_AES, RSA_AES_256 = (
    1 << i for i in range(10))
RFB, WEBSOCKET, SECURE_WEBSOCKET = 1, 2, 4
VIEW, CONTROL, EXCLUSIVE = 1, 2, 3
CHALLENGE = bytes(range(16))

MESSAGE_SIZE = 512
PAGE = 4096
CURSOR_SIDE = 256
MAGIC = 0x46524D31
F_ADD_SEALS = 1033
SEALS = 0x1 | 0x2 | 0x4 | 0x10  # SEAL, SHRINK, GROW, FUTURE_WRITE


def round_up(value, to):
    return (value + to - 1) // to * to


def message(kind, body=b""):
    # The union is aligned to its largest number, 8 bytes.
    return struct.pack("=II", kind, 0) + body.ljust(MESSAGE_SIZE - 8, b"\0")


class Frame:
    def __init__(self, width, height, generation, placard=0):
        self.width, self.height, self.generation = width, height, generation
        self.stride = round_up(width * 4, 64)
        self.block_words = -(-(-(-width // 16)) // 64)
        self.block_rows = -(-height // 16)
        self.damage_offset = PAGE
        at = PAGE + round_up(self.block_words * self.block_rows * 8, PAGE)
        self.left_offset = at
        at += round_up(self.block_words * self.block_rows * 8, PAGE)
        self.cursor_offset = at
        at += CURSOR_SIDE * CURSOR_SIDE * 4
        self.pixels_offset = at
        self.size = at + round_up(self.stride * height, PAGE)
        self.fd = os.memfd_create("frame", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        self.map = mmap.mmap(self.fd, self.size)
        self.map[:64] = struct.pack(
            "=6I5Q", MAGIC, generation, width, height, self.stride, placard, self.damage_offset,
            self.left_offset, self.cursor_offset, self.pixels_offset, self.size)
        fcntl.fcntl(self.fd, F_ADD_SEALS, SEALS)

    def fill(self, pixel, rows=None):
        row = struct.pack("=I", pixel) * self.width
        for y in range(self.height) if rows is None else rows:
            at = self.pixels_offset + y * self.stride
            self.map[at:at + len(row)] = row

    def damage_all(self):
        size = self.block_words * self.block_rows * 8
        self.map[self.damage_offset:self.damage_offset + size] = b"\xff" * size

    def close(self):
        self.map.close()
        os.close(self.fd)


class Broker:
    """The broker's side, with a thread that does the grants. `moving`: a new picture whenever the last one was taken."""

    def __init__(self, program, viewers=16, frames=1000, grace_ms=60000, stall_ms=30000, level=3, role=0,
                 rate=0, sharing=0, power=0, ready=True):
        self.directory = tempfile.TemporaryDirectory(prefix="rfb-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = tempfile.TemporaryFile()
        self.pid = os.posix_spawn(
            program, [program], {"PATH": "/nowhere", **{k: v for k, v in os.environ.items() if "SAN" in k}},
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                          (os.POSIX_SPAWN_DUP2, self.log.fileno(), 2),
                          (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)])
        theirs.close()
        self.link = ours
        self.link.setblocking(False)
        self.status = None
        self.lock = threading.Condition()
        self.messages = []
        self.watch = self.audience = 0
        self.frame = None
        self.moving = False
        self.asked = self.owed = False
        self.published = 0
        self.listeners = []
        self.over = False
        self.generation = self.turn = 0
        self.deaf = False  # RESUME has been said, RESUMED has not come
        self.hello = lambda turn=0, role=role, viewers=viewers, sharing=sharing, id=b"test", challenge=CHALLENGE: \
            struct.pack("=12I16s65s129s", VERSION, role, viewers, frames, rate, sharing, power, 1, grace_ms, stall_ms,
                        level, turn, challenge, id, "Tést display".encode())
        self.send(HELLO, self.hello())
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        if ready:
            self.wait(READY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, kind, body=b"", fd=None):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        while True:
            try:
                self.link.sendmsg([message(kind, body)], control)
                return
            except BlockingIOError:
                select.select([], [self.link], [], 1)
            except BrokenPipeError:  # it has ended; the thread hears of it
                return

    # The thread: answers and grants.
    def _run(self):
        while not self.over:
            with self.lock:
                self._want()
            if not select.select([self.link], [], [], 0.02)[0]:
                continue
            try:
                data = self.link.recv(MESSAGE_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            with self.lock:
                if not data:
                    self.over = True
                else:
                    self._got(struct.unpack_from("=I", data)[0], data[8:])
                self.lock.notify_all()

    def _want(self):
        if (self.moving or self.owed) and self.watch and self.frame and not self.asked:
            self.asked = True
            self.send(WANT_WRITE, struct.pack("=II", self.frame.generation, 0))

    def _got(self, kind, body):
        if self.deaf:
            if kind != RESUMED or struct.unpack_from("=II", body)[1] != self.turn:
                return
            self.deaf = False
            self.generation, _, *size = struct.unpack_from("=6I", body)[2:]
            self.size = tuple(size)
        if kind == MAY_WRITE:
            if self.asked and struct.unpack_from("=I", body)[0] == self.frame.generation:
                self.asked = self.owed = False
                if self.moving:
                    self._paint(self.published * 0x10305 & 0xFFFFFF)
                else:
                    self.publish(0)
            return
        if kind == WATCH:
            self.watch, self.audience = struct.unpack_from("=II", body)
            self.owed = self.watch > 0  # a publish: who comes to an unwatched picture waits for one
        self.messages.append((kind, body))

    def _paint(self, pixel):
        self.published += 1
        self.frame.fill(pixel)
        self.frame.damage_all()
        self.publish(1)

    def publish(self, damaged, audience=None):
        self.send(PUBLISH, struct.pack("=III", self.frame.generation, damaged,
                                       self.audience if audience is None else audience))

    def show(self, width, height, pixel=0x123456, placard=0):
        """A new frame, filled and published at once: nobody reads it before."""
        with self.lock:
            generation = (self.frame.generation if self.frame else self.generation) + 1
            old, self.frame = self.frame, Frame(width, height, generation, placard)
            self.asked = False
            self.send(FRAME, struct.pack("=III", generation, width, height), self.frame.fd)
            self._paint(pixel)
            if old:
                old.close()

    def pause(self):
        """It reads nothing."""
        self.over = True
        self.thread.join()
        self.over = False

    def go_on(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # Another broker takes over.
    def die(self):
        """Nobody reads the link any more, but somebody holds it."""
        self.pause()
        self.messages.clear()
        if self.frame:
            self.frame.close()
        self.frame = None
        self.asked = self.owed = self.moving = False
        self.watch = 0

    def resume(self, listen=True, **options):
        """The next broker is there, and knows the listeners."""
        self.turn += 1
        self.deaf = True
        self.send(RESUME, self.hello(self.turn, **options))
        for sock, body in self.listeners if listen else ():
            self.send(LISTENER, body, sock.fileno())
        self.go_on()

    def resumed(self):
        """What RESUMED and HERE tell: {viewer: (mode, in, peer)}"""
        _, turn, _, viewers = struct.unpack_from("=4I", self.wait(RESUMED))
        assert turn == self.turn
        here = [self.wait(HERE) for _ in range(viewers)]
        return {struct.unpack_from("=I", body)[0]:
                (*struct.unpack_from("=II", body, 4), body[12:76].split(b"\0")[0].decode()) for body in here}

    def move(self, moving=True):
        with self.lock:
            self.moving = moving

    def take(self, kind):
        with self.lock:
            for i, (k, body) in enumerate(self.messages):
                if k == kind:
                    del self.messages[i]
                    return body
        return None

    def wait(self, kind, seconds=10, check=lambda body: True):
        """The next message of that kind, which leaves the list."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body = self.take(kind)
            if body is not None and check(body):
                return body
            with self.lock:
                if self.over and not any(k == kind for k, _ in self.messages):
                    break
                self.lock.wait(0.05)
        raise AssertionError(f"no message {kind}; log: {self.read_log()}")

    def listen(self, sock, security=NONE, password=b"", mode=CONTROL, transports=RFB, tickets=0, login=0, origins=b""):
        sock.listen(512)
        sock.setblocking(False)
        body = struct.pack("=5I9s256s", mode, security, transports, tickets, login, password, origins)
        self.send(LISTENER, body, sock.fileno())
        self.listeners.append((sock, body))

    def listen_unix(self, **options):
        path = os.path.join(self.directory.name, f"s{len(self.listeners)}")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        self.listen(sock, **options)
        return path

    def listen_tcp(self, family=socket.AF_INET, host="127.0.0.1", **options):
        sock = socket.socket(family)
        sock.bind((host, 0))
        self.listen(sock, **options)
        return sock.getsockname()[:2]

    def attach(self, sock, viewer=2, mode=VIEW):
        self.send(VIEWER, struct.pack("=II129s", viewer, mode, b"label"), sock.fileno())

    def sizes(self, width, height):
        """The largest that viewers may ask for."""
        self.send(SIZES, struct.pack("=II", width, height))

    def policy(self, viewers=16, frames=1000, rate=0, sharing=0, power=0):
        self.send(POLICY, struct.pack("=6I", viewers, frames, rate, sharing, power, 1))

    def unlisten(self):
        self.send(UNLISTEN)

    def detach(self, viewer, reason=b""):
        self.send(DETACH, struct.pack("=II64s64s", viewer, VIEW, b"", reason))

    # What the process is made of.
    def proc(self, name):
        with open(f"/proc/{self.pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def status_field(self, name):
        for line in self.proc("status").splitlines():
            if line.startswith(name + ":"):
                return line.split()[1]
        return None

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_kib(self):
        return int(self.status_field("RssAnon"))

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def alive(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is None

    def exit_status(self, seconds=10):
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > end:
                raise AssertionError("the program does not exit")
            time.sleep(0.01)
        return self.status

    def close(self):
        self.over = True
        self.thread.join()
        self.link.close()
        try:
            self.exit_status(20)
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            self.exit_status()
            raise
        finally:
            for sock, _ in self.listeners:
                sock.close()
            if self.frame:
                self.frame.close()
            self.log.close()
            self.directory.cleanup()


def connect(address, seconds=10):
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else
                         socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.settimeout(seconds)
    sock.connect(address)
    return sock


def sanitized(program):
    """Its memory is not its own then, and it has no system call filter."""
    with open(program, "rb") as file:
        data = file.read()
    return any(name in data for name in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


class Closed(Exception):
    pass


class Viewer:
    """A viewer that speaks Raw, DesktopSize and ExtendedDesktopSize."""

    def __init__(self, address, version=b"003.008", answer=None, encodings=(0, -223), init=True, choose=None,
                 shared=True):
        self.sock = address if isinstance(address, socket.socket) else connect(address)
        self.minor = {b"003.003": 3, b"003.005": 3, b"003.007": 7}.get(version, 8)
        self.failure = None
        self.picture = None
        self.last = None  # the pixel in the corner
        self.updates = []  # times
        self.layouts = []  # (reason, status) of ExtendedDesktopSize
        assert self.read(12) == b"RFB 003.008\n"
        self.sock.sendall(b"RFB " + version + b"\n")
        self.security(answer, choose)
        if self.failure is None and init:
            self.initialise(shared)
            self.set_encodings(encodings)

    def read(self, size):
        parts = []
        while size:
            data = self.sock.recv(min(size, 1 << 20))
            if not data:
                raise Closed()
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def unpack(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def reason(self):
        return self.read(self.unpack(">I")[0]).decode()

    def security(self, answer, choose):
        if self.minor == 3:
            kind = self.unpack(">I")[0]
            offered = [kind]
        else:
            offered = list(self.read(self.unpack("B")[0]))
            kind = offered[0] if offered else 0
        self.offered = offered
        if kind == 0:
            self.failure = self.reason()
            return
        if self.minor > 3:
            self.sock.sendall(bytes([choose or kind]))
        if kind == VNCAUTH:
            self.sock.sendall(answer(self.read(16)))
        if kind == VNCAUTH or self.minor == 8:
            if self.unpack(">I")[0]:
                self.failure = self.reason() if self.minor == 8 else "failed"

    def initialise(self, shared=True):
        self.sock.sendall(bytes([shared]))
        self.width, self.height = self.unpack(">HH")
        self.format = self.read(16)
        self.name = self.read(self.unpack(">I")[0]).decode()

    def set_encodings(self, encodings):
        self.sock.sendall(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def request(self, incremental=True, area=None):
        self.sock.sendall(struct.pack(">BB4H", 3, incremental, *(area or (0, 0, self.width, self.height))))

    def ask_size(self, width, height, screens=None):
        """SetDesktopSize; `screens`: (x, y, width, height) each, None: one as large as all."""
        screens = [(0, 0, width, height)] if screens is None else screens
        self.sock.sendall(struct.pack(">BxHHBx", 251, width, height, len(screens)) +
                          b"".join(struct.pack(">I4HI", 0, *screen, 0) for screen in screens))

    def rectangle(self):
        x, y, width, height, encoding = self.unpack(">4Hi")
        if encoding == 0:
            data = self.read(width * height * 4)
            if width and height:
                self.last = struct.unpack_from("<I", data)[0] & 0xFFFFFF
                self.uniform = data == data[:4] * (width * height)
        elif encoding == -223:
            self.width, self.height = width, height
        elif encoding == -308:
            self.layouts.append((x, y))
            self.read(self.unpack("Bxxx")[0] * 16)
            if y == 0:
                self.width, self.height = width, height
        else:
            raise AssertionError(f"encoding {encoding} was not asked for")

    def update(self):
        """Reads one FramebufferUpdate; skips what is none."""
        while True:
            kind = self.read(1)[0]
            if kind == 0:
                for _ in range(self.unpack(">xH")[0]):
                    self.rectangle()
                self.updates.append(time.monotonic())
                return
            assert kind == 2, f"message {kind}"

    def until(self, pixel, seconds=10):
        end = time.monotonic() + seconds
        while self.last != pixel:
            assert time.monotonic() < end, f"never saw {pixel:06x}, last {self.last}"
            self.request()
            self.update()

    def close(self):
        self.sock.close()


class Ticker(threading.Thread):
    """Wakes up all the time: how late, at worst, is what this machine does to everybody."""

    def __init__(self):
        super().__init__(daemon=True)
        self.late = 0
        self.done = False
        self.start()

    def run(self):
        while not self.done:
            before = time.monotonic()
            time.sleep(0.01)
            self.late = max(self.late, time.monotonic() - before - 0.01)


class GoodViewer(threading.Thread):
    """Looks all the time; largest_gap() says how well it was served."""

    def __init__(self, address, **options):
        super().__init__(daemon=True)
        self.viewer = Viewer(address, **options)
        self.done = False
        self.error = None
        self.start()

    def run(self):
        try:
            self.viewer.request(False)
            while not self.done:
                self.viewer.update()
                self.viewer.request()
        except (OSError, Closed, AssertionError) as error:
            if not self.done:
                self.error = error

    def largest_gap(self):
        times = self.viewer.updates + [time.monotonic()]
        return max((b - a for a, b in zip(times, times[1:])), default=99)

    def finish(self):
        self.done = True
        self.viewer.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.viewer.close()
