# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock QEMU with a Linux guest on an mbochs display. Its processor is emulated by an emulated one, so it is started before the
first check and needs its minutes beside the others."""

import os
import re
import shutil
import subprocess
import threading

from machine import HERE, Failure, Mdev, command, expect, say, until

# The VM's own kernel, an ELF file: QEMU wants it as a file, it comes as a disk.
DISK = "/dev/vdc"
KERNEL = "/run/vmlinux"
QMP = "/run/guest.qmp"
UINPUT = "vfio-display-input-uinput@guest.service"
BOOT_SECONDS = 420
TYPED_SECONDS = 60
# Leaves out what costs most of the boot and no console needs.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 no_timer_check cryptomgr.notests mitigations=off nokaslr rodata=off "
                "initcall_blacklist=crypto_kdf108_init,cubictcp_register,init_kprobe_trace")


def qemu(*options, **popen):
    """A stock QEMU: no display of its own, nothing but the given devices. Its clock counts instructions: by any other clock a
    machine this slow spends all its time on ticks."""
    return subprocess.Popen(["nice", "-n", "5", "qemu-system-x86_64", "-accel", "tcg,thread=single,tb-size=128",
                             "-icount", "shift=5", "-nodefaults", "-no-user-config", "-vga", "none", "-display", "none",
                             "-no-reboot", *options], stderr=subprocess.STDOUT, **popen)


def on_display(mdev):
    return "-device", "vfio-pci,sysfsdev=%s,display=off" % mdev.path


def input_devices():
    """The host's devices for the guest, made by the adapter before there is a display that they belong to. Nothing where it was not built."""
    if not os.path.exists("/usr/sbin/vfio-display-input-uinput"):
        return ()
    command("systemctl", "start", UINPUT)
    nodes = ["/dev/input/vfio-displayd/guest-" + kind for kind in ("keyboard", "tablet")]
    until(lambda: all(map(os.path.exists, nodes)), 30, "udev's links to the devices")
    # Until it is wanted it is silent: to ask for its display would start the daemon.
    command("systemctl", "kill", "-s", "STOP", UINPUT)
    return [word for node in nodes for word in ("-device", "virtio-input-host-pci,evdev=" + node)]


class Guest:
    """Boots from the start; ready() waits for it. Its serial port has a shell, its display a text console."""

    def __init__(self):
        shutil.copyfile(DISK, KERNEL)
        devices = input_devices()
        self.mdev = Mdev("mbochs_rw", "medium", outlives=True)
        self.process = qemu("-m", "192", "-kernel", KERNEL, "-initrd", HERE + "/guest.gz", "-append", COMMAND_LINE,
                            "-serial", "stdio", "-qmp", "unix:%s,server=on,wait=off" % QMP, *devices, *on_display(self.mdev), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said = ""
        self.typed = 0
        self.adopted = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                break
            self.said += more.decode("ascii", "replace").replace("\r", "")

    @property
    def pid(self):
        return self.process.pid

    def _wait(self, pattern, seconds, what):
        def heard():
            expect(self.process.poll() is None, "QEMU has ended: " + self.said[-300:])
            return re.search(pattern, self.said)
        try:
            return until(heard, seconds, what)
        except Failure as error:
            raise Failure("%s; it said: %s" % (error, self.said[-300:]))

    def ready(self):
        self._wait("guest: up", BOOT_SECONDS, "the guest's boot")

    def type(self, line):
        """Types into the serial port's shell and waits for the end of what that does."""
        self.typed += 1
        # The shell echoes what is typed, but not this sum's result.
        text = "%s; echo END-$((%d + 1000))\n" % (line, self.typed)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()
        self._wait("END-%d" % (self.typed + 1000), TYPED_SECONDS, "the answer to " + line)

    def rows_and_columns(self):
        self.type("stty size </dev/tty1")
        return tuple(map(int, re.findall(r"^(\d+) (\d+)$", self.said, re.M)[-1]))

    def adopt(self, display, *options):
        """Hands the display over, without the help of QEMU."""
        if not self.adopted:
            command("vfio-displayctl", "adopt", "--pid", str(self.pid), *options, display)
        self.adopted = True

    def kill(self):
        self.process.kill()
        self.process.wait()


_guest = None


def start():
    global _guest
    _guest = Guest()


def the_guest():
    """Booted, and still alive."""
    expect(_guest, "QEMU was not started")
    _guest.ready()
    return _guest
