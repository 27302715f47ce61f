#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate's program that somebody has taken over gets no further than its viewers' own proofs: where only tickets and passwords are
asked for, which the broker looks at itself, it can name as many displays as it likes.

The program is this file, put beside a copy of the daemon. What it is to ask, and what it was answered, are files there.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import stat
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

from rfb_harness import VERSION  # noqa: E402

# src/frame/link.h
VERDICT, READY, CHECK = 13, 64, 74
SIZE = 512
TICKET, LOGIN, NAME = 2, 3, 4
VIEW, CONTROL, EXCLUSIVE = 1, 2, 3
ROLE_GATE = 1


# ---- the program ----

def message(kind, body=b""):
    return struct.pack("=II", kind, 0) + body.ljust(SIZE - 8, b"\0")


def check(viewer, kind, mode, display, secret):
    return message(CHECK, struct.pack("=III32s65s64s65s129s", viewer, kind, mode, hashlib.sha256(secret.encode()).digest(),
                                      display.encode(), b"192.0.2.7:1", b"user", secret.encode()))


def program(real, where):
    link = socket.socket(fileno=3)
    while len(hello := link.recv(SIZE, socket.MSG_PEEK)) < SIZE:
        pass
    if struct.unpack_from("=I", hello, 12)[0] != ROLE_GATE:
        os.execv(real, ["vfio-displayd-rfb"])
    link.setblocking(True)
    link.send(message(READY, struct.pack("=I", VERSION)))
    answers = []
    for i, ask in enumerate(json.loads((where / "ask").read_text())):
        link.send(check(2 * i + 1, *ask))
        while True:
            got, fds, _, _ = socket.recv_fds(link, SIZE, 1)
            if not got:
                return
            kind, _, viewer, allowed, mode = struct.unpack_from("=5I", got)
            if kind == VERDICT:
                answers.append([viewer, allowed, mode, len(fds)])
                break
    (where / "answers.new").write_text(json.dumps(answers))
    os.rename(where / "answers.new", where / "answers")
    with contextlib.suppress(OSError):
        while link.recv(SIZE):
            pass


# ---- the test ----

if __name__ == "__main__" and len(sys.argv) == 4 and sys.argv[1] == "--program":
    program(sys.argv[2], pathlib.Path(sys.argv[3]))
    sys.exit(0)

import daemon                    # noqa: E402
import surface                   # noqa: E402


class LyingGate(unittest.TestCase):
    def setUp(self):
        self.build = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.addCleanup(shutil.rmtree, self.build, ignore_errors=True)
        real = daemon.BUILD
        for name in ("vfio-displayd", "vfio-displayd-testcard"):
            shutil.copy2(real / name, self.build / name)
        fake = self.build / "vfio-displayd-rfb"
        fake.write_text(f"#!/bin/sh\nexec {sys.executable} {os.path.abspath(__file__)} --program {real}/vfio-displayd-rfb "
                        f"{self.build}\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        daemon.BUILD = self.build
        self.addCleanup(setattr, daemon, "BUILD", real)

    def answers(self, config, ask, tickets=()):
        """What the broker says to each of `ask`: (kind, mode, display, secret); a number is one of the `tickets`."""
        port = daemon.free_port()
        (self.build / "answers").unlink(missing_ok=True)
        with daemon.Daemon(config=f"[gate]\nlisten = 127.0.0.1:{port}\n{config}\n") as d:
            made = surface.Surface(64, 48)
            leases = [d.register(made, "one"), d.register(surface.Surface(64, 48), "two", context={"viewOnly": True})]
            issued = [d.connect().call("IssueTicket", {"id": display, "mode": mode})["ticket"] for display, mode in tickets]
            (self.build / "ask").write_text(json.dumps(
                [(kind, mode, display, issued[secret] if isinstance(secret, int) else secret)
                 for kind, mode, display, secret in ask]))
            with socket.create_connection(("127.0.0.1", port)):
                d.until((self.build / "answers").exists, "everything is answered")
            for each in leases:
                os.close(each)
        return [tuple(each[1:]) for each in json.loads((self.build / "answers").read_text())]

    def test_names_are_nothing_where_tickets_are_asked_for(self):
        ask = [(NAME, CONTROL, name, "") for name in ("one", "two", "@one", "none", "", ".")]
        self.assertEqual(self.answers("", ask), [(0, 0, 0)] * len(ask))

    def test_tickets_are_looked_at_by_the_broker(self):
        ask = [(TICKET, CONTROL, "one", "guessed"), (TICKET, CONTROL, "two", 0), (TICKET, CONTROL, "@two", 0),
               (TICKET, CONTROL, "@one.example.org", 0), (TICKET, CONTROL, "one", 0), (TICKET, CONTROL, "", 1),
               (LOGIN, CONTROL, "one", "password")]
        no = (0, 0, 0)
        self.assertEqual(self.answers("", ask, [("one", "control"), ("two", "view")]),
                         [no, no, no, (1, CONTROL, 1), no, (1, VIEW, 1), no])

    def test_where_the_gate_has_a_proof_of_its_own(self):
        """Then a display is named; not with more rights than the gate and the display give, and not one that is not there."""
        ask = [(NAME, CONTROL, "one", ""), (NAME, CONTROL, "two", ""), (NAME, CONTROL, "@one", ""), (NAME, CONTROL, "none", ""),
               (NAME, CONTROL, "", ""), (NAME, CONTROL, "@host.example.org", "")]
        no = (0, 0, 0)
        self.assertEqual(self.answers("security = none", ask),
                         [(1, CONTROL, 1), (1, VIEW, 1), (1, CONTROL, 1), no, no, no])
        ask = [(NAME, VIEW, "one", "")]
        self.assertEqual(self.answers("security = none\nmode = view", ask), [(1, VIEW, 1)])

    def test_more_than_the_gate_gives_is_a_lie(self):
        (self.build / "ask").write_text(json.dumps([(TICKET, EXCLUSIVE, "one", "x")]))
        port = daemon.free_port()
        with daemon.Daemon(config=f"[gate]\nlisten = 127.0.0.1:{port}\n") as d:
            with socket.create_connection(("127.0.0.1", port)):
                d.until(lambda: "cannot be true" in d.text(), "the lie is noticed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
