# SPDX-License-Identifier: GPL-2.0-or-later
"""When a guest goes while viewers are there, they are told so, and the same connections go on when it is back under its id."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
import varlink
from compare import is_words

PROTO = str(pathlib.Path(__file__).resolve().parents[1] / "proto")


class Ghosts(unittest.TestCase):
    config = ""

    def setUp(self):
        self.daemon = daemon.Daemon(config=self.config)
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.connect()
        self.client.call("GetCapabilities")
        self.surface = self.canvas(800, 600, 1)
        self.fds_before = self.daemon.fds()

    def canvas(self, width, height, seed):
        canvas = surface.Surface(width, height)
        canvas.noise(seed)
        self.addCleanup(canvas.close)
        return canvas

    def viewer(self, display="guest"):
        viewer = self.daemon.viewer(display)
        viewer.set_encodings(rfb.ZRLE, rfb.DESKTOP_SIZE)
        viewer.first()
        return viewer

    def threads(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/task"))

    def wakeups(self):
        """Of the main thread: no other's are counted there."""
        with open(f"/proc/{self.daemon.pid}/status") as status:
            return int(next(line for line in status if line.startswith("voluntary_ctxt_switches")).split()[1])

    def holds(self, canvas):
        inode = os.fstat(canvas.fd).st_ino
        return any(self.process_holds(pid, inode) for pid in (self.daemon.pid, *self.daemon.children()))

    @staticmethod
    def process_holds(pid, inode):
        """A program that ends meanwhile holds nothing."""
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.stat(f"/proc/{pid}/fd/{fd}").st_ino == inode:
                        return True
            with open(f"/proc/{pid}/maps") as maps:
                return any(line.split()[4] == str(inode) for line in maps)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def until(self, viewer, test, what, timeout=10):
        end = time.monotonic() + timeout * daemon.SLOW
        viewer.request(incremental=False)
        while not test():
            left = end - time.monotonic()
            self.assertGreater(left, 0, what)
            try:
                viewer.update(min(left, 1))
            except TimeoutError:
                pass
            viewer.request()

    def sees(self, viewer, canvas):
        self.until(viewer, lambda: (viewer.width, viewer.height) == (canvas.width, canvas.height) and
                   bytes(viewer.pixels) == canvas.expect(rfb.XRGB), "its picture")

    def reads_words(self, viewer, size=(800, 600)):
        self.until(viewer, lambda: (viewer.width, viewer.height) == size and is_words(viewer), "words")

    def lose(self, held, canvas):
        """The lease ends: the device is let go of at once."""
        begin = time.monotonic()
        os.close(held)
        while self.holds(canvas):
            self.assertLess(time.monotonic() - begin, 1.0 * daemon.SLOW, "it still holds the device")
            time.sleep(0.005)

    def state(self, display="guest"):
        return self.client.describe(display)

    def assert_closed(self, viewer, timeout=20):
        viewer.sock.settimeout(timeout * daemon.SLOW)
        try:
            while viewer.sock.recv(1 << 20):
                pass
        except ConnectionError:
            pass

    def is_gone(self):
        try:
            self.state()
            return False
        except varlink.VarlinkError as error:
            self.assertEqual(error.error, "NoSuchDisplay")
            return True


class Return(Ghosts):
    def test_the_same_guest_again_twice(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewers = [self.viewer() for _ in range(3)]
        program = self.daemon.rfb_programs()
        for seed in (2, 3):
            self.lose(held, self.surface)
            for viewer in viewers:
                self.reads_words(viewer)
            self.surface.noise(seed)
            held = self.daemon.register(self.surface, "guest", client=self.client)
            for viewer in viewers:
                self.sees(viewer, self.surface)
            self.assertEqual(self.state()["state"], "live")
            self.assertEqual(self.state()["viewers"], 3)
        self.assertEqual(self.daemon.rfb_programs(), program, "the same connections need the same program")
        self.sees(self.viewer(), self.surface)
        self.surface.noise(4)
        self.surface.signal()
        self.sees(viewers[0], self.surface)
        os.close(held)

    def test_another_size(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        other = self.canvas(1024, 700, 5)
        held = self.daemon.register(other, "guest", client=self.client)
        self.sees(viewer, other)
        self.lose(held, other)
        self.reads_words(viewer, (1024, 700))
        held = self.daemon.register(self.surface, "guest", client=self.client)
        self.sees(viewer, self.surface)
        os.close(held)

    def test_list_says_so(self):
        # The thread sanitizer begins a thread of its own beside the first one, which stays and wakes up ten times a second.
        other = self.daemon.register(self.canvas(64, 48, 2), "other", client=self.client)
        self.addCleanup(os.close, other)
        threads_before = self.threads()
        held = self.daemon.register(self.surface, "guest", client=self.client, context={"name": "before"})
        self.assertEqual(self.threads(), threads_before + 1)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        self.client.until("guest", lambda r: "viewers wait" in r.get("stateReason", ""))
        runtime = self.state()
        self.assertEqual((runtime["state"], runtime["viewers"], runtime["planes"], runtime["endpoints"], runtime["change"]),
                         ("lost", 1, [], [], "idle"))
        # Whom it was joined to may know of a thread's end before /proc does.
        self.daemon.until(lambda: self.threads() == threads_before, "a ghost has no thread")
        self.assertFalse((self.daemon.dir / "rfb" / "guest").exists(), "a listener of nobody's")
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.client.call("Attach", {"id": "guest", "mode": "view"})
        self.assertEqual(caught.exception.error, "NotLive")
        before = self.wakeups()
        time.sleep(1)
        self.assertLess(self.wakeups() - before, 20)

    def test_a_registrant_that_is_killed_while_the_picture_moves(self):
        code = ("import sys, time; sys.path.insert(0, sys.argv[2]); import surface, varlink\n"
                "canvas = surface.Surface(640, 480)\n"
                "client = varlink.Client(sys.argv[1])\n"
                "client.call('Register', {'context': {'id': 'guest'}, 'source': 'surface', 'deviceFileDescriptorIndex': 0,\n"
                "    'changeFileDescriptorIndex': 1}, [canvas.fd, canvas.change], more=True)\n"
                "print('registered', flush=True)\n"
                "n = 0\n"
                "while True:\n"
                "    n += 1; canvas.noise(n, 0, 0, 200, 200); canvas.signal(); time.sleep(0.005)\n")
        for _ in range(3):
            vmm = subprocess.Popen([sys.executable, "-c", code, self.daemon.control, PROTO],
                                   stdout=subprocess.PIPE)
            try:
                self.assertEqual(vmm.stdout.readline(), b"registered\n")
                viewer = self.viewer()
                for _ in range(5):
                    viewer.request()
                    viewer.update()
            finally:
                vmm.send_signal(signal.SIGKILL)
                vmm.wait()
                vmm.stdout.close()
            self.reads_words(viewer, (640, 480))
            held = self.daemon.register(self.surface, "guest", client=self.client)
            self.sees(viewer, self.surface)
            os.close(held)
            self.reads_words(viewer)
            viewer.close()
            self.daemon.until(self.is_gone, "nobody is there any more")

    def test_a_name_and_rights_that_have_changed(self):
        held = self.daemon.register(self.surface, "guest", client=self.client, context={"name": "before"})
        viewer = self.viewer()
        self.assertEqual(viewer.name, "before")
        self.lose(held, self.surface)
        self.reads_words(viewer)
        held = self.daemon.register(self.surface, "guest", client=self.client, context={"name": "after", "viewOnly": True})
        self.assert_closed(viewer)
        self.assertEqual(self.viewer().name, "after")
        self.assertIn("this display is view-only now", self.daemon.text())
        os.close(held)

    def test_what_is_no_display_leaves_the_ghost(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        for _ in range(2):
            lease, theirs = os.pipe()
            file = os.memfd_create("nothing", os.MFD_ALLOW_SEALING)
            with self.assertRaises(varlink.VarlinkError):
                self.client.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                              "leaseFileDescriptorIndex": 1}, [file, lease])
            for fd in (lease, theirs, file):
                os.close(fd)
        self.reads_words(viewer)
        held = self.daemon.register(self.surface, "guest", client=self.client)
        self.sees(viewer, self.surface)
        os.close(held)

    @unittest.skipIf(os.geteuid(), "needs two users")
    def test_another_user_waits_until_it_is_gone(self):
        for path, mode in ((self.daemon.dir, 0o711), (self.daemon.control, 0o777)):
            os.chmod(path, mode)
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        os.seteuid(65534)
        try:
            client = self.daemon.connect()
            client.sock.settimeout(10 * daemon.SLOW)
        finally:
            os.seteuid(0)
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.daemon.register(self.surface, "guest", client=client)
        self.assertEqual(caught.exception.error, "DisplayExists")
        viewer.close()
        self.daemon.until(self.is_gone, "nobody waits for it any more")
        held = self.daemon.register(self.surface, "guest", client=client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        held = self.daemon.register(self.surface, "guest", client=self.client)   # root takes it over
        self.sees(viewer, self.surface)
        os.close(held)


class Ending(Ghosts):
    def ghost(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.reads_words(viewer)
        return viewer

    def clean(self):
        self.daemon.until(self.is_gone, "it is gone")
        self.daemon.until(lambda: not self.daemon.rfb_programs(), "its RFB program has ended")
        self.daemon.until(lambda: self.daemon.fds() <= self.fds_before, "its descriptors are as before")


class End(Ending):
    def test_unregister(self):
        viewer = self.ghost()
        self.client.call("Unregister", {"id": "guest"})
        self.assertTrue(self.is_gone())
        self.assert_closed(viewer)
        self.clean()

    def test_everybody_leaves(self):
        self.ghost().close()
        self.clean()

    def test_the_program_dies(self):
        viewer = self.ghost()
        os.kill(self.daemon.rfb_programs()[0], signal.SIGKILL)
        self.assert_closed(viewer)
        self.clean()

    def test_nobody_was_there(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        self.viewer().close()
        self.client.until("guest", lambda r: r["viewers"] == 0)
        self.lose(held, self.surface)
        self.clean()

    def test_unregister_of_a_guest_that_is_there(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.client.call("Unregister", {"id": "guest"})
        self.assert_closed(viewer)
        self.clean()
        os.close(held)

    def test_detach(self):
        viewer = self.ghost()
        name = self.client.call("ListViewers", {"id": "guest"}, more=True)["viewer"]["viewer"]
        self.client.call("Detach", {"viewer": name})
        self.assert_closed(viewer)
        self.clean()

    def test_the_daemon_stops(self):
        """cleanup asks for status 0 in time."""
        self.ghost()


class Linger(Ending):
    config = "[viewers]\nlinger-seconds = 1\n"

    def test_the_guest_does_not_come_back(self):
        """Words for a second, which others read."""
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.daemon.until(lambda: "1 viewers are kept, for 1 s" in self.daemon.text(), "a ghost")
        self.assert_closed(viewer)
        self.clean()
        self.assertIn("has not come back", self.daemon.text())


class NoLinger(Ghosts):
    config = "[viewers]\nlinger-seconds = 0\n"

    def test_viewers_go_with_the_guest(self):
        held = self.daemon.register(self.surface, "guest", client=self.client)
        viewer = self.viewer()
        self.lose(held, self.surface)
        self.assert_closed(viewer)
        self.daemon.until(self.is_gone, "it is gone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
