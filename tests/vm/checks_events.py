# SPDX-License-Identifier: GPL-2.0-or-later
"""Cursors, monitors, interrupts and eventfds on the display simulator."""

import ctypes
import errno
import fcntl
import os
import struct

import ioctls
import service
from machine import SOCKET, Failure, Mdev, Vmm, check, command, expect, until
from rawview import CURSOR as CURSOR_ENCODING, CURSOR_WITH_ALPHA, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, RAW
from scene import PATIENCE, look, see
from simulator import CURSOR, GET_REGION_INFO, MIB, PRIMARY, REGION, fourcc
from staging import HEIGHT, WIDTH, draw, first, gone, meanwhile, noise, scenario, stage, turn
from varlink import Client, VarlinkError


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
    expect(all(not any(cursor[2]) for cursor in viewer.cursors), "a viewer got a cursor")


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


def haze(seed):
    """A 64x64 cursor of every opacity, premultiplied, with a clear border of 8 pixels at the right and below."""
    colours, out = noise(seed, 64, 64), bytearray(4 * 64 * 64)
    for y in range(56):
        for x in range(56):
            at, alpha = 4 * (64 * y + x), 1 + (x * 56 + y) % 255
            out[at:at + 3] = bytes(colour * alpha // 255 for colour in colours[at:at + 3])
            out[at + 3] = alpha
    return bytes(out)


def over(seed, cursor, x, y):
    """The picture with that cursor at x, y."""
    out = bytearray(noise(seed))
    for line in range(64):
        for column in range(64):
            at, image = 4 * ((y + line) * WIDTH + x + column), 4 * (64 * line + column)
            rest = 255 - cursor[image + 3]
            for colour in range(3):
                out[at + colour] = min(255, cursor[image + colour] + (out[at + colour] * rest + 127) // 255)
    return bytes(out)


def nearly(viewer, pixels):
    """Whether each colour is right but for rounding."""
    mine = viewer.pixels
    return len(mine) == len(pixels) and all(abs(mine[at] - pixels[at]) <= 2 for at in range(len(pixels)) if at % 4 != 3)


@scenario
def s14_a_cursor_of_every_opacity():
    sim = stage("s14a")
    cursor = haze(30)
    sim.paint(cursor, 64, 64, 10 * MIB * 2)
    sim.frame(10, 64, 64, 10 * MIB * 2, fourcc=fourcc("ARGB8888"))
    sim.show(10, CURSOR, x=100, y=90, hot_x=7, hot_y=9)
    drawn = look("s14a")
    shaped = look("s14a", encodings=(RAW, DESKTOP_SIZE, CURSOR_ENCODING, CURSOR_WITH_ALPHA))
    wanted = over(1, cursor, 100, 90)
    last = [-1]

    def composited():
        # Costly: once for each update.
        if last[0] == drawn.updates or (drawn.width, drawn.height) != (WIDTH, HEIGHT):
            return False
        last[0] = drawn.updates
        return nearly(drawn, wanted)

    expect(drawn.watch(composited, PATIENCE), "the cursor is not in the picture as it should be")
    see(shaped, WIDTH, HEIGHT, noise(1), "the picture without it")
    cut = b"".join(bytes((pixel[2], pixel[1], pixel[0], pixel[3])) for y in range(56) for x in range(56)
                   for pixel in (cursor[4 * (64 * y + x):4 * (64 * y + x) + 4],))
    expect(shaped.watch(lambda: shaped.cursors and shaped.cursors[-1] == (56, 56, cut, (7, 9)), PATIENCE),
           "the shapes are %s" % [(*shape[:2], shape[3]) for shape in shaped.cursors])
    # Only where it points: without one, or with one outside the image, the shape points with its corner.
    for hot_x, hot_y, wanted_spot in ((20, 3, (20, 3)), (64, 0, (0, 0)), (0, 70000, (0, 0)), (0, 55, (0, 55)), (0xffffffff, 0xffffffff, (0, 0))):
        sim.set("plane[2]", hot_x=hot_x, hot_y=hot_y)
        sim.signal()
        expect(shaped.watch(lambda: shaped.cursors[-1][3] == wanted_spot, PATIENCE),
               "hot spot %d, %d: %s" % (hot_x, hot_y, shaped.cursors[-1][3]))
    sim.show(None, CURSOR)
    sim.signal()
    see(drawn, WIDTH, HEIGHT, noise(1), "taken out without a trace")


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
        plain = look(display)
        first(sim, viewer)
        first(sim, plain)
        viewer.ask_for_size(4000, 3000)
        since = sim["state.edid_count"]
        for width, height in ((700, 500), (720, 520), (640, 200)):  # a drag
            viewer.ask_for_size(width, height)
        meanwhile(viewer, lambda: sim["state.edid_link"] == 1 and preferred_mode(sim) == (640, 200), "a monitor that prefers 640x200")
        done = edid_writes(sim, since)
        offers = [done[at:at + 4] for at in range(0, len(done), 4)]
        # Once; on a machine that stands still for a second in the middle of the drag, twice.
        expect(len(offers) < 3, "%s: the guest was offered %d sizes" % (rules, len(offers)))
        for offer in offers:
            expect([step[:3] for step in offer] == [[20, 2, 0], [8, 128, 0], [2048, 128, 0], [20, 1, 0]], "%s: %s" % (rules, offer))
            down, up = offer[0][3], offer[3][3]
            expect(up - down >= 100000000, "the link was down for %d ms" % ((up - down) // 1000000))
        draw(sim, 0, 2, 640, 200)
        sim.signal()
        see(viewer, 640, 200, noise(2, 640, 200), "the guest's new mode")
        see(plain, 640, 200, noise(2, 640, 200), "the new mode for another viewer")
        expect(viewer.sizes, "the viewer was told of no size")
        viewer.watch(lambda: False, 1.5)
        expect(len(edid_writes(sim, since)) == len(done), "it is written again: %s" % edid_writes(sim, since)[len(done):])
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
    """Without the registrant's leave, and for viewers who may only look."""
    for display, leave, context in (("s16o", (), {}), ("s16v", ("ownsEdid",), {"viewOnly": True})):
        sim = stage(display, handed_over=False)
        sim["num_regions"] = 10
        sim.set("edid", index=9, max_xres=1920, max_yres=1080)
        sim.register(display, leave=leave, **context)
        viewer = look(display, encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
        first(sim, viewer)
        meanwhile(viewer, lambda: viewer.sizes, "the sizes' answer")
        told = len(viewer.sizes)
        viewer.ask_for_size(640, 480)
        meanwhile(viewer, lambda: len(viewer.sizes) > told, "an answer")
        expect(viewer.sizes[-1][:2] == (1, 1), "%s: the answer is %s, not that it is prohibited" % (display, viewer.sizes[-1]))
        viewer.watch(lambda: sim["clients.edid_write"], 1.5)
        expect(not sim["clients.edid_write"], display + ": the EDID was written")
        sim.end_leases()


def descriptor_of(pid, kind):
    """A duplicate of another process's descriptor, by what /proc calls it."""
    number = next(int(name) for name in os.listdir("/proc/%d/fd" % pid) if kind in os.readlink("/proc/%d/fd/%s" % (pid, name)))
    pidfd = os.pidfd_open(pid)
    try:
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)  # pidfd_getfd
    finally:
        os.close(pidfd)
    expect(fd >= 0, "pidfd_getfd: errno %d" % ctypes.get_errno())
    return fd


@check
def s16_a_viewer_asks_for_another_size_of_mbochs():
    """The kernel's own driver keeps the EDID that it is given, for its guest to read."""
    vmm = Vmm(Mdev("mbochs_rw", "medium"))
    vmm("mode 640 480")
    vmm("paint noise 1")
    command("vfio-displayctl", "adopt", "--pid", str(vmm.process.pid), "--owns-edid", "s16m")
    viewer = look("s16m", encodings=(RAW, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE))
    see(viewer, 640, 480, noise(1, 640, 480), "the picture")
    viewer.ask_for_size(800, 512)
    device = descriptor_of(vmm.process.pid, "[vfio-device]")
    try:
        info = bytearray(struct.pack("=IIIIQQ", 32, 0, 9, 0, 0, 0))
        fcntl.ioctl(device, GET_REGION_INFO, info)
        base = struct.unpack_from("=Q", info, 24)[0]

        def preferred():
            at, largest, size, _, _, link = struct.unpack("6I", os.pread(device, 24, base))
            blob = os.pread(device, size, base + at) if size else b""
            if link != 1 or len(blob) != 128:
                return None
            expect(sum(blob) & 255 == 0, "the checksum is wrong")
            return blob[56] | (blob[58] >> 4) << 8, blob[59] | (blob[61] >> 4) << 8

        meanwhile(viewer, lambda: preferred() == (800, 512), "an EDID that prefers 800x512")
    finally:
        os.close(device)
    # The guest follows.
    vmm("mode 800 512")
    vmm("paint noise 2")
    see(viewer, 800, 512, noise(2, 800, 512), "the guest's new mode")


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
def s17_a_cursor_that_moves_costs_no_scan():
    """The interrupt says that it was the cursor alone."""
    sim = stage("s17c", frames=2, handed_over=False)
    sim["num_irqs"] = 6
    square = bytearray(noise(20, 64, 64))
    square[3::4] = b"\xff" * (64 * 64)
    sim.paint(bytes(square), 64, 64, 10 * MIB * 2)
    sim.frame(10, 64, 64, 10 * MIB * 2, fourcc=fourcc("ARGB8888"))
    notes = []
    for form in (5, 6):
        sim.set("irq", form=form, caps=sim.IRQ_TYPE | sim.IRQ_DISPLAY)
        sim.show(0)
        sim.show(10, CURSOR, x=0, y=0)
        sim.register("s17c", change=False, leave=("displayInterrupt",))
        drawn, shaped = look("s17c"), look("s17c", encodings=(RAW, DESKTOP_SIZE, CURSOR_ENCODING))
        see(drawn, WIDTH, HEIGHT, with_square(1, 20, 0, 0), "the picture with the cursor")
        see(shaped, WIDTH, HEIGHT, noise(1), "the picture without it")
        until(lambda: sim["state.irq_armed"], PATIENCE, "an armed interrupt, form %d" % form)
        # The first event of all may mean anything, and so may what was going on when it was armed.
        sim["irq.fire"] = 1 << 56
        before = -1
        while service.runtime("s17c")["framesCaptured"] != before:
            before = service.runtime("s17c")["framesCaptured"]
            shaped.watch(lambda: False, 0.7)
        received, moves = shaped.received, 0
        for x in range(10, 90, 10):
            sim.set("plane[2]", x=x, y=x)
            sim["irq.fire"] = 1 << 48
            see(drawn, WIDTH, HEIGHT, with_square(1, 20, x, x), "moved to %d" % x)
            moves += 1
        shaped.watch(lambda: False, 0.3)
        scans = service.runtime("s17c")["framesCaptured"] - before
        received = shaped.received - received
        expect(not scans, "form %d: %d scans for %d moves" % (form, scans, moves))
        expect(received < 2048, "form %d: %d bytes for %d moves" % (form, received, moves))
        # It is seen when it was not the cursor alone.
        sim.show(1)
        sim["irq.fire"] = 1 << 56 | 1 << 48
        see(shaped, WIDTH, HEIGHT, noise(2), "another picture")
        expect(service.runtime("s17c")["framesCaptured"] > before, "a picture without a look at it")
        notes.append("form %d: %d bytes for %d moves" % (form, received, moves))
        sim.end_leases()
        gone("s17c")
    ioctls.wanted |= {"GET_IRQ_INFO", "SET_IRQS"}
    return "; ".join(notes)


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
