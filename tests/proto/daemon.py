# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts a vfio-displayd of its own for a test, and looks at what it uses. Ends only what it started."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import rfb
import varlink

BUILD = pathlib.Path(os.environ.get("BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
SANITIZED = os.environ.get("SANITIZED", "")     # "address" or "thread", where the build has one of them
SLOW = 4 if SANITIZED else 1      # waits are longer there, claims are the same
# What is resident for a byte that a program asked for: the address sanitizer keeps what was freed for a while, the thread sanitizer has
# some ten bytes for each, for good.
RESIDENT = {"": 1, "thread": 12}.get(SANITIZED, 4)


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Daemon:
    def __init__(self, *arguments, config="", user=None, through=()):
        """`through`: a command that becomes the daemon, in another namespace for example."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.control = str(self.dir / "control")
        self.log = open(self.dir / "log", "w+b")
        (self.dir / "conf").write_text(config)
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:abort_on_error=1:quarantine_size_mb=16",
                           UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                           TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1")
        self.process = subprocess.Popen(
            [*through, BUILD / "vfio-displayd", "--config", self.dir / "conf", "--control", self.control, *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)
        self.pid = self.process.pid
        self.opened = []
        end = time.monotonic() + 30 * SLOW
        while True:
            try:
                with self.connect() as client:      # it answers when all it listens at is there
                    client.call("org.varlink.service.GetInfo")
                break
            except (OSError, EOFError):
                if self.process.poll() is not None or time.monotonic() > end:
                    text = self.text()
                    self.stop(check=False)
                    raise AssertionError(f"the daemon does not start:\n{text}") from None
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for each in self.opened:
            each.close()
        if kind:
            print(f"---- the daemon's log ----\n{self.text()}----")
        self.stop(check=kind is None)

    def text(self):
        self.log.flush()
        return (self.dir / "log").read_text(errors="replace")

    def stop(self, check=True):
        self.process.terminate()
        try:
            status = self.process.wait(15 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "it did not end"
        text = self.text()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
            if word in text:
                raise AssertionError(f"{word}\n{text}")
        if check and status != 0:
            raise AssertionError(f"the daemon ended with {status}\n{text}")

    # ---- its peers ----

    def connect(self):
        client = varlink.Client(self.control, timeout=15 * SLOW)
        if hasattr(self, "opened"):
            self.opened.append(client)
        return client

    def register(self, surface, display, lease=None, event=True, client=None, flags=None, **more):
        """Registers with a pipe as lease unless one is given; returns the end that holds it. `flags`: of the call."""
        held = None
        if lease is None:
            lease, held = os.pipe()
        fds = [surface.fd, lease] + ([surface.change] if event else [])
        parameters = {"context": {"id": display, **more.pop("context", {})}, "source": "surface",
                      "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1, **more}
        if event:
            parameters["changeFileDescriptorIndex"] = 2
        (client or self.connect()).call("Register", parameters, fds, **(flags or {}))
        if held is not None:
            os.close(lease)
        return held

    def viewer(self, display, **more):
        client = rfb.Client(str(self.dir / "rfb" / display), timeout=10 * SLOW, **more)
        self.opened.append(client)
        return client

    # ---- what it uses ----

    def children(self):
        text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    @staticmethod
    def name(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""

    def rfb_programs(self):
        return [pid for pid in self.children() if self.name(pid).startswith("vfio-displayd-r")]

    def fds(self, pid=None):
        return len(os.listdir(f"/proc/{pid or self.pid}/fd"))

    def open_files(self, pid=None):
        out = []
        for each in os.listdir(f"/proc/{pid or self.pid}/fd"):
            try:
                out.append(os.readlink(f"/proc/{pid or self.pid}/fd/{each}"))
            except OSError:
                pass
        return out

    @staticmethod
    def memory(pid):
        """Private and shared resident KiB."""
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    @staticmethod
    def wakeups(pid):
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            for line in pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
        return total

    def until(self, test, what, timeout=30):
        end = time.monotonic() + timeout * SLOW
        while not test():
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout} s: {what}")
            time.sleep(0.02)

    @staticmethod
    def signal(pid, number=signal.SIGKILL):
        os.kill(pid, number)
