# SPDX-License-Identifier: GPL-2.0-or-later
"""An RFB client for tests: every encoding that the server offers (decode.py), every security type (security.py), WebSocket and TLS.

    Client(("127.0.0.1", 5900))
    Client(where, security="x509Plain", user="u", password="p", ca="ca.pem")
    Client(where, websocket="/displays/id", wss=True, ca="ca.pem", password="p")

The picture is kept as the client's own pixels (`bytes` for each pixel in its format), so that a test can compare exactly what a
viewer with that format would show. All waits have a deadline.
"""
import socket
import ssl
import struct
import time

import websocket as websockets
from decode import (COPYRECT, CORRE, DECODERS, H264, HEXTILE, NAMES, RAW, RRE, TIGHT, ULTRA, XRGB, ZLIB, ZRLE, Picture,  # noqa: F401
                    PixelFormat)
from security import Refused, Security, client_context, vnc_response  # noqa: F401

CURSOR, XCURSOR, POINTER_POS, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, LAST_RECT = -239, -240, -232, -223, -308, -224
CURSOR_WITH_ALPHA, DESKTOP_NAME, FENCE, CONTINUOUS_UPDATES, XVP = -314, -307, -312, -313, -309
QEMU_KEYS, QEMU_LEDS, QEMU_MOTION, MOUSE_BUTTONS = -258, -261, -257, -316
SET_DESKTOP_SIZE = 251
FENCE_BEFORE, FENCE_AFTER, FENCE_SYNC, FENCE_REQUEST = 1, 2, 4, 1 << 31
VERSIONS = {"3.3": b"RFB 003.003\n", "3.7": b"RFB 003.007\n", "3.8": b"RFB 003.008\n", "3.889": b"RFB 003.889\n"}


class Client(Picture):
    """`where`: a connected socket, ("HOST", PORT) or a path. `security`: a word of security.py; None: whatever is known best.
    `websocket`: a path, to go there over WebSocket, with `wss` over TLS; `web`: more for the request. `server_name`: for TLS."""

    def __init__(self, where, version="3.8", password=None, shared=True, timeout=10, handshake=True, security=None, user="",
                 ca=None, certificate=None, key=None, server_name=None, websocket=None, wss=False, web=None):
        super().__init__()
        self.timeout = timeout
        if isinstance(where, (socket.socket, websockets.Stream)):
            self.sock = where
        elif isinstance(where, tuple):
            self.sock = socket.create_connection(where, timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(where)
        self.wanted = Security(security, user, password, ca, certificate, key, server_name)
        self.buffer = bytearray()
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
        self.names = []              # DesktopName
        self.leds = []               # QEMU LED state
        self.motions = []            # QEMU pointer motion change: 1 is absolute
        self.fences = []             # (flags, payload)
        self.answers_fences = True
        self.ends = 0                # EndOfContinuousUpdates
        self.xvps = []               # (version, code)
        self.bells = 0
        self.bytes = 0
        try:
            if wss:
                self.sock = client_context(ca, certificate, key).wrap_socket(self.sock, server_hostname=server_name)
            if websocket is not None:
                self.sock = websockets.Stream(self.sock, websocket, **(web or {}))
            if handshake:
                self.handshake(version, shared)
        except (EOFError, ConnectionError, ssl.SSLError, websockets.Refused) as error:
            self.sock.close()
            raise Refused(f"closed in the handshake: {error}") from error
        except BaseException:
            self.sock.close()
            raise

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

    def hello(self, version="3.8"):
        """Up to the server's offer; fills self.types."""
        self.server_version = self.read(12)
        self.send(VERSIONS.get(version, version))
        if version in ("3.3", VERSIONS["3.3"]):
            kind = self.unpack(">I")[0]
            if not kind:
                raise Refused(self.reason())
            self.types = [kind]
        else:
            count = self.read(1)[0]
            if not count:
                raise Refused(self.reason())
            self.types = list(self.read(count))

    def result(self, version="3.8"):
        if self.unpack(">I")[0]:
            raise Refused(self.reason() if version not in ("3.3", "3.7") else "not let in")

    def handshake(self, version="3.8", shared=True):
        self.hello(version)
        kind = self.wanted.choose(self.types)
        if version != "3.3":
            self.send(bytes([kind]))
        self.wanted.perform(self, kind)
        if kind != 1 or version not in ("3.3", "3.7"):
            self.result(version)
        self.init(shared)

    def init(self, shared=True):
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

    def key(self, keysym, down=True):
        self.send(struct.pack(">BBxxI", 4, down, keysym))

    def qemu_key(self, keycode, keysym=0, down=True):
        """QEMU Extended Key Event: `keycode` is XT's, with bit 7 for those after 0xe0."""
        self.send(struct.pack(">BBHII", 255, 0, down, keysym, keycode))

    def point(self, x, y, buttons=0, more=None):
        """`more`: the second byte of buttons, where Extended Mouse Buttons was acknowledged."""
        self.send(struct.pack(">BBHH", 5, buttons | (128 if more is not None else 0), x, y) +
                  (b"" if more is None else bytes([more])))

    def cut(self, text):
        self.send(struct.pack(">BxxxI", 6, len(text)) + text)

    def fence(self, flags, payload=b""):
        self.send(struct.pack(">BxxxIB", 248, flags, len(payload)) + payload)

    def continuous(self, on=True, area=None):
        self.send(struct.pack(">BBHHHH", 150, on, *(area or (0, 0, self.width, self.height))))

    def xvp(self, code, version=1):
        self.send(struct.pack(">BxBB", 250, version, code))

    # ---- server messages ----

    def update(self, timeout=None):
        """Waits for one FramebufferUpdate, whose beginning must come within `timeout`. Returns the number of rectangles with
        pixels."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self.hear(deadline) != 0:
            pass
        return len(self.rects)

    def until(self, test, timeout=None, ask=False):
        """Hears messages until `test()`. With `ask` it asks for an update first, and after each."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        if ask and not test():
            self.request()
        while not test():
            if self.hear(deadline) == 0 and ask:
                self.request()

    def hear(self, deadline):
        """One message, which must begin before `deadline`; its type."""
        while not self.buffer:
            if time.monotonic() > deadline:
                raise TimeoutError("no message")
            self.fill(deadline)
        kind = self.read(1)[0]
        if kind not in MESSAGES:
            raise AssertionError(f"server message of type {kind}")
        MESSAGES[kind](self)
        return kind

    def on_update(self):
        self.read(1)
        self.rects = []
        for _ in range(self.unpack(">H")[0]):
            x, y, width, height, encoding = self.unpack(">HHHHi")
            self.seen.add(encoding)
            if encoding == LAST_RECT:
                break
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

    def on_bell(self):
        self.bells += 1

    def on_cut_text(self):
        self.read(3)
        self.read(self.unpack(">I")[0])

    def on_fence(self):
        flags, length = self.unpack(">xxxIB")
        payload = self.read(length)
        self.fences.append((flags, payload))
        if flags & FENCE_REQUEST and self.answers_fences:
            self.fence(flags & (FENCE_BEFORE | FENCE_AFTER | FENCE_SYNC), payload)

    def on_end(self):
        self.ends += 1

    def on_xvp(self):
        self.xvps.append(self.unpack(">xBB"))

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

    def on_name(self, x, y, width, height):
        self.name = self.read(self.unpack(">I")[0]).decode()
        self.names.append(self.name)

    def on_leds(self, x, y, width, height):
        self.leds.append(self.read(1)[0])

    def on_motion(self, x, y, width, height):
        self.motions.append(x)

    def on_acknowledged(self, x, y, width, height):
        """What carries nothing: self.seen tells that it came."""


MESSAGES = {0: Client.on_update, 1: Client.on_colour_map, 2: Client.on_bell, 3: Client.on_cut_text, 150: Client.on_end,
            248: Client.on_fence, 250: Client.on_xvp}
PSEUDO = {CURSOR: Client.on_cursor, CURSOR_WITH_ALPHA: Client.on_alpha_cursor, XCURSOR: Client.on_xcursor,
          POINTER_POS: Client.on_pointer, DESKTOP_SIZE: Client.on_size, EXTENDED_DESKTOP_SIZE: Client.on_extended_size,
          DESKTOP_NAME: Client.on_name, QEMU_LEDS: Client.on_leds, QEMU_MOTION: Client.on_motion,
          QEMU_KEYS: Client.on_acknowledged, MOUSE_BUTTONS: Client.on_acknowledged}
