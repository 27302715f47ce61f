# SPDX-License-Identifier: GPL-2.0-or-later
"""A service manager for one vfio-displayd: a notify socket, a store of descriptors that outlives the daemon, the control socket.

    with systemd.Service() as service:
        lease = service.register(guest, "guest")
        service.crash()
        service.start()

As systemd's (src/core/service.c): a file that is stored twice is stored once, FDSTOREREMOVE closes all of a name, a barrier is answered when
all before it is done. What the daemon leaves running (KillMode=process) becomes this process's child.
"""
import array
import collections
import ctypes
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import daemon
import varlink

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_KCMP = {"x86_64": 312, "aarch64": 272}[os.uname().machine]
PR_SET_CHILD_SUBREAPER = 36
FIRST = 3             # SD_LISTEN_FDS_START


def same_file(one, other):
    if os.fstat(one)[1:3] != os.fstat(other)[1:3]:     # many, and each asks about all
        return False
    pid = os.getpid()
    return LIBC.syscall(SYS_KCMP, pid, pid, 0, one, other) == 0


class Busy:
    """A notify socket that nobody reads, with a queue that is full, until hear() is called."""

    def __init__(self, address):
        self.address = str(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            while True:
                try:
                    other.sendto(b"NOISE=1", socket.MSG_DONTWAIT, self.address)
                except BlockingIOError:
                    return

    def hear(self, *wanted):
        """All that is said until these have been."""
        self.socket.settimeout(20 * daemon.SLOW)
        heard = []
        while not set(wanted) <= set(heard):
            heard.append(self.socket.recv(4096).decode())
        return heard

    def close(self):
        self.socket.close()


class Store:
    """What the daemon has put: [(name, fd)], in order."""

    def __init__(self, most=100000):
        self.most = most
        self.deaf = False     # True: what is to be removed stays
        self.kept = []
        self.lock = threading.Lock()
        self.seen = collections.Counter()

    def put(self, name, fd, poll):
        with self.lock:
            self.seen["put"] += 1
            assert poll is False, f"{name} would be closed when it hangs up"
            if len(self.kept) >= self.most or any(same_file(fd, each) for _, each in self.kept):
                os.close(fd)
                return
            self.kept.append((name, fd))

    def remove(self, name):
        with self.lock:
            self.seen["remove"] += 1
            if self.deaf:
                return
            for each, fd in self.kept:
                if each == name:
                    os.close(fd)
            self.kept = [(each, fd) for each, fd in self.kept if each != name]

    def empty(self):
        with self.lock:
            for _, fd in self.kept:
                os.close(fd)
            self.kept = []

    def names(self, kind=None):
        with self.lock:
            return [name for name, _ in self.kept if kind in (None, name.split(".")[0])]

    def holds(self, inode):
        with self.lock:
            return any(os.fstat(fd).st_ino == inode for _, fd in self.kept)


class Service(daemon.Daemon):
    def __init__(self, *arguments, config="", most=100000, slow=0):
        """`most`: descriptors that the store takes. `slow`: seconds between two messages that are read."""
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.control = str(self.dir / "control")
        self.log = open(self.dir / "log", "w+b")
        (self.dir / "conf").write_text(config)
        self.arguments = arguments
        self.opened = []
        self.store = Store(most)
        self.slow = slow
        self.messages = []
        self.ready = threading.Event()
        self.reads = threading.Event()      # cleared: nothing is read from the notify socket, which is full soon
        self.reads.set()
        self.hearing = threading.Lock()     # held from when a message leaves the socket until it is obeyed
        self.process = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.control)
        self.listener.listen(128)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.dir / "notify"))
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.hear, daemon=True)
        self.thread.start()
        self.start()

    # ---- what it hears ----

    def hear(self):
        while not self.ended.is_set():
            if not self.reads.wait(0.2) or not select.select([self.notify], [], [], 0.2)[0]:
                continue
            with self.hearing:
                data, ancillary, _, _ = self.notify.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 768), socket.MSG_CMSG_CLOEXEC)
                fds = array.array("i")
                for level, kind, content in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        fds.frombytes(content)
                self.obey(dict(line.split("=", 1) for line in data.decode().splitlines() if line), list(fds))
            if self.slow:
                time.sleep(self.slow)

    def obey(self, message, fds):
        self.messages.append(message)
        if message.get("FDSTORE") == "1":
            for fd in fds:
                self.store.put(message["FDNAME"], fd, message.get("FDPOLL") != "0")
            return
        if message.get("FDSTOREREMOVE") == "1":
            self.store.remove(message["FDNAME"])
        for fd in fds:
            os.close(fd)
        if message.get("READY") == "1":
            self.ready.set()

    def heard(self):
        with self.hearing:
            return not select.select([self.notify], [], [], 0)[0]

    def told(self):
        """The daemon keeps nothing back: the socket takes few messages, and it waits with the others."""
        if not self.ready.is_set() or self.process.poll() is not None:
            return True
        with varlink.Client(self.control, timeout=20 * daemon.SLOW) as client:
            client.call("Dump")
            words = os.pread(client.fds[0], 1 << 24, 0).decode()
            os.close(client.fds[0])
        return "has not heard of" not in words.splitlines()[-1]

    def settle(self):
        """All that the daemon has to say until now has been heard."""
        self.until(self.told, "the daemon has told all")
        self.until(self.heard, "the notify socket is read")

    # ---- its life ----

    def start(self, wait=True):
        self.ready.clear()
        self.settle()
        with self.store.lock:
            given = [("varlink", self.listener.fileno()), *self.store.kept]
        high = FIRST + len(given) + 64

        def place():
            import fcntl
            for at, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, high) for _, fd in given]):
                os.dup2(fd, FIRST + at)
                os.close(fd)

        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:abort_on_error=1:quarantine_size_mb=16",
                           UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                           TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1",
                           NOTIFY_SOCKET=str(self.dir / "notify"), LISTEN_FDS=str(len(given)),
                           LISTEN_FDNAMES=":".join(name for name, _ in given))
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", daemon.BUILD / "vfio-displayd", "--config", self.dir / "conf",
             "--control", self.control, "--state-dir", self.dir, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment, close_fds=False, preexec_fn=place)
        self.pid = self.process.pid
        if wait:
            self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + 20 * daemon.SLOW
        while not self.ready.wait(0.02):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the daemon does not start:\n{self.text()}")

    def crash(self, settled=True):
        """As kill -9, or the kernel, does. It is not started again. What is kept is what was heard: all, unless it is not `settled`."""
        if settled:
            self.settle()
        self.process.kill()
        self.process.wait()

    def restart(self, wait=True):
        self.process.terminate()
        self.expect_end()
        self.start(wait)

    def expect_end(self):
        try:
            status = self.process.wait(15 * daemon.SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.text()}") from None
        if status != 0:
            raise AssertionError(f"it ended with {status}:\n{self.text()}")

    def stop_service(self):
        """systemctl stop: the store is emptied when the daemon has ended."""
        self.process.terminate()
        self.expect_end()
        self.settle()
        self.store.empty()

    def stop(self, check=True):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(15 * daemon.SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "it did not end"
        self.settle()
        self.store.empty()
        try:
            self.until(lambda: not self.rfb_programs(), "all RFB programs end with what was kept")
        finally:
            self.ended.set()
            self.thread.join()
            self.notify.close()
            self.listener.close()
            text = self.text()
            self.log.close()
            shutil.rmtree(self.dir, ignore_errors=True)
        if re.search("ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer", text):
            raise AssertionError(text)
        if check and status not in (0, -signal.SIGKILL):
            raise AssertionError(f"the daemon ended with {status}\n{text}")

    # ---- what there is ----

    def connect(self):
        client = varlink.Client(self.control, timeout=20 * daemon.SLOW)
        self.opened.append(client)
        return client

    def children(self):
        """The daemon's, and what an earlier one has left, which are this process's."""
        out = []
        for pid in (self.pid, os.getpid()):
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    out += [int(each) for each in task.read_text().split()]
                except OSError:
                    pass
        return out

    def rfb_programs(self):
        """Those that run. What has ended is reaped."""
        out = []
        for pid in self.children():
            if pid == self.pid or not self.name(pid).startswith("vfio-displayd-r"):
                continue
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:
                pass                      # the daemon's
            out.append(pid)
        return out
