# SPDX-License-Identifier: GPL-2.0-or-later
"""A VNC viewer that keeps what it is sent: RFB 3.8, security None, Raw, sizes of the desktop. Small on purpose: inside the VM only the
picture counts; the protocol's other corners have their own tests."""

import select
import socket
import struct
import time

RAW, CURSOR, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, CURSOR_WITH_ALPHA = 0, -239, -223, -308, -314
EXTENDED_KEYS, LEDS = -258, -261


def without_x(pixels):
    """The same pixels with the unused byte 0."""
    masked = bytearray(pixels)
    masked[3::4] = bytes(len(masked) // 4)
    return bytes(masked)


class Viewer:
    def __init__(self, where, encodings=(RAW, DESKTOP_SIZE), seconds=30):
        """where: the path of a Unix socket or (host, port)."""
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(where)
        self.updates = 0
        self.received = 0  # bytes
        self.leds = None  # bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock
        self.sizes = []  # (reason, status, width, height) of every ExtendedDesktopSize
        self.cursors = []  # (width, height, mask or R G B A bytes, (hot x, hot y)) of every cursor's shape
        self._handshake()
        self._send(struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self._send(struct.pack(">BxH", 2, len(encodings)) + b"".join(struct.pack(">i", e) for e in encodings))
        self.request(incremental=False)

    def close(self):
        self.socket.close()

    def _send(self, data):
        self.socket.sendall(data)

    def _read(self, count):
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = self.socket.recv_into(view)
            if not got:
                raise ConnectionError("the server closed the connection")
            view = view[got:]
            self.received += got
        return data

    def _unpack(self, form):
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _handshake(self):
        self._read(12)
        self._send(b"RFB 003.008\n")
        count = self._read(1)[0]
        if not count:
            raise ConnectionError("refused: %r" % self._read(self._unpack(">I")[0]))
        kinds = self._read(count)
        if 1 not in kinds:
            raise ConnectionError("security None is not offered: %r" % kinds)
        self._send(b"\x01")
        if self._unpack(">I")[0]:
            raise ConnectionError("refused")
        self._send(b"\x01")  # shared
        width, height = self._unpack(">HH")
        self._read(16)
        self.name = self._read(self._unpack(">I")[0]).decode()
        self._resize(width, height)

    def _resize(self, width, height):
        self.width, self.height = width, height
        self.pixels = bytearray(4 * width * height)

    def request(self, incremental=True):
        self._send(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def ask_for_size(self, width, height):
        self._send(struct.pack(">BxHHBxIHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))

    def key(self, keysym, down):
        self._send(struct.pack(">BBxxI", 4, down, keysym))

    def place_of_key(self, keycode, keysym, down):
        """QEMU Extended Key Event: XT's number, with bit 7 for keys after 0xe0."""
        self._send(struct.pack(">BBHII", 255, 0, down, keysym, keycode))

    def _draw(self, x, y, width, height):
        data = self._read(4 * width * height)
        row = 4 * width
        for line in range(height):
            at = 4 * ((y + line) * self.width + x)
            self.pixels[at:at + row] = data[line * row:(line + 1) * row]

    def _rectangle(self):
        x, y, width, height, encoding = self._unpack(">HHHHi")
        if encoding == RAW:
            self._draw(x, y, width, height)
        elif encoding == DESKTOP_SIZE:
            self._resize(width, height)
        elif encoding == EXTENDED_DESKTOP_SIZE:
            self._read(16 * self._unpack(">Bxxx")[0])
            self.sizes.append((x, y, width, height))
            if not y and (width, height) != (self.width, self.height):
                self._resize(width, height)
        elif encoding == CURSOR:
            self._read(4 * width * height)
            self.cursors.append((width, height, bytes(self._read((width + 7) // 8 * height)), (x, y)))
        elif encoding == CURSOR_WITH_ALPHA:
            if self._unpack(">i")[0] != RAW:
                raise ConnectionError("a cursor in an encoding that was not asked for")
            self.cursors.append((width, height, bytes(self._read(4 * width * height)), (x, y)))
        elif encoding == LEDS:
            self.leds = self._read(1)[0]
        elif encoding != EXTENDED_KEYS:
            raise ConnectionError("an encoding that was not asked for: %d" % encoding)

    def _message(self):
        kind = self._read(1)[0]
        if kind == 0:
            for _ in range(self._unpack(">xH")[0]):
                self._rectangle()
            self.updates += 1
            self.request()
        elif kind == 3:
            self._read(self._unpack(">xxxI")[0])
        elif kind != 2:
            raise ConnectionError("an unknown message: %d" % kind)

    def watch(self, condition, seconds):
        """Takes updates until condition() or the time is over; returns whether it came true."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return bool(condition())
            self._message()
        return True

    def shows(self, width, height, pixels, lines=None):
        """Whether the picture is this one, in its first lines."""
        if (self.width, self.height) != (width, height):
            return False
        size = 4 * width * (height if lines is None else lines)
        return without_x(self.pixels[:size]) == without_x(pixels[:size])

    def explain(self, width, height, pixels):
        if (self.width, self.height) != (width, height):
            return "the viewer's picture is %dx%d, not %dx%d" % (self.width, self.height, width, height)
        mine, row = without_x(self.pixels), 4 * width
        wrong = [y for y in range(height) if mine[y * row:(y + 1) * row] != pixels[y * row:(y + 1) * row]]
        return "%d of %d lines differ, the first is %d (%s, not %s)" % (
            len(wrong), height, wrong[0] if wrong else -1,
            mine[wrong[0] * row:wrong[0] * row + 16].hex() if wrong else "",
            pixels[wrong[0] * row:wrong[0] * row + 16].hex() if wrong else "")


class StalledViewer(Viewer):
    """Asks for everything and never reads."""

    def __init__(self, where):
        super().__init__(where)
        for _ in range(8):
            self.request(incremental=False)
