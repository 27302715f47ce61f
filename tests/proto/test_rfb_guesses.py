#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What vfio-displayd-rfb asks of its broker about credentials, what it does with the answer, and who is not heard any more."""

import hashlib
import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rfb_harness as rfb  # noqa: E402
from rfb_harness import CONTROL, VIEW, Closed, Viewer, connect  # noqa: E402
from test_rfb_program import Case, text, viewer_of, vnc_answer  # noqa: E402

BY_CHALLENGE, BY_TICKET, BY_LOGIN = 1, 2, 3
LOCKED = "too many wrong passwords from this address, try again later"


class Check:
    """LINK_CHECK."""

    def __init__(self, body):
        self.viewer, self.kind, self.mode, self.digest = struct.unpack_from("=3I32s", body)
        self.display, self.peer, self.user, self.secret = (
            part.split(b"\0")[0].decode() for part in struct.unpack_from("=65s64s65s129s", body, 44))


def verdict(broker, check, allowed, mode=CONTROL):
    broker.send(rfb.VERDICT, struct.pack("=3I", check.viewer, allowed, mode))


def start(address, choice, proof, version=b"RFB 003.008\n"):
    """Up to the proof, which is sent but not answered. Returns the socket."""
    sock = connect(address)
    sock.recv(12)
    sock.sendall(version)
    count = sock.recv(1)[0]
    types = sock.recv(count)
    assert choice in types, types
    sock.sendall(bytes([choice]))
    challenge = sock.recv(16, socket.MSG_WAITALL)
    sock.sendall(proof(challenge))
    return sock


def somebody(address, source):
    sock = socket.create_connection(address, 10, source_address=(source, 0))
    return sock


class Checks(Case):
    def ticket(self, broker, path, word="TICKET12"):
        sock = start(path, rfb.VNCAUTH, vnc_answer(word))
        self.addCleanup(sock.close)
        return sock, Check(broker.wait(rfb.CHECK))

    def test_a_ticket_by_challenge(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        sock, check = self.ticket(broker, path)
        response = vnc_answer("TICKET12")(rfb.CHALLENGE)
        self.assertEqual((check.kind, check.mode, check.digest), (BY_CHALLENGE, CONTROL, hashlib.sha256(response).digest()))
        self.assertEqual((check.display, check.user, check.secret, check.viewer % 2), ("", "", "", 1))
        sock.settimeout(0.3)
        with self.assertRaises(TimeoutError):  # nothing before the verdict
            sock.recv(1)
        verdict(broker, check, True, VIEW)
        sock.settimeout(10)
        self.assertEqual(sock.recv(4, socket.MSG_WAITALL), bytes(4))
        sock.sendall(b"\1")
        self.assertEqual(sock.recv(4, socket.MSG_WAITALL), struct.pack(">HH", 320, 240))
        added = broker.wait(rfb.VIEWER_ADDED)
        self.assertEqual(struct.unpack_from("=II", added), (check.viewer, VIEW))

    def test_the_listener_gives_no_more_than_it_has(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1, mode=VIEW)
        sock, check = self.ticket(broker, path)
        verdict(broker, check, True, CONTROL)
        sock.sendall(b"\1")
        self.assertEqual(struct.unpack_from("=II", broker.wait(rfb.VIEWER_ADDED)), (check.viewer, VIEW))

    def test_a_replay_is_asked_again(self):
        """One time is the broker's to decide: the same bytes ask the same question, and its answer counts."""
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        first, check = self.ticket(broker, path)
        verdict(broker, check, True)
        self.assertEqual(first.recv(4, socket.MSG_WAITALL), bytes(4))
        again, replay = self.ticket(broker, path)
        self.assertEqual(replay.digest, check.digest)
        self.assertNotEqual(replay.viewer, check.viewer)
        began = time.monotonic()
        verdict(broker, replay, False)
        self.assertEqual(again.recv(4, socket.MSG_WAITALL), b"\0\0\0\1")
        self.assertGreater(time.monotonic() - began, 0.5)
        self.assert_closed(again)

    def test_who_does_not_wait_for_the_verdict(self):
        """All at once, and gone: the verdict finds nobody, and the next one's verdict is not theirs."""
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        sock = connect(path)
        sock.sendall(b"RFB 003.008\n\2" + vnc_answer("TICKET12")(rfb.CHALLENGE) + b"\1")
        check = Check(broker.wait(rfb.CHECK))
        sock.close()
        time.sleep(0.2)
        verdict(broker, check, True)
        other, second = self.ticket(broker, path, "guess")
        verdict(broker, check, True)
        other.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            other.recv(1)
        verdict(broker, second, False)
        other.settimeout(10)
        self.assertEqual(other.recv(4, socket.MSG_WAITALL), b"\0\0\0\1")
        self.assertIsNone(broker.take(rfb.VIEWER_ADDED))

    def test_client_init_ahead_of_the_verdict(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        sock = connect(path)
        self.addCleanup(sock.close)
        sock.sendall(b"RFB 003.008\n\2" + vnc_answer("TICKET12")(rfb.CHALLENGE) + b"\1")
        check = Check(broker.wait(rfb.CHECK))
        self.assertIsNone(broker.take(rfb.VIEWER_ADDED))
        verdict(broker, check, True)
        self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_ADDED)), check.viewer)

    def test_a_person_takes_time(self):
        """To type a password: longer than a handshake between programs may take, and whoever else knocks meanwhile. But not for ever."""
        broker = self.broker()
        address = broker.listen_tcp(security=rfb.VNCAUTH, tickets=1)
        silent = [somebody(address, f"127.0.0.{9 + i}") for i in range(2)]
        for i, sock in enumerate(silent):
            self.addCleanup(sock.close)
            sock.sendall(b"RFB 003.008\n\2" + bytes(15 * i))
        sock = somebody(address, "127.0.0.7")
        self.addCleanup(sock.close)
        sock.sendall(b"RFB 003.008\n\2")
        challenge = sock.recv(30, socket.MSG_WAITALL)[14:]
        began = time.monotonic()
        for _ in range(100):
            self.addCleanup(somebody(address, "127.0.0.8").close)
        time.sleep(12)
        for _ in range(100):
            self.addCleanup(somebody(address, "127.0.0.8").close)
        sock.sendall(vnc_answer("TICKET12")(challenge) + b"\1")
        check = Check(broker.wait(rfb.CHECK))
        self.assertTrue(check.peer.startswith("127.0.0.7:"))
        verdict(broker, check, True)
        self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_ADDED)), check.viewer)
        self.assertGreater(time.monotonic() - began, 11)
        for sock in silent:
            sock.recv(30, socket.MSG_WAITALL)
            self.assert_closed(sock, began + 65 - time.monotonic())

    def test_silence_of_the_broker_ends_in_time(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        sock, _ = self.ticket(broker, path)
        began = time.monotonic()
        self.assert_closed(sock, 20)
        self.assertGreater(time.monotonic() - began, 5)

    def test_two_listeners_in_one_program(self):
        broker = self.broker()
        fixed = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")
        tickets = broker.listen_unix(security=rfb.VNCAUTH, tickets=1, mode=VIEW)
        self.assert_serves(fixed, answer=vnc_answer("secret"))
        self.assertIsNone(broker.take(rfb.CHECK))
        _, check = self.ticket(broker, tickets, "secret")  # the other's password is nothing here
        self.assertEqual((check.kind, check.mode), (BY_CHALLENGE, VIEW))
        verdict(broker, check, False)
        seen = []
        Viewer(fixed, answer=lambda challenge: seen.append(challenge) or vnc_answer("secret")(challenge)).sock.close()
        self.assertNotEqual(seen[0], rfb.CHALLENGE)


class Suspects(Case):
    def refusal(self, sock):
        """The reason instead of types; None: there are types."""
        self.assertEqual(sock.recv(12, socket.MSG_WAITALL), b"RFB 003.008\n")
        sock.sendall(b"RFB 003.008\n")
        if sock.recv(1) != b"\0":
            return None
        size, = struct.unpack(">I", sock.recv(4, socket.MSG_WAITALL))
        return sock.recv(size, socket.MSG_WAITALL).decode()

    def guess(self, address, source, times):
        socks = [somebody(address, source) for _ in range(times)]
        for sock in socks:
            with self.assertRaises((Closed, ConnectionError, AssertionError)):
                viewer = Viewer(sock, answer=vnc_answer("wrong"))
                raise AssertionError(viewer.failure)
            sock.close()

    def test_five_guesses(self):
        broker = self.broker()
        address = broker.listen_tcp(security=rfb.VNCAUTH, password=b"secret")
        unix = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")
        opened = broker.listen_tcp()
        self.guess(address, "127.0.0.2", 4)
        with somebody(address, "127.0.0.2") as sock:
            self.assertIsNone(self.refusal(sock))
        self.guess(address, "127.0.0.2", 1)
        with somebody(address, "127.0.0.2") as sock:
            began = time.monotonic()
            self.assertEqual(self.refusal(sock), LOCKED)
            self.assertEqual(sock.recv(1), b"")
            self.assertLess(time.monotonic() - began, 5)
        with somebody(address, "127.0.0.3") as sock:
            self.assertIsNone(self.refusal(sock))
        self.assert_serves(unix, answer=vnc_answer("secret"))
        with somebody(opened, "127.0.0.2") as sock:  # where nothing can be guessed, nobody is suspected
            self.assertIsNone(self.refusal(sock))
        # After ten seconds it may try again, and a right one clears it.
        time.sleep(10)
        with somebody(address, "127.0.0.2") as sock:
            self.assertIsNone(Viewer(sock, answer=vnc_answer("secret")).failure)
        self.guess(address, "127.0.0.2", 1)
        with somebody(address, "127.0.0.2") as sock:
            self.assertIsNone(self.refusal(sock))

    def test_hanging_up_does_not_help(self):
        """A guess that the broker is asked about counts when it is made."""
        broker = self.broker()
        address = broker.listen_tcp(security=rfb.VNCAUTH, tickets=1)
        for _ in range(5):
            sock = somebody(address, "127.0.0.4")
            sock.sendall(b"RFB 003.008\n\2" + bytes(16))
            check = Check(broker.wait(rfb.CHECK))
            self.assertTrue(check.peer.startswith("127.0.0.4:"), check.peer)
            sock.close()
        with somebody(address, "127.0.0.4") as sock:
            self.assertEqual(self.refusal(sock), LOCKED)

    def test_who_is_inside_already_when_it_is_one_too_many(self):
        broker = self.broker()
        address = broker.listen_tcp(security=rfb.VNCAUTH, password=b"secret")
        waiting = []
        for _ in range(4):
            sock = somebody(address, "127.0.0.5")
            self.addCleanup(sock.close)
            self.assertIsNone(self.refusal(sock))
            self.assertEqual(sock.recv(1), b"\2")
            sock.sendall(b"\2")
            waiting.append((sock, sock.recv(16, socket.MSG_WAITALL)))
        self.guess(address, "127.0.0.5", 5)
        began = time.monotonic()
        for sock, challenge in waiting:
            sock.sendall(vnc_answer("secret")(challenge))
        for sock, _ in waiting:
            self.assertEqual(sock.recv(4, socket.MSG_WAITALL), b"\0\0\0\1", "a right answer, which nobody looks at")
        # Nor was it a guess: the address comes in again as soon as if it had not come.
        time.sleep(max(0, began + 11 - time.monotonic()))
        with somebody(address, "127.0.0.5") as sock:
            self.assertIsNone(self.refusal(sock))

    def test_a_refused_address_costs_nothing(self):
        """No TLS, no WebSocket, no question to the broker."""
        broker = self.broker()
        address = broker.listen_tcp(security=rfb.VNCAUTH, tickets=1, transports=rfb.RFB | rfb.WEBSOCKET)
        for _ in range(5):
            with somebody(address, "127.0.0.6") as sock:
                sock.sendall(b"RFB 003.008\n\2" + bytes(16))
                broker.wait(rfb.CHECK)
        for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1\0\5\1\0\0\1\0\0\0"):
            with somebody(address, "127.0.0.6") as sock:
                sock.sendall(words)
                self.assertEqual(sock.recv(12, socket.MSG_WAITALL), b"RFB 003.008\n")
                self.assert_closed(sock)
        with somebody(address, "127.0.0.6") as sock:  # and silence does not last
            began = time.monotonic()
            self.assert_closed(sock, 8)
            self.assertLess(time.monotonic() - began, 6)
        self.assertIsNone(broker.take(rfb.CHECK))


if __name__ == "__main__":
    unittest.main()
