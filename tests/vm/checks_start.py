# SPDX-License-Identifier: GPL-2.0-or-later
"""What was installed starts."""

import grp
import os
import pwd
import re

import service
from machine import always, check, command, expect
from scene import configure


@always
def users_and_directories_are_made():
    command("systemd-sysusers")
    command("systemd-tmpfiles", "--create")
    command("systemctl", "daemon-reload")
    # Longer than this test's patience: where a change is seen after a signal, the signal was the reason.
    configure("safety-ms", 60000)
    # A check that waits for the end of a program that serves nobody waits so long.
    configure("grace-seconds", 2)
    # Checks wait for the end of all that a display had. What is left where viewers are kept: checks_door.py.
    configure("linger-seconds", 0)
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
