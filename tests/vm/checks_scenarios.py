# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon on the display simulator: the cases that a client of the display interface must stand, by their numbers."""

import errno
import functools
import os
import signal
import time

import machine
import pattern
import service
import simulator
from machine import SOCKET, Failure, always, check, expect, fds_of, let_go, until
from rawview import CURSOR as CURSOR_ENCODING, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, RAW, StalledViewer
from scene import PATIENCE, look, remove_in_time, see
from simulator import CURSOR, DMABUF, MIB, MMAP, PRIMARY, READ, REGION, Simulator, fourcc
from varlink import Client, VarlinkError

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


@scenario
def s05_flip_storm():
    sim = stage("s05", frames=3, change=False)
    pid = service.main_pid()
    viewer = look("s05")
    first(sim, viewer)

    def storm(count):
        sim.set("flip", plane=PRIMARY, first=0, frames=3, period_ns=3000, count=count)
        meanwhile(viewer, lambda: sim["state.flips"] == count, "the end of the flips")

    storm(100000)
    fds, memory, asked = len(fds_of(pid)), anonymous_memory(pid), sim["clients.query"][PRIMARY]
    storm(1000000)
    grown = anonymous_memory(pid) - memory
    seen = sim["clients.query"][PRIMARY] - asked
    expect(seen >= 20, "only %d looks in a million flips" % seen)
    expect(len(fds_of(pid)) <= fds, "%d descriptors, %d before: %s" % (len(fds_of(pid)), fds, sorted(fds_of(pid))))
    expect(grown < 2048, "%d KiB more memory" % grown)
    expect(sim["clients.get"] <= 3 and sim["state.dmabufs"] <= 3, "%s" % sim["clients"])
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
def s08_a_query_of_three_seconds():
    sim, other = stage("s08", frames=2), stage("s08b", frames=2)
    viewer, beside = look("s08"), look("s08b")
    first(sim, viewer)
    see(beside, WIDTH, HEIGHT, noise(1), "the other one's")
    sim.block(PRIMARY, 3000)
    sim.show(1)
    sim.signal()
    until(lambda: sim["state.blocked"], PATIENCE, "a query that blocks")
    seen = 0
    while sim["state.blocked"] and seen < 2:
        number = 1 - seen % 2
        turn(other, beside, number, "the other display meanwhile")
        service.runtime("s08b")
        seen += sim["state.blocked"]
    expect(seen, "the other display stood still as long as the query")
    expect(viewer.shows(WIDTH, HEIGHT, noise(1)), "the viewer lost its picture")
    see(viewer, WIDTH, HEIGHT, noise(2), "the picture after it")
    return "%d pictures of another display meanwhile" % seen


@scenario
def s08_a_query_that_never_ends():
    sim, other = stage("s08e"), stage("s08f", frames=2)
    pid = service.main_pid()
    viewer, beside = look("s08e"), look("s08f")
    first(sim, viewer)
    see(beside, WIDTH, HEIGHT, noise(1), "the other one's")
    sim.block(PRIMARY, sim.FOREVER, flags=sim.BLOCK_UNKILLABLE)
    sim.signal()
    until(lambda: sim["state.blocked"], PATIENCE, "a query that blocks")
    reason = until(lambda: service.runtime("s08e").get("stateReason"), PATIENCE, "List says that it blocks")
    sim.end_leases()
    turn(other, beside, 1, "the other display while the first is stuck")
    expect(sim["state.blocked"] == 1, "the query came back")
    sim["release"] = 1
    gone("s08e")
    expect(not sim["state.dmabufs"] and not sim["state.map_dmabuf"], "%s" % sim["state"])
    expect(service.main_pid() == pid, "the daemon was started again")
    return reason


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
def s12_pages_go_while_they_are_read():
    sim, other = stage("s12", change=False), stage("s12b", frames=2)
    pid = service.main_pid()
    viewer, beside = look("s12"), look("s12b")
    first(sim, viewer)
    see(beside, WIDTH, HEIGHT, noise(1), "the other one's")
    limit = sim["memory_limit"]
    asked = sim["clients.query"][PRIMARY]
    while sim["clients.query"][PRIMARY] - asked < 5:
        for _ in range(20):
            sim["memory_size"] = 0
            sim["memory_size"] = limit
    sim["memory_size"] = 0
    turn(other, beside, 1, "another display")
    sim["memory_size"] = limit
    sim.paint(noise(2), WIDTH, HEIGHT)
    see(viewer, WIDTH, HEIGHT, noise(2), "the picture after the pages came back")
    expect(service.main_pid() == pid, "the daemon was started again")


@scenario
def s13_a_region_device_has_no_cursor():
    sim = stage("s13", REGION)
    sim.set("plane[2]", kind=REGION, alias=PRIMARY)
    viewer = look("s13", encodings=(RAW, DESKTOP_SIZE, CURSOR_ENCODING))
    first(sim, viewer)
    sim.paint(noise(2), WIDTH, HEIGHT)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "the next one")
    asked = sim["clients.query"][CURSOR] + sim["clients.query_error"][CURSOR]
    expect(not asked, "the cursor was asked for")
    expect(all(not any(mask) for _, _, mask in viewer.cursors), "a viewer got a cursor")


def with_square(seed, cursor_seed, x, y):
    """The picture with the 64x64 cursor at x, y."""
    out = bytearray(noise(seed))
    square = noise(cursor_seed, 64, 64)
    for line in range(64):
        left, right = max(x, 0), min(x + 64, WIDTH)
        if 0 <= y + line < HEIGHT and left < right:
            at = 4 * ((y + line) * WIDTH + left)
            out[at:at + 4 * (right - left)] = square[256 * line + 4 * (left - x):256 * line + 4 * (right - x)]
    return bytes(out)


@scenario
def s14_a_cursor_plane_is_drawn_in_and_taken_out():
    sim = stage("s14")
    for number, seed in ((10, 20), (11, 21)):
        opaque = bytearray(noise(seed, 64, 64))
        opaque[3::4] = b"\xff" * (64 * 64)
        sim.paint(bytes(opaque), 64, 64, number * MIB * 2)
        sim.frame(number, 64, 64, number * MIB * 2, fourcc=fourcc("ARGB8888"))
    sim.show(10, CURSOR, x=20, y=30, hot_x=0xffffffff, hot_y=0xffffffff)
    drawn, shaped = look("s14"), look("s14", encodings=(RAW, DESKTOP_SIZE, CURSOR_ENCODING))
    see(drawn, WIDTH, HEIGHT, with_square(1, 20, 20, 30), "the cursor in the picture")
    see(shaped, WIDTH, HEIGHT, noise(1), "the picture without it")
    expect(shaped.watch(lambda: shaped.cursors and shaped.cursors[-1][:2] == (64, 64), PATIENCE), "no shape: %s" % shaped.cursors)
    got, shapes = sim["clients.get"], len(shaped.cursors)
    for x, y in ((100, 100), (WIDTH - 10, HEIGHT - 10), (8191, 8191), (0, 0)):
        sim.set("plane[2]", x=x, y=y)
        sim.signal()
        see(drawn, WIDTH, HEIGHT, with_square(1, 20, x, y), "moved to %d, %d" % (x, y))
    expect(sim["clients.get"] == got, "a move gets the dma-buf again")
    shaped.watch(lambda: len(shaped.cursors) > shapes, 0.3)
    expect(len(shaped.cursors) == shapes, "a move sends the shape again")
    for hot_x, hot_y in ((0, 0), (5, 6), (64, 0), (70000, 5)):
        sim.set("plane[2]", hot_x=hot_x, hot_y=hot_y)
        sim.signal()
    sim.show(11, CURSOR, x=40, y=50)
    sim.signal()
    see(drawn, WIDTH, HEIGHT, with_square(1, 21, 40, 50), "another shape")
    expect(shaped.watch(lambda: len(shaped.cursors) > shapes, PATIENCE), "the other shape is not sent")
    sim.show(None, CURSOR)
    sim.signal()
    see(drawn, WIDTH, HEIGHT, noise(1), "hidden, and cleanly taken out")


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


def edid_writes(sim, since):
    """(offset, value or length, result, time) of each write; the pieces of the blob are one."""
    done = []
    for entry in sim.entries("edid", since):
        if entry["what"] != sim.DID_EDID_WRITE:
            continue
        step = [entry["arg"], entry["value"], entry["result"], entry["time_ns"]]
        if done and done[-1][0] >= 2048 and done[-1][0] + done[-1][1] == step[0]:
            done[-1][1] += step[1]
        else:
            done.append(step)
    return done


def preferred_mode(sim):
    blob = os.pread(sim.device, 128, (1 << 40) + sim.header.find("record", "blob")[0])
    expect(sum(blob) & 255 == 0, "the checksum is wrong")
    return blob[56] | (blob[58] >> 4) << 8, blob[59] | (blob[61] >> 4) << 8


@scenario
def s16_a_viewer_asks_for_another_size():
    for rules, largest in (("EDID_GVT", 128), ("EDID_MBOCHS", 1024)):
        display = "s16-%d" % largest
        sim = stage(display, handed_over=False)
        sim["num_regions"] = 10
        sim.set("edid", index=9, rules=sim.header.numbers[rules], max_size=largest, max_xres=1920, max_yres=1080)
        sim.register(display, leave=("ownsEdid",))
        viewer = look(display, encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
        first(sim, viewer)
        viewer.ask_for_size(4000, 3000)
        since = sim["state.edid_count"]
        for width, height in ((700, 500), (720, 520), (640, 200)):  # a drag
            viewer.ask_for_size(width, height)
        meanwhile(viewer, lambda: sim["state.edid_link"] == 1, "the link's coming up")
        done = edid_writes(sim, since)
        expect([step[:3] for step in done] == [[20, 2, 0], [8, 128, 0], [2048, 128, 0], [20, 1, 0]], "%s: %s" % (rules, done))
        down, up = done[0][3], done[3][3]
        expect(up - down >= 100000000, "the link was down for %d ms" % ((up - down) // 1000000))
        expect(preferred_mode(sim) == (640, 200), "the preferred mode is %s" % (preferred_mode(sim),))
        draw(sim, 0, 2, 640, 200)
        sim.signal()
        see(viewer, 640, 200, noise(2, 640, 200), "the guest's new mode")
        expect(viewer.sizes, "the viewer was told of no size")
        sim.end_leases()


@scenario
def s16_the_guest_has_its_monitor_back():
    """Also where the driver refuses for a while, and where the VMM goes while the link is down."""
    sim = stage("s16b", handed_over=False)
    sim["num_regions"] = 10
    sim.set("edid", index=9, rules=sim.EDID_GVT, max_size=128)
    sim.register("s16b", leave=("ownsEdid",))
    viewer = look("s16b", encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
    first(sim, viewer)
    since = sim["state.edid_count"]
    sim.script("EDID_WRITE", errno.ETIMEDOUT, count=6, skip=34)  # from the link's coming up on
    viewer.ask_for_size(640, 480)
    meanwhile(viewer, lambda: any(step[2] for step in edid_writes(sim, since)), "a refused write")
    meanwhile(viewer, lambda: sim["state.edid_link"] == 1, "the link's coming up")
    viewer.watch(lambda: False, 1)
    expect(sim["state.edid_link"] == 1, "the link went down again")
    since = sim["state.edid_count"]
    viewer.ask_for_size(800, 600)
    until(lambda: len(edid_writes(sim, since)) >= 3, PATIENCE, "the link's going down")
    sim.end_leases()
    gone("s16b")
    done = edid_writes(sim, since)
    expect([step[:3] for step in done] == [[20, 2, 0], [8, 128, 0], [2048, 128, 0], [20, 1, 0]], "%s" % done)


@scenario
def s16_an_edid_that_is_not_ours_is_left_alone():
    sim = stage("s16o", handed_over=False)
    sim["num_regions"] = 10
    sim.set("edid", index=9)
    sim.register("s16o")
    viewer = look("s16o", encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
    first(sim, viewer)
    meanwhile(viewer, lambda: viewer.sizes, "the sizes' answer")
    told = len(viewer.sizes)
    viewer.ask_for_size(640, 480)
    meanwhile(viewer, lambda: len(viewer.sizes) > told, "an answer")
    expect(viewer.sizes[-1][0] == 1 and viewer.sizes[-1][1] != 0, "the answer is %s" % (viewer.sizes[-1],))
    viewer.watch(lambda: sim["clients.edid_write"], 1.5)
    expect(not sim["clients.edid_write"], "the EDID was written")


@scenario
def s17_the_display_interrupt():
    sim = stage("s17", frames=2, handed_over=False)
    sim["num_irqs"] = 6
    for form in (5, 6):
        for caps in (sim.IRQ_TYPE | sim.IRQ_DISPLAY, sim.IRQ_TYPE):
            sim.set("irq", form=form, caps=caps)
            sim.show(0)
            sim.register("s17", change=False, leave=("displayInterrupt",))
            viewer = look("s17")
            first(sim, viewer)
            until(lambda: sim["state.irq_armed"], PATIENCE, "an armed interrupt, form %d" % form)
            expect(service.runtime("s17")["change"] == "interrupt", "changes come by " + service.runtime("s17")["change"])
            for number, value in ((1, 1 << 56), (0, 0xfffffffffffffffe)):
                sim.show(number)
                sim["irq.fire"] = value
                see(viewer, WIDTH, HEIGHT, noise(number + 1), "form %d, caps %d, %x" % (form, caps, value))
            sim.end_leases()
            gone("s17")
            expect(not sim["state.irq_armed"], "the interrupt is left armed")


@scenario
def s17_without_a_display_interrupt():
    """No leave, none there, one that is misdescribed, one that cannot be armed: the timer finds the changes."""
    sim = stage("s17n", frames=2, handed_over=False)
    cases = [("no leave", (), dict(form=6), 0), ("none", ("displayInterrupt",), dict(form=0), 0),
             ("it cannot be armed", ("displayInterrupt",), dict(form=6), errno.EINVAL),
             ("no type", ("displayInterrupt",), dict(form=6, caps=sim.IRQ_DISPLAY), 0)]
    cases += [("chain %d" % chain, ("displayInterrupt",), dict(form=6, chain=chain), 0)
              for chain in (sim.CHAIN_SELF, sim.CHAIN_START_OUTSIDE, sim.CHAIN_START_INSIDE)]
    for what, leave, irq, error in cases:
        sim["num_irqs"] = 6 if irq["form"] else 5
        sim.set("irq", **{**dict(form=0, caps=3, chain=0), **irq})
        sim.script("SET_IRQS", error, count=sim.FOREVER)
        sim.show(0)
        sim.register("s17n", change=False, leave=leave)
        viewer = look("s17n")
        see(viewer, WIDTH, HEIGHT, noise(1), "the picture, " + what)
        sim.show(1)
        see(viewer, WIDTH, HEIGHT, noise(2), "the next one, " + what)
        expect(not sim["state.irq_armed"], what + ": armed")
        expect(leave or not sim["clients.set_irqs"], "armed without leave")
        sim.end_leases()
        gone("s17n")


@scenario
def s18_the_vmms_eventfd():
    sim = stage("s18", frames=2, change=os.EFD_SEMAPHORE)
    viewer = look("s18")
    first(sim, viewer)
    for _ in range(50):
        sim.signal()  # for nothing
    turn(sim, viewer, 1, "after signals for nothing, on a semaphore")
    again = stage("s18b", frames=2, handed_over=False)
    read, write = os.pipe()
    lease = Client(SOCKET, 60)
    try:
        lease.call("Register", {"context": {"id": "s18b"}, "source": "vfio", "deviceFileDescriptorIndex": 0,
                                "changeFileDescriptorIndex": 1}, [again.device, read], more=True)
        raise Failure("a pipe is taken for an eventfd")
    except VarlinkError as error:
        expect(error.error == "DescriptorUnsuitable", str(error))
    finally:
        lease.close()
        os.close(read)
        os.close(write)


@scenario
def s19_a_killed_vmm():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            sim = stage("s19", lease="pidfd")
            os.write(write, sim.mdev.uuid.encode())
            signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    uuid = os.read(read, 36).decode()
    os.close(read)
    expect(len(uuid) == 36, "the VMM did not come up")
    viewer = look("s19")
    see(viewer, WIDTH, HEIGHT, noise(1), "the picture")
    for _ in range(3):
        machine.keep(StalledViewer(service.rfb_path("s19")))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    mdev = machine.Mdev.__new__(machine.Mdev)
    mdev.uuid, mdev.path = uuid, "/sys/bus/mdev/devices/" + uuid
    machine.keep(mdev)
    note = remove_in_time(mdev)
    until(lambda: not any(simulator.alive().values()), PATIENCE, "nothing alive: %s" % simulator.alive())
    return note


@scenario
def s20_what_is_released_before_the_answer():
    sim = stage("s20", frames=2, lease="connection")
    viewer = look("s20")
    first(sim, viewer)
    turn(sim, viewer, 1, "the second")
    expect(sim["state.files"] >= 1 and sim["state.map_dmabuf"] > 0, "the daemon maps nothing: %s" % sim["state"])
    service.call(service.INTERFACE + "Unregister", id="s20")
    state = sim["state"]
    expect((state["dmabufs"], state["map_dmabuf"]) == (0, 0), "after the answer: %s" % state)
    sim.only_allowed()
    sim.close()
    let_go(sim)
    return remove_in_time(sim.mdev)


@scenario
def s22_a_guest_reboots_again_and_again():
    sim = stage("s22", frames=2)
    pid = service.main_pid()
    viewer = look("s22")
    first(sim, viewer)
    before = len(fds_of(pid))
    for number in [1, 0] * 3:
        simulator.fcntl.ioctl(sim.device, simulator.RESET)
        sim.signal()
        time.sleep(0.02)
        turn(sim, viewer, number, "after a reset")
    expect(len(fds_of(pid)) <= before + 2 and sim["state.dmabufs"] <= 4, "%s" % sim["state"])


@scenario
def s23_nobody_looks():
    sim = stage("s23")
    viewer = look("s23")
    first(sim, viewer)
    viewer.close()
    machine.let_go(viewer)
    until(lambda: service.runtime("s23")["viewers"] == 0, PATIENCE, "no viewer")
    until(lambda: sim["state.dmabufs"] == 0, PATIENCE, "no dma-buf while nobody looks")
    time.sleep(0.5)
    asked, got = sim["clients.query"], sim["clients.get"]
    for _ in range(8):
        sim.signal()
        time.sleep(0.25)
    expect((sim["clients.query"], sim["clients.get"]) == (asked, got), "%s queries became %s" % (asked, sim["clients.query"]))
    sim.paint(noise(2), WIDTH, HEIGHT)
    see(look("s23"), WIDTH, HEIGHT, noise(2), "the next viewer's picture")


def tiled(pixels, stride, tile_row, tile_height):
    """Lines of pixels in tiles of 4 KiB: X has rows of 512 bytes, Y columns of 16 bytes."""
    row, step = 4 * WIDTH, 512 if tile_row == 512 else 16
    out = bytearray(stride * HEIGHT)
    for y in range(HEIGHT):
        for x in range(0, row, step):
            at = (y // tile_height * (stride // tile_row) + x // tile_row) * 4096
            at += y % tile_height * step if step == 512 else x % 128 // 16 * 512 + y % 32 * 16
            out[at:at + step] = pixels[y * row + x:min(y * row + x + step, (y + 1) * row)].ljust(step, b"\0")
    return bytes(out)


@scenario
def s24_tiled_planes():
    sim = stage("s24")
    viewer = look("s24")
    see(viewer, WIDTH, HEIGHT, noise(1), "linear")
    for modifier, stride, tile_row, tile_height, seed in ((1, 1536, 512, 8, 2), (2, 1280, 128, 32, 3)):
        sim.show(None)
        sim.memory[:stride * HEIGHT] = tiled(noise(seed), stride, tile_row, tile_height)
        sim.frame(0, WIDTH, HEIGHT, stride=stride, modifier=1 << 56 | modifier)
        sim.show(0)
        sim.signal()
        see(viewer, WIDTH, HEIGHT, noise(seed), "modifier %d" % modifier)


@scenario
def s25_another_client_of_the_same_device():
    """A VMM that shows the display itself gets and closes the same ids, which die and come back between two calls."""
    sim = stage("s25", frames=6)
    sim.excused = ("get_open",)
    sim["id_policy"] = sim.ID_REUSE
    viewer = look("s25")
    first(sim, viewer)
    for number in [1, 2, 3, 4, 5, 0] * 2:
        sim.show(number)
        mine = [sim.get(sim.query()["id"]) for _ in range(2)]
        sim.signal()
        for fd in mine:
            os.close(fd)
        see(viewer, WIDTH, HEIGHT, noise(number + 1), "frame %d" % number)


@always
def the_simulator_leaves_nothing():
    simulator.load()
    until(lambda: not any(simulator.alive().values()), PATIENCE, "nothing alive: %s" % simulator.alive())
    said = simulator.unload()
    expect(said == ["clean"], "%s" % said)
