# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a viewer show exactly what a surface has?"""
import time


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
