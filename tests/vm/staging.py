# SPDX-License-Identifier: GPL-2.0-or-later
"""A display on the simulator, and somebody who looks at it: what the scenarios begin with."""

import functools

import pattern
import service
from machine import Failure, check, expect, until
from scene import PATIENCE, see
from simulator import DMABUF, MIB, MMAP, READ, REGION, Simulator

WIDTH, HEIGHT = 320, 256  # whole pages
SIZE = 4 * WIDTH * HEIGHT
_staged = []


def scenario(function):
    """A check after which each simulator must have seen nothing that a client may not do."""

    @functools.wraps(function)
    def run():
        _staged.clear()
        note = function()
        for sim in _staged:
            if sim.device >= 0:
                sim.only_allowed()
        return note

    return check(run)


@functools.lru_cache(maxsize=32)
def noise(seed, width=WIDTH, height=HEIGHT):
    return pattern.picture("noise", seed, width, height)


def draw(sim, number, seed, width=WIDTH, height=HEIGHT, **more):
    """Frame number with its own MiB of memory and its own picture."""
    sim.paint(noise(seed, width, height), width, height, number * 2 * MIB)
    sim.frame(number, width, height, number * 2 * MIB, **more)


def stage(display, kind=DMABUF, frames=1, handed_over=True, **registration):
    """A simulator that shows frame 0 with noise 1; frame n has noise n + 1."""
    sim = Simulator()
    _staged.append(sim)
    sim["kinds"] = kind
    for number in range(frames):
        draw(sim, number, number + 1, region_index=9)
    if kind == REGION:
        sim.set("region[0]", index=9, flags=READ | MMAP, size=SIZE, mappable=SIZE)
    sim.show(0, kind=kind)
    if handed_over:
        sim.register(display, **registration)
    return sim


def meanwhile(viewer, condition, what):
    """Waits for something that is not in the picture, while the viewer takes what comes."""

    def step():
        viewer.watch(condition, 0.1)
        return condition()

    return until(step, PATIENCE, what)


def gone(display):
    """Waits until the daemon has let go of a display."""

    def unknown():
        try:
            service.runtime(display)
        except Failure as error:
            return "NoSuchDisplay" in str(error)
        return False

    until(unknown, PATIENCE, "the release of " + display)


def first(sim, viewer, number=0, what="the picture"):
    """The frame's picture is seen, and List knows that it is."""
    see(viewer, WIDTH, HEIGHT, noise(number + 1), what)
    meanwhile(viewer, lambda: service.runtime(sim.display)["state"] == "live", what + " makes it live")


def turn(sim, viewer, number, what, **more):
    """Another frame is on show, is signalled and seen."""
    sim.show(number, **more)
    sim.signal()
    first(sim, viewer, number, what)


def blank(sim, viewer, display, what):
    """Waits until the display has nothing to show; the viewer stays and goes on."""
    sim.signal()
    last = {}

    def is_blank():
        last.update(service.runtime(display))
        return last["state"] == "blank"

    meanwhile(viewer, is_blank, what)
    expect(service.runtime(display)["state"] == "blank", what + ": it flickers")
    return last.get("stateReason")
