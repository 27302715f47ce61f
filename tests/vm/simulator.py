# SPDX-License-Identifier: GPL-2.0-or-later
"""The display simulator from a test's side: loads the module, makes a device, and is the VMM that hands it over.

Registers go by the names of vfio_display_sim.h, which is read here:  sim["plane[1].frame"] = 3,  sim["clients.get"]."""

import fcntl
import mmap
import os
import re
import struct
import traceback

import machine
from machine import HERE, Mdev, expect
from varlink import Client

HEADER = HERE + "/vfio_display_sim.h"
MODULE = HERE + "/vfio_display_sim.ko"
NAME = "vfio_display_sim"
SYSFS = "/sys/class/%s/%s/" % (NAME, NAME)
OVERLAY, PRIMARY, CURSOR = 0, 1, 2
DMABUF, REGION = 2, 4
READ, WRITE, MMAP = 1, 2, 4  # VFIO_REGION_INFO_FLAG_*
PAGE = 4096
MIB = 1 << 20
QUERY_GFX_PLANE, GET_GFX_DMABUF, GET_REGION_INFO, RESET = 0x3b72, 0x3b73, 0x3b6c, 0x3b6f
IOCTLS = {0x3b6b: "GET_INFO", 0x3b6c: "GET_REGION_INFO", 0x3b6d: "GET_IRQ_INFO", 0x3b6e: "SET_IRQS", 0x3b6f: "RESET",
          0x3b72: "QUERY_GFX_PLANE", 0x3b73: "GET_GFX_DMABUF"}
GET_DEVICE_FD, SET_CONTAINER, SET_IOMMU, TYPE1 = 0x3b6a, 0x3b68, 0x3b66, 1


def fourcc(name):
    """DRM_FORMAT_*: the four characters."""
    known = {"XRGB8888": "XR24", "ARGB8888": "AR24", "XBGR8888": "XB24", "ABGR8888": "AB24", "RGB565": "RG16", "RGB888": "RG24"}
    return struct.unpack("<I", known.get(name, name).encode())[0]


class Header:
    """#define'd numbers, and where each member of each struct is."""

    def __init__(self, path):
        with open(path) as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        self.numbers = {name: int(value, 0) for name, value in re.findall(r"#define VDSIM_(\w+)\s+(0x[0-9a-f]+|\d+)\b", text)}
        self.members = {"__u8": (1, "B", None), "__u32": (4, "I", None), "__s32": (4, "i", None), "__u64": (8, "Q", None)}
        for name, body in re.findall(r"struct (vdsim_\w+) \{(.*?)\n\};", text, re.S):
            self._struct(name, body)

    def _struct(self, name, body):
        at, members = 0, {}
        for kind, member, length in re.findall(r"((?:struct )?\w+)\s+(\w+)(?:\[(\w+)\])?;", body):
            size = self.members[kind][0]
            count = None
            if length:
                count = int(length) if length.isdigit() else self.numbers[length[len("VDSIM_"):]]
            at += -at % min(size, 8) if kind in ("__u32", "__s32", "__u64") else 0
            members[member] = (at, kind, count)
            at += size * (count or 1)
        self.members["struct " + name] = (at, None, members)

    def find(self, root, path):
        """(offset, size, struct's letter or None) of "plane[1].frame" in struct vdsim_ROOT."""
        at, kind, count = 0, "struct vdsim_" + root, None
        for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
            offset, kind, count = self.members[kind][2][name]
            expect(not index or count and int(index) < count, "%s: no such element" % path)
            at += offset + (int(index) * self.members[kind][0] if index else 0)
            if index:
                count = None
        size, letter, _ = self.members[kind]
        return at, size * (count or 1), "%d%s" % (count, letter) if count and letter else letter

    def names(self, root, path):
        """The members of a struct within."""
        kind = "struct vdsim_" + root
        for name in re.findall(r"(\w+)(?:\[\d+\])?", path):
            kind = self.members[kind][2][name][1]
        return [name for name in self.members[kind][2] if not name.startswith("reserved")]


def load():
    if not os.path.exists("/sys/module/" + NAME):
        machine.command("insmod", MODULE)


def unload():
    """Takes the module out. Returns what it said of its own references."""
    before = len(machine.command("dmesg").splitlines())
    machine.command("rmmod", NAME)
    return re.findall(r"\] %s: (.*)" % NAME, "\n".join(machine.command("dmesg").splitlines()[before:]))


def alive():
    """What exists in the driver, by kind."""
    with open(SYSFS + "alive") as file:
        return {name: int(count) for name, count in (line.split() for line in file)}


class Simulator:
    """A device of its own and its VMM, which is this process; closed and removed at the end of the check."""

    def __init__(self):
        load()
        self.header = Header(HEADER)
        self.mdev = Mdev(NAME, "display")
        self.device = self.group = self.container = -1
        self.leases = []
        self.excused = ()
        self.display = None
        self.change = -1
        machine.keep(self)
        self.open()

    def __getattr__(self, name):
        """NONE, FOREVER, SCRIPT_QUERY, ...: a number of the header."""
        if name.isupper():
            return self.header.numbers[name]
        raise AttributeError(name)

    # ---- the device ----

    def open(self):
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR | os.O_CLOEXEC)
        self.group = os.open(self.mdev.group_path(), os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.group, SET_CONTAINER, struct.pack("i", self.container))
        fcntl.ioctl(self.container, SET_IOMMU, TYPE1)
        self.device = fcntl.ioctl(self.group, GET_DEVICE_FD, bytearray(self.mdev.uuid.encode() + b"\0"))
        os.set_inheritable(self.device, False)
        self.memory = mmap.mmap(self.device, self["memory_limit"], offset=2 << 40)

    def close_device(self):
        """The VMM's own descriptors and mapping; the daemon may still hold the device."""
        if self.device < 0:
            return
        self.memory.close()
        for fd in (self.device, self.group, self.container):
            os.close(fd)
        self.device = self.group = self.container = -1

    def close(self):
        self.end_leases()
        if self.device >= 0:
            try:
                self["release"] = 1
            except PermissionError:
                pass
        self.close_device()
        if self.change >= 0:
            os.close(self.change)
            self.change = -1

    # ---- registers ----

    def __getitem__(self, path):
        at, size, letter = self.header.find("control", path)
        data = os.pread(self.device, size, at)
        if not letter:
            return {name: self[path + "." + name] for name in self.header.names("control", path)}
        values = struct.unpack("<" + letter, data)
        return values[0] if len(values) == 1 else values

    def __setitem__(self, path, value):
        at, _, letter = self.header.find("control", path)
        os.pwrite(self.device, struct.pack("<" + letter, value), at)

    def set(self, path, **values):
        """Members of a struct, all at once."""
        start, size, _ = self.header.find("control", path)
        data = bytearray(os.pread(self.device, size, start))
        first, last = size, 0
        for name, value in values.items():
            at, length, letter = self.header.find("control", path + "." + name)
            at -= start
            data[at:at + length] = struct.pack("<" + letter, value)
            first, last = min(first, at), max(last, at + length)
        os.pwrite(self.device, bytes(data[first:last]), start + first)

    def script(self, call, answer=0, count=1, **more):
        """The next calls of a kind. call: a name after SCRIPT_, or the plane type of a query."""
        number = self.SCRIPT_QUERY + call if isinstance(call, int) else self.header.numbers["SCRIPT_" + call]
        self.set("script[%d]" % number, answer=answer, count=count, **more)

    def block(self, call, ms, count=1, flags=0):
        self.script(call, count=0, block_ms=ms, block_count=count, block_flags=flags)

    def entries(self, ring="log", since=0):
        """The events from number @since on, as dictionaries."""
        at, size, _ = self.header.find("record", ring)
        entry = self.header.members["struct vdsim_entry"][0]
        count = self["state.%s_count" % ring]
        data = os.pread(self.device, size, (1 << 40) + at)
        length = size // entry
        events = []
        for number in range(max(since, count - length), count):
            fields = struct.unpack_from("<QIIIiQ", data, number % length * entry)
            events.append(dict(zip(("time_ns", "pid", "what", "arg", "result", "value"), fields)))
        return events

    # ---- pictures ----

    def frame(self, number, width, height, offset=0, stride=None, **more):
        """Describes a frame of B G R X pixels, or what @more says."""
        more.setdefault("fourcc", fourcc("XRGB8888"))
        self.set("frame[%d]" % number, width=width, height=height, offset=offset, stride=stride or 4 * width, **more)

    def show(self, number, plane=PRIMARY, **more):
        """Puts a frame on a plane. None: off."""
        self.set("plane[%d]" % plane, frame=self.NONE if number is None else number, **more)

    def paint(self, pixels, width, height, offset=0, stride=None):
        """Lines of 4 * width bytes into video memory."""
        row, stride = 4 * width, stride or 4 * width
        if row == stride:
            self.memory[offset:offset + len(pixels)] = pixels
            return
        for line in range(height):
            at = offset + line * stride
            self.memory[at:at + row] = pixels[line * row:(line + 1) * row]

    # ---- the VMM's part ----

    def register(self, display, lease="pipe", change=True, leave=(), **context):
        """Hands the device over. leave: what the daemon may do, displayInterrupt, ownsEdid. change: whether with an eventfd, or its flags. lease: pipe, connection or pidfd of this process; end_leases() ends the first two."""
        self.display = display
        fds, parameters = [self.device], {"context": {"id": display, **context}, "source": "vfio", "deviceFileDescriptorIndex": 0}
        parameters.update((name, True) for name in leave)
        if change:
            self.change = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | (change if change is not True else 0))
            parameters["changeFileDescriptorIndex"] = len(fds)
            fds.append(self.change)
        theirs = -1
        if lease == "pipe":
            theirs, ours = os.pipe()
            parameters["leaseFileDescriptorIndex"] = len(fds)
            fds.append(theirs)
            self.leases.append(lambda: os.close(ours))
        elif lease == "pidfd":
            theirs = os.pidfd_open(os.getpid())
            parameters["leaseFileDescriptorIndex"] = len(fds)
            fds.append(theirs)
        client = Client(machine.SOCKET, 60)
        try:
            reply = client.call("Register", parameters, fds, **({"more": True} if lease == "connection" else {}))
        finally:
            if theirs >= 0:
                os.close(theirs)
            if lease == "connection":
                self.leases.append(client.close)
            else:
                client.close()
        return reply

    def end_leases(self):
        for end in self.leases:
            end()
        self.leases.clear()

    def only_allowed(self):
        """What no client of a display may ever have done, but what self.excused names."""
        clients = self["clients"]
        done = {name: clients[name] for name in ("set_irqs_forbidden", "reset", "feature", "unknown", "read", "write", "plane_read",
                                                 "plane_write", "query_dirty", "query_argsz", "get_open")
                if clients[name] and name not in self.excused}
        expect(not done, "the daemon did: %s" % done)

    def signal(self):
        os.write(self.change, struct.pack("Q", 1))

    # ---- the device as a client sees it, through a file of its own process ----

    def query(self, plane=PRIMARY, kind=DMABUF, fill=0):
        """(fields by name). OSError as the driver says."""
        data = bytearray([fill]) * 64
        struct.pack_into("=III", data, 0, 64, kind, plane)
        fcntl.ioctl(self.device, QUERY_GFX_PLANE, data)
        names = ("argsz", "flags", "type", "format", "modifier", "width", "height", "stride", "size", "x", "y", "hot_x", "hot_y", "id")
        return dict(zip(names, struct.unpack_from("=IIIIQ9I", data)))

    def get(self, number):
        return fcntl.ioctl(self.device, GET_GFX_DMABUF, bytearray(struct.pack("I", number)))


def as_client(function):
    """Runs it in a child, which is no controller. Returns its exit status: 0 unless it raised."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
