# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package, in place of what was installed without one: installed, upgraded, removed, purged. Run where VM_PACKAGES says which.

What is checked is what an administrator may rely on: an upgrade costs no display and no viewer, and nothing is left at the end.
"""

import glob
import grp
import os
import pwd

import machine
import service
from machine import check, command, expect, until
from scene import PATIENCE, look, remove_in_time, see
from staging import HEIGHT, WIDTH, noise, stage

PACKAGES = machine.HERE + "/packages/"
STATE, SOCKETS = "/var/lib/vfio-displayd", "/run/vfio-displayd"
UNITS = (service.UNIT, "vfio-displayd.socket")
BROUGHT = "/dev/vdb"                     # the tar that the product came in
OURS = ("/opt/vm-test", "/etc/systemd/system/vm-test")
_kept = []


def package(name):
    """What it needs must be there: dpkg gets nothing from anywhere. It waits for the disk at every file, which is no use here."""
    command("dpkg", "--force-unsafe-io", "--force-confold", "-i", PACKAGES + name, seconds=400)


def programs():
    """The processes that serve viewers, by name: the file of one that outlives an upgrade is another by then, or none."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as file:
                if file.read().startswith("vfio-displayd-r"):
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return sorted(found)


def version():
    return command("dpkg-query", "-W", "-f", "${Version}", "vfio-displayd")


def traces():
    """Whatever has our name, but for these checks, the kernel's and systemd's own account of this boot, and dpkg's log."""
    skipped = ("/proc", "/sys", "/opt/vm-test", "/run/systemd", "/run/udev", "/var/log")
    found = []
    for top, directories, files in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in skipped]
        found += [os.path.join(top, name) for name in directories + files if "vfio-display" in name or "vfiodisplay" in name]
    return found


def take_away_what_was_copied():
    command("systemctl", "disable", *UNITS)
    command("systemctl", "stop", *UNITS)
    for name in command("tar", "-tf", BROUGHT).splitlines():
        path = os.path.normpath("/" + name)
        if not path.startswith(OURS) and not os.path.isdir(path):
            os.unlink(path)
    for path in glob.glob(STATE + "/*") + glob.glob("/etc/vfio-displayd/*"):
        if os.path.isfile(path):
            os.unlink(path)
    command("rm", "-rf", STATE, SOCKETS, "/usr/libexec/vfio-displayd", "/usr/share/vfio-displayd", "/usr/include/vfio-displayd",
            "/etc/vfio-displayd", "/etc/pam.d/vfio-displayd-test", "/run/varlink/registry/org.vfiodisplay.Display")
    command("userdel", "vfio-displayd")
    for group in grp.getgrall():
        if group.gr_name.startswith("vfio-display"):
            command("groupdel", group.gr_name)
    command("systemctl", "daemon-reload")
    command("systemctl", "reset-failed")
    expect(not traces(), "there is still " + ", ".join(traces()))


def package_installs_and_starts():
    take_away_what_was_copied()
    package("first.deb")
    for unit in UNITS:
        expect(service.show("ActiveState", unit) == "active", unit + " is not active")
        expect(service.show("UnitFileState", unit) == "enabled", unit + " is not enabled")
    expect(service.show("ActiveState", "vfio-displayd-gate.socket") == "inactive", "the gate is open")
    pwd.getpwnam("vfio-displayd")
    command(PACKAGES + "smoke")
    command(PACKAGES + "service")
    return version()


def package_upgrade_keeps_displays_and_viewers():
    sim = stage("upgraded", frames=2)
    _kept.append(sim)
    machine.let_go(sim)      # until it is removed
    machine.let_go(sim.mdev)
    viewer = look("upgraded")
    see(viewer, WIDTH, HEIGHT, noise(1), "the picture")
    old, serving = service.main_pid(), programs()
    expect(serving, "nobody serves the viewer")
    listens = service.show("ActiveEnterTimestampMonotonic", "vfio-displayd.socket")
    before = version()
    package("second.deb")
    expect(version() == before + "+1", "it is %s still" % version())
    expect(service.show("ActiveState") == "active" and service.main_pid() != old, "the service was not restarted")
    expect(service.show("ActiveEnterTimestampMonotonic", "vfio-displayd.socket") == listens, "its socket was closed meanwhile")
    expect(service.runtime("upgraded")["state"] == "live", "the display is " + service.runtime("upgraded")["state"])
    expect(programs() == serving, "another program serves its viewer")
    sim.show(1)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "the next picture on the same connection")
    return version()


def package_removal_lets_go_of_everything():
    sim = _kept.pop()
    machine.keep(sim.mdev)
    machine.keep(sim)
    command("dpkg", "--remove", "vfio-displayd")
    for unit in UNITS:
        expect(service.show("ActiveState", unit) in ("inactive", "failed"), unit + " is " + service.show("ActiveState", unit))
    until(lambda: not programs(), PATIENCE, "no RFB program")
    expect(not os.path.exists(SOCKETS), "there is still " + SOCKETS)
    expect(os.path.exists("/etc/vfio-displayd/vfio-displayd.conf"), "the configuration is gone")
    expect(not glob.glob("/usr/*/vfio-display*"), "programs are left")
    sim.close_device()
    return remove_in_time(sim.mdev)


def package_purge_leaves_nothing():
    command("dpkg", "--purge", "vfio-displayd")
    expect(not traces(), "there is still " + ", ".join(traces()))
    expect(not service.errors(), " | ".join(service.errors()))
    failed = command("systemctl", "--failed", "--plain", "--no-legend").strip()
    expect(not failed, failed)


if os.path.isdir(PACKAGES):
    for each in (package_installs_and_starts, package_upgrade_keeps_displays_and_viewers, package_removal_lets_go_of_everything,
                 package_purge_leaves_nothing):
        check(each)
