# SPDX-License-Identifier: GPL-2.0-or-later
"""A producer of surfaces (include/vfio-displayd/surface.h): a display made of a memfd."""
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


# name: (fourcc, bytes, XRGB value of a pixel's bytes)
FORMATS = {
    "XRGB8888": (fourcc("XR24"), 4, lambda p: p[2] << 16 | p[1] << 8 | p[0]),
    "ARGB8888": (fourcc("AR24"), 4, lambda p: p[2] << 16 | p[1] << 8 | p[0]),
    "XBGR8888": (fourcc("XB24"), 4, lambda p: p[0] << 16 | p[1] << 8 | p[2]),
    "ABGR8888": (fourcc("AB24"), 4, lambda p: p[0] << 16 | p[1] << 8 | p[2]),
    "RGB888": (fourcc("RG24"), 3, lambda p: p[2] << 16 | p[1] << 8 | p[0]),
    "RGB565": (fourcc("RG16"), 2, lambda p: _widen565(p[0] | p[1] << 8)),
}


def _widen565(v):
    r, g, b = v >> 11, v >> 5 & 63, v & 31
    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2)


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

    def close(self):
        self.map.close()
        os.close(self.fd)
        os.close(self.change)

    def shape(self, width, height, form="XRGB8888", stride=None):
        self.width, self.height, self.form = width, height, form
        self.fourcc, self.each, self.xrgb = FORMATS.get(form, (fourcc(form) if len(form) == 4 else 0, 4, None))
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

    def picture(self):
        """What a viewer should see: XRGB values, row after row."""
        out = []
        for y in range(self.height):
            at = self.start + y * self.stride
            row = self.map[at:at + self.width * self.each]
            out += [self.xrgb(row[i:i + self.each]) for i in range(0, len(row), self.each)]
        return out

    def expect(self, form):
        """The picture as bytes of a viewer's pixel format."""
        known = {}
        out = []
        for value in self.picture():
            if value not in known:
                known[value] = form.pixel(value)
            out.append(known[value])
        return b"".join(out)
