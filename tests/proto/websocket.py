# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser's side of WebSocket (RFC 6455) as a stream of bytes."""
import base64
import hashlib
import os
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The server answered the request with something else than 101; its first line."""


def request(path="/", host="localhost", origin=None, key=None, protocol="binary", more=(), leave=()):
    key = base64.b64encode(os.urandom(16)).decode() if key is None else key
    lines = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
             "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": protocol, "Origin": origin}
    text = [f"GET {path} HTTP/1.1"] + [f"{n}: {v}" for n, v in lines.items() if v is not None and n not in leave] + list(more)
    return ("\r\n".join(text) + "\r\n\r\n").encode(), key


def frame(data, kind=BINARY, last=True, mask=True, length=None, reserved=0):
    """`length`: as bytes, to be said in another way than the shortest."""
    head = bytes([(128 if last else 0) | reserved << 4 | kind])
    flag = 128 if mask else 0
    if length is not None:
        head += bytes([length[0] | flag]) + length[1:]
    elif len(data) < 126:
        head += bytes([len(data) | flag])
    elif len(data) < 1 << 16:
        head += struct.pack(">BH", 126 | flag, len(data))
    else:
        head += struct.pack(">BQ", 127 | flag, len(data))
    if not mask:
        return head + data
    word = os.urandom(4)
    return head + word + masked(data, word)


def masked(data, word):
    size = len(data)
    pad = int.from_bytes((word * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(data, "big") ^ pad).to_bytes(size, "big") if size else b""


class Stream:
    def __init__(self, inner, path="/", **more):
        self.inner = inner
        self.raw, self.plain = bytearray(), bytearray()
        self.closed = None           # the code of the server's close
        self.pongs = []
        self.hello(path, more)

    def hello(self, path, more):
        text, key = request(path, **more)
        self.inner.sendall(text)
        while b"\r\n\r\n" not in self.raw:
            data = self.inner.recv(4096)
            if not data:
                raise Refused(f"closed after {bytes(self.raw)!r}")
            self.raw += data
        head, _, rest = bytes(self.raw).partition(b"\r\n\r\n")
        self.raw = bytearray(rest)
        lines = head.decode("latin1").split("\r\n")
        self.headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if not lines[0].startswith("HTTP/1.1 101"):
            raise Refused(lines[0])
        wanted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if self.headers.get("sec-websocket-accept") != wanted:
            raise AssertionError(f"Sec-WebSocket-Accept is {self.headers.get('sec-websocket-accept')}")

    def settimeout(self, seconds):
        self.inner.settimeout(seconds)

    def fileno(self):
        return self.inner.fileno()

    def close(self):
        self.inner.close()

    def sendall(self, data):
        self.inner.sendall(frame(bytes(data)))

    def recv(self, size):
        while not self.plain:
            if self.closed is not None:
                return b""
            if not self.take():
                data = self.inner.recv(1 << 16)
                if not data:
                    return b""
                self.raw += data
        out = bytes(self.plain[:size])
        del self.plain[:size]
        return out

    def take(self):
        """One frame of the server's, if it is whole."""
        raw = self.raw
        if len(raw) < 2:
            return False
        kind, length, at = raw[0] & 15, raw[1], 2
        if length & 128 or raw[0] & 0x70:
            raise AssertionError("a server's frame is masked or has reserved bits")
        if length >= 126:
            at = 4 if length == 126 else 10
            if len(raw) < at:
                return False
            length = int.from_bytes(raw[2:at], "big")
        if len(raw) < at + length:
            return False
        data = bytes(raw[at:at + length])
        del raw[:at + length]
        if kind in (BINARY, CONTINUED):
            self.plain += data
        elif kind == PING:
            self.inner.sendall(frame(data, PONG))
        elif kind == PONG:
            self.pongs.append(data)
        elif kind == CLOSE:
            self.closed = int.from_bytes(data[:2], "big") if data else 0
        else:
            raise AssertionError(f"a frame of kind {kind}")
        return True
