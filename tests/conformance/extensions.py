# SPDX-License-Identifier: GPL-2.0-or-later
"""Every extension's handshake in both directions, as rfbproto's text has it."""
import pathlib
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
from compare import until_shows
from host import Host

LIMIT = 10 * daemon.SLOW
QUIET = 0.3                      # nothing more comes
EVERYTHING = (rfb.ZRLE, rfb.LAST_RECT, rfb.DESKTOP_NAME, rfb.EXTENDED_DESKTOP_SIZE, rfb.DESKTOP_SIZE, rfb.CURSOR,
              rfb.CURSOR_WITH_ALPHA, rfb.FENCE, rfb.CONTINUOUS_UPDATES, rfb.QEMU_KEYS, rfb.QEMU_LEDS, rfb.QEMU_MOTION,
              rfb.MOUSE_BUTTONS, rfb.XVP)


class Case(unittest.TestCase):
    mode = "control"

    @classmethod
    def setUpClass(cls):
        cls.host = Host("none", mode=cls.mode, viewers="viewers-maximum = 128")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()

    def tearDown(self):
        while self.host.opened:
            self.host.opened.pop().close()

    def viewer(self, *encodings, first=True, **more):
        viewer = self.host.viewer(**more)
        viewer.set_encodings(rfb.RAW, *encodings)
        if first:
            viewer.first()
        return viewer

    def change(self, seed=0):
        self.host.surface.noise(time.monotonic_ns() + seed, 10, 10, 60, 40)
        self.host.surface.signal()

    def serves(self, viewer):
        self.change()
        until_shows([viewer], self.host.surface, LIMIT)

    def silence(self, viewer, kind=None, within=QUIET):
        """Nothing comes, or nothing of that kind."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                self.assertNotEqual(viewer.hear(end), kind)
                self.assertIsNotNone(kind, "a message came")
            except TimeoutError:
                return


class Fence(Case):
    def test_announced_by_a_fence(self):
        """Once the server sees -312 it sends a Fence, of any flags."""
        viewer = self.viewer(rfb.FENCE)
        viewer.until(lambda: viewer.fences, ask=True)

    def test_not_to_others(self):
        viewer = self.viewer()
        for _ in range(5):
            self.serves(viewer)
        self.assertFalse(viewer.fences)

    def answers(self, viewer, flags, payload):
        viewer.fences.clear()
        viewer.fence(flags, payload)
        if flags & rfb.FENCE_SYNC:
            viewer.request()         # the answer comes right before what this does
        mine = lambda: [each for each in viewer.fences if not each[0] & rfb.FENCE_REQUEST]  # noqa: E731
        viewer.until(mine)
        return mine()[0]

    def test_a_request_is_answered_with_its_payload(self):
        viewer = self.viewer(rfb.FENCE)
        for flags in (0, 1, 2, 3, 4, 7):
            for payload in (b"", b"x", bytes(range(64))):
                with self.subTest(flags=flags, size=len(payload)):
                    got, echo = self.answers(viewer, rfb.FENCE_REQUEST | flags, payload)
                    self.assertEqual(echo, payload)
                    self.assertEqual(got & ~flags, 0)

    def test_unknown_flags_are_cleared(self):
        """In the answer only those that are understood remain."""
        viewer = self.viewer(rfb.FENCE)
        got, _ = self.answers(viewer, rfb.FENCE_REQUEST | 0x7ffffff8, b"flags")
        self.assertEqual(got, 0)

    def test_without_request_there_is_no_answer(self):
        viewer = self.viewer(rfb.FENCE)
        viewer.until(lambda: viewer.fences, ask=True)
        viewer.settle()
        viewer.fences.clear()
        viewer.fence(1, b"not asked")
        viewer.fence(rfb.FENCE_REQUEST, b"asked")
        viewer.until(lambda: (0, b"asked") in viewer.fences)
        self.assertNotIn(b"not asked", [payload for _, payload in viewer.fences])

    def test_the_order_of_answers(self):
        viewer = self.viewer(rfb.FENCE)
        for number in range(20):
            viewer.fence(rfb.FENCE_REQUEST | 7, bytes([number]))
        viewer.request()
        mine = lambda: [payload[0] for flags, payload in viewer.fences if not flags & rfb.FENCE_REQUEST]  # noqa: E731
        viewer.until(lambda: len(mine()) == 20)
        self.assertEqual(mine(), list(range(20)))

    def test_block_before_waits_for_the_update(self):
        """What was asked for before the fence is sent before its answer."""
        viewer = self.viewer(rfb.FENCE)
        for _ in range(5):
            viewer.settle()
            viewer.fences.clear()
            viewer.request(incremental=False)
            viewer.fence(rfb.FENCE_REQUEST | rfb.FENCE_BEFORE, b"after it")
            before = len(viewer.updates)
            viewer.until(lambda: (rfb.FENCE_BEFORE, b"after it") in viewer.fences or (0, b"after it") in viewer.fences)
            if (rfb.FENCE_BEFORE, b"after it") in viewer.fences:
                self.assertGreater(len(viewer.updates), before)

    def test_a_viewer_that_never_answers_is_served(self):
        """From the beginning: it is waited for once, for some two seconds, and then served like one without fences."""
        viewer = self.viewer(rfb.FENCE, first=False)
        viewer.answers_fences = False
        viewer.first()
        begin = time.monotonic()
        for _ in range(20):
            self.change()
            until_shows([viewer], self.host.surface, LIMIT)
        self.assertLess(time.monotonic() - begin, LIMIT)

    def test_a_fence_of_who_never_announced_it(self):
        """It cannot know that the server speaks it; a server may close it or answer, and goes on for others."""
        viewer = self.viewer()
        viewer.fence(rfb.FENCE_REQUEST, b"?")
        self.serves(self.viewer())

    def test_payloads_that_are_too_long(self):
        """64 bytes at most: more is passed over, and what follows it is not."""
        viewer = self.viewer(rfb.FENCE)
        viewer.fence(rfb.FENCE_REQUEST, bytes(65))
        viewer.fence(rfb.FENCE_REQUEST, bytes(255))
        self.assertEqual(self.answers(viewer, rfb.FENCE_REQUEST, b"short"), (0, b"short"))


class ContinuousUpdates(Case):
    def ready(self):
        viewer = self.viewer(rfb.CONTINUOUS_UPDATES, rfb.FENCE)
        viewer.until(lambda: viewer.ends, ask=True)
        viewer.settle()
        return viewer

    def test_announced_by_end(self):
        """The server must send EndOfContinuousUpdates when it first sees -313, and not again for the second time."""
        viewer = self.ready()
        viewer.set_encodings(rfb.RAW, rfb.CONTINUOUS_UPDATES)
        self.serves(viewer)
        viewer.settle()
        self.assertEqual(viewer.ends, 1)

    def test_not_to_others(self):
        viewer = self.viewer(rfb.FENCE)
        self.serves(viewer)
        self.assertEqual(viewer.ends, 0)

    def test_updates_without_requests(self):
        viewer = self.ready()
        viewer.continuous()
        for _ in range(10):
            self.change()
            wanted = self.host.surface.expect(viewer.format)
            viewer.until(lambda wanted=wanted: viewer.pixels == wanted)

    def test_the_end(self):
        """Switched off: EndOfContinuousUpdates, and then nothing without a request."""
        viewer = self.ready()
        viewer.continuous()
        self.change()
        viewer.update()
        viewer.continuous(False)
        viewer.until(lambda: viewer.ends == 2)
        self.change()
        self.silence(viewer, 0)
        self.serves(viewer)

    def test_only_its_area(self):
        viewer = self.ready()
        viewer.continuous(area=(0, 0, 30, 30))
        self.change()
        viewer.update()              # may be the answer to an older request, for the whole
        self.change()
        viewer.update()
        for x, y, width, height, _ in viewer.rects:
            self.assertTrue(x + width <= 30 and y + height <= 30, viewer.rects)

    def test_another_area_while_it_is_on(self):
        viewer = self.ready()
        viewer.continuous(area=(0, 0, 5, 5))
        viewer.continuous()
        self.change()
        wanted = self.host.surface.expect(viewer.format)
        viewer.until(lambda: viewer.pixels == wanted)

    def test_a_whole_picture_when_asked_for(self):
        """Requests that are not incremental count all the same."""
        viewer = self.ready()
        viewer.continuous()
        viewer.pixels[:] = bytes(len(viewer.pixels))
        viewer.request(incremental=False)
        wanted = self.host.surface.expect(viewer.format)
        viewer.until(lambda: viewer.pixels == wanted)

    def test_on_and_off_many_times(self):
        viewer = self.ready()
        for _ in range(20):
            viewer.continuous()
            viewer.continuous(False)
        viewer.until(lambda: viewer.ends == 21)
        self.serves(viewer)

    def test_of_who_never_announced_it(self):
        viewer = self.viewer()
        viewer.continuous()
        self.serves(self.viewer())


class Sizes(Case):
    def test_extended_size_comes_with_the_first_picture(self):
        """-308: in the first update after SetEncodings, and for each request that is not incremental; reason and status 0."""
        viewer = self.viewer(rfb.EXTENDED_DESKTOP_SIZE)
        self.assertEqual(viewer.screens, [(viewer.screens[0][0], 0, 0, 160, 100, viewer.screens[0][5])])
        self.assertEqual(viewer.size_answers[0], (0, 0, 160, 100))
        count = len(viewer.size_answers)
        viewer.first()
        self.assertGreater(len(viewer.size_answers), count)

    def test_not_to_others(self):
        viewer = self.viewer()
        self.serves(viewer)
        self.assertIsNone(viewer.screens)

    def test_set_desktop_size_is_answered(self):
        """A surface takes no wishes: status 1, prohibited, reason 1, this viewer; and nothing changes."""
        viewer = self.viewer(rfb.EXTENDED_DESKTOP_SIZE)
        viewer.size_answers.clear()
        viewer.ask_size(800, 600)
        viewer.until(lambda: (1, 1) in [each[:2] for each in viewer.size_answers], ask=True)
        self.assertEqual((viewer.width, viewer.height), (160, 100))
        self.serves(viewer)

    def test_the_guest_s_own_size(self):
        extended, plain, neither = self.viewer(rfb.EXTENDED_DESKTOP_SIZE), self.viewer(rfb.DESKTOP_SIZE), self.viewer()
        self.host.surface.shape(128, 90)
        self.host.surface.noise(3)
        self.host.surface.show()
        self.host.surface.signal()
        until_shows([extended, plain], self.host.surface, LIMIT)
        self.assertEqual(extended.size_answer, (0, 0))
        neither.request()
        self.host.surface.shape(160, 100)
        self.host.surface.show()
        self.host.surface.signal()
        until_shows([extended, plain], self.host.surface, LIMIT)


class Keys(Case):
    def test_qemu_keys_are_acknowledged(self):
        """-258: an empty rectangle of that encoding, once; then keys may be sent by their place."""
        viewer = self.viewer(rfb.QEMU_KEYS)
        viewer.until(lambda: rfb.QEMU_KEYS in viewer.seen, ask=True)
        for keycode in (0x1e, 0xcd, 0xff, 0, 0xffffffff):
            viewer.qemu_key(keycode, 0x61)
            viewer.qemu_key(keycode, 0x61, down=False)
        self.serves(viewer)

    def test_not_to_others(self):
        viewer = self.viewer()
        self.serves(viewer)
        self.assertNotIn(rfb.QEMU_KEYS, viewer.seen)

    def test_other_messages_of_qemu_are_an_error(self):
        """Audio (submessage 1) was not offered."""
        viewer = self.viewer(rfb.QEMU_KEYS)
        viewer.send(b"\xff\1\0\0" * 3)
        with self.assertRaises((EOFError, ConnectionError)):
            viewer.until(lambda: False)

    def test_plain_keys_beside_them(self):
        viewer = self.viewer(rfb.QEMU_KEYS)
        viewer.key(0xff0d)
        viewer.key(0xff0d, down=False)
        self.serves(viewer)


class Pointers(Case):
    def test_mouse_buttons_are_acknowledged(self):
        """-316: a rectangle of that encoding; then a seventh byte follows where bit 7 of the buttons is set."""
        viewer = self.viewer(rfb.MOUSE_BUTTONS)
        viewer.until(lambda: rfb.MOUSE_BUTTONS in viewer.seen, ask=True)
        for more in (0, 1, 3, 255, None):
            viewer.point(5, 5, 1, more)
        self.serves(viewer)

    def test_bit_7_without_it_is_a_button(self):
        viewer = self.viewer()
        viewer.point(5, 5, 128)
        viewer.point(5, 5, 0)
        self.serves(viewer)

    def test_motion_change(self):
        """-257: a guest that takes places: nothing, or a rectangle with x = 1."""
        viewer = self.viewer(rfb.QEMU_MOTION)
        self.serves(viewer)
        self.assertLessEqual(set(viewer.motions), {1})

    def test_leds(self):
        """-261: one byte of three bits, where the guest's keyboard is known."""
        viewer = self.viewer(rfb.QEMU_LEDS)
        self.serves(viewer)
        self.assertTrue(all(each < 8 for each in viewer.leds))


class Xvp(Case):
    """The registrant listens: its call of Register stays open ("more")."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host("none", more=True)

    def test_init(self):
        """-309: the server says version 1, code 1 (INIT), once."""
        viewer = self.viewer(rfb.XVP)
        viewer.until(lambda: viewer.xvps, ask=True)
        viewer.set_encodings(rfb.RAW, rfb.XVP)
        self.serves(viewer)
        self.assertEqual(viewer.xvps, [(1, 1)])

    def test_requests_reach_the_registrant(self):
        """Shutdown, reboot, reset: the server forwards, and does nothing else."""
        viewer = self.viewer(rfb.XVP)
        viewer.until(lambda: viewer.xvps, ask=True)
        for code, action in ((2, "shutdown"), (3, "reboot"), (4, "reset")):
            viewer.xvp(code)
            told = self.host.registrant.result()
            self.assertEqual((told["event"], told["action"]), ("powerRequested", action))
        self.serves(viewer)

    def test_unknown_codes_fail(self):
        viewer = self.viewer(rfb.XVP)
        viewer.until(lambda: viewer.xvps, ask=True)
        viewer.xvps.clear()
        viewer.xvp(99)
        try:
            viewer.until(lambda: viewer.xvps, ask=True)
            self.assertEqual(viewer.xvps, [(1, 0)])
        except (EOFError, ConnectionError):
            pass

    def test_not_to_others(self):
        viewer = self.viewer()
        self.serves(viewer)
        self.assertFalse(viewer.xvps)


class XvpWhereNobodyHears(Case):
    def test_not_announced(self):
        """Without INIT the viewer knows that it cannot ask; who asks all the same is told FAIL."""
        viewer = self.viewer(rfb.XVP)
        self.serves(viewer)
        self.assertNotIn((1, 1), viewer.xvps)
        viewer.xvp(2)
        viewer.until(lambda: viewer.xvps, ask=True)
        self.assertEqual(viewer.xvps, [(1, 0)])


class Names(Case):
    def test_only_when_it_changes(self):
        """-307: ServerInit has told it already."""
        viewer = self.viewer(rfb.DESKTOP_NAME)
        self.serves(viewer)
        self.assertLessEqual(set(viewer.names), {"guest"})

    def test_a_new_one(self):
        viewer, other = self.viewer(rfb.DESKTOP_NAME), self.viewer()
        for name in ("renamed", "Grüße, 世界", "guest"):
            self.host.daemon.connect().call("Update", {"id": "guest", "context": {"name": name}})
            viewer.until(lambda name=name: viewer.name == name, ask=True)
        self.serves(other)
        self.assertFalse(other.names)


class Clipboard(Case):
    def test_text_is_taken_and_dropped(self):
        viewer = self.viewer()
        for text in (b"", b"text", "Ä€".encode(), bytes(1 << 20)):
            viewer.cut(text)
        self.serves(viewer)

    def test_the_extended_clipboard_is_not_offered(self):
        """0xC0A1E5CE: a viewer that asks for it hears nothing, and stays."""
        viewer = self.viewer(0xc0a1e5ce - (1 << 32))
        viewer.cut(b"plain")
        self.serves(viewer)


class All(Case):
    def test_all_at_once(self):
        viewer = self.viewer(*EVERYTHING)
        viewer.until(lambda: viewer.ends and viewer.fences and viewer.screens and
                     {rfb.QEMU_KEYS, rfb.MOUSE_BUTTONS} <= viewer.seen, ask=True)
        self.serves(viewer)

    def test_listed_again_and_again(self):
        viewer = self.viewer(*EVERYTHING)
        for _ in range(10):
            viewer.set_encodings(*EVERYTHING)
            viewer.set_encodings(rfb.ZRLE)
        self.serves(viewer)

    def test_unknown_encodings_are_passed_over(self):
        viewer = self.viewer(*range(-1000, -400), 0x574d5664, -2000000000, 50)
        self.serves(viewer)


class ViewOnly(Case):
    mode = "view"

    def test_keys_and_pointers_are_dropped(self):
        viewer = self.viewer(*EVERYTHING)
        for _ in range(20):
            viewer.key(65)
            viewer.qemu_key(30)
            viewer.point(1, 1, 7)
        self.serves(viewer)

    def test_sizes_are_prohibited(self):
        viewer = self.viewer(rfb.EXTENDED_DESKTOP_SIZE)
        viewer.ask_size(640, 480)
        viewer.until(lambda: (1, 1) in [each[:2] for each in viewer.size_answers], ask=True)

    def test_power_is_not_its_to_ask_for(self):
        """No INIT, or a FAIL for whatever it wants."""
        viewer = self.viewer(rfb.XVP)
        viewer.settle()
        if (1, 1) in viewer.xvps:
            viewer.xvps.clear()
            viewer.xvp(2)
            viewer.until(lambda: viewer.xvps, ask=True)
            self.assertEqual(viewer.xvps, [(1, 0)])


if __name__ == "__main__":
    unittest.main()
