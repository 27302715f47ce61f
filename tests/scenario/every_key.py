#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every key of a 105-key keyboard, typed by a viewer on a US, a German and a French one, is the same key at the guest's keyboard: by its
scancode, and by what is printed on it. One daemon; keys, Shift and AltGr go down and up as at a viewer that says only keysyms."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rfb  # noqa: E402
from viewers_type import KEY, Scene  # noqa: E402

# Where no letters are: XT's scancode, the kernel's number, the keysym (X11/keysymdef.h).
FIXED = [
    (0x01, 1, 0xff1b), *((0x3b + i, 59 + i, 0xffbe + i) for i in range(10)), (0x57, 87, 0xffc8), (0x58, 88, 0xffc9),
    (0x54, 99, 0xff61), (0x46, 70, 0xff14), (0xc6, 119, 0xff13),                                # Print, Scroll Lock, Pause
    (0x0e, 14, 0xff08), (0x0f, 15, 0xff09), (0x1c, 28, 0xff0d), (0x39, 57, 0x20),
    (0xd2, 110, 0xff63), (0xc7, 102, 0xff50), (0xc9, 104, 0xff55), (0xd3, 111, 0xffff), (0xcf, 107, 0xff57), (0xd1, 109, 0xff56),
    (0xc8, 103, 0xff52), (0xcb, 105, 0xff51), (0xd0, 108, 0xff54), (0xcd, 106, 0xff53),
    (0x45, 69, 0xff7f), (0xb5, 98, 0xffaf), (0x37, 55, 0xffaa), (0x4a, 74, 0xffad), (0x4e, 78, 0xffab), (0x9c, 96, 0xff8d),
    (0x47, 71, 0xffb7), (0x48, 72, 0xffb8), (0x49, 73, 0xffb9), (0x4b, 75, 0xffb4), (0x4c, 76, 0xffb5), (0x4d, 77, 0xffb6),
    (0x4f, 79, 0xffb1), (0x50, 80, 0xffb2), (0x51, 81, 0xffb3), (0x52, 82, 0xffb0), (0x53, 83, 0xffae),
    (0x3a, 58, 0xffe5), (0x2a, 42, 0xffe1), (0x36, 54, 0xffe2), (0x1d, 29, 0xffe3), (0x9d, 97, 0xffe4), (0x38, 56, 0xffe9),
    (0xdb, 125, 0xffeb), (0xdc, 126, 0xffec), (0xdd, 127, 0xff67),
]
ALTGR_KEY = (0xb8, 100)
# The keypad with NumLock off: the same keys, other keysyms.
MOVES = [(71, 0xff95), (72, 0xff97), (73, 0xff9a), (75, 0xff96), (76, 0xff9d), (77, 0xff98), (79, 0xff9c), (80, 0xff99), (81, 0xff9b),
         (82, 0xff9e), (83, 0xff9f)]
# The keys with characters in the kernel's order, from 1 on: 12, 12, 12, 11 and 102ND. Each XT scancode is the kernel's number.
PRINTED = [*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), 86]
# What is on them, alone, with Shift, with AltGr; "\0": nothing that a key event would tell, or a dead key (by name in DEAD).
LAYOUTS = {
    "us": ("1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./\0",
           "!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>?\0", ""),
    "de": ("1234567890ß\0qwertzuiopü+asdfghjklöä\0#yxcvbnm,.-<",
           "!\"§$%&/()=?\0QWERTZUIOPÜ*ASDFGHJKLÖÄ°'YXCVBNM;:_>",
           "\0²³\0\0\0{[]}\\\0@\0€\0\0\0\0\0\0\0\0~\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0µ\0\0\0|"),
    "fr": ("&é\"'(-è_çà)=azertyuiop\0$qsdfghjklmù²*wxcvbn,;:!<",
           "1234567890°+AZERTYUIOP\0£QSDFGHJKLM%\0µWXCVBN?./§>",
           "\0~#{[|`\\^@]}\0\0€\0\0\0\0\0\0\0\0¤"),
}
DEAD = {"de": [(13, 0, 0xfe51), (13, 1, 0xfe50), (41, 0, 0xfe52)], "fr": [(26, 0, 0xfe52), (26, 1, 0xfe57)]}
SHIFT, ALTGR = 0xffe1, 0xfe03
CODES = {SHIFT: 42, ALTGR: 100}


def keysym(character):
    return 0x20ac if character == "€" else ord(character)


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        cls.addClassCleanup(cls.scene.stop)
        cls.viewer = cls.scene.come()

    def layout(self, name):
        self.scene.call("Update", {"id": "guest", "context": {"keyboardLayout": name}})
        self.scene.until(lambda: self.runtime().get("keyboardLayoutReason", "") != "it is being read", "the layout")
        if "libxkbcommon" in self.runtime().get("keyboardLayoutReason", ""):
            self.skipTest("built without libxkbcommon")
        self.assertEqual(self.runtime()["keyboardLayout"], name)

    def runtime(self):
        return self.scene.call("List", {"id": "guest"})["runtime"]

    def expect(self, wanted, what):
        self.assertEqual(self.scene.keyboard.wait(len(wanted), what), [(KEY, *each) for each in wanted], what)

    def tap(self, keysym, code, held=()):
        """As a viewer that says only keysyms, with Shift or AltGr held as a person holds them."""
        for each in held:
            self.viewer.key(each)
        self.viewer.key(keysym)
        self.viewer.key(keysym, False)
        for each in reversed(held):
            self.viewer.key(each, False)
        self.expect([(CODES[each], 1) for each in held] + [(code, 1), (code, 0)] + [(CODES[each], 0) for each in reversed(held)],
                    f"{keysym:#x} is {code}, with {held}")

    def test_by_scancode(self):
        keys = [(xt, code) for xt, code, _ in FIXED] + [ALTGR_KEY] + [(code, code) for code in PRINTED]
        self.assertEqual(len(set(keys)), 105)
        other = self.scene.come()
        other.set_encodings(rfb.RAW, rfb.QEMU_KEYS)
        other.until(lambda: rfb.QEMU_KEYS in other.seen, ask=True)
        for layout in LAYOUTS:                              # which says nothing about where a key is
            self.layout(layout)
            for xt, code in keys:
                other.qemu_key(xt, 0x3042)                  # nor does the keysym
                other.qemu_key(xt, 0x3042, down=False)
                self.expect([(code, 1), (code, 0)], f"scancode {xt:#x}, {layout}")
            other.qemu_key(0x3a)
            other.qemu_key(0x3a, down=False)
            self.expect([(58, 1), (58, 0)], "CapsLock is off again")

    def test_by_keysym(self):
        for layout, levels in LAYOUTS.items():
            self.layout(layout)
            for _, code, sym in FIXED:
                self.tap(sym, code)
            self.tap(0xffe5, 58)                            # off again, or letters would need another Shift
            for code, sym in MOVES:
                self.tap(sym, code)
            for held, printed in zip(((), (SHIFT,), (ALTGR,)), levels):
                for code, character in zip(PRINTED, printed):
                    if character != "\0":
                        self.tap(keysym(character), code, held)
            for code, level, sym in DEAD.get(layout, ()):
                self.tap(sym, code, (SHIFT,) * level)
            if layout != "us":
                self.tap(ALTGR, 100)
            self.assertEqual(self.scene.keyboard.take(), [])

    def test_characters_without_their_modifiers(self):
        """A phone says "A" and "@" and holds nothing: Shift and AltGr are made up, for as long as the key is down."""
        for layout, levels in LAYOUTS.items():
            self.layout(layout)
            for makes, printed in ((42, levels[1]), (100, levels[2])):
                for code, character in zip(PRINTED, printed):
                    if character == "\0" or any(character in other for other in levels if other is not printed):
                        continue
                    self.viewer.key(keysym(character))
                    self.viewer.key(keysym(character), False)
                    self.expect([(makes, 1), (code, 1), (code, 0), (makes, 0)], f"{character}, {layout}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
