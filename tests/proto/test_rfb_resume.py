#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayd-rfb outlives its broker: one ends in the middle of something, its link is kept, another one takes over. Both are played
here, and so are the viewers.
"""

import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rfb_harness as rfb  # noqa: E402
from rfb_harness import CONTROL, EXCLUSIVE, VIEW, Broker, Closed, Viewer, connect  # noqa: E402
from test_rfb_program import PROGRAM, Case, reason_of, vnc_answer, viewer_of, wait_until  # noqa: E402

IN, ON_ITS_WAY = 1, 0
ALLOW_EXCLUSIVE = 1
OLD, NEW, NEWER = 0x112233, 0x445566, 0x778899
VERDICT = "=III"


class Resume(Case):
    def enter(self, broker, path, **options):
        viewer = Viewer(path, **options)
        self.addCleanup(viewer.close)
        self.assertIsNone(viewer.failure)
        viewer.number = viewer_of(broker.wait(rfb.VIEWER_ADDED)) if not broker.over and broker.thread.is_alive() else 0
        viewer.request(False)
        viewer.update()
        return viewer

    def sees(self, viewer, pixel):
        viewer.until(pixel)

    def watched(self, broker, count):
        broker.wait(rfb.WATCH, check=lambda body: struct.unpack_from("=I", body)[0] == count)

    def waits(self, viewer):
        """It asks, and gets neither an update nor an end."""
        viewer.request()
        viewer.sock.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            viewer.read(1)
        viewer.sock.settimeout(10)

    def left(self, broker, fds):
        """Viewers have left, and the program has seen it."""
        self.assertTrue(wait_until(lambda: broker.fds() <= fds), f"{broker.fds()} descriptors, {fds} before")

    def fails(self, path, **options):
        viewer = Viewer(path, **options)
        self.addCleanup(viewer.close)
        return viewer.failure

    def take_over(self, broker, here, pixel=NEW, **options):
        broker.resume(**options)
        self.assertEqual({number: known[:2] for number, known in broker.resumed().items()}, here)
        broker.show(320, 240, pixel)

    def test_viewers_stay_and_others_come(self):
        broker = self.broker()
        path = broker.listen_unix()
        secret = broker.listen_unix(security=rfb.VNCAUTH, password=b"secret")
        first = self.enter(broker, path)
        broker.die()
        self.waits(first)
        # What the program can judge alone it judges alone, and the last picture is there to be seen.
        second = self.enter(broker, path)
        third = self.enter(broker, secret, answer=vnc_answer("secret"))
        self.assertEqual((second.last, third.last), (OLD, OLD))
        self.assertEqual(self.fails(secret, answer=vnc_answer("Secret")), "wrong password")
        # One has gone before anybody heard of it.
        fds = broker.fds()
        self.enter(broker, path).close()
        self.left(broker, fds)
        number = first.number
        self.take_over(broker, {number: (CONTROL, IN), number + 2: (CONTROL, IN), number + 4: (CONTROL, IN)})
        self.watched(broker, 3)
        for viewer in (first, second, third):
            self.sees(viewer, NEW)
        # Their state is told anew, and numbers go on.
        states = {viewer_of(broker.wait(rfb.VIEWER_STATE)) for _ in range(3)}
        self.assertEqual(states, {number, number + 2, number + 4})
        fourth = self.enter(broker, path)
        self.assertEqual(fourth.last, NEW)
        self.assertGreater(fourth.number, number + 6)
        broker.detach(number, b"enough")
        self.assertEqual(reason_of(broker.wait(rfb.VIEWER_GONE)), "enough")
        self.assert_closed(first.sock)

    def test_a_grant_that_was_held(self):
        broker = self.broker()
        viewer = self.enter(broker, broker.listen_unix())
        broker.die()
        # The grant is asked for by one broker, and its answer lies there for the next.
        broker.send(rfb.WANT_WRITE, struct.pack("=II", 1, 0))
        self.waits(viewer)
        self.take_over(broker, {viewer.number: (CONTROL, IN)})
        self.sees(viewer, NEW)
        broker.move()
        for _ in range(5):
            viewer.request()
            viewer.update()
        broker.move(False)

    def test_a_frame_that_nobody_published(self):
        broker = self.broker()
        viewer = self.enter(broker, broker.listen_unix())
        broker.die()
        frame = rfb.Frame(640, 480, 2)
        self.addCleanup(frame.close)
        broker.send(rfb.FRAME, struct.pack("=III", 2, 640, 480), frame.fd)
        broker.resume()
        self.assertIn(viewer.number, broker.resumed())
        self.assertEqual((broker.generation, broker.size), (2, (640, 480)))
        broker.show(320, 240, NEW)
        self.sees(viewer, NEW)
        self.assertEqual((viewer.width, viewer.height), (320, 240))

    def test_who_was_on_its_way(self):
        """A viewer that was given and has not spoken, one that was detached, one that left."""
        broker = self.broker()
        path = broker.listen_unix()
        stays = self.enter(broker, path)
        fds = broker.fds()
        detached, leaves = self.enter(broker, path), self.enter(broker, path)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        broker.die()
        broker.attach(theirs, viewer=8, mode=VIEW)
        broker.detach(detached.number)
        theirs.close()
        leaves.close()
        self.assert_closed(detached.sock)
        self.left(broker, fds + 1)
        self.take_over(broker, {stays.number: (CONTROL, IN), 8: (VIEW, ON_ITS_WAY)})
        ours.settimeout(10)
        given = Viewer(ours)
        self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_ADDED)), 8)
        given.request(False)
        given.update()
        self.assertEqual(given.last, NEW)

    def check(self, broker):
        body = broker.wait(rfb.CHECK)
        return struct.unpack_from("=III", body)

    def test_questions_are_asked_again(self):
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        answer = vnc_answer("whatever")
        heard, later, hangs_up = connect(path), connect(path), connect(path)
        for sock in (heard, later):
            self.addCleanup(sock.close)

        def ask(sock):
            sock.sendall(b"RFB 003.008\n\2")
            challenge = b""
            while len(challenge) < 12 + 2 + 16:
                challenge += sock.recv(64)
            sock.sendall(answer(challenge[14:]))

        ask(heard)
        number = self.check(broker)[0]
        broker.die()
        ask(later)
        ask(hangs_up)
        before = broker.fds()
        hangs_up.close()
        self.left(broker, before - 1)
        self.take_over(broker, {})
        checks = [self.check(broker) for _ in range(2)]
        self.assertEqual({check[0] for check in checks}, {number, number + 2})
        self.assertEqual({check[1:] for check in checks}, {(1, CONTROL)})
        # Answers to what the first broker was asked are answers.
        for sock, viewer in ((heard, number), (later, number + 2)):
            broker.send(rfb.VERDICT, struct.pack(VERDICT, viewer, 1, VIEW))
            sock.settimeout(10)
            self.assertEqual(sock.recv(4), bytes(4))
            sock.sendall(b"\1")
            self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_ADDED)), viewer)
        # They are asked once: the third one finds nothing left of them.
        broker.die()
        broker.resume()
        self.assertEqual(len(broker.resumed()), 2)
        self.watched(broker, 2)
        self.assertIsNone(broker.take(rfb.CHECK))

    def test_an_old_question_may_not_wait_for_ever(self):
        """Its viewer's time is what it always is."""
        broker = self.broker()
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        broker.die()
        begun = time.monotonic()
        viewer = connect(path, seconds=40)
        viewer.sendall(b"RFB 003.008\n\2")
        data = b""
        while len(data) < 30:
            data += viewer.recv(64)
        viewer.sendall(bytes(16))
        self.assertEqual(viewer.recv(64), b"")
        self.assertGreater(time.monotonic() - begun, 8)
        self.take_over(broker, {})
        self.assertIsNone(broker.take(rfb.CHECK))

    def test_sizes_are_told_again(self):
        broker = self.broker()
        viewer = self.enter(broker, broker.listen_unix(), encodings=(0, -223, -308))
        broker.sizes(1024, 768)

        def asked():
            viewer.layouts.clear()
            viewer.ask_size(800, 600)
            viewer.request()
            while not any(reason == 1 for reason, _ in viewer.layouts):
                viewer.update()
            return next(status for reason, status in viewer.layouts if reason == 1)

        self.assertTrue(wait_until(lambda: asked() == 4))
        broker.wait(rfb.RESIZE)
        broker.die()
        self.assertEqual(asked(), 4)
        self.take_over(broker, {viewer.number: (CONTROL, IN)})
        self.sees(viewer, NEW)
        self.assertEqual(asked(), 1)  # prohibited, as long as this broker allows none
        broker.sizes(1024, 768)
        self.assertTrue(wait_until(lambda: asked() == 4))
        broker.wait(rfb.RESIZE)

    def test_alone_is_alone(self):
        broker = self.broker(sharing=ALLOW_EXCLUSIVE)
        path, alone = broker.listen_unix(), broker.listen_unix(mode=EXCLUSIVE)
        first = self.enter(broker, alone)

        def refused():
            try:
                viewer = Viewer(path)
            except (Closed, ConnectionError):
                return True
            viewer.close()
            return viewer.failure is not None

        broker.die()
        self.assertTrue(refused())
        self.take_over(broker, {first.number: (EXCLUSIVE, IN)}, sharing=ALLOW_EXCLUSIVE)
        self.assertTrue(refused())
        self.sees(first, NEW)

    def test_again_and_again(self):
        """The second broker ends before it has read the answer, and so on."""
        broker = self.broker()
        viewer = self.enter(broker, broker.listen_unix())
        broker.die()
        for _ in range(20):
            broker.resume()
            broker.die()
        self.take_over(broker, {viewer.number: (CONTROL, IN)})
        self.sees(viewer, NEW)
        self.watched(broker, 1)

    def test_before_it_is_ready(self):
        broker = Broker(PROGRAM, ready=False)
        self.addCleanup(self.finish, broker)
        broker.die()
        self.take_over(broker, {})
        self.assert_serves(broker.listen_unix())

    def test_nobody_is_there(self):
        """IDLE was said to nobody. It is said again, and who comes between the two is served."""
        broker = self.broker(grace_ms=200)
        path = broker.listen_unix()
        broker.wait(rfb.IDLE)
        broker.die()
        time.sleep(1)
        broker.resume()
        self.assertEqual(broker.resumed(), {})
        broker.show(320, 240, NEW)
        viewer = self.enter(broker, path)
        self.assertEqual(viewer.last, NEW)
        viewer.close()
        broker.wait(rfb.IDLE)
        broker.send(rfb.STOP)
        self.assertEqual(broker.exit_status(), 0)

    def test_more_than_it_can_say(self):
        """Hundreds come and go while nobody listens: what waits for the broker stays bounded, and is forgotten when it comes."""
        broker = self.broker()
        path = broker.listen_unix()
        stays = self.enter(broker, path)
        fds = broker.fds()
        broker.die()
        refused = 0
        for _ in range(700):
            try:
                viewer = Viewer(path)
            except (Closed, ConnectionError):
                refused += 1
                continue
            refused += viewer.failure is not None
            viewer.close()
        self.assertGreater(refused, 100)
        self.left(broker, fds)
        self.take_over(broker, {stays.number: (CONTROL, IN)})
        self.sees(stays, NEW)
        self.enter(broker, path)

    def test_listeners_are_the_new_ones(self):
        broker = self.broker()
        path = broker.listen_unix()
        half = connect(path)
        self.addCleanup(half.close)
        half.sendall(b"RFB 003.008\n")
        self.assertEqual(half.recv(12), b"RFB 003.008\n")
        viewer = self.enter(broker, path)
        broker.die()
        self.take_over(broker, {viewer.number: (CONTROL, IN)}, listen=False)
        # Who was in the middle of its handshake goes on.
        self.assertEqual(half.recv(2), b"\1\1")
        half.sendall(b"\1")
        self.assertEqual(half.recv(4), bytes(4))
        half.sendall(b"\1")
        broker.wait(rfb.VIEWER_ADDED)
        # Nobody accepts there now.
        quiet = connect(path)
        quiet.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            quiet.recv(12)
        quiet.close()
        self.assert_serves(broker.listen_unix())

    def test_another_challenge_and_policy(self):
        broker = self.broker(viewers=1)
        path = broker.listen_unix()
        viewer = self.enter(broker, path)
        self.assertEqual(self.fails(path), "this display has as many viewers as it may have")
        broker.die()
        self.assertEqual(self.fails(path), "this display has as many viewers as it may have")
        self.take_over(broker, {viewer.number: (CONTROL, IN)}, viewers=3, challenge=bytes(range(100, 116)))
        self.enter(broker, path)
        sock = connect(broker.listen_unix(security=rfb.VNCAUTH, tickets=1))
        self.addCleanup(sock.close)
        sock.sendall(b"RFB 003.008\n\2")
        data = b""
        while len(data) < 30:
            data += sock.recv(64)
        self.assertEqual(data[14:], bytes(range(100, 116)))

    def test_a_broker_of_something_else(self):
        broker = self.broker()
        self.status = 1
        broker.die()
        broker.resume(listen=False, id=b"other")
        self.assertEqual(broker.exit_status(), 1)

    def test_link_ends(self):
        """Nobody holds it any more: that is the end, as ever."""
        broker = self.broker()
        viewer = self.enter(broker, broker.listen_unix())
        broker.die()
        self.waits(viewer)
        broker.link.shutdown(socket.SHUT_RDWR)
        self.assertEqual(broker.exit_status(), 0)
        self.assert_closed(viewer.sock)

    def test_gate(self):
        """Who is at the gate passes on; its displays are other programs. Who is being looked at is asked about again."""
        broker = self.broker(size=None, role=1)
        path = broker.listen_unix(security=rfb.VNCAUTH, tickets=1)
        answer = vnc_answer("whatever")
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)

        def ask():
            sock = connect(path)
            self.addCleanup(sock.close)
            sock.sendall(b"RFB 003.008\n\2")
            data = b""
            while len(data) < 30:
                data += sock.recv(64)
            sock.sendall(answer(data[14:]))
            return sock

        passing = ask()
        number = self.check(broker)[0]
        broker.send(rfb.VERDICT, struct.pack(VERDICT, number, 1, VIEW), theirs.fileno())
        theirs.close()
        self.assertEqual(passing.recv(4), bytes(4))
        passing.sendall(b"\1")
        ours.settimeout(10)
        ours.sendall(b"RFB 003.008\n")
        self.assertEqual(ours.recv(12), b"RFB 003.008\n")
        ours.sendall(b"\1\1")
        self.assertEqual(ours.recv(1), b"\1")
        ours.sendall(bytes(4))
        self.assertEqual(ours.recv(1), b"\1")
        waiting = ask()
        again = self.check(broker)[0]
        broker.die()
        ours.sendall(b"while nobody is there")
        self.assertEqual(passing.recv(64), b"while nobody is there")
        broker.resume(role=1)
        self.assertEqual(broker.resumed(), {})
        self.assertEqual(self.check(broker)[0], again)
        broker.send(rfb.VERDICT, struct.pack(VERDICT, again, 0, 0))
        waiting.settimeout(10)
        self.assertEqual(waiting.recv(4), struct.pack(">I", 1))
        passing.sendall(b"\5\0\0\0\0\0")
        self.assertEqual(ours.recv(64), b"\5\0\0\0\0\0")


if __name__ == "__main__":
    unittest.main()
