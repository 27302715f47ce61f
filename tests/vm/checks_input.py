# SPDX-License-Identifier: GPL-2.0-or-later
"""Hands on a real Linux guest: what is typed reaches its console by QEMU's monitor and by devices of the host, and is seen in the picture."""

import os
import re

import guest
import service
from console import ALPHABET, Console
from checks_guest import ADDRESS, DISPLAY
from machine import check, command, expect, until
from scene import PATIENCE, look, remove_in_time

QMP = "vfio-display-input-qmp@guest.service"
# Names of keys for vfio-displayctl send, of what is typed here.
PLAIN = {" ": "KEY_SPACE", "-": "KEY_MINUS", "=": "KEY_EQUAL", "/": "KEY_SLASH", ".": "KEY_DOT", ";": "KEY_SEMICOLON", "\n": "KEY_ENTER"}
SHIFTED = {"$": "KEY_4", "(": "KEY_9", ")": "KEY_0", "*": "KEY_8", ">": "KEY_DOT", "+": "KEY_EQUAL"}


def keys(text):
    """As events of vfio-displayctl send."""
    out = []
    for c in text:
        shift = c in SHIFTED or c.isupper()
        name = SHIFTED.get(c) or PLAIN.get(c) or "KEY_" + c.upper()
        out += ["KEY_LEFTSHIFT:1", "SYN"] * shift + [name] + ["KEY_LEFTSHIFT:0", "SYN"] * shift
    return out


def connected():
    inputs = service.runtime(DISPLAY)["input"]
    return bool(inputs) and all(each["connected"] for each in inputs)


class Typist:
    """Looks at the guest's console, where a shell runs, and types."""

    def __init__(self):
        self.linux = guest.the_guest()
        self.linux.adopt(DISPLAY, "--listen", ADDRESS)
        self.viewer = look(DISPLAY)
        # A row of glyphs to learn, and a shell below it.
        self.linux.type("printf '\\033[?25l\\033[2J\\033[H%s\\n' '" + ALPHABET + "' >/dev/tty1")
        rows, columns = self.linux.rows_and_columns()
        expect(self.viewer.watch(lambda: self.viewer.width >= 640 and self.viewer.updates, PATIENCE), "no picture")
        self.console = Console(self.viewer, rows, columns)
        expect(self.viewer.watch(lambda: self.console.learn(0), PATIENCE), "the guest's glyphs are not to be told apart")
        self.linux.type("(setsid -c sh </dev/tty1 >/dev/tty1 2>&1 &)")

    def type(self, text):
        for at in range(0, len(text), 8):
            command("vfio-displayctl", "send", DISPLAY, *keys(text[at:at + 8]))

    def reads(self, text):
        def rows():
            return [self.console.read(row) for row in range(self.console.rows)]
        expect(self.viewer.watch(lambda: text in rows(), 2 * PATIENCE), "the console has no line '%s': %s" % (text, [row for row in rows() if row]))

    def end(self):
        self.type("exit\n")


def types_a_command(number):
    typist = Typist()
    typist.type("echo Typed-$((%d * 7))\n" % number)
    typist.reads("Typed-%d" % (7 * number))
    command("vfio-displayctl", "capture", DISPLAY, "-o", "/tmp/typed.png")
    typist.end()


def hears_releases(lose):
    """A key and a button of a modifier are down when `lose()` ends whoever held them: what the guest's own device says then."""
    linux = guest.the_guest()
    linux.type("cat /proc/bus/input/devices")
    handlers = re.findall(r"^H: Handlers=.*kbd.*\b(event\d+)", linux.said, re.M)
    expect(handlers, "the guest has no keyboard: " + linux.said[-2000:])
    seen = len(linux.said)
    for each in sorted(set(handlers)):
        linux.type("(hexdump -v -e '8/2 \"%%x \" 1/2 \" event:%%x\" 1/2 \":%%x\" 1/4 \":%%d \" \"\\n\"' /dev/input/%s &)" % each)
    command("vfio-displayctl", "send", DISPLAY, "KEY_LEFTSHIFT:1", "SYN", "KEY_F5:1", "SYN")

    def heard(value):
        text = linux.said[seen:]
        return all("event:1:%x:%d " % (code, value) in text for code in (42, 63))
    until(lambda: heard(1), PATIENCE, "the guest hears the keys: " + linux.said[seen:])
    lose()
    until(lambda: heard(0), PATIENCE, "the guest hears them go up")
    linux.type("killall hexdump")


@check(early=guest.start)
def a_command_is_typed_by_devices_of_the_host():
    guest.the_guest().adopt(DISPLAY, "--listen", ADDRESS)
    until(connected, PATIENCE, "the adapter gives the display its sockets: " + command("journalctl", "-u", guest.UINPUT, "--no-pager"))
    types_a_command(6)


@check(early=guest.start)
def a_command_is_typed_by_the_monitor():
    linux = guest.the_guest()
    linux.adopt(DISPLAY, "--listen", ADDRESS)
    os.makedirs("/etc/vfio-displayd/input-qmp", exist_ok=True)
    with open("/etc/vfio-displayd/input-qmp/guest.env", "w") as file:
        file.write("QMP=%s\nOPTIONS=\n" % guest.QMP)
    command("systemctl", "start", QMP)
    until(lambda: connected() and service.show("StatusText", QMP) == "viewers can type", PATIENCE,
          "the adapter gives the display its sockets")
    types_a_command(9)
    hears_releases(lambda: command("systemctl", "stop", QMP))
    # The other one, which had stood back, has the display again.
    until(connected, PATIENCE, "the devices of the host are back")
    hears_releases(lambda: command("vfio-displayctl", "input", DISPLAY, "--none"))
    until(connected, PATIENCE, "the devices of the host are back once more")


@check(early=guest.start)
def a_killed_qemu_leaves_nothing():
    linux = guest.the_guest()
    linux.adopt(DISPLAY, "--listen", ADDRESS)
    viewer = look(DISPLAY)
    expect(viewer.watch(lambda: viewer.updates, PATIENCE), "no picture")
    linux.kill()
    note = remove_in_time(linux.mdev)
    listed = command("vfio-displayctl", "--json", "list")
    expect('"%s"' % DISPLAY not in listed, "the display is still listed: " + listed)
    return note
