# SPDX-License-Identifier: GPL-2.0-or-later
"""A producer of surfaces (include/vfio-displayd/surface.h): a display made of a memfd."""
import array
import fcntl
import mmap
import os
import random
import struct

MAGIC, VERSION = 0x31465344, 1
F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW = 1033, 2, 4
HOT_UNKNOWN = 0xffffffff


def fourcc(name):
    return int.from_bytes(name.encode(), "little")


# name: (fourcc, bytes of a pixel)
FORMATS = {
    "XRGB8888": (fourcc("XR24"), 4),
    "ARGB8888": (fourcc("AR24"), 4),
    "XBGR8888": (fourcc("XB24"), 4),
    "ABGR8888": (fourcc("AB24"), 4),
    "RGB888": (fourcc("RG24"), 3),
    "RGB565": (fourcc("RG16"), 2),
}

# RGB565 widened to 8 bits a channel: the upper bits again below.
WIDE565 = (bytes((v >> 11) << 3 | v >> 13 for v in range(1 << 16)),
           bytes((v >> 5 & 63) << 2 | (v >> 9 & 3) for v in range(1 << 16)),
           bytes((v & 31) << 3 | (v >> 2 & 7) for v in range(1 << 16)))


class Surface:
    def __init__(self, width=640, height=480, form="XRGB8888", stride=None, room=None, start=4096, seal=True):
        self.fd = os.memfd_create("surface", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        self.start, self.sequence = start, 0
        self.shape(width, height, form, stride)
        self.cursor = b"\0" * 64
        self.cursor_at = start + max(room or 0, self.stride * height)
        self.bytes = self.cursor_at + 256 * 256 * 4
        os.ftruncate(self.fd, self.bytes)
        self.map = mmap.mmap(self.fd, self.bytes)
        if seal:
            fcntl.fcntl(self.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
        self.change = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.show()

    @classmethod
    def attach(cls, fd, change, width, height, form="XRGB8888", start=4096):
        """Somebody else's surface, to draw on: another process has made it, shown it and registered it."""
        self = cls.__new__(cls)
        self.fd, self.change, self.start = os.dup(fd), os.dup(change), start
        self.shape(width, height, form)
        self.map = mmap.mmap(self.fd, os.fstat(self.fd).st_size)
        return self

    def close(self):
        self.map.close()
        os.close(self.fd)
        os.close(self.change)

    def shape(self, width, height, form="XRGB8888", stride=None):
        self.width, self.height, self.form = width, height, form
        self.fourcc, self.each = FORMATS.get(form) or (fourcc(form), 4)
        self.stride = stride or width * self.each

    def show(self, primary=None, sequence=True):
        """Writes the header. `primary`: 64 bytes to write instead."""
        plane = primary if primary is not None else self.plane()
        self.sequence += 1
        struct.pack_into("=IIII", self.map, 0, MAGIC, VERSION, self.sequence, 0)
        self.map[16:144] = plane + self.cursor
        self.sequence += 1
        if sequence:
            struct.pack_into("=I", self.map, 8, self.sequence)

    def plane(self, **other):
        v = {"start": self.start, "modifier": 0, "format": self.fourcc, "width": self.width, "height": self.height,
             "stride": self.stride, "size": self.stride * self.height, **other}
        return struct.pack("=QQIIIIQiiIIII", v["start"], v["modifier"], v["format"], v["width"], v["height"], v["stride"],
                           v["size"], 0, 0, 0, 0, 0, 0)

    def off(self):
        self.show(b"\0" * 64)
        self.signal()

    def set_cursor(self, x, y, side=32, image=None, hot=(0, 0), serial=1, width=None, height=None):
        """`image`: premultiplied ARGB bytes; None: the cursor is off."""
        if image is None:
            self.cursor = b"\0" * 64
        else:
            width, height = width or side, height or side
            self.map[self.cursor_at:self.cursor_at + len(image)] = image
            self.cursor = struct.pack("=QQIIIIQiiIIII", self.cursor_at, 0, fourcc("AR24"), width, height, width * 4,
                                      width * height * 4, x, y, hot[0], hot[1], serial, 0)
        self.show()

    def signal(self):
        os.eventfd_write(self.change, 1)

    # ---- drawing ----

    def draw(self, x, y, width, height, data):
        """`data`: bytes of the surface's format, rows without padding."""
        line = width * self.each
        for i in range(height):
            at = self.start + (y + i) * self.stride + x * self.each
            self.map[at:at + line] = data[i * line:(i + 1) * line]

    def fill(self, pixel, x=0, y=0, width=None, height=None):
        width, height = width or self.width - x, height or self.height - y
        self.draw(x, y, width, height, pixel * (width * height))

    def noise(self, seed, x=0, y=0, width=None, height=None, colours=None):
        """Random pixels; `colours`: so few different ones, so that encoders choose palettes."""
        width, height = width or self.width - x, height or self.height - y
        source = random.Random(seed)
        if colours:
            palette = [source.randbytes(self.each) for _ in range(colours)]
            data = b"".join(source.choices(palette, k=width * height))
        else:
            data = source.randbytes(width * height * self.each)
        self.draw(x, y, width, height, data)

    def channels(self):
        """What a viewer should see: the bytes of red, of green, of blue, row after row."""
        line = self.width * self.each
        data = b"".join(self.map[at:at + line] for at in range(self.start, self.start + self.height * self.stride,
                                                               self.stride))
        if self.form == "RGB565":
            values = array.array("H", data)
            return tuple(bytes(map(table.__getitem__, values)) for table in WIDE565)
        order = (0, 1, 2) if self.form in ("XBGR8888", "ABGR8888") else (2, 1, 0)
        return tuple(data[i::self.each] for i in order)

    def picture(self):
        """The same as XRGB values."""
        return [r << 16 | g << 8 | b for r, g, b in zip(*self.channels())]

    def expect(self, form):
        """The picture as bytes of a viewer's pixel format."""
        return form.pixels(*self.channels())
