#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What displays cost that are looked at by a timer while nothing happens, and how soon a change is seen after that.

    BUILD=DIR bench/idle.py [DISPLAYS [QUIET [SECONDS [ACTIVE]]]]      100 displays, 65 s, 10 s, 10 of them in use at the end

See bench/README.md.
"""
import os
import pathlib
import resource
import selectors
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
from viewers import HEIGHT, WIDTH, Processes, drain  # noqa: E402

FRAME = WIDTH * HEIGHT * 4


def memory(d):
    """KiB of proportional set size: what guests have, frames, the rest of the daemon and of its programs; and page tables."""
    sizes = {"guests": 0, "frames": 0, "daemon": 0, "programs": 0, "page tables": 0}
    for pid in (d.pid, *d.children()):
        kind = "daemon" if pid == d.pid else "programs"
        name = kind
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            fields = line.split()
            if not fields[0].endswith(":"):
                path = fields[5] if len(fields) > 5 else ""
                name = "guests" if path == "/memfd:surface" else "frames" if path.startswith("/memfd:") else kind
            elif fields[0] == "Pss:":
                sizes[name] += int(fields[1])
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmPTE"):
                sizes["page tables"] += int(line.split()[1])
    return sizes


def usage(d, seconds):
    processes = Processes(d)
    cpu, wakeups, begin = processes.cpu(), processes.wakeups(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    return f"{100 * (processes.cpu() - cpu) / took:.2f} % of a core, {(processes.wakeups() - wakeups) / took:.0f} wake-ups a second"


def glyph(canvas, viewer, number):
    """Draws eight by sixteen pixels; milliseconds until the viewer has the update."""
    begin = time.monotonic()
    canvas.noise(number, 100 + number % 50 * 10, 200 + number % 20 * 20, 8, 16)
    viewer.sock.setblocking(True)
    viewer.update()
    viewer.request()
    return 1000 * (time.monotonic() - begin)


def look(d, display):
    viewer = d.viewer(display)
    viewer.set_encodings(rfb.RAW)
    viewer.request(incremental=False)
    viewer.update()
    viewer.request()
    return viewer


def latencies(pairs, first):
    times = sorted(glyph(canvas, viewer, number) for number, (canvas, viewer) in enumerate(pairs, first))
    return f"p50 {statistics.median(times):.0f} ms, p90 {times[len(times) * 9 // 10]:.0f} ms, worst {times[-1]:.0f} ms"


def type_on(pairs, stop):
    """Each gets ten glyphs a second."""
    number = 0
    while not stop.is_set():
        for canvas, viewer in pairs:
            number += 1
            canvas.noise(number, 100 + number % 50 * 10, 200 + number % 20 * 20, 8, 16)
        time.sleep(0.1)
        with selectors.DefaultSelector() as poll:
            for _, viewer in pairs:
                poll.register(viewer.sock, selectors.EVENT_READ, viewer)
            for key, _ in poll.select(0):
                key.data.update()
                key.data.request()


def main(displays=100, quiet=65, seconds=10, active=10):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    pairs, held = [], []
    with daemon.Daemon() as d:
        before = memory(d)
        for i in range(displays):
            canvas = surface.Surface(WIDTH, HEIGHT)
            canvas.fill(b"\x40\x30\x20\0")
            held.append(d.register(canvas, f"x{i}", event=False))
            pairs.append((canvas, look(d, f"x{i}")))
        print(f"{displays} displays of {WIDTH}x{HEIGHT}, looked at by a timer, a viewer each; quiet for {quiet} s")
        time.sleep(quiet)
        print("idle:", usage(d, seconds), flush=True)
        sizes = {name: (size - before[name]) / displays for name, size in memory(d).items()}
        own = sizes["daemon"] + sizes["programs"]
        print("memory, KiB for each:", ", ".join(f"{name} {size:.0f}" for name, size in sizes.items()),
              f"; beyond the frame {100 * own * 1024 / FRAME:.1f} % of one, the daemon's part {100 * sizes['daemon'] * 1024 / FRAME:.1f} %")
        print("a glyph, after the silence:", latencies(pairs[active:], 0), flush=True)
        if active:
            stop = threading.Event()
            typist = threading.Thread(target=type_on, args=(pairs[:active], stop))
            typist.start()
            time.sleep(5)
            print(f"{active} in use:", usage(d, seconds), flush=True)
            print("a glyph on one of the others:", latencies(pairs[active:], 1000), flush=True)
            stop.set()
            typist.join()
        for end in held:
            os.close(end)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
