# SPDX-License-Identifier: GPL-2.0-or-later
"""The service at the end of its control group's memory: the kernel picks what viewers push against, and the rest goes on."""

import os
import re

import machine
import rfb
import service
from machine import check, command, expect, until
from pattern import picture
from scene import PATIENCE, bochs, look, see

STALLED = 12


class MemoryMax:
    """So many bytes more than the service uses now; no swap."""

    def __init__(self, more):
        machine.keep(self)
        self.set(int(service.show("MemoryCurrent")) + more)

    def set(self, most):
        command("systemctl", "set-property", "--runtime", service.UNIT, "MemoryMax=%s" % most, "MemorySwapMax=0")

    def close(self):
        self.set("infinity")


def oom_kills():
    group = service.show("ControlGroup")
    with open("/sys/fs/cgroup%s/memory.events" % group) as file:
        return int(re.search(r"^oom_kill (\d+)", file.read(), re.M).group(1))


def stall(display):
    """A viewer that asks for all of it and reads nothing: a picture waits for it in its display's program."""
    viewer = rfb.Client(service.rfb_path(display), timeout=PATIENCE)
    machine.keep(viewer)
    viewer.set_encodings(rfb.RAW)
    for _ in range(2):
        viewer.request(incremental=False)
    return viewer


def exists(pid):
    return os.path.exists("/proc/%d" % pid)


@check
def memory_that_ends_takes_an_rfb_program_and_no_more():
    """The one whose viewers take it. The broker, the display and the other display's viewer are as before."""
    _, _ = bochs("small", seed=1)
    bochs("large", mode=(1280, 800), seed=2)
    good = look("small")
    see(good, 640, 480, picture("noise", 1, 640, 480), "the small display")
    pid, others = service.main_pid(), service.rfb_pids()
    limit, before = MemoryMax(24 << 20), oom_kills()
    stalled = []
    for _ in range(STALLED):
        try:
            stalled.append(stall("large"))
        except (OSError, EOFError, rfb.Refused):
            break
    until(lambda: oom_kills() > before, PATIENCE, "the kernel's choice")
    limit.close()
    for viewer in stalled:
        viewer.close()
    expect(service.main_pid() == pid, "the broker is another one")
    expect(service.show("ActiveState") == "active", "the service is " + service.show("ActiveState"))
    for other in others:
        expect(exists(other), "the other display's program is gone")
    see(good, 640, 480, picture("noise", 1, 640, 480), "the small display, after it")
    see(look("large"), 1280, 800, picture("noise", 2, 1280, 800), "the large display, again")
    return "%d of its programs ended" % (oom_kills() - before)
