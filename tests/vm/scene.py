# SPDX-License-Identifier: GPL-2.0-or-later
"""What most checks begin with: a display that was handed over and somebody who looks at it."""

import re
import threading
import time

import machine
import service
from machine import Failure, Mdev, Vmm, expect
from rawview import Viewer

# How long a picture may take until it is wrong: never a measure of speed, an emulated machine beside a busy one is slow.
PATIENCE = 30
# How long a device may be held after its VMM's end.
RELEASE = 1.0
CONFIGURATION = "/etc/vfio-displayd/vfio-displayd.conf"


def configure(key, value):
    """Sets a key of the installed file, which names every key in a comment: the first of its name. None: back to the default."""
    with open(CONFIGURATION) as file:
        text = file.read()
    changed = re.sub(r"(?m)^#?%s =.*$" % key, "#%s = 0" % key if value is None else "%s = %s" % (key, value), text, count=1)
    expect(key in text and (value is None or changed != text), "%s has no %s" % (CONFIGURATION, key))
    with open(CONFIGURATION, "w") as file:
        file.write(changed)


def see(viewer, width, height, pixels, what, lines=None):
    if not viewer.watch(lambda: viewer.shows(width, height, pixels, lines), PATIENCE):
        raise Failure("%s: %s" % (what, viewer.explain(width, height, pixels)))


def look(display, **options):
    viewer = Viewer(service.rfb_path(display), **options)
    machine.keep(viewer)
    return viewer


def bochs(display, options="pidfd eventfd", driver="mbochs_rw", mode=(640, 480), seed=1):
    """An mbochs display with noise on it, handed over."""
    mdev = Mdev(driver, "medium")
    vmm = Vmm(mdev)
    vmm("mode %d %d" % mode)
    vmm("paint noise %d" % seed)
    vmm("register %s %s" % (display, options))
    return mdev, vmm


def remove_in_time(mdev):
    """Removes a device that nobody may hold any more. The kernel waits in the write for the last user."""
    done = []

    def write():
        with open(mdev.path + "/remove", "w") as file:
            file.write("1")
        done.append(time.monotonic())

    began = time.monotonic()
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(30)
    took = done[0] - began if done else 30
    expect(took < RELEASE, "removing the device took %.2f s, not under %g" % (took, RELEASE))
    return "removed after %.3f s" % took
