# SPDX-License-Identifier: GPL-2.0-or-later
"""Something that moves like a film, drawn on a surface."""
import threading

SIZE = (320, 240)


def scene(number, width=SIZE[0], height=SIZE[1]):
    """Soft colours that move, many of them."""
    rows = []
    for y in range(height):
        red = bytes((x * 2 // 3 + number * 5) & 127 for x in range(width))
        green = bytes((y + x // 4 + number * 3) & 127 for x in range(width))
        blue = bytes(96 + ((x + y + number * 7) & 63) for x in range(width))
        row = bytearray(4 * width)
        row[::4], row[1::4], row[2::4] = blue, green, red
        rows.append(bytes(row))
    return b"".join(rows)


SCENES = [scene(number) for number in range(12)]


class Player(threading.Thread):
    """Draws one picture after the other, some thirty a second, until it is told to stop."""

    def __init__(self, canvas, place, scenes=SCENES):
        super().__init__(daemon=True)
        self.canvas, self.place, self.scenes = canvas, place, scenes
        self.stopping = threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.stopping.wait(0.03):
            self.canvas.draw(*self.place, self.scenes[number % len(self.scenes)])
            self.canvas.signal()
            number += 1

    def stop(self):
        self.stopping.set()
        self.join()
