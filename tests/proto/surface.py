# SPDX-License-Identifier: GPL-2.0-or-later
"""A producer of surfaces (include/vfio-displayd/surface.h): a display made of a memfd."""
import fcntl
import functools
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
    "XRGB2101010": (fourcc("XR30"), 4),
    "ARGB2101010": (fourcc("AR30"), 4),
    "XBGR2101010": (fourcc("XB30"), 4),
    "ABGR2101010": (fourcc("AB30"), 4),
    "C8": (fourcc("C8  "), 1),
    "YUYV": (fourcc("YUYV"), 2),
    "YVYU": (fourcc("YVYU"), 2),
    "UYVY": (fourcc("UYVY"), 2),
    "VYUY": (fourcc("VYUY"), 2),
}

LINEAR, X_TILED, Y_TILED, YF_TILED = 0, 1 << 56 | 1, 1 << 56 | 2, 1 << 56 | 3
TILE, WORD = 4096, 16

# RGB565 widened to 8 bits a channel, from a byte whose lower bits are the channel: its upper bits again below.
WIDE5 = bytes((v & 31) << 3 | (v & 31) >> 2 for v in range(256))
WIDE6 = bytes((v & 63) << 2 | (v & 63) >> 4 for v in range(256))


def shifted(data, shift, each):
    """The lowest byte of each value of `each` bytes, shifted right; the bits above the value's own are its neighbour's."""
    return (int.from_bytes(data, "little") >> shift).to_bytes(len(data), "little")[::each]


# BT.709, limited range, in steps of 1 / 8192: what luma, blue and red add.
LUMA = tuple(9539 * (v - 16) + 4096 for v in range(256))
BLUE_OF_BLUE, GREEN_OF_BLUE, GREEN_OF_RED, RED_OF_RED = (
    tuple(factor * (v - 128) for v in range(256)) for factor in (17305, -1747, -4366, 14686))
CLAMPED = bytes(range(256)) + b"\xff" * 768 + b"\0" * 768      # an index below 0 is from its end


@functools.cache
def luma_and(chroma):
    """Of a luma and another byte, as they are as a value of 16 bits."""
    return bytes(CLAMPED[LUMA[luma] + more >> 13] for more in chroma for luma in range(256))


def look_up(table, low, high):
    pairs = bytearray(2 * len(low))
    pairs[::2], pairs[1::2] = low, high
    return bytes(map(table.__getitem__, memoryview(pairs).cast("H")))


def from_yuv(data, order):
    """Red, green and blue bytes of pairs of pixels of four bytes each; `order`: where Y, U, Y, V are."""
    luma, blue, red = (bytearray(len(data) // 2) for _ in range(3))
    luma[::2], luma[1::2] = data[order.index("Y")::4], data[order.rindex("Y")::4]
    for channel, name in ((blue, "U"), (red, "V")):
        channel[::2] = channel[1::2] = data[order.index(name)::4]
    green = bytes(CLAMPED[LUMA[y] + GREEN_OF_BLUE[u] + GREEN_OF_RED[v] >> 13] for y, u, v in zip(luma, blue, red))
    return look_up(luma_and(RED_OF_RED), luma, red), green, look_up(luma_and(BLUE_OF_BLUE), luma, blue)


def quarters(x, y, width, height, size):
    """Four parts of a Yf tile, the left two first: where this one begins, and what is left of x and y."""
    return (x // (width // 2) * 2 + y // (height // 2)) * size, x % (width // 2), y % (height // 2)


def yf_word(x, y, width, height):
    tile, x, y = quarters(x, y, width, height, 1024)
    unit, x, y = quarters(x, y, width // 2, height // 2, 256)
    block = y // 4 if width == 64 else x // 16 * 2 + y // 4
    return tile + unit + block * 64 + y % 4 * 16


class Tiles:
    """Where words of 16 bytes lie (drm_fourcc.h, I915_FORMAT_MOD_*)."""

    def __init__(self, modifier, each, stride):
        if modifier == X_TILED:
            self.width, self.height, place = 512, 8, lambda x, y: y * 512 + x
        elif modifier == Y_TILED:
            self.width, self.height, place = 128, 32, lambda x, y: x // 16 * 512 + y * 16
        else:
            self.width, self.height = (64, 64) if each == 1 else (128, 32)
            place = lambda x, y: yf_word(x, y, self.width, self.height)  # noqa: E731
        self.stride = stride
        self.places = [[place(x, y) for x in range(0, self.width, WORD)] for y in range(self.height)]

    def row(self, y, first, end):
        """Offsets of words `first` to `end` of a row."""
        base, places = y // self.height * self.height * self.stride, self.places[y % self.height]
        each = self.width // WORD
        return [base + i // each * TILE + places[i % each] for i in range(first, end)]


def tile_size(modifier, each):
    """Bytes and rows of a tile; of plain rows, what a row is a multiple of."""
    tiles = Tiles(modifier, each, 0) if modifier else None
    return (tiles.width, tiles.height) if tiles else (1, 1)


def round_up(value, to):
    return (value + to - 1) // to * to


class Surface:
    drawn = 0                    # 0: not counted

    def __init__(self, width=640, height=480, form="XRGB8888", stride=None, room=None, start=4096, seal=True,
                 modifier=LINEAR):
        self.fd = os.memfd_create("surface", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        self.start, self.sequence = start, 0
        self.shape(width, height, form, stride, modifier)
        self.cursor = b"\0" * 64
        self.cursor_at = start + max(room or 0, self.size)
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

    def shape(self, width, height, form="XRGB8888", stride=None, modifier=LINEAR):
        self.width, self.height, self.form, self.modifier = width, height, form, modifier
        self.fourcc, self.each = FORMATS.get(form) or (fourcc(form), 4)
        tile_width, tile_height = tile_size(modifier, self.each)
        self.line = (width + width % 2 if "Y" in form else width) * self.each  # two pixels of YUYV share their colour
        self.stride = stride or round_up(self.line, tile_width)
        self.size = self.stride * round_up(height, tile_height)
        self.tiles = Tiles(modifier, self.each, self.stride) if modifier else None

    def show(self, primary=None, sequence=True):
        """Writes the header. `primary`: 64 bytes to write instead."""
        plane = primary if primary is not None else self.plane()
        self.sequence += 1
        struct.pack_into("=IIII", self.map, 0, MAGIC, VERSION, self.sequence, self.drawn)
        self.map[16:144] = plane + self.cursor
        self.sequence += 1
        if sequence:
            struct.pack_into("=I", self.map, 8, self.sequence)

    def plane(self, **other):
        v = {"start": self.start, "modifier": self.modifier, "format": self.fourcc, "width": self.width, "height": self.height,
             "stride": self.stride, "size": self.size, **other}
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
            if self.tiles:
                self.draw_tiled(y + i, x * self.each, data[i * line:(i + 1) * line])
                continue
            at = self.start + (y + i) * self.stride + x * self.each
            self.map[at:at + line] = data[i * line:(i + 1) * line]

    def draw_tiled(self, y, first, data):
        """`data`: bytes of row `y` from byte `first` on."""
        end, at = first + len(data), first
        for place in self.tiles.row(y, first // WORD, (end + WORD - 1) // WORD):
            there = at % WORD
            count = min(WORD - there, end - at)
            begin = self.start + place + there
            self.map[begin:begin + count] = data[at - first:at - first + count]
            at += count

    def row(self, y):
        """The bytes of a row, as if they lay side by side."""
        if not self.tiles:
            at = self.start + y * self.stride
            return self.map[at:at + self.line]
        words = (self.map[self.start + at:self.start + at + WORD]
                 for at in self.tiles.row(y, 0, (self.line + WORD - 1) // WORD))
        return b"".join(words)[:self.line]

    def fill(self, pixel, x=0, y=0, width=None, height=None):
        width, height = width or self.width - x, height or self.height - y
        self.draw(x, y, width, height, pixel * (width * height))

    def noise(self, seed, x=0, y=0, width=None, height=None, colours=None):
        """Random pixels; `colours`: so few different ones, so that encoders choose palettes."""
        width, height = width or self.width - x, height or self.height - y
        source = random.Random(seed)
        if colours:
            palette = [source.randbytes(self.each) for _ in range(colours)]
            count = width * height
            # By bytes it is ten times as fast.
            data = b"".join(map((palette * 256)[:256].__getitem__, source.randbytes(count)) if colours <= 256 else
                            source.choices(palette, k=count))
        else:
            data = source.randbytes(width * height * self.each)
        self.draw(x, y, width, height, data)

    def channels(self):
        """What a viewer should see: the bytes of red, of green, of blue, row after row."""
        data = b"".join(map(self.row, range(self.height)))
        if "Y" in self.form:
            return tuple(self.whole_pairs(channel) for channel in from_yuv(data, self.form))
        if self.form == "C8":
            return data, data, data
        if self.form == "RGB565":
            return (shifted(data, 11, 2).translate(WIDE5), shifted(data, 5, 2).translate(WIDE6),
                    shifted(data, 0, 2).translate(WIDE5))
        if "2101010" in self.form:
            high, middle, low = (shifted(data, shift, 4) for shift in (22, 12, 2))
            return (low, middle, high) if "BGR" in self.form else (high, middle, low)
        order = (0, 1, 2) if self.form in ("XBGR8888", "ABGR8888") else (2, 1, 0)
        return tuple(data[i::self.each] for i in order)

    def whole_pairs(self, channel):
        """Without the second halves of pairs that the picture's right edge cuts through."""
        wide = self.line // self.each
        if wide == self.width:
            return channel
        return b"".join(channel[y * wide:y * wide + self.width] for y in range(self.height))

    def picture(self):
        """The same as XRGB values."""
        return [r << 16 | g << 8 | b for r, g, b in zip(*self.channels())]

    def expect(self, form):
        """The picture as bytes of a viewer's pixel format."""
        return form.pixels(*self.channels())
