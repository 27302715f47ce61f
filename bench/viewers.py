#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What viewers cost who look at a picture that does not change, and how long a new one waits for its first picture.

    BUILD=DIR bench/viewers.py [idle [VIEWERS [DISPLAYS [SECONDS]]]]      1000 viewers, 8 displays, 30 s
    BUILD=DIR bench/viewers.py first [ROUNDS]                             41 rounds

The daemon and its programs are as they are built; what is measured are their processes, not this one. See bench/README.md.
"""
import os
import pathlib
import resource
import selectors
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402

WIDTH, HEIGHT = 1920, 1080
KINDS = {                            # what viewers ask for; None: nothing, so that LibVNCServer's encoders hold nothing yet
    "no picture yet": None,
    "Raw": (rfb.RAW,),
    "Tight, quality 6": (rfb.TIGHT, -26, rfb.LAST_RECT, rfb.RAW),
    "ZRLE": (rfb.ZRLE, rfb.RAW),
}


def desktop(canvas, seed=0):
    """Windows, lines of small colourful text, and a photo in a corner."""
    canvas.fill(b"\x40\x30\x20\0")
    for i in range(6):
        canvas.fill(bytes((240 - i * 8, 235, 230, 0)), 60 + i * 290, 80, 260, 820)
        for line in range(40):
            canvas.noise(seed + i * 40 + line, 70 + i * 290, 100 + line * 20, 180 + line % 5 * 10, 12, colours=6)
    canvas.noise(seed, WIDTH - 330, HEIGHT - 170, 320, 160)


class Processes:
    """CPU time and memory of the daemon and everything below it."""

    def __init__(self, d):
        self.d = d
        self.pids = [d.pid, *d.children()]

    def cpu(self):
        total = 0
        for pid in self.pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        return total / 1e9

    def wakeups(self):
        return sum(self.d.wakeups(pid) for pid in self.pids)

    def memory(self):
        """KiB: proportional set size and page tables of the RFB programs."""
        pss = tables = 0
        for pid in self.d.rfb_programs():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmPTE"):
                    tables += int(line.split()[1])
        return pss, tables


def drain(viewers, quiet):
    """Reads everything that comes, until nothing does for so long."""
    poll = selectors.DefaultSelector()
    for viewer in viewers:
        viewer.sock.setblocking(False)
        poll.register(viewer.sock, selectors.EVENT_READ, viewer)
    while ready := poll.select(quiet):
        for key, _ in ready:
            if not key.fileobj.recv(1 << 20):
                raise AssertionError("a viewer was closed")
    poll.close()


def look(d, display, encodings):
    viewer = d.viewer(display)
    if encodings:
        viewer.set_encodings(*encodings)
        viewer.request(incremental=False)
        viewer.request()
    return viewer


def idle(count, displays, seconds):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(f"{count} viewers of {displays} displays of {WIDTH}x{HEIGHT}, {seconds} s each")
    for name, encodings in KINDS.items():
        canvases = [surface.Surface(WIDTH, HEIGHT) for _ in range(displays)]
        with daemon.Daemon() as d:
            held = []
            for i, canvas in enumerate(canvases):
                desktop(canvas)
                held.append(d.register(canvas, f"x{i}", context={"viewersMaximum": 128}))
            viewers = [look(d, f"x{i}", encodings) for i in range(displays)]
            drain(viewers, 2)
            one = Processes(d).memory()
            begin = time.monotonic()
            while len(viewers) < count:
                viewers.append(look(d, f"x{len(viewers) % displays}", encodings))
                if len(viewers) % 50 == 0:
                    drain(viewers, 0.1)
            came = time.monotonic() - begin
            drain(viewers, 3)
            processes = Processes(d)
            cpu, wakeups, begin = processes.cpu(), processes.wakeups(), time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - begin
            cpu, wakeups = (processes.cpu() - cpu) / took, (processes.wakeups() - wakeups) / took
            many = processes.memory()
            each = [(b - a) / (count - displays) for a, b in zip(one, many)]
            print(f"{name + ':':18} {100 * cpu:.3f} % of a core, {wakeups:.0f} wake-ups a second; "
                  f"{each[0]:.0f} KiB each, {each[1]:.0f} KiB of page tables; they came in {came:.0f} s", flush=True)
            for end in held:
                os.close(end)
        for canvas in canvases:
            canvas.close()


def whole(viewer):
    """A whole picture that is asked for and taken; seconds."""
    begin = time.monotonic()
    viewer.request(incremental=False)
    until_update(viewer)
    return time.monotonic() - begin


def until_update(viewer):
    """Skips one update of JPEG and other Tight rectangles without decoding their pixels: this process is not what is timed."""
    while not viewer.update_skipped():
        pass


class Skipper(rfb.Client):
    """Takes Tight apart no further than to find its end."""

    def update_skipped(self):
        kind = self.read(1)[0]
        if kind != 0:
            rfb.MESSAGES[kind](self)
            return False
        self.read(1)
        count = self.unpack(">H")[0]
        for _ in range(count):
            x, y, width, height, encoding = self.unpack(">HHHHi")
            if encoding == rfb.LAST_RECT:
                break
            if encoding == rfb.RAW:
                self.read(width * height * 4)
            else:
                self.skip_tight(width, height)
        return True

    def length(self):
        size, shift = 0, 0
        for shift in (0, 7, 14):
            byte = self.read(1)[0]
            size |= (byte & (0xff if shift == 14 else 0x7f)) << shift
            if not byte & 0x80:
                break
        return size

    def skip_tight(self, width, height):
        control = self.read(1)[0]
        if control >> 4 == 8:
            self.read(3)
            return
        if control >> 4 == 9:
            self.read(self.length())
            return
        bits = 24
        if control & 0x40 and self.read(1)[0] == 1:
            colours = self.read(1)[0] + 1
            self.read(3 * colours)
            bits = 1 if colours == 2 else 8
        size = (width * bits + 7) // 8 * height
        self.read(size if size < 12 else self.length())


def connect(path):
    client = Skipper(path, timeout=20)
    client.set_encodings(*KINDS["Tight, quality 6"])
    return client


def percentile(values, part):
    return sorted(values)[int(part * (len(values) - 1))] * 1000


def first(rounds):
    canvas = surface.Surface(WIDTH, HEIGHT)
    desktop(canvas)
    with daemon.Daemon() as d:
        held = d.register(canvas, "x")
        path = str(d.dir / "rfb" / "x")
        stays = connect(path)
        again, fresh = [], []
        whole(stays)
        for _ in range(rounds):
            again.append(whole(stays))
            begin = time.monotonic()
            viewer = connect(path)
            whole(viewer)
            fresh.append(time.monotonic() - begin)
            viewer.close()
            time.sleep(0.05)
        stays.close()
        d.until(lambda: not d.rfb_programs(), "the program ends", 60)
        cold = []
        for _ in range(3):
            begin = time.monotonic()
            viewer = connect(path)
            whole(viewer)
            cold.append(time.monotonic() - begin)
            viewer.close()
            d.until(lambda: not d.rfb_programs(), "the program ends", 60)
        os.close(held)
    canvas.close()
    for part in (0.1, 0.5, 0.9):
        a, b = percentile(again, part), percentile(fresh, part)
        print(f"p{round(part * 100)}: a whole picture {a:.1f} ms, from connect() to the first one {b:.1f} ms: {b / a:.2f} times")
    print(f"the first viewer of all, which starts the program and the looking: {', '.join(f'{1000 * t:.0f} ms' for t in cold)}")


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "idle"
    numbers = [int(word) for word in sys.argv[2:]]
    if what == "idle":
        idle(*(numbers + [1000, 8, 30][len(numbers):]))
    elif what == "first":
        first(*(numbers or [41]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
