# SPDX-License-Identifier: GPL-2.0-or-later
"""Hands on a real Linux guest: what is typed reaches its console by QEMU's monitor and by devices of the host, and is seen in the picture."""

import os
import re

import guest
import machine
import service
from console import ALPHABET, Console, Picture
from checks_guest import ADDRESS, DISPLAY
from machine import check, command, expect, until
from rawview import DESKTOP_SIZE, EXTENDED_KEYS, LEDS, RAW
from scene import PATIENCE, look, remove_in_time

QMP = "vfio-display-input-qmp@guest.service"
# Keys by their place on a US keyboard; XT numbers those of the rows one after another.
ROWS = ((2, "1234567890-="), (16, "qwertyuiop[]\n"), (30, "asdfghjkl;"), (44, "zxcvbnm,./"), (57, " "))
PLACES = {c: first + i for first, row in ROWS for i, c in enumerate(row)}
SHIFTED = dict(zip("!@#$%^&*()_+", "1234567890-="))
SHIFT, CTRL = (42, 0xFFE1), (29, 0xFFE3)
ENTER = 0xFF0D


def by_keysym(viewer, c):
    """As viewers do that know nothing better: the daemon finds the key, and presses Shift where that is needed."""
    for down in (1, 0):
        viewer.key(ENTER if c == "\n" else ord(c), down)


def by_place(viewer, c):
    """As newer viewers do: it is the viewer's user who presses Shift."""
    key = SHIFTED.get(c) or c.lower()
    keysym = ENTER if c == "\n" else ord(c)
    if key != c:
        viewer.place_of_key(*SHIFT, 1)
    for down in (1, 0):
        viewer.place_of_key(PLACES[key], keysym, down)
    if key != c:
        viewer.place_of_key(*SHIFT, 0)


def connected():
    inputs = service.runtime(DISPLAY)["input"]
    return bool(inputs) and all(each["connected"] for each in inputs)


class Typist:
    """A VNC viewer that looks at the guest's console, where a shell runs, and types."""

    def __init__(self, press):
        self.press = press
        self.linux = guest.the_guest()
        self.viewer = look(DISPLAY, encodings=(RAW, DESKTOP_SIZE, EXTENDED_KEYS))
        # A row of glyphs to learn, and a shell below it.
        self.linux.type("printf '\\033[?25l\\033[2J\\033[H%s\\n' '" + ALPHABET + "' >/dev/tty1")
        rows, columns = self.linux.rows_and_columns()
        expect(self.viewer.watch(lambda: self.viewer.width >= 640 and self.viewer.updates, PATIENCE), "no picture")
        self.console = Console(self.viewer, rows, columns)
        expect(self.viewer.watch(lambda: self.console.learn(0), PATIENCE), "the guest's glyphs are not to be told apart")
        self.linux.type("(PS1='ready.' setsid -c sh </dev/tty1 >/dev/tty1 2>&1 &)")
        self.sees("ready.")

    def sees(self, end):
        """A line that ends so."""
        def lines():
            return [line for line in map(self.console.read, range(self.console.rows)) if line]
        expect(self.viewer.watch(lambda: any(line.endswith(end) for line in lines()), 2 * PATIENCE),
               "the console has no line that ends with '%s': %s" % (end, lines()))

    def type(self, text):
        """No faster than the guest takes it: its keyboard has room for some codes, and what does not fit there is lost."""
        for i, c in enumerate(text):
            self.press(self.viewer, c)
            if c not in " \n":
                self.sees("ready." + text[:i + 1])


def types_a_command(press, number):
    typist = Typist(press)
    typist.type("echo Typed-$((%d * 7))\n" % number)
    typist.sees("Typed-%d" % (7 * number))
    command("vfio-displayctl", "capture", DISPLAY, "-o", "/tmp/typed.png")
    captured = Console(Picture(*service.load_picture("/tmp/typed.png")), typist.console.rows, typist.console.columns)
    expect(captured.learn(0), "the captured picture has other glyphs")
    lines = [captured.read(row) for row in range(captured.rows)]
    expect("Typed-%d" % (7 * number) in lines, "the captured picture has no such line: %s" % [line for line in lines if line])
    typist.type("exit\n")


def hears_releases(lose):
    """Two keys are down when `lose(viewer)` ends whoever held them. What the guest's own devices say then."""
    linux = guest.the_guest()
    seen = len(linux.said)
    linux.type("cat /proc/bus/input/devices")
    handlers = sorted(set(re.findall(r"^H: Handlers=.*kbd.*?\b(event\d+)", linux.said[seen:], re.M)))
    expect(handlers, "the guest has no keyboard: " + linux.said[seen:])
    for each in handlers:
        # What is pressed before hexdump has opened the device it never says.
        linux.type("(hexdump -v -e '8/2 \"%%x \" 1/2 \" event:%%x\" 1/2 \":%%x\" 1/4 \":%%d \" \"\\n\"' /dev/input/%s & "
                   "until ls -l /proc/$!/fd | grep -q /dev/input/; do sleep 1; done)" % each)
    viewer = look(DISPLAY, encodings=(RAW, DESKTOP_SIZE, EXTENDED_KEYS))
    expect(viewer.watch(lambda: viewer.updates, PATIENCE), "no picture")
    seen = len(linux.said)
    for key in (SHIFT, CTRL):
        viewer.place_of_key(*key, 1)

    def heard(value):
        return all("event:1:%x:%d " % (code, value) in linux.said[seen:] for code, _ in (SHIFT, CTRL))
    try:
        until(lambda: heard(1), 2 * PATIENCE, "the guest hears the keys")
        expect(not heard(0), "they are up again")
        lose(viewer)
        until(lambda: heard(0), 2 * PATIENCE, "the guest hears them go up")
    except machine.Failure as error:
        raise machine.Failure("%s: %s" % (error, linux.said[seen:]))
    linux.type("killall hexdump")


def leave(viewer):
    viewer.close()


def lights_a_led():
    """The guest lights Caps Lock on its keyboard, which is a device of the host, and a viewer is told."""
    linux = guest.the_guest()
    seen = len(linux.said)
    linux.type("cat /proc/bus/input/devices")
    found = re.search(r'Name="vfio-displayd guest keyboard"(?:.*\n)+?H: Handlers=.*?\b(event\d+)', linux.said[seen:])
    expect(found, "the guest has no such keyboard: " + linux.said[seen:])
    viewer = look(DISPLAY, encodings=(RAW, DESKTOP_SIZE, LEDS))
    for on in (1, 0):
        # struct input_event of EV_LED, LED_CAPSL.
        linux.type("printf '%s' >/dev/input/%s" % ("\\0" * 16 + "\\021\\0\\1\\0\\%d\\0\\0\\0" % on, found[1]))
        expect(viewer.watch(lambda: viewer.leds == 4 * on, 2 * PATIENCE), "the viewer was told %s, not %d" % (viewer.leds, 4 * on))


def wake_adapter():
    command("systemctl", "kill", "-s", "CONT", guest.UINPUT)


@check(early=guest.start)
def a_command_is_typed_by_devices_of_the_host():
    guest.the_guest().adopt(DISPLAY, "--listen", ADDRESS)
    wake_adapter()
    until(connected, PATIENCE, "the adapter gives the display its sockets: " + command("journalctl", "-u", guest.UINPUT, "--no-pager"))
    types_a_command(by_keysym, 6)
    hears_releases(leave)
    lights_a_led()


@check(early=guest.start)
def a_command_is_typed_by_the_monitor():
    linux = guest.the_guest()
    linux.adopt(DISPLAY, "--listen", ADDRESS)
    wake_adapter()
    os.makedirs("/etc/vfio-displayd/input-qmp", exist_ok=True)
    with open("/etc/vfio-displayd/input-qmp/guest.env", "w") as file:
        file.write("QMP=%s\nOPTIONS=\n" % guest.QMP)
    command("systemctl", "start", QMP)
    until(lambda: connected() and service.show("StatusText", QMP) == "viewers can type", PATIENCE,
          "the adapter gives the display its sockets")
    types_a_command(by_place, 9)
    hears_releases(leave)
    hears_releases(lambda viewer: command("systemctl", "stop", QMP))
    # The other one, which had stood back, has the display again.
    until(connected, PATIENCE, "the devices of the host are back")
    hears_releases(lambda viewer: command("vfio-displayctl", "input", DISPLAY, "--none"))
    until(connected, PATIENCE, "the devices of the host are back once more")


@check(early=guest.start)
def a_killed_qemu_leaves_nothing():
    linux = guest.the_guest()
    linux.adopt(DISPLAY, "--listen", ADDRESS)
    viewer = look(DISPLAY)
    expect(viewer.watch(lambda: viewer.updates, PATIENCE), "no picture")
    linux.kill()
    command("systemctl", "stop", guest.UINPUT, QMP)
    note = remove_in_time(linux.mdev)
    listed = command("vfio-displayctl", "--json", "list")
    expect('"%s"' % DISPLAY not in listed, "the display is still listed: " + listed)
    return note
