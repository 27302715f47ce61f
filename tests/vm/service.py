# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed service: what systemd and the control socket say about it."""

import ctypes
import glob
import json
import os
import socket

from machine import SOCKET, Failure, command, expect, fds_of, until

UNIT = "vfio-displayd.service"
INTERFACE = "org.vfiodisplay.Display."


def call(method, **parameters):
    """One Varlink call with one reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(60)
        peer.connect(SOCKET)
        peer.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            more = peer.recv(65536)
            if not more:
                raise Failure("%s: the daemon closed the connection" % method)
            data += more
    reply = json.loads(data.split(b"\0")[0])
    if "error" in reply:
        raise Failure("%s: %s %s" % (method, reply["error"], reply.get("parameters")))
    return reply["parameters"]


def runtime(display):
    return call(INTERFACE + "List", id=display)["runtime"]


def rfb_path(display):
    return "/run/vfio-displayd/rfb/" + display


def show(name, unit=UNIT):
    return command("systemctl", "show", "-P", name, unit).strip()


def main_pid():
    pid = int(show("MainPID"))
    expect(pid > 0, "the service has no main process: " + show("ActiveState"))
    return pid


def rfb_pids():
    """The RFB programs, which are in the service's control group."""
    pids = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.readlink(path).endswith("/vfio-displayd-rfb"):
                pids.append(int(path.split("/")[2]))
        except OSError:
            pass
    return pids


def device_fds(pid):
    return [kind for kind in fds_of(pid) if "vfio" in kind.lower() and "anon_inode" in kind or "dmabuf" in kind]


def released(pid, display, before, seconds=10):
    """Waits until the broker holds no more descriptors than before."""
    try:
        until(lambda: len(fds_of(pid)) <= before, seconds, "descriptors of " + display)
    except Failure as error:
        raise Failure("%s: %d now, %d before: %s" % (error, len(fds_of(pid)), before, sorted(fds_of(pid))))


# What checks_restart.py writes into a policy, and what systemd says of that.
WANTED = ('there is no right "everything"', "Failed to start vfio-displayd.service")


def errors():
    """What the service's journal has of errors, but for those that a check wanted."""
    text = command("journalctl", "-b", "-u", "vfio-displayd*", "-p", "err", "--no-pager", "-o", "cat", fine=(0, 1))
    return [line for line in text.splitlines() if line != "-- No entries --" and not any(word in line for word in WANTED)]


def load_picture(path):
    """(width, height, R G B bytes) of a PNG or JPEG file, by the gdk-pixbuf that came with the viewers."""
    pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
    pixbuf.gdk_pixbuf_new_from_file.restype = ctypes.c_void_p
    pixbuf.gdk_pixbuf_get_pixels.restype = ctypes.c_void_p
    picture = pixbuf.gdk_pixbuf_new_from_file(os.fsencode(path), None)
    expect(picture, "%s is no picture" % path)
    picture = ctypes.c_void_p(picture)
    width, height, stride, channels = (getattr(pixbuf, "gdk_pixbuf_get_" + name)(picture)
                                       for name in ("width", "height", "rowstride", "n_channels"))
    data = ctypes.string_at(pixbuf.gdk_pixbuf_get_pixels(picture), stride * (height - 1) + width * channels)
    out = bytearray(3 * width * height)
    for y in range(height):
        row = data[y * stride:y * stride + width * channels]
        for colour in range(3):
            out[3 * width * y + colour:3 * width * (y + 1):3] = row[colour::channels]
    return width, height, bytes(out)


def to_rgb(pixels):
    """R G B bytes of B G R X ones."""
    out = bytearray(len(pixels) // 4 * 3)
    for colour in range(3):
        out[colour::3] = pixels[2 - colour::4]
    return bytes(out)
