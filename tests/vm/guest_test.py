#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside the VM, by vm-test.service: every check in the order of the files below, one line for each."""

import re

import machine
import checks_machine  # noqa: F401: reading them lists their checks
import checks_start  # noqa: F401
import checks_pixels  # noqa: F401
import checks_devices  # noqa: F401
import checks_import  # noqa: F401
import checks_simulator  # noqa: F401
import checks_blocks  # noqa: F401: begins before the other scenarios
import checks_scenarios  # noqa: F401
import checks_events  # noqa: F401
import checks_holders  # noqa: F401
import checks_guest  # noqa: F401
import checks_input  # noqa: F401: ends the guest
import checks_door  # noqa: F401
import checks_limits  # noqa: F401
import checks_restart  # noqa: F401
import checks_rights  # noqa: F401
import checks_end  # noqa: F401
import checks_package  # noqa: F401: takes away what the others stand on
from machine import command, say


def main():
    with open("/proc/cmdline") as file:
        only = re.search(r"vm-test\.checks=(\S*)", file.read())
    machine.run_checks(only.group(1).split(",") if only and only.group(1) else None)
    if machine.failures:
        say(command("journalctl", "-b", "--no-pager", "-o", "short-monotonic", fine=None))
    say("# done")


main()
