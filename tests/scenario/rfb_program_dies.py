# SPDX-License-Identifier: GPL-2.0-or-later
"""A display's RFB program that dies or hangs takes nothing with it: the next connection starts another one, and neither the
broker nor another display notices. What it could reach is little."""
import contextlib
import os
import pathlib
import select
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
from beside import Beside
from compare import until_shows

GRANT = 5                        # LIMIT_GRANT_MS: so long may a program keep the broker from writing


class RfbProgramDies(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon.Daemon()
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.client.call("GetCapabilities")
        self.surface, self.lease = self.display("guest", 400, 300)
        self.surface.noise(1)

    def display(self, name, width, height):
        made = surface.Surface(width, height)
        self.addCleanup(made.close)
        lease = self.daemon.register(made, name, client=self.client)
        self.addCleanup(os.close, lease)
        return made, lease

    def viewer(self):
        """One that has the right picture."""
        viewer = self.daemon.viewer("guest")
        self.addCleanup(viewer.close)
        viewer.set_encodings(rfb.RAW)
        viewer.first()
        until_shows([viewer], self.surface, 20 * daemon.SLOW)
        return viewer

    def program(self):
        program, = self.daemon.rfb_programs()
        return program

    def assert_closed(self, viewer, within=20):
        viewer.sock.settimeout(within * daemon.SLOW)
        with contextlib.suppress(ConnectionError):
            while viewer.sock.recv(1 << 20):
                pass

    def gone(self, pid):
        self.daemon.until(lambda: pid not in self.daemon.children(), f"{pid} has ended and was waited for")

    def test_it_is_killed(self):
        viewer, program = self.viewer(), self.program()
        os.kill(program, signal.SIGKILL)
        self.assert_closed(viewer)
        self.gone(program)
        self.viewer()
        self.assertNotEqual(self.program(), program)

    def test_it_is_killed_again_and_again(self):
        """Nothing leaks: the broker holds no more descriptors after the last death than after the first."""
        rest = None
        for _ in range(5):
            viewer, program = self.viewer(), self.program()
            os.kill(program, signal.SIGKILL)
            self.assert_closed(viewer)
            viewer.close()
            self.gone(program)
            self.client.until("guest", lambda runtime: runtime["viewers"] == 0)
            if rest is None:
                time.sleep(0.5)
                rest = self.daemon.fds()
            self.daemon.until(lambda: self.daemon.fds() <= rest, f"{rest} descriptors again")

    def test_every_signal_that_ends_a_program(self):
        # A sanitizer would take a SIGSEGV for its own find.
        for number in (signal.SIGABRT, signal.SIGSYS, signal.SIGTERM, signal.SIGTERM if daemon.SANITIZED else signal.SIGSEGV):
            with self.subTest(number.name):
                viewer, program = self.viewer(), self.program()
                os.kill(program, number)
                self.assert_closed(viewer)
                self.gone(program)
        self.viewer()

    def test_another_display_goes_on(self):
        other, _ = self.display("other", 320, 240)
        with Beside(self.daemon.dir / "rfb" / "other", other) as good:
            for _ in range(3):
                viewer = self.viewer()
                victim, = [pid for pid in self.daemon.rfb_programs() if pid != good_program(self, good)]
                os.kill(victim, signal.SIGKILL)
                self.assert_closed(viewer)
                self.gone(victim)
        good.check(self)

    def test_it_hangs(self):
        """The broker answers, captures and serves others meanwhile; then it ends what hangs."""
        other, _ = self.display("other", 320, 240)
        with Beside(self.daemon.dir / "rfb" / "other", other) as good:
            viewer = self.viewer()
            program, = [pid for pid in self.daemon.rfb_programs() if pid != good_program(self, good)]
            os.kill(program, signal.SIGSTOP)
            self.surface.noise(2)
            self.surface.signal()
            begin = time.monotonic()
            self.client.describe("guest")
            self.client.describe("other")
            self.assertLess(time.monotonic() - begin, GRANT - 1, "seconds that they waited for it")
            self.daemon.until(lambda: program not in self.daemon.children(), "what hangs is ended", GRANT + 5)
            self.assert_closed(viewer)
            self.viewer()
        good.check(self)

    def test_a_new_viewer_while_it_hangs(self):
        """It waits in the listener, and is served by the next program."""
        self.viewer()
        os.kill(self.program(), signal.SIGSTOP)
        self.surface.noise(3)
        self.surface.signal()
        patient = rfb.Client(str(self.daemon.dir / "rfb" / "guest"), timeout=(GRANT + 10) * daemon.SLOW)
        self.addCleanup(patient.close)
        patient.set_encodings(rfb.RAW)
        patient.first()
        until_shows([patient], self.surface, 20 * daemon.SLOW)

    def test_lists_while_it_hangs(self):
        """Its viewers can be asked for and detached, and the display can be taken away."""
        self.viewer()
        os.kill(self.program(), signal.SIGSTOP)
        self.client.send("ListViewers", {"id": "guest"}, more=True)
        self.assertEqual(self.client.result()["viewer"]["id"], "guest")
        self.client.call("Unregister", {"id": "guest"})

    def test_the_broker_is_killed(self):
        """It leaves nobody behind."""
        self.viewer()
        lonely = daemon.Daemon()
        held = lonely.register(self.surface, "guest")
        self.addCleanup(os.close, held)
        viewer = lonely.viewer("guest")
        viewer.first()
        program, = lonely.rfb_programs()
        watch = os.pidfd_open(program)
        self.addCleanup(os.close, watch)
        lonely.process.kill()
        self.assertTrue(ready(watch, 5 * daemon.SLOW), "the RFB program outlives its broker")
        self.assert_closed(viewer)
        viewer.close()
        lonely.stop(check=False)

    def test_what_it_holds(self):
        """No device, no eventfd of a registrant, nothing of another display."""
        other, _ = self.display("other", 320, 240)
        viewer = self.daemon.viewer("other")
        viewer.first()
        self.viewer()
        ours = {os.fstat(fd).st_ino for made in (self.surface, other) for fd in (made.fd,)}
        frames = set()
        for program in self.daemon.rfb_programs():
            for fd in os.scandir(f"/proc/{program}/fd"):
                target = os.readlink(fd.path)
                self.assertFalse(os.stat(fd.path).st_ino in ours, f"{target} is a device")
                self.assertRegex(target, r"^(socket:|pipe:|anon_inode:|/memfd:|/dev/null|/tmp/vfio-displayd-test)")
                self.assertNotIn("[vfio", target)
                if "memfd" in target:
                    frames.add((program, os.stat(fd.path).st_ino))
            with open(f"/proc/{program}/maps") as maps:
                self.assertFalse([line for line in maps if line.split()[4] in map(str, ours)])
        inodes = [inode for _, inode in frames]
        self.assertEqual(len(inodes), len(set(inodes)), "two programs share a frame")

    @unittest.skipIf(daemon.SANITIZED, "sanitizers need more than the sandbox allows")
    def test_it_is_in_a_sandbox(self):
        self.viewer()
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path(f"/proc/{self.program()}/status").read_text().splitlines() if ":\t" in line)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(int(status["CapEff"], 16), 0)


def ready(fd, seconds):
    import select
    return bool(select.select([fd], [], [], seconds)[0])


def good_program(test, good):
    """The RFB program of the good viewer: the older one."""
    return min(test.daemon.rfb_programs(), key=lambda pid: int(pathlib.Path(f"/proc/{pid}/stat").read_text().split()[21]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
