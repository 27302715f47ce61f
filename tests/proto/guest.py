# SPDX-License-Identifier: GPL-2.0-or-later
"""A display with a picture that shows what a viewer does to it, on a TCP port as VNC viewers know it."""
import daemon
import pictures
from host import Host

BLOCK = 32


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
