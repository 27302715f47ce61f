#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is alone at a display, who is refused and who has to go: what vfio-displayd-rfb makes of rights (view, control, exclusive), of
ClientInit's flag, and of the policy. The broker is played here.
"""

import os
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import rfb_harness as rfb  # noqa: E402
from rfb_harness import CONTROL, EXCLUSIVE, VIEW, Closed, Viewer, connect  # noqa: E402
from test_rfb_program import Case, reason_of, text, viewer_of  # noqa: E402

IGNORE, ALLOW_EXCLUSIVE, FORCE_SHARED = range(3)
MODES = {"view": VIEW, "control": CONTROL, "exclusive": EXCLUSIVE}
ALONE = "a viewer came that is to be alone"


class Sharing(Case):
    def ready(self, **options):
        """A display with a listener for each mode."""
        broker = self.broker(**options)
        broker.paths = {name: broker.listen_unix(mode=mode) for name, mode in MODES.items()}
        return broker

    def enter(self, broker, mode, shared=True):
        """A viewer with a picture, or None: it was refused."""
        sock = connect(broker.paths[mode])
        self.addCleanup(sock.close)
        try:
            viewer = Viewer(sock, shared=shared)
        except (Closed, ConnectionError):
            return None
        if viewer.failure is not None:
            return None
        viewer.number = viewer_of(broker.wait(rfb.VIEWER_ADDED))
        viewer.request(False)
        viewer.update()
        return viewer

    def stays(self, viewer):
        try:
            viewer.request(False)
            viewer.update()
            return True
        except (Closed, ConnectionError):
            return False

    def sent_off(self, broker, viewer, why=ALONE):
        body = broker.wait(rfb.VIEWER_GONE)
        self.assertEqual((viewer_of(body), reason_of(body)), (viewer.number, why))
        self.assert_closed(viewer.sock)

    # first, its flag, second, its flag: (the second comes in, the first stays)
    def pair(self, broker, first, first_shared, second, second_shared):
        one = self.enter(broker, first, first_shared)
        self.assertIsNotNone(one)
        two = self.enter(broker, second, second_shared)
        out = two is not None, self.stays(one)
        one.close()
        broker.wait(rfb.VIEWER_GONE, check=lambda body: viewer_of(body) == one.number)
        if two:
            self.assertTrue(self.stays(two))
            two.close()
            broker.wait(rfb.VIEWER_GONE, check=lambda body: viewer_of(body) == two.number)
        return out

    def expect(self, policy, first, first_shared, second, second_shared):
        """The rules in other words than the program's: None, the first does not get in."""
        def alone(mode, shared):
            return 2 if mode == "exclusive" else int(policy == ALLOW_EXCLUSIVE and mode == "control" and not shared)
        for mode, shared in ((first, first_shared), (second, second_shared)):
            if policy == FORCE_SHARED and not shared and mode != "exclusive":
                return None if (mode, shared) == (first, first_shared) else (False, True)
        one, two = alone(first, first_shared), alone(second, second_shared)
        if two < one:
            return False, True
        return True, two == 0

    def matrix(self, policy):
        broker = self.ready(sharing=policy)
        for first in MODES:
            for first_shared in (True, False):
                for second in MODES:
                    for second_shared in (True, False):
                        case = (first, first_shared, second, second_shared)
                        expected = self.expect(policy, *case)
                        with self.subTest(policy=policy, case=case):
                            if expected is None:
                                self.assertIsNone(self.enter(broker, first, first_shared))
                            else:
                                self.assertEqual(self.pair(broker, *case), expected)

    def test_ignore(self):
        self.matrix(IGNORE)

    def test_allow_exclusive(self):
        self.matrix(ALLOW_EXCLUSIVE)

    def test_force_shared(self):
        self.matrix(FORCE_SHARED)

    def test_all_others_go_and_are_told(self):
        broker = self.ready()
        viewers = [self.enter(broker, mode) for mode in ("view", "control", "view")]
        last = self.enter(broker, "exclusive")
        for viewer in viewers:
            self.sent_off(broker, viewer)
        self.assertTrue(self.stays(last))
        self.assertIsNone(self.enter(broker, "control", False))
        last.close()
        broker.wait(rfb.VIEWER_GONE)
        self.assertIsNotNone(self.enter(broker, "control"))

    def test_a_viewer_that_only_looks_sends_nobody_off(self):
        broker = self.ready(sharing=ALLOW_EXCLUSIVE)
        good = self.enter(broker, "view")
        for _ in range(5):
            self.assertIsNotNone(self.enter(broker, "view", False))
        self.assertTrue(self.stays(good))
        self.assertIsNone(broker.take(rfb.VIEWER_GONE))

    def test_who_is_still_in_the_handshake_is_refused_later(self):
        broker = self.ready()
        waiting = [Viewer(broker.paths["control"], init=False) for _ in range(3)]
        silent = connect(broker.paths["control"])
        alone = self.enter(broker, "exclusive")
        for viewer in waiting:
            viewer.sock.sendall(b"\1")
            self.assert_closed(viewer.sock)
            viewer.close()
        self.assertTrue(self.stays(alone))
        self.assertIsNone(broker.take(rfb.VIEWER_ADDED))
        silent.close()

    def test_two_at_once(self):
        """One of them is alone at the end, whoever that is, and the broker knows which."""
        broker = self.ready()
        for _ in range(10):
            pair = [Viewer(broker.paths["exclusive"], init=False) for _ in range(2)]
            for viewer in pair:
                viewer.sock.sendall(b"\1")
            added = [viewer_of(broker.wait(rfb.VIEWER_ADDED)) for _ in range(2)]
            gone = broker.wait(rfb.VIEWER_GONE)
            self.assertEqual((viewer_of(gone), reason_of(gone)), (added[0], ALONE))
            self.assertIsNone(broker.take(rfb.VIEWER_GONE))
            for viewer in pair:
                viewer.close()
            self.assertEqual(viewer_of(broker.wait(rfb.VIEWER_GONE)), added[1])

    def test_attached(self):
        broker = self.ready()
        good = self.enter(broker, "control")
        ours, theirs = socket.socketpair()
        broker.attach(theirs, 2, EXCLUSIVE)
        theirs.close()
        alone = Viewer(ours)
        self.addCleanup(alone.close)
        alone.request(False)
        alone.update()
        self.sent_off(broker, good)
        body = broker.wait(rfb.VIEWER_ADDED)
        self.assertEqual(struct.unpack_from("=II", body), (2, EXCLUSIVE))
        self.assertEqual(text(body, 8), "attached")
        ours, theirs = socket.socketpair()
        broker.attach(theirs, 4, CONTROL)
        theirs.close()
        self.assertRaises((Closed, ConnectionError), Viewer, ours)
        ours.close()
        body = broker.wait(rfb.VIEWER_GONE)
        self.assertEqual((viewer_of(body), reason_of(body)), (4, "another viewer is alone at this display"))

    def test_who_is_alone_needs_no_room(self):
        broker = self.ready(viewers=2)
        viewers = [self.enter(broker, "control") for _ in range(2)]
        refused = Viewer(broker.paths["control"])
        self.assertIn("as many viewers", refused.failure)
        refused.close()
        alone = self.enter(broker, "exclusive")
        for viewer in viewers:
            self.sent_off(broker, viewer)
        self.assertTrue(self.stays(alone))

    def test_a_lower_maximum_sends_nobody_off(self):
        broker = self.ready()
        viewers = [self.enter(broker, "control") for _ in range(3)]
        broker.policy(viewers=1)
        self.assertIsNone(self.enter(broker, "control"))
        for viewer in viewers:
            self.assertTrue(self.stays(viewer))
        broker.policy(viewers=4)
        self.assertIsNotNone(self.enter(broker, "control"))

    def test_another_policy(self):
        broker = self.ready()
        one = self.enter(broker, "control", False)
        broker.policy(sharing=ALLOW_EXCLUSIVE)
        two = self.enter(broker, "control", False)
        self.sent_off(broker, one)
        broker.policy(sharing=IGNORE)
        self.assertIsNone(self.enter(broker, "view"), "who is alone stays so")
        self.assertTrue(self.stays(two))

    def test_no_listener_any_more(self):
        """Who is in stays; who knocks goes; nobody comes until there is another."""
        broker = self.ready()
        good = self.enter(broker, "control")
        waiting = Viewer(broker.paths["control"], init=False)
        broker.unlisten()
        self.assert_closed(waiting.sock)
        waiting.close()
        self.assertTrue(self.stays(good))
        late = connect(broker.paths["control"])
        late.settimeout(0.3)
        self.assertRaises(TimeoutError, late.recv, 1)
        late.close()
        broker.paths["again"] = broker.listen_unix()
        self.assertIsNotNone(self.enter(broker, "again"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
