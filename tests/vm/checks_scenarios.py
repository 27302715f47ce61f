# SPDX-License-Identifier: GPL-2.0-or-later
"""What drivers say of their planes, on the display simulator: the cases that a client of the display interface must stand, by their
numbers; who holds a device is in checks_holders.py, what changes without new pixels in checks_events.py."""

import errno
import functools
import os

import service
from machine import expect, fds_of, until
from scene import PATIENCE, look, see
from simulator import DMABUF, MIB, MMAP, PRIMARY, READ, REGION, fourcc
from staging import HEIGHT, SIZE, WIDTH, blank, draw, first, gone, meanwhile, noise, scenario, stage, turn
from varlink import VarlinkError


def unsuitable(sim, display):
    try:
        sim.register(display)
    except VarlinkError as error:
        return error.error == "DeviceUnsuitable"
    finally:
        sim.end_leases()
    return False


@scenario
def s01_what_a_driver_says_to_a_probe():
    sim = stage("s01", handed_over=False)
    for error in (errno.EINVAL, errno.ENOTTY):
        sim["kinds"], sim["probe_error"] = 0, error
        expect(unsuitable(sim, "s01-%d" % error), "a device without a display is taken, probe errno %d" % error)
    sim["kinds"] = DMABUF
    # Any other error is no answer: it is asked again.
    for error in (errno.EIO, errno.ETIMEDOUT):
        display = "s01-%d" % error
        sim.script("PROBE", error, count=sim.FOREVER)
        state = sim.register(display)["runtime"]["state"]
        expect(state == "offered", "it is " + state)
        reason = service.runtime(display).get("stateReason") or ""
        expect(os.strerror(error) in reason, "the reason is '%s'" % reason)
        viewer = look(display)
        expect(viewer.watch(lambda: viewer.updates and any(viewer.pixels), PATIENCE), "no placard")
        sim.script("PROBE", count=0)
        first(sim, viewer, what="the picture once the driver says that there is one")
        sim.end_leases()
        gone(display)
    # Not bound to an iommufd yet: taken, and asked again.
    sim.script("GET_INFO", errno.EINVAL, count=sim.FOREVER)
    state = sim.register("s01")["runtime"]["state"]
    expect(state == "offered", "it is " + state)
    sim.script("GET_INFO", count=0)
    see(look("s01"), WIDTH, HEIGHT, noise(1), "the picture once it is bound")
    sim.end_leases()
    gone("s01")
    # Both kinds: dma-bufs are preferred.
    sim["kinds"] = DMABUF | REGION
    sim.register("s01-both")
    see(look("s01-both"), WIDTH, HEIGHT, noise(1), "a driver with both")
    expect(sim["clients.get"] > 0, "no dma-buf was got")


@scenario
def s02_a_struct_that_is_not_written_is_off():
    sim = stage("s02")
    viewer = look("s02")
    first(sim, viewer)
    for off in (sim.ANSWER_UNTOUCHED, sim.ANSWER_ZEROS):
        sim.show(None, off=off)
        blank(sim, viewer, "s02", "off %x" % off)
        turn(sim, viewer, 0, "on again")
    # A driver of another age writes the whole struct, whatever is in its reserved part.
    sim["copy_bytes"] = 64
    sim["tail"] = 0xdeadbeef
    sim.paint(noise(2), WIDTH, HEIGHT)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "64 bytes")


@scenario
def s03_off_and_on_with_the_same_and_another_id():
    sim = stage("s03", frames=2)
    viewer = look("s03")
    first(sim, viewer)
    for number in (0, 1, 1, 0):
        sim.show(None)
        blank(sim, viewer, "s03", "off")
        until(lambda: sim["state.dmabufs"] == 0, PATIENCE, "no dma-buf while the plane is off")
        turn(sim, viewer, number, "frame %d" % number)


@scenario
def s04_modes_change_in_every_way():
    sim = stage("s04")
    sim["id_policy"] = sim.ID_REUSE
    viewer = look("s04")
    first(sim, viewer)
    draw(sim, 0, 2, 640, 128)
    sim.signal()
    see(viewer, 640, 128, noise(2, 640, 128), "another size")
    # The stride alone: as with GVT-g the id stays.
    sim.set("frame[0]", size=2 * MIB)
    sim.signal()
    see(viewer, 640, 128, noise(2, 640, 128), "another length")
    before = sim.query()["id"]
    sim.paint(noise(3, 640, 128), 640, 128, stride=4096)
    sim["frame[0].stride"] = 4096
    expect(sim.query()["id"] == before, "the id does not stay")
    sim.signal()
    see(viewer, 640, 128, noise(3, 640, 128), "another stride")
    sim["frame[0].fourcc"] = fourcc("XBGR8888")
    swapped = bytearray(noise(3, 640, 128))
    swapped[0::4], swapped[2::4] = swapped[2::4], swapped[0::4]
    sim.signal()
    see(viewer, 640, 128, bytes(swapped), "another format")
    sim["frame[0].modifier"] = 0x00ffffffffffffff
    sim.paint(noise(4, 640, 128), 640, 128, stride=4096)
    swapped[0::4], swapped[1::4], swapped[2::4] = noise(4, 640, 128)[2::4], noise(4, 640, 128)[1::4], noise(4, 640, 128)[0::4]
    sim.signal()
    see(viewer, 640, 128, bytes(swapped), "a modifier that says nothing")


@scenario
def s04_another_region():
    sim = stage("s04r", REGION, frames=2)
    sim.set("region[1]", index=12, flags=READ | MMAP, size=SIZE, mappable=SIZE, offset=2 * MIB)
    sim["frame[1].region_index"] = 12
    viewer = look("s04r")
    first(sim, viewer)
    for number in (1, 0, 1):
        turn(sim, viewer, number, "region %d" % sim["frame[%d].region_index" % number])


def anonymous_memory(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def other_fds(pid):
    """All but the dma-bufs, which the simulator counts for each device: a display that blocked may be getting one."""
    return [kind for kind in fds_of(pid) if "dmabuf" not in kind]


@scenario
def s05_flip_storm():
    sim = stage("s05", frames=3, change=False)
    pid = service.main_pid()
    viewer = look("s05")
    first(sim, viewer)
    got = sim["clients.get"]

    def storm(count):
        sim.set("flip", plane=PRIMARY, first=0, frames=3, period_ns=3000, count=count)
        meanwhile(viewer, lambda: sim["state.flips"] == count, "the end of the flips")

    storm(100000)
    fds, memory, asked = len(other_fds(pid)), anonymous_memory(pid), sim["clients.query"][PRIMARY]
    storm(1000000)
    grown = anonymous_memory(pid) - memory
    seen = sim["clients.query"][PRIMARY] - asked
    expect(seen >= 20, "only %d looks in a million flips" % seen)
    expect(len(other_fds(pid)) <= fds, "%d descriptors, %d before: %s" % (len(other_fds(pid)), fds, sorted(fds_of(pid))))
    expect(grown < 2048, "%d KiB more memory" % grown)
    expect(sim["clients.get"] - got <= 2 and sim["state.dmabufs"] <= 3, "an id was got twice: %s" % sim["clients"])
    see(viewer, WIDTH, HEIGHT, noise(1000000 % 3 + 1), "the last one")
    return "%d looks, %d KiB" % (seen, grown)


@scenario
def s06_ids_are_reused():
    sim = stage("s06", frames=12)
    sim["id_policy"] = sim.ID_REUSE
    viewer = look("s06")
    first(sim, viewer)
    for number in list(range(1, 12)) * 2:
        turn(sim, viewer, number, "frame %d" % number)
    kept = sim["state.dmabufs"]
    expect(kept < 12, "%d dma-bufs are kept" % kept)
    # The same number for another geometry, after the plane was off.
    sim.show(None)
    blank(sim, viewer, "s06", "off")
    until(lambda: sim["state.dmabufs"] == 0, PATIENCE, "no dma-buf while the plane is off")
    draw(sim, 0, 9, 640, 128)
    sim.show(0)
    expect(sim.query()["id"] == 1, "the simulator does not reuse the id")
    sim.signal()
    see(viewer, 640, 128, noise(9, 640, 128), "the id's second life")
    return "%d dma-bufs kept" % kept


@scenario
def s07_a_dmabuf_that_cannot_be_got_comes_later():
    sim = stage("s07", frames=2)
    viewer = look("s07")
    first(sim, viewer)
    number = 0
    for call, error in (("GET_DMABUF", errno.ENOENT), ("GET_DMABUF", errno.EINVAL), ("GET_DMABUF", errno.EMFILE),
                        (PRIMARY, errno.ENOMEM), (PRIMARY, errno.EFAULT), (PRIMARY, errno.ETIMEDOUT), ("DMABUF_MMAP", errno.ENOMEM)):
        number = 1 - number
        draw(sim, number, number + 1, id=sim.query()["id"] + 1)
        sim.script(call, error)
        turn(sim, viewer, number, "after %s of %s" % (errno.errorcode[error], call))


@scenario
def s09_regions_as_drivers_describe_them():
    sim = stage("s09", REGION, frames=2)
    viewer = look("s09")
    see(viewer, WIDTH, HEIGHT, noise(1), "index 9 of 9")
    good = dict(index=9, flags=READ | MMAP, size=SIZE, mappable=SIZE, area_count=0, offset=0)
    bad = (("plane beyond the region", dict(size=SIZE - 4096, mappable=SIZE - 4096)), ("no mmap", dict(flags=READ)),
           ("mmap fails", dict(mappable=0)), ("no such region", dict(index=sim.NONE)))
    notes = []
    for what, more in bad:
        sim.set("region[0]", **{**good, **more})
        sim["frame[0].region_index"] = 9
        sim.show(None)
        blank(sim, viewer, "s09", "off before " + what)
        until(lambda: "has not switched" in (service.runtime("s09").get("stateReason") or ""), PATIENCE, "off before " + what)
        sim.show(0)
        sim.signal()
        until(lambda: "has not switched" not in (service.runtime("s09").get("stateReason") or "has not switched"), PATIENCE, "a reason for " + what)
        notes.append(blank(sim, viewer, "s09", what))
    for what, index, more in (("16 of 9", 16, {}), ("much larger than can be mapped", 9, dict(size=1 << 30)),
                              ("a sparse area", 9, dict(area_count=1)), ("one with a late flag", 9, dict(area_count=1, quirks=1))):
        sim.set("region[0].area[0]", offset=0, size=SIZE)
        sim.set("region[0]", **{**good, "index": index, **more})
        sim["frame[0].region_index"] = index
        sim.show(None)
        blank(sim, viewer, "s09", "off before " + what)
        turn(sim, viewer, 0, what)
    return "; ".join(notes)


@scenario
def s10_hostile_geometry():
    sim = stage("s10", frames=2)
    viewer = look("s10")
    first(sim, viewer)
    number, notes = 100, []
    for what, more in (("stride below the width", dict(stride=4 * WIDTH - 4, size=SIZE)), ("huge", dict(width=0x40000000, height=16)),
                       ("nothing", dict(width=0)), ("a line", dict(width=65536, height=1, stride=262144)),
                       ("size too small", dict(size=4096)), ("shorter than it says", dict(length=4096)),
                       ("overflow", dict(width=65535, height=65535, stride=0xffffffff, size=0xfffffff0)),
                       ("unknown fourcc", dict(fourcc=0x20202020)), ("unknown modifier", dict(modifier=0x7f << 56))):
        number += 1
        sim.set("frame[1]", **{**dict(width=WIDTH, height=HEIGHT, stride=4 * WIDTH, size=0, length=0, modifier=0, id=number,
                                      fourcc=fourcc("XRGB8888")), **more})
        sim.show(1)
        notes.append(blank(sim, viewer, "s10", what))
        turn(sim, viewer, 0, "after " + what)
    return "; ".join(map(str, notes))


@scenario
def s11_a_size_that_is_not_whole_pages():
    sim = stage("s11")
    viewer = look("s11")
    first(sim, viewer)
    draw(sim, 0, 2, 200, 150)
    sim.signal()
    # The dma-buf core maps whole pages below the end.
    see(viewer, 200, 150, noise(2, 200, 150), "200x150", 200 * 150 * 4 // 4096 * 4096 // 800)


@scenario
def s15_capabilities_that_lie():
    sim = stage("s15", REGION)
    pid = service.main_pid()
    viewer = look("s15")
    first(sim, viewer)
    sim.set("region[0]", type=1, subtype=5)
    sim.set("region[0].area[0]", offset=0, size=SIZE)
    notes = []
    for fault in range(sim.CHAIN_MISALIGNED + 1):
        sim.set("region[0]", chain=fault, argsz_limit=0 if fault else 48, area_count=1 if fault else 0)
        sim.show(None)
        blank(sim, viewer, "s15", "off")
        before = sim["clients.region_info"]
        sim.paint(noise(fault + 10), WIDTH, HEIGHT)
        sim.show(0)
        sim.signal()
        until(lambda: sim["clients.region_info"] > before, PATIENCE, "a look at the region")
        shown = viewer.watch(functools.partial(viewer.shows, WIDTH, HEIGHT, noise(fault + 10)), PATIENCE if not fault else 0.5)
        notes.append("%d%s" % (fault, "+" if shown else "-"))
    expect(service.main_pid() == pid, "the daemon was started again")
    expect(notes[0] == "0+", "a driver that takes no argsz over 48 is not shown: %s" % notes)
    sim.set("region[0]", chain=0)
    sim.show(None)
    blank(sim, viewer, "s15", "off")
    sim.paint(noise(1), WIDTH, HEIGHT)
    turn(sim, viewer, 0, "after all of them")
    return " ".join(notes)


# Where the bits of x and y, in bytes and lines, are in the number of a byte of a tile of 4 KiB; x is in the lower ones.
X_TILE = "yyyxxxxxxxxx"
Y_TILE = "xxxyyyyyxxxx"
YF_TILE = "xyxyxyyyxxxx"


def tiled(pixels, stride, form):
    """Lines of pixels in tiles."""
    places = {axis: [bit for bit, letter in enumerate(reversed(form)) if letter == axis] for axis in "xy"}
    width, height = 1 << len(places["x"]), 1 << len(places["y"])
    columns = [sum((x >> bit & 1) << place for bit, place in enumerate(places["x"])) for x in range(0, width, 16)]
    lines = [sum((y >> bit & 1) << place for bit, place in enumerate(places["y"])) for y in range(height)]
    row = 4 * WIDTH
    out = bytearray(stride * HEIGHT)
    for y in range(HEIGHT):
        first_tile = y // height * height * stride + lines[y % height]
        for x in range(0, row, 16):
            at = first_tile + x // width * 4096 + columns[x % width // 16]
            out[at:at + 16] = pixels[y * row + x:y * row + x + 16]
    return bytes(out)


@scenario
def s24_tiled_planes():
    sim = stage("s24")
    viewer = look("s24")
    see(viewer, WIDTH, HEIGHT, noise(1), "linear")
    for modifier, stride, form, seed in ((1, 1536, X_TILE, 2), (2, 1280, Y_TILE, 3), (3, 1280, YF_TILE, 4)):
        sim.show(None)
        sim.memory[:stride * HEIGHT] = tiled(noise(seed), stride, form)
        sim.frame(0, WIDTH, HEIGHT, stride=stride, modifier=1 << 56 | modifier)
        sim.show(0)
        sim.signal()
        see(viewer, WIDTH, HEIGHT, noise(seed), "modifier %d" % modifier)
