# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures that other programs made: PNG and JPEG files by the gdk-pixbuf that comes with gvncviewer, screenshots of xwd."""
import ctypes
import ctypes.util
import os
import struct


def load(path):
    """(width, height, R G B bytes) of a PNG or JPEG file."""
    pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
    pixbuf.gdk_pixbuf_new_from_file.restype = ctypes.c_void_p
    pixbuf.gdk_pixbuf_get_pixels.restype = ctypes.c_void_p
    picture = pixbuf.gdk_pixbuf_new_from_file(os.fsencode(path), None)
    if not picture:
        raise AssertionError(f"{path} is no picture")
    picture = ctypes.c_void_p(picture)
    width, height, stride, channels = (getattr(pixbuf, f"gdk_pixbuf_get_{name}")(picture)
                                       for name in ("width", "height", "rowstride", "n_channels"))
    data = ctypes.string_at(pixbuf.gdk_pixbuf_get_pixels(picture), stride * (height - 1) + width * channels)
    return width, height, gather(data, width, height, stride, channels, (0, 1, 2))


def load_xwd(data):
    """(width, height, R G B bytes) of what `xwd` wrote of a true-colour screen (X11/XWDFile.h)."""
    header = struct.unpack(">25I", data[:100])
    size, kind, width, height, order, bits, stride, red = (header[i] for i in (0, 2, 4, 5, 7, 11, 12, 14))
    if kind != 2 or bits not in (24, 32) or red != 0xff0000:
        raise AssertionError(f"xwd: format {kind}, {bits} bits, red {red:#x}")
    start = size + 12 * header[19]
    each = bits // 8                    # 3 where windows are of more than one visual
    places = (each - 3, each - 2, each - 1) if order else (2, 1, 0)
    return width, height, gather(data[start:], width, height, stride, each, places)


def gather(data, width, height, stride, each, places):
    out = bytearray(3 * width * height)
    for y in range(height):
        row = data[y * stride:y * stride + width * each]
        for colour, place in enumerate(places):
            out[3 * width * y + colour:3 * width * (y + 1):3] = row[place::each]
    return bytes(out)


def rgb(surface):
    """What a surface shows, as R G B bytes."""
    out = bytearray()
    for value in surface.picture():
        out += value.to_bytes(3, "big")
    return bytes(out)
