# SPDX-License-Identifier: GPL-2.0-or-later
"""Rights in the installed service: the groups that sysusers made, the monitor socket's unit, a policy at its default place, and what
the journal has of it. Who may do what is proven outside the VM."""

import grp
import json
import os
import socket

import machine
import service
from machine import Failure, check, command, expect, until
from scene import PATIENCE, bochs

POLICY = "/etc/vfio-displayd/policy"
MONITOR = "/run/vfio-displayd/monitor"
USER = 4711


class Scene:
    """A policy and the monitor socket, for one check."""

    def __init__(self, text):
        machine.keep(self)
        with open(POLICY, "w") as file:
            file.write(text)
        command("systemctl", "stop", service.UNIT)
        command("systemctl", "start", "vfio-displayd-monitor.socket")
        command("systemctl", "start", service.UNIT)

    def close(self):
        os.unlink(POLICY)
        command("systemctl", "stop", service.UNIT)
        command("systemctl", "stop", "vfio-displayd-monitor.socket")
        command("systemctl", "start", service.UNIT)


def ask(path, method, group, **parameters):
    """As a user who is in this group; the reply. OSError: may not connect."""
    if "." not in method:
        method = service.INTERFACE + method
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(60)
        os.setgroups([grp.getgrnam(group).gr_gid])
        os.seteuid(USER)
        try:
            peer.connect(path)
        finally:
            os.seteuid(0)
            os.setgroups([])
        peer.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            more = peer.recv(65536)
            expect(more, "%s: the daemon closed the connection" % method)
            data += more
    return json.loads(data.split(b"\0")[0])


def journal(*matches, form="json"):
    text = command("journalctl", "-b", "-u", service.UNIT, "--no-pager", "-o", form, *matches, fine=(0, 1))
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")] if form == "json" else text


def denied(reply, right):
    expect(reply.get("error", "").endswith(".PermissionDenied"), "not denied: %s" % reply)
    expect(reply["parameters"]["right"] == right, "another right: %s" % reply)


@check
def the_policy_and_the_monitor_socket():
    Scene("allow observe gid=vfio-display-observe\nallow capture gid=vfio-display id=seen\n")
    bochs("seen")
    expect(ask(MONITOR, "List", "vfio-display-observe", id="seen").get("parameters"), "an observer does not see the display")
    denied(ask(MONITOR, "Capture", "vfio-display-observe", id="seen"), "capture")
    denied(ask(machine.SOCKET, "List", "vfio-display", id="seen"), "observe")
    denied(ask(machine.SOCKET, "Unregister", "vfio-display", id="none"), "manage")
    expect(ask(machine.SOCKET, "Capture", "vfio-display", id="seen").get("parameters"), "no picture for who may capture")
    for path, group in ((machine.SOCKET, "vfio-display-observe"), (MONITOR, "vfio-display")):
        try:
            ask(path, "List", group, id="seen")
        except PermissionError:
            continue
        raise Failure("%s may connect to %s" % (group, path))
    # By systemd's reload, for connections to come.
    with open(POLICY, "w") as file:
        file.write("allow observe,capture gid=vfio-display\n")
    command("systemctl", "reload", service.UNIT)
    until(lambda: "parameters" in ask(machine.SOCKET, "List", "vfio-display", id="seen"), PATIENCE, "the new policy")
    denied(ask(MONITOR, "List", "vfio-display-observe", id="seen"), "observe")

    entries = until(lambda: journal("VFIO_RIGHT=manage", "PEER_UID=%d" % USER), PATIENCE, "an entry about the denial")
    expect(entries[-1]["VFIO_DISPLAY"] == "none" and len(entries[-1]["MESSAGE_ID"]) == 32, entries[-1])
    expect(int(entries[-1]["PEER_PID"]) == os.getpid(), entries[-1])
    expect(journal("VFIO_DISPLAY=seen", "PEER_UID=0"), "no entry about the registration")
    command("journalctl", "--update-catalog")
    explained = command("journalctl", "-b", "-x", "--no-pager", "MESSAGE_ID=" + entries[-1]["MESSAGE_ID"])
    expect("Subject: A call was denied" in explained and "User %d" % USER in explained, explained[-400:])
