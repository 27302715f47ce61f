# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty at once, for two minutes: registrants, their viewers and subscribers come, work and die at random, in every way there is. At the end no
descriptor, lease, thread, child or memory is left over, and a display that was there all the time has shown all of its pictures."""
import contextlib
import os
import pathlib
import random
import signal
import sys
import time
import traceback
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
import varlink
from beside import Beside

REGISTRANTS, SUBSCRIBERS = 35, 15
SECONDS = float(os.environ.get("SOAK_SECONDS", 30 if daemon.SANITIZED else 120))
GROWTH = 20 << 10               # KiB: heaps of threads that are gone, the ring of events: 10 to 12 are seen, as much after one minute as after two
REFUSED = ("Unavailable", "LimitReached", "NotLive", "NoSuchDisplay", "DisplayExists", "NoSuchViewer", "DeviceUnsuitable")


class Somebody:
    """One process: does what it does until it is killed, or has had enough and ends in its own way."""

    def __init__(self, control, number, seed):
        self.control, self.number, self.random = control, number, random.Random(seed)

    def connect(self):
        return varlink.Client(self.control, timeout=60 * daemon.SLOW)

    def live(self):
        end = time.monotonic() + self.random.expovariate(1 / 3)
        while time.monotonic() < end:
            try:
                self.work(end)
            except varlink.VarlinkError as error:
                if error.error not in REFUSED:
                    raise
                time.sleep(0.1)


class Registrant(Somebody):
    def work(self, end):
        made = surface.Surface(64 + self.number, 48)
        client, name = self.connect(), f"guest-{self.number}"
        read, write = os.pipe()
        by_connection = self.random.random() < 0.3
        fds = [made.fd, made.change] + ([] if by_connection else [read])
        client.call("Register", {"context": {"id": name}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                 "changeFileDescriptorIndex": 1, **({} if by_connection else {"leaseFileDescriptorIndex": 2})},
                    fds, more=by_connection)
        os.close(read)
        other = self.connect()
        viewer = None
        if self.random.random() < 0.6:
            sock, _ = other.attach(name, self.random.choice(("view", "control")))
            viewer = rfb.Client(sock, timeout=60 * daemon.SLOW)
            # Words for the guest of this name that has just died may be larger than the next one's picture.
            viewer.set_encodings(self.random.choice((rfb.RAW, rfb.ZRLE, rfb.TIGHT)), rfb.DESKTOP_SIZE)
            viewer.first()
        for turn in range(self.random.randrange(1, 40)):
            made.noise(turn, 0, 0, 32, 32)
            made.signal()
            if viewer and self.random.random() < 0.5:
                viewer.request()
                viewer.update()
            if self.random.random() < 0.1:
                other.call("Update", {"id": name, "context": {"labels": {"turn": str(turn)}}})
                other.call("IssueTicket", {"id": name, "mode": "view", "seconds": 1})
            time.sleep(0.02)
            if time.monotonic() > end:
                break
        if self.random.random() < 0.3:
            other.call("Unregister", {"id": name})
        if viewer:
            viewer.close()
        for each in (client, other):
            each.close()
        os.close(write)
        made.close()


class Subscriber(Somebody):
    def work(self, end):
        client = self.connect()
        client.send("Subscribe", {}, more=True)
        lazy, last = self.random.random() < 0.3, -1
        while time.monotonic() < end:
            if lazy:
                time.sleep(0.2)
                continue
            client.sock.settimeout(0.5)
            try:
                got = client.result()
            except TimeoutError:
                continue
            if got["sequence"] < last:
                raise AssertionError(f"sequence {got['sequence']} after {last}")
            last = got["sequence"]
        client.close()


class Soak(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon.Daemon(config="[viewers]\ngrace-seconds = 0\nlinger-seconds = 1\n")
        self.addCleanup(self.daemon.stop)
        self.random = random.Random()
        self.children = {}
        self.told, self.said = os.pipe2(os.O_NONBLOCK)     # what each that fails has to say
        self.addCleanup(os.close, self.told)
        self.addCleanup(os.close, self.said)

    def words(self):
        with contextlib.suppress(BlockingIOError):
            return os.read(self.told, 1 << 16).decode(errors="replace").splitlines()
        return []

    def start(self, number):
        kind = Registrant if number < REGISTRANTS else Subscriber
        seed = self.random.random()
        pid = os.fork()
        if pid == 0:
            status = 1
            warnings.simplefilter("ignore")     # who dies in the middle closes nothing
            try:
                kind(self.daemon.control, number, seed).live()
                status = 0
            except BaseException as error:  # noqa: BLE001
                where = traceback.extract_tb(error.__traceback__)[0:8]
                os.write(self.said, f"{kind.__name__} {number}: {error!r} at {[f'{each.name}:{each.lineno}' for each in where]}\n".encode())
            finally:
                os._exit(status)
        self.children[pid] = number

    def reap(self):
        """Each place is taken again at once. One that was not killed had no reason to fail."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                number = self.children.pop(pid, None)
                if number is None:
                    continue
                if not (os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0):
                    self.failed.append(number)
                self.ended += 1
                self.start(number)

    def use(self):
        return {"fds": self.daemon.fds(), "threads": len(os.listdir(f"/proc/{self.daemon.pid}/task")),
                "children": len(self.daemon.children()), "memory": self.daemon.memory(self.daemon.pid)}

    def test_two_minutes(self):
        made = surface.Surface(320, 240)
        client = self.daemon.connect()
        lease = self.daemon.register(made, "stays", client=client)
        sock, _ = client.attach("stays")
        with sock:
            good = Beside(sock, made)
        before, self.failed, self.ended, killed = self.use(), [], 0, 0
        for number in range(REGISTRANTS + SUBSCRIBERS):
            self.start(number)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or killed < SECONDS:     # a busy machine gets to fewer
            time.sleep(self.random.uniform(0, 0.2))
            victim = self.random.choice(list(self.children))
            os.kill(victim, self.random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP)))
            time.sleep(0.01)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            killed += 1
            self.reap()
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        for pid in self.children:
            os.waitpid(pid, 0)
        self.assertEqual(self.words(), [], "these saw what they should not have seen")
        self.assertEqual(self.failed, [], "these ended and did not say why")
        good.check(self, gap=2 * daemon.SLOW)
        self.nothing_is_left(client, before)
        print(f"\n{self.ended} ended, {killed} of them killed; {before} before, {self.use()} after", file=sys.stderr)
        os.close(lease)

    def nothing_is_left(self, client, before):
        self.daemon.until(lambda: self.ids(client) == ["stays"], "all other displays have gone", 60)
        # The display that stays has lost its viewer, and with it its RFB program and what belongs to that.
        self.daemon.until(lambda: self.use()["fds"] <= before["fds"], "all descriptors are closed", 30)
        self.daemon.until(lambda: self.use()["threads"] <= before["threads"], "all threads have ended", 30)
        self.daemon.until(lambda: self.use()["children"] < before["children"], "all children have ended", 30)
        if not daemon.SANITIZED:     # which keep what was freed, and look for what was not themselves
            self.assertLess(self.use()["memory"], before["memory"] + GROWTH, "KiB")

    @staticmethod
    def ids(client):
        client.send("List", {}, more=True)
        out = []
        while True:
            reply = client.receive()
            out.append(reply["parameters"]["context"]["id"])
            if not reply.get("continues"):
                return out


if __name__ == "__main__":
    unittest.main(verbosity=2)
