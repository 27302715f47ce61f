# SPDX-License-Identifier: GPL-2.0-or-later
"""A display with a picture that shows what a viewer does to it, on a TCP port as VNC viewers know it."""
import socket
import struct
import time

import daemon
import pictures
from host import Host

BLOCK = 32
KEY, REL, ABS = 1, 2, 3


def port():
    """VNC viewers count displays from port 5900 on."""
    while True:
        found = daemon.free_port()
        if found > 5900:
            return found


class Guest(Host):
    """`more`: how viewers prove who they are, as Host has it."""

    def __init__(self, width=640, height=480, flat=False, **more):
        super().__init__(**{"certificate": False, "size": (width, height), "port": port(), **more})
        self.draw(flat)
        self.number = self.port - 5900

    def draw(self, flat):
        """Blocks of one colour each; unless `flat`, also gradients and noise, which every loss shows on."""
        s = self.surface
        for y in range(0, s.height, BLOCK):
            for x in range(0, s.width, BLOCK):
                value = (x // BLOCK * 2654435761 + y // BLOCK * 40503 * 65537) & 0xe0e0e0
                s.fill(value.to_bytes(4, "little"), x, y, min(BLOCK, s.width - x), min(BLOCK, s.height - y))
        if flat:
            return
        for x in range(256):
            s.fill(bytes((x, 255 - x, x // 2, 0)), x, 64, 1, 48)
        s.noise(1, 300, 100, 200, 150)
        s.noise(2, 17, 200, 99, 77, colours=5)

    def expected(self):
        return self.surface.width, self.surface.height, pictures.rgb(self.surface)


class Sinks:
    """A guest's keyboard and pointer: what comes there, for programs that a person would type at."""

    def __init__(self, guest, *kinds):
        kinds = kinds or ("keyboard", "absolutePointer")
        pairs = [socket.socketpair() for _ in kinds]
        self.ours = {kind: pair[0] for kind, pair in zip(kinds, pairs)}
        self.data = dict.fromkeys(kinds, b"")
        guest.daemon.connect().call("SetInput", {"id": "guest", "input": [
            {"kind": kind, "fileDescriptorIndex": i} for i, kind in enumerate(kinds)]}, [pair[1].fileno() for pair in pairs])
        for pair in pairs:
            pair[1].close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.ours.values():
            each.close()

    def until(self, kind, event, seconds=30):
        """The events of that one, up to this."""
        found, end = [], time.monotonic() + seconds * daemon.SLOW
        while not found or found[-1] != event:
            if len(self.data[kind]) < 8:
                self.ours[kind].settimeout(max(0.01, end - time.monotonic()))
                try:
                    more = self.ours[kind].recv(1 << 16)
                except TimeoutError:
                    raise AssertionError(f"{event} does not come at the {kind}: {found}") from None
                if not more:
                    raise AssertionError(f"the {kind} is closed; {found} came")
                self.data[kind] += more
                continue
            found += struct.iter_unpack("<HHi", self.data[kind][:8])
            self.data[kind] = self.data[kind][8:]
        return found
