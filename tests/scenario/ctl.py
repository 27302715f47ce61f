#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayctl: every verb, tables and --json, exit statuses, and one line that helps when something is wrong."""
import json
import os
import pathlib
import select
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
OK, FAILED, USAGE, NO_DAEMON, DENIED, NOT_FOUND, EXISTS, NOT_NOW, REFUSED = range(9)


class Ctl(unittest.TestCase):
    def setUp(self):
        self.canvas = surface.Surface(200, 120)
        self.canvas.noise(1)

    def start(self, d, *arguments, fds=(), **more):
        return subprocess.Popen([daemon.BUILD / "vfio-displayctl", "--socket", d.control, *arguments], pass_fds=fds,
                                stderr=subprocess.PIPE, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **more})

    def run_ctl(self, d, *arguments, fds=()):
        process = self.start(d, *arguments, fds=fds)
        out, err = process.communicate(timeout=30 * daemon.SLOW)
        return process.returncode, out.decode(), err.decode()

    def ok(self, d, *arguments, fds=()):
        status, out, err = self.run_ctl(d, *arguments, fds=fds)
        self.assertEqual((status, err), (OK, ""), arguments)
        return out

    def lines(self, d, *arguments):
        return [json.loads(line) for line in self.ok(d, "--json", *arguments).splitlines()]

    def json(self, d, *arguments):
        """Of the verbs that list, a line for each; of the others one."""
        lines = self.lines(d, *arguments)
        return lines if arguments[0] in ("list", "viewers") else lines[0]

    def complains(self, d, status, about, *arguments, fds=()):
        """One line on standard error that says what it is about; nothing on standard output."""
        got, out, err = self.run_ctl(d, *arguments, fds=fds)
        self.assertEqual((got, out), (status, ""), (arguments, err))
        self.assertRegex(err, r"\Avfio-displayctl: [^\n]+\n\Z", arguments)
        self.assertIn(about, err, arguments)
        return err

    def test_list_and_describe(self):
        with daemon.Daemon() as d:
            self.assertEqual(self.json(d, "list"), [])
            self.assertEqual(len(self.ok(d, "list").splitlines()), 1)
            held = (d.register(self.canvas, "first", context={"machine": "m1", "name": "A name", "labels": {"k": "v"}}),
                    d.register(surface.Surface(64, 48, "RGB565"), "second", context={"machine": "m2"}))
            d.connect().until("second", lambda r: r["state"] == "live")
            d.connect().until("first", lambda r: r["state"] == "live")
            lines = self.ok(d, "list").splitlines()
            self.assertEqual([line.split()[0] for line in lines], ["ID", "first", "second"])
            self.assertIn("200x120", lines[1])
            self.assertIn("RGB565", lines[2])
            self.assertEqual([each["context"]["id"] for each in self.json(d, "list")], ["first", "second"])
            self.assertEqual([each["context"]["id"] for each in self.json(d, "list", "--machine", "m2")], ["second"])
            self.assertEqual(self.json(d, "list", "--machine", "m3"), [])
            text = self.ok(d, "describe", "first")
            for word in ("first", "A name", "m1", "live", "200x120", "XRGB8888", "idle", str(os.getpid())):
                self.assertIn(word, text)
            one = self.json(d, "describe", "first")
            self.assertEqual((one["context"]["labels"], one["runtime"]["state"]), ({"k": "v"}, "live"))
            del held

    def test_what_a_terminal_gets(self):
        """A name with letters of all kinds comes out whole; what is no text does not get as far as a terminal."""
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a", context={"name": "Größe 東京"})
            self.assertIn("Größe 東京", self.ok(d, "list"))
            self.assertEqual(self.json(d, "list")[0]["context"]["name"], "Größe 東京")
            self.assertNotIn("\x1b", self.complains(d, REFUSED, "", "describe", "\x1b[31mred"))
            del held

    def test_register_with_a_lease(self):
        with daemon.Daemon() as d:
            lease, held = os.pipe()
            out = self.ok(d, "register", "--id", "a", "--source", "surface", "--device-fd", str(self.canvas.fd), "--change-fd",
                          str(self.canvas.change), "--lease-fd", str(lease), "--name", "N", "--machine", "m", "--head", "3",
                          "--label", "k=v", "--view-only", "--viewers-maximum", "5", "--frames-per-second-maximum", "30",
                          fds=(self.canvas.fd, self.canvas.change, lease))
            os.close(lease)
            self.assertEqual(out, "a\n")
            self.assertEqual(self.json(d, "describe", "a")["context"],
                             {"id": "a", "name": "N", "machine": "m", "head": 3, "labels": {"k": "v"}, "viewOnly": True,
                              "viewersMaximum": 5, "framesPerSecondMaximum": 30})
            os.close(held)
            d.until(lambda: self.json(d, "list") == [], "the end of the lease")
            # Without an id the daemon makes one up; a process is a lease too.
            child = subprocess.Popen(["sleep", "1000"])
            name = self.ok(d, "register", "--source", "surface", "--device-fd", str(self.canvas.fd), "--lease-pid",
                           str(child.pid), fds=(self.canvas.fd,)).strip()
            self.assertEqual([each["context"]["id"] for each in self.json(d, "list")], [name])
            child.kill()
            child.wait()
            d.until(lambda: self.json(d, "list") == [], "the end of the lease")

    def test_register_without_a_lease(self):
        """Its connection is the lease: it stays, until it is interrupted or somebody unregisters the display."""
        with daemon.Daemon() as d:
            port = daemon.free_port()
            arguments = ("register", "--id", "a", "--source", "surface", "--device-fd", str(self.canvas.fd), "--listen-view",
                         f"127.0.0.1:{port}")
            process = self.start(d, *arguments, fds=(self.canvas.fd,))
            self.assertEqual(process.stdout.readline(), b"a\n")
            viewer = rfb.Client(("127.0.0.1", port), timeout=LIMIT)
            viewer.first()
            self.assertIsNone(shows(viewer, self.canvas))
            self.assertEqual(self.json(d, "viewers")[0]["viewer"]["mode"], "view")
            viewer.close()
            self.ok(d, "unregister", "a")
            out, err = process.communicate(timeout=LIMIT)
            self.assertEqual((process.returncode, out, err), (OK, b"", b""))
            process = self.start(d, *arguments, fds=(self.canvas.fd,))
            self.assertEqual(process.stdout.readline(), b"a\n")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LIMIT)
            d.until(lambda: self.json(d, "list") == [], "the end of the lease")

    def test_viewers_attach_detach(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            self.assertEqual(self.json(d, "viewers"), [])
            pair = socket.socketpair()
            process = self.start(d, "attach", "a", "--view-only", "--label", "me", stdin=pair[1], stdout=pair[1])
            pair[1].close()
            viewer = rfb.Client(pair[0], timeout=LIMIT)
            viewer.set_encodings(rfb.ZRLE)
            viewer.first()
            self.assertIsNone(shows(viewer, self.canvas))
            entry = self.json(d, "viewers", "a")[0]["viewer"]
            self.assertEqual((entry["id"], entry["mode"], entry["label"]), ("a", "view", "me"))
            self.assertIn("me", self.ok(d, "viewers").splitlines()[1])
            self.assertEqual(self.ok(d, "detach", entry["viewer"]), "")
            process.communicate(timeout=LIMIT)
            viewer.close()
            d.until(lambda: self.json(d, "viewers") == [], "the viewer's end")
            del held

    def test_attach_exec(self):
        """The command has the connection as its standard input and output, and its exit status counts."""
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            program = "import os, sys; data = os.read(0, 12); sys.exit(7 if data == b'RFB 003.008\\n' else 1)"
            status, _, err = self.run_ctl(d, "attach", "a", "--exec", sys.executable, "-c", program)
            self.assertEqual((status, err), (7, ""))
            del held

    def test_capabilities_and_call(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            told = self.json(d, "capabilities")
            self.assertIn("source-surface", told["capabilities"])
            self.assertIn("source-surface", self.ok(d, "capabilities"))
            self.assertEqual(json.loads(self.ok(d, "call", "GetCapabilities")), told)
            self.assertEqual(json.loads(self.ok(d, "call", "org.vfiodisplay.Display.List", '{"id": "a"}'))["context"]["id"], "a")
            self.assertEqual(json.loads(self.ok(d, "call", "--more", "List"))["context"]["id"], "a")
            self.assertIn("org.vfiodisplay.Display",
                          json.loads(self.ok(d, "call", "org.varlink.service.GetInfo"))["interfaces"])
            self.complains(d, REFUSED, "--more", "call", "List")
            self.complains(d, REFUSED, "Nix", "call", "Nix")
            self.complains(d, REFUSED, "no interface", "call", "org.example.Nix")
            self.complains(d, USAGE, "JSON", "call", "List", "{")
            del held

    def test_ping_and_reload(self):
        with daemon.Daemon() as d:
            self.assertEqual(self.ok(d, "ping"), "")
            self.assertEqual(self.json(d, "ping"), {})
            self.assertEqual(self.ok(d, "reload"), "")
            self.assertEqual(self.ok(d, "log-level", "debug"), "")
            self.complains(d, USAGE, "loud", "log-level", "loud")

    def test_input_and_send(self):
        """A keyboard that the command inherits, and a touch screen that listens at a path."""
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            keyboard, path = socket.socketpair(), str(d.dir / "touch")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()
                self.ok(d, "input", "a", f"keyboard=fd:{keyboard[1].fileno()}", f"touch={path}", "--size", "800x600",
                        fds=(keyboard[1].fileno(),))
                touch = listener.accept()[0]
            keyboard[1].close()
            for each in (keyboard[0], touch):
                each.settimeout(LIMIT)
            self.assertEqual(self.ok(d, "send", "a", "KEY_LEFTSHIFT:1", "KEY_A", "KEY_LEFTSHIFT:0"), "")
            want = [(1, 42, 1), (1, 30, 1), (0, 0, 0), (1, 30, 0), (0, 0, 0), (1, 42, 0), (0, 0, 0)]
            data = keyboard[0].recv(8 * len(want), socket.MSG_WAITALL)
            self.assertEqual(list(struct.iter_unpack("<HHi", data)), want)
            self.assertEqual(self.json(d, "send", "a", "ABS_X:799", "3:1:5", "SYN", "BTN_TOUCH:1"), {"dropped": 0})
            want = [(3, 0, 799), (3, 1, 5), (0, 0, 0), (1, 0x14a, 1), (0, 0, 0)]
            self.assertEqual(list(struct.iter_unpack("<HHi", touch.recv(8 * len(want), socket.MSG_WAITALL))), want)
            self.complains(d, REFUSED, "events[0].value", "send", "a", "ABS_X:800")
            self.complains(d, NOT_FOUND, "no relativePointer", "send", "a", "REL_X:1")
            self.complains(d, REFUSED, "events[0].code", "send", "a", "--kind", "touch", "KEY_A")
            text = self.ok(d, "describe", "a")
            self.assertIn("input: keyboard, connected, 4 events\n", text)
            self.assertIn("input: touch, connected, 3 events\n", text)
            self.complains(d, FAILED, "No such file", "input", "a", "keyboard=/nonexistent/socket")
            self.assertEqual(self.ok(d, "input", "a", "--none"), "")
            self.assertEqual(self.json(d, "describe", "a")["runtime"]["input"], [])
            for each in (keyboard[0], touch):
                each.close()
            del held

    def test_metrics_and_dump(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a")
            metrics = self.ok(d, "metrics")
            self.assertTrue(metrics.endswith("# EOF\n"), metrics[-200:])
            self.assertIn('id="a"', metrics)
            self.assertNotIn("# EOF", self.ok(d, "metrics", "--format", "text"))
            self.assertTrue(self.json(d, "metrics")["text"].endswith("# EOF\n"))
            for text in (self.ok(d, "dump"), self.ok(d, "dump", "a"), self.json(d, "dump")["text"]):
                self.assertIn("200x120", text)
            self.complains(d, NOT_FOUND, "b: there is no such display", "dump", "b")
            self.complains(d, REFUSED, "format", "metrics", "--format", "nix")
            del held

    def complete(self, d, *words):
        return self.ok(d, "__complete", *words).split()

    def soon(self, call, want):
        """Who presses Tab waits a second for the daemon, at the most; here it is pressed again where the machine is busy."""
        end = time.monotonic() + LIMIT
        while (got := call()) != want and want and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(got, want)

    def offers(self, d, want, *words):
        self.soon(lambda: self.complete(d, *words), want)

    def test_completion(self):
        """In bash itself: every verb, every option of each, and what the daemon knows."""
        with daemon.Daemon() as d:
            held = (d.register(self.canvas, "first"), d.register(surface.Surface(64, 48), "second"))
            verbs = re.findall(r"^  ([a-z-]+)( |$)", self.ok(d, "--help").split("Options")[0], re.MULTILINE)
            verbs = [name for name, _ in verbs]
            self.assertGreater(len(verbs), 20)
            self.offers(d, verbs, "")
            self.offers(d, ["capture", "capabilities"], "--json", "cap")
            for verb in verbs:
                options = set(re.findall(r"--[a-z-]+", self.ok(d, verb, "--help").split("Options")[1]))
                offered = self.complete(d, verb, "--")
                self.assertTrue({"--json", "--socket", "--help"} <= set(offered), verb)
                self.assertLessEqual(set(offered), options, verb)
                # What the summaries speak of need not be this verb's.
                self.offers(d, offered, verb, "-")
            self.offers(d, ["first", "second"], "describe", "")
            self.offers(d, ["second"], "update", "--name", "x", "s")
            self.offers(d, ["KEY_LEFTSHIFT"], "send", "first", "KEY_LEFTS")
            self.offers(d, ["view", "control", "exclusive"], "ticket", "--mode", "")
            self.offers(d, ["none,vncauth"], "register", "--security", "none,vnc")
            self.offers(d, ["@files"], "capture", "first", "-o", "")
            d.until(lambda: "Unregister" in self.complete(d, "call", ""), "the interface's methods")
            self.offers(d, ["io.systemd.service.Reload"], "call", "io.systemd.service.R")
            self.offers(d, ["exclusive"], "ticket", "--mode=e")
            self.offers(d, ["@files"], "input", "first", "keyboard=/")
            self.offers(d, [], "--socket=/nonexistent", "describe", "")
            self.offers(d, [], "nix", "")
            self.offers(d, [], "--socket", "/nonexistent", "describe", "")
            viewer = d.viewer("first")
            viewer.first()
            names = [each["viewer"]["viewer"] for each in self.json(d, "viewers")]
            self.offers(d, names, "detach", "")
            viewer.close()
            script = pathlib.Path(__file__).resolve().parents[2] / "data/bash-completion/vfio-displayctl"
            (d.dir / "file one").touch()
            for line, want in (("vfio-displayctl des", ["describe"]), ("vfio-displayctl describe ", ["first", "second"]),
                               (f"vfio-displayctl capture first -o {d.dir}/fi", [f"{d.dir}/file one"]),
                               ("vfio-displayctl ticket first --mode = v", ["view"]),
                               ("vfio-displayctl ticket --mode = view --seconds = 9 s", ["second"]),
                               (f"vfio-displayctl input first keyboard = {d.dir}/fi", [f"{d.dir}/file one"])):
                words = line.split(" ")
                program = (f"source {script}; COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}; "
                           "_vfio_displayctl; printf '%s\n' \"${COMPREPLY[@]}\"; complete -p vfio-displayctl")
                environment = {**os.environ, "VFIO_DISPLAYD_SOCKET": d.control, "PATH": f"{daemon.BUILD}:{os.environ['PATH']}"}
                self.soon(lambda program=program, environment=environment: subprocess.run(
                    ["bash", "--norc", "-c", program], stdout=subprocess.PIPE, text=True, timeout=LIMIT, env=environment
                ).stdout.splitlines(), [*want, "complete -F _vfio_displayctl vfio-displayctl"])
            del held

    def test_every_method_has_a_verb(self):
        """What the interface has, the command has: by the table of verbs, against what the daemon says of itself."""
        with daemon.Daemon() as d:
            called = set()
            for line in (pathlib.Path(__file__).resolve().parents[2] / "src/ctl/verbs.c").read_text().splitlines():
                called.update(re.findall(r'^\t{"[a-z-]+", (?:UPKEEP )?"([A-Za-z]+)"', line))
            for interface in ("org.vfiodisplay.Display", "io.systemd.service"):
                text = json.loads(self.ok(d, "call", "org.varlink.service.GetInterfaceDescription",
                                          json.dumps({"interface": interface})))["description"]
                for method in re.findall(r"^method ([A-Za-z]+)", text, re.MULTILINE):
                    self.assertIn(method, called)

    def test_help_is_of_the_table_of_methods(self):
        table = (pathlib.Path(__file__).resolve().parents[2] / "src/control/table.inc").read_text()
        rows = re.findall(r'^(?:METHOD|SERVICE)\((\w+),.* RIGHT_(\w+),.*"([^"]+)"\)$', table, re.MULTILINE)
        self.assertGreater(len(rows), 15)
        with daemon.Daemon() as d:
            shown = self.ok(d, "--help")
            verbs = {text: verb for verb, text in re.findall(r"^  ([a-z-]+)(?: [^ ]+)*  +(.+)$", shown, re.MULTILINE)}
            for method, right, text in rows:
                with self.subTest(method=method):
                    said = self.ok(d, verbs[text], "--help")
                    self.assertIn(text[1:] + ".\n", said)
                    self.assertRegex(said, rf"Method (io\.systemd\.service\.)?{method}, ")
                    self.assertIn("everybody" if right == "NONE" else f"'{right.lower()}'", said)

    def test_what_fails(self):
        with daemon.Daemon() as d:
            held = d.register(self.canvas, "a", context={"viewOnly": True})
            for verb in ("describe", "unregister", "viewers", "attach"):
                self.complains(d, NOT_FOUND, "b: there is no such display", verb, "b")
            self.complains(d, NOT_FOUND, "there is no such viewer", "detach", "9-9")
            self.complains(d, DENIED, "ask for mode view", "attach", "a")
            self.complains(d, DENIED, "viewOnly", "send", "a", "KEY_A")
            lease, end = os.pipe()
            other = surface.Surface(64, 64)
            self.complains(d, EXISTS, "another", "register", "--id", "a", "--source", "surface", "--device-fd", str(other.fd),
                           "--lease-fd", str(lease), fds=(other.fd, lease))
            self.complains(d, REFUSED, "it is not a VFIO device", "register", "--id", "x", "--device", "/dev/null")
            with socket.create_server(("127.0.0.1", 0)) as taken:
                self.complains(d, EXISTS, "already in use", "register", "--id", "x", "--source", "surface", "--device-fd",
                               str(other.fd), "--lease-fd", str(lease), "--listen", f"127.0.0.1:{taken.getsockname()[1]}",
                               fds=(other.fd, lease))
            self.complains(d, REFUSED, "context.viewersMaximum", "call", "Register",
                           '{"deviceFileDescriptorIndex": 0, "context": {"viewersMaximum": 999}}')
            os.close(lease)
            os.close(end)
            del held

    def test_wrong_arguments(self):
        with daemon.Daemon() as d:
            for arguments in ((), ("nix",), ("list", "more"), ("describe",), ("describe", "a", "b"), ("capture", "a"),
                              ("capture", "-o", "x"), ("register",), ("register", "--device-fd", "x"),
                              ("register", "--device-fd", "0", "--head", "-1"), ("unregister",), ("detach",), ("attach",),
                              ("call",), ("viewers", "a", "b"), ("watch", "a", "b"), ("ping", "a"), ("reload", "a"),
                              ("log-level",), ("log-level", "loud"), ("metrics", "a"), ("dump", "a", "b"), ("input",), ("input", "a"),
                              ("input", "a", "keyboard"), ("input", "a", "keyboard=fd:0", "--none"),
                              ("input", "a", "--size", "9", "touch=fd:0"), ("send", "a"), ("send", "a", "KEY_NIX"),
                              ("send", "a", "ABS_X"), ("send", "a", "KEY_A:"), ("send", "a", "1:2")):
                with self.subTest(arguments=arguments):
                    status, out, err = self.run_ctl(d, *arguments)
                    self.assertEqual((status, out), (USAGE, ""))
                    self.assertRegex(err, r"\Avfio-displayctl: [^\n]+\n\Z")
            for arguments in (("--nix",), ("list", "--nix"), ("list", "-x"), ("list", "--machine"), ("capture", "-o"), ("list", "--json=1"),
                              ("--socket",)):
                status, out, err = self.run_ctl(d, *arguments)
                self.assertEqual((status, out), (USAGE, ""))
                self.assertRegex(err, r"\Avfio-displayctl: [^\n]*%s[^\n]*\n\Z" % arguments[-1])
            self.assertIn("capture ID", self.ok(d, "--help"))
            self.assertRegex(self.ok(d, "--version"), r"\Avfio-displayctl \d+\.\d+")

    def test_no_daemon(self):
        """No socket, a socket without a daemon, a file: each says what to do."""
        with daemon.Daemon() as d:
            lone = str(d.dir / "lone")
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(lone)
            for where, word in (("/nonexistent/socket", "no such socket"), (lone, "nobody listens"),
                                (str(d.dir / "conf"), "conf: ")):
                done = subprocess.run([daemon.BUILD / "vfio-displayctl", "--socket", where, "list"], capture_output=True,
                                      text=True, timeout=LIMIT)
                self.assertEqual((done.returncode, done.stdout), (NO_DAEMON, ""))
                self.assertRegex(done.stderr, r"\Avfio-displayctl: [^\n]+\n\Z")
                self.assertIn(word, done.stderr)
            done = subprocess.run([daemon.BUILD / "vfio-displayctl", "--json", "list"], capture_output=True, text=True,
                                  env={**os.environ, "VFIO_DISPLAYD_SOCKET": d.control}, timeout=LIMIT)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (OK, "", ""))

    def test_a_daemon_that_hangs_up(self):
        """What is no answer is a failure and no crash."""
        with daemon.Daemon() as d:
            path = str(d.dir / "odd")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()
                for answer in (b"", b"nonsense\0", b'{"parameters": []}\0', b'{"error": 3}\0', b"\xff\xfe\0"):
                    process = subprocess.Popen([daemon.BUILD / "vfio-displayctl", "--socket", path, "describe", "a"],
                                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    peer, _ = listener.accept()
                    select.select([peer], [], [], LIMIT)
                    peer.recv(1 << 16)
                    peer.sendall(answer)
                    peer.close()
                    out, err = process.communicate(timeout=LIMIT)
                    with self.subTest(answer=answer):
                        self.assertEqual((process.returncode, out), (FAILED if answer else NO_DAEMON, ""))
                        self.assertRegex(err, r"\Avfio-displayctl: [^\n]+\n\Z")

    def test_output_that_cannot_be_written(self):
        with daemon.Daemon() as d, open("/dev/full", "wb") as full:
            held = d.register(self.canvas, "a")
            for arguments in (("list",), ("--json", "list"), ("describe", "a"), ("capabilities",), ("list", "--help")):
                process = self.start(d, *arguments, stdout=full)
                _, err = process.communicate(timeout=LIMIT)
                self.assertEqual(process.returncode, FAILED)
                self.assertIn(b"No space left", err)
            del held


if __name__ == "__main__":
    unittest.main(verbosity=2)
