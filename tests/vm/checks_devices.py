# SPDX-License-Identifier: GPL-2.0-or-later
"""Who holds a device, and for how long."""

import grp
import os
import re
import time

import machine
import service
from machine import Mdev, Vmm, check, expect, fds_of, until
from pattern import picture
from rawview import StalledViewer
from scene import PATIENCE, bochs, look, remove_in_time, see


@check
def no_program_that_meets_the_network_holds_a_device():
    bochs("wall")
    see(look("wall"), 640, 480, picture("noise", 1, 640, 480), "the picture")
    expect(service.device_fds(service.main_pid()), "the broker holds no device, so this check sees nothing")
    expect(service.rfb_pids(), "no RFB program")
    for pid in service.rfb_pids():
        expect(not service.device_fds(pid), "an RFB program holds %s" % service.device_fds(pid))


@check
def a_killed_vmm_frees_its_device_while_a_viewer_stalls():
    pid = service.main_pid()
    other = Vmm(Mdev("mdpy", "vga"))
    other("paint noise 1")
    other("register other pidfd eventfd")
    beside = look("other")
    see(beside, 640, 480, picture("noise", 1, 640, 480), "the other display")
    before = len(fds_of(pid))
    mdev, vmm = bochs("killed")
    see(look("killed"), 640, 480, picture("noise", 1, 640, 480), "the picture")
    machine.keep(StalledViewer(service.rfb_path("killed")))
    for seed in (2, 3, 4):
        vmm("paint noise %d" % seed)
        vmm("signal")
    vmm.kill()
    note = remove_in_time(mdev)
    service.released(pid, "killed", before)
    other("paint noise 2")
    other("signal")
    see(beside, 640, 480, picture("noise", 2, 640, 480), "the other display after it")
    return note


@check
def a_vmm_without_privileges_hands_its_device_over():
    group = grp.getgrnam("vfio-display").gr_gid
    mdev = Mdev("mbochs_rw", "small")
    os.chown(until(lambda: os.path.exists(mdev.group_path()) and mdev.group_path(), PATIENCE, "the group's node"), 65534, group)
    for member in (False, True):
        vmm = Vmm(mdev, user=65534, group=group if member else 65534, extra_groups=[])
        vmm("mode 640 480")
        vmm("paint noise 1")
        answer = vmm.ask("register user pidfd eventfd")
        if member:
            expect(answer.startswith("ok"), answer)
            see(look("user"), 640, 480, picture("noise", 1, 640, 480), "the picture")
            registrant = service.runtime("user")["registrant"]
            expect((registrant["uid"], registrant["gid"]) == (65534, group), str(registrant))
        else:
            expect(answer.startswith("error Permission denied"), "not a member of the group: " + answer)
        vmm.close()
        machine.let_go(vmm)
    return remove_in_time(mdev)


@check
def every_kind_of_lease_frees_the_device():
    notes = []
    for lease in ("pipe", "connection"):
        mdev, vmm = bochs(lease, lease)
        see(look(lease), 640, 480, picture("noise", 1, 640, 480), "the picture")
        vmm("close")
        vmm("drop")
        notes.append(lease + " " + remove_in_time(mdev))
    return ", ".join(notes)


@check
def unregister_answers_after_the_release():
    mdev, vmm = bochs("unregistered")
    see(look("unregistered"), 640, 480, picture("noise", 1, 640, 480), "the picture")
    vmm("close")
    answer = vmm.ask("open " + mdev.uuid)
    expect(answer.startswith("error Device or resource busy"), "the broker does not hold the device: " + answer)
    vmm("unregister")
    vmm("open " + mdev.uuid)
    vmm("close")
    return remove_in_time(mdev)


def dmabufs_of(pid):
    """The inodes of a process's dma-bufs that come from mbochs."""
    inodes = set()
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as file:
                fields = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
        except FileNotFoundError:
            continue
        if fields.get("exp_name", "").strip().startswith("mbochs"):
            inodes.add(fields["ino"].strip())
    return inodes


@check
def a_buffer_of_mbochs_is_asked_for_once():
    """It loses a reference at each further time; a dma-buf that is made anew is another inode."""
    pid = service.main_pid()
    before = dmabufs_of(pid)
    mdev, vmm = bochs("once")
    viewer = look("once")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture")
    first = dmabufs_of(pid) - before
    expect(len(first) == 1, "%d dma-bufs" % len(first))
    vmm("off")
    vmm("signal")
    until(lambda: service.runtime("once").get("stateReason"), PATIENCE, "a reason in List")
    expect(dmabufs_of(pid) - before == first, "the dma-buf was let go")
    vmm("on")
    vmm("paint noise 2")
    vmm("signal")
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "the picture after it")
    expect(dmabufs_of(pid) - before == first, "the dma-buf was asked for again")
    vmm("mode 1024 768")
    vmm("paint noise 3")
    vmm("signal")
    see(viewer, 1024, 768, picture("noise", 3, 1024, 768), "another mode")
    expect(dmabufs_of(pid) - before > first and len(dmabufs_of(pid) - before) == 2, "dma-bufs after a mode switch")
    vmm.kill()
    note = remove_in_time(mdev)
    expect(dmabufs_of(pid) <= before, "dma-bufs outlive their device")
    return note


@check
def a_display_that_nobody_watches_is_left_alone():
    _, vmm = bochs("alone")
    pid = service.main_pid()

    def switches():
        count = 0
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/status" % (pid, task)) as file:
                count += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M).group(1))
        return count

    viewer = look("alone")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture")
    viewer.close()
    until(lambda: service.runtime("alone")["viewers"] == 0, PATIENCE, "no viewer")
    until(lambda: not service.rfb_pids(), 90, "no RFB program")
    captured = service.runtime("alone")["framesCaptured"]
    began = switches()
    for _ in range(10):
        vmm("signal")
        time.sleep(0.25)
    woken = switches() - began
    expect(service.runtime("alone")["framesCaptured"] == captured, "frames are captured for nobody")
    # The watchdog's timer may come by.
    expect(woken <= 3, "%d wake-ups in 2.5 s with 10 signals" % woken)
    return "%d wake-ups" % woken
