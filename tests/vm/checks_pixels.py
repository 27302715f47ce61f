# SPDX-License-Identifier: GPL-2.0-or-later
"""What viewers see of real VFIO displays."""

import json
import os
import socket

import machine
import service
from machine import Mdev, Vmm, check, command, expect, until
from pattern import picture
from rawview import CURSOR, DESKTOP_SIZE, RAW, without_x
from scene import PATIENCE, bochs, look, see


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
    expect(not any(any(cursor[2]) for cursor in viewer.cursors), "a cursor that no plane has: %s" % viewer.cursors)


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
    expect("cannot read this dma-buf" in reason, "the reason does not name the dma-buf: " + reason)
    expect(reason in command("vfio-displayctl", "describe", "stock"), "vfio-displayctl describe does not show: " + reason)
    expect(json.dumps(reason) in json.dumps(json.loads(command("vfio-displayctl", "--json", "describe", "stock"))), "not in --json")
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
