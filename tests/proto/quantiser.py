# SPDX-License-Identifier: GPL-2.0-or-later
"""What quality has a picture of H.264? Reads the heads that come before its first slice's blocks (ITU-T H.264, 7.3), in baseline profile."""

SLICE, IDR, SPS, PPS = 1, 5, 7, 8
P = 0


class Bits:
    def __init__(self, payload):
        payload = payload.replace(b"\0\0\3", b"\0\0")           # 7.4.1: emulation prevention
        self.text, self.at = "".join(f"{byte:08b}" for byte in payload[:64]), 0

    def u(self, count):
        self.at += count
        return int(self.text[self.at - count:self.at] or "0", 2)

    def ue(self):
        zeros = self.text.index("1", self.at) - self.at
        self.at += zeros
        return self.u(zeros + 1) - 1

    def se(self):
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)


class Quantisers:
    """Of a stream: looks at one picture after the other."""

    def __init__(self):
        self.frame_bits = self.order_bits = self.first = 0

    def look(self, data):
        """Of the first slice; None: the picture stands alone, or there is none."""
        for unit in data.split(b"\0\0\1")[1:]:
            kind, bits = unit[0] & 31, Bits(unit[1:])
            if kind == SPS:
                self.sequence(bits)
            elif kind == PPS:
                self.picture(bits)
            elif kind in (SLICE, IDR):
                quantiser = self.slice(bits, kind, unit[0] >> 5)
                return quantiser if kind == SLICE else None
        return None

    def sequence(self, bits):
        bits.u(24)
        bits.ue()
        self.frame_bits = bits.ue() + 4
        order = bits.ue()
        if order == 1:
            raise AssertionError("a picture order that nobody uses")
        self.order_bits = bits.ue() + 4 if order == 0 else 0

    def picture(self, bits):
        bits.ue(), bits.ue(), bits.u(2)
        if bits.ue():
            raise AssertionError("slice groups")
        bits.ue(), bits.ue(), bits.u(3)
        self.first = 26 + bits.se()

    def slice(self, bits, kind, referred):
        bits.ue()
        inter = bits.ue() % 5 == P
        bits.ue(), bits.u(self.frame_bits)
        if kind == IDR:
            bits.ue()
        bits.u(self.order_bits)
        if inter:
            if bits.u(1):                                      # another number of references
                bits.ue()
            if bits.u(1):                                      # in another order
                while bits.ue() != 3:
                    bits.ue()
        if referred:
            if kind == IDR:
                bits.u(2)
            elif bits.u(1):
                raise AssertionError("references are marked")
        return self.first + bits.se()
