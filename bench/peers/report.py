#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that peers/run prints, from its JSON lines; of each row the last run in the file.

    bench/peers/report.py RESULTS          publish.py writes them, and what follows from them, into the tree
"""
import collections
import json
import math
import pathlib
import re
import sys
from statistics import median

POLLING = ("qemu", "x11vnc")
PEERS = ("qemu", "x11vnc", "libvncserver", "neatvnc", "xvnc")
SCENES = ("type", "term", "drag", "scroll", "video", "fraction", "boot", "photo", "idle")
GOALS = {                       # of the five scenes: goal, floor
    3: ((.6, .12, .4, .08, .3), (.9, .3, .75, .25, .5)),
    4: ((.5, .1, .4, .07, .3), (.75, .3, .65, .25, .5)),
    5: ((1, .08, .8, .04, 1), (1.2, .3, 1.3, .3, 1.15)),
}
HD = "1920x1080"
INTERACTIVE_MS = 1000 / 60      # between two looks of a poller while somebody types

def percentile(values, part):
    """On straight lines between the values: of ten, p90 is not the worst one."""
    values = sorted(values)
    if not values:
        return math.nan
    at = part * (len(values) - 1)
    low = math.floor(at)
    return values[low] + (at - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def spread(values, form="{:.2f}"):
    """Median and range."""
    if not values:
        return "-"
    texts = [form.format(v) for v in (median(values), min(values), max(values))]
    return texts[0] if len(values) == 1 else f"{texts[0]} ({texts[1]}..{texts[2]})"


class Results:
    def __init__(self, lines):
        last = {line["row"]: line["run"] for line in lines}
        self.lines = [line for line in lines if line["run"] == last[line["row"]]]
        self.out, self.verdicts = [], {}

    def print(self, text=""):
        self.out.append(text)

    def of(self, row, **wanted):
        return [line for line in self.lines if line["row"] == row and all(line.get(k) == v for k, v in wanted.items())]

    def verdict(self, value, goal, floor):
        if math.isnan(value):
            return "not measured"
        return "goal" if value <= goal else "floor" if value <= floor else "**missed**"

    def row(self, number, what, values, goal, floor, form="{:.2f}", more="", key=None):
        """A line of the table; `verdicts` has it for others, by number and `key`."""
        value = median(values) if values else math.nan
        verdict = self.verdict(value, goal, floor)
        self.verdicts[number, key] = {"what": what, "value": value, "text": spread(values, form), "goal": goal, "floor": floor,
                                      "verdict": verdict}
        self.print(f"| {number} | {what} | {spread(values, form)}{more} | {goal} | {floor} | {verdict} |")

    # ---- Servers by scenes ----

    @staticmethod
    def per_frame(line, what):
        if what == "latency_ms":
            return percentile(line[what], .5)
        return line[what] / max(1, line["frames"] - line["missed"])

    def best(self, row, what, peers, **wanted):
        """The peer with the smallest median, of those that have shown every frame."""
        medians = {}
        for peer in peers:
            lines = self.of(row, server=peer, **wanted)
            if lines and (what == "cpu_ms" or not any(line["missed"] for line in lines)):
                medians[peer] = median(self.per_frame(line, what) for line in lines)
        return min(medians, key=medians.get) if medians else None

    def ratios(self, row, server, what, peers, **wanted):
        """In each round, of the best peer's; and who that is."""
        best = self.best(row, what, peers, **wanted)
        theirs = {line["rep"]: self.per_frame(line, what) for line in self.of(row, server=best, **wanted)}
        return [self.per_frame(line, what) / theirs[line["rep"]] for line in self.of(row, server=server, **wanted)
                if theirs.get(line["rep"])], best

    def matrix(self, row, title):
        """CPU ms a frame, KiB a frame, latency: each server, each scene."""
        lines = self.of(row)
        sizes = list(dict.fromkeys(line["size"] for line in lines))
        for size in sizes:
            here = [line for line in lines if line["size"] == size]
            scenes = list(dict.fromkeys(line["scene"] for line in here))
            self.print(f"{title}, {size}, {1 + max(line['rep'] for line in here)} rounds: CPU ms for a frame, median (min..max) / KiB / "
                       "latency p50 (p10..p90) ms")
            self.print()
            self.print("| | " + " | ".join(scenes) + " |")
            self.print("|---" * (1 + len(scenes)) + "|")
            for server in dict.fromkeys(line["server"] for line in here):
                self.print(f"| {server} | " + " | ".join(self.cell(row, server, scene, size) for scene in scenes) + " |")
            for ours, peers in (("vfd polls", POLLING), ("vfd told", PEERS)):
                for what, name in (("cpu_ms", "CPU"), ("bytes", "bytes"), ("latency_ms", "latency p50")):
                    cells = []
                    for scene in scenes:
                        values, best = self.ratios(row, ours, what, peers, scene=scene, size=size)
                        cells.append(f"{spread(values)} {best or ''}")
                    which = "polling peer's" if peers is POLLING else "peer's"
                    self.print(f"| *{ours}, {name}, of the best {which}* | {' | '.join(cells)} |")
            self.print()

    def cell(self, row, server, scene, size):
        lines = self.of(row, server=server, scene=scene, size=size)
        if not lines:
            return "-"
        cpu = [self.per_frame(line, "cpu_ms") for line in lines]
        late = [value for line in lines for value in line["latency_ms"]]
        kib = median(self.per_frame(line, "bytes") for line in lines) / 1024
        text = (f"{spread(cpu, '{:.1f}')} / {kib:.{0 if kib >= 10 else 1}f} / {percentile(late, .5):.1f} "
                f"({percentile(late, .1):.1f}..{percentile(late, .9):.1f})")
        if missed := sum(line["missed"] for line in lines):
            text += f", {missed} frames missed"
        if wrong := max(line["wrong"] for line in lines):
            text += f", {wrong} wrong pixels"
        again = [line["again"] for line in lines if "again" in line]
        if any(a["same"] != a["pictures"] for a in again):
            text += f", second decoder: {again[0]['same']} of {again[0]['pictures']}"
        return text

    # ---- The rows ----

    def rows_1_2(self):
        first, second = [], []
        for line in self.of(1):
            here = line["text"].split("1920x1080")[1]
            times = {m[1].strip(): float(m[2]) for m in re.finditer(r"^  (\S.*?)\s{2,}[\d.]+\s+([\d.]+)\s+[\d.]+\s+[\d.]+$", here, re.M)}
            reads = [v for k, v in times.items() if k.startswith("read")]
            look = {k.split(",")[1].strip(): v for k, v in reversed(times.items()) if k.startswith("look")}
            first.append(look["0 %"] / min(reads))
            second.append(look["100 %"] / times["memcpy of the frame"])
        self.row(1, "full look, nothing changed / reading the frame once", first, 1.15, 1.4)
        self.row(2, "look, everything changed / one memcpy of the frame", second, .9, 1.2)

    def rows_3_4_5(self):
        for number, what, server, peers in ((3, "cpu_ms", "vfd polls", POLLING), (4, "cpu_ms", "vfd told", PEERS),
                                            (5, "bytes", "vfd told", PEERS)):
            name = {3: "CPU per delivered frame as a poller / best polling peer", 4: "CPU per delivered frame, told / best peer",
                    5: "bytes / best peer that delivers every frame"}[number]
            for scene, goal, floor in zip(SCENES, *GOALS[number]):
                values, best = self.ratios(3, server, what, peers, scene=scene, size=HD)
                self.row(number, f"{name}: {scene} ({best})", values, goal, floor, key=scene)

    def point(self, line):
        """PSNR, CPU ms and bytes of a picture that was there in time; None where fewer than half of them were."""
        if 2 * len(line["errors"]) < line["frames"]:
            return None
        error = median(line["errors"])
        return (10 * math.log10(255 ** 2 / error) if error else math.inf, self.per_frame(line, "cpu_ms"), self.per_frame(line, "bytes"))

    def curve(self, server, scene, rep):
        """Of one server, by PSNR."""
        points = [self.point(line) for line in self.of(6, server=server, scene=scene, rep=rep)]
        return sorted(point for point in points if point)

    @staticmethod
    def at(curve, psnr):
        """CPU and bytes at that PSNR, on straight lines between the qualities; where our worst picture is better than that, what it
        takes; None where our best one is worse."""
        if curve and psnr < curve[0][0]:
            return curve[0][1:]
        for (p, c, b), (p2, c2, b2) in zip(curve, curve[1:]):
            if p - .5 <= psnr <= p2 + .5 and p2 > p and p2 < 70:
                part = (psnr - p) / (p2 - p)
                return c + part * (c2 - c), math.exp(math.log(b) + part * math.log(b2 / b))
        return None

    def row_6(self):
        for scene in ("video", "scroll", "drag"):
            for index, name in ((0, "CPU"), (1, "bytes")):
                ratios = collections.defaultdict(list)
                for line in self.of(6, scene=scene):
                    peer, theirs = line["server"], self.point(line)
                    if peer not in PEERS or not theirs or theirs[0] > 60:
                        continue
                    ours = self.at(self.curve("vfd polls" if peer in POLLING else "vfd told", scene, line["rep"]), theirs[0])
                    if ours:
                        ratios[peer, line["quality"]].append(ours[index] / theirs[1 + index])
                worst = max(ratios, key=lambda k: median(ratios[k]), default=None)
                self.row(6, f"JPEG, {name} at equal PSNR / peers: {scene} (worst: {worst and '%s, quality %s' % worst}, of {len(ratios)} "
                         "points)", ratios.get(worst, []), .8, 1.0, key=(scene, name))

    def points(self):
        """What row 6 compares."""
        scenes = [scene for scene in ("video", "scroll", "drag") if self.of(6, scene=scene)]
        self.print("JPEG, six frames a second: dB / CPU ms / KiB of a picture that was there before the next one, medians; the share of "
                   "those that were late")
        self.print()
        self.print("| server, quality | " + " | ".join(scenes) + " |")
        self.print("|---" * (1 + len(scenes)) + "|")
        for server, quality in sorted({(line["server"], line["quality"]) for line in self.of(6)}):
            cells = []
            for scene in scenes:
                lines = self.of(6, server=server, quality=quality, scene=scene)
                points = [point for point in map(self.point, lines) if point]
                late = sum(line["missed"] for line in lines) / max(1, sum(line["frames"] for line in lines))
                text = " / ".join(form.format(median(column)) for form, column in
                                  zip(("{:.1f}", "{:.1f}", "{:.0f}"), zip(*((p, c, b / 1024) for p, c, b in points)))) or "-"
                cells.append(text.replace("inf", "lossless") + (f", {100 * late:.0f} % late" if late >= .01 else ""))
            self.print(f"| {server}, {quality} | {' | '.join(cells)} |")
        self.print()

    def film(self):
        """By way: CPU ms and KiB of a frame that was there before the next one, PSNR, the share that was late, pictures of H.264 for a frame."""
        out = {}
        for line in self.of("film"):
            out.setdefault(line["way"], []).append(line)
        return {way: [[self.per_frame(x, "cpu_ms") for x in lines], [self.per_frame(x, "bytes") / 1024 for x in lines],
                      [math.inf if not error else 10 * math.log10(255 ** 2 / error) for error in
                       (median(x["errors"]) if x["errors"] else math.nan for x in lines)],
                      sum(x["missed"] for x in lines) / sum(x["frames"] for x in lines),
                      sum(x["shots"] for x in lines) / sum(x["frames"] for x in lines)] for way, lines in out.items()}

    def films(self):
        self.print("A video, 25 frames a second, told, the same viewer in each line but for what it says that it takes; of frames that were "
                   "there before the next one, medians (min..max)")
        self.print()
        self.print("| | CPU, ms | KiB | PSNR, dB | late | pictures of H.264 for a frame |")
        self.print("|---|---|---|---|---|---|")
        for way, (cpu, kib, psnr, late, shots) in self.film().items():
            shown = "lossless" if min(psnr) == math.inf else spread(psnr, "{:.1f}")
            self.print(f"| {way} | {spread(cpu, '{:.1f}')} | {spread(kib, '{:.0f}')} | {shown} | {100 * late:.0f} % | {shots:.2f} |")
        self.print()

    def row_7(self):
        for server in ("vfd told", "vfd polls"):
            one = {line["rep"]: self.per_frame(line, "cpu_ms") for line in self.of(7, server=server, viewers=1)}
            slopes = [(self.per_frame(line, "cpu_ms") / one[line["rep"]] - 1) / 7 * 100
                      for line in self.of(7, server=server, viewers=8) if line["rep"] in one]
            peers = {}
            for peer in PEERS:
                a, b = (self.of(7, server=peer, viewers=n) for n in (1, 8))
                if a and b:
                    peers[peer] = 100 / 7 * (median(self.per_frame(x, "cpu_ms") for x in b) /
                                             median(self.per_frame(x, "cpu_ms") for x in a) - 1)
            more = "; peers: " + ", ".join(f"{k} {v:.0f}" for k, v in peers.items()) if server == "vfd told" else ""
            self.row(7, f"{server}: each further viewer, % of the first one's CPU (8 viewers{more})", slopes, 3, 10, "{:.1f}", key=server)

    def row_8(self):
        for server in ("vfd told", "vfd polls"):
            without = {line["rep"]: percentile(line["latency_ms"], .9) for line in self.of(8, server=server, slow=0)}
            values = [percentile(line["latency_ms"], .9) / without[line["rep"]] for line in self.of(8, server=server)
                      if line["slow"] and line["rep"] in without]
            self.row(8, f"{server}: p90 latency of three fast viewers beside a slow one / without", values, 1.05, 1.2, key=server)

    def row_9(self):
        typed = {"scene": "type", "size": HD}
        ratios, best = self.ratios(3, "vfd told", "latency_ms", PEERS, **typed)
        if best:
            theirs = median(self.per_frame(line, "latency_ms") for line in self.of(3, server=best, **typed))
            self.row(9, f"latency of a typed letter, told, p50 / best peer ({best}, {theirs:.1f} ms)", ratios, .3, .5, key="told")
        over = [percentile(line["latency_ms"], .9) - INTERACTIVE_MS for line in self.of(3, server="vfd polls", **typed)]
        self.row(9, "as a poller, p90 beyond 16.7 ms, ms", over, 2, 5, "{:.1f}", key="polls")

    def rows_10_11(self):
        def core(line):
            return 100 * line["cpu_ms"] / line["took_ms"]
        theirs = {line["rep"]: core(line) for line in self.of(10, server="x11vnc")}
        ours = self.of(10, server="vfd polls")
        self.row(10, f"idle CPU as a poller / x11vnc ({spread([core(x) for x in ours], '{:.2f}')} % of a core)",
                 [core(line) / theirs[line["rep"]] for line in ours if line["rep"] in theirs], .4, .7, key="CPU")
        late = [percentile(line["latency_ms"], .9) for line in self.of(10, server="vfd polls, ten displays")]
        self.row(10, "a change after a minute of silence, p90 ms", late, 100, 100, "{:.0f}", key="letter")
        told = self.of(10, server="vfd told")
        self.row(11, "idle CPU with an eventfd and a viewer, % of a core", [core(line) for line in told], 0, .05, "{:.3f}",
                 f", {spread([line['wakeups'] / line['took_ms'] * 1000 for line in told])} wake-ups a second", key="viewer")
        nobody = self.of(11, viewers=0)
        self.row(11, "wake-ups in 20 s without a viewer", [line["wakeups"] for line in nobody], 0, 0, "{:.0f}", key="nobody")

    def row_12(self):
        for active in (0, 10):
            lines = self.of(12, active=active)
            name = "all at rest" if not active else "ten of them typed at, 5 letters a second each"
            self.row(12, f"100 displays, a viewer each, pollers, {name}: cores", [x["cpu_ms"] / x["took_ms"] for x in lines], .3, .6,
                     key=("cores", active))
            self.row(12, "a letter at one at rest meanwhile, p90 ms", [percentile(x["latency_ms"], .9) for x in lines], 150, 150, "{:.0f}",
                     key=("letter", active))

    def row_13(self):
        for viewers in (0, 1):
            for server in ("vfd told", "vfd polls"):
                lines = self.of(13, server=server, viewers=viewers)
                beyond = [100 * (x["bytes_each"] / x["frame"] - (1 if viewers else 0)) for x in lines]
                self.row(13, f"{server}: memory of a display {'with a viewer beyond its frame' if viewers else 'without viewers'}, "
                         "% of a frame", beyond, 5, 30, "{:.1f}", key=(server, viewers))

    def goals(self):
        rows = ((1, self.rows_1_2), (3, self.rows_3_4_5), (6, self.row_6), (7, self.row_7), (8, self.row_8), (3, self.row_9),
                (10, self.rows_10_11), (12, self.row_12), (13, self.row_13))
        there = [method for row, method in rows if self.of(row)]
        if not there:
            return
        self.print("| # | what | measured | goal | floor | |")
        self.print("|---|---|---|---|---|---|")
        for method in there:
            method()
        self.print()

    def host(self):
        """Where it was measured, when, and beside what else."""
        measured = [line for line in self.lines if line["row"] != "host"]
        times, loads = sorted(line["at"] for line in measured), [line["load"] for line in measured]
        runs = len({line["run"] for line in measured})
        text = f"Measured {times[0]} to {times[-1]}{f' in {runs} runs' * (runs > 1)}; load average meanwhile {min(loads)} to {max(loads)} (median {median(loads)})"
        if host := self.of("host"):
            peers = ", ".join(f"{name} {version}" for name, version in host[-1]["peers"].items())
            text += f" on {host[-1]['cpus']} CPUs, {host[-1]['model']}, {host[-1]['memory'] / 2 ** 30:.0f} GiB; {peers}"
        return text + "."

    def exactness(self):
        """Lossless pictures in the bench's decoder, and in LibVNCServer's: all of ours, and those of peers that were not. Of rows 10 and 12
        the pictures whose latency counts."""
        out = []
        names = {"vfd polls, ten displays": "vfd polls"}
        for server in dict.fromkeys(line["server"] for line in self.lines if "again" in line):
            lines = [line for row in (3, 7, 8, 10, 12, "sizes", "fraction", "scenes", "area", "smoke") for line in self.of(row)
                     if names.get(line["server"], line["server"]) == server]
            again = [line["again"] for line in lines if "again" in line]
            late = sum(line["missed"] for line in lines)
            frames = sum(line["frames"] if "frames" in line else len(line["latency_ms"]) + line["missed"] for line in lines)
            wrong = sum(1 for line in lines if line["wrong"])
            same, pictures = sum(a["same"] for a in again), sum(a["pictures"] for a in again)
            if server.startswith("vfd") or late or wrong or same != pictures:
                out.append(f"{server}: {frames - late} of {frames} frames arrived, with wrong pixels in {wrong} of {len(lines)} plays; in the "
                           f"second decoder {same} of {pictures} recorded pictures were the same")
        return "Lossless pictures. " + "; ".join(out) + ". " * bool(out) + "All others' were exact in both decoders."

    def everything(self):
        if not [line for line in self.lines if line["row"] != "host"]:
            return "nothing was measured"
        self.print(self.host())
        self.print()
        if any("again" in line for line in self.lines):
            self.print(self.exactness())
            self.print()
        self.goals()
        for row, title in ((3, "Lock step, lossless Tight"), ("sizes", "Other sizes"), ("fraction", "Moves by fractions of a pixel"),
                           ("scenes", "Other scenes"), ("smoke", "Smoke")):
            if self.of(row):
                self.matrix(row, title)
        if self.of(6):
            self.points()
        if self.of("film"):
            self.films()
        return "\n".join(self.out)


def table(lines):
    print(Results(lines).everything())


def main():
    table([json.loads(line) for line in open(sys.argv[1])])


if __name__ == "__main__":
    main()
