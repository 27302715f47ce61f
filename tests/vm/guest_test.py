#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of tests/vm, run inside the VM by vm-test.service. One line for each: "ok NAME" or "not ok NAME - why"."""

import grp
import json
import os
import pwd
import re
import signal
import socket
import threading
import time

import machine
import service
from machine import Failure, Mdev, Vmm, always, check, command, expect, fds_of, say, until
from pattern import picture
from rawview import CURSOR, DESKTOP_SIZE, RAW, StalledViewer, Viewer, without_x

# How long a picture may take until it is wrong: never a measure of speed, an emulated machine beside a busy one is slow.
PATIENCE = 30
# How long a device may be held after its VMM's end.
RELEASE = 1.0


CONFIGURATION = "/etc/vfio-displayd/vfio-displayd.conf"


def configure(key, value):
    """Sets a key of the installed file, which names every key in a comment. None: back to the default."""
    with open(CONFIGURATION) as file:
        text = file.read()
    changed = re.sub(r"(?m)^#?%s =.*$" % key, "#%s = 0" % key if value is None else "%s = %s" % (key, value), text)
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


@always
def users_and_directories_are_made():
    command("systemd-sysusers")
    command("systemd-tmpfiles", "--create")
    command("systemctl", "daemon-reload")
    # Longer than this test's patience: where a change is seen after a signal, the signal was the reason.
    configure("safety-ms", 60000)
    pwd.getpwnam("vfio-displayd")
    grp.getgrnam("vfio-display")
    expect(os.path.isdir("/run/vfio-displayd"), "no /run/vfio-displayd")


@always
def the_first_call_starts_the_service():
    command("systemctl", "enable", "--now", "vfio-displayd.socket")
    expect(service.show("ActiveState") == "inactive", "the service is " + service.show("ActiveState"))
    command("vfio-displayctl", "--json", "capabilities")
    expect(service.show("ActiveState") == "active", "the service is " + service.show("ActiveState"))


@check
def systemd_accepts_the_units():
    complaints = command("systemd-analyze", "verify", "--man=no", service.UNIT, "vfio-displayd.socket").strip()
    expect(not complaints, complaints)
    rating = command("systemd-analyze", "security", "--no-pager", service.UNIT).strip().splitlines()[-1]
    exposure = re.search(r": ([\d.]+) ", rating)
    expect(exposure and float(exposure.group(1)) <= 1.5, rating)
    return "exposure " + exposure.group(1)


@check
def systemctl_starts_the_service():
    command("systemctl", "stop", service.UNIT)
    command("systemctl", "start", service.UNIT)
    expect(service.show("ActiveState") == "active", "the service is " + service.show("ActiveState"))
    with open("/proc/%d/status" % service.main_pid()) as file:
        status = file.read()
    expect(not re.search(r"^Uid:\s+0\b", status, re.M), "the service runs as root")
    expect(re.search(r"^NoNewPrivs:\s+1", status, re.M) and re.search(r"^Seccomp:\s+2", status, re.M), "no sandbox")
    expect(re.search(r"^CapEff:\s+0+$", status, re.M), "the service has capabilities")
    return service.call("org.varlink.service.GetInfo")["version"]


@check
def a_dmabuf_display_is_seen_exactly():
    _, vmm = bochs("dmabuf")
    viewer = look("dmabuf")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the first picture")
    vmm("paint noise 2")
    vmm("signal")
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "a second picture after a signal")
    vmm("paint blocks 3")
    vmm("signal")
    see(viewer, 640, 480, picture("blocks", 3, 640, 480), "flat colours after a signal")
    runtime = service.runtime("dmabuf")
    expect(runtime["state"] == "live" and runtime["change"] == "eventfd", str(runtime))
    expect([(p["type"], p["source"], p["format"]) for p in runtime["planes"]] == [("primary", "dmabuf", "XRGB8888")],
           str(runtime["planes"]))


@check
def small_changes_are_seen():
    _, vmm = bochs("small")
    viewer = look("small")
    expected = bytearray(picture("noise", 1, 640, 480))
    see(viewer, 640, 480, expected, "the first picture")
    patch = picture("noise", 9, 640, 480)
    for x, y in ((0, 0), (639, 479), (63, 64), (333, 222)):
        vmm("paint noise 9 %d %d 1 1" % (x, y))
        vmm("signal")
        at = 4 * (640 * y + x)
        expected[at:at + 4] = patch[at:at + 4]
        see(viewer, 640, 480, expected, "one pixel at %d, %d" % (x, y))


@check
def modes_are_followed():
    _, vmm = bochs("modes")
    viewer = look("modes")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "640x480")
    for seed, (width, height) in enumerate(((1024, 768), (800, 600), (1920, 1080), (640, 480)), 2):
        vmm("mode %d %d" % (width, height))
        vmm("paint noise %d" % seed)
        vmm("signal")
        # A dma-buf maps whole pages only: of 800x600 the end of the last line is out of every reader's reach.
        lines = width * height * 4 // 4096 * 4096 // (width * 4)
        see(viewer, width, height, picture("noise", seed, width, height), "%dx%d" % (width, height), lines)


@check
def a_stride_beyond_the_width_is_followed():
    _, vmm = bochs("stride")
    viewer = look("stride")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "stride 640")
    vmm("mode 640 480 1024")
    vmm("paint noise 2")
    vmm("signal")
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "stride 1024")


@check
def a_plane_goes_off_and_on():
    _, vmm = bochs("off")
    viewer = look("off")
    painted = picture("noise", 1, 640, 480)
    see(viewer, 640, 480, painted, "on")
    for _ in range(2):
        vmm("off")
        vmm("signal")
        until(lambda: service.runtime("off")["state"] == "blank", PATIENCE, "state blank")
        expect(viewer.watch(lambda: not viewer.shows(640, 480, painted), PATIENCE), "no placard while the plane is off")
        vmm("on")
        vmm("signal")
        see(viewer, 640, 480, painted, "on again")
    vmm("reset")
    vmm("signal")
    until(lambda: service.runtime("off")["state"] == "blank", PATIENCE, "state blank after a reset")
    vmm("mode 640 480")
    vmm("paint noise 5")
    vmm("signal")
    see(viewer, 640, 480, picture("noise", 5, 640, 480), "on after a reset")


@check
def the_timer_finds_changes_without_an_eventfd():
    _, vmm = bochs("timer", "pipe")
    viewer = look("timer")
    for seed in (1, 2, 3):
        vmm("paint noise %d" % seed)
        see(viewer, 640, 480, picture("noise", seed, 640, 480), "picture %d" % seed)
    expect(service.runtime("timer")["change"] == "timer", str(service.runtime("timer")))


@check
def a_region_display_is_seen_exactly():
    vmm = Vmm(Mdev("mdpy", "vga"))
    vmm("register region connection eventfd")
    viewer = look("region", encodings=(RAW, DESKTOP_SIZE, CURSOR))
    gradient = b"".join(bytes([y * 255 // 480] * 3 + [0]) * 640 for y in range(480))
    vmm("reset")
    vmm("signal")
    see(viewer, 640, 480, gradient, "the driver's gradient")
    vmm("paint noise 1")
    vmm("signal")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "noise")
    # The driver answers a query for the cursor with the primary plane.
    planes = service.runtime("region")["planes"]
    expect([(p["type"], p["source"]) for p in planes] == [("primary", "region")], str(planes))
    expect(not any(any(mask) for _, _, mask in viewer.cursors), "a cursor that no plane has: %s" % viewer.cursors)


@check
def large_region_displays_are_seen_exactly():
    for kind, width, height in (("xga", 1024, 768), ("hd", 1920, 1080)):
        vmm = Vmm(Mdev("mdpy", kind))
        vmm("paint noise 4")
        vmm("register %s pidfd" % kind)
        see(look(kind), width, height, picture("noise", 4, width, height), kind)


@check
def an_unmappable_dmabuf_says_why():
    bochs("stock", driver="mbochs")
    viewer = look("stock")
    reason = until(lambda: service.runtime("stock").get("stateReason"), PATIENCE, "a reason in List")
    expect("map" in reason, "the reason does not name the mapping: " + reason)
    expect(reason in command("vfio-displayctl", "describe", "stock"), "vfio-displayctl describe does not show: " + reason)
    expect(reason in json.dumps(json.loads(command("vfio-displayctl", "--json", "describe", "stock"))), "not in --json")
    expect(viewer.watch(lambda: viewer.updates and any(viewer.pixels), PATIENCE), "no placard")
    expect(not viewer.shows(640, 480, picture("noise", 1, 640, 480)), "it was seen after all")
    return reason


@check
def a_capture_is_exact():
    bochs("capture")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(60)
        peer.connect(machine.SOCKET)
        request = {"method": service.INTERFACE + "Capture", "parameters": {"id": "capture"}}
        peer.sendall(json.dumps(request).encode() + b"\0")
        data, fds, _, _ = socket.recv_fds(peer, 65536, 4)
    reply = json.loads(data.split(b"\0")[0])
    expect("error" not in reply and len(fds) == 1, "%s with %d descriptors" % (reply, len(fds)))
    about = reply["parameters"]
    expect((about["width"], about["height"], about["format"]) == (640, 480, "XRGB8888"), str(about))
    with os.fdopen(fds[0], "rb") as file:
        data = os.pread(file.fileno(), about["stride"] * 480, 0)
    rows = b"".join(data[y * about["stride"]:y * about["stride"] + 2560] for y in range(480))
    expect(without_x(rows) == picture("noise", 1, 640, 480), "other pixels")


@check
def debian_viewers_see_the_pixels():
    _, vmm = bochs("debian", "pidfd eventfd listen=127.0.0.1:5901")
    command("gvnccapture", "-q", "127.0.0.1:1", "/tmp/noise.png")
    width, height, pixels = service.load_picture("/tmp/noise.png")
    expect((width, height) == (640, 480), "gvnccapture saw %dx%d" % (width, height))
    expect(pixels == service.to_rgb(picture("noise", 1, 640, 480)), "gvnccapture saw other pixels")
    vmm("paint blocks 1")
    vmm("signal")
    command("vncsnapshot", "-quiet", "-nojpeg", "-quality", "100", "127.0.0.1:1", "/tmp/blocks.jpg")
    width, height, pixels = service.load_picture("/tmp/blocks.jpg")
    expect((width, height) == (640, 480), "vncsnapshot saw %dx%d" % (width, height))
    wanted = service.to_rgb(picture("blocks", 1, 640, 480))
    # JPEG keeps a block of one colour up to the rounding of its colour space.
    far = max(abs(a - b) for a, b in zip(pixels[::37], wanted[::37]))
    expect(far <= 4, "vncsnapshot saw other pixels: %d off" % far)


@check
def no_program_that_meets_the_network_holds_a_device():
    bochs("wall")
    see(look("wall"), 640, 480, picture("noise", 1, 640, 480), "the picture")
    expect(service.device_fds(service.main_pid()), "the broker holds no device, so this check sees nothing")
    expect(service.rfb_pids(), "no RFB program")
    for pid in service.rfb_pids():
        expect(not service.device_fds(pid), "an RFB program holds %s" % service.device_fds(pid))


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
    for _ in range(20):
        vmm("signal")
        time.sleep(0.25)
    woken = switches() - began
    expect(service.runtime("alone")["framesCaptured"] == captured, "frames are captured for nobody")
    # The watchdog's timer may come by.
    expect(woken <= 3, "%d wake-ups in 5 s with 20 signals" % woken)
    return "%d wake-ups" % woken


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
def the_watchdog_is_fed():
    expect(service.show("WatchdogUSec") not in ("0", "infinity"), "there is no watchdog")
    first = service.show("WatchdogTimestampMonotonic")
    until(lambda: service.show("WatchdogTimestampMonotonic") != first, 60, "a sign of life")
    expect(service.show("NRestarts") == "0", "systemd restarted the service")
    return service.show("WatchdogUSec")


@check
def a_killed_service_holds_nothing_and_comes_back():
    mdev, vmm = bochs("crashed")
    see(look("crashed"), 640, 480, picture("noise", 1, 640, 480), "the picture")
    first = service.main_pid()
    vmm("close")
    configure("safety-ms", None)
    os.kill(first, signal.SIGKILL)
    until(lambda: service.show("ActiveState") == "active" and service.main_pid() != first, PATIENCE, "another main process")
    note = remove_in_time(mdev)
    until(lambda: not service.rfb_pids(), PATIENCE, "no RFB program of the dead one")
    _, vmm = bochs("after")
    viewer = look("after")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture after the restart")
    vmm("paint noise 2")
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "a change whose signal was forgotten, by the safety poll")
    return note


@check
def the_journal_has_no_errors():
    errors = command("journalctl", "-b", "-u", "vfio-displayd*", "-p", "err", "--no-pager", "-o", "cat", fine=(0, 1)).strip()
    expect(not errors or errors == "-- No entries --", errors)
    failed = command("systemctl", "--failed", "--plain", "--no-legend").strip()
    expect(not failed, failed)


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
