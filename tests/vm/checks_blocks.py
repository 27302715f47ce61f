# SPDX-License-Identifier: GPL-2.0-or-later
"""Queries that block for half a minute and for ever, on the display simulator. They begin before the other scenarios, which run
beside them, and are looked at again after those."""

import functools
import threading
import time

import machine
import service
from machine import command, expect, let_go, until
from rawview import DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, RAW
from scene import PATIENCE, look, remove_in_time, see
from simulator import CURSOR, PRIMARY
from staging import HEIGHT, WIDTH, first, gone, meanwhile, noise, scenario, stage, turn

LONG_MS = 30000
BESIDE = 6  # pictures, and calls, that are timed


class Blocks:
    """Two displays whose drivers do not answer. They outlive the check that begins them."""

    def __init__(self):
        self.pid = service.main_pid()
        self.long, self.ever = stage("s08-long", frames=2), stage("s08-ever", frames=2)
        self.viewers = [look(sim.display) for sim in (self.long, self.ever)]
        for sim, viewer in zip((self.long, self.ever), self.viewers):
            first(sim, viewer)
        self.things = [self.long.mdev, self.long, self.ever.mdev, self.ever, *self.viewers]
        for thing in self.things:
            let_go(thing)

    def begin(self):
        self.long.block(PRIMARY, LONG_MS, flags=self.long.BLOCK_UNKILLABLE | self.long.BLOCK_EXCLUSIVE)
        self.ever.block(PRIMARY, self.ever.FOREVER, flags=self.ever.BLOCK_UNKILLABLE | self.ever.BLOCK_EXCLUSIVE)
        for sim in (self.long, self.ever):
            sim.show(1)
            sim.signal()
            until(lambda: sim["state.blocked"], PATIENCE, "a query that blocks")
        self.began = time.monotonic()
        self.over = threading.Event()
        self.watchers = [threading.Thread(target=self.watch, args=(viewer,), daemon=True) for viewer in self.viewers]
        for watcher in self.watchers:
            watcher.start()

    def watch(self, viewer):
        """Reads what comes: one that does not would be sent away."""
        while not self.over.is_set():
            viewer.watch(self.over.is_set, 0.5)

    def take_back(self):
        self.over.set()
        for watcher in self.watchers:
            watcher.join()
        for thing in self.things:
            machine.keep(thing)


@functools.lru_cache(maxsize=None)
def blocks():
    made = Blocks()
    made.begin()
    return made


def beside(sim, viewer):
    """Seconds that pictures of another display take, and the slowest call."""
    began, slowest = time.monotonic(), 0
    for number in range(BESIDE):
        sim.show(1 - number % 2)
        sim.signal()
        see(viewer, WIDTH, HEIGHT, noise(2 - number % 2), "another display's picture")
        called = time.monotonic()
        service.runtime(sim.display)
        slowest = max(slowest, time.monotonic() - called)
    return time.monotonic() - began, slowest


@scenario
def s08_drivers_block_and_nobody_else_notices():
    other = stage("s08-beside", frames=2)
    viewer = look("s08-beside")
    first(other, viewer)
    before, _ = beside(other, viewer)
    held = blocks()
    during, slowest = beside(other, viewer)
    expect(held.long["state.blocked"] and held.ever["state.blocked"], "a query came back before its time")
    # Whoever waited for a blocked one would have waited for half a minute.
    expect(during < LONG_MS / 1000 and slowest < LONG_MS / 3000, "pictures took %.1f s, a call %.1f s" % (during, slowest))
    for display in ("s08-long", "s08-ever"):
        until(lambda: "has not answered a query" in (service.runtime(display).get("stateReason") or ""), PATIENCE,
              "List says that %s blocks" % display)
    return "%d pictures in %.2f s, before it in %.2f s; the slowest call %.3f s" % (BESIDE, during, before, slowest)


@scenario
def s08_every_call_can_block():
    """Whatever a driver does not answer: List says so, another display goes on, and so does this one afterwards."""
    other = stage("s08o", frames=2)
    beside = look("s08o")
    first(other, beside)
    for count, call in enumerate(("GET_INFO", "PROBE", "REGION_INFO", "IRQ_INFO", "SET_IRQS", PRIMARY, CURSOR, "GET_DMABUF", "EDID_WRITE")):
        display = "s08-%s" % call
        sim = stage(display, handed_over=False)
        sim["num_regions"], sim["num_irqs"] = 10, 6
        sim.set("edid", index=9)
        sim.set("irq", form=6, caps=sim.IRQ_TYPE | sim.IRQ_DISPLAY)
        sim.block(call, sim.FOREVER, flags=sim.BLOCK_UNKILLABLE)
        sim.register(display, change=False, leave=("displayInterrupt", "ownsEdid"))
        viewer = look(display, encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
        if call == "EDID_WRITE":
            first(sim, viewer)
            viewer.ask_for_size(640, 480)
        meanwhile(viewer, lambda: sim["state.blocked"], "a call that blocks: %s" % call)
        meanwhile(viewer, lambda: "not answered" in service.runtime(display).get("stateReason", ""), "List says so: %s" % call)
        turn(other, beside, 1 - count % 2, "the other display meanwhile: %s" % call)
        sim["release"] = 1
        see(viewer, WIDTH, HEIGHT, noise(1), "the picture after it: %s" % call)
        sim.end_leases()
        gone(display)


def journal_of(display):
    log = command("journalctl", "-b", "-u", service.UNIT, "--no-pager", "-o", "cat", "-g", display + ": the driver has not answered")
    return [line for line in log.splitlines() if "has not answered" in line]


def blocks_come_to_their_end():
    """For checks_holders.py, which is read after the other scenarios."""
    held = blocks()
    held.take_back()
    (long_viewer, ever_viewer), ever = held.viewers, held.ever
    # Half a minute is over: it goes on, and was logged once.
    meanwhile(long_viewer, lambda: not held.long["state.blocked"], "the end of half a minute")
    took = time.monotonic() - held.began
    see(long_viewer, WIDTH, HEIGHT, noise(2), "the picture after half a minute")
    until(lambda: service.runtime("s08-long")["state"] == "live", PATIENCE, "it is live")
    expect(not service.runtime("s08-long").get("stateReason"), "a reason: %s" % service.runtime("s08-long"))
    turn(held.long, long_viewer, 0, "another picture")
    for display in ("s08-long", "s08-ever"):
        said = journal_of(display)
        expect(len(said) == 1, "%s was logged %d times: %s" % (display, len(said), said))
    # The other one is still out, and its viewer has the picture of before. Now its VMM wants it back.
    ever_viewer.watch(lambda: False, 0.2)
    expect(ever["state.blocked"] and ever_viewer.shows(WIDTH, HEIGHT, noise(1)), "the viewer lost its picture")
    reason = service.runtime("s08-ever")["stateReason"]
    answered = threading.Event()

    def unregister():
        service.call(service.INTERFACE + "Unregister", id="s08-ever")
        answered.set()

    thread = threading.Thread(target=unregister, daemon=True)
    thread.start()
    until(lambda: service.runtime("s08-ever")["state"] == "draining", PATIENCE, "the display is draining")
    ever.end_leases()
    try:
        meanwhile(ever_viewer, lambda: False, "the end of its viewer's connection")
    except ConnectionError:
        pass
    expect(not answered.is_set() and ever["state.blocked"], "it is released while its driver holds a query")
    turn(held.long, long_viewer, 1, "another display meanwhile")
    ever.only_allowed()
    ever.close_device()
    with open(ever.mdev.path + "/release", "w") as file:
        file.write("1")
    note = remove_in_time(ever.mdev)
    thread.join(PATIENCE)
    expect(answered.is_set(), "Unregister was not answered")
    held.long.only_allowed()
    expect(service.main_pid() == held.pid, "the daemon was started again")
    return "back after %.0f s; %s; %s" % (took, reason, note)
