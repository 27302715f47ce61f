# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a viewer show exactly what a surface has, or words?"""
import time

BRIGHT, LIGHT = bytes(v >= 64 for v in range(256)), bytes(v > 200 for v in range(256))


def difference(viewer, expected, size):
    """None, or where the viewer's picture is another than `expected` (bytes in the viewer's format)."""
    if (viewer.width, viewer.height) != size:
        return f"the viewer's screen has {viewer.width}x{viewer.height}, not {size[0]}x{size[1]}"
    if viewer.pixels == expected:
        return None
    each, line = viewer.format.bytes, viewer.width * viewer.format.bytes
    count, first, columns, rows = 0, None, set(), set()
    for y in range(viewer.height):
        got, want = viewer.pixels[y * line:(y + 1) * line], expected[y * line:(y + 1) * line]
        if got == want:
            continue
        rows.add(y)
        for x in range(viewer.width):
            a, b = got[x * each:(x + 1) * each], want[x * each:(x + 1) * each]
            if a != b:
                count += 1
                columns.add(x)
                first = first or f"{x},{y} is {a.hex()} and should be {b.hex()}"
    return (f"{count} pixels differ, in {min(columns)},{min(rows)} to {max(columns)},{max(rows)}; {first}; "
            f"last rectangles {viewer.rects[:8]}")


def shows(viewer, surface):
    return difference(viewer, surface.expect(viewer.format), (surface.width, surface.height))


def until_shows(viewers, surface, limit=20, expected=None):
    """Asks for updates until every viewer shows the surface, which must rest meanwhile. `expected(viewer)`: another picture."""
    size = (surface.width, surface.height)
    end = time.monotonic() + limit
    for viewer in viewers:
        wanted = expected(viewer) if expected else surface.expect(viewer.format)
        viewer.request()
        while viewer.pixels != wanted or (viewer.width, viewer.height) != size:
            left = end - time.monotonic()
            try:
                viewer.update(timeout=max(left, 0.05))
            except TimeoutError:
                raise AssertionError(f"stays wrong: {difference(viewer, wanted, size)}") from None
            viewer.request()


def is_words(viewer):
    """A dark ground with light strokes on it: no picture of these tests looks so. For 32 bits a pixel. All pixels at once, as one long
    number with a byte for each."""
    pixels = bytes(viewer.pixels)
    bright, light = ([int.from_bytes(pixels[i::4].translate(table), "little") for i in range(3)] for table in (BRIGHT, LIGHT))
    count = (bright[0] | bright[1] | bright[2]).bit_count()
    return count < len(pixels) // 4 * 0.2 and light[0] & light[1] & light[2] != 0
