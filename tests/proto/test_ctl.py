#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayctl against a daemon that says exactly what a test tells it to say."""

import array
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import zlib

PROGRAM = os.path.abspath("vfio-displayctl")
INTERFACE = "org.vfiodisplay.Display."
SERVICE = "org.varlink.service."
LIMIT = 20  # seconds; nothing here takes one
NO_DAEMON, DENIED, NOT_FOUND, EXISTS, NOT_NOW, REFUSED = range(3, 9)


class Daemon:
    """Takes connections; answer(call, fds) gives the replies of each: dicts, or (dict, fds); None hangs up."""

    def __init__(self, answer):
        self.dir = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.dir.name, "socket")
        self.answer = answer
        self.calls = []
        self.gone = threading.Event()  # a connection has ended
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self.listener.close()
        self.dir.cleanup()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        text, fds = b"", []
        while True:
            try:
                piece, control, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(64))
            except ConnectionResetError:  # it has not read all that was said
                piece, control = b"", []
            for _, _, rights in control:
                fds += array.array("i", rights[: len(rights) // 4 * 4])
            if not piece:
                break
            text += piece
            while b"\0" in text:
                message, text = text.split(b"\0", 1)
                call = json.loads(message)
                self.calls.append(call)
                replies = self.answer(call, fds)
                for reply in replies or []:
                    self.send(peer, reply)
                for fd in fds:
                    os.close(fd)
                fds = []
                if replies is None:
                    peer.shutdown(socket.SHUT_RDWR)
        peer.close()
        self.gone.set()

    @staticmethod
    def send(peer, reply):
        reply, fds = reply if isinstance(reply, tuple) else (reply, [])
        socket.send_fds(peer, [json.dumps(reply).encode() + b"\0"], fds)


def ctl(daemon, *arguments, **options):
    path = daemon if isinstance(daemon, str) else daemon.path
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        [PROGRAM, "--socket", path, *arguments], capture_output=True, timeout=LIMIT, **options)


def runtime(**changes):
    plane = {"type": "primary", "source": "dmabuf", "width": 1920, "height": 1080, "stride": 7680,
             "format": "XRGB8888", "modifier": "0x0", "modifierName": "LINEAR", "x": 0, "y": 0}
    return {"state": "live", "planes": [plane], "viewers": 2, "change": "eventfd",
            "lease": "descriptor", "registrant": {"uid": 64055, "gid": 64055, "pid": 17},
            "endpoints": ["unix:/run/vfio-displayd/rfb/vm1"], "framesCaptured": 12,
            "framesPublished": 11, **changes}


def display(identity, **changes):
    return {"context": {"id": identity, "viewOnly": False, **changes}, "runtime": runtime()}


def series(entries):
    return [{"parameters": entry, "continues": i + 1 < len(entries)} for i, entry in enumerate(entries)]


def error(name, **parameters):
    return [{"error": name, "parameters": parameters}]


def lines(result):
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


class Test(unittest.TestCase):
    def said(self, result, *words, status=1):
        """One line on stderr with these words, nothing on stdout."""
        text = result.stderr.decode()
        self.assertEqual(result.returncode, status, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertEqual(result.stdout, b"")
        for word in words:
            self.assertIn(word, text)

    # Tables and JSON

    def test_list(self):
        entries = [display("vm1", machine="5b1c"), display("vm-22", name="Zwölf \x1b[31mred\u202e")]
        with Daemon(lambda call, fds: series(entries)) as daemon:
            result = ctl(daemon, "list")
            self.assertEqual(result.returncode, 0, result.stderr)
            rows = result.stdout.decode().splitlines()
            self.assertEqual(rows[0].split(),
                             ["ID", "STATE", "SIZE", "FORMAT", "VIEWERS", "MACHINE", "NAME", "REASON"])
            self.assertEqual(rows[1].split()[:6], ["vm1", "live", "1920x1080", "XRGB8888", "2", "5b1c"])
            self.assertIn("Zwölf \\x1b[31mred\\u202e", rows[2])
            self.assertEqual(daemon.calls[0]["method"], INTERFACE + "List")
            self.assertTrue(daemon.calls[0]["more"])
            self.assertEqual(lines(ctl(daemon, "--json", "list")), entries)
            self.assertEqual(lines(ctl(daemon, "list", "--json")), entries)
            ctl(daemon, "list", "--machine", "5b1c")
            self.assertEqual(daemon.calls[-1]["parameters"], {"machine": "5b1c"})

    def test_list_of_nothing(self):
        with Daemon(lambda call, fds: error(INTERFACE + "NoSuchDisplay")) as daemon:
            result = ctl(daemon, "list")
            self.assertEqual(result.returncode, 0)
            self.assertEqual(len(result.stdout.splitlines()), 1)
            self.assertEqual(lines(ctl(daemon, "--json", "list")), [])

    def test_describe(self):
        with Daemon(lambda call, fds: [{"parameters": display("vm1", labels={"owner": "ann"})}]) as daemon:
            text = ctl(daemon, "describe", "vm1").stdout.decode()
            self.assertIn("state: live", text)
            self.assertIn("label: owner=ann", text)
            self.assertIn("1920x1080+0+0, XRGB8888, modifier LINEAR, stride 7680, from a dmabuf\n", text)
            self.assertNotIn("sizes:", text)
            self.assertEqual(daemon.calls[0]["parameters"], {"id": "vm1"})
            self.assertNotIn("more", daemon.calls[0])

    def test_planes_and_sizes(self):
        tiled = {**runtime()["planes"][0], "modifier": "0x100000000000001", "modifierName": "INTEL_X_TILED"}
        cursor = {**tiled, "type": "cursor", "width": 64, "height": 64, "x": -4, "hotSpot": {"x": 3, "y": 5}}
        entry = display("vm1")
        entry["runtime"].update(planes=[tiled, cursor], change="interrupt", sizeMaximum={"width": 1920, "height": 1440})
        with Daemon(lambda call, fds: series([entry])) as daemon:
            text = ctl(daemon, "describe", "vm1").stdout.decode()
            self.assertIn("1920x1080+0+0, XRGB8888, modifier INTEL_X_TILED, stride 7680, from a dmabuf\n", text)
            self.assertIn("64x64-4+0, ", text)
            self.assertIn("from a dmabuf, points with 3,5\n", text)
            self.assertIn("change: interrupt\n", text)
            self.assertIn("sizes: viewers may ask for up to 1920x1440\n", text)
            self.assertEqual(ctl(daemon, "list").stdout.decode().splitlines()[1].split()[3], "XRGB8888/INTEL_X_TILED")
            del tiled["modifierName"]  # an older daemon
            self.assertIn("modifier 0x100000000000001,", ctl(daemon, "describe", "vm1").stdout.decode())

    def test_viewers(self):
        viewer = {"viewer": "v3", "id": "vm1", "mode": "view", "peer": "[::1]:5000", "bytesSent": 99,
                  "framesBehind": 0}
        with Daemon(lambda call, fds: series([{"viewer": viewer}])) as daemon:
            rows = ctl(daemon, "viewers", "vm1").stdout.decode().splitlines()
            self.assertEqual(rows[1].split(), ["v3", "vm1", "view", "[::1]:5000", "-", "99", "0", "-"])
            self.assertEqual(daemon.calls[0]["parameters"], {"id": "vm1"})

    def test_capabilities(self):
        answer = {"capabilities": ["capture"], "limits": {"displays": 512}}
        with Daemon(lambda call, fds: [{"parameters": answer}]) as daemon:
            self.assertEqual(ctl(daemon, "capabilities").stdout, b"capture\ndisplays=512\n")
            self.assertEqual(json.loads(ctl(daemon, "--json", "capabilities").stdout), answer)

    def test_call(self):
        with Daemon(lambda call, fds: series([{"n": 1}, {"n": 2}])) as daemon:
            result = ctl(daemon, "call", "--more", "List", '{"id": "vm1"}')
            self.assertEqual(result.stdout, b'{\n  "n": 1\n}\n{\n  "n": 2\n}\n')
            self.assertEqual(daemon.calls[0], {"method": INTERFACE + "List", "more": True,
                                               "parameters": {"id": "vm1"}})
            ctl(daemon, "call", SERVICE + "GetInfo")
            self.assertEqual(daemon.calls[1]["method"], SERVICE + "GetInfo")

    def test_output_that_cannot_be_written(self):
        with Daemon(lambda call, fds: series([display("vm1")])) as daemon, open("/dev/full", "w") as full:
            result = subprocess.run([PROGRAM, "--socket", daemon.path, "list"], stdout=full,
                                    stderr=subprocess.PIPE, timeout=LIMIT)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"No space left", result.stderr)

    # Errors

    def test_errors_are_sentences(self):
        cases = [
            (NOT_FOUND, "unregister", INTERFACE + "NoSuchDisplay", {"id": "vm1"}, ["vm1: there is no such display"]),
            (DENIED, "unregister", SERVICE + "PermissionDenied", {}, ["vm1: ", "who registered"]),
            (DENIED, "attach", SERVICE + "PermissionDenied", {}, ["vm1: ", "--view-only"]),
            (DENIED, "attach", SERVICE + "PermissionDenied", {"right": "view", "reason": "ask root"}, ["vm1: ", "denied: ask root"]),
            (NOT_NOW, "attach", INTERFACE + "LimitReached", {"limit": "viewersMaximum", "value": 16},
             ["vm1: ", "viewersMaximum", "16"]),
            (NOT_FOUND, "detach", INTERFACE + "NoSuchViewer", {"viewer": "vm1"}, ["vm1: ", "no such viewer"]),
            (NOT_NOW, "describe", INTERFACE + "Unavailable", {"reason": "busy\x1b[2J"}, ["busy\\x1b[2J", "try again"]),
            (NOT_NOW, "describe", INTERFACE + "ShuttingDown", {}, ["shutting down"]),
            (REFUSED, "describe", SERVICE + "InvalidParameter", {"parameter": "id"}, ["does not accept 'id'", "1 to 64 letters"]),
            (REFUSED, "describe", SERVICE + "InvalidParameter", {"parameter": "context.labels.mode"}, ["up to 32"]),
            (REFUSED, "describe", SERVICE + "InvalidParameter", {"parameter": "listen[0].security[1]"}, ["x509Plain"]),
            (REFUSED, "describe", SERVICE + "InvalidParameter", {"parameter": "idd"}, ["'idd'", "what List takes"]),
            (1, "describe", "org.example.Odd", {"a": 1}, ["org.example.Odd", '{"a":1}']),
            (EXISTS, "describe", INTERFACE + "DisplayExists", {"id": "vm1"}, ["another registration"]),
            (EXISTS, "describe", INTERFACE + "AddressUnavailable", {"address": "[::1]:1", "reason": "taken"}, ["taken"]),
            (NOT_NOW, "describe", INTERFACE + "NotLive", {"id": "vm1", "state": "lost"}, ["being released", "lost"]),
            (REFUSED, "describe", INTERFACE + "FormatUnsupported", {"format": "P030", "modifier": "0x1"}, ["P030"]),
            (REFUSED, "describe", INTERFACE + "DeviceUnsuitable", {"reason": "no display"}, ["no display"]),
            (NOT_FOUND, "describe", INTERFACE + "NoSuchInput", {"id": "vm1", "kind": "touch"}, ["no touch"]),
            (REFUSED, "describe", SERVICE + "MethodNotFound", {"method": "List"}, ["'List'"]),
        ]
        for status, verb, name, parameters, words in cases:
            with Daemon(lambda call, fds: error(name, **parameters)) as daemon:
                self.said(ctl(daemon, verb, "vm1"), *words, status=status)

    def test_no_daemon(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "socket")
            self.said(ctl(path, "list"), path, "is vfio-displayd running?", status=NO_DAEMON)
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(path)
            self.said(ctl(path, "list"), path, "nobody listens", status=NO_DAEMON)

    def test_daemon_that_hangs_up(self):
        with Daemon(lambda call, fds: None) as daemon:
            self.said(ctl(daemon, "describe", "vm1"), "vm1: ", "closed the connection", status=NO_DAEMON)

    def test_socket_from_environment(self):
        with Daemon(lambda call, fds: series([display("vm1")])) as daemon:
            result = subprocess.run([PROGRAM, "list"], capture_output=True, timeout=LIMIT,
                                    env={**os.environ, "VFIO_DISPLAYD_SOCKET": daemon.path})
            self.assertEqual(result.returncode, 0)

    def test_usage(self):
        for arguments in ([], ["dance"], ["describe"], ["attach"], ["attach", "a", "b"], ["capture", "a"],
                          ["list", "vm1"], ["register"], ["register", "--head", "x", "--device-fd", "0"],
                          ["register", "--device-fd", "99"], ["register", "--device-fd", "0", "vm1"],
                          ["call", "List", "{"], ["call", "List", "[]"], ["register", "--device", "/dev/null", "--device-fd", "0"],
                          ["input", "a", "mouse=/dev/null"], ["attach", "a", "--exec"], ["adopt"], ["adopt", "--pid", "x"],
                          ["adopt", "--pid", "0"], ["adopt", "--pid", "1", "--device", "-1"],
                          ["adopt", "--pid", "1", "a", "b"], ["adopt", "--pid", "1", "--id", "a", "b"]):
            self.said(ctl("/nowhere", *arguments), status=2)
        self.assertEqual(ctl("/nowhere", "--help").returncode, 0)
        self.assertEqual(ctl("/nowhere", "--version").returncode, 0)

    # Register

    def test_register_with_a_lease(self):
        with Daemon(lambda call, fds: [{"parameters": {"id": "vm1", "runtime": runtime()}}]) as daemon:
            result = ctl(daemon, "register", "--id", "vm1", "--name", "Twelve", "--machine", "m", "--head", "1",
                         "--label", "a=b=c", "--label", "d=", "--frames-per-second-maximum", "30",
                         "--viewers-maximum", "4", "--view-only", "--keyboard-layout", "fr", "--input-exclusive-seconds", "9", "--source", "surface", "--device", "/dev/null",
                         "--lease-pid", str(os.getpid()), "--listen", "unix:/x", "--listen-view", "[::1]:0")
            self.assertEqual((result.returncode, result.stdout), (0, b"vm1\n"), result.stderr)
            self.assertEqual(daemon.calls[0], {"method": INTERFACE + "Register", "parameters": {
                "context": {"id": "vm1", "name": "Twelve", "machine": "m", "head": 1,
                            "labels": {"a": "b=c", "d": ""}, "framesPerSecondMaximum": 30,
                            "viewersMaximum": 4, "viewOnly": True, "keyboardLayout": "fr", "inputExclusiveSeconds": 9},
                "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                "listen": [{"mode": "control", "address": "unix:/x"},
                           {"mode": "view", "address": "[::1]:0"}]}})

    def test_register_gives_leave(self):
        with Daemon(lambda call, fds: [{"parameters": {"id": "vm1"}}]) as daemon:
            result = ctl(daemon, "register", "--device", "/dev/null", "--lease-pid", str(os.getpid()),
                         "--allow-interrupt", "--owns-edid", "--render-node", "/dev/zero")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(daemon.calls[0]["parameters"], {
                "context": {}, "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                "displayInterrupt": True, "ownsEdid": True, "renderNodeFileDescriptorIndex": 2})
            self.said(ctl(daemon, "register", "--device", "/dev/null", "--render-node", "/dev/dri/none"),
                      "/dev/dri/none: cannot open")
        with Daemon(lambda call, fds: error(INTERFACE + "DescriptorUnsuitable", index=1,
                                            reason="is not a DRM node")) as daemon:
            self.said(ctl(daemon, "register", "--device", "/dev/null", "--render-node", "/dev/null"),
                      "this render node is not fit: it is not a DRM node", status=REFUSED)

    def test_register_hands_over_what_it_inherits(self):
        kinds = []

        def answer(call, fds):
            kinds.extend(os.readlink("/proc/self/fd/%d" % fd) for fd in fds)
            return [{"parameters": {"id": "vm1"}}]

        change, lease = os.eventfd(0), os.pidfd_open(os.getpid())
        with Daemon(answer) as daemon, open("/dev/null", "rb") as device:
            result = ctl(daemon, "register", "--lease-fd", str(lease), "--change-fd", str(change), "--device-fd",
                         str(device.fileno()), pass_fds=(change, lease, device.fileno()))
            self.assertEqual(result.returncode, 0, result.stderr)
            at = daemon.calls[0]["parameters"]
            self.assertEqual(kinds[at["deviceFileDescriptorIndex"]], "/dev/null")
            self.assertEqual(kinds[at["changeFileDescriptorIndex"]], "anon_inode:[eventfd]")
            self.assertIn("pidfd", kinds[at["leaseFileDescriptorIndex"]])
        os.close(change)
        os.close(lease)

    def test_register_names_the_option(self):
        with Daemon(lambda call, fds: error(INTERFACE + "DescriptorUnsuitable", index=1,
                                            reason="is not a pidfd")) as daemon:
            self.said(ctl(daemon, "register", "--id", "vm1", "--device", "/dev/null", "--lease-pid", "1"),
                      "vm1: this lease is not fit: it is not a pidfd", status=REFUSED)

    def hold(self, daemon):
        process = subprocess.Popen([PROGRAM, "--socket", daemon.path, "register", "--id", "vm1", "--device",
                                    "/dev/null"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(select.select([process.stdout], [], [], LIMIT)[0])
        self.assertEqual(process.stdout.readline(), b"vm1\n")
        return process

    def test_register_is_the_lease(self):
        registered = {"parameters": {"id": "vm1", "event": "registered"}, "continues": True}
        with Daemon(lambda call, fds: [registered]) as daemon:
            for number in (signal.SIGTERM, signal.SIGINT):
                daemon.gone.clear()
                process = self.hold(daemon)
                self.assertTrue(daemon.calls[-1]["more"])
                self.assertIsNone(process.poll())
                process.send_signal(number)
                self.assertEqual(process.wait(LIMIT), 0)
                self.assertTrue(daemon.gone.wait(LIMIT))

    def test_register_ends_with_the_display(self):
        replies = [{"parameters": {"id": "vm1", "event": "registered"}, "continues": True},
                   {"parameters": {"id": "vm1", "event": "unregistered"}}]
        with Daemon(lambda call, fds: replies) as daemon:
            self.assertEqual(self.hold(daemon).wait(LIMIT), 0)

    def test_register_tells_what_viewers_ask_for(self):
        replies = [{"parameters": {"id": "vm1", "event": "registered"}, "continues": True},
                   {"parameters": {"id": "vm1", "event": "powerRequested", "action": "reset", "viewer": "3-1"},
                    "continues": True},
                   {"parameters": {"id": "vm1", "event": "somethingNew"}, "continues": True},
                   {"parameters": {"id": "vm1", "event": "unregistered"}}]
        with Daemon(lambda call, fds: replies) as daemon:
            process = self.hold(daemon)
            self.assertEqual(process.stdout.read(), b"viewer 3-1 asks for reset\n")
            self.assertEqual(process.wait(LIMIT), 0)
            result = ctl(daemon, "--json", "register", "--device", "/dev/null")
            self.assertIn(b"somethingNew", result.stdout)

    def test_register_says_what_listeners_offer(self):
        with Daemon(lambda call, fds: [{"parameters": {"id": "vm1"}}]) as daemon:
            result = ctl(daemon, "register", "--device", "/dev/null", "--lease-pid", str(os.getpid()),
                         "--sharing", "forceShared", "--bytes-per-second-maximum", "1000",
                         "--listen", "[::1]:1", "--security", "x509Plain,rsaAes256", "--listen-exclusive", "[::1]:2",
                         "--transports", "websocket", "--origin", "https://a", "--origin", "https://b")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(daemon.calls[0]["parameters"]["listen"], [
                {"mode": "control", "address": "[::1]:1", "security": ["x509Plain", "rsaAes256"]},
                {"mode": "exclusive", "address": "[::1]:2", "transports": ["websocket"],
                 "origins": ["https://a", "https://b"]}])
            self.assertEqual(daemon.calls[0]["parameters"]["context"],
                             {"sharing": "forceShared", "bytesPerSecondMaximum": 1000})
            self.said(ctl(daemon, "register", "--device", "/dev/null", "--security", "none"), "--listen", status=2)

    # Tickets and changes

    def test_ticket(self):
        answer = {"ticket": "abcdefghijkmnpqrstuv", "expires": 1700000000}
        with Daemon(lambda call, fds: [{"parameters": answer}]) as daemon:
            result = ctl(daemon, "ticket", "vm1")
            self.assertEqual((result.returncode, result.stdout), (0, b"abcdefghijkmnpqrstuv\n"), result.stderr)
            self.assertEqual(daemon.calls[0], {"method": INTERFACE + "IssueTicket",
                                               "parameters": {"id": "vm1", "mode": "control"}})
            result = ctl(daemon, "--json", "ticket", "vm1", "--mode", "view", "--seconds", "7", "--label", "ann")
            self.assertEqual(json.loads(result.stdout), answer)
            self.assertEqual(daemon.calls[1]["parameters"],
                             {"id": "vm1", "mode": "view", "seconds": 7, "label": "ann"})
            for arguments in ([], ["a", "b"], ["a", "--seconds", "0"], ["a", "--seconds", "x"], ["a", "--dance"]):
                self.said(ctl(daemon, "ticket", *arguments), status=2)
        with Daemon(lambda call, fds: error(SERVICE + "PermissionDenied")) as daemon:
            self.said(ctl(daemon, "ticket", "vm1"), "vm1: permission denied", "--mode view", status=DENIED)
        with Daemon(lambda call, fds: error(SERVICE + "InvalidParameter", parameter="mode")) as daemon:
            self.said(ctl(daemon, "ticket", "vm1", "--mode", "look"), "vm1: ", "'mode'", status=REFUSED)
        with Daemon(lambda call, fds: error(INTERFACE + "LimitReached", limit="tickets", value=5)) as daemon:
            self.said(ctl(daemon, "ticket", "vm1"), "limit of tickets", "5", status=NOT_NOW)

    def test_update(self):
        context = {"id": "vm1", "name": "x", "viewOnly": False}
        with Daemon(lambda call, fds: [{"parameters": {"context": context}}]) as daemon:
            result = ctl(daemon, "update", "vm1", "--name", "x", "--label", "a=b", "--viewers-maximum", "2",
                         "--frames-per-second-maximum", "3", "--bytes-per-second-maximum", "4", "--sharing", "ignore",
                         "--keyboard-layout", "de", "--input-exclusive-seconds", "0")
            self.assertEqual((result.returncode, result.stdout), (0, b""), result.stderr)
            self.assertEqual(daemon.calls[0], {"method": INTERFACE + "Update", "parameters": {
                "id": "vm1", "context": {"name": "x", "labels": {"a": "b"}, "viewersMaximum": 2,
                                         "framesPerSecondMaximum": 3, "bytesPerSecondMaximum": 4,
                                         "sharing": "ignore", "keyboardLayout": "de",
                                         "inputExclusiveSeconds": 0}}})
            self.assertEqual(json.loads(ctl(daemon, "--json", "update", "vm1", "--name", "x").stdout), context)
            for arguments in ([], ["vm1"], ["vm1", "vm2", "--name", "x"], ["vm1", "--view-only"],
                              ["vm1", "--viewers-maximum", "x"]):
                self.said(ctl(daemon, "update", *arguments), status=2)

    # The daemon itself

    def test_texts(self):
        """They come as a file; a terminal's words in them are masked, for programs they are as they came."""
        text = os.memfd_create("text")
        self.addCleanup(os.close, text)
        os.write(text, "vm1: \x1b[2J live\nGröße\n".encode())
        for verb, method in (("metrics", "GetMetrics"), ("dump", "Dump")):
            with Daemon(lambda call, fds: [({"parameters": {"fileDescriptorIndex": 0, "bytes": 99}}, [text])]) as daemon:
                result = ctl(daemon, verb)
                self.assertEqual((result.returncode, result.stdout.decode()), (0, "vm1: \\x1b[2J live\nGröße\n"), result.stderr)
                self.assertEqual(lines(ctl(daemon, verb, "--json")), [{"text": "vm1: \x1b[2J live\nGröße\n"}])
                self.assertEqual(daemon.calls[0], {"method": INTERFACE + method, "parameters": {}})
            for answer in ({}, {"fileDescriptorIndex": 0}, {"fileDescriptorIndex": -1}):
                with Daemon(lambda call, fds: [{"parameters": answer}]) as daemon:
                    self.said(ctl(daemon, verb), "without a text")

    def test_log_level(self):
        with Daemon(lambda call, fds: [{"parameters": {}}]) as daemon:
            self.assertEqual(ctl(daemon, "log-level", "debug").returncode, 0)
            self.assertEqual(daemon.calls[0], {"method": "io.systemd.service.SetLogLevel", "parameters": {"level": 7}})

    def test_what_is_thrown_away(self):
        with Daemon(lambda call, fds: [{"parameters": {"dropped": 3}}]) as daemon:
            self.said(ctl(daemon, "send", "vm1", "KEY_A"), "vm1: 3 events", status=NOT_NOW)

    # Watch

    def test_watch_that_missed_something(self):
        """What is told after it is all that there is."""
        def state(identity):
            return {"event": "displayState", "sequence": 1, "id": identity, **display(identity)}

        def answer(call, fds):
            if call["method"].endswith("List"):
                return error(INTERFACE + "Unavailable", reason="busy")
            told = [state("vm1"), state("vm2"), {"event": "ready", "sequence": 1}, {"event": "missed", "sequence": 9},
                    state("vm2"), state("vm3"), {"event": "ready", "sequence": 9}, {"event": "somethingNew", "sequence": 10}]
            return [{"parameters": each, "continues": True} for each in told]

        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with Daemon(answer) as daemon:
            process = subprocess.Popen([PROGRAM, "--socket", daemon.path, "watch"], stdin=slave, stdout=slave, stderr=slave)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            os.close(slave)
            text, end = "", time.monotonic() + LIMIT
            while not re.search(r"vm2 .*vm3 [^H]*\x1b\[J", text.rsplit("\x1b[H", 1)[-1], re.DOTALL):
                self.assertLess(time.monotonic(), end, text[-500:])
                if select.select([master], [], [], 0.1)[0]:
                    text += os.read(master, 65536).decode()
            self.assertNotIn("vm1", text.rsplit("\x1b[H", 1)[-1])
            self.assertEqual(daemon.calls[0]["parameters"], {"current": True})
            process.terminate()
            self.assertEqual(process.wait(LIMIT), 0)

    # Adopt: what can be tested without a device

    def test_adopt_without_a_device(self):
        pid = str(os.getpid())
        with open("/dev/null") as file:
            self.said(ctl("/nowhere", "adopt", "--pid", pid), f"process {pid}: ", "no VFIO device open")
            self.said(ctl("/nowhere", "adopt", "--pid", pid, "vm1", "--device", str(file.fileno())),
                      f"process {pid}: ", f"descriptor {file.fileno()} is no VFIO device", "--list")
        listed = ctl("/nowhere", "adopt", "--pid", pid, "--list")
        self.assertEqual((listed.returncode, listed.stdout.split()), (0, [b"DESCRIPTOR", b"DEVICE", b"DISPLAY"]))
        listed = ctl("/nowhere", "--json", "adopt", "--pid", pid, "--list")
        self.assertEqual((listed.returncode, listed.stdout), (0, b""))

    # In a mount namespace of its own: what has the name of a device and is none.
    NODES = """
        mount -t tmpfs none /dev || exit 77
        mkdir -p /dev/vfio/devices
        mknod /dev/null c 1 3 && mknod /dev/vfio/devices/vfio0 c 1 3 && mknod /dev/vfio/devices/vfio1 c 1 5 || exit 77
        exec 7<>/dev/vfio/devices/vfio0 8<&7 9<>/dev/vfio/devices/vfio1 || exit 77
        exec 2>&1
        "$1" --json adopt --pid $$ --list || exit
        "$1" adopt --pid $$ vm1 && exit
        "$1" adopt --pid $$ vm1 --device 8 && exit
        exit 0
    """

    def test_adopt_names_what_it_finds(self):
        try:
            result = subprocess.run(["unshare", "--mount", "sh", "-c", self.NODES, "sh", PROGRAM], capture_output=True,
                                    text=True, timeout=LIMIT)
        except FileNotFoundError:
            self.skipTest("there is no unshare(1)")
        if result.returncode == 77 or "unshare" in result.stderr:
            self.skipTest("no mount namespaces or no device nodes here")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        printed = result.stdout.splitlines()
        self.assertEqual([json.loads(line) for line in printed[:2]], [{"descriptor": 7, "device": "/dev/vfio/devices/vfio0", "display": "failed"},
                                  {"descriptor": 9, "device": "/dev/vfio/devices/vfio1", "display": "failed"}])
        said = printed[2:]
        self.assertEqual(len(said), 2, said)
        self.assertIn("no VFIO device of it has a display: 7 (/dev/vfio/devices/vfio0, failed), 9 (", said[0])
        self.assertIn("its descriptor 8 answers with errors", said[1])

    def test_adopt_a_dead_process(self):
        child = subprocess.Popen(["true"])
        child.wait()
        self.said(ctl("/nowhere", "adopt", "--pid", str(child.pid)), f"process {child.pid}: ", "no such process", status=NOT_FOUND)

    def test_adopt_a_thread(self):
        ended = threading.Event()
        thread = threading.Thread(target=ended.wait)
        thread.start()
        try:
            self.said(ctl("/nowhere", "adopt", "--pid", str(thread.native_id)), "this is a thread")
        finally:
            ended.set()
            thread.join()

    def test_adopt_without_permission(self):
        options = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        try:
            result = ctl("/nowhere", "adopt", "--pid", str(os.getpid() if options else 1), **options)
        except PermissionError:
            self.skipTest("nobody may not run what was built here")
        self.said(result, "you may not", "CAP_SYS_PTRACE", status=DENIED)

    # Attach

    def attach(self, *arguments, **options):
        """A daemon whose viewers' connections are the returned socket."""
        ours, theirs = socket.socketpair()
        daemon = Daemon(lambda call, fds: [({"parameters": {"viewer": "v1", "fileDescriptorIndex": 0}},
                                            [theirs.fileno()])])
        self.addCleanup(daemon.__exit__)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        process = subprocess.Popen([PROGRAM, "--socket", daemon.path, "attach", "vm1", *arguments],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        ours.settimeout(LIMIT)
        return daemon, process, ours, theirs

    def test_attach_carries_both_ways(self):
        daemon, process, ours, theirs = self.attach("--view-only", "--label", "ann")
        process.stdin.write(b"up")
        process.stdin.flush()
        self.assertEqual(ours.recv(2), b"up")
        theirs.close()  # the program has its own
        self.assertEqual(daemon.calls[0]["parameters"], {"id": "vm1", "mode": "view", "label": "ann"})
        down = os.urandom(3 << 20)
        sender = threading.Thread(target=lambda: (ours.sendall(down), ours.shutdown(socket.SHUT_WR)))
        sender.start()
        self.assertEqual(process.stdout.read(), down)
        sender.join(LIMIT)
        self.assertEqual(process.wait(LIMIT), 0)

    def test_attach_passes_the_end_on(self):
        _, process, ours, theirs = self.attach()
        process.stdin.write(b"last")
        process.stdin.flush()
        process.stdin.close()
        self.assertEqual(ours.recv(4), b"last")
        theirs.close()
        self.assertEqual(ours.recv(1), b"")
        ours.sendall(b"answer")
        ours.close()
        self.assertEqual(process.stdout.read(), b"answer")
        self.assertEqual(process.wait(LIMIT), 0)

    def test_attach_ends_when_nobody_reads(self):
        _, process, ours, _ = self.attach()
        process.stdout.close()
        self.assertEqual(process.wait(LIMIT), 0)

    def test_attach_runs_a_command(self):
        _, process, ours, theirs = self.attach("--exec", "sh", "-c", "read line; echo got-$line; exit 7")
        ours.sendall(b"hello\n")
        self.assertEqual(ours.recv(64), b"got-hello\n")
        self.assertEqual(process.wait(LIMIT), 7)

    # Capture

    def picture(self, pixels, **answer):
        fd = os.memfd_create("picture")
        self.addCleanup(os.close, fd)
        os.write(fd, pixels)
        answer = {"fileDescriptorIndex": 0, "width": 2, "height": 2, "stride": 8, "format": "XRGB8888", **answer}
        return Daemon(lambda call, fds: [({"parameters": answer}, [fd])])

    @staticmethod
    def decode(png):
        """Width, height, RGB rows of a PNG whose rows may be filtered in any of the five ways."""
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        at, data = 8, b""
        while at < len(png):
            size, kind = struct.unpack(">I4s", png[at:at + 8])
            body = png[at + 8:at + 8 + size]
            assert zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0]
            if kind == b"IHDR":
                width, height, depth, colour = struct.unpack(">IIBB", body[:10])
                assert (depth, colour) == (8, 2)
            if kind == b"IDAT":
                data += body
            at += 12 + size
        data, rows, above = zlib.decompress(data), [], bytes(width * 3)
        for y in range(height):
            line = bytearray(data[y * (width * 3 + 1):(y + 1) * (width * 3 + 1)])
            kind, line = line[0], line[1:]
            for i in range(len(line)):
                a = line[i - 3] if i >= 3 else 0
                b, c = above[i], above[i - 3] if i >= 3 else 0
                nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
                line[i] = (line[i] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
            above = bytes(line)
            rows.append(above)
        return width, height, rows

    def test_capture(self):
        row = bytes((1, 2, 3, 99, 10, 20, 30, 99))
        with self.picture(row + b"pad!" + row[::-1], stride=12) as daemon, tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "a.png")
            with open(path, "w") as old:
                old.write("old")
            result = ctl(daemon, "capture", "vm1", "-o", path)
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(path, "rb") as file:
                png = file.read()
            self.assertEqual(self.decode(png), (2, 2, [bytes((3, 2, 1, 30, 20, 10)),
                                                       bytes((20, 30, 99, 2, 3, 99))]))
            self.assertEqual(os.listdir(d), ["a.png"])
            self.assertEqual(ctl(daemon, "capture", "vm1", "-o", "-").stdout, png)

    def test_capture_that_cannot_be_written(self):
        with self.picture(bytes(16)) as daemon, tempfile.TemporaryDirectory() as d:
            self.said(ctl(daemon, "capture", "vm1", "-o", "/dev/full"), "vm1: ", "/dev/full", "No space left")
            self.said(ctl(daemon, "capture", "vm1", "-o", d + "/no/a.png"), "vm1: ", "No such file")
            self.assertEqual(os.listdir(d), [])

    def test_capture_believes_nobody(self):
        cases = [{"stride": 4}, {"width": 0}, {"height": 1 << 40}, {"format": "RGB565"},
                 {"fileDescriptorIndex": 1}, {"fileDescriptorIndex": -1}, {"height": 3}]
        for changes in cases:
            with self.picture(bytes(16), **changes) as daemon, tempfile.TemporaryDirectory() as d:
                self.said(ctl(daemon, "capture", "vm1", "-o", d + "/a.png"), "vm1: ")
                self.assertEqual(os.listdir(d), [])


if __name__ == "__main__":
    unittest.main()
