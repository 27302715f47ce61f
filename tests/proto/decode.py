# SPDX-License-Identifier: GPL-2.0-or-later
"""Pixels of an RFB viewer: any pixel format, and every encoding that the server offers, decoded to exactly what a viewer would show.

A JPEG rectangle is what libturbojpeg makes of it; whoever compares it must let it be a little off.
"""
import ctypes
import struct
import zlib

import h264

RAW, COPYRECT, RRE, CORRE, HEXTILE, ZLIB, TIGHT, ULTRA, ZRLE = 0, 1, 2, 4, 5, 6, 7, 9, 16
H264 = h264.ENCODING
NAMES = {RAW: "raw", COPYRECT: "copyrect", RRE: "rre", CORRE: "corre", HEXTILE: "hextile", ZLIB: "zlib",
         TIGHT: "tight", ULTRA: "ultra", ZRLE: "zrle"}


# What the bytes of packed palette numbers say, first pixel in the upper bits.
NUMBERS = {bits: [bytes(byte >> shift & (1 << bits) - 1 for shift in range(8 - bits, -1, -bits)) for byte in range(256)]
           for bits in (1, 2, 4)}


def numbers(data, bits, width, height):
    """Palette numbers of `bits` each, rows of whole bytes, as one byte for each."""
    line, table = (width * bits + 7) // 8, NUMBERS[bits].__getitem__
    return b"".join(b"".join(map(table, data[y * line:(y + 1) * line]))[:width] for y in range(height))


class PixelFormat:
    """A channel is (maximum, shift). Without `true` colours the server sends a map."""

    def __init__(self, bits=32, depth=24, big=False, red=(255, 16), green=(255, 8), blue=(255, 0), true=True):
        self.bits, self.depth, self.big, self.true = bits, depth, big, true
        self.red, self.green, self.blue = red, green, blue
        self.bytes = bits // 8

    def pack(self):
        return struct.pack(">BBBBHHHBBBxxx", self.bits, self.depth, self.big, self.true, self.red[0], self.green[0],
                           self.blue[0], self.red[1], self.green[1], self.blue[1])

    @classmethod
    def unpack(cls, data):
        bits, depth, big, true, rm, gm, bm, rs, gs, bs = struct.unpack(">BBBBHHHBBBxxx", data)
        return cls(bits, depth, bool(big), (rm, rs), (gm, gs), (bm, bs), bool(true))

    def pixel(self, xrgb):
        """An XRGB8888 value as this format's bytes. LibVNCServer rounds with (v * max + 127) / 255."""
        value = 0
        for shift, (most, to) in ((16, self.red), (8, self.green), (0, self.blue)):
            value |= ((((xrgb >> shift) & 255) * most + 127) // 255) << to
        return value.to_bytes(self.bytes, "big" if self.big else "little")

    def pixels(self, red, green, blue):
        """The same for many, from the bytes of each channel: all at once, as one long number with a lane for each pixel."""
        value, size = 0, len(red) * self.bytes
        for channel, (most, to) in ((red, self.red), (green, self.green), (blue, self.blue)):
            scaled = [(v * most + 127) // 255 for v in range(256)]
            lanes = bytearray(size)
            lanes[::self.bytes] = channel.translate(bytes(v & 255 for v in scaled))
            if most > 255:
                lanes[1::self.bytes] = channel.translate(bytes(v >> 8 for v in scaled))
            value |= int.from_bytes(lanes, "little") << to
        out = value.to_bytes(size, "little")
        if not self.big or self.bytes == 1:
            return out
        turned = bytearray(size)
        for i in range(self.bytes):
            turned[i::self.bytes] = out[self.bytes - 1 - i::self.bytes]
        return bytes(turned)

    def compact(self):
        """CPIXEL of ZRLE (RFB 7.7.6): 3 of 4 bytes, the "low" or the "high" ones, where all colours fit there. The text also
        wants a depth of 24 or less; no known server or viewer looks at it."""
        if self.bits != 32:
            return None
        used = 0
        for most, shift in (self.red, self.green, self.blue):
            used |= most << shift
        if used < 1 << 24:
            return "low"
        if not used & 255:
            return "high"
        return None

    def is_888(self):
        return self.bits == 32 and self.depth == 24 and self.red[0] == self.green[0] == self.blue[0] == 255


XRGB = PixelFormat()


def decompress(data):
    """(width, height, red, green, blue) of a JPEG."""
    turbo = ctypes.CDLL("libturbojpeg.so.0")
    turbo.tjInitDecompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(turbo.tjInitDecompress())
    width, height, kind = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    size = ctypes.c_ulong(len(data))
    try:
        if turbo.tjDecompressHeader2(handle, data, size, ctypes.byref(width), ctypes.byref(height), ctypes.byref(kind)):
            raise AssertionError("broken JPEG data")
        out = ctypes.create_string_buffer(3 * width.value * height.value)
        if turbo.tjDecompress2(handle, data, size, out, width, 0, height, 0, 4096):  # TJPF_RGB, TJFLAG_ACCURATEDCT
            raise AssertionError("broken JPEG data")
    finally:
        turbo.tjDestroy(handle)
    return width.value, height.value, out.raw[::3], out.raw[1::3], out.raw[2::3]


class Picture:
    """What a viewer has on its screen. Needs `read` and `unpack`."""

    def __init__(self):
        self.format = XRGB
        self.inflaters = {}
        self.jpegs = []              # rectangles that came as JPEG: (x, y, width, height)
        self.films = h264.Decoders()
        self.streams = set()         # of Tight that were used: 3 by what is encoded once for all, 0 to 2 by LibVNCServer

    def row(self, y):
        stride = self.width * self.format.bytes
        return bytes(self.pixels[y * stride:(y + 1) * stride])

    def put(self, x, y, width, height, data):
        each, line = self.format.bytes, width * self.format.bytes
        for i in range(height):
            at = ((y + i) * self.width + x) * each
            self.pixels[at:at + line] = data[i * line:(i + 1) * line]

    def area(self, x, y, width, height):
        each = self.format.bytes
        return b"".join(bytes(self.pixels[((y + i) * self.width + x) * each:][:width * each]) for i in range(height))

    def paint(self, x, y, width, height, pixel):
        self.put(x, y, width, height, pixel * (width * height))

    # ---- encodings ----

    def raw(self, x, y, width, height):
        self.put(x, y, width, height, self.read(width * height * self.format.bytes))

    def h264(self, x, y, width, height):
        size, flags = self.unpack(">II")
        shown = self.films.rect((x, y, width, height), flags, self.read(size))
        if shown is not None:
            self.put(x, y, width, height, self.format.pixels(shown[2::4], shown[1::4], shown[::4]) if self.format is not XRGB else shown)

    def copyrect(self, x, y, width, height):
        from_x, from_y = self.unpack(">HH")
        self.put(x, y, width, height, self.area(from_x, from_y, width, height))

    def rre(self, x, y, width, height, form=">HHHH"):
        each = self.format.bytes
        count = self.unpack(">I")[0]
        self.paint(x, y, width, height, self.read(each))
        for _ in range(count):
            pixel = self.read(each)
            at_x, at_y, w, h = self.unpack(form)
            self.paint(x + at_x, y + at_y, w, h, pixel)

    def corre(self, x, y, width, height):
        self.rre(x, y, width, height, ">BBBB")

    def hextile(self, x, y, width, height):
        each = self.format.bytes
        ground = front = bytes(each)
        for ty in range(y, y + height, 16):
            for tx in range(x, x + width, 16):
                w, h = min(16, x + width - tx), min(16, y + height - ty)
                how = self.read(1)[0]
                if how & 1:
                    self.put(tx, ty, w, h, self.read(w * h * each))
                    continue
                if how & 2:
                    ground = self.read(each)
                if how & 4:
                    front = self.read(each)
                self.paint(tx, ty, w, h, ground)
                if not how & 8:
                    continue
                for _ in range(self.read(1)[0]):
                    pixel = self.read(each) if how & 16 else front
                    xy, wh = self.read(2)
                    self.paint(tx + (xy >> 4), ty + (xy & 15), (wh >> 4) + 1, (wh & 15) + 1, pixel)

    def inflate(self, stream, data):
        if stream not in self.inflaters:
            self.inflaters[stream] = zlib.decompressobj()
        return self.inflaters[stream].decompress(data)

    def zlib(self, x, y, width, height):
        data = self.inflate("zlib", self.read(self.unpack(">I")[0]))
        self.put(x, y, width, height, data)

    def ultra(self, x, y, width, height):
        """LZO1X of raw pixels. The library comes with LibVNCServer, which links it."""
        data = self.read(self.unpack(">I")[0])
        out = ctypes.create_string_buffer(width * height * self.format.bytes)
        size = ctypes.c_ulong(len(out))
        lzo = ctypes.CDLL("liblzo2.so.2")
        if lzo.lzo1x_decompress_safe(data, ctypes.c_ulong(len(data)), out, ctypes.byref(size), None) or size.value != len(out):
            raise AssertionError("broken LZO data")
        self.put(x, y, width, height, out.raw)

    def tpixel(self, data):
        """TPIXEL of Tight (RFB 7.7.5): R, G, B where the format is 888."""
        if not self.format.is_888():
            return data
        value = data[0] << self.format.red[1] | data[1] << self.format.green[1] | data[2] << self.format.blue[1]
        return value.to_bytes(4, "big" if self.format.big else "little")

    def tight_length(self):
        length = 0
        for shift in (0, 7, 14):
            byte = self.read(1)[0]
            length |= (byte & (255 if shift == 14 else 127)) << shift
            if not byte & 128:
                break
        return length

    def tight_data(self, stream, size):
        if size < 12:
            return self.read(size)
        return self.inflate(("tight", stream), self.read(self.tight_length()))

    def tight(self, x, y, width, height):
        control = self.read(1)[0]
        each = 3 if self.format.is_888() else self.format.bytes
        for stream in range(4):
            if control & 1 << stream:
                self.inflaters.pop(("tight", stream), None)
        kind = control >> 4
        if kind == 8:
            self.paint(x, y, width, height, self.tpixel(self.read(each)))
            return
        if kind == 9:
            self.tight_jpeg(x, y, width, height)
            return
        if kind > 9:
            raise AssertionError(f"Tight control byte {control:#x}")
        self.streams.add(kind & 3)
        which = self.read(1)[0] if kind & 4 else 0
        if which == 0:
            data = self.tight_data(kind & 3, width * height * each)
            self.put(x, y, width, height, self.tpixels(data, each))
        elif which == 1:
            colours = [self.tpixel(self.read(each)) for _ in range(self.read(1)[0] + 1)]
            if len(colours) == 2:
                which = numbers(self.tight_data(kind & 3, (width + 7) // 8 * height), 1, width, height)
            else:
                which = self.tight_data(kind & 3, width * height)
            self.put(x, y, width, height, b"".join(map(colours.__getitem__, which)))
        else:
            raise AssertionError(f"Tight filter {which} is not used by LibVNCServer")

    def tight_jpeg(self, x, y, width, height):
        data = self.read(self.tight_length())
        seen_width, seen_height, red, green, blue = decompress(data)
        if (seen_width, seen_height) != (width, height):
            raise AssertionError(f"a JPEG of {seen_width}x{seen_height} in a rectangle of {width}x{height}")
        self.put(x, y, width, height, self.format.pixels(red, green, blue))
        self.jpegs.append((x, y, width, height))

    def tpixels(self, data, each):
        if each != 3 or not self.format.is_888():
            return data
        out = bytearray(len(data) // 3 * 4)
        for i, (_, shift) in enumerate((self.format.red, self.format.green, self.format.blue)):
            at = 3 - shift // 8 if self.format.big else shift // 8
            out[at::4] = data[i::3]
        return bytes(out)

    def zrle(self, x, y, width, height):
        data = self.inflate("zrle", self.read(self.unpack(">I")[0]))
        compact, at = self.format.compact(), 0
        each = 3 if compact else self.format.bytes
        front = (compact == "low") == self.format.big  # where the missing byte is
        def expand(piece):
            if not compact:
                return piece
            return b"\0" + piece if front else piece + b"\0"
        for ty in range(y, y + height, 64):
            for tx in range(x, x + width, 64):
                w, h = min(64, x + width - tx), min(64, y + height - ty)
                at = self.zrle_tile(data, at, tx, ty, w, h, each, expand)
        if at != len(data):
            raise AssertionError("ZRLE data is left over")

    def zrle_tile(self, data, at, tx, ty, w, h, each, expand):
        kind, at = data[at], at + 1
        if kind == 0:
            end = at + w * h * each
            piece = data[at:end]
            if each != self.format.bytes:
                wide, begin = bytearray(w * h * 4), expand(b"\1").index(1)
                for i in range(3):
                    wide[begin + i::4] = piece[i::3]
                piece = bytes(wide)
            self.put(tx, ty, w, h, piece)
            return end
        colours = []
        for _ in range(kind & 127):
            colours.append(expand(data[at:at + each]))
            at += each
        if kind == 1:
            self.paint(tx, ty, w, h, colours[0])
            return at
        if kind <= 16:
            bits = 1 if kind == 2 else 2 if kind <= 4 else 4
            end = at + (w * bits + 7) // 8 * h
            self.put(tx, ty, w, h, b"".join(map(colours.__getitem__, numbers(data[at:end], bits, w, h))))
            return end
        out, count = [], 0
        while count < w * h:
            if kind == 128:
                pixel, at, run = expand(data[at:at + each]), at + each, True
            else:
                pixel, run, at = colours[data[at] & 127], bool(data[at] & 128), at + 1
            length = 1
            while run:
                length, at = length + data[at], at + 1
                if data[at - 1] != 255:
                    break
            out.append(pixel * length)
            count += length
        if count != w * h:
            raise AssertionError("a ZRLE run goes over its tile")
        self.put(tx, ty, w, h, b"".join(out))
        return at


DECODERS = {H264: Picture.h264, RAW: Picture.raw, COPYRECT: Picture.copyrect, RRE: Picture.rre, CORRE: Picture.corre, HEXTILE: Picture.hextile,
            ZLIB: Picture.zlib, TIGHT: Picture.tight, ULTRA: Picture.ultra, ZRLE: Picture.zrle}
