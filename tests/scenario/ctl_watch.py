#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayctl watch: lines in a pipe, a table on a terminal, and both over a daemon's end and the next one's beginning."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import surface  # noqa: E402

LIMIT = 20 * daemon.SLOW
PROGRAM = daemon.BUILD / "vfio-displayctl"
ENTER, LEAVE, HOME, END = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l", "\033[H", "\033[J"


class Pipe:
    def __init__(self, d, *arguments):
        self.process = subprocess.Popen([PROGRAM, "--socket", d.control, "watch", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.read = b""

    def line(self):
        while b"\n" not in self.read:
            if not select.select([self.process.stdout], [], [], LIMIT)[0]:
                raise AssertionError("no event")
            self.read += os.read(self.process.stdout.fileno(), 65536) or b"end of file\n"
        line, self.read = self.read.split(b"\n", 1)
        return json.loads(line)

    def until(self, event):
        while True:
            line = self.line()
            if line["event"] == event:
                return line

    def end(self):
        self.process.terminate()
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, err.decode()

    def close(self):
        self.process.kill()
        self.process.communicate()


class Terminal:
    """A terminal of its own for one program, and what is on its page."""

    def __init__(self, d, *arguments, lines=24, columns=100):
        self.master, self.slave = pty.openpty()
        self.size(lines, columns)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen([PROGRAM, "--socket", d.control, "watch", *arguments], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def size(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, timeout=0.05):
        while select.select([self.master], [], [], timeout)[0]:
            self.text += os.read(self.master, 65536).decode()

    def page(self):
        """The lines of the last whole page."""
        pages = self.text.split(HOME)[1:]
        whole = [page.split(END)[0] for page in pages if END in page]
        return re.sub(r"\033\[K", "", whole[-1]).replace("\r", "").split("\n") if whole else []

    def until(self, test, what):
        end = time.monotonic() + LIMIT
        while not test(self.page()):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: {self.page()} {self.text[-300:]!r}")
            self.read()
        return self.page()

    def rows(self):
        return [line.split()[:2] for line in self.page()[3:] if line]

    def until_rows(self, *rows):
        self.until(lambda page: self.rows() == [list(row) for row in rows], f"not {rows}")

    def as_before(self):
        now = termios.tcgetattr(self.slave)
        return now == self.before

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def restart(d, meanwhile=lambda: None):
    """The daemon ends and another one begins at its place."""
    arguments = d.process.args
    d.process.terminate()
    d.process.wait(LIMIT)
    meanwhile()
    d.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=d.log, stderr=d.log)
    d.pid = d.process.pid
    d.until(lambda: os.path.exists(d.control), "another daemon's socket")


class Watch(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(200, 120)
        self.addCleanup(self.canvas.close)

    def open(self, made):
        self.addCleanup(made.close)
        return made

    def test_lines(self):
        with daemon.Daemon() as d:
            held = [d.register(self.canvas, "first")]
            pipe = self.open(Pipe(d))
            self.assertEqual(pipe.until("displayState")["id"], "first")
            pipe.until("ready")
            other = surface.Surface(64, 48)
            held.append(d.register(other, "second"))
            event = pipe.until("displayRegistered")
            self.assertEqual((event["id"], event["context"]["id"]), ("second", "second"))
            d.connect().call("Unregister", {"id": "second"})
            self.assertEqual(pipe.until("displayUnregistered")["id"], "second")
            only = self.open(Pipe(d, "--event", "displayUnregistered,stopping", "first"))
            self.assertEqual(only.line()["event"], "ready")
            # A restart: what is there then is told anew.
            restart(d)
            self.assertEqual(only.line()["event"], "stopping")
            for each in (pipe, only):
                each.until("disconnected")
                each.until("ready")
            held.append(d.register(surface.Surface(64, 48), "third"))
            self.assertEqual(pipe.until("displayRegistered")["id"], "third")
            for each in (pipe, only):
                self.assertEqual(each.end(), (0, ""))
            for each in held:
                os.close(each)

    def test_nobody_reads(self):
        with daemon.Daemon() as d:
            pipe = self.open(Pipe(d))
            pipe.until("ready")
            pipe.process.stdout.close()
            self.assertEqual(pipe.process.wait(LIMIT), 0)

    def test_no_daemon(self):
        with daemon.Daemon() as d:
            done = subprocess.run([PROGRAM, "--socket", str(d.dir / "none"), "watch"], capture_output=True, timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout), (3, b""))
            done = subprocess.run([PROGRAM, "--socket", d.control, "watch", ".."], capture_output=True, timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout), (8, b""))
            done = subprocess.run([PROGRAM, "--socket", d.control, "watch", "--event", "nix"], capture_output=True, timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout), (8, b""))

    def test_table(self):
        with daemon.Daemon() as d:
            held = [d.register(self.canvas, "first", context={"name": "a name"})]
            terminal = self.open(Terminal(d))
            terminal.until_rows(("first", "live"))
            self.assertTrue(terminal.text.startswith(ENTER))
            self.assertEqual(terminal.page()[0], "1 display, 0 viewers")
            self.assertRegex(terminal.page()[2], r"^ID +STATE +SIZE ")
            self.assertIn("200x120", terminal.page()[3])
            self.assertFalse(termios.tcgetattr(terminal.slave)[3] & termios.ECHO)
            viewer = d.viewer("first")
            viewer.first()
            terminal.until(lambda page: page[0] == "1 display, 1 viewer", "the viewer")
            viewer.close()
            terminal.until(lambda page: page[0] == "1 display, 0 viewers", "the viewer's end")
            lease = d.register(surface.Surface(64, 48), "second")
            terminal.until_rows(("first", "live"), ("second", "live"))
            # A small window cuts lines and columns, one that grows shows them again.
            terminal.size(4, 20)
            page = terminal.until(lambda page: len(page) == 4, "the smaller page")
            self.assertEqual(max(map(len, page)), 20)
            terminal.size(30, 120)
            terminal.until(lambda page: len(page) > 4 and len(page[3]) > 20, "the larger page")
            os.close(lease)
            terminal.until_rows(("first", "live"))
            # A restart, during which the page says so.
            restart(d, lambda: terminal.until(lambda page: "does not answer" in page[0], "that there is none"))
            terminal.until(lambda page: page[0] == "0 displays, 0 viewers", "the other daemon")
            held.append(d.register(surface.Surface(64, 48), "third"))
            terminal.until_rows(("third", "live"))
            os.write(terminal.master, b"\x03")
            self.assertEqual(terminal.process.wait(LIMIT), 0)
            terminal.read()
            self.assertTrue(terminal.text.endswith(LEAVE), terminal.text[-100:])
            self.assertTrue(terminal.as_before())
            for each in held:
                os.close(each)

    def test_it_is_stopped_and_goes_on(self):
        with daemon.Daemon() as d:
            terminal = self.open(Terminal(d))
            terminal.until(lambda page: page and page[0] == "0 displays, 0 viewers", "the page")
            os.write(terminal.master, b"\x1a")
            _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status))
            terminal.read()
            self.assertTrue(terminal.text.endswith(LEAVE))
            self.assertTrue(terminal.as_before())
            terminal.text = ""
            terminal.process.send_signal(signal.SIGCONT)
            terminal.until(lambda page: page and page[0] == "0 displays, 0 viewers", "the page again")
            self.assertTrue(terminal.text.startswith(ENTER))
            terminal.process.send_signal(signal.SIGTERM)
            self.assertEqual(terminal.process.wait(LIMIT), 0)
            self.assertTrue(terminal.as_before())

    def test_json_on_a_terminal(self):
        with daemon.Daemon() as d:
            terminal = self.open(Terminal(d, "--json"))
            end = time.monotonic() + LIMIT
            while '"ready"' not in terminal.text and time.monotonic() < end:
                terminal.read()
            self.assertIn('"ready"', terminal.text)
            self.assertNotIn("\033", terminal.text)


if __name__ == "__main__":
    unittest.main()
