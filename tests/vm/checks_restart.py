# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is lost: the daemon, a viewers' program and the service are killed, started again and stopped, and what a viewer, a VMM and the
kernel see of it is timed. On the simulator: mbochs loses count when a buffer is asked for a second time, as the next daemon does.
"""

import os
import signal
import time

import machine
import service
from machine import command, expect, until
from rawview import StalledViewer
from scene import PATIENCE, look, remove_in_time, see
from staging import HEIGHT, WIDTH, first, noise, scenario, stage, turn


def stored():
    return int(service.show("NFileDescriptorStore"))


def another_main(old):
    until(lambda: service.show("ActiveState") == "active" and int(service.show("MainPID")) not in (0, old), PATIENCE,
          "another main process")


def goes_on(sim, viewer, number, began):
    """The same viewer sees the next picture of the same device: how long after."""
    turn(sim, viewer, number, "the next picture, on the same connection")
    took = time.monotonic() - began
    expect(service.runtime(sim.display)["state"] == "live", "it is " + service.runtime(sim.display)["state"])
    return took


def removed(sim):
    """The VMM has closed it, and nobody else has it open: not the daemon, nor systemd for it."""
    sim.only_allowed()
    sim.close_device()
    return remove_in_time(sim.mdev)


@scenario
def a_killed_daemon_loses_nothing():
    """With viewers, one of which reads nothing, and one that comes in between."""
    before = stored()
    sim = stage("kept", frames=3)
    viewer = look("kept")
    first(sim, viewer)
    machine.keep(StalledViewer(service.rfb_path("kept")))
    programs = service.rfb_pids()
    expect(stored() > before, "systemd keeps nothing of it")
    times = []
    for number in (1, 2):
        old = service.main_pid()
        began = time.monotonic()
        os.kill(old, signal.SIGKILL)
        see(look("kept"), WIDTH, HEIGHT, noise(number), "the picture, for who comes meanwhile")
        another_main(old)
        times.append(goes_on(sim, viewer, number, began))
    expect(service.rfb_pids() == programs, "another program serves its viewers")
    service.call(service.INTERFACE + "Unregister", id="kept")
    note = removed(sim)
    until(lambda: stored() <= before, PATIENCE, "nothing of it is kept")
    return "next picture %s s after the kill; %s" % (", ".join("%.2f" % each for each in times), note)


@scenario
def a_restart_loses_nothing():
    """The lease is watched as before; a registrant's connection is one."""
    sim = stage("restarted", frames=2, lease="connection")
    viewer = look("restarted")
    first(sim, viewer)
    began = time.monotonic()
    command("systemctl", "restart", service.UNIT)
    ready = time.monotonic() - began
    took = goes_on(sim, viewer, 1, began)
    sim.end_leases()
    return "ready after %.2f s, next picture after %.2f s; %s" % (ready, took, removed(sim))


@scenario
def a_mistake_in_a_file_loses_nothing():
    """The daemon does not start with it, and systemd neither gives up nor lets go."""
    sim = stage("mistaken", frames=2)
    viewer = look("mistaken")
    first(sim, viewer)
    path = "/etc/vfio-displayd/policy"
    expect(not os.path.exists(path), "there is a policy")
    try:
        with open(path, "w") as file:
            file.write("allow everything to=everybody\n")
        command("systemctl", "restart", service.UNIT, fine=None)
        until(lambda: int(service.show("NRestarts")) > 6, PATIENCE, "more attempts than systemd makes by itself")
    finally:
        os.unlink(path)
    began = time.monotonic()
    until(lambda: service.show("ActiveState") == "active", PATIENCE, "the service")
    took = goes_on(sim, viewer, 1, began)
    sim.end_leases()
    return "next picture %.2f s after the mistake was mended; %s" % (took, removed(sim))


@scenario
def a_killed_rfb_program_is_followed_by_another():
    sim = stage("program", frames=2)
    first(sim, look("program"))
    program, = service.rfb_pids()
    began = time.monotonic()
    os.kill(program, signal.SIGKILL)
    until(lambda: program not in service.rfb_pids(), PATIENCE, "it has ended")
    again = look("program")
    first(sim, again)
    took = time.monotonic() - began
    command("systemctl", "restart", service.UNIT)
    goes_on(sim, again, 1, began)
    return "seen again after %.2f s" % took


@scenario
def who_dies_with_the_daemon_is_not_brought_back():
    """The lease ends while no daemon runs."""
    sim = stage("dead")
    first(sim, look("dead"))
    old = service.main_pid()
    os.kill(old, signal.SIGKILL)
    sim.end_leases()
    another_main(old)
    note = removed(sim)
    text = command("vfio-displayctl", "list", fine=None)
    expect("live" not in text, "it is back: " + text)
    return note


@scenario
def a_stop_lets_go_of_what_is_kept():
    """Also of displays that an earlier daemon had; and a start after that begins with nothing."""
    sim = stage("ended", frames=2)
    viewer = look("ended")
    first(sim, viewer)
    command("systemctl", "restart", service.UNIT)
    goes_on(sim, viewer, 1, time.monotonic())
    began = time.monotonic()
    command("systemctl", "stop", service.UNIT)
    took = time.monotonic() - began
    note = removed(sim)
    until(lambda: not service.rfb_pids(), PATIENCE, "no RFB program is left")
    command("systemctl", "start", service.UNIT)
    expect(service.show("Result") == "success", "the service's result is " + service.show("Result"))
    expect("ended" not in command("vfio-displayctl", "list", fine=None), "it is back")
    return "stopped in %.2f s; %s" % (took, note)
