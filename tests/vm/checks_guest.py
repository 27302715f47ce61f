# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux guest in a stock QEMU, whose device is taken from it while it runs."""

import grp
import os
import re
import subprocess

import guest
import machine
import service
from console import ALPHABET, Console, Picture
from machine import Mdev, check, command, expect, until
from scene import PATIENCE, look, remove_in_time

DISPLAY = "guest"
ADDRESS = "127.0.0.1:5902"
# The console's own blue, EGA's.
BLUE, BLACK = bytes([0xAA, 0, 0]), bytes(3)


def adopt_refused(pid, reason, *options, user=None, status=1):
    """Tries it in vain, perhaps as somebody without privileges who may use the control socket. Returns what it said."""
    as_user = {"user": user, "group": grp.getgrnam("vfio-display").gr_gid, "extra_groups": []} if user else {}
    done = subprocess.run(["vfio-displayctl", "adopt", "--pid", str(pid), *options], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, **as_user)
    expect(done.returncode == status and reason in done.stdout, "status %d: %s" % (done.returncode, done.stdout.strip()))
    return done.stdout.strip()


@check
def a_process_without_a_device_is_not_adopted():
    process = subprocess.Popen(["sleep", "600"])
    machine.keep(Ended(process))
    adopt_refused(process.pid, "no VFIO device")
    process.kill()
    process.wait()
    adopt_refused(process.pid, "no such process", status=5)


class Ended:
    """Ends a process at the end of the check."""

    def __init__(self, process):
        self.process = process

    def close(self):
        self.process.kill()
        self.process.wait()


@check
def one_of_several_devices_is_to_be_named():
    mdevs = [Mdev("mbochs_rw", "small"), Mdev("mdpy", "vga")]
    process = guest.qemu("-S", "-m", "32", *guest.on_display(mdevs[0]), *guest.on_display(mdevs[1]))
    machine.keep(Ended(process))

    def numbers():
        expect(process.poll() is None, "QEMU has ended")
        text = command("vfio-displayctl", "adopt", "--pid", str(process.pid), "--list")
        return dict(re.findall(r"^(\d+)\s.*\s(dmabuf|region)$", text, re.M))

    until(lambda: len(numbers()) == 2, 4 * PATIENCE, "two devices")
    found = numbers()
    expect(sorted(found.values()) == ["dmabuf", "region"], str(found))
    said = adopt_refused(process.pid, "several VFIO devices")
    for number, kind in found.items():
        expect("%s (" % number in said and kind in said, "descriptor %s, %s, is not named: %s" % (number, kind, said))
    region = next(number for number in found if found[number] == "region")
    adopt_refused(process.pid, "no VFIO device", "--device", "1")
    command("vfio-displayctl", "adopt", "--pid", str(process.pid), "--device", region, "second")
    viewer = look("second")
    expect(viewer.watch(lambda: (viewer.width, viewer.height) == (640, 480) and viewer.updates, PATIENCE), "no picture of it")
    process.kill()
    process.wait()
    return remove_in_time(mdevs[1])


@check
def a_hook_of_libvirt_hands_a_display_over():
    mdev = Mdev("mdpy", "vga")
    process = guest.qemu("-S", "-m", "32", *guest.on_display(mdev))
    machine.keep(Ended(process))

    def opened():
        expect(process.poll() is None, "QEMU has ended")
        return re.search(r"\sregion$", command("vfio-displayctl", "adopt", "--pid", str(process.pid), "--list"), re.M)

    until(opened, 4 * PATIENCE, "its device")
    os.makedirs("/run/libvirt/qemu", exist_ok=True)
    with open("/run/libvirt/qemu/hooked.pid", "w") as file:
        file.write("%d\n" % process.pid)
    domain = ("<domain type='kvm'><name>hooked</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>"
              "<devices><hostdev mode='subsystem' type='mdev'/></devices></domain>")
    for operation in ("started", "reconnect"):
        done = subprocess.run([machine.HERE + "/libvirt-hook", "hooked", operation, "begin", "-"], input=domain,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        expect(done.returncode == 0 and not done.stdout, "%s: status %d: %s" % (operation, done.returncode, done.stdout))
    viewer = look("hooked")
    expect(viewer.watch(lambda: (viewer.width, viewer.height) == (640, 480) and viewer.updates, PATIENCE), "no picture of it")
    process.kill()
    process.wait()
    return remove_in_time(mdev)


@check(early=guest.start)
def the_console_of_a_linux_guest_is_read():
    linux = guest.the_guest()
    linux.adopt(DISPLAY, "--listen", ADDRESS)
    # The shell's own text, without a cursor that blinks; a row of glyphs to learn.
    linux.type("printf '\\033[?25l\\033[2J\\033[H%s\\n' '" + ALPHABET + "' >/dev/tty1")
    viewer = look(DISPLAY)
    rows, columns = linux.rows_and_columns()
    expect(viewer.watch(lambda: viewer.width >= 640 and viewer.updates, PATIENCE), "no picture")
    console = Console(viewer, rows, columns)
    expect(viewer.watch(lambda: console.learn(0), PATIENCE), "the guest's glyphs are not to be told apart")
    expect(console.is_blank(1), "the second row is not empty before anything is typed")

    def reads(row, text):
        expect(viewer.watch(lambda: console.read(row) == text, PATIENCE),
               "row %d reads '%s', not '%s'" % (row, console.read(row), text))

    reads(0, ALPHABET)
    linux.type("echo MARKER-$((6 * 7)) >/dev/tty1")
    reads(1, "MARKER-42")
    linux.type("echo once more, MARKER-$((6 * 7)) >/dev/tty1; echo MARKER-$((6 * 7)) >/dev/tty1")
    reads(3, "MARKER-42")
    expect(console.row(1) == console.row(3), "the same text has other pixels in another row")
    reads(2, "once more, MARKER-42")
    command("gvnccapture", "-q", "127.0.0.1:2", "/tmp/guest.png")
    captured = Console(Picture(*service.load_picture("/tmp/guest.png")), rows, columns)
    expect(captured.learn(0) and captured.read(2) == "once more, MARKER-42", "gvnccapture saw '%s'" % captured.read(2))
    linux.type("printf '\\033[44m\\033[2J\\033[H' >/dev/tty1")
    expect(viewer.watch(lambda: console.is_all(BLUE), PATIENCE), "no blue screen")
    linux.type("printf '\\033[0m\\033[2J\\033[H' >/dev/tty1")
    expect(viewer.watch(lambda: console.is_all(BLACK), PATIENCE), "the cleared screen is not black")
    return "%dx%d, %d rows of %d" % (viewer.width, viewer.height, rows, columns)


@check(early=guest.start)
def a_stranger_adopts_nothing():
    said = adopt_refused(guest.the_guest().pid, "you may not", user=65534, status=4)
    # The members of the group may talk to the daemon, so it was the kernel that refused.
    command("setpriv", "--reuid=65534", "--regid=vfio-display", "--clear-groups", "vfio-displayctl", "list")
    return said
