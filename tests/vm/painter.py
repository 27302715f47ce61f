# SPDX-License-Identifier: GPL-2.0-or-later
"""A buffer of a GPU that somebody paints, and vfio-displayd-import played with directly: no daemon, no device."""

import glob
import mmap
import os
import socket
import struct
import subprocess

import machine
from machine import HERE, Failure, expect

PROGRAM = "/usr/libexec/vfio-displayd/vfio-displayd-import"
XRGB8888 = 0x34325258
LINEAR, INVALID = 0, (1 << 56) - 1
HELLO, SURFACE, GIVE, DROP, COPY, READY, DONE = 1, 2, 3, 4, 5, 100, 101
DONE_WELL, NO_IMPORT, NO_MAP, NO_ROOM = 0, 1, 2, 3
START = 4096


def node():
    """The DRM node whose driver is Mesa's software one in both directions: vgem's primary node."""
    for path in sorted(glob.glob("/dev/dri/card*")):
        if "vgem" in os.readlink("/sys/class/drm/" + os.path.basename(path)):
            return path
    raise Failure("no node of vgem in /dev/dri")


def start(words, **more):
    """A process with a SOCK_SEQPACKET pair as its fd 3; (process, our end)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def place():
        os.dup2(theirs.fileno(), 3)
        os.set_inheritable(3, True)

    process = subprocess.Popen(words, preexec_fn=place, close_fds=False, **more)
    theirs.close()
    ours.settimeout(60)
    return process, ours


class Painter:
    """A dma-buf on vgem; ended at the end of the check."""

    def __init__(self, width=640, height=480):
        self.width, self.height = width, height
        self.process, link = start([HERE + "/gbm-painter", node(), str(width), str(height)], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        machine.keep(self)
        line, fds, _, _ = socket.recv_fds(link, 256, 1)
        link.close()
        expect(len(fds) == 1, "gbm-painter made no buffer")
        self.fd = fds[0]
        self.stride, self.modifier = (int(word) for word in line.split())

    def paint(self, pattern, seed):
        self.process.stdin.write("paint %s %d\n" % (pattern, seed))
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        expect(answer == "ok", "gbm-painter: " + (answer or "died"))

    def close(self):
        os.close(self.fd)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Program:
    """The import program itself, with us in the daemon's place."""

    def __init__(self, path):
        self.process, self.link = start([PROGRAM], stdin=subprocess.DEVNULL)
        machine.keep(self)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.say(struct.pack("=III65s", HELLO, 1, 3, b"vm"), fd)
        os.close(fd)
        self.turn = 0
        expect(self.hear()[0] == READY, "no READY")

    def say(self, message, fd=None):
        socket.send_fds(self.link, [message.ljust(128, b"\0")], [fd] if fd is not None else [])

    def hear(self):
        message = self.link.recv(256)
        expect(len(message) == 128, "the import program %s" % ("is gone" if not message else "sends %d bytes" % len(message)))
        return struct.unpack_from("=IIIII", message)

    def surface(self, number, size):
        memory = os.memfd_create("surface", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        self.say(struct.pack("=IIIIQ", SURFACE, 0, number, 0, size), memory)
        view = mmap.mmap(memory, size, prot=mmap.PROT_READ)
        os.close(memory)
        return view

    def give(self, index, fd, width, height, stride, modifier=LINEAR, offset=0, fourcc=XRGB8888):
        self.say(struct.pack("=IIIIQIIII", GIVE, 0, index, fourcc, modifier, width, height, stride, offset), fd)

    def copy(self, index, surface, stride, row, rows):
        """(step, errno)"""
        self.turn += 1
        self.say(struct.pack("=IIIIIIIII", COPY, 0, self.turn, index, surface, START, stride, row, rows))
        kind, _, turn, step, error = self.hear()
        expect((kind, turn) == (DONE, self.turn), "%d for turn %d instead of DONE for %d" % (kind, turn, self.turn))
        return step, error

    def status(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

    def close(self):
        self.link.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
