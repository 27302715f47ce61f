#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of tests/vm, run inside the VM by vm-test.service. One line for each: "ok NAME" or "not ok NAME - why"."""

import os
import re

import machine
from machine import Failure, Mdev, Vmm, check, command, expect, say


@check
def systemd_runs():
    with open("/proc/1/comm") as file:
        expect(file.read().strip() == "systemd", "PID 1 is not systemd")
    return os.uname().release


@check
def a_mappable_dmabuf_reads_back():
    vmm = Vmm(Mdev("mbochs_rw", "medium"))
    vmm("mode 640 480")
    vmm("paint noise 1")
    return vmm("readback")


@check
def a_stock_dmabuf_does_not_map():
    vmm = Vmm(Mdev("mbochs", "medium"))
    vmm("mode 640 480")
    vmm("paint noise 1")
    answer = vmm.ask("readback")
    expect(answer.startswith("error No such device"), answer)


@check
def a_region_reads_back():
    vmm = Vmm(Mdev("mdpy", "vga"))
    vmm("paint noise 1")
    return vmm("readback")


@check
def kernel_log_is_clean():
    complaints = machine.kernel_complaints()
    expect(not complaints, "; ".join(complaints[:4]))


def main():
    with open("/proc/cmdline") as file:
        only = re.search(r"vm-test\.checks=(\S*)", file.read())
    machine.run_checks(only.group(1).split(",") if only and only.group(1) else None)
    if machine.failures:
        say(command("journalctl", "-b", "--no-pager", "-o", "short-monotonic", fine=None))
    say("# done")


main()
