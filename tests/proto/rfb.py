# SPDX-License-Identifier: GPL-2.0-or-later
"""An RFB client for tests: every encoding that the server offers, any pixel format, no dependencies.

The picture is kept as the client's own pixels (`bytes` for each pixel in its format), so that a test can compare exactly what a
viewer with that format would show. All waits have a deadline.
"""
import array
import operator
import ctypes
import socket
import struct
import sys
import time
import zlib

RAW, COPYRECT, RRE, CORRE, HEXTILE, ZLIB, TIGHT, ULTRA, ZRLE = 0, 1, 2, 4, 5, 6, 7, 9, 16
CURSOR, XCURSOR, POINTER_POS, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, LAST_RECT = -239, -240, -232, -223, -308, -224
CURSOR_WITH_ALPHA = -314
SET_DESKTOP_SIZE = 251
NAMES = {RAW: "raw", COPYRECT: "copyrect", RRE: "rre", CORRE: "corre", HEXTILE: "hextile", ZLIB: "zlib",
         TIGHT: "tight", ULTRA: "ultra", ZRLE: "zrle"}


class Refused(Exception):
    """The server said why, or closed during the handshake."""


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
        """The same for many, from the bytes of each channel."""
        tables = [[(v * most + 127) // 255 << to for v in range(256)] for most, to in (self.red, self.green, self.blue)]
        values = array.array({1: "B", 2: "H", 4: "I"}[self.bytes],
                             map(operator.or_, map(operator.or_, map(tables[0].__getitem__, red),
                                                   map(tables[1].__getitem__, green)),
                                 map(tables[2].__getitem__, blue)))
        if self.big != (sys.byteorder == "big"):
            values.byteswap()
        return values.tobytes()

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


# ---- DES, for VncAuth: FIPS 46-3, one block at a time ----

_IP = [58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24,
       16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31,
       23, 15, 7]
_FP = [_IP.index(i + 1) + 1 for i in range(64)]
_E = [(i * 4 + j - 1) % 32 + 1 for i in range(8) for j in range(6)]
_P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
_PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36, 63, 55, 47,
        39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
_PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40,
        51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
_ROTATE = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
_S = [
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
]
_S = [[int(c, 16) for c in s.replace(" ", "")] for s in _S]


def _permute(value, width, table):
    out = 0
    for position in table:
        out = out << 1 | (value >> (width - position)) & 1
    return out


def _des_block(key, block):
    k = _permute(int.from_bytes(key, "big"), 64, _PC1)
    c, d = k >> 28, k & 0xfffffff
    value = _permute(int.from_bytes(block, "big"), 64, _IP)
    left, right = value >> 32, value & 0xffffffff
    for turn in _ROTATE:
        c = (c << turn | c >> (28 - turn)) & 0xfffffff
        d = (d << turn | d >> (28 - turn)) & 0xfffffff
        mixed = _permute(right, 32, _E) ^ _permute(c << 28 | d, 56, _PC2)
        out = 0
        for i in range(8):
            six = (mixed >> (42 - 6 * i)) & 63
            out = out << 4 | _S[i][((six >> 4) & 2 | six & 1) * 16 + ((six >> 1) & 15)]
        left, right = right, left ^ _permute(out, 32, _P)
    return _permute(right << 32 | left, 64, _FP).to_bytes(8, "big")


def vnc_response(password, challenge):
    """RFB 7.2.2: DES with each byte of the password bit-reversed."""
    key = password.encode()[:8].ljust(8, b"\0")
    key = bytes(int(f"{b:08b}"[::-1], 2) for b in key)
    return _des_block(key, challenge[:8]) + _des_block(key, challenge[8:])


class Client:
    """`where`: a connected socket, ("HOST", PORT) or a path."""

    def __init__(self, where, version="3.8", password=None, shared=True, timeout=10, handshake=True):
        self.timeout = timeout
        if isinstance(where, socket.socket):
            self.sock = where
        elif isinstance(where, tuple):
            self.sock = socket.create_connection(where, timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(where)
        self.buffer = bytearray()
        self.format = XRGB
        self.inflaters = {}
        self.cursor = None           # (width, height, hot x, hot y, pixels, mask)
        self.alpha_cursor = None     # (width, height, hot x, hot y, premultiplied R, G, B, A)
        self.shapes = 0              # that came, of any kind
        self.pointer = None
        self.resized = 0
        self.screens = None
        self.size_answer = None      # the last (reason, status)
        self.size_answers = []       # all (reason, status, width, height)
        self.colours = {}            # number: (red, green, blue) of 16 bits, where the server sent a colour map
        self.updates = []            # times at which an update was complete
        self.rects = []              # of the last update: (x, y, width, height, encoding)
        self.seen = set()            # encodings that came
        self.bytes = 0
        if handshake:
            try:
                self.handshake(version, password, shared)
            except (EOFError, ConnectionError) as error:
                raise Refused(f"closed in the handshake: {error}") from error

    # ---- bytes ----

    def fill(self, deadline=None):
        left = self.timeout if deadline is None else max(0.0, deadline - time.monotonic())
        self.sock.settimeout(left or 0.001)
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError("closed by the server")
        self.bytes += len(data)
        self.buffer += data

    def read(self, size):
        deadline = time.monotonic() + self.timeout
        while len(self.buffer) < size:
            self.fill(deadline)
        out = bytes(self.buffer[:size])
        del self.buffer[:size]
        return out

    def unpack(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))

    def send(self, data):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    # ---- handshake ----

    def reason(self):
        return self.read(self.unpack(">I")[0]).decode(errors="replace")

    def handshake(self, version, password, shared):
        self.server_version = self.read(12)
        self.send({"3.3": b"RFB 003.003\n", "3.7": b"RFB 003.007\n", "3.8": b"RFB 003.008\n"}.get(version, version))
        if version == "3.3":
            kind = self.unpack(">I")[0]
            if not kind:
                raise Refused(self.reason())
        else:
            count = self.read(1)[0]
            if not count:
                raise Refused(self.reason())
            self.types = list(self.read(count))
            kind = 2 if password is not None and 2 in self.types else 1 if 1 in self.types else self.types[0]
            self.send(bytes([kind]))
        if kind == 2:
            self.send(vnc_response(password or "", self.read(16)))
        if kind == 2 or version == "3.8":
            if self.unpack(">I")[0]:
                raise Refused(self.reason() if version == "3.8" else "wrong password")
        self.send(bytes([shared]))
        self.width, self.height = self.unpack(">HH")
        self.server_format = PixelFormat.unpack(self.read(16))
        self.name = self.read(self.unpack(">I")[0]).decode()
        self.set_format(self.server_format, tell=False)

    # ---- client messages ----

    def set_format(self, form, tell=True):
        self.format = form
        self.pixels = bytearray(self.width * self.height * form.bytes)
        if tell:
            self.send(b"\0\0\0\0" + form.pack())

    def set_encodings(self, *encodings):
        self.send(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def request(self, incremental=True, area=None):
        x, y, w, h = area or (0, 0, self.width, self.height)
        self.send(struct.pack(">BBHHHH", 3, incremental, x, y, w, h))

    def ask_size(self, width, height, screens=None):
        """SetDesktopSize. `screens`: (id, x, y, width, height, flags) each; None: one as large as all."""
        if screens is None:
            screens = [(0, 0, 0, width, height, 0)]
        self.send(struct.pack(">BxHHBx", SET_DESKTOP_SIZE, width, height, len(screens)) +
                  b"".join(struct.pack(">IHHHHI", *screen) for screen in screens))

    # ---- the picture ----

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

    # ---- server messages ----

    def update(self, timeout=None):
        """Waits for one FramebufferUpdate, whose beginning must come within `timeout`. Returns the number of rectangles with
        pixels."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            while not self.buffer:
                self.fill(deadline)
            kind = self.read(1)[0]
            if kind == 0:
                break
            if kind == 1:
                self.on_colour_map()
            elif kind == 3:
                self.read(3)
                self.read(self.unpack(">I")[0])
            elif kind != 2:
                raise AssertionError(f"server message of type {kind}")
        self.read(1)
        self.rects = []
        for _ in range(self.unpack(">H")[0]):
            x, y, width, height, encoding = self.unpack(">HHHHi")
            if encoding == LAST_RECT:
                break
            self.seen.add(encoding)
            if encoding in DECODERS and (x + width > self.width or y + height > self.height):
                raise AssertionError(f"rectangle outside the picture: {x},{y} {width}x{height}")
            if encoding in DECODERS:
                DECODERS[encoding](self, x, y, width, height)
                self.rects.append((x, y, width, height, encoding))
            elif encoding in PSEUDO:
                PSEUDO[encoding](self, x, y, width, height)
            else:
                raise AssertionError(f"encoding {encoding} was not asked for")
        self.updates.append(time.monotonic())
        return len(self.rects)

    def first(self):
        """A whole picture. Each request that is not incremental is answered with the layout first (ExtendedDesktopSize): one is enough."""
        self.request(incremental=False)
        while not self.update():
            self.request()

    def settle(self, quiet=0.4, limit=15):
        """Asks for updates until none comes for `quiet` seconds."""
        end = time.monotonic() + limit
        self.request()
        while time.monotonic() < end:
            try:
                self.update(timeout=quiet)
            except TimeoutError:
                return
            self.request()
        raise AssertionError("the picture does not come to rest")

    # ---- encodings ----

    def raw(self, x, y, width, height):
        self.put(x, y, width, height, self.read(width * height * self.format.bytes))

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
            self.jpegs = getattr(self, "jpegs", 0) + 1
            self.read(self.tight_length())
            return
        if kind > 9:
            raise AssertionError(f"Tight control byte {control:#x}")
        which = self.read(1)[0] if kind & 4 else 0
        if which == 0:
            data = self.tight_data(kind & 3, width * height * each)
            self.put(x, y, width, height, self.tpixels(data, each))
        elif which == 1:
            colours = [self.tpixel(self.read(each)) for _ in range(self.read(1)[0] + 1)]
            if len(colours) == 2:
                line = (width + 7) // 8
                data = self.tight_data(kind & 3, line * height)
                out = (colours[data[j * line + (i >> 3)] >> (7 - (i & 7)) & 1] for j in range(height) for i in range(width))
            else:
                out = (colours[i] for i in self.tight_data(kind & 3, width * height))
            self.put(x, y, width, height, b"".join(out))
        else:
            raise AssertionError(f"Tight filter {which} is not used by LibVNCServer")

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
            self.put(tx, ty, w, h, b"".join(expand(data[i:i + each]) for i in range(at, end, each)))
            return end
        colours = []
        for _ in range(kind & 127):
            colours.append(expand(data[at:at + each]))
            at += each
        if kind == 1:
            self.paint(tx, ty, w, h, colours[0])
            return at
        out = []
        if kind <= 16:
            bits = 1 if kind == 2 else 2 if kind <= 4 else 4
            line = (w * bits + 7) // 8
            for j in range(h):
                row = data[at + j * line:at + (j + 1) * line]
                for i in range(w):
                    out.append(colours[row[i * bits >> 3] >> (8 - bits - (i * bits & 7)) & ((1 << bits) - 1)])
            at += line * h
        else:
            while len(out) < w * h:
                if kind == 128:
                    pixel, at, run = expand(data[at:at + each]), at + each, True
                else:
                    pixel, run, at = colours[data[at] & 127], bool(data[at] & 128), at + 1
                length = 1
                while run:
                    length, at = length + data[at], at + 1
                    if data[at - 1] != 255:
                        break
                out += [pixel] * length
        if len(out) != w * h:
            raise AssertionError("a ZRLE run goes over its tile")
        self.put(tx, ty, w, h, b"".join(out))
        return at

    # ---- pseudo-encodings ----

    def on_colour_map(self):
        first, count = self.unpack(">xHH")
        for i in range(first, first + count):
            self.colours[i] = self.unpack(">HHH")

    def on_cursor(self, x, y, width, height):
        pixels = self.read(width * height * self.format.bytes)
        mask = self.read((width + 7) // 8 * height)
        self.cursor = (width, height, x, y, pixels, mask)
        self.shapes += 1

    def on_alpha_cursor(self, x, y, width, height):
        encoding, = self.unpack(">i")
        if encoding != RAW:
            raise AssertionError(f"Cursor With Alpha in encoding {encoding}")
        self.alpha_cursor = (width, height, x, y, self.read(width * height * 4))
        self.shapes += 1

    def on_xcursor(self, x, y, width, height):
        self.shapes += 1
        if width and height:
            self.read(6 + 2 * ((width + 7) // 8) * height)

    def on_pointer(self, x, y, width, height):
        self.pointer = (x, y)

    def on_size(self, x, y, width, height):
        self.width, self.height = width, height
        self.resized += 1
        self.set_format(self.format, tell=False)

    def on_extended_size(self, x, y, width, height):
        count = self.unpack(">Bxxx")[0]
        self.screens = [self.unpack(">IHHHHI") for _ in range(count)]
        self.size_answer = (x, y)
        self.size_answers.append((x, y, width, height))
        if (width, height) != (self.width, self.height):
            self.on_size(0, 0, width, height)


DECODERS = {RAW: Client.raw, COPYRECT: Client.copyrect, RRE: Client.rre, CORRE: Client.corre, HEXTILE: Client.hextile,
            ZLIB: Client.zlib, TIGHT: Client.tight, ULTRA: Client.ultra, ZRLE: Client.zrle}
PSEUDO = {CURSOR: Client.on_cursor, CURSOR_WITH_ALPHA: Client.on_alpha_cursor, XCURSOR: Client.on_xcursor, POINTER_POS: Client.on_pointer,
          DESKTOP_SIZE: Client.on_size, EXTENDED_DESKTOP_SIZE: Client.on_extended_size}
