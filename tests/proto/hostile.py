# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test of hostile viewers asks for: a good viewer beside them that sees each change of an animated display in time, an RFB
program that stays the same and grows by no more than a stated bound, and bad connections that are closed when they should be."""
import contextlib
import pathlib
import time
import unittest

import daemon
import rfb
from beside import Beside
from host import Host, somebody

WIDTH, HEIGHT = 640, 480
HANDSHAKE = 10                   # LIMIT_HANDSHAKE_MS
GROWTH = (64 << 10) * daemon.SLOW  # KiB: a few raw frames in queues, some threads' heaps; sanitizers keep what was freed


def closed(sock, within):
    """True when the peer closes within so many seconds, whatever it says before."""
    end = time.monotonic() + within * daemon.SLOW
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            if not sock.recv(65536):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


class Hostile(unittest.TestCase):
    """`wanted`: for host.Host. The good viewer is attached."""

    wanted = {"security": "none"}

    @classmethod
    def setUpClass(cls):
        if cls is Hostile:
            raise unittest.SkipTest("for others")
        more = dict(cls.wanted)
        more["viewers"] = "stall-seconds = 2\ninsecure = yes\n" + more.get("viewers", "viewers-maximum = 16")
        cls.host = Host(size=(WIDTH, HEIGHT), **more)
        cls.daemon, cls.surface = cls.host.daemon, cls.host.surface
        with cls.beside():
            cls.program = cls.daemon.rfb_programs()
            cls.memory = cls.resident()

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.good = self.stack.enter_context(self.beside())
        self.until_alone()

    def tearDown(self):
        grown = self.resident() - self.memory
        self.stack.close()           # the hostile ones go first, the good one then looks back
        self.good.check(self)
        self.assertLess(grown, GROWTH, "KiB more than before")
        self.same_program()

    def same_program(self):
        self.assertEqual(self.daemon.rfb_programs(), self.program, "the same RFB program all the time")

    @classmethod
    def beside(cls):
        client = cls.daemon.connect()
        sock, _ = client.attach("guest")
        client.close()
        with sock:
            return Beside(sock, cls.surface)

    @classmethod
    def resident(cls):
        """KiB that are the daemon's and its RFB programs', pages shared with others by their share."""
        total = 0
        for pid in (cls.daemon.pid, *cls.daemon.rfb_programs()):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def until_alone(self):
        """Who was here in the test before has gone: the good viewer is the only one."""
        client = self.daemon.connect()
        client.until("guest", lambda runtime: runtime["viewers"] == 1)
        client.close()

    # ---- those who come ----

    def socket(self, port=None):
        """Each comes from an address of its own: who guesses is kept out for a while."""
        sock = somebody(port or self.host.port)
        self.stack.callback(sock.close)
        return sock

    def viewer(self, port=None, **more):
        client = rfb.Client(self.socket(port), timeout=30 * daemon.SLOW, **more)
        self.stack.callback(client.close)
        return client

    def serves(self, client=None, **more):
        """Somebody honest gets a whole picture."""
        client = client or self.viewer(**more)
        client.first()
        self.assertTrue(client.rects)
        return client

    def assert_closed(self, sock, within=3):
        self.assertTrue(closed(sock, within), f"still open after {within} s")
