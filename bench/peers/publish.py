#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what peers/run measured into the tree: no figure in these places is written by hand.

    bench/peers/publish.py RESULTS [TREE]

    bench/README.md      all tables, between the marks
    README.md            the headline, between the marks
    docs/SPEED.md        what is missed, other sizes, and where one host ends, between the marks
    docs/bench-area.svg, docs/bench-displays.svg
"""
import json
import math
import pathlib
import re
import sys
from statistics import median

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import plot  # noqa: E402
import report  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARKS = ("<!-- figures: made by bench/peers/publish.py -->", "<!-- end of figures -->")
FIVE = ("type", "term", "drag", "scroll", "video")
TITLES = {"type": "typing", "term": "terminal", "drag": "dragging", "scroll": "scrolling", "video": "video", "fraction": "fractions",
          "boot": "boot console", "photo": "photos", "idle": "idle desktop"}
PACE = {"type": 10, "term": 25, "drag": 25, "scroll": 25, "video": 25}      # frames a second of somebody who does that all the time
JPEG = "JPEG, level 6"          # what a film is measured by: that of its own viewer without H.264
LINE = 1.25e9                   # bytes a second: 10 Gbit/s

# What holds back what is not at its goal; shown for what is not. By row, or row and scene or server.
REASONS = {
    1: "each 64 pixels of a row have a hash of their own, which costs beside reading them",
    2: "what has changed is read, hashed and written: the hashes are what is beyond a copy",
    3: "a poller's looks between two frames",
    4: "what any frame costs: a look at the whole picture, two programs that wake up, the write to the viewer",
    5: "each rectangle begins its deflate streams anew, so that all viewers can have the same bytes",
    (5, "video"): "each rectangle begins its deflate streams anew, and ISA-L's matches are shorter than zlib's",
    6: "the JPEG library is the peers' own, too; what differs is which areas are JPEG, and how they are cut",
    7: "each viewer has a thread that wakes up, and a system call, for each update",
    8: "two cores for four viewers, of which one is slow, and for who looks",
    9: "two programs wake up one after the other, and the frame changes hands before and after",
    10: "the looks",
    11: "the safety poll, ever more seldom, down to once in 64 seconds, for sources that signal less than they change",
    12: "the looks",
    13: "a process for each display, which keeps viewers apart from devices and from each other: heap, and what its libraries relocate",
}


def number(value, digits=2):
    """With that many digits that count."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


class Speed:
    def __init__(self, lines):
        self.lines = lines
        self.results = report.Results(lines)
        self.tables = self.results.everything()
        self.verdicts = self.results.verdicts
        self.host = (self.results.of("host") or [{}])[-1]

    # ---- README.md ----

    def headline(self):
        v = self.verdicts
        if (3, "type") not in v:
            return "Not measured yet."
        peers = "QEMU's own VNC server, x11vnc, TigerVNC's Xvnc, neatvnc and a bare LibVNCServer"
        out = [f"Beside {peers}, on the same frames (1920x1080, lossless), where the best of them on each line is 1:", "",
               "| | " + " | ".join(TITLES[s] for s in FIVE) + " |", "|---" * 6 + "|"]
        for row, name in ((4, "CPU of a frame, where the VMM signals"), (3, "CPU of a frame, found by looking; best of those that look"),
                          (5, "bytes of a frame")):
            out.append(f"| {name} | " + " | ".join(number(v[row, s]["value"]) for s in FIVE) + " |")
        out += ["", " ".join(self.sentences())]
        rounds, load = 1 + max(x["rep"] for x in self.results.of(3)), median(x["load"] for x in self.results.of(3))
        if rounds < 5 or load > 1 + self.host.get("cpus", 0):
            out += ["", f"These are preliminary: {rounds} round{'s' * (rounds > 1)}, on a machine with a load of {number(load)}."]
        return "\n".join(out)

    def sentences(self):
        v = self.verdicts
        if self.measured(7, "vfd told"):
            yield f"A further viewer of the same display costs {number(v[7, 'vfd told']['value'])} % of the first one's CPU."
        if late := [x for line in self.results.of(3, server="vfd told", scene="type") for x in line["latency_ms"]]:
            yield f"A typed letter is in the viewer's picture after {number(median(late))} ms."
        if self.measured(12, ("cores", 0)):
            yield (f"100 displays at rest that have to be looked at, with a viewer each, take {number(v[12, ('cores', 0)]['value'])} of a "
                   "core together.")
        if self.measured(11, "nobody") and self.verdicts[11, "nobody"]["value"] == 0:
            yield "One that nobody watches takes nothing."
        verdicts = [x["verdict"] for x in v.values()]
        missed = len(verdicts) - verdicts.count("goal") - verdicts.count("floor")
        yield (f"Of {len(verdicts)} goals {verdicts.count('goal')} are reached, {verdicts.count('floor')} are within their floors, "
               f"and {missed} {'is' if missed == 1 else 'are'} missed: [docs/SPEED.md](docs/SPEED.md).")

    # ---- docs/SPEED.md ----

    def speed(self):
        parts = [self.results.host(), self.results.exactness(), self.short(), self.sizes(), self.film(), self.drawings(), self.ends(), self.in_use()]
        return "\n\n".join(part for part in parts if part)

    def short(self):
        """What is not at its goal, and why."""
        out = ["## What is short of its goal", "", "| # | what | measured | goal | floor | | what holds it back |", "|---|---|---|---|---|---|---|"]
        for (row, key), v in self.verdicts.items():
            if v["verdict"] != "goal":
                out.append(f"| {row} | {v['what']} | {v['text']} | {v['goal']} | {v['floor']} | {v['verdict']} | {self.reason(row, key)} |")
        return "\n".join(out if len(out) > 4 else out[:2] + ["Nothing."])

    def reason(self, row, key):
        text = REASONS.get((row, key)) or REASONS[row]
        if row == 3 and (polls := self.frame("vfd polls", key)) and (told := self.frame("vfd told", key)):
            return f"{text}: {100 * (1 - told / polls):.0f} % of it"
        told = plot.area(self.lines).get("vfd told")
        if row == 4 and told and (frame := self.frame("vfd told", key)):
            fixed = min(plot.line_through(told)[1], frame)
            return f"{text}: {number(fixed)} ms of its {number(frame)}"
        if self.measured(row, key):
            return text
        return "no peer had enough pictures in time to compare" if row == 6 else "it was not measured"

    def measured(self, row, key):
        return (row, key) in self.verdicts and self.verdicts[row, key]["verdict"] != "not measured"

    def frame(self, server, scene, what="cpu_ms"):
        lines = self.results.of(3, server=server, scene=scene, size=report.HD)
        return median(self.results.per_frame(line, what) for line in lines) if lines else None

    def sizes(self):
        """What remains of the lead."""
        rows = [(row, scene, size) for row in (3, "sizes", "fraction", "scenes")
                for scene, size in dict.fromkeys((line["scene"], line["size"]) for line in self.results.of(row))]
        if not any(row == "sizes" for row, *_ in rows):
            return ""
        out = ["## Other sizes, other pictures: what remains of the lead", "",
               "Of the best peer's, as in the table of the goals; medians, and who that peer is. QEMU's VNC server shows 2560x2048 at most.", "",
               "| scene | size | rounds | CPU, told | CPU, polls | bytes | latency p50, told |", "|---|---|---|---|---|---|---|"]
        for row, scene, size in sorted(rows, key=lambda r: list(TITLES).index(r[1])):
            cells = []
            for server, what, peers in (("vfd told", "cpu_ms", report.PEERS), ("vfd polls", "cpu_ms", report.POLLING),
                                        ("vfd told", "bytes", report.PEERS), ("vfd told", "latency_ms", report.PEERS)):
                values, best = self.results.ratios(row, server, what, peers, scene=scene, size=size)
                cells.append(f"{number(median(values))} {best}" if values else "-")
            rounds = 1 + max(line["rep"] for line in self.results.of(row, scene=scene, size=size))
            out.append(f"| {TITLES[scene]} | {size} | {rounds} | {' | '.join(cells)} |")
        return "\n".join(out)

    def film(self):
        """What H.264 takes beside Tight; the table is bench/README.md's."""
        ways = self.results.film()
        if "H.264" not in ways or "lossless" not in ways:
            return ""
        cpu, kib, psnr = (median(column) for column in ways["H.264"][:3])
        out = [f"As H.264 a frame took {number(cpu)} ms of CPU and {number(kib)} KiB and had {number(psnr, 3)} dB "
               f"({ways['H.264'][4]:.2f} pictures of H.264 for a frame)."]
        if JPEG in ways:
            jpeg_cpu, jpeg_kib = (median(column) for column in ways[JPEG][:2])
            out.append(f"Beside {JPEG}, it is {number(100 * kib / jpeg_kib)} % of the bytes for {number(cpu / jpeg_cpu)} times the CPU: "
                       "for lines that are short of bytes.")
        for way, (its_cpu, its_kib, its_psnr, *_) in ways.items():
            if way != "H.264":
                alike = median(its_psnr)
                out.append(f"Tight, {way}: {number(median(its_cpu) / cpu)} times the CPU, {number(median(its_kib) / kib)} times the bytes"
                           + (f", {number(alike, 3)} dB." if math.isfinite(alike) else "."))
        return "\n".join(["## A film", "", "A video on a quarter of the screen at 25 frames a second, for one viewer that knows Open H.264. "
                          + " ".join(out) + " For further viewers a film costs what a write costs: it is encoded once. This scene pans, turns and "
                          "zooms one picture, which suits H.264; the dB are the whole screen's, of which three quarters stand still."])

    def drawings(self):
        out = []
        for name, points in plot.area(self.lines).items():
            slope, start = plot.line_through(points)
            out.append(f"| {name} | {number(start)} | {number(slope)} |")
        if not out:
            return ""
        return "\n".join(["## Cost against changed area", "", "![CPU for a frame against how much of it changes](bench-area.svg)", "",
                          "The straight lines through the medians:", "", "| | ms for any frame | and for each % that changes |",
                          "|---|---|---|", *out])

    def ends(self):
        """Displays at rest: where CPU, memory and reads end, by the measured slopes."""
        cpu, wakeups = plot.displays(self.lines), plot.displays(self.lines, "wakeups")
        memory = {name: [x["bytes_each"] for x in self.results.of(13, server=name, viewers=1)] for name in cpu}
        rates = [float(x) for line in self.results.of(1) for x in
                 re.findall(r"^  read.*\s([\d.]+)$", line["text"].split("1920x1080")[1], re.M)]
        if not (cpu and self.host and all(memory.values()) and rates):
            return ""
        frame, cpus, host = 1920 * 1080 * 4, self.host["cpus"], self.host["memory"]
        out = ["## Cost against displays, and where one host ends", "", "![Cores against displays at rest](bench-displays.svg)", "",
               f"On paper, from the slopes, for {cpus} CPUs, {host / 2 ** 30:.0f} GiB and {max(rates):.0f} GB/s that one core reads at most:", "",
               "| displays at rest, a viewer each | CPU each, of a core | ends at, by CPU | memory each, MB | ends at, by memory | wake-ups a "
               "second each | ends at, by one core's reads | so |", "|---|---|---|---|---|---|---|---|"]
        for name in cpu:
            each, often = plot.line_through(cpu[name])[0], plot.line_through(wakeups[name])[0]
            size = median(memory[name])
            ends = {"CPU": cpus / each if each > 0 else math.inf, "memory": host / size,
                    "reads": max(rates) * 1e9 / (often * frame / 8) if often > 0 else math.inf}
            least = min(ends, key=ends.get)
            out.append(f"| {name} | {number(100 * each)} % | {number(ends['CPU'])} | {number(size / 1e6, 3)} | {number(ends['memory'])} | "
                       f"{number(often)} | {number(ends['reads'])} | {least} ends first, at {number(ends[least])} |")
        out += ["", "Memory is the frame and what the display's program takes; the guests' own pictures are not in it. For the reads each wake-up is "
                "taken for a probe of an eighth of a picture, which is the most they can be, as the daemon's other wake-ups read less."]
        return "\n".join(out)

    def in_use(self):
        scenes = [s for s in FIVE if self.frame("vfd told", s)]
        if not (scenes and self.host):
            return ""
        out = ["Displays in use, a viewer each, lossless, each drawn at all the time:", "",
               "| | frames a second | cores each, told | polls | ends at, by CPU, told | MB/s each | ends at, by 10 Gbit/s | so |",
               "|---|---|---|---|---|---|---|---|"]
        for scene in scenes:
            pace = PACE[scene]
            told, polls = (pace * self.frame(server, scene) / 1000 for server in ("vfd told", "vfd polls"))
            rate = pace * self.frame("vfd told", scene, "bytes")
            ends = {"CPU": self.host["cpus"] / told, "the network": LINE / rate}
            least = min(ends, key=ends.get)
            out.append(f"| {TITLES[scene]} | {pace} | {number(told)} | {number(polls)} | {number(ends['CPU'])} | {number(rate / 1e6)} | "
                       f"{number(ends['the network'])} | {least} |")
        out += ["", "A poller that is in use was measured at five frames a second, with its looks between them: at more frames it has fewer."]
        return "\n".join(out)


def put(path, text):
    before, rest = path.read_text().split(MARKS[0])
    path.write_text(before + MARKS[0] + "\n\n" + text.strip() + "\n\n" + MARKS[1] + rest.split(MARKS[1])[1])


def main():
    tree = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT
    speed = Speed([json.loads(line) for line in open(sys.argv[1])])
    for name, text in (("bench/README.md", speed.tables), ("README.md", speed.headline()), ("docs/SPEED.md", speed.speed())):
        put(tree / name, text)
        print(f"{name} is written")
    for path in plot.draw_all(speed.lines, tree / "docs"):
        print(f"{path.relative_to(tree)} is drawn")


if __name__ == "__main__":
    main()
