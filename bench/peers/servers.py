# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that show the same pixels: vfio-displayd, and its peers. Ends only what it started."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402

BUILD = daemon.BUILD


def until(test, what, seconds=20):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def answers(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            return True
        except OSError:
            return False


class Server:
    """`displays`: for bench-play; `pids`: whose CPU time counts; `flips`: descriptors that bench-play inherits."""
    name = "?"
    polls = False
    most = (16384, 16384)         # what it can show
    refreshes = False             # lossy pictures become exact when they rest
    needs = ()                    # programs

    def __init__(self, scratch, width, height, lossy=False):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}.", dir=scratch))
        self.width, self.height, self.lossy = width, height, lossy
        self.processes, self.flips, self.log = [], [], open(self.dir / "log", "wb")
        self.socket = self.dir / "rfb"
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    @classmethod
    def missing(cls):
        return [name for name in cls.needs if not ((BUILD / name).exists() if name.startswith("bench-") else shutil.which(name))]

    def make_file(self, size=None, offset=0):
        """Where the pixels are, as a file in memory that the server maps."""
        self.file = self.dir / "pixels"
        with open(self.file, "wb") as file:
            file.truncate(size or offset + self.width * self.height * 4)
        self.offset = offset

    def spawn(self, *arguments, told=False, **more):
        """`told`: it reads 8 bytes for each complete picture."""
        inlet = subprocess.DEVNULL
        if told:
            inlet, outlet = os.pipe()
            self.flips.append(outlet)
        process = subprocess.Popen([str(a) for a in arguments], stdin=inlet, stdout=self.log, stderr=self.log, **more)
        if told:
            os.close(inlet)
        self.processes.append(process)
        return process

    def listens(self):
        return answers(self.socket)

    def wait(self):
        def ready():
            if self.processes[0].poll() is not None:
                raise RuntimeError(f"{self.name} has ended:\n{(self.dir / 'log').read_text(errors='replace')}")
            return self.listens()
        until(ready, f"{self.name} listens")

    @property
    def pids(self):
        return [self.processes[0].pid]

    @property
    def displays(self):
        return [f"{self.file},{self.offset},{self.width * 4},{self.flips[0] if self.flips else -1},{self.socket}"]

    def stop(self):
        for flip in self.flips:
            os.close(flip)
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Ours(Server):
    """vfio-displayd with a surface for each display, on the same memory as a guest's would be."""
    count = 1
    event = True
    refreshes = True
    config = ""

    def start(self):
        self.daemon, self.surfaces, self.held = None, [], []
        self.daemon = daemon.Daemon(config=self.config)
        for i in range(self.count):
            shown = surface.Surface(self.width, self.height)
            self.surfaces.append(shown)
            self.held.append(self.daemon.register(shown, f"x{i}", event=self.event, context={"viewersMaximum": 32}))

    @property
    def pids(self):
        return [self.daemon.pid]

    @property
    def displays(self):
        here = f"/proc/{os.getpid()}/fd"
        return [f"{here}/{s.fd},{s.start},{s.stride},{s.change if self.event else -1},{self.daemon.dir}/rfb/x{i}"
                for i, s in enumerate(self.surfaces)]

    def stop(self):
        for held in self.held:
            os.close(held)
        if self.daemon:
            for each in self.daemon.opened:
                each.close()
            self.daemon.stop(check=False)
        for each in self.surfaces:
            each.close()
        super().stop()


class Told(Ours):
    name = "vfd told"


class Polls(Ours):
    name, polls, event = "vfd polls", True, False


class Qemu(Server):
    """Its VNC server over ramfb in a shared file: a machine that never runs, set up over qtest."""
    name, polls, needs = "qemu", True, ("qemu-system-x86_64",)
    FRAME, RAM = 64 << 20, 256 << 20
    most = (2560, 2048)           # VNC_MAX_WIDTH and VNC_MAX_HEIGHT of QEMU 7.2

    def start(self):
        self.make_file(self.RAM, self.FRAME)
        qtest = self.dir / "qtest"
        self.spawn("qemu-system-x86_64", "-nodefaults", "-machine", "pc,memory-backend=ram", "-m", "256", "-accel", "tcg", "-S",
                   "-object", f"memory-backend-file,id=ram,size=256M,share=on,mem-path={self.file}", "-device", "ramfb",
                   "-vga", "none", "-display", "none", "-qtest", f"unix:{qtest},server=on,wait=off", "-qtest-log", "/dev/null",
                   "-vnc", f"unix:{self.socket}" + (",lossy=on" if self.lossy else ""))
        until(lambda: qtest.exists(), "QEMU makes its qtest socket")
        self.wait()
        with socket.socket(socket.AF_UNIX) as self.qtest:
            self.qtest.settimeout(20)
            self.qtest.connect(str(qtest))
            self.lines = self.qtest.makefile("r")
            self.configure(self.select("etc/ramfb"))

    def ask(self, text):
        self.qtest.sendall(text.encode() + b"\n")
        answer = self.lines.readline().split()
        if not answer or answer[0] != "OK":
            raise RuntimeError(f"{text}: {answer}")
        return int(answer[1], 16) if len(answer) > 1 else None

    def select(self, name):
        """A file's number, from the directory of fw_cfg (docs/specs/fw_cfg.rst)."""
        self.ask("outw 0x510 0x19")

        def read(size):
            return bytes(self.ask("inb 0x511") for _ in range(size))
        for _ in range(struct.unpack(">I", read(4))[0]):
            _, number, _, file = struct.unpack(">IHH56s", read(64))
            if file.rstrip(b"\0").decode() == name:
                return number
        raise RuntimeError(f"QEMU has no {name}")

    def configure(self, number):
        data, command = 0x10000, 0x20000
        config = struct.pack(">QIIIII", self.FRAME, surface.fourcc("XR24"), 0, self.width, self.height, self.width * 4)
        order = struct.pack(">IIQ", number << 16 | 0x18, len(config), data)        # select, write
        self.ask(f"write {data:#x} {len(config)} 0x{config.hex()}")
        self.ask(f"write {command:#x} {len(order)} 0x{order.hex()}")
        self.ask("outl 0x514 0")
        self.ask(f"outl 0x518 {int.from_bytes(struct.pack('>I', command), 'little'):#x}")


class X11vnc(Server):
    name, polls, needs = "x11vnc", True, ("x11vnc",)

    def start(self):
        self.make_file()
        environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
        self.spawn("x11vnc", "-norc", "-rawfb", f"map:{self.file}@{self.width}x{self.height}x32:ff0000/ff00/ff", "-unixsock",
                   self.socket, "-rfbport", "0", "-noipv6", "-no6", "-forever", "-shared", "-nopw", "-nocursor", "-nosel", "-quiet",
                   env=environment)
        self.wait()


class Lvs(Server):
    name, needs = "libvncserver", ("bench-serve-lvs",)
    program = "bench-serve-lvs"

    def start(self):
        self.make_file()
        self.spawn(BUILD / self.program, self.file, 0, self.width, self.height, self.socket, told=True)
        self.wait()


class Neatvnc(Lvs):
    name, needs, program = "neatvnc", ("bench-serve-neatvnc",), "bench-serve-neatvnc"

    def listens(self):            # 0.5.4 crashes when somebody connects and leaves at once
        return self.socket.exists()


class Xvnc(Server):
    """TigerVNC's; who puts the picture into it is not counted."""
    name, needs, refreshes = "xvnc", ("Xtigervnc", "bench-put-x"), True

    def start(self):
        self.make_file()
        inlet, outlet = os.pipe()
        self.spawn("Xtigervnc", "-displayfd", outlet, "-geometry", f"{self.width}x{self.height}", "-depth", "24", "-rfbunixpath",
                   self.socket, "-rfbport", "-1", "-SecurityTypes", "None", "-nolisten", "tcp", "-AlwaysShared", "-nocursor",
                   pass_fds=[outlet])
        os.close(outlet)
        with open(inlet) as reader:
            display = reader.readline().strip()
        if not display:
            raise RuntimeError(f"Xtigervnc says no display:\n{(self.dir / 'log').read_text(errors='replace')}")
        self.wait()
        self.spawn(BUILD / "bench-put-x", self.file, 0, self.width, self.height, told=True,
                   env=dict(os.environ, DISPLAY=f":{display}"))


PEERS = (Qemu, X11vnc, Lvs, Neatvnc, Xvnc)
