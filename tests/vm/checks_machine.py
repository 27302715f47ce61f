# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM itself: without these the other checks say nothing."""

import glob
import os

from machine import HERE, Mdev, Vmm, always, check, command, expect


@always
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
def mesa_without_a_gpu_imports_its_own_buffers():
    nodes = sorted(glob.glob("/dev/dri/card*") + glob.glob("/dev/dri/renderD*"))
    return command("python3", HERE + "/gbm_probe.py", *nodes).strip().replace("\n", "; ")
