#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SendKeys types chords and text on a display's keyboard, in its layout; whoever calls may go at any time, and no key stays down."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402

KEY, LED = 1, 0x11
ENTER, CTRL, A, S, H, SHIFT, ALT, Z, Y, Q, ALTGR, F11, DELETE, E, EQUAL, DIGIT2, SUPER, L = (
    28, 29, 30, 31, 35, 42, 56, 44, 21, 16, 100, 87, 111, 18, 13, 3, 125, 38)


def tap(*codes):
    return [(code, 1) for code in codes] + [(code, 0) for code in reversed(codes)]


class SendKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = daemon.Daemon()
        cls.addClassCleanup(lambda: cls.d.__exit__(*sys.exc_info()))
        cls.client, cls.number = cls.d.connect(), 0

    def setUp(self):
        self.register("us")

    def register(self, layout):
        type(self).number += 1
        self.id = f"k{self.number}"
        self.canvas = surface.Surface(64, 48)
        self.addCleanup(self.canvas.close)
        lease, self.held = os.pipe()
        self.addCleanup(self.let_go)
        self.client.call("Register", {"context": {"id": self.id, "keyboardLayout": layout}, "source": "surface",
                                      "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1}, [self.canvas.fd, lease])
        os.close(lease)
        self.vmm, theirs = socket.socketpair()
        self.addCleanup(self.vmm.close)
        self.vmm.settimeout(10 * daemon.SLOW)
        self.client.call("SetInput", {"id": self.id, "input": [{"kind": "keyboard", "fileDescriptorIndex": 0}]}, [theirs.fileno()])
        theirs.close()

    def let_go(self):
        if self.held is not None:
            os.close(self.held)
            self.held = None

    def type(self, client=None, **what):
        return (client or self.client).call("SendKeys", {"id": self.id, **what})

    def records(self, n):
        data = b""
        while len(data) < 16 * n:
            got = self.vmm.recv(16 * n - len(data))
            self.assertTrue(got, "its other end is closed")
            data += got
        events = list(struct.iter_unpack("<HHi", data))
        self.assertTrue(all(each == (0, 0, 0) for each in events[1::2]))
        self.assertTrue(all(each[0] == KEY for each in events[::2]))
        return [each[1:] for each in events[::2]]

    def nothing(self):
        self.vmm.setblocking(False)
        self.assertRaises(BlockingIOError, self.vmm.recv, 1)
        self.vmm.settimeout(10 * daemon.SLOW)

    def expect(self, *wanted):
        wanted = [each for some in wanted for each in some]
        self.assertEqual(self.records(len(wanted)), wanted)
        self.nothing()

    def error(self, error, **what):
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.type(**what)
        self.assertEqual(caught.exception.error, error)
        return caught.exception.parameters

    def layout(self, name):
        context = self.client.call("Update", {"id": self.id, "context": {"keyboardLayout": name}})["context"]
        self.assertEqual(context["keyboardLayout"], name)

    def test_chords_and_text(self):
        self.type(keys=["ctrl-alt-del", "super-l", "F11", "ctrl-A"])
        self.expect(tap(CTRL, ALT, DELETE), tap(SUPER, L), tap(F11), tap(CTRL, SHIFT, A))
        self.type(keys=["f11"], text="hAs\n")
        self.expect(tap(F11), tap(H), [(SHIFT, 1), (A, 1), (A, 0), (SHIFT, 0)], tap(S), tap(ENTER))

    def test_what_cannot_be_typed_types_nothing(self):
        self.assertEqual(self.error("InvalidParameter", keys=["f11", "ctrl-nonsense"]), {"parameter": "keys[1]"})
        self.assertEqual(self.error("InvalidParameter", text="has \N{GREEK SMALL LETTER ALPHA}"), {"parameter": "text[4]"})
        self.assertEqual(self.error("InvalidParameter"), {"parameter": "keys"})
        self.assertEqual(self.error("InvalidParameter", keys=[]), {"parameter": "keys"})
        self.assertEqual(self.error("InvalidParameter", text="x" * 1025), {"parameter": "text"})
        self.assertEqual(self.error("InvalidParameter", keys=["x" * 65]), {"parameter": "keys[0]"})
        self.nothing()
        self.client.call("SetInput", {"id": self.id, "input": []})
        self.assertEqual(self.error("NoSuchInput", text="x"), {"id": self.id, "kind": "keyboard"})

    def test_layouts(self):
        try:
            self.layout("de")
            self.type(text="zY@")
        except varlink.VarlinkError as error:
            if self.d.text().count("without libxkbcommon"):
                self.skipTest("built without libxkbcommon")
            raise error
        self.expect(tap(Y), [(SHIFT, 1), (Z, 1), (Z, 0), (SHIFT, 0)], [(ALTGR, 1), (Q, 1), (Q, 0), (ALTGR, 0)])
        self.type(text="\N{LATIN SMALL LETTER E WITH ACUTE}")  # there is a dead key for it
        self.expect(tap(EQUAL), tap(E))
        self.layout("fr")
        self.type(text="a2\N{LATIN SMALL LETTER E WITH ACUTE}")
        self.expect(tap(Q), [(SHIFT, 1), (DIGIT2, 1), (DIGIT2, 0), (SHIFT, 0)], tap(DIGIT2))
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.client.call("Update", {"id": self.id, "context": {"keyboardLayout": "nosuchlayout", "name": "new"}})
        self.assertEqual(caught.exception.parameters, {"parameter": "context.keyboardLayout"})
        self.assertNotIn("name", self.client.call("List", {"id": self.id})["context"])
        self.layout("de")
        self.type(text="z")
        self.expect(tap(Y))
        runtime = self.client.call("List", {"id": self.id})["runtime"]
        self.assertEqual((runtime["keyboardLayout"], "keyboardLayoutReason" in runtime), ("de", False))
        for bad in ("../us", "us,de", "de(", "x" * 41, ""):
            with self.assertRaises(varlink.VarlinkError) as caught:
                self.layout(bad)
            self.assertEqual(caught.exception.parameters, {"parameter": "context.keyboardLayout"})

    def test_a_layout_that_nobody_has(self):
        """It is as "us" for who registers with it, and that is said; changed to it is nothing."""
        self.doCleanups()
        self.register("nosuchlayout")
        self.type(text="z")
        self.expect(tap(Z))
        self.d.until(lambda: "nosuchlayout" in self.d.text(), "a line about the layout")
        runtime = self.client.call("List", {"id": self.id})["runtime"]
        self.assertEqual(runtime["keyboardLayout"], "us")
        self.assertIn("keyboardLayoutReason", runtime)
        self.assertIn("layout: us, not the one", self.ctl("describe", self.id).stdout)
        self.layout("nosuchlayout")  # it may be said again

    def test_the_guests_capslock_counts(self):
        self.vmm.sendall(struct.pack("<HHiHHi", LED, 1, 1, 0, 0, 0))
        self.d.until(lambda: self.client.call("List", {"id": self.id})["runtime"]["input"][0]["leds"] == ["capsLock"], "the light")
        self.type(text="aA2")
        self.expect([(SHIFT, 1), (A, 1), (A, 0), (SHIFT, 0)], tap(A), tap(DIGIT2))

    def test_a_caller_that_goes_lets_go(self):
        client = self.d.connect()
        client.send("SendKeys", {"id": self.id, "keys": ["ctrl-alt-f11"] * 64})
        self.records(2)  # Control and Alt are down, or more
        client.close()
        down = {CTRL, ALT}
        while down:
            code, value = self.records(1)[0]
            (down.add if value else down.discard)(code)
        self.type(keys=["f11"])
        last = self.records(2)
        while last != tap(F11):
            last = last[1:] + self.records(1)
        self.nothing()

    def test_turns(self):
        others = [self.d.connect() for _ in range(8)]
        for each in others:
            each.send("SendKeys", {"id": self.id, "keys": ["a", "s"]})
        self.expect(*[tap(A) + tap(S)] * 8)
        for each in others:
            self.assertEqual(each.result(), {})
            each.close()

    def test_the_display_ends_meanwhile(self):
        client = self.d.connect()
        client.send("SendKeys", {"id": self.id, "text": "a" * 1024})
        self.records(1)
        self.let_go()
        with self.assertRaises(varlink.VarlinkError) as caught:
            client.result()
        self.assertIn(caught.exception.error, ("NotLive", "NoSuchDisplay"))
        client.close()
        # It went up before the end.
        last, data = None, b""
        while got := self.vmm.recv(4096):
            data += got
        for kind, code, value in struct.iter_unpack("<HHi", data):
            if kind == KEY:
                last = (code, value)
        self.assertIn(last, (None, (A, 0)))

    def test_nothing_of_it_is_logged(self):
        self.type(text="hasHAS")
        self.records(18)
        self.error("InvalidParameter", text="hasHAS\N{GREEK SMALL LETTER ALPHA}")
        self.assertNotIn("hasHAS", self.d.text())

    def memory(self):
        """All that the daemon can write to, but for what sanitizers reserve."""
        with open(f"/proc/{self.d.process.pid}/maps") as maps, open(f"/proc/{self.d.process.pid}/mem", "rb") as memory:
            for line in maps:
                where, rights = line.split()[:2]
                begin, end = (int(each, 16) for each in where.split("-"))
                if rights.startswith("rw") and end - begin <= 64 << 20:
                    memory.seek(begin)
                    yield memory.read(end - begin)

    def remembers(self, forms):
        return any(form in each for each in self.memory() for form in forms)

    def test_nothing_of_it_stays_in_memory(self):
        text = "Quick wafting zephyrs vex bold Jim"
        steps = b"".join(struct.pack("<B3xI", down, ord(c)) for c in text[-8:] for down in (1, 0))
        forms = (text.encode(), text[8:].encode(), text[-8:].encode(), steps)
        client = self.d.connect()
        self.addCleanup(client.close)
        client.send("SendKeys", {"id": self.id, "text": "a" * 900 + text})
        self.records(1)
        os.kill(self.d.pid, signal.SIGSTOP)
        try:
            self.assertTrue(self.remembers(forms[2:3]), "it is looked for in the wrong place")
        except PermissionError:
            self.skipTest("the daemon's memory cannot be read by this user")
        finally:
            os.kill(self.d.pid, signal.SIGCONT)
        client.close()
        self.d.until(lambda: not self.remembers(forms), "it is forgotten with who wanted it")
        client = self.d.connect()
        self.addCleanup(client.close)
        self.assertEqual(client.call("SendKeys", {"id": self.id, "text": text}), {})
        self.d.until(lambda: not self.remembers(forms), "it is forgotten just after the answer, with the connection open")

    def ctl(self, *arguments, text=None):
        return subprocess.run([daemon.BUILD / "vfio-displayctl", "--socket", self.d.control, *arguments], input=text,
                              capture_output=True, text=True, timeout=60 * daemon.SLOW)

    def test_from_the_command_line(self):
        done = self.ctl("send-keys", self.id, "ctrl-alt-del", "--text", "s")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.expect(tap(CTRL, ALT, DELETE), tap(S))
        done = self.ctl("send-keys", self.id, "--text", "-", text="sh\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.expect(tap(S), tap(H), tap(ENTER))
        done = self.ctl("send-keys", self.id, "ctrl-what")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("keys[0]", done.stderr)
        self.assertNotEqual(self.ctl("send-keys", self.id).returncode, 0)
        self.nothing()


if __name__ == "__main__":
    unittest.main(verbosity=2)
