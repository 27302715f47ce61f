# SPDX-License-Identifier: GPL-2.0-or-later
"""A display that nobody looks at costs nothing: no wake-up of any thread, no look at its pixels, whatever its guest does."""
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface

WATCH = 4.0                      # seconds


class NobodyLooks(unittest.TestCase):
    def setUp(self):
        self.daemon = daemon.Daemon(config="[viewers]\ngrace-seconds = 0\n")
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.surfaces = []
        for number in range(4):
            made = surface.Surface(640, 480)
            self.addCleanup(made.close)
            lease = self.daemon.register(made, f"guest-{number}", client=self.client, event=number % 2 == 0)
            self.addCleanup(os.close, lease)
            self.surfaces.append(made)
        self.client.close()          # its end is a wake-up, so it comes first

    def switches(self):
        """Of every thread: {(pid, tid): times it was woken}; a thread that comes or goes shows, too."""
        out = {}
        for pid in (self.daemon.pid, *self.daemon.children()):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                for line in (task / "status").read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches"):
                        out[pid, int(task.name)] = int(line.split()[1])
        return out

    def ticks(self):
        fields = pathlib.Path(f"/proc/{self.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def guests_work(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for made in self.surfaces:
                made.noise(time.monotonic_ns(), 0, 0, 64, 64)
                made.signal()
            time.sleep(0.02)

    def until_quiet(self):
        """What was begun may end first."""
        end = time.monotonic() + 10 * daemon.SLOW
        before = self.switches()
        while time.monotonic() < end:
            time.sleep(0.5)
            now = self.switches()
            if now == before:
                return
            before = now
        self.fail(f"its threads never rest: {self.switches()}")

    def assert_no_work(self):
        self.until_quiet()
        before, ticks = self.switches(), self.ticks()
        self.guests_work(WATCH)
        self.assertEqual(self.switches(), before)
        self.assertLessEqual(self.ticks() - ticks, 0)

    def looks(self):
        client = self.daemon.connect()
        client.send("List", {}, more=True)
        out = []
        while True:
            reply = client.receive()
            out.append(reply["parameters"]["runtime"]["framesCaptured"])
            if not reply.get("continues"):
                client.close()
                return out

    def test_nobody_has_ever_looked(self):
        self.assert_no_work()
        self.assertFalse(self.daemon.rfb_programs())

    def test_after_the_last_viewer_has_left(self):
        for number in range(2):
            viewer = self.daemon.viewer(f"guest-{number}")
            viewer.first()
            viewer.close()
        self.daemon.until(lambda: not self.daemon.rfb_programs(), "the RFB programs have ended")
        self.assert_no_work()

    def test_after_a_capture_and_a_list(self):
        client = self.daemon.connect()
        client.capture("guest-0")
        client.capture("guest-1")
        client.close()
        self.looks()
        self.assert_no_work()

    def test_after_connections_that_never_spoke(self):
        for number in range(4):
            viewer = rfb.Client(str(self.daemon.dir / "rfb" / f"guest-{number}"), handshake=False)
            viewer.close()
        self.daemon.until(lambda: not self.daemon.rfb_programs(), "the RFB programs have ended")
        self.assert_no_work()

    def test_a_viewer_of_one_costs_the_others_nothing(self):
        viewer = self.daemon.viewer("guest-0")
        self.addCleanup(viewer.close)
        viewer.first()
        before = self.looks()
        time.sleep(0.3)
        self.guests_work(1)
        after = self.looks()
        # List looks at a display that nobody watches, once for each call.
        self.assertTrue(all(b - a <= 1 for a, b in zip(before[1:], after[1:])), (before, after))
        self.assertGreater(after[0] - before[0], 3)

    def test_an_idle_viewer_of_an_eventfd_display_wakes_nobody(self):
        """But for a look now and then, less and less often; between two of them all threads sleep, of both programs."""
        viewer = self.daemon.viewer("guest-0")
        self.addCleanup(viewer.close)
        viewer.set_encodings(rfb.RAW)
        viewer.first()
        viewer.request()
        end, spans = time.monotonic() + 60 * daemon.SLOW, []
        while time.monotonic() < end:
            before = self.switches()
            time.sleep(WATCH)
            after = self.switches()
            if after == before:
                break
            spans.append({task: after[task] - before.get(task, 0) for task in after})
        else:
            self.fail(f"somebody wakes up all the time: {spans}")
        # The eyes are closed, not blind.
        self.surfaces[0].noise(7, 0, 0, 64, 64)
        self.surfaces[0].signal()
        viewer.update(timeout=20 * daemon.SLOW)


if __name__ == "__main__":
    unittest.main()
