#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-display-input-qmp carries a display's input to QEMU: every key, every button, nothing that is stale, and no QMP peer can harm it."""
import os
import pathlib
import re
import shutil
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import adapter  # noqa: E402
import daemon  # noqa: E402
import surface  # noqa: E402
import systemd  # noqa: E402
from adapter import until  # noqa: E402

KEY, REL, ABS = 1, 2, 3
KEY_A, KEY_B, KEY_LEFTSHIFT = 30, 48, 42
# The keys of a 105-key keyboard: the kernel's numbers, from 1 on, and what QEMU calls them (qapi/ui.json).
ROWS = """esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p bracket_left bracket_right ret ctrl a s d f g h j k l
semicolon apostrophe grave_accent shift backslash z x c v b n m comma dot slash shift_r kp_multiply alt spc caps_lock f1 f2 f3 f4 f5 f6
f7 f8 f9 f10 num_lock scroll_lock kp_7 kp_8 kp_9 kp_subtract kp_4 kp_5 kp_6 kp_add kp_1 kp_2 kp_3 kp_0 kp_decimal""".split()
KEYS = {**dict(enumerate(ROWS, 1)), 86: "less", 87: "f11", 88: "f12", 96: "kp_enter", 97: "ctrl_r", 98: "kp_divide", 99: "print",
        100: "alt_r", 102: "home", 103: "up", 104: "pgup", 105: "left", 106: "right", 107: "end", 108: "down", 109: "pgdn",
        110: "insert", 111: "delete", 119: "pause", 125: "meta_l", 126: "meta_r", 127: "compose"}


class Adapter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = daemon.Daemon()
        cls.addClassCleanup(lambda: cls.d.__exit__(*sys.exc_info()))
        cls.client, cls.number = cls.d.connect(), 0

    def setUp(self):
        type(self).number += 1
        self.id = f"d{self.number}"
        self.canvas = surface.Surface(64, 48)
        self.addCleanup(self.canvas.close)
        self.lease = self.d.register(self.canvas, self.id, event=False)
        self.addCleanup(lambda: self.lease is None or os.close(self.lease))

    def monitor(self, *arguments, **more):
        monitor = adapter.Monitor(*arguments, **more)
        self.addCleanup(monitor.close)
        return monitor

    def start(self, qmp, *options, wait=True, **popen):
        program = adapter.Program("vfio-display-input-qmp", "--display", self.id, "--socket", self.d.control, "--qmp", qmp, *options, **popen)
        self.addCleanup(program.stop)
        if wait:
            until(self.connected, lambda: "the display's input:\n" + program.text())
        return program

    def inputs(self):
        return self.client.call("List", {"id": self.id})["runtime"]["input"]

    def connected(self):
        return self.inputs() and all(each["connected"] for each in self.inputs())

    def send(self, *events):
        """Each one in a group of its own, unless it is a list of them."""
        out = []
        for each in events:
            out += [{"type": t, "code": c, "value": v} for t, c, v in (each if isinstance(each, list) else [each])]
            out.append({"type": 0, "code": 0, "value": 0})
        for at in range(0, len(out), 200):
            self.client.call("SendInput", {"id": self.id, "events": out[at:at + 200]})


@unittest.skipUnless(shutil.which("qemu-system-x86_64"), "there is no QEMU")
class RealQemu(Adapter):
    def qemu(self, *options):
        qemu = adapter.Qemu(*options)
        self.addCleanup(qemu.close)
        return qemu

    def sees(self, qemu, expected):
        """What comes after the modifiers that are let go at the beginning."""
        until(lambda: self.heard(qemu)[-len(expected):] == expected, lambda: f"{expected}, but {self.heard(qemu)[-len(expected):]}")

    @staticmethod
    def heard(qemu):
        return qemu.keys()

    def test_every_key(self):
        qemu = self.qemu()
        self.start(qemu.qmp)
        self.assertEqual(len(KEYS), 105)
        for code, name in KEYS.items():
            self.send((KEY, code, 1), (KEY, code, 0))
        expected = [f"{name} {down}" for name in KEYS.values() for down in (1, 0)]
        self.sees(qemu, expected)

    def test_pointers(self):
        qemu = self.qemu("-device", "virtio-tablet-pci")
        program = self.start(qemu.qmp)
        self.assertEqual([each["kind"] for each in self.inputs()], ["keyboard", "absolutePointer"])
        self.send([(ABS, 0, 100), (ABS, 1, 32767)], (KEY, 0x110, 1), (KEY, 0x110, 0), (KEY, 0x112, 1), (KEY, 0x112, 0),
                  (KEY, 0x111, 1), (KEY, 0x111, 0), (KEY, 0x113, 1), (KEY, 0x113, 0), (KEY, 0x114, 1), (KEY, 0x114, 0))
        seen = 8 + 2 + 10       # the modifiers of the beginning, the place, five buttons
        for steps, more in (([(REL, 8, 1), (REL, 11, 120)], 2), ([(REL, 8, -2), (REL, 11, -240)], 4), ([(REL, 6, 1)], 2), ([(REL, 6, -1)], 2)):
            self.send(steps)    # one at a time: they add up while they wait
            seen += more
            until(lambda: len(qemu.log()) == seen, lambda: str(qemu.log()))
        buttons = [f"btn button {name}, down {down}" for name in ("left", "middle", "right", "side", "extra", "wheel-up", "wheel-down",
                                                                   "wheel-down", "wheel-right", "wheel-left") for down in (1, 0)]
        expected = ["abs axis x, value 0x64", "abs axis y, value 0x7fff", *buttons]
        self.assertEqual(qemu.log()[-len(expected):], expected)
        self.assertEqual(program.stop(), 0, program.text())

    def test_relative(self):
        qemu = self.qemu()
        self.start(qemu.qmp)
        self.assertEqual([each["kind"] for each in self.inputs()], ["keyboard", "relativePointer"])
        self.send([(REL, 0, 5), (REL, 1, -7)])
        until(lambda: qemu.log()[-2:] == ["rel axis x, value 5", "rel axis y, value -7"], lambda: str(qemu.log()))

    def test_ends(self):
        """Its own end, QEMU's, and the display's: what is down is let go, and it comes back."""
        qemu = self.qemu()
        program = self.start(qemu.qmp)
        self.send((KEY, KEY_A, 1), (KEY, KEY_LEFTSHIFT, 1))
        self.sees(qemu, ["a 1", "shift 1"])
        self.assertEqual(program.stop(), 0, program.text())
        self.assertEqual(sorted(qemu.keys()[-2:]), ["a 0", "shift 0"])

        program = self.start(qemu.qmp)
        self.send((KEY, KEY_A, 1))
        self.sees(qemu, ["a 1"])
        os.close(self.lease)
        self.lease = None
        self.sees(qemu, ["a 1", "a 0"])
        until(lambda: "no such display" in program.text(), "it says that the display has gone")
        self.lease = self.d.register(self.canvas, self.id, event=False)
        until(self.connected, program.text)
        self.send((KEY, KEY_B, 1))
        self.sees(qemu, ["a 0", "b 1"])

        qemu.kill()
        until(lambda: not any(each["connected"] for each in self.inputs()), "the display has lost its input")
        qemu.start()
        until(self.connected, program.text)
        self.send((KEY, KEY_A, 1), (KEY, KEY_A, 0))
        self.sees(qemu, ["a 1", "a 0"])
        self.assertNotIn("b 1", qemu.keys(), "a key of before")

    def test_device(self):
        qemu = self.qemu("-device", "bochs-display,id=screen")
        program = self.start(qemu.qmp, "--device", "screen", "--head", "0")
        self.send((KEY, KEY_A, 1))
        self.sees(qemu, ["a 1"])
        self.assertIn("con 0", qemu.path().read_text())
        program.stop()
        program = self.start(qemu.qmp, "--device", "nonesuch", wait=False)
        until(lambda: "it takes no input: Device 'nonesuch' not found" in program.text(), program.text)
        self.assertFalse(self.connected())

    def test_paused(self):
        qemu = self.qemu("-S")
        program = self.start(qemu.qmp)
        self.send((KEY, KEY_A, 1), (KEY, KEY_A, 0))
        until(lambda: "the VM is paused" in program.text(), program.text)
        self.assertEqual(qemu.keys(), [])


class FakeMonitor(Adapter):
    def sees(self, monitor, *expected):
        until(lambda: tuple(monitor.events()[-len(expected):]) == expected, lambda: f"{expected}, but {monitor.events()[-len(expected):]}")

    def test_refused_releases_are_owed(self):
        paused = []
        error = {"class": "GenericError", "desc": "VM not running"}
        monitor = self.monitor(lambda name, arguments: error if paused and name == "input-send-event" else {})
        program = self.start(monitor.path)
        self.send((KEY, KEY_A, 1))
        self.sees(monitor, (KEY_A, True))
        paused.append(True)
        self.send((KEY, KEY_A, 0), (KEY, KEY_B, 1))
        until(lambda: "takes no input now: the VM is paused" in program.text(), program.text)
        paused.clear()
        until(lambda: monitor.events()[-1] == (KEY_A, False) and monitor.events().count((KEY_A, False)) > 1, lambda: str(monitor.events()))
        count = len(monitor.calls)
        self.send((KEY, KEY_B, 0))
        self.sees(monitor, (KEY_B, False))
        self.assertEqual(len(monitor.calls), count + 1, "what is owed is said once")
        self.assertNotRegex(program.text(), r"\b(30|48)\b")

    def test_one_that_refuses_every_other_is_no_flood(self):
        count = []
        monitor = self.monitor(lambda name, arguments: count.append(arguments) or (
            {"class": "GenericError", "desc": "VM not running"} if len(count) % 2 else {}) if arguments.get("events") else {})
        program = self.start(monitor.path)
        begin = time.monotonic()
        for n in range(200):
            self.send((KEY, KEY_A, n % 2))
        until(lambda: len(count) >= 200, lambda: f"{len(count)} calls")
        most = 1 + (time.monotonic() - begin) / 5      # a line in each LIMIT_ADAPTER_WAIT
        self.assertLessEqual(program.text().count("takes no input now"), most)

    def test_one_that_comes_and_goes_is_waited_for(self):
        monitor = self.monitor(lambda name, arguments: monitor.hang_up() if arguments.get("events") else {})
        begin = time.monotonic()
        self.start(monitor.path, wait=False)
        until(lambda: monitor.connections >= 6, lambda: f"{monitor.connections} connections")
        self.assertGreater(time.monotonic() - begin, (50 + 100 + 200 + 400 + 800) / 1000)      # half of each wait is random

    def test_slow(self):
        """A monitor that does not answer: few calls are under way, the newest place wins, keys stay in order, buttons where they were."""
        waits = []
        monitor = self.monitor(lambda name, arguments: None if waits and name == "input-send-event" else {},
                               mice=[{"name": "tablet", "absolute": True}])
        self.start(monitor.path)
        before = 2      # calls of the beginning: an empty one, and the modifiers
        until(lambda: len(monitor.calls) == before, "the modifiers are let go")
        waits.append(True)
        for n in range(2000):
            self.send([(ABS, 0, n)])
        self.send((KEY, 0x110, 1))
        for n in range(2000, 4000):
            self.send([(ABS, 0, n)])
        self.send((KEY, KEY_A, 1), (KEY, KEY_A, 0))
        until(lambda: len(monitor.calls) == before + 4, "four calls are under way")
        waits.clear()
        first = 3 + before + 1      # there were three questions at the beginning
        monitor.say(b"".join(b'{"return": {}, "id": %d}\r\n' % (first + n) for n in range(4)))
        # Keyboard and pointer are two streams: which of them has the last word is not said.
        last = (KEY_A, True), (KEY_A, False), {"type": "abs", "data": {"axis": "x", "value": 3999}}
        until(lambda: all(each in monitor.events()[-3:] for each in last), lambda: f"{last}, but {monitor.events()[-3:]}")
        keys = [each for each in monitor.events() if isinstance(each, tuple)]
        self.assertEqual(keys[-2:], [*last[:2]])
        seen = [each for call in monitor.calls[before:] for each in call["events"]]
        places = [each["data"]["value"] for each in seen if each["type"] == "abs"]
        self.assertLess(len(places), 300)
        self.assertEqual(places, sorted(places))
        self.assertEqual(places[-1], 3999)
        at = next(i for i, each in enumerate(seen) if each["type"] == "btn")
        self.assertEqual(seen[at - 1]["data"]["value"], 1999)

    def test_restart_of_the_monitor(self):
        """The same QEMU, another connection: what is down there is let go before anything else."""
        monitor = self.monitor()
        self.start(monitor.path)
        self.send((KEY, KEY_A, 1))
        self.sees(monitor, (KEY_A, True))
        monitor.hang_up()
        until(lambda: monitor.connections == 2 and self.connected(), "it is there again")
        self.sees(monitor, (KEY_A, False))

    def test_others(self):
        """Two for one display: the later one has it, and keeps it."""
        first, second = self.monitor(), self.monitor()
        loser = self.start(first.path)
        self.send((KEY, KEY_A, 1))
        self.sees(first, (KEY_A, True))
        winner = self.start(second.path)
        until(lambda: "left alone" in loser.text(), loser.text)
        self.send((KEY, KEY_B, 1))
        self.sees(second, (KEY_B, True))
        self.sees(first, (KEY_A, True), (KEY_A, False))
        winner.kill()
        until(lambda: loser.text().count("the display has its input") == 2, loser.text)
        self.send((KEY, KEY_B, 1))
        self.sees(first, (KEY_B, True))

    def test_touch(self):
        monitor = self.monitor(schema=adapter.WITH_TOUCH)
        self.start(monitor.path, "--kinds", "touch,keyboard")
        self.send([(ABS, 0x2f, 1), (ABS, 0x39, 7), (ABS, 0x35, 10), (ABS, 0x36, 20), (KEY, 0x14a, 1)])
        until(lambda: len(monitor.calls[-1]["events"]) == 4, lambda: str(monitor.calls[-1]))
        contact = [each["data"] for each in monitor.calls[-1]["events"]]
        self.assertEqual([each.get("type") for each in contact], ["begin", "data", "data", None])
        self.assertEqual(contact[1], {"type": "data", "slot": 1, "tracking-id": 7, "axis": "x", "value": 10})
        self.assertEqual(contact[3], {"button": "touch", "down": True})
        os.close(self.lease)
        self.lease = None
        until(lambda: any(each["data"].get("type") == "end" for each in monitor.calls[-1]["events"]), lambda: str(monitor.calls[-1]))

    def test_no_touch(self):
        monitor = self.monitor()
        program = self.start(monitor.path, "--kinds", "touch,keyboard")
        self.assertIn("this QEMU takes no touch", program.text())
        self.assertEqual([each["kind"] for each in self.inputs()], ["keyboard"])

    def test_hostile(self):
        """Whatever a monitor says: it is hung up on and tried again, in bounded memory, and a good one is served after it."""
        bad = {
            "no greeting": dict(greeting={"hello": 1}),
            "no JSON": dict(greeting=b"HTTP/1.1 400 Bad Request\r\n"),
            "an endless line": dict(greeting=b'{"QMP": "' + b"x" * (1 << 17)),
            "deep": dict(greeting=b'{"QMP":' + b"[" * 100000),
            "closing": dict(greeting=b"}"),
            "an answer that nobody asked for": dict(greeting=b'{"QMP": {}}\n{"return": {}, "id": 1}{"return": {}, "id": 2}'),
            "another number": dict(answer=lambda name, arguments: b'{"return": {}, "id": 77}'),
            "an endless schema": dict(answer=lambda name, arguments: b'{"return": ["' + b"x" * (3 << 20) if "schema" in name else {}),
            "an error instead": dict(answer=lambda name, arguments: {"class": "CommandNotFound", "desc": "no\nsuch\x1b[2J"}),
            "twice the same": dict(greeting=b'{"QMP": {}, "QMP": {}}'),
        }
        for what, options in bad.items():
            with self.subTest(what):
                monitor = self.monitor(**options)
                program = self.start(monitor.path, wait=False)
                until(lambda: monitor.connections >= 2, lambda: "it tries again:\n" + program.text())
                self.assertEqual(program.text().count("tried again"), 1, program.text())
                peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{program.process.pid}/status").read_text())[1])
                self.assertTrue(daemon.SANITIZED or peak < 40 << 10, f"{peak} KiB")
                monitor.answer, monitor.greeting = None, adapter.GREETING
                until(self.connected, program.text)
                self.assertEqual(program.stop(), 0, program.text())

    def test_a_flood(self):
        """Events without end cost it a bounded part of a processor, and keys still get through."""
        monitor = self.monitor()
        self.start(monitor.path)
        for _ in range(50):
            monitor.say(b'{"event": "RTC_CHANGE", "data": {"offset": 1}}\n' * 2000)
        self.send((KEY, KEY_A, 1))
        self.sees(monitor, (KEY_A, True))

    def test_a_systemd_that_reads_nothing(self):
        """Its queue is full: keys get through all the same, and what is still true is said later."""
        monitor, told = self.monitor(), systemd.Busy(self.d.dir / "notify")
        self.addCleanup(told.close)
        program = self.start(monitor.path, env=os.environ | {"NOTIFY_SOCKET": told.address})
        self.send((KEY, KEY_A, 1))
        self.sees(monitor, (KEY_A, True))
        heard = told.hear("READY=1", "STATUS=viewers can type")
        self.assertEqual([each for each in heard if each != "NOISE=1"], ["READY=1", "STATUS=viewers can type"])
        self.assertEqual(program.stop(), 0, program.text())
        told.hear("STOPPING=1")

    def test_sandbox(self):
        monitor = self.monitor()
        program = self.start(monitor.path)
        status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
        self.assertRegex(status, r"NoNewPrivs:\s+1")
        self.assertRegex(status, r"CapEff:\s+0+\n")
        if not daemon.SANITIZED:
            self.assertRegex(status, r"Seccomp:\s+2")

    def test_usage(self):
        for wrong in (["--qmp", "/x"], ["--display", "a"], ["--display", "a/b", "--qmp", "/x"], ["--display", "a", "--qmp", "/x", "more"],
                      ["--display", "a", "--qmp", "/x", "--kinds", "keyboards"], ["--display", "a", "--qmp", "/x", "--head", "-1"],
                      ["--nonsense"]):
            program = adapter.Program("vfio-display-input-qmp", *wrong)
            self.assertEqual(program.wait(), 2, wrong)
            self.assertIn("vfio-display-input-qmp: ", program.text())
        program = adapter.Program("vfio-display-input-qmp", "--help")
        self.assertEqual(program.wait(), 0)
        self.assertIn("--device QDEV", program.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
