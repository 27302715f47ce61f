# SPDX-License-Identifier: GPL-2.0-or-later
"""The service stops, is killed, comes back; and what the logs say after everything else."""

import os
import signal

import ioctls
import machine
import service
from machine import check, command, expect, until
from pattern import picture
from rawview import StalledViewer
from scene import PATIENCE, bochs, configure, look, remove_in_time, see


@check
def the_watchdog_is_fed():
    """Since the service was started, which was before the last checks but a few."""
    expect(service.show("WatchdogUSec") not in ("0", "infinity"), "there is no watchdog")
    started = service.show("ExecMainStartTimestampMonotonic")
    until(lambda: int(service.show("WatchdogTimestampMonotonic")) > int(started) + 5000000, 60, "a sign of life")
    expect(service.show("NRestarts") == "0", "systemd restarted the service")
    return service.show("WatchdogUSec")


@check
def stopping_the_service_releases_all():
    mdev, vmm = bochs("stopped")
    viewer = look("stopped")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture")
    machine.keep(StalledViewer(service.rfb_path("stopped")))
    vmm("close")
    command("systemctl", "stop", service.UNIT)
    expect(not service.rfb_pids(), "RFB programs are left")
    vmm("open " + mdev.uuid)
    vmm("close")
    vmm("drop")
    note = remove_in_time(mdev)
    expect(service.show("Result") == "success", "the service's result is " + service.show("Result"))
    command("systemctl", "start", service.UNIT)
    return note


@check
def a_killed_service_has_its_own_intervals_again():
    """Nobody looks before it is killed: mbochs loses count when a buffer is asked for a second time."""
    mdev, vmm = bochs("crashed")
    first = service.main_pid()
    configure("safety-ms", None)
    os.kill(first, signal.SIGKILL)
    until(lambda: service.show("ActiveState") == "active" and service.main_pid() != first, PATIENCE, "another main process")
    viewer = look("crashed")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture after the restart")
    vmm("paint noise 2")
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "a change whose signal was forgotten, by the safety poll")
    vmm.kill()
    return remove_in_time(mdev)


@check(early=ioctls.begin)
def only_allowed_ioctls_reached_devices():
    log = ioctls.read()
    expect(log.daemons, "the daemon was never seen to start")
    expect(not log.lost, "%d entries were lost" % log.lost)
    expect(not log.others, "programs that may have no device used one: %s" % log.others)
    forbidden = set(log.counts) - ioctls.ALLOWED
    expect(not forbidden, "forbidden: %s; all: %s" % (sorted(forbidden), log))
    kernels = [index for index in log.interrupts if index < ioctls.FIRST_OWN_INTERRUPT]
    expect(not kernels, "SET_IRQS on the interrupts %s" % kernels)
    expect("SET_IRQS" not in ioctls.wanted or log.interrupts, "a display interrupt was armed, but no SET_IRQS was seen: %s" % log)
    for number in {"GET_INFO", "QUERY_GFX_PLANE"} | ioctls.wanted:
        expect(log.counts.get(number), "no %s was seen, so this check sees nothing: %s" % (number, log))
    return str(log)


@check
def the_journal_has_no_errors():
    expect(not service.errors(), " | ".join(service.errors()))
    failed = command("systemctl", "--failed", "--plain", "--no-legend").strip()
    expect(not failed, failed)


@check
def kernel_log_is_clean():
    complaints = machine.kernel_complaints()
    expect(not complaints, "; ".join(complaints[:4]))
